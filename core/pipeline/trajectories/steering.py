"""Steering a model that writes: what a push does, what it costs, and what a random push does.

How far a text went is measured by another model than the one that is steered: where the sentence
vector of what was written (MiniLM's) lies between the prompts' own, -1 at the mean of those one
steers away from and +1 at the mean of those one steers towards. The price is the perplexity of the
text for the same model unsteered. Both are told for random directions of equal length as well, of
which each writes as many texts, with the same draws, as the direction itself.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.decode.language_model import LanguageModel
from core.decode.steering import (
    Direction,
    contrast,
    mean_states,
    perplexities,
    random_unit,
    repeated,
    usual_lengths,
    write_pushed,
)
from core.errors import InvalidSpecification
from core.metrics.intervals import FEWEST_SEEDS, Interval, bootstrap, seeds_interval
from core.models.prompt import framed
from core.paths.axes import axis_between
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.points.queries import axis
from core.pipeline.trajectories.steering_spec import AXIS, SteerSpec
from core.progress import reach, scaled
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity
from core.teachers.layer_states import TOKENS, passages
from core.teachers.registry import resolve
from core.types import Progress, Vector, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

LAYER_SHARE = 14 / 30  # of a model's depth: layer 14 of 30, where steering was found to work
MEASURED = 48  # passages that a layer's usual length is taken from
SCORER = "minilm:sentences"
KIND, VERSION = "steered", 2


@dataclass(frozen=True, eq=False)
class Steered:
    """Every text that was written, a row each: ``pushed`` ("along" or "random"), ``strength``,
    ``direction`` (the random one's number, else 0), ``sample`` (the number of its draws), ``text``,
    ``score``, ``perplexity``, ``repeated``. ``usual`` is the length of a state in that layer,
    ``apart`` how far the two groups of prompts lie from each other there in units of it.

    Intervals are over samples, those of random pushes over directions; below three of them the
    bounds are NaN: unknown.
    """

    spec: SteerSpec
    texts: pd.DataFrame
    usual: float
    apart: float

    def of(self, pushed: str, strength: float) -> pd.DataFrame:
        """The texts of one kind at one strength; at 0 they are the same for both."""
        same = np.isclose(self.texts["strength"], strength)
        kind = self.texts["pushed"] == ("along" if strength == 0 else pushed)
        return self.texts[same & kind].sort_values(["direction", "sample"])

    def one(self, pushed: str, strength: float, sample: int, direction: int = 0) -> pd.Series:
        """One text with its figures."""
        rows = self.of(pushed, strength)
        which = direction if pushed == "random" and strength else 0
        return rows[(rows["sample"] == sample) & (rows["direction"] == which)].iloc[0]

    def effect(self, pushed: str, strength: float) -> Interval:
        """The mean score with its interval."""
        return self._over(pushed, strength, "score", np.nanmean)

    def price(self, pushed: str, strength: float) -> Interval:
        """The median perplexity with its interval."""
        return self._over(pushed, strength, "perplexity", np.nanmedian)

    def _over(self, pushed: str, strength: float, column: str, middle: Any) -> Interval:
        unit, within = "sample", "direction"
        if pushed == "random" and strength:
            unit, within = within, unit
        rows = self.of(pushed, strength).pivot(index=unit, columns=within, values=column)
        return sure(rows.to_numpy(np.float64), middle)

    @property
    def slope(self) -> Interval:
        """How far the score moves for a push of 1, over the samples (each its own slope)."""
        return seeds_interval(self._slopes("along"))

    @property
    def random_slopes(self) -> list[float]:
        """The same of each random direction: the mean over its samples."""
        found = [self._slopes("random", number) for number in range(self.spec.controls)]
        return [float(np.mean(slopes)) for slopes in found if slopes]

    @property
    def beaten(self) -> int:
        """How many random directions move the score by less, either way, than this raises it."""
        return sum(abs(it) < self.slope.value for it in self.random_slopes)

    def _slopes(self, pushed: str, direction: int = 0) -> list[float]:
        """Of each sample; unsteered texts belong to every direction."""
        own = (self.texts["pushed"] == pushed) & (self.texts["direction"] == direction)
        plain = np.isclose(self.texts["strength"], 0)
        rows = self.texts[own | plain].dropna(subset="score")
        parts = [part for _, part in rows.groupby("sample") if part["strength"].nunique() > 1]
        return [
            float(np.polyfit(part["strength"].astype(float), part["score"].astype(float), 1)[0])
            for part in parts
        ]

    @property
    def notes(self) -> list[str]:
        """What must be said beside the figures: that they have no intervals, and why."""
        if self.spec.samples >= FEWEST_SEEDS:
            return []
        why = f"it takes {FEWEST_SEEDS} texts a strength"
        if self.spec.sampling.temperature == 0:
            why = "at temperature 0 all texts of a strength are the same, so one was written"
        return [f"No 95% intervals along the direction: {why}."]

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what is unknown is null."""
        return {
            **asdict(self.spec),
            "usual_length": round(self.usual, 3),
            "apart": round(self.apart, 4),
            "slope": self.slope.value,
            "slope_95": _bounds(self.slope),
            "random_slopes": self.random_slopes,
            "random_beaten": self.beaten,
            "notes": self.notes,
            "strengths": [
                self._told(pushed, strength)
                for pushed in ("along", "random")
                for strength in self.spec.strengths
                if len(self.of(pushed, strength)) and (pushed == "along" or strength)
            ],
            "texts": self.texts.round(4).to_dict("records"),
        }

    def _told(self, pushed: str, strength: float) -> dict[str, Any]:
        score, price = self.effect(pushed, strength), self.price(pushed, strength)
        return {
            "pushed": pushed,
            "strength": strength,
            "score": score.value,
            "score_95": _bounds(score),
            "perplexity": price.value,
            "perplexity_95": _bounds(price),
            "repeated": float(self.of(pushed, strength)["repeated"].mean()),
        }


def _bounds(interval: Interval) -> list[float] | None:
    return None if np.isnan(interval.low) else interval.report()


def default_layer(depth: int) -> int:
    """Where steering is tried first."""
    return round(LAYER_SHARE * depth)


def steer_key(spec: SteerSpec) -> str:
    """Where the store keeps it. Raises what :func:`speaker_identity` raises, TeacherUnavailable
    where the model that scores is missing."""
    read_by = (resolve(SCORER).fingerprint(), corpus_identity(), MEASURED)
    return store_key(VERSION, speaker_identity(spec.model), *read_by, asdict(spec))


def has_steered(workspace: "Workspace", spec: SteerSpec) -> bool:
    """Whether it is kept."""
    return workspace.store.has(KIND, steer_key(spec))


def steer(workspace: "Workspace", spec: SteerSpec, progress: Progress = silent) -> Steered:
    """Write from one prompt at every strength, along the direction and along random ones of equal
    length, and measure all texts; kept. Raises InvalidSpecification, Cancelled.

    Texts of the same sample meet the same draws at every strength.
    """
    key = steer_key(spec)

    def write(steered: Steered) -> None:
        payload = {"usual": steered.usual, "apart": steered.apart, "spec": asdict(spec)}
        workspace.store.save(
            KIND, key, None, {"texts": steered.texts.reset_index(drop=True)}, payload
        )

    def read() -> Steered:
        stored = workspace.store.load(KIND, key)
        return Steered(
            spec, stored.tables["texts"], stored.payload["usual"], stored.payload["apart"]
        )

    return workspace.kept(KIND, key, read, lambda: _steered(workspace, spec, progress), write)


def _steered(workspace: "Workspace", spec: SteerSpec, progress: Progress) -> Steered:
    reach(progress, 0, "Loading the model")
    model = speaker(spec.model)
    prompt = model.ids(spec.prompt, room=spec.sampling.steps)
    model.require_layer(spec.layer)
    along = direction(workspace, model, spec, partial(scaled, progress, 2, 12))
    rows = _planned(spec)
    units = {
        seed: random_unit(model.dim, spec.sampling.seed + seed) for seed in range(spec.controls)
    }
    vectors = np.stack(
        [
            _pushed(along, units[number] if pushed == "random" else along.unit, strength)
            for pushed, strength, number, _ in rows
        ]
    )
    seeds = [spec.sampling.seed + sample for *_, sample in rows]
    layers = [spec.layer] * len(rows)
    texts = write_pushed(
        model, prompt, spec.sampling, layers, vectors, seeds, partial(scaled, progress, 12, 80)
    )
    table = pd.DataFrame(rows, columns=["pushed", "strength", "direction", "sample"])
    table = judged(workspace, model, spec, prompt, texts, table, partial(scaled, progress, 80, 100))
    return Steered(spec, table, along.usual, along.apart)


def _planned(spec: SteerSpec) -> list[tuple[str, float, int, int]]:
    """(kind, strength, direction, sample) of every text; a random push of no length is none."""
    samples = range(spec.samples)
    own = [("along", strength, 0, sample) for strength in spec.strengths for sample in samples]
    drawn = product(
        (strength for strength in spec.strengths if strength), range(spec.controls), samples
    )
    return own + [("random", *it) for it in drawn]


def count_texts(spec: SteerSpec) -> int:
    """How many texts :func:`steer` writes."""
    return len(_planned(spec))


def sure(values: npt.NDArray[np.float64], middle: Any) -> Interval:
    """``middle`` (such as np.nanmean) of values (n, m) with its interval over the n rows, those
    of NaN alone left out; below three rows the bounds are NaN."""
    values = values[~np.isnan(values).all(axis=1)]
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    resampled = bootstrap(lambda drawn: middle(values[drawn], axis=(1, 2)), len(values))
    return resampled if len(values) >= FEWEST_SEEDS else Interval(resampled.value, np.nan, np.nan)


def _pushed(along: Direction, unit: Vector, strength: float) -> Vector:
    pushed: Vector = replace(along, unit=unit).times([strength])[0]
    return pushed


def direction(
    workspace: "Workspace", model: LanguageModel, spec: SteerSpec, progress: Progress = silent
) -> Direction:
    """The direction of a specification in its layer. Raises InvalidSpecification for the axis of a
    layer whose space lies behind the final norm, InvalidVectors."""
    if spec.made == AXIS:
        return _along_axis(workspace, model, spec, progress)
    return directions(model, spec, [spec.layer], progress)[spec.layer]


def directions(
    model: LanguageModel, spec: SteerSpec, layers: Sequence[int], progress: Progress = silent
) -> dict[int, Direction]:
    """From prompts, the direction in each of several layers. Raises InvalidVectors."""
    usual = usual_lengths(model, measured_texts(model), layers, progress)
    plus, minus = (mean_states(model, texts, layers) for texts in (spec.plus, spec.minus))
    return {layer: contrast(layer, plus[layer], minus[layer], usual[layer]) for layer in layers}


def _along_axis(
    workspace: "Workspace", model: LanguageModel, spec: SteerSpec, progress: Progress
) -> Direction:
    if spec.layer == model.depth:
        raise InvalidSpecification(
            f"found an axis of layer {spec.layer}, whose space lies behind the final norm; "
            f"expected one of a layer below {model.depth}: make it there"
        )
    reference = f"{spec.model}:layer{spec.layer}"
    workspace.space(reference, partial(scaled, progress, 0, 60))
    direction = axis(workspace, reference, spec.minus, spec.plus)
    usual = usual_lengths(
        model, measured_texts(model), [spec.layer], partial(scaled, progress, 60, 100)
    )[spec.layer]
    return Direction(spec.layer, direction.direction, usual, 2 * direction.half)


def measured_texts(model: LanguageModel) -> list[list[int]]:
    """The passages, as ids, that the usual length of a state is taken from."""
    most = min(TOKENS, model.window)
    rows = [framed(model.tokenizer, text).open[:most] for _, text in passages()[:MEASURED]]
    return [row for row in rows if len(row) > 1]


def judged(
    workspace: "Workspace",
    model: LanguageModel,
    spec: SteerSpec,
    prompt: Sequence[int],
    texts: Sequence[Sequence[int]],
    table: pd.DataFrame,
    progress: Progress,
) -> pd.DataFrame:
    """The table with the texts and what is measured of them."""
    said = [model.text(text) for text in texts]
    surprise = perplexities(model, prompt, texts, partial(scaled, progress, 0, 60))
    reach(progress, 60, "Reading the texts with another model")
    return table.assign(
        text=said,
        score=scores(workspace, spec, said),
        perplexity=surprise.astype(np.float64),
        repeated=[repeated(text) for text in texts],
    )


def scores(
    workspace: "Workspace", spec: SteerSpec, texts: Sequence[str]
) -> npt.NDArray[np.float64]:
    """(n,) where the sentence vector of each text lies between the prompts': -1 at the mean of
    those to steer away from, +1 at the mean of those to steer towards; NaN for an empty text."""
    encode = workspace.teacher(SCORER).encode
    between = axis_between(spec.minus, encode(spec.minus), spec.plus, encode(spec.plus))
    found = np.full(len(texts), np.nan)
    rows = [row for row, text in enumerate(texts) if text.strip()]
    if rows:
        found[rows] = between.score(encode([texts[row].strip() for row in rows]))
    return found
