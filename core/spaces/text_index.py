"""Texts and their rows: the one rule by which spaces and vocabularies find a row by its text, what
tells equal texts apart, and a list of texts as bytes to digest."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from core.spaces.words import folded, normal

SEPARATOR = "\x1f"  # between texts that are digested together


class TextIndex:
    """Rows by text: exactly, then as it looks (NFC and NFD are one text), then without case.

    Of equal texts the first row answers; what has no look and what case is, says
    :func:`core.spaces.words.folded`.

    >>> index = TextIndex(["Cat", "cat", "dog", "cafe\u0301"])
    >>> index.find("cat"), index.find("CAT"), index.find("cow"), index.find("café")
    (1, 0, None, 3)
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    @cached_property
    def exact(self) -> dict[str, int]:
        """The first row of each text."""
        return {text: row for row, text in reversed(list(enumerate(self._texts)))}

    @cached_property
    def _composed(self) -> dict[str, int]:
        """The first row of each text that is not composed, by its composed form."""
        told = [
            (normal(text), row)
            for row, text in enumerate(self._texts)
            if not (text.isascii() or unicodedata.is_normalized("NFC", text))
        ]
        return dict(reversed(told))

    @cached_property
    def _folded(self) -> dict[str, int]:
        """The first row of each text without case; no call is spent on ASCII."""
        return {
            text.lower() if text.isascii() else folded(text): row
            for row, text in reversed(list(enumerate(self._texts)))
        }

    @cached_property
    def repeated(self) -> frozenset[str]:
        """The texts that come more than once."""
        return frozenset(text for text, count in Counter(self._texts).items() if count > 1)

    def find(self, text: str) -> int | None:
        """The row of a text; None if absent."""
        looks = normal(text)
        for rows, key in ((self.exact, text), (self.exact, looks), (self._composed, looks)):
            if (row := rows.get(key)) is not None:
                return row
        return self._folded.get(folded(text))


def told_apart(texts: Sequence[str]) -> tuple[str, ...]:
    """A unique id for each text: the text, and of equal ones the second with ``#2`` behind it.

    >>> told_apart(["the", "cat", "the", "the"])
    ('the', 'cat', 'the#2', 'the#3')
    """
    taken = set(texts)
    if len(taken) == len(texts):
        return tuple(texts)
    last: dict[str, int] = {}
    ids: list[str] = []
    for text in texts:
        last[text] = number = last.get(text, 0) + 1
        while number > 1 and f"{text}#{number}" in taken:
            last[text] = number = number + 1
        ids.append(text if number == 1 else f"{text}#{number}")
        taken.add(ids[-1])
    return tuple(ids)


def as_bytes(texts: Sequence[str]) -> bytes:
    """A list of texts as bytes, and those of no other list.

    They are parted by U+001F where none holds it, as digests that are kept have them.

    >>> as_bytes(["a", "b"]), as_bytes(["a", "b"]) == as_bytes(["a\\x1fb"])
    (b'a\\x1fb', False)
    """
    if texts and not any(SEPARATOR in text for text in texts):
        return parted(texts)
    return behind_lengths(texts)


def parted(texts: Sequence[str]) -> bytes:
    """Texts with U+001F between any two."""
    return SEPARATOR.join(texts).encode("utf-8", "surrogatepass")


def behind_lengths(texts: Sequence[str]) -> bytes:
    """Texts behind a byte that UTF-8 never has, and their numbers of bytes (int64)."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"\xff" + np.array([*map(len, raw)], np.int64).tobytes() + b"".join(raw)
