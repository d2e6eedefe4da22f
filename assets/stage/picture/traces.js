// What is in a picture's specification: its traces by their roles, and where they stand.
//
// One trace may hold the items of the space (meta.role "items"); others hang on them, an item for
// each point (meta.rows) or vertex (meta.follow), or belong to a step of the player (meta.steps).

import { differ, mixCoordinates } from "../../shared/interpolation.js";

const NOT_THERE = -1;

const traceIndex = (spec, role) => spec.figure.data.findIndex(({ meta }) => meta?.role === role);

export const itemsIndex = (spec) => traceIndex(spec, "items");

export const matchesIndex = (spec) => traceIndex(spec, "matches");

const itemsOf = (spec) => spec.figure.data[itemsIndex(spec)];

// Pictures of the same space point, zoom and select together.
export const isLinkable = (spec) => Boolean(spec?.space) && itemsIndex(spec) !== NOT_THERE;

// The item that a point of Plotly's stands for, or null.
export function rowOf(spec, { curveNumber, pointNumber }) {
  const { meta } = spec.figure.data[curveNumber] ?? {};
  if (meta?.role === "items") return pointNumber;
  const row = (meta?.rows ?? meta?.follow)?.[pointNumber] ?? NOT_THERE;
  return row < 0 ? null : row;
}

// The step of the player that it stands for, or undefined.
export const stepOf = (spec, { curveNumber, pointNumber }) =>
  spec.figure.data[curveNumber]?.meta?.steps?.[pointNumber];

// Whether the items of one picture can move to where they are in the other.
export function isMorphable(before, after) {
  const [a, b] = [itemsOf(before), itemsOf(after)];
  if (a?.type !== "scattergl" || b?.type !== "scattergl") return false;
  return a.x.length === b.x.length && (differ(a.x, b.x) || differ(a.y, b.y));
}

// Both pictures' items at the share u of the way from one to the other.
export function itemsBetween(before, after, u) {
  const [a, b] = [itemsOf(before), itemsOf(after)];
  return { ...b, x: mixCoordinates(a.x, b.x, u), y: mixCoordinates(a.y, b.y, u) };
}

export const stillTraces = (spec) =>
  spec.figure.data.filter(({ meta }) => meta?.still).map((trace) => ({ ...trace }));

// The traces that a morph moves, by their index.
export const movingTraces = (spec) =>
  spec.figure.data.flatMap(({ meta }, k) => (meta?.role === "items" || meta?.follow ? [k] : []));

// Traces of its own, so that Plotly writes into none of the spec's: every item the share u of its
// way into the second space, or where it stands at the step; the selected rows (null: all) lit.
export function posed(spec, { u, step, selected }) {
  const items = itemsOf(spec);
  const { morph } = spec;
  const morphed = morph && u > 0;
  const places = morphed
    ? { x: mixCoordinates(items.x, morph.x, u), y: mixCoordinates(items.y, morph.y, u) }
    : spec.steps?.[step];
  const lit = selected ? { selectedpoints: selected } : {};
  return spec.figure.data.map((trace) => {
    if (trace === items) return { ...trace, ...lit, ...places };
    const carried = morphed && trace.meta?.follow ? following(trace, places) : {};
    return { ...trace, ...undimmed(trace), ...carried };
  });
}

// What hangs on items goes with them; a vertex of its own stays.
function following({ x, y, meta: { follow } }, places) {
  const carried = (own, of) =>
    Array.from(own, (value, k) => (follow[k] < 0 ? value : of[follow[k]]));
  return { x: carried(x, places.x), y: carried(y, places.y) };
}

// What is drawn over the items stays as it is when a lasso leaves it out.
function undimmed({ marker }) {
  if (!marker) return {};
  const opacity = typeof marker.opacity === "number" ? marker.opacity : 1;
  return { unselected: { marker: { opacity } } };
}
