"""The senses of a word: its states in many sentences, and the layer that parts them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core.errors import UnknownItem
from core.metrics.silhouette import SenseSeparation, grouping, sense_separation
from core.pipeline.models import reader
from core.resources import site_root
from core.signatures.hidden import hidden_states
from core.signatures.pooling import Pooling, each_layer
from core.signatures.states import States
from core.spaces.words import folded, normal, standing_alone
from core.teachers.corpus import corpus_sentences
from core.types import Matrix, Progress, silent

PREPARED = site_root() / "assets" / "senses.tsv"
FEWEST_FOUND, MOST_FOUND = 8, 80  # sentences of the packaged texts with a word


@dataclass(frozen=True)
class SenseSentence:
    """A sentence with a word in one of its senses."""

    text: str
    sense: str


@dataclass(frozen=True, eq=False)
class Senses:
    """A word in m sentences: its states (m, d) in each layer, and how far its senses part there.

    ``best`` is the layer that parts them most. Where the labels are not ``given``, they are
    groups that were found in the states themselves.
    """

    word: str
    sentences: tuple[SenseSentence, ...]
    layers: tuple[Matrix, ...]
    partings: tuple[SenseSeparation, ...]
    best: int
    notes: tuple[str, ...]
    given: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON."""
        return {
            "word": self.word,
            "sentences": len(self.sentences),
            "senses": {
                name: self._count(name)
                for name in sorted({sentence.sense for sentence in self.sentences})
            },
            "layers": [
                {
                    "layer": number,
                    "silhouette": it.silhouette,
                    "null_mean": it.null_mean,
                    "null_95": it.null_high,
                }
                for number, it in enumerate(self.partings)
            ],
            "best": self.best,
            "notes": list(self.notes),
        }

    def _count(self, sense: str) -> int:
        return sum(sentence.sense == sense for sentence in self.sentences)


@lru_cache(maxsize=1)
def prepared_senses() -> dict[str, tuple[SenseSentence, ...]]:
    """Words with sentences written for this project, each labelled with the word's sense."""
    found: dict[str, list[SenseSentence]] = {}
    with PREPARED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            found.setdefault(row["word"], []).append(SenseSentence(row["sentence"], row["sense"]))
    return {word: tuple(sentences) for word, sentences in found.items()}


def senses(
    reference: str,
    word: str,
    sentences: Sequence[SenseSentence] | None = None,
    progress: Progress = silent,
) -> Senses:
    """The states of a word in sentences with labelled senses, layer by layer.

    Without ``sentences`` the prepared ones. Raises UnknownItem for a word without prepared
    sentences or a sentence without the word, InvalidSpecification with one sense, Cancelled.
    """
    chosen = tuple(prepared_senses().get(word, ()) if sentences is None else sentences)
    if not chosen:
        raise UnknownItem(
            f"found no prepared sentences with {word!r:.60}; expected one of "
            f"{', '.join(prepared_senses())}: choose one, or bring sentences with its senses"
        )
    states = hidden_states([it.text for it in chosen], reader(reference), progress=progress)
    layers = occurrences(states, word)
    labels = [it.sense for it in chosen]
    partings = tuple(sense_separation(layer, labels) for layer in layers)
    best = int(np.argmax([parting.silhouette for parting in partings]))
    return Senses(word, chosen, layers, partings, best, states.notes)


def grouped_senses(reference: str, word: str, progress: Progress = silent) -> Senses:
    """A word in sentences of the packaged texts, in which nobody has labelled its senses.

    Each layer is cut into two groups by itself; the labels are those of the layer whose groups
    part most beyond their null. Raises UnknownItem where too few sentences have the word.
    """
    found = sentences_with(word)
    if len(found) < FEWEST_FOUND:
        raise UnknownItem(
            f"found {len(found)} sentences with {word!r:.60} in the packaged texts; expected "
            f"{FEWEST_FOUND} or more: choose a commoner word, or bring your own sentences"
        )
    states = hidden_states(found, reader(reference), truncate=True, progress=progress)
    layers = occurrences(states, word)
    groups = [grouping(layer) for layer in layers]
    partings = tuple(parted for _, parted in groups)
    best = int(np.argmax([parting.silhouette - parting.null_mean for parting in partings]))
    sentences = tuple(
        SenseSentence(text, f"group {label + 1}")
        for text, label in zip(found, groups[best][0], strict=True)
    )
    return Senses(word, sentences, layers, partings, best, states.notes, given=False)


def sentences_with(word: str, most: int = MOST_FOUND) -> list[str]:
    """Sentences of the packaged texts in which a word stands by itself, drawn with one seed."""
    whole = standing_alone(normal(word))
    found = [
        sentence.text for sentence in corpus_sentences() if whole.search(normal(sentence.text))
    ]
    if len(found) <= most:
        return found
    chosen = np.sort(np.random.default_rng(0).permutation(len(found))[:most])
    return [found[row] for row in chosen]


def occurrences(states: States, word: str) -> tuple[Matrix, ...]:
    """Each layer's (m, d) of the first occurrence of a word in each of m texts, whatever its case.

    Raises UnknownItem for a text without it.
    """
    layers, table = each_layer(states, Pooling(unit="word"))
    mine = table[table["surface"].map(folded) == folded(word)].drop_duplicates("text")
    if missing := sorted(set(range(len(states.texts))) - set(mine["text"])):
        raise UnknownItem(
            f"found no {word!r:.60} in sentence {missing[0] + 1}; expected it in each, as a word "
            "of its own: mend or leave out that sentence"
        )
    rows = mine.index.to_numpy()
    return tuple(np.ascontiguousarray(layer[rows]) for layer in layers)
