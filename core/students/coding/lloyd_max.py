"""Scalar quantisation at a fixed rate: bits go to the axes by greed, levels where numbers lie.

Source: Lloyd 1982 and Max 1960 for the levels; Gersho & Gray 1992, chapter 8, for the bits.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.types import Coords, Matrix

LLOYD_ROUNDS = 40
# Distortion of Lloyd-Max levels on a unit Gaussian, for 0 to 8 bits (Max 1960, table I).
GAUSSIAN = (1.0, 0.3634, 0.1175, 0.03454, 0.009497, 0.002499, 0.0006442, 0.0001635, 0.0000412)

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LloydMax:
    """``bits`` (d,) of each axis; ``levels`` of each axis that has any, rising, at 16 bits."""

    bits: npt.NDArray[np.int64]
    levels: tuple[npt.NDArray[np.float32], ...]

    @property
    def numbers(self) -> int:
        """Levels of all axes together."""
        return sum(len(level) for level in self.levels)

    def encode(self, values: Matrix) -> Codes:
        """(n, axes) the place of the nearest level, of the axes that have bits."""
        codes = np.empty((len(values), len(self.levels)), np.uint8)
        for axis, levels in enumerate(self.levels):
            codes[:, axis] = np.searchsorted((levels[1:] + levels[:-1]) / 2, values[:, axis])
        return codes

    def decode(self, codes: Codes) -> Coords:
        """(n, axes) the levels."""
        found = [levels[codes[:, axis]] for axis, levels in enumerate(self.levels)]
        return np.stack(found, axis=1) if found else np.zeros((len(codes), 0), np.float32)


def lloyd_max_coder(values: Matrix, budget: int) -> LloydMax:
    """Fit to (n, d) whose variances fall from axis to axis: ``budget`` bits a row in all."""
    variances = values.var(axis=0, dtype=np.float64)
    bits = allotted(variances, budget)
    rising = np.sort(values[:, bits > 0], axis=0)
    levels = [_levels(rising[:, axis], int(b)) for axis, b in enumerate(bits[bits > 0])]
    return LloydMax(bits, tuple(levels))


def allotted(variances: npt.NDArray[np.float64], budget: int) -> npt.NDArray[np.int64]:
    """(d,) bits, each given where it takes away most distortion; no axis has more than 8.

    >>> allotted(np.array([9.0, 1.0, 0.1]), 4).tolist()
    [3, 1, 0]
    """
    bits = np.zeros(len(variances), np.int64)
    gains = -np.diff(GAUSSIAN, append=GAUSSIAN[-1])
    for _ in range(budget):
        worth = variances * gains[bits]
        best = int(np.argmax(worth))
        if worth[best] <= 0:
            break
        bits[best] += 1
    return bits


def _levels(rising: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.float32]:
    """2**bits levels of sorted numbers (n,), each the mean of those nearest to it."""
    count = 2**bits
    places = ((np.arange(count) + 0.5) / count * len(rising)).astype(np.int64)
    levels = rising[places].astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(rising, dtype=np.float64)])
    for _ in range(LLOYD_ROUNDS):
        inner = np.searchsorted(rising, (levels[1:] + levels[:-1]) / 2)
        ends = np.concatenate([[0], inner, [len(rising)]])
        sizes = np.diff(ends)
        means = np.diff(sums[ends]) / np.maximum(sizes, 1)
        levels = np.sort(np.where(sizes > 0, means, levels))
    rounded: npt.NDArray[np.float32] = levels.astype(np.float16).astype(np.float32)
    return rounded
