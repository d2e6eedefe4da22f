"""A scene: what the stage shows, as plain data. Pages mount it, exports write it into a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.figures.parts import Figure, packed
from core.types import Vector

LabelKind = Literal["region", "chosen", "second", "near", "student", "quiet"]
Tag = Literal["measured", "projected", "decoded", "answered", "read by a lens", "hypothesis"]
TAG_HELP: dict[Tag, str] = {
    "measured": "Computed from the vectors themselves; nothing was flattened.",
    "projected": "Many dimensions flattened to a few: neighbours are partly lost, distances "
    "between far regions mean little, and the axes mean nothing.",
    "decoded": "Words read off points: the nearest items of the space, not what a model would say.",
    "answered": "What a language model itself says when such a state is written into a question.",
    "read by a lens": "What the model's own head for words reads off a state in the middle of the "
    "model. The model itself reads the last layer only.",
    "hypothesis": "A guess to be tested.",
}


@dataclass(frozen=True)
class Label:
    """A name on the picture; earlier labels win when two would touch."""

    text: str
    x: float
    y: float
    kind: LabelKind = "region"
    px: int = 12
    above: bool = False


def label_at(text: str, place: Vector, kind: LabelKind = "region", px: int = 12) -> Label:
    """A label above a point (p,) of the picture, cut to 40 characters."""
    return Label(text[:40], float(place[0]), float(place[1]), kind, px, above=True)


@dataclass(frozen=True, eq=False)
class Morph:
    """The other end of a picture: where every item (n, 2) and every label is in a second space.

    Traces whose ``meta.follow`` gives an item for each vertex (-1: stays) move with the items.
    """

    names: tuple[str, str]
    colors: tuple[str, str]
    coords: npt.NDArray[np.float32]
    labels: Sequence[Label] = ()


@dataclass(frozen=True, eq=False)
class Mover:
    """A named dot that walks through a picture while the scene's player plays: one place a step,
    ``way`` (steps, 2). What is ``chosen`` stands out, keeps its name and draws its way; ``row`` is
    what a click on it chooses."""

    text: str
    way: npt.NDArray[np.float32]
    color: str
    row: int
    chosen: bool = False
    named: bool = True
    detail: str = ""


@dataclass(frozen=True)
class Picture:
    """One figure with its frame: title, tag, labels, and a text for those who can't see it.

    Pictures of the same ``space`` morph into each other when the page changes; side by side on
    one stage they point, zoom and select together. ``movers`` walk over it with the player, and
    ``steps`` are where its items (n, 2) stand at each of the player's steps, for a picture whose
    background moves too. ``labels_at`` are shown at their step of the player alone, before all
    others. A ``ground`` answers clicks where no item is, with the place.
    """

    figure: Figure
    title: str
    tag: Tag
    alt: str
    height: int = 620
    grow: float = 1.0
    labels: Sequence[Label] = ()
    space: str = ""
    hint: str = ""
    fill: int = 0  # pixels of the window left to the rest of the page; 0 keeps the height
    focus: Sequence[float] | None = None  # x from, to, y from, to: where to look first
    color: str = ""  # of the space, where a scene shows more than one
    near: npt.NDArray[np.int32] | None = None  # (n, 3) true neighbours here, if not the items' own
    morph: Morph | None = None
    movers: Sequence[Mover] = ()
    steps: Sequence[npt.NDArray[np.float32]] = ()
    labels_at: Sequence[Sequence[Label]] = ()
    ground: bool = False


@dataclass(frozen=True)
class Items:
    """What the hover card and the search know: texts, a quiet line, three true neighbours."""

    texts: Sequence[str]
    details: Sequence[str] | None = None
    near: npt.NDArray[np.int32] | None = None  # (n, 3)


@dataclass(frozen=True)
class Strip:
    """Decoded words of one path: runs of (start, stop, text, off the data). ``flowing`` ones are
    set as running text; the others are spaced by their steps."""

    name: str
    color: str
    runs: Sequence[tuple[int, int, str, bool]]
    flowing: bool = False


@dataclass(frozen=True)
class Player:
    """One scrubber for all pictures: parameters t, strips of words, and the way told in text.

    ``names`` are what the steps are called where t says nothing to a reader; ``start`` is the step
    to begin with. With ``report`` the page is told of a step that somebody goes to.
    """

    t: Sequence[float]
    strips: Sequence[Strip]
    transcript: Sequence[str]
    seconds: float = 9.0
    names: Sequence[str] = ()
    start: int = 0
    report: bool = False


@dataclass(frozen=True)
class Scene:
    """Everything on one stage."""

    name: str
    pictures: Sequence[Picture]
    items: Items | None = None
    legend: dict[str, Any] | None = None
    search: str | None = None
    player: Player | None = None
    tokens: dict[str, str] = field(default_factory=dict)


def to_json(
    scene: Scene,
    array: Callable[[npt.NDArray[Any]], Any],
    strings: Callable[[Sequence[str]], Any],
    column: Callable[[npt.NDArray[Any]], Any] = packed,
) -> dict[str, Any]:
    """The scene as JSON; ``array`` and ``strings`` say how large data travels, ``column`` how that
    of the figures does."""
    items = scene.items
    return {
        "name": scene.name,
        "tokens": scene.tokens,
        "pictures": [_picture(picture, array, column) for picture in scene.pictures],
        "items": None
        if items is None
        else {
            "texts": strings(items.texts),
            "details": None if items.details is None else strings(items.details),
            "near": None if items.near is None else array(items.near.astype(np.int32).ravel()),
        },
        "legend": scene.legend,
        "search": scene.search,
        "player": None if scene.player is None else _player(scene.player),
    }


def _picture(
    picture: Picture,
    array: Callable[[npt.NDArray[Any]], Any],
    column: Callable[[npt.NDArray[Any]], Any],
) -> dict[str, Any]:
    return {
        "figure": {**picture.figure.to_dict(column), "config": CONFIG},
        "title": picture.title,
        "tag": picture.tag,
        "tag_help": TAG_HELP[picture.tag],
        "hint": picture.hint,
        "alt": picture.alt,
        "height": picture.height,
        "grow": picture.grow,
        "labels": [vars(label) for label in picture.labels],
        "space": picture.space,
        "fill": picture.fill,
        "focus": None if picture.focus is None else list(picture.focus),
        "color": picture.color,
        "near": None if picture.near is None else array(picture.near.astype(np.int32).ravel()),
        "morph": None if picture.morph is None else _morph(picture.morph, array),
        "movers": [_mover(mover) for mover in picture.movers],
        "steps": [
            {axis: array(np.ascontiguousarray(coords[:, k])) for k, axis in enumerate("xy")}
            for coords in picture.steps
        ],
        "ground": picture.ground,
        "labels_at": [[vars(label) for label in labels] for labels in picture.labels_at],
    }


def _mover(mover: Mover) -> dict[str, Any]:
    return {**vars(mover), "way": mover.way.round(4).tolist()}


def _morph(morph: Morph, array: Callable[[npt.NDArray[Any]], Any]) -> dict[str, Any]:
    return {
        "names": list(morph.names),
        "colors": list(morph.colors),
        "x": array(np.ascontiguousarray(morph.coords[:, 0])),
        "y": array(np.ascontiguousarray(morph.coords[:, 1])),
        "labels": [{"x": label.x, "y": label.y} for label in morph.labels],
    }


def _player(player: Player) -> dict[str, Any]:
    strips = [
        {
            "name": strip.name,
            "color": strip.color,
            "flowing": strip.flowing,
            "runs": [
                {"start": start, "stop": stop, "text": text, "off": off}
                for start, stop, text, off in strip.runs
            ],
        }
        for strip in player.strips
    ]
    return {
        "t": list(player.t),
        "strips": strips,
        "transcript": list(player.transcript),
        "seconds": player.seconds,
        "names": list(player.names),
        "start": player.start,
        "report": player.report,
    }


CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "scrollZoom": True,
    "showSendToCloud": False,  # nothing leaves this machine
    "modeBarButtonsToRemove": ["autoScale2d", "resetScale2d", "hoverClosest3d", "sendDataToCloud"],
    "toImageButtonOptions": {"format": "png", "filename": "meaning-space", "scale": 2},
}
