"""What each layer knows, asked with linear probes: words, places, lengths, order, senses, or the
labels of a table that somebody brings."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InvalidSpecification, StoreError
from core.metrics.intervals import Interval
from core.metrics.probes import FOLDS, Probed, probe
from core.pipeline.layers.labelled_texts import Labelled, kept_labelled
from core.pipeline.layers.senses import PREPARED, prepared_senses
from core.pipeline.models import identity, reader
from core.pipeline.workspace import Workspace
from core.progress import scaled
from core.signatures.documents import document_states
from core.signatures.hidden import Reader
from core.signatures.pooling import Pooling, each_layer, pool
from core.signatures.states import States
from core.spaces.lexicon import category_of
from core.spaces.linalg import Floats
from core.spaces.words import folded
from core.store.keys import store_key
from core.teachers.corpus import Sentence, corpus_identity, some_sentences
from core.types import Matrix, Progress, Scores, silent

SENTENCES = 400
MOST_ITEMS = 4_000
CLASSES = 10  # lexical categories asked for: the commonest
PLACES = ((4, "1 to 4"), (9, "5 to 9"), (16, "10 to 16"), (1_000_000, "17 and on"))
SHARE = 256  # texts read between two steps: what lies in memory at once
OWN = "own"
TABLE = "table"  # the name of the baseline: rows of the model's table, without any context
KIND, VERSION = "probing", 1

WORDS, TEXTS = Pooling(unit="word"), Pooling()


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Items:
    """What was asked about, n of each. ``aside`` (layers, n) is where an item stands along the
    direction in which items differ most besides the probe's own; only for two classes."""

    names: tuple[str, ...]
    details: tuple[str, ...]
    labels: tuple[str, ...]
    aside: Floats


@dataclass(frozen=True, eq=False)
class Probing:
    """What a probe reads off every layer of a model, and off its table (``static``)."""

    model: str
    task: str
    items: int
    classes: int
    found: tuple[Probed, ...]
    static: Probed | None
    groups: int
    apart: str
    asked: Items
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return tuple(self.found[0].directions)

    @property
    def best(self) -> int:
        """The layer that says it best; the first of equals."""
        return int(np.argmax([it.accuracy.value for it in self.found]))

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON; what could not be asked is None."""
        return {
            "model": self.model,
            "task": self.task,
            "items": self.items,
            "classes": self.classes,
            "groups": self.groups,
            "apart": self.apart,
            "static": None if self.static is None else _figures(self.static),
            "layers": [_figures(it) for it in self.found],
            "notes": list(self.notes),
        }


def _figures(it: Probed) -> dict[str, Any]:
    return {
        "layer": it.layer,
        "accuracy": it.accuracy.value,
        "accuracy_95": it.accuracy.report(),
        "majority": it.majority,
        "known_words": _or_none(it.known),
        "control": _or_none(it.control),
        "selectivity": _or_none(it.selectivity),
    }


def probing(
    reference: str,
    task: str,
    seed: int = 0,
    progress: Progress = silent,
    *,
    own: Labelled | None = None,
) -> Probing:
    """A linear probe for each layer of a model: category, position, length, order, sense:WORD.

    With ``own`` items the task is only their name. Raises InvalidSpecification for a task that
    there is not, and what :func:`core.metrics.probes.probe` raises; Cancelled.
    """
    name, _, word = task.partition(":")
    if own is None and name not in TASKS:
        raise InvalidSpecification(
            f"found the task {task!r:.60}; expected one of {', '.join(TASKS)} (sense:WORD)"
        )
    reading = partial(scaled, progress, 0, 40)
    asked = _own(reference, own, reading) if own else TASKS[name](reference, word, seed, reading)
    layers = dict(asked.layers)
    if asked.table is not None:
        layers = {TABLE: asked.table, **layers}
    found = probe(
        layers, asked.labels, asked.groups, asked.words, seed,
        partial(scaled, progress, 40, 98),
    )  # fmt: skip
    static = found.pop(0) if asked.table is not None else None
    aside = [_aside(asked.layers[it.layer], it) for it in found]
    items = Items(tuple(asked.names), tuple(asked.details), tuple(asked.labels), np.stack(aside))
    return Probing(
        reference,
        task,
        len(asked.labels),
        len(set(asked.labels)),
        tuple(found),
        static,
        len(set(asked.groups)),
        asked.apart,
        items,
        asked.notes,
    )


def has_probing(workspace: Workspace, reference: str, task: str, seed: int = 0) -> bool:
    """Whether the answer is kept. Raises what reading a model's name raises."""
    return workspace.store.has(KIND, _key(reference, task, seed))


