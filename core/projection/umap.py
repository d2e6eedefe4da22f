"""UMAP by umap-learn, with the space's own neighbours given and PCA as the start.

umap-learn's functions are called rather than its class, which would check, convert and keep what
is not needed here. What remains slow in a new process is importing it and compiling four
functions; :func:`warm_up` does both, and fits into the time that the neighbours take.
"""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, InvalidSpecification
from core.projection.base import UmapSpec
from core.projection.pca import pca
from core.spaces.neighbors import NeighborGraph
from core.types import Coords, Matrix, Progress, silent

FEWEST = 4  # items; fewer have no neighbourhoods to lay out, and PCA shows all there is
JITTER = 1e-4  # of the picture's width, so that equal points can part
_NUMBA = threading.Lock()  # numba's simplest threading layer aborts when entered twice


def umap(unit: Matrix, graph: NeighborGraph, spec: UmapSpec, progress: Progress = silent) -> Coords:
    """Coordinates (n, p) for the rows of ``unit`` (n, d), laid out over ``graph``.

    Without a seed all cores work and two runs differ; with one, a run on one core is repeated
    exactly. Raises Cancelled when ``progress`` answers False, InvalidSpecification when the graph
    has too few neighbours.

    Source: McInnes, Healy, Melville 2018, arXiv:1802.03426; umap-learn.
    """
    if spec.n_neighbors - 1 > graph.k < len(unit) - 1:
        raise InvalidSpecification(
            f"found n_neighbors = {spec.n_neighbors} and a graph of {graph.k} neighbours; "
            f"expected at most {graph.k + 1}: lower n_neighbors or compute a larger graph"
        )
    start, _ = pca(unit, spec.dims)
    if len(unit) < FEWEST:
        return start
    with _NUMBA:
        return _layout(start, graph, spec, progress)


def warm_up(seeded: bool = False, dims: int = 2) -> None:
    """Import umap-learn and compile what :func:`umap` calls, by a tiny fit of the same types.

    Takes some 10 s of one core the first time on a machine; numba keeps the compiled code
    beside umap-learn's, and later processes take about 3 s, most of it the import.
    """
    n, k = 64, 14
    ring = (np.arange(n)[:, None] + np.arange(1, k + 1)) % n
    cosines = np.broadcast_to(np.linspace(0.9, 0.1, k, dtype=np.float32), (n, k))
    graph = NeighborGraph(ring.astype(np.int32), np.ascontiguousarray(cosines), "exact", 1.0)
    start = np.random.default_rng(0).normal(size=(n, dims)).astype(np.float32)
    spec = UmapSpec(n_epochs=10, dims=dims, seed=0 if seeded else None)
    with _NUMBA:
        _layout(start, graph, spec, silent)


def start_warm_up(seeded: bool = False, dims: int = 2) -> threading.Thread:
    """:func:`warm_up` on a thread of its own, while the neighbours are being found."""
    thread = threading.Thread(target=warm_up, args=(seeded, dims), daemon=True, name="umap-warm-up")
    thread.start()
    return thread


def _layout(start: Coords, graph: NeighborGraph, spec: UmapSpec, progress: Progress) -> Coords:
    """The fuzzy neighbour graph, then the epochs."""
    library = _library()
    generator = np.random.RandomState(spec.seed)
    indices, distances = _with_self(graph, spec.n_neighbors)
    fuzzy, _, _ = library.fuzzy_simplicial_set(
        start,  # only its length is read
        indices.shape[1],
        generator,
        "cosine",
        knn_indices=indices,
        knn_dists=distances,
    )
    a, b = library.find_ab_params(1.0, spec.min_dist)
    coords, _ = library.simplicial_set_embedding(
        start,
        fuzzy,
        n_components=spec.dims,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=spec.negative_sample_rate,
        n_epochs=spec.n_epochs,
        init=_spread(start, generator),
        random_state=generator,
        metric="cosine",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=spec.seed is None,
        tqdm_kwds={"progress": progress, "total": spec.n_epochs},
    )
    return np.ascontiguousarray(coords, dtype=np.float32)


def _with_self(
    graph: NeighborGraph, n_neighbors: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """umap-learn's form: indices and cosine distances (n, n_neighbors), the item itself first."""
    n = len(graph)
    k = min(n_neighbors - 1, graph.k)
    own = np.arange(n, dtype=np.int32)[:, None]
    indices = np.concatenate([own, graph.indices[:, :k]], axis=1)
    away = np.maximum(0, 1 - graph.cosines[:, :k])
    distances = np.concatenate([np.zeros((n, 1), np.float32), away], axis=1)
    return np.ascontiguousarray(indices), np.ascontiguousarray(distances, dtype=np.float32)


def _spread(start: Coords, generator: np.random.RandomState) -> Coords:
    """Equal points a little apart, and no axis without width: umap-learn divides by it."""
    width = float(np.ptp(start, axis=0).max()) or 1.0
    noise = generator.normal(scale=JITTER * width, size=start.shape)
    return (start + noise).astype(np.float32)


def _epochs(
    epochs: Iterable[int], progress: Progress = silent, total: int = 0, **_bar: Any
) -> Iterable[int]:
    """umap-learn's bar around its epochs: each is reported, and the fit stopped when asked to.

    tqdm's own keeps its lock when the file that it writes to raises, and whoever draws a bar on
    another thread afterwards waits for ever.
    """
    for epoch in epochs:
        if not progress(epoch, total, "drawing the map"):
            raise Cancelled(f"found a stop at epoch {epoch} of {total}; start again to go on")
        yield epoch
    progress(total, total, "drawing the map")


def _library() -> Any:
    """``umap.umap_`` with its compiled functions kept on disk.

    numba keeps them as it already keeps umap-learn's other functions (``cache=True``): beside the
    library's own files, or in the user's cache folder where those are read-only.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tensorflow, which only parametric UMAP would want
        from umap import layouts, umap_

    # The layout on one core, for seeded fits, is left out: numba would file it under the same
    # name and signature as the parallel one, and hand out either for both.
    for function in (
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts._nb_optimize_layout_euclidean_single_epoch_parallel,
    ):
        if not function.signatures:  # not compiled yet in this process
            function.enable_caching()
    layouts.tqdm = _epochs
    return umap_
