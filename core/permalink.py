"""View state <-> query string. A link is a stranger's input: reading one never fails.

Each view is a frozen dataclass whose fields carry how they are written and read; a field at its
empty default is left out of the link, every other value is written, so that a link keeps its
meaning when a default changes. An item is named by its address (core/spaces/identity.py): its
text, or its text and its id where texts are equal. Lists are joined by commas, with ``\\`` before
a comma or a backslash inside a word.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeAlias, TypeVar

from core.paths.curve import MAX_STEPS, STEPS
from core.students.registry import NAMES as FAMILIES

T = TypeVar("T")

TEACHER = "minilm:tokens"
MAX_TEXT = 2_000  # characters of one text
MAX_VALUE = 20_000  # characters of one value in the link
MAX_WORDS = 200
MAX_SEED = 2**32 - 1

Parameters: TypeAlias = tuple[tuple[str, int | float], ...]


@dataclass(frozen=True)
class Codec(Generic[T]):
    """``read`` undoes ``write``, and raises ValueError with what it expected."""

    write: Callable[[T], str]
    read: Callable[[str], T]


def _in_link(codec: Codec[Any], default: Any) -> Any:
    return field(default=default, metadata={"codec": codec})


def _text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise ValueError(f"a text of at most {MAX_TEXT:,} characters")
    return value


def _whole(low: int, high: int) -> Codec[int]:
    def read(value: str) -> int:
        # int() would also take underscores, spaces and any number of digits.
        if not re.fullmatch(r"-?[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return Codec(str, read)


def _one_of(*names: str) -> Codec[str]:
    def read(value: str) -> str:
        if value not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return value

    return Codec(str, read)


def _number(low: float, high: float) -> Codec[float]:
    def write(value: float) -> str:
        return str(int(value)) if value == int(value) else repr(value)

    def read(value: str) -> float:
        number = _float(value) if re.fullmatch(r"[0-9.e+-]{1,30}", value) else math.nan
        if not low <= number <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return number

    return Codec(write, read)


def _flag(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("0 or 1")
    return value == "1"


def join_words(words: tuple[str, ...]) -> str:
    r"""Words as one string; the empty word is written ``\e``.

    >>> join_words(("small", "3,5"))
    'small,3\\,5'
    """
    escaped = (word.replace("\\", "\\\\").replace(",", "\\,") for word in words)
    return ",".join(word or "\\e" for word in escaped)


def split_words(value: str) -> tuple[str, ...]:
    """Undo :func:`join_words`. Raises ValueError for a stray backslash and too many words."""
    if not value:
        return ()
    words = [""]
    position = 0
    while position < len(value):
        character = value[position]
        if character == "\\":
            position += 1
            following = value[position : position + 1]
            if following not in ("\\", ",", "e"):
                raise ValueError("words joined by commas, a comma inside one written \\,")
            words[-1] += "" if following == "e" else following
        elif character == ",":
            words.append("")
        else:
            words[-1] += character
        position += 1
    if len(words) > MAX_WORDS or max(map(len, words)) > MAX_TEXT:
        raise ValueError(f"at most {MAX_WORDS} words of at most {MAX_TEXT:,} characters")
    return tuple(words)


def _kinds(value: str) -> tuple[str, ...]:
    kinds = split_words(value)
    if not kinds or len(set(kinds)) < len(kinds) or not {*kinds} <= {"lerp", "slerp", "graph"}:
        raise ValueError("some of lerp, slerp and graph, each once")
    return kinds


def _write_parameters(parameters: Parameters) -> str:
    return ",".join(f"{name}:{value!r}" for name, value in parameters)


def _read_parameters(value: str) -> Parameters:
    parameters: dict[str, int | float] = {}
    for entry in value.split(",") if value else ():
        match = re.fullmatch(r"([a-z_][a-z0-9_]{0,39}):(-?[0-9.e+-]{1,30})", entry)
        if not match or match[1] in parameters or len(parameters) == 40:
            raise ValueError("parameters as name:number, joined by commas, each once")
        whole = re.fullmatch(r"-?[0-9]{1,18}", match[2])
        number = int(match[2]) if whole else _float(match[2])
        parameters[match[1]] = number
    return tuple(parameters.items())


def _float(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


TEXT: Codec[str] = Codec(str, _text)
WORDS: Codec[tuple[str, ...]] = Codec(join_words, split_words)
KINDS: Codec[tuple[str, ...]] = Codec(join_words, _kinds)
FLAG: Codec[bool] = Codec(lambda value: "1" if value else "0", _flag)
SEED: Codec[int] = _whole(0, MAX_SEED)
DIMS: Codec[int] = _whole(2, 3)
PARAMETERS: Codec[Parameters] = Codec(_write_parameters, _read_parameters)
FAMILY: Codec[str] = _one_of(*FAMILIES)
BYTES: Codec[float] = _number(0.0, 1e6)
MEASURE: Codec[str] = _one_of("relative_error", "cosine", "recall10")
PICTURE: Codec[str] = _one_of("umap", "pca")
LAYOUT: Codec[str] = _one_of("side", "morph")
LAYER: Codec[int] = _whole(0, 999)


@dataclass(frozen=True)
class MapView:
    """What the map shows. ``parameters`` are the projector's own fields, name and number;
    ``revision`` is the short digest of the space that the link was made on. ``spot`` is a place of
    the picture where no item is, "x,y@picture" (see :func:`clicked`), or a way whose middle is
    meant, "dog > table"."""

    teacher: str = _in_link(TEXT, TEACHER)
    revision: str = _in_link(TEXT, "")
    projector: str = _in_link(TEXT, "umap")
    parameters: tuple[tuple[str, int | float], ...] = _in_link(PARAMETERS, ())
    seed: int | None = _in_link(SEED, None)
    dims: int = _in_link(DIMS, 2)
    colour: str = _in_link(TEXT, "category")
    selected: str | None = _in_link(TEXT, None)
    spot: str = _in_link(TEXT, "")


@dataclass(frozen=True)
class PathView:
    """What the paths page shows: waypoints as typed (a single one is a sum, ``king - man``), the
    kinds of path laid over it, and whether the waypoints may be decoded on the way.

    ``show`` is the way through a space, or what a language model says: between two concepts
    (``ends``, ``blend``, ``samples`` steps) or on the plane of three (``corners``, ``grid`` cells a
    side), by ``model`` at ``layer`` (the suggested one where there is none); ``beside`` is another
    layer of it that is asked the same. ``spot`` is a place of the map where no item is, as
    "x,y@picture"."""

    show: str = _in_link(_one_of("way", "between", "islands"), "way")
    teacher: str = _in_link(TEXT, TEACHER)
    revision: str = _in_link(TEXT, "")
    waypoints: tuple[str, ...] = _in_link(WORDS, ())
    kinds: tuple[str, ...] = _in_link(KINDS, ("slerp",))
    steps: int = _in_link(_whole(2, MAX_STEPS), STEPS)
    centred: bool = _in_link(FLAG, False)
    csls: bool = _in_link(FLAG, False)
    own_words: bool = _in_link(FLAG, False)
    projector: str = _in_link(TEXT, "umap")
    parameters: tuple[tuple[str, int | float], ...] = _in_link(PARAMETERS, ())
    seed: int | None = _in_link(SEED, None)
    model: str = _in_link(TEXT, "smollm2")
    layer: int | None = _in_link(LAYER, None)
    beside: int | None = _in_link(LAYER, None)
    ends: tuple[str, ...] = _in_link(WORDS, ())
    corners: tuple[str, ...] = _in_link(WORDS, ())
    blend: str = _in_link(_one_of("lerp", "slerp", "centred"), "lerp")
    spot: str = _in_link(TEXT, "")
    samples: int = _in_link(_whole(3, 101), 21)
    grid: int = _in_link(_whole(5, 61), 21)


@dataclass(frozen=True)
class AxesView:
    """What the axes page shows: two words lists for each axis, and the words to point out."""

    teacher: str = _in_link(TEXT, TEACHER)
    revision: str = _in_link(TEXT, "")
    x_from: tuple[str, ...] = _in_link(WORDS, ())
    x_to: tuple[str, ...] = _in_link(WORDS, ())
    y_from: tuple[str, ...] = _in_link(WORDS, ())
    y_to: tuple[str, ...] = _in_link(WORDS, ())
    highlight: tuple[str, ...] = _in_link(WORDS, ())
    centred: bool = _in_link(FLAG, False)


@dataclass(frozen=True)
class StudentView:
    """What the students page shows: the family and budget in the form (0 leaves it to the page),
    the measure on the curve, the key of the student that is looked at, and the text that it was
    asked for."""

    teacher: str = _in_link(TEXT, TEACHER)
    revision: str = _in_link(TEXT, "")
    family: str = _in_link(FAMILY, "hybrid")
    bytes_per_item: float = _in_link(BYTES, 0.0)
    measure: str = _in_link(MEASURE, "relative_error")
    student: str = _in_link(TEXT, "")
    text: str = _in_link(TEXT, "")


@dataclass(frozen=True)
class CompareView:
    """What the compare page shows: two spaces by their reference strings, the item that is
    selected in both, the picture that they are drawn in, side by side or one morphing into the
    other, their colour, the two texts between which a way is walked in both, and a place of one of
    the maps where no item is, as "x,y@picture"."""

    a: str = _in_link(TEXT, TEACHER)
    b: str = _in_link(TEXT, "")
    item: str = _in_link(TEXT, "")
    picture: str = _in_link(PICTURE, "umap")
    layout: str = _in_link(LAYOUT, "side")
    colour: str = _in_link(TEXT, "drift")
    waypoints: tuple[str, ...] = _in_link(WORDS, ())
    spot: str = _in_link(TEXT, "")


@dataclass(frozen=True)
class LayersView:
    """What the layers page shows: the model that is read and a second one beside it, the question
    (one of its four views), the sentences as typed, the chosen token counted over all of them, how
    the layers are laid into one picture, the word whose senses part, the chosen layer (the page's
    own choice where there is none), and the task of the probes."""

    model: str = _in_link(TEXT, "minilm")
    second: str = _in_link(TEXT, "")
    show: str = _in_link(_one_of("sentence", "senses", "measures", "probes"), "sentence")
    sentences: tuple[str, ...] = _in_link(WORDS, ())
    token: int | None = _in_link(_whole(0, 99_999), None)
    fit: str = _in_link(_one_of("joint", "aligned", "each"), "joint")
    picture: str = _in_link(PICTURE, "pca")
    word: str = _in_link(TEXT, "bank")
    layer: int | None = _in_link(LAYER, None)
    task: str = _in_link(TEXT, "category")


@dataclass(frozen=True)
class TextsView:
    """What the texts page shows: the model that reads, documents or single sentences, what is
    searched for, the title of the document whose way is drawn, the part of it that is looked at
    (from 0), the key of a document of one's own in its place, the colour, and a place of the map of
    sentences where none is, as on the map."""

    model: str = _in_link(TEXT, "minilm")
    show: str = _in_link(_one_of("documents", "sentences"), "documents")
    query: str = _in_link(TEXT, "")
    document: str = _in_link(TEXT, "")
    part: int | None = _in_link(_whole(0, 999_999), None)
    own: str = _in_link(TEXT, "")
    colour: str = _in_link(_one_of("source", "region", "plain"), "source")
    spot: str = _in_link(TEXT, "")


SHAPES = ("days", "months", "numbers", "cities", "own")
TRAJECTORY_VIEWS = ("path", "lens", "laws", "steer", "shapes")


@dataclass(frozen=True)
class TrajectoriesView:
    """What the trajectories page shows: the causal model that writes and what is laid beside it
    (another layer as ``layer12``, or another model), the question (one of its views), the prompt,
    how tokens are chosen, how many samples, the layer whose states are drawn (the last where there
    is none), the picture and its dimensions, the step that is looked at and how many words its fan
    has, at which temperature they are weighed, where fans are drawn, whether the same words
    shuffled are drawn too, through which lens the layers are read, and by what its grid is
    coloured; what the model is steered towards and away from, how that direction is made and how
    strong a push is looked at; the shape that is looked for, with words of one's own and the form
    that they are supposed to have, and what a map's reader has never met."""

    model: str = _in_link(TEXT, "smollm2")
    second: str = _in_link(TEXT, "")
    show: str = _in_link(_one_of(*TRAJECTORY_VIEWS), "path")
    prompt: str = _in_link(TEXT, "")
    steps: int = _in_link(_whole(1, 500), 40)
    temperature: float = _in_link(_number(0.0, 100.0), 0.0)
    top_p: float = _in_link(_number(0.01, 1.0), 1.0)
    seed: int = _in_link(SEED, 0)
    samples: int = _in_link(_whole(1, 12), 1)
    layer: int | None = _in_link(LAYER, None)
    picture: str = _in_link(PICTURE, "pca")
    dims: int = _in_link(DIMS, 2)
    step: int | None = _in_link(_whole(0, 9_999), None)
    k: int = _in_link(_whole(1, 200), 20)
    heat: float = _in_link(_number(0.0, 100.0), 1.0)
    fans: str = _in_link(_one_of("step", "along", "off"), "step")
    lens: str = _in_link(_one_of("logit", "fitted"), "logit")
    shade: str = _in_link(_one_of("probability", "entropy", "answer"), "probability")
    shuffled: bool = _in_link(FLAG, False)
    plus: tuple[str, ...] = _in_link(WORDS, ())
    minus: tuple[str, ...] = _in_link(WORDS, ())
    made: str = _in_link(_one_of("prompts", "axis"), "prompts")
    strength: float = _in_link(_number(-2.0, 2.0), 0.3)
    shape: str = _in_link(_one_of(*SHAPES), "days")
    words: tuple[str, ...] = _in_link(WORDS, ())
    form: str = _in_link(_one_of("circle", "line"), "circle")
    unseen: str = _in_link(_one_of("cities", "continents"), "cities")


