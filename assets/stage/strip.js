// A strip of words under the pictures: what a path says at its steps.

import { element } from "../shared/dom.js";

function tooltip({ text, start, stop, off }, flowing) {
  if (flowing) return text.trim();
  return `${text}: steps ${start} to ${stop - 1}${off ? ", off the data" : ""}`;
}

function wordButton(run, flowing, visit) {
  const attributes = {
    type: "button",
    class: run.off ? "ms-word ms-off" : "ms-word",
    title: tooltip(run, flowing),
    "data-start": run.start,
    "data-stop": run.stop,
    onclick: () => visit(run.start),
  };
  const text = flowing ? run.text.trim() || run.text : run.text;
  const button = element("button", attributes, element("span", {}, text));
  if (!flowing) button.style.flexGrow = run.stop - run.start;
  return button;
}

// Flowing words are set as running text; the space in front belongs to no word.
export function stripElement({ name, color, runs, flowing }, visit) {
  const words = runs.flatMap((run) => {
    const button = wordButton(run, flowing, visit);
    return flowing && /^\s/.test(run.text) ? [" ", button] : [button];
  });
  const attributes = {
    class: flowing ? "ms-strip ms-flowing" : "ms-strip",
    role: "group",
    "aria-label": `Words along the ${name} path`,
  };
  const label = element("span", { class: "ms-stripname" }, name);
  label.style.setProperty("--ms-kind", color);
  return element("div", { class: "ms-striprow" }, label, element("div", attributes, ...words));
}
