// The player's reckoning.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isAtEnd,
  isOnStep,
  isSamePath,
  stepName,
  stepTimes,
  stepWithin,
} from "../../assets/stage/timeline.js";

const path = { t: [0, 0.25, 0.5, 0.75, 1], seconds: 10, strips: [{ name: "straight" }] };
const layers = { ...path, names: ["in", "1", "2", "3", "out"] };

test("all steps together take the seconds of the path, at twice the speed half of them", () => {
  assert.deepEqual(stepTimes(path, 1), { stay: 2000, move: 2000 });
  assert.deepEqual(stepTimes(path, 2), { stay: 1000, move: 1000 });
});

test("a step with a name is looked at for a while", () => {
  assert.deepEqual(stepTimes(layers, 0.5), { stay: 4000, move: 2400 });
});

test("a step has its name, or its share of the way", () => {
  assert.equal(stepName(layers, 4), "out");
  assert.equal(stepName(path, 1), "0.25");
  assert.equal(stepName({ ...path, names: [] }, 4), "1.00");
});

test("no step lies before the first or behind the last", () => {
  assert.deepEqual(
    [-1, 0, 4, 9].map((step) => stepWithin(path, step)),
    [0, 0, 4, 4],
  );
  assert.deepEqual(
    [0, 3, 4].map((step) => isAtEnd(path, step)),
    [false, false, true],
  );
});

test("a word is on for the steps of its run, the end not counted", () => {
  const run = { start: 1, stop: 3 };
  assert.deepEqual(
    [0, 1, 2, 3].map((step) => isOnStep(run, step)),
    [false, true, true, false],
  );
});

test("a player goes on where the steps and the words are the same", () => {
  assert.ok(!isSamePath(null, path));
  assert.ok(isSamePath(path, { ...path, strips: [{ name: "straight" }] }));
  assert.ok(!isSamePath(path, { ...path, strips: [{ name: "sphere" }] }));
  assert.ok(!isSamePath(path, { ...path, t: [0, 1] }));
  assert.ok(!isSamePath(path, { ...path, report: true }));
  assert.ok(isSamePath(layers, { ...layers, strips: [] }), "by the names, where steps have some");
});
