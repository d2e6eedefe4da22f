"""The true neighbours of every item, by cosine: one graph per space, computed once, used by all.

Up to 100,000 different items the graph is exact. A block of cosines is a matrix product; picking
the k best of each row would cost as much again, so it is done on two levels: the columns are put in
groups of 32, the k groups with the highest maxima are found, and only their columns are looked at.
That is exact, because each of the k best columns makes its own group's maximum at least as high as
itself, so no more than k groups can be needed.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, InvalidVectors
from core.spaces.bf16_gains import bf16_gains
from core.spaces.linalg import unit_rows
from core.types import (
    GraphCosines,
    GraphIndices,
    Matrix,
    Progress,
    Queries,
    QueryCosines,
    QueryIndices,
    Scores,
    silent,
)

EXACT_UP_TO = 100_000  # items; above, the work grows with the square and HNSW takes over
GROUP = 32  # columns in a group; 16 and 64 were both slower in total
BLOCK_ROWS, BLOCK_BYTES = 1024, 2**26
SLACK = 17  # bf16 candidates beyond k: 48 for k = 31 gave recall 0.9998
RECALL_ROWS = 500
LEAST_RECALL, SLOWLY_UP_TO = 0.95, 200_000  # an index that finds fewer is given up, up to n items
TIE = 1e-6  # cosines closer than this are the same cosine
HNSW_LINKS, HNSW_BUILD, HNSW_SEARCH, HNSW_BATCH = 24, 100, 160, 5000

Block = tuple[QueryIndices, QueryCosines]


@dataclass(frozen=True)
class NeighborGraph:
    """Each item's k nearest others, best first; (n, k), k at most n - 1.

    ``method`` is "exact", "exact, bf16 candidates" or "hnsw"; ``recall`` is 1.0 when exact, else
    the share of true neighbours found, measured on a fixed sample of rows.
    """

    indices: GraphIndices
    cosines: GraphCosines
    method: str
    recall: float

    @property
    def k(self) -> int:
        """Neighbours of each item."""
        return int(self.indices.shape[1])

    def __len__(self) -> int:
        return len(self.indices)


def knn_graph(unit: Matrix, k: int = 31, progress: Progress = silent) -> NeighborGraph:
    """The k nearest other items of each row of ``unit``, (n, d) of length 1 (or 0).

    An item is never its own neighbour, even among duplicates; equal cosines go by lower index.
    Raises Cancelled when ``progress`` answers False, InvalidVectors when k is below 1.

    >>> unit = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    >>> knn_graph(unit, k=1).indices.ravel().tolist()
    [1, 0, 0]
    """
    if k < 1:
        raise InvalidVectors(f"found k = {k} neighbours; expected at least 1: ask for more")
    k = min(k, len(unit) - 1)
    if k == 0:
        return NeighborGraph(np.empty((1, 0), np.int32), np.empty((1, 0), np.float32), "exact", 1.0)
    if len(unit) > EXACT_UP_TO:
        return _large(unit, k, progress)
    if bf16_gains(unit):
        return _bf16(unit, k, progress)
    return NeighborGraph(*_exact(unit, k, progress), "exact", 1.0)


def nearest(
    unit: Matrix, queries: Queries, k: int, exclude: Sequence[int] = ()
) -> tuple[QueryIndices, QueryCosines]:
    """The k rows of ``unit`` (n, d) nearest to each query (m, d), best first: indices, cosines.

    Exact. Queries of any length; a zero query has cosine 0 to everything. Rows in ``exclude`` are
    left out; k is clipped to the rows that remain.
    """
    left_out = np.unique(np.asarray(exclude, dtype=np.int64))
    k = max(0, min(k, len(unit) - len(left_out)))
    indices = np.empty((len(queries), k), np.int32)
    cosines = np.empty((len(queries), k), np.float32)
    directions = unit_rows(queries)
    for start, stop in _blocks(len(queries), _block_rows(len(unit))):
        scores: Queries = directions[start:stop] @ unit.T  # (b, n)
        scores[:, left_out] = -np.inf
        indices[start:stop], cosines[start:stop] = top_k(scores, k)
    return indices, cosines


def top_k(scores: Queries, k: int) -> Block:
    """The k largest entries of each row of ``scores`` (b, n), largest first, ties by lower index.

    Exact; answers the columns (b, k) and the scores clipped to -1..1 (b, k).
    """
    rows, n = scores.shape
    if k == 0:
        return np.empty((rows, 0), np.int32), np.empty((rows, 0), np.float32)
    if GROUP * 4 * k <= n:
        columns, crowded = _candidate_columns(scores, k)
    else:
        columns = np.broadcast_to(np.arange(n), (rows, n))
        crowded = np.zeros(rows, dtype=bool)
    values = scores if columns.shape[1] == n else np.take_along_axis(scores, columns, axis=1)
    if k < values.shape[1]:
        inside = np.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :]
    else:
        inside = np.broadcast_to(np.arange(k), (rows, k))
    best = np.take_along_axis(values, inside, axis=1)
    found = np.take_along_axis(columns, inside, axis=1)
    if k < n:
        crowded |= (values >= best.min(axis=1, keepdims=True)).sum(axis=1) > k
        for row in np.flatnonzero(crowded):
            found[row] = _lowest_among_equals(scores[row], best[row].min(), k)
            best[row] = scores[row, found[row]]
    order = np.lexsort((found, -best), axis=1)
    indices = np.take_along_axis(found, order, axis=1).astype(np.int32)
    cosines = np.clip(np.take_along_axis(best, order, axis=1), -1, 1)
    return indices, cosines.astype(np.float32, copy=False)


def _candidate_columns(
    scores: Queries, k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Columns (b, c) that surely hold k best of each row; (b,) whether equals may lie elsewhere.

    Group g holds the columns g, g + G, g + 2G, ...: the maxima are then taken over whole
    contiguous rows, four times as fast as over 32 neighbours in memory.
    """
    rows, n = scores.shape
    groups = n // GROUP
    maxima = scores[:, : groups * GROUP].reshape(rows, GROUP, groups).max(axis=1)  # (b, G)
    best = np.argpartition(maxima, groups - k, axis=1)[:, groups - k :]  # (b, k)
    least = np.take_along_axis(maxima, best, axis=1).min(axis=1, keepdims=True)
    crowded = (maxima >= least).sum(axis=1) > k
    inside = (best[:, :, None] + np.arange(GROUP) * groups).reshape(rows, -1)
    rest = np.broadcast_to(np.arange(groups * GROUP, n), (rows, n - groups * GROUP))
    return np.concatenate([inside, rest], axis=1), crowded


