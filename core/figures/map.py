"""The map: every item of a space as a point, what is chosen in front, names beside the regions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, marks, padded, plain, points
from core.figures.colors import Layer
from core.figures.parts import Figure
from core.figures.scene import Label, label_at
from core.figures.tokens import Tokens
from core.types import Coords, Rows, Vector


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is selected on the map: where it is, its name, and the rows of its true neighbours."""

    text: str
    place: Vector  # (p,)
    neighbors: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    row: int | None = None  # None for a typed text that is no item
    inputs: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # of a sum


def map_figure(
    coords: Coords,
    layer: Layer | None,
    tokens: Tokens,
    revision: str,
    chosen: Chosen | None = None,
) -> Figure:
    """Points of ``coords`` (n, 2 or 3), coloured by ``layer``; lines join ``chosen`` to its
    neighbours of the full space, so that a far one shows where the picture tears.

    Traces by ``meta.role``: items, matches (filled by the search in the browser), links,
    neighbors, inputs, chosen.
    """
    flat = coords.shape[1] == 2
    figure = blank(tokens, revision, **_axes(coords))
    color = {"color": tokens.point} if layer is None else layer.marker()
    size = point_size(len(coords), flat)
    marker = {**color, "size": size, "opacity": point_opacity(len(coords)), "line": {"width": 0}}
    figure.add_trace(points(coords, marker=marker, meta={"role": "items"}))
    ring = {"size": 9, "color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": tokens.accent}}
    figure.add_trace(marks(coords[:0], marker=ring, meta={"role": "matches"}))
    if chosen is not None:
        _choose(figure, coords, chosen, tokens)
    return figure


def map_labels(
    regions: Sequence[Label], coords: Coords, texts: Sequence[str], chosen: Chosen | None
) -> list[Label]:
    """The chosen item first, then its neighbours, then regions from large to small."""
    if coords.shape[1] == 3:
        return []
    labels: list[Label] = []
    if chosen is not None:
        labels.append(label_at(chosen.text, chosen.place, "chosen", 16))
        labels += [label_at(texts[row], coords[row], "near") for row in chosen.neighbors]
    return labels + list(regions)


def focus_on(coords: Coords, chosen: Chosen | None) -> list[float] | None:
    """Ranges (x from, to, y from, to) around the chosen item and the neighbours near it.

    At least a fifth of the map; neighbours that the picture tore away stay outside.
    """
    if chosen is None or coords.shape[1] == 3:
        return None
    span = np.ptp(coords, axis=0).max()
    away = np.abs(coords[chosen.neighbors] - chosen.place).max(axis=1, initial=0)
    near = away[away < 0.25 * span]
    half = float(max(0.1 * span, near.max(initial=0) * 1.15))
    x, y = (float(value) for value in chosen.place)
    return [x - half, x + half, y - half, y + half]


def point_size(n: int, flat: bool = True) -> float:
    """Diameter in pixels: the more points, the smaller."""
    size = float(np.clip(9 - 1.45 * np.log10(max(n, 10)), 1.6, 7))
    return size if flat else max(1.4, size * 0.75)


def point_opacity(n: int) -> float:
    """Translucent when many, so that density shows."""
    return float(np.clip(1.15 - 0.13 * np.log10(max(n, 10)), 0.45, 0.95))


def _axes(coords: Coords) -> dict[str, object]:
    if coords.shape[1] == 3:
        hidden = {"visible": False, "showbackground": False}
        names = ("xaxis", "yaxis", "zaxis")
        camera = {"eye": {"x": 0.8, "y": 0.8, "z": 0.5}}
        return {
            "scene": {
                **dict.fromkeys(names, hidden),
                "aspectmode": "data",
                "camera": camera,
                "dragmode": "orbit",
            }
        }
    return {
        "xaxis": bare_axis(*padded(coords[:, 0])),
        "yaxis": bare_axis(*padded(coords[:, 1])),
    }


def _choose(figure: Figure, coords: Coords, chosen: Chosen, tokens: Tokens) -> None:
    near = coords[chosen.neighbors]
    place = chosen.place[None, :]
    links = np.full((3 * len(near), coords.shape[1]), np.nan, np.float32)
    links[0::3], links[1::3] = place, near
    line = {"width": 1.3, "color": tokens.accent}
    figure.add_trace(marks(links, "lines", line=line, opacity=0.45, meta={"role": "links"}))
    dot = {"size": 7, "color": tokens.accent, "line": {"width": 1, "color": tokens.canvas}}
    rows = [int(row) for row in chosen.neighbors]
    figure.add_trace(marks(near, marker=dot, meta={"role": "neighbors", "rows": rows}))
    border = {"width": 2, "color": tokens.canvas}
    own = [int(row) for row in chosen.inputs]
    dot = {"size": 9, "color": tokens.second, "line": border}
    figure.add_trace(marks(coords[own], marker=dot, meta={"role": "inputs", "rows": own}))
    symbol = "circle" if chosen.row is not None else "diamond"
    big = {"size": 14, "color": tokens.accent, "symbol": symbol, "line": border}
    own = [] if chosen.row is None else [chosen.row]
    mode = "markers" if coords.shape[1] == 2 else "markers+text"
    figure.add_trace(
        marks(
            place,
            mode,
            marker=big,
            text=[plain(chosen.text, 30)],
            textposition="top center",
            meta={"role": "chosen", "rows": own},
        )
    )
