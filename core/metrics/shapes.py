"""Shapes that words lie in: a ring in cyclic order, a row in linear order.

Both are judged in the whole space; the flat picture beside them is PCA's and keeps a share that is
told. Few points in many dimensions always look like something: seven points drawn at random keep
36% of their spread in two directions, so every figure stands beside what chance gives. Where the
same points are read in several ways and the best is told, chance may choose its best, too:
:func:`best_by_chance`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import factorial

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.metrics.ridge_readout import ridge_held_out
from core.types import Coords, Matrix

FEWEST = 5
ALL_ORDERS_UP_TO = 8  # points: 2,520 round trips; above, so many as DRAWN
DRAWN = 20_000  # the true one among them
SHUFFLES = 200  # of the order of a row
ROUNDING = 1e-6  # of a round trip's length
DIGITS = 6  # of a coordinate: below, points are level
PENALTIES = tuple(10.0**power for power in range(-3, 4))

Doubles = npt.NDArray[np.float64]
Orders = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ring:
    """How far n points lie on a ring in the order in which they are given.

    ``coords`` (n, 2) is their PCA, turned so that the first stands at the top and the others
    follow clockwise where they do at all; ``share`` of the spread that it keeps. ``around`` (n,) is
    the order in which they stand around its middle, see :func:`order_around`; ``kept`` of the n
    pairs of neighbours are neighbours there. ``p`` is the share of all ``orders`` (``exact``, or
    drawn) whose round trip through the points is no longer than the true one's, in the whole space.
    ``closing`` is the step from the last to the first in units of the mean of the others: 1 for a
    ring, n - 1 for a straight row. ``scores`` (orders,) are for each order, the true one first,
    what 1 - ``p`` is for the true one.
    """

    coords: Coords
    share: float
    kept: int
    p: float
    orders: int
    exact: bool
    closing: float
    around: Orders
    scores: Doubles

    @property
    def in_order(self) -> bool:
        """Whether all neighbours are kept."""
        return self.kept == len(self.coords)


@dataclass(frozen=True, eq=False)
class Row:
    """How far n points lie along a line in the order in which they are given.

    ``coords`` (n, 2) is their PCA, the order from left to right where there is any; ``share`` of
    the spread that it keeps. ``rank`` is the size of Spearman's correlation between the first
    direction and the order, ``rank_chance`` what 95% of shuffled orders stay below; points that are
    all one have neither. ``read`` is the held-out R² of a ridge that is taught all points but one
    and asked for the place of that one, ``read_chance`` the same for shuffled orders; 0 is always
    saying the mean. ``said`` (n,) are its answers, ``scores`` (1 + shuffles,) the R² of the true
    order and of each shuffled one.
    """

    coords: Coords
    share: float
    rank: float
    rank_chance: float
    read: float
    read_chance: float
    said: Doubles
    scores: Doubles


def flat(points: Matrix) -> tuple[Doubles, float]:
    """(n, 2) the points' first two principal coordinates, and the share of the spread they keep.

    Points that are all one come out as zeros with share 0.
    """
    away = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(away, full_matrices=False)
    spread = float(np.square(sizes).sum())
    if spread <= ROUNDING**2 * float(np.square(points.astype(np.float64)).sum()):
        return np.zeros((len(points), 2)), 0.0
    return left[:, :2] * sizes[:2], float(np.square(sizes[:2]).sum()) / spread


def ring(points: Matrix, seed: int = 0) -> Ring:
    """Judge points (n, d) given in cyclic order. Raises InvalidSpecification for fewer than 5."""
    _require_enough(len(points))
    places, share = flat(points)
    between = _distances(points)
    n = len(points)
    orders, exact = _orders(n, seed)
    trips = between[orders, np.roll(orders, -1, axis=1)].sum(axis=1)
    shares = np.searchsorted(np.sort(trips), trips * (1 + ROUNDING), side="right") / len(trips)
    steps = between[np.arange(n), np.roll(np.arange(n), -1)]
    usual = float(steps[:-1].mean())
    closing = float(steps[-1]) / usual if usual else 1.0
    kept = neighbours_kept(places) if share else 0
    return Ring(
        _upright(places), share, kept, float(shares[0]), len(orders), exact, closing,
        order_around(places), 1 - shares,
    )  # fmt: skip


def order_around(places: Doubles) -> Orders:
    """(n,) the points (n, 2) as they stand around the middle: from the first one, in the sense in
    which the lower of its two neighbours comes next.

    >>> turn = np.array([0.0, 2.0, 4.0, 3.0, 1.0])
    >>> order_around(np.stack([np.cos(turn), np.sin(turn)], axis=1)).tolist()
    [0, 2, 3, 1, 4]
    """
    mixed = np.random.default_rng(0).permutation(len(places))  # equal points: in no order
    angles = np.arctan2(places[mixed, 1], places[mixed, 0])
    around = mixed[np.argsort(angles, kind="stable")]
    around = np.roll(around, -int(np.flatnonzero(around == 0)[0]))
    if around[1] > around[-1]:
        around[1:] = around[:0:-1].copy()
    return around


def neighbours_kept(places: Doubles) -> int:
    """How many of the n pairs of neighbours in cyclic order are neighbours around the middle.

    >>> turn = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    >>> neighbours_kept(np.stack([np.cos(turn), np.sin(turn)], axis=1))
    7
    """
    n = len(places)
    at = np.argsort(order_around(places))
    apart = (np.roll(at, -1) - at) % n
    return int(((apart == 1) | (apart == n - 1)).sum())


def chance_in_order(n: int) -> float:
    """How likely all neighbours are kept by n points in a random order: 1 of (n - 1)! / 2.

    >>> round(1 / chance_in_order(7))
    360
    """
    return 2 / factorial(n - 1)


def chance_in_layers(found: Sequence[Ring]) -> float:
    """How likely a random order of the same n points, read in several ways, is kept whole in as
    many of these as the true one; 1 where that is in none.

    Exact: each reading keeps a single order whole, so it is enough to count those.
    """
    n = len(found[0].coords)
    counts = Counter(tuple(it.around.tolist()) for it in found if it.share)
    own = counts[tuple(range(n))]
    return sum(value >= own for value in counts.values()) * chance_in_order(n) if own else 1.0


def best_by_chance(scores: Doubles) -> tuple[float, float]:
    """How good the best of several readings is beside the best that chance finds in them.

    ``scores`` (readings, orders), larger is better, have the true order first and the same orders
    in every reading. The p is the share of orders (the true one among them) whose best score over
    the readings is at least the true one's best; beside it what 95% of the others' best stay below
    (the maximum statistic of Westfall & Young 1993). It holds for readings that are alike, too.

    >>> best_by_chance(np.array([[0.9, 0.1, 0.2, 0.3], [0.8, 0.95, 0.1, 0.3]]))[0]
    0.5
    """
    best = scores.max(axis=0)
    return float((best >= best[0]).mean()), float(np.quantile(best[1:], 0.95))


@lru_cache(maxsize=8)
def kept_by_chance(n: int) -> int:
    """How many neighbours 95% of n points in a random order keep at most."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    generator = np.random.default_rng(0)
    kept = [neighbours_kept(around[generator.permutation(n)]) for _ in range(2000)]
    return int(np.quantile(kept, 0.95))


