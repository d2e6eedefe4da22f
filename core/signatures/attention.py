"""Where a model's tokens look: attention layer by layer, rolled out, and what each token receives.

The fast kernels keep no attention weights, so they are read off a twin of the model that shares
its weights and computes step by step; the model itself is never altered.

Sources: Abnar & Zuidema 2020, arXiv:2005.00928 (rollout); Jain & Wallace 2019, arXiv:1902.10186
(attention is not explanation).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification, Unsupported
from core.models.passes import batch_of, passing
from core.signatures.documents import sliding
from core.signatures.hidden import Reader, Window, batches_of, passes_of
from core.signatures.tokens import cut_texts
from core.types import Progress, Scores, silent, tell

BUDGET = 512  # tokens a batch: attention grows with the square of a text's length

Weights = npt.NDArray[np.float32]  # (layers, t, t): from a token (row) to those it looks at


def attention(text: str, reader: Reader) -> Weights:
    """(layers, t, t) attention of one text, averaged over heads; rows sum to 1.

    t counts the special tokens: place j is the token whose ``position`` is j. Layer 0 here is
    the first that attends, which makes the states of layer 1. Raises InvalidSpecification for
    a text longer than the model reads at once, UnknownItem for one without tokens, Unsupported
    for a model that gives no attention.
    """

    def whole(_: int, length: int, room: int) -> Sequence[Window]:
        if length > room:
            raise InvalidSpecification(
                f"found {length} tokens; expected at most {room}, which {reader.name} reads at "
                "once: take a shorter text"
            )
        return [Window(0, length, 0, length)]

    cuts = cut_texts([text], reader.tokenizer, silent)
    passes, _ = passes_of(cuts, whole, reader.window, True)
    return _attend(_twin(reader), reader, [passes[0].ids])[0]


def rollout(weights: Weights) -> Weights:
    """(layers, t, t): the share of each input token (column) in a token (row) after each layer.

    A~ = (A + I) / 2, rows normalised, one half for what the residual stream carries past the
    attention; multiplied up from the first layer. Rows sum to 1. Values and feed-forward layers
    take no part in it: it says where information could come from, not what was used.

    >>> weights = np.float32([[[0, 1], [0, 1]], [[1, 0], [0, 1]]])
    >>> rollout(weights)[-1].tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    half = (weights.astype(np.float64) + np.eye(weights.shape[-1])) / 2
    half /= half.sum(axis=-1, keepdims=True)
    found = [half[0]]
    for layer in half[1:]:
        found.append(layer @ found[-1])
    return np.stack(found).astype(np.float32)


def received(
    texts: Sequence[str],
    reader: Reader,
    *,
    special: bool = False,
    size: int = 0,
    overlap: int | None = None,
    progress: Progress = silent,
) -> Scores:
    """(t,) the attention that each token receives, for pooling with ``how="weighted"``.

    The mean over layers, heads and those tokens of its window that can see it (in a causal model
    the ones from itself on), the special ones counted. Rows are those of the states that
    :func:`core.signatures.documents.document_states` makes with the same arguments. Raises what
    that raises, and Unsupported for a model that gives no attention.
    """
    cuts = cut_texts(texts, reader.tokenizer, progress)
    plan = sliding(reader, overlap)
    passes, tokens = passes_of(cuts, plan, size or reader.window, special)
    found = np.zeros(len(tokens), np.float32)
    twin = _twin(reader)
    done = 0
    for batch in batches_of([len(one_pass.ids) for one_pass in passes], BUDGET):
        tell(progress, done, len(passes), f"Reading where {reader.name} looks")
        part = [passes[row] for row in batch]
        for one, weights in zip(part, _attend(twin, reader, [it.ids for it in part]), strict=True):
            mine = _from_all(weights.mean(axis=0), reader.causal)[one.kept]
            found[one.row : one.row + len(mine)] = mine
        done += len(part)
    tell(progress, done, len(passes), f"Reading where {reader.name} looks")
    return found


def _from_all(weights: npt.NDArray[np.float32], causal: bool) -> npt.NDArray[np.float32]:
    """(t,) the mean of each column of (t, t) over the rows that can see it."""
    count = len(weights)
    seers = np.arange(count, 0, -1) if causal else np.full(count, count)
    means: npt.NDArray[np.float32] = (weights.sum(axis=0) / seers).astype(np.float32)
    return means


def _twin(reader: Reader) -> Any:
    """The same model over the same weights, computing attention in the open.

    Every tensor is shared, every module and the configuration are copies: a few milliseconds, no
    memory, and nobody who reads with the model at this moment sees a difference.
    """
    import copy

    model = getattr(reader.model, "base_model", reader.model)
    shared = {id(it): it for it in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    try:
        twin.set_attn_implementation("eager")
    except (AttributeError, ValueError, ImportError):
        raise _without(reader) from None
    return twin


def _attend(twin: Any, reader: Reader, ids: list[list[int]]) -> list[Weights]:
    """Each text's (layers, t, t), averaged over heads; padding stands on the right and is cut."""
    import torch

    padded, mask = batch_of(ids, reader.tokenizer)
    with torch.inference_mode(), passing(reader.name, "tell where its tokens look"):
        out = twin(
            input_ids=padded.to(reader.device),
            attention_mask=mask.to(reader.device),
            output_attentions=True,
        )
    layers = getattr(out, "attentions", None) or ()
    square = (padded.shape[1], padded.shape[1])
    if not layers or any(layer is None or layer.shape[-2:] != square for layer in layers):
        raise _without(reader)
    means = torch.stack([layer.float().mean(dim=1) for layer in layers], dim=1).cpu().numpy()
    return [
        np.ascontiguousarray(weights[:, : len(one), : len(one)])
        for weights, one in zip(means, ids, strict=True)
    ]


def _without(reader: Reader) -> Unsupported:
    return Unsupported(
        f"found {reader.name}, which does not tell where its tokens look; expected a transformer "
        "with attention: choose another model"
    )
