// What Python sends: arrays in base64, arrays and texts behind a URL.

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { resolved } from "../../assets/stage/parsing.js";

const packed = (array, dtype) => ({
  dtype,
  bdata: Buffer.from(array.buffer).toString("base64"),
});
const answering = (...answers) => {
  const responses = answers.map((body) =>
    body === null ? new Response("", { status: 503 }) : new Response(body),
  );
  return mock.method(globalThis, "fetch", async () => responses.shift());
};

afterEach(() => mock.restoreAll());

test("arrays inside the message come out with their kind and values", async () => {
  for (const [array, dtype] of [
    [new Float32Array([1.5, -2, Number.NaN]), "f4"],
    [new Float64Array([Math.PI, 1e300]), "f8"],
    [new Int32Array([-1, 2 ** 31 - 1]), "i4"],
    [new Uint16Array([0, 65535]), "u2"],
    [new Int8Array([-128, 127]), "i1"],
  ]) {
    assert.deepEqual(await resolved(packed(array, dtype)), array);
  }
});

test("an array of two dimensions is left to Plotly, and plain values are themselves", async () => {
  const square = { ...packed(new Float32Array(4), "f4"), shape: "2, 2" };
  const plain = { a: [1, "two", null, { b: true }], c: undefined };
  assert.deepEqual(await resolved(square), square);
  assert.deepEqual(await resolved(plain), plain);
});

test("arrays and texts behind a URL are read, wherever they stand", async () => {
  const numbers = new Float32Array([1, 2, 3]);
  answering(numbers.buffer, "one\x1ftwo\x1f");
  const scene = await resolved({
    x: [{ $blob: "blob/numbers", dtype: "f4" }],
    items: { texts: { $blob: "blob/texts", dtype: "str" } },
  });
  assert.deepEqual(scene, { x: [numbers], items: { texts: ["one", "two", ""] } });
});

test("a URL names its content: it is fetched once", async () => {
  const fetched = answering(new Uint8Array([7]).buffer);
  const reference = { $blob: "blob/once", dtype: "u1" };
  const [first, second] = await Promise.all([resolved(reference), resolved({ ...reference })]);
  assert.equal(first, second);
  assert.equal(fetched.mock.callCount(), 1);
});

test("what did not arrive is said, and asked for anew", async () => {
  answering(null, new Uint8Array([7]).buffer);
  const reference = { $blob: "blob/late", dtype: "u1" };
  await assert.rejects(resolved(reference), /did not arrive \(503\)\. Reload the page\./);
  assert.deepEqual(await resolved(reference), new Uint8Array([7]));
});

test("of many blobs the oldest are let go", async () => {
  const fetched = mock.method(globalThis, "fetch", async () => new Response(new Uint8Array(1)));
  const read = (k) => resolved({ $blob: `blob/many/${k}`, dtype: "u1" });
  for (let k = 0; k < 61; k++) await read(k);
  await read(60);
  assert.equal(fetched.mock.callCount(), 61);
  await read(0);
  assert.equal(fetched.mock.callCount(), 62);
});
