"""The project's answer from what was measured: assets/answer.json, and docs/answer.md's tables.

    python -m benchmarks.answer

Words are written here and in docs/answer.md; every figure in them is read from students.json and
encoder.json in benchmarks/results. A part that was not measured leaves its sentence out.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.common import RESULTS
from benchmarks.processes import ROOT
from benchmarks.report import markdown
from core.resources import site_root

PAGE = ROOT / "docs" / "answer.md"
TABLE_BYTES = 28_594 * 384 * 4  # minilm:tokens in 32 bits
MODEL_BYTES = 90_868_376  # the weights file of all-MiniLM-L6-v2
MEASURES = ("cosine_words", "cosine_sentences", "pair_spearman_sentences")
Found = dict[str, Any]
Row = Sequence[object]


def megabytes(count: float) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e6:.2f} MB"


def tables_rows(found: Found) -> list[Row]:
    """Every target of the coders of tables."""
    head = (
        *("teacher", "error asked", "student", "bytes in all", "without the texts"),
        *("Gaussian limit", "recall@10", "at least", "moonshot", "verdict"),
    )
    rows: list[Row] = [head]
    for name, each in found["tables"].items():
        teacher, _, error = name.partition(" at ")
        for family in ("transform", "vae"):
            it = each[family]
            total = it["bytes_total"] / 1e6
            if total <= each["moonshot_megabytes"]:
                verdict = "moonshot"
            else:
                verdict = "met" if total <= each["target_megabytes"] else "missed"
            rows.append(
                (
                    *(f"`{teacher}`", error, f"`{family}`", megabytes(it["bytes_total"])),
                    megabytes(it["bytes_without_vocabulary"]),
                    megabytes(each["gaussian_limit_bytes"]),
                    f"{it['recall']['10']:.2f}",
                    f"{each['target_megabytes']:g} MB",
                    f"{each['moonshot_megabytes']:g} MB",
                    verdict,
                )
            )
    return rows


def speller_rows(found: Found) -> list[Row]:
    """Held-out words from their letters, mean over seeds and its interval."""
    rows: list[Row] = [
        ("bytes an item", "bytes in all", "cosine", "true word among the 10 nearest")
    ]
    for size, each in found["speller"].items():
        if size == "target":
            continue
        cells = []
        for name in ("cosine", "true_word_in_top_10"):
            it = each["over_seeds"][name]
            low, high = it["interval"]
            cells.append(f"{it['mean']:.3f} ({low:.3f} to {high:.3f})")
        total = megabytes(each["first_seed"]["bytes_total"])
        rows.append((size.split()[0], total, *cells))
    return rows


def hybrid_rows(found: Found) -> list[Row]:
    """Known and unseen words of GloVe in one student."""
    head = (
        "bytes in all",
        "relative error, known",
        "recall@10",
        "unseen: cosine",
        "unseen: top 10",
    )
    rows: list[Row] = [head]
    for size, each in found["hybrid"].items():
        if not size.endswith("MB"):
            continue
        unseen = each["held_out"]
        rows.append(
            (
                *(megabytes(each["bytes_total"]), f"{each['relative_error']:.3f}"),
                *(f"{each['recall']['10']:.2f}", f"{unseen['cosine']:.3f}"),
                f"{100 * unseen['true_word_in_top_10']:.1f}%",
            )
        )
    return rows


def rival_rows(found: Found) -> list[Row]:
    """The classical coders of MiniLM's table."""
    rows: list[Row] = [("coder", "bytes an item", "relative error", "cosine", "recall@10")]
    for it in sorted(found["rivals"]["minilm:tokens"], key=lambda it: it["bytes_per_item"]):
        if it["kind"] == "rival":
            figures = (
                f"{it['relative_error']:.3f}",
                f"{it['cosine']:.3f}",
                f"{it['recall10']:.2f}",
            )
            rows.append((it["name"], f"{it['bytes_per_item']:.1f}", *figures))
    return rows