def _lowest_among_equals(row: Scores, least: np.float32, k: int) -> npt.NDArray[np.int64]:
    """The k columns of one row that are at least ``least``, equals taken from the left."""
    above = np.flatnonzero(row > least)
    return np.concatenate([above, np.flatnonzero(row == least)[: k - len(above)]])


def _exact(unit: Matrix, k: int, progress: Progress) -> Block:
    """Blocks of rows side by side, one core each: 10% faster than one product on all cores."""
    n = len(unit)
    rows = _block_rows(n)
    own = threading.local()

    def one(bounds: tuple[int, int]) -> Block:
        start, stop = bounds
        if not hasattr(own, "scores"):  # a new 64 MB array for each block costs its page faults
            own.scores = np.empty((rows, n), np.float32)
        scores = np.matmul(unit[start:stop], unit.T, out=own.scores[: stop - start])
        scores[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        return top_k(scores, k)

    with _one_blas_thread():
        return _collect(one, n, rows, k, progress, workers=os.cpu_count() or 1)


def _bf16(unit: Matrix, k: int, progress: Progress) -> NeighborGraph:
    """Candidates by bf16 products, then their cosines in fp32; the recall is measured."""
    import torch

    n = len(unit)
    halved = torch.from_numpy(np.array(unit)).bfloat16()
    wide = min(k + SLACK, n - 1)

    def one(bounds: tuple[int, int]) -> Block:
        start, stop = bounds
        scores = (halved[start:stop] @ halved.T).float().numpy()
        scores[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        candidates = np.sort(top_k(scores, wide)[0], axis=1)
        exact = np.einsum("bd,bcd->bc", unit[start:stop], unit[candidates])
        chosen, cosines = top_k(exact.astype(np.float32, copy=False), k)
        return np.take_along_axis(candidates, chosen, axis=1), cosines

    indices, cosines = _collect(one, n, _block_rows(n), k, progress, workers=1)
    return NeighborGraph(indices, cosines, "exact, bf16 candidates", _recall(unit, indices))


def _large(unit: Matrix, k: int, progress: Progress) -> NeighborGraph:
    """Copies are searched for once: an index whose links all lead to copies finds nothing else.

    Where many are nearly copies the index fails too; the exact search then takes minutes.
    """
    rows = np.ascontiguousarray(unit + np.float32(0)).view(f"V{unit.itemsize * unit.shape[1]}")
    _, first, group = np.unique(rows.ravel(), return_index=True, return_inverse=True)
    if len(first) < len(unit):
        own = np.asarray(unit[first].any(axis=1), np.float32)  # a zero vector's cosines are 0
        return _spread(knn_graph(unit[first], k, progress), group, own, k)
    graph = _hnsw(unit, k, progress)
    if graph.recall < LEAST_RECALL and len(unit) <= SLOWLY_UP_TO:
        return NeighborGraph(*_exact(unit, k, progress), "exact", 1.0)
    return graph


def _spread(
    distinct: NeighborGraph, group: npt.NDArray[np.int64], alike: Scores, k: int
) -> NeighborGraph:
    """The graph of all items out of that of the distinct ones; ``group`` (n,) says which each is.

    An item's copies come first, at the cosine ``alike``, lower index first, then its neighbours'.
    """
    members = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(group))])
    near = np.empty((len(distinct), k + 1), np.int32)
    cosines = np.empty((len(distinct), k + 1), np.float32)
    for own, (others, there) in enumerate(zip(distinct.indices, distinct.cosines, strict=True)):
        filled = 0
        for other, cosine in zip([own, *others], [alike[own], *there], strict=True):
            copies = members[starts[other] : starts[other + 1]][: k + 1 - filled]
            near[own, filled : filled + len(copies)] = copies
            cosines[own, filled : filled + len(copies)] = cosine
            filled += len(copies)
            if filled > k:
                break
    mine = near[group] == np.arange(len(group))[:, None]
    mine[~mine.any(axis=1), -1] = True  # not among its first copies: the last goes
    shape = len(group), k
    return NeighborGraph(
        np.ascontiguousarray(near[group][~mine].reshape(shape)),
        np.ascontiguousarray(cosines[group][~mine].reshape(shape)),
        distinct.method,
        distinct.recall,
    )


