"""Write the tables of docs/performance.md from benchmarks/results/*.json.

    python -m benchmarks.report

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; the words around it are
written by hand. A benchmark that has not run yet leaves "not measured" in its cells.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.common import RESULTS
from benchmarks.figures import FIGURES, MISSING, Found, fit, side
from benchmarks.processes import ROOT

PAGE = ROOT / "docs" / "performance.md"
NAMES = ("encode", "projection", "placement", "spaces", "cli", "animation", "first_map", "load")
Row = Sequence[object]


def read() -> Found:
    """All results by benchmark's name."""
    found = {}
    for name in NAMES:
        path = RESULTS / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    return found


# --------------------------------------------------------------------------------------- tables


def overview(found: Found) -> list[Row]:
    """Every figure against its target."""
    head = ("figure", "target", "measured", "rival", "verdict")
    return [head, *(figure.row(found) for figure in FIGURES)]


def first_map_table(found: Found) -> list[Row]:
    """Every moment of every state, all values."""
    rows: list[Row] = [("state", "side", "until", "median, s", "every run, s")]
    for state, sides in found["first_map"]["results"]["seconds"].items():
        for name, moments in sides.items():
            for until, values in moments.items():
                runs = ", ".join(f"{value:.1f}" for value in values["all"])
                words = until.replace("_", " ")
                rows.append((state, name, words, f"{values['median']:.1f}", runs))
    return rows


def animation_table(found: Found) -> list[Row]:
    """Both sides of every count."""
    ours, rival = side(found, "ours"), side(found, "rival")
    rows = [(name.replace("_", " "), ours[name], rival[name]) for name in ours]
    return [("", "moving traces only", "everything in every frame"), *rows]


def cli_table(found: Found) -> list[Row]:
    """Help, bare Python and the commands."""
    results = found["cli"]["results"]
    rows: list[Row] = [("command", "first run, s", "warm, s")]
    for name, words in (("help", "`--help`"), ("python", "`python -c pass`")):
        rows.append((words, "", f"{results['help_seconds'][name]['median']:.3f}"))
    for name, each in results["command_seconds"].items():
        rows.append((f"`{name}`", f"{each['first']:.2f}", f"{each['median']:.2f}"))
    return rows


def spaces_table(found: Found) -> list[Row]:
    """Loads against makings."""
    head = ("space", "items", "MB", "from the store, s", "made anew, s", "first answer, s")
    rows = [
        (
            f"`{name}`",
            f"{each['items']:,}",
            each["vectors_megabytes"],
            f"{each['from_store_seconds']['median']:.2f}",
            f"{each['anew_seconds']['median']:.2f}",
            f"{each['first_answer_from_store_seconds']['median']:.2f}",
        )
        for name, each in found["spaces"]["results"].items()
    ]
    return [head, *rows]


def projection_table(found: Found) -> list[Row]:
    """Both sides of the paired fits, by state."""
    rows: list[Row] = [("state", "side", "median, s", "trustworthiness@15", "every run, s")]
    for state in ("compiled_before", "new_machine"):
        for name, middle in found["projection"]["results"].get(state, {}).get("median", {}).items():
            runs = fit(found, state)["runs"][name]
            rows.append(
                (
                    state.replace("_", " "),
                    name,
                    f"{middle['seconds']:.1f}",
                    f"{middle['trustworthiness_15']:.3f}",
                    ", ".join(f"{run['seconds']:.1f}" for run in runs),
                )
            )
    return rows


def placement_table(found: Found) -> list[Row]:
    """Variants of the rule on umap-learn's own map."""
    rows: list[Row] = [("rule", "overlap@15", "largest of 48 steps, of the map's width")]
    for name, each in found["placement"]["results"]["on umap-learn's map"].items():
        step = each.get("largest_of_48_steps")
        rows.append((name, f"{each['overlap_15']:.3f}", "" if step is None else f"{step:.3f}"))
    return rows


def crowds_table(found: Found) -> list[Row]:
    """What people waited for, and what an answer cost the server."""
    head = ("people", "side", "answers", "errors", "median, s", "95% within, s", "longest, s")
    rows: list[Row] = [(*head, "a way, 95% within, s", "processor, s", "memory, MB")]
    for turn in found["load"]["results"]["crowds"]:
        seconds = turn["seconds"]
        times = [f"{seconds['all'][name]:.2f}" for name in ("median", "p95", "longest")]
        way = f"{seconds['path']['p95']:.2f}"
        cost = f"{turn['processor_seconds_per_answer']:.3f}"
        counts = (turn["people"], turn["side"], turn["answers"], turn["errors"])
        rows.append((*counts, *times, way, cost, turn["server"]["megabytes"]))
    return rows


def writers_table(found: Found) -> list[Row]:
    """How many were served in time, and how long a bystander waited."""
    head = ("side", "served", "until the last, s", "bystander, median, s", "bystander, longest, s")
    rows: list[Row] = [(*head, "threads at most")]
    for turn in found["load"]["results"]["writers"]:
        served = f"{turn['served']} of {turn['writers']}"
        beside = [f"{turn['bystander_seconds'][name]:.2f}" for name in ("median", "longest")]
        last = f"{turn['seconds']['longest']:.0f}" if turn["served"] else ""
        rows.append((turn["side"], served, last, *beside, turn["server_at_most"]["threads"]))
    return rows


def machine_table(found: Found) -> list[Row]:
    """What ran when, and how busy the machine was before."""
    rows: list[Row] = [("benchmark", "command", "date", "machine", "load before")]
    for name, document in found.items():
        machine = document["machine"]
        words = (
            f"{machine['cores']} cores, {machine['processor']}, "
            f"{', '.join(machine['extensions'])}, {machine['memory_gib']} GiB"
        )
        command, day = f"`{document['command']}`", document["date"][:16].replace("T", " ")
        rows.append((name, command, day, words, machine["load_before"]))
    return rows


TABLES: dict[str, Callable[[Found], list[Row]]] = {
    "overview": overview,
    "first map": first_map_table,
    "projection": projection_table,
    "placement": placement_table,
    "animation": animation_table,
    "command line": cli_table,
    "spaces": spaces_table,
    "crowds": crowds_table,
    "writers": writers_table,
    "machine": machine_table,
}


def markdown(rows: Sequence[Row]) -> str:
    """A Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    rule = "|" + "---|" * len(rows[0])
    return "\n".join([lines[0], rule, *lines[1:]])


def filled(page: str, found: Found) -> str:
    """The page with every table written anew."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        try:
            body = markdown(TABLES[name](found))
        except KeyError:
            body = MISSING
        return f"<!-- table: {name} -->\n{body}\n<!-- end -->"

    return re.sub(r"<!-- table: (.+?) -->.*?<!-- end -->", fill, page, flags=re.DOTALL)


def main(page: Path = PAGE) -> None:
    """Rewrite the tables of docs/performance.md, and print the overview."""
    found = read()
    page.write_text(filled(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(markdown(overview(found)))


if __name__ == "__main__":
    main()
