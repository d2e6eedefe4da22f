// The stage: one or two Plotly pictures, their labels, search, and the player that moves along a path.
// It runs in two places: as a Streamlit component (the default export) and inside an exported HTML
// file (mountStage). Texts that people typed reach the page through textContent only.

const blobs = new Map(); // URL -> promise of a typed array or of a list of strings
const stages = new WeakMap(); // element -> Stage
const away = new Map(); // key -> a Stage that was taken off the page a moment ago, and may come back
const ARRAYS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
const MORPH_MS = 550;
const AWAY_MS = 3000;
const DOUBLE_CLICK_MS = 260; // a second click within it is a double click, which shows the whole picture
const LABELS_WHOLE = 26; // labels at once on the whole map, and when zoomed in
const LABELS_ZOOMED = 40;
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const MATCHES_LISTED = 8;
const MATCHES_MARKED = 400; // rings drawn at once

// The form in which texts are compared, as core/spaces/words.py has it: composed, without case and
// without what has no look; whatever language the browser speaks.
function folded(text) {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  const bare = text.replace(/\p{Default_Ignorable_Code_Point}+/gu, "") || text;
  const small = bare.normalize("NFD").toLowerCase().split("ı").map((part) => part.toUpperCase().toLowerCase()).join("ı");
  return small.replaceAll("ς", "σ").replace(/i\u0307+/g, "i").normalize("NFC");
}

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

async function read({ $blob: url, dtype }) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The picture's data did not arrive (${response.status}). Reload the page.`);
  if (dtype === "str") return (await response.text()).split("\x1f");
  return new ARRAYS[dtype](await response.arrayBuffer());
}

function blob(reference) {
  if (!blobs.has(reference.$blob)) {
    const promise = read(reference);
    promise.catch(() => blobs.delete(reference.$blob));
    blobs.set(reference.$blob, promise);
    if (blobs.size > 60) blobs.delete(blobs.keys().next().value);
  }
  return blobs.get(reference.$blob);
}

// Plotly would read these itself, but morphs, matches and labels need the numbers too.
function decoded({ bdata, dtype }) {
  return new ARRAYS[dtype](Uint8Array.from(atob(bdata), (character) => character.charCodeAt(0)).buffer);
}

async function resolved(value) {
  if (Array.isArray(value)) return Promise.all(value.map(resolved));
  if (value === null || typeof value !== "object") return value;
  if (value.$blob) return blob(value);
  if (value.bdata && ARRAYS[value.dtype] && !value.shape) return decoded(value);
  const entries = await Promise.all(Object.entries(value).map(async ([key, inner]) => [key, await resolved(inner)]));
  return Object.fromEntries(entries);
}

let plotlyLoading = null;
function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  plotlyLoading ??= new Promise((done, failed) => {
    const script = element("script", { src: url });
    script.onload = () => done(window.Plotly);
    script.onerror = () => { plotlyLoading = null; failed(new Error("plotly.js did not load. Reload the page.")); };
    document.head.append(script);
  });
  return plotlyLoading;
}

// Between two places, the share u of the way.
function between(from, to, u) {
  const values = new Float32Array(from.length);
  for (let i = 0; i < values.length; i++) values[i] = from[i] + (to[i] - from[i]) * u;
  return values;
}

const eased = (u) => u * u * (3 - 2 * u);
const moved = (from, to) => from !== to && from.some((value, i) => value !== to[i]);

const ruler = document.createElement("canvas").getContext("2d");
function textWidth(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}

