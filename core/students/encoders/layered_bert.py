"""A smaller encoder that gives a state for every token in every layer of its teacher.

Each of the teacher's layers is kept (with as many neurons as are left), replaced by one affine
map, or left out; a student narrower than the teacher gives its states through one matrix a layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.students.encoders.bert import TOKENS, Shape, build_block
from core.students.encoders.quantisation import batches_of_one_length
from core.types import Progress, silent, tell

if TYPE_CHECKING:
    import torch

AFFINE, SAME = 0, -1  # instead of a number of neurons: what stands in a dropped layer's place


@dataclass(frozen=True)
class LayeredShape:
    """``inner``: neurons of each of the teacher's layers, AFFINE or SAME where one is dropped."""

    width: int  # of the student's own states
    dim: int  # of the teacher's
    heads: int
    inner: tuple[int, ...]
    epsilon: float

    @classmethod
    def of(cls, teacher: Shape) -> "LayeredShape":
        """The teacher's own shape."""
        inner = (teacher.inner,) * teacher.layers
        return cls(teacher.width, teacher.width, teacher.heads, inner, teacher.epsilon)

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "LayeredShape":
        """From JSON."""
        return cls(**{**said, "inner": tuple(said["inner"])})

    @property
    def layers(self) -> int:
        """Of states: the table's and one for each of the teacher's layers."""
        return len(self.inner) + 1

    def operations(self, tokens: int) -> int:
        """Multiply-adds for one text of so many tokens, all layers given."""
        kept = [width for width in self.inner if width > 0]
        each = 4 * self.width**2 + 2 * tokens * self.width
        blocks = len(kept) * each + 2 * self.width * sum(kept)
        maps = self.inner.count(AFFINE) * self.width**2
        given = 0 if self.width == self.dim else self.layers * self.width * self.dim
        return tokens * (blocks + maps + given)


def build_layered(shape: LayeredShape, pieces: int, positions: int) -> Any:
    """A module of that shape with nothing in it yet.

    ``forward(ids, mask)`` is (b, t) to a list of the layers' states, each (b, t, dim); ``mask``
    (b, t) is 0 where there is only padding. ``read(embedded)`` gives all states in one vector a
    text, each layer times its ``weights``, so that one number says how far two of them differ.
    """
    import torch
    from torch import nn

    width, epsilon = shape.width, shape.epsilon

    def part(inner: int) -> nn.Module:
        if inner > 0:
            return build_block(width, shape.heads, inner, epsilon)
        return nn.Linear(width, width) if inner == AFFINE else nn.Identity()

    class Layered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shape = shape
            self.weights = (1.0,) * shape.layers
            self.table = nn.Embedding(pieces, width)
            self.positions = nn.Embedding(positions, width)
            self.norm = nn.LayerNorm(width, epsilon)
            self.blocks = nn.ModuleList(part(inner) for inner in shape.inner)
            wider = [] if width == shape.dim else range(shape.layers)
            self.given = nn.ModuleList(nn.Linear(width, shape.dim) for _ in wider)

        def forward(
            self, ids: torch.Tensor, mask: torch.Tensor | None = None
        ) -> list[torch.Tensor]:
            return self.states(self.table(ids), mask)

        def states(
            self, embedded: torch.Tensor, mask: torch.Tensor | None = None
        ) -> list[torch.Tensor]:
            """Of each layer, from the table's rows (b, t, width)."""
            seen = None if mask is None else mask.bool()[:, None, None, :]
            state = self.norm(embedded + self.positions.weight[: embedded.shape[1]])
            found = [state]
            for block, inner in zip(self.blocks, shape.inner, strict=True):
                state = block(state, seen) if inner > 0 else block(state)
                found.append(state)
            if not len(self.given):
                return found
            return [give(it) for give, it in zip(self.given, found, strict=True)]

        def read(self, embedded: torch.Tensor) -> torch.Tensor:
            states = self.states(embedded)
            scaled = [it * by for it, by in zip(states, self.weights, strict=True)]
            return torch.cat(scaled, -1).flatten(1)

    return Layered().eval()


def reshaped(module: Any, shape: LayeredShape) -> Any:
    """A layered module of that shape, with the weights of those parts that are as large."""
    made = build_layered(shape, len(module.table.weight), len(module.positions.weight))
    own, theirs = made.state_dict(), module.state_dict()
    same = {
        name: theirs[name]
        for name, it in own.items()
        if name in theirs and theirs[name].shape == it.shape
    }
    made.load_state_dict({**own, **same})
    made.weights = getattr(module, "weights", made.weights)
    return made


def each_batch(
    ids: Sequence[Sequence[int]],
    run: Callable[["torch.Tensor", list[int]], None],
    progress: Progress = silent,
    message: str = "",
) -> None:
    """``run(batch, rows)`` for texts of one length each, (b, t); no gradients. Raises Cancelled."""
    import torch

    done = 0
    for rows in batches_of_one_length(ids, TOKENS):
        with torch.no_grad():
            run(torch.tensor([list(ids[row]) for row in rows]), rows)
        done += len(rows)
        tell(progress, done, len(ids), message)


def starts_of(ids: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """(texts + 1,) where each text's tokens begin when all stand behind each other."""
    return np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
