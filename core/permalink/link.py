"""A view as a query string and back. A link is a stranger's input: reading one never fails.

A field at its empty default is left out of the link, every other value is written, so that a link
keeps its meaning when a default changes.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from core.permalink.axes import AxesView
from core.permalink.base import Codec, T
from core.permalink.compare import CompareView
from core.permalink.layers import LayersView
from core.permalink.map import MapView
from core.permalink.paths import PathView
from core.permalink.students import StudentView
from core.permalink.texts import TextsView
from core.permalink.trajectories import TrajectoriesView

MAX_VALUE = 20_000  # characters of one value in the link

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
