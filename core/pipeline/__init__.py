"""The recipes: the only place that combines teachers, spaces, pictures, paths and the store.

A :class:`Bench` remembers in memory and on disk; the worker process, the pages and the command
line all go through one, so that what one of them computed the others find.
"""

from core.pipeline.bench import Bench, Waypoint, picture_key
from core.pipeline.questions import (
    Neighbors,
    Solution,
    axis,
    axis_scores,
    neighbors,
    solve,
)
from core.pipeline.recipes import RECIPES, make_map, make_space, teachers, warm_up
from core.pipeline.ways import KINDS, PathReport, path, place_path

__all__ = [
    "KINDS",
    "RECIPES",
    "Bench",
    "Neighbors",
    "PathReport",
    "Solution",
    "Waypoint",
    "axis",
    "axis_scores",
    "make_map",
    "make_space",
    "neighbors",
    "path",
    "picture_key",
    "place_path",
    "solve",
    "teachers",
    "warm_up",
]