def kept_probing(
    workspace: Workspace, reference: str, task: str, seed: int = 0, progress: Progress = silent
) -> Probing:
    """The same, asked once and kept; ``own:KEY`` asks about labelled texts of the workspace.

    Raises what :func:`probing` raises, InvalidSpecification for a key that is not there.
    """
    key = _key(reference, task, seed)

    def make() -> Probing:
        kind, _, digest = task.partition(":")
        own = kept_labelled(workspace.store, digest) if kind == OWN else None
        return probing(reference, task, seed, progress, own=own)

    return workspace.kept(
        KIND,
        key,
        read=lambda: _read_kept(workspace, key),
        make=make,
        write=lambda found: _write(workspace, key, found),
    )


def _key(reference: str, task: str, seed: int) -> str:
    texts = PREPARED.read_text(encoding="utf-8") if task.startswith("sense:") else corpus_identity()
    return store_key(identity(reference), texts, task, seed, VERSION)


def _write(workspace: Workspace, key: str, found: Probing) -> None:
    every = [*([found.static] if found.static else []), *found.found]
    arrays: dict[str, Any] = {"aside": found.asked.aside}
    said = []
    for number, it in enumerate(every):
        arrays[f"scores_{number:03d}"] = it.scores
        arrays[f"along_{number:03d}"] = np.stack(list(it.directions.values()))
        figures = {"layer": it.layer, "accuracy": asdict(it.accuracy), "majority": it.majority}
        said.append(figures | {"known": _or_none(it.known), "control": _or_none(it.control)})
    items = {"name": found.asked.names, "detail": found.asked.details, "label": found.asked.labels}
    payload = {
        "told": said,
        "static": found.static is not None,
        "names": list(found.names),
        "model": found.model,
        "task": found.task,
        "groups": found.groups,
        "apart": found.apart,
        "notes": list(found.notes),
    }
    workspace.store.save(KIND, key, arrays, {"items": pd.DataFrame(items)}, payload)