// ------------------------------------------------------------------------------ one picture
class Picture {
  constructor(stage) {
    this.stage = stage;
    this.title = element("span", { class: "ms-title" });
    this.tag = element("span", { class: "ms-tag" });
    this.plot = element("div", { class: "ms-plot" });
    this.labels = element("div", { class: "ms-labels", "aria-hidden": "true" });
    this.hover = element("div", { class: "ms-hover", hidden: true });
    this.movers = element("div", { class: "ms-movers" });
    this.ring = element("div", { class: "ms-ring", hidden: true }, element("span"));
    this.root = element("section", { class: "ms-picture" },
      element("header", {}, this.title, this.tag),
      element("div", { class: "ms-frame" }, this.plot, this.labels, this.movers, this.ring, this.hover));
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.plot);
    this.drawing = Promise.resolve();
  }

  resize() {
    if (!this.plot._fullLayout || !this.plot.offsetWidth) return;
    window.Plotly.Plots.resize(this.plot).then(() => this.placeLabels());
  }

  draw(spec) {
    // Meanwhile Plotly forgets the outline of another picture's lasso, and tells of it as of a new one.
    this.drawing = this.drawing.catch(() => {}).then(() => { this.painting = true; return this.redraw(spec); }).finally(() => { this.painting = false; });
    return this.drawing;
  }

  async redraw(spec) {
    const Plotly = window.Plotly;
    const before = this.spec;
    this.spec = spec;
    this.drifting = null; // a drift of the picture before ends here
    this.title.textContent = spec.title ?? "";
    this.title.title = spec.hint ?? "";
    this.title.classList.toggle("ms-keyed", Boolean(spec.color));
    this.title.style.setProperty("--ms-kind", spec.color || "transparent");
    this.ring.hidden = true;
    if (before?.figure.layout.uirevision !== spec.figure.layout.uirevision) this.hover.hidden = true;
    this.tag.textContent = spec.tag ?? "";
    this.tag.dataset.kind = spec.tag ?? "";
    this.tag.title = spec.tag_help ?? "";
    this.root.style.flexGrow = spec.grow ?? 1;
    this.plot.style.height = `${spec.fill ? clamp(innerHeight - spec.fill, spec.height, 1200) : spec.height}px`;
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", spec.alt ?? spec.title ?? "");
    const { layout, config } = spec.figure;
    const share = () => (spec.morph ? this.stage.morph.u : 0); // it may change while something is awaited
    const from = share() === 0 && before && before.space === spec.space && this.morphable(before, spec) ? before : null;
    if (from && !calm()) await this.morph(from, spec);
    const aim = spec.focus && (!before || from || this.stage.sought);
    const kept = before && before.figure.layout.uirevision === layout.uirevision ? this.window() : null;
    // Plotly keeps a window that the mouse has set, not one that a program has: so it is carried over.
    const frames = layout.scene ? [] : spec.figure.frames ?? []; // those of a scene are set by hand
    const looking = this.looking(layout, kept ?? (aim && !from ? spec.focus : null));
    await Plotly.react(this.plot, { data: this.posed(share()), layout: looking, config: this.configured(config), frames });
    this.listen();
    if (aim && (kept || from)) await this.glide(spec.focus, 420);
    this.dressMovers();
    this.placeLabels();
  }

  // Traces of its own, so that Plotly writes into none of the spec's; every item the share u of its
  // way into the second space, with all that hangs on it (meta.follow: an item for each vertex).
  posed(u) {
    const { data } = this.spec.figure;
    const standing = this.spec.steps?.[this.stage.step()];
    const { morph } = this.spec;
    const items = data[this.itemsIndex(this.spec)];
    const rows = this.linkable() ? this.stage.lassoed : null;
    const chosen = rows ? { selectedpoints: rows } : {};
    // What is drawn over the items stays as it is when a lasso leaves it out.
    const over = ({ marker }) => (marker ? { unselected: { marker: { opacity: typeof marker.opacity === "number" ? marker.opacity : 1 } } } : {});
    if (!morph || !u) return data.map((trace) => ({ ...trace, ...(trace === items ? { ...chosen, ...standing } : over(trace)) }));
    const [x, y] = [between(items.x, morph.x, u), between(items.y, morph.y, u)];
    return data.map((trace) => {
      if (trace === items) return { ...trace, ...chosen, x, y };
      const { follow } = trace.meta ?? {};
      if (!follow) return { ...trace, ...over(trace) };
      const carried = (own, of) => Array.from(own, (value, k) => (follow[k] < 0 ? value : of[follow[k]]));
      return { ...trace, ...over(trace), x: carried(trace.x, x), y: carried(trace.y, y) };
    });
  }

  pose(u) {
    const { data } = this.spec.figure;
    const moving = data.flatMap(({ meta }, k) => (meta?.role === "items" || meta?.follow ? [k] : []));
    const traces = this.posed(u);
    const update = { x: moving.map((k) => traces[k].x), y: moving.map((k) => traces[k].y) };
    return window.Plotly.restyle(this.plot, update, moving);
  }

  // Where the items are now: on the way into the second space, if they are.
  places() {
    return this.plot.data?.[this.itemsIndex(this.spec)];
  }

  linkable() {
    return Boolean(this.spec?.space) && this.itemsIndex(this.spec) >= 0;
  }

  // The item that is pointed at in another picture of the same space.
  pointAt(row) {
    const places = row === null ? null : this.places();
    const { xaxis, yaxis, _size: size } = this.plot._fullLayout ?? {};
    this.ring.hidden = !places || !xaxis?.l2p;
    if (this.ring.hidden) return;
    const [x, y] = [xaxis.l2p(places.x[row]) + size.l, yaxis.l2p(places.y[row]) + size.t];
    const [width, height] = [this.plot.offsetWidth, this.plot.offsetHeight];
    const outside = x < 0 || x > width || y < 0 || y > height;
    this.ring.classList.toggle("ms-outside", outside);
    this.ring.classList.toggle("ms-leftward", x > 0.6 * width);
    this.ring.style.left = `${clamp(x, 8, width - 8)}px`;
    this.ring.style.top = `${clamp(y, 8, height - 8)}px`;
    this.ring.firstChild.textContent = (this.stage.items?.texts[row] ?? "").slice(0, 40);
  }

  // Follow another picture of the same space: the same window, at once.
  look(at) {
    if (!at || !this.plot._fullLayout?.xaxis || !moved(at, this.window())) return;
    this.led = true;
    window.Plotly.relayout(this.plot, { "xaxis.range": at.slice(0, 2), "yaxis.range": at.slice(2) }).then(() => { this.led = false; });
  }

  mark(rows) {
    if (this.linkable()) window.Plotly.restyle(this.plot, { selectedpoints: [rows] }, [this.itemsIndex(this.spec)]);
  }

  window() {
    const { xaxis, yaxis } = this.plot._fullLayout ?? {};
    return xaxis?.range ? [...xaxis.range, ...yaxis.range] : null;
  }

  looking(layout, at) {
    if (!at || !layout.xaxis?.range) return layout;
    return { ...layout, xaxis: { ...layout.xaxis, range: at.slice(0, 2) }, yaxis: { ...layout.yaxis, range: at.slice(2) } };
  }

  // The same button every time: Plotly compares the old configuration with the new one, and where
  // they differ it throws the picture away with its WebGL contexts and makes it anew, twice.
  configured(config) {
    this.home ??= { name: "whole", title: "Show the whole picture", icon: window.Plotly.Icons.home, click: () => this.whole() };
    return this.spec.figure.layout.xaxis?.range ? { ...config, doubleClick: false, modeBarButtonsToAdd: [this.home] } : config;
  }

  whole() {
    return Promise.all([this, ...this.stage.linked(this)].map((picture) => {
      const { xaxis, yaxis } = picture.spec.figure.layout;
      return picture.glide([...xaxis.range, ...yaxis.range], 300);
    }));
  }

  // Move the window over the map to where the chosen item and its neighbours are.
  async glide(goal, milliseconds) {
    const { xaxis, yaxis } = this.plot._fullLayout;
    if (!xaxis || !yaxis) return;
    const from = [...xaxis.range, ...yaxis.range];
    const start = performance.now();
    this.led = true; // each picture glides by itself
    for (let u = 0; u < 1;) {
      if (milliseconds) await new Promise(requestAnimationFrame);
      u = milliseconds && !calm() ? Math.min(1, (performance.now() - start) / milliseconds) : 1;
      const now = from.map((value, k) => value + (goal[k] - value) * eased(u));
      await window.Plotly.relayout(this.plot, { "xaxis.range": now.slice(0, 2), "yaxis.range": now.slice(2) });
    }
    this.led = false;
  }

  itemsIndex(spec) {
    return spec.figure.data.findIndex((trace) => trace.meta?.role === "items");
  }

  morphable(before, after) {
    const [a, b] = [before.figure.data[this.itemsIndex(before)], after.figure.data[this.itemsIndex(after)]];
    return a && b && a.type === "scattergl" && b.type === "scattergl" && a.x.length === b.x.length && (moved(a.x, b.x) || moved(a.y, b.y));
  }

  async morph(before, after) {
    const Plotly = window.Plotly;
    const index = this.itemsIndex(after);
    const [a, b] = [before.figure.data[this.itemsIndex(before)], after.figure.data[index]];
    const [ranges, goal] = [before.figure.layout, after.figure.layout];
    const still = after.figure.data.filter(({ meta }) => meta?.still).map((trace) => ({ ...trace }));
    if (!still.length) this.labels.replaceChildren(); // else the frame stays, and its names with it
    const mixed = (u, from, to) => from.map((value, i) => value + (to[i] - value) * u);
    await Plotly.react(this.plot, [...still, { ...b, x: a.x, y: a.y }], { ...goal, xaxis: { ...goal.xaxis, range: ranges.xaxis.range }, yaxis: { ...goal.yaxis, range: ranges.yaxis.range } }, this.configured(after.figure.config));
    const start = performance.now();
    for (let u = 0; u < 1;) {
      await new Promise(requestAnimationFrame);
      u = Math.min(1, (performance.now() - start) / MORPH_MS);
      const share = eased(u);
      await Plotly.update(this.plot, { x: [between(a.x, b.x, share)], y: [between(a.y, b.y, share)] }, {
        "xaxis.range": mixed(share, ranges.xaxis.range, goal.xaxis.range),
        "yaxis.range": mixed(share, ranges.yaxis.range, goal.yaxis.range),
      }, [still.length]);
    }
  }

  listen() {
    if (this.listening) return;
    this.listening = true;
    const row = (point) => {
      const trace = this.spec.figure.data[point.curveNumber];
      if (trace?.meta?.role === "items") return point.pointNumber;
      const found = (trace?.meta?.rows ?? trace?.meta?.follow)?.[point.pointNumber] ?? -1;
      return found < 0 ? null : found;
    };
    const point = (at) => { for (const other of this.stage.linked(this)) other.pointAt(at); };
    this.plot.on("plotly_hover", ({ points, event }) => { this.showHover(row(points[0]), event); point(row(points[0])); });
    this.plot.on("plotly_unhover", () => { this.hover.hidden = true; point(null); });
    this.plot.on("plotly_click", ({ points }) => {
      const step = this.spec.figure.data[points[0].curveNumber]?.meta?.steps?.[points[0].pointNumber];
      if (step !== undefined) { this.stage.player?.visit(step); return; }
      const chosen = row(points[0]);
      this.picked = chosen !== null;
      if (chosen !== null && !this.alone) this.stage.choose({ row: chosen });
    });
    this.listenToGround();
    this.plot.on("plotly_selected", (event) => {
      if (!event || this.painting) return;
      const index = this.itemsIndex(this.spec);
      this.lassoed(event.points.filter(({ curveNumber }) => curveNumber === index).map(({ pointNumber }) => pointNumber));
    });
    this.plot.on("plotly_doubleclick", () => { if (this.spec.figure.layout.xaxis?.range) this.whole(); });
    this.plot.on("plotly_deselect", () => { if (!this.painting) this.lassoed([]); });
    const soon = () => {
      this.ring.hidden = this.hover.hidden = true;
      this.leading ||= !this.led; // asked now: a picture that was led must not lead back
      this.pending ??= requestAnimationFrame(() => {
        this.pending = null;
        this.placeLabels();
        if (this.leading) for (const other of this.stage.linked(this)) other.look(this.window());
        this.leading = false;
      });
    };
    this.plot.on("plotly_relayout", soon);
    this.plot.on("plotly_relayouting", soon);
  }

  // A click where no item is, or with Alt held anywhere, names a place of the picture. Plotly tells of
  // clicks on points alone, and tells after the mouse is up.
  listenToGround() {
    this.plot.addEventListener("pointerdown", (down) => {
      this.picked = false;
      this.alone = Boolean(this.spec?.ground) && down.altKey;
      this.letGo?.abort(); // a press whose release was never seen
      if (!this.spec?.ground || down.button !== 0 || !down.target.closest(".nsewdrag")) return;
      const press = (this.letGo = new AbortController());
      const aside = (event) => Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) >= 4;
      window.addEventListener("pointermove", (event) => { if (aside(event)) press.abort(); }, { signal: press.signal }); // a lasso may end where it began
      window.addEventListener("pointerup", (event) => {
        press.abort();
        if (aside(event)) return;
        clearTimeout(this.waiting);
        if (event.detail > 1) return;
        this.waiting = setTimeout(() => {
          if (this.alone || (!this.picked && this.hover.hidden)) this.tellGround(event.clientX, event.clientY);
          this.alone = false;
        }, DOUBLE_CLICK_MS);
      }, { signal: press.signal });
    }, true);
    this.plot.on("plotly_doubleclick", () => clearTimeout(this.waiting));
  }

  tellGround(left, top) {
    const { xaxis, yaxis, _size: size } = this.plot._fullLayout ?? {};
    if (!xaxis?.p2l || !size) return;
    const frame = this.plot.getBoundingClientRect();
    const [x, y] = [xaxis.p2l(left - frame.left - size.l), yaxis.p2l(top - frame.top - size.t)];
    this.stage.answers?.ground?.({ x, y, picture: this.stage.pictures.indexOf(this) });
  }

  lassoed(rows) {
    this.stage.lassoed = rows.length ? rows : null;
    for (const other of this.stage.linked(this)) other.mark(this.stage.lassoed);
    this.stage.lasso(rows);
  }

  showHover(row, event) {
    const items = this.stage.items;
    if (row === null || !items?.texts || !event) return;
    const graph = this.spec.near ?? items.near;
    const near = graph ? [0, 1, 2].map((k) => items.texts[graph[3 * row + k]]).filter((text) => text !== undefined) : [];
    this.hover.replaceChildren(
      element("strong", {}, items.texts[row]),
      element("span", { class: "ms-quiet" }, items.details?.[row] ?? ""),
      near.length ? element("span", {}, `near: ${near.join(", ")}`) : element("span", { class: "ms-quiet" }, graph ? "" : "neighbours are being computed"));
    const frame = this.plot.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    this.hover.hidden = false;
    this.hover.style.left = `${clamp(x + 14, 4, Math.max(4, frame.width - this.hover.offsetWidth - 4))}px`;
    this.hover.style.top = `${clamp(y + 14, 4, Math.max(4, frame.height - this.hover.offsetHeight - 4))}px`;
  }

  // A button for each mover: a dot that can be reached by keyboard, and its name.
  dressMovers() {
    const { movers = [] } = this.spec;
    const held = [...this.movers.children].indexOf(document.activeElement);
    this.movers.replaceChildren(...movers.map(({ text, color, row, chosen, detail }) => {
      const node = element("button", { type: "button", class: chosen ? "ms-mover ms-this" : "ms-mover", title: detail || text, "aria-label": detail ? `${text}, ${detail}` : text, disabled: row < 0, "aria-pressed": String(Boolean(chosen)), onclick: () => this.stage.choose({ mover: row }) }, element("i"), element("span", {}, text.slice(0, 40)));
      node.style.setProperty("--ms-kind", color);
      return node;
    }));
    this.movers.children[held]?.focus({ preventScroll: true }); // who walks by keyboard stays where they were
  }

  // Every mover to its place at the step, in so many milliseconds; the names that fit, the chosen first.
  placeMovers(milliseconds = 0) {
    const { movers = [] } = this.spec ?? {};
    const { xaxis, yaxis, _size: size } = this.plot._fullLayout ?? {};
    if (!movers.length || !xaxis?.l2p) return [];
    const step = this.stage.step();
    const spots = movers.map(({ way }) => {
      const [x, y] = way[Math.min(step, way.length - 1)];
      return [xaxis.l2p(x) + size.l, yaxis.l2p(y) + size.t];
    });
    const taken = spots.map(([x, y]) => [x - 5, y - 5, 10, 10]);
    const order = movers.map((_, k) => k).sort((a, b) => Boolean(movers[b].chosen) - Boolean(movers[a].chosen));
    this.movers.style.setProperty("--ms-time", `${calm() ? 0 : milliseconds}ms`);
    for (const k of order) {
      const [x, y] = spots[k];
      const node = this.movers.children[k];
      const { chosen, named, text } = movers[k];
      node.style.transform = `translate(${x}px, ${y}px)`;
      node.hidden = x < -8 || y < -8 || x > size.l + size.w + 8 || y > size.t + size.h + 8;
      const px = chosen ? 15 : 12;
      const [w, h] = [textWidth(text.slice(0, 40), `600 ${px}px system-ui`) + 4, px + 4];
      const free = (box) => box[0] >= 0 && box[0] + w <= size.l + size.w && box[1] >= 0 && !taken.some((other, i) => i !== k && box[0] < other[0] + other[2] && other[0] < box[0] + box[2] && box[1] < other[1] + other[3] && other[1] < box[1] + box[3]);
      const away = chosen ? 11 : 8;
      const sides = [[away, -h / 2], [-w / 2, -h - away + 2], [-w - away, -h / 2], [-w / 2, away - 2]].map(([dx, dy]) => [x + dx, y + dy, w, h]);
      const box = chosen || named ? sides.find(free) ?? (chosen ? sides[0] : null) : null;
      node.classList.toggle("ms-mute", !box);
      if (!box) continue;
      taken.push(box);
      node.lastChild.style.transform = `translate(${box[0] - x}px, ${box[1] - y}px)`;
    }
    return taken;
  }

  // Greedy placement: what matters most goes first, and what would touch a placed label stays away.
  placeLabels(milliseconds = 0) {
    const layout = this.plot._fullLayout;
    const moving = this.placeMovers(milliseconds);
    if (!layout?.xaxis?.l2p || !this.spec) { this.labels.replaceChildren(); return; }
    const { xaxis, yaxis } = layout;
    const size = layout._size;
    const at = (x, y) => [xaxis.l2p(x) + xaxis._offset, yaxis.l2p(y) + yaxis._offset]; // an axis need not fill the frame
    const [width, height] = [size.l + size.w, size.t + size.h];
    const full = this.spec.figure.layout;
    const whole = full.xaxis?.range ? Math.abs(xaxis.range[1] - xaxis.range[0]) > 0.7 * Math.abs(full.xaxis.range[1] - full.xaxis.range[0]) : true;
    const limit = whole ? LABELS_WHOLE : LABELS_ZOOMED;
    const candidates = [...this.named(), ...this.itemLabels(at, width, height)];
    const taken = this.stage.search && this === this.stage.pictures[0] ? [[0, 0, this.stage.search.root.offsetWidth + 14, 52]] : [];
    taken.push(...moving);
    const placed = [];
    for (const label of candidates) {
      if (placed.length >= limit) break;
      const [x, y] = at(label.x, label.y);
      if (x < size.l || x > width || y < size.t || y > height) continue;
      const px = label.px ?? 12;
      const w = textWidth(label.text, `600 ${px}px system-ui`) + 6;
      const gap = whole ? 7 : 3;
      const spots = label.above ? [[-w / 2, -1.6 * px - 3], [-w / 2, 0.5 * px], [9, -px / 2 - 2], [-w - 9, -px / 2 - 2]] : [[-w / 2, -px / 2 - 2]];
      const touches = (box) => taken.some((other) => box[0] < other[0] + other[2] + gap && other[0] < box[0] + box[2] + gap && box[1] < other[1] + other[3] + gap / 2 && other[1] < box[1] + box[3] + gap / 2);
      const box = spots
        .map(([dx, dy]) => [clamp(x + dx, size.l, width - w), clamp(y + dy, size.t, height - px - 4), w, px + 5])
        .find((candidate) => !touches(candidate));
      if (!box) continue;
      taken.push(box);
      const node = element("span", { class: `ms-label ms-${label.kind ?? "region"}` });
      node.textContent = label.text;
      node.style.cssText = `left:${box[0]}px;top:${box[1]}px;font-size:${px}px`;
      placed.push(node);
    }
    this.labels.replaceChildren(...placed);
  }

  // The labels of the spec, each where its end of the morph has it.
  named() {
    const own = this.spec.labels_at?.[this.stage.step()] ?? [];
    const twice = (label) => own.some(({ text, x, y }) => text === label.text && x === label.x && y === label.y);
    const labels = [...own, ...(this.spec.labels ?? []).filter((label) => !twice(label))];
    const there = this.spec.morph?.labels;
    const u = there ? this.stage.morph.u : 0;
    return u ? labels.map((label, k) => ({ ...label, x: label.x + (there[k].x - label.x) * u, y: label.y + (there[k].y - label.y) * u })) : labels;
  }

  // Deep in the map every visible item carries its own name.
  itemLabels(at, width, height) {
    const index = this.itemsIndex(this.spec);
    const texts = this.stage.items?.texts;
    if (index < 0 || !texts) return [];
    const { x, y } = this.places();
    const { xaxis, yaxis } = this.plot._fullLayout;
    const [x0, x1] = [...xaxis.range].sort((a, b) => a - b);
    const [y0, y1] = [...yaxis.range].sort((a, b) => a - b);
    const seen = [];
    const named = new Set(this.named().map(({ text }) => text)); // these have their name already
    for (let i = 0; i < x.length; i++) {
      if (x[i] > x0 && x[i] < x1 && y[i] > y0 && y[i] < y1 && !named.has(texts[i].slice(0, 40))) {
        seen.push({ text: texts[i].slice(0, 40), x: x[i], y: y[i], px: 11, kind: "item", above: true });
        if (seen.length > 120) return [];
      }
    }
    return seen;
  }

  // The background on its way to where it stands at the step, as long as no newer step is asked for.
  async drift(step, milliseconds) {
    const index = this.itemsIndex(this.spec);
    const from = this.plot.data[index];
    const [a, b] = [{ x: from.x, y: from.y }, this.spec.steps[step]];
    const run = (this.drifting = Symbol("run"));
    const start = performance.now();
    for (let u = 0; u < 1 && this.drifting === run;) {
      if (milliseconds) await new Promise(requestAnimationFrame);
      u = milliseconds ? Math.min(1, (performance.now() - start) / milliseconds) : 1;
      if (this.drifting === run) await window.Plotly.restyle(this.plot, { x: [between(a.x, b.x, eased(u))], y: [between(a.y, b.y, eased(u))] }, [index]);
    }
  }

  frame(step, milliseconds) {
    if (this.spec?.movers?.length || this.spec?.labels_at?.length) this.placeLabels(milliseconds);
    if (this.spec?.steps?.length) return this.drift(step, milliseconds).catch(() => {});
    if (!this.spec?.figure.frames?.length) return Promise.resolve();
    if (this.spec.figure.layout.scene) return this.setFrame(this.spec.figure.frames[step]).catch(() => {});
    return window.Plotly.animate(this.plot, [String(step)], {
      mode: "immediate",
      transition: { duration: milliseconds, easing: "linear" },
      frame: { duration: milliseconds, redraw: false },
    }).catch(() => {}); // a newer step interrupts the older one
  }

  // In three dimensions Plotly animates nothing: the step's coordinates are set at once.
  async setFrame(frame) {
    if (!frame) return;
    const update = Object.fromEntries(["x", "y", "z"].map((axis) => [axis, frame.data.map((trace) => trace[axis] ?? [])]));
    await window.Plotly.restyle(this.plot, update, frame.traces);
  }

  showMatches(rows) {
    const index = this.spec?.figure.data.findIndex((trace) => trace.meta?.role === "matches") ?? -1;
    if (index < 0) return;
    const items = this.places();
    const update = { x: [rows.map((row) => items.x[row])], y: [rows.map((row) => items.y[row])] };
    window.Plotly.restyle(this.plot, update, [index]);
  }

  close() {
    this.letGo?.abort();
    clearTimeout(this.waiting);
    this.observer.disconnect();
    if (this.plot._fullLayout) window.Plotly.purge(this.plot);
    this.root.remove();
  }
}