def row(points: Matrix, seed: int = 0) -> Row:
    """Judge points (n, d) given in linear order. Raises InvalidSpecification for fewer than 5."""
    _require_enough(len(points))
    places, share = flat(points)
    n = len(points)
    order = np.arange(n, dtype=np.float64)
    shuffled = _shuffled(n, seed)
    rank, *chance = _rank_correlations(places[:, 0], np.stack([order, *shuffled]))
    targets = np.concatenate([order[None], shuffled])[:, :, None]
    said, usual = ridge_held_out(points, targets, np.arange(n), PENALTIES)
    wrong = np.square(said - targets).sum(axis=(1, 2))
    read = 1 - wrong / np.square(usual - targets).sum(axis=(1, 2))
    if rank and np.corrcoef(places[:, 0], order)[0, 1] < 0:
        places = places * [-1, 1]
    return Row(
        places.astype(np.float32),
        share,
        float(rank),
        float(np.quantile(chance, 0.95)),
        float(read[0]),
        float(np.quantile(read[1:], 0.95)),
        said[0, :, 0],
        read,
    )


def _rank_correlations(along: Doubles, orders: Doubles) -> Doubles:
    """(o,) the size of Spearman's correlation of places (n,) with each order (o, n), ties averaged;
    0 where all places are equal."""
    from scipy.stats import rankdata

    size = np.abs(along).max()
    if not size:
        return np.zeros(len(orders))
    ranks = rankdata(np.round(along / size, DIGITS))
    found: Doubles = np.abs(np.corrcoef(ranks, orders)[0, 1:])
    return found


@lru_cache(maxsize=8)
def share_by_chance(n: int, dim: int, draws: int = 200) -> float:
    """The median share of spread that two directions keep of n points drawn at random (normal, the
    same in every direction) in so many dimensions."""
    generator = np.random.default_rng(0)
    drawn = (generator.normal(size=(n, dim)).astype(np.float32) for _ in range(draws))
    return float(np.median([flat(points)[1] for points in drawn]))


def _require_enough(n: int) -> None:
    if n < FEWEST:
        raise InvalidSpecification(
            f"found {n} points; expected at least {FEWEST}: fewer are in order by chance too often"
        )


def _distances(points: Matrix) -> Doubles:
    away = points.astype(np.float64)[:, None] - points.astype(np.float64)[None]
    found: Doubles = np.sqrt(np.square(away).sum(axis=-1))
    return found


@lru_cache(maxsize=8)
def _orders(n: int, seed: int) -> tuple[Orders, bool]:
    """(o, n) round trips that begin with the first point, the true one first, each in one of its
    two senses; whether they are all that there are."""
    if n > ALL_ORDERS_UP_TO:
        generator = np.random.default_rng(seed)
        rest = np.tile(np.arange(1, n), (DRAWN, 1))
        rest[1:] = generator.permuted(rest[1:], axis=1)
    else:
        rest = np.array([it for it in permutations(range(1, n)) if it[0] < it[-1]])
    start = np.zeros((len(rest), 1), np.int64)
    return np.concatenate([start, rest], axis=1), n <= ALL_ORDERS_UP_TO


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int) -> Doubles:
    """(s, n) shuffled orders."""
    generator = np.random.default_rng(seed)
    return generator.permuted(np.tile(np.arange(n, dtype=np.float64), (SHUFFLES, 1)), axis=1)


def _upright(places: Doubles) -> Coords:
    """Turned so that the first point stands at the top, mirrored so that most go clockwise."""
    angles = np.arctan2(places[:, 1], places[:, 0])
    steps = (np.roll(angles, -1) - angles + np.pi) % (2 * np.pi) - np.pi
    turned = angles - angles[0]
    clockwise = -turned if steps.sum() > 0 else turned
    size = np.linalg.norm(places, axis=1)
    placed = np.stack([-size * np.sin(clockwise), size * np.cos(clockwise)], axis=1)
    return placed.astype(np.float32)
