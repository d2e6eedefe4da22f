"""A pass through a model whose architecture nobody here has chosen: what goes wrong in it ends as
one of our errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.errors import Unsupported, reason_of
from core.models.batching import memory

if TYPE_CHECKING:
    from torch import Tensor

TRIAL = 8  # tokens: Funnel pools its states, so that fewer look like those of a plain model
SAME = 1e-5  # states that differ less are the same


@contextmanager
def passing(
    name: str, asked: str = "read a plain text", wanted: str = "an encoder or a decoder"
) -> Iterator[None]:
    """Raise NotEnoughMemory where memory runs out, Unsupported for whatever else an architecture
    says when it is ``asked`` for something: that it wants other inputs, say, or longer ones.
    ``wanted`` are the models that could do it."""
    try:
        with memory():
            yield
    except (
        *(RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError),
        ArithmeticError,
    ) as error:
        raise Unsupported(
            f"found {name}, which does not {asked} ({reason_of(error)}); expected {wanted} of "
            "transformers: choose another model"
        ) from error


def batch_of(rows: Sequence[Sequence[int]], tokenizer: Any) -> "tuple[Tensor, Tensor]":
    """(b, t) ids of texts with padding behind the shorter ones, and the mask of 1 and 0."""
    import torch

    longest = max(map(len, rows))
    padding = tokenizer.pad_token_id or 0  # any id will do where the mask hides it
    ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def layer_states(
    model: Any, tokenizer: Any, name: str, rows: Sequence[Sequence[int]]
) -> list["Tensor"]:
    """(b, t, d) a layer of b texts of ids, the embeddings first, in one pass without a head.

    Behind a shorter text stands padding, which positions and causal masks do not see. Raises
    Unsupported for an architecture that does not give every token a state of one width in every
    layer, NotEnoughMemory.
    """
    import torch

    ids, mask = batch_of(rows, tokenizer)
    where = model.device
    with torch.inference_mode(), passing(name):
        out = getattr(model, "base_model", model)(
            input_ids=ids.to(where),
            attention_mask=None if mask.all() else mask.to(where),  # faster without
            output_hidden_states=True,
        )
    states = list(getattr(out, "hidden_states", None) or ())
    if not states or any(state.shape != (*ids.shape, states[0].shape[-1]) for state in states):
        raise Unsupported(
            f"found {name}, which does not give a state of one width for each token in each layer; "
            "expected an encoder or a decoder of transformers: choose another model"
        )
    return states


def trial_rows(count: int) -> list[list[int]]:
    """Two texts of ids below ``count`` that differ in their last token alone."""
    begun = [count // 3] * (TRIAL - 1)
    return [[*begun, count // 3], [*begun, count // 2]]


def trial(model: Any, tokenizer: Any, name: str) -> list[npt.NDArray[np.float32]]:
    """Each layer's states (2, t, d) of two short texts; only the last token differs."""
    states = layer_states(model, tokenizer, name, trial_rows(vocabulary(model, tokenizer)))
    return [state.float().cpu().numpy() for state in states]


def is_causal(tried: Sequence[npt.NDArray[np.float32]]) -> bool:
    """Whether a token sees only what stands before it, by a model's :func:`trial`: few say so."""
    one, other = tried[-1][:, :-1]
    return bool(np.allclose(one, other, rtol=SAME, atol=SAME))


def input_table(model: Any) -> Any:
    """The embedding of the model's tokens (its ``weight`` is (n, d)), None where it has none."""
    try:
        table = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # CANINE has hashes instead
        return None
    return table if getattr(getattr(table, "weight", None), "ndim", 0) == 2 else None


def vocabulary(model: Any, tokenizer: Any) -> int:
    """How many ids a model reads: the rows of its input table, else what its tokenizer knows."""
    table = input_table(model)
    return len(tokenizer) if table is None else int(table.num_embeddings)
