"""Fidelity against bytes: the classical rivals, the physical limit, and the students."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.resources import site_root
from core.store.disk import Store

RIVAL, STUDENT, LIMIT = "rival", "student", "limit"
SHIPPED = site_root() / "assets" / "students" / "rivals.json"  # by the key of the space


@dataclass(frozen=True)
class ParetoPoint:
    """One way to have the vectors: how many bytes, how true. ``kind``: rival, student or limit.

    ``relative_error`` and ``cosine`` over all items; ``recall10`` is the share of the ten nearest
    that it keeps, NaN where nothing gives vectors (the limit). ``key`` is a student's.
    """

    name: str
    kind: str
    family: str
    bytes_total: int
    bytes_per_item: float
    relative_error: float
    cosine: float
    recall10: float
    key: str = ""


@dataclass(frozen=True)
class Pareto:
    """Everything in the picture; ``complete`` is False while rivals are still being measured."""

    teacher: str
    items: int
    points: tuple[ParetoPoint, ...]
    complete: bool

    def of(self, kind: str) -> tuple[ParetoPoint, ...]:
        """The points of one kind, by bytes."""
        found = (point for point in self.points if point.kind == kind)
        return tuple(sorted(found, key=lambda point: point.bytes_total))

    def having(self, students: Sequence[ParetoPoint]) -> "Pareto":
        """The same with these students and no others."""
        kept = tuple(point for point in self.points if point.kind != STUDENT)
        return replace(self, points=(*kept, *students))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; NaN becomes null."""
        points = [
            {name: None if value != value else value for name, value in asdict(point).items()}
            for point in self.points
        ]
        return {
            "teacher": self.teacher,
            "items": self.items,
            "complete": self.complete,
            "points": points,
        }


def point_of(key: str, title: str, family: str, report: dict[str, Any]) -> ParetoPoint:
    """The point of an evaluated student."""
    recall = report["recall"]["10"]  # None where there are too few items to judge
    return ParetoPoint(
        name=title,
        kind=STUDENT,
        family=family,
        bytes_total=report["bytes_total"],
        bytes_per_item=report["bytes_per_item"],
        relative_error=report["relative_error"],
        cosine=report["cosine"],
        recall10=math.nan if recall is None else recall,
        key=key,
    )


def stored_pareto(store: Store, key: str) -> Pareto | None:
    """What was measured so far of the rivals of a space, by its key, here or before it shipped;
    else None."""
    kept = store.recall("pareto", key, lambda: _pareto(store.load("pareto", key).payload))
    try:
        return kept or _pareto(json.loads(SHIPPED.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pareto(payload: dict[str, Any]) -> Pareto:
    points = tuple(_point(stored) for stored in payload["points"])
    return Pareto(payload["teacher"], payload["items"], points, payload["complete"])


def _point(stored: dict[str, Any]) -> ParetoPoint:
    numbers: dict[str, Any] = {n: math.nan if v is None else v for n, v in stored.items()}
    return ParetoPoint(**numbers)
