"""What the worker process can be asked to do, and what it prepares when it starts."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import Cancelled, MeaningSpaceError
from core.pipeline.bench import Bench, picture_key
from core.pipeline.comparison import compare
from core.pipeline.counterpart import draw_over
from core.pipeline.distilling import distill, specification, student_key
from core.pipeline.evaluation import evaluate_kept
from core.pipeline.rivals import pareto
from core.pipeline.stages import scaled
from core.projection.base import PcaSpec, spec_from_dict
from core.projection.umap import warm_up as compile_umap
from core.teachers.registry import TeacherInfo, known
from core.types import (
    Progress,
    silent,
)


def make_space(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "space": make a teacher's space and keep it."""
    space = Bench(workspace).space(arguments["reference"], progress)
    return {"digest": space.digest, "items": len(space)}


def make_map(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "map": space, neighbours, picture, its faithfulness and its regions, all kept."""
    bench = _worker_bench(workspace)
    spec = spec_from_dict(arguments["spec"])
    reference = arguments["reference"]
    space = bench.space(reference, partial(scaled, progress, 0, 30))
    drawn = 40 if isinstance(spec, PcaSpec) else 90  # PCA comes before the neighbours
    bench.projection(space, spec, partial(scaled, progress, 30, drawn))
    bench.graph(space, partial(scaled, progress, drawn, 90))
    if spec.dims == 2:
        scaled(progress, 90, 95, 0, 1, "naming the regions")
        bench.regions(space, spec)
    bench.faithfulness(space, spec, partial(scaled, progress, 95, 98))
    bench.faithfulness(space, PcaSpec(dims=spec.dims), partial(scaled, progress, 98, 100))
    return {"digest": picture_key(space, spec)}


def make_student(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "distill": make a student and measure it; {"teacher", "spec", "key"} -> {"key"}.

    Asked again with the same arguments, it goes on from the last checkpoint.
    """
    bench = _worker_bench(workspace)
    spec = specification(arguments["spec"]["family"], arguments["spec"])
    made = distill(bench, arguments["teacher"], spec, arguments.get("key"), progress)
    answer = {"key": made.key, "notes": list(made.notes), "evaluated": True}
    try:
        last = partial(scaled, progress, 90, 100)
        evaluate_kept(bench, made.key, progress=last, seconds=made.seconds)
    except Cancelled:  # the student is there; it can be measured later
        answer["evaluated"] = False
    return answer


def measure_student(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "evaluate": measure a student; {"key"} -> {"key"}."""
    evaluate_kept(_worker_bench(workspace), arguments["key"], progress=progress)
    return {"key": arguments["key"]}


def measure_rivals(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "pareto": measure the rivals of a teacher's students; {"teacher"} -> {"points"}."""
    found = pareto(_worker_bench(workspace), arguments["teacher"], progress)
    return {"points": len(found.points)}


def lay_over(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "compare": compare two spaces; {"a", "b"} -> {"shared"}."""
    found = compare(_worker_bench(workspace), arguments["a"], arguments["b"], progress)
    return {"shared": found.shared}


def draw_compared(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "counterpart": what the compare page shows; {"a", "b", "spec"} -> {"shared"}."""
    spec = spec_from_dict(arguments["spec"])
    bench = _worker_bench(workspace)
    draw_over(bench, arguments["a"], arguments["b"], spec, progress)
    return {"shared": compare(bench, arguments["a"], arguments["b"]).shared}


def discard(workspace: Path, recipe: str, arguments: dict[str, Any]) -> None:
    """Throw away what a cancelled job had kept to go on from."""
    if recipe != "distill":
        return
    with suppress(MeaningSpaceError, KeyError, TypeError):  # not understood: nothing was kept
        key = arguments.get("key") or student_key(
            arguments["teacher"], specification(arguments["spec"]["family"], arguments["spec"])
        )
        Bench(workspace).studio.discard(key)


RECIPES: dict[str, Callable[[Path, dict[str, Any], Progress], dict[str, Any]]] = {
    "space": make_space,
    "map": make_map,
    "distill": make_student,
    "evaluate": measure_student,
    "pareto": measure_rivals,
    "compare": lay_over,
    "counterpart": draw_compared,
}

_benches: dict[Path, Bench] = {}


def _worker_bench(workspace: Path) -> Bench:
    """One bench for the worker's whole life, so that a second map finds the space in memory."""
    return _benches.setdefault(workspace, Bench(workspace))


def warm_up() -> None:
    """What the worker does when it starts: import and compile what the first map needs."""
    compile_umap()


def teachers() -> list[TeacherInfo]:
    """The teachers that need no argument."""
    return known()
