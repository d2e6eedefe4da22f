"""The second start: a space from the store, memory-mapped, against making it anew.

    python -m benchmarks.spaces [--repeats 5]

Every load is a process of its own. Timed inside it, imports done: from asking for the space to
holding it, and to the first answer drawn from it (ten neighbours of one item, which reads the
whole table). The rival is the same question to an empty store: the model's table is read, or the
texts go through the model.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import record, this_command
from benchmarks.processes import ROOT, environment, spread, table

SPACES = {"minilm:tokens": "ocean", "glove": "ocean", "minilm:words": "ocean"}
ENCODED = ("minilm:words",)  # made by a model: minutes, so made once

LOAD = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
from core.pipeline import Workspace, neighbors
folder, reference, text = sys.argv[1:]
bench = Workspace(Path(folder))
start = perf_counter()
space = bench.space(reference)
held = perf_counter()
print(json.dumps({
    "seconds": held - start,
    "items": len(space),
    "mapped": not space.vectors.flags.owndata and not space.vectors.flags.writeable,
    "megabytes": space.vectors.nbytes / 1e6,
    "first_answer_seconds": (neighbors(bench, reference, text, 10), perf_counter() - start)[1],
}))
"""


def load(folder: Path, reference: str) -> dict[str, Any]:
    """What one fresh process says of the space in this store."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD, str(folder), reference, SPACES[reference]],
        check=True,
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(reference: str, repeats: int) -> dict[str, Any]:
    """Loads from a filled store and, by turns, makings in an empty one."""
    made, loaded = [], []
    with tempfile.TemporaryDirectory() as filled:
        made.append(load(Path(filled), reference))
        for _ in range(repeats):
            loaded.append(load(Path(filled), reference))
            if reference not in ENCODED:
                with tempfile.TemporaryDirectory() as empty:
                    made.append(load(Path(empty), reference))
    from_store = spread([one["seconds"] for one in loaded])
    anew = spread([one["seconds"] for one in made])
    return {
        "items": loaded[0]["items"],
        "vectors_megabytes": round(loaded[0]["megabytes"], 1),
        "mapped": all(one["mapped"] for one in loaded),
        "from_store_seconds": from_store,
        "anew_seconds": anew,
        "first_answer_from_store_seconds": spread([one["first_answer_seconds"] for one in loaded]),
        "first_answer_anew_seconds": spread([one["first_answer_seconds"] for one in made]),
        "times_as_fast": round(anew["median"] / from_store["median"], 1),
    }


def main() -> None:
    """Measure and write benchmarks/results/spaces.json."""
    parser = argparse.ArgumentParser(description="a space from the store against making it anew")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for reference in SPACES:
        results[reference] = compare(reference, options.repeats)
    record("spaces", this_command(), results)
    rows = [
        (
            reference,
            found["items"],
            found["from_store_seconds"]["median"],
            found["anew_seconds"]["median"],
            found["times_as_fast"],
        )
        for reference, found in results.items()
    ]
    table(("space", "items", "from the store, s", "anew, s", "times as fast"), rows)


if __name__ == "__main__":
    main()
