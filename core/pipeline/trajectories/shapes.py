"""Known shapes, looked for in every layer: weekdays and months on a ring, numbers in a row, cities
on a map. Beside the layers stand two rivals without this model: GloVe's rows, which know which
words stand near each other and nothing else, and MiniLM's sentence vectors of the names.

A word is read at its last token, behind several short beginnings, and its states are averaged, so
that what is left is the word's own and not the beginning's.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.decode.language_model import LanguageModel
from core.errors import InvalidSpecification, UnknownItem
from core.metrics.geography import Mapped, mapped
from core.metrics.shapes import (
    FEWEST,
    Ring,
    Row,
    best_by_chance,
    chance_in_layers,
    ring,
    row,
    share_by_chance,
)
from core.models.batching import in_batches
from core.pipeline.models import speaker, speaker_identity
from core.progress import reach, scaled
from core.resources import site_root
from core.store.keys import store_key
from core.types import Matrix, Progress, silent, tell

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

CITIES_FILE = site_root() / "assets" / "cities.tsv"
READ = 48  # texts read side by side
MOST_WORDS = 100
FOLDS = 10
RIVALS = {"glove": "GloVe", "minilm:sentences": "MiniLM"}
KIND, VERSION = "shape", 2
TOLD = ("words", "share_chance", "p_best", "best_by_chance", "luck", "notes")
CIRCLE, LINE, MAP = "circle", "line", "map"

TEMPLATES = {
    "days": ("I will see you on {}", "The meeting is on {}", "We always go there on {}",
             "It happened last {}", "See you next {}"),
    "months": ("It happened in {}", "The meeting is in {}", "We always go there in {}",
               "It was cold in {}", "See you next {}"),
    "numbers": ("I have {}", "There were {}", "She bought {}", "We need {}", "It takes {}"),
    "cities": ("I live in {}", "She flew to {}", "The weather in {}", "He was born in {}"),
    "own": ("I was thinking about {}", "They talked about {}", "This is {}", "I mean {}"),
}  # fmt: skip
WORDS = {
    "days": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "months": ("January", "February", "March", "April", "May", "June", "July", "August",
               "September", "October", "November", "December"),
    "numbers": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
                "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
                "eighteen", "nineteen", "twenty"),
}  # fmt: skip
FORMS = {"days": CIRCLE, "months": CIRCLE, "numbers": LINE, "cities": MAP}


@dataclass(frozen=True)
class ShapeSpec:
    """Which shape is looked for: "days", "months", "numbers", "cities", or "own" with its words
    in their supposed order and its form, "circle" or "line"."""

    model: str
    task: str
    words: tuple[str, ...] = ()
    form: str = ""

    def __post_init__(self) -> None:
        if self.task not in TEMPLATES:
            raise InvalidSpecification(
                f"found the shape {self.task!r:.40}; expected one of {', '.join(TEMPLATES)}"
            )
        if self.task != "own":
            object.__setattr__(self, "form", FORMS[self.task])
            object.__setattr__(self, "words", WORDS.get(self.task, ()))
            return
        words = tuple(dict.fromkeys(filter(None, (word.strip() for word in self.words))))
        object.__setattr__(self, "words", words)
        if not FEWEST <= len(words) <= MOST_WORDS or self.form not in (CIRCLE, LINE):
            raise InvalidSpecification(
                f"found {len(words)} different words for a {self.form or 'shape'!r:.20}; expected "
                f"{FEWEST} to {MOST_WORDS} words in their order, and circle or line"
            )


@dataclass(frozen=True, eq=False)
class Shaped:
    """What was found, a reader a row of ``table``: the layers by number, then the rivals.

    ``coords`` (readers, n, 2) are the pictures. For a circle the columns are those of
    :class:`core.metrics.shapes.Ring`, for a line those of :class:`core.metrics.shapes.Row`, whose
    answers are ``said`` (readers, n). For a map see :class:`core.metrics.ridge_readout.Mapped`:
    ``coords`` are latitudes and longitudes as read when random tenths are asked about and
    ``beyond`` when whole continents are. ``share_chance`` is what random points' pictures keep.

    A layer's own chance says little of the best of many layers. ``p_best`` is the share of orders
    (of places, for a map) whose best layer does as well as the true order's best, by ``read``,
    ``r2`` or for a circle 1 - ``p``; ``best_by_chance`` what 95% of shuffled orders' best layers
    stay below. ``luck``, for a circle: the share of orders that are kept whole in as many layers as
    the true one.
    """

    spec: ShapeSpec
    words: tuple[str, ...]
    table: pd.DataFrame
    coords: npt.NDArray[np.float32]
    said: npt.NDArray[np.float64]
    beyond: npt.NDArray[np.float32]
    share_chance: float
    p_best: float
    best_by_chance: float
    luck: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """The last layer's number."""
        return len(self.layers) - 1

    @property
    def layers(self) -> pd.DataFrame:
        """The rows of the layers."""
        return self.table[~self.table["reader"].isin(RIVALS)]

    @property
    def ordered(self) -> list[int]:
        """For a circle: the layers in which all neighbours are kept."""
        return [int(it) for it in self.layers.index[self.layers["kept"] == len(self.words)]]

    @property
    def best(self) -> int:
        """The layer that shows it best; the first of equals, and for a circle a middle one of
        those in order."""
        if self.spec.form == CIRCLE:
            inside = self.ordered
            return inside[len(inside) // 2] if inside else int(self.layers["p"].idxmin())
        if self.spec.form == LINE:
            return int(self.layers["read"].idxmax())
        return int(self.layers["r2"].idxmax())

    def to_dict(self) -> dict[str, Any]:
        """Figures as JSON."""
        return {
            **asdict(self.spec),
            "words": list(self.words),
            "share_by_chance": round(self.share_chance, 4),
            "p_of_the_best_layer": self.p_best,
            "best_layer_by_chance": round(self.best_by_chance, 5),
            "chance_of_as_many_in_order": self.luck,
            "readers": self.table.round(5).to_dict("records"),
            "notes": list(self.notes),
        }


def cities() -> pd.DataFrame:
    """Capitals with ``city``, ``country``, ``continent``, ``latitude``, ``longitude``."""
    return pd.read_csv(StringIO(CITIES_FILE.read_text(encoding="utf-8")), sep="\t")


def shape_key(workspace: "Workspace", spec: ShapeSpec) -> str:
    """Where the store keeps it: other weights, in the rivals too, or other words, another key.

    Raises what :func:`speaker_identity` raises, TeacherUnavailable for a rival.
    """
    asked = CITIES_FILE.read_text(encoding="utf-8") if spec.form == MAP else spec.words
    rivals = [workspace.teacher(rival).fingerprint() for rival in RIVALS]
    said = (TEMPLATES[spec.task], spec.task, spec.form, asked)
    return store_key(VERSION, speaker_identity(spec.model), rivals, *said)


def has_shape(workspace: "Workspace", spec: ShapeSpec) -> bool:
    """Whether it is kept. Raises what :func:`shape_key` raises."""
    return workspace.store.has(KIND, shape_key(workspace, spec))


def shape(workspace: "Workspace", spec: ShapeSpec, progress: Progress = silent) -> Shaped:
    """Look for the shape in every layer and in the rivals; kept. A rival that does not know a word
    is left out, with a note. Raises Cancelled, and what :func:`shape_key` raises."""
    key = shape_key(workspace, spec)

    def write(shaped: Shaped) -> None:
        arrays: dict[str, npt.NDArray[Any]] = {
            name: getattr(shaped, name) for name in ("coords", "said", "beyond")
        }
        payload = {name: getattr(shaped, name) for name in TOLD}
        workspace.store.save(KIND, key, arrays, {"table": shaped.table}, payload)

    def read() -> Shaped:
        stored = workspace.store.load(KIND, key)
        coords, said, beyond = (stored.arrays[name] for name in ("coords", "said", "beyond"))
        told = dict(stored.payload)
        words, notes = (tuple(told.pop(name)) for name in ("words", "notes"))
        table = stored.tables["table"]
        return Shaped(spec, words, table, coords, said, beyond, notes=notes, **told)

    return workspace.kept(KIND, key, read, lambda: _shaped(workspace, spec, progress), write)


def _shaped(workspace: "Workspace", spec: ShapeSpec, progress: Progress) -> Shaped:
    reach(progress, 0, "Loading the model")
    model = speaker(spec.model)
    table = cities() if spec.form == MAP else None
    words = spec.words if table is None else tuple(table["city"])
    read = word_states(model, words, TEMPLATES[spec.task], partial(scaled, progress, 5, 60))
    readers: dict[str, Matrix] = {f"{layer}": states for layer, states in enumerate(read)}
    share = share_by_chance(len(words), model.dim) if table is None else 0.0
    notes = []
    for number, (reference, name) in enumerate(RIVALS.items()):
        reach(progress, 60 + 5 * number, f"Asking {name}")
        try:
            readers[reference] = rival_vectors(workspace, reference, words)
        except UnknownItem as error:
            notes.append(f"{name} is left out: {error}")
    judging = partial(scaled, progress, 70, 100)
    if table is not None:
        return _charted(spec, readers, table, judging, tuple(notes))
    return _judged(spec, words, readers, share, judging, tuple(notes))


def word_states(
    model: LanguageModel,
    words: Sequence[str],
    templates: Sequence[str],
    progress: Progress = silent,
) -> list[Matrix]:
    """By layer, (n, d) the state of each word's last token behind each beginning, averaged."""
    rows = [model.ids(template.format(word)) for word in words for template in templates]
    every = range(model.depth + 1)
    found: list[list[npt.NDArray[np.float32]]] = [[] for _ in every]

    def read(part: slice) -> None:
        tell(progress, part.start, len(rows), "Reading the words in every layer")
        stream = model.run(rows[part], layers=list(every)).stream
        last = [len(ids) - 1 for ids in rows[part]]
        for layer in every:
            states = stream[layer][np.arange(len(last)), last]
            found[layer].append(states.float().cpu().numpy())

    for _ in in_batches(len(rows), READ, read):
        pass
    whole = (np.concatenate(states) for states in found)
    return [
        np.ascontiguousarray(it.reshape(len(words), len(templates), -1).mean(axis=1))
        for it in whole
    ]


def rival_vectors(workspace: "Workspace", reference: str, words: Sequence[str]) -> Matrix:
    """(n, d) what a teacher without this model has for each word alone; of a name of several words
    GloVe has the mean. Raises UnknownItem for a word that it does not know."""
    teacher = workspace.teacher(reference)
    if "encode" in teacher.info.can:
        return np.asarray(teacher.encode(words), np.float32)
    return np.stack([teacher.represent(word)[0] for word in words]).astype(np.float32)


def _judged(
    spec: ShapeSpec,
    words: tuple[str, ...],
    readers: dict[str, Matrix],
    share: float,
    progress: Progress,
    notes: tuple[str, ...],
) -> Shaped:
    judge: Callable[[Matrix], Ring | Row] = ring if spec.form == CIRCLE else row
    found = []
    for done, vectors in enumerate(readers.values()):
        tell(progress, done, len(readers), "Comparing with every other order")
        found.append(judge(vectors))
    layers = [it for name, it in zip(readers, found, strict=True) if name not in RIVALS]
    p_best, by_chance = best_by_chance(np.stack([layer.scores for layer in layers]))
    kept = ("coords", "said", "around", "scores")
    rows = [
        {"reader": name, **{key: value for key, value in vars(it).items() if key not in kept}}
        for name, it in zip(readers, found, strict=True)
    ]
    said = [it.said if isinstance(it, Row) else np.zeros(len(words)) for it in found]
    coords = np.stack([it.coords for it in found])
    rings = [layer for layer in layers if isinstance(layer, Ring)]
    luck = chance_in_layers(rings) if rings else 1.0
    return Shaped(
        spec, words, pd.DataFrame(rows), coords, np.stack(said), np.zeros_like(coords[:0]), share,
        p_best, by_chance, luck, notes,
    )  # fmt: skip


def _charted(
    spec: ShapeSpec,
    readers: dict[str, Matrix],
    table: pd.DataFrame,
    progress: Progress,
    notes: tuple[str, ...],
) -> Shaped:
    degrees = table[["latitude", "longitude"]].to_numpy(np.float64)
    tenths = np.random.default_rng(0).permutation(len(table)) % FOLDS
    continents = pd.factorize(table["continent"])[0]
    rows, places, beyond, scores = [], [], [], []
    for done, (name, vectors) in enumerate(readers.items()):
        tell(progress, done, len(readers), "Reading places off vectors")
        near, far = (
            mapped(vectors, degrees, tenths),
            mapped(vectors, degrees, continents, grouped=True),
        )
        rows.append({"reader": name, **_told(near, ""), **_told(far, "beyond_")})
        places.append(near.said)
        beyond.append(far.said)
        scores += [near.scores] if name not in RIVALS else []
    words = tuple(table["city"])
    nothing = np.zeros((0, len(words)))
    return Shaped(
        spec, words, pd.DataFrame(rows), np.stack(places), nothing, np.stack(beyond), 0.0,
        *best_by_chance(np.stack(scores)), notes=notes,
    )  # fmt: skip


def _told(mapped: Mapped, prefix: str) -> dict[str, float]:
    said = {
        "off": mapped.off.value,
        "off_low": mapped.off.low,
        "off_high": mapped.off.high,
        "off_usual": mapped.off_usual,
        "r2": mapped.r2.value,
        "r2_low": mapped.r2.low,
        "r2_high": mapped.r2.high,
        "r2_chance": mapped.r2_chance,
    }
    return {f"{prefix}{name}": value for name, value in said.items()}
