"""Laws of motion, tested: what can be measured of texts as paths through a layer, by kind of text,
and which kinds it tells apart."""

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.decode.detokenize import Detokenizer
from core.decode.lens import SINK
from core.errors import InvalidSpecification
from core.metrics.intervals import Interval, interval
from core.metrics.trajectory_statistics import (
    covariance_root,
    direction_memory,
    displacement_exponent,
    step_distances,
    step_lengths,
    straightness,
    turning_angles,
)
from core.paths.off_manifold import knn_percentile
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.trajectories.corpus_split import windows
from core.pipeline.trajectories.samples import KINDS, TEXTS, Followed, follow, made_up, tellings
from core.progress import reach, scaled
from core.projection.pca import principal_plane
from core.spaces.linalg import unit_rows
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity
from core.types import Coords, Matrix, Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

DOCUMENTS = 48
PROMPT = 8  # tokens that all kinds of a document begin with
WRITTEN = 40  # tokens behind them, which are measured
FEWEST = 16
SHOWN = 6  # documents whose paths are drawn
LIKE_STEERING = 14 / 30  # of the depth: the layer at which the packaged model is steered


@dataclass(frozen=True)
class Quantity:
    """Something to measure of a path: its name, its unit, what it is in plain words, and what it
    is for a random walk, where that is known. ``local`` has a value at every token."""

    name: str
    unit: str
    about: str
    walk: float | None = None
    local: bool = False


QUANTITIES = {
    "step": Quantity(
        "Step", "1 − cosine", "How different each state's direction is from the one before.",
        local=True,
    ),
    "length": Quantity(
        "Step length", "of the space", "How far it is from each state to the next.", local=True
    ),
    "turn": Quantity(
        "Turn", "degrees", "The angle between one step and the next: 0 is straight on, 180 back.",
        walk=90.0, local=True,
    ),
    "off": Quantity(
        "Off the data", "percentile", "How far the state is from the corpus' own states, as the "
        "share of these that are nearer to their own kind.", local=True,
    ),
    "entropy": Quantity(
        "Entropy", "nats", "How undecided the model is about the word that comes next.", local=True
    ),
    "straight": Quantity(
        "Straightness", "0 to 1", "How far the end is from the start, over the length of the way."
    ),
    "spread": Quantity(
        "Spreading", "exponent", "How the distance between two states grows with the words between "
        "them: 2 straight, 1 a random walk, 0 stays in one place.", walk=1.0,
    ),
    "memory": Quantity(
        "Memory", "cosine", "Whether a step still points as the one two before did.", walk=0.0
    ),
}  # fmt: skip
LOCAL = tuple(name for name, it in QUANTITIES.items() if it.local)
PAIRS = tuple(combinations(LOCAL, 2))
SAME_BY_MAKING = {  # kinds that have the people's own value, because they were made so
    "length": ("walk", "shaped"),
    "off": ("jumbled",),
}


@dataclass(frozen=True, eq=False)
class Laws:
    """What was measured of n documents in each kind.

    ``table`` has a row for each document and kind, with the quantities (means over the path) and
    the correlations "a~b" of every two local ones within it (Spearman); what a kind has not is
    NaN. ``turns`` (kinds that were read, n, layers): mean turning angle. ``paths`` (kinds, shown,
    m, 2) are the directions of the first documents' states in the plane of the corpus' own, which
    keeps ``kept`` of their variance; ``words`` the texts behind them, by kind and document.
    """

    model: str
    layer: int
    part: str
    table: pd.DataFrame
    turns: npt.NDArray[np.float32]
    paths: npt.NDArray[np.float32]
    kept: float
    words: dict[str, list[list[str]]]
    left_out: int
    seconds: float

    @property
    def documents(self) -> list[str]:
        """The documents, each once."""
        return [str(it) for it in self.table[self.table.kind == "people"].document]

    def values(self, quantity: str, kind: str) -> npt.NDArray[np.float64]:
        """(n,) by document."""
        found: npt.NDArray[np.float64] = self.table[self.table.kind == kind][quantity].to_numpy()
        return found

    def mean(self, quantity: str, kind: str) -> Interval | None:
        """With its 95% interval over documents; None for a kind that has no such thing."""
        values = self.values(quantity, kind)
        return None if np.isnan(values).all() else interval(values[np.isfinite(values)])


def middle(depth: int) -> int:
    """The layer that is looked at where nobody chose one: a little below the middle."""
    return round(depth * LIKE_STEERING)


def laws_key(reference: str, layer: int, part: str) -> str:
    """Where the store keeps them."""
    made_of = (layer, part, DOCUMENTS, PROMPT, WRITTEN)
    return store_key("laws-2", speaker_identity(reference), corpus_identity(), *made_of)


def has_laws(workspace: "Workspace", reference: str, layer: int, part: str = "explored") -> bool:
    """Whether they are kept."""
    return workspace.store.has("laws", laws_key(reference, layer, part))


