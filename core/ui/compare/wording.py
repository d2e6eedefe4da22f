"""A comparison in words: what a move means, what a figure means. Pure functions."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.figures.colors import GROUPS
from core.spaces.words import folded

NAMED = 4
TOO_FEW = "too few items to judge"
CLEARLY = 0.12  # of a share of common letter pairs: less is no trend
GROUP_OF = {category: group for group, members in GROUPS.items() for category in members}


class SummaryFigure(NamedTuple):
    """A figure of the summary: its name, its value, one short line, and the whole meaning."""

    name: str
    value: str
    short: str
    meaning: str


def in_words(
    text: str, lost: Sequence[str], gained: Sequence[str], category_of: Mapping[str, str]
) -> str:
    """What an item lost and gained among its ten nearest, and toward what it moved.

    Toward spelling or away from it where the pairs of letters that it shares with its neighbours
    say so; from one field of meaning to another where most neighbours with a known one changed.

    >>> in_words("dog", ["puppy", "hound"], ["dig", "dock"], {})
    'lost: puppy, hound; gained: dig, dock: toward words spelt like it'
    """
    if not lost and not gained:
        return "its ten nearest stayed the same"
    said = f"lost: {_named(lost)}; gained: {_named(gained)}"
    trend = tendency(text, lost, gained, category_of)
    return f"{said}: {trend}" if trend else said


def tendency(
    text: str, lost: Sequence[str], gained: Sequence[str], category_of: Mapping[str, str]
) -> str:
    """Toward what it moved, in a few words; "" where there is no clear trend."""
    if not lost or not gained:
        return ""
    before, after = (
        sum(alike_in_spelling(text, other) for other in near) / len(near) for near in (lost, gained)
    )
    fields = [_field(near, category_of) for near in (lost, gained)]
    field = f"from {fields[0]} to {fields[1]}" if all(fields) and fields[0] != fields[1] else ""
    if after - before > CLEARLY:
        return _both("toward words spelt like it", field)
    if before - after > CLEARLY:
        return _both("away from words spelt like it", field)
    return field


def alike_in_spelling(one: str, other: str) -> float:
    """The share of letter pairs that two texts have in common, ends counted (Dice 1945), 0 to 1.

    >>> alike_in_spelling("dog", "dog"), alike_in_spelling("dog", "cat")
    (1.0, 0.0)
    """
    first, second = _pairs(one), _pairs(other)
    return 2 * (first & second).total() / (first.total() + second.total())


def figures(
    summary: Mapping[str, float], shared: int, only: tuple[int, int]
) -> list[SummaryFigure]:
    """The summary in five figures, each with its plain meaning."""
    kept = kept_of_ten(summary)
    return [
        SummaryFigure(
            "Shared items",
            f"{shared:,}",
            f"only here {only[0]:,}, only there {only[1]:,}",
            "Items that both spaces hold: of the same id where both have ids of their own, else of "
            "the same text. Everything on this page is about these alone.",
        ),
        SummaryFigure(
            "CKA",
            f"{summary['cka']:.2f}",
            f"same broad shape? by chance {_chance(summary, 'cka')}",
            "Linear centred kernel alignment: whether the directions in which the items differ "
            "most are the same in both. 1 is the same shape, however it is turned.",
        ),
        SummaryFigure(
            "RSA",
            f"{summary['rsa']:.2f}",
            f"far pairs far in both? by chance {_chance(summary, 'rsa')}",
            "Representational similarity: the rank correlation of the distances between pairs of "
            "items, in one space and in the other. 1 means the same order.",
        ),
        SummaryFigure(
            "Procrustes residual",
            f"{summary['procrustes_residual']:.2f}",
            f"left when laid on; by chance {_chance(summary, 'procrustes')}",
            "The second space is shifted, turned and scaled as a whole until it lies on the first "
            "as well as it can. This share of the differences between items is left. 0 is best.",
        ),
        SummaryFigure(
            "Neighbours kept",
            kept or "–",
            "of each item's nearest, on average" if kept else TOO_FEW,
            "How many of an item's ten nearest items in the first space are also among its ten "
            "nearest in the second. It asks about the finest detail.",
        ),
    ]


def kept_of_ten(summary: Mapping[str, float]) -> str:
    """How many of ten neighbours are kept; "" where nothing could be lost.

    >>> kept_of_ten({"recall10": 0.42}), kept_of_ten({"recall10": float("nan")})
    ('4.2 of 10', '')
    """
    share = summary["recall10"]
    return "" if math.isnan(share) else f"{10 * share:.1f} of 10"


def forgiving(summary: Mapping[str, float]) -> str:
    """The warning that belongs beside the figures."""
    said = (
        "CKA, RSA and the Procrustes residual forgive any turn of the whole space and look at its "
        "broad shape: they can be near perfect while close neighbours are lost, so read them with "
        "the neighbours kept."
    )
    if "cosine_unaligned" in summary:
        said += (
            " Without any turning, an item's two vectors have a cosine of "
            f"{summary['cosine_unaligned']:.2f} on average: only when that is near 1 can one space "
            "stand in for the other."
        )
    return said


def drift_in_words(drift: float, share_below: float, null: float | None) -> str:
    """One item's drift among all, and against what chance alone does."""
    said = f"Moved by {drift:.2f}, more than {min(share_below, 0.99):.0%} of the items."
    if null is None:
        return said
    beyond = "beyond" if drift > null else "within"
    return f"{said} That is {beyond} what another seed does to most items ({null:.2f})."


def _named(texts: Sequence[str]) -> str:
    if not texts:
        return "nothing"
    more = len(texts) - NAMED
    listed = ", ".join(text[:30] for text in texts[:NAMED])
    return f"{listed} and {more} more" if more > 0 else listed


def _both(spelling: str, field: str) -> str:
    return f"{spelling}, {field}" if field else spelling


def _field(texts: Sequence[str], category_of: Mapping[str, str]) -> str:
    """The field of meaning of most of the texts; "" where they have none in common."""
    known = [group for text in texts if (group := _group(category_of.get(text, "")))]
    if len(known) < 2:
        return ""
    group, count = Counter(known).most_common(1)[0]
    return group if count > len(texts) / 2 else ""


def _group(category: str) -> str:
    if category.startswith("verb"):
        return "verbs"
    if category.startswith("ad"):
        return "describing words"
    return GROUP_OF.get(category, "")


def _chance(summary: Mapping[str, float], name: str) -> str:
    return f"{summary[f'{name}_null']:.2f}".replace("-0.00", "0.00")


def _pairs(text: str) -> Counter[str]:
    ended = f" {folded(text)} "
    return Counter(ended[at : at + 2] for at in range(len(ended) - 1))
