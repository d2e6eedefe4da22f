"""Directions, cosines and covariance of rows, each in the one way that all rooms share."""

import numpy as np
import numpy.typing as npt

from core.types import Matrix, Queries

BLOCK_ROWS = 16_384

Floats = npt.NDArray[np.floating]


def unit_rows(vectors: Queries) -> Queries:
    """(m, d) vectors scaled to length 1; a zero vector stays zero (its cosines are 0).

    >>> unit_rows(np.array([[0, 2], [0, 0]], np.float32)).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    whole = np.ascontiguousarray(vectors)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    unit: Queries = np.divide(whole, np.where(lengths > 0, lengths, 1), dtype=np.float32)
    return unit


def paired_cosines(a: Floats, b: Floats, otherwise: npt.ArrayLike = 0.0) -> Floats:
    """(n,) cosine of each row of a with the same row of b; ``otherwise`` where one has no length.

    >>> paired_cosines(np.eye(2), np.array([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("nd,nd->n", a, b)
    return np.where(lengths > 0, products / np.where(lengths > 0, lengths, 1), otherwise)


def covariance(vectors: Matrix, mean: Floats) -> npt.NDArray[np.float64]:
    """(d, d) about ``mean`` (d,), in float64 and block by block: a large table is never held so."""
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS].astype(np.float64) - mean
        total += block.T @ block
    return total / len(vectors)
