"""Layer against layer: how alike the layers of one model, or of two, are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.metrics.similarity import linear_cka
from core.pipeline.models import reader
from core.progress import scaled
from core.signatures.documents import document_states
from core.signatures.pooling import Pooling, each_layer
from core.signatures.states import States
from core.teachers.corpus import some_sentences
from core.types import Matrix, Progress, silent

FEWEST_WORDS = 4  # the debiased measure needs so many
SENTENCES = 200


@dataclass(frozen=True)
class Grid:
    """Linear CKA (a, b) of every layer of one model with every layer of the other, over words."""

    names: tuple[str, str]
    words: int
    debiased: npt.NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "a": self.names[0],
            "b": self.names[1],
            "words": self.words,
            "cka": self.debiased.round(6).tolist(),
        }


def layer_likeness(
    a: str, b: str, texts: Sequence[str] | None = None, progress: Progress = silent
) -> Grid:
    """Debiased linear CKA between the layers of two models, over the words both find in the texts.

    Without ``texts`` 200 sentences of the packaged corpus. Raises InvalidSpecification where they
    find fewer than four words in common, and what :func:`reader` raises; Cancelled.
    """
    chosen = (
        [sentence.text for sentence in some_sentences(SENTENCES)] if texts is None else list(texts)
    )
    both = [
        document_states(chosen, reader(name), progress=partial(scaled, progress, low, low + 50))
        for low, name in ((0, a), (50, b))
    ]
    keys, layers = zip(*map(_words_by_layer, both), strict=True)
    shared = sorted(set(keys[0]) & set(keys[1]))
    if len(shared) < FEWEST_WORDS:
        raise InvalidSpecification(
            f"found {len(shared)} words that both models read; expected {FEWEST_WORDS} or more: "
            "bring longer texts"
        )
    rows = [[key[it] for it in shared] for key in keys]
    found = [
        [linear_cka(one[rows[0]], other[rows[1]], debiased=True) for other in layers[1]]
        for one in layers[0]
    ]
    return Grid((a, b), len(shared), np.array(found))


def _words_by_layer(states: States) -> tuple[dict[tuple[int, int, int], int], list[Matrix]]:
    """The row of each word by text and place, and the layers' vectors of the words."""
    layers, table = each_layer(states, Pooling(unit="word", skip_first=states.causal))
    places = zip(table["text"], table["start"], table["end"], strict=True)
    return {(int(t), int(s), int(e)): row for row, (t, s, e) in enumerate(places)}, layers
