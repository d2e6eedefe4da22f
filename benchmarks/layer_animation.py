"""The layers page in a browser: when its first frame stands, and how it moves.

    python -m benchmarks.layer_animation [--rounds 5] [--workspace DIR]

40 tokens through 7 layers of MiniLM over 20,000 background states. The server has its model loaded
and its background read; each round types other sentences. Timed are (a) from Ctrl+Enter on the open
page to the frame that shows the new tokens, (b) from opening a new tab at a link to the same.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from benchmarks.common import record, this_command
from benchmarks.processes import PROGRAM, chromium, environment, free_port, server, spread, table
from core.permalink import join_words
from core.pipeline.models import reader
from core.signatures.hidden import hidden_states
from core.teachers.corpus import some_sentences

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOKENS = 40
DRAWN = (
    "names => { const seen = [...document.querySelectorAll('.ms-mover')].map(it => it.textContent);"
)
DRAWN += " return names.every((name, k) => seen[k] === name) && seen.length === names.length; }"
COUNT = """() => {
  window.seen = {ticks: 0, longest: 0, start: performance.now(), over: false};
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    window.seen.ticks += 1;
    window.seen.longest = Math.max(window.seen.longest, now - last);
    window.seen.seconds = (now - window.seen.start) / 1000;
    last = now;
    if (!window.seen.over) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""


def sets_of_sentences(count: int) -> list[tuple[list[str], list[str]]]:
    """``count`` sets of two sentences with 40 tokens in all, and the tokens as written."""
    found: list[tuple[list[str], list[str]]] = []
    texts = iter(it.text for it in some_sentences(4000, seed=9))
    while len(found) < count:
        pair = [next(texts), next(texts)]
        states = hidden_states(pair, reader("minilm"))
        if len(states.tokens) == TOKENS:
            rows = states.tokens.itertuples()
            found.append((pair, [pair[row.text][row.start : row.end] for row in rows]))
    return found


def first_frames(
    page: "Page", address: str, sets: list[tuple[list[str], list[str]]]
) -> dict[str, Any]:
    """Seconds to the first frame on the open page, and in a new tab."""
    typed, opened = [], []
    for sentences, names in sets[1:]:
        box = page.get_by_role("textbox", name="Sentences, one a line")
        box.fill("\n".join(sentences))
        start = time.perf_counter()
        box.press("Control+Enter")
        page.wait_for_function(DRAWN, arg=names)
        typed.append(time.perf_counter() - start)
        tab = page.context.new_page()
        start = time.perf_counter()
        tab.goto(f"{address}/layers?{urlencode({'sentences': join_words(tuple(sentences))})}")
        tab.wait_for_function(DRAWN, arg=names)
        opened.append(time.perf_counter() - start)
        tab.close()
    return {"typed_seconds": spread(typed), "new_tab_seconds": spread(opened)}


def motion(page: "Page") -> dict[str, Any]:
    """Frames a second while the layers play."""
    page.evaluate(COUNT)
    page.click(".ms-play")
    page.wait_for_function("document.querySelector('.ms-stage').dataset.step === '6'")
    seen = page.evaluate("() => { window.seen.over = true; return window.seen; }")
    return {
        "seconds": round(seen["seconds"], 2),
        "frames_per_second": round(seen["ticks"] / seen["seconds"], 1),
        "longest_frame_milliseconds": round(seen["longest"]),
    }


def main() -> None:
    """Measure and write benchmarks/results/layer_animation.json."""
    parser = argparse.ArgumentParser(description="the layers page in a browser")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    sets = sets_of_sentences(options.rounds + 1)
    with tempfile.TemporaryDirectory() as one, chromium() as browser:
        workspace = options.workspace or Path(one) / "workspace"
        port = free_port()
        command = [str(PROGRAM), "app", "--no-browser", "--port", str(port)]
        command += ["--workspace", str(workspace)]
        address = f"http://127.0.0.1:{port}"
        with server(command, Path(one) / "log", environment()) as served:
            served.until_answers(f"{address}/_stcore/health")
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            page.set_default_timeout(300_000)
            first = {"sentences": join_words(tuple(sets[0][0]))}
            page.goto(f"{address}/layers?{urlencode(first)}")
            page.wait_for_function(DRAWN, arg=sets[0][1])  # model and background are there now
            page.get_by_text("radii").wait_for()
            page.wait_for_timeout(20_000)  # the worker ends what it does
            found = first_frames(page, address, sets)
            found["motion"] = motion(page)
    results = {
        "tokens": TOKENS,
        "layers": 7,
        "background_states": 19_999,
        "drawing": "headless Chromium, WebGL in software (SwiftShader)",
        **found,
    }
    record("layer_animation", this_command(), results)
    table(
        ("", "median seconds"),
        [(key, results[key]["median"]) for key in ("typed_seconds", "new_tab_seconds")],
    )


if __name__ == "__main__":
    main()
