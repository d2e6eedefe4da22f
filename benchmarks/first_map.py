"""From a command to the first map of minilm:tokens, against Embedding Atlas on the same vectors.

    python -m benchmarks.first_map [--rounds 3] [--rival build/rival/bin/embedding-atlas]

Ours and the rival run by turns, each from its own command. Three states:

    new machine   nothing computed, and numba has compiled nothing (one pair); ``make app``
                  compiles while it installs, so this is ours as pip leaves it
    cold          nothing computed; both have run on this machine before
    warm          everything computed by the run before

Ours is watched by a headless Chromium that is already running and opens the map's address as soon
as the server answers: first sight is the PCA picture painted, the final map is UMAP painted. The
rival draws with WebGPU, which a headless browser on a processor lacks, so its time ends when its
server has handed out the coordinates: without browser and drawing, a lower bound. The warm runs
have a second figure for ours that ends there too.

The rival needs an environment of its own: ``python -m venv build/rival`` and there
``pip install "embedding-atlas==0.26.*"``; ``make bench`` does that.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from benchmarks.common import record, this_command
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
from core.pipeline import Bench
from core.projection import PcaSpec, UmapSpec

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TEACHER = "minilm:tokens"
RIVAL = Path("build/rival/bin/embedding-atlas")
QUERY = f"teacher={TEACHER}&projector=umap"
LIMIT_SECONDS = 180
MEGABYTES = "megabytes handed out"  # the one entry of a run that is not in seconds
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


def start_ours(workspace: Path, port: int) -> list[str]:
    """The command that a person gives, with the browser left to us."""
    command = [str(PROGRAM), "app", "--no-browser", "--port", str(port)]
    return [*command, "--workspace", str(workspace)]


def ours_in_browser(browser: "Browser", workspace: Path, numba: dict[str, str]) -> Times:
    """Seconds to: the server answering, first sight, the UMAP painted, its data handed out."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    command = start_ours(workspace, port)
    with server(command, workspace / "server.log", environment(**numba)) as served:
        answered = served.until_answers(f"{address}/_stcore/health")
        page.goto(f"{address}/map?{QUERY}", wait_until="commit")
        times = {"server_answers": answered, **painted(page, served)}
        context.close()
        until_complete(workspace)
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


def until_complete(workspace: Path) -> None:
    """Wait for what the worker still computes after the map: regions and faithfulness."""
    bench = Bench(workspace)
    space, umap = bench.space(TEACHER), UmapSpec()
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        both = all(bench.has_faithfulness(space, spec) for spec in (umap, PcaSpec()))
        if both and bench.has_projection(space, umap) and bench.has_regions(space, umap):
            return
        time.sleep(0.2)
    raise RuntimeError(f"found the map of {TEACHER} not complete after {LIMIT_SECONDS} s")


def ours_without_browser(workspace: Path) -> Times:
    """Seconds to the map's data, asked for as the page asks: by websocket, then by address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = start_ours(workspace, port)
    with server(command, workspace / "server.log", environment()) as served:
        answered = served.until_answers(f"http://{address}/_stcore/health")
        blobs = blobs_of_map(f"ws://{address}/_stcore/stream")
        sizes = [len(urlopen(f"http://{address}/{blob}").read()) for blob in blobs]
        return {
            "server_answers": answered,
            "data_handed_out": served.seconds(),
            MEGABYTES: sum(sizes) / 1e6,
        }


def blobs_of_map(address: str) -> list[str]:
    """Ask for the map's page and read on until the stage arrives; where its arrays are."""
    from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: TID251 - the browser's side of it
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    ask = BackMsg()
    ask.rerun_script.query_string = QUERY
    ask.rerun_script.page_name = "map"
    with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
        socket.send(ask.SerializeToString())
        while True:
            message = socket.recv(timeout=LIMIT_SECONDS)
            raw = message.encode() if isinstance(message, str) else message
            found = re.findall(rb"meaning-space/blob/[0-9a-f]{32}", raw)
            if found and b"map umap" in raw:
                return [blob.decode() for blob in dict.fromkeys(found)]


# --------------------------------------------------------------------------------------- rival


def rival_run(program: Path, data: Path, folder: Path, numba: dict[str, str]) -> Times:
    """Seconds to: its server answering, and the coordinates of all points handed out."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/data"
    command = [str(program), str(data), "--vector", "vector", "--text", "text"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-auto-port"]
    alone = environment(XDG_CACHE_HOME=str(folder), HF_HUB_OFFLINE="1", **numba)
    with server(command, folder / "rival.log", alone) as served:
        answered = served.until_answers(f"{address}/metadata.json")
        sql = "SELECT projection_x, projection_y FROM dataset"
        body = json.dumps({"type": "arrow", "sql": sql}).encode()
        request = Request(f"{address}/query", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            size = len(answer.read())
        return {
            "server_answers": answered,
            "data_handed_out": served.seconds(),
            MEGABYTES: size / 1e6,
        }


def write_rivals_data(file: Path) -> tuple[int, int]:
    """The same items as Parquet, a column of texts and one of vectors; rows and dimensions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        space = Bench(Path(folder)).space(TEACHER)
        flat = pa.array(space.vectors.ravel(), pa.float32())
        vectors = pa.FixedSizeListArray.from_arrays(flat, space.dim)
        pq.write_table(pa.table({"text": list(space.texts), "vector": vectors}), file)
        return len(space), space.dim


def rivals_versions(program: Path) -> dict[str, str]:
    """What stands in the rival's environment."""
    wanted = ("embedding-atlas", "umap-learn", "pynndescent", "numba", "numpy", "duckdb", "torch")
    script = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    python = program.parent / "python"
    done = subprocess.run([python, "-c", script, *wanted], capture_output=True, check=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


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
            keep("cold", "ours", ours_in_browser(browser, ours, {}))
            keep("cold", "rival", rival_run(rival, data, theirs, {}))
            keep("warm", "ours", ours_without_browser(ours))
            keep("warm", "rival", rival_run(rival, data, theirs, {}))
            keep("warm", "ours in a browser", ours_in_browser(browser, ours, {}))
    if new_machine:
        for side in ("ours", "rival"):
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as numba:
                bare = {"NUMBA_CACHE_DIR": numba}
                if side == "ours":
                    keep("new machine", side, ours_in_browser(browser, Path(one), bare))
                else:
                    keep("new machine", side, rival_run(rival, data, Path(one), bare))
    return runs


def main() -> None:
    """Measure and write benchmarks/results/first_map.json."""
    parser = argparse.ArgumentParser(description="command to first map, against Embedding Atlas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival", type=Path, default=RIVAL, help="the embedding-atlas program")
    parser.add_argument("--skip-new-machine", action="store_true")
    options = parser.parse_args()
    rival = (ROOT / options.rival).absolute()
    if not rival.exists():
        parser.error(
            f"found no {options.rival}; expected Embedding Atlas: `make bench` installs it"
        )
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        data = Path(folder) / "items.parquet"
        items, dim = write_rivals_data(data)
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
        "rival_versions": rivals_versions(rival),
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
