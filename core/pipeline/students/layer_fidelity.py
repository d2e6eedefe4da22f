"""A contextual student beside its teacher, layer by layer, on documents it was never taught.

Beside each layer stands the best that a table could do: the mean of the teacher's states of a
token, whatever its sentence says.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidSpecification, Unsupported
from core.metrics.similarity import linear_cka, pair_spearman
from core.pipeline.layers.probing.probes import probing
from core.pipeline.layers.senses import prepared_senses, senses
from core.pipeline.models import reader
from core.pipeline.student_catalogue import PREFIX
from core.pipeline.students.answers import student_of
from core.progress import scaled
from core.signatures.hidden import Reader, hidden_states
from core.signatures.pooling import Pooling, each_layer
from core.signatures.states import States
from core.spaces.linalg import paired_cosines
from core.spaces.space import Space
from core.students.encoders.training_texts import held_out, trained_on
from core.students.families.contextual import ContextualStudent
from core.students.storage import size_bytes
from core.types import Coords, Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

TEACHERS = {"minilm:sentences": "minilm", "minilm:words": "minilm"}
SENTENCES = 400  # held out, that both read
TAUGHT = 1_500  # sentences from which the means of tokens are taken
WORDS = 500
COMPARED = 4_000  # tokens for the likeness of layers
TIMED, BATCH = 40, 200  # sentences timed one at a time, and together
TASKS = ("category", "position", "length", "order")


@dataclass(frozen=True)
class LayerFidelity:
    """One layer of a student against the teacher's.

    ``unexplained``: squared error by the layer's variance; ``cosine``: of a token's states, the
    mean; ``sentence_cosine``: of a sentence's mean states; ``pair_spearman``: rank correlation
    of the cosines of pairs of sentences; ``cka``: debiased, over tokens. ``static_unexplained``
    and ``static_cosine`` are those of the mean of each token.
    """

    layer: int
    unexplained: float
    cosine: float
    sentence_cosine: float
    pair_spearman: float
    cka: float
    static_unexplained: float | None = None
    static_cosine: float | None = None


@dataclass(frozen=True, eq=False)
class ContextualReport:
    """A student against its teacher; ``words`` are cosines of single words by layer.

    ``milliseconds`` a sentence, of student and teacher, alone and in batches. ``probes`` and
    ``senses`` have both models' figures, {} where they were not asked.
    """

    student: str
    teacher: str
    bytes_total: int
    sentences: int
    tokens: int
    layers: tuple[LayerFidelity, ...]
    words: tuple[float, ...]
    milliseconds: dict[str, float]
    probes: dict[str, Any]
    senses: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        said = {**vars(self), "words": list(self.words)}
        return {**said, "layers": [asdict(layer) for layer in self.layers]}


def contextual_report(
    workspace: "Workspace",
    key: str,
    progress: Progress = silent,
    *,
    whole: bool = False,
    sentences: int = SENTENCES,
) -> ContextualReport:
    """A contextual student by key or folder, measured on texts of held-out documents.

    With ``whole`` probes and senses are asked of both, which takes minutes. Raises Unsupported
    for a student of another family, InvalidSpecification where nothing was held out,
    UnknownTeacher, InvalidStudent, Cancelled.
    """
    student = student_of(workspace, key)
    if not isinstance(student, ContextualStudent):
        raise Unsupported(
            f"found a {student.family} student, which has one vector a text; expected a "
            "contextual one, which has states in every layer"
        )
    reference = student_reference(workspace, key)
    taught_by = teacher_of(student.origin.teacher)
    space = workspace.space(student.origin.teacher, partial(scaled, progress, 0, 5))
    asked, taught = texts_for(space, student, sentences)
    both = {PREFIX: reader(reference), taught_by: reader(taught_by)}
    here, there = (
        hidden_states(
            asked, model, truncate=True, progress=partial(scaled, progress, low, low + 15)
        )
        for low, model in zip((5, 20), both.values(), strict=True)
    )
    read = hidden_states(
        taught, both[taught_by], truncate=True, progress=partial(scaled, progress, 35, 55)
    )
    layers = fidelity_by_layer(here, there, static_of(read, there))
    return ContextualReport(
        key,
        taught_by,
        size_bytes(student),
        len(asked),
        len(there.tokens),
        layers,
        word_cosines(workspace, student, both[PREFIX], both[taught_by]),
        {
            f"{name}_{how}": value
            for name, model in (("student", both[PREFIX]), ("teacher", both[taught_by]))
            for how, value in milliseconds(model, asked).items()
        },
        _probes(reference, taught_by, partial(scaled, progress, 60, 85)) if whole else {},
        _senses(reference, taught_by, partial(scaled, progress, 85, 100)) if whole else {},
    )


def student_reference(workspace: "Workspace", key: str) -> str:
    """The reference by which :func:`core.pipeline.models.reader` finds this very student."""
    return PREFIX + str(workspace.catalogue.where(key))


def teacher_of(reference: str) -> str:
    """The model that answers a space: ``minilm`` of minilm:sentences.

    >>> teacher_of("minilm:sentences"), teacher_of("path:/models/bert:words")
    ('minilm', 'path:/models/bert')
    """
    known = TEACHERS.get(reference)
    if known is not None:
        return known
    head, _, tail = reference.rpartition(":")
    return head if tail in ("words", "tokens") else reference


def texts_for(
    space: Space, student: ContextualStudent, sentences: int
) -> tuple[list[str], list[str]]:
    """Texts that the student was never taught, and others that it may have been taught."""
    share, seed = student.spec.held_out, student.spec.seed  # type: ignore[attr-defined]
    out = held_out(space, share, seed)
    if not len(out):
        raise InvalidSpecification(
            "found a student with nothing held out; expected some documents it was never taught: "
            "train it with held_out=0.05"
        )
    generator = np.random.default_rng(seed)
    asked = generator.permutation(out)[:sentences]
    taught = generator.permutation(trained_on(space, share, seed))[:TAUGHT]
    return [space.texts[row] for row in asked], [space.texts[row] for row in taught]


def fidelity_by_layer(
    here: States, there: States, static: Sequence[Coords] = ()
) -> tuple[LayerFidelity, ...]:
    """The student's states (here) against the teacher's of the same texts.

    ``static`` has a table's answer (t, d) for each layer. Raises InvalidSpecification where the
    two have other tokens or other layers.
    """
    places = ["text", "start", "end"]
    same = here.tokens[places].equals(there.tokens[places])
    if not same or len(here.layers) != len(there.layers):
        raise InvalidSpecification(
            f"found {len(here.tokens)} tokens in {len(here.layers)} layers of {here.name} and "
            f"{len(there.tokens)} in {len(there.layers)} of {there.name}; expected the same "
            "tokens and layers: compare a student with its own teacher"
        )
    pooled = [each_layer(it, Pooling())[0] for it in (here, there)]
    every = max(1, len(here.tokens) // COMPARED)
    found = []
    for number, (ours, theirs) in enumerate(zip(here.layers, there.layers, strict=True)):
        means = [layers[number] for layers in pooled]
        table = static[number] if static else None
        found.append(
            LayerFidelity(
                number,
                unexplained(ours, theirs),
                float(paired_cosines(ours, theirs).mean()),
                float(paired_cosines(*means).mean()),
                pair_spearman(means[1], means[0]),
                linear_cka(
                    np.ascontiguousarray(theirs[::every]),
                    np.ascontiguousarray(ours[::every]),
                    debiased=True,
                ),
                None if table is None else unexplained(table, theirs),
                None if table is None else float(paired_cosines(table, theirs).mean()),
            )
        )
    return tuple(found)


def unexplained(ours: Any, theirs: Any) -> float:
    """Squared error of (t, d) states by the variance of the true ones about their mean."""
    true = np.asarray(theirs, np.float64)
    variance = ((true - true.mean(0)) ** 2).sum()
    return float(((np.asarray(ours, np.float64) - true) ** 2).sum() / max(variance, 1e-30))


def static_of(taught: States, asked: States) -> list[Coords]:
    """Each layer's (t, d): the mean of the token's states where it was read; else of all."""
    names, inverse = np.unique(taught.tokens["token"].to_numpy(str), return_inverse=True)
    counts = np.bincount(inverse)
    wanted = asked.tokens["token"].to_numpy(str)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    known = names[place] == wanted
    found = []
    for layer in taught.layers:
        values = np.asarray(layer, np.float32)
        sums = np.zeros((len(names), values.shape[1]), np.float64)
        np.add.at(sums, inverse, values)
        table = (sums / counts[:, None]).astype(np.float32)
        found.append(np.where(known[:, None], table[place], values.mean(0)).astype(np.float32))
    return found


def word_cosines(
    workspace: "Workspace", student: ContextualStudent, here: Reader, there: Reader
) -> tuple[float, ...]:
    """By layer, the mean cosine of single words' mean states; () without the packaged words."""
    if teacher_of(student.origin.teacher) != "minilm":
        return ()
    words = workspace.space("minilm:words").texts
    chosen = np.random.default_rng(0).permutation(len(words))[:WORDS]
    texts = [words[row] for row in chosen]
    read = (hidden_states(texts, it, truncate=True) for it in (here, there))
    both = [each_layer(states, Pooling())[0] for states in read]
    return tuple(float(paired_cosines(a, b).mean()) for a, b in zip(*both, strict=True))


