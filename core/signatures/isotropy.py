"""How narrow a cone the vectors lie in, and what opens it: each an affine map that was fitted.

Cosines between vectors that share a large mean, or a few large dimensions, say little of meaning.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.linalg import covariance, unit_rows
from core.types import Coords, Matrix, Queries

RIDGE = 1e-3

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Opening:
    """(x - mean) @ by, fitted to one set of vectors and good for others of the same space."""

    name: str
    mean: Doubles  # (d,)
    by: Doubles  # (d, p)

    def __call__(self, vectors: Queries) -> Coords:
        """(m, p) float32 from (m, d)."""
        return ((vectors - self.mean) @ self.by).astype(np.float32)


def centring(vectors: Matrix) -> Opening:
    """Takes the mean away."""
    return Opening("centred", vectors.mean(axis=0, dtype=np.float64), np.eye(vectors.shape[1]))


def all_but_the_top(vectors: Matrix, count: int) -> Opening:
    """Takes the mean and the ``count`` leading principal components away.

    Source: Mu & Viswanath 2018 (arXiv:1702.01417), where count is about d / 100.
    """
    _require(count, vectors, 0)
    top = _principal(vectors)[1][:, ::-1][:, :count]
    by = np.eye(vectors.shape[1]) - top @ top.T
    return Opening(f"all but the top {count}", centring(vectors).mean, by)


def whitening(vectors: Matrix, ridge: float = RIDGE) -> Opening:
    """Makes the covariance C the identity, as near to the vectors' own axes as can be (ZCA).

    The map is (C + ridge * trace(C) / d * I)^(-1/2): directions with less than ``ridge`` of the
    mean variance are not blown up. Source: Kessy and others 2018 (arXiv:1512.00809); for sentence
    vectors Su and others 2021 (arXiv:2103.15316).
    """
    if not ridge > 0:
        raise InvalidSpecification(f"found ridge {ridge:g}; expected more than 0: try {RIDGE:g}")
    variances, axes = _principal(vectors)
    if not variances[-1] > 0:
        raise InvalidSpecification("found vectors that are all the same; expected different ones")
    scales = 1 / np.sqrt(np.maximum(variances, 0) + ridge * variances.mean())
    return Opening(f"whitened, ridge {ridge:g}", centring(vectors).mean, axes * scales @ axes.T)


def without_outliers(vectors: Matrix, count: int) -> Opening:
    """Drops the ``count`` dimensions of the largest mean magnitude; p is d - count.

    Source: Timkey & van Schijndel 2021 (arXiv:2109.04404).
    """
    _require(count, vectors, 1)
    order = np.argsort(np.abs(vectors).mean(axis=0, dtype=np.float64), kind="stable")
    kept = np.sort(order[: vectors.shape[1] - count])
    size = vectors.shape[1]
    return Opening(f"without {count} outlier dimensions", np.zeros(size), np.eye(size)[:, kept])


def anisotropy(vectors: Matrix, pairs: int = 10_000, seed: int = 0) -> float:
    """The mean cosine, -1 to 1, of random pairs of rows; 0 where no direction is favoured.

    Source: Ethayarajh 2019 (arXiv:1909.00512).
    """
    if len(vectors) < 2:
        raise InvalidSpecification("found one vector; expected two or more to compare")
    generator = np.random.default_rng(seed)
    first = generator.integers(len(vectors), size=pairs)
    second = (first + generator.integers(1, len(vectors), size=pairs)) % len(vectors)
    chosen, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    unit = unit_rows(vectors[chosen]).astype(np.float64)
    return float(np.mean(np.sum(unit[places[:pairs]] * unit[places[pairs:]], axis=1)))


def _principal(vectors: Matrix) -> tuple[Doubles, Doubles]:
    """Variances (d,), the smallest first, and the axes (d, d) as columns."""
    from scipy.linalg import eigh

    variances, axes = eigh(covariance(vectors, vectors.mean(axis=0, dtype=np.float64)))
    return variances, axes


def _require(count: int, vectors: Matrix, left: int) -> None:
    most = vectors.shape[1] - left
    if not 0 <= count <= most:
        raise InvalidSpecification(f"found {count} to take away; expected 0 to {most}: take fewer")