def laws(
    workspace: "Workspace",
    reference: str,
    layer: int,
    part: str = "explored",
    progress: Progress = silent,
) -> Laws:
    """Measure 48 documents of a part in each kind, in one layer; made once and kept.

    Raises InvalidSpecification for another layer or part, and for a model that ends its texts too
    soon; what :func:`core.pipeline.models.speaker` raises; Cancelled.
    """
    key = laws_key(reference, layer, part)

    def read() -> Laws:
        stored = workspace.store.load("laws", key)
        own = stored.arrays
        return Laws(
            reference, layer, part, stored.tables["table"], np.asarray(own["turns"]),
            np.asarray(own["paths"]), **stored.payload,
        )  # fmt: skip

    def write(laws: Laws) -> None:
        arrays = {"turns": laws.turns, "paths": laws.paths}
        names = ("kept", "words", "left_out", "seconds")
        said = {name: getattr(laws, name) for name in names}
        workspace.store.save("laws", key, arrays, {"table": laws.table}, said)

    def make() -> Laws:
        return _measured(workspace, reference, layer, part, progress)

    return workspace.kept("laws", key, read, make, write)


def _measured(
    workspace: "Workspace", reference: str, layer: int, part: str, progress: Progress
) -> Laws:
    begun = perf_counter()
    lm = speaker(reference)
    lm.require_layer(layer)
    passages = windows(lm, part, PROMPT + WRITTEN, most=DOCUMENTS)
    space = workspace.space(f"{reference}:layer{layer}", partial(scaled, progress, 0, 20)).centred
    graph = workspace.graph(space, partial(scaled, progress, 20, 25))
    told = tellings(lm, passages, PROMPT, FEWEST, progress=partial(scaled, progress, 25, 75))
    if len(told) < 2:
        raise InvalidSpecification(
            f"found {len(told)} documents that {reference} goes on with for {FEWEST} tokens; "
            "expected 2 or more: choose another model"
        )
    whole = [one.ids[kind] for one in told for kind in TEXTS]
    found = follow(lm, whole, PROMPT, layer, partial(scaled, progress, 75, 97))
    reach(progress, 97, "measuring the paths")
    mean = workspace.space(f"{reference}:layer{layer}").mean
    usual = space.norms <= SINK * np.median(space.norms)
    root = covariance_root(space.vectors[usual])
    plane = principal_plane(space.unit)
    rows: list[dict[str, Any]] = []
    paths = np.full((len(KINDS), min(SHOWN, len(told)), WRITTEN, 2), np.nan, np.float32)
    for number, one in enumerate(told):
        reach(progress, 97 + 3 * number // len(told), "measuring the paths")
        read = dict(zip(TEXTS, found[number * len(TEXTS) :][: len(TEXTS)], strict=True))
        states = {kind: it.states - mean for kind, it in read.items()}
        states |= made_up(states["people"], root, np.random.default_rng(number))
        for place, kind in enumerate(KINDS):
            own = states[kind]
            off = knn_percentile(space, graph, own)
            rows.append(
                {"document": one.document, "kind": kind} | _figures(own, off, read.get(kind))
            )
            if number < SHOWN:
                paths[place, number, : len(own)] = plane(unit_rows(own))
    words = {
        kind: [list(Detokenizer(lm.text, one.ids[kind]).all()[PROMPT:]) for one in told[:SHOWN]]
        for kind in TEXTS
    }
    by_layer = np.array([it.turns for it in found], np.float32)
    return Laws(
        reference,
        layer,
        part,
        pd.DataFrame(rows),
        by_layer.reshape(len(told), len(TEXTS), -1).transpose(1, 0, 2).copy(),
        paths,
        kept=sum(plane.variances) / plane.total,
        words=words,
        left_out=len(passages) - len(told),
        seconds=perf_counter() - begun,
    )


def _figures(
    states: Matrix, off: npt.NDArray[np.float32], read: Followed | None
) -> dict[str, float]:
    """The quantities of a path, and the correlations of its local ones.

    Local values stand at the token where they are known: a step and a turn where they end.
    """
    from scipy.stats import spearmanr

    local = {
        "step": step_distances(states)[1:],
        "length": step_lengths(states)[1:],
        "turn": turning_angles(states),
        "off": off[2:].astype(np.float64),
        "entropy": np.full(len(states) - 2, np.nan) if read is None else read.entropy[2:],
    }
    found = {name: float(values.mean()) for name, values in local.items()}
    found["straight"] = straightness(states)
    found["spread"] = displacement_exponent(states)
    found["memory"] = direction_memory(states, 2)
    for a, b in PAIRS:
        one, other = local[a], local[b]
        varied = np.minimum(np.ptp(one), np.ptp(other)) > 0  # False for no values, too
        found[f"{a}~{b}"] = float(spearmanr(one, other).statistic) if varied else np.nan
    return found


def corpus_places(workspace: "Workspace", laws: Laws, most: int = 1_500) -> Coords:
    """(n, 2) where some of the corpus' own states are in the plane of the paths."""
    unit = workspace.space(f"{laws.model}:layer{laws.layer}").centred.unit
    return principal_plane(unit)(unit[:: max(1, len(unit) // most)])
