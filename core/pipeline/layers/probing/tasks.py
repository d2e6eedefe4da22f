"""Tasks of probes: words' categories, places, lengths, order, senses, or labels of one's own."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from core.errors import InvalidSpecification
from core.metrics.probes import FOLDS
from core.pipeline.layers.labelled_texts import Labelled
from core.pipeline.layers.probing.readings import (
    TEXTS,
    WORDS,
    Question,
    first_occurrences,
    read_texts,
)
from core.pipeline.layers.senses import prepared_senses
from core.spaces.lexicon import category_of
from core.spaces.words import folded
from core.teachers.corpus import Sentence, some_sentences
from core.types import Progress

SENTENCES = 400
MOST_ITEMS = 4_000
CLASSES = 10  # lexical categories asked for: the commonest
PLACES = ((4, "1 to 4"), (9, "5 to 9"), (16, "10 to 16"), (1_000_000, "17 and on"))


def _category(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """The lexical category of a word, from its state in a sentence; no word on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = read_texts(reference, [sentence.text for sentence in sentences], WORDS, progress)
    surfaces = read.table["surface"].map(folded).tolist()
    categories = category_of(surfaces)
    counted = Counter(category for category in categories if category).most_common(CLASSES)
    common = {name for name, _ in counted}
    rows = _drawn([row for row, it in enumerate(categories) if it in common], seed)
    words = [surfaces[row] for row in rows]
    return read.question(
        rows,
        labels=[categories[row] for row in rows],
        groups=words,
        words=words,
        apart="word",
    )


def _position(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Where in its sentence a word stands; no sentence on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = read_texts(reference, [sentence.text for sentence in sentences], WORDS, progress)
    places = read.table.groupby("text").cumcount().to_numpy() + 1
    rows = _drawn(list(range(len(read.table))), seed)
    labels = [next(name for end, name in PLACES if places[row] <= end) for row in rows]
    groups = read.table["text"].astype(str).tolist()
    surfaces = read.table["surface"].map(folded).tolist()
    words = [surfaces[row] for row in rows]
    return read.question(
        rows, labels=labels, groups=[groups[row] for row in rows], words=words, apart="sentence"
    )


def _length(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence is short, middling or long; no document on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = read_texts(reference, [sentence.text for sentence in sentences], TEXTS, progress)
    sizes = read.table["tokens"].to_numpy()
    short, long = np.quantile(sizes, [1 / 3, 2 / 3])
    labels = ["short" if size <= short else "long" if size > long else "middling" for size in sizes]
    return read.question(
        None, labels=labels, groups=_documents(sentences), words=None, apart="document"
    )


def _order(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence's words stand as written or shuffled; both stay on one side."""
    generator = np.random.default_rng(seed)
    chosen = some_sentences(SENTENCES // 2, seed)
    texts: list[str] = []
    for sentence in chosen:
        words = sentence.text.split()
        texts += [sentence.text, " ".join(generator.permutation(words).tolist())]
    read = read_texts(reference, texts, TEXTS, progress)
    groups = [title for title in _documents(chosen) for _ in range(2)]
    labels = ["as written", "shuffled"] * len(chosen)
    return read.question(None, labels=labels, groups=groups, words=None, apart="document")


def _sense(reference: str, word: str, seed: int, progress: Progress) -> Question:  # noqa: ARG001
    """The sense of one prepared word, from its state in a sentence."""
    sentences = prepared_senses().get(word, ())
    if not sentences:
        raise InvalidSpecification(
            f"found no prepared sentences with {word!r:.60}; expected sense:WORD with one of "
            f"{', '.join(prepared_senses())}"
        )
    texts = tuple(sentence.text for sentence in sentences)
    wanted = [word] * len(texts)
    read = read_texts(reference, texts, WORDS, progress, wanted)
    rows, present = first_occurrences(read.table, wanted)
    labels = [sentences[text].sense for text in present]
    return read.question(
        rows, labels=labels, groups=[str(text) for text in present], words=None, apart="sentence"
    )


def own_labels(reference: str, own: Labelled, progress: Progress) -> Question:
    """Labels that somebody brings, of words in texts or of whole texts.

    No group is on both sides where groups are given, else no word where there are ten or more and
    each label has several, else no text.
    """
    given = own.groups or ("",) * len(own.texts)
    together = [
        f"group {group}" if group else f"text {folded(text)}"
        for group, text in zip(given, own.texts, strict=True)
    ]
    if not own.words:
        read = read_texts(reference, own.texts, TEXTS, progress)
        apart = "group" if own.groups else "text"
        asked = read.question(
            None, labels=list(own.labels), groups=together, words=None, apart=apart
        )
    else:
        read = read_texts(reference, own.texts, WORDS, progress, own.words)
        rows, present = first_occurrences(read.table, own.words)
        if not present:
            raise InvalidSpecification(
                f"found none of the words, such as {own.words[0]!r:.40}, as one word in its text; "
                "expected single words as they stand there: mend the column of words"
            )
        words = [folded(own.words[text]) for text in present]
        held: dict[str, set[str]] = {}
        for text, word in zip(present, words, strict=True):
            held.setdefault(own.labels[text], set()).add(word)
        # A label that one word alone has, such as a sense, cannot be asked about other words.
        shared = min(map(len, held.values())) > 1
        by_word = not own.groups and shared and len(set(words)) >= 2 * FOLDS
        groups = words if by_word else [together[text] for text in present]
        apart = "word" if by_word else "group" if own.groups else "text"
        labels = [own.labels[text] for text in present]
        asked = read.question(rows, labels=labels, groups=groups, words=words, apart=apart)
        if lost := len(own.texts) - len(present):
            whose = "its" if lost == 1 else "their"
            note = f"left out {lost:,} text{'s' * (lost != 1)} without {whose} word"
            return replace(asked, notes=(*own.notes, note))
    return replace(asked, notes=own.notes)


TASKS: dict[str, Callable[[str, str, int, Progress], Question]] = {
    "category": _category,
    "position": _position,
    "length": _length,
    "order": _order,
    "sense": _sense,
}


def _documents(sentences: Sequence[Sentence]) -> list[str]:
    return [sentence.document for sentence in sentences]


def _drawn(rows: list[int], seed: int) -> list[int]:
    """At most so many, in order."""
    chosen = np.random.default_rng(seed).permutation(np.array(rows, dtype=np.int64))[:MOST_ITEMS]
    drawn: list[int] = np.sort(chosen).tolist()
    return drawn
