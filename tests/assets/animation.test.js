// What moves: it starts at once, ends exactly where it is to end, and can be ended by what is newer.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { animate } from "../../assets/shared/animation.js";
import {
  clamp,
  differ,
  eased,
  mix,
  mixCoordinates,
  mixRanges,
} from "../../assets/shared/interpolation.js";

const FRAME_MS = 16;
let now = 0;

beforeEach(() => {
  now = 0;
  mock.method(performance, "now", () => now);
  globalThis.requestAnimationFrame = (draw) => {
    now += FRAME_MS;
    queueMicrotask(() => draw(now));
  };
});

afterEach(() => {
  mock.restoreAll();
  delete globalThis.requestAnimationFrame;
});

test("a movement goes on from frame to frame and ends at 1", async () => {
  const shares = [];
  await animate(160, (share) => shares.push(share));
  assert.equal(shares.length, 10);
  assert.equal(shares.at(-1), 1);
  assert.ok(shares.every((share, k) => k === 0 || share > shares[k - 1]));
});

test("without time it is drawn once, at once", () => {
  const shares = [];
  animate(0, (share) => shares.push(share));
  assert.deepEqual(shares, [1]);
});

test("what is slow to draw takes fewer frames, not longer", async () => {
  let drawn = 0;
  await animate(160, () => {
    drawn += 1;
    now += 100;
  });
  assert.equal(drawn, 3);
});

test("a newer movement ends an older one", async () => {
  let current = "old";
  const shares = [];
  const draw = (share) => {
    shares.push(share);
    if (shares.length === 3) current = "new";
  };
  await animate(160, draw, () => current === "old");
  assert.equal(shares.length, 3);
});

test("the share of the way begins and ends slowly", () => {
  assert.deepEqual([0, 0.5, 1].map(eased), [0, 0.5, 1]);
  assert.ok(eased(0.1) < 0.1 && eased(0.9) > 0.9);
});

test("what is between two values ends exactly at the second", () => {
  assert.equal(mix(0.1, 0.7, 1), 0.7);
  assert.equal(mix(2, 4, 0.25), 2.5);
  assert.deepEqual(mixRanges([0, 10], [1, 20], 0.5), [0.5, 15]);
  assert.deepEqual(mixCoordinates([0, 1], new Float64Array([2, 3]), 0.5), new Float32Array([1, 2]));
});

test("small helpers", () => {
  assert.deepEqual(
    [-1, 0.5, 9].map((value) => clamp(value, 0, 1)),
    [0, 0.5, 1],
  );
  assert.ok(differ([1, 2], [1, 3]));
  assert.ok(!differ([1, 2], new Float32Array([1, 2])));
});
