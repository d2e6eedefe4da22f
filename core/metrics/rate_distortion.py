"""The fewest bits in which vectors of a given covariance can be told at a given error.

For a Gaussian source the answer is exact: every principal component gets error up to one water
level, and those below it are not told at all. No code of any kind does better on Gaussian vectors
drawn one by one; vectors that are not Gaussian can need less, never more, at the same covariance.

Source: Cover & Thomas, Elements of Information Theory, 2006, theorem 10.3.3.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import covariance
from core.types import Matrix

Variances: TypeAlias = npt.NDArray[np.floating]
HALVINGS = 200  # of the bracket: more than float64 can tell apart


def gaussian_limit(variances: Variances, relative_error: float) -> float:
    """Bits per item. ``variances`` (d,) of the principal components, ``relative_error`` in (0, 1].

    Raises InvalidSpecification for other errors, or for variances that are below 0.

    >>> round(gaussian_limit(np.array([4.0]), 0.25), 9)  # half the logarithm of 1 / 0.25
    1.0
    """
    level = water_level(variances, relative_error)
    above = variances[variances > level]
    return float(0.5 * np.log2(above / level).sum()) if level > 0 else 0.0


def water_level(variances: Variances, relative_error: float) -> float:
    """The variance up to which a component is not told: sum(min(variance, level)) is the error."""
    if not 0 < relative_error <= 1:
        raise InvalidSpecification(
            f"found a relative error of {relative_error}; expected more than 0 and at most 1"
        )
    allowed = relative_error * _checked(variances)
    low, high = 0.0, float(variances.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if np.minimum(variances, middle).sum(dtype=np.float64) > allowed:
            high = middle
        else:
            low = middle
    return high


def limit_of(vectors: Matrix, relative_error: float) -> float:
    """Bits per item of a table (n, d): its mean is taken to be known, its rows to be Gaussian."""
    return gaussian_limit(principal_variances(vectors), relative_error)


def principal_variances(vectors: Matrix) -> npt.NDArray[np.float64]:
    """(d,) eigenvalues of the covariance about the mean, largest first; float64."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    found = np.linalg.eigvalsh(covariance(vectors, mean))[::-1]
    variances: npt.NDArray[np.float64] = np.maximum(found, 0.0)
    return variances


def _checked(variances: Variances) -> float:
    """The sum of variances, in float64."""
    if variances.ndim != 1 or not len(variances) or not (variances >= 0).all():
        raise InvalidSpecification(
            "found variances that are not one row of numbers at or above 0; expected the "
            "eigenvalues of a covariance"
        )
    return float(variances.sum(dtype=np.float64))
