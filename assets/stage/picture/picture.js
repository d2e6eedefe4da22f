// One picture: a Plotly figure in a frame, with what lies over it.

import { reducedMotion } from "../../shared/animation.js";
import { element } from "../../shared/dom.js";
import { clamp } from "../../shared/interpolation.js";
import { Ground } from "./ground.js";
import { HoverCard } from "./hover.js";
import { LabelLayer } from "./label_layer.js";
import { Lasso } from "./lasso.js";
import { Movers } from "./movers.js";
import { Ring } from "./ring.js";
import { Steps } from "./steps.js";
import {
  isLinkable,
  isMorphable,
  itemsIndex,
  matchesIndex,
  movingTraces,
  posed,
  rowOf,
  stepOf,
} from "./traces.js";
import { fly } from "./transition.js";
import { lookingAt, Viewport } from "./viewport.js";

const FOCUS_MS = 420;
const MOST_HEIGHT = 1200;

export class Picture {
  constructor(stage) {
    this.stage = stage;
    this.spec = null;
    this.isDrawing = false;
    this.isListening = false;
    this.drawing = Promise.resolve();
    this.viewport = new Viewport(this);
    this.steps = new Steps(this);
    this.lasso = new Lasso(this);
    this.ground = new Ground(this);
    this.labels = new LabelLayer(this);
    this.movers = new Movers(this);
    this.ring = new Ring(this);
    this.hover = new HoverCard(this);
    this.title = element("span", { class: "ms-title" });
    this.tag = element("span", { class: "ms-tag" });
    this.plot = element("div", { class: "ms-plot" });
    const over = [this.labels, this.movers, this.ring, this.hover].map(({ root }) => root);
    this.root = element(
      "section",
      { class: "ms-picture" },
      element("header", {}, this.title, this.tag),
      element("div", { class: "ms-frame" }, this.plot, ...over),
    );
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.plot);
  }

  // The other pictures of the same space.
  linked() {
    if (!isLinkable(this.spec)) return [];
    const isLinked = ({ spec }) => isLinkable(spec) && spec.space === this.spec.space;
    return this.stage.pictures.filter((other) => other !== this && isLinked(other));
  }

  // The share of the way into the second space; it may change while something is awaited.
  get morphShare() {
    return this.spec.morph ? this.stage.morph.u : 0;
  }

  // Where the items are now: on the way into the second space, if they are.
  places() {
    return this.plot.data?.[itemsIndex(this.spec)];
  }

  resize() {
    if (!this.plot._fullLayout || !this.plot.offsetWidth) return;
    window.Plotly.Plots.resize(this.plot).then(() => this.placeLabels());
  }

  // One after the other, whatever became of the one before.
  draw(spec) {
    const before = this.drawing.catch(() => {});
    this.drawing = before.then(async () => {
      this.isDrawing = true;
      try {
        await this.redraw(spec);
      } finally {
        this.isDrawing = false;
      }
    });
    return this.drawing;
  }

  async redraw(spec) {
    const before = this.spec;
    this.spec = spec;
    this.steps.stop();
    this.dress();
    const { layout, config } = spec.figure;
    const isSameView = before?.figure.layout.uirevision === layout.uirevision;
    if (!isSameView) this.hover.hide();
    const isFlight = Boolean(before) && before.space === spec.space && this.canFly(before, spec);
    if (isFlight && !reducedMotion()) await fly(this, before, spec);
    const focus = !before || isFlight || this.stage.sought ? spec.focus : null;
    // Plotly keeps a window that the mouse has set, not one that a program has: it is carried over.
    const kept = before && isSameView ? this.viewport.shown : null;
    await window.Plotly.react(this.plot, {
      data: this.traces(),
      layout: lookingAt(layout, kept ?? (isFlight ? null : focus)),
      config: this.viewport.configured(config),
      frames: layout.scene ? [] : (spec.figure.frames ?? []), // those of a scene are set by hand
    });
    this.listen();
    if (focus && (kept || isFlight)) await this.viewport.glide(focus, FOCUS_MS);
    this.movers.dress();
    this.placeLabels();
  }

  canFly(before, after) {
    return this.morphShare === 0 && isMorphable(before, after);
  }

  dress() {
    const { spec } = this;
    this.title.textContent = spec.title ?? "";
    this.title.title = spec.hint ?? "";
    this.title.classList.toggle("ms-keyed", Boolean(spec.color));
    this.title.style.setProperty("--ms-kind", spec.color || "transparent");
    this.tag.textContent = spec.tag ?? "";
    this.tag.dataset.kind = spec.tag ?? "";
    this.tag.title = spec.tag_help ?? "";
    this.ring.hide();
    this.root.style.flexGrow = spec.grow ?? 1;
    const height = spec.fill
      ? clamp(innerHeight - spec.fill, spec.height, MOST_HEIGHT)
      : spec.height;
    this.plot.style.height = `${height}px`;
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", spec.alt ?? spec.title ?? "");
  }

  listen() {
    if (this.isListening) return;
    this.isListening = true;
    this.plot.on("plotly_hover", ({ points, event }) => {
      const row = rowOf(this.spec, points[0]);
      this.hover.show(row, event);
      this.pointOthersAt(row);
    });
    this.plot.on("plotly_unhover", () => {
      this.hover.hide();
      this.pointOthersAt(null);
    });
    this.plot.on("plotly_click", ({ points }) => this.clicked(points[0]));
    this.ground.listen();
    this.lasso.listen();
    this.viewport.listen();
  }

  pointOthersAt(row) {
    for (const { ring } of this.linked()) ring.pointAt(row);
  }

  clicked(point) {
    const step = stepOf(this.spec, point);
    if (step !== undefined) {
      this.stage.player?.visit(step);
      return;
    }
    const row = rowOf(this.spec, point);
    this.ground.isItemPicked = row !== null;
    if (row !== null && !this.ground.isAlone) this.stage.choose({ row });
  }

  traces() {
    const { step, selected } = this.stage;
    const rows = isLinkable(this.spec) ? selected : null;
    return posed(this.spec, { u: this.morphShare, step, selected: rows });
  }

  // All that moves, to where the morph has it.
  pose() {
    const moving = movingTraces(this.spec);
    const traces = this.traces();
    const update = { x: moving.map((k) => traces[k].x), y: moving.map((k) => traces[k].y) };
    return window.Plotly.restyle(this.plot, update, moving);
  }

  placeLabels(milliseconds = 0) {
    this.labels.place(this.movers.place(milliseconds));
  }

  showStep(step, milliseconds) {
    if (this.spec?.movers?.length || this.spec?.labels_at?.length) this.placeLabels(milliseconds);
    return this.steps.show(step, milliseconds);
  }

  showMatches(rows) {
    const index = this.spec ? matchesIndex(this.spec) : -1;
    if (index < 0) return;
    const items = this.places();
    const update = { x: [rows.map((row) => items.x[row])], y: [rows.map((row) => items.y[row])] };
    window.Plotly.restyle(this.plot, update, [index]);
  }

  close() {
    this.ground.close();
    this.observer.disconnect();
    if (this.plot._fullLayout) window.Plotly.purge(this.plot);
    this.root.remove();
  }
}
