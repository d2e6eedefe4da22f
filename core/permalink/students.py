"""The view of the students page."""

from dataclasses import dataclass

from core.permalink.base import TEACHER, TEXT, Codec, in_link, number, one_of
from core.students.registry import NAMES as FAMILIES

FAMILY: Codec[str] = one_of(*FAMILIES)
BYTES: Codec[float] = number(0.0, 1e6)
MEASURE: Codec[str] = one_of("relative_error", "cosine", "recall10")


@dataclass(frozen=True, kw_only=True)
class StudentView:
    """What the students page shows: the family and budget in the form (0 leaves it to the page),
    the measure on the curve, the key of the student that is looked at, and the text that it was
    asked for."""

    teacher: str = in_link(TEXT, TEACHER)
    revision: str = in_link(TEXT, "")
    family: str = in_link(FAMILY, "hybrid")
    bytes_per_item: float = in_link(BYTES, 0.0)
    measure: str = in_link(MEASURE, "relative_error")
    student: str = in_link(TEXT, "")
    text: str = in_link(TEXT, "")
