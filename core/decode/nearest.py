"""What a point says: its nearest items."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import unit_rows
from core.spaces.neighbors import NeighborGraph, nearest, top_k
from core.spaces.space import Space
from core.types import Matrix, Queries, QueryCosines, QueryIndices, Scores

CSLS_NEIGHBOURS = 10
BLOCK = 2**24  # cosines held at once: 64 MB


def decode(
    space: Space,
    points: Queries,
    k: int = 10,
    exclude: Sequence[int] = (),
    csls: Scores | None = None,
) -> tuple[QueryIndices, QueryCosines]:
    """The k nearest items of each point (m, d), best first: rows (m, k) and cosines (m, k).

    ``exclude`` names rows to leave out, such as the waypoints; k is clipped to what is left; of
    equal items the lower row comes first. With the penalties of :func:`csls_penalty` the order
    is by CSLS (Conneau et al. 2018), against hubs; the cosines told are the plain ones all the
    same, so they need not fall. A zero point has cosine 0 to everything. Raises
    InvalidSpecification for k < 1 and penalties of another space.
    """
    if k < 1:
        raise InvalidSpecification(f"found k = {k}; expected at least 1 neighbour to tell")
    if csls is None:
        return nearest(space.unit, points, k, exclude)
    if len(csls) != len(space):
        raise InvalidSpecification(
            f"found {len(csls)} CSLS penalties for {len(space)} items; expected one for each: "
            "make them from this space's own graph"
        )
    rows = max(1, BLOCK // len(space))
    blocks = [
        _against_hubs(space.unit, points[first : first + rows], k, exclude, csls)
        for first in range(0, max(1, len(points)), rows)
    ]
    indices = [found for found, _ in blocks]
    cosines = [values for _, values in blocks]
    return np.concatenate(indices), np.concatenate(cosines)


def leave_out(
    rows: QueryIndices, cosines: QueryCosines, exclude: Sequence[int], first: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The ``first`` few of each line of :func:`decode` (m, k), the rows in ``exclude`` passed over:
    what it answers when they are left out, as long as k is at least so many and as they are.

    >>> rows, cosines = leave_out(np.int32([[4, 7, 2]]), np.float32([[0.9, 0.8, 0.1]]), [7], 2)
    >>> rows.tolist(), cosines.round(1).tolist()
    ([[4, 2]], [[0.8999999761581421, 0.10000000149011612]])
    """
    order = np.argsort(np.isin(rows, list(exclude)), axis=1, kind="stable")[:, :first]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1)


def csls_penalty(graph: NeighborGraph, k: int = CSLS_NEIGHBOURS) -> Scores:
    """(n,) r(y), the mean cosine of each item to its k nearest: high for hubs."""
    if graph.k == 0:  # a single item has no neighbours, and is nobody's hub
        return np.zeros(len(graph), np.float32)
    means = graph.cosines[:, :k].mean(axis=1, dtype=np.float64)
    return np.asarray(means, dtype=np.float32)


def _against_hubs(
    unit: Matrix, points: Queries, k: int, exclude: Sequence[int], penalties: Scores
) -> tuple[QueryIndices, QueryCosines]:
    """CSLS is 2 cos(x, y) - r(x) - r(y); r(x) is the same for every item y, so it is left out."""
    cosines: Queries = np.matmul(unit_rows(points), unit.T, dtype=np.float32)  # (m, n)
    scores: Queries = np.subtract(2 * cosines, penalties, dtype=np.float32)
    scores[:, list(exclude)] = -np.inf
    indices, _ = top_k(scores, max(0, min(k, len(unit) - len(set(exclude)))))
    found = np.take_along_axis(cosines, indices.astype(np.int64), axis=1)
    return indices, np.clip(found, -1, 1)