def _hnsw(unit: Matrix, k: int, progress: Progress) -> NeighborGraph:
    """Hierarchical navigable small worlds (Malkov & Yashunin 2018) by faiss, recall measured."""
    import faiss

    n, dim = unit.shape
    index = faiss.IndexHNSWFlat(dim, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = HNSW_BUILD
    index.hnsw.efSearch = max(HNSW_SEARCH, 2 * k)
    for start, stop in _blocks(n, HNSW_BATCH):
        index.add(unit[start:stop])
        _report(progress, stop, 2 * n, "building the neighbour index")

    def one(bounds: tuple[int, int]) -> Block:
        start, stop = bounds
        cosines, indices = index.search(unit[start:stop], k + 1)
        cosines[indices == np.arange(start, stop)[:, None]] = -np.inf  # never its own neighbour
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        cosines = np.clip(np.take_along_axis(cosines, order, axis=1), -1, 1)
        return np.take_along_axis(indices, order, axis=1).astype(np.int32), cosines

    def second_half(done: int, total: int, message: str) -> bool:
        return progress(total + done, 2 * total, message)

    indices, cosines = _collect(one, n, HNSW_BATCH, k, second_half, workers=1)
    return NeighborGraph(indices, cosines, "hnsw", _recall(unit, indices))


def _recall(unit: Matrix, indices: GraphIndices) -> float:
    """Share of the neighbours found that are true ones, on a fixed sample of rows; of equals at
    the last place each is as true."""
    n, k = indices.shape
    sample = np.random.default_rng(0).choice(n, min(RECALL_ROWS, n), replace=False)
    found = 0.0
    for part in np.array_split(sample, max(1, len(sample) * n * 4 // BLOCK_BYTES)):
        scores = unit[part] @ unit.T
        scores[np.arange(len(part)), part] = -np.inf
        least = top_k(scores, k)[1][:, -1:] - TIE
        near = np.take_along_axis(scores, np.maximum(indices[part], 0).astype(np.int64), axis=1)
        found += float(((near >= least) & (indices[part] >= 0)).sum())
    return float(found / (len(sample) * k))


def _collect(
    one: Callable[[tuple[int, int]], Block],
    n: int,
    rows: int,
    k: int,
    progress: Progress,
    workers: int,
) -> Block:
    """Run ``one`` on every block of rows and put the answers together: (n, k) each."""
    indices = np.empty((n, k), np.int32)
    cosines = np.empty((n, k), np.float32)
    pool = ThreadPoolExecutor(workers)
    try:
        blocks = list(_blocks(n, rows))
        for (start, stop), found in zip(blocks, pool.map(one, blocks), strict=True):
            indices[start:stop], cosines[start:stop] = found
            _report(progress, stop, n, "finding neighbours")
    finally:
        pool.shutdown(cancel_futures=True)
    return indices, cosines


def _report(progress: Progress, done: int, total: int, message: str) -> None:
    if not progress(done, total, message):
        raise Cancelled(f"found a stop while {message}, at {done} of {total}; start again to go on")


def _blocks(n: int, rows: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + rows, n)) for start in range(0, n, rows))


def _block_rows(n: int) -> int:
    """Rows whose cosines to all n items fill a block's memory."""
    return max(64, min(BLOCK_ROWS, BLOCK_BYTES // (4 * n)))


def _one_blas_thread() -> AbstractContextManager[object]:
    """Each worker thread multiplies on its own core."""
    import threadpoolctl  # type: ignore[import-untyped]

    limit: AbstractContextManager[object] = threadpoolctl.threadpool_limits(1, "blas")
    return limit
