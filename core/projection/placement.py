"""Where a new vector belongs on a map that is already drawn.

A point goes toward the weighted geometric median of its neighbours' places: the spot with the
least weighted distance to all of them. Their mean would put a point whose neighbours lie in two
regions into the empty middle; the median keeps to the majority, but crosses over in a leap when
the majority changes. Five steps from the mean toward the median keep most of what the median
gains in true neighbours, with half its leap. The weights are Franke and Little's, ((R - d)
/ (R d)), with R the distance to the first neighbour left out: they fall to zero there, so that
neighbours come and go without a jump, and grow without bound at d = 0, so that an item's own
vector is put exactly on the item. Nothing is random and nothing is compiled.

Sources: Franke & Little 1980 (weights); Weiszfeld 1937 (median). benchmarks/placement.py measures
it against umap-learn's ``transform`` and against the weighted mean.
"""

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors
from core.spaces.linalg import unit_rows
from core.spaces.neighbors import nearest
from core.spaces.space import Space
from core.types import Coords, Queries, QueryCoords, QueryIndices, QueryScores

NEIGHBORS = 8
SPARE = 9  # candidates beyond those, as float32 may misjudge the order that float64 then settles
CANDIDATES = NEIGHBORS + 1 + SPARE
SAME = 1e-6  # distance of unit vectors below which they are one; float32 tells no finer
WEISZFELD_STEPS = 5  # 0 is the mean, 30 the median: benchmarks/placement.py has the table
SOFTENING = 4e-5  # of the map's width: a step from right on a neighbour's place stays finite
FARTHEST = 2.0  # between unit vectors

Floats = npt.NDArray[np.float64]


def place(
    space: Space, coords: Coords, vectors: Queries, candidates: QueryIndices | None = None
) -> tuple[QueryCoords, QueryScores]:
    """Places (m, p) of ``vectors`` (m, d) on the map ``coords`` (n, p), and how sure they are.

    The second answer, (m,) in the map's units, is the weighted mean distance from a place to its
    neighbours' places: 0 on an item, large where the neighbours are scattered over the map.
    A place depends on its own vector's direction alone, not on the batch. Among items with equal
    vectors the first lends its place. ``candidates`` (m, CANDIDATES or more) are the items nearest
    to each by cosine, where they are known already. Raises InvalidVectors for vectors that are not
    finite or not of this space, or a map of another space.
    """
    _require_match(space, coords, vectors)
    if not len(vectors):
        return np.empty((0, coords.shape[1]), np.float32), np.empty(0, np.float32)
    if candidates is None:
        candidates, _ = nearest(space.unit, vectors, CANDIDATES)
    rows, distances, reach = _neighbors(space, vectors, candidates[:, :CANDIDATES])
    places = coords[rows].astype(np.float64)  # (m, k, p)
    near = np.maximum(distances, SAME)
    weights = np.maximum(reach - distances, 0) / (reach * near)  # (m, k)
    weights[weights.sum(axis=1) == 0] = 1  # all equally far: none is preferred
    weights /= weights.sum(axis=1, keepdims=True)
    width = float(np.ptp(coords, axis=0).max()) or 1.0
    found = _toward_median(places, weights, SOFTENING * width)
    spread = (weights * np.linalg.norm(places - found[:, None], axis=2)).sum(axis=1)
    known = distances[:, 0] < SAME
    found[known], spread[known] = places[known, 0], 0
    return found.astype(np.float32), spread.astype(np.float32)


def _neighbors(
    space: Space, vectors: Queries, candidates: QueryIndices
) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Rows (m, k) and distances (m, k) between unit vectors, nearest first; the reach (m, 1).

    Distances are by differences in float64: exactly 0 for equal vectors, where 1 - cosine in
    float32 is off by 3e-4.
    """
    apart = unit_rows(vectors)[:, None].astype(np.float64) - space.unit[candidates]
    distances = np.sqrt(np.square(apart).sum(axis=2))  # (m, c)
    order = np.lexsort((candidates, distances), axis=1)
    rows = np.take_along_axis(candidates, order, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    if len(space) <= NEIGHBORS:  # all of them count
        return rows, distances, np.full((len(vectors), 1), FARTHEST)
    reach = distances[:, NEIGHBORS : NEIGHBORS + 1]
    return rows[:, :NEIGHBORS], distances[:, :NEIGHBORS], np.maximum(reach, SAME)


def _toward_median(places: Floats, weights: Floats, softening: float) -> Floats:
    """From the weighted means of ``places`` (m, k, p) toward their medians (m, p), by Weiszfeld.

    A fixed number of steps, each continuous in the weights, so that the whole is continuous.
    """
    found: Floats = (weights[:, :, None] * places).sum(axis=1)
    for _ in range(WEISZFELD_STEPS):
        squares = np.square(places - found[:, None]).sum(axis=2)
        pull = weights / np.sqrt(squares + softening**2)
        found = (pull[:, :, None] * places).sum(axis=1) / pull.sum(axis=1, keepdims=True)
    return found


def _require_match(space: Space, coords: Coords, vectors: Queries) -> None:
    if len(coords) != len(space):
        raise InvalidVectors(
            f"found a map of {len(coords)} points for a space of {len(space)} items; expected "
            "one point for each: pass this space's own map"
        )
    if vectors.shape[1] != space.dim:
        raise InvalidVectors(
            f"found vectors of {vectors.shape[1]} dimensions in a space of {space.dim}; expected "
            "the same: take vectors from the space's own teacher"
        )
    if not np.isfinite(vectors).all():
        raise InvalidVectors(
            "found NaN or infinity among the vectors to place; expected finite numbers: "
            "remove those rows"
        )
