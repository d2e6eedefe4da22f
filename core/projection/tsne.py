"""t-SNE by openTSNE, over the space's own neighbours, with PCA as the start."""

from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, InvalidSpecification
from core.projection.base import TsneSpec
from core.projection.pca import pca
from core.spaces.neighbors import NeighborGraph
from core.types import Coords, Matrix, Progress, silent

FEWEST = 7  # items: perplexity 2, the least that means something, looks at six neighbours
START_WIDTH = 1e-4  # standard deviation of the start, as openTSNE scales its own
CALLBACK_ROUNDS = 5
FFT_FROM = 3000  # items; below, Barnes-Hut is as quick
PULLED_FROM = 100  # items; fewer are all each other's neighbours, and a harder pull ends in a point


def tsne(unit: Matrix, graph: NeighborGraph, spec: TsneSpec, progress: Progress = silent) -> Coords:
    """Coordinates (n, p) for the rows of ``unit`` (n, d): perplexity over ``graph``.

    Looks at three times ``spec.perplexity`` neighbours; a small space lowers the perplexity to
    what it has and does without exaggeration. Raises Cancelled when ``progress`` answers False,
    InvalidSpecification when the graph has too few neighbours or all items fall into one point.

    Source: van der Maaten & Hinton 2008; Linderman and others 2019 (FFT); openTSNE.
    """
    start, _ = pca(unit, spec.dims)
    if len(unit) < FEWEST:
        return start
    wanted = 3 * spec.perplexity
    if wanted > graph.k < len(unit) - 1:
        raise InvalidSpecification(
            f"found perplexity {spec.perplexity} and a graph of {graph.k} neighbours; expected "
            f"three times the perplexity: lower it to {graph.k // 3} or compute a larger graph"
        )
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    k = min(wanted, graph.k)
    distances = np.maximum(0, 1 - graph.cosines[:, :k])
    index = PrecomputedNeighbors(graph.indices[:, :k], np.ascontiguousarray(distances))
    n_jobs = -1 if spec.seed is None else 1
    affinities = PerplexityBasedNN(
        knn_index=index, perplexity=min(spec.perplexity, k / 3), n_jobs=n_jobs
    )
    embedding = TSNEEmbedding(
        _small(start, spec.seed),
        affinities,
        negative_gradient_method="fft" if spec.dims == 2 and len(unit) >= FFT_FROM else "bh",
        n_jobs=n_jobs,
    )
    pull = spec.exaggeration if len(unit) >= PULLED_FROM else 1.0
    coords = _run(embedding, spec, pull, progress)
    if np.ptp(coords, axis=0).max() < START_WIDTH < np.ptp(start, axis=0).max():
        raise InvalidSpecification(
            f"found all {len(unit):,} items in one point after t-SNE; expected a picture: choose "
            "an exaggeration nearer 1, UMAP or PCA"
        )
    return coords


def _run(embedding: Any, spec: TsneSpec, pull: float, progress: Progress) -> Coords:
    """The early rounds, in which neighbours pull harder, then the rest."""
    total = spec.early_iterations + spec.iterations
    early = (spec.early_iterations, pull, 0.5, 0)
    late = (spec.iterations, 1.0, 0.8, spec.early_iterations)
    for rounds, exaggeration, momentum, before in (early, late):
        if rounds == 0:
            continue
        watch = _Watch(progress, before, total)
        embedding = embedding.optimize(
            n_iter=rounds,
            exaggeration=exaggeration,
            momentum=momentum,
            callbacks=watch,
            callbacks_every_iters=CALLBACK_ROUNDS,
        )
        if watch.stopped:
            raise Cancelled(f"found a stop while drawing the map, of {total} rounds; start again")
    return np.ascontiguousarray(embedding, dtype=np.float32)


class _Watch:
    """openTSNE's callback: tells the round, and answers True to stop."""

    def __init__(self, progress: Progress, before: int, total: int) -> None:
        self._progress = progress
        self._before = before
        self._total = total
        self.stopped = False

    def __call__(self, iteration: int, error: float, embedding: object) -> bool:  # noqa: ARG002
        self.stopped = not self._progress(self._before + iteration, self._total, "drawing the map")
        return self.stopped


def _small(start: Coords, seed: int | None) -> npt.NDArray[np.float64]:
    """The start scaled down, and equal points a little apart: openTSNE moves float64."""
    width = float(start.std(axis=0).max()) or 1.0
    noise = np.random.default_rng(seed).normal(scale=0.01, size=start.shape)
    return START_WIDTH * (start / width + noise)
