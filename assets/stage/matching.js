// How typed text is compared with the texts of items, and what is said of the matches.

const ASCII = /^[\0-\x7f]*$/;
const WITHOUT_LOOK = /\p{Default_Ignorable_Code_Point}+/gu;
const DOTLESS = "ı"; // a letter of its own: it has no small form but itself

// The form in which texts are compared, as core/spaces/words.py has it: composed, without case and
// without what has no look; whatever language the browser speaks.
export function folded(text) {
  if (ASCII.test(text)) return text.toLowerCase();
  const bare = text.replace(WITHOUT_LOOK, "") || text;
  const lower = bare.normalize("NFD").toLowerCase().split(DOTLESS);
  const small = lower.map((part) => part.toUpperCase().toLowerCase()).join(DOTLESS);
  return small
    .replaceAll("ς", "σ")
    .replace(/i\u0307+/g, "i")
    .normalize("NFC");
}

// The rows whose key has the query in it: first the same text, then those that begin with it.
export function matchingRows(keys, query) {
  const wanted = folded(query);
  const [same, beginning, inside] = [[], [], []];
  keys.forEach((key, row) => {
    const place = key.indexOf(wanted);
    if (place < 0) return;
    const kind = key === wanted ? same : place === 0 ? beginning : inside;
    kind.push(row);
  });
  return [...same, ...beginning, ...inside];
}

// How many matches there are, and how many of them the map marks.
export function tally(total, marked) {
  const matches = `${total.toLocaleString("en")} matches`;
  if (!marked) return matches;
  if (marked >= total) return `${matches}, marked on the map`;
  return `${matches}, the first ${marked.toLocaleString("en")} marked`;
}

// Of a listed item, what tells it apart from others with its text: how its detail begins, or null.
export function distinction(row, rows, { texts, details }) {
  const isAlone = rows.filter((other) => texts[other] === texts[row]).length < 2;
  const detail = details?.[row];
  return isAlone || !detail ? null : detail.split(" · ")[0];
}
