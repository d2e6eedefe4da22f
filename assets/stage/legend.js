// What the colours mean: a scale from low to high, or a name for each.

import { element, quiet } from "../shared/dom.js";

function scale({ gradient, low, high }) {
  const bar = element("span", { class: "ms-gradient" });
  bar.style.background = `linear-gradient(90deg, ${gradient.join(",")})`;
  return [quiet(low), bar, quiet(high)];
}

function entry({ label, color }) {
  const dot = element("i");
  dot.style.background = color;
  return element("span", { class: "ms-entry" }, dot, label);
}

export function legendElements(legend) {
  if (!legend) return [];
  const title = element("span", {}, legend.title);
  return [title, ...(legend.gradient ? scale(legend) : legend.entries.map(entry))];
}
