"""Making a student: its training folder, what can be resumed, and where it comes to lie."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, get_args

from core.atomic import write_bytes
from core.errors import (
    Cancelled,
    InvalidSpecification,
    InvalidVectors,
    JobFailed,
    MeaningSpaceError,
    Unsupported,
    unwritable,
)
from core.integrity import sealed
from core.pipeline.student_catalogue import KEY, SHIPPED, TRAINING
from core.pipeline.students.answers import student_of
from core.progress import scaled
from core.regular import at_once
from core.spaces.io import read_vectors
from core.students import registry, storage
from core.students.base import Student, StudentSpec
from core.students.checkpoint import Checkpoints
from core.students.storage import size_bytes
from core.teachers.base import WithModel, shown
from core.types import Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

ADDS = "add"  # the method of families that take new items without learning
LOCK = ".lock"
MINILM, SENTENCES = "minilm", "minilm:sentences"


@dataclass(frozen=True, eq=False)
class Made:
    """A finished student: where it lies, what making it took, and what a person should read."""

    key: str
    folder: Path
    student: Student
    seconds: float
    notes: tuple[str, ...]


def specification(
    family: str, values: Mapping[str, Any] | None = None, *, quick: bool = False
) -> StudentSpec:
    """The specification of a family from plain values; whole floats become ints where asked for.

    ``quick`` shortens the learning to what a class can watch. Raises InvalidSpecification.
    """
    kind = registry.family(family).spec
    whole = {field.name for field in fields(kind) if int in (field.type, *get_args(field.type))}
    given = {
        name: int(value)
        if name in whole and isinstance(value, float) and value.is_integer()
        else value
        for name, value in (values or {}).items()
    }
    try:
        spec = kind.from_dict(given)
    except TypeError as fault:
        raise InvalidSpecification(
            f"found a setting that the {family} student cannot take ({fault}); expected numbers "
            f"for some of {', '.join(field.name for field in fields(kind))}"
        ) from None
    return quickened(spec) if quick else spec


def quickened(spec: StudentSpec) -> StudentSpec:
    """The same to be learnt in 13 to 30 s, where the family learns; others take seconds anyway."""
    can = any(field.name == "quick" for field in fields(spec))
    return type(spec).from_dict({**spec.to_dict(), "quick": True}) if can else spec


def student_key(teacher: str, spec: StudentSpec) -> str:
    """The key that the same work always has: "transform-glove-1000-8b-0-1f2e3d4c"."""
    plain = re.sub(r"[^a-z0-9]+", "-", teacher.lower()).strip("-")[-30:].strip("-")
    state = f"{teacher} {spec.digest}"
    digest = blake2b(state.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{spec.family}-{plain}-{spec.bytes_per_item:g}b-{spec.seed}-{digest}"


def taught_by(teacher: str, family: str) -> str:
    """The reference of the space that a student learns from.

    A contextual student is one of a model, not of a space: of ``minilm``, named alone, it learns
    from the sentences.

    >>> taught_by("minilm", "contextual"), taught_by("glove", "codes")
    ('minilm:sentences', 'glove')
    """
    return SENTENCES if (teacher, family) == (MINILM, "contextual") else teacher


def distill(
    workspace: "Workspace",
    teacher: str,
    spec: StudentSpec,
    key: str | None = None,
    progress: Progress = silent,
    out: Path | None = None,
) -> Made:
    """Make a student and save it, under its key in the workspace or in the folder ``out``.

    While it lasts, <workspace>/trainings/KEY says what is made; stopped, broken off or killed,
    the same call goes on from there. Raises Cancelled with the checkpoint kept, TrainingFailed,
    InvalidSpecification, StoreError, JobFailed where another process trains the same.
    """
    teacher = taught_by(teacher, spec.family)
    key = student_key(teacher, spec) if key is None else key
    if not KEY.fullmatch(key) or key.startswith(SHIPPED):
        raise InvalidSpecification(
            f"found the key {shown(key)} for a student; expected lower-case letters, digits and "
            f"hyphens, not beginning with {SHIPPED!r}"
        )
    place = workspace.catalogue.under_way / key
    arguments = {"teacher": teacher, "spec": spec.to_dict(), "key": key}
    with _claimed(place):
        checkpoints = Checkpoints(place)
        notes = _begin(checkpoints, arguments, progress)
        try:
            student, seconds = _fitted(workspace, teacher, spec, progress, checkpoints)
            target = workspace.catalogue.made / key if out is None else out
            storage.save(student, target)
        except Cancelled:
            raise
        except MeaningSpaceError as fault:
            if checkpoints.restore() is None:  # nothing to go on from
                shutil.rmtree(place, ignore_errors=True)
            else:
                _describe(place, {"arguments": arguments, "error": str(fault)})
            raise
        checkpoints.clear()
    return Made(key, target, student, seconds, (*student.notes, *notes))


def _fitted(
    workspace: "Workspace",
    teacher: str,
    spec: StudentSpec,
    progress: Progress,
    checkpoints: Checkpoints,
) -> tuple[Student, float]:
    """The student, and the seconds of its making, those before an interruption included."""
    maker = workspace.teacher(teacher)
    space = workspace.space(teacher, partial(scaled, progress, 0, 10))
    model = maker.model_folder() if isinstance(maker, WithModel) else None
    resumed = checkpoints.restore() is not None
    before = checkpoints.history()[-1]["seconds"] if resumed and checkpoints.history() else 0.0
    began = time.perf_counter()
    try:
        student = registry.fit(space, spec, partial(_counted, progress), checkpoints, model)
    except (LookupError, TypeError, ValueError, RuntimeError):
        if not resumed:
            raise
        checkpoints.begin_anew()  # a checkpoint that reads, but not as one of this training
        student = registry.fit(space, spec, partial(_counted, progress), checkpoints, model)
    return student, before + time.perf_counter() - began


def _counted(progress: Progress, done: int, total: int, message: str) -> bool:
    """A training's own steps: 10 to 90 of 100 parts, with the step said."""
    share = round(1000 + 8000 * done / max(total, 1))
    counted = f", step {done:,} of {total:,}" if total > 1 else ""
    return progress(share, 10_000, message + counted)


