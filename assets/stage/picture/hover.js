// The card beside the mouse: an item, what is known of it, and its nearest neighbours.

import { element, quiet } from "../../shared/dom.js";
import { clamp } from "../../shared/interpolation.js";

const NEIGHBOURS = 3; // a row of the graph that is sent
const AWAY = 14; // pixels from the mouse
const MARGIN_OF_CARD = 4; // pixels from the edge

// The texts nearest to an item; null where the graph is still being computed.
export function nearestTexts(graph, texts, row) {
  if (!graph) return null;
  const rows = Array.from({ length: NEIGHBOURS }, (_, k) => graph[NEIGHBOURS * row + k]);
  return rows.map((near) => texts[near]).filter((text) => text !== undefined);
}

function neighboursLine(near) {
  if (near === null) return quiet("neighbours are being computed");
  return near.length ? element("span", {}, `near: ${near.join(", ")}`) : quiet("");
}

export class HoverCard {
  constructor(picture) {
    this.picture = picture;
    this.root = element("div", { class: "ms-hover", hidden: true });
  }

  get hidden() {
    return this.root.hidden;
  }

  hide() {
    this.root.hidden = true;
  }

  show(row, event) {
    const { items } = this.picture.stage;
    if (row === null || !items?.texts || !event) return;
    const near = nearestTexts(this.picture.spec.near ?? items.near, items.texts, row);
    this.root.replaceChildren(
      element("strong", {}, items.texts[row]),
      quiet(items.details?.[row] ?? ""),
      neighboursLine(near),
    );
    this.root.hidden = false; // from here on it has a size
    this.moveBeside(event);
  }

  moveBeside({ clientX, clientY }) {
    const frame = this.picture.plot.getBoundingClientRect();
    const within = (at, size, own) =>
      clamp(at + AWAY, MARGIN_OF_CARD, Math.max(MARGIN_OF_CARD, size - own - MARGIN_OF_CARD));
    const left = within(clientX - frame.left, frame.width, this.root.offsetWidth);
    const top = within(clientY - frame.top, frame.height, this.root.offsetHeight);
    this.root.style.left = `${left}px`;
    this.root.style.top = `${top}px`;
  }
}
