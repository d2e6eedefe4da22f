// Labels: none touches another, none leaves its frame, and what matters most is named first.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isWhole,
  itemLabels,
  labelsOf,
  overlaps,
  placeLabels,
  placeNames,
} from "../../assets/stage/picture/labels.js";
import { seeded } from "./seeded.js";

const frame = { left: 10, top: 10, right: 400, bottom: 300 };
const around = {
  at: (x, y) => [x, y],
  widthOf: (text, px) => 0.6 * px * text.length,
  frame,
  taken: [],
  zoomed: false,
};
const label = (text, x, y, rest = {}) => ({ text, x, y, ...rest });

function crowd(seed, count) {
  const random = seeded(seed);
  const name = (k) => `word ${k}`.repeat(1 + Math.floor(2 * random()));
  return Array.from({ length: count }, (_, k) =>
    label(name(k), 420 * random(), 320 * random(), { above: k % 3 > 0, px: 10 + (k % 4) }),
  );
}

test("two boxes overlap in both directions or in none", () => {
  assert.ok(overlaps([0, 0, 10, 10], [9, 9, 10, 10]));
  assert.ok(!overlaps([0, 0, 10, 10], [10, 0, 10, 10]), "boxes that share an edge");
  assert.ok(overlaps([0, 0, 10, 10], [10, 0, 10, 10], 1));
  assert.ok(!overlaps([0, 0, 10, 10], [0, 11, 10, 10], 2), "half the gap above and below");
  assert.ok(overlaps([10, 0, 10, 10], [0, 0, 10, 10], 1));
});

test("of two labels that touch, the first stays", () => {
  const labels = [label("first", 100, 100), label("second", 104, 102), label("third", 300, 200)];
  const texts = placeLabels(labels, around).map((placed) => placed.label.text);
  assert.deepEqual(texts, ["first", "third"]);
});

test("a label over a point moves to another side of it before it gives up", () => {
  const labels = [label("first", 100, 100), label("second", 104, 112, { above: true })];
  const [, second] = placeLabels(labels, around);
  assert.equal(second.label.text, "second");
  assert.ok(second.box[1] > 112, "under its point: over it there is the first");
});

test("in crowds no label touches another, nor what is taken, nor leaves the frame", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const taken = [[10, 10, 120, 52]];
    const zoomed = seed % 2 === 0;
    const placed = placeLabels(crowd(seed, 200), { ...around, taken, zoomed });
    assert.ok(placed.length > 5 && placed.length <= (zoomed ? 40 : 26));
    const boxes = [...taken, ...placed.map(({ box }) => box)];
    boxes.forEach((a, i) => {
      assert.ok(!boxes.slice(i + 1).some((b) => overlaps(a, b)));
      assert.ok(a[0] >= frame.left && a[0] + a[2] <= frame.right);
      assert.ok(a[1] >= frame.top && a[1] + a[3] <= frame.bottom + 1);
    });
  }
});

test("a place outside the frame has no label", () => {
  const outside = [label("left", 9, 50), label("right", 401, 50), label("under", 50, 301)];
  assert.deepEqual(placeLabels(outside, around), []);
});

test("most of the picture is the whole picture, whichever way its axes run", () => {
  assert.ok(isWhole([0, 8, 0, 1], [0, 10, 0, 1]));
  assert.ok(!isWhole([0, 7, 0, 1], [0, 10, 0, 1]));
  assert.ok(isWhole([8, 0, 0, 1], [10, 0, 0, 1]));
  assert.ok(isWhole([0, 1, 0, 1], null));
});

test("the chosen mover keeps its name in any crowd, others where there is room", () => {
  const movers = ["a", "b", "c", "d", "e", "f"].map((text) => ({ text, named: true }));
  movers[5].chosen = true;
  const spots = movers.map((_, k) => [200 + k, 150]);
  const { names, taken } = placeNames(movers, spots, around);
  assert.notEqual(names[5], null);
  assert.ok(names.some((box) => box === null));
  assert.equal(taken.length, movers.length + names.filter(Boolean).length);
  const shown = names.filter(Boolean);
  shown.forEach((a, i) => {
    assert.ok(!shown.slice(i + 1).some((b) => overlaps(a, b)));
  });
});

test("a mover that is not to be named has none", () => {
  const movers = [{ text: "a", named: false }];
  assert.deepEqual(placeNames(movers, [[50, 50]], around).names, [null]);
});

test("labels of a step come first, and are not said twice", () => {
  const [shared, own, other] = [label("shared", 1, 1), label("own", 2, 2), label("other", 3, 3)];
  const spec = { labels: [shared, other], labels_at: [[], [own, { ...shared }]] };
  const texts = (step) => labelsOf(spec, step, 0).map(({ text }) => text);
  assert.deepEqual(texts(0), ["shared", "other"]);
  assert.deepEqual(texts(1), ["own", "shared", "other"]);
  assert.deepEqual(texts(7), ["shared", "other"]);
});

test("labels move with the morph, and end where it ends", () => {
  const spec = { labels: [label("a", 0.1, 2)], morph: { labels: [{ x: 0.7, y: -2 }] } };
  const [half] = labelsOf(spec, 0, 0.5);
  assert.deepEqual([half.x, half.y], [0.4, 0]);
  const [end] = labelsOf(spec, 0, 1);
  assert.deepEqual([end.x, end.y], [0.7, -2]);
});

test("items are named when few are in the window, and those that a label names are not", () => {
  const places = { x: [0.5, 0.6, 3], y: [0.5, 0.4, 0.5] };
  const named = itemLabels(["one", "two", "far"], places, [1, 0, 0, 1], [label("two", 0, 0)]);
  assert.deepEqual(
    named.map(({ text }) => text),
    ["one"],
  );
  const labelled = (count) => {
    const texts = Array.from({ length: count }, (_, k) => `word ${k}`);
    const middle = texts.map(() => 0.5);
    return itemLabels(texts, { x: middle, y: middle }, [0, 1, 0, 1], []).length;
  };
  assert.equal(labelled(120), 120);
  assert.equal(labelled(121), 0);
});
