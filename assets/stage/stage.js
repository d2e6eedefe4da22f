// The stage: pictures side by side, and what they share: search, legend, morph and player.

import { element, setTokens } from "../shared/dom.js";
import { legendElements } from "./legend.js";
import { Morph } from "./morph.js";
import { resolved } from "./parsing.js";
import { Picture } from "./picture/picture.js";
import { Player } from "./player.js";
import { loadPlotly } from "./plotly.js";
import { Search } from "./search.js";

export class Stage {
  constructor(parent) {
    this.pictures = [];
    this.items = null;
    this.selected = null; // the rows in the lasso
    this.answers = null; // what the page is told by: choose, lasso, step, ground
    this.version = 0;
    this.isSeeking = false; // somebody searched, and the next update is the answer
    this.sought = false; // this is that update
    this.message = element("p", { class: "ms-message", role: "status" }, "Painting the picture");
    this.top = element("div", { class: "ms-top" });
    this.plots = element("div", { class: "ms-plots" });
    this.legend = element("div", { class: "ms-legend" });
    this.bottom = element("div");
    const rows = [this.message, this.top, this.plots, this.legend, this.bottom];
    this.root = element("div", { class: "ms-stage" }, ...rows);
    parent.append(this.root);
  }

  get step() {
    return this.player && !this.player.root.hidden ? this.player.step : 0;
  }

  choose(choice) {
    this.answers?.choose?.(choice);
  }

  showMatches(rows) {
    const [first] = this.pictures;
    if (!first) return;
    for (const picture of [first, ...first.linked()]) picture.showMatches(rows);
  }

  showStep(step, milliseconds) {
    this.root.dataset.step = step;
    return Promise.all(this.pictures.map((picture) => picture.showStep(step, milliseconds)));
  }

  async update(data, answers) {
    this.answers = answers;
    this.version += 1;
    const { version } = this;
    setTokens(this.root, data.tokens);
    try {
      const [ready] = await Promise.all([resolved(data), loadPlotly(data.plotly)]);
      if (version !== this.version) return; // a newer update came while this one was read
      await this.render(ready);
      this.message.hidden = true;
    } catch (error) {
      this.message.hidden = false;
      this.message.textContent = error.message;
    }
  }

  async render(data) {
    this.items = data.items;
    this.setPictureCount(data.pictures.length);
    this.showSearch(data.search);
    this.legend.replaceChildren(...legendElements(data.legend));
    const morph = data.pictures.find((picture) => picture.morph)?.morph;
    this.showMorph(morph);
    this.sought = this.isSeeking;
    this.isSeeking = false;
    this.showPlayer(data.player);
    await Promise.all(this.pictures.map((picture, k) => picture.draw(data.pictures[k])));
    if (data.player) this.player.update(data.player);
    if (morph) this.root.dataset.morph ??= this.morph.u;
    this.root.dataset.ready = data.name;
  }

  setPictureCount(count) {
    while (this.pictures.length > count) this.pictures.pop().close();
    while (this.pictures.length < count) {
      const picture = new Picture(this);
      this.pictures.push(picture);
      this.plots.append(picture.root);
    }
    this.root.dataset.pictures = count;
  }

  // Search, morph and player are made when a scene first has them, and stay.
  showSearch(placeholder) {
    if (!placeholder) return;
    if (!this.search) {
      this.search = new Search(this);
      this.top.append(this.search.root);
    }
    this.search.input.placeholder = placeholder;
  }

  showMorph(morph) {
    if (morph && !this.morph) {
      this.morph = new Morph(this);
      this.bottom.prepend(this.morph.root);
    }
    if (morph) this.morph.update(morph);
    if (this.morph) this.morph.root.hidden = !morph;
  }

  showPlayer(player) {
    if (player && !this.player) {
      this.player = new Player(this);
      this.bottom.append(this.player.root);
    }
    if (this.player) this.player.root.hidden = !player;
  }

  close() {
    this.version += 1; // what is still being read is not drawn any more
    this.player?.pause();
    for (const picture of this.pictures) picture.close();
    this.pictures = [];
    this.root.remove();
  }
}
