// The stage's two doors: a Streamlit component (the default export), and mountStage for an exported
// page. Texts that people typed reach the page through textContent only.
//
// Both take it as one module, which core/figures/bundle.py joins of the files in this folder.

import { loadPlotly } from "./plotly.js";
import { Stage } from "./stage.js";

const AWAY_MS = 3000;

const stages = new WeakMap(); // element -> Stage
const away = new Map(); // key -> a Stage taken off the page a moment ago, and when it is let go

export function mountStage(parent, data, answers = {}) {
  if (!stages.has(parent)) stages.set(parent, takenBack(parent, data.key) ?? new Stage(parent));
  return stages.get(parent).update(data, answers);
}

// Where a fragment runs just as the run of its page ends, Streamlit (1.67) takes what the fragment
// drew off the page and at once puts it there again. A picture's WebGL contexts can take a second
// to make, so the stage waits for that, with all that somebody did in it.
function leave(parent, key) {
  const stage = stages.get(parent);
  if (!stage) return;
  stages.delete(parent);
  stage.root.remove();
  letGo(key);
  away.set(key, { stage, timer: setTimeout(() => letGo(key), AWAY_MS) });
}

function letGo(key) {
  const { stage, timer } = away.get(key) ?? {};
  clearTimeout(timer);
  away.delete(key);
  stage?.close();
}

function takenBack(parent, key) {
  if (!away.has(key)) return null;
  const { stage, timer } = away.get(key);
  clearTimeout(timer);
  away.delete(key);
  parent.append(stage.root);
  return stage;
}

export default function component({ data, parentElement, setTriggerValue, setStateValue }) {
  if (data.preload) {
    loadPlotly(data.preload).catch(() => {}); // the stage itself will say it
    return;
  }
  mountStage(parentElement, data, {
    choose: (choice) => setTriggerValue("chosen", choice),
    lasso: (rows) => setStateValue("lasso", rows),
    step: (step) => setStateValue("step", step),
    ground: (place) => setTriggerValue("ground", place),
  });
  return () => leave(parentElement, data.key); // Streamlit calls it when the stage is taken off
}
