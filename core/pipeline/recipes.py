"""What the worker process can be asked to do, and what it prepares when it starts."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import Cancelled, MeaningSpaceError
from core.pipeline.compare.comparison import compare
from core.pipeline.compare.joint_picture import draw_over
from core.pipeline.layers.measures import grid, measures
from core.pipeline.layers.pictures import draw_layers
from core.pipeline.layers.probing.probes import kept_probing
from core.pipeline.layers.state_index import build_index
from core.pipeline.paths.concept_plane import kept_islands
from core.pipeline.paths.interpolation import kept_between
from core.pipeline.paths.layer_suggestion import kept_named
from core.pipeline.points.bridge import trained_bridge
from core.pipeline.points.description import descriptions
from core.pipeline.students.baselines import pareto
from core.pipeline.students.evaluation import evaluate_kept
from core.pipeline.students.training import distill, specification, student_key
from core.pipeline.texts.library import draw_library
from core.pipeline.texts.own_document import dropped
from core.pipeline.texts.pairs import kept_pairs
from core.pipeline.trajectories.lenses import fitted_lens
from core.pipeline.trajectories.shapes import ShapeSpec, shape
from core.pipeline.trajectories.statistics import laws
from core.pipeline.trajectories.steering import steer
from core.pipeline.trajectories.steering_layers import scan
from core.pipeline.trajectories.steering_spec import SteerSpec
from core.pipeline.workspace import Workspace, picture_key
from core.progress import scaled
from core.projection.base import PcaSpec, spec_from_dict
from core.projection.umap import warm_up as compile_umap
from core.teachers.registry import TeacherInfo, known
from core.types import Progress, silent


def make_space(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "space": make a teacher's space and keep it."""
    space = Workspace(folder).space(arguments["reference"], progress)
    return {"digest": space.digest, "items": len(space)}