// ------------------------------------------------------------------------------ search
class Search {
  constructor(stage) {
    this.stage = stage;
    this.rows = [];
    this.marked = [];
    this.total = 0;
    this.active = -1;
    const id = `ms-list-${Math.random().toString(36).slice(2)}`;
    this.input = element("input", {
      type: "search", class: "ms-search", role: "combobox", autocomplete: "off", spellcheck: "false", maxlength: "20000",
      "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", "aria-label": "Find a word, or type any text",
      oninput: () => this.typed(), onkeydown: (event) => this.key(event), onblur: () => setTimeout(() => this.shut(), 150),
    });
    this.list = element("ul", { class: "ms-list", role: "listbox", id, hidden: true });
    this.root = element("div", { class: "ms-searchbox" }, this.input, this.list);
  }

  // Every item's text as it is compared, made once for as long as the items stay.
  get keys() {
    const texts = this.stage.items?.texts ?? [];
    if (this.of !== texts) [this.of, this.folded] = [texts, texts.map(folded)];
    return this.folded;
  }

  matches(query) {
    const wanted = folded(query);
    const [exact, prefix, inside] = [[], [], []];
    this.keys.forEach((key, row) => {
      const place = key.indexOf(wanted);
      if (place >= 0) (key === wanted ? exact : place === 0 ? prefix : inside).push(row);
    });
    return [...exact, ...prefix, ...inside];
  }

