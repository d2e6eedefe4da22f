"""Pictures of all layers of a model: each layer is a space, and so are all of them together.

Three ways to fit one. "joint": one fit to the states of all layers. "aligned": a fit for each
layer, turned onto that of the layer before. "each": a fit for each layer, as it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidSpecification
from core.metrics.similarity import Alignment, procrustes
from core.models.word_marks import WORD, readings
from core.pipeline.models import identity, reader
from core.progress import scaled
from core.projection.base import PcaSpec, Spec
from core.projection.pca import PrincipalPlane, principal_plane
from core.projection.placement import place
from core.signatures.hidden import hidden_states
from core.spaces.linalg import paired_cosines, unit_rows
from core.spaces.space import Provenance, Space
from core.spaces.subwords import GOES_ON, is_piece
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity, some_sentences
from core.types import Coords, Matrix, Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

FITS = ("joint", "aligned", "each")
BACKGROUND = 20_000  # states in a picture, all layers together
TOKENS_A_SENTENCE = 20  # fewer than there are in the mean: rather too many sentences
SEEDS = (0, 1)  # of a picture, and of the second one that tells how much is chance

Track = npt.NDArray[np.float32]  # (l, t, 2)


@dataclass(frozen=True, eq=False)
class Ground:
    """n tokens of a text collection as a model's l layers have them: l spaces of the same items."""

    layers: tuple[Space, ...]

    @cached_property
    def joint(self) -> Space:
        """All layers as one space of l x n items, layer after layer."""
        first = self.layers[0]
        return Space.create(
            [text for space in self.layers for text in space.texts],
            np.concatenate([space.vectors for space in self.layers]),
            replace(first.provenance, layer="all"),
            ids=[name for space in self.layers for name in space.ids],
            metadata=pd.concat([space.metadata for space in self.layers], ignore_index=True),
        )


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """Where the ground stands in each layer, (n, 2) a layer, and what places other states there.

    ``turns`` bring a layer's own picture to where ``coords`` are; None leaves it as it is.
    """

    ground: Ground
    fit: str
    spec: Spec
    coords: tuple[Coords, ...]
    fitted: tuple[Coords, ...]  # before they were turned
    planes: tuple[PrincipalPlane, ...]  # () where the picture is not linear
    turns: tuple[Alignment | None, ...]

    def place(self, layers: Sequence[Matrix]) -> Track:
        """(l, t, 2) the places of t tokens' states (t, d) in each layer."""
        return np.stack([self._placed(number, states) for number, states in enumerate(layers)])

    @cached_property
    def radius(self) -> float:
        """Root mean square distance of the ground from its middle: the picture's own unit."""
        return _radius(np.concatenate(self.coords))

    def _placed(self, number: int, states: Matrix) -> Coords:
        space = self.ground.joint if self.fit == "joint" else self.ground.layers[number]
        if self.planes:
            there = self.planes[number](unit_rows(states))
        else:
            fitted = np.concatenate(self.fitted) if self.fit == "joint" else self.fitted[number]
            there = place(space, fitted, states)[0]
        turn = self.turns[number]
        return there if turn is None else turn.apply(there)


def ground_key(reference: str, seed: int = 0) -> str:
    """Where the store keeps a ground."""
    return store_key("ground-3", identity(reference), corpus_identity(), BACKGROUND, seed)


def has_ground(workspace: "Workspace", reference: str, seed: int = 0) -> bool:
    """Whether the collection has been read already."""
    return workspace.store.has("ground", ground_key(reference, seed))


def ground(
    workspace: "Workspace", reference: str, seed: int = 0, progress: Progress = silent
) -> Ground:
    """Some 20,000 states of tokens of the packaged texts, all layers together, made once.

    Raises what :func:`core.pipeline.models.reader` raises, TeacherUnavailable, Cancelled.
    """
    key = ground_key(reference, seed)

    def write(ground: Ground) -> None:
        arrays = {f"layer_{k:02d}": space.vectors for k, space in enumerate(ground.layers)}
        table = ground.layers[0].metadata.drop(columns=["layer", "kind"])
        tokens = table.assign(token=list(ground.layers[0].texts))
        workspace.store.save("ground", key, arrays, {"tokens": tokens}, {"model": reference})

    def read() -> Ground:
        stored = workspace.store.load("ground", key)
        arrays = [stored.arrays[name] for name in sorted(stored.arrays)]
        return _as_ground(reference, seed, arrays, stored.tables["tokens"])

    return workspace.kept(
        "ground", key, read, lambda: _read_ground(reference, seed, progress), write
    )


