"""Steering tried in every second layer: where a push moves texts furthest, and at what price."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.decode.steering import Direction, write_pushed
from core.errors import InvalidSpecification
from core.pipeline.models import speaker
from core.pipeline.trajectories.steering import directions, judged, steer_key, sure
from core.pipeline.trajectories.steering_spec import AXIS, SteerSpec
from core.progress import reach, scaled
from core.types import Progress, Vector, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

KIND = "steered-layers"


@dataclass(frozen=True, eq=False)
class Scanned:
    """Steering tried in several layers, a row each: ``layer``, ``effect`` (score at +strength less
    score at -strength, mean over samples), ``low`` and ``high`` (95%; NaN below three samples),
    ``price`` (the median perplexity of both, over that of the unsteered texts)."""

    spec: SteerSpec
    strength: float
    layers: pd.DataFrame

    @property
    def best(self) -> int:
        """The layer with the largest effect among those that no more than double the perplexity;
        where all do, of all."""
        cheap = self.layers[self.layers["price"] <= 2]
        rows = cheap if len(cheap) else self.layers
        return int(rows.loc[rows["effect"].idxmax(), "layer"])


def has_scan(workspace: "Workspace", spec: SteerSpec) -> bool:
    """Whether the layers were tried."""
    return workspace.store.has(KIND, steer_key(_scan_spec(spec)))


def scan(workspace: "Workspace", spec: SteerSpec, progress: Progress = silent) -> Scanned:
    """Steer in every second layer with one strength and its opposite, and unsteered; kept.

    The strength is the largest of the specification that is at most 0.3. Raises
    InvalidSpecification for an axis, which belongs to one layer; Cancelled.
    """
    asked = _scan_spec(spec)
    key = steer_key(asked)
    strength = asked.strengths[-1]

    def write(scanned: Scanned) -> None:
        workspace.store.save(KIND, key, None, {"layers": scanned.layers})

    def read() -> Scanned:
        return Scanned(asked, strength, workspace.store.load(KIND, key).tables["layers"])

    def make() -> Scanned:
        return Scanned(asked, strength, _scanned(workspace, asked, strength, progress))

    return workspace.kept(KIND, key, read, make, write)


def _scan_spec(spec: SteerSpec) -> SteerSpec:
    if spec.made == AXIS:
        raise InvalidSpecification(
            "found an axis, which belongs to one layer; expected prompts to try in several: "
            "steer by prompts"
        )
    usable = [it for it in map(abs, spec.strengths) if 0 < it <= 0.3] or [0.3]
    return replace(spec, strengths=(-max(usable), max(usable)), layer=0, controls=0)


def _scanned(
    workspace: "Workspace", spec: SteerSpec, strength: float, progress: Progress
) -> pd.DataFrame:
    reach(progress, 0, "Loading the model")
    model = speaker(spec.model)
    prompt = model.ids(spec.prompt, room=spec.sampling.steps)
    tried = list(range(2, model.depth + 1, 2)) or [model.depth]
    along = directions(model, spec, tried, partial(scaled, progress, 2, 12))
    rows = [(0, 0.0, sample) for sample in range(spec.samples)] + [
        (layer, sign * strength, sample)
        for layer in tried
        for sign in (-1, 1)
        for sample in range(spec.samples)
    ]
    vectors = np.stack([_of_layer(along, layer, by, model.dim) for layer, by, _ in rows])
    seeds = [spec.sampling.seed + sample for _, _, sample in rows]
    layers = [layer or tried[0] for layer, _, _ in rows]
    texts = write_pushed(
        model, prompt, spec.sampling, layers, vectors, seeds, partial(scaled, progress, 12, 80)
    )
    table = pd.DataFrame(rows, columns=["layer", "strength", "sample"])
    table = judged(workspace, model, spec, prompt, texts, table, partial(scaled, progress, 80, 100))
    plain = float(table.loc[table["layer"] == 0, "perplexity"].median())
    return pd.DataFrame([_layer_row(table, layer, plain) for layer in tried])


def _of_layer(along: dict[int, Direction], layer: int, by: float, dim: int) -> Vector:
    """What is added for one text: nothing for an unsteered one."""
    pushed: Vector = along[layer].times([by])[0] if by else np.zeros(dim, np.float32)
    return pushed


def _layer_row(table: pd.DataFrame, layer: int, plain: float) -> dict[str, Any]:
    own = table[table["layer"] == layer]
    by = own.pivot(index="sample", columns="strength", values="score")
    moved = by[by.columns.max()] - by[by.columns.min()]
    effect = sure(moved.to_numpy(np.float64)[:, None], np.nanmean)
    return {
        "layer": layer,
        "effect": effect.value,
        "low": effect.low,
        "high": effect.high,
        "price": float(own["perplexity"].median()) / plain,
    }
