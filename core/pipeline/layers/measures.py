"""What is measured of all layers at once, made once for a model and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidSpecification
from core.pipeline.layers.layer_similarity import SENTENCES, Grid, layer_likeness
from core.pipeline.models import identity, reader
from core.progress import reach, scaled
from core.signatures.contextuality import by_layer
from core.signatures.hidden import hidden_states
from core.signatures.isotropy import (
    Opening,
    all_but_the_top,
    anisotropy,
    centring,
    whitening,
    without_outliers,
)
from core.signatures.pooling import Pooling, each_layer
from core.signatures.states import States
from core.spaces.linalg import paired_cosines
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity, some_sentences
from core.types import Matrix, Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

READ = 600  # sentences of the packaged texts


@dataclass(frozen=True, eq=False)
class Measures:
    """Of a model's layers, a row a layer: ``context`` (Ethayarajh's measures, see
    :func:`core.signatures.contextuality.by_layer`) and ``openings``, the anisotropy as it is and
    after each remedy."""

    model: str
    sentences: int
    context: pd.DataFrame
    openings: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "model": self.model,
            "sentences": self.sentences,
            "context": self.context.round(6).to_dict("records"),
            "anisotropy": self.openings.round(6).to_dict("records"),
        }


def measures_key(reference: str) -> str:
    """Where the store keeps them."""
    return store_key("measures-1", identity(reference), corpus_identity(), READ)


def has_measures(workspace: "Workspace", reference: str) -> bool:
    """Whether they are kept."""
    return workspace.store.has("measures", measures_key(reference))


def measures(workspace: "Workspace", reference: str, progress: Progress = silent) -> Measures:
    """Read 600 sentences of the packaged texts and measure every layer. Raises Cancelled."""
    key = measures_key(reference)

    def make() -> Measures:
        texts = [sentence.text for sentence in some_sentences(READ)]
        model, half = reader(reference), partial(scaled, progress, 0, 50)
        states = hidden_states(texts, model, truncate=True, progress=half)
        context = by_layer(states, progress=partial(scaled, progress, 50, 85))
        reach(progress, 85, "opening the cones")
        return Measures(reference, len(texts), context, openings(states))

    def read() -> Measures:
        stored = workspace.store.load("measures", key)
        tables = stored.tables
        return Measures(
            reference, stored.payload["sentences"], tables["context"], tables["openings"]
        )

    def write(measures: Measures) -> None:
        tables = {"context": measures.context.reset_index(drop=True), "openings": measures.openings}
        workspace.store.save("measures", key, None, tables, {"sentences": measures.sentences})

    return workspace.kept("measures", key, read, make, write)


def openings(states: States) -> pd.DataFrame:
    """The anisotropy of each layer's words, as they are and after each remedy: a row a layer."""
    layers, _ = each_layer(states, Pooling(unit="word", skip_first=states.causal))
    return pd.DataFrame([_opened(vectors) for vectors in layers])


def _opened(vectors: Matrix) -> dict[str, float]:
    top = max(1, vectors.shape[1] // 100)
    remedies: Sequence[tuple[str, Opening]] = (
        ("centred", centring(vectors)),
        ("all but the top", all_but_the_top(vectors, top)),
        ("whitened", whitening(vectors)),
        ("without outliers", without_outliers(vectors, min(3, vectors.shape[1] - 1))),
    )
    return {
        "as they are": anisotropy(vectors),
        **{name: anisotropy(remedy(vectors)) for name, remedy in remedies},
    }


def grid_key(a: str, b: str) -> str:
    """Where the store keeps the likeness of two models' layers."""
    return store_key("grid-1", identity(a), identity(b), corpus_identity(), SENTENCES)


def has_grid(workspace: "Workspace", a: str, b: str) -> bool:
    """Whether it is kept."""
    return workspace.store.has("grid", grid_key(a, b))


def grid(workspace: "Workspace", a: str, b: str, progress: Progress = silent) -> Grid:
    """Layer against layer, see :func:`core.pipeline.layers.layer_similarity.layer_likeness`;
    kept."""
    key = grid_key(a, b)

    def read() -> Grid:
        stored = workspace.store.load("grid", key)
        return Grid((a, b), stored.payload["words"], np.asarray(stored.arrays["debiased"]))

    def write(grid: Grid) -> None:
        payload = {"words": grid.words, "a": a, "b": b}
        workspace.store.save("grid", key, {"debiased": grid.debiased}, None, payload)

    return workspace.kept("grid", key, read, lambda: layer_likeness(a, b, progress=progress), write)


def parted(one: States, other: States) -> npt.NDArray[np.float32]:
    """(l, t) cosine of each token's state in one model with the same token's in the other.

    For a student and its teacher, whose states are meant to be the same. Raises
    InvalidSpecification where the two have not the same layers, widths and tokens.
    """
    shapes = [(len(it.layers), it.layers[0].shape) for it in (one, other)]
    places = [it.tokens[["text", "start", "end"]].to_numpy().tolist() for it in (one, other)]
    if shapes[0] != shapes[1] or places[0] != places[1]:
        raise InvalidSpecification(
            f"found {shapes[0][0]} layers of {shapes[0][1]} in {one.name} and {shapes[1][0]} of "
            f"{shapes[1][1]} in {other.name}, or other tokens; expected a student and its teacher: "
            "other models are compared by how alike their layers are"
        )
    pairs = zip(one.layers, other.layers, strict=True)
    return np.stack([paired_cosines(np.asarray(a), np.asarray(b)) for a, b in pairs]).astype(
        np.float32
    )