def _read_ground(reference: str, seed: int, progress: Progress) -> Ground:
    model = reader(reference)
    wanted = BACKGROUND // len(model.trial)
    chosen = [sentence.text for sentence in some_sentences(wanted // TOKENS_A_SENTENCE, seed)]
    states = hidden_states(chosen, model, truncate=True, progress=progress)
    # Position 0 of a causal model is an outlier in every layer, whatever stands there.
    rows = np.flatnonzero(states.tokens["position"] >= int(model.causal))[:wanted]
    own = states.tokens.iloc[rows]
    tokens = own[["text", "start", "end", "token"]].reset_index(drop=True)
    read = readings(tokens["token"].tolist(), model.tokenizer)
    tokens["token"] = [
        text if kind == WORD or is_piece(text) else GOES_ON + text for text, kind in read
    ]
    tokens["sentence"] = [chosen[text] for text in tokens["text"]]
    kept = [np.ascontiguousarray(layer[rows], np.float32) for layer in states.layers]
    return _as_ground(reference, seed, kept, tokens.drop(columns=["text"]))


def _as_ground(
    reference: str, seed: int, arrays: Sequence[npt.NDArray[Any]], tokens: pd.DataFrame
) -> Ground:
    provenance = Provenance(reference, reference, identity(reference), seed=seed)
    about = tokens.drop(columns=["token"])
    texts = tokens["token"].tolist()
    return Ground(
        tuple(
            Space.create(
                texts,
                array,
                replace(provenance, layer=str(number)),
                ids=[f"{number}:{row}" for row in range(len(texts))],
                metadata=about.assign(layer=number, kind="token"),
            )
            for number, array in enumerate(arrays)
        )
    )


def ground_of(layers: Sequence[Matrix], texts: Sequence[str], reference: str) -> Ground:
    """A ground of one's own: the same m items in each layer (m, d), as a word in m sentences."""
    table = pd.DataFrame({"token": list(texts), "sentence": list(texts)})
    return _as_ground(reference, 0, layers, table)


def has_picture(workspace: "Workspace", reference: str, spec: Spec, fit: str) -> bool:
    """Whether it can be drawn at once."""
    if not has_ground(workspace, reference):
        return False
    if isinstance(spec, PcaSpec):
        return True
    return all(
        workspace.has_projection(space, spec)
        for space in _fitted_to(ground(workspace, reference), fit)
    )


def layer_picture(
    workspace: "Workspace", ground: Ground, spec: Spec, fit: str, progress: Progress = silent
) -> LayerPicture:
    """The picture of a ground. Raises InvalidSpecification for another fit, Cancelled."""
    if fit not in FITS:
        raise InvalidSpecification(f"found the fit {fit!r:.40}; expected one of {', '.join(FITS)}")
    spaces = _fitted_to(ground, fit)
    if isinstance(spec, PcaSpec):
        planes = tuple(principal_plane(space.unit) for space in spaces)
        own = [plane(space.unit) for plane, space in zip(planes, spaces, strict=True)]
    else:
        planes = ()
        own = [
            workspace.projection(
                space, spec, partial(scaled, progress, *_part(k, len(spaces)))
            ).coords
            for k, space in enumerate(spaces)
        ]
    if fit == "joint":
        count = len(ground.layers)
        planes = planes * count
        own = np.split(own[0], count)
    turns: list[Alignment | None] = [None] * len(own)
    coords = list(own)
    if fit == "aligned":
        for number in range(1, len(own)):
            # Turned and shifted, never stretched: a layer keeps its own size.
            turn = replace(procrustes(coords[number - 1], own[number]), scale=1.0)
            turns[number], coords[number] = turn, turn.apply(own[number])
    return LayerPicture(ground, fit, spec, tuple(coords), tuple(own), planes, tuple(turns))


def second_picture(
    workspace: "Workspace", reference: str, spec: Spec, fit: str, progress: Progress = silent
) -> LayerPicture:
    """The same drawn once more with another seed: for PCA other sentences, else another start."""
    first, second = SEEDS
    if isinstance(spec, PcaSpec):
        return layer_picture(workspace, ground(workspace, reference, second, progress), spec, fit)
    again = replace(spec, seed=second)
    return layer_picture(workspace, ground(workspace, reference, first), again, fit, progress)


def has_second(workspace: "Workspace", reference: str, spec: Spec, fit: str) -> bool:
    """Whether the second drawing is there already."""
    first, second = SEEDS
    if isinstance(spec, PcaSpec):
        return has_ground(workspace, reference, second)
    again = replace(spec, seed=second)
    return has_ground(workspace, reference, first) and all(
        workspace.has_projection(space, again)
        for space in _fitted_to(ground(workspace, reference), fit)
    )


@dataclass(frozen=True)
class Drift:
    """How far t tokens move from each layer to the next, l - 1 figures each, means over tokens.

    ``measured`` is 1 - cosine of the two states, each about its layer's mean. ``drawn`` is the
    distance in the picture, in its own radius; ``by_seed`` is how far the same states, in the
    layer that is come to, stand from where a second drawing has them, in the same unit: a drawn
    drift that is no larger tells nothing. None where there is no second drawing.
    """

    measured: list[float]
    drawn: list[float]
    by_seed: list[float] | None


def drift(
    picture: LayerPicture, layers: Sequence[Matrix], second: LayerPicture | None = None
) -> Drift:
    """The drift of tokens with states (t, d) in each layer; pieces of one sentence or many."""
    spaces = picture.ground.layers
    centred = [states - space.mean for states, space in zip(layers, spaces, strict=True)]
    measured = [float(np.mean(1 - paired_cosines(a, b))) for a, b in pairwise(centred)]
    track = picture.place(layers)
    lengths = np.linalg.norm(np.diff(track, axis=0), axis=2).mean(axis=1) / picture.radius
    by_seed = None if second is None else _by_seed(picture, second, layers, track)
    return Drift(measured, lengths.tolist(), by_seed)


def _by_seed(
    picture: LayerPicture, second: LayerPicture, layers: Sequence[Matrix], track: Track
) -> list[float]:
    """Both drawings laid on each other by the ground of the first, then the tokens compared."""
    both = zip(_laid_on(picture, second), second.place(layers), strict=True)
    laid = np.stack([turn.apply(places) for turn, places in both])
    away = np.linalg.norm(laid - track, axis=2).mean(axis=1) / picture.radius
    return [float(value) for value in away[1:]]


@lru_cache(maxsize=8)
def _laid_on(picture: LayerPicture, second: LayerPicture) -> list[Alignment]:
    """What brings each layer of the second drawing onto the first. Found once for two drawings:
    placing a whole ground takes seconds, and every choice of a token asks for it again."""
    own, there = picture.coords, picture.ground
    same = second.ground is there
    other = second.coords if same else second.place([space.vectors for space in there.layers])
    if picture.fit == "joint":
        return [procrustes(np.concatenate(own), np.concatenate(list(other)))] * len(own)
    return [procrustes(a, b) for a, b in zip(own, other, strict=True)]


def draw_layers(
    workspace: "Workspace", reference: str, spec: Spec, fit: str, progress: Progress = silent
) -> None:
    """Everything that a picture of the layers shows, made and kept: both drawings, and how true
    the first one is. Raises Cancelled."""
    own = ground(workspace, reference, progress=partial(scaled, progress, 0, 15))
    layer_picture(workspace, own, spec, fit, partial(scaled, progress, 15, 50))
    spaces = _fitted_to(own, fit)
    for number, space in enumerate(spaces):
        part = partial(scaled, progress, *_part(number, len(spaces), 50, 65))
        workspace.projection(space, spec)
        workspace.graph(space)
        workspace.faithfulness(space, spec, part)
        workspace.faithfulness(space, PcaSpec())
    second_picture(workspace, reference, spec, fit, partial(scaled, progress, 65, 100))


def _fitted_to(ground: Ground, fit: str) -> tuple[Space, ...]:
    return (ground.joint,) if fit == "joint" else ground.layers


def _part(number: int, count: int, low: int = 0, high: int = 100) -> tuple[int, int]:
    step = (high - low) / count
    return round(low + number * step), round(low + (number + 1) * step)


def _radius(coords: Coords) -> float:
    away = coords - coords.mean(axis=0)
    return float(np.sqrt(np.mean(np.sum(away.astype(np.float64) ** 2, axis=1)))) or 1.0
