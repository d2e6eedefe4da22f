"""Earlier texts that a text looks like: walk for walked. They tell something of its vector, free.

In a sorted vocabulary the relatives of a text stand just before it, so both sides find them from
the texts alone; what is stored is one gain for each grade of likeness.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from core.students.coding.trellis import compiled
from core.types import Coords, Scores

Array = npt.NDArray[Any]

GRADES = 10  # of likeness, 0 to 1 in equal parts
STEP = 256  # parts of a gain


@dataclass(frozen=True, eq=False)
class Relatives:
    """For n rows: how far back the relative stands (0: none), and how alike they are."""

    before: Array  # (n,) int64
    grades: npt.NDArray[np.uint8]  # (n,)
    steps: npt.NDArray[np.uint8]  # (GRADES,) gains in 1/256; () where there are none

    @classmethod
    def none(cls, n: int) -> "Relatives":
        """No row is predicted."""
        return cls(np.zeros(n, np.int64), np.zeros(n, np.uint8), np.zeros(0, np.uint8))

    @classmethod
    def of(cls, texts: Sequence[str], block: int) -> "Relatives":
        """The most alike of those before each text within its block of rows. Texts are sorted.

        Likeness is the shared beginning, twice, by the two lengths together, in bytes.
        """
        words = [text.encode() for text in texts]
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        content = np.frombuffer(b"".join(words) or b"\0", np.uint8)
        before, likeness = np.zeros(len(words), np.int64), np.zeros(len(words), np.float64)
        begins = np.cumsum(lengths) - lengths
        compiled(_liken)(content, begins, lengths, block, before, likeness)
        grades = np.minimum(likeness * GRADES, GRADES - 1).astype(np.uint8)
        return cls(before, grades, np.zeros(GRADES, np.uint8))

    @property
    def gains(self) -> Scores:
        """(n,) float32: how much of its relative a row takes."""
        if not len(self.steps):
            return np.zeros(len(self.before), np.float32)
        return self.steps.astype(np.float32)[self.grades] / np.float32(STEP)

    def scaled(self, steps: npt.NDArray[np.uint8]) -> "Relatives":
        """The same with other gains."""
        return replace(self, steps=steps)

    def take(self, rows: Array) -> "Relatives":
        """Those of some rows: whole blocks."""
        return Relatives(self.before[rows], self.grades[rows], self.steps)

    def predicted(self, matrix: Coords) -> Coords:
        """(n, k) what is known of each row from its relative."""
        gains = np.where(self.before > 0, self.gains, np.float32(0))
        whole: Coords = matrix[np.arange(len(matrix)) - self.before] * gains[:, None]
        return whole

    def fitted(self, matrix: Coords) -> "Relatives":
        """The gains that leave least of (n, k), by grade: least squares, 0 to 1."""
        has = self.before > 0
        rows = np.flatnonzero(has)
        theirs = matrix[rows - self.before[rows]]
        ours = np.einsum("nk,nk->n", matrix[rows], theirs)
        own = np.einsum("nk,nk->n", theirs, theirs)
        dots = np.bincount(self.grades[rows], ours, GRADES)
        squares = np.bincount(self.grades[rows], own, GRADES)
        gains = dots / np.maximum(squares, 1e-30)
        return self.scaled(np.clip(np.round(gains * STEP), 0, STEP - 1).astype(np.uint8))


def _liken(
    content: Array, begins: Array, lengths: Array, block: int, before: Array, likeness: Array
) -> None:
    n = len(lengths)
    shared = np.zeros(n, np.int64)  # with the text before
    for i in range(1, n):
        most = min(lengths[i], lengths[i - 1])
        same = 0
        while same < most and content[begins[i] + same] == content[begins[i - 1] + same]:
            same += 1
        shared[i] = same
        least = same
        for j in range(i - 1, i - i % block - 1, -1):
            if least == 0:
                break
            alike = 2.0 * least / (lengths[i] + lengths[j])
            if alike > likeness[i]:
                likeness[i] = alike
                before[i] = i - j
            least = min(least, shared[j])
