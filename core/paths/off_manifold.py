"""How far off the data a point is: by its length, and by how near its nearest items are."""

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import row_lengths
from core.spaces.neighbors import NeighborGraph, nearest
from core.spaces.space import Space
from core.types import Queries, QueryCosines, QueryScores, Scores

NEIGHBOURS = 15
OFF_DATA = 95.0  # percent: further from the items than this share of the items themselves


def norm_percentile(space: Space, points: Queries) -> QueryScores:
    """(m,) 0..100: the share of items whose vectors are shorter; equal ones count half."""
    return percentile_of(space.norms, row_lengths(points).astype(np.float32))


def knn_percentile(
    space: Space, graph: NeighborGraph, points: Queries, k: int = NEIGHBOURS
) -> QueryScores:
    """(m,) 0..100: the share of items that are nearer to the other items than the point is.

    A point's distance is its mean cosine distance (1 - cosine) to its k nearest items; it is
    ranked among the items' own mean distances to their k neighbours. High means far from the
    data. A point that lies on an item counts that item, at distance 0: real items are seldom off
    the data, and the measure stays continuous along a path. ``space`` and ``graph``
    belong together. Raises InvalidSpecification where they do not, or hold a single item.
    """
    _, cosines = nearest(space.unit, points, min(k, graph.k))
    return cosines_percentile(space, graph, cosines, k)


def cosines_percentile(
    space: Space, graph: NeighborGraph, cosines: QueryCosines, k: int = NEIGHBOURS
) -> QueryScores:
    """The same of points whose cosines (m, k or more) to their nearest items are known."""
    if len(graph) != len(space):
        raise InvalidSpecification(
            f"found a graph of {len(graph)} items for a space of {len(space)}; "
            "expected the space's own graph"
        )
    k = min(k, graph.k)
    if k < 1:
        raise InvalidSpecification(
            f"found {k} neighbours to compare with; expected at least 1: ask for k >= 1 in a "
            "space of two items or more"
        )
    own = 1 - graph.cosines[:, :k].mean(axis=1, dtype=np.float64)
    distances = 1 - cosines[:, :k].mean(axis=1, dtype=np.float64)
    return percentile_of(own.astype(np.float32), distances.astype(np.float32))


def off_data(percentiles: QueryScores) -> npt.NDArray[np.bool_]:
    """(m,) whether a point is further from the items than 95% of them are from each other."""
    return np.asarray(percentiles > OFF_DATA)


def percentile_of(population: Scores, values: QueryScores) -> QueryScores:
    """(m,) the percentile 0..100 of each value in the population (n,), ties at their middle."""
    ranked = np.sort(population)
    below = np.searchsorted(ranked, values, side="left")
    up_to = np.searchsorted(ranked, values, side="right")
    return ((below + up_to) * (50 / len(ranked))).astype(np.float32)
