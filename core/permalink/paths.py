"""The view of the paths page."""

from dataclasses import dataclass

from core.paths.curve import MAX_STEPS, STEPS
from core.permalink.base import (
    FLAG,
    LAYER,
    PARAMETERS,
    SEED,
    TEACHER,
    TEXT,
    WORDS,
    Codec,
    in_link,
    join_words,
    one_of,
    split_words,
    whole,
)


def _kinds(value: str) -> tuple[str, ...]:
    kinds = split_words(value)
    if not kinds or len(set(kinds)) < len(kinds) or not {*kinds} <= {"lerp", "slerp", "graph"}:
        raise ValueError("some of lerp, slerp and graph, each once")
    return kinds


KINDS: Codec[tuple[str, ...]] = Codec(join_words, _kinds)


@dataclass(frozen=True, kw_only=True)
class SpacePathView:
    """A path through a space: waypoints as typed (a single one is a sum, ``king - man``), the kinds
    of path laid over it, and whether the waypoints may be decoded on the way."""

    teacher: str = in_link(TEXT, TEACHER)
    revision: str = in_link(TEXT, "")
    waypoints: tuple[str, ...] = in_link(WORDS, ())
    kinds: tuple[str, ...] = in_link(KINDS, ("slerp",))
    steps: int = in_link(whole(2, MAX_STEPS), STEPS)
    centred: bool = in_link(FLAG, False)
    csls: bool = in_link(FLAG, False)
    own_words: bool = in_link(FLAG, False)
    projector: str = in_link(TEXT, "umap")
    parameters: tuple[tuple[str, int | float], ...] = in_link(PARAMETERS, ())
    seed: int | None = in_link(SEED, None)


@dataclass(frozen=True, kw_only=True)
class ModelPathView:
    """What a language model says between two concepts (``ends``, ``blend``, ``samples`` steps) or
    on the plane of three (``corners``, ``grid`` cells a side), by ``model`` at ``layer`` (the
    suggested one where there is none); ``beside`` is another layer of it that is asked the same."""

    model: str = in_link(TEXT, "smollm2")
    layer: int | None = in_link(LAYER, None)
    beside: int | None = in_link(LAYER, None)
    ends: tuple[str, ...] = in_link(WORDS, ())
    corners: tuple[str, ...] = in_link(WORDS, ())
    blend: str = in_link(one_of("lerp", "slerp", "centred"), "lerp")
    samples: int = in_link(whole(3, 101), 21)
    grid: int = in_link(whole(5, 61), 21)


@dataclass(frozen=True, kw_only=True)
class PathView(ModelPathView, SpacePathView):
    """What the paths page shows: the path through a space, or what a language model says.

    ``spot`` is a place of the map where no item is, as "x,y@picture"."""

    show: str = in_link(one_of("way", "between", "islands"), "way")
    spot: str = in_link(TEXT, "")
