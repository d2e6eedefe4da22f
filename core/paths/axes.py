"""A semantic axis: the direction from one list of words to another, and items along it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, degrees

import numpy as np

from core.errors import InvalidSpecification
from core.paths.curve import Double
from core.spaces.linalg import unit_rows
from core.spaces.space import Space, frozen
from core.spaces.words import folded
from core.types import Coords, Matrix, Queries, QueryScores, Scores, Vector

ZERO = 1e-5  # length of the difference of means of unit vectors that is only rounding
PARALLEL = 1e-3  # sine of the angle between two axes that draw one and the same line
BLOCK = 8192  # items held in float64 at once
CLOSE = 0.01  # share of an item's square distance from the mean, below which it is measured itself


@dataclass(frozen=True, eq=False)
class Axis:
    """``direction`` (d,) has length 1 and points from ``start`` to ``end``, two lists of words.

    A vector u of length 1 scores (u . direction - middle) / half: the mean of the words at the
    start is -1, that of the words at the end +1, and 0 lies halfway. Scores are linear in u and
    may go beyond either end.
    """

    start: tuple[str, ...]
    end: tuple[str, ...]
    direction: Vector
    middle: float
    half: float

    def score(self, vectors: Queries) -> QueryScores:
        """(m,) where vectors (m, d) of any length stand on the axis; a zero vector stays zero."""
        along = unit_rows(vectors) @ self.direction
        return ((along - self.middle) / self.half).astype(np.float32)


def axis_between(
    start: Sequence[str], start_vectors: Matrix, end: Sequence[str], end_vectors: Queries
) -> Axis:
    """The axis from the words ``start`` to the words ``end``, with a vector for each of them.

    The difference of the two means of unit vectors, scaled to length 1. On a centred space give
    centred vectors. Raises InvalidSpecification for an empty list, a word on both sides, a zero
    vector, and lists whose means coincide.
    """
    for words, side in ((start, "from"), (end, "to")):
        if not words:
            raise InvalidSpecification(
                f"found no words in the '{side}' list; expected one or more: name some"
            )
    ends = {folded(word) for word in end}
    shared = [word for word in start if folded(word) in ends]
    if shared:
        raise InvalidSpecification(
            f"found {shared[0]!r:.60} on both sides of the axis; expected different words: "
            "leave it out on one side"
        )
    low, high = _mean_direction(start, start_vectors), _mean_direction(end, end_vectors)
    difference = high - low
    length = float(np.linalg.norm(difference))
    if length < ZERO:
        raise InvalidSpecification(
            "found two lists that mean the same point; expected an axis with a length: "
            "choose words that differ"
        )
    direction = difference / length
    middle = float(direction @ (low + high) / 2)
    return Axis(tuple(start), tuple(end), frozen(direction.astype(np.float32)), middle, length / 2)


@dataclass(frozen=True, eq=False)
class Scatter:
    """All items on two axes, exactly.

    ``coords`` (n, 2) the scores on both axes; ``residual`` (n,) how far each unit vector lies
    from the plane of the axes through the items' mean, 0..2; ``unshown`` 0..1 the share of the
    items' variance that the plane does not hold; ``cosine`` -1..1 between the axes: where it is
    not 0 they are not at right angles, though the picture draws them so.
    """

    coords: Coords
    residual: Scores
    unshown: float
    cosine: float

    @property
    def angle(self) -> float:
        """Degrees between the two axes, 0..180."""
        return degrees(acos(max(-1.0, min(1.0, self.cosine))))


def scatter(space: Space, x: Axis, y: Axis) -> Scatter:
    """Items of ``space`` by their scores on two axes. Raises InvalidSpecification if parallel."""
    e, f = x.direction.astype(np.float64), y.direction.astype(np.float64)
    cosine = float(e @ f)
    beside = f - cosine * e
    if np.linalg.norm(beside) < PARALLEL:
        raise InvalidSpecification(
            f"found two parallel axes (cosine {cosine:+.4f}); expected two directions: "
            "choose other words for one of them"
        )
    basis = np.stack([e, beside / np.linalg.norm(beside)], axis=1)  # (d, 2)
    columns = np.column_stack([x.direction, y.direction, basis[:, 1]])
    along = (space.unit @ columns.astype(np.float32)).astype(np.float64)  # (n, 3), one product
    coords = (along[:, :2] - [x.middle, y.middle]) / [x.half, y.half]
    residual, unshown = _unshown(space, basis, along[:, [0, 2]] - space.unit_mean @ basis)
    return Scatter(frozen(coords.astype(np.float32)), frozen(residual), unshown, cosine)


def _unshown(space: Space, basis: Double, inside: Double) -> tuple[Scores, float]:
    """Each item's distance from the plane, and the plane's missing share of the variance.

    By Pythagoras: what lies ``inside`` the plane (n, 2) is taken off an item's square distance
    from the mean. Where little is left of that, rounding would be all of it, so there the rest of
    the vector itself is measured.
    """
    whole = space.unit_spread
    squares = whole - np.square(inside).sum(axis=1)
    close = np.flatnonzero(squares < CLOSE * whole)
    for first in range(0, len(close), BLOCK):
        rows = close[first : first + BLOCK]
        offsets = space.unit[rows] - space.unit_mean
        squares[rows] = np.square(offsets - (offsets @ basis) @ basis.T).sum(axis=1)
    total = float(whole.sum())
    unshown = float(squares.sum()) / total if total > 0 else 0.0
    return np.sqrt(squares).astype(np.float32), unshown


def _mean_direction(words: Sequence[str], vectors: Matrix) -> Double:
    if len(words) != len(vectors):
        raise InvalidSpecification(
            f"found {len(words)} words and {len(vectors)} vectors; expected one for each"
        )
    doubles = vectors.astype(np.float64)
    norms = np.linalg.norm(doubles, axis=1, keepdims=True)
    if not norms.all():
        empty = words[int(np.flatnonzero(norms[:, 0] == 0)[0])]
        raise InvalidSpecification(
            f"found a zero vector for {empty!r:.60}, which has no direction; "
            "expected one of positive length: leave it out"
        )
    mean: Double = (doubles / norms).mean(axis=0)
    return mean