def _read_kept(workspace: Workspace, key: str) -> Probing:
    kept = workspace.store.load(KIND, key)
    said, table = kept.payload, kept.tables["items"]
    try:
        every = [
            Probed(
                it["layer"],
                Interval(**it["accuracy"]),
                it["majority"],
                _or_nan(it["known"]),
                _or_nan(it["control"]),
                dict(zip(said["names"], kept.arrays[f"along_{number:03d}"], strict=True)),
                kept.arrays[f"scores_{number:03d}"],
            )
            for number, it in enumerate(said["told"])
        ]
        names, details, labels = (tuple(table[it]) for it in ("name", "detail", "label"))
        return Probing(
            said["model"],
            said["task"],
            len(labels),
            len(said["names"]),
            tuple(every[said["static"] :]),
            every[0] if said["static"] else None,
            said["groups"],
            said["apart"],
            Items(names, details, labels, kept.arrays["aside"]),
            tuple(said["notes"]),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise StoreError(
            f"found a probing that does not read ({fault!r:.80}); expected one of this version: "
            "ask again"
        ) from None


def _aside(states: Matrix, found: Probed) -> Scores:
    """(n,) where each item stands along the widest direction at right angles to the probe's."""
    if len(found.directions) != 2:
        return np.zeros(len(states), np.float32)
    along = list(found.directions.values())[1].astype(np.float64)
    rest = states - states.mean(axis=0, dtype=np.float64)
    rest -= (rest @ along)[:, None] * along
    _, axes = np.linalg.eigh(rest.T @ rest)
    aside: Scores = (rest @ axes[:, -1]).astype(np.float32)
    return aside


def _category(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """The lexical category of a word, from its state in a sentence; no word on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = _read(reference, [it.text for it in sentences], WORDS, progress)
    surfaces = read.table["surface"].map(folded).tolist()
    categories = category_of(surfaces)
    counted = Counter(it for it in categories if it).most_common(CLASSES)
    common = {name for name, _ in counted}
    rows = _drawn([row for row, it in enumerate(categories) if it in common], seed)
    words = [surfaces[row] for row in rows]
    return read.question(rows, [categories[row] for row in rows], words, words, "word")


def _position(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Where in its sentence a word stands; no sentence on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = _read(reference, [it.text for it in sentences], WORDS, progress)
    places = read.table.groupby("text").cumcount().to_numpy() + 1
    rows = _drawn(list(range(len(read.table))), seed)
    labels = [next(name for end, name in PLACES if places[row] <= end) for row in rows]
    groups = read.table["text"].astype(str).tolist()
    surfaces = read.table["surface"].map(folded).tolist()
    words = [surfaces[row] for row in rows]
    return read.question(rows, labels, [groups[row] for row in rows], words, "sentence")


def _length(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence is short, middling or long; no document on both sides."""
    sentences = some_sentences(SENTENCES, seed)
    read = _read(reference, [it.text for it in sentences], TEXTS, progress)
    sizes = read.table["tokens"].to_numpy()
    short, long = np.quantile(sizes, [1 / 3, 2 / 3])
    labels = ["short" if it <= short else "long" if it > long else "middling" for it in sizes]
    return read.question(None, labels, _documents(sentences), None, "document")


def _order(reference: str, _word: str, seed: int, progress: Progress) -> Question:
    """Whether a sentence's words stand as written or shuffled; both stay on one side."""
    generator = np.random.default_rng(seed)
    chosen = some_sentences(SENTENCES // 2, seed)
    texts: list[str] = []
    for sentence in chosen:
        words = sentence.text.split()
        texts += [sentence.text, " ".join(generator.permutation(words).tolist())]
    read = _read(reference, texts, TEXTS, progress)
    groups = [title for title in _documents(chosen) for _ in range(2)]
    labels = ["as written", "shuffled"] * len(chosen)
    return read.question(None, labels, groups, None, "document")


def _sense(reference: str, word: str, seed: int, progress: Progress) -> Question:  # noqa: ARG001
    """The sense of one prepared word, from its state in a sentence."""
    sentences = prepared_senses().get(word, ())
    if not sentences:
        raise InvalidSpecification(
            f"found no prepared sentences with {word!r:.60}; expected sense:WORD with one of "
            f"{', '.join(prepared_senses())}"
        )
    texts = tuple(it.text for it in sentences)
    wanted = [word] * len(texts)
    read = _read(reference, texts, WORDS, progress, wanted)
    rows, kept = _first(read.table, wanted)
    labels = [sentences[text].sense for text in kept]
    return read.question(rows, labels, [str(text) for text in kept], None, "sentence")


def _own(reference: str, own: Labelled, progress: Progress) -> Question:
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
        read = _read(reference, own.texts, TEXTS, progress)
        groups = together
        apart = "group" if own.groups else "text"
        found = read.question(None, list(own.labels), groups, None, apart)
    else:
        read = _read(reference, own.texts, WORDS, progress, own.words)
        rows, kept = _first(read.table, own.words)
        if not kept:
            raise InvalidSpecification(
                f"found none of the words, such as {own.words[0]!r:.40}, as one word in its text; "
                "expected single words as they stand there: mend the column of words"
            )
        words = [folded(own.words[text]) for text in kept]
        held: dict[str, set[str]] = {}
        for text, word in zip(kept, words, strict=True):
            held.setdefault(own.labels[text], set()).add(word)
        # A label that one word alone has, such as a sense, cannot be asked about other words.
        shared = min(map(len, held.values())) > 1
        by_word = not own.groups and shared and len(set(words)) >= 2 * FOLDS
        groups = words if by_word else [together[text] for text in kept]
        apart = "word" if by_word else "group" if own.groups else "text"
        labels = [own.labels[text] for text in kept]
        found = read.question(rows, labels, groups, words, apart)
        if lost := len(own.texts) - len(kept):
            whose = "its" if lost == 1 else "their"
            said = f"left out {lost:,} text{'s' * (lost != 1)} without {whose} word"
            return replace(found, notes=(*own.notes, said))
    return replace(found, notes=own.notes)


TASKS: dict[str, Callable[[str, str, int, Progress], Question]] = {
    "category": _category,
    "position": _position,
    "length": _length,
    "order": _order,
    "sense": _sense,
}


@dataclass(frozen=True, eq=False)
class _Read:
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
            {
                str(number): np.ascontiguousarray(layer[chosen])
                for number, layer in enumerate(self.layers)
            },
            None if self.rows is None else np.ascontiguousarray(self.rows[chosen]),
            labels,
            groups,
            words,
            table["surface"].tolist() if self.unit == "word" else texts,
            texts if self.unit == "word" else [""] * len(texts),
            apart,
        )


def _read(
    reference: str,
    texts: Sequence[str],
    pooling: Pooling,
    progress: Progress,
    words: Sequence[str] | None = None,
) -> _Read:
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
        told = partial(_share, progress, start, len(part), len(texts))
        states = document_states(part, model, progress=told)
        made, table = each_layer(states, pooling)
        keep = np.arange(len(table))
        if words is not None:
            keep = np.asarray(_first(table, words[start : start + SHARE])[0], np.int64)
        for kept, layer in zip(layers, made, strict=True):
            kept.append(layer[keep])
        if (plain := _without_context(states, model)) is not None:
            rows.append(pool(plain, pooling).vectors[keep])
        table["text"] += start
        tables.append(table.iloc[keep])
    return _Read(
        texts,
        [np.concatenate(parts) for parts in layers],
        np.concatenate(rows) if rows else None,
        pd.concat(tables, ignore_index=True),
        pooling.unit,
    )


def _share(
    progress: Progress, start: int, size: int, total: int, done: int, count: int, message: str
) -> bool:
    """Progress of a share of the texts as progress of all."""
    return progress(start + round(size * done / max(count, 1)), total, message)


def _without_context(states: States, model: Reader) -> States | None:
    """The same tokens as the rows of the model's table; None where it has none."""
    weight = getattr(model.model.get_input_embeddings(), "weight", None)
    if weight is None:
        return None
    ids = model.tokenizer.convert_tokens_to_ids(states.tokens["token"].tolist())
    rows = weight.detach()[ids].float().cpu().numpy()
    return States((rows,), states.tokens, states.texts, states.name, states.causal)


def _first(table: pd.DataFrame, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """The row of the first occurrence of each text's own word, and the text's number."""
    wanted = table["text"].map(lambda text: folded(words[text]))
    mine = table[table["surface"].map(folded) == wanted].drop_duplicates("text")
    return mine.index.tolist(), mine["text"].tolist()


def _documents(sentences: Sequence[Sentence]) -> list[str]:
    return [it.document for it in sentences]


def _drawn(rows: list[int], seed: int) -> list[int]:
    """At most so many, in order."""
    chosen = np.random.default_rng(seed).permutation(np.array(rows, dtype=np.int64))[:MOST_ITEMS]
    found: list[int] = np.sort(chosen).tolist()
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
