"""Texts as a probe reads them: each layer's vectors of words or of texts, share by share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from core.pipeline.layers.probing.controls import without_context
from core.pipeline.models import reader
from core.signatures.documents import document_states
from core.signatures.pooling import Pooling, each_layer, pool
from core.spaces.linalg import Floats
from core.spaces.words import folded
from core.types import Matrix, Progress

SHARE = 256  # texts read between two steps: what lies in memory at once

WORDS, TEXTS = Pooling(unit="word"), Pooling()


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """Each layer's vectors (n, d) of n items, their labels, and the groups that stay together.

    ``table`` are the items as the model's input rows alone give them, None where it has none;
    ``words`` are what the control's random labels go by, None where they would mean nothing;
    ``names`` and ``details`` say what an item is; ``apart`` what no two sides of a fold share.
    """

    layers: dict[str, Matrix]
    table: Floats | None
    labels: list[str]
    groups: list[str]
    words: list[str] | None
    names: list[str]
    details: list[str]
    apart: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """Texts as read: each layer's vectors (m, d) of words or texts, the same of the table's rows,
    and the table that says what each row is, with ``text`` counted over all texts."""

    texts: Sequence[str]
    layers: list[Matrix]
    rows: Floats | None
    table: pd.DataFrame
    unit: str

    def question(
        self,
        rows: Sequence[int] | None,
        *,
        labels: list[str],
        groups: list[str],
        words: list[str] | None,
        apart: str,
    ) -> Question:
        """The question about some of the rows, or about all."""
        chosen = np.arange(len(self.table)) if rows is None else np.asarray(rows, np.int64)
        table = self.table.iloc[chosen]
        texts = [self.texts[row] for row in table["text"]]
        return Question(
            layers={
                str(number): np.ascontiguousarray(layer[chosen])
                for number, layer in enumerate(self.layers)
            },
            table=None if self.rows is None else np.ascontiguousarray(self.rows[chosen]),
            labels=labels,
            groups=groups,
            words=words,
            names=table["surface"].tolist() if self.unit == "word" else texts,
            details=texts if self.unit == "word" else [""] * len(texts),
            apart=apart,
        )


def read_texts(
    reference: str,
    texts: Sequence[str],
    pooling: Pooling,
    progress: Progress,
    words: Sequence[str] | None = None,
) -> Reading:
    """Texts through the model, share by share: their states are never all in memory, and with
    ``words``, one a text, only the first occurrence of each is kept.

    Position 0 of a decoder takes no part: it is an outlier in every layer.
    """
    model = reader(reference)
    pooling = replace(pooling, skip_first=model.causal)
    layers: list[list[Matrix]] = [[] for _ in model.trial]
    rows: list[Matrix] = []
    tables = []
    for start in range(0, len(texts), SHARE):
        part = texts[start : start + SHARE]
        share = partial(_share, progress, start, len(part), len(texts))
        states = document_states(part, model, progress=share)
        vectors, table = each_layer(states, pooling)
        keep = np.arange(len(table))
        if words is not None:
            keep = np.asarray(first_occurrences(table, words[start : start + SHARE])[0], np.int64)
        for parts, layer in zip(layers, vectors, strict=True):
            parts.append(layer[keep])
        if (plain := without_context(states, model)) is not None:
            rows.append(pool(plain, pooling).vectors[keep])
        table["text"] += start
        tables.append(table.iloc[keep])
    return Reading(
        texts=texts,
        layers=[np.concatenate(parts) for parts in layers],
        rows=np.concatenate(rows) if rows else None,
        table=pd.concat(tables, ignore_index=True),
        unit=pooling.unit,
    )


def first_occurrences(table: pd.DataFrame, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """The row of the first occurrence of each text's own word, and the text's number."""
    wanted = table["text"].map(lambda text: folded(words[text]))
    mine = table[table["surface"].map(folded) == wanted].drop_duplicates("text")
    return mine.index.tolist(), mine["text"].tolist()


def _share(
    progress: Progress, start: int, size: int, total: int, done: int, count: int, message: str
) -> bool:
    """Progress of a share of the texts as progress of all."""
    return progress(start + round(size * done / max(count, 1)), total, message)
