"""How sure a figure is: bootstrap over items, and Student's t over seeds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
BOOTSTRAP_UP_TO = 20_000  # values; above, the mean is normal to more digits than anybody reads
FEWEST_SEEDS = 3
CELLS = 2**20  # drawn at once

Draws = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds between which it lies with probability ``level``."""

    value: float
    low: float
    high: float
    level: float = 0.95

    def report(self) -> list[float]:
        """[low, high], as JSON has it."""
        return [self.low, self.high]


def interval(
    values: npt.ArrayLike, level: float = 0.95, seed: int = 0, over: npt.ArrayLike | None = None
) -> Interval:
    """The mean of ``values`` (n,); with ``over`` (n,) the ratio of the two sums.

    Percentile bootstrap over the n items (Efron & Tibshirani 1993); above 20,000 items its
    normal limit, which spares drawing a thousand samples of each. Nothing measured gives NaN.

    >>> interval([1.0, 1.0, 1.0])
    Interval(value=1.0, low=1.0, high=1.0, level=0.95)
    """
    above = np.asarray(values, dtype=np.float64)
    below = np.ones_like(above) if over is None else np.asarray(over, dtype=np.float64)
    if not len(above) or below.sum() == 0:
        return Interval(math.nan, math.nan, math.nan, level)

    if len(above) > BOOTSTRAP_UP_TO:
        return _normal(above, below, level)

    def ratio(drawn: Draws) -> Values:
        return np.asarray(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))

    return bootstrap(ratio, len(above), level, seed)


def bootstrap(
    statistic: Callable[[Draws], Values], n: int, level: float = 0.95, seed: int = 0
) -> Interval:
    """Any statistic of n items, by the percentiles of a thousand resamples.

    ``statistic`` takes samples as rows of items, (b, n), and gives (b,); those that are NaN (a
    correlation of equal values) are left out.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, CELLS // n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(np.arange(n)[None])[0])
        drawn = np.concatenate(
            [
                statistic(generator.integers(0, n, (min(at_once, RESAMPLES - start), n)))
                for start in range(0, RESAMPLES, at_once)
            ]
        )
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value, math.nan, math.nan, level)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def seeds_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean over seeds, by Student's t; below three seeds the bounds are NaN: unknown.

    >>> found = seeds_interval([0.1, 0.2, 0.3])
    >>> round(found.low, 3), round(found.high, 3)
    (-0.048, 0.448)
    """
    from scipy.stats import t

    value = float(np.mean(values)) if values else math.nan
    if len(values) < FEWEST_SEEDS:
        return Interval(value, math.nan, math.nan, level)
    half = float(
        t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    )
    return Interval(value, value - half, value + half, level)


def _normal(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], level: float
) -> Interval:
    """The ratio of sums by the delta method, which for ``below`` of ones is the mean's."""
    from scipy.stats import norm

    ratio = float(above.sum() / below.sum())
    spread = float(np.std(above - ratio * below, ddof=1)) / math.sqrt(len(above))
    half = float(norm.ppf((1 + level) / 2)) * spread / abs(float(below.mean()))
    return Interval(ratio, ratio - half, ratio + half, level)
