"""The view of the axes page."""

from dataclasses import dataclass

from core.permalink.base import FLAG, TEACHER, TEXT, WORDS, in_link


@dataclass(frozen=True, kw_only=True)
class AxesView:
    """What the axes page shows: two words lists for each axis, and the words to point out."""

    teacher: str = in_link(TEXT, TEACHER)
    revision: str = in_link(TEXT, "")
    x_from: tuple[str, ...] = in_link(WORDS, ())
    x_to: tuple[str, ...] = in_link(WORDS, ())
    y_from: tuple[str, ...] = in_link(WORDS, ())
    y_to: tuple[str, ...] = in_link(WORDS, ())
    highlight: tuple[str, ...] = in_link(WORDS, ())
    centred: bool = in_link(FLAG, False)
