"""Commands for students: distill, evaluate, generate, compare, pareto, update."""

import argparse
import json
import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.shared import (
    NONE,
    at_least_one,
    label,
    named,
    open_workspace,
    require_folder,
    say,
    settings,
    show_progress,
    write_vectors,
)
from core.errors import Cancelled, Unsupported

if TYPE_CHECKING:
    from core.pipeline import Workspace
    from core.types import Progress, Vector

MOVED_SHOWN = 10
USUAL_BYTES = {"contextual": 400.0}  # an item, where nothing is said; of all others 96


def distill_command(options: argparse.Namespace) -> None:
    from core.pipeline import distill, evaluate_kept, specification

    for file in (options.out, options.report):
        require_folder(file)
    size = options.bytes_per_item
    size = USUAL_BYTES.get(options.student, 96.0) if size is None else size
    values: dict[str, Any] = {"bytes_per_item": size, "seed": options.seed}
    values |= settings(options.set, "held_out=0.1", words=True)
    spec = specification(options.student, values, quick=options.quick)
    workspace = open_workspace()
    with _stoppable() as progress:
        try:
            student = distill(workspace, options.teacher, spec, progress=progress, out=options.out)
        except Cancelled as stopped:
            raise Cancelled(
                f"{stopped}; what was learnt is kept in {workspace.catalogue.under_way}: run the "
                "same command again to go on"
            ) from None
    try:
        with _stoppable() as progress:
            report = evaluate_kept(
                workspace, _student(str(options.out)), None, progress, seconds=student.seconds
            )
    except Cancelled as stopped:
        raise Cancelled(
            f"{stopped}; the student itself is whole: `meaning-space evaluate {options.out}` "
            "measures it"
        ) from None
    report = {**report, "notes": list(student.notes)}
    if options.report is not None:
        _write_json(report, options.report)
    say(options, report, lambda: "\n".join([*_figures(report), *report["notes"]]))


def evaluate_command(options: argparse.Namespace) -> None:
    from core.pipeline import evaluate_kept

    student = _student(options.student)
    with _stoppable() as progress:
        report = evaluate_kept(open_workspace(), student, options.teacher, progress)
    say(options, report, lambda: "\n".join(_figures(report)))


def generate_command(options: argparse.Namespace) -> None:
    from core.pipeline.students.answers import teacher_of

    require_folder(options.vectors)
    workspace, k = open_workspace(), at_least_one(options.k)
    key = _student(options.student)
    vectors = teacher_of(workspace, key).vectors(options.texts)
    items = [
        _asked(workspace, key, text, vector, k)
        for text, vector in zip(options.texts, vectors, strict=True)
    ]
    write_vectors(options.vectors, vectors)

    def line(item: dict[str, Any]) -> str:
        near = ", ".join(f"{label(it)} {it['cosine']:.2f}" for it in item["nearest"][:5]) or NONE
        return f"{item['text']} ({'known' if item['known'] else 'not stored'}): {near}"

    say(options, {"items": items}, lambda: "\n".join(map(line, items)))


def _asked(workspace: "Workspace", key: str, text: str, vector: "Vector", k: int) -> dict[str, Any]:
    """A text, whether the student stores it, and the items nearest to its vector."""
    from core.pipeline.students.answers import near, space_of, student_of

    known = text in student_of(workspace, key).known
    try:
        space = space_of(workspace, key)
        nearest = [
            {**named(space, row), "cosine": cosine}
            for _, cosine, row in near(space, text, vector, k)
        ]
    except Unsupported:  # no items to look among: the teacher is not here
        nearest = []
    return {"text": text, "known": known, "nearest": nearest}


def compare_command(options: argparse.Namespace) -> None:
    from core.pipeline import reference_to
    from core.pipeline.compare.comparison import compare

    with _stoppable() as progress:
        comparison = compare(
            open_workspace(), reference_to(options.a), reference_to(options.b), progress
        )

    def text() -> str:
        lines = [comparison.join.sentence((options.a, options.b))]
        lines += [f"{name:24} {_share(value, 4)}" for name, value in comparison.summary.items()]
        lines += [f"null: {comparison.null_note}"]
        lines += [f"{word['drift']:.3f}  {word['says']}" for word in comparison.moved[:MOVED_SHOWN]]
        return "\n".join(lines)

    say(options, comparison.to_dict(), text)


def pareto_command(options: argparse.Namespace) -> None:
    from core.pipeline import pareto

    require_folder(options.out)
    with _stoppable() as progress:
        pareto_points = pareto(open_workspace(), options.teacher, progress)
    _write_json(pareto_points.to_dict(), options.out)


def update_command(options: argparse.Namespace) -> None:
    from core.pipeline import update

    require_folder(options.out)
    done = update(open_workspace(), _student(options.student), options.add, options.out)
    say(
        options,
        done,
        lambda: (
            f"{done['added']:,} items added in {done['seconds']:.3f} s, "
            f"{done['bytes_total']:,} bytes in all"
        ),
    )


def _student(typed: str) -> str:
    """A folder's whole path where it is a student's, so that no key of the workspace is meant."""
    from core.pipeline import reference_to

    return str(Path(typed).expanduser().absolute()) if reference_to(typed) != typed else typed


@contextmanager
def _stoppable() -> Iterator["Progress"]:
    """Progress for the terminal; the first Ctrl-C asks the work to stop, the second ends it."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        print("\nstopping at the next step; Ctrl-C again ends it at once", file=sys.stderr)

    def progress(done: int, total: int, message: str) -> bool:
        show_progress(done, total, message)
        return not asked.is_set()

    if threading.current_thread() is not threading.main_thread():
        yield progress
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield progress
    finally:
        signal.signal(signal.SIGINT, before)


def _write_json(said: dict[str, Any], file: Path | None) -> None:
    text = json.dumps(said, indent=1, ensure_ascii=False)
    if file is None:
        print(text)
    else:
        file.write_text(text + "\n", encoding="utf-8")


def _figures(report: dict[str, Any]) -> list[str]:
    held_out = report["held_out"]
    lines = [
        f"{report['family']} of {report['teacher']}",
        f"bytes            {report['bytes_total']:,} ({report['bytes_per_item']:.2f} an item)",
        f"relative error   {report['relative_error']:.4f}",
        f"cosine           {report['cosine']:.4f} ({report['cosine_centred']:.4f} centred)",
        "recall           "
        + ", ".join(f"{_share(share)} of {k}" for k, share in report["recall"].items()),
        f"microseconds     {report['microseconds']['1']:.1f} alone, "
        f"{report['microseconds']['1024']:.2f} in a batch of 1,024",
    ]
    if held_out:
        lines.append(
            f"not taught       {held_out['items']:,} items: cosine {held_out['cosine']:.4f}, "
            f"the true one in the top 10 {_share(held_out['true_word_in_top_10'])}"
        )
    return lines


def _share(value: float | None, digits: int = 3) -> str:
    """A figure as it is said; one that could not be bad is none."""
    judged = value is not None and not math.isnan(value)
    return f"{value:.{digits}f}" if judged else "(too few items to judge)"
