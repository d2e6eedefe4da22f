"""The view of the trajectories page: what its tabs share, and what each tab adds."""

from dataclasses import dataclass

from core.permalink.base import (
    DIMS,
    FLAG,
    LAYER,
    PICTURE,
    SEED,
    TEXT,
    WORDS,
    in_link,
    number,
    one_of,
    whole,
)

TABS = ("path", "lens", "laws", "steer", "shapes")
SHAPES = ("days", "months", "numbers", "cities", "own")


@dataclass(frozen=True, kw_only=True)
class PromptView:
    """The causal model that writes and what is laid beside it (another layer as ``layer12``, or
    another model), the tab, the prompt, how tokens are chosen, and how many samples."""

    model: str = in_link(TEXT, "smollm2")
    second: str = in_link(TEXT, "")
    show: str = in_link(one_of(*TABS), "path")
    prompt: str = in_link(TEXT, "")
    steps: int = in_link(whole(1, 500), 40)
    temperature: float = in_link(number(0.0, 100.0), 0.0)
    top_p: float = in_link(number(0.01, 1.0), 1.0)
    seed: int = in_link(SEED, 0)
    samples: int = in_link(whole(1, 12), 1)


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """The layer whose states are drawn (the last where there is none), the picture and its
    dimensions, the step that is looked at and how many words its fan has, at which temperature they
    are weighed, where fans are drawn, and whether the same words shuffled are drawn too."""

    layer: int | None = in_link(LAYER, None)
    picture: str = in_link(PICTURE, "pca")
    dims: int = in_link(DIMS, 2)
    step: int | None = in_link(whole(0, 9_999), None)
    k: int = in_link(whole(1, 200), 20)
    heat: float = in_link(number(0.0, 100.0), 1.0)
    fans: str = in_link(one_of("step", "along", "off"), "step")
    shuffled: bool = in_link(FLAG, False)


@dataclass(frozen=True, kw_only=True)
class LensView:
    """Through which lens the layers are read, and by what its grid is coloured."""

    lens: str = in_link(one_of("logit", "fitted"), "logit")
    shade: str = in_link(one_of("probability", "entropy", "answer"), "probability")


@dataclass(frozen=True, kw_only=True)
class SteeringView:
    """What the model is steered towards and away from, how that direction is made and how strong a
    push is looked at."""

    plus: tuple[str, ...] = in_link(WORDS, ())
    minus: tuple[str, ...] = in_link(WORDS, ())
    made: str = in_link(one_of("prompts", "axis"), "prompts")
    strength: float = in_link(number(-2.0, 2.0), 0.3)


@dataclass(frozen=True, kw_only=True)
class ShapeView:
    """The shape that is looked for, with words of one's own and the form that they are supposed to
    have, and what a map's reader has never met."""

    shape: str = in_link(one_of(*SHAPES), "days")
    words: tuple[str, ...] = in_link(WORDS, ())
    form: str = in_link(one_of("circle", "line"), "circle")
    unseen: str = in_link(one_of("cities", "continents"), "cities")


@dataclass(frozen=True, kw_only=True)
class TrajectoriesView(ShapeView, SteeringView, LensView, PictureView, PromptView):
    """What the trajectories page shows: all that its tabs show, so that a change of tab loses
    nothing. The last base stands first in the link."""
