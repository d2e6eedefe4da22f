"""Known shapes: a ring or a row of words in their true order, cities where a reader puts them, and
how well each layer shows it beside what chance gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.base import blank, marks, padded, plain, ruled_axis
from core.figures.parts import Figure
from core.figures.scene import Label
from core.figures.tokens import OKABE_ITO, Tokens
from core.types import Coords, Scores

LATITUDES, LONGITUDES = (-62.0, 84.0), (-190.0, 192.0)


def polygon_figure(
    coords: Coords, closed: bool, chosen: int | None, tokens: Tokens, revision: str
) -> Figure:
    """Words (n, 2) joined in their true order, ``closed`` from the last to the first.

    Traces by ``meta.role``: way, items, chosen. Both axes have one scale.
    """
    x, y = (padded(coords[:, axis], 0.16) for axis in (0, 1))
    figure = blank(
        tokens,
        revision,
        xaxis={"visible": False, "range": list(x), "fixedrange": False},
        yaxis={"visible": False, "range": list(y), "scaleanchor": "x", "fixedrange": False},
    )
    way = np.concatenate([coords, coords[:1]]) if closed else coords
    line = {"width": 2, "color": tokens.second}
    figure.add_trace(marks(way, "lines", line=line, opacity=0.6, meta={"role": "way"}))
    dots = {"size": 11, "color": tokens.second, "line": {"width": 2, "color": tokens.canvas}}
    figure.add_trace(marks(coords, marker=dots, meta={"role": "items"}))
    if chosen is not None:
        ring = {"size": 14, "color": tokens.accent, "line": {"width": 2, "color": tokens.canvas}}
        figure.add_trace(marks(coords[[chosen]], marker=ring, meta={"role": "chosen"}))
    return figure


def polygon_labels(words: Sequence[str], coords: Coords) -> list[Label]:
    """The words at their dots; the first is marked as where the way begins."""
    return [
        Label(word[:40], float(x), float(y), "chosen" if row == 0 else "second", 14, above=True)
        for row, (word, (x, y)) in enumerate(zip(words, coords.tolist(), strict=True))
    ]


def read_figure(
    words: Sequence[str], said: npt.NDArray[np.float64], tokens: Tokens, revision: str
) -> Figure:
    """The place that a held-out ridge reads off each word (n,), over the true one."""
    n = len(words)
    true = np.arange(1, n + 1)
    low, high = padded(np.concatenate([true, said + 1]).astype(np.float32))
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("true place", 1 - 0.05 * n, n + 0.05 * n, tokens) | {"fixedrange": True},
        yaxis=ruled_axis("place that is read", low, high, tokens) | {"fixedrange": True},
    )
    figure.update_layout(margin={"l": 46, "r": 8, "t": 8, "b": 40}, dragmode=False)
    line = {"width": 1.2, "color": tokens.quiet, "dash": "dot"}
    ends = np.array([[1, 1], [n, n]], np.float32)
    figure.add_trace(marks(ends, "lines", line=line, meta={"role": "right"}))
    places = np.stack([true, said + 1], axis=1).astype(np.float32)
    dots = {"size": 8, "color": tokens.second}
    trace = marks(places, marker=dots, meta={"role": "items"})
    trace.merge(
        hoverinfo="text",
        hovertext=[
            f"{plain(word, 40)}: place {x:g}, read as {y:.1f}"
            for word, (x, y) in zip(words, places.tolist(), strict=True)
        ],
    )
    figure.add_trace(trace)
    return figure


def continent_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each continent, in the order in which they first come."""
    return dict(zip(dict.fromkeys(names), OKABE_ITO, strict=False))


