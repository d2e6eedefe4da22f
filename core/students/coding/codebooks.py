"""Codebooks over groups of axes: how many, which axes share one, decoding, packing codes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.types import Matrix, Queries

MOST_BITS = 8
MOST_HIDDEN, LEAST_HIDDEN = 96, 4
HALF = 2  # bytes of a 16-bit float

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Plan:
    """``pieces`` codes of ``bits`` bits a row; ``groups`` (axes,) says whose code an axis has."""

    pieces: int
    bits: int
    hidden: int
    groups: npt.NDArray[np.uint16]

    @property
    def axes(self) -> int:
        """Axes that are stored at all."""
        return len(self.groups)


def plan(vectors: Matrix, room: int) -> Plan:
    """The most codes a row that ``room`` bytes hold beside their decoder; (n, d) float32.

    What is left below one more code goes to the network. No variance, no codes.
    """
    n, d = vectors.shape
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centred.T @ centred / n)[::-1]
    bits = max(1, min(MOST_BITS, int(math.log2(max(n, 2))) - 5))
    if variances[0] <= 1e-12 * float(np.square(vectors, dtype=np.float64).mean()):
        return Plan(0, bits, 0, np.zeros(0, np.uint16))
    best = Plan(0, bits, 0, np.zeros(0, np.uint16))
    for pieces in range(1, d + 1):
        rates = water_filling(variances, float(pieces * bits))
        axes = int(np.count_nonzero(rates))
        if pieces > axes:
            break
        left = room - _bytes(n, d, axes, pieces, bits)
        if left < 0:
            break
        hidden = min(MOST_HIDDEN, left // (HALF * (axes + d + 1)))
        groups = _dealt(rates[:axes], pieces)
        best = Plan(pieces, bits, hidden if hidden >= LEAST_HIDDEN else 0, groups)
    return best


def water_filling(variances: npt.NDArray[np.float64], bits: float) -> npt.NDArray[np.float64]:
    """(d,) bits of each axis at the least error, ``bits`` in all (Cover & Thomas, 10.3.3).

    >>> water_filling(np.array([16.0, 1.0, 0.01]), 4.0).round(6).tolist()
    [3.0, 1.0, 0.0]
    """
    logs = np.log2(np.maximum(variances, 1e-30))
    for active in range(len(logs), 0, -1):
        level = (logs[:active].sum() - 2 * bits) / active
        if logs[active - 1] > level:
            break
    rates: npt.NDArray[np.float64] = np.maximum(0.0, (logs - level) / 2)
    rates[active:] = 0
    return rates


@dataclass(frozen=True, eq=False)
class Decoder:
    """Codes to vectors, at stored precision; ``levels`` (axes, 2**bits), ``basis`` (axes, d).

    ``mean`` (d,) and ``scale`` (1,) are kept apart, so that 16 bits hold numbers of any size.

    ``encoder`` (d, axes) makes the coordinates that codes are chosen for; it is not stored.
    """

    plan: Plan
    mean: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    levels: npt.NDArray[np.int8]
    level_scales: npt.NDArray[np.float16]
    basis: npt.NDArray[np.int8]
    basis_scales: npt.NDArray[np.float16]
    inner: npt.NDArray[np.float16]
    bias: npt.NDArray[np.float16]
    outer: npt.NDArray[np.float16]
    encoder: npt.NDArray[np.float32] | None = None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By the names under which they are kept."""
        return {
            "codebooks.levels": self.levels,
            "codebooks.scales": self.level_scales,
            "codebooks.groups": self.plan.groups,
            "weights.mean": self.mean,
            "weights.scale": self.scale,
            "weights.basis": self.basis,
            "weights.scales": self.basis_scales,
            "weights.inner": self.inner,
            "weights.bias": self.bias,
            "weights.outer": self.outer,
        }

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]], pieces: int, bits: int) -> "Decoder":
        """From what :meth:`arrays` gave."""
        bias = arrays["weights.bias"]
        return cls(
            Plan(pieces, bits, len(bias), arrays["codebooks.groups"]),
            arrays["weights.mean"],
            arrays["weights.scale"],
            arrays["codebooks.levels"],
            arrays["codebooks.scales"],
            arrays["weights.basis"],
            arrays["weights.scales"],
            arrays["weights.inner"],
            bias,
            arrays["weights.outer"],
        )

    def decode(self, codes: Codes) -> Queries:
        """(m, pieces) codes to (m, d) vectors."""
        if not self.plan.axes:
            return np.tile(self.mean, (len(codes), 1))
        chosen = codes[:, self.plan.groups]  # (m, axes)
        books = self.levels * self.level_scales.astype(np.float32)[:, None]
        z = books[np.arange(self.plan.axes), chosen]
        found = z @ (self.basis * self.basis_scales.astype(np.float32)[:, None])
        if self.plan.hidden:
            inside = z @ self.inner.astype(np.float32) + self.bias.astype(np.float32)
            found += np.maximum(inside, 0) @ self.outer.astype(np.float32)
        return np.ascontiguousarray(found * self.scale + self.mean, dtype=np.float32)

    def encode(self, vectors: Matrix) -> Codes:
        """(n, pieces) the codes whose entries are nearest to each row's coordinates."""
        codes = np.zeros((len(vectors), self.plan.pieces), np.uint8)
        if self.encoder is None or not self.plan.axes:
            return codes
        books = self.levels * self.level_scales.astype(np.float32)[:, None]
        z = (vectors - self.mean) / self.scale @ self.encoder
        for piece in range(self.plan.pieces):
            mine = self.plan.groups == piece
            book, part = books[mine], np.ascontiguousarray(z[:, mine])
            away = np.square(book).sum(axis=0) - 2 * (part @ book)
            codes[:, piece] = away.argmin(axis=1)
        return codes


def pack(codes: Codes, bits: int) -> npt.NDArray[np.uint8]:
    """(n, pieces) numbers below 2**bits as one stream, the highest bit of each first.

    >>> codes = np.array([[3, 0], [1, 2]], np.uint8)
    >>> pack(codes, 2).tolist(), unpack(pack(codes, 2), 2, 2, 2).tolist()
    ([198], [[3, 0], [1, 2]])
    """
    places = np.unpackbits(codes.reshape(-1, 1), axis=1)[:, 8 - bits :]
    return np.packbits(places)


def unpack(packed: npt.NDArray[np.uint8], n: int, pieces: int, bits: int) -> Codes:
    """The inverse of :func:`pack`."""
    places = np.unpackbits(packed, count=n * pieces * bits).reshape(-1, bits)
    left = np.zeros((len(places), 8 - bits), np.uint8)
    return np.packbits(np.concatenate([left, places], axis=1), axis=1).reshape(n, pieces)


def _bytes(n: int, d: int, axes: int, pieces: int, bits: int) -> int:
    """Codes; levels and basis in 8 bits, their scales in 16, and whose code an axis has."""
    codes = math.ceil(n * pieces * bits / 8)
    return codes + axes * (int(2**bits) + d + 2 * HALF + HALF)


def _dealt(rates: npt.NDArray[np.float64], pieces: int) -> npt.NDArray[np.uint16]:
    """The largest rate left goes to the piece that has least: all come to about the same bits."""
    sums = np.zeros(pieces)
    groups = np.empty(len(rates), np.uint16)
    for axis, rate in enumerate(rates):
        groups[axis] = piece = int(np.argmin(sums))
        sums[piece] += rate
    return groups
