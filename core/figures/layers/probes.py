"""What each layer knows: accuracy by layer beside what it must beat, and items along a probe's
own directions, which are exact, so that the axes have names and a zero."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.figures.base import blank, marks, padded, points, ruled_axis
from core.figures.colors import Layer
from core.figures.parts import Figure, scatter
from core.figures.scene import Label
from core.figures.tokens import OKABE_ITO, Tokens
from core.metrics.probes import Probed
from core.types import Coords

PALETTE = OKABE_ITO[:6]  # yellow is lost on white, and grey stands for the rest
REST = "other labels"


@dataclass(frozen=True)
class ChartLine:
    """A line of the chart: its name, its colour, and a value a layer."""

    role: str
    name: str
    color: str
    values: tuple[float, ...]
    dash: str = "solid"


def probe_lines(found: Sequence[Probed], static: Probed | None, tokens: Tokens) -> list[ChartLine]:
    """The lines that the chart draws, the accuracy first; what was not measured is left out."""
    right = tuple(it.accuracy.value for it in found)
    lines = [ChartLine("accuracy", "right, on what it has never met", tokens.accent, right)]
    if not np.isnan([it.known for it in found]).all():
        known, control = ([getattr(it, name) for it in found] for name in ("known", "control"))
        lines.append(ChartLine("known", "right, on words it has met", tokens.point, tuple(known)))
        lines.append(ChartLine("control", "with random labels", tokens.second, tuple(control)))
    if static is not None:
        row = (static.accuracy.value,) * len(found)
        lines.append(
            ChartLine("static", "from the table alone, no context", tokens.third, row, "dash")
        )
    commonest = tuple(it.majority for it in found)
    return [
        *lines,
        ChartLine("majority", "always the commonest label", tokens.quiet, commonest, "dot"),
    ]


def probes_figure(
    found: Sequence[Probed],
    static: Probed | None,
    chosen: int,
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Accuracy by layer, 0 to 1, with a band for its 95% interval.

    Traces by ``meta.role``: band, the lines' roles, chosen. Lines that do not depend on the layer
    run right across.
    """
    layers = np.arange(len(found), dtype=np.float32)
    lines = probe_lines(found, static, tokens)
    lowest = min(min(line.values) for line in lines)
    lowest = min(lowest, *(it.accuracy.low for it in found))
    bottom = 0.0 if lowest < 0.3 else np.floor(10 * lowest - 0.5) / 10
    figure = blank(tokens, revision, xaxis=_layer_axis(len(found), tokens))
    figure.update_layout(
        yaxis=ruled_axis("share that is right", bottom, 1.03, tokens)
        | {"tickformat": ".0%", "fixedrange": True, "zeroline": False},
        margin={"l": 56, "r": 14, "t": 12, "b": 46},
        dragmode=False,
    )
    low, high = ([getattr(it.accuracy, name) for it in found] for name in ("low", "high"))
    edge = np.concatenate([np.stack([layers, high], 1), np.stack([layers, low], 1)[::-1]])
    figure.add_trace(
        marks(
            edge.astype(np.float32),
            "lines",
            fill="toself",
            fillcolor=tokens.accent,
            opacity=0.16,
            line={"width": 0},
            meta={"role": "band"},
        )
    )
    for line in lines:
        place = np.stack([layers, np.array(line.values)], axis=1).astype(np.float32)
        width = 2.6 if line.role == "accuracy" else 1.6
        stroke = {"color": line.color, "width": width, "dash": line.dash}
        figure.add_trace(marks(place, "lines", line=stroke, meta={"role": line.role}))
    at = np.array([[chosen, found[chosen].accuracy.value]], np.float32)
    dot = {"size": 12, "color": tokens.accent, "line": {"width": 2.5, "color": tokens.canvas}}
    figure.add_trace(marks(at, marker=dot, meta={"role": "chosen"}))
    _hover(figure, found, tokens)
    return figure


def probe_scatter(
    places: Coords, layer: Layer, titles: tuple[str, str], tokens: Tokens, revision: str
) -> Figure:
    """Items (n, 2) along two directions of a probe; 0 is where it has no opinion."""
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(titles[0], *padded(places[:, 0]), tokens) | {"nticks": 5},
        yaxis=ruled_axis(titles[1], *padded(places[:, 1]), tokens) | {"nticks": 5},
    )
    figure.update_layout(margin={"l": 50, "r": 12, "t": 10, "b": 46})
    size = 9 if len(places) < 100 else 6 if len(places) < 1000 else 4
    marker = {**layer.marker(), "size": size, "opacity": 0.75, "line": {"width": 0}}
    figure.add_trace(points(places, marker=marker, meta={"role": "items"}))
    ring = {"size": 11, "color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": tokens.accent}}
    figure.add_trace(marks(places[:0], marker=ring, meta={"role": "matches"}))
    return figure


def label_layer(labels: Sequence[str], first: Sequence[str], title: str, tokens: Tokens) -> Layer:
    """A colour for each label: those named ``first``, then the commonest; grey for the rest."""
    common = [name for name, _ in Counter(labels).most_common()]
    named = list(dict.fromkeys([*first, *common]))[: len(PALETTE)]
    places = {name: number for number, name in enumerate(named)}
    steps = [*PALETTE[: len(named)], tokens.faint]
    values = np.array([places.get(label, len(named)) for label in labels], np.float32)
    scale = [
        [edge, color]
        for number, color in enumerate(steps)
        for edge in (number / len(steps), (number + 1) / len(steps))
    ]
    entries = [
        {"label": name[:40], "color": color} for name, color in zip(named, PALETTE, strict=False)
    ]
    if (values == len(named)).any():
        entries.append({"label": REST, "color": tokens.faint})
    legend = {"title": title, "entries": entries}
    return Layer(values, scale, -0.5, len(steps) - 0.5, legend)


def chart_labels(lines: Sequence[ChartLine], chosen: int) -> list[Label]:
    """The figure at the chosen layer, on the line."""
    value = lines[0].values[chosen]
    return [Label(f"{value:.0%}", float(chosen), float(value), "chosen", 13, above=True)]


def chart_legend(lines: Sequence[ChartLine]) -> dict[str, Any]:
    """The lines' names and colours."""
    return {"title": "", "entries": [{"label": line.name, "color": line.color} for line in lines]}


def _layer_axis(count: int, tokens: Tokens) -> dict[str, Any]:
    air = 0.04 * max(count - 1, 1)
    step = 1 if count <= 16 else 2 if count <= 32 else 4
    return ruled_axis("layer", -air, count - 1 + air, tokens) | {
        "tickvals": list(range(0, count, step)),
        "fixedrange": True,
        "zeroline": False,
    }


def _hover(figure: Figure, found: Sequence[Probed], tokens: Tokens) -> None:
    """Invisible dots that say a layer's figures."""
    said = [
        f"layer {it.layer}: {it.accuracy.value:.1%} right, 95% interval "
        f"{it.accuracy.low:.1%} to {it.accuracy.high:.1%}"
        for it in found
    ]
    figure.add_trace(
        scatter(
            x=list(range(len(found))),
            y=[it.accuracy.value for it in found],
            mode="markers",
            marker={"size": 18, "opacity": 0, "color": tokens.accent},
            customdata=said,
            hovertemplate="%{customdata}<extra></extra>",
            meta={"role": "figures"},
        )
    )
