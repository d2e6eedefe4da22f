"""The states of every layer of a transformer for every token, one forward pass a batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from core.context_length import context_length
from core.errors import InvalidSpecification, InvalidVectors, Unsupported
from core.models.passes import is_causal, layer_states, trial
from core.signatures.states import LayerWriter, States, beside
from core.signatures.tokens import Cut, cut_texts
from core.spaces.linalg import Floats
from core.types import Progress, Rows, silent, tell

CHOICES = {"precision": ("float32", "bfloat16", "float16"), "store": ("float32", "float16")}


class Window(NamedTuple):
    """A part of a text, in its own tokens: start to stop are read, first to last are taken."""

    start: int
    stop: int
    first: int
    last: int


# The windows of a text: from its row, its number of tokens, and how many the model reads at once
Plan: TypeAlias = Callable[[int, int, int], Sequence[Window]]


@dataclass(frozen=True)
class ReadSpec:
    """The precision of the matrix products (autocast), the type in which states are stored, and
    whether the tokens that the tokenizer adds are kept."""

    precision: str = "float32"
    store: str = "float32"
    special: bool = False

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                found = f"found {name} {getattr(self, name)!r}"
                raise InvalidSpecification(f"{found}; expected one of {', '.join(known)}")


FULL = ReadSpec()  # everything in float32


@dataclass(frozen=True, eq=False)
class Reader:
    """A transformers model, which stands on ``device``, and its tokenizer.

    ``budget`` is in tokens a batch, padding counted. Raises Unsupported for a tokenizer that
    tells no offsets and for an encoder-decoder.
    """

    model: Any
    tokenizer: Any
    device: str
    name: str
    budget: int = 2048

    def __post_init__(self) -> None:
        if not self.tokenizer.is_fast:
            raise Unsupported(
                f"found a tokenizer of {self.name} that does not tell where its tokens stand; "
                "expected a fast one, which writes tokenizer.json: choose another model"
            )
        if getattr(self.model.config, "is_encoder_decoder", False) and hasattr(
            self.model, "decoder"
        ):
            raise Unsupported(
                f"found an encoder-decoder in {self.name}; expected an encoder or a decoder: "
                "choose one, or save the encoder alone with model.get_encoder().save_pretrained"
            )
        self.model.eval()

    @cached_property
    def window(self) -> int:
        """Tokens that the model reads at once, special ones counted."""
        return context_length(self.model, self.tokenizer)

    @cached_property
    def trial(self) -> list[Floats]:
        """Each layer's states (2, t, d) of two short texts; only the last token differs."""
        return trial(self.model, self.tokenizer, self.name)

    @property
    def causal(self) -> bool:
        """Whether a token sees only what stands before it: tried out, as few models say so."""
        return is_causal(self.trial)


@dataclass(frozen=True, eq=False)
class BatchRow:
    """One row of a batch: the ids to read, which of them are kept, and where these go."""

    text: int
    ids: list[int]
    kept: slice
    row: int


def hidden_states(
    texts: Sequence[str],
    reader: Reader,
    spec: ReadSpec = FULL,
    *,
    truncate: bool = False,
    folder: Path | None = None,
    progress: Progress = silent,
) -> States:
    """The states of every layer for every token of texts that the model reads at once.

    With ``folder`` they are written there as they come, and memory-mapped on return: in memory
    are one batch and the table of tokens. Texts longer than the model reads are an error, or with
    ``truncate`` cut and noted; documents.py reads them whole.

    Raises InvalidSpecification (no texts, a text that is too long), UnknownItem (a text without
    tokens), InvalidVectors (states that are not finite), Unsupported, StoreError, Cancelled.
    """

    def plan(row: int, length: int, room: int) -> Sequence[Window]:
        if length > room and not truncate:
            raise InvalidSpecification(
                f"found {length} tokens in text {row} (counted from 0); expected at most {room}, "
                f"which {reader.name} reads at once: read it as a document, or truncate it"
            )
        kept = min(length, room)
        return [Window(0, kept, 0, kept)]

    return read(texts, reader, spec, plan, reader.window, folder, progress)


def read(
    texts: Sequence[str],
    reader: Reader,
    spec: ReadSpec,
    plan: Plan,
    size: int,
    folder: Path | None,
    progress: Progress,
) -> States:
    """The states of texts in windows of at most ``size`` tokens, special ones counted."""
    with beside(folder) as place:
        cuts = cut_texts(texts, reader.tokenizer, progress)
        passes, tokens = passes_of(cuts, plan, size, spec.special)
        tokens["unknown"] = (tokens["id"] == reader.tokenizer.unk_token_id) & ~tokens["special"]
        tokens["token"] = reader.tokenizer.convert_ids_to_tokens(tokens.pop("id").tolist())
        shape = (len(tokens), reader.trial[0].shape[-1])
        with closing(LayerWriter(place, len(reader.trial), shape, spec.store)) as layers:
            again = _fill(layers, reader, passes, spec.precision, progress)
            made = () if place else layers.arrays()
        notes = _notes(cuts, tokens, again)
        states = States(made, tokens, tuple(texts), reader.name, reader.causal, notes)
        if place:
            states.keep(place, len(reader.trial))
    return States.open(folder) if folder else states


