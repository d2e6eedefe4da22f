"""What a model said on the way between two concepts, beside its controls."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.decode.patchscopes import is_echo

TOP = 8  # words kept of each step
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Control:
    """What vectors that mean nothing are answered with: the likeliest word of each, their mean
    entropy in nats, and how many of the words are the prompt's own."""

    words: tuple[str, ...]
    entropy: float
    echoes: int


@dataclass(frozen=True)
class Flip:
    """Where the likeliest word changes: halfway between two steps."""

    t: float
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class Between:
    """The way from ``ends[0]`` to ``ends[1]`` in m steps.

    ``t`` (m,) from 0 to 1. ``words`` (n,) are all that were among the likeliest of a step, the
    ends' own names first, with their ``shares`` (m, n); ``names`` are those two. ``entropy`` (m,)
    in nats over all words, whose shares are ``full`` (m, w). ``cosines`` (m, 2) to both ends and
    ``norms`` (m,) are of the states themselves. ``named`` tells whether each end is answered with
    its own name; ``noise`` are random directions of the ends' mean length, ``shuffled`` midpoints
    of the ends' states whose numbers were put in another order.
    """

    model: str
    layer: int
    kind: str
    ends: tuple[str, str]
    pieces: tuple[tuple[str, ...], tuple[str, ...]]
    names: tuple[str, str]
    t: Floats
    words: tuple[str, ...]
    shares: Floats
    entropy: Floats
    descriptions: tuple[str, ...]
    cosines: Floats
    norms: Floats
    full: Halves
    examples: tuple[str, ...]
    named: tuple[bool, bool]
    noise: Control
    shuffled: Control

    @property
    def top(self) -> list[str]:
        """(m,) the likeliest word of each step."""
        return [self.words[row] for row in self.shares.argmax(axis=1)]

    @property
    def flips(self) -> list[Flip]:
        """Where that word changes."""
        top, t = self.top, self.t
        return [
            Flip(float((t[k] + t[k + 1]) / 2), top[k], top[k + 1])
            for k in range(len(top) - 1)
            if top[k] != top[k + 1]
        ]

    def echo(self, word: str) -> bool:
        """Whether a word is the prompt's own rather than an answer."""
        return word not in self.names and is_echo(word, self.examples)

    def likeliest(self, step: int, k: int = TOP) -> list[tuple[str, float]]:
        """The k likeliest words of a step with their probabilities."""
        order = np.argsort(-self.shares[step], kind="stable")[:k]
        return [(self.words[row], float(self.shares[step, row])) for row in order]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        steps = [
            {
                "t": float(self.t[k]),
                "words": [
                    {"text": text, "probability": share, "echo": self.echo(text)}
                    for text, share in self.likeliest(k)
                ],
                "entropy": float(self.entropy[k]),
                "description": self.descriptions[k],
                "cosines": self.cosines[k].tolist(),
                "norm": float(self.norms[k]),
            }
            for k in range(len(self.t))
        ]
        return {
            "model": self.model,
            "layer": self.layer,
            "kind": self.kind,
            "ends": [
                {"text": text, "pieces": list(pieces), "named": named}
                for text, pieces, named in zip(self.ends, self.pieces, self.named, strict=True)
            ],
            "unit": "nats",
            "flips": [asdict(flip) for flip in self.flips],
            "controls": {"noise": asdict(self.noise), "shuffled": asdict(self.shuffled)},
            "steps": steps,
        }
