"""Every target of the students, measured at equal total bytes; the answer is drawn from here.

    python -m benchmarks.students [--only tables hybrid speller updates rivals] [--seeds 3]

Parts can be run one at a time: each one replaces its own figures in
benchmarks/results/students.json and leaves the others. The encoder has a benchmark of its own,
benchmarks/encoder.py.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, Stopwatch, record, this_command
from core.metrics.intervals import seeds_interval
from core.metrics.rate_distortion import limit_of
from core.pipeline import Workspace, evaluate, specification
from core.pipeline.students.answers import measured_pareto
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.base import Student
from core.students.coding.vocabulary import Vocabulary
from core.students.families.hybrid import HybridStudent
from core.students.registry import fit
from core.students.storage import parts, size_bytes
from core.types import silent

TABLES = (  # teacher, relative error, megabytes at least, megabytes hoped for
    ("minilm:tokens", 0.10, 2.65, 2.0),
    ("minilm:tokens", 0.02, 4.3, 3.64),
    ("glove", 0.10, 4.3, 3.5),
)
HYBRID_MEGABYTES = (6.0, 5.0)
SPELLER_BYTES_PER_ITEM = (36.0, 72.0)
NEW_TOKENS = 1_000
KEPT = (
    *("bytes_total", "bytes_per_item", "parts", "parameters", "relative_error", "cosine"),
    *("cosine_centred", "recall", "rank_median", "cka", "rsa", "procrustes", "operations"),
    *("microseconds", "benchmarks", "held_out", "seconds"),
)


def short(report: dict[str, Any]) -> dict[str, Any]:
    """What of a report stands in the results: no slices, no single items."""
    found = {name: report[name] for name in KEPT if name in report}
    found["held_out"] = {n: v for n, v in report.get("held_out", {}).items() if n != "slices"}
    return found


def measured(space: Space, student: Student, seconds: float) -> dict[str, Any]:
    """The report of a student, with its bytes once more without the vocabulary."""
    found = short(evaluate(student, space, seconds=seconds))
    words = parts(student).get("vocabulary", 0)
    return {**found, "bytes_without_vocabulary": found["bytes_total"] - words}


def tables(workspace: Workspace, seeds: int) -> dict[str, Any]:
    """Both coders of tables at each error asked for, beside the Gaussian limit."""
    found: dict[str, Any] = {}
    for teacher, error, least, hoped in TABLES:
        space = workspace.space(teacher)
        limit = limit_of(space.vectors, error) * len(space) / 8
        each: dict[str, Any] = {
            "target_megabytes": least,
            "moonshot_megabytes": hoped,
            "gaussian_limit_bytes": round(limit),
            "vocabulary_bytes": Vocabulary.of(space.texts)[0].packed().nbytes,
        }
        for family in ("transform", "vae"):
            runs = []
            for seed in range(seeds if family == "vae" and len(space) < 100_000 else 1):
                spec = specification(family, {"relative_error": error, "seed": seed})
                with Stopwatch() as watch:
                    student = fit(space, spec)
                runs.append(measured(space, student, watch.seconds))
            each[family] = runs[0]
            each[family]["times_the_limit"] = runs[0]["bytes_total"] / limit
            each[family]["bytes_total_by_seed"] = [run["bytes_total"] for run in runs]
        found[f"{teacher} at {error:g}"] = each
    return found


def hybrid(workspace: Workspace, _seeds: int) -> dict[str, Any]:
    """GloVe's 400,000 words and unseen ones in one student, at the bytes of the targets."""
    space = workspace.space("glove")
    found: dict[str, Any] = {"target_megabytes": 6.0, "moonshot_megabytes": 4.0}
    for megabytes in HYBRID_MEGABYTES:
        spec = specification("hybrid", {"bytes_per_item": megabytes * 1e6 / len(space)})
        with Stopwatch() as watch:
            student = fit(space, spec)
        found[f"{megabytes:g} MB"] = measured(space, student, watch.seconds)
        assert isinstance(student, HybridStudent)
        if "adding" not in found:
            found["adding"] = adding(space, student)
    return found


def adding(space: Space, student: HybridStudent) -> dict[str, Any]:
    """1,000 tokens with known vectors: made-up names, vectors midway between two words."""
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, len(space), (2, NEW_TOKENS))
    vectors = np.ascontiguousarray((space.vectors[one] + space.vectors[other]) / 2)
    texts = [f"{space.texts[a]} & {space.texts[b]}" for a, b in zip(one, other, strict=True)]
    student.add(texts[:8], vectors[:8])  # compiles what is compiled once
    seconds = []
    for _ in range(5):
        with Stopwatch() as watch:
            grown = student.add(texts, vectors)
        seconds.append(watch.seconds)
    wrong = np.square(grown.generate(texts) - vectors).sum()
    return {
        "tokens": NEW_TOKENS,
        "seconds": sorted(seconds)[2],
        "every_run_seconds": seconds,
        "bytes_more": size_bytes(grown) - size_bytes(student),
        "relative_error": float(wrong / np.square(vectors - space.mean).sum()),
        "target_seconds": 1.0,
        "moonshot_seconds": 0.1,
    }


def speller(workspace: Workspace, seeds: int) -> dict[str, Any]:
    """Held-out whole words from their letters, by size, over seeds: other words held out each."""
    space = workspace.space("minilm:tokens")
    found: dict[str, Any] = {"target": {"cosine": 0.45, "true_word_in_top_10": 0.65}}
    for size in SPELLER_BYTES_PER_ITEM:
        runs = []
        for seed in range(seeds):
            spec = specification("speller", {"bytes_per_item": size, "seed": seed})
            with Stopwatch() as watch:
                student = fit(space, spec)
            runs.append(measured(space, student, watch.seconds))
        over = {}
        for name in ("cosine", "cosine_centred", "true_word_in_top_10"):
            values = [float(run["held_out"][name]) for run in runs]
            middle = seeds_interval(values)
            over[name] = {"mean": middle.value, "interval": middle.report(), "by_seed": values}
        found[f"{size:g} bytes an item"] = {"over_seeds": over, "first_seed": runs[0]}
    return found


def rivals(workspace: Workspace, _seeds: int) -> dict[str, Any]:
    """The classical coders and the limit, as the Student page draws them."""
    from core.pipeline.recipes import RECIPES

    found: dict[str, Any] = {}
    for teacher in ("minilm:tokens", "glove:30000"):
        RECIPES["pareto"](default_workspace(), {"teacher": teacher}, silent)
        pareto = measured_pareto(workspace, teacher)
        if pareto is not None:
            found[teacher] = [vars(point) for point in pareto.points if point.kind != "student"]
    return found


PARTS: dict[str, Callable[[Workspace, int], dict[str, Any]]] = {
    "tables": tables,
    "hybrid": hybrid,
    "speller": speller,
    "rivals": rivals,
}


def main() -> None:
    """Measure the chosen parts and write benchmarks/results/students.json."""
    parser = argparse.ArgumentParser(description="every target of the students")
    parser.add_argument("--only", nargs="*", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    workspace = Workspace(default_workspace())
    path: Path = RESULTS / "students.json"
    found = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    for name in options.only:
        found[name] = PARTS[name](workspace, options.seeds)
        record("students", this_command(), found)


if __name__ == "__main__":
    main()
