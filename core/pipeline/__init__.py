"""The recipes: the only place that combines teachers, spaces, pictures, paths and the store.

A :class:`Workspace` remembers in memory and on disk; the worker process, the pages and the command
line all go through one, so that what one of them computed the others find.
"""

from core.pipeline.compare.comparison import Comparison, reference_to
from core.pipeline.paths.space_path import KINDS, PathReport, path, place_path
from core.pipeline.points.queries import (
    Neighbors,
    Solution,
    axis,
    axis_scores,
    neighbors,
    solve,
)
from core.pipeline.recipes import RECIPES, discard, make_map, make_space, teachers, warm_up
from core.pipeline.student_catalogue import StudentCard, StudentCatalogue, Training
from core.pipeline.students.answers import Answer
from core.pipeline.students.baselines import pareto
from core.pipeline.students.evaluation import evaluate, evaluate_kept
from core.pipeline.students.pareto import Pareto, ParetoPoint
from core.pipeline.students.training import (
    Made,
    distill,
    quickened,
    specification,
    student_key,
    update,
)
from core.pipeline.workspace import Waypoint, Workspace, picture_key

__all__ = [
    "KINDS",
    "RECIPES",
    "Answer",
    "Comparison",
    "Made",
    "Neighbors",
    "Pareto",
    "ParetoPoint",
    "PathReport",
    "Solution",
    "StudentCard",
    "StudentCatalogue",
    "Training",
    "Waypoint",
    "Workspace",
    "axis",
    "axis_scores",
    "discard",
    "distill",
    "evaluate",
    "evaluate_kept",
    "make_map",
    "make_space",
    "neighbors",
    "pareto",
    "path",
    "picture_key",
    "place_path",
    "quickened",
    "reference_to",
    "solve",
    "specification",
    "student_key",
    "teachers",
    "update",
    "warm_up",
]
