"""Placing held-out points: how many true neighbours are near, how smoothly, how soon.

A tenth of the MiniLM token table is left out; umap-learn with its defaults fits the rest, and its
``transform`` and our rule place the tenth on that same map. Overlap@15: the 15 nearest fitted
items in the space against the 15 nearest on the map. The largest step of a path of 48 steps, as a
share of the map's width, says how smoothly; a fresh process placing 64 points says how soon.

    python benchmarks/placement.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common import Stopwatch, record, this_command  # noqa: E402
from benchmarks.projection import token_table  # noqa: E402
from core.projection import UmapSpec, fit, placement  # noqa: E402
from core.spaces.neighbors import knn_graph, nearest  # noqa: E402
from core.spaces.space import Provenance, Space  # noqa: E402
from core.types import Coords, GraphIndices, Queries, QueryCoords  # noqa: E402

PATHS, STEPS = 100, 48
VARIANTS: dict[str, dict[str, Any]] = {  # constants of core.projection.placement
    "5 steps toward the median of 8 (as built)": {},
    "5 steps toward the median of 15": {"NEIGHBORS": 15},
    "2 steps toward the median of 8": {"WEISZFELD_STEPS": 2},
    "median of 8": {"WEISZFELD_STEPS": 30},
    "median of 15": {"WEISZFELD_STEPS": 30, "NEIGHBORS": 15},
    "weighted mean of 8": {"WEISZFELD_STEPS": 0},
    "weighted mean of 3": {"WEISZFELD_STEPS": 0, "NEIGHBORS": 3},
    "nearest item (jumps)": {"NEIGHBORS": 1},
}

FRESH = """
import sys
import numpy as np
from core.projection.placement import place
from core.spaces.space import Provenance, Space
table, coords, points = (np.load(path) for path in sys.argv[1:])
space = Space.create([str(row) for row in range(len(table))], table, Provenance("table", "table"))
space.unit
from time import perf_counter
start = perf_counter()
place(space, coords, points)
print(perf_counter() - start)
"""


def overlap(coords: Coords, places: QueryCoords, true: GraphIndices) -> float:
    """Share of the true neighbours (m, 15) among the 15 fitted points nearest to each place."""
    from scipy.spatial import cKDTree

    _, near = cKDTree(coords).query(places, true.shape[1])
    return float((near[:, :, None] == true[:, None, :]).any(axis=2).mean())


def paths(space: Space) -> Queries:
    """Points (PATHS * STEPS, d) along great circles between random items."""
    ends = np.random.default_rng(1).choice(len(space), (PATHS, 2), replace=False)
    a, b = (space.unit[ends[:, side]].astype(np.float64) for side in (0, 1))
    angle = np.arccos((a * b).sum(axis=1))[:, None, None]
    t = np.linspace(0, 1, STEPS)[None, :, None]
    points = np.sin((1 - t) * angle) * a[:, None] + np.sin(t * angle) * b[:, None]
    return np.asarray((points / np.sin(angle)).reshape(-1, space.dim), dtype=np.float32)


def largest_step(coords: Coords, places: QueryCoords) -> float:
    """Median over the paths of the largest step, as a share of the map's width."""
    steps = np.diff(places.reshape(PATHS, STEPS, -1), axis=1)
    return float(
        np.median(np.linalg.norm(steps, axis=2).max(axis=1)) / np.ptp(coords, axis=0).max()
    )


def table_of_variants(
    space: Space, coords: Coords, held_out: Queries, true: GraphIndices
) -> dict[str, Any]:
    """Overlap and largest step of every variant."""
    rows = {}
    for name, constants in VARIANTS.items():
        with patch.dict(vars(placement), constants):
            places, _ = placement.place(space, coords, held_out)
            along, _ = placement.place(space, coords, paths(space))
        rows[name] = {
            "overlap_15": overlap(coords, places, true),
            "largest_of_48_steps": largest_step(coords, along),
        }
    return rows


def fresh_process(space: Space, coords: Coords, points: Queries) -> list[float]:
    """Milliseconds for ``points`` in five new processes, imports and unit vectors done."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{name}.npy") for name in ("table", "coords", "points")]
        for file, array in zip(files, (space.vectors, coords, points), strict=True):
            np.save(file, array)
        for _ in range(5):
            done = subprocess.run(
                [sys.executable, "-c", FRESH, *files],
                check=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )
            times.append(1e3 * float(done.stdout))
    return times


def main() -> None:
    from umap import UMAP

    table = token_table()
    order = np.random.default_rng(0).permutation(len(table))
    out, kept = np.sort(order[: len(table) // 10]), np.sort(order[len(table) // 10 :])
    texts = [str(row) for row in kept]
    space = Space.create(texts, table[kept], Provenance("minilm:tokens", "90% of the rows"))
    held_out = table[out]
    true, _ = nearest(space.unit, held_out, 15)
    rival = UMAP(metric="cosine").fit(space.vectors)
    with Stopwatch() as first:
        rival.transform(held_out[:64])
    with Stopwatch() as second:
        rival.transform(held_out[64:128])
    theirs = np.ascontiguousarray(rival.embedding_, dtype=np.float32)
    moved = rival.transform(held_out).astype(np.float32)
    graph = knn_graph(space.unit)
    ours = fit(space, graph, UmapSpec()).coords
    results = {
        "fitted": len(space),
        "held_out": len(held_out),
        "on umap-learn's map": {
            "umap-learn transform": {"overlap_15": overlap(theirs, moved, true)},
            **table_of_variants(space, theirs, held_out, true),
        },
        "on our map": table_of_variants(space, ours, held_out, true),
        "64 points": {
            "place_milliseconds_fresh_process": fresh_process(space, ours, held_out[:64]),
            "transform_milliseconds_first": 1e3 * first.seconds,
            "transform_milliseconds_later": 1e3 * second.seconds,
        },
    }
    record("placement", this_command(), results)


if __name__ == "__main__":
    main()
