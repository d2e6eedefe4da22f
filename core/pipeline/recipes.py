"""What the worker process can be asked to do, and what it prepares when it starts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.pipeline.bench import Bench, picture_key, scaled
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


RECIPES: dict[str, Callable[[Path, dict[str, Any], Progress], dict[str, Any]]] = {
    "space": make_space,
    "map": make_map,
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