def cities_figure(
    true: Coords,
    said: Coords,
    names: Sequence[str],
    continents: Sequence[str],
    km: Scores,
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Latitudes and longitudes (n, 2) as they are (dots) and as they are read (the lines' ends).

    Plain degrees on a plain grid. A line takes the shorter way round and may leave the frame's
    side. Traces by ``meta.role``: arrows, items.
    """
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("longitude", *LONGITUDES, tokens)
        | {"tickvals": list(range(-180, 181, 60)), "zeroline": True},
        yaxis=ruled_axis("latitude", *LATITUDES, tokens)
        | {"tickvals": list(range(-60, 61, 30)), "zeroline": True},
    )
    figure.update_layout(margin={"l": 46, "r": 8, "t": 8, "b": 40})
    ends = said.copy()
    ends[:, 1] = true[:, 1] + (said[:, 1] - true[:, 1] + 180) % 360 - 180
    for continent, color in continent_colours(continents).items():
        rows = [row for row, it in enumerate(continents) if it == continent]
        gap = np.full((len(rows), 2), np.nan, np.float32)
        way = np.stack([true[rows], ends[rows], gap], axis=1).reshape(-1, 2)[:, ::-1]
        line = {"width": 1.2, "color": color}
        figure.add_trace(marks(way, "lines", line=line, opacity=0.75, meta={"role": "arrows"}))
        heads = {"size": 4, "color": color, "symbol": "circle-open"}
        figure.add_trace(marks(ends[rows][:, ::-1], marker=heads, meta={"role": "read"}))
        dots = {"size": 8, "color": color, "line": {"width": 1, "color": tokens.canvas}}
        trace = marks(true[rows][:, ::-1], marker=dots, meta={"role": "items", "name": continent})
        trace.merge(
            hoverinfo="text",
            hovertext=[f"{plain(names[row])}: {km[row]:,.0f} km off" for row in rows],
        )
        figure.add_trace(trace)
    return figure


def city_labels(true: Coords, names: Sequence[str], shown: Sequence[int]) -> list[Label]:
    """Names of some cities."""
    return [
        Label(names[row][:40], float(true[row, 1]), float(true[row, 0]), "quiet", 11, above=True)
        for row in shown
    ]


def legend(entries: dict[str, str], title: str = "") -> dict[str, Any]:
    """Names and their colours, for the stage."""
    return {"title": title, "entries": [{"label": k, "color": v} for k, v in entries.items()]}


def by_layer_figure(
    values: Sequence[float],
    chance: Sequence[float],
    rivals: dict[str, tuple[float, str]],
    at: int,
    title: str,
    limits: tuple[float, float],
    tokens: Tokens,
    revision: str,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Figure:
    """A score by layer over what chance stays below (a grey floor); rivals, which have no layers,
    run right across, each with its colour.

    Traces by ``meta.role``: chance, interval, rival, curve, chosen.
    """
    layers = np.arange(len(values), dtype=np.float32)
    low, high = limits
    air = 0.05 * (high - low)
    step = 1 if len(values) <= 13 else 5
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("layer", -0.5, len(values) - 0.5, tokens)
        | {"tickvals": list(range(0, len(values), step)), "fixedrange": True, "zeroline": False},
        yaxis=ruled_axis(title, low - air, high + air, tokens) | {"nticks": 5, "fixedrange": True},
    )
    figure.update_layout(margin={"l": 46, "r": 8, "t": 8, "b": 40}, dragmode=False)
    floor = np.full(len(values), low - air)
    _filled(figure, layers, floor, np.asarray(chance), tokens.faint, 0.35, "chance")
    if band is not None:
        low_edge, high_edge = (np.asarray(it) for it in band)
        _filled(figure, layers, low_edge, high_edge, tokens.accent, 0.16, "interval")
    for name, (value, color) in rivals.items():
        line = {"width": 1.6, "color": color, "dash": "dash"}
        across = np.array([[-0.5, value], [len(values) - 0.5, value]], np.float32)
        trace = marks(across, "lines", line=line, meta={"role": "rival", "name": name})
        figure.add_trace(trace)
    places = np.stack([layers, np.array(values)], axis=1).astype(np.float32)
    line, dots = {"width": 2.2, "color": tokens.accent}, {"size": 5, "color": tokens.accent}
    trace = marks(places, "lines+markers", line=line, marker=dots, meta={"role": "curve"})
    trace.merge(hoverinfo="text", hovertext=[f"layer {x:g}: {y:.2f}" for x, y in places.tolist()])
    figure.add_trace(trace)
    ring = {"size": 12, "color": tokens.accent, "line": {"width": 2.5, "color": tokens.canvas}}
    figure.add_trace(marks(places[[at]], marker=ring, meta={"role": "chosen"}))
    return figure


def _filled(
    figure: Figure,
    across: npt.NDArray[Any],
    low: npt.NDArray[Any],
    high: npt.NDArray[Any],
    color: str,
    opacity: float,
    role: str,
) -> None:
    around = np.concatenate([np.stack([across, high], 1), np.stack([across, low], 1)[::-1]])
    figure.add_trace(
        marks(
            around.astype(np.float32), "lines", fill="toself", fillcolor=color, opacity=opacity,
            line={"width": 0}, meta={"role": role},
        )
    )  # fmt: skip
