"""Fans: the likeliest next tokens at a place in a text, each with the state it truly leads to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decode.language_model import CHUNK, LanguageModel
from core.decode.sampling import weighed
from core.errors import InvalidSpecification
from core.pipeline.models import speaker
from core.pipeline.trajectories.corpus_picture import Backdrop, backdrop, in_space, layer_of
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec, Spec
from core.types import Progress, Queries, QueryCoords, Vector, silent, tell

AT_ONCE = 64  # positions whose distributions are computed at a time

Said = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Spread:
    """The k likeliest next tokens after the token at ``position``, likeliest first.

    ``probability`` (k,) is the model's own, of the whole vocabulary at temperature 1; ``states``
    (k, d) are as the layer's space has them.
    """

    position: int
    ids: npt.NDArray[np.int64]
    pieces: tuple[str, ...]
    probability: npt.NDArray[np.float32]
    states: Queries


@dataclass(frozen=True, eq=False)
class PlacedFan:
    """A fan at a prompt's end on the picture of a layer; ``start`` (p,) is where its rays begin,
    ``places`` (k, p) where they end."""

    model: str
    layer: int
    backdrop: Backdrop
    spread: Spread
    start: Vector
    places: QueryCoords


def fan(
    workspace: Workspace,
    model: str,
    prompt: str,
    k: int = 20,
    layer: int | None = None,
    spec: Spec | None = None,
    progress: Progress = silent,
) -> PlacedFan:
    """The k likeliest next tokens of a prompt on the frozen picture of a layer (the last where
    None; flat PCA where no ``spec`` is given).

    Raises InvalidSpecification for an empty prompt, k out of range, or no such layer.
    """
    depth = layer_of(model, layer)
    lm = speaker(model)
    ids = lm.ids(prompt, room=1)
    behind = backdrop(workspace, model, depth, spec or PcaSpec(), progress)
    [found] = spreads(lm, ids, k, depth)
    own = in_space(lm, depth, lm.states(ids)[depth][-1:])
    return PlacedFan(model, depth, behind, found, behind.place(own)[0], behind.place(found.states))


def spreads(
    lm: LanguageModel,
    ids: Sequence[int],
    k: int,
    layer: int,
    positions: Sequence[int] | None = None,
    progress: Progress = silent,
) -> list[Spread]:
    """Fans of k at some positions of a text (the last, where None), as many as fit in one pass.
    Raises InvalidSpecification for a position or a k that is not there, Cancelled."""
    at = [len(ids) - 1] if positions is None else list(positions)
    k = min(k, lm.vocabulary)
    batch = max(1, CHUNK // max(k, 1))
    found = []
    for start in range(0, len(at), batch):
        tell(progress, start, len(at), "Looking at the other words")
        for fan_at in lm.fans(ids, k, layer, at[start : start + batch]):
            tokens = fan_at.ids.astype(np.int64)
            found.append(
                Spread(
                    fan_at.position,
                    tokens,
                    tuple(lm.pieces(tokens.tolist())),
                    fan_at.probabilities,
                    in_space(lm, layer, np.ascontiguousarray(fan_at.states)),
                )
            )
    return found


def said_next(lm: LanguageModel, ids: Sequence[int]) -> Said:
    """(t, v) log-probabilities of every token of the vocabulary after each position of a text."""
    final = lm.run([ids]).final[0]
    rows = [
        lm.logits(final[start : start + AT_ONCE]).float().log_softmax(-1).cpu().numpy()
        for start in range(0, len(ids), AT_ONCE)
    ]
    return np.concatenate(rows)


def reweighed(said: Said, temperature: float) -> npt.NDArray[np.float64]:
    """(v,) probabilities at a temperature, from log-probabilities (v,) at temperature 1; at 0 all
    of it goes to the likeliest. Raises InvalidSpecification below 0.

    >>> reweighed(np.log(np.array([0.8, 0.2], np.float32)), 0.5).round(3).tolist()
    [0.941, 0.059]
    """
    if temperature < 0:
        raise InvalidSpecification(f"found temperature {temperature:g}; expected 0 or more")
    if temperature == 0:
        sure = np.zeros(len(said))
        sure[int(np.argmax(said))] = 1
        return sure
    shares: npt.NDArray[np.float64] = weighed(said[None].astype(np.float64), temperature)[0]
    return shares
