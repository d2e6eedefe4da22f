"""A student as a teacher: its space, and its vector for any text, for every page and command."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import MeaningSpaceError, TeacherUnavailable, UnknownItem, Unsupported
from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space
from core.spaces.words import normal
from core.students import registry, storage
from core.students.base import Student
from core.teachers.base import Teacher, TeacherInfo, shown
from core.teachers.lookup import represent_in_table
from core.types import Progress, Queries, Vector, silent, tell

BATCH = 4096  # texts that a student is asked for between two reports of progress


class StudentTeacher:
    """``student:KEY`` or ``student:DIR``: what a student gives for its teacher's items.

    Where the teacher is not there, or now has other items than those stored, the space holds
    the student's own vocabulary.
    """

    def __init__(
        self,
        reference: str,
        where: Path,
        teacher_of: Callable[[str], Teacher],
        space_of: Callable[[str, Progress], Space],
    ) -> None:
        self.reference = reference
        self.where = where
        self._teacher_of = teacher_of
        self._space_of = space_of
        self.digest = storage.digest(where)

    @cached_property
    def student(self) -> Student:
        """The student itself, read on first use. Raises InvalidStudent."""
        return registry.load(self.where)

    @property
    def reads(self) -> bool:
        """Whether it has a vector for any text."""
        return registry.family(self.student.family).reads

    @cached_property
    def info(self) -> TeacherInfo:
        student = self.student
        return TeacherInfo(
            reference=self.reference,
            title=title_of(student),
            items=student.origin.items,
            dim=student.dim,
            can=("rows", "encode") if self.reads else ("rows",),
            licence="as its teacher's",
            size_bytes=student.origin.items * student.dim * 4,
            note=registry.family(student.family).note,
        )

    @cached_property
    def taught_by(self) -> Teacher | None:
        """Its teacher, where that is here."""
        try:
            return self._teacher_of(self.student.origin.teacher)
        except MeaningSpaceError:
            return None

    def fingerprint(self) -> str:
        """Of the student and of the teacher whose items it is asked for."""
        items = "own items"
        if self.taught_by is not None:
            try:
                items = self.taught_by.fingerprint()
            except MeaningSpaceError:  # its package or file is gone by now
                self.__dict__["taught_by"] = None
        return f"student {self.digest} for {items} rows-1"

    def space(self, progress: Progress = silent) -> Space:
        """Its vectors for the teacher's items. Raises Cancelled, Unsupported, InvalidStudent."""
        ids, texts, metadata = self._items(progress)
        student = self.student
        provenance = Provenance(
            teacher=self.reference,
            model=f"{student.family} student of {student.origin.model}",
            revision=self.digest,
            layer="student",
            seed=student.spec.seed,
        )
        vectors = generate_all(student, texts, progress)
        return Space.create(texts, vectors, provenance, ids=ids, metadata=metadata)

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> Queries:
        """(m, d) one vector a text. Raises Unsupported for one that only gives back its items."""
        if not self.reads:
            raise Unsupported(
                f"found {self.reference}, a {self.student.family} student, which gives back what "
                "it stores; expected one that reads text: use a speller, hybrid or encoder"
            )
        return generate_all(self.student, texts, progress)

    def vectors(self, texts: Sequence[str]) -> Queries:
        """(m, d) typed texts, in order, made together where the student can. Raises UnknownItem."""
        kept = [self.stored(text) or text for text in texts]
        whole = all(text in self.student.known or (self.reads and text.strip()) for text in kept)
        if whole and texts:
            return self.student.generate(kept)
        return np.stack([self.represent(text)[0] for text in texts])

    def stored(self, text: str) -> str | None:
        """The text as the student stores it, composed or not; None for one that it reads."""
        return next((it for it in (text, normal(text)) if it in self.student.known), None)

    def represent(self, text: str) -> tuple[Vector, str]:
        """(d,) a text's vector and how it was made. Raises UnknownItem."""
        if not text.strip():
            raise UnknownItem("found an empty text; expected a word or a phrase: type one")
        if (kept := self.stored(text)) is not None:
            return self.student.generate([kept])[0], "given back from what the student stores"
        if self.reads:
            return self.student.generate([text])[0], "read from its letters by the student"
        return represent_in_table(self.space(), text)

    def _with_added(self, given: Space) -> tuple[Sequence[str], Sequence[str], pd.DataFrame]:
        """The teacher's items, and behind them what the student alone was told of."""
        there = {*given.ids, *given.texts}
        added = [text for text in dict.fromkeys(self.student.vocabulary) if text not in there]
        if not added:
            return given.ids, given.texts, given.metadata
        table = word_table(added).reindex(columns=given.metadata.columns)
        metadata = pd.concat([given.metadata, table], ignore_index=True)
        return [*given.ids, *added], [*given.texts, *added], metadata

    def _items(self, progress: Progress) -> tuple[Sequence[str], Sequence[str], pd.DataFrame]:
        """Ids, texts and metadata of what it is asked for."""
        if self.taught_by is not None:
            try:
                given = self._space_of(self.student.origin.teacher, progress)
                if self.reads or all(text in self.student.known for text in given.texts):
                    return self._with_added(given)
            except TeacherUnavailable:
                pass
        own = list(dict.fromkeys(self.student.vocabulary))
        if not own:
            raise Unsupported(
                f"found a student of {shown(self.student.origin.teacher)}, which is not here, "
                "without words of its own; expected texts to ask it for: bring the teacher back, "
                "or ask for texts with `meaning-space generate`"
            )
        return own, own, word_table(own)


def title_of(student: Student) -> str:
    """What a list shows: "hybrid, 40 bytes an item, of glove:30000"."""
    return titled(student.family, student.spec.bytes_per_item, student.origin.teacher)


def titled(family: str, bytes_per_item: float, teacher: str) -> str:
    """The title of a student by what it was asked to be."""
    return f"{family}, {bytes_per_item:g} bytes an item, of {teacher}"


def generate_all(student: Student, texts: Sequence[str], progress: Progress = silent) -> Queries:
    """(m, d) vectors for many texts, in order, reporting on the way. Raises Cancelled."""
    parts: list[Queries] = []
    for start in range(0, len(texts), BATCH):
        tell(progress, start, len(texts), "asking the student for its vectors")
        parts.append(student.generate(texts[start : start + BATCH]))
    tell(progress, len(texts), len(texts), "asking the student for its vectors")
    return np.concatenate(parts) if parts else np.empty((0, student.dim), np.float32)
