"""View state <-> query string: one view a page, a frozen dataclass whose fields carry how they are
written and read."""

from core.permalink.axes import AxesView
from core.permalink.base import (
    MAX_TEXT,
    MAX_WORDS,
    TEACHER,
    Parameters,
    clicked,
    join_words,
    split_words,
)
from core.permalink.compare import CompareView
from core.permalink.layers import LayersView
from core.permalink.link import VIEWS, View, decode, encode
from core.permalink.map import MapView
from core.permalink.paths import PathView
from core.permalink.students import StudentView
from core.permalink.texts import TextsView
from core.permalink.trajectories import TrajectoriesView

__all__ = [
    "MAX_TEXT",
    "MAX_WORDS",
    "TEACHER",
    "VIEWS",
    "AxesView",
    "CompareView",
    "LayersView",
    "MapView",
    "Parameters",
    "PathView",
    "StudentView",
    "TextsView",
    "TrajectoriesView",
    "View",
    "clicked",
    "decode",
    "encode",
    "join_words",
    "split_words",
]
