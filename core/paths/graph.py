"""A walk on the neighbour graph: real items only, and jumps between them.

Not a geodesic of the data: in 384 dimensions the graph with 15 neighbours takes about four hops
between two words, three times the length of the great circle, with jumps of up to 73 degrees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from core.errors import InvalidPath
from core.paths.curve import STEPS, Curve, assemble, legs_of, require_steps, shared_out
from core.paths.sphere import angle, slerp
from core.spaces.neighbors import NeighborGraph, nearest
from core.spaces.space import Space, frozen
from core.types import Queries, Rows

Costs: TypeAlias = Any
"""A scipy.sparse.csr_array, (n, n) float64: angles in radians."""

NEIGHBOURS = 15
SHORTEST = 1e-6  # radians between items that are the same: a hop, but next to free


@dataclass(frozen=True, eq=False)
class GraphPath:
    """The items that a walk visits, and the curve along them.

    ``rows`` are all items in order; ``angles`` (hops,) the jumps between them in radians;
    ``item_steps`` the step of the curve at which each item is reached. ``curve.stops`` are the
    steps of the waypoints among them.
    """

    rows: tuple[int, ...]
    angles: tuple[float, ...]
    item_steps: tuple[int, ...]
    curve: Curve


def adjacency(graph: NeighborGraph, k: int = NEIGHBOURS) -> Costs:
    """(n, n) float64: the angle in radians between items of which either has the other among
    its k nearest. Symmetric; nothing stands between items that are not neighbours."""
    n = len(graph)
    near, column = np.nonzero(graph.indices[:, :k] >= 0)  # an approximate graph may hold -1: none
    far = graph.indices[near, column].astype(np.int64)
    angles = np.arccos(np.clip(graph.cosines[near, column].astype(np.float64), -1, 1))
    # One entry a pair, keyed low * n + high; of two roundings of its cosine the first is kept.
    pairs, first = np.unique(np.minimum(near, far) * n + np.maximum(near, far), return_index=True)
    low, high = np.divmod(pairs, n)
    costs = np.maximum(angles[first], SHORTEST)
    ends = np.concatenate([low, high]), np.concatenate([high, low])
    import scipy.sparse  # a quarter of a second that a page without walks need not wait for

    return scipy.sparse.coo_array((np.tile(costs, 2), ends), shape=(n, n)).tocsr()


def nearest_items(space: Space, points: Queries) -> Rows:
    """(r,) the row of the item nearest to each point (m, d): where a walk can set foot."""
    indices, _ = nearest(space.unit, points, 1)
    return indices[:, 0].astype(np.int64)


def walk(
    space: Space,
    graph: NeighborGraph,
    waypoints: Sequence[int],
    steps: int = STEPS,
    k: int = NEIGHBOURS,
) -> GraphPath:
    """The walk through the given rows of ``space``, drawn as a curve of ``steps`` points.

    Between items the curve follows the great circle; ``t`` is the share of the summed angle, and
    steps are spread by angle so that every item visited is a step. Raises InvalidPath for fewer
    than two rows, the same row twice running, rows that no chain of neighbours joins, and fewer
    steps than items.
    """
    if len(waypoints) < 2:
        raise InvalidPath(f"found {len(waypoints)} items to walk between; expected two or more")
    costs = adjacency(graph, k)
    rows = [int(waypoints[0])]
    stops = [0]
    for start, end in pairwise(waypoints):
        rows += _shortest(costs, int(start), int(end))[1:]
        stops.append(len(rows) - 1)
    require_steps(steps, len(rows), "items on the walk")
    return _draw(space, rows, stops, steps)


def _draw(space: Space, rows: list[int], stops: list[int], steps: int) -> GraphPath:
    unit = space.unit[rows].astype(np.float64)
    doubles = space.vectors[rows].astype(np.float64)
    angles = np.array([max(angle(u, v), SHORTEST) for u, v in pairwise(unit)])
    marks = shared_out(angles, steps - 1)
    before = np.concatenate([[0.0], np.cumsum(angles)])
    t, pieces = [], []
    for hop, (first, last) in enumerate(pairwise(marks)):
        shares = np.linspace(0, 1, last - first + 1)[:-1]
        t.append((before[hop] + shares * angles[hop]) / before[-1])
        pieces.append(slerp(doubles[hop], doubles[hop + 1], shares))
    t.append(np.ones(1))
    pieces.append(doubles[-1:])
    every_item = assemble(np.concatenate(t), pieces, space.vectors[rows], marks)
    waypoint_steps = tuple(marks[stop] for stop in stops)
    curve = replace(every_item, leg=frozen(legs_of(waypoint_steps, steps)), stops=waypoint_steps)
    return GraphPath(tuple(rows), tuple(angles.tolist()), tuple(marks), curve)


def _shortest(costs: Costs, start: int, end: int) -> list[int]:
    from scipy.sparse.csgraph import dijkstra

    n = costs.shape[0]
    if not (0 <= start < n and 0 <= end < n):
        raise InvalidPath(f"found rows {start} and {end}; expected rows from 0 to {n - 1}")
    if start == end:
        raise InvalidPath(
            f"found the same item at both ends, row {start}; expected different ones: "
            "choose another word, or the sphere path between texts that share a nearest item"
        )
    lengths, previous = dijkstra(costs, indices=start, return_predecessors=True)
    if not np.isfinite(lengths[end]):
        raise InvalidPath(
            f"found no chain of neighbours from item {start} to item {end}, they lie in parts of "
            "the graph that nothing joins; expected one: choose the sphere or the straight path"
        )
    rows = [end]
    while rows[-1] != start:
        rows.append(int(previous[rows[-1]]))
    return rows[::-1]
