// Rows with a name, a figure and a bar; with a key they are buttons. Texts go in as text, never as HTML.

const node = (tag, name, text) =>
  Object.assign(document.createElement(tag), { className: name, textContent: text ?? "" });

export default function ({ data, parentElement, setTriggerValue }) {
  let list = parentElement.querySelector("ul");
  if (!list) {
    list = node("ul", "ms-bars");
    parentElement.append(list);
  }
  for (const [name, value] of Object.entries(data.tokens))
    list.style.setProperty(`--ms-${name}`, value);
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.rows.map(({ name, value, share, detail, mark, key }) => {
      const item = document.createElement("li");
      const row = node(key === undefined ? "div" : "button", "ms-bar");
      const head = node("span", "ms-barhead");
      head.append(node("span", "ms-barname", name), node("span", "ms-cosine", value));
      row.append(head);
      if (share !== undefined) {
        const track = node("span", "ms-track");
        const fill = node("i", "ms-fill");
        fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
        track.append(fill);
        if (mark !== undefined) {
          // where the whole stands, to compare with
          const tick = node("b", "ms-tick");
          tick.style.left = `${Math.max(0, Math.min(1, mark)) * 100}%`;
          track.append(tick);
        }
        row.append(track);
      }
      if (detail) row.append(node("span", "ms-bardetail", detail));
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