  typed() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      const query = this.input.value.trim();
      const all = query ? this.matches(query) : [];
      this.rows = all.slice(0, MATCHES_LISTED);
      this.active = -1;
      this.marked = query.length > 1 ? all.slice(0, MATCHES_MARKED) : [];
      this.total = all.length;
      this.show(query);
      this.stage.showMatches(this.marked);
    }, 70);
  }

  show(query) {
    const texts = this.stage.items?.texts ?? [];
    const listed = this.rows.map((row) => texts[row]);
    const options = this.rows.map((row, k) => element("li", { role: "option", "aria-selected": String(k === this.active), id: `${this.list.id}-${k}`, onmousedown: (event) => { event.preventDefault(); this.choose({ row }); } }, texts[row].slice(0, 120), this.apart(row, listed)));
    const exact = this.rows.some((row) => this.keys[row] === folded(query));
    if (query && !exact) {
      options.push(element("li", { role: "option", class: "ms-new", "aria-selected": String(this.active === this.rows.length), id: `${this.list.id}-${this.rows.length}`, onmousedown: (event) => { event.preventDefault(); this.choose({ text: query }); } }, `Place “${query.slice(0, 60)}” on the map`));
    }
    if (this.total > this.rows.length) options.push(element("li", { class: "ms-quiet", role: "presentation" }, this.counted()));
    this.list.replaceChildren(...options);
    this.list.hidden = !options.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.setAttribute("aria-activedescendant", this.active >= 0 ? `${this.list.id}-${this.active}` : "");
  }

  // How many there are, and how many of them the map marks.
  counted() {
    const [total, marked] = [this.total, this.marked.length].map((count) => count.toLocaleString("en"));
    if (!this.marked.length) return `${total} matches`;
    return this.marked.length < this.total ? `${total} matches, the first ${marked} marked` : `${total} matches, marked on the map`;
  }

  // Of items with one text, what tells them apart.
  apart(row, listed) {
    const detail = this.stage.items?.details?.[row];
    const alone = listed.filter((text) => text === this.stage.items.texts[row]).length < 2;
    return alone || !detail ? null : element("span", { class: "ms-quiet" }, ` ${detail.split(" · ")[0]}`);
  }

  key(event) {
    const query = this.input.value.trim();
    const last = this.list.querySelectorAll("[role=option]").length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.active = clamp(this.active + (event.key === "ArrowDown" ? 1 : -1), -1, last);
      this.show(query);
    } else if (event.key === "Enter" && query) {
      clearTimeout(this.waiting);
      const row = this.active >= 0 ? this.rows[this.active] : this.matches(query).find((match) => this.keys[match] === folded(query));
      this.choose(row === undefined ? { text: query } : { row });
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.typed();
    }
    event.stopPropagation(); // Streamlit's own shortcuts stay out of the text
  }

  choose(what) {
    this.shut();
    this.input.value = "";
    this.stage.showMatches([]);
    this.stage.seeking = true;
    this.stage.choose(what);
  }

  shut() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }
}

