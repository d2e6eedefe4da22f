// Named dots that walk over a picture with the player, so that the background is not drawn again:
// buttons that CSS moves, and that can be reached by keyboard.

import { reducedMotion } from "../../shared/animation.js";
import { element, labelWidth } from "../../shared/dom.js";
import { placeNames, shortened } from "./labels.js";

const OUTSIDE_PX = 8; // this far out of the frame a dot is hidden

export class Movers {
  constructor(picture) {
    this.picture = picture;
    this.root = element("div", { class: "ms-movers" });
  }

  get specs() {
    return this.picture.spec?.movers ?? [];
  }

  // Who walks by keyboard stays where they were.
  dress() {
    const held = [...this.root.children].indexOf(document.activeElement);
    this.root.replaceChildren(...this.specs.map((mover) => this.button(mover)));
    this.root.children[held]?.focus({ preventScroll: true });
  }

  button({ text, color, row, chosen, detail }) {
    const attributes = {
      type: "button",
      class: chosen ? "ms-mover ms-this" : "ms-mover",
      title: detail || text,
      "aria-label": detail ? `${text}, ${detail}` : text,
      "aria-pressed": String(Boolean(chosen)),
      disabled: row < 0,
      onclick: () => this.picture.stage.choose({ mover: row }),
    };
    const name = element("span", {}, shortened(text));
    const node = element("button", attributes, element("i"), name);
    node.style.setProperty("--ms-kind", color);
    return node;
  }

  // Every mover to its place at the step, in so many milliseconds, with the names that fit. The
  // boxes that they take are returned.
  place(milliseconds) {
    const { xaxis, yaxis, _size: size } = this.picture.plot._fullLayout ?? {};
    if (!this.specs.length || !xaxis?.l2p) return [];
    const { step } = this.picture.stage;
    const spots = this.specs.map(({ way }) => {
      const [x, y] = way[Math.min(step, way.length - 1)];
      return [xaxis.l2p(x) + size.l, yaxis.l2p(y) + size.t];
    });
    const frame = { right: size.l + size.w, bottom: size.t + size.h };
    const { names, taken } = placeNames(this.specs, spots, { widthOf: labelWidth, frame });
    this.root.style.setProperty("--ms-time", `${reducedMotion() ? 0 : milliseconds}ms`);
    spots.forEach((spot, k) => {
      moveTo(this.root.children[k], spot, names[k], frame);
    });
    return taken;
  }
}

function moveTo(node, [x, y], name, { right, bottom }) {
  node.style.transform = `translate(${x}px, ${y}px)`;
  const isBeside = x < -OUTSIDE_PX || x > right + OUTSIDE_PX;
  const isBeyond = y < -OUTSIDE_PX || y > bottom + OUTSIDE_PX;
  node.hidden = isBeside || isBeyond;
  node.classList.toggle("ms-mute", !name);
  if (name) node.lastChild.style.transform = `translate(${name[0] - x}px, ${name[1] - y}px)`;
}
