// Rows with a name, a figure and a bar; with a key they are buttons. Texts go in as text, never as HTML.

import { setTokens, textElement } from "./shared/dom.js";

export default function ({ data, parentElement, setTriggerValue }) {
  let list = parentElement.querySelector("ul");
  if (!list) {
    list = textElement("ul", "ms-bars");
    parentElement.append(list);
  }
  setTokens(list, data.tokens);
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.rows.map(({ name, value, share, detail, mark, key }) => {
      const item = document.createElement("li");
      const row = textElement(key === undefined ? "div" : "button", "ms-bar");
      const head = textElement("span", "ms-barhead");
      head.append(textElement("span", "ms-barname", name), textElement("span", "ms-cosine", value));
      row.append(head);
      if (share !== undefined) {
        const track = textElement("span", "ms-track");
        const fill = textElement("i", "ms-fill");
        fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
        track.append(fill);
        if (mark !== undefined) {
          // where the whole stands, to compare with
          const tick = textElement("b", "ms-tick");
          tick.style.left = `${Math.max(0, Math.min(1, mark)) * 100}%`;
          track.append(tick);
        }
        row.append(track);
      }
      if (detail) row.append(textElement("span", "ms-bardetail", detail));
      row.title = [name, value, detail].filter(Boolean).join(" · ");
      if (key !== undefined) {
        row.type = "button";
        row.onclick = () => setTriggerValue("chosen", { row: key });
      }
      item.append(row);
      return item;
    }),
  );
}
