"""What students that read any text share: coded arrays, a tokenizer, a model built from both."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

from core.students.base import Origin, Stored, Student, StudentSpec
from core.students.coding.vocabulary import Vocabulary
from core.students.encoders.wordpiece import WordPiece

TYPICAL = 8  # pieces of the text that operations are counted for


@runtime_checkable  # the tests check annotations at run time
class HasOperations(Protocol):
    """A model's shape, which knows what it costs."""

    def operations(self, tokens: int) -> int: ...


class ReadingStudent(Student):
    """Reads any text. Everything it needs is in its arrays; the model is built on first use."""

    def __init__(
        self, spec: StudentSpec, origin: Origin, kept: Stored, notes: Sequence[str] = ()
    ) -> None:
        super().__init__(spec, origin, notes)
        self._kept = kept

    @property
    @abstractmethod
    def shape(self) -> HasOperations:
        """The shape of its model."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ()

    def stored(self) -> Stored:
        return self._kept

    def operations(self) -> int:
        """Multiply-adds for a text of 8 pieces and the two that frame it."""
        return self.shape.operations(TYPICAL + 2)

    def parameters(self) -> int:
        """The whole numbers that are coded, and the real ones."""
        shapes: Any = self._kept.payload["grids"]
        return int(sum(rows * columns for rows, columns in shapes)) + super().parameters()

    @cached_property
    def pieces(self) -> WordPiece:
        """Its tokenizer: the teacher's, less the pieces that no text produces."""
        payload = self._kept.payload
        packed = np.asarray(self._kept.arrays["vocabulary.pieces"], dtype=np.uint8)
        texts = Vocabulary.unpacked(packed).texts
        return WordPiece(texts, payload["rules"], payload["longest"])
