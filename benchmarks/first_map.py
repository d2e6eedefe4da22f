"""From a command to the first map of minilm:tokens, against Embedding Atlas on the same vectors.

    python -m benchmarks.first_map [--rounds 3] [--rival build/rival/bin/embedding-atlas]

Ours and the rival run by turns, each from its own command. Three states:

    new machine   nothing computed, and numba has compiled nothing (one pair); ``make app``
                  compiles while it installs, so this is ours as pip leaves it
    cold          nothing computed; both have run on this machine before
    warm          everything computed by the run before

Ours is watched by a headless Chromium that is already running and opens the map's address as soon
as the server answers: first sight is the PCA picture painted, the final map is UMAP painted. It
draws in software, on the same cores that compute. The rival draws with WebGPU, which a headless
browser without a graphics card lacks, so its time ends when its server has handed out the
coordinates. To compare like with like, ours runs without a browser too: a websocket asks for the
page as a browser would, and the time ends when the arrays of the map have been handed out.

The rival needs an environment of its own: ``python -m venv build/rival`` and there
``pip install "embedding-atlas==0.26.*"``; ``make bench`` does that.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks import embedding_atlas
from benchmarks.common import record, this_command
from benchmarks.embedding_atlas import MEGABYTES
from benchmarks.processes import (
    PROGRAM,
    ROOT,
    Served,
    chromium,
    environment,
    free_port,
    server,
    spread,
    table,
)
from core.pipeline import Workspace
from core.projection import PcaSpec, UmapSpec
from core.spaces.space import Space

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TEACHER = "minilm:tokens"
QUERY = f"teacher={TEACHER}&projector=umap"
LIMIT_SECONDS = 180
OURS, NO_BROWSER, RIVAL = "ours, browser", "ours, no browser", "rival"
Times = dict[str, float]

# Notes when the stage says that it is painted, on the clock that performance.timeOrigin starts.
WATCH = """
window.painted = {};
new MutationObserver(() => {
  const name = document.querySelector(".ms-stage[data-ready]")?.dataset.ready;
  if (name && !(name in window.painted))
    window.painted[name] = performance.timeOrigin + performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true,
                      attributeFilter: ["data-ready"]});
"""
PAINTED = "() => window.painted"
BLOBS = """() => performance.getEntriesByType("resource")
  .filter((entry) => entry.name.includes("/meaning-space/blob/"))
  .map((entry) => performance.timeOrigin + entry.responseEnd)"""


# ---------------------------------------------------------------------------------------- ours


def start_ours(folder: Path, port: int) -> list[str]:
    """The command that a person gives, with the browser left to us."""
    command = [str(PROGRAM), "app", "--no-browser", "--port", str(port)]
    return [*command, "--workspace", str(folder)]


def ours_in_browser(browser: "Browser", folder: Path, numba: dict[str, str]) -> Times:
    """Seconds to: the server answering, first sight, the UMAP painted, its data handed out."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    command = start_ours(folder, port)
    with server(command, folder / "server.log", environment(**numba)) as served:
        answered = served.until_answers(f"{address}/_stcore/health")
        page.goto(f"{address}/map?{QUERY}", wait_until="commit")
        times = {"server_answers": answered, **painted(page, served)}
        context.close()
        until(folder, complete)
    return times


def painted(page: "Page", served: Served) -> Times:
    """When the first picture stood, when the UMAP stood, and when all its data had come."""
    page.wait_for_selector(".ms-stage[data-ready]", timeout=1000 * LIMIT_SECONDS)
    seen = '.ms-stage[data-ready="map umap"]'
    page.wait_for_selector(seen, timeout=1000 * LIMIT_SECONDS, state="attached")
    moments: dict[str, float] = page.evaluate(PAINTED)
    data = [moment for moment in page.evaluate(BLOBS) if moment <= moments["map umap"]]
    return {
        "first_sight": served.seconds_at(min(moments.values())),
        "data_handed_out": served.seconds_at(max(data)),
        "umap_painted": served.seconds_at(moments["map umap"]),
    }


def ours_without_browser(folder: Path, numba: dict[str, str]) -> Times:
    """Seconds to the map's data, asked for as the page asks: by websocket, then by address.

    Where the UMAP is not there yet, the PCA picture's data come first; the page is asked for
    again when the UMAP has been computed.
    """
    port = free_port()
    address = f"127.0.0.1:{port}"
    with server(start_ours(folder, port), folder / "server.log", environment(**numba)) as served:
        times = {"server_answers": served.until_answers(f"http://{address}/_stcore/health")}
        with connect(
            f"ws://{address}/_stcore/stream", subprotocols=[Subprotocol("streamlit")], max_size=None
        ) as page:
            scene, blobs = next_map(page, ("map pca", "map umap"))
            size = fetched(address, blobs)
            if scene == "map pca":
                times["first_data_handed_out"] = served.seconds()
                until(folder, drawn)
                _, blobs = next_map(page, ("map umap",))
                size = fetched(address, blobs)
            times["data_handed_out"] = served.seconds()
            times[MEGABYTES] = size
            until(folder, complete)
    return times


