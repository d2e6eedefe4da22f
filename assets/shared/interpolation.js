// Values between two others, and the share of the way to them.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// A share of the time as a share of the way: slow at both ends.
export const eased = (u) => u * u * (3 - 2 * u);

export const mix = (from, to, u) => (u === 1 ? to : from + (to - from) * u);

export const mixRanges = (from, to, u) => from.map((value, k) => mix(value, to[k], u));

// Coordinates, of which there may be hundreds of thousands, from arrays of any kind.
export function mixCoordinates(from, to, u) {
  const values = new Float32Array(from.length);
  for (let i = 0; i < values.length; i++) values[i] = from[i] + (to[i] - from[i]) * u;
  return values;
}

export const differ = (a, b) => a !== b && a.some((value, i) => value !== b[i]);
