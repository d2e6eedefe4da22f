// What a token became: a row a layer, its nearest entries and states. Texts go in as text, never as HTML.

const node = (tag, name, text) =>
  Object.assign(document.createElement(tag), { className: name, textContent: text ?? "" });
const figure = (value) => value.toFixed(2).replace(/^(-?)0\./, "$1.");

function tokens(found) {
  const cell = node("td", "");
  cell.append(
    ...found.map(({ token, cosine }) => {
      const near = node("span", "ms-near", token);
      near.append(node("small", "", figure(cosine)));
      return near;
    }),
  );
  return cell;
}

function sentences(found) {
  const cell = node("td", "");
  const list = node("ol", "");
  list.append(
    ...found.map(({ parts, cosine, document: title }) => {
      const item = node("li", "");
      item.tabIndex = 0; // who cannot point at it reads it whole by keyboard
      const said = node("span", "ms-said");
      const before = node("span", "");
      before.append(node("bdi", "", parts[0].trimEnd())); // cut on the left, read from the left
      const mark = node("mark", /\s$/.test(parts[0]) ? "ms-apart" : "", parts[1]);
      said.append(before, mark, node("span", "", parts[2]));
      said.title = `${parts.join("")}\n${title}`;
      item.append(node("small", "", figure(cosine)), said);
      return item;
    }),
  );
  cell.append(list);
  return cell;
}

export default function ({ data, parentElement }) {
  let frame = parentElement.querySelector(".ms-became");
  if (!frame) {
    frame = node("div", "ms-became");
    frame.tabIndex = 0; // so that it scrolls by keyboard
    frame.setAttribute("role", "region");
    const table = node("table", "");
    table.append(document.createElement("thead"), document.createElement("tbody"));
    frame.append(table);
    parentElement.append(frame);
  }
  for (const [name, value] of Object.entries(data.tokens))
    frame.style.setProperty(`--ms-${name}`, value);
  frame.setAttribute("aria-label", data.label);
  const heads = node("tr", "");
  heads.append(
    ...data.heads.map(({ name, help }) =>
      Object.assign(node("th", "", name), { scope: "col", title: help }),
    ),
  );
  frame.querySelector("thead").replaceChildren(heads);
  frame.querySelector("tbody").replaceChildren(
    ...data.rows.map(({ layer, table, usual, states }) => {
      const line = node("tr", layer === data.chosen ? "ms-this" : "");
      const name = node("th", "", String(layer));
      name.scope = "row";
      line.append(name, tokens(table), tokens(usual), sentences(states));
      return line;
    }),
  );
}
