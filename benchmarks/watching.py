"""Watching a text of 40 tokens being written, against the same without what makes that quick.

    python -m benchmarks.watching [--rounds 3] [--workspace build/watching]

A headless Chromium opens the Trajectories page and watches SmolLM2 write 40 tokens, until they
stand there with their fans. Everything else is there before: the model is in memory, the layer's
space and picture are computed. The browser draws in software, on the cores on which the model
writes. By turns, each with a server of its own:

    as it is            what ``meaning-space app`` starts
    collection          Streamlit collects garbage after every rerun, as it does by default
    spinning threads    torch's threads spin while they wait, as OpenMP's do by default
    contexts anew       every update of a picture gets a button with a function of its own, which
                        makes plotly.js throw the plot away with its WebGL contexts
    none of the three   all of these at once

``seconds`` run from the request of the page to the finished text; ``blocked_seconds`` is how long
in all the browser's main thread was busy for more than 50 ms in one piece (its Long Tasks API), and
``longest_blocked_seconds`` the longest of these: so long a click may wait.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from benchmarks.common import record, this_command
from benchmarks.processes import PROGRAM, ROOT, chromium, environment, free_port, server, spread
from core.pipeline.recipes import make_map
from core.pipeline.trajectories.corpus_picture import layer_of, space_name
from core.projection import PcaSpec

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODEL, STEPS = "smollm2", 40
FIRST = "A first text, so that the model is in memory when the second one"
PROMPT = "The best thing about AI is its ability to"
LIMIT_SECONDS = 240
COLLECTS = {"STREAMLIT_RUNNER_POST_SCRIPT_GC": "true"}
SPINS = {"OMP_WAIT_POLICY": "ACTIVE"}
SETTINGS: dict[str, tuple[dict[str, str], bool]] = {  # environment, and whether contexts are anew
    "as it is": ({}, False),
    "collection": (COLLECTS, False),
    "spinning threads": (SPINS, False),
    "contexts anew": ({}, True),
    "none of the three": (COLLECTS | SPINS, True),
}
Times = dict[str, float]

BLOCKED = """
window.blocked = [];
new PerformanceObserver((list) => blocked.push(...list.getEntries().map((it) => it.duration)))
  .observe({type: "longtask"});
"""
ANEW = """
let plotly;
Object.defineProperty(window, "Plotly", {
  get: () => plotly,
  set: (library) => {
    const react = library.react;
    library.react = (plot, { config, ...rest }) => {
      const buttons = config.modeBarButtonsToAdd?.map((it) => ({ ...it, click: () => it.click() }));
      return react(plot, { ...rest, config: { ...config, modeBarButtonsToAdd: buttons } });
    };
    plotly = library;
  },
});
"""


def watched(browser: "Browser", workspace: Path, more: dict[str, str], anew: bool) -> Times:
    """What one watched text took, on a server of its own."""
    port = free_port()
    command = [str(PROGRAM), "app", "--no-browser", "--port", str(port)]
    command += ["--workspace", str(workspace)]
    with server(command, workspace / "server.log", environment(**more)) as served:
        served.until_answers(f"http://127.0.0.1:{port}/_stcore/health")
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.add_init_script(BLOCKED + (ANEW if anew else ""))
        written(page, port, FIRST, 2)
        times = written(page, port, PROMPT, STEPS)
        context.close()
    return times


def written(page: "Page", port: int, prompt: str, steps: int) -> Times:
    """Seconds from the request to the finished text with its fans."""
    start = time.perf_counter()
    query = urlencode({"model": MODEL, "prompt": prompt, "steps": steps})
    page.goto(f"http://127.0.0.1:{port}/trajectories?{query}", wait_until="commit")
    page.wait_for_selector(
        ".ms-stage[data-ready='trajectory whole']", timeout=1000 * LIMIT_SECONDS, state="attached"
    )
    seconds = time.perf_counter() - start
    blocked = [duration / 1000 for duration in page.evaluate("() => window.blocked")]
    return {
        "seconds": seconds,
        "blocked_seconds": sum(blocked),
        "longest_blocked_seconds": max(blocked, default=0.0),
    }


def main() -> None:
    """Measure and write benchmarks/results/watching.json."""
    parser = argparse.ArgumentParser(description="watching a text being written")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workspace", type=Path, default=ROOT / "build" / "watching")
    options = parser.parse_args()
    workspace: Path = options.workspace
    workspace.mkdir(parents=True, exist_ok=True)
    space = space_name(MODEL, layer_of(MODEL, None))
    make_map(workspace, {"reference": space, "spec": PcaSpec().to_dict()})
    runs: dict[str, list[Times]] = {}
    with chromium() as browser:
        for _ in range(options.rounds):
            for name, (more, anew) in SETTINGS.items():
                times = watched(browser, workspace, more, anew)
                shown = ", ".join(f"{key} {value:.2f}" for key, value in times.items())
                print(f"{name}: {shown}", flush=True)
                runs.setdefault(name, []).append(times)
    figures = {
        name: {key: spread([times[key] for times in each]) for key in each[0]}
        for name, each in runs.items()
    }
    result = {"model": MODEL, "space": space, "tokens": STEPS, "settings": figures}
    record("watching", this_command(), result)


if __name__ == "__main__":
    main()
