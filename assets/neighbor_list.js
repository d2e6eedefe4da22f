// A list of items with their cosines; a click chooses one. Texts go in as text, never as HTML.

import { setTokens } from "./shared/dom.js";

export default function ({ data, parentElement, setTriggerValue }) {
  let list = parentElement.querySelector("ol");
  if (!list) {
    list = document.createElement("ol");
    list.className = "ms-neighbors";
    parentElement.append(list);
  }
  setTokens(list, data.tokens);
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.rows.map(({ text, cosine, row }) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const word = document.createElement("span");
      const value = document.createElement("span");
      button.type = "button";
      button.title = `${text}: cosine ${cosine.toFixed(3)}. Click to go there.`;
      word.textContent = text;
      value.textContent = cosine.toFixed(2);
      value.className = "ms-cosine";
      button.style.setProperty("--ms-share", `${Math.max(0, Math.min(1, cosine)) * 100}%`);
      button.append(word, value);
      button.onclick = () => setTriggerValue("chosen", { row });
      item.append(button);
      return item;
    }),
  );
}
