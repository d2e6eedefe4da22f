"""Places on a globe read off vectors, and how far off they are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.metrics.intervals import Interval, bootstrap, interval
from core.metrics.ridge_readout import PENALTIES, SHUFFLES, Doubles, ridge_held_out
from core.types import Coords, Matrix

EARTH_KM = 6371.0  # mean radius


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
