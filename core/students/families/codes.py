"""Compositional codes: a row is a short list of numbers, each choosing from a learnt codebook.

Axes of a basis that matter about as much in all share one code, so that a code of 8 bits covers
two strong axes or twenty weak ones. A small network mends what the sum of the chosen entries
leaves. Everything starts from principal axes, bits given by reverse water-filling and k-means on
each group (product quantisation with the bits where they are worth most), and is then trained as
one; codes are chosen anew at every step. The coordinates that they are chosen for stay those of
the start: letting a gradient through the choice move them too (van den Oord and others 2017) was
tried and made the vectors worse.

Sources: Shu & Nakayama 2018 (compositional codes with a decoder); Ge and others 2013 (the start).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification, InvalidStudent, UnknownItem
from core.spaces.space import Space
from core.students.base import (
    Family,
    Origin,
    Stored,
    Student,
    StudentSpec,
    require_room,
)
from core.students.checkpoint import Checkpoints
from core.students.coding.codebook_training import CodebookTraining, learn
from core.students.coding.codebooks import Decoder, pack, plan, unpack
from core.students.coding.vocabulary import Vocabulary
from core.students.storage import size_bytes
from core.types import Progress, Queries, tell

OVERHEAD = 3_000  # bytes of JSON and of the arrays' names, at most
BATCH_ROWS = 8_192
STEPS, QUICK_STEPS = 1_500, 200


@dataclass(frozen=True, kw_only=True)
class CodesSpec(StudentSpec):
    """``quick``: an eighth of the training, to see at once what it would come to.

    ``neighbours``: the weight of keeping who is near whom, beside the vectors themselves.
    """

    family: ClassVar[str] = "codes"

    quick: bool = False
    neighbours: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.neighbours <= 100:
            raise InvalidSpecification(
                f"found a weight of {self.neighbours:g} for the neighbours; expected 0 to 100: "
                "0 keeps the vectors only"
            )


@final
class CodesStudent(Student):
    """Codes of every item, packed, and the decoder that they share."""

    family = "codes"

    def __init__(
        self,
        spec: StudentSpec,
        origin: Origin,
        vocabulary: Vocabulary,
        codes: npt.NDArray[np.uint8],
        decoder: Decoder,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(spec, origin, notes)
        self._vocabulary = vocabulary
        self._codes = codes  # (items, pieces)
        self._decoder = decoder

    @property
    def vocabulary(self) -> Sequence[str]:
        return self._vocabulary.texts

    def generate(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32. Raises UnknownItem for a text that is not in the vocabulary."""
        rows = [self._row(text) for text in texts]
        found = np.empty((len(rows), self.dim), np.float32)
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            found[start : start + len(part)] = self._decoder.decode(self._codes[part])
        return found

    def _row(self, text: str) -> int:
        row = self._vocabulary.find(text)
        if row is None:
            raise UnknownItem(
                f"found {text!r:.60}, which this student does not store; expected one of its "
                f"{len(self._vocabulary):,} texts: a speller or hybrid reads any text"
            )
        return row

    def stored(self) -> Stored:
        shape = self._decoder.plan
        arrays = {
            "vocabulary.packed": self._vocabulary.packed(),
            "codes.packed": pack(self._codes, shape.bits),
            **self._decoder.arrays(),
        }
        return Stored(arrays, {"pieces": shape.pieces, "bits": shape.bits})

    def operations(self) -> int:
        """Multiply-adds: the basis, and both layers of the network."""
        shape = self._decoder.plan
        return shape.axes * self.dim + shape.hidden * (shape.axes + self.dim)


def fit(
    space: Space,
    spec: CodesSpec,
    progress: Progress,
    checkpoints: Checkpoints,
    model: Path | None,  # noqa: ARG001
) -> CodesStudent:
    """Learn codes and decoder. Raises InvalidSpecification where the budget is too small."""
    vocabulary, rows = Vocabulary.of(space.texts)
    fixed = vocabulary.packed().nbytes + OVERHEAD + 4 * space.dim
    budget = require_room(space, spec, fixed)
    vectors = np.ascontiguousarray(space.vectors[rows])
    tell(progress, 0, 100, "finding the axes")
    shape = plan(vectors, budget - fixed)
    training = CodebookTraining(spec.seed, QUICK_STEPS if spec.quick else STEPS, spec.neighbours)
    decoder = learn(vectors, shape, training, progress, checkpoints)
    codes = decoder.encode(vectors)
    notes = []
    if len(rows) < len(space):
        twice = len(space) - len(rows)
        notes.append(f"{twice:,} texts occur more than once; the first vector of each counts")
    student = CodesStudent(spec, Origin.of(space), vocabulary, codes, decoder, notes)
    if size_bytes(student) > round(spec.bytes_per_item * len(space)):
        raise InvalidSpecification(
            f"found {size_bytes(student):,} bytes where {budget:,} were given; expected a budget "
            "with room for long names: give a few bytes per item more"
        )
    return student


def restore(spec: CodesSpec, origin: Origin, stored: Stored, notes: Sequence[str]) -> CodesStudent:
    """The inverse of :meth:`CodesStudent.stored`."""
    arrays: dict[str, npt.NDArray[Any]] = dict(stored.arrays)
    vocabulary = Vocabulary.unpacked(arrays["vocabulary.packed"])
    pieces, bits = int(stored.payload["pieces"]), int(stored.payload["bits"])
    decoder = Decoder.of(arrays, pieces, bits)
    packed = arrays["codes.packed"]
    if packed.nbytes != math.ceil(len(vocabulary) * pieces * bits / 8):
        raise InvalidStudent(
            f"found {packed.nbytes} bytes of codes for {len(vocabulary)} texts of {pieces} codes; "
            "expected as many as were written: copy the student again"
        )
    codes = unpack(packed, len(vocabulary), pieces, bits)
    return CodesStudent(spec, origin, vocabulary, codes, decoder, notes)


FAMILY = Family(
    name="codes",
    title="compositional codes",
    note="Each item is a few numbers that choose from shared lists; a small network puts them "
    "together.",
    spec=CodesSpec,
    fit=fit,
    restore=restore,
    reads=False,
    learns=True,
)
