"""Fit a picture of a space: one recipe for every kind of specification."""

from time import perf_counter

import numpy as np

from core.errors import InvalidSpecification
from core.projection.base import PcaSpec, Projection, Spec, TsneSpec, UmapSpec
from core.projection.pca import pca
from core.projection.tsne import tsne
from core.projection.umap import umap
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Space, frozen
from core.types import Coords, Progress, silent


def fit(
    space: Space, graph: NeighborGraph | None, spec: Spec, progress: Progress = silent
) -> Projection:
    """The picture of ``space`` that ``spec`` asks for; ``graph`` is the space's own (n, k).

    PCA needs no graph. Raises InvalidSpecification when a graph is missing or belongs to another
    space, Cancelled when ``progress`` answers False.
    """
    started = perf_counter()
    notes: dict[str, float] = {}
    if isinstance(spec, PcaSpec):
        coords, notes = pca(space.unit, spec.dims)
        progress(1, 1, "drawing the map")
    elif isinstance(spec, UmapSpec):
        coords = umap(space.unit, _require_graph(space, graph, spec), spec, progress)
    else:
        coords = tsne(space.unit, _require_graph(space, graph, spec), spec, progress)
    _require_finite(coords, spec)
    seconds = {"fit": perf_counter() - started}
    return Projection(frozen(coords), spec, space.digest, seconds, notes)


def _require_graph(
    space: Space, graph: NeighborGraph | None, spec: UmapSpec | TsneSpec
) -> NeighborGraph:
    if graph is None or len(graph) != len(space):
        found = "no neighbour graph" if graph is None else f"a graph of {len(graph)} items"
        raise InvalidSpecification(
            f"found {found} for {spec.kind}; expected the one of this space's {len(space)} items: "
            "pass knn_graph(space.unit)"
        )
    return graph


def _require_finite(coords: Coords, spec: Spec) -> None:
    if not np.isfinite(coords).all():
        raise InvalidSpecification(
            f"found a picture that ran off to infinity with {spec.to_dict()}; expected finite "
            "positions: use settings nearer the defaults"
        )
