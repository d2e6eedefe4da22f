"""Directions, cosines and covariance of rows, each in the one way that all rooms share."""

import numpy as np
import numpy.typing as npt

from core.types import Matrix, Queries

BLOCK_ROWS = 16_384
SHORT, LONG = 1e-15, 1e18  # between these lengths the squares of float32 numbers lose nothing

Floats = npt.NDArray[np.floating]


def unit_rows(vectors: Queries) -> Queries:
    """(m, d) vectors scaled to length 1; a zero vector stays zero (its cosines are 0).

    >>> unit_rows(np.array([[0, 2], [0, 0], [3e20, 4e20]], np.float32)).round(3).tolist()
    [[0.0, 1.0], [0.0, 0.0], [0.6000000238418579, 0.800000011920929]]
    """
    whole = np.ascontiguousarray(vectors)
    with np.errstate(over="ignore", under="ignore"):  # such rows are done again below
        lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    odd = np.flatnonzero(~((lengths > SHORT) & (lengths < LONG)))
    if len(odd):
        peaks = np.abs(whole[odd]).max(axis=1, keepdims=True)
        whole = whole.copy()
        whole[odd] = np.ldexp(whole[odd], -np.frexp(peaks)[1])  # a power of two: no digit changes
        lengths[odd] = np.linalg.norm(whole[odd], axis=1, keepdims=True)
    unit: Queries = np.divide(whole, np.where(lengths > 0, lengths, 1), dtype=np.float32)
    return unit


def row_lengths(vectors: Floats) -> npt.NDArray[np.float64]:
    """(m,) Euclidean lengths of the rows (m, d), summed in float64: float32 squares end at 1e38.

    >>> row_lengths(np.array([[3.0, 4.0], [0.0, 2.0]], np.float32) * 2.0**70).tolist()
    [5.902958103587057e+21, 2.3611832414348226e+21]
    """
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)))


def paired_cosines(a: Floats, b: Floats, otherwise: npt.ArrayLike = 0.0) -> Floats:
    """(n,) cosine of each row of a with the same row of b; ``otherwise`` where one has no length.

    >>> paired_cosines(np.eye(2), np.array([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    lengths = row_lengths(a) * row_lengths(b)
    products = np.einsum("nd,nd->n", a, b, dtype=np.float64)
    return np.where(lengths > 0, products / np.where(lengths > 0, lengths, 1), otherwise)


def covariance(vectors: Matrix, mean: Floats) -> npt.NDArray[np.float64]:
    """(d, d) about ``mean`` (d,), in float64 and block by block: a large table is never held so."""
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS].astype(np.float64) - mean
        total += block.T @ block
    return total / len(vectors)
