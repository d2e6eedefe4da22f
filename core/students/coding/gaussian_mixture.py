"""A diagonal Gaussian mixture over coefficients: the prior of the variational student.

It is fitted by expectation-maximisation to coefficients with the quantiser's noise on top, which
is what the coder has to tell: a component that is tighter than the noise gains nothing, and none
shrinks onto a point.

Sources: Dempster, Laird & Rubin 1977; noise in place of rounding: Ballé et al. 2017,
arXiv:1611.01704.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from core.types import Coords, Rows

Double: TypeAlias = npt.NDArray[np.float64]
Densities: TypeAlias = npt.NDArray[np.float32]  # (n, components)
ROUNDS = 25
LEARNT_FROM = 40_000  # rows
LEAST = 20  # rows of a component, or it goes


@dataclass(frozen=True, eq=False)
class Mixture:
    """Components with weights (c,), means (c, k) and variances (c, k), noise included."""

    weights: Double
    means: Double
    variances: Double

    @classmethod
    def fit(cls, values: Coords, noise: float, components: int, seed: int) -> "Mixture":
        """Of coefficients (n, k) and the variance of the noise."""
        generator = np.random.default_rng(seed)
        n = len(values)
        sample = values[np.sort(generator.permutation(n)[:LEARNT_FROM])]
        start = sample[generator.permutation(len(sample))[:components]].astype(np.float64)
        spread = np.square(sample, dtype=np.float64).mean(axis=0)
        scales = np.logspace(-0.6, 0.4, len(start))[:, None]
        found = cls(np.full(len(start), 1 / len(start)), start / 2, spread * scales + noise)
        for _ in range(ROUNDS):
            found = found._improved(sample, noise)
        return found

    def _improved(self, sample: Coords, noise: float) -> "Mixture":
        logs = self.logs(sample)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        counts = shares.sum(axis=0)
        kept = counts > LEAST if (counts > LEAST).any() else counts >= counts.max()
        shares, counts = shares[:, kept], counts[kept].astype(np.float64)
        means = (shares.T @ sample) / counts[:, None]
        squares = (shares.T @ np.square(sample)) / counts[:, None]
        variances = np.maximum(squares - np.square(means), 0) + noise
        return Mixture(counts / counts.sum(), means.astype(np.float64), variances)

    def logs(self, values: Coords) -> Densities:
        """(n, c) the logarithm of a component's weight times its density, but for a constant."""
        precisions = 1 / self.variances
        fixed = np.log(self.weights) - 0.5 * (
            np.log(self.variances).sum(axis=1) + (np.square(self.means) * precisions).sum(axis=1)
        )
        found: Densities = values @ (self.means * precisions).T.astype(np.float32)
        found -= 0.5 * (np.square(values) @ precisions.T.astype(np.float32))
        found += fixed.astype(np.float32)
        return found

    def labels(self, values: Coords) -> Rows:
        """(n,) the likeliest component of each row, those that nobody takes left out."""
        found: Rows = np.concatenate(
            [
                self.logs(values[start : start + 65_536]).argmax(axis=1)
                for start in range(0, len(values), 65_536)
            ]
        )
        _, renamed = np.unique(found, return_inverse=True)
        labels: Rows = renamed.astype(np.int64)
        return labels
