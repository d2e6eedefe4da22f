// Search: texts are compared as core/spaces/words.py compares them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { distinction, folded, matchingRows, tally } from "../../assets/stage/matching.js";

test("case, composition and what has no look make no difference", () => {
  for (const [a, b] of [
    ["Straße", "STRASSE"],
    ["Café", "cafe\u0301"],
    ["ΟΔΟΣ", "οδος"],
    ["naïve", "NAÏVE"],
    ["co\u00adoperate", "cooperate"],
    ["İstanbul", "istanbul"],
    ["ﬁsh", "FISH"],
  ]) {
    assert.equal(folded(a), folded(b), `${a} and ${b}`);
  }
});

test("letters that are different stay so", () => {
  assert.notEqual(folded("ılık"), folded("ilik"), "the i without a dot is a letter of its own");
  assert.notEqual(folded("resume"), folded("résumé"));
});

test("folding twice is folding once", () => {
  for (const text of ["İI", "ıI", "ΣΑΣ", "\u00ad", "ß", "Ǆ", "e\u0301\u0323", "한글", "👩‍👩‍👧"]) {
    assert.equal(folded(folded(text)), folded(text));
  }
});

test("a text of nothing but what has no look stays itself", () => {
  assert.equal(folded("\u00ad"), "\u00ad");
});

test("the same text comes first, then what begins with it, then what has it inside", () => {
  const keys = ["concatenate", "category", "cat", "dog", "bobcat", "cat"].map(folded);
  assert.deepEqual(matchingRows(keys, "CAT"), [2, 5, 1, 0, 4]);
  assert.deepEqual(matchingRows(keys, "bird"), []);
});

test("the tally says how many there are, and how many are on the map", () => {
  assert.equal(tally(1234, 0), "1,234 matches");
  assert.equal(tally(1234, 400), "1,234 matches, the first 400 marked");
  assert.equal(tally(12, 12), "12 matches, marked on the map");
});

test("items with one text are told apart by how their detail begins", () => {
  const items = { texts: ["bank", "bank", "river"], details: ["money · noun", "shore", "water"] };
  assert.equal(distinction(0, [0, 1, 2], items), "money");
  assert.equal(distinction(2, [0, 1, 2], items), null, "nothing else is called so");
  assert.equal(distinction(0, [0, 1], { texts: items.texts }), null, "nothing is known of it");
});