// ------------------------------------------------------------------------------ player
class Player {
  constructor(stage) {
    this.stage = stage;
    this.step = 0;
    this.button = element("button", { type: "button", class: "ms-play", onclick: () => this.toggle() }, "Play");
    this.range = element("input", { type: "range", min: 0, step: 1, value: 0, class: "ms-range", "aria-label": "Step along the path", oninput: () => { this.go(Number(this.range.value), 0); this.pause(); }, onchange: () => this.tell() });
    this.where = element("output", { class: "ms-where" }, "0.00");
    this.speed = element("select", { class: "ms-speed", "aria-label": "Speed" }, ...[0.5, 1, 2, 4].map((speed) => element("option", { value: speed, selected: speed === 1 }, `${speed}×`)));
    this.strips = element("div", { class: "ms-strips" });
    this.transcript = element("ol", { class: "ms-transcript" });
    this.details = element("details", { class: "ms-details" }, element("summary", {}, "Read the path as text"), this.transcript);
    this.root = element("div", { class: "ms-player" }, this.strips,
      element("div", { class: "ms-controls" }, this.button, this.range, this.where, this.speed), this.details);
  }

  update(data) {
    const fresh = JSON.stringify([data.t, data.names?.length ? data.names : data.strips, data.report]);
    const same = fresh === this.fresh;
    this.fresh = fresh;
    this.data = data;
    this.range.max = data.t.length - 1;
    this.strips.replaceChildren(...data.strips.map((strip) => this.strip(strip)));
    this.transcript.replaceChildren(...data.transcript.map((line) => element("li", {}, line)));
    if (!same) this.playing = null;
    this.go(same ? this.step : data.start ?? 0, 0);
    if (!same) this.pause(); // the button says what it does from there
  }