CLICKED = re.compile(r"(-?[0-9][0-9.e+-]{0,29}),(-?[0-9][0-9.e+-]{0,29})@([0-9a-f]{16})")


def clicked(spot: str) -> tuple[float, float, str] | None:
    """x, y and the picture of a place that was clicked; None for a way that was typed.

    >>> clicked("0.2,-1@00112233445566ff"), clicked("dog > table")
    ((0.2, -1.0, '00112233445566ff'), None)
    """
    match = CLICKED.fullmatch(spot)
    try:
        return None if match is None else (_float(match[1]), _float(match[2]), match[3])
    except ValueError:
        return None


View: TypeAlias = (
    MapView
    | PathView
    | AxesView
    | StudentView
    | CompareView
    | LayersView
    | TextsView
    | TrajectoriesView
)
VIEWS: dict[str, type[View]] = {
    "home": MapView,
    "map": MapView,
    "paths": PathView,
    "axes": AxesView,
    "student": StudentView,
    "compare": CompareView,
    "layers": LayersView,
    "texts": TextsView,
    "trajectories": TrajectoriesView,
}


def encode(view: View) -> dict[str, str]:
    """The query parameters of a view; ``decode`` gives the same view back.

    >>> encode(PathView(waypoints=("dog", "table")))["waypoints"]
    'dog,table'
    """
    parameters = {}
    for each in fields(view):
        value = getattr(view, each.name)
        if value == each.default and value in (None, "", ()):
            continue
        parameters[each.name] = each.metadata["codec"].write(value)
    return parameters


