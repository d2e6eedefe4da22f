// One map on its way into the other: by a button, by the names of both ends, or held half-way.

import { animate, reducedMotion } from "../shared/animation.js";
import { element } from "../shared/dom.js";
import { mix } from "../shared/interpolation.js";
import { MORPH_MS } from "./picture/transition.js";

export class Morph {
  constructor(stage) {
    this.stage = stage;
    this.u = 0; // the share of the way
    this.running = null;
    this.names = ["", ""];
    this.button = element(
      "button",
      { type: "button", class: "ms-play", onclick: () => this.glide(this.u < 0.5 ? 1 : 0) },
      "Morph",
    );
    this.ends = [0, 1].map((goal) =>
      element("button", { type: "button", class: "ms-end", onclick: () => this.glide(goal) }),
    );
    this.range = element("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 1,
      value: 0,
      class: "ms-range",
      oninput: () => this.scrub(),
    });
    this.root = element(
      "div",
      { class: "ms-controls ms-morph" },
      this.button,
      this.ends[0],
      this.range,
      this.ends[1],
    );
  }

  update({ names, colors }) {
    this.names = names;
    this.ends.forEach((end, k) => {
      end.textContent = names[k];
      end.title = `Show ${names[k]}`;
      end.style.setProperty("--ms-kind", colors[k]);
    });
    this.range.setAttribute("aria-label", `From ${names[0]} to ${names[1]}`);
    this.show();
  }

  show() {
    const percent = Math.round(100 * this.u);
    this.range.value = percent;
    this.range.setAttribute("aria-valuetext", `${percent}% of the way to ${this.names[1]}`);
    this.ends.forEach((end, goal) => {
      end.setAttribute("aria-pressed", String(this.u === goal));
    });
  }

  scrub() {
    this.running = null;
    this.set(Number(this.range.value) / 100);
  }

  async set(u) {
    this.u = u;
    this.show();
    const moving = this.stage.pictures.filter(({ spec }) => spec?.morph);
    await Promise.all(moving.map((picture) => picture.pose()));
    for (const picture of moving) picture.placeLabels();
    this.stage.root.dataset.morph = u; // what is drawn, not what is asked for
  }

  glide(goal) {
    const from = this.u;
    const run = Symbol("run");
    this.running = run;
    const duration = reducedMotion() ? 0 : MORPH_MS;
    const draw = (share) => this.set(mix(from, goal, share));
    return animate(duration, draw, () => this.running === run);
  }
}
