"""What a shape's figures say, in words that a student knows."""

from collections.abc import Callable

import pandas as pd

from core.metrics.shapes import chance_in_order
from core.pipeline.trajectories.shapes import CIRCLE, LINE, RIVALS, Shaped

SURE = 0.05
RARE = 0.01  # an order that luck brings more often says little
RIVAL_HELP = """
**GloVe** are word vectors made from counts of which words stand near each other (50 numbers a
word): no sentence is ever read. **MiniLM** is a sentence model that is given the bare name. Both
are dashed lines, since they have no layers here. Layer 0 is this model's own table of words,
before any attention.
"""
THINGS = {"days": "days", "months": "months", "numbers": "numbers"}  # what the words are


def verdict(shaped: Shaped, far: bool = False) -> str:
    """The answer in a few plain sentences, as Markdown."""
    if shaped.spec.form == CIRCLE:
        return _ring(shaped)
    if shaped.spec.form == LINE:
        return _row(shaped)
    return _far(shaped) if far else _map(shaped)


def not_proven(shaped: Shaped) -> str:
    """What the figures do not show, as Markdown."""
    if shaped.spec.form == CIRCLE:
        points = _against_ring(shaped)
    else:
        points = _against_row(shaped) if shaped.spec.form == LINE else _against_map(shaped)
    return "\n".join(f"- {point}" for point in points)


def _ring(shaped: Shaped) -> str:
    n, layers, ordered = len(shaped.words), shaped.layers, shaped.ordered
    least = layers.loc[layers["p"].idxmin()]
    in_order = (
        f"In {_some(len(ordered), len(layers))} all {n} follow each other in their true order"
    )
    if ordered:
        in_order += f"; a shuffled order does so in as many layers once in {1 / shaped.luck:,.0f}"
    trip = (
        f"The round trip in true order is at its best in layer {least['reader']}, where "
        f"{least['p']:.1%} of all are as short; {shaped.p_best:.1%} of all orders do as well in "
        "the layer that suits them best"
    )
    if shaped.luck <= SURE:
        most = 2 * len(ordered) >= len(layers) and chance_in_order(n) <= RARE
        head = "They lie on a ring." if most else "They may lie on a ring."
    elif shaped.p_best <= SURE:
        head = "Nearly a ring."
    else:
        head = "This may be luck." if ordered else "No ring in this order."
    said = [f"**{head}** {in_order}."]
    if shaped.luck > SURE:
        said.append(f"{trip}.")
    if 0 in ordered:
        said.append("The model's own table of words (layer 0) has it before any attention.")
    return " ".join([*said, *_rivals(shaped, "kept", lambda it: f"{it:.0f} of {n} neighbours")])


def _some(count: int, of: int) -> str:
    """So many of the layers."""
    if count in (0, of):
        return "every layer" if count else "no layer"
    return f"{count} of {of} layers"


def _row(shaped: Shaped) -> str:
    row = shaped.layers.loc[shaped.best]
    head = "Their order can be read." if shaped.p_best <= SURE else "No order can be read."
    said = [
        f"**{head}** In layer {shaped.best} a line fitted to all words but one finds the place of "
        f"that one with an R² of {row['read']:.2f}. Of shuffled orders 95% stay below "
        f"{shaped.best_by_chance:.2f} even in the layer that suits them best, and at most "
        f"{shaped.p_best:.1%} do as well as this one. The direction in which the words differ most "
        f"has a rank correlation of {row['rank']:.2f} with the order (shuffled: below "
        f"{row['rank_chance']:.2f})."
    ]
    return " ".join([*said, *_rivals(shaped, "read", lambda it: f"R² {it:.2f}")])


def _map(shaped: Shaped) -> str:
    row = shaped.layers.loc[shaped.best]
    chance = f"Of shuffled places 95% stay below {shaped.best_by_chance:.2f} in their best layer."
    if _sure(shaped):
        head = "Cities can be put on a map."
    elif row["r2"] <= 0:
        head = "No map can be read: always naming the middle is no worse."
    else:
        head = "No map that can be told from chance."
    return " ".join([f"**{head}** {_placed(shaped, '', 'cities')} {chance}", *_mapped(shaped, "")])


def _sure(shaped: Shaped) -> bool:
    """Whether there is a map in the best layer."""
    return bool(shaped.layers.loc[shaped.best, "r2_low"] > shaped.best_by_chance)


