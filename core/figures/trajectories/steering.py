"""Steering: what a push does above, what it costs below, against its strength; and by layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.figures.base import blank, listed, marks, ruled_axis
from core.figures.parts import Figure, scatter
from core.figures.tokens import Tokens
from core.types import Coords

UPPER, LOWER = (0.47, 1.0), (0.0, 0.38)  # shares of the height
Band = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Measured:
    """One kind of push over its strengths: ``effect`` and ``price`` with their 95% intervals."""

    name: str
    strengths: tuple[float, ...]
    effect: tuple[Band, ...]
    price: tuple[Band, ...]


def steering_figure(
    along: Measured, random: Measured | None, chosen: float, tokens: Tokens, revision: str
) -> Figure:
    """Score over strength above, perplexity (log) over strength below, each beside the random
    pushes of equal length; a line at the ``chosen`` strength.

    Traces by ``meta.role``: chosen, interval, along, random.
    """
    both = [along] if random is None else [random, along]
    effects = np.array([it for kind in both for it in kind.effect])
    prices = np.array([it for kind in both for it in kind.price])
    low, high = _range(effects, least=(-0.5, 0.5))
    cheap, dear = _range(np.log10(np.maximum(prices, 1)), least=(0.0, 1.0))
    ends = (min(along.strengths) - 0.04, max(along.strengths) + 0.04)
    figure = blank(tokens, revision)
    figure.update_layout(
        xaxis=ruled_axis("", *ends, tokens)
        | {"anchor": "y", "showticklabels": False, "fixedrange": True},
        yaxis=ruled_axis("where the text went", low, high, tokens)
        | {"domain": UPPER, "nticks": 6, "fixedrange": True, "title_standoff": 6},
        xaxis2=ruled_axis("strength of the push, in lengths of a state", *ends, tokens)
        | {"anchor": "y2", "fixedrange": True, "zeroline": False},
        yaxis2=ruled_axis("its price (perplexity)", cheap, dear, tokens)
        | {
            "domain": LOWER,
            "type": "log",
            "fixedrange": True,
            "tickvals": [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000],
            "title_standoff": 6,
        },
        margin={"l": 52, "r": 12, "t": 10, "b": 44},
        dragmode=False,
    )
    stroke = {"width": 1.5, "color": tokens.accent, "dash": "dot"}
    for axes, (bottom, top) in (({}, (low, high)), (_SECOND, (10**cheap, 10**dear))):
        line = np.array([[chosen, bottom], [chosen, top]], np.float32)
        figure.add_trace(marks(line, "lines", line=stroke, meta={"role": "chosen"}, **axes))
    for kind in both:
        color, role = (tokens.accent, "along") if kind is along else (tokens.point, "random")
        _drawn(figure, kind, kind.effect, color, role, "score", {})
        _drawn(figure, kind, kind.price, color, role, "perplexity", _SECOND)
    return figure


_SECOND = {"xaxis": "x2", "yaxis": "y2"}


def steering_legend(random: bool, tokens: Tokens) -> dict[str, Any]:
    """What the two colours are."""
    entries = [{"label": "along the direction", "color": tokens.accent}]
    if random:
        entries.append({"label": "random pushes, as long", "color": tokens.point})
    return {"title": "", "entries": entries}


def layers_figure(
    layers: list[int],
    effect: list[Band],
    price: list[float],
    chosen: int,
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Effect by layer above, price by layer (times that of unsteered text, log) below."""
    values = np.array(effect)
    low, high = _range(values, least=(0.0, 0.5))
    cheap, dear = _range(np.log10(np.array(price)), least=(0.0, 0.7))
    ends = (float(min(layers)) - 1, float(max(layers)) + 1)
    figure = blank(tokens, revision)
    figure.update_layout(
        xaxis=ruled_axis("", *ends, tokens)
        | {"anchor": "y", "showticklabels": False, "fixedrange": True, "zeroline": False},
        yaxis=ruled_axis("effect", low, high, tokens)
        | {"domain": UPPER, "nticks": 5, "fixedrange": True},
        xaxis2=ruled_axis("layer", *ends, tokens)
        | {"anchor": "y2", "fixedrange": True, "zeroline": False},
        yaxis2=ruled_axis("price, times", cheap, dear, tokens)
        | {
            "domain": LOWER,
            "type": "log",
            "fixedrange": True,
            "tickvals": [1, 2, 3, 5, 10, 20, 50],
        },
        margin={"l": 52, "r": 12, "t": 10, "b": 44},
        dragmode=False,
    )
    stroke = {"width": 1.5, "color": tokens.accent, "dash": "dot"}
    for axes, (bottom, top) in (({}, (low, high)), (_SECOND, (10**cheap, 10**dear))):
        line = np.array([[chosen, bottom], [chosen, top]], np.float32)
        figure.add_trace(marks(line, "lines", line=stroke, meta={"role": "chosen"}, **axes))
    at = tuple(float(layer) for layer in layers)
    kind = Measured("layer", at, tuple(effect), tuple((it, it, it) for it in price))
    _drawn(figure, kind, kind.effect, tokens.accent, "along", "effect", {}, "layer ")
    _drawn(figure, kind, kind.price, tokens.accent, "along", "price", _SECOND, "layer ")
    return figure


def _drawn(
    figure: Figure,
    kind: Measured,
    values: tuple[Band, ...],
    color: str,
    role: str,
    said: str,
    axes: dict[str, str],
    at: str = "strength ",
) -> None:
    """A curve with its band."""
    across = np.array(kind.strengths)
    known = np.isfinite(np.array(values)).all(axis=1)
    middle, low, high = np.array(values).T
    around = np.concatenate(
        [np.stack([across, high], 1)[known], np.stack([across, low], 1)[known][::-1]]
    )
    x, y = listed(around.astype(np.float32))
    figure.add_trace(
        scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=color, opacity=0.16,
            line={"width": 0}, hoverinfo="none", meta={"role": "interval"}, **axes,
        )
    )  # fmt: skip
    places: Coords = np.stack([across, middle], axis=1).astype(np.float32)
    line = {"width": 2.4 if role == "along" else 1.6, "color": color}
    dots = {"size": 7 if role == "along" else 4, "color": color}
    trace = marks(places, "lines+markers", line=line, marker=dots, meta={"role": role}, **axes)
    trace.merge(
        hoverinfo="text",
        hovertext=[
            f"{kind.name}, {at}{x:+g}: {said} {y:.2f}" if at == "strength " else
            f"{at}{x:g}: {said} {y:.2f}"
            for x, y in places.tolist()
        ],
    )  # fmt: skip
    figure.add_trace(trace)


def _range(values: Any, least: tuple[float, float]) -> tuple[float, float]:
    """What holds the values and ``least``, with some air."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    low = min(least[0], float(found.min(initial=least[0])))
    high = max(least[1], float(found.max(initial=least[1])))
    air = 0.06 * (high - low)
    return low - air, high + air
