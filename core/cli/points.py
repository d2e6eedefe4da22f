"""The command that puts points of a space into words: describe."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.shared import at_least_one, label, named, open_workspace, say, show_progress
from core.errors import InvalidSpecification, UnreadableFile

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.pipeline import Workspace

STEPS = 5  # of a way
MOST_STEPS = 200


def add_to(
    command: Callable[..., Any], json_flag: Callable[[argparse.ArgumentParser], None]
) -> None:
    """The command of this file."""
    asked = command(
        "describe", describe_command, "what a point says: nearest items, and a written sentence"
    )
    asked.add_argument("teacher")
    asked.add_argument(
        "point",
        metavar="VECTOR-or-PATH",
        help="F.npy with a vector (d,) or (m, d), a way such as 'dog > table', or any text",
    )
    asked.add_argument("--steps", type=int, default=STEPS, help=f"of a way ({STEPS})")
    asked.add_argument("--kind", default="slerp", help="of a way: lerp, slerp (default) or graph")
    asked.add_argument("-k", type=int, default=10, help="nearest items told (10)")
    asked.add_argument("--no-sentence", action="store_true", help="nearest items alone, at once")
    json_flag(asked)


def describe_command(options: argparse.Namespace) -> None:
    from core.pipeline.points.description import descriptions

    at_least_one(options.k)
    workspace = open_workspace()
    t, points = _points(options, workspace)
    described = descriptions(
        workspace,
        options.teacher,
        points,
        options.k,
        not options.no_sentence,
        show_progress,
    )
    space = workspace.space(options.teacher)
    answer = [
        {"t": None if t is None else round(float(t[at]), 4), **it.to_dict()}
        for at, it in enumerate(described)
    ]
    for said, it in zip(answer, described, strict=True):
        said["words"] = [
            {**word, **named(space, int(row))}
            for word, row in zip(said["words"], it.rows, strict=True)
        ]
    why = [it.why_not for it in described[:1] if it.why_not and not options.no_sentence]
    say(options, answer, lambda: "\n".join([*map(_line, answer), *why]))


def _points(
    options: argparse.Namespace, workspace: "Workspace"
) -> "tuple[npt.NDArray[Any] | None, npt.NDArray[Any]]":
    """The parameters t of a way, None for other points; and the points (m, d)."""
    from core.paths.notation import waypoints_of

    if options.point.endswith(".npy"):
        return None, _read(Path(options.point))
    waypoints = waypoints_of(options.point)
    if len(waypoints) < 2:
        return None, workspace.represent(options.teacher, options.point).vector[None]
    from core.pipeline import path

    if not 2 <= options.steps <= MOST_STEPS:
        raise InvalidSpecification(f"found --steps {options.steps}; expected 2 to {MOST_STEPS}")
    report = path(workspace, options.teacher, waypoints, options.kind, options.steps)
    return report.curve.t, report.curve.points


def _read(file: Path) -> "npt.NDArray[Any]":
    """(m, d) the vectors of a file. Raises UnreadableFile."""
    import numpy as np

    from core.spaces.formats.arrays import read_npy

    try:
        vectors = read_npy(file)
    except UnreadableFile as fault:
        raise UnreadableFile(
            f"{str(fault).partition('; expected')[0]}; expected an .npy file of numbers, such as "
            "`meaning-space neighbors TEACHER TEXT --vectors F.npy` writes"
        ) from None
    if vectors.dtype.kind not in "fiu" or vectors.ndim not in (1, 2):
        raise UnreadableFile(
            f"found {vectors.dtype} of shape {vectors.shape} in {file}; expected one vector (d,) "
            "or rows of vectors (m, d) of numbers"
        )
    return np.atleast_2d(vectors).astype(np.float32)


def _line(answer: dict[str, Any]) -> str:
    where = "" if answer["t"] is None else f"{answer['t']:.2f}  "
    near = ", ".join(f"{label(word)} {word['cosine']:.2f}" for word in answer["words"][:3])
    off = "" if answer["on_data"] else "; off the data"
    if answer["sentence"] is None:
        return f"{where}{near}{off}"
    return f"{where}{answer['sentence']} ({answer['cosine']:.2f}{off}; near {near})"
