// Plotly's own script: there already in an exported page, fetched once elsewhere.

import { element } from "../shared/dom.js";

let loading = null;

export function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((done, failed) => {
    const script = element("script", { src: url });
    script.onload = () => done(window.Plotly);
    script.onerror = () => {
      loading = null;
      failed(new Error("plotly.js did not load. Reload the page."));
    };
    document.head.append(script);
  });
  return loading;
}
