// Which names a picture has room for, and where: boxes are [left, top, width, height] in pixels.

import { clamp, mix } from "../../shared/interpolation.js";

const WHOLE = { limit: 26, gap: 7 }; // labels at once on the whole map, and the air between them
const ZOOMED = { limit: 40, gap: 3 };
const WHOLE_SHARE = 0.7; // of the picture's width that must be shown
const ITEMS_NAMED = 120; // more than so many in the window, and none is named
const LABEL_LENGTH = 40;
const LABEL_PX = 12;

export const shortened = (text) => text.slice(0, LABEL_LENGTH);

// Whether two boxes touch, or come nearer than the gap: half of it above and below.
export function overlaps(a, b, gap = 0) {
  const isBeside = a[0] >= b[0] + b[2] + gap || b[0] >= a[0] + a[2] + gap;
  const isAbove = a[1] >= b[1] + b[3] + gap / 2 || b[1] >= a[1] + a[3] + gap / 2;
  return !isBeside && !isAbove;
}

// Whether most of the picture is shown; a picture without ranges is always whole.
export function isWhole(shown, whole) {
  if (!whole) return true;
  return Math.abs(shown[1] - shown[0]) > WHOLE_SHARE * Math.abs(whole[1] - whole[0]);
}

// Greedy placement: what matters most goes first, and what would touch a placed label stays away.
// `at` gives the pixels of a place, `widthOf` those of a text; `frame` is where labels may lie.
export function placeLabels(labels, { at, widthOf, frame, taken, zoomed }) {
  const { limit, gap } = zoomed ? ZOOMED : WHOLE;
  const boxes = [...taken];
  const placed = [];
  for (const label of labels) {
    if (placed.length >= limit) break;
    const [x, y] = at(label.x, label.y);
    if (x < frame.left || x > frame.right || y < frame.top || y > frame.bottom) continue;
    const px = label.px ?? LABEL_PX;
    const width = widthOf(label.text, px) + 6;
    const box = cornersOf(label, width, px)
      .map(([dx, dy]) => [
        clamp(x + dx, frame.left, frame.right - width),
        clamp(y + dy, frame.top, frame.bottom - px - 4),
        width,
        px + 5,
      ])
      .find((candidate) => !boxes.some((other) => overlaps(candidate, other, gap)));
    if (!box) continue;
    boxes.push(box);
    placed.push({ label, box, px });
  }
  return placed;
}

// Where a label's box may begin, seen from its place: around a point, or over the place itself.
function cornersOf({ above }, width, px) {
  if (!above) return [[-width / 2, -px / 2 - 2]];
  return [
    [-width / 2, -1.6 * px - 3],
    [-width / 2, 0.5 * px],
    [9, -px / 2 - 2],
    [-width - 9, -px / 2 - 2],
  ];
}

// The names of movers at their spots [x, y], each a box or null; the chosen first, and always.
// `taken` are all boxes that labels keep away from.
export function placeNames(movers, spots, { widthOf, frame }) {
  const taken = spots.map(([x, y]) => [x - 5, y - 5, 10, 10]);
  const names = movers.map(() => null);
  const order = movers.map((_, k) => k);
  order.sort((a, b) => Boolean(movers[b].chosen) - Boolean(movers[a].chosen));
  for (const k of order) {
    const { chosen, named, text } = movers[k];
    if (!chosen && !named) continue;
    const isFree = (box) =>
      box[0] >= 0 &&
      box[0] + box[2] <= frame.right &&
      box[1] >= 0 &&
      !taken.some((other, i) => i !== k && overlaps(box, other));
    const px = chosen ? 15 : 12;
    const width = widthOf(shortened(text), px) + 4;
    const boxes = sidesOf(spots[k], width, px + 4, chosen ? 11 : 8);
    names[k] = boxes.find(isFree) ?? (chosen ? boxes[0] : null);
    if (names[k]) taken.push(names[k]);
  }
  return { names, taken };
}

function sidesOf([x, y], width, height, away) {
  const right = [x + away, y - height / 2, width, height];
  const over = [x - width / 2, y - height - away + 2, width, height];
  const left = [x - width - away, y - height / 2, width, height];
  const under = [x - width / 2, y + away - 2, width, height];
  return [right, over, left, under];
}

// The labels of a specification at a step of the player, each the share u of its way in the morph.
export function labelsOf(spec, step, u) {
  const own = spec.labels_at?.[step] ?? [];
  const isOwn = (label) =>
    own.some(({ text, x, y }) => text === label.text && x === label.x && y === label.y);
  const labels = [...own, ...(spec.labels ?? []).filter((label) => !isOwn(label))];
  const there = spec.morph?.labels;
  if (!there || !u) return labels;
  return labels.map((label, k) => ({
    ...label,
    x: mix(label.x, there[k].x, u),
    y: mix(label.y, there[k].y, u),
  }));
}

// Deep in the map every item in the window carries its own name, unless a label says it already.
export function itemLabels(texts, { x, y }, shown, labels) {
  const [x0, x1] = shown.slice(0, 2).sort((a, b) => a - b);
  const [y0, y1] = shown.slice(2).sort((a, b) => a - b);
  const named = new Set(labels.map(({ text }) => text));
  const visible = [];
  for (let i = 0; i < x.length; i++) {
    if (!(x[i] > x0 && x[i] < x1 && y[i] > y0 && y[i] < y1)) continue;
    const text = shortened(texts[i]);
    if (named.has(text)) continue;
    visible.push({ text, x: x[i], y: y[i], px: 11, kind: "item", above: true });
    if (visible.length > ITEMS_NAMED) return [];
  }
  return visible;
}
