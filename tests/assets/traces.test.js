// Where the traces of a picture stand, and which item a point of theirs is.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isLinkable,
  isMorphable,
  itemsBetween,
  movingTraces,
  posed,
  rowOf,
  stepOf,
} from "../../assets/stage/picture/traces.js";

const items = { type: "scattergl", x: [0, 1, 2], y: [0, 0, 0], meta: { role: "items" } };
const hull = { x: [0, 9, 2], y: [0, 9, 0], meta: { follow: [0, -1, 2] }, marker: { size: 3 } };
const path = { x: [5], y: [5], marker: { opacity: 0.5 }, meta: { rows: [2], steps: [7] } };
const spec = { space: "words", figure: { data: [items, hull, path] } };
const morph = { x: [10, 11, 12], y: [4, 4, 4] };
const still = { u: 0, step: 0, selected: null };
const figure = (...data) => ({ figure: { data } });

test("a point stands for an item by its role, its row or its vertex, else for none", () => {
  assert.equal(rowOf(spec, { curveNumber: 0, pointNumber: 1 }), 1);
  assert.equal(rowOf(spec, { curveNumber: 1, pointNumber: 2 }), 2);
  assert.equal(rowOf(spec, { curveNumber: 1, pointNumber: 1 }), null, "a vertex of its own");
  assert.equal(rowOf(spec, { curveNumber: 2, pointNumber: 0 }), 2);
  assert.equal(rowOf(figure({}), { curveNumber: 0, pointNumber: 0 }), null);
  assert.equal(rowOf(spec, { curveNumber: 9, pointNumber: 0 }), null);
  assert.equal(stepOf(spec, { curveNumber: 2, pointNumber: 0 }), 7);
  assert.equal(stepOf(spec, { curveNumber: 0, pointNumber: 0 }), undefined);
});

test("pictures are linked by their space, if they show its items", () => {
  assert.ok(isLinkable(spec));
  assert.ok(!isLinkable({ ...spec, space: "" }));
  assert.ok(!isLinkable({ space: "words", ...figure(hull) }));
  assert.ok(!isLinkable(null));
});

test("without a morph all stands where it is, in traces of its own", () => {
  const traces = posed(spec, still);
  assert.deepEqual(traces[0], items);
  assert.notEqual(traces[0], items);
  assert.deepEqual(traces[1].x, hull.x);
});

test("a morph carries the items and what follows them", () => {
  const half = posed({ ...spec, morph }, { ...still, u: 0.5 });
  assert.deepEqual([...half[0].x], [5, 6, 7]);
  assert.deepEqual([...half[0].y], [2, 2, 2]);
  assert.deepEqual(half[1].x, [5, 9, 7], "a vertex of its own stays");
  assert.deepEqual(half[2].x, [5]);
  assert.deepEqual([...posed({ ...spec, morph }, { ...still, u: 1 })[0].x], morph.x);
  assert.deepEqual(movingTraces(spec), [0, 1]);
});

test("the items stand where the step has them", () => {
  const steps = [{ x: [0, 1, 2], y: [0, 0, 0] }, morph];
  assert.deepEqual(posed({ ...spec, steps }, { ...still, step: 1 })[0].x, morph.x);
});

test("a lasso lights rows of the items, and dims nothing that is drawn over them", () => {
  const traces = posed(spec, { ...still, selected: [1] });
  assert.deepEqual(traces[0].selectedpoints, [1]);
  assert.deepEqual(traces[1].unselected, { marker: { opacity: 1 } });
  assert.deepEqual(traces[2].unselected, { marker: { opacity: 0.5 } });
});

test("items fly to where they are in the next picture, if they are as many and move", () => {
  const after = figure({ ...items, y: [6, 6, 6] });
  assert.ok(isMorphable(spec, after));
  assert.ok(!isMorphable(spec, spec), "nothing moves");
  assert.ok(!isMorphable(spec, figure({ ...items, x: [0], y: [1] })));
  assert.ok(!isMorphable(spec, figure({ ...items, y: [6, 6, 6], type: "scatter3d" })));
  assert.ok(!isMorphable(figure(hull), after));
  assert.deepEqual([...itemsBetween(spec, after, 0.25).y], [1.5, 1.5, 1.5]);
});
