"""What a student is, in words: how small, how true, for which uses. Pure functions of reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.figures.students.pareto import amount

PARTS = {
    "vocabulary": "the texts it knows",
    "codes": "codes of the rows",
    "codebooks": "codebooks",
    "weights": "weights",
    "format": "file format",
}
SLICES = {
    "frequency": "How frequent",
    "category": "Meaning",
    "kind": "Word or piece",
    "length": "Length",
    "words": "Length",
}


@dataclass(frozen=True)
class BestRival:
    """The best classical coder that needs no more bytes than the student."""

    name: str
    relative_error: float


def number(report: Mapping[str, Any], *path: str) -> float | None:
    """A figure of a report, by its names from the outside in; None where it was not measured."""
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and value == value else None


def per_item(size: float) -> str:
    """Bytes an item, as they are said.

    >>> per_item(96.0), per_item(8.25)
    ('96 bytes an item', '8.2 bytes an item')
    """
    return f"{size:.0f} bytes an item" if size >= 10 else f"{size:.2g} bytes an item"


def small(error: float) -> str:
    """An error as it is said.

    >>> small(0.0985), small(0.0123), small(0.00004)
    ('0.099', '0.012', 'under 0.001')
    """
    return f"{error:.2g}" if error >= 0.0005 else "under 0.001"


def detail(
    bytes_per_item: float,
    bytes_total: int,
    error: float | None,
    cosine: float | None,
    recall: float | None,
) -> str:
    """The quiet line of the hover card: size, then all measures that are known."""
    said = [f"{per_item(bytes_per_item)}, {amount(bytes_total)} in all"]
    said += [] if error is None else [f"error {small(error)}"]
    said += [] if cosine is None else [f"cosine {cosine:.3f}"]
    said += [] if recall is None else [f"keeps {10 * recall:.1f} of 10 neighbours"]
    return " · ".join(said)


def verdict(
    report: Mapping[str, Any],
    items: int,
    dim: int,
    rival: BestRival | None = None,
    limit: float | None = None,
) -> list[str]:
    """Sentences anybody understands, from what was measured and from nothing else.

    ``limit``: the bytes an item that the Gaussian limit allows at the student's own error.
    """
    said = []
    total = number(report, "bytes_total")
    if total:
        times = 4 * items * dim / total
        said.append(
            f"{times:.0f} times smaller than the teacher's rows."
            if times >= 2
            else f"{times:.1f} times smaller than the teacher's rows."
            if times >= 1
            else "No smaller than the teacher's rows: too few items to pay for it."
        )
    recall = number(report, "recall", "10")
    if recall is not None:
        said.append(f"Of an item's 10 nearest it keeps {_of_ten(recall)}: {_use(recall)}.")
    elif "recall" in report:
        said.append("Too few items to judge which neighbours it keeps.")
    unseen = number(report, "held_out", "true_word_in_top_10")
    if unseen is not None:
        said.append(
            f"Of 100 words that it never saw, {100 * unseen:.0f} land where the true one is among "
            "the 10 nearest."
        )
    error = number(report, "relative_error")
    if rival is not None and error is not None and max(error, rival.relative_error) >= 0.0005:
        said.append(_against(error, rival))
    if limit and total:
        said.append(_beside_limit(total / items / limit))
    return said


def _beside_limit(times: float) -> str:
    """How far from the limit; below it is possible, because rows are not Gaussian.

    >>> _beside_limit(0.96)
    'Takes 0.96 times the bytes of the Gaussian limit: these rows have more pattern than that.'
    """
    if times < 1:
        return (
            f"Takes {times:.2f} times the bytes of the Gaussian limit: these rows have more "
            "pattern than that."
        )
    rough = f"{times:.2f}" if times < 10 else f"{times:.0f}"
    return f"Takes {rough} times the bytes of the Gaussian limit at this error, all included."


def _of_ten(share: float) -> str:
    """A share as people count.

    >>> [_of_ten(share) for share in (0.0, 0.71, 0.735, 0.98, 0.04, 1.0)]
    ['none', '7', '7 to 8', '9.8', '0.4', 'all']
    """
    ten = 10 * share
    if ten < 0.05 or ten >= 9.95:
        return "all" if ten > 5 else "none"
    if not 1 <= ten < 9.5:
        return f"{ten:.1f}"
    low = int(ten + 0.25)
    return str(low) if low > ten - 0.25 else f"{low} to {low + 1}"


def _use(recall: float) -> str:
    """What one can do with that; the thresholds are a judgement, the figure stands before it."""
    if recall >= 0.95:
        return "the same embedding, to all practical ends"
    if recall >= 0.8:
        return "good for search and for maps"
    if recall >= 0.6:
        return "good for rough search, and for topics"
    if recall >= 0.3:
        return "regions and topics are right, single neighbours often are not"
    return "only the rough lie of the land is right"


def _against(error: float, rival: BestRival) -> str:
    if error <= rival.relative_error:
        return (
            f"Truer than the best classical coder of its size, {rival.name} "
            f"(error {small(error)} against {small(rival.relative_error)})."
        )
    return (
        f"A classical coder of its size is better: {rival.name} "
        f"(error {small(rival.relative_error)} against {small(error)})."
    )


def best_rival(points: Sequence[Any], bytes_per_item: float) -> BestRival | None:
    """Among a comparison's points, the truest rival of at most so many bytes."""
    affordable = [
        point
        for point in points
        if point.kind == "rival" and point.bytes_per_item <= bytes_per_item
    ]
    if not affordable:
        return None
    best = min(affordable, key=lambda point: point.relative_error)
    return BestRival(best.name, best.relative_error)


def budgets(dim: int) -> list[float]:
    """Bytes an item to choose from, from a hundredth of float32 up to int8 and beyond.

    >>> budgets(50)[:4], budgets(384)[-2:]
    ([2.0, 3.0, 4.0, 6.0], [512.0, 768.0])
    """
    steps = [base * 2.0**power for power in range(12) for base in (1.0, 1.5)]
    return [step for step in steps if dim / 32 <= step <= 2 * dim and step != 1.5] or [float(dim)]


def nearest_budget(dim: int, wanted: float) -> float:
    """The choice closest to what was asked for; a byte for four numbers, where int8 takes less.

    >>> nearest_budget(384, 90.0), nearest_budget(384, 0.0), nearest_budget(50, 96.0)
    (96.0, 96.0, 12.0)
    """
    aim = wanted if 0 < wanted <= dim else dim / 4
    return min(budgets(dim), key=lambda step: abs(step - aim))
