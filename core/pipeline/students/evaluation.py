"""One student measured whole: bytes, fidelity, held-out items, likeness, benchmarks, time."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidSpecification, MeaningSpaceError
from core.metrics.benchmarks import word_benchmarks
from core.metrics.fidelity import (
    Fidelity,
    fidelity,
    held_out_fidelity,
    others,
    sample_rows,
)
from core.metrics.similarity import pair_spearman, similarity
from core.metrics.slices import slices
from core.pipeline.student_teacher import generate_all
from core.pipeline.students.answers import teacher_of
from core.pipeline.students.layer_fidelity import contextual_report
from core.progress import reach, scaled
from core.spaces.lemmas import split
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.students.base import Student
from core.students.encoders.training_texts import held_out as untaught
from core.students.registry import family
from core.students.storage import parts, size_bytes
from core.teachers.base import Teacher
from core.types import Matrix, Progress, Queries, Rows, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

WORST = 40  # items named as worst reproduced
NEAR = 10
SINGLES = 20  # texts timed one at a time
BATCH = 1024
REPEATS = 3
PATIENCE = 2.0  # seconds for the batches of one maker


def evaluate(
    student: Student,
    space: Space,
    teacher: Teacher | None = None,
    progress: Progress = silent,
    seconds: float | None = None,
) -> dict[str, Any]:
    """The report of a student on its teacher's space, as JSON; the fields are stable.

    "relative_error", "cosine", "cosine_centred", "recall" and what stands beside them are over
    all items of the space; "held_out" over those that a student which reads text was not
    taught, read from their letters, {} for a family that only stores. "microseconds" is for one
    item at batch 1 and 1,024; "teacher_microseconds" where ``teacher`` encodes. "seconds" is
    ``seconds``, what making it took, else what measuring it took; "timing" tells which.

    Raises InvalidSpecification for a space of other dimensions, UnknownItem for one with items
    that the student neither stores nor reads, Cancelled.
    """
    began = perf_counter()
    if student.dim != space.dim:
        raise InvalidSpecification(
            f"found a student of {student.dim} dimensions and {space.name} of {space.dim}; "
            f"expected its own teacher, {student.origin.teacher}"
        )
    vectors = generate_all(student, space.texts, partial(scaled, progress, 0, 20))
    measured = fidelity(space.vectors, vectors, progress=partial(scaled, progress, 20, 50))
    held_out = _held_out(student, space, partial(scaled, progress, 50, 65))
    reach(progress, 65, "comparing the shapes of the two spaces")
    alike = similarity(space.vectors, vectors)
    judged = word_benchmarks(space, vectors, progress=partial(scaled, progress, 75, 90))
    reach(progress, 90, "timing")
    timed = _timings(student, space, teacher)
    figures = measured.report()
    total = size_bytes(student)
    evaluating = perf_counter() - began
    reach(progress, 90, "timing")
    report = {
        "family": student.family,
        "teacher": student.origin.teacher,
        "seed": student.spec.seed,
        "spec": student.spec.to_dict(),
        "items": len(space),
        "bytes_total": total,
        "bytes_per_item": total / len(space),
        "parts": parts(student),
        "parameters": student.parameters(),
        "operations": student.operations(),
        **{name: value for name, value in figures.items() if not name.startswith("true_word")},
        "held_out": held_out,
        **alike.report(),
        "benchmarks": {it.name: it.report() for it in judged},
        "slices": [it.report() for it in slices(space, measured)],
        "worst": worst(space, vectors, measured),
        **timed,
        "seconds": evaluating if seconds is None else seconds,
        "timing": {"training": seconds, "evaluation": evaluating},
        "notes": list(student.notes),
    }
    return {name: without_nan(value) for name, value in report.items()}


def without_nan(said: Any) -> Any:
    """The same with None for what could not be measured: JSON knows no NaN and no infinity.

    >>> without_nan({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(said, Mapping):
        return {name: without_nan(value) for name, value in said.items()}
    if isinstance(said, list | tuple):
        return [without_nan(value) for value in said]
    return None if isinstance(said, float) and not math.isfinite(said) else said


def evaluate_kept(
    workspace: "Workspace",
    key: str,
    reference: str | None = None,
    progress: Progress = silent,
    seconds: float | None = None,
) -> dict[str, Any]:
    """The report of a student by key or path, on its own teacher or another; kept by its digest.

    Raises UnknownTeacher, InvalidStudent, and what :func:`evaluate` raises.
    """
    teacher = teacher_of(workspace, key)
    student, own = teacher.student, teacher.student.origin.teacher
    named = own if reference is None else reference
    before = workspace.catalogue.card(key).report.get("timing", {}).get("training")
    space = workspace.space(named, partial(scaled, progress, 0, 10))
    # Layer by layer only on texts that it was never taught, so where some were held out.
    layered = student.family == "contextual" and getattr(student.spec, "held_out", 0.0) > 0
    report = evaluate(
        student,
        space,
        workspace.teacher(named),
        partial(scaled, progress, 10, 90 if layered else 100),
        before if seconds is None else seconds,
    )
    if layered:
        part = partial(scaled, progress, 90, 100)
        report["contextual"] = without_nan(contextual_report(workspace, key, part).to_dict())
    if named == own:
        workspace.store.save("evaluation", teacher.digest, payload={"report": report})
    return report


def worst(
    space: Space, vectors: Matrix, measured: Fidelity, most: int = WORST
) -> list[dict[str, Any]]:
    """The items reproduced worst, by cosine without the mean, and whom they lost and gained."""
    rows = np.argsort(measured.cosines_centred, kind="stable")[: min(most, len(space))]
    there, here = (
        others(unit, np.ascontiguousarray(unit[rows]), rows, min(NEAR, len(space) - 1)).tolist()
        for unit in (space.unit, unit_rows(vectors))
    )
    return [
        {
            "row": int(row),
            "text": space.texts[row],
            "cosine": float(measured.cosines[row]),
            "cosine_centred": float(measured.cosines_centred[row]),
            "residual": float(measured.residual[row]),
            "lost": [space.texts[it] for it in before if it not in after],
            "gained": [space.texts[it] for it in after if it not in before],
        }
        for row, before, after in zip(rows, there, here, strict=True)
    ]


def _held_out(student: Student, space: Space, progress: Progress) -> dict[str, Any]:
    """Figures of the items that it was not taught, 2,000 of them at most; {} without any."""
    share = getattr(student.spec, "held_out", 0.0)
    if not family(student.family).reads or not share:
        return {}
    rows = _asked(student, space, share)
    if not len(rows):
        return {}
    rows = np.ascontiguousarray(rows[sample_rows(len(rows), student.spec.seed)])
    read: Callable[[Sequence[str]], Queries] = getattr(student, "guess", student.generate)
    vectors = read([space.texts[row] for row in rows])
    measured = held_out_fidelity(space.vectors, rows, vectors, progress=progress)
    theirs: Queries = np.ascontiguousarray(space.vectors[rows])
    return {
        **measured.report(),
        "pair_spearman": pair_spearman(theirs, vectors, student.spec.seed),
        "slices": [it.report() for it in slices(space, measured, rows)],
    }


def _asked(student: Student, space: Space, share: float) -> Rows:
    """Rows that the student was not taught: an encoder leaves out whole documents, too."""
    apart = untaught if student.family in ("encoder", "contextual") else _split
    return apart(space, share, student.spec.seed)


def _split(space: Space, share: float, seed: int) -> Rows:
    return split(space, share, seed).asked


def _timings(student: Student, space: Space, teacher: Teacher | None) -> dict[str, Any]:
    """Microseconds an item, of the student and of a teacher that encodes."""
    generator = np.random.default_rng(0)
    rows = generator.choice(len(space), BATCH, replace=len(space) < BATCH)
    texts = [space.texts[row] for row in rows]
    found: dict[str, Any] = {"microseconds": microseconds(student.generate, texts)}
    if teacher is not None and "encode" in teacher.info.can:
        with suppress(MeaningSpaceError):  # its model went away: nothing to compare with
            found["teacher_microseconds"] = microseconds(teacher.encode, texts)
    return found


def microseconds(
    make: Callable[[Sequence[str]], Queries], texts: Sequence[str]
) -> Mapping[str, float]:
    """Microseconds an item: the median of single calls, and the best of three whole batches.

    Whoever needs seconds for a batch is not asked for it again: so long a time varies little.
    """
    make(texts[:1])
    singles = [_seconds(make, [text]) for text in texts[:SINGLES]]
    batches = [_seconds(make, texts)]
    while len(batches) < REPEATS and sum(batches) < PATIENCE:
        batches.append(_seconds(make, texts))
    return {
        "1": 1e6 * float(np.median(singles)),
        str(BATCH): 1e6 * min(batches) / len(texts),
    }


def _seconds(make: Callable[[Sequence[str]], Queries], texts: Sequence[str]) -> float:
    began = perf_counter()
    make(texts)
    return perf_counter() - began