def next_map(page: ClientConnection, scenes: Sequence[str]) -> tuple[str, list[str]]:
    """Ask for the map's page and read until one of the scenes comes; it, and its arrays."""
    from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: TID251 - the browser's side of it

    ask = BackMsg()
    ask.rerun_script.query_string = QUERY
    ask.rerun_script.page_name = "map"
    page.send(ask.SerializeToString())
    while True:
        message = page.recv(timeout=LIMIT_SECONDS)
        raw = message.encode() if isinstance(message, str) else message
        blobs = re.findall(rb"meaning-space/blob/[0-9a-f]{32}", raw)
        scene = next((scene for scene in scenes if scene.encode() in raw), None)
        if blobs and scene is not None:
            return scene, [blob.decode() for blob in dict.fromkeys(blobs)]


def fetched(address: str, blobs: Sequence[str]) -> float:
    """Megabytes of these arrays, once all have come."""
    return sum(len(urlopen(f"http://{address}/{blob}").read()) for blob in blobs) / 1e6


def until(folder: Path, there: Callable[[Workspace, Space], bool]) -> None:
    """Wait until the worker has computed what is asked for."""
    workspace = Workspace(folder)
    space = workspace.space(TEACHER)
    deadline = time.monotonic() + LIMIT_SECONDS
    while not there(workspace, space):
        if time.monotonic() > deadline:
            raise RuntimeError(f"found the map of {TEACHER} not there after {LIMIT_SECONDS} s")
        time.sleep(0.05)


def drawn(workspace: Workspace, space: Space) -> bool:
    """Whether the UMAP is there."""
    return workspace.has_projection(space, UmapSpec())


def complete(workspace: Workspace, space: Space) -> bool:
    """Whether its regions and everything about its faithfulness are there too."""
    known = all(workspace.has_faithfulness(space, spec) for spec in (UmapSpec(), PcaSpec()))
    return known and drawn(workspace, space) and workspace.has_regions(space, UmapSpec())


# ------------------------------------------------------------------------------------- by turns


def by_turns(
    browser: "Browser", rival: Path, data: Path, rounds: int, new_machine: bool
) -> dict[str, dict[str, list[Times]]]:
    """Every run's times, by state and side."""
    runs: dict[str, dict[str, list[Times]]] = {}

    def keep(state: str, side: str, times: Times) -> None:
        shown = ", ".join(f"{name} {value:.2f}" for name, value in times.items())
        print(f"{state}, {side}: {shown}", flush=True)
        runs.setdefault(state, {}).setdefault(side, []).append(times)

    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            ours, theirs = Path(one), Path(other)
            keep("cold", OURS, ours_in_browser(browser, ours, {}))
            keep("cold", RIVAL, embedding_atlas.run(rival, data, theirs, {}))
            keep("warm", NO_BROWSER, ours_without_browser(ours, {}))
            keep("warm", RIVAL, embedding_atlas.run(rival, data, theirs, {}))
            keep("warm", OURS, ours_in_browser(browser, ours, {}))
        with tempfile.TemporaryDirectory() as one:
            keep("cold", NO_BROWSER, ours_without_browser(Path(one), {}))
    for side in (NO_BROWSER, RIVAL) if new_machine else ():
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as numba:
            folder, bare = Path(one), {"NUMBA_CACHE_DIR": numba}
            if side == RIVAL:
                keep("new machine", side, embedding_atlas.run(rival, data, folder, bare))
            else:
                keep("new machine", side, ours_without_browser(folder, bare))
    return runs


def main() -> None:
    """Measure and write benchmarks/results/first_map.json."""
    parser = argparse.ArgumentParser(description="command to first map, against Embedding Atlas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--rival", type=Path, default=embedding_atlas.PROGRAM, help="the embedding-atlas program"
    )
    parser.add_argument("--skip-new-machine", action="store_true")
    options = parser.parse_args()
    rival = (ROOT / options.rival).absolute()
    if not rival.exists():
        parser.error(
            f"found no {options.rival}; expected Embedding Atlas: `make bench` installs it"
        )
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        data = Path(folder) / "items.parquet"
        items, dim = embedding_atlas.write_data(data, TEACHER)
        runs = by_turns(browser, rival, data, options.rounds, not options.skip_new_machine)
    sizes = {
        side: each[0][MEGABYTES] for side, each in runs["warm"].items() if MEGABYTES in each[0]
    }
    seconds = {
        state: {
            side: {
                name: spread([one[name] for one in each]) for name in each[0] if name != MEGABYTES
            }
            for side, each in sides.items()
        }
        for state, sides in runs.items()
    }
    results = {
        "items": items,
        "dimensions": dim,
        "rounds": options.rounds,
        "rival": "Embedding Atlas, until its server has handed out the coordinates",
        "rival_versions": embedding_atlas.versions(rival),
        "megabytes_handed_out": sizes,
        "seconds": seconds,
    }
    record("first_map", this_command(), results)
    rows = [
        (state, side, name.replace("_", " "), values["median"], values["all"])
        for state, sides in seconds.items()
        for side, each in sides.items()
        for name, values in each.items()
    ]
    table(("state", "side", "until", "median", "all"), rows)


if __name__ == "__main__":
    main()