def passes_of(
    cuts: list[Cut], plan: Plan, size: int, special: bool
) -> tuple[list[BatchRow], pd.DataFrame]:
    """What the model is to read, and the table of the tokens that are kept."""
    room = size - max(cut.lead + cut.tail for cut in cuts)
    if room < 1:
        raise InvalidSpecification(
            f"found windows of {size} tokens; expected {size - room + 1} or more, since "
            f"{size - room} are special: take longer ones"
        )
    passes: list[BatchRow] = []
    rows: list[Any] = []
    total = 0
    for text, cut in enumerate(cuts):
        head, tail = cut.rows[: cut.lead], cut.rows[cut.lead + cut.own :]
        windows = plan(text, cut.own, room)
        for number, (start, stop, first, last) in enumerate(windows):
            read = np.concatenate([head, cut.rows[cut.lead :][start:stop], tail])
            read["text"], read["window"], read["position"] = text, number, np.arange(len(read))
            begin = 0 if special and number == 0 else cut.lead + first - start
            end = len(read) if special and number == len(windows) - 1 else cut.lead + last - start
            passes.append(BatchRow(text, read["id"].tolist(), slice(begin, end), total))
            rows.append(read[begin:end])
            total += end - begin
    return passes, pd.DataFrame(np.concatenate(rows))


def _fill(
    layers: LayerWriter, reader: Reader, passes: list[BatchRow], precision: str, progress: Progress
) -> list[str]:
    """Fill the layers; a note where a batch had to be computed again in float32."""
    message = f"Reading with {reader.name}"
    done = again = 0
    for batch in batches_of([len(one_pass.ids) for one_pass in passes], reader.budget):
        tell(progress, done, len(passes), message)
        part = [passes[row] for row in batch]
        ids = [it.ids for it in part]
        states = _forward(reader, ids, precision)
        if precision != "float32" and not all(np.isfinite(state).all() for state in states):
            states = _forward(reader, ids, "float32")
            again += len(part)
        ends = np.cumsum([len(one) for one in ids])
        for number, state in enumerate(states):
            for one, block in zip(part, np.split(state, ends[:-1]), strict=True):
                _require_storable(block, layers.dtype, number, one.text)
                layers.put(number, one.row, block[one.kept])
        done += len(part)
    tell(progress, done, len(passes), message)
    what = "passes computed again in float32, since they were not finite in"
    return [f"{again} {what} {precision}"] if again else []


def batches_of(lengths: Sequence[int], budget: int) -> Iterator[Rows]:
    """Rows by length, longest first, so that memory runs out at once or never.

    >>> [rows.tolist() for rows in batches_of([3, 9, 3, 4], budget=9)]
    [[1], [3, 0], [2]]
    """
    order = np.argsort(-np.array(lengths, dtype=np.int64), kind="stable")
    while len(order):
        fit = max(1, budget // lengths[order[0]])
        yield order[:fit]
        order = order[fit:]


def _forward(reader: Reader, ids: list[list[int]], precision: str) -> list[Floats]:
    """Each layer's states (t, d) float32 of all tokens, text after text."""
    import torch

    dtype = None if precision == "float32" else getattr(torch, precision)
    kind = reader.device.partition(":")[0]  # cuda:1 is cuda
    with torch.autocast(kind, dtype, enabled=dtype is not None):
        states = layer_states(reader.model, reader.tokenizer, reader.name, ids)
    return [
        np.concatenate([rows[: len(one)] for rows, one in zip(state, ids, strict=True)])
        for state in (whole.float().cpu().numpy() for whole in states)
    ]


def _require_storable(block: Floats, dtype: np.dtype[Any], layer: int, text: int) -> None:
    """Raise InvalidVectors where the states are not finite, or would not be as they are stored."""
    if not np.abs(block).max() <= np.finfo(dtype).max:
        raise InvalidVectors(
            f"found a state of {np.abs(block).max():.3g} in layer {layer} of text {text} (counted "
            f"from 0); expected finite ones, at most {np.finfo(dtype).max:.3g} in {dtype}: store "
            "float32, load the weights in float32, or leave that text out"
        )


def _notes(cuts: list[Cut], tokens: pd.DataFrame, again: list[str]) -> tuple[str, ...]:
    """What a person should know about how the states came to be."""
    notes = list(again)
    own = tokens[~tokens["special"]].groupby("text")
    short = np.flatnonzero(own.size().to_numpy() < [cut.own for cut in cuts])
    if len(short):
        notes.append(f"{len(short)} of {len(cuts)} texts cut after {own.size().max()} tokens")
    blind = np.flatnonzero(own["unknown"].all())
    if len(blind):
        named = ", ".join(map(str, blind[:5])) + ", ..." * (len(blind) > 5)
        notes.append(f"no token known in {len(blind)} texts (counted from 0: {named})")
    return tuple(notes)
