"""The figures that have a target or a rival, and how to read each off the results."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

Found = dict[str, Any]  # every results document by its benchmark's name
MISSING = "not measured"


def tried(read_off: Callable[[Found], str], found: Found) -> str:
    """The cell, or "not measured" where the benchmark has not run."""
    try:
        return read_off(found)
    except (KeyError, StopIteration):
        return MISSING


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

    def row(self, found: Found) -> tuple[str, ...]:
        """Cells of the overview."""
        verdict = "reported" if self.met is None else tried(self._verdict, found)
        measured, rival = tried(self.measured, found), tried(self.rival, found)
        return (self.name, self.target, measured, rival, verdict)

    def _verdict(self, found: Found) -> str:
        return "met" if self.met is not None and self.met(found) else "**missed**"


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


BROWSER, ALONE = "ours, browser", "ours, no browser"
# name, target, at most, state, side, until
TO_THE_MAP = (
    ("nothing computed: first sight", "8 s", 8.0, "cold", BROWSER, "first_sight"),
    ("nothing computed: UMAP painted", "20 s", 20.0, "cold", BROWSER, "umap_painted"),
    ("nothing computed: UMAP handed out", "20 s", 20.0, "cold", ALONE, "data_handed_out"),
    ("new machine: UMAP handed out", "", None, "new machine", ALONE, "data_handed_out"),
    ("computed before: handed out", "1.5 s", 1.5, "warm", ALONE, "data_handed_out"),
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
        lambda it: f"umap-learn's transform, its first call {first_transform(it) / 1000:.0f} s",
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
            f"{side(it, 'ours')['frames_per_second']:.1f} frames/s, "
            f"page {side(it, 'ours')['page_megabytes']:.1f} MB"
        ),
        lambda it: (
            f"{side(it, 'rival')['frames_per_second']:.1f} frames/s, "
            f"page {side(it, 'rival')['page_megabytes']:.1f} MB"
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


def first_transform(found: Found) -> float:
    """Milliseconds of umap-learn's first transform in a process."""
    return float(found["placement"]["results"]["64 points"]["transform_milliseconds_first"])


def slowest_load(found: Found) -> float:
    """Seconds of the slowest of the spaces."""
    spaces = found["spaces"]["results"].values()
    return max(float(space["from_store_seconds"]["median"]) for space in spaces)
