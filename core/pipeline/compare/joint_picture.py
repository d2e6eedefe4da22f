"""Two spaces in one picture: the shared items where A's picture has them, and where B's vectors,
laid on A, fall in that same picture.

The second place is computed, never fitted again: a second fit would move everything by its own
chance, and what moved could not be told from what was only drawn otherwise. In PCA B's vectors
are seen along A's own directions, each in the length that its item has in A, so that a move in
the picture is the shadow of the move in the space; in any other picture each is placed among its
nearest of A.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from core.metrics.similarity import padded
from core.pipeline.compare.comparison import Comparison, compare
from core.pipeline.workspace import Workspace, picture_key
from core.progress import scaled
from core.projection.base import PcaSpec, Spec
from core.projection.placement import place
from core.spaces.space import Provenance, Space, frozen
from core.types import (
    Coords,
    Matrix,
    Progress,
    Queries,
    QueryCoords,
    QueryScores,
    Rows,
    silent,
    tell,
)

MOST_DRAWN = 30_000  # two maps of more points do not move smoothly
PLACING = "placing the second space in the first one's picture"
BLOCK = 1_000  # vectors placed at once: their differences to 18 candidates take 55 MB


@dataclass(frozen=True, eq=False)
class Counterpart:
    """``rows`` (r,) of the comparison are drawn; ``a`` and ``b`` (r, p) are their two places."""

    spec: Spec
    rows: Rows
    a: Coords
    b: Coords


def drawn_rows(comparison: Comparison) -> Rows:
    """All shared items, or the first 30,000 (tables begin with the frequent ones) and those that
    moved most."""
    first = np.arange(min(comparison.shared, MOST_DRAWN))
    return np.union1d(first, [entry["row"] for entry in comparison.moved]).astype(np.int64)


def has_counterpart(workspace: Workspace, comparison: Comparison, spec: Spec) -> bool:
    """Whether :func:`counterpart` answers at once; for PCA it always does."""
    if isinstance(spec, PcaSpec):
        return True
    space = workspace.space(comparison.names[0])
    key = _key(space, comparison, spec)
    return workspace.has_projection(space, spec) and workspace.store.has("counterpart", key)


def counterpart(
    workspace: Workspace, comparison: Comparison, spec: Spec, progress: Progress = silent
) -> Counterpart:
    """Both places of the drawn items in the picture ``spec`` of the comparison's first space.

    Raises Cancelled when ``progress`` answers False.
    """
    space = workspace.space(comparison.names[0])
    workspace.projection(space, spec, partial(scaled, progress, 0, 60))
    rows = drawn_rows(comparison)
    own = _own_places(workspace, comparison, spec, rows)
    key = _key(space, comparison, spec)
    if isinstance(spec, PcaSpec):
        other = falls(
            workspace, comparison, spec, comparison.b.vectors[rows], comparison.a.norms[rows]
        )
        return Counterpart(spec, rows, frozen(own), frozen(other))

    def read() -> QueryCoords:
        kept = workspace.store.load("counterpart", key).arrays["b"]
        if (kept.shape, kept.dtype) != (own.shape, own.dtype):
            raise ValueError("places of other items")
        return kept

    kept = workspace.store.recall("counterpart", key, read)
    if kept is None:
        vectors = comparison.b.vectors[rows]
        last = partial(scaled, progress, 60, 100)
        kept = falls(workspace, comparison, spec, vectors, comparison.a.norms[rows], last)
        workspace.store.save("counterpart", key, {"b": kept})
    return Counterpart(spec, rows, frozen(own), kept)


def falls(
    workspace: Workspace,
    comparison: Comparison,
    spec: Spec,
    vectors: Queries,
    lengths: QueryScores,
    progress: Progress = silent,
) -> QueryCoords:
    """(m, p) where vectors (m, d) of the space in which ``comparison.b`` lies fall in the picture
    of the first space; ``lengths`` (m,) are those that the first space has in their place.

    Raises Cancelled when ``progress`` answers False.
    """
    if isinstance(spec, PcaSpec):
        space = workspace.space(comparison.names[0])
        own = np.where(lengths > 0, lengths, 1)[:, None]
        measured: Queries = np.asarray(vectors / own, np.float32)
        return along(space.unit, workspace.projection(space, spec).coords, measured)
    rows = drawn_rows(comparison)
    among, own = _among(comparison, rows), _own_places(workspace, comparison, spec, rows)
    found = [np.empty((0, own.shape[1]), np.float32)]
    for start in range(0, len(vectors), BLOCK):
        tell(progress, start, len(vectors), PLACING)
        found.append(place(among, own, vectors[start : start + BLOCK])[0])
    return np.concatenate(found)


def along(unit: Matrix, picture: Coords, others: npt.NDArray[np.float32]) -> QueryCoords:
    """(m, p) where ``others`` (m, e) fall in the PCA ``picture`` (n, p) of ``unit`` (n, d), e >= d.

    The principal directions v are read off the picture: its columns are X v with X centred, and
    as X^T X v = s v, X^T (X v) is the direction, to be scaled to length 1. What ``others`` have
    beyond the d dimensions is at right angles to the picture.
    """
    d = unit.shape[1]
    wide = picture.astype(np.float64)
    axes = unit.T @ (wide - wide.mean(axis=0))  # (d, p)
    lengths = np.linalg.norm(axes, axis=0)
    axes /= np.where(lengths > 0, lengths, 1)
    mean = unit.mean(axis=0, dtype=np.float64)
    return np.asarray((others[:, :d] - mean) @ axes, np.float32)


def draw_over(workspace: Workspace, a_ref: str, b_ref: str, spec: Spec, progress: Progress) -> None:
    """Everything that the compare page shows of two spaces: the comparison, A's picture with its
    faithfulness, B's places in it, and both graphs, along which ways are judged."""
    comparison = compare(workspace, a_ref, b_ref, partial(scaled, progress, 0, 30))
    space = workspace.space(a_ref)
    counterpart(workspace, comparison, spec, partial(scaled, progress, 30, 80))
    workspace.graph(space, partial(scaled, progress, 80, 85))
    workspace.graph(workspace.space(b_ref), partial(scaled, progress, 85, 95))
    workspace.faithfulness(space, spec, partial(scaled, progress, 95, 98))
    workspace.faithfulness(space, PcaSpec(dims=spec.dims), partial(scaled, progress, 98, 100))


def _own_places(workspace: Workspace, comparison: Comparison, spec: Spec, rows: Rows) -> Coords:
    space = workspace.space(comparison.names[0])
    picture: Coords = workspace.projection(space, spec).coords
    if space.digest == comparison.a.digest:
        return np.ascontiguousarray(picture[rows])
    return picture[comparison.join.a[rows]]


def _among(comparison: Comparison, rows: Rows) -> Space:
    """The drawn items of A with as many dimensions as B has now."""
    a = comparison.a
    if len(rows) == len(a) and a.dim == comparison.b.dim:
        return a
    wide = padded(a.vectors[rows], comparison.b.dim)
    texts, ids = [a.texts[row] for row in rows], [a.ids[row] for row in rows]
    return Space.create(texts, wide, Provenance(a.name, "drawn items"), ids=ids)


def _key(space: Space, comparison: Comparison, spec: Spec) -> str:
    return f"{picture_key(space, spec)} {comparison.a.digest} {comparison.b.digest}"
