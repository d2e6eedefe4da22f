"""Texts of any length as signatures: one a text, and one for each of its windows in order.

A signature is the mean of the last layer's states; a text's is that of its windows, weighted by
their tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, TypeAlias

import pandas as pd

from core.errors import StoreError
from core.pipeline.models import reader
from core.signatures.documents import document_signatures, document_states
from core.signatures.hidden import Reader
from core.signatures.pooling import Pooling
from core.spaces.words import inside_word
from core.store.disk import Store
from core.store.files import Array
from core.store.read_back import Artefact
from core.types import Coords, Progress, QueryCoords, Vector, silent

Said: TypeAlias = dict[str, float]

WINDOW = 128  # tokens, special ones counted; neighbours share a quarter
PER_SECOND = 3_000  # tokens read on two cores, see docs/texts.md
SNIPPET = 90  # characters


@dataclass(frozen=True, eq=False)
class Windowed:
    """Signatures of k texts (k, p), of their w windows (w, p), and a row of ``table`` a window:
    ``text`` (its row), ``part`` (from 0), ``start``, ``end`` (characters), ``tokens`` (taken from
    it). ``unknown`` is the share of tokens that the model's vocabulary lacks."""

    whole: Coords
    windows: QueryCoords
    table: pd.DataFrame
    unknown: float


def windowed(texts: Sequence[str], reader: Reader, progress: Progress = silent) -> Windowed:
    """Read texts in overlapping windows of 128 tokens.

    Raises UnknownItem where a text has nothing to read, what document_states raises; Cancelled.
    """
    states = document_states(texts, last_layer(reader), size=WINDOW, progress=progress)
    whole, parts = document_signatures(states, Pooling(skip_first=states.causal))
    table = parts.table.rename(columns={"window": "part"}).drop(columns="surface")
    own = states.tokens[~states.tokens["special"]]
    return Windowed(whole, parts.vectors, table, float(own["unknown"].mean()))


def kept_windowed(
    store: Store, kind: str, key: str, texts: Sequence[str], model: str, progress: Progress
) -> Windowed:
    """Texts as they were read and kept before; else, or where that is damaged, read now and kept.

    Raises what :func:`windowed` and :func:`core.pipeline.models.reader` raise.
    """
    kept = store.recall(kind, key, lambda: load_windowed(store.load(kind, key)))
    if kept is not None:
        return kept
    windows = windowed(texts, reader(model), progress)
    store.save(kind, key, *dump_windowed(windows))
    return windows


def signature(text: str, reader: Reader) -> Vector:
    """(p,) of one text. Raises UnknownItem where there is nothing to read."""
    vector: Vector = windowed([text], reader).whole[0]
    return vector


def dump_windowed(windowed: Windowed) -> tuple[dict[str, Array], dict[str, pd.DataFrame], Said]:
    """Arrays, tables and figures for the store; :func:`load_windowed` reads them back."""
    arrays = {"whole": windowed.whole, "windows": windowed.windows}
    return arrays, {"windows": windowed.table}, {"unknown": windowed.unknown}


def load_windowed(kept: Artefact) -> Windowed:
    """Undo :func:`dump_windowed`. Raises StoreError where something is missing."""
    try:
        arrays, unknown = kept.arrays, float(kept.payload["unknown"])
        return Windowed(arrays["whole"], arrays["windows"], kept.tables["windows"], unknown)
    except KeyError as fault:
        raise StoreError(
            f"found no {fault} among kept signatures; expected it: read anew"
        ) from None


@lru_cache(maxsize=4)
def last_layer(reader: Reader) -> Reader:
    """The same model, which tells its last layer alone: of MiniLM's states one in seven."""
    own = _LastLayer(reader.model)
    return Reader(own, reader.tokenizer, reader.device, reader.name, reader.budget)


class _LastLayer:
    def __init__(self, model: Any) -> None:
        self._model = getattr(model, "base_model", model)

    @property
    def base_model(self) -> "_LastLayer":
        return self

    def __call__(self, **asked: Any) -> SimpleNamespace:
        states = getattr(self._model(**asked), "hidden_states", None) or ()
        return SimpleNamespace(hidden_states=tuple(states[-1:]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def snippet(text: str, start: int = 0, end: int | None = None, limit: int = SNIPPET) -> str:
    """The first words of a stretch of text, on one line, without the rest of a word or sentence
    mark before them.

    >>> snippet("An elephant never\\nforgets.", 6)
    'never forgets.'
    """
    said = text[start : len(text) if end is None else end]
    if inside_word(text, start):
        said = said.partition(" ")[2] or said
    line = " ".join(said[: 4 * limit].split())
    line = line.lstrip(" ,.;:!?)]}’”–—-") or line if start else line
    cut = line[: limit - 1]
    return line if len(line) <= limit else f"{cut.rpartition(' ')[0] or cut}…"
