"""From the states of tokens to one vector for a token, a word, a window, a text or any stretch."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidSpecification, UnknownItem
from core.signatures.states import States
from core.spaces.linalg import BLOCK_ROWS
from core.types import Coords, Rows, Scores

CHOICES = {
    "unit": ("token", "word", "window", "text"),
    "how": ("mean", "max", "first", "last", "weighted"),
    "combine": ("sum", "concatenate"),
}

Doubles = npt.NDArray[np.float64]
Ranges = npt.NDArray[np.int64]  # (n, 2) first, and one behind the last


@dataclass(frozen=True)
class Pooling:
    """What gets a vector, and how it is made of its tokens' states.

    ``layers`` count from 0, the embeddings, or back from -1, the last; several are added up or set
    side by side. ``special`` lets the added tokens take part, as in sentence-transformers' means;
    "first" is then [CLS]. ``skip_first`` leaves out position 0, where decoders put a state that
    is a hundred times as long as others (Xiao and others 2024, arXiv:2309.17453).
    """

    unit: str = "text"
    how: str = "mean"
    layers: tuple[int, ...] = (-1,)
    combine: str = "sum"
    special: bool = False
    skip_first: bool = False

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                found = f"found {name} {getattr(self, name)!r}"
                raise InvalidSpecification(f"{found}; expected one of {', '.join(known)}")
        if not self.layers:
            raise InvalidSpecification(
                "found no layers; expected one or more, such as -1, the last"
            )


@dataclass(frozen=True, eq=False)
class Signatures:
    """``vectors`` (n, p), and n rows of ``table``: ``text``, ``window``, ``start`` and ``end``
    (characters), ``surface`` (what is written there) and ``tokens`` (how many went in)."""

    vectors: Coords
    table: pd.DataFrame


def pool(states: States, spec: Pooling, weights: Scores | None = None) -> Signatures:
    """One vector for each unit, in the order of the texts.

    ``weights`` (t,), 0 or more, are for "weighted": sum(w x) / sum(w). They may be the attention
    that a token receives, or a / (a + its frequency) (Arora and others 2017).

    Raises InvalidSpecification for a layer that is not there or weights that do not fit,
    UnknownItem where a text has no tokens left, which words and tokens may lack.
    """
    rows = taken(states, spec)
    table = states.tokens.iloc[rows]
    text = table["text"].to_numpy(np.int64)
    lost = np.setdiff1d(np.arange(len(states.texts)), text)
    if len(lost) and (spec.unit in ("window", "text") or not len(rows)):
        raise UnknownItem(
            f"found no tokens left in text {lost[0]} (counted from 0); expected one or more: keep "
            "its first token (skip_first=False), or leave that text out"
        )
    if spec.unit == "text":
        key = text
    else:
        key = (text << 32) + (rows if spec.unit == "token" else table[spec.unit].to_numpy())
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    ends = np.append(begins[1:], len(rows))
    return pool_ranges(states, spec, rows, np.stack([begins, ends], axis=1), weights)


def each_layer(states: States, spec: Pooling) -> tuple[list[Coords], pd.DataFrame]:
    """Every layer pooled by itself, whatever layers ``spec`` names, and the table they share."""
    made = [pool(states, replace(spec, layers=(number,))) for number in range(len(states.layers))]
    return [it.vectors for it in made], made[0].table


def taken(states: States, spec: Pooling) -> Rows:
    """The rows of the tokens that take part."""
    tokens = states.tokens
    wanted = np.full(len(tokens), True)
    if not spec.special:
        wanted &= ~tokens["special"].to_numpy()
    if spec.skip_first:
        wanted &= tokens["position"].to_numpy() > 0
    if spec.unit == "word":
        wanted &= tokens["word"].to_numpy() >= 0
    return np.flatnonzero(wanted)


def pool_ranges(
    states: States, spec: Pooling, rows: Rows, ranges: Ranges, weights: Scores | None = None
) -> Signatures:
    """One vector for each of the ``ranges`` of ``rows``; none is empty, and they are in order."""
    if (spec.how == "weighted") != (weights is not None):
        raise InvalidSpecification(
            f"found {spec.how!r} {'without' if weights is None else 'with'} weights; expected "
            'them with "weighted" and only there'
        )
    count = len(states.tokens)
    given = np.ones(count) if weights is None else weights
    if len(given) != count or not ((given >= 0) & (given < np.inf)).all():
        raise InvalidSpecification(
            f"found {len(given)} weights from {given.min():g} to {given.max():g}; expected {count},"
            " one a token, of 0 or more"
        )
    vectors = []
    changes = np.flatnonzero(np.diff(ranges[:, 0] // BLOCK_ROWS)) + 1
    for part in np.split(ranges, changes):
        block = rows[part[0, 0] : part[:, 1].max()]
        kept = [states.layer(number)[block].astype(np.float64) for number in spec.layers]
        x = np.hstack(kept) if spec.combine == "concatenate" else np.sum(kept, axis=0)
        vectors.append(_reduced(x, part - part[0, 0], spec.how, given[block]).astype(np.float32))
    first, last = states.tokens.iloc[rows[ranges[:, 0]]], states.tokens.iloc[rows[ranges[:, 1] - 1]]
    table = first[["text", "window", "start"]].reset_index(drop=True)
    table["end"] = last["end"].to_numpy()
    places = zip(table["text"], table["start"], table["end"], first["token"], strict=True)
    table["surface"] = [states.texts[row][start:end] or name for row, start, end, name in places]
    table["tokens"] = ranges[:, 1] - ranges[:, 0]
    return Signatures(np.concatenate(vectors), table)


def _reduced(x: Doubles, ranges: Ranges, how: str, weights: npt.NDArray[np.floating]) -> Doubles:
    """(n, p) one vector a range from states (r, p) and weights (r,)."""
    if how in ("first", "last"):
        return x[ranges[:, 0]] if how == "first" else x[ranges[:, 1] - 1]
    pairs = ranges.ravel()  # what reduceat makes between two ranges is left out by [::2]
    behind = np.zeros((1, x.shape[1]))  # a range may end with x
    if how == "max":
        return np.maximum.reduceat(np.vstack([x, behind]), pairs)[::2]
    sums = np.add.reduceat(np.vstack([x * weights[:, None], behind]), pairs)[::2]
    total = np.add.reduceat(np.append(weights, 0.0), pairs)[::2]
    if not (total > 0).all():
        raise InvalidSpecification(
            "found weights that are 0 for all tokens of a unit; expected one above 0 in each"
        )
    return sums / total[:, None]