  strip({ name, color, runs, flowing }) {
    const cells = runs.flatMap((run) => {
      const cell = element("button", { type: "button", class: run.off ? "ms-word ms-off" : "ms-word", title: flowing ? run.text.trim() : `${run.text}: steps ${run.start} to ${run.stop - 1}${run.off ? ", off the data" : ""}`, "data-start": run.start, "data-stop": run.stop, onclick: () => this.visit(run.start) }, element("span", {}, flowing ? run.text.trim() || run.text : run.text));
      if (flowing) return /^\s/.test(run.text) ? [" ", cell] : [cell]; // the space in front belongs to no word
      cell.style.flexGrow = run.stop - run.start;
      return [cell];
    });
    const row = element("div", { class: flowing ? "ms-strip ms-flowing" : "ms-strip", role: "group", "aria-label": `Words along the ${name} path` }, ...cells);
    const label = element("span", { class: "ms-stripname" }, name);
    label.style.setProperty("--ms-kind", color);
    return element("div", { class: "ms-striprow" }, label, row);
  }

  go(step, milliseconds) {
    this.step = clamp(step, 0, this.data.t.length - 1);
    this.range.value = this.step;
    const { names } = this.data;
    this.where.textContent = names?.length ? names[this.step] : this.data.t[this.step].toFixed(2);
    this.where.classList.toggle("ms-word-long", Boolean(names?.length));
    this.range.setAttribute("aria-valuetext", this.data.transcript[this.step] ?? "");
    for (const word of this.strips.querySelectorAll(".ms-word")) {
      word.classList.toggle("ms-now", Number(word.dataset.start) <= this.step && this.step < Number(word.dataset.stop));
    }
    this.stage.root.dataset.step = this.step;
    return Promise.all(this.stage.pictures.map((picture) => picture.frame(this.step, calm() ? 0 : milliseconds)));
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
    if (this.playing) { this.pause(); this.tell(); }
    else this.play();
  }

