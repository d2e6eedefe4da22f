"""What the views of all pages share: how one value is written into a link, and read from it.

An item is named by its address (core/spaces/identity.py): its text, or its text and its id where
texts are equal. Lists are joined by commas, with ``\\`` before a comma or a backslash inside a
word.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

TEACHER = "minilm:tokens"
MAX_TEXT = 2_000  # characters of one text
MAX_WORDS = 200
MAX_SEED = 2**32 - 1

Parameters: TypeAlias = tuple[tuple[str, int | float], ...]


@dataclass(frozen=True)
class Codec(Generic[T]):
    """``read`` undoes ``write``, and raises ValueError with what it expected."""

    write: Callable[[T], str]
    read: Callable[[str], T]


def in_link(codec: Codec[Any], default: Any) -> Any:
    """A field of a view: how its value is written and read, and its default."""
    return field(default=default, metadata={"codec": codec})


def whole(low: int, high: int) -> Codec[int]:
    """Whole numbers in a range, both ends included."""

    def read(value: str) -> int:
        # int() would also take underscores, spaces and any number of digits.
        if not re.fullmatch(r"-?[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return Codec(str, read)


def one_of(*names: str) -> Codec[str]:
    """One of some names."""

    def read(value: str) -> str:
        if value not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return value

    return Codec(str, read)


def number(low: float, high: float) -> Codec[float]:
    """Numbers in a range, both ends included; 1.0 is written 1."""

    def write(value: float) -> str:
        return str(int(value)) if value == int(value) else repr(value)

    def read(value: str) -> float:
        parsed = _float(value) if re.fullmatch(r"[0-9.e+-]{1,30}", value) else math.nan
        if not low <= parsed <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return parsed

    return Codec(write, read)


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


def _text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise ValueError(f"a text of at most {MAX_TEXT:,} characters")
    return value


def _flag(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("0 or 1")
    return value == "1"


def _write_parameters(parameters: Parameters) -> str:
    return ",".join(f"{name}:{value!r}" for name, value in parameters)


def _read_parameters(value: str) -> Parameters:
    parameters: dict[str, int | float] = {}
    for entry in value.split(",") if value else ():
        match = re.fullmatch(r"([a-z_][a-z0-9_]{0,39}):(-?[0-9.e+-]{1,30})", entry)
        if not match or match[1] in parameters or len(parameters) == 40:
            raise ValueError("parameters as name:number, joined by commas, each once")
        integer = re.fullmatch(r"-?[0-9]{1,18}", match[2])
        parameters[match[1]] = int(match[2]) if integer else _float(match[2])
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
FLAG: Codec[bool] = Codec(lambda value: "1" if value else "0", _flag)
SEED: Codec[int] = whole(0, MAX_SEED)
DIMS: Codec[int] = whole(2, 3)
PARAMETERS: Codec[Parameters] = Codec(_write_parameters, _read_parameters)
PICTURE: Codec[str] = one_of("umap", "pca")
LAYER: Codec[int] = whole(0, 999)
