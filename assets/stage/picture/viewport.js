// The window over a picture: which part of it is shown, how it moves, and who follows whom.

import { animate, reducedMotion } from "../../shared/animation.js";
import { differ, mixRanges } from "../../shared/interpolation.js";

const HOME_MS = 300;

// A window is [x0, x1, y0, y1]; a scene in three dimensions has none.
export const windowOf = (layout) =>
  layout?.xaxis?.range && layout.yaxis?.range
    ? [...layout.xaxis.range, ...layout.yaxis.range]
    : null;

// The layout, looking through that window.
export function lookingAt(layout, shown) {
  if (!shown || !windowOf(layout)) return layout;
  const xaxis = { ...layout.xaxis, range: shown.slice(0, 2) };
  const yaxis = { ...layout.yaxis, range: shown.slice(2) };
  return { ...layout, xaxis, yaxis };
}

// The same as an update of a layout that is drawn.
export const rangesOf = (shown) => ({
  "xaxis.range": shown.slice(0, 2),
  "yaxis.range": shown.slice(2),
});

export class Viewport {
  constructor(picture) {
    this.picture = picture;
    this.led = false; // moved by a program or by another picture: it must not lead back
    this.leading = false;
    this.pending = null;
  }

  get shown() {
    return windowOf(this.picture.plot._fullLayout);
  }

  get whole() {
    return windowOf(this.picture.spec.figure.layout);
  }

  set(shown) {
    return window.Plotly.relayout(this.picture.plot, rangesOf(shown));
  }

  // Follow another picture of the same space: the same window, at once.
  follow(shown) {
    const own = this.shown;
    if (!shown || !own || !differ(shown, own)) return;
    this.led = true;
    this.set(shown).then(() => {
      this.led = false;
    });
  }

  // Move to where the chosen item and its neighbours are; each picture glides by itself.
  async glide(goal, milliseconds) {
    const from = this.shown;
    if (!from) return;
    this.led = true;
    const duration = reducedMotion() ? 0 : milliseconds;
    await animate(duration, (share) => this.set(mixRanges(from, goal, share)));
    this.led = false;
  }

  showWhole() {
    const pictures = [this.picture, ...this.picture.linked()];
    return Promise.all(pictures.map(({ viewport }) => viewport.glide(viewport.whole, HOME_MS)));
  }

  // The same button every time: Plotly compares the old configuration with the new one, and where
  // they differ it throws the picture away with its WebGL contexts and makes it anew, twice.
  configured(config) {
    this.home ??= {
      name: "whole",
      title: "Show the whole picture",
      icon: window.Plotly.Icons.home,
      click: () => this.showWhole(),
    };
    if (!this.whole) return config;
    return { ...config, doubleClick: false, modeBarButtonsToAdd: [this.home] };
  }

  listen() {
    const { plot } = this.picture;
    plot.on("plotly_doubleclick", () => {
      if (this.whole) this.showWhole();
    });
    plot.on("plotly_relayout", () => this.moved());
    plot.on("plotly_relayouting", () => this.moved());
  }

  moved() {
    this.picture.ring.hide();
    this.picture.hover.hide();
    this.leading ||= !this.led; // asked now: at the next frame it may be led no more
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.picture.placeLabels();
      if (this.leading)
        for (const { viewport } of this.picture.linked()) viewport.follow(this.shown);
      this.leading = false;
    });
  }
}