  async play() {
    const last = this.data.t.length - 1;
    if (this.step >= last) await this.go(0, 0);
    const run = (this.playing = Symbol("run"));
    this.button.textContent = "Pause";
    while (this.playing === run && this.step < last) {
      const milliseconds = (this.data.seconds * 1000) / this.data.t.length / Number(this.speed.value);
      const until = performance.now() + milliseconds;
      this.go(this.step + 1, this.data.names?.length ? 0.6 * milliseconds : milliseconds); // a layer is looked at a while
      await new Promise((done) => setTimeout(done, Math.max(0, until - performance.now())));
    }
    if (this.playing === run) { this.pause(); this.tell(); }
  }

  pause() {
    this.playing = null;
    this.button.textContent = this.data && this.step >= this.data.t.length - 1 ? "Play again" : "Play";
  }
}

// ------------------------------------------------------------------------------ morph
// One map on its way into the other: by a button, by the names of both ends, or held half-way.
class Morph {
  constructor(stage) {
    this.stage = stage;
    this.u = 0;
    this.button = element("button", { type: "button", class: "ms-play", onclick: () => this.to(this.u < 0.5 ? 1 : 0) }, "Morph");
    this.ends = [0, 1].map((goal) => element("button", { type: "button", class: "ms-end", onclick: () => this.to(goal) }));
    this.range = element("input", { type: "range", min: 0, max: 100, step: 1, value: 0, class: "ms-range", oninput: () => { this.running = null; this.set(Number(this.range.value) / 100); } });
    this.root = element("div", { class: "ms-controls ms-morph" }, this.button, this.ends[0], this.range, this.ends[1]);
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
    this.range.value = Math.round(100 * this.u);
    this.range.setAttribute("aria-valuetext", `${Math.round(100 * this.u)}% of the way to ${this.names[1]}`);
    this.ends.forEach((end, goal) => end.setAttribute("aria-pressed", String(this.u === goal)));
  }

  async set(u) {
    this.u = u;
    this.show();
    const moving = this.stage.pictures.filter((picture) => picture.spec?.morph);
    await Promise.all(moving.map((picture) => picture.pose(u)));
    for (const picture of moving) picture.placeLabels();
    this.stage.root.dataset.morph = u; // what is drawn, not what is asked for
  }