def _begin(
    checkpoints: Checkpoints, arguments: dict[str, Any], progress: Progress
) -> tuple[str, ...]:
    """Say in the folder what is made, and clear away a checkpoint that was cut short."""
    assert checkpoints.folder is not None
    notes: tuple[str, ...] = ()
    if checkpoints.cut_short():
        checkpoints.begin_anew()
        notes = ("found the checkpoint cut short: this training began anew",)
        progress(0, 100, notes[0])
    _describe(checkpoints.folder, {"arguments": arguments, "error": "", "notes": notes})
    return notes


def _describe(place: Path, said: dict[str, Any]) -> None:
    """Write training.json, whole or not at all. Raises StoreError."""
    write_bytes(place / TRAINING, sealed(said).encode())


@contextmanager
def _claimed(place: Path) -> Iterator[None]:
    """Only one process at a time trains in a folder; a lock dies with its process.

    Raises JobFailed where another one does, StoreError where the folder cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two processes that make the same are not told apart
        yield
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        file = open(place / LOCK, "w", opener=at_once)  # noqa: SIM115 - held while it trains
    except OSError as fault:
        raise unwritable(place, fault) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JobFailed(
                f"found this very student being trained by another process in {place}; expected "
                "one at a time: wait for it, or stop it there"
            ) from None
        yield


def update(workspace: "Workspace", key: str, file: Path, out: Path) -> dict[str, Any]:
    """Add the items of a file of vectors to a student, and save it in ``out``; the figures.

    "seconds" is for adding alone, reading and writing aside. Raises Unsupported for a family that
    cannot, InvalidVectors for other dimensions, UnreadableFile, InvalidStudent, StoreError.
    """
    student = student_of(workspace, key)
    add = getattr(student, ADDS, None)
    if add is None:
        raise Unsupported(
            f"found a {student.family} student, which learns its items together; expected a "
            "hybrid, which takes new items without learning: train one, or train this one again"
        )
    given = read_vectors(file)
    if given.repeated:
        raise InvalidVectors(
            f"found {given.repeated:,} texts more than once in {file.name}; expected each once, "
            "since a student knows an item by its text: remove the others"
        )
    vectors = given.vectors
    if vectors.shape[1] != student.dim:
        raise InvalidVectors(
            f"found vectors of {vectors.shape[-1]} dimensions in {file}; expected {student.dim}, "
            f"as {student.origin.teacher} has: take them from the same teacher"
        )
    before, began = size_bytes(student), perf_counter()
    made = add(given.texts, vectors)
    seconds = perf_counter() - began
    storage.save(made, out)
    return {
        "added": len(set(given.texts) - student.known),
        "replaced": len(set(given.texts) & student.known),
        "bytes_before": before,
        "bytes_total": size_bytes(made),
        "bytes_per_added": (size_bytes(made) - before) / max(len(given.texts), 1),
        "seconds": seconds,
        "out": str(out),
    }
