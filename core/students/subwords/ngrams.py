"""Strings of one to six characters that a text is made of, as numbers: its grams.

A gram is known by 24 bits of a hash that is the same on every machine and in every process. The
grams that a student has a vector for stand in a sorted table, so that a text nobody has seen is
read by the grams that it shares with texts that were; a single character without a place of its
own falls into one of a few shared places, so that any script, and any emoji, says something.

    "walk" -> w a l k <w wa al lk k> <wa wal alk lk> ... (with < and > for its two ends)

Source: subword information as in Bojanowski et al. 2017, arXiv:1607.04606; a table of the grams
that were seen in place of hashed buckets, so that grams that were not seen add no noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidStudent
from core.spaces.subwords import bare, follows
from core.spaces.words import normal

LONGEST = 6  # characters of a gram
SHARED = 64  # places for single characters that have none of their own
HASH_BITS = 24
BYTES = 3
CHUNK = 32_768  # texts that are hashed at once
BEGIN, INSIDE, END = 0x110000, 0x110001, 0x110002  # no characters: Unicode ends before them

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Bags:
    """Places in a table for each of n texts, one after the other.

    ``places`` (t,) int64; text i has those from ``starts[i]`` to ``starts[i + 1]``; ``counts``
    (n,) is how many grams it has in all, with those that have no place.
    """

    places: Array
    starts: Array
    counts: Array

    def take(self, rows: Array) -> "Bags":
        """The bags of some texts, in order."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        at = np.repeat(self.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
        return Bags(self.places[at], starts, self.counts[rows])

    @cached_property
    def weights(self) -> npt.NDArray[np.float32]:
        """(t,) float32: one over the root of a text's grams, so that long texts are not louder."""
        scale = 1 / np.sqrt(np.maximum(self.counts, 1))
        return np.repeat(scale, np.diff(self.starts)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Grams:
    """The grams that have a place: (f,) sorted, different, below 2^24."""

    hashes: npt.NDArray[np.uint32]

    @classmethod
    def commonest(cls, texts: Sequence[str], most: int, least: int = 2) -> "Grams":
        """At most ``most`` grams that occur ``least`` times or more, those that say most first.

        What a gram says is how often it occurs times the square of its surprise.
        """
        every = np.concatenate([part for part, _, _ in _chunks(texts)] or [np.zeros(0, np.uint32)])
        found, counts = np.unique(every, return_counts=True)
        found, counts = found[counts >= least], counts[counts >= least]
        said = counts * np.log(max(len(texts), 2) / np.minimum(counts, len(texts) - 0.5)) ** 2
        chosen = np.sort(np.argsort(-said, kind="stable")[: max(most, 0)])
        return cls(found[chosen])

    def __len__(self) -> int:
        """Places, the shared ones too."""
        return len(self.hashes) + SHARED

    def bags(self, texts: Sequence[str]) -> Bags:
        """The places of every text's grams.

        >>> grams = Grams.commonest(["walk", "walked", "talk"], 100)
        >>> len(grams.bags(["balk"]).places) > 0, len(grams.bags(["😀"]).places)
        (True, 1)
        """
        places, sizes, counts = [], [], []
        for hashes, single, owners in _chunks(texts):
            n = int(owners[-1]) + 1 if len(owners) else 0
            at, known = self._find(hashes)
            at[single & ~known] = len(self.hashes) + hashes[single & ~known] % SHARED
            kept = known | single
            places.append(at[kept])
            sizes.append(np.bincount(owners[kept], minlength=n))
            counts.append(np.bincount(owners, minlength=n))
        whole = [
            np.concatenate([np.zeros(0, np.int64), *parts]) for parts in (places, sizes, counts)
        ]
        return Bags(whole[0], np.concatenate([[0], np.cumsum(whole[1])]), whole[2])

    def _find(self, hashes: Array) -> tuple[Array, Array]:
        """Where each hash stands, and whether it stands there."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), bool)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return at.astype(np.int64), self.hashes[at] == hashes

    def packed(self) -> npt.NDArray[np.uint8]:
        """(f, 3) uint8, the bytes of each hash."""
        return np.stack([self.hashes >> 8 * i & 255 for i in range(BYTES)], axis=1).astype(np.uint8)

    @classmethod
    def unpacked(cls, array: npt.NDArray[np.uint8]) -> "Grams":
        """The inverse of :meth:`packed`. Raises InvalidStudent."""
        if array.ndim != 2 or array.shape[1] != BYTES:
            raise InvalidStudent(
                f"found grams of shape {array.shape}; expected {BYTES} bytes each: train the "
                "student again"
            )
        wide = array.astype(np.uint32)
        return cls((wide[:, 0] | wide[:, 1] << 8 | wide[:, 2] << 16).astype(np.uint32))


def gram_hashes(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Array, Array]:
    """(t,) the hashes of all grams, (t,) whether of one character, (t,) the text each is of.

    In the texts' order. Every text has one gram at least: the empty one has that of its two ends.
    """
    codes, starts = _characters(texts)
    sizes = np.diff(starts)
    per_order = [np.maximum(sizes - 2, 0)]
    per_order += [np.maximum(sizes - n + 1, 0) for n in range(2, LONGEST + 1)]
    before = np.concatenate([[0], np.cumsum(sum(per_order))])
    hashes = np.empty(before[-1], np.uint32)
    single = np.zeros(before[-1], bool)
    owners = np.repeat(np.arange(len(texts)), np.diff(before))
    text_of = np.repeat(np.arange(len(texts)), sizes)
    filled = before[:-1].copy()
    rolling = np.zeros(len(codes), np.uint64)
    for n, count in enumerate(per_order, start=1):
        reach = len(codes) - n + 1
        if reach <= 0:
            break
        rolling = rolling[:reach] * np.uint64(0x100000001B3) + codes[n - 1 :] + np.uint64(1)
        inside = text_of[:reach] == text_of[n - 1 :]
        if n == 1:
            inside = codes < BEGIN
        begins = np.flatnonzero(inside)
        of = text_of[begins]
        at = filled[of] + begins - starts[of] - (n == 1)
        hashes[at] = _mixed(rolling[begins] + np.uint64(n << 56))
        single[at] = n == 1
        filled += count
    return hashes, single, owners


def _characters(texts: Sequence[str]) -> tuple[Array, Array]:
    """(c,) uint64 code points of all texts, ends marked, and (n + 1,) where each starts."""
    inside = np.array([follows(text) for text in texts])
    read = [normal(bare(text)).casefold() for text in texts]
    sizes = np.array([len(text) for text in read], dtype=np.int64) + 2
    starts = np.concatenate([[0], np.cumsum(sizes)])
    codes = np.empty(starts[-1], np.uint64)
    middle = np.ones(starts[-1], bool)
    middle[starts[:-1]] = middle[starts[1:] - 1] = False
    flat = "".join(read).encode("utf-32-le", "surrogatepass")
    codes[middle] = np.frombuffer(flat, np.uint32)
    codes[starts[:-1]] = np.where(inside, INSIDE, BEGIN) if len(texts) else []
    codes[starts[1:] - 1] = END
    return codes, starts


def _mixed(values: Array) -> npt.NDArray[np.uint32]:
    """The top 24 bits after mixing: the finaliser of splitmix64 (Steele et al. 2014)."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    values = values ^ values >> np.uint64(31)
    top: npt.NDArray[np.uint32] = (values >> np.uint64(64 - HASH_BITS)).astype(np.uint32)
    return top


def _chunks(texts: Sequence[str]) -> list[tuple[npt.NDArray[np.uint32], Array, Array]]:
    return [gram_hashes(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
