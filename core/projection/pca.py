"""Principal components: the linear picture with the most variance, the same every time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.spaces.linalg import BLOCK_ROWS, covariance
from core.types import Coords, Matrix, Queries, QueryCoords

DIRECTION_FLOOR = 1e-12  # share of the variance below which a direction is rounding, not data


def pca(unit: Matrix, dims: int = 2) -> tuple[Coords, dict[str, float]]:
    """Coordinates (n, p) of the rows of ``unit`` (n, d), and the share of variance each axis has.

    Exact: the covariance and its eigenvectors are in float64. The unit vectors are taken, since
    all neighbours here are by cosine. An axis points to where its largest loading is positive.
    Where the data has fewer than p directions (d = 1, one item, a constant), the rest is zero.

    Source: Pearson 1901; signs as in scikit-learn's ``svd_flip`` on components.
    """
    plane = principal_plane(unit, dims)
    variances, total = plane.variances, plane.total
    coords = plane(unit)
    shares = {f"explained_variance_{axis + 1}": 0.0 for axis in range(dims)}
    shares |= {f"explained_variance_{axis + 1}": v / total for axis, v in enumerate(variances)}
    return coords, {"explained_variance": sum(shares.values()), **shares}


@dataclass(frozen=True, eq=False)
class PrincipalPlane:
    """A mean (d,) and q directions (d, q) with their variances, of ``total``; q is at most p.

    Casting onto it is what :func:`pca` does, for other rows too.
    """

    mean: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    variances: list[float]
    total: float
    dims: int  # p

    def __call__(self, unit: Queries) -> QueryCoords:
        """(m, p) the shadows of unit rows (m, d); what q lacks is zero."""
        coords = np.zeros((len(unit), self.dims), np.float32)
        for start in range(0, len(unit), BLOCK_ROWS):
            block = unit[start : start + BLOCK_ROWS] - self.mean  # (b, d) float64
            coords[start : start + BLOCK_ROWS, : self.axes.shape[1]] = block @ self.axes
        return coords


def principal_plane(unit: Matrix, dims: int = 2) -> PrincipalPlane:
    """The plane of most variance of unit rows (n, d)."""
    mean = unit.mean(axis=0, dtype=np.float64)
    return PrincipalPlane(mean, *_axes(covariance(unit, mean), dims), dims)


def _axes(
    covariance: npt.NDArray[np.float64], dims: int
) -> tuple[npt.NDArray[np.float64], list[float], float]:
    """Eigenvectors (d, at most p), most variance first; their variances; the total variance."""
    from scipy.linalg import eigh

    d = len(covariance)
    total = float(np.trace(covariance))
    if total < DIRECTION_FLOOR:  # unit vectors that are all the same
        return np.zeros((d, 0)), [], 1.0
    values, vectors = eigh(covariance, subset_by_index=[max(0, d - dims), d - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > DIRECTION_FLOOR * total
    values, vectors = values[kept], vectors[:, kept]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors, [float(value) for value in values], total
