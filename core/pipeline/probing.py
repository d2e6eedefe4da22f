"""Questions for probes: what is labelled, how it is pooled, and what may not lie on both sides."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from core.errors import InvalidSpecification
from core.metrics.probes import Probed, probe
from core.pipeline.reading import reader, some_sentences
from core.pipeline.senses import occurrences, prepared_senses
from core.pipeline.stages import scaled
from core.signatures.documents import document_states
from core.signatures.pooling import Pooling, each_layer
from core.signatures.states import States
from core.spaces.lexicon import category_of
from core.types import Matrix, Progress, silent

SENTENCES = 400
MOST_ITEMS = 4_000
CLASSES = 10  # lexical categories asked for: the commonest
PLACES = ((4, "1 to 4"), (9, "5 to 9"), (16, "10 to 16"), (1_000_000, "17 and on"))


@dataclass(frozen=True, eq=False)
class Question:
    """Each layer's vectors (n, d) of n items, their labels, and the groups that stay together.

    ``words`` are what the control's random labels go by; None where they would mean nothing.
    """

    layers: dict[str, Matrix]
    labels: list[str]
    groups: list[str]
    words: list[str] | None


@dataclass(frozen=True, eq=False)
class Probing:
    """What a probe reads off every layer of a model."""

    model: str
    task: str
    items: int
    classes: int
    found: tuple[Probed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON; what could not be asked is None."""
        return {
            "model": self.model,
            "task": self.task,
            "items": self.items,
            "classes": self.classes,
            "layers": [
                {
                    "layer": it.layer,
                    "accuracy": it.accuracy.value,
                    "accuracy_95": it.accuracy.report(),
                    "majority": it.majority,
                    "known_words": _or_none(it.known),
                    "control": _or_none(it.control),
                    "selectivity": _or_none(it.selectivity),
                }
                for it in self.found
            ],
        }


def probing(reference: str, task: str, seed: int = 0, progress: Progress = silent) -> Probing:
    """A linear probe for each layer of a model: category, position, length, order, sense:WORD.

    Raises InvalidSpecification for a task that there is not, and what
    :func:`core.metrics.probes.probe` raises; Cancelled.
    """
    name, _, word = task.partition(":")
    if name not in TASKS:
        raise InvalidSpecification(
            f"found the task {task!r:.60}; expected one of {', '.join(TASKS)} (sense:WORD)"
        )
    asked = TASKS[name](reference, word, seed, partial(scaled, progress, 0, 50))
    found = probe(
        asked.layers, asked.labels, asked.groups, asked.words, seed,
        partial(scaled, progress, 50, 100),
    )  # fmt: skip
    return Probing(reference, task, len(asked.labels), len(set(asked.labels)), tuple(found))


def _category(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """The lexical category of a word, from its state in a sentence; no word on both sides."""
    states, _ = _read(reference, seed, progress)
    vectors, table = each_layer(states, Pooling(unit="word"))
    surfaces = table["surface"].str.casefold().tolist()
    categories = category_of(surfaces)
    counted = Counter(it for it in categories if it).most_common(CLASSES)
    common = {name for name, _ in counted}
    rows = _drawn([row for row, it in enumerate(categories) if it in common], seed)
    words = [surfaces[row] for row in rows]
    return Question(_named(vectors, rows), [categories[row] for row in rows], words, words)


def _position(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Where in its sentence a word stands; no sentence on both sides."""
    states, _ = _read(reference, seed, progress)
    vectors, table = each_layer(states, Pooling(unit="word"))
    places = table.groupby("text").cumcount().to_numpy() + 1
    rows = _drawn(list(range(len(table))), seed)
    labels = [next(name for end, name in PLACES if places[row] <= end) for row in rows]
    groups = table["text"].astype(str).tolist()
    surfaces = table["surface"].str.casefold().tolist()
    return Question(
        _named(vectors, rows),
        labels,
        [groups[row] for row in rows],
        [surfaces[row] for row in rows],
    )


def _length(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence is short, middling or long; no document on both sides."""
    states, documents = _read(reference, seed, progress)
    sizes = states.tokens.groupby("text").size().to_numpy()
    short, long = np.quantile(sizes, [1 / 3, 2 / 3])
    labels = ["short" if it <= short else "long" if it > long else "middling" for it in sizes]
    return Question(_named(each_layer(states, Pooling())[0]), labels, documents, None)


def _order(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence's words stand as written or shuffled; both stay on one side."""
    generator = np.random.default_rng(seed)
    chosen = some_sentences(SENTENCES // 2, seed)
    texts: list[str] = []
    for sentence in chosen:
        words = sentence.text.split()
        texts += [sentence.text, " ".join(generator.permutation(words).tolist())]
    states = document_states(texts, reader(reference), progress=progress)
    groups = [sentence.document for sentence in chosen for _ in range(2)]
    labels = ["as written", "shuffled"] * len(chosen)
    return Question(_named(each_layer(states, Pooling())[0]), labels, groups, None)


def _sense(reference: str, word: str, seed: int, progress: Progress) -> Question:  # noqa: ARG001
    """The sense of one prepared word, from its state in a sentence."""
    sentences = prepared_senses().get(word, ())
    if not sentences:
        raise InvalidSpecification(
            f"found no prepared sentences with {word!r:.60}; expected sense:WORD with one of "
            f"{', '.join(prepared_senses())}"
        )
    states = document_states([it.text for it in sentences], reader(reference), progress=progress)
    layers = _named(occurrences(states, word))
    labels = [it.sense for it in sentences]
    return Question(layers, labels, [str(row) for row in range(len(labels))], None)


TASKS: dict[str, Callable[[str, str, int, Progress], Question]] = {
    "category": _category,
    "position": _position,
    "length": _length,
    "order": _order,
    "sense": _sense,
}


def _read(reference: str, seed: int, progress: Progress) -> tuple[States, list[str]]:
    """States of sentences of the corpus, and the document of each."""
    chosen = some_sentences(SENTENCES, seed)
    texts = [it.text for it in chosen]
    return document_states(texts, reader(reference), progress=progress), [
        it.document for it in chosen
    ]


def _drawn(rows: list[int], seed: int) -> list[int]:
    """At most so many, in order."""
    chosen = np.random.default_rng(seed).permutation(np.array(rows, dtype=np.int64))[:MOST_ITEMS]
    found: list[int] = np.sort(chosen).tolist()
    return found


def _named(layers: Sequence[Matrix], rows: Sequence[int] | None = None) -> dict[str, Matrix]:
    """Layers by their number, or some rows of each."""
    if rows is not None:
        layers = [np.ascontiguousarray(layer[rows]) for layer in layers]
    return {str(number): layer for number, layer in enumerate(layers)}


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
