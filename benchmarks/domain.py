"""A student of one field against the general one of the same size per item.

    python -m benchmarks.domain [--words FILE] [--teacher minilm:tokens] [--bytes 64]

The field is a list of words, one a line; without one, the words for animals, plants and parts of
the body (WordNet's lexical categories). Measured are a table student of the field alone, inside
and outside the field, and whether the field's own principal components, found on one half of its
words, serve the other half better than everybody's.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.workspace import Workspace
from core.spaces.lexicon import category_of
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.families.transform import TransformSpec
from core.students.registry import fit
from core.students.storage import size_bytes

CATEGORIES = ("noun.animal", "noun.plant", "noun.body")
DIMENSIONS = (16, 32, 64, 128, 256)
SEEDS = (0, 1, 2)
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def main() -> None:
    """Measure and write benchmarks/results/domain.json."""
    parser = argparse.ArgumentParser(description="a student of one field")
    parser.add_argument("--words", type=Path)
    parser.add_argument("--teacher", default="minilm:tokens")
    parser.add_argument("--bytes", type=float, default=64.0)
    arguments = parser.parse_args()
    space = Workspace(default_workspace()).space(arguments.teacher)
    inside = field_rows(space, arguments.words)
    outside = np.setdiff1d(np.arange(len(space)), inside)
    record(
        "domain",
        this_command(),
        {
            "teacher": arguments.teacher,
            "field": str(arguments.words or ", ".join(CATEGORIES)),
            "items": len(space),
            "inside": len(inside),
            "tables": tables(space, inside, outside, arguments.bytes),
            "components": components(space, inside, outside),
        },
    )


def field_rows(space: Space, path: Path | None) -> Numbers:
    """Rows of the field's words that the space holds."""
    if path is None:
        kinds = category_of(space.texts)
        return np.array([row for row, it in enumerate(kinds) if it in CATEGORIES], dtype=np.int64)
    words = path.read_text(encoding="utf-8").splitlines()
    found = {space.find(word.strip()) for word in words if word.strip()} - {None}
    return np.array(sorted(row for row in found if row is not None), dtype=np.int64)


def tables(space: Space, inside: Numbers, outside: Numbers, size: float) -> list[dict[str, Any]]:
    """The general table and the field's at the same bytes an item; and the field's as true."""
    spec = TransformSpec(bytes_per_item=size)
    with Stopwatch() as watch:
        general = fit(space, spec)
    texts = [space.texts[row] for row in inside]
    found = general.generate(texts)
    first = {
        "student": "general",
        "seconds": round(watch.seconds, 1),
        "bytes_total": size_bytes(general),
        "inside": compared(space, inside, found),
        "outside": compared(space, outside, general.generate([space.texts[it] for it in outside])),
    }
    aim = first["inside"]["relative_error"]  # type: ignore[index]
    field = space.take(inside, f"{space.name} field")
    rows = [first]
    for name, chosen in (
        ("the field alone, the same bytes an item", spec),
        ("the field alone, as true inside", TransformSpec(relative_error=float(aim))),
    ):
        with Stopwatch() as watch:
            special = fit(field, chosen)
        rows.append(
            {
                "student": name,
                "seconds": round(watch.seconds, 1),
                "bytes_total": size_bytes(special),
                "bytes_per_item": round(size_bytes(special) / len(inside), 1),
                "inside": compared(space, inside, special.generate(texts)),
                "outside": "not known: it stores the field's words only",
            }
        )
    return rows


def compared(space: Space, rows: Numbers, found: Floats) -> dict[str, float]:
    """Unexplained share of the rows' own variance, and the mean cosine."""
    true = space.vectors[rows]
    error = ((found - true) ** 2).sum() / ((true - true.mean(0)) ** 2).sum()
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(true, axis=1)
    cosine = ((found * true).sum(1) / np.maximum(lengths, 1e-12)).mean()
    return {"relative_error": round(float(error), 4), "cosine": round(float(cosine), 4)}


def components(space: Space, inside: Numbers, outside: Numbers) -> list[dict[str, float]]:
    """Unexplained variance by principal components of half the field, of as many general words,
    and of all words outside; asked of the field's other half, and of words outside."""
    found: dict[tuple[str, str, int], list[float]] = {}
    for seed in SEEDS:
        generator = np.random.default_rng(seed)
        mixed, far = generator.permutation(inside), generator.permutation(outside)
        taught, asked = np.array_split(mixed, 2)
        cut = len(far) * 9 // 10
        bases = {
            "half the field": taught,
            "as many words outside": far[: len(taught)],
            "all words outside": far[:cut],
        }
        for name, rows in bases.items():
            axes, mean = _axes(space.vectors[rows])
            for where, those in (("inside", asked), ("outside", far[cut:])):
                centred = space.vectors[those] - mean
                whole = ((space.vectors[those] - space.vectors[those].mean(0)) ** 2).sum()
                for k in DIMENSIONS:
                    left = (centred**2).sum() - ((centred @ axes[:, :k]) ** 2).sum()
                    found.setdefault((name, where, k), []).append(float(left / whole))
    return [
        {
            "components_of": name,  # type: ignore[dict-item]
            "asked": where,  # type: ignore[dict-item]
            "dimensions": k,
            "unexplained": round(float(np.mean(values)), 4),
            "spread_over_seeds": round(float(np.std(values)), 4),
        }
        for (name, where, k), values in found.items()
    ]


def _axes(vectors: Floats) -> tuple[Floats, Floats]:
    mean = vectors.mean(0)
    centred = (vectors - mean).astype(np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    return axes.astype(np.float32), mean


if __name__ == "__main__":
    main()