def decode(page: str, parameters: Mapping[str, object]) -> tuple[View, list[str]]:
    """The view that a link asks for, and one warning for each value that was not understood.

    What is missing or not understood takes its default; keys that no view knows are ignored.
    Whether the teacher, the words and the colour exist is for the page to find out.
    """
    warnings = []
    kind = VIEWS.get(page)
    if kind is None:
        warnings.append(f"found page {page!r:.40}; expected one of {', '.join(VIEWS)}")
        kind = MapView
    values: dict[str, Any] = {}
    for each in fields(kind):
        if each.name not in parameters:
            continue
        value = parameters[each.name]
        try:
            values[each.name] = _read(each.metadata["codec"], value)
        except ValueError as error:
            default = "nothing" if each.default in (None, "", ()) else repr(each.default)
            shown = _shortened(value)
            warnings.append(
                f"found {each.name} = {shown} in the link; expected {error}: using {default}"
            )
    return kind(**values), warnings


def _read(codec: Codec[T], value: object) -> T:
    if not isinstance(value, str):
        raise ValueError("a text")
    if len(value) > MAX_VALUE:
        raise ValueError(f"at most {MAX_VALUE:,} characters")
    return codec.read(value)


def _shortened(value: object) -> str:
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return repr(value) if len(value) <= 40 else f"{value[:37]!r}..."