def milliseconds(model: Reader, texts: Sequence[str]) -> dict[str, float]:
    """A sentence's states of all layers: alone (the median), and in batches."""
    alone = [_seconds(model, [text]) for text in texts[:TIMED]]
    batch = list(texts[:BATCH])
    many = min(_seconds(model, batch) for _ in range(2))
    return {
        "alone": round(1e3 * float(np.median(alone)), 2),
        "in_batches": round(1e3 * many / len(batch), 2),
    }


def _seconds(model: Reader, texts: Sequence[str]) -> float:
    began = perf_counter()
    hidden_states(texts, model, truncate=True)
    return perf_counter() - began


def _part(progress: Progress, number: int, parts: int, done: int, total: int, message: str) -> bool:
    """One of several equal parts of a work."""
    low, high = (100 * it // parts for it in (number, number + 1))
    return scaled(progress, low, high, done, total, message)


def _probes(student: str, teacher: str, progress: Progress) -> dict[str, Any]:
    """Accuracy by layer of each task, of both models."""
    found: dict[str, Any] = {}
    for number, task in enumerate(TASKS):
        part = partial(_part, progress, number, len(TASKS))
        both = [probing(it, task, progress=part) for it in (student, teacher)]
        found[task] = {
            "majority": both[0].layers[0].majority,
            **{
                name: [round(layer.accuracy.value, 4) for layer in probed.layers]
                for name, probed in zip(("student", "teacher"), both, strict=True)
            },
        }
    return found


def _senses(student: str, teacher: str, progress: Progress) -> dict[str, Any]:
    """The silhouette of each prepared word's senses by layer, of both models."""
    found: dict[str, Any] = {}
    words = prepared_senses()
    for number, word in enumerate(words):
        part = partial(_part, progress, number, len(words))
        found[word] = {
            name: [
                round(parting.silhouette, 4)
                for parting in senses(model, word, progress=part).partings
            ]
            for name, model in (("student", student), ("teacher", teacher))
        }
    return found
