// Lines over a sentence, from the chosen token to the others, as wide as their share. Texts go in as text.

import { setTokens, textElement } from "./shared/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const percent = (share) => (share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`);

function draw(frame) {
  const { words, chosen } = frame.msData;
  const row = frame.querySelector(".ms-rollwords");
  const svg = frame.querySelector("svg");
  const left = row.getBoundingClientRect().left;
  const middles = [...row.children].map((word) => {
    const box = word.getBoundingClientRect();
    const text = word.firstChild.getBoundingClientRect();
    return box.width ? (text.left + text.right) / 2 - left : 0;
  });
  const others = words.filter(({ special }, at) => at !== chosen && !special); // marks would drown the words
  const most = Math.max(...others.map(({ share }) => share), 1e-6);
  const furthest = Math.max(...middles.map((at) => Math.abs(at - middles[chosen])), 1);
  const height = Math.min(110, 30 + furthest / 6);
  svg.setAttribute("width", row.offsetWidth);
  svg.setAttribute("height", height);
  svg.style.marginLeft = `${row.offsetLeft}px`;
  svg.replaceChildren(
    ...words.flatMap(({ share, special }, at) => {
      if (at === chosen || share < 1e-4) return [];
      const [from, to] = [middles[chosen], middles[at]];
      const rise = height - 6 - (height - 14) * (0.25 + (0.75 * Math.abs(to - from)) / furthest);
      const line = document.createElementNS(SVG, "path");
      line.setAttribute(
        "d",
        `M${from},${height - 2} C${from},${rise} ${to},${rise} ${to},${height - 2}`,
      );
      const strength = Math.min(1, share / most);
      line.setAttribute("class", special ? "ms-special" : "");
      line.setAttribute("stroke-width", (0.5 + 7 * strength).toFixed(2));
      line.setAttribute("stroke-opacity", (0.12 + 0.63 * strength ** 2).toFixed(2));
      return [line];
    }),
  );
}

export default function ({ data, parentElement }) {
  let frame = parentElement.querySelector(".ms-rollout");
  if (!frame) {
    frame = textElement("div", "ms-rollout");
    const scroller = textElement("div", "ms-rolled");
    scroller.tabIndex = 0; // so that it scrolls by keyboard
    scroller.setAttribute("role", "img");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("aria-hidden", "true");
    scroller.append(svg, textElement("div", "ms-rollwords"));
    const details = document.createElement("details");
    details.append(
      textElement("summary", "", "All shares as a list"),
      document.createElement("ol"),
    );
    frame.append(scroller, details);
    parentElement.append(frame);
    new ResizeObserver(() => draw(frame)).observe(scroller);
  }
  frame.msData = data;
  setTokens(frame, data.tokens);
  frame.querySelector(".ms-rolled").setAttribute("aria-label", data.label);
  const most = Math.max(
    ...data.words.map(({ share, special }, at) => (at === data.chosen || special ? 0 : share)),
  );
  frame.querySelector(".ms-rollwords").replaceChildren(
    ...data.words.map(({ name, share, special, joined }, at) => {
      const marks = [
        at === data.chosen && "ms-chosen",
        special && "ms-special",
        joined && "ms-joined",
        at !== data.chosen && !special && share === most && "ms-strong",
      ];
      const word = textElement("span", ["ms-rollword", ...marks.filter(Boolean)].join(" "));
      word.append(textElement("b", "", name), textElement("small", "", percent(share)));
      word.title = `${name}: ${(100 * share).toFixed(1)}%`;
      return word;
    }),
  );
  const order = data.words.map((word) => word).sort((a, b) => b.share - a.share);
  frame
    .querySelector("ol")
    .replaceChildren(
      ...order.map(({ name, share }) =>
        textElement("li", "", `${name} ${(100 * share).toFixed(1)}%`),
      ),
    );
  draw(frame);
}
