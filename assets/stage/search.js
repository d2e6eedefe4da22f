// The search: a combobox that finds items as one types, and hands any other text to the page.

import { element, quiet } from "../shared/dom.js";
import { clamp } from "../shared/interpolation.js";
import { distinction, folded, matchingRows, tally } from "./matching.js";

const LISTED = 8;
const MARKED = 400; // rings drawn at once
const TYPING_MS = 70;
const BLUR_MS = 150; // so that what is clicked in the list is still there

export class Search {
  constructor(stage) {
    this.stage = stage;
    this.rows = []; // of the matches, those in the list
    this.marked = []; // and those on the map
    this.total = 0;
    this.active = -1; // which option the arrows are at
    this.waiting = null;
    this.texts = null;
    this.folded = [];
    const id = `ms-list-${Math.random().toString(36).slice(2)}`;
    this.input = element("input", {
      type: "search",
      class: "ms-search",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "20000",
      "aria-expanded": "false",
      "aria-controls": id,
      "aria-autocomplete": "list",
      "aria-label": "Find a word, or type any text",
      oninput: () => this.typed(),
      onkeydown: (event) => this.pressed(event),
      onblur: () => setTimeout(() => this.shut(), BLUR_MS),
    });
    this.list = element("ul", { class: "ms-list", role: "listbox", id, hidden: true });
    this.root = element("div", { class: "ms-searchbox" }, this.input, this.list);
  }

  get query() {
    return this.input.value.trim();
  }

  // Every item's text as it is compared, made once for as long as the items stay.
  get keys() {
    const texts = this.stage.items?.texts ?? [];
    if (this.texts !== texts) {
      this.texts = texts;
      this.folded = texts.map(folded);
    }
    return this.folded;
  }

  typed() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const { query } = this;
      const rows = query ? matchingRows(this.keys, query) : [];
      this.total = rows.length;
      this.rows = rows.slice(0, LISTED);
      this.marked = query.length > 1 ? rows.slice(0, MARKED) : [];
      this.active = -1;
      this.show(query);
      this.stage.showMatches(this.marked);
    }, TYPING_MS);
  }

  show(query) {
    const options = this.rows.map((row, k) => this.itemOption(row, k));
    const isThere = this.rows.some((row) => this.keys[row] === folded(query));
    if (query && !isThere) options.push(this.newOption(query));
    if (this.total > this.rows.length) {
      const text = tally(this.total, this.marked.length);
      options.push(element("li", { class: "ms-quiet", role: "presentation" }, text));
    }
    this.list.replaceChildren(...options);
    this.list.hidden = !options.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    const active = this.active >= 0 ? `${this.list.id}-${this.active}` : "";
    this.input.setAttribute("aria-activedescendant", active);
  }

  itemOption(row, k) {
    const { items } = this.stage;
    const apart = distinction(row, this.rows, items);
    const detail = apart === null ? null : quiet(` ${apart}`);
    return this.option(k, { row }, "", items.texts[row].slice(0, 120), detail);
  }

  newOption(query) {
    const text = `Place “${query.slice(0, 60)}” on the map`;
    return this.option(this.rows.length, { text: query }, "ms-new", text);
  }

  option(k, choice, kind, ...children) {
    const attributes = {
      role: "option",
      class: kind || null,
      id: `${this.list.id}-${k}`,
      "aria-selected": String(k === this.active),
      onmousedown: (event) => {
        event.preventDefault(); // the input keeps the focus
        this.choose(choice);
      },
    };
    return element("li", attributes, ...children);
  }

  pressed(event) {
    if (event.key === "ArrowDown") this.walk(event, 1);
    else if (event.key === "ArrowUp") this.walk(event, -1);
    else if (event.key === "Enter") this.enter();
    else if (event.key === "Escape") {
      this.input.value = "";
      this.typed();
    }
    event.stopPropagation(); // Streamlit's own shortcuts stay out of the text
  }

  walk(event, by) {
    event.preventDefault();
    const last = this.list.querySelectorAll("[role=option]").length - 1;
    this.active = clamp(this.active + by, -1, last);
    this.show(this.query);
  }

  // The option that the arrows are at, else the item with just that text, else the text.
  enter() {
    const { query } = this;
    if (!query) return;
    clearTimeout(this.waiting);
    const wanted = folded(query);
    const row = this.active >= 0 ? this.rows[this.active] : this.keys.indexOf(wanted);
    this.choose(row === undefined || row < 0 ? { text: query } : { row });
  }

  choose(choice) {
    this.shut();
    this.input.value = "";
    this.stage.showMatches([]);
    this.stage.isSeeking = true;
    this.stage.choose(choice);
  }

  shut() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }
}
