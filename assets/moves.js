// What moved, as a table: how far, which neighbours it lost and gained, toward what. Texts go in as text.

const node = (tag, name, text) =>
  Object.assign(document.createElement(tag), { className: name, textContent: text ?? "" });
const HEADS = ["", "Moved", "Kept", "Lost", "Gained", "In words"];

function near(words, kind) {
  const cell = node("td", kind);
  cell.append(words.length ? words.join(", ") : "–");
  return cell;
}

export default function ({ data, parentElement, setTriggerValue }) {
  let frame = parentElement.querySelector(".ms-moves");
  if (!frame) {
    frame = node("div", "ms-moves");
    frame.tabIndex = 0; // so that it scrolls by keyboard
    const table = node("table", "");
    table.append(document.createElement("thead"), document.createElement("tbody"));
    const heads = node("tr", "");
    heads.append(...HEADS.map((name) => Object.assign(node("th", "", name), { scope: "col" })));
    table.tHead.append(heads);
    frame.append(table);
    parentElement.append(frame);
  }
  for (const [name, value] of Object.entries(data.tokens))
    frame.style.setProperty(`--ms-${name}`, value);
  frame.setAttribute("aria-label", data.label);
  const before = frame.dataset.rows;
  frame.dataset.rows = data.rows.map(({ row }) => row).join(" ");
  if (before !== frame.dataset.rows) frame.scrollTop = 0;
  frame.querySelector("tbody").replaceChildren(
    ...data.rows.map(({ row, text, moved, share, kept, lost, gained, trend }) => {
      const line = node("tr", row === data.chosen ? "ms-this" : "");
      const name = node("button", "", text);
      name.type = "button";
      line.onclick = () => setTriggerValue("chosen", { row });
      const first = node("th", "");
      first.scope = "row";
      first.append(name);
      const far = node("td", "ms-far", moved);
      const track = node("span", "ms-way");
      track.style.setProperty("--ms-share", `${100 * Math.max(0, Math.min(1, share))}%`);
      far.append(track);
      line.append(
        first,
        far,
        node("td", "ms-kept", kept),
        near(lost, "ms-lost"),
        near(gained, "ms-gained"),
        node("td", "", trend || "–"),
      );
      return line;
    }),
  );
}
