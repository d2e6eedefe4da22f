"""Commands that look at a space: teachers, map, neighbors, path, solve, axis; and the app."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from core.cli.shared import (
    at_least_one,
    label,
    lines,
    listed,
    open_workspace,
    pairs,
    picture_spec,
    require_folder,
    say,
    show_progress,
    write_vectors,
)
from core.errors import InvalidSpecification
from core.resources import share_cores


def app_command(options: argparse.Namespace) -> None:
    """Become the server's process: the command line itself never loads Streamlit."""
    command = [sys.executable, "-P", "-m", "core.ui.server"]
    command += [] if options.host is None else ["--host", options.host]
    command += [f"--name={name}" for name in options.name]
    command += [f"--allow-paths={folder}" for folder in options.allow_paths]
    command += [] if options.port is None else ["--port", str(options.port)]
    command += ["--no-browser"] if options.no_browser else []
    command += ["--access-log"] if options.access_log else []
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    share_cores()
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)
    sys.exit(subprocess.call(command))


def teachers_command(options: argparse.Namespace) -> None:
    from core.pipeline import teachers

    rows: list[dict[str, Any]] = [
        {
            "reference": info.reference,
            "items": info.items,
            "dim": info.dim,
            "can": list(info.can),
            "licence": info.licence,
            "size_bytes": info.size_bytes,
            "title": info.title,
        }
        for info in teachers()
    ]

    def text() -> str:
        lines = [
            f"{row['reference']:18} {row['items']:>8,} x {row['dim']:<4} "
            f"{', '.join(row['can']):24} {row['licence']:12} {row['title']}"
            for row in rows
        ]
        more = "also vectors:FILE, path:DIR[:words], hub:ORG/NAME[@REVISION][:words], glove:N"
        return "\n".join([*lines, more])

    say(options, rows, text)


def map_command(options: argparse.Namespace) -> None:
    from time import perf_counter

    import pandas as pd

    spec = picture_spec(options)
    workspace = open_workspace()
    seconds: dict[str, float] = {}
    started = perf_counter()
    for folder in (options.out, options.report):
        require_folder(folder)
    space = workspace.space(options.teacher, show_progress)
    seconds["space"] = perf_counter() - started
    begun = perf_counter()
    picture = workspace.projection(space, spec, show_progress)
    seconds["picture"] = perf_counter() - begun
    begun = perf_counter()
    measured = workspace.faithfulness(space, spec, show_progress)
    seconds["faithfulness"] = perf_counter() - begun
    seconds["total"] = perf_counter() - started
    if options.out is not None:
        table = pd.DataFrame({"id": space.ids, "text": space.texts})
        for axis, name in enumerate("xyz"[: spec.dims]):
            table[name] = picture.coords[:, axis]
        table.to_parquet(options.out)
    graph = workspace.graph(space)
    report = {
        "teacher": options.teacher,
        "n": len(space),
        "dim": space.dim,
        "spec": spec.to_dict(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "fit_seconds": {name: round(value, 3) for name, value in picture.seconds.items()},
        "faithfulness": measured.to_dict(),
        "neighbors": {"method": graph.method, "recall": graph.recall},
        "space_digest": space.digest,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if options.report is not None:
        options.report.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def neighbors_command(options: argparse.Namespace) -> None:
    from core.pipeline import neighbors

    require_folder(options.vectors)
    workspace = open_workspace()
    neighbours = neighbors(workspace, options.teacher, options.text, at_least_one(options.k))
    space = workspace.space(options.teacher)
    near = pairs(space, neighbours.rows, neighbours.cosines)
    answer = {
        "teacher": options.teacher,
        "query": neighbours.query.text,
        **({} if neighbours.query.row is None else {"item": space.address(neighbours.query.row)}),
        "how": neighbours.query.how,
        "neighbors": near,
    }
    write_vectors(options.vectors, neighbours.query.vector)
    say(options, answer, lambda: lines(near))


def path_command(options: argparse.Namespace) -> None:
    from core.pipeline import path, place_path

    require_folder(options.vectors)
    workspace = open_workspace()
    spec = picture_spec(options)
    report = path(
        workspace,
        options.teacher,
        options.waypoints,
        options.kind,
        options.steps,
        options.centred,
        options.csls,
        at_least_one(options.k),
        show_progress,
    )
    space = workspace.space(options.teacher)
    workspace.projection(space, spec, show_progress)
    coords = place_path(workspace, options.teacher, spec, report)
    steps: list[dict[str, Any]] = []
    for step in range(len(report.curve)):
        place = {name: float(coords[step, i]) for i, name in enumerate("xyz"[: spec.dims])}
        steps.append(
            {
                "t": float(report.curve.t[step]),
                **place,
                "norm": float(report.norm[step]),
                "norm_percentile": float(report.norm_percentile[step]),
                "knn_percentile": float(report.knn_percentile[step]),
                "off_data": bool(report.off[step]),
                "cosine_to_start": float(report.cosine_to_start[step]),
                "cosine_to_end": float(report.cosine_to_end[step]),
                "nearest": pairs(space, report.nearest[step], report.nearest_cosines[step]),
                "nearest_without_waypoints": pairs(
                    space, report.nearest_without[step], report.nearest_without_cosines[step]
                ),
            }
        )
    answer = {
        "teacher": options.teacher,
        "kind": report.kind,
        "waypoints": [
            point.text if point.row is None else space.address(point.row)
            for point in report.waypoints
        ],
        "centred": report.centred,
        "projector": spec.to_dict(),
        "visited": [space.address(row) for row in report.visited],
        "steps": steps,
    }
    write_vectors(options.vectors, report.curve.points)

    def text() -> str:
        words = [
            f"{step['t']:.2f}  {label(step['nearest'][0]):24} "
            f"{listed(step['nearest_without_waypoints'], 4)}"
            for step in steps
        ]
        return "\n".join(words)

    say(options, answer, text)


def solve_command(options: argparse.Namespace) -> None:
    from core.pipeline import solve

    workspace = open_workspace()
    solution = solve(workspace, options.teacher, options.expression, at_least_one(options.k))
    space = workspace.space(options.teacher)
    answers = pairs(space, solution.rows, solution.cosines)
    answer = {
        "teacher": options.teacher,
        "expression": options.expression,
        "answers": answers,
        "answers_with_inputs": pairs(
            space, solution.rows_with_inputs, solution.cosines_with_inputs
        ),
    }
    say(options, answer, lambda: lines(answers))


def axis_command(options: argparse.Namespace) -> None:
    from core.permalink import split_words
    from core.pipeline import axis, axis_scores

    def words(text: str) -> list[str]:
        try:
            return [word.strip() for word in split_words(text) if word.strip()]
        except ValueError as error:
            raise InvalidSpecification(f"found {text!r:.60}; expected {error}") from None

    workspace = open_workspace()
    direction = axis(workspace, options.teacher, words(options.low), words(options.high))
    values = axis_scores(workspace, options.teacher, direction, options.texts)
    scored = [
        {"text": text, "score": float(value)}
        for text, value in zip(options.texts, values, strict=True)
    ]
    say(
        options,
        {"teacher": options.teacher, "scores": scored},
        lambda: "\n".join(
            f"{value:+.3f}  {text}" for text, value in zip(options.texts, values, strict=True)
        ),
    )
