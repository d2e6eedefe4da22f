"""The bridge: a point of a sentence space becomes vectors that a language model reads as input.

A point p (a unit vector of d numbers) says of each word w of a list how well it fits,

    s(w) = h_w . p + c_w

and the best words' own input embeddings stand between an opening and a closing that were learnt;
the closing turns with the point, by a matrix. All of it is a soft prompt (Lester and others 2021):
the model itself stays as it is, and writes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.errors import InvalidVectors, StoreError
from core.types import Vector

if TYPE_CHECKING:
    from torch import Tensor

WORDS = 8  # of the prompt
LEVELS = 127  # a direction is kept in whole numbers up to this

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Bridge:
    """What was learnt, for a model of width e and points of d numbers.

    ``directions`` (v, d) and ``offsets`` (v,) judge the words, whose ids in the model are
    ``tokens`` (v,); ``opening`` (a, e), ``closing`` (b, e) and ``turn`` (b, e, d) are the rest of
    the prompt.
    """

    directions: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int64]
    opening: npt.NDArray[np.float32]
    closing: npt.NDArray[np.float32]
    turn: npt.NDArray[np.float32]

    @property
    def dim(self) -> int:
        """Numbers of a point."""
        return int(self.directions.shape[1])

    def scores(self, point: Vector) -> npt.NDArray[np.float32]:
        """(v,) log-probabilities of the words. Raises InvalidVectors for a point of another space
        or without a direction."""
        if point.shape != (self.dim,) or not np.isfinite(point).all() or not point.any():
            raise InvalidVectors(
                f"found a point of shape {point.shape}; expected {self.dim} finite numbers, not "
                "all zero: take it from a space of MiniLM's texts"
            )
        said = self.directions @ (point / np.linalg.norm(point)) + self.offsets
        said -= said.max()
        return np.asarray(said - np.log(np.exp(said).sum()), np.float32)

    def words(self, point: Vector, k: int = WORDS) -> list[int]:
        """Ids of the k words that fit best, best first."""
        best = np.argsort(-self.scores(point), kind="stable")[:k]
        return [int(token) for token in self.tokens[best]]

    def prompt(self, lm: LanguageModel, point: Vector) -> "Tensor":
        """(a + WORDS + b, e) what the model reads before it writes."""
        import torch

        table = lm.model.get_input_embeddings().weight.detach()
        turned = self.closing + self.turn @ (point / np.linalg.norm(point))
        parts = [torch.from_numpy(np.array(it, np.float32)) for it in (self.opening, turned)]
        opening, closing = (part.to(table) for part in parts)
        return torch.cat([opening, table[self.words(point)], closing])

    def leaning(self, point: Vector, vocabulary: int) -> npt.NDArray[np.float32]:
        """(vocabulary,) how far each of the model's tokens is above chance at this point, nats;
        0 for what is below it or not in the list."""
        above = self.scores(point) + np.log(len(self.tokens))
        found = np.zeros(vocabulary, np.float32)
        found[self.tokens] = np.maximum(above, 0)
        return found

    # ------------------------------------------------------------------------------ on disk

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As kept: directions in bytes with a scale each, the rest in 16 bits."""
        scale = np.abs(self.directions).max(axis=1, keepdims=True) / LEVELS
        scale = np.where(scale > 0, scale, 1)
        return {
            "directions": np.round(self.directions / scale).astype(np.int8),
            "scale": scale[:, 0].astype(np.float16),
            "offsets": self.offsets.astype(np.float16),
            "tokens": self.tokens.astype(np.int32),
            "opening": self.opening.astype(np.float16),
            "closing": self.closing.astype(np.float16),
            "turn": self.turn.astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Bridge":
        """The inverse, up to rounding. Raises StoreError where a part is missing."""
        try:
            kept = {name: np.asarray(arrays[name]) for name in NAMES}
        except KeyError as missing:
            raise StoreError(
                f"found a bridge without {missing}; expected {', '.join(NAMES)}: train it again"
            ) from None
        directions = (
            kept["directions"].astype(np.float32) * kept["scale"].astype(np.float32)[:, None]
        )
        rest = {name: kept[name].astype(np.float32) for name in ("offsets", *NAMES[4:])}
        return cls(directions=directions, tokens=kept["tokens"].astype(np.int64), **rest)


NAMES = ("directions", "scale", "offsets", "tokens", "opening", "closing", "turn")
