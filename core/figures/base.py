"""What all figures share: an empty frame in the theme's colours, ranges, and broken lines."""

from collections.abc import Iterable
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.parts import Figure, Part, scatter, scatter3d, scattergl
from core.figures.tokens import Tokens
from core.types import Coords, QueryCoords

_AXIS = {
    "gridcolor": "white",
    "linecolor": "white",
    "zerolinecolor": "white",
    "ticks": "",
}
_FLAT = {**_AXIS, "title": {"standoff": 15}, "automargin": True, "zerolinewidth": 2}
_DEEP = {**_AXIS, "backgroundcolor": "#E5ECF6", "showbackground": True, "gridwidth": 2}
TEMPLATE = {
    "layout": {
        "autotypenumbers": "strict",
        "hoverlabel": {"align": "left"},
        "xaxis": _FLAT,
        "yaxis": _FLAT,
        "scene": dict.fromkeys(("xaxis", "yaxis", "zaxis"), _DEEP),
        "shapedefaults": {"line": {"color": "#2a3f5f"}},
        "annotationdefaults": {"arrowcolor": "#2a3f5f", "arrowhead": 0, "arrowwidth": 1},
    },
    "data": {
        "scatter": [
            {"type": "scatter", "fillpattern": {"fillmode": "overlay", "size": 10, "solidity": 0.2}}
        ],
        "bar": [{"type": "bar", "marker": {"line": {"color": "#E5ECF6", "width": 0.5}}}],
    },
}
"""What Plotly's own default template says of the parts that these figures have."""


def blank(tokens: Tokens, revision: str, **layout: Any) -> Figure:
    """A figure without margins, ticks or legend; ``revision`` keeps zoom and camera on reruns."""
    return Figure(
        layout={
            "template": TEMPLATE,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": "pan",
            "uirevision": revision,
            "font": {"color": tokens.quiet, "family": "system-ui, sans-serif", "size": 12},
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": tokens.quiet,
                "activecolor": tokens.accent,
                "orientation": "v",
            },
            **layout,
        }
    )


def bare_axis(low: float, high: float) -> dict[str, Any]:
    """An axis without ticks: on a projection it means nothing."""
    return {"visible": False, "range": [low, high], "fixedrange": False}


def ruled_axis(title: str, low: float, high: float, tokens: Tokens) -> dict[str, Any]:
    """An axis that means something: named, ticked, with a quiet grid."""
    return {
        "title": {"text": plain(title), "font": {"size": 12}},
        "range": [low, high],
        "gridcolor": tokens.line,
        "zerolinecolor": tokens.faint,
        "tickfont": {"size": 11},
        "automargin": True,
        "ticks": "",
        "nticks": 7,
    }


def padded(values: npt.NDArray[Any], share: float = 0.04) -> tuple[float, float]:
    """Range of the values with some air on both sides."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    air = share * (high - low) or 1.0
    return low - air, high + air


def points(coords: Coords, **trace: Any) -> Part:
    """Background points: WebGL in the plane, a 3-D scatter in space. Hover is the stage's own."""
    columns = [np.ascontiguousarray(coords[:, axis]) for axis in range(coords.shape[1])]
    if coords.shape[1] == 3:
        return scatter3d(
            x=columns[0], y=columns[1], z=columns[2], mode="markers", hoverinfo="none", **trace
        )
    return scattergl(x=columns[0], y=columns[1], mode="markers", hoverinfo="none", **trace)


def marks(coords: Coords, mode: str = "markers", **trace: Any) -> Part:
    """A few points or a line in front, as SVG in the plane so that they can move smoothly."""
    columns = listed(coords)
    if coords.shape[1] == 3:
        return scatter3d(
            x=columns[0], y=columns[1], z=columns[2], mode=mode, hoverinfo="none", **trace
        )
    return scatter(
        x=columns[0], y=columns[1], mode=mode, hoverinfo="none", cliponaxis=True, **trace
    )


def listed(coords: Coords) -> list[list[float | None]]:
    """Each axis as a list; a gap (NaN) is None, because JSON has no NaN.

    >>> listed(np.float32([[1, 2], [np.nan, np.nan]]))
    [[1.0, None], [2.0, None]]
    """
    return [[None if isnan(value) else value for value in column] for column in coords.T.tolist()]


def broken(coords: Coords, keep: npt.NDArray[np.bool_]) -> QueryCoords:
    """The stretches of a line whose *segments* are kept, as one line with gaps (NaN rows).

    ``keep`` is (m,): segment i joins point i to i + 1 and is drawn when both ends are kept.

    >>> broken(np.float32([[0, 0], [1, 1], [2, 2]]), np.array([True, True, False])).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    pieces: list[npt.NDArray[np.float32]] = []
    for start, stop in _stretches(keep):
        if stop - start > 1:
            pieces += [coords[start:stop], np.full((1, coords.shape[1]), np.nan, np.float32)]
    return np.concatenate(pieces[:-1]) if pieces else coords[:0]


def _stretches(keep: npt.NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, keep, False].astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def plain(text: str, limit: int = 60) -> str:
    """Text that Plotly will not read as markup, shortened."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
