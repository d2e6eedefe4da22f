"""The family "hybrid": a guess from the spelling, and for known texts a coded correction of it.

A correction costs fewer bits than a vector, by as much as spelling tells of it. New texts with
known vectors are added without training: their corrections along the basis that is there are
rounded with the step that is there, and stand in a block of their own, so that
nothing that was known before changes by a bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, Student, StudentSpec, require_room
from core.students.checkpoint import Checkpoints
from core.students.coding.coded_matrix import CodedMatrix
from core.students.coding.vocabulary import Vocabulary
from core.students.families.linear import restored
from core.students.families.speller import TYPICAL_GRAMS, require_share, taught_rows
from core.students.families.transform import TransformSpec, TransformStudent
from core.students.families.transform import fit as fit_transform
from core.students.subwords.subword_embedding import Spelling, learn, least_bytes
from core.types import Matrix, Progress, Queries, Rows

SMALLEST_SHARE, LARGEST_SHARE = 0.01, 0.9
HEADER_BYTES = 600  # the description of the whole and the names of the spelling's arrays


@dataclass(frozen=True, kw_only=True)
class HybridSpec(StudentSpec):
    """``spelling``: share of the bytes for the guesses; ``held_out``: share of word families
    that the spelling is not taught, to be asked (their own rows are coded all the same);
    ``quick``: in some 30 s.
    """

    family: ClassVar[str] = "hybrid"

    spelling: float = 0.15
    held_out: float = 0.05
    quick: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(self.held_out)
        if not SMALLEST_SHARE <= self.spelling <= LARGEST_SHARE:
            raise InvalidSpecification(
                f"found a share of {self.spelling:g} for the spelling; expected "
                f"{SMALLEST_SHARE:g} to {LARGEST_SHARE:g}: 0.15 is a good start"
            )


@dataclass(frozen=True, eq=False)
class Addition:
    """Texts that came later, and their coefficients."""

    words: Vocabulary
    codes: CodedMatrix


@final
class HybridStudent(Student):
    """``corrections`` are of the texts known first, ``additions`` of those that came later."""

    family: ClassVar[str] = "hybrid"

    def __init__(
        self,
        spec: HybridSpec,
        origin: Origin,
        corrections: TransformStudent,
        spelling: Spelling,
        additions: Sequence[Addition] = (),
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(spec, origin, notes)
        self.corrections, self.spelling, self.additions = corrections, spelling, tuple(additions)

    @cached_property
    def vocabulary(self) -> Sequence[str]:
        """All texts with a row, those that were there from the first before those added."""
        words = (
            *self.corrections.vocabulary,
            *(w for addition in self.additions for w in addition.words.texts),
        )
        return tuple(dict.fromkeys(words))

    def generate(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32: a guess, corrected where there are codes; what was added last counts."""
        found = self.guess(texts)
        left = np.arange(len(texts))
        for part in (*reversed(range(len(self.additions))), None):
            words = self.corrections.words if part is None else self.additions[part].words
            places = [words.find(texts[int(index)]) for index in left]
            has = np.array([place is not None for place in places], dtype=bool)
            rows = np.array([place for place in places if place is not None], dtype=np.int64)
            if len(rows):
                found[left[has]] += self._corrections(part, rows)
            left = left[~has]
        return found

    def guess(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32: from the spelling alone, of known texts too."""
        return self.spelling.guess(texts)

    def _corrections(self, part: int | None, rows: Rows) -> Queries:
        if part is None:
            return self.corrections.vectors(rows)
        basis = self.corrections.basis
        decoded: Queries = self.additions[part].codes.rows(rows) @ basis.matrix.T + basis.mean
        return decoded

    def add(self, texts: Sequence[str], vectors: Matrix) -> "HybridStudent":
        """The same student, knowing (n, d) vectors more; nothing it knew changes by a bit.

        Where a text was known, the new vector counts. Raises InvalidSpecification.
        """
        self._require_addable(texts, vectors)
        words, rows = Vocabulary.of(texts)
        codes = self.corrections.codes
        if codes is None:
            raise InvalidSpecification(
                "found a student of a space whose vectors are all the same, which has no "
                "directions to tell new ones along; expected one that varies: train it again"
            )
        wrong = vectors[rows] - self.guess(words.texts)
        coefficients = self.corrections.basis.analysed(wrong)
        # Stand-alone tables for the few: half a kilobyte, and no ties to the codes before.
        addition = Addition(words, CodedMatrix.fit(coefficients, codes.step, rounds=1))
        notes = (*self.notes, f"{len(words):,} texts were added after the training.")
        assert isinstance(self.spec, HybridSpec)
        return HybridStudent(
            self.spec,
            self.origin,
            self.corrections,
            self.spelling,
            (*self.additions, addition),
            notes,
        )

    def _require_addable(self, texts: Sequence[str], vectors: Matrix) -> None:
        if not len(texts) or vectors.shape != (len(texts), self.dim):
            raise InvalidSpecification(
                f"found {len(texts)} texts and vectors of shape {vectors.shape}; expected one "
                f"vector of {self.dim} numbers for each of one text or more"
            )
        if bad := np.flatnonzero(~np.isfinite(vectors).all(axis=1))[:5].tolist():
            named = ", ".join(repr(texts[row])[:40] for row in bad)
            raise InvalidSpecification(
                f"found NaN or infinity for {named}; expected finite numbers: remove those texts"
            )

    def stored(self) -> Stored:
        """The rows' student, the spelling, and what was added."""
        first = self.corrections.stored()
        arrays = {**first.arrays, **self.spelling.arrays()}
        payload: dict[str, Any] = {"corrections": first.payload, "spelling": self.spelling.payload}
        for index, it in enumerate(self.additions):
            arrays[f"vocabulary.added{index}"] = it.words.packed()
            arrays |= it.codes.arrays(f"codes.added{index}")
        return Stored(
            arrays, {**payload, "added": [addition.codes.payload for addition in self.additions]}
        )

    def operations(self) -> int:
        """Of a guess, which costs more than a row."""
        rank, dim = map(int, self.spelling.basis.shape)
        return TYPICAL_GRAMS * rank + rank * dim

    def parameters(self) -> int:
        """Of the spelling and of the rows' basis; codes are not counted."""
        return self.spelling.parameters() + self.corrections.parameters()


def fit(
    space: Space, spec: HybridSpec, progress: Progress, checkpoints: Checkpoints, model: Path | None
) -> HybridStudent:
    """Learn to guess, then code every row. Raises InvalidSpecification, Cancelled."""
    least = least_bytes(space.dim)
    budget = require_room(space, spec, 2 * least + HEADER_BYTES)
    room = max(int(budget * spec.spelling), least)
    rows = taught_rows(space, spec.held_out, spec.seed)
    spelling = learn(
        space.texts, space.vectors, rows, room,
        seed=spec.seed, quick=spec.quick, progress=progress, checkpoints=checkpoints,
    )  # fmt: skip
    taken = sum(array.nbytes for array in spelling.arrays().values())
    overhead = HEADER_BYTES + len(str(spelling.payload))
    left = TransformSpec(bytes_per_item=(budget - taken - overhead) / len(space), seed=spec.seed)
    wrong = Space.create(
        space.texts, space.vectors - spelling.guess(space.texts), space.provenance, ids=space.ids
    )
    known = fit_transform(wrong, left, progress, checkpoints, model)
    assert isinstance(known, TransformStudent)
    return HybridStudent(spec, Origin.of(space), known, spelling, (), known.notes)


def restore(
    spec: HybridSpec, origin: Origin, stored: Stored, notes: Sequence[str]
) -> HybridStudent:
    """A student from what it stored."""
    payload = stored.payload
    seen = Stored(stored.arrays, payload["corrections"])
    known = TransformStudent(TransformSpec(seed=spec.seed), origin, (), *restored(seen))
    additions = []
    for index, told in enumerate(payload["added"]):
        words = Vocabulary.unpacked(stored.arrays[f"vocabulary.added{index}"])  # type: ignore[arg-type]
        part = f"codes.added{index}"
        additions.append(Addition(words, CodedMatrix.restore(stored.arrays, told, part)))
    spelling = Spelling.restore(stored.arrays, payload["spelling"])
    return HybridStudent(spec, origin, known, spelling, additions, notes)


FAMILY = Family(
    name="hybrid",
    title="Knows and reads",
    note="Gives coded rows for what it knows, guesses the rest, and takes new texts at once.",
    spec=HybridSpec,
    fit=fit,
    restore=restore,
    reads=True,
    learns=True,
)
