// From one picture of a space to another: the items fly, and the window moves with them.

import { animate } from "../../shared/animation.js";
import { mixRanges } from "../../shared/interpolation.js";
import { itemsBetween, stillTraces } from "./traces.js";
import { lookingAt, rangesOf, windowOf } from "./viewport.js";

export const MORPH_MS = 550;

export async function fly(picture, before, after) {
  const { Plotly } = window;
  const { plot } = picture;
  const { layout, config } = after.figure;
  const [from, goal] = [windowOf(before.figure.layout), windowOf(layout)];
  const still = stillTraces(after);
  if (!still.length) picture.labels.clear(); // else the frame stays, and its names with it
  const traces = [...still, itemsBetween(before, after, 0)];
  await Plotly.react(plot, traces, lookingAt(layout, from), picture.viewport.configured(config));
  await animate(MORPH_MS, (share) => {
    const { x, y } = itemsBetween(before, after, share);
    const ranges = rangesOf(mixRanges(from, goal, share));
    return Plotly.update(plot, { x: [x], y: [y] }, ranges, [still.length]);
  });
}
