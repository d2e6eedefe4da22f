// A ring around the item that is pointed at in another picture of the same space.

import { element } from "../../shared/dom.js";
import { clamp } from "../../shared/interpolation.js";

const MARGIN = 8; // pixels that the ring keeps from the edge, where its item lies outside
const NAME_LENGTH = 40;

export class Ring {
  constructor(picture) {
    this.picture = picture;
    this.name = element("span");
    this.root = element("div", { class: "ms-ring", hidden: true }, this.name);
  }

  hide() {
    this.root.hidden = true;
  }

  pointAt(row) {
    const { plot } = this.picture;
    const places = row === null ? null : this.picture.places();
    const { xaxis, yaxis, _size: size } = plot._fullLayout ?? {};
    this.root.hidden = !places || !xaxis?.l2p;
    if (this.root.hidden) return;
    const [x, y] = [xaxis.l2p(places.x[row]) + size.l, yaxis.l2p(places.y[row]) + size.t];
    const [width, height] = [plot.offsetWidth, plot.offsetHeight];
    const outside = x < 0 || x > width || y < 0 || y > height;
    this.root.classList.toggle("ms-outside", outside);
    this.root.classList.toggle("ms-leftward", x > 0.6 * width);
    this.root.style.left = `${clamp(x, MARGIN, width - MARGIN)}px`;
    this.root.style.top = `${clamp(y, MARGIN, height - MARGIN)}px`;
    this.name.textContent = (this.picture.stage.items?.texts[row] ?? "").slice(0, NAME_LENGTH);
  }
}
