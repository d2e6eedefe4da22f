// What moved, as a table: how far, which neighbours it lost and gained, toward what. Texts go in as text.

import { setTokens, textElement } from "./shared/dom.js";

const HEADS = ["", "Moved", "Kept", "Lost", "Gained", "In words"];

function near(words, kind) {
  const cell = textElement("td", kind);
  cell.append(words.length ? words.join(", ") : "–");
  return cell;
}

export default function ({ data, parentElement, setTriggerValue }) {
  let frame = parentElement.querySelector(".ms-moves");
  if (!frame) {
    frame = textElement("div", "ms-moves");
    frame.tabIndex = 0; // so that it scrolls by keyboard
    const table = textElement("table", "");
    table.append(document.createElement("thead"), document.createElement("tbody"));
    const heads = textElement("tr", "");
    heads.append(
      ...HEADS.map((name) => Object.assign(textElement("th", "", name), { scope: "col" })),
    );
    table.tHead.append(heads);
    frame.append(table);
    parentElement.append(frame);
  }
  setTokens(frame, data.tokens);
  frame.setAttribute("aria-label", data.label);
  const before = frame.dataset.rows;
  frame.dataset.rows = data.rows.map(({ row }) => row).join(" ");
  if (before !== frame.dataset.rows) frame.scrollTop = 0;
  frame.querySelector("tbody").replaceChildren(
    ...data.rows.map(({ row, text, moved, share, kept, lost, gained, trend }) => {
      const line = textElement("tr", row === data.chosen ? "ms-this" : "");
      const name = textElement("button", "", text);
      name.type = "button";
      line.onclick = () => setTriggerValue("chosen", { row });
      const first = textElement("th", "");
      first.scope = "row";
      first.append(name);
      const far = textElement("td", "ms-far", moved);
      const track = textElement("span", "ms-way");
      track.style.setProperty("--ms-share", `${100 * Math.max(0, Math.min(1, share))}%`);
      far.append(track);
      line.append(
        first,
        far,
        textElement("td", "ms-kept", kept),
        near(lost, "ms-lost"),
        near(gained, "ms-gained"),
        textElement("td", "", trend || "–"),
      );
      return line;
    }),
  );
}
