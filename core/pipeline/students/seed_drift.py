"""How far items lie apart in two spaces, and how far two seeds of one student lie apart."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import MeaningSpaceError
from core.metrics.similarity import procrustes
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.student_teacher import StudentTeacher, generate_all
from core.pipeline.students.answers import student_of
from core.spaces.linalg import paired_cosines, row_lengths
from core.students import registry, storage
from core.students.base import Student
from core.types import Matrix, Progress, Scores

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

NOWHERE = 1e-9  # of the mean length
ALIKE_WHATEVER_THE_SEED = ("transform",)  # families that draw nothing


def drift_of(a: Matrix, b: Matrix) -> Scores:
    """(n,) 1 - cosine of each item's two vectors, a's mean taken from both."""
    mean = a.mean(axis=0, dtype=np.float64)
    x, y = a - mean, b - mean
    # Two vectors at the mean itself have not moved; one of them alone has no direction in common.
    both = row_lengths(x - y) <= NOWHERE * row_lengths(a).mean()
    drift: Scores = np.clip(1 - paired_cosines(x, y, otherwise=both), 0, 2).astype(np.float32)
    return drift


def twin_of(workspace: "Workspace", reference: str) -> tuple[str, str, str] | None:
    """(this student, another that differs in its seed only, its digest), as references."""
    teacher = workspace.teacher(reference)
    if not isinstance(teacher, StudentTeacher):
        return None
    spec, origin = teacher.student.spec, teacher.student.origin
    for card in workspace.catalogue.students(origin.teacher):
        said = storage.describe(card.folder)
        same = replace(spec, seed=said["spec"].get("seed", 0)).to_dict() == said["spec"]
        if same and said["spec"]["seed"] != spec.seed and said["origin"]["digest"] == origin.digest:
            return reference, PREFIX + card.key, storage.digest(card.folder)
    return reference, "", ""


def null_drift(
    workspace: "Workspace",
    texts: tuple[str, ...],
    twin: tuple[str, str, str] | None,
    progress: Progress,
) -> tuple[Scores | None, str]:
    """Drift between two seeds over these texts, and what it is or why there is none."""
    if twin is None:
        return None, "neither side is a student, so there is no second seed to compare with"
    one, other, _ = twin
    teacher = workspace.teacher(one)
    assert isinstance(teacher, StudentTeacher)
    name = teacher.student.family
    if name in ALIKE_WHATEVER_THE_SEED:
        return np.zeros(len(texts), np.float32), f"a {name} student is the same for every seed"
    made = None
    if other:
        made = student_of(workspace, other.removeprefix(PREFIX))
    elif not registry.family(name).learns:
        made = _second_seed(workspace, teacher, progress)
    if made is None:
        return None, f"no second seed of this {name} student yet: train it again with another seed"
    ours, theirs = (generate_all(it, texts, progress) for it in (teacher.student, made))
    laid = procrustes(ours, theirs)
    return drift_of(ours, laid.apply(theirs)), f"the same student with seed {made.spec.seed}"


def _second_seed(
    workspace: "Workspace", teacher: StudentTeacher, progress: Progress
) -> Student | None:
    """The student made once more with the next seed, where that takes seconds."""
    spec, origin = teacher.student.spec, teacher.student.origin
    try:
        space = workspace.space(origin.teacher)
        if space.digest != origin.digest:
            return None
        return registry.fit(space, replace(spec, seed=spec.seed + 1), progress)
    except MeaningSpaceError:
        return None
