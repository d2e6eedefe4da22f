"""Figures as Plotly.js reads them: plain data, made without Plotly's own objects.

Plotly checks and copies every property of a figure each time one is made, which was a third of
what an answer took of the processor. Here nothing is checked while somebody waits: the tests give
every figure that they meet to Plotly, which refuses a property that it does not know.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Column = Callable[[npt.NDArray[Any]], Any]
_SHORT = {"float32": "f4", "float64": "f8", "int32": "i4", "int16": "i2", "int8": "i1"}
_SHORT |= {"uint32": "u4", "uint16": "u2", "uint8": "u1"}
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Part(dict[str, Any]):
    """A trace, a layout, or something inside them; its properties are attributes, too.

    >>> dot = Part(type="scatter", marker={"size": 4}).merge(marker={"color": "red"}, mode="lines")
    >>> dot.marker.color, dot.mode, dot.text
    ('red', 'lines', None)
    """

    def __getattr__(self, name: str) -> Any:
        value = self.get(name)
        return Part(value) if type(value) is dict else value

    def merge(self, **changes: Any) -> "Part":
        """Take the changes over, those inside a property into it; answers itself."""
        for name, value in changes.items():
            own = self.get(name)
            inside = isinstance(own, dict) and isinstance(value, dict)
            self[name] = Part(own or {}).merge(**value) if inside else value
        return self


class Figure:
    """Traces, a layout, and frames: each frame a step, with the traces that it moves."""

    def __init__(self, layout: dict[str, Any]) -> None:
        self.data: list[Part] = []
        self.layout = Part(layout)
        self.frames: list[Part] = []

    def add_trace(self, trace: Part) -> None:
        """Draw a trace over the others."""
        self.data.append(trace)

    def update_layout(self, **changes: Any) -> None:
        """Take changes of the layout over, those inside a property into it."""
        self.layout.merge(**changes)

    def add_shape(self, **shape: Any) -> None:
        """Draw a line or a rectangle."""
        self.layout["shapes"] = [*self.layout.get("shapes", ()), shape]

    def add_annotation(self, **annotation: Any) -> None:
        """Write a text into the picture."""
        self.layout["annotations"] = [*self.layout.get("annotations", ()), annotation]

    def to_dict(self, column: Column | None = None) -> dict[str, Any]:
        """The figure as JSON, what is None left out; ``column`` says how arrays of numbers travel,
        which is :func:`packed` unless it is given."""
        whole = {"data": self.data, "layout": self.layout, "frames": self.frames}
        told: dict[str, Any] = _told(whole, column or packed)
        return told


def scatter(**properties: Any) -> Part:
    """Points or lines as SVG, which can move smoothly."""
    return Part(type="scatter", **properties)


def scattergl(**properties: Any) -> Part:
    """Very many points, by WebGL."""
    return Part(type="scattergl", **properties)


def scatter3d(**properties: Any) -> Part:
    """Points or lines in space."""
    return Part(type="scatter3d", **properties)


def frame(step: int, moved: Sequence[int], traces: Sequence[Part]) -> Part:
    """Where the traces of the numbers ``moved`` are at a step; never how they look."""
    return Part(name=str(step), traces=list(moved), data=list(traces))


def readable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array as a browser can hold it: contiguous, and integers of 32 bits instead of 64."""
    return np.ascontiguousarray(array, dtype=np.int32 if array.dtype == np.int64 else None)


def packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """An array of numbers as Plotly.js reads it: bytes in base64, their kind, and the shape where
    there is more than one dimension."""
    array = readable(array)
    told = {
        "dtype": _SHORT[array.dtype.name],
        "bdata": base64.b64encode(array.data).decode("ascii"),
    }
    return told if array.ndim == 1 else {**told, "shape": ", ".join(map(str, array.shape))}


def _told(value: Any, column: Column) -> Any:
    """Plain JSON of a part; lists of numbers and texts, which are most of it, go as they are."""
    if isinstance(value, dict):
        return {name: _told(it, column) for name, it in value.items() if it is not None}
    if isinstance(value, list | tuple):
        if _PLAIN.issuperset(map(type, value)):
            return list(value)
        return [_told(it, column) for it in value]
    if isinstance(value, np.ndarray):
        return column(value) if value.dtype.name in _NUMBERS else value.tolist()
    return value.item() if isinstance(value, np.generic) else value


_NUMBERS = frozenset({*_SHORT, "int64"})