def make_map(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "map": space, neighbours, picture, its faithfulness and its regions, all kept."""
    workspace = _worker_workspace(folder)
    spec = spec_from_dict(arguments["spec"])
    reference = arguments["reference"]
    space = workspace.space(reference, partial(scaled, progress, 0, 30))
    drawn = 40 if isinstance(spec, PcaSpec) else 90  # PCA comes before the neighbours
    workspace.projection(space, spec, partial(scaled, progress, 30, drawn))
    workspace.graph(space, partial(scaled, progress, drawn, 90))
    if spec.dims == 2:
        scaled(progress, 90, 95, 0, 1, "naming the regions")
        workspace.regions(space, spec)
    workspace.faithfulness(space, spec, partial(scaled, progress, 95, 98))
    workspace.faithfulness(space, PcaSpec(dims=spec.dims), partial(scaled, progress, 98, 100))
    return {"digest": picture_key(space, spec)}


def make_student(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "distill": make a student and measure it; {"teacher", "spec", "key"} -> {"key"}.

    Asked again with the same arguments, it goes on from the last checkpoint.
    """
    workspace = _worker_workspace(folder)
    spec = specification(arguments["spec"]["family"], arguments["spec"])
    student = distill(workspace, arguments["teacher"], spec, arguments.get("key"), progress)
    answer = {"key": student.key, "notes": list(student.notes), "evaluated": True}
    try:
        last = partial(scaled, progress, 90, 100)
        evaluate_kept(workspace, student.key, progress=last, seconds=student.seconds)
    except Cancelled:  # the student is there; it can be measured later
        answer["evaluated"] = False
    return answer


def measure_student(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "evaluate": measure a student; {"key"} -> {"key"}."""
    evaluate_kept(_worker_workspace(folder), arguments["key"], progress=progress)
    return {"key": arguments["key"]}


def measure_rivals(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "pareto": measure the rivals of a teacher's students; {"teacher"} -> {"points"}."""
    pareto_points = pareto(_worker_workspace(folder), arguments["teacher"], progress)
    return {"points": len(pareto_points.points)}


def lay_over(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "compare": compare two spaces; {"a", "b"} -> {"shared"}."""
    comparison = compare(_worker_workspace(folder), arguments["a"], arguments["b"], progress)
    return {"shared": comparison.shared}


def draw_compared(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "counterpart": what the compare page shows; {"a", "b", "spec"} -> {"shared"}."""
    spec = spec_from_dict(arguments["spec"])
    workspace = _worker_workspace(folder)
    draw_over(workspace, arguments["a"], arguments["b"], spec, progress)
    return {"shared": compare(workspace, arguments["a"], arguments["b"]).shared}


def draw_all_layers(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "layers": what the layers page draws; {"model", "spec", "fit"} -> {"model"}."""
    spec = spec_from_dict(arguments["spec"])
    model = arguments["model"]
    draw_layers(_worker_workspace(folder), model, spec, arguments["fit"], progress)
    return {"model": model}


def index_states(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "states": index the states of tokens; {"model"} -> {"states"}."""
    return {"states": len(build_index(folder, arguments["model"], progress))}


def make_library(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "library": read whole documents, draw them and name the regions, all kept;
    {"model", "spec"} -> {"items"}."""
    spec = spec_from_dict(arguments["spec"])
    return {"items": draw_library(_worker_workspace(folder), arguments["model"], spec, progress)}


def read_own_text(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "document": read a text of the workspace; {"model", "key"} -> {"windows"}."""
    document = dropped(_worker_workspace(folder), arguments["model"], arguments["key"], progress)
    return {"windows": len(document.read.windows)}


def measure_pairs(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "pairs": signatures of pairs against means of rows; {"model"} -> {"pairs"}."""
    pairs = kept_pairs(_worker_workspace(folder), arguments["model"], progress)
    return {"pairs": len(pairs.pairs)}


def ask_probes(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "probe": ask every layer; {"model", "task", "seed"} -> {"items"}."""
    model, task, seed = (arguments[name] for name in ("model", "task", "seed"))
    probing = kept_probing(_worker_workspace(folder), model, task, seed, progress)
    return {"items": probing.items}


def measure_layers(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "measures": what is measured of a model's layers; {"model"} -> {"model"}."""
    measures(_worker_workspace(folder), arguments["model"], progress)
    return {"model": arguments["model"]}


def liken_layers(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "grid": layer against layer of two models; {"a", "b"} -> {"words"}."""
    likeness = grid(_worker_workspace(folder), arguments["a"], arguments["b"], progress)
    return {"words": likeness.words}


def fit_one_lens(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "lens": fit a model's lens and judge it; {"model"} -> {"tokens"}."""
    lens = fitted_lens(_worker_workspace(folder), arguments["model"], progress)
    return {"tokens": lens.tokens}


def measure_laws(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "laws": measure texts of all kinds as paths; {"model", "layer", "part"} ->
    {"documents"}."""
    model, layer, part = (arguments[name] for name in ("model", "layer", "part"))
    laws_measured = laws(_worker_workspace(folder), model, layer, part, progress)
    return {"documents": len(laws_measured.documents)}


def read_between(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "between": what a model says on the way between two concepts; {"model", "a", "b",
    "layer", "steps", "kind"} -> {"steps"}."""
    names = ("model", "a", "b", "layer", "steps", "kind")
    model, a, b, layer, steps, kind = (arguments[name] for name in names)
    workspace = _worker_workspace(folder)
    between = kept_between(workspace, model, a, b, layer, steps, kind, progress)
    return {"steps": len(between.t)}


def read_islands(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "islands": the map between three concepts, kept as it grows; {"model", "three",
    "layer", "grid"} -> {"cells"}."""
    model, three, layer, grid = (arguments[it] for it in ("model", "three", "layer", "grid"))
    islands = kept_islands(_worker_workspace(folder), model, three, layer, grid, progress)
    return {"cells": len(islands.cells)}


def name_nouns(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "nouns": in which layers a model names sixty nouns; {"model"} -> {"layer"}."""
    named = kept_named(_worker_workspace(folder), arguments["model"], progress)
    return {"layer": named.suggested}


def steer_texts(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "steer": write steered and at random, and measure it; {"spec"} -> {"texts"}."""
    steered = steer(_worker_workspace(folder), SteerSpec.from_dict(arguments["spec"]), progress)
    return {"texts": len(steered.texts)}


def steer_layers(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "steer layers": steer in every second layer; {"spec"} -> {"layer"}, the best."""
    scanned = scan(_worker_workspace(folder), SteerSpec.from_dict(arguments["spec"]), progress)
    return {"layer": scanned.best}


def find_shape(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "shape": look for a shape in every layer; {"model", "task", "words", "form"} ->
    {"words"}."""
    model, task, words, form = (arguments[it] for it in ("model", "task", "words", "form"))
    spec = ShapeSpec(model, task, tuple(words), form)
    return {"words": len(shape(_worker_workspace(folder), spec, progress).words)}


def build_bridge(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "bridge": train the bridge from sentences to a language model; {"model"} ->
    {"words"}. Stopped, it goes on from its checkpoint."""
    bridge = trained_bridge(_worker_workspace(folder), arguments["model"], progress=progress)
    return {"words": len(bridge.bridge.tokens)}


def describe_points(
    folder: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "describe": put points of a space into words, kept one by one; {"teacher", "points"}
    -> {"points"}."""
    points = np.array(arguments["points"], np.float32)
    workspace = _worker_workspace(folder)
    return {"points": len(descriptions(workspace, arguments["teacher"], points, progress=progress))}


def discard(folder: Path, recipe: str, arguments: dict[str, Any]) -> None:
    """Throw away what a cancelled job had kept to go on from."""
    if recipe != "distill":
        return
    with suppress(MeaningSpaceError, KeyError, TypeError):  # not understood: nothing was kept
        key = arguments.get("key") or student_key(
            arguments["teacher"], specification(arguments["spec"]["family"], arguments["spec"])
        )
        Workspace(folder).catalogue.discard(key)


RECIPES: dict[str, Callable[[Path, dict[str, Any], Progress], dict[str, Any]]] = {
    "space": make_space,
    "map": make_map,
    "distill": make_student,
    "evaluate": measure_student,
    "pareto": measure_rivals,
    "compare": lay_over,
    "counterpart": draw_compared,
    "states": index_states,
    "probe": ask_probes,
    "layers": draw_all_layers,
    "measures": measure_layers,
    "grid": liken_layers,
    "library": make_library,
    "document": read_own_text,
    "pairs": measure_pairs,
    "steer": steer_texts,
    "steer layers": steer_layers,
    "shape": find_shape,
    "between": read_between,
    "islands": read_islands,
    "nouns": name_nouns,
    "lens": fit_one_lens,
    "bridge": build_bridge,
    "describe": describe_points,
    "laws": measure_laws,
}


def when_held(folder: Path, tell: Callable[[str, str, bytes, str], None]) -> None:
    """Have ``tell(kind, key, packed, why)`` called with what is made and no disk takes."""
    _worker_workspace(folder).store.when_held(tell)


def hold(folder: Path, kind: str, key: str, packed: bytes, why: str) -> None:
    """Hold in this process what the worker made and no disk took."""
    Workspace(folder).store.hold(kind, key, packed, why)


@cache
def _worker_workspace(folder: Path) -> Workspace:
    """One workspace for the worker's whole life, so that a second map finds the space in memory."""
    workspace = Workspace(folder)
    workspace.store.sweep()
    return workspace


def warm_up() -> None:
    """What the worker does when it starts: import and compile what the first map needs."""
    compile_umap()


def teachers() -> list[TeacherInfo]:
    """The teachers that need no argument."""
    return known()
