"""Whether two measurements of the same items differ, when many such questions are asked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FLIPS = 9_999  # drawn; the least p that can be found is 1 / 10,000
AT_ONCE = 1_000


def sign_flip(differences: npt.ArrayLike, seed: int = 0) -> float:
    """The two-sided p of a mean difference (n,) this large or larger, if each item's difference
    could as well have had the other sign (Fisher 1935's permutation test for pairs).

    NaN where there is nothing to compare, 1 where all are equal.
    """
    own = np.asarray(differences, np.float64)
    if not len(own) or not np.isfinite(own).all():
        return float("nan")
    generator = np.random.default_rng(seed)
    # Rounding must not make a flip that gives the same mean look smaller.
    found = abs(own.mean()) * (1 - 1e-12)
    as_large = 0
    for start in range(0, FLIPS, AT_ONCE):
        signs = generator.integers(0, 2, (min(AT_ONCE, FLIPS - start), len(own))) * 2 - 1
        as_large += int((np.abs(signs @ own) / len(own) >= found).sum())
    return (as_large + 1) / (FLIPS + 1)


def holm(p: Sequence[float]) -> list[float]:
    """The p of each of several questions, as they are once all were asked (Holm 1979): the chance
    that one or more that are below a bound are so by luck is at most that bound.

    >>> [round(it, 3) for it in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    own = np.asarray(p, np.float64)
    order = np.argsort(own, kind="stable")
    raised = np.maximum.accumulate(own[order] * np.arange(len(own), 0, -1))
    adjusted = np.empty_like(own)
    adjusted[order] = np.minimum(raised, 1)
    return [float(it) for it in adjusted]
