"""Ridge regression asked about what it was not taught: what is read off vectors linearly."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.types import Matrix, Queries

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
    wrong = np.stack([_left_out(values, vectors, along, beside, penalty) for penalty in penalties])
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