  async to(goal) {
    const run = (this.running = Symbol("run"));
    const from = this.u;
    const start = performance.now();
    for (let share = calm() ? 1 : 0; this.running === run; ) {
      if (!calm()) {
        await new Promise(requestAnimationFrame);
        share = Math.min(1, (performance.now() - start) / MORPH_MS);
      }
      await this.set(share === 1 ? goal : from + (goal - from) * eased(share));
      if (share === 1) return;
    }
  }
}

// ------------------------------------------------------------------------------ stage
class Stage {
  constructor(parent) {
    this.pictures = [];
    this.message = element("p", { class: "ms-message", role: "status" }, "Painting the picture");
    this.top = element("div", { class: "ms-top" });
    this.plots = element("div", { class: "ms-plots" });
    this.legend = element("div", { class: "ms-legend" });
    this.bottom = element("div");
    this.root = element("div", { class: "ms-stage" }, this.message, this.top, this.plots, this.legend, this.bottom);
    parent.append(this.root);
    this.version = 0;
  }

  step() { return this.player && !this.player.root.hidden ? this.player.step : 0; }

  choose(what) { this.answers?.choose?.(what); }
  lasso(rows) { this.answers?.lasso?.(rows); }

  // Pictures of the same space point, zoom and select together.
  linked(picture) {
    return picture.linkable() ? this.pictures.filter((other) => other !== picture && other.linkable() && other.spec.space === picture.spec.space) : [];
  }

  showMatches(rows) {
    const [first] = this.pictures;
    if (first) for (const picture of [first, ...this.linked(first)]) picture.showMatches(rows);
  }

  async update(data, answers) {
    this.answers = answers;
    const version = ++this.version;
    for (const [name, value] of Object.entries(data.tokens)) this.root.style.setProperty(`--ms-${name}`, value);
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
    while (this.pictures.length > data.pictures.length) this.pictures.pop().close();
    while (this.pictures.length < data.pictures.length) {
      const picture = new Picture(this);
      this.pictures.push(picture);
      this.plots.append(picture.root);
    }
    if (data.search) {
      if (!this.search) { this.search = new Search(this); this.top.append(this.search.root); }
      this.search.input.placeholder = data.search;
    }
    this.showLegend(data.legend);
    const morph = data.pictures.find((picture) => picture.morph)?.morph;
    if (morph) {
      if (!this.morph) { this.morph = new Morph(this); this.bottom.prepend(this.morph.root); }
      this.morph.update(morph);
    }
    if (this.morph) this.morph.root.hidden = !morph;
    this.root.dataset.pictures = data.pictures.length;
    [this.sought, this.seeking] = [this.seeking, false];
    if (data.player && !this.player) { this.player = new Player(this); this.bottom.append(this.player.root); }
    if (this.player) this.player.root.hidden = !data.player;
    await Promise.all(this.pictures.map((picture, k) => picture.draw(data.pictures[k])));
    if (data.player) this.player.update(data.player);
    if (morph) this.root.dataset.morph ??= this.morph.u;
    this.root.dataset.ready = data.name;
  }

  close() {
    clearTimeout(this.leaving);
    this.version++; // what is still being read is not drawn any more
    this.player?.pause();
    for (const picture of this.pictures) picture.close();
    this.pictures = [];
    this.root.remove();
  }

  showLegend(legend) {
    if (!legend) { this.legend.replaceChildren(); return; }
    if (legend.gradient) {
      const bar = element("span", { class: "ms-gradient" });
      bar.style.background = `linear-gradient(90deg, ${legend.gradient.join(",")})`;
      this.legend.replaceChildren(element("span", {}, legend.title), element("span", { class: "ms-quiet" }, legend.low), bar, element("span", { class: "ms-quiet" }, legend.high));
      return;
    }
    this.legend.replaceChildren(element("span", {}, legend.title), ...legend.entries.map(({ label, color }) => {
      const dot = element("i");
      dot.style.background = color;
      return element("span", { class: "ms-entry" }, dot, label);
    }));
  }
}

export function mountStage(parent, data, answers = {}) {
  if (!stages.has(parent)) stages.set(parent, back(parent, data.key) ?? new Stage(parent));
  return stages.get(parent).update(data, answers);
}

// Where a fragment runs just as the run of its page ends, Streamlit (1.67) takes what the fragment
// drew off the page and at once puts it there again. A picture's WebGL contexts can take a second to
// make, so the stage waits for that, with all that somebody did in it.
function leave(parent, key) {
  const stage = stages.get(parent);
  if (!stage) return;
  stages.delete(parent);
  stage.root.remove();
  away.get(key)?.close();
  away.set(key, stage);
  stage.leaving = setTimeout(() => { away.delete(key); stage.close(); }, AWAY_MS);
}

function back(parent, key) {
  const stage = away.get(key);
  if (!stage) return null;
  clearTimeout(stage.leaving);
  away.delete(key);
  parent.append(stage.root);
  return stage;
}

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  if (data.preload) { loadPlotly(data.preload).catch(() => {}); return; } // the stage itself will say it
  mountStage(parentElement, data, {
    choose: (what) => setTriggerValue("chosen", what),
    lasso: (rows) => setStateValue("lasso", rows),
    step: (at) => setStateValue("step", at),
    ground: (place) => setTriggerValue("ground", place),
  });
  return () => leave(parentElement, data.key); // Streamlit calls it when the stage is taken off the page
}
