"""How fast probabilities fall with their rank: a straight line where both are logarithms?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification

HIGH = 1_000  # the last rank that is fitted
A_DECADE = 20  # ranks of each power of ten that are drawn


@dataclass(frozen=True)
class RankLaw:
    """p = 10 ** ``intercept`` * rank ** ``slope``, fitted over ranks ``low`` to ``high``.

    ``r_squared`` is the share of the variance of log p that the line explains, ranks weighed as in
    the fit.
    """

    slope: float
    intercept: float
    r_squared: float
    low: int
    high: int

    def at(self, ranks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(m,) probabilities on the line."""
        return np.asarray(10**self.intercept * ranks.astype(np.float64) ** self.slope)


def rank_law(shares: npt.NDArray[np.floating], low: int = 1, high: int = HIGH) -> RankLaw:
    """The least-squares line of log p on log rank, ranks from 1.

    ``shares`` (v,) need no order. A rank weighs as much as the stretch of the logarithmic axis that
    it stands for, so every power of ten counts alike; else the many far ranks would outvote the
    few near ones. Ranks of probability 0 are left out. Raises InvalidSpecification where fewer
    than three are left.

    >>> round(rank_law(np.arange(1, 2001) ** -1.5).slope, 6)
    -1.5
    """
    ordered = np.sort(np.asarray(shares, np.float64))[::-1]
    high = min(high, int(np.count_nonzero(ordered > 0)))
    if low < 1 or high - low < 2:
        raise InvalidSpecification(
            f"found ranks {low} to {high} with a probability above 0; expected at least three: "
            "raise the temperature"
        )
    x, y = np.log10(np.arange(low, high + 1)), np.log10(ordered[low - 1 : high])
    weights = _stretches(x)
    slope, intercept = np.polyfit(x, y, 1, w=np.sqrt(weights))
    left = float(np.sum(weights * (y - slope * x - intercept) ** 2))
    whole = float(np.sum(weights * (y - np.average(y, weights=weights)) ** 2))
    return RankLaw(
        float(slope), float(intercept), 1 - left / whole if whole > 0 else 1.0, low, high
    )


def _stretches(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m,) the length of axis nearest to each of the rising x (m,): they add up to all of it."""
    gaps = np.diff(x)
    return np.asarray((np.append(gaps, 0) + np.insert(gaps, 0, 0)) / 2)


def spread_ranks(low: int, high: int) -> npt.NDArray[np.int64]:
    """Whole ranks to draw, at most 20 to a power of ten, evenly on the logarithmic axis.

    >>> spread_ranks(1, 5).tolist()
    [1, 2, 3, 4, 5]
    """
    count = max(2, int(np.ceil(A_DECADE * np.log10(high / low))) + 1)
    return np.unique(np.geomspace(low, high, count).round().astype(np.int64))
