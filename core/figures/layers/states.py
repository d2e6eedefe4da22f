"""A model's layers: states on one picture, curves over the layers, and layer against layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, listed, marks, padded, plain, points, ruled_axis
from core.figures.colors import Layer
from core.figures.map import point_opacity, point_size
from core.figures.parts import Figure, Part, scatter
from core.figures.tokens import VIRIDIS, VIRIDIS_DARK, Tokens
from core.types import Coords, QueryCoords

MOST_NAMED = 13  # layers side by side that each have room for a number


def layer_name(number: int) -> str:
    """What a layer is called: 0 is before any attention.

    >>> layer_name(0), layer_name(3)
    ('embeddings', 'layer 3')
    """
    return "embeddings" if number == 0 else f"layer {number}"


def layer_colours(counts: Sequence[int], dark: bool) -> Layer:
    """States coloured by their layer, ``counts`` of each: dark is early, bright is late."""
    scale = (VIRIDIS, VIRIDIS_DARK)[dark]
    last = max(len(counts) - 1, 1)
    values = np.repeat(np.arange(len(counts), dtype=np.float32), counts)
    colorscale = [[k / (len(scale) - 1), color] for k, color in enumerate(scale)]
    legend = {
        "title": "Layer",
        "low": "embeddings",
        "high": f"{last}, the last",
        "gradient": list(scale),
    }
    return Layer(values, colorscale, 0.0, float(last), legend)


def layers_map(
    coords: Coords,
    ranges: QueryCoords,
    layer: Layer | None,
    ways: Sequence[tuple[npt.NDArray[np.float32], str]],
    tokens: Tokens,
    revision: str,
) -> Figure:
    """States (n, 2) behind the movers, in a window that holds ``ranges`` (r, 2) too; ``ways``
    (l, 2) are whole paths of tokens with their colours.

    Traces by ``meta.role``: items, matches, way.
    """
    shown = np.concatenate([coords, ranges])
    axes = [bare_axis(*padded(shown[:, axis])) for axis in (0, 1)]
    figure = blank(tokens, revision, xaxis=axes[0], yaxis=axes[1])
    color = {"color": tokens.point} if layer is None else layer.marker()
    few = len(coords) < 200
    marker = {
        **color,
        "size": point_size(len(coords)),
        "opacity": 0.9 if few else 0.5 * point_opacity(len(coords)),
        "line": {"width": 0},
    }
    draw = marks if few else points  # Plotly cannot draw WebGL points of which there are none
    figure.add_trace(draw(coords, marker=marker, meta={"role": "items"}))
    ring = {"size": 9, "color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": tokens.accent}}
    figure.add_trace(marks(coords[:0], marker=ring, meta={"role": "matches"}))
    for way, stroke in ways:
        dots = {"size": 5, "color": stroke}
        line = {"width": 2, "color": stroke}
        meta = {"role": "way"}
        figure.add_trace(
            marks(way, "lines+markers", line=line, marker=dots, opacity=0.7, meta=meta)
        )
    return figure


@dataclass(frozen=True)
class LayerCurve:
    """A line over the layers: one value a layer, from ``first`` on; ``low`` and ``high`` are its
    interval where it has one."""

    name: str
    values: Sequence[float]
    color: str
    dash: str = "solid"
    first: int = 0
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def layer_curves(
    curves: Sequence[LayerCurve],
    title: str,
    tokens: Tokens,
    revision: str,
    at: int | None = None,
    limits: tuple[float, float] | None = None,
    across: str = "layer",
) -> Figure:
    """Curves over the layers with a mark at the chosen one; names stand in the legend."""
    values = np.array([it for curve in curves for it in (*curve.values, *(curve.high or ()))])
    low, high = limits or (min(0.0, float(values.min(initial=0.0))), float(values.max(initial=0.1)))
    air = 0.06 * (high - low or 1.0)
    first = min(curve.first for curve in curves)
    last = max(curve.first + len(curve.values) for curve in curves) - 1
    every = {"tickvals": list(range(first, last + 1))}
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(across, first - 0.2, last + 0.2, tokens)
        | (every if last - first < MOST_NAMED else {"nticks": 8})
        | {"fixedrange": True, "showgrid": False},
        yaxis=ruled_axis(title, low - air, high + air, tokens) | {"nticks": 5, "fixedrange": True},
    )
    figure.update_layout(margin={"l": 46, "r": 8, "t": 8, "b": 40}, dragmode=False)
    if at is not None and first <= at <= last:
        ends = np.array([[at, low - air], [at, high + air]], np.float32)
        line = {"width": 1.5, "color": tokens.accent, "dash": "dot"}
        figure.add_trace(marks(ends, "lines", line=line, meta={"role": "chosen"}))
    for curve in curves:
        _band(figure, curve)
        places = _places(curve, curve.values)
        line = {"width": 2.2, "color": curve.color, "dash": curve.dash}
        dot = {"size": 6 if curve.dash == "solid" else 0.1, "color": curve.color}
        meta = {"role": "curve", "name": curve.name}
        trace = marks(places, "lines+markers", line=line, marker=dot, meta=meta)
        trace.merge(
            hoverinfo="text",
            hovertext=[f"{plain(curve.name)}, layer {x:g}: {y:.2f}" for x, y in places.tolist()],
        )
        figure.add_trace(trace)
    return figure


def curve_legend(curves: Sequence[LayerCurve]) -> dict[str, object]:
    """The legend of the curves, for the stage."""
    entries = [{"label": curve.name, "color": curve.color} for curve in curves]
    return {"title": "", "entries": entries}


def heatmap(
    values: npt.NDArray[np.floating],
    rows: Sequence[str],
    columns: Sequence[str],
    named: tuple[str, str],
    tokens: Tokens,
    dark: bool,
    revision: str,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Values (a, b) as colours on viridis with the figures written in; ``named`` says what the
    rows and the columns are."""
    scale = (VIRIDIS, VIRIDIS_DARK)[dark]
    figure = blank(tokens, revision)
    written = len(columns) <= 16
    figure.add_trace(
        Part(
            type="heatmap",
            z=np.round(values, 4).tolist(),
            x=[plain(name, 80) for name in columns],
            y=[plain(name, 80) for name in rows],
            zmin=limits[0],
            zmax=limits[1],
            colorscale=[[k / (len(scale) - 1), color] for k, color in enumerate(scale)],
            texttemplate="%{z:.2f}" if written else None,
            textfont={"size": 12},
            hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
            colorbar={"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 11}},
            xgap=1,
            ygap=1,
        )
    )
    side = {"ticks": "", "tickfont": {"size": 11}, "automargin": True, "fixedrange": True}
    side["type"] = "category"
    figure.update_layout(
        margin={"l": 60, "r": 8, "t": 8, "b": 46},
        dragmode=False,
        xaxis={
            **side,
            "title": {"text": plain(named[1]), "font": {"size": 12}},
            "type": "category",
        },
        yaxis={
            **side,
            "title": {"text": plain(named[0]), "font": {"size": 12}, "standoff": 14},
            "autorange": "reversed",
        },
    )
    return figure


def _band(figure: Figure, curve: LayerCurve) -> None:
    """The interval of a curve, behind it."""
    if curve.low is None or curve.high is None:
        return
    around = np.concatenate([_places(curve, curve.high), _places(curve, curve.low)[::-1]])
    x, y = listed(around)
    figure.add_trace(
        scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=curve.color, opacity=0.16,
            line={"width": 0}, hoverinfo="none", meta={"role": "interval"},
        )
    )  # fmt: skip


def _places(curve: LayerCurve, values: Sequence[float]) -> Coords:
    across = np.arange(curve.first, curve.first + len(values))
    return np.stack([across, np.array(values)], axis=1).astype(np.float32)


def runs_of(words: Sequence[str]) -> list[tuple[int, int, str, bool]]:
    """Stretches of equal words, as a strip takes them.

    >>> runs_of(["bank", "bank", "river"])
    [(0, 2, 'bank', False), (2, 3, 'river', False)]
    """
    runs: list[tuple[int, int, str, bool]] = []
    for step, word in enumerate(words):
        if runs and runs[-1][2] == word:
            start = runs.pop()[0]
            runs.append((start, step + 1, word, False))
        else:
            runs.append((step, step + 1, word, False))
    return runs
