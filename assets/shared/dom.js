// Elements and the width of texts.

// An element with attributes, listeners ("onclick": function) and children; texts stay texts.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// An element of a class with a text in it.
export const textElement = (tag, className, text) =>
  Object.assign(document.createElement(tag), { className, textContent: text ?? "" });

// The theme's colours, as the style sheets name them.
export function setTokens(root, tokens) {
  for (const [name, value] of Object.entries(tokens)) {
    root.style.setProperty(`--ms-${name}`, value);
  }
}

// A text in the quiet colour.
export const quiet = (text) => element("span", { class: "ms-quiet" }, text);

let ruler = null;

// In pixels, as a label in bold of that size is drawn.
export function labelWidth(text, pixels) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `600 ${pixels}px system-ui`;
  return ruler.measureText(text).width;
}
