"""Two readings of one text: how far apart two layers, or two models, are at each token.

Their spaces have different axes and widths, so no distance between them means anything. What can
be compared is who is like whom: for each token, its cosines to all the other tokens in the one and
in the other (representational similarity, Kriegeskorte and others 2008).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.pipeline.trajectories.next_tokens import Said
from core.pipeline.trajectories.trajectory import FIRST, TokenPath
from core.spaces.linalg import unit_rows
from core.types import Vector

FEWEST = 4  # other tokens: of fewer a correlation says nothing


@dataclass(frozen=True, eq=False)
class Divergence:
    """``at`` (t,) is the token of the second reading at which it has read as far as the first has
    at each of its tokens. ``apart`` (t,) is 1 - the correlation of a token's cosines to the others
    in both readings: 0 for the same relations, 1 for none in common; NaN for the first token and
    where there are too few. ``surprise`` (t,) in nats is KL(first || second) of what both expect
    next, None where they do not share a vocabulary or a head."""

    at: npt.NDArray[np.int64]
    apart: npt.NDArray[np.float64]
    surprise: npt.NDArray[np.float64] | None


def divergence(
    one: TokenPath,
    other: TokenPath,
    means: tuple[Vector, Vector],
    ends: tuple[Sequence[int], Sequence[int]],
) -> Divergence:
    """How far apart two readings are. ``means`` (d,) are those of the corpus in each, which are
    taken away first; ``ends`` where each token ends in the text, in characters."""
    at = np.minimum(np.searchsorted(ends[1], ends[0]), len(other) - 1)
    drawn = slice(FIRST, None)
    known = at[drawn] >= FIRST
    first = _likeness(one.states[drawn] - means[0])
    second = _likeness(other.states[at[drawn]] - means[1])
    apart = np.full(len(one), np.nan)
    for row in np.flatnonzero(known):
        others = known.copy()
        others[row] = False
        if np.count_nonzero(others) >= FEWEST:
            apart[FIRST + row] = 1 - _correlation(first[row, others], second[row, others])
    return Divergence(at, apart, None)


def surprise(one: Said, other: Said) -> npt.NDArray[np.float64]:
    """(t,) KL(one || other) in nats of log-probabilities (t, v)."""
    own = one.astype(np.float64)
    return np.asarray((np.exp(own) * (own - other)).sum(axis=1))


def token_ends(lm: LanguageModel, ids: Sequence[int]) -> list[int]:
    """Where each token ends in the text, in characters."""
    return [len(lm.own_text(ids[: at + 1])) for at in range(len(ids))]


def same_vocabulary(one: LanguageModel, other: LanguageModel) -> bool:
    """Whether tokens of the same number are the same tokens."""
    if one.vocabulary != other.vocabulary:
        return False
    return bool(one.tokenizer.get_vocab() == other.tokenizer.get_vocab())


def _likeness(states: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(t, t) cosines."""
    unit = unit_rows(np.ascontiguousarray(states, np.float32)).astype(np.float64)
    return np.asarray(unit @ unit.T)


def _correlation(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / length if length > 0 else 0.0
