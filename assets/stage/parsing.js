// A scene as Python sends it (core/figures/scene.py), with every array and list of texts read.
//
// Long ones are behind a URL that names their content, {$blob, dtype}; short arrays are inside, in
// base64, {bdata, dtype}. Plotly would read these itself, but morphs, matches and labels need the
// numbers too.

const ARRAYS = {
  f4: Float32Array,
  f8: Float64Array,
  i4: Int32Array,
  i2: Int16Array,
  i1: Int8Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
};
const TEXTS = "str";
const BETWEEN_TEXTS = "\x1f";
const BLOBS_HELD = 60;

const blobs = new Map(); // URL -> promise of a typed array or of a list of texts

async function fetched({ $blob: url, dtype }) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`The picture's data did not arrive (${response.status}). Reload the page.`);
  }
  if (dtype === TEXTS) return (await response.text()).split(BETWEEN_TEXTS);
  return new ARRAYS[dtype](await response.arrayBuffer());
}

// The oldest go first; what failed is asked for anew.
function blob(reference) {
  const url = reference.$blob;
  if (!blobs.has(url)) {
    const promise = fetched(reference);
    promise.catch(() => blobs.delete(url));
    blobs.set(url, promise);
    if (blobs.size > BLOBS_HELD) blobs.delete(blobs.keys().next().value);
  }
  return blobs.get(url);
}

function decoded({ bdata, dtype }) {
  const bytes = Uint8Array.from(atob(bdata), (character) => character.charCodeAt(0));
  return new ARRAYS[dtype](bytes.buffer);
}

// Arrays of more than one dimension are left to Plotly.
const isPacked = ({ bdata, dtype, shape }) => bdata && ARRAYS[dtype] && !shape;

export async function resolved(value) {
  if (Array.isArray(value)) return Promise.all(value.map(resolved));
  if (value === null || typeof value !== "object") return value;
  if (value.$blob) return blob(value);
  if (isPacked(value)) return decoded(value);
  const entries = Object.entries(value).map(async ([key, inner]) => [key, await resolved(inner)]);
  return Object.fromEntries(await Promise.all(entries));
}
