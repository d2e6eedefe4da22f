"""The residual stream of a model that runs: read and written at any layer and position.

The stream is a row of numbers per token that each block adds to: layer 0 is what enters the first
block, layer l what leaves block l, the last one before the final norm. (The last of transformers'
own ``hidden_states`` is after it.)

The hooks stay on the model for good and do nothing by themselves. What a pass records and what is
written into it stands in a context variable that is set back when the pass ends, however it ends:
two threads with one model never see each other's edits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

HOOKED = "read_and_written_by_meaning_space"


@dataclass(frozen=True, eq=False)
class Edit:
    """What is written into the residual stream of a pass.

    ``vectors`` is (d,) for all rows of the batch or (b, d), one a row. They replace, or are added
    to, the states of ``layer`` (0 to depth) at positions ``first`` to ``last`` (exclusive; None
    goes on through what is written later). Positions count from the first token of the text.
    """

    layer: int
    vectors: npt.NDArray[np.float32]
    first: int
    last: int | None
    how: Literal["replace", "add"] = "replace"


@dataclass(eq=False)
class Work:
    """What the hooks are to do in the pass of this thread; ``stream`` is what they recorded."""

    edits: Sequence[Edit]
    layers: frozenset[int]
    offset: int  # tokens read before this pass
    stream: dict[int, "Tensor"] = field(default_factory=dict)


_work: ContextVar[Work | None] = ContextVar("work", default=None)


def hook(model: Any, blocks: Any) -> None:
    """Put the hooks on a model's blocks, once: what is added must not be added twice."""
    if getattr(model, HOOKED, False):
        return
    setattr(model, HOOKED, True)
    blocks[0].register_forward_pre_hook(_enter, with_kwargs=True)
    for number, block in enumerate(blocks, 1):
        block.register_forward_hook(_leave(number))


@contextmanager
def hooked(edits: Sequence[Edit], layers: Sequence[int], offset: int) -> Iterator[Work]:
    """Edits and recording for the passes of this thread, undone whatever happens."""
    work = Work(edits, frozenset(layers), offset)
    token = _work.set(work)
    try:
        yield work
    finally:
        _work.reset(token)


def _enter(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The stream as it enters the first block: layer 0."""
    work = _work.get()
    if work is None:
        return None
    if arguments:
        return (_touched(work, 0, arguments[0]), *arguments[1:]), named
    return arguments, {**named, "hidden_states": _touched(work, 0, named["hidden_states"])}


def _leave(layer: int) -> Callable[..., Any]:
    def leave(_: Any, __: Any, out: Any) -> Any:
        work = _work.get()
        if work is None:
            return None
        if isinstance(out, tuple):
            return (_touched(work, layer, out[0]), *out[1:])
        return _touched(work, layer, out)

    return leave


def _touched(work: Work, layer: int, states: "Tensor") -> "Tensor":
    """States (b, t, d) with this layer's edits, recorded where asked for."""
    import torch

    for edit in work.edits:
        first = max(edit.first - work.offset, 0)
        last = states.shape[1] if edit.last is None else edit.last - work.offset
        if edit.layer != layer or first >= min(last, states.shape[1]):
            continue
        vectors = torch.as_tensor(edit.vectors, dtype=states.dtype, device=states.device)
        vectors = vectors[:, None] if vectors.ndim == 2 else vectors
        states = states.clone()
        if edit.how == "replace":
            states[:, first:last] = vectors
        else:
            states[:, first:last] += vectors
    if layer in work.layers:
        work.stream[layer] = states
    return states