def _far(shaped: Shaped) -> str:
    """The layer was not chosen by these figures, so that its own chance is enough."""
    row = shaped.layers.loc[shaped.best]
    if row["beyond_r2"] <= 0:
        head = "Nothing is left: always naming the middle is no worse."
    elif not _sure(shaped) or row["beyond_r2_low"] <= row["beyond_r2_chance"]:
        head = "Nothing is left that can be told from chance."
    else:
        little = row["beyond_r2"] < row["r2"] / 2
        head = "Little is left." if little else "Much of the map is left."
    placed = _placed(shaped, "beyond_", "cities of a continent")
    few = "The interval is over the six continents, so it is rough."
    return " ".join([f"**{head}** {placed} {few}", *_mapped(shaped, "beyond_")])


def _placed(shaped: Shaped, prefix: str, asked: str) -> str:
    row = shaped.layers.loc[shaped.best]
    off, usual, r2, low, high = (
        row[f"{prefix}{name}"] for name in ("off", "off_usual", "r2", "r2_low", "r2_high")
    )
    return (
        f"Half of the {asked} that the reader has never met are put within {off:,.0f} km in layer "
        f"{shaped.best}; always naming the middle of the others, within {usual:,.0f} km. R² "
        f"{r2:.2f} (95% {low:.2f} to {high:.2f})."
    )


def _mapped(shaped: Shaped, prefix: str) -> list[str]:
    """The rivals, and what follows where counting words does as well."""
    said = _rivals(shaped, f"{prefix}r2", lambda it: f"R² {it:.2f}")
    glove, own = _glove(shaped), shaped.layers.loc[shaped.best]
    if glove is not None and glove[f"{prefix}r2"] >= max(own[f"{prefix}r2"], 0):
        said.append(
            "GloVe does it as well or better. So counting words is enough for this: it is no "
            "proof of a model of the world."
        )
    return said


def _glove(shaped: Shaped) -> "pd.Series[float] | None":
    rows = shaped.table[shaped.table["reader"] == "glove"]
    return rows.iloc[0] if len(rows) else None


def _rivals(shaped: Shaped, column: str, say: Callable[[float], str]) -> list[str]:
    told = [
        f"{RIVALS[it]} {say(float(value))}"
        for it, value in zip(shaped.table["reader"], shaped.table[column], strict=True)
        if it in RIVALS
    ]
    return [f"Without this model: {', '.join(told)}."] if told else []


def _against_ring(shaped: Shaped) -> list[str]:
    n, things = len(shaped.words), THINGS.get(shaped.spec.task, "words")
    table = ", and layer 0, which has read nothing, has it already" if 0 in shaped.ordered else ""
    return [
        "A ring in the picture shows that the order can be read there. It does not show that the "
        f"model goes from one of these {things} to the next by going round it: that would take "
        "pushing a state along the ring and watching what it says.",
        f"So few points always look like something: in two directions {n} random ones keep "
        f"{shaped.share_chance:.0%} of their spread. That is why the order is judged in the whole "
        "space, against every other round trip.",
        f"Neighbouring {things} may also be neighbours in texts. The order may be no more than "
        f"that{table}.",
        "Layers are no independent witnesses: each adds a little to the one before. So a shuffled "
        "order, too, is given the layer that suits it best.",
    ]


def _against_row(shaped: Shaped) -> list[str]:
    n, things = len(shaped.words), THINGS.get(shaped.spec.task, "words")
    common = (
        "Small numbers are commoner words than large ones. How common a word is can pass for its "
        "size."
        if shaped.spec.task == "numbers"
        else "How common a word is, or how long, can pass for its place in your order."
    )
    return [
        f"That a line fitted to {n - 1} {things} finds the place of the one left out shows that "
        "the order can be read, not that the model uses it.",
        f"{n} {things} and hundreds of numbers each: without leaving one out anything would fit. "
        "The grey floor is what the same procedure reaches on shuffled orders, layer by layer; "
        "the best of many layers has to reach higher.",
        common,
    ]


def _against_map(shaped: Shaped) -> list[str]:
    glove, own = _glove(shaped), shaped.layers.loc[shaped.best]
    counted = (
        ""
        if glove is None
        else " GloVe has read no sentence, only counted neighbours of words, and reaches an R² of "
        f"{glove['r2']:.2f}, this model {own['r2']:.2f}."
    )
    return [
        "**A map that can be read off is not a map that is used**, nor a model of the world."
        + counted,
        "Cities of one region share neighbours in texts: languages, rivers, wars, other cities. A "
        "reader that knows the region is already near. Asked about a whole continent that it has "
        f"never met, this one reaches an R² of {own['beyond_r2']:.2f} instead of {own['r2']:.2f}.",
        "Capitals only, and well-known ones. Six in Oceania are too few to say much about it, and "
        "six continents too few for a narrow interval.",
    ]
