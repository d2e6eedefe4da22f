"""Questions to a space: who is near, what does a sum come to, where on an axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.paths.axes import Axis, axis_between
from core.paths.expression import Term, combine, parse
from core.pipeline.workspace import NEAREST, Waypoint, Workspace
from core.spaces.neighbors import nearest
from core.types import (
    Queries,
    QueryScores,
    Rows,
    Vector,
)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The items nearest to a query: rows (k,) best first, and their cosines (k,)."""

    query: Waypoint
    rows: Rows
    cosines: npt.NDArray[np.float32]


def neighbors(workspace: Workspace, reference: str, text: str, k: int = NEAREST) -> Neighbors:
    """The k nearest items of an item (itself left out) or of any typed text."""
    space = workspace.space(reference)
    query = workspace.represent(reference, text)
    exclude = [] if query.row is None else [query.row]
    indices, cosines = nearest(space.unit, query.vector[None, :], k, exclude)
    return Neighbors(query, indices[0].astype(np.int64), cosines[0])


@dataclass(frozen=True, eq=False)
class Solution:
    """What an expression comes to: its terms, the point (d,), and the nearest items."""

    terms: tuple[Term, ...]
    waypoints: tuple[Waypoint, ...]
    point: Vector
    rows: Rows
    cosines: npt.NDArray[np.float32]
    rows_with_inputs: npt.NDArray[np.int64]  # a space of few items has more of these
    cosines_with_inputs: npt.NDArray[np.float32]


def solve(workspace: Workspace, reference: str, expression: str, k: int = NEAREST) -> Solution:
    """Vector arithmetic on directions, with and without the words that went in."""
    terms = parse(expression)
    space = workspace.space(reference)
    waypoints = tuple(workspace.represent(reference, term.text) for term in terms)
    point = combine(terms, np.stack([waypoint.vector for waypoint in waypoints]))
    exclude = sorted({waypoint.row for waypoint in waypoints if waypoint.row is not None})
    rows, cosines = nearest(space.unit, point[None, :], k, exclude)
    all_rows, all_cosines = nearest(space.unit, point[None, :], k)
    return Solution(
        terms,
        waypoints,
        point,
        rows[0].astype(np.int64),
        cosines[0],
        all_rows[0].astype(np.int64),
        all_cosines[0],
    )


def axis(workspace: Workspace, reference: str, low: Sequence[str], high: Sequence[str]) -> Axis:
    """A direction of meaning from one list of texts to another.

    Raises InvalidSpecification for an empty list or a text on both sides, UnknownItem for a text
    without a vector.
    """
    vectors = [_vectors(workspace, reference, texts) for texts in (low, high)]
    return axis_between(low, vectors[0], high, vectors[1])


def axis_scores(
    workspace: Workspace, reference: str, axis: Axis, texts: Sequence[str]
) -> QueryScores:
    """(m,) scores of any texts: -1 where the first list lies on average, +1 the second."""
    return axis.score(_vectors(workspace, reference, texts))


def _vectors(workspace: Workspace, reference: str, texts: Sequence[str]) -> Queries:
    if not texts:
        return np.empty((0, workspace.space(reference).dim), np.float32)
    return np.stack([workspace.represent(reference, text).vector for text in texts])
