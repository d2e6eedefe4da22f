"""What each layer knows, asked with linear probes: words, places, lengths, order, senses, or the
labels of a table that somebody brings."""

from functools import partial

import numpy as np

from core.errors import InvalidSpecification
from core.metrics.probes import Probed, probe
from core.pipeline.layers.labelled_texts import Labelled, kept_labelled
from core.pipeline.layers.probing.controls import TABLE
from core.pipeline.layers.probing.tasks import TASKS, own_labels
from core.pipeline.layers.probing.verdict import (
    KIND,
    ProbedItems,
    Probing,
    read_probing,
    write_probing,
)
from core.pipeline.layers.senses import PREPARED
from core.pipeline.models import identity
from core.pipeline.workspace import Workspace
from core.progress import scaled
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity
from core.types import Matrix, Progress, Scores, silent

OWN = "own"
VERSION = 1


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
    asked = (
        own_labels(reference, own, reading) if own else TASKS[name](reference, word, seed, reading)
    )
    layers = dict(asked.layers)
    if asked.table is not None:
        layers = {TABLE: asked.table, **layers}
    probed = probe(
        layers,
        asked.labels,
        asked.groups,
        words=asked.words,
        seed=seed,
        progress=partial(scaled, progress, 40, 98),
    )
    static = probed.pop(0) if asked.table is not None else None
    items = ProbedItems(
        names=tuple(asked.names),
        details=tuple(asked.details),
        labels=tuple(asked.labels),
        aside=np.stack([_aside(asked.layers[layer.layer], layer) for layer in probed]),
    )
    return Probing(
        model=reference,
        task=task,
        items=len(asked.labels),
        classes=len(set(asked.labels)),
        layers=tuple(probed),
        static=static,
        groups=len(set(asked.groups)),
        apart=asked.apart,
        asked=items,
        notes=asked.notes,
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
        read=lambda: read_probing(workspace.store, key),
        make=make,
        write=lambda answer: write_probing(workspace.store, key, answer),
    )


def _key(reference: str, task: str, seed: int) -> str:
    texts = PREPARED.read_text(encoding="utf-8") if task.startswith("sense:") else corpus_identity()
    return store_key(identity(reference), texts, task, seed, VERSION)


def _aside(states: Matrix, probed: Probed) -> Scores:
    """(n,) where each item stands along the widest direction at right angles to the probe's."""
    if len(probed.directions) != 2:
        return np.zeros(len(states), np.float32)
    along = list(probed.directions.values())[1].astype(np.float64)
    rest = states - states.mean(axis=0, dtype=np.float64)
    rest -= (rest @ along)[:, None] * along
    _, axes = np.linalg.eigh(rest.T @ rest)
    aside: Scores = (rest @ axes[:, -1]).astype(np.float32)
    return aside
