"""Playing a path over 100,000 points, against the same figure with everything in every frame.

    python -m benchmarks.animation [--points 100000] [--steps 48] [--rounds 2]

Both pages are files that play offline in a headless Chromium drawing in software. Ours is the
exported page with the path figure as built: its frames hold the moving traces alone, as SVG over
a WebGL background. The rival is the same figure as ``Figure.write_html`` writes it, its frames
holding every trace, background included, played with Plotly's defaults (``redraw``); it is given
our pace, 9 s for the path. Counted while playing: frames that the browser drew
(requestAnimationFrame), the longest time between two, places at which the marker was seen, and
the seconds from the start to the last step. The rival plays at most ``--rival-seconds``; the
steps it came to are written down.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from benchmarks.common import Stopwatch, record, this_command
from benchmarks.processes import ROOT, chromium, table
from core.figures.export import standalone
from core.figures.paths.path import FigurePath, path_on_map
from core.figures.scene import Picture, Player, Scene
from core.figures.tokens import LIGHT
from core.types import Coords, QueryCoords

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECONDS = 9.0  # for the whole path: the player's own pace
SLACK = 20  # times its pace that ours may take before the run counts as stuck

# Counts what the browser draws from now on; `marker` is where the moving dot stands on the screen.
COUNT = """() => {
  const plot = document.querySelector(".js-plotly-plot");
  const dots = () => [...plot.querySelectorAll(".scatterlayer .trace")].at(-1);
  const seen = window.seen = {ticks: 0, longest: 0, places: 0, steps: 0, over: false};
  let last = performance.now(), place = "", end = last;
  const start = last;
  plot.on("plotly_animatingframe", () => { seen.steps += 1; });
  const tick = () => {
    if (seen.over) return;
    const now = performance.now();
    seen.ticks += 1;
    seen.longest = Math.max(seen.longest, now - last);
    const box = dots()?.querySelector(".point")?.getBoundingClientRect();
    const at = box ? `${box.x.toFixed(2)} ${box.y.toFixed(2)}` : "";
    if (at !== place) { seen.places += 1; place = at; }
    last = now;
    seen.seconds = (now - start) / 1000;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""
STOP = "() => { window.seen.over = true; return window.seen; }"
PLAY_RIVAL = """([milliseconds]) => {
  const plot = document.querySelector(".js-plotly-plot");
  window.Plotly.animate(plot, null, {
    frame: {duration: milliseconds, redraw: true}, transition: {duration: milliseconds},
  }).then(() => { window.finished = true; });
}"""


def scene_of(points: int, steps: int) -> tuple[Scene, go.Figure]:
    """A map of random islands with one path over it, as a scene and as its figure."""
    generator = np.random.default_rng(0)
    centres = generator.normal(scale=6, size=(60, 2))
    coords = centres[generator.integers(60, size=points)] + generator.normal(size=(points, 2))
    way = FigurePath("slerp", _curve(steps), _curve(steps), np.zeros(steps, bool), [0, steps - 1])
    figure = path_on_map(_float32(coords), [way], LIGHT, "animation", zoom=False)
    picture = Picture(figure, "On the map", "projected", "A path over a map", height=560)
    player = Player([step / (steps - 1) for step in range(steps)], [], [""] * steps, SECONDS)
    return Scene("animation", [picture], player=player, tokens=LIGHT.css()), figure


def _curve(steps: int) -> QueryCoords:
    t = np.linspace(0, 1, steps)
    return _float32(np.stack([16 * t - 8, 5 * np.sin(4 * t)], axis=1))


def _float32(values: Any) -> Coords:
    return np.asarray(values, dtype=np.float32)


def whole_frames(figure: go.Figure) -> go.Figure:
    """The same figure with every trace in every frame, as a plain Plotly animation has it."""
    frames = []
    for frame in figure.frames:
        moved = dict(zip(frame.traces, frame.data, strict=True))
        data = []
        for index, trace in enumerate(figure.data):
            whole = type(trace)(trace)
            if index in moved:
                whole.update(x=moved[index].x, y=moved[index].y)
            data.append(whole)
        frames.append(go.Frame(name=frame.name, data=data))
    return go.Figure(figure.data, figure.layout, frames)


def write_pages(folder: Path, points: int, steps: int) -> dict[str, dict[str, Any]]:
    """Both pages in ``folder``; their weights in MB and the seconds that writing took."""
    from core.resources import plotly_path

    scene, figure = scene_of(points, steps)
    script = plotly_path().read_text(encoding="utf-8")
    with Stopwatch() as ours:
        text = standalone(scene, "A path", "", ROOT / "assets", script)
        (folder / "ours.html").write_text(text, encoding="utf-8")
    with Stopwatch() as theirs:
        rival = whole_frames(figure)
        rival.update_layout(height=560)
        rival.write_html(folder / "rival.html", include_plotlyjs=script, auto_play=False)
    weights = {}
    for side, drawn, watch in (("ours", figure, ours), ("rival", rival, theirs)):
        frames = json.loads(drawn.to_json())["frames"]
        weights[side] = {
            "page_megabytes": round((folder / f"{side}.html").stat().st_size / 1e6, 2),
            "frames_megabytes": round(len(json.dumps(frames).encode()) / 1e6, 3),
            "seconds_to_write": round(watch.seconds, 2),
        }
    return weights


def play(browser: "Browser", page_file: Path, side: str, steps: int, limit: float) -> Any:
    """Open one page, play its path once, and count."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    with Stopwatch() as opening:
        page.goto(page_file.as_uri())
        page.wait_for_selector(
            ".ms-stage[data-ready]" if side == "ours" else ".js-plotly-plot .scatterlayer .trace"
        )
    page.wait_for_timeout(1500)  # what the drawing left behind
    page.evaluate(COUNT)
    if side == "ours":
        page.click(".ms-play")
        over = f'document.querySelector(".ms-stage").dataset.step === "{steps - 1}"'
        limit = SLACK * SECONDS
    else:
        page.evaluate(PLAY_RIVAL, [1000 * SECONDS / steps])
        over = f"window.finished || window.seen.seconds > {limit}"
    page.wait_for_function(over, timeout=1000 * (limit + 120), polling=100)
    seen = page.evaluate(STOP)
    page.close()
    return {
        "seconds_to_open": round(opening.seconds, 2),
        "frames_per_second": round(seen["ticks"] / seen["seconds"], 1),
        "marker_places_per_second": round(seen["places"] / seen["seconds"], 1),
        "longest_frame_milliseconds": round(seen["longest"]),
        "steps": seen["steps"],
        "seconds": round(seen["seconds"], 2),
    }


def main() -> None:
    """Measure and write benchmarks/results/animation.json."""
    parser = argparse.ArgumentParser(description="a path in motion over many points")
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rival-seconds", type=float, default=45)
    options = parser.parse_args()
    runs: dict[str, list[Any]] = {"ours": [], "rival": []}
    with tempfile.TemporaryDirectory() as one, chromium() as browser:
        folder = Path(one)
        weights = write_pages(folder, options.points, options.steps)
        for _ in range(options.rounds):
            for side, each in runs.items():
                page = folder / f"{side}.html"
                each.append(play(browser, page, side, options.steps, options.rival_seconds))
                print(side, each[-1], flush=True)
    sides = {
        side: {**weights[side], **{key: median(run[key] for run in each) for key in each[0]}}
        for side, each in runs.items()
    }
    results = {
        "points": options.points,
        "steps": options.steps,
        "seconds_planned": SECONDS,
        "drawing": "headless Chromium, WebGL in software (SwiftShader)",
        "median": sides,
        "runs": runs,
    }
    record("animation", this_command(), results)
    table(
        ("", "ours", "rival"),
        [(key, sides["ours"][key], sides["rival"][key]) for key in sides["ours"]],
    )


if __name__ == "__main__":
    main()
