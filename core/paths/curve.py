"""A curve is m parameters t and the m points where it is then; here its steps are shared out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidPath, InvalidVectors
from core.spaces.space import frozen
from core.types import Queries, QueryScores, Rows

STEPS = 48
MAX_STEPS = 10_000

Double = npt.NDArray[np.float64]
Interpolation = Callable[[Double, Double, Double], Double]
"""(start (d,), end (d,), shares (s,) in 0..1) -> points (s, d), all float64."""


@dataclass(frozen=True, eq=False)
class Curve:
    """m points on the way, in order.

    ``t`` (m,) rises from 0 to 1; ``points`` (m, d); ``leg`` (m,) counts from 0 the stretch between
    two waypoints on which a step lies (a waypoint opens its leg, the last one closes the last);
    ``stops`` are the w steps that are waypoints. At those the points equal the waypoints bit
    for bit.
    """

    t: QueryScores
    points: Queries
    leg: Rows
    stops: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.t)


def through(waypoints: Queries, interpolate: Interpolation, steps: int = STEPS) -> Curve:
    """The curve through all waypoints (w, d), leg by leg.

    Each of the w - 1 legs takes the same share of t, whatever its length, and the steps are
    dealt out so that every waypoint is itself a step: the legs get equally many, or some get
    one more than others. Within a leg the steps are evenly spaced in t.
    """
    _require_waypoints(waypoints, steps)
    legs = len(waypoints) - 1
    stops = shared_out(np.ones(legs), steps - 1)
    doubles = waypoints.astype(np.float64)
    points, t = [], []
    for leg in range(legs):
        shares = np.linspace(0, 1, stops[leg + 1] - stops[leg] + 1)
        points.append(interpolate(doubles[leg], doubles[leg + 1], shares)[:-1])
        t.append((leg + shares[:-1]) / legs)
    return assemble(np.concatenate([*t, [1.0]]), [*points, doubles[-1:]], waypoints, stops)


def assemble(
    t: Double, pieces: Sequence[Double], waypoints: Queries, stops: Sequence[int]
) -> Curve:
    """Freeze float64 pieces (m points in all) into a float32 curve with exact waypoints."""
    points = np.ascontiguousarray(np.concatenate(pieces), dtype=np.float32)
    points[stops] = waypoints
    leg = legs_of(stops, len(points))
    return Curve(frozen(t.astype(np.float32)), frozen(points), frozen(leg), tuple(stops))


def legs_of(stops: Sequence[int], steps: int) -> Rows:
    """(steps,) the leg on which each step lies, from 0 to len(stops) - 2."""
    return np.searchsorted(stops[1:-1], np.arange(steps), side="right").astype(np.int64)


def shared_out(lengths: Double, intervals: int) -> list[int]:
    """Cut ``intervals`` into len(lengths) + 1 whole marks, in proportion, none empty.

    Every stretch gets one interval, and the rest go by length (largest remainder), so the marks
    rise strictly from 0 to ``intervals``. Needs intervals >= len(lengths).

    >>> shared_out(np.array([1.0, 1.0, 2.0]), 8)
    [0, 2, 4, 8]
    """
    ideal = lengths / lengths.sum() * intervals
    counts = np.maximum(np.floor(ideal).astype(int), 1)
    while (missing := intervals - counts.sum()) != 0:
        # One at a time: the stretch with the densest steps gives, the sparsest one takes.
        if missing > 0:
            counts[np.argmax(ideal - counts)] += 1
        else:
            counts[np.argmin(np.where(counts > 1, ideal - counts, np.inf))] -= 1
    return [0, *np.cumsum(counts).tolist()]


def _require_waypoints(waypoints: Queries, steps: int) -> None:
    if len(waypoints) < 2:
        raise InvalidPath(
            f"found {len(waypoints)} waypoint{'s' * (len(waypoints) != 1)}; "
            "expected two or more: add where the path should go"
        )
    require_steps(steps, len(waypoints), "waypoints")
    bad = np.flatnonzero(~np.isfinite(waypoints).all(axis=1))
    if len(bad):
        raise InvalidVectors(
            f"found NaN or infinity in waypoint {bad[0] + 1}; expected finite numbers"
        )
    alike = np.flatnonzero((waypoints[1:] == waypoints[:-1]).all(axis=1))
    if len(alike):
        raise InvalidPath(
            f"found the same point twice in a row, waypoints {alike[0] + 1} and {alike[0] + 2}; "
            "expected different ones: leave one out or choose another word"
        )


def require_steps(steps: int, stops: int, what: str) -> None:
    """Raise InvalidPath unless 2 <= steps <= 10,000 and each stop can be a step of its own."""
    if not 2 <= steps <= MAX_STEPS:
        raise InvalidPath(f"found {steps} steps; expected 2 to {MAX_STEPS}")
    if steps < stops:
        raise InvalidPath(
            f"found {steps} steps for {stops} {what}; expected at least {stops}, so that each is "
            "a step: ask for more steps"
        )
