"""How the next token is chosen from what a model says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification

if TYPE_CHECKING:
    from torch import Tensor

HOTTEST = 100.0
MOST_STEPS = 500


@dataclass(frozen=True)
class Sampling:
    """``temperature`` 0 always takes the likeliest token (greedy), 1 draws as the model says, more
    is bolder. ``top_p`` leaves out the unlikeliest tokens, as many as together have less than
    1 - top_p (Holtzman and others 2020). ``steps`` tokens are written at most."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    steps: int = 40

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0, HOTTEST),
            ("top_p", 0, 1),
            ("steps", 1, MOST_STEPS),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high or (name == "top_p" and value == 0):
                raise InvalidSpecification(
                    f"found {name} {value:g}; expected {low} to {high:g}"
                    + (", and more than 0" if name == "top_p" else "")
                )


def chosen(
    logits: "Tensor", sampling: Sampling, draws: Sequence[np.random.Generator]
) -> npt.NDArray[np.int64]:
    """(b,) the next token of each row of logits (b, v), each drawn by its own generator."""
    if sampling.temperature == 0:
        found: npt.NDArray[np.int64] = logits.argmax(-1).cpu().numpy()
        return found
    shares = weighed(logits.double().cpu().numpy(), sampling.temperature, sampling.top_p)
    return np.array(
        [_draw(row, draw) for row, draw in zip(shares, draws, strict=True)], dtype=np.int64
    )


def weighed(
    logits: npt.NDArray[np.float64], temperature: float, top_p: float = 1.0
) -> npt.NDArray[np.float64]:
    """(b, v) probabilities at a temperature above 0, with the nucleus alone where ``top_p`` < 1.

    Logits may be log-probabilities as well.

    >>> weighed(np.log([[0.5, 0.3, 0.2]]), 1.0, 0.6).round(3).tolist()
    [[0.625, 0.375, 0.0]]
    """
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    shares: npt.NDArray[np.float64] = np.exp(scaled)
    shares /= shares.sum(axis=1, keepdims=True)
    if top_p >= 1:
        return shares
    order = np.argsort(-shares, axis=1, kind="stable")
    ranked = np.take_along_axis(shares, order, axis=1)
    ranked[np.cumsum(ranked, axis=1) - ranked >= top_p] = 0  # the first is always kept
    kept = np.zeros_like(shares)
    np.put_along_axis(kept, order, ranked, axis=1)
    kept /= kept.sum(axis=1, keepdims=True)
    return kept


def _draw(shares: npt.NDArray[np.float64], draw: np.random.Generator) -> int:
    edges = np.cumsum(shares)
    return int(min(np.searchsorted(edges, draw.random() * edges[-1], "right"), len(shares) - 1))