def encoder_rows(found: Found) -> list[Row]:
    """Encoders of whole words and sentences, and their rivals, about texts that none was taught."""
    each = found["encoder"]
    teacher = each["teacher"]["microseconds_in_batches"]
    rows: list[Row] = [("what", "bytes", "words", "sentences", "pairs, Spearman", "times as fast")]

    for it in each["students"]:
        runs = it["runs"]
        told = [spread(it["over_seeds"][name]) for name in MEASURES]
        fast = teacher / min(run["microseconds_in_batches"] for run in runs)
        size = max(run["bytes_total"] for run in runs)
        rows.append((f"**`encoder`, {it['shape']}**", megabytes(size), *told, f"{fast:.0f}"))
    for it in sorted(each["rivals"], key=lambda it: it["bytes_total"]):
        told = [f"{it[name]:.3f}" for name in MEASURES]
        fast = teacher / it["microseconds_in_batches"]
        rows.append((it["name"], megabytes(it["bytes_total"]), *told, f"{fast:.0f}"))
    return rows


def spread(found: Sequence[float]) -> str:
    """A mean over seeds with its interval."""
    value, low, high = found
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


TABLES = {
    "encoder": encoder_rows,
    "tables": tables_rows,
    "speller": speller_rows,
    "hybrid": hybrid_rows,
    "rivals": rival_rows,
}


def points(found: Found) -> list[dict[str, str]]:
    """For which uses, in sentences whose figures are read."""
    said = []
    if "tables" in found:
        ten, two = (found["tables"][f"minilm:tokens at {error}"] for error in ("0.1", "0.02"))
        for each, use in (
            (ten, "For maps, topics and likeness of words"),
            (two, "For search among near neighbours"),
        ):
            it = each["vae"]
            said.append(
                {
                    "heading": f"{use}: {megabytes(it['bytes_total'])}",
                    "text": f"{TABLE_BYTES / it['bytes_total']:.0f} times smaller than the table "
                    f"in 32 bits. Mean cosine {it['cosine']:.3f}; of an item's ten nearest "
                    f"{10 * it['recall']['10']:.1f} stay. It takes "
                    f"{it['times_the_limit']:.2f} times the bytes of the Gaussian limit.",
                }
            )
    if "speller" in found:
        size, best = list(found["speller"].items())[-1]
        it = best["over_seeds"]
        said.append(
            {
                "heading": "Words that it never saw",
                "text": f"From letters alone ({size}) a word whose whole family was held out comes "
                f"back at cosine {it['cosine']['mean']:.2f}; it is among the ten nearest "
                f"{100 * it['true_word_in_top_10']['mean']:.0f}% of the time. Spelling is a hint, "
                "not a meaning.",
            }
        )
    said.append(
        {
            "heading": "Where a classical coder is simply better",
            "text": "Where nothing but the rows is wanted. The students that come nearest to the "
            "limit are transform coders with a learnt prior; no gradient was needed, and the one "
            "that is trained by gradients (codes) needs more bytes for the same error.",
        }
    )
    return said


def answer(found: Found, measured: str) -> Found:
    """assets/answer.json."""
    ten = found["tables"]["minilm:tokens at 0.1"]
    best = ten["vae"]["bytes_total"]
    sentence = (
        f"Yes, down to a limit: {megabytes(best)} reproduce MiniLM's table of 28,594 vectors at "
        f"cosine {ten['vae']['cosine']:.2f}, {TABLE_BYTES / best:.0f} times smaller than the table "
        f"and {MODEL_BYTES / best:.0f} times smaller than the model; the limit for Gaussian rows "
        f"is {megabytes(ten['gaussian_limit_bytes'])}. It does not give the same neighbours: "
        f"{10 * ten['vae']['recall']['10']:.1f} of ten."
    )
    return {
        "question": "Can it be smaller?",
        "sentence": sentence,
        "points": points(found),
        "table": [],
        "measured": measured,
    }


def main() -> None:
    """Write both."""
    document, encoders = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("students", "encoder")
    )
    found, machine = {**document["results"], "encoder": encoders["results"]}, document["machine"]
    measured = (
        f"benchmarks/results/students.json, {document['date'][:10]}, {machine['cores']} cores, "
        f"{machine['processor']}"
    )
    text = json.dumps(answer(found, measured), indent=1, ensure_ascii=False)
    (site_root() / "assets" / "answer.json").write_text(text + "\n", encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        body = markdown(TABLES[name](found)) if name in found else "not measured yet"
        return f"<!-- table: {name} -->\n{body}\n<!-- end -->"

    page = PAGE.read_text(encoding="utf-8")
    page = re.sub(r"<!-- table: (.+?) -->.*?<!-- end -->", fill, page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
