// The player: one scrubber for all pictures, strips of words, and the path as text.

import { reducedMotion } from "../shared/animation.js";
import { element } from "../shared/dom.js";
import { stripElement } from "./strip.js";
import { isAtEnd, isOnStep, isSamePath, stepName, stepTimes, stepWithin } from "./timeline.js";

const SPEEDS = [0.5, 1, 2, 4];

export class Player {
  constructor(stage) {
    this.stage = stage;
    this.data = null;
    this.step = 0;
    this.playing = null; // the run that is going on; a newer one takes its place
    this.button = element(
      "button",
      { type: "button", class: "ms-play", onclick: () => this.toggle() },
      "Play",
    );
    this.range = element("input", {
      type: "range",
      min: 0,
      step: 1,
      value: 0,
      class: "ms-range",
      "aria-label": "Step along the path",
      oninput: () => this.scrub(),
      onchange: () => this.tell(),
    });
    this.where = element("output", { class: "ms-where" }, "0.00");
    this.speed = element(
      "select",
      { class: "ms-speed", "aria-label": "Speed" },
      ...SPEEDS.map((speed) =>
        element("option", { value: speed, selected: speed === 1 }, `${speed}×`),
      ),
    );
    this.strips = element("div", { class: "ms-strips" });
    this.transcript = element("ol", { class: "ms-transcript" });
    this.root = element(
      "div",
      { class: "ms-player" },
      this.strips,
      element("div", { class: "ms-controls" }, this.button, this.range, this.where, this.speed),
      element(
        "details",
        { class: "ms-details" },
        element("summary", {}, "Read the path as text"),
        this.transcript,
      ),
    );
  }

  update(data) {
    const isSame = isSamePath(this.data, data);
    this.data = data;
    this.range.max = data.t.length - 1;
    const strips = data.strips.map((strip) => stripElement(strip, (step) => this.visit(step)));
    this.strips.replaceChildren(...strips);
    this.transcript.replaceChildren(...data.transcript.map((line) => element("li", {}, line)));
    if (!isSame) this.playing = null;
    this.go(isSame ? this.step : (data.start ?? 0), 0);
    if (!isSame) this.pause(); // the button says what it does from there
  }

  go(step, milliseconds) {
    this.step = stepWithin(this.data, step);
    this.range.value = this.step;
    this.range.setAttribute("aria-valuetext", this.data.transcript[this.step] ?? "");
    this.where.textContent = stepName(this.data, this.step);
    this.where.classList.toggle("ms-word-long", Boolean(this.data.names?.length));
    for (const word of this.strips.querySelectorAll(".ms-word")) {
      const run = { start: Number(word.dataset.start), stop: Number(word.dataset.stop) };
      word.classList.toggle("ms-now", isOnStep(run, this.step));
    }
    return this.stage.showStep(this.step, reducedMotion() ? 0 : milliseconds);
  }

  scrub() {
    this.go(Number(this.range.value), 0);
    this.pause();
  }

  // To a step that somebody points at.
  visit(step) {
    this.pause();
    this.go(step, 0);
    this.tell();
  }

  tell() {
    if (this.data?.report) this.stage.answers?.step?.(this.step);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  async play() {
    if (isAtEnd(this.data, this.step)) await this.go(0, 0);
    const run = Symbol("run");
    this.playing = run;
    this.button.textContent = "Pause";
    while (this.playing === run && !isAtEnd(this.data, this.step)) {
      const { stay, move } = stepTimes(this.data, Number(this.speed.value));
      const until = performance.now() + stay;
      this.go(this.step + 1, move);
      await new Promise((done) => setTimeout(done, Math.max(0, until - performance.now())));
    }
    if (this.playing === run) this.stop();
  }

  pause() {
    this.playing = null;
    const isOver = this.data && isAtEnd(this.data, this.step);
    this.button.textContent = isOver ? "Play again" : "Play";
  }

  stop() {
    this.pause();
    this.tell();
  }
}
