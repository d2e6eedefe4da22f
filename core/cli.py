"""The command line: the recipes of the app, JSON out. Heavy imports wait until they are needed."""

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core import __version__
from core.errors import InvalidSpecification, MeaningSpaceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.pipeline import Bench
    from core.spaces.space import Space

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
LONGEST_ERROR = 400  # characters that argparse may say


class _Parser(argparse.ArgumentParser):
    """One line for an error, as everywhere; argparse would put the usage above it."""

    def error(self, message: str) -> NoReturn:
        said = " ".join(message.split())
        if len(said) > LONGEST_ERROR:
            said = f"{said[:LONGEST_ERROR]}..."
        advice = f"expected a command as `{self.prog} --help` shows it"
        self.exit(EXIT_BAD_INPUT, f"meaning-space: found {said}; {advice}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 with one line on stderr that says what to mend."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # any word can be told to any terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    if options.workspace is not None:
        os.environ["MEANING_SPACE_WORKSPACE"] = str(options.workspace)
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        run(options)
    except MeaningSpaceError as error:
        print(f"meaning-space: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"meaning-space: found {error.strerror or error}{where}; "
            "expected files that can be read and written: check the path",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="meaning-space", description="See and question the latent space of language models."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    common = _Parser(add_help=False)
    common.add_argument(
        "--workspace", type=Path, metavar="DIR", help="where caches live (default: user data)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Any:
        added = commands.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=run)
        return added

    app = command("app", _app, "open the app in the browser, on this machine only")
    app.add_argument("--port", type=int, help="default: a free one")
    app.add_argument("--no-browser", action="store_true", help="only serve")

    teachers = command("teachers", _teachers, "list the teachers: whose spaces there are")
    _json_flag(teachers)

    drawn = command("map", _map, "draw a space and say how true the picture is")
    drawn.add_argument("teacher")
    _picture_options(drawn, "umap")
    drawn.add_argument("--out", type=Path, metavar="F.parquet", help="id, text, x, y[, z]")
    drawn.add_argument("--report", type=Path, metavar="F.json", help="figures (default: stdout)")

    near = command("neighbors", _neighbors, "the nearest items of a text")
    near.add_argument("teacher")
    near.add_argument("text")
    near.add_argument("-k", type=int, default=10)
    _json_flag(near)
    near.add_argument("--vectors", type=Path, metavar="F.npy", help="write the query's vector")

    path = command("path", _path, "walk from text to text and decode every step")
    path.add_argument("teacher")
    path.add_argument("waypoints", nargs="+", metavar="TEXT")
    path.add_argument("--kind", default="slerp", help="lerp, slerp (default) or graph")
    path.add_argument("--steps", type=int, default=48)
    path.add_argument("--centred", action="store_true", help="on the space without its mean")
    path.add_argument("--csls", action="store_true", help="rank against hubs")
    path.add_argument("-k", type=int, default=10)
    _picture_options(path, "pca")
    _json_flag(path)
    path.add_argument("--vectors", type=Path, metavar="F.npy", help="write the points (m, d)")

    solve = command("solve", _solve, "vector arithmetic, such as 'king - man + woman'")
    solve.add_argument("teacher")
    solve.add_argument("expression")
    solve.add_argument("-k", type=int, default=10)
    _json_flag(solve)

    axis = command("axis", _axis, "scores of texts between two lists of words")
    axis.add_argument("teacher")
    axis.add_argument("--from", dest="low", required=True, metavar="WORD,WORD")
    axis.add_argument("--to", dest="high", required=True, metavar="WORD,WORD")
    axis.add_argument("texts", nargs="+", metavar="WORD")
    _json_flag(axis)
    return parser


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def _picture_options(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--projector", default=default, help=f"umap, tsne or pca ({default})")
    parser.add_argument("--dims", type=int, default=2, help="2 or 3")
    parser.add_argument("--seed", type=int, help="for the same picture every time")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=NUMBER", help="a projector's parameter"
    )


# ------------------------------------------------------------------------------------ commands


def _app(options: argparse.Namespace) -> None:
    """Become the server's process: the command line itself never loads Streamlit."""
    command = [sys.executable, "-P", "-m", "core.ui.server"]
    command += [] if options.port is None else ["--port", str(options.port)]
    command += ["--no-browser"] if options.no_browser else []
    here = str(Path(__file__).resolve().parents[1])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(sys.executable, command)
    sys.exit(subprocess.call(command))


def _teachers(options: argparse.Namespace) -> None:
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

    _answer(options, rows, text)


def _map(options: argparse.Namespace) -> None:
    from dataclasses import asdict
    from time import perf_counter

    import pandas as pd

    spec = _spec(options)
    bench = _bench()
    seconds: dict[str, float] = {}
    started = perf_counter()
    for folder in (options.out, options.report):
        _require_folder(folder)
    space = bench.space(options.teacher, _progress)
    seconds["space"] = perf_counter() - started
    begun = perf_counter()
    picture = bench.projection(space, spec, _progress)
    seconds["picture"] = perf_counter() - begun
    begun = perf_counter()
    measured = bench.faithfulness(space, spec, _progress)
    seconds["faithfulness"] = perf_counter() - begun
    seconds["total"] = perf_counter() - started
    if options.out is not None:
        table = pd.DataFrame({"id": space.ids, "text": space.texts})
        for axis, name in enumerate("xyz"[: spec.dims]):
            table[name] = picture.coords[:, axis]
        table.to_parquet(options.out)
    faithful = asdict(measured)
    del faithful["per_point"]
    graph = bench.graph(space)
    report = {
        "teacher": options.teacher,
        "n": len(space),
        "dim": space.dim,
        "spec": spec.to_dict(),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "fit_seconds": {name: round(value, 3) for name, value in picture.seconds.items()},
        "faithfulness": faithful,
        "neighbors": {"method": graph.method, "recall": graph.recall},
        "space_digest": space.digest,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if options.report is not None:
        options.report.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def _neighbors(options: argparse.Namespace) -> None:
    from core.pipeline import neighbors

    _require_folder(options.vectors)
    bench = _bench()
    found = neighbors(bench, options.teacher, options.text, _at_least_one(options.k))
    space = bench.space(options.teacher)
    near = _pairs(space, found.rows, found.cosines)
    answer = {
        "teacher": options.teacher,
        "query": found.query.text,
        "how": found.query.how,
        "neighbors": near,
    }
    _write_vectors(options.vectors, found.query.vector)
    _answer(options, answer, lambda: _lines(near))


def _path(options: argparse.Namespace) -> None:
    from core.pipeline import path, place_path

    _require_folder(options.vectors)
    bench = _bench()
    spec = _spec(options)
    report = path(
        bench,
        options.teacher,
        options.waypoints,
        options.kind,
        options.steps,
        options.centred,
        options.csls,
        _at_least_one(options.k),
        _progress,
    )
    space = bench.space(options.teacher)
    bench.projection(space, spec, _progress)
    coords = place_path(bench, options.teacher, spec, report)
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
                "nearest": _pairs(space, report.nearest[step], report.nearest_cosines[step]),
                "nearest_without_waypoints": _pairs(
                    space, report.nearest_without[step], report.nearest_without_cosines[step]
                ),
            }
        )
    answer = {
        "teacher": options.teacher,
        "kind": report.kind,
        "waypoints": [point.text for point in report.waypoints],
        "centred": report.centred,
        "projector": spec.to_dict(),
        "visited": [space.texts[row] for row in report.visited],
        "steps": steps,
    }
    _write_vectors(options.vectors, report.curve.points)

    def text() -> str:
        words = [
            f"{step['t']:.2f}  {step['nearest'][0]['text']:24} "
            f"{', '.join(near['text'] for near in step['nearest_without_waypoints'][:4])}"
            for step in steps
        ]
        return "\n".join(words)

    _answer(options, answer, text)


def _solve(options: argparse.Namespace) -> None:
    from core.pipeline import solve

    bench = _bench()
    found = solve(bench, options.teacher, options.expression, _at_least_one(options.k))
    space = bench.space(options.teacher)
    answers = _pairs(space, found.rows, found.cosines)
    answer = {
        "teacher": options.teacher,
        "expression": options.expression,
        "answers": answers,
        "answers_with_inputs": _pairs(space, found.rows_with_inputs, found.cosines_with_inputs),
    }
    _answer(options, answer, lambda: _lines(answers))


def _axis(options: argparse.Namespace) -> None:
    from core.permalink import split_words
    from core.pipeline import axis, axis_scores

    def words(text: str) -> list[str]:
        try:
            return [word.strip() for word in split_words(text) if word.strip()]
        except ValueError as error:
            raise InvalidSpecification(f"found {text!r:.60}; expected {error}") from None

    bench = _bench()
    made = axis(bench, options.teacher, words(options.low), words(options.high))
    values = axis_scores(bench, options.teacher, made, options.texts)
    scored = [
        {"text": text, "score": float(value)}
        for text, value in zip(options.texts, values, strict=True)
    ]
    _answer(
        options,
        {"teacher": options.teacher, "scores": scored},
        lambda: "\n".join(
            f"{value:+.3f}  {text}" for text, value in zip(options.texts, values, strict=True)
        ),
    )


# ------------------------------------------------------------------------------------- helpers


def _workspace() -> Path:
    from core.store.disk import default_workspace

    return default_workspace()


def _bench() -> "Bench":
    from core.pipeline import Bench

    return Bench(_workspace())


def _spec(options: argparse.Namespace) -> Any:
    from core.projection.base import PcaSpec, spec_from_dict

    values: dict[str, Any] = {"kind": options.projector, "dims": options.dims}
    if options.seed is not None and options.projector != PcaSpec.kind:
        values["seed"] = options.seed
    for setting in options.set:
        name, equals, number = setting.partition("=")
        try:
            values[name] = float(number) if "." in number else int(number)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidSpecification(
                f"found --set {setting!r:.60}; expected NAME=NUMBER, such as --set n_neighbors=30"
            )
    return spec_from_dict(values)


def _progress(done: int, total: int, message: str) -> bool:
    """One line that rewrites itself, for a person at a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done >= total else ""
        print(f"\r\x1b[K{message} {100 * done // max(total, 1)}%", end=end, file=sys.stderr)
    return True


def _pairs(
    space: "Space", rows: "npt.NDArray[np.integer]", cosines: "npt.NDArray[np.float32]"
) -> list[dict[str, Any]]:
    return [
        {"text": space.texts[int(row)], "cosine": float(cosine)}
        for row, cosine in zip(rows, cosines, strict=True)
    ]


def _lines(pairs: list[dict[str, Any]]) -> str:
    return "\n".join(f"{pair['cosine']:.3f}  {pair['text']}" for pair in pairs)


def _answer(options: argparse.Namespace, answer: Any, text: Callable[[], str]) -> None:
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(text())


def _at_least_one(k: int) -> int:
    if k < 1:
        raise InvalidSpecification(f"found -k {k}; expected at least 1")
    return k


def _require_folder(file: Path | None) -> None:
    """Fail before the work, not after it. Raises InvalidSpecification."""
    if file is not None and not file.absolute().parent.is_dir():
        raise InvalidSpecification(
            f"found no folder {file.absolute().parent}; expected one to write {file.name} into: "
            "make it first"
        )


def _write_vectors(file: Path | None, vectors: "npt.NDArray[np.float32]") -> None:
    if file is None:
        return
    import numpy as np

    with file.open("wb") as stream:
        np.save(stream, vectors, allow_pickle=False)


if __name__ == "__main__":
    sys.exit(main())
