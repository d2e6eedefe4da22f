"""What is read off vectors linearly, asked about what was not taught; and places on a globe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.metrics.intervals import Interval, bootstrap, interval
from core.types import Coords, Matrix, Queries

EARTH_KM = 6371.0  # mean radius
SHUFFLES = 50
PENALTIES = tuple(10.0**power for power in range(-3, 4))

Doubles = npt.NDArray[np.float64]


def ridge_held_out(
    x: Matrix, targets: Doubles, folds: npt.ArrayLike, penalties: Sequence[float]
) -> tuple[Doubles, Doubles]:
    """Answers of a ridge regression about rows that it was not taught.

    ``x`` is (n, d), ``targets`` (b, n, q) are b questions about the same rows, ``folds`` (n,) says
    which rows are asked about together. Features are scaled by the rows taught. The penalty, in
    units of d, is chosen for each question among ``penalties`` by leaving one out of the rows
    taught. Answers (b, n, q) and, beside them, the mean of the rows taught (b, n, q).

    In closed form from one eigendecomposition a fold (Hastie, Tibshirani & Friedman 2009, 7.10 and
    18.3.5), so that hundreds of shuffled controls cost as much as one question. Raises
    InvalidSpecification where a fold leaves fewer than two rows to teach.
    """
    parts = np.asarray(folds)
    asked_for = np.asarray(targets, np.float64)
    answers, usual = np.empty_like(asked_for), np.empty_like(asked_for)
    for part in np.unique(parts):
        asked, taught = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        if len(taught) < 2:
            raise InvalidSpecification(
                f"found {len(taught)} rows to teach; expected two or more: ask about fewer at once"
            )
        mean = asked_for[:, taught].mean(axis=1, keepdims=True)
        usual[:, asked] = mean
        answers[:, asked] = mean + _fold(
            x[taught], x[asked], asked_for[:, taught] - mean, penalties
        )
    return answers, usual


def _fold(taught: Matrix, asked: Queries, y: Doubles, penalties: Sequence[float]) -> Doubles:
    """(b, a, q) answers about rows ``asked`` from those taught, with y (b, t, q) centred."""
    questions, rows, wide = y.shape
    low, scale = taught.mean(axis=0, dtype=np.float64), taught.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 0, scale, 1) * np.sqrt(taught.shape[1])
    known, unknown = (taught - low) / scale, (asked - low) / scale
    values, vectors = np.linalg.eigh(known @ known.T)
    values = np.maximum(values, 0)
    beside = y.transpose(1, 0, 2).reshape(rows, -1)  # (t, b q): all questions in one product
    along = vectors.T @ beside
    wrong = np.stack([_left_out(values, vectors, along, beside, it) for it in penalties])
    by_question = wrong.reshape(len(penalties), questions, wide).sum(axis=2)
    best = np.repeat(np.asarray(penalties)[by_question.argmin(axis=0)], wide)  # (b q,)
    weights = along / (values[:, None] + best[None])
    answers = (unknown @ known.T) @ (vectors @ weights)
    found: Doubles = answers.reshape(len(asked), questions, wide).transpose(1, 0, 2)
    return found


def _left_out(
    values: Doubles, vectors: Doubles, along: Doubles, y: Doubles, penalty: float
) -> Doubles:
    """(b q,) squared error of leaving one out, for each column of y (t, b q)."""
    shrunk = values / (values + penalty)
    fitted = vectors @ (shrunk[:, None] * along)
    leverage = np.square(vectors) @ shrunk + 1 / len(vectors)  # the last is the mean's
    missed = (y - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
    found: Doubles = np.square(missed).sum(axis=0)
    return found


@dataclass(frozen=True, eq=False)
class Mapped:
    """Where a ridge puts places that it was not taught.

    ``said`` (n, 2) latitude and longitude, ``km`` (n,) how far off. ``off`` is the median of that
    and ``r2`` the share of the spread of points on the globe (in three dimensions) that is right
    beyond always saying the mean of what was taught, both with intervals over places or over whole
    folds. ``r2_chance`` is what 95% of shuffled places stay below, ``off_usual`` the median for
    always saying the mean. ``scores`` (1 + shuffles,) are the R² of the true places and of each
    shuffle of them.
    """

    said: Coords
    km: Doubles
    off: Interval
    r2: Interval
    r2_chance: float
    off_usual: float
    scores: Doubles


def mapped(
    x: Matrix, degrees: Doubles, folds: npt.ArrayLike, seed: int = 0, *, grouped: bool = False
) -> Mapped:
    """Judge vectors (n, d) of places at ``degrees`` (n, 2), asked fold by fold.

    Points on the globe are read as three numbers, so that 180 east and 180 west are one place.
    Where folds are ``grouped`` by something that places share, as a continent, the intervals are
    over folds: places of one fold are no witnesses of their own.
    """
    truth = on_globe(degrees)
    generator = np.random.default_rng(seed)
    shuffled = [truth[generator.permutation(len(truth))] for _ in range(SHUFFLES)]
    targets = np.stack([truth, *shuffled])
    said, usual = ridge_held_out(x, targets, folds, PENALTIES)
    wrong, spread = (np.square(it - targets).sum(axis=2) for it in (said, usual))  # (b, n)
    scores = 1 - wrong.sum(axis=1) / spread.sum(axis=1)
    km = kilometres(said[0], truth)
    parts = np.asarray(folds) if grouped else np.arange(len(km))
    units = [np.flatnonzero(parts == part) for part in np.unique(parts)]

    def median(drawn: npt.NDArray[np.int64]) -> Doubles:
        if not grouped:
            return np.asarray(np.median(km[drawn], axis=1))
        return np.array([np.median(np.concatenate([km[units[it]] for it in row])) for row in drawn])

    left, of = (np.array([it[0, rows].sum() for rows in units]) for it in (wrong, spread))
    kept = interval(left, over=of, seed=seed)
    return Mapped(
        in_degrees(said[0]).astype(np.float32),
        km,
        bootstrap(median, len(units), seed=seed),
        Interval(1 - kept.value, 1 - kept.high, 1 - kept.low),
        float(np.quantile(scores[1:], 0.95)),
        float(np.median(kilometres(usual[0], truth))),
        scores,
    )


def on_globe(degrees: npt.ArrayLike) -> Doubles:
    """(n, 3) points of length 1 at latitudes and longitudes (n, 2).

    >>> on_globe([[0.0, 90.0]]).round(6).tolist()
    [[0.0, 1.0, 0.0]]
    """
    latitude, longitude = np.radians(np.asarray(degrees, np.float64)).T
    level = np.cos(latitude)
    return np.stack(
        [level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], axis=1
    )


def in_degrees(points: Doubles) -> Doubles:
    """(n, 2) latitude and longitude of points (n, 3) of any length.

    >>> in_degrees(np.array([[0.0, 0.5, 0.0]])).tolist()
    [[0.0, 90.0]]
    """
    x, y, z = points.T
    found: Doubles = np.degrees(np.stack([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)], axis=1))
    return found


def kilometres(one: Doubles, other: Doubles) -> Doubles:
    """(n,) along the globe between points (n, 3) of any length."""
    crossed = np.linalg.norm(np.cross(one, other), axis=1)
    found: Doubles = EARTH_KM * np.arctan2(crossed, np.einsum("nd,nd->n", one, other))
    return found
