"""Write the tables of docs/performance.md from benchmarks/results/*.json.

    python -m benchmarks.report

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; the words around it are
written by hand. A benchmark that has not run yet leaves "not measured" in its cells.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import RESULTS
from benchmarks.processes import ROOT

PAGE = ROOT / "docs" / "performance.md"
NAMES = ("encode", "projection", "placement", "spaces", "cli", "animation", "first_map")
MISSING = "not measured"
Found = dict[str, Any]
Row = Sequence[object]


@dataclass(frozen=True)
class Figure:
    """One line of the overview: what, the target, and how to read it off the results.

    ``measured`` and ``rival`` answer cells; ``met`` says whether the target is reached, or is
    None for a figure that is only reported.
    """

    name: str
    target: str
    measured: Callable[[Found], str]
    rival: Callable[[Found], str]
    met: Callable[[Found], bool] | None = None

    def row(self, found: Found) -> Row:
        """Cells of the overview."""
        verdict = "reported" if self.met is None else _try(self._verdict, found)
        measured, rival = _try(self.measured, found), _try(self.rival, found)
        return (self.name, self.target, measured, rival, verdict)

    def _verdict(self, found: Found) -> str:
        return "met" if self.met is not None and self.met(found) else "**missed**"


def read() -> Found:
    """All results by benchmark's name."""
    found = {}
    for name in NAMES:
        path = RESULTS / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    return found


# ------------------------------------------------------------------------------- reading it off


def first_map(found: Found, state: str, side: str, until: str) -> float:
    """Median seconds."""
    seconds = found["first_map"]["results"]["seconds"]
    return float(seconds[state][side][until]["median"])


def fit(found: Found, state: str = "compiled_before") -> Found:
    """The paired fits."""
    pairs: Found = found["projection"]["results"][state]
    return pairs


def placed(found: Found) -> float:
    """Milliseconds for 64 points in a fresh process."""
    times = found["placement"]["results"]["64 points"]["place_milliseconds_fresh_process"]
    return float(median(times))


def overlaps(found: Found) -> tuple[float, float]:
    """Overlap@15 of held-out points on umap-learn's own map: our placing and its transform."""
    each = found["placement"]["results"]["on umap-learn's map"]
    ours = next(row for name, row in each.items() if "as built" in name)
    return float(ours["overlap_15"]), float(each["umap-learn transform"]["overlap_15"])


def side(found: Found, name: str) -> Found:
    """Medians of one side of the animation."""
    medians: Found = found["animation"]["results"]["median"][name]
    return medians


def encoding(found: Found) -> Found:
    """The encoder's figures."""
    results: Found = found["encode"]["results"]
    return results


def load(found: Found, reference: str) -> Found:
    """One space's figures."""
    space: Found = found["spaces"]["results"][reference]
    return space


# name, target, at most, state, side, until
TO_THE_MAP = (
    (
        "nothing computed before: first sight",
        "8 s",
        8.0,
        "cold",
        "ours in a browser",
        "first_sight",
    ),
    ("final UMAP, painted", "20 s", 20.0, "cold", "ours in a browser", "umap_painted"),
    ("final UMAP, its data handed out", "20 s", 20.0, "cold", "ours without", "data_handed_out"),
    (
        "new machine: its data handed out",
        "",
        None,
        "new machine",
        "ours without",
        "data_handed_out",
    ),
    ("computed before: data handed out", "1.5 s", 1.5, "warm", "ours without", "data_handed_out"),
)


def first_map_figure(
    name: str, target: str, most: float | None, state: str, side: str, until: str
) -> Figure:
    """A line about the way from the command to the map."""
    return Figure(
        f"first map, {name}",
        target,
        lambda it: f"{first_map(it, state, side, until):.1f} s",
        lambda it: f"Embedding Atlas {first_map(it, state, 'rival', 'data_handed_out'):.1f} s",
        None if most is None else lambda it: first_map(it, state, side, until) <= most,
    )


