"""Texts as few bytes, and back: sorted, each as what it does not share with the one before.

A student's rows lie in its vocabulary's order, so that no permutation has to be kept. Texts that
occur twice are kept once, with the vector of the first.

Source: front coding (Witten, Moffat & Bell, Managing Gigabytes, 1999, section 4.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification, InvalidStudent
from core.spaces.space import frozen
from core.spaces.text_index import TextIndex
from core.students.coding.context_mixing import MOST_SHARED, packed, unpacked
from core.types import Rows

MOST_PACKED = 4_000  # times that a stream may grow: more is damage, not text


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Different texts in the order of their UTF-8 bytes.

    >>> vocabulary, rows = Vocabulary.of(["walked", "cat", "walk", "cat"])
    >>> vocabulary.texts, rows.tolist(), vocabulary.find("Walk")
    (('cat', 'walk', 'walked'), [1, 2, 0], 1)
    >>> Vocabulary.unpacked(vocabulary.packed()).texts == vocabulary.texts
    True
    """

    texts: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> tuple["Vocabulary", Rows]:
        """The vocabulary of a space's texts, and the space's row for each: (r,) int64.

        Where a text occurs twice its first row is taken. Raises InvalidSpecification for half a
        surrogate pair, which no file can hold.
        """
        first: dict[bytes, int] = {}
        for row, text in enumerate(texts):
            first.setdefault(_bytes(text, row), row)
        ordered = sorted(first)
        rows = np.array([first[word] for word in ordered], dtype=np.int64)
        return cls(tuple(word.decode() for word in ordered)), rows

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def _index(self) -> TextIndex:
        return TextIndex(self.texts)

    def find(self, text: str) -> int | None:
        """The place of a text: exactly, then without regard to case; None if absent."""
        return self._index.find(text)

    def packed(self) -> npt.NDArray[np.uint8]:
        """The texts as bytes: how much each shares with the last, and the rest, predicted."""
        return self._packed

    @cached_property
    def _packed(self) -> npt.NDArray[np.uint8]:
        words = [text.encode() for text in self.texts]
        pairs = zip([b"", *words], words, strict=False)
        shared = np.array([_shared(before, word) for before, word in pairs], dtype=np.int64)
        tails = [word[same:] for word, same in zip(words, shared.tolist(), strict=True)]
        content, lengths = b"".join(tails), np.array([len(tail) for tail in tails], dtype=np.int64)
        stream = packed(content, shared, lengths)
        head = np.array([len(words), len(content), crc32(content)], dtype="<u4").tobytes()
        return frozen(np.frombuffer(head + stream, dtype=np.uint8).copy())

    @classmethod
    def unpacked(cls, array: npt.NDArray[np.uint8]) -> "Vocabulary":
        """The inverse of :meth:`packed`. Raises InvalidStudent for bytes that it did not write."""
        whole = array.tobytes()
        try:
            n, total, check = np.frombuffer(whole[:12], dtype="<u4").tolist()
            if max(n, total) > MOST_PACKED * len(whole):
                raise ValueError
            content, shared, lengths = unpacked(whole[12:], n, total)
            if crc32(content) != check:
                raise ValueError
            words, before, at = [], b"", 0
            for same, length in zip(shared.tolist(), lengths.tolist(), strict=True):
                before = before[:same] + content[at : at + length]
                at += length
                words.append(before.decode())
        except ValueError:
            raise InvalidStudent(
                "found a vocabulary that does not unpack; expected the bytes that were packed: "
                "copy the student again, or train it again"
            ) from None
        found = cls(tuple(words))
        found.__dict__["_packed"] = frozen(array.copy())  # what came from disk goes back the same
        return found


def _bytes(text: str, row: int) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidSpecification(
            f"found half a surrogate pair in the text of row {row} ({text!r:.40}); expected whole "
            "characters: mend that text"
        ) from None


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two words have in common at their beginnings, at most 255."""
    most = min(len(one), len(other), MOST_SHARED)
    for place in range(most):
        if one[place] != other[place]:
            return place
    return most
