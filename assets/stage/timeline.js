// The player's reckoning: which step it is at, what it says, and how long each takes.

import { clamp } from "../shared/interpolation.js";

const NAMED_MOVE = 0.6; // of a named step's time: a layer is looked at a while

const hasNames = ({ names }) => Boolean(names?.length);

const lastStep = ({ t }) => t.length - 1;

export const stepWithin = (player, step) => clamp(step, 0, lastStep(player));

export const isAtEnd = (player, step) => step >= lastStep(player);

// Whether a newly sent player goes on where the old one is: same steps, same words.
export function isSamePath(before, after) {
  if (!before) return false;
  const identity = ({ t, names, strips, report }) =>
    JSON.stringify([t, names?.length ? names : strips, report]);
  return identity(before) === identity(after);
}

// Of one step, as milliseconds: how long it stays, and how long the way to it takes.
export function stepTimes(player, speed) {
  const stay = (player.seconds * 1000) / player.t.length / speed;
  return { stay, move: hasNames(player) ? NAMED_MOVE * stay : stay };
}

export const stepName = (player, step) =>
  hasNames(player) ? player.names[step] : player.t[step].toFixed(2);

export const isOnStep = ({ start, stop }, step) => start <= step && step < stop;
