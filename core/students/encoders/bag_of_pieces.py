"""The fast shape: rows of a small table, a look at both neighbours, attention pooling, a head.

It begins as model2vec's recipe (the teacher's vector of each piece by itself, principal
components, weights that fall with frequency, the mean) and learns what that leaves out.

Source of the start: model2vec (Tulkens & van Dongen 2024); of the weights, SIF (Arora et al. 2017).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.types import Matrix

if TYPE_CHECKING:
    import torch

WIDTH, HIDDEN, HEAD, ATTENTION = 256, 320, 768, 8
SIF = 1e-3
LEAST = 1e-3  # of the random start of layers that add to a first answer


@dataclass(frozen=True)
class BagShape:
    """``width`` numbers a piece, ``hidden`` for each with its neighbours, ``inner`` in the head."""

    width: int
    hidden: int
    inner: int
    heads: int
    dim: int
    normalise: bool

    @classmethod
    def of(cls, dim: int, normalise: bool) -> "BagShape":
        """The default for a teacher of so many dimensions."""
        share = min(1.0, dim / 256)
        return cls(
            width=min(WIDTH, dim),
            hidden=max(8, round(HIDDEN * share)),
            inner=max(8, round(HEAD * share)),
            heads=ATTENTION if min(WIDTH, dim) % ATTENTION == 0 else 1,
            dim=dim,
            normalise=normalise,
        )

    def operations(self, tokens: int) -> int:
        """Multiply-adds for one text of so many tokens."""
        token = 4 * self.width * self.hidden + self.width * self.heads + self.width
        return tokens * token + self.width * self.dim + self.inner * (self.width + self.dim)


def build(shape: BagShape, pieces: int) -> "torch.nn.Module":
    """A module of that shape, empty but for small random numbers. (b, t) ids to (b, dim)."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(pieces, shape.width)
            self.near = nn.Linear(3 * shape.width, shape.hidden)
            self.add = nn.Linear(shape.hidden, shape.width)
            self.weigh = nn.Linear(shape.width, shape.heads)
            self.straight = nn.Linear(shape.width, shape.dim)
            self.bent = nn.Linear(shape.width, shape.inner)
            self.out = nn.Linear(shape.inner, shape.dim)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.read(self.table(ids))

        def read(self, rows: torch.Tensor) -> torch.Tensor:
            """(b, dim) from the table's rows (b, t, width)."""
            batch, length, width = rows.shape
            padded = functional.pad(rows, (0, 0, 1, 1))
            around = torch.cat([padded[:, :-2], rows, padded[:, 2:]], 2)
            states = rows + self.add(functional.gelu(self.near(around)))
            shares = self.weigh(states).softmax(1)[..., None]  # (b, t, heads, 1)
            parts = states.view(batch, length, shape.heads, width // shape.heads)
            pooled = (shares * parts).sum(1).reshape(batch, width)
            answer: torch.Tensor = self.straight(pooled) + self.out(
                functional.gelu(self.bent(pooled))
            )
            return functional.normalize(answer) if shape.normalise else answer

    return Bag().eval()


def start(
    shape: BagShape,
    vectors: Matrix,
    counts: npt.NDArray[np.float64],
    seed: int,
) -> Any:
    """A bag that answers as model2vec would, from (n, dim) ``vectors`` of its n pieces.

    ``counts`` (n,) of the pieces in the texts give the first weights.
    """
    import torch

    mean = vectors.mean(0)
    basis = np.linalg.svd((vectors - mean)[:: max(1, len(vectors) // 20_000)], full_matrices=False)
    directions = basis[2][: shape.width]
    scale = float(np.linalg.norm(vectors - mean, axis=1).mean()) or 1.0
    frequency = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    rows = np.zeros((len(vectors), shape.width), dtype=np.float32)
    rows[:, : len(directions)] = (vectors - mean) @ directions.T / scale * np.sqrt(shape.width)
    rows *= (SIF / (SIF + frequency))[:, None] ** 0.5
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module: Any = build(shape, len(vectors))
        with torch.no_grad():
            module.table.weight.copy_(torch.from_numpy(rows))
            straight = np.zeros((shape.dim, shape.width), dtype=np.float32)
            straight[:, : len(directions)] = directions.T * scale / np.sqrt(shape.width)
            module.straight.weight.copy_(torch.from_numpy(straight))
            module.straight.bias.copy_(torch.from_numpy(mean))
            for part in (module.add, module.out, module.weigh):
                part.weight.mul_(LEAST)
                part.bias.zero_()
    return module
