"""Where a student is good and where it is not: the same figures for parts of a space."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from core.metrics.fidelity import Fidelity
from core.spaces.space import Space
from core.spaces.subwords import bare
from core.types import Rows

FREQUENCIES = (1_000, 10_000, 100_000)
LENGTHS = (3, 6, 9)  # characters, of words and pieces
WORDS = (1, 5, 15)  # of texts, where the space holds more than words
FEWEST = 20  # items; smaller slices are noise and are left out
ABSENT = "unknown"

Labels = npt.NDArray[Any]  # of str; beartype knows numpy's strings by their lengths only


@dataclass(frozen=True)
class Slice:
    """Some of the items: ``by`` what they were chosen, ``value`` what they have in common.

    ``relative_error`` and ``cosine`` over all ``items`` of the slice, the mean of the whole table
    behind both; ``recall10`` over those ``queries`` of them whose neighbours were asked for, None
    where those are fewer than 20, or where it could not be bad.
    """

    by: str
    value: str
    items: int
    queries: int
    cosine: float
    cosine_centred: float
    relative_error: float
    recall10: float | None

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def slices(space: Space, measured: Fidelity, rows: Rows | None = None) -> list[Slice]:
    """Frequency band, lexical category, whole word or piece, length: each with its figures.

    ``measured`` is the fidelity of the space's items, or of ``rows`` of them (as
    ``held_out_fidelity`` gives it). Slices of fewer than 20 items are left out.
    """
    everything = rows is None
    chosen = np.arange(len(space)) if rows is None else rows
    asked = measured.rows if everything else np.arange(len(chosen))
    recall = np.full(len(chosen), np.inf)  # of those that were not asked
    recall[asked] = measured.kept[10]
    found = []
    for by, labels in _labels(space, chosen).items():
        for value in dict.fromkeys(_in_order(by, labels)):
            inside = labels == value
            if inside.sum() >= FEWEST:
                found.append(_slice(by, value, measured, inside, recall))
    return found


def _slice(
    by: str,
    value: str,
    measured: Fidelity,
    inside: npt.NDArray[np.bool_],
    recall: npt.NDArray[np.float64],
) -> Slice:
    lost = float(np.square(measured.residual[inside], dtype=np.float64).sum())
    there = float(np.square(measured.spread[inside], dtype=np.float64).sum())
    asked = recall[inside]
    asked = asked[asked != np.inf]
    mean = float(asked.mean()) if len(asked) >= FEWEST else np.nan
    return Slice(
        by=by,
        value=value,
        items=int(inside.sum()),
        queries=len(asked),
        cosine=float(measured.cosines[inside].mean(dtype=np.float64)),
        cosine_centred=float(measured.cosines_centred[inside].mean(dtype=np.float64)),
        relative_error=lost / there if there else measured.relative_error,
        recall10=None if np.isnan(mean) else round(mean, 6),
    )


def _labels(space: Space, rows: Rows) -> dict[str, Labels]:
    """By name, (r,) what each item is; only what the space's table tells."""
    table = space.metadata.iloc[rows]
    found: dict[str, Labels] = {}
    if "frequency_rank" in table:
        found["frequency"] = _bands(table["frequency_rank"].to_numpy(), FREQUENCIES)
    for column, by in (("category", "category"), ("kind", "kind")):
        if column in table:
            values = table[column].fillna("").astype(str)
            found[by] = np.array([value or ABSENT for value in values])
    texts = [space.texts[row] for row in rows]
    words = [len(text.split()) for text in texts]
    if max(words) > 1:
        found["words"] = np.array([_between(count, WORDS, "words") for count in words])
    else:
        letters = [len(bare(text)) for text in texts]
        found["length"] = np.array([_between(count, LENGTHS, "letters") for count in letters])
    return found


def _bands(ranks: npt.NDArray[np.integer], ends: tuple[int, ...]) -> Labels:
    """The band of each frequency rank, 0 being the most frequent word and -1 an unknown one."""
    names = [f"first {ends[0]:,}"]
    names += [f"{low + 1:,} to {high:,}" for low, high in pairwise(ends)]
    names += [f"after {ends[-1]:,}"]
    place = np.searchsorted(ends, ranks, side="right")
    return np.where(ranks < 0, ABSENT, np.array(names)[place])


def _between(count: int, ends: tuple[int, ...], unit: str) -> str:
    """The range that a count lies in.

    >>> _between(5, (3, 6, 9), "letters"), _between(10, (3, 6, 9), "letters")
    ('4 to 6 letters', 'more than 9 letters')
    """
    low = 1
    for end in ends:
        if count <= end:
            named = str(end) if low == end else f"{low} to {end}"
            return f"{named} {unit.removesuffix('s') if end == 1 else unit}"
        low = end + 1
    return f"more than {ends[-1]} {unit}"


def _in_order(by: str, labels: Labels) -> list[str]:
    """Bands from the lowest up, names from the most frequent down, what is unknown last."""
    values, counts = np.unique(labels, return_counts=True)
    if by in ("frequency", "length", "words"):
        return sorted(values.tolist(), key=_rising)
    ordered = sorted(zip(-counts, values.tolist(), strict=True))
    return [value for _, value in sorted(ordered, key=lambda it: it[1] == ABSENT)]


def _rising(label: str) -> tuple[int, int]:
    if label == ABSENT:
        return 3, 0
    if label.startswith("first"):
        return 0, 0
    if label.startswith(("after", "more than")):
        return 2, 0
    return 1, int(label.split(" ")[0].replace(",", ""))