def encode_target(found: Found) -> float:
    """2.5 times where the processor computes in bf16; elsewhere not slower."""
    extensions = found["encode"]["machine"]["extensions"]
    return 2.5 if any("bf16" in name for name in extensions) else 1.0


FIGURES = (
    *(first_map_figure(*line) for line in TO_THE_MAP),
    Figure(
        "UMAP fit, fresh process, imports included",
        "2 times as fast; 3 hoped for",
        lambda it: (
            f"{fit(it)['median']['meaning-space']['seconds']:.1f} s "
            f"({fit(it)['times_as_fast']:.1f} times as fast)"
        ),
        lambda it: f"umap-learn {fit(it)['median']['umap-learn']['seconds']:.1f} s",
        lambda it: fit(it)["times_as_fast"] >= 2,
    ),
    Figure(
        "its trustworthiness@15",
        "no lower by more than 0.01",
        lambda it: f"{fit(it)['median']['meaning-space']['trustworthiness_15']:.3f}",
        lambda it: f"{fit(it)['median']['umap-learn']['trustworthiness_15']:.3f}",
        lambda it: fit(it)["trustworthiness_gained"] >= -0.01,
    ),
    Figure(
        "encoding 2,617 sentences",
        "2.5 times with bf16; never slower without",
        lambda it: (
            f"{encoding(it)['sentences_per_second']['meaning_space']:.0f}/s "
            f"({encoding(it)['times_as_fast']:.1f} times as fast, {encoding(it)['precision']})"
        ),
        lambda it: (
            "sentence-transformers "
            f"{encoding(it)['sentences_per_second']['sentence_transformers']:.0f}/s"
        ),
        lambda it: encoding(it)["times_as_fast"] >= encode_target(it),
    ),
    Figure(
        "placing 64 points, fresh process",
        "50 ms",
        lambda it: f"{placed(it):.0f} ms",
        lambda it: f"umap-learn transform, the first time {found_first_transform(it) / 1000:.0f} s",
        lambda it: placed(it) <= 50,
    ),
    Figure(
        "its overlap@15, held-out points",
        "at least transform's",
        lambda it: f"{overlaps(it)[0]:.3f}",
        lambda it: f"{overlaps(it)[1]:.3f}",
        lambda it: overlaps(it)[0] >= overlaps(it)[1],
    ),
    Figure(
        "animation, 100,000 points, software GL",
        "",
        lambda it: (
            f"{side(it, 'ours')['frames_per_second']} frames/s, "
            f"page {side(it, 'ours')['page_megabytes']} MB"
        ),
        lambda it: (
            f"{side(it, 'rival')['frames_per_second']} frames/s, "
            f"page {side(it, 'rival')['page_megabytes']} MB"
        ),
    ),
    Figure(
        "`meaning-space --help`",
        "0.3 s",
        lambda it: f"{it['cli']['results']['help_seconds']['help']['median']:.2f} s",
        lambda it: (
            f"`python -c pass` {it['cli']['results']['help_seconds']['python']['median']:.2f} s"
        ),
        lambda it: it["cli"]["results"]["help_seconds"]["help"]["median"] <= 0.3,
    ),
    Figure(
        "second start: the slowest space from the store",
        "1 s",
        lambda it: f"{slowest_load(it):.2f} s",
        lambda it: f"made anew {load(it, 'minilm:words')['anew_seconds']['median']:.0f} s",
        lambda it: slowest_load(it) <= 1,
    ),
)


def found_first_transform(found: Found) -> float:
    """Milliseconds of umap-learn's first transform in a process."""
    return float(found["placement"]["results"]["64 points"]["transform_milliseconds_first"])


def slowest_load(found: Found) -> float:
    """Seconds of the slowest of the spaces."""
    spaces = found["spaces"]["results"].values()
    return max(float(space["from_store_seconds"]["median"]) for space in spaces)


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
    "machine": machine_table,
}


def _try(read_off: Callable[[Found], str], found: Found) -> str:
    try:
        return read_off(found)
    except (KeyError, StopIteration):
        return MISSING


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
