"""The catalogue: the students of a workspace and those that came with the program, and trainings.

<workspace>/students/KEY/      a finished student, see core/students/storage.py
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
from typing import Any

from core.atomic import sweep
from core.errors import (
    InvalidStudent,
    MeaningSpaceError,
    StoreError,
    UnknownTeacher,
    Unsupported,
)
from core.integrity import unsealed
from core.pipeline.student_teacher import titled
from core.reach import require_open
from core.regular import read_bytes
from core.resources import site_root
from core.store.disk import Store
from core.students import storage
from core.students.checkpoint import Checkpoints
from core.teachers.base import shown
from core.types import Matrix, Rows

PREFIX = "student:"
SHIPPED = "shipped-"
REPORTS = "reports.json"
TRAINING = "training.json"
KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


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


class StudentCatalogue:
    """One per workspace: finds students by key or path, and lists trainings."""

    def __init__(self, store: Store, workspace: Path) -> None:
        self._store = store
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
        said = storage.describe(where)
        total = sum((where / name).stat().st_size for name in (storage.DESCRIPTION, storage.ARRAYS))
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
                f"found {where / storage.DESCRIPTION} without its {fault}; expected the whole "
                "description of a student: copy it again, or train it again"
            ) from None

    def where(self, key: str) -> Path:
        """The folder of a student by key or path. Raises UnknownTeacher."""
        if KEY.fullmatch(key):
            named = self.shipped / key.removeprefix(SHIPPED)
            place = named if key.startswith(SHIPPED) else self.made / key
            if (place / storage.DESCRIPTION).is_file():
                return place
        require_open(key)
        try:
            path = Path(key).expanduser()
            if key and (path / storage.DESCRIPTION).is_file():
                return path.absolute()
        except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a zero byte
            pass
        known = ", ".join(self._keys()) or "none yet"
        raise UnknownTeacher(
            f"found the student {shown(key)}; expected the folder of one, or one of these keys: "
            f"{known}"
        )

    def trainings(self, teacher: str | None = None) -> list[Training]:
        """Those that run, are paused or broke off, the latest first."""
        found: list[Training] = []
        for place in _folders(self.under_way):
            try:
                said = unsealed(read_bytes(place / TRAINING))
                arguments, error = said["arguments"], said.get("error", "")
                spec, taught = arguments["spec"], arguments["teacher"]
                titled(spec["family"], float(spec["bytes_per_item"]), taught)
                history = Checkpoints(place).history()
                found.append(Training(place.name, taught, spec, arguments, history, error))
            except (OSError, ValueError, KeyError, TypeError):  # not a training of ours
                continue
        return [training for training in found if teacher in (None, training.teacher)]

    def preview(self, key: str) -> tuple[Rows, Matrix, int] | None:
        """Rows of the space, their vectors as a training has them now, and its step."""
        return Checkpoints(self._training(key)).previewed()

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

    def _keys(self) -> list[str]:
        made = [path.name for path in _folders(self.made) if KEY.fullmatch(path.name)]
        return [*made, *sorted(SHIPPED + path.name for path in _folders(self.shipped))]

    def _training(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise StoreError(
                f"found the training {shown(key)}; expected the key of one: see the list"
            )
        return self.under_way / key

    def _report(self, key: str, where: Path) -> dict[str, Any]:
        if key.startswith(SHIPPED):
            return dict(_shipped_reports(self.shipped / REPORTS).get(key.removeprefix(SHIPPED), {}))
        digest, store = storage.digest(where), self._store

        def read() -> dict[str, Any]:
            return dict(store.load("evaluation", digest).payload["report"])

        return store.recall("evaluation", digest, read) or {}


def _folders(root: Path) -> Iterator[Path]:
    """The folders under a root, the latest first; hidden ones are being written."""
    try:
        found = [(path.stat().st_mtime, path) for path in root.iterdir() if path.is_dir()]
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
    found: dict[str, Any] = json.loads(read_bytes(file))
    return found
