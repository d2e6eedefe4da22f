// The nearest states of a token: a row a layer, with its nearest entries of the vocabulary.
// Texts go in as text, never as HTML.

import { setTokens, textElement } from "./shared/dom.js";

const figure = (value) => value.toFixed(2).replace(/^(-?)0\./, "$1.");

function tokens(entries) {
  const cell = textElement("td", "");
  cell.append(
    ...entries.map(({ token, cosine }) => {
      const near = textElement("span", "ms-near", token);
      near.append(textElement("small", "", figure(cosine)));
      return near;
    }),
  );
  return cell;
}

function sentences(states) {
  const cell = textElement("td", "");
  const list = textElement("ol", "");
  list.append(
    ...states.map(({ parts, cosine, document: title }) => {
      const item = textElement("li", "");
      item.tabIndex = 0; // who cannot point at it reads it whole by keyboard
      const sentence = textElement("span", "ms-said");
      const before = textElement("span", "");
      before.append(textElement("bdi", "", parts[0].trimEnd())); // cut on the left, read from the left
      const mark = textElement("mark", /\s$/.test(parts[0]) ? "ms-apart" : "", parts[1]);
      sentence.append(before, mark, textElement("span", "", parts[2]));
      sentence.title = `${parts.join("")}\n${title}`;
      item.append(textElement("small", "", figure(cosine)), sentence);
      return item;
    }),
  );
  cell.append(list);
  return cell;
}

export default function ({ data, parentElement }) {
  let frame = parentElement.querySelector(".ms-nearest");
  if (!frame) {
    frame = textElement("div", "ms-nearest");
    frame.tabIndex = 0; // so that it scrolls by keyboard
    frame.setAttribute("role", "region");
    const table = textElement("table", "");
    table.append(document.createElement("thead"), document.createElement("tbody"));
    frame.append(table);
    parentElement.append(frame);
  }
  setTokens(frame, data.tokens);
  frame.setAttribute("aria-label", data.label);
  const heads = textElement("tr", "");
  heads.append(
    ...data.heads.map(({ name, help }) =>
      Object.assign(textElement("th", "", name), { scope: "col", title: help }),
    ),
  );
  frame.querySelector("thead").replaceChildren(heads);
  frame.querySelector("tbody").replaceChildren(
    ...data.rows.map(({ layer, table, usual, states }) => {
      const line = textElement("tr", layer === data.chosen ? "ms-this" : "");
      const name = textElement("th", "", String(layer));
      name.scope = "row";
      line.append(name, tokens(table), tokens(usual), sentences(states));
      return line;
    }),
  );
}
