"""BERT as a plain module: the teacher itself, and students that keep its shape.

Written out here, and not taken from transformers, because a student replaces each matrix by a
coded one, and because a student must start without the teacher's library.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.types import Progress, Queries, silent, tell
from core.weights import read_object, read_tensors, require_fit, weight_files

if TYPE_CHECKING:
    import torch

TOKENS = 2048  # of a batch, padding never counted: each batch has one length
POOLINGS = ("mean", "first", "max", "last")
FOLDED = "embeddings.position_embeddings.weight"


@dataclass(frozen=True)
class Shape:
    """``layers`` blocks of ``width`` numbers a token; ``inner`` of them in the feed-forward."""

    width: int
    layers: int
    heads: int
    inner: int
    epsilon: float
    pooling: str  # "mean", "first", "max" or "last"
    normalise: bool

    def operations(self, tokens: int) -> int:
        """Multiply-adds for one text of so many tokens."""
        block = 4 * self.width**2 + 2 * self.width * self.inner + 2 * tokens * self.width
        return self.layers * tokens * block


def read_shape(folder: Path, pooling: str) -> Shape:
    """The shape of the teacher in a folder; ``pooling`` as a space's provenance says it.

    Raises InvalidSpecification for an architecture other than BERT, and for another pooling than
    one of the four that a shape has; TeacherUnavailable for a damaged configuration.
    """
    config = read_object(folder / "config.json", folder.name)
    found = (config.get("model_type"), config.get("hidden_act"))
    if found != ("bert", "gelu") or config.get("position_embedding_type") not in (None, "absolute"):
        raise InvalidSpecification(
            f"found a teacher of the architecture {found[0]} ({found[1]}); expected BERT with "
            "gelu, which the encoder student starts from: choose a BERT teacher, or the speller"
        )
    mode, _, how = pooling.partition(", ")
    if mode not in (*POOLINGS, "none") or how not in ("", "normalised"):  # none: not told
        raise InvalidSpecification(
            f"found a teacher whose vectors are made by {pooling}; expected {', '.join(POOLINGS)}, "
            "perhaps normalised, which the encoder student copies: choose the speller"
        )
    try:
        return Shape(
            width=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            inner=int(config["intermediate_size"]),
            epsilon=float(config["layer_norm_eps"]),
            pooling=mode,
            normalise=bool(how),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise InvalidSpecification(
            f"found no {fault} that is a number in config.json of {folder.name}; expected BERT's "
            "configuration: save the teacher again with save_pretrained"
        ) from None


def build_block(width: int, heads: int, inner: int, epsilon: float) -> "torch.nn.Module":
    """One layer with nothing in it yet: attention, then the feed-forward, a norm behind each.

    ``forward(states, mask)`` is (b, t, width) to the same; ``mask`` (b, 1, 1, t) is False where
    there is only padding, None where there is none.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
            self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
            self.after_attention = nn.LayerNorm(width, epsilon)
            self.after_feed = nn.LayerNorm(width, epsilon)

        def forward(self, states: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            states = self.after_attention(states + self.out(self.mixed(states, mask)))
            fed = self.down(functional.gelu(self.up(states)))
            return self.after_feed(states + fed)  # type: ignore[no-any-return]

        def mixed(self, states: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            batch, length, _ = states.shape

            def split(of: torch.Tensor) -> torch.Tensor:
                return of.view(batch, length, heads, -1).transpose(1, 2)

            mixed = functional.scaled_dot_product_attention(
                split(self.query(states)), split(self.key(states)), split(self.value(states)), mask
            )
            return mixed.transpose(1, 2).reshape(batch, length, width)

    return Block()


def build(shape: Shape, pieces: int, positions: int) -> "torch.nn.Module":
    """A module of that shape with nothing in it yet. ``forward(ids)`` is (b, t) to (b, d).

    All texts of a batch have the same length, so that there is no mask and no padding.
    """
    import torch
    from torch import nn

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(pieces, shape.width)
            self.positions = nn.Embedding(positions, shape.width)
            self.norm = nn.LayerNorm(shape.width, shape.epsilon)
            block = (shape.width, shape.heads, shape.inner, shape.epsilon)
            self.blocks = nn.ModuleList(build_block(*block) for _ in range(shape.layers))

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.read(self.table(ids))

        def read(self, embedded: torch.Tensor) -> torch.Tensor:
            """(b, d) from the table's rows (b, t, d)."""
            states = self.norm(embedded + self.positions.weight[: embedded.shape[1]])
            for block in self.blocks:
                states = block(states)
            return pool(states, shape)

    return Transformer().eval()


def pool(states: "torch.Tensor", shape: Shape) -> "torch.Tensor":
    """(b, d) from (b, t, d), as the teacher does it."""
    import torch

    if shape.pooling == "first":
        pooled = states[:, 0]
    elif shape.pooling == "last":
        pooled = states[:, -1]
    else:
        pooled = states.amax(1) if shape.pooling == "max" else states.mean(1)
    return torch.nn.functional.normalize(pooled) if shape.normalise else pooled


def read_teacher(folder: Path, shape: Shape, kept: Sequence[int], positions: int) -> Any:
    """The teacher as such a module; of its table only the rows ``kept``, in that order.

    Raises InvalidSpecification when the weights are not BERT's, TeacherUnavailable when they are
    damaged or of more layers than the shape has.
    """
    import torch

    arrays = _weights(folder)
    try:
        whole = {
            "table.weight": arrays.pop("embeddings.word_embeddings.weight")[list(kept)],
            # Every text is the first segment: its vector goes with the positions.
            "positions.weight": arrays.pop(FOLDED)[:positions]
            + arrays.pop("embeddings.token_type_embeddings.weight")[0],
        }
        whole |= _named(arrays, "embeddings.LayerNorm", "norm")
        for layer in range(shape.layers):
            for theirs, ours in NAMES.items():
                whole |= _named(arrays, f"encoder.layer.{layer}.{theirs}", f"blocks.{layer}.{ours}")
    except (KeyError, IndexError) as fault:
        raise InvalidSpecification(
            f"found weights in {folder.name} that are not BERT's ({fault}); expected those of "
            "config.json: save the teacher again with save_pretrained"
        ) from None
    require_fit((), arrays, ("encoder.layer",), folder.name)
    module = build(shape, len(kept), len(whole["positions.weight"]))
    module.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in whole.items()})
    return module


NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "after_attention",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "after_feed",
}


def _weights(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    name = folder.name
    return {
        key.removeprefix("bert."): tensor.numpy()
        for file in weight_files(folder, name)
        for key, tensor in read_tensors(file, name).items()
    }


def _named(
    arrays: dict[str, npt.NDArray[np.float32]], theirs: str, ours: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Weight and bias of one part, taken out of ``arrays``."""
    return {f"{ours}.{part}": arrays.pop(f"{theirs}.{part}") for part in ("weight", "bias")}


def in_batches(
    ids: Sequence[Sequence[int]],
    run: Callable[["torch.Tensor"], "torch.Tensor"],
    dim: int,
    progress: Progress = silent,
    message: str = "",
) -> Queries:
    """(m, d) of token ids: batches of one length each, longest first. Raises Cancelled."""
    import torch

    out = np.empty((len(ids), dim), dtype=np.float32)
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    done = 0
    while done < len(order):
        length = lengths[order[done]]
        same = int(np.searchsorted(-lengths[order], -length, side="right"))
        rows = order[done : min(same, done + max(1, TOKENS // int(length)))]
        with torch.no_grad():
            batch = torch.tensor([list(ids[row]) for row in rows])
            out[rows] = run(batch).numpy()
        done += len(rows)
        tell(progress, done, len(ids), message)
    return out
