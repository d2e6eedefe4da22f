// The labels over a picture, as elements.

import { element, labelWidth } from "../../shared/dom.js";
import { isWhole, itemLabels, labelsOf, placeLabels } from "./labels.js";
import { itemsIndex } from "./traces.js";

const SEARCH_BOX_HEIGHT = 52;

export class LabelLayer {
  constructor(picture) {
    this.picture = picture;
    this.root = element("div", { class: "ms-labels", "aria-hidden": "true" });
  }

  clear() {
    this.root.replaceChildren();
  }

  // Every label that fits beside the boxes that are taken.
  place(taken) {
    const { plot, spec, viewport } = this.picture;
    const { xaxis, yaxis, _size: size } = plot._fullLayout ?? {};
    if (!xaxis?.l2p || !spec) {
      this.clear();
      return;
    }
    const placed = placeLabels(this.candidates(), {
      // An axis need not fill the frame.
      at: (x, y) => [xaxis.l2p(x) + xaxis._offset, yaxis.l2p(y) + yaxis._offset],
      widthOf: labelWidth,
      frame: { left: size.l, top: size.t, right: size.l + size.w, bottom: size.t + size.h },
      taken: [...this.searchBox(), ...taken],
      zoomed: !isWhole(viewport.shown, viewport.whole),
    });
    this.root.replaceChildren(...placed.map(labelElement));
  }

  candidates() {
    const { spec, stage, viewport } = this.picture;
    const labels = labelsOf(spec, stage.step, this.picture.morphShare);
    const texts = stage.items?.texts;
    if (itemsIndex(spec) < 0 || !texts) return labels;
    return [...labels, ...itemLabels(texts, this.picture.places(), viewport.shown, labels)];
  }

  // It lies over the first picture's corner.
  searchBox() {
    const { search, pictures } = this.picture.stage;
    const isUnder = search && this.picture === pictures[0];
    return isUnder ? [[0, 0, search.root.offsetWidth + 14, SEARCH_BOX_HEIGHT]] : [];
  }
}

function labelElement({ label, box: [left, top], px }) {
  const node = element("span", { class: `ms-label ms-${label.kind ?? "region"}` }, label.text);
  node.style.cssText = `left:${left}px;top:${top}px;font-size:${px}px`;
  return node;
}
