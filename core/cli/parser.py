"""The commands and their options."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from core import __version__
from core.cli import doctor, interpolation, lens, points, spaces, steering, students, trajectories
from core.cli import layers as cli_layers

EXIT_BAD_INPUT = 2
LONGEST_ERROR = 400  # characters that argparse may say


class _Parser(argparse.ArgumentParser):
    """One line for an error, as everywhere; argparse would put the usage above it."""

    def error(self, message: str) -> NoReturn:
        said = " ".join(message.split())
        if len(said) > LONGEST_ERROR:
            said = f"{said[:LONGEST_ERROR]}..."
        advice = f"expected a command as `{self.prog} --help` shows it"
        self.exit(EXIT_BAD_INPUT, f"meaning-space: found {said}; {advice}\n")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """A command and its options. Ends the program with one line where they are none of ours.

    What a terminal sends in another encoding than UTF-8 comes as halves of surrogate pairs, which
    no tokenizer, file or answer takes.
    """
    given, whole = sys.argv[1:] if arguments is None else arguments, parser()
    odd = next((it for it in given if any("\ud800" <= sign <= "\udfff" for sign in it)), None)
    if odd is not None:
        whole.exit(
            EXIT_BAD_INPUT,
            f"meaning-space: found the argument {odd!a:.80}, which is not UTF-8; expected UTF-8: "
            "set the terminal to it, or rename the file\n",
        )
    return whole.parse_args(given)


def parser() -> argparse.ArgumentParser:
    whole = _Parser(
        prog="meaning-space", description="See and question the latent space of language models."
    )
    whole.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    common = _Parser(add_help=False)
    common.add_argument(
        "--workspace", type=Path, metavar="DIR", help="where caches live (default: user data)"
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> Any:
        added = commands.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=run)
        return added

    app = command("app", spaces.app_command, "open the app in the browser, on this machine only")
    app.add_argument("--port", type=int, help="default: a free one")
    app.add_argument("--no-browser", action="store_true", help="only serve")
    app.add_argument("--access-log", action="store_true", help="a line on stderr for each request")
    app.add_argument(
        "--host",
        metavar="ADDRESS",
        help="serve others by a link; 0.0.0.0 for all who reach it",
    )
    app.add_argument(
        "--name", action="append", default=[], help="with --host: what a proxy before it is called"
    )
    app.add_argument(
        "--allow-paths", action="append", default=[], metavar="DIR",
        help="with --host: let references name files below it",
    )  # fmt: skip

    teachers = command(
        "teachers", spaces.teachers_command, "list the teachers: whose spaces there are"
    )
    _json_flag(teachers)

    drawn = command("map", spaces.map_command, "draw a space and say how true the picture is")
    drawn.add_argument("teacher")
    _picture_options(drawn, "umap")
    drawn.add_argument("--out", type=Path, metavar="F.parquet", help="id, text, x, y[, z]")
    drawn.add_argument("--report", type=Path, metavar="F.json", help="figures (default: stdout)")

    near = command("neighbors", spaces.neighbors_command, "the nearest items of a text")
    near.add_argument("teacher")
    near.add_argument("text")
    near.add_argument("-k", type=int, default=10)
    _json_flag(near)
    near.add_argument("--vectors", type=Path, metavar="F.npy", help="write the query's vector")

    path = command("path", spaces.path_command, "walk from text to text and decode every step")
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

    solve = command(
        "solve", spaces.solve_command, "vector arithmetic, such as 'king - man + woman'"
    )
    solve.add_argument("teacher")
    solve.add_argument("expression")
    solve.add_argument("-k", type=int, default=10)
    _json_flag(solve)

    axis = command("axis", spaces.axis_command, "scores of texts between two lists of words")
    axis.add_argument("teacher")
    axis.add_argument("--from", dest="low", required=True, metavar="WORD,WORD")
    axis.add_argument("--to", dest="high", required=True, metavar="WORD,WORD")
    axis.add_argument("texts", nargs="+", metavar="WORD")
    _json_flag(axis)
    _student_commands(command)
    cli_layers.add_to(command, _json_flag)
    interpolation.add_to(command, _json_flag)
    lens.add_to(command, _json_flag)
    points.add_to(command, _json_flag)
    steering.add_to(command, _json_flag)
    trajectories.add_to(command, _json_flag)
    doctor.add_to(command, _json_flag)
    return whole


def _student_commands(command: Callable[..., Any]) -> None:
    made = command("distill", students.distill_command, "train a small student of a teacher")
    made.add_argument("teacher")
    made.add_argument("--student", required=True, metavar="FAMILY", help="such as transform")
    made.add_argument(
        "--bytes-per-item", type=float, metavar="N", help="in all (96; of a contextual one 400)"
    )
    made.add_argument("--seed", type=int, default=0, help="0")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="the student's folder")
    made.add_argument("--report", type=Path, metavar="F.json", help="write all figures there")
    _json_flag(made)
    made.add_argument("--quick", action="store_true", help="a short training, to try it")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a family's parameter"
    )

    judged = command("evaluate", students.evaluate_command, "how faithful a student is")
    judged.add_argument("student", metavar="DIR")
    judged.add_argument("--teacher", help="default: the one that it was made from")
    _json_flag(judged)

    asked = command("generate", students.generate_command, "a student's vectors for any texts")
    asked.add_argument("student", metavar="DIR")
    asked.add_argument("texts", nargs="+", metavar="TEXT")
    asked.add_argument("-k", type=int, default=10)
    _json_flag(asked)
    asked.add_argument("--vectors", type=Path, metavar="F.npy", help="write the vectors (m, d)")

    laid = command("compare", students.compare_command, "how two spaces differ, item by item")
    laid.add_argument("a", help="a teacher, or a student's folder")
    laid.add_argument("b", help="another")
    _json_flag(laid)

    rated = command("pareto", students.pareto_command, "fidelity against bytes, rivals and limit")
    rated.add_argument("teacher")
    rated.add_argument("--out", type=Path, metavar="F.json", help="points (default: stdout)")

    more = command("update", students.update_command, "add items with known vectors to a student")
    more.add_argument("student", metavar="DIR")
    more.add_argument("--add", type=Path, required=True, metavar="FILE", help="words and vectors")
    more.add_argument("--out", type=Path, required=True, metavar="DIR2", help="the new folder")
    _json_flag(more)


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def _picture_options(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--projector", default=default, help=f"umap, tsne or pca ({default})")
    parser.add_argument("--dims", type=int, default=2, help="2 or 3")
    parser.add_argument("--seed", type=int, help="for the same picture every time")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=NUMBER", help="a projector's parameter"
    )
