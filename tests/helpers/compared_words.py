"""Two small spaces that share most of their words: one a turned copy, with some words astray."""

from pathlib import Path

import numpy as np
from small_words import small_words

ASTRAY = ("dog", "ocean", "king")
"""Words that in the second space have the vectors of others."""


def write_second(path: Path, shared: int = 250, dims: int = 50) -> Path:
    """The first words of the small space, turned as a whole; what is astray swaps its place.

    With other ``dims`` the space is seen in so many of its directions.
    """
    words, vectors = small_words()
    words, vectors = words[:shared], vectors[:shared].copy()
    rows = [words.index(word) for word in ASTRAY]
    vectors[rows] = vectors[[*rows[1:], rows[0]]]
    generator = np.random.default_rng(11)
    turn, _ = np.linalg.qr(generator.normal(size=(vectors.shape[1], vectors.shape[1])))
    turned = (vectors @ turn)[:, :dims].astype(np.float32)
    np.savez(path, words=np.array(words, dtype=str), vectors=turned)
    return path


def write_strange(path: Path) -> Path:
    """A space that shares no word with any other."""
    words = [f"strange{number}" for number in range(40)]
    vectors = np.random.default_rng(3).normal(size=(40, 50)).astype(np.float32)
    np.savez(path, words=np.array(words), vectors=vectors)
    return path
