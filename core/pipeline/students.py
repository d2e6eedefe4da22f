"""The studio: the students of a workspace and those that came with the program, and trainings.

<workspace>/students/KEY/      a finished student, see core/students/folder.py
           trainings/KEY/      one that runs, is paused or broke off: training.json beside
                               what core/students/checkpoint.py keeps
assets/students/NAME/          shipped, under the key "shipped-NAME"
                reports.json   their evaluations, by NAME
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.atomic import sweep
from core.errors import (
    InvalidStudent,
    MeaningSpaceError,
    StoreError,
    UnknownTeacher,
    Unsupported,
)
from core.integrity import unsealed
from core.pipeline.pareto import Pareto, ParetoPoint, point_of, stored_pareto
from core.pipeline.student_teacher import StudentTeacher, titled
from core.reach import require_open
from core.site import site_root
from core.spaces.neighbors import nearest
from core.spaces.space import Space
from core.students import folder
from core.students.base import Student
from core.students.checkpoint import Keeper
from core.teachers.base import shown
from core.types import Matrix, Progress, Rows, Vector, silent

if TYPE_CHECKING:
    from core.pipeline.bench import Bench

PREFIX = "student:"
SHIPPED = "shipped-"
REPORTS = "reports.json"
TRAINING = "training.json"
KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
NEAREST = 10


@dataclass(frozen=True)
class StudentCard:
    """What a list shows of a student; knowing it reads no arrays.

    ``report`` is what `evaluate --json` gives, {} before it was evaluated.
    """

    key: str
    title: str
    family: str
    teacher: str
    bytes_total: int
    bytes_per_item: float
    shipped: bool
    report: dict[str, Any]
    folder: Path


@dataclass(frozen=True)
class Training:
    """One that is running, paused or broken off; ``arguments`` given to "distill" resume it.

    ``history`` has "step", "loss" and "seconds" in each entry; ``error`` is why it broke off.
    """

    key: str
    teacher: str
    spec: dict[str, Any]
    arguments: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    error: str = ""

    @property
    def title(self) -> str:
        """As its student will be titled."""
        return titled(self.spec["family"], float(self.spec["bytes_per_item"]), self.teacher)


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


class Studio:
    """One per bench: finds students by key or path, and answers for them."""

    def __init__(self, bench: "Bench", workspace: Path) -> None:
        self._bench = bench
        self.made = workspace / "students"
        self.under_way = workspace / "trainings"
        self.shipped = site_root() / "assets" / "students"
        sweep(self.made)  # a student that a killed process had taken from its place is put back

    def students(self, teacher: str | None = None) -> list[StudentCard]:
        """All that read, the latest first and the shipped ones last; of one teacher if named."""
        cards: list[StudentCard] = []
        for key in self._keys():
            try:
                cards.append(self.card(key))
            except MeaningSpaceError:  # damaged: asking for it by its key says so
                continue
        return [card for card in cards if teacher in (None, card.teacher)]

    def card(self, key: str) -> StudentCard:
        """One student by key or path. Raises UnknownTeacher, InvalidStudent."""
        where = self.where(key)
        said = folder.describe(where)
        total = sum((where / name).stat().st_size for name in (folder.DESCRIPTION, folder.ARRAYS))
        try:
            family, spec, origin = said["family"], said["spec"], said["origin"]
            return StudentCard(
                key=key,
                title=titled(family, float(spec["bytes_per_item"]), origin["teacher"]),
                family=family,
                teacher=origin["teacher"],
                bytes_total=total,
                bytes_per_item=total / max(origin["items"], 1),
                shipped=key.startswith(SHIPPED),
                report=self._report(key, where),
                folder=where,
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise InvalidStudent(
                f"found {where / folder.DESCRIPTION} without its {fault}; expected the whole "
                "description of a student: copy it again, or train it again"
            ) from None

    def where(self, key: str) -> Path:
        """The folder of a student by key or path. Raises UnknownTeacher."""
        if KEY.fullmatch(key):
            named = self.shipped / key.removeprefix(SHIPPED)
            place = named if key.startswith(SHIPPED) else self.made / key
            if (place / folder.DESCRIPTION).is_file():
                return place
        require_open(key)
        try:
            path = Path(key).expanduser()
            if key and (path / folder.DESCRIPTION).is_file():
                return path.absolute()
        except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a zero byte
            pass
        known = ", ".join(self._keys()) or "none yet"
        raise UnknownTeacher(
            f"found the student {shown(key)}; expected the folder of one, or one of these keys: "
            f"{known}"
        )

    def teacher(self, key: str) -> StudentTeacher:
        """The student as a teacher. Raises UnknownTeacher, InvalidStudent."""
        found = self._bench.teacher(PREFIX + key)
        assert isinstance(found, StudentTeacher)
        return found

    def student(self, key: str) -> Student:
        """The student itself, remembered. Raises UnknownTeacher, InvalidStudent."""
        return self.teacher(key).student

    def space(self, key: str, progress: Progress = silent) -> Space:
        """The student's vectors for its teacher's items, kept in the store. Raises Cancelled."""
        return self._bench.space(PREFIX + key, progress)

    def trainings(self, teacher: str | None = None) -> list[Training]:
        """Those that run, are paused or broke off, the latest first."""
        found: list[Training] = []
        for place in _folders(self.under_way):
            try:
                said = unsealed((place / TRAINING).read_bytes())
                arguments, error = said["arguments"], said.get("error", "")
                spec, taught = arguments["spec"], arguments["teacher"]
                titled(spec["family"], float(spec["bytes_per_item"]), taught)
                history = Keeper(place).history()
                found.append(Training(place.name, taught, spec, arguments, history, error))
            except (OSError, ValueError, KeyError, TypeError):  # not a training of ours
                continue
        return [training for training in found if teacher in (None, training.teacher)]

    def preview(self, key: str) -> tuple[Rows, Matrix, int] | None:
        """Rows of the space, their vectors as a training has them now, and its step."""
        return Keeper(self._training(key)).previewed()

    def remove(self, key: str) -> None:
        """Delete a student of this workspace. Raises Unsupported for a shipped one."""
        if not KEY.fullmatch(key) or key.startswith(SHIPPED):
            raise Unsupported(
                f"found {shown(key)}, which came with the program or lies elsewhere; expected a "
                "student of this workspace: delete its folder yourself"
            )
        shutil.rmtree(self.made / key, ignore_errors=True)

    def discard(self, key: str) -> None:
        """Throw away what a training has kept."""
        shutil.rmtree(self._training(key), ignore_errors=True)

    def pareto(self, teacher: str) -> Pareto | None:
        """Rivals and limit as the job "pareto" measured them, with today's students; else None."""
        measured = stored_pareto(self._bench, teacher)
        return None if measured is None else measured.having(self.points(teacher))

    def points(self, teacher: str) -> tuple[ParetoPoint, ...]:
        """The evaluated students of a teacher, as points of the picture."""
        cards = self.students(teacher)
        return tuple(point_of(it.key, it.title, it.family, it.report) for it in cards if it.report)

    def ask(self, key: str, text: str, k: int = NEAREST) -> Answer:
        """Where the student puts a text, with the teacher's answer where it has one.

        Raises UnknownItem where the student has no vector for it, InvalidStudent.
        """
        teacher = self.teacher(key)
        vector, how = teacher.represent(text)
        here = near(self.space(key), text, vector, k)
        known = teacher.stored(text) is not None
        reference = teacher.student.origin.teacher
        try:
            meant = self._bench.represent(reference, text)
            there = near(self._bench.space(reference), text, meant.vector, k)
        except MeaningSpaceError:
            return Answer(text, vector, known, here, how)
        scale = float(np.linalg.norm(vector)) * float(np.linalg.norm(meant.vector))
        residual = 1 - float(vector @ meant.vector) / scale if scale else None
        return Answer(text, vector, known, here, how, meant.vector, there, meant.how, residual)

    def _keys(self) -> list[str]:
        made = [it.name for it in _folders(self.made) if KEY.fullmatch(it.name)]
        return [*made, *sorted(SHIPPED + it.name for it in _folders(self.shipped))]

    def _training(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise StoreError(
                f"found the training {shown(key)}; expected the key of one: see the list"
            )
        return self.under_way / key

    def _report(self, key: str, where: Path) -> dict[str, Any]:
        if key.startswith(SHIPPED):
            return dict(_shipped_reports(self.shipped / REPORTS).get(key.removeprefix(SHIPPED), {}))
        digest, store = folder.digest(where), self._bench.store

        def read() -> dict[str, Any]:
            return dict(store.load("evaluation", digest).payload["report"])

        return store.recall("evaluation", digest, read) or {}


def near(space: Space, text: str, vector: Vector, k: int) -> list[tuple[str, float, int]]:
    """(text, cosine, row) of the k items nearest to a vector (d,), the text's own left out."""
    row = space.find(text)
    rows, cosines = nearest(space.unit, vector[None, :], k, [] if row is None else [row])
    return [
        (space.texts[int(at)], float(cosine), int(at))
        for at, cosine in zip(rows[0], cosines[0], strict=True)
    ]


def _folders(root: Path) -> Iterator[Path]:
    """The folders under a root, the latest first; hidden ones are being written."""
    try:
        found = [(it.stat().st_mtime, it) for it in root.iterdir() if it.is_dir()]
    except OSError:
        return
    for _, place in sorted(found, reverse=True):
        if not place.name.startswith((".", "_")):
            yield place


def _shipped_reports(file: Path) -> dict[str, Any]:
    try:
        return _parsed(file, file.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=2)  # every page lists the students, each time that it is drawn
def _parsed(file: Path, changed: int) -> dict[str, Any]:  # noqa: ARG001 - part of the key
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
