"""The family "speller": reads only the characters of a text, and stores no row of the teacher.

Any text gets a vector, seen before or not: see :mod:`core.students.subwords.subword_embedding`.
How good the guesses are at words that were kept out of the training is what the student is judged
by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.lemmas import split
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, Student, StudentSpec, require_room
from core.students.checkpoint import Checkpoints
from core.students.subwords.subword_embedding import OTHER_BYTES, Spelling, learn, least_bytes
from core.types import Progress, Queries, Rows

TYPICAL_GRAMS = 40  # of a word of eight letters


@dataclass(frozen=True, kw_only=True)
class SpellerSpec(StudentSpec):
    """``held_out``: share of word families kept out, to be asked; ``quick``: in some 15 s."""

    family: ClassVar[str] = "speller"

    held_out: float = 0.05
    quick: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(self.held_out)


def require_share(share: float) -> None:
    """Raises InvalidSpecification for a share of held-out families outside 0 to 0.5."""
    if not 0 <= share <= 0.5:
        raise InvalidSpecification(
            f"found a held-out share of {share:g}; expected 0 to 0.5: 0.05 is a good start"
        )


def taught_rows(space: Space, held_out: float, seed: int) -> Rows:
    """(r,) the rows that a spelling is learnt from: not held out, each text at its first row."""
    kept_out = set(split(space, held_out, seed).kept_out.tolist())
    rows = [row for row in sorted(space.index.exact.values()) if row not in kept_out]
    return np.array(rows, dtype=np.int64)


class SpellerStudent(Student):
    """A spelling, and nothing else."""

    family = "speller"

    def __init__(
        self, spec: SpellerSpec, origin: Origin, spelling: Spelling, notes: Sequence[str] = ()
    ) -> None:
        super().__init__(spec, origin, notes)
        self.spelling = spelling

    @property
    def vocabulary(self) -> Sequence[str]:
        return ()

    def generate(self, texts: Sequence[str]) -> Queries:
        return self.spelling.guess(texts)

    def stored(self) -> Stored:
        return Stored(self.spelling.arrays(), self.spelling.payload)

    def operations(self) -> int:
        rank, dim = map(int, self.spelling.basis.shape)
        return TYPICAL_GRAMS * rank + rank * dim

    def parameters(self) -> int:
        return self.spelling.parameters()


def fit(
    space: Space,
    spec: SpellerSpec,
    progress: Progress,
    checkpoints: Checkpoints,
    model: Path | None,  # noqa: ARG001 — the protocol's
) -> SpellerStudent:
    """Learn to guess. Raises InvalidSpecification where there is nothing to learn."""
    if not (space.vectors != space.vectors[0]).any():
        raise InvalidSpecification(
            f"found {len(space):,} items whose vectors are all the same; expected some that "
            "differ, to learn how spelling tells: choose another space"
        )
    budget = require_room(space, spec, least_bytes(space.dim))
    rows = taught_rows(space, spec.held_out, spec.seed)
    notes = []
    if different := len(space) - len(set(space.texts)):
        notes.append(f"{different:,} texts occur more than once; the first of each was learnt.")
    spelling = learn(
        space.texts, space.vectors, rows, budget - OTHER_BYTES,
        seed=spec.seed, quick=spec.quick, progress=progress, checkpoints=checkpoints,
    )  # fmt: skip
    return SpellerStudent(spec, Origin.of(space), spelling, notes)


def restore(
    spec: SpellerSpec, origin: Origin, stored: Stored, notes: Sequence[str]
) -> SpellerStudent:
    """A student from what it stored."""
    return SpellerStudent(spec, origin, Spelling.restore(stored.arrays, stored.payload), notes)


FAMILY = Family(
    name="speller",
    title="Reads the spelling",
    note="Stores no vectors: guesses each from the letters, also of words that nobody has seen.",
    spec=SpellerSpec,
    fit=fit,
    restore=restore,
    reads=True,
    learns=True,
)
