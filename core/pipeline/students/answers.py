"""Answers of students: as teachers, for one text beside the teacher, as points of a curve."""

from dataclasses import dataclass, field

import numpy as np

from core.errors import MeaningSpaceError
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.student_teacher import StudentTeacher
from core.pipeline.students.pareto import Pareto, ParetoPoint, point_of, stored_pareto
from core.pipeline.workspace import Workspace
from core.spaces.neighbors import nearest
from core.spaces.space import Space
from core.students.base import Student
from core.types import Progress, Vector, silent

NEAREST = 10


@dataclass(frozen=True, eq=False)
class Answer:
    """Where a student puts a text, and the teacher too where it has a vector for it.

    ``vector`` (d,) the student's; ``known`` whether it is stored rather than read; ``nearest``
    and ``teacher_nearest`` are (text, cosine, row) in each one's own space, best first, the text
    itself left out; ``residual`` is 1 - cosine between the two vectors; ``how`` and
    ``teacher_how`` say how each was made.
    """

    text: str
    vector: Vector
    known: bool
    nearest: list[tuple[str, float, int]]
    how: str
    teacher_vector: Vector | None = None
    teacher_nearest: list[tuple[str, float, int]] = field(default_factory=list)
    teacher_how: str = ""
    residual: float | None = None


def teacher_of(workspace: Workspace, key: str) -> StudentTeacher:
    """The student as a teacher. Raises UnknownTeacher, InvalidStudent."""
    teacher = workspace.teacher(PREFIX + key)
    assert isinstance(teacher, StudentTeacher)
    return teacher


def student_of(workspace: Workspace, key: str) -> Student:
    """The student itself, remembered. Raises UnknownTeacher, InvalidStudent."""
    return teacher_of(workspace, key).student


def space_of(workspace: Workspace, key: str, progress: Progress = silent) -> Space:
    """The student's vectors for its teacher's items, kept in the store. Raises Cancelled."""
    return workspace.space(PREFIX + key, progress)


def measured_pareto(workspace: Workspace, teacher: str) -> Pareto | None:
    """Rivals and limit as the job "pareto" measured them, with today's students; else None."""
    measured = stored_pareto(workspace.store, workspace.space_key(teacher))
    return None if measured is None else measured.having(student_points(workspace, teacher))


def student_points(workspace: Workspace, teacher: str) -> tuple[ParetoPoint, ...]:
    """The evaluated students of a teacher, as points of the picture."""
    cards = workspace.catalogue.students(teacher)
    return tuple(
        point_of(card.key, card.title, card.family, card.report) for card in cards if card.report
    )


def answer_of(workspace: Workspace, key: str, text: str, k: int = NEAREST) -> Answer:
    """Where the student puts a text, with the teacher's answer where it has one.

    Raises UnknownItem where the student has no vector for it, InvalidStudent.
    """
    teacher = teacher_of(workspace, key)
    vector, how = teacher.represent(text)
    here = near(space_of(workspace, key), text, vector, k)
    known = teacher.stored(text) is not None
    reference = teacher.student.origin.teacher
    try:
        meant = workspace.represent(reference, text)
        there = near(workspace.space(reference), text, meant.vector, k)
    except MeaningSpaceError:
        return Answer(text, vector, known, here, how)
    scale = float(np.linalg.norm(vector)) * float(np.linalg.norm(meant.vector))
    residual = 1 - float(vector @ meant.vector) / scale if scale else None
    return Answer(text, vector, known, here, how, meant.vector, there, meant.how, residual)


def near(space: Space, text: str, vector: Vector, k: int) -> list[tuple[str, float, int]]:
    """(text, cosine, row) of the k items nearest to a vector (d,), the text's own left out."""
    row = space.find(text)
    rows, cosines = nearest(space.unit, vector[None, :], k, [] if row is None else [row])
    return [
        (space.texts[int(at)], float(cosine), int(at))
        for at, cosine in zip(rows[0], cosines[0], strict=True)
    ]
