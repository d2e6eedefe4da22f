"""Fidelity against bytes: students, rivals, and the limit that no coder for Gaussian rows passes.

Across: bytes an item, logarithmic. Up: truer, whatever the measure. So better is always toward
the upper left, and the upper left corner is what nobody reaches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log10
from typing import Any, Literal

import numpy as np

from core.figures.base import blank, marks
from core.figures.parts import Figure
from core.figures.scene import Label
from core.figures.tokens import Tokens

Kind = Literal["rival", "student", "limit"]
LEAST = 1e-3  # errors below this are drawn as this: what is truer still is the same to anybody
OUT_OF_REACH = "out of reach for any coder of Gaussian rows"
LIMIT = "Gaussian limit"


@dataclass(frozen=True)
class Measure:
    """How true a student is. ``height`` says where a value stands: up is truer."""

    title: str
    axis: str
    ticks: tuple[float, ...]
    height: Callable[[float], float]
    tick: Callable[[float], str]


def _of_one(value: float) -> str:
    """Ticks of an error or a cosine; the outermost stands for all that is truer."""
    if value == LEAST:
        return f"≤ {value:g}"
    return f"≥ {value:g}" if value == 1 - LEAST else f"{value:g}"


MEASURES: dict[str, Measure] = {
    "relative_error": Measure(
        "Error",
        "relative error: share of the differences lost",
        (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, LEAST),
        lambda value: -log10(max(value, LEAST)),
        _of_one,
    ),
    "cosine": Measure(
        "Cosine",
        "mean cosine to the teacher's vectors",
        (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1 - LEAST),
        lambda value: -log10(max(1 - value, LEAST)),
        _of_one,
    ),
    "recall10": Measure(
        "Neighbours",
        "of an item's 10 nearest, how many stay",
        tuple(k / 10 for k in range(11)),
        lambda value: value,
        lambda value: f"{10 * value:.0f} of 10",
    ),
}


@dataclass(frozen=True)
class ParetoDot:
    """One coder at one size: ``value`` is of the measure shown, ``key`` names a student.

    Dots of one kind and group are joined, and named once.
    """

    name: str
    group: str
    kind: Kind
    bytes_per_item: float
    value: float
    key: str = ""
    detail: str = ""

    @property
    def x(self) -> float:
        """Where it stands across: the logarithm of its bytes an item."""
        return log10(max(self.bytes_per_item, 1e-6))


@dataclass(frozen=True)
class Live:
    """The training that runs now: its budget, and how true it is so far, where that is known."""

    name: str
    bytes_per_item: float
    value: float | None


def pareto_figure(
    dots: Sequence[ParetoDot],
    measure: Measure,
    items: int,
    dim: int,
    tokens: Tokens,
    revision: str,
    selected: str = "",
    live: Live | None = None,
    first: int = 0,
) -> Figure:
    """The curve for a space of ``items`` rows of ``dim`` float32 numbers.

    Traces by ``meta.role``: unreachable, limit, rivals, students, selected, budget, live; those
    with dots carry ``meta.rows``: places in ``dots``, counted from ``first``.
    """
    x, y = _ranges(dots, measure, dim, live)
    figure = blank(tokens, revision, xaxis=_bytes_axis(x, items, tokens, 12 if live is None else 6))
    figure.update_layout(
        yaxis=_measure_axis(measure, y, tokens), margin={"l": 58, "r": 14, "t": 12, "b": 58}
    )
    figure.update_layout(dragmode=False)
    _limit(figure, dots, measure, x, y, tokens)
    for kind, color, size in (("rival", tokens.point, 7), ("student", tokens.accent, 11)):
        for _, rows in _groups(dots, kind):
            place = _places(dots, rows, measure)
            line = {"color": color, "width": 1.2 if kind == "rival" else 1.6}
            role = f"{kind}s"
            if len(rows) > 1:
                figure.add_trace(marks(place, "lines", line=line, opacity=0.45, meta={"role": ""}))
            border = {"width": 1.5, "color": tokens.canvas}
            dot = {"size": size, "color": color, "line": border}
            own = [first + row for row in rows]
            figure.add_trace(marks(place, marker=dot, meta={"role": role, "rows": own}))
    _selected(figure, dots, measure, selected, first, tokens)
    if live is not None:
        _live(figure, live, measure, y, tokens)
    return figure


def pareto_labels(
    dots: Sequence[ParetoDot],
    measure: Measure,
    dim: int,
    selected: str = "",
    live: Live | None = None,
) -> list[Label]:
    """Names right beside what they name: the student that is looked at first, then all groups."""
    x, y = _ranges(dots, measure, dim, live)
    labels: list[Label] = []
    if live is not None and live.value is not None:
        at = (log10(live.bytes_per_item), measure.height(live.value))
        labels.append(Label(f"{live.name}, learning", *at, kind="chosen", px=13, above=True))
    for dot in dots:
        if selected and dot.key == selected:
            at = (dot.x, measure.height(dot.value))
            labels.append(Label(dot.name[:40], *at, kind="chosen", px=13, above=True))
    for kind, look in (("student", "student"), ("rival", "quiet")):
        for group, rows in _groups(dots, kind):
            if any(selected and dots[row].key == selected for row in rows):
                continue
            dot = dots[_roomiest(dots, rows, measure, (x, y))]
            at = (dot.x, measure.height(dot.value))
            labels.append(Label(group[:40], *at, kind=look, px=12, above=True))  # type: ignore[arg-type]
    if any(dot.kind == "limit" for dot in dots):
        labels.append(Label(OUT_OF_REACH, x[0] + 0.02, y[1] - 0.07 * (y[1] - y[0]), "quiet"))
        inside = [dot for dot in dots if dot.kind == "limit" and y[0] < _high(dot, measure) < y[1]]
        if inside:
            dot = min(inside, key=lambda it: abs(_high(it, measure) - (0.4 * y[1] + 0.6 * y[0])))
            aside = (dot.x - 0.075 * (x[1] - x[0]), _high(dot, measure) + 0.03 * (y[1] - y[0]))
            labels.append(Label(LIMIT, *aside, "quiet"))
    return labels


def _groups(dots: Sequence[ParetoDot], kind: str) -> list[tuple[str, list[int]]]:
    """Rows of each group of a kind, from few bytes to many."""
    rows = [row for row, dot in enumerate(dots) if dot.kind == kind]
    rows.sort(key=lambda row: (dots[row].group, dots[row].bytes_per_item))
    return [(name, list(own)) for name, own in groupby(rows, key=lambda row: dots[row].group)]


def _high(dot: ParetoDot, measure: Measure) -> float:
    return measure.height(dot.value)


def _places(dots: Sequence[ParetoDot], rows: Sequence[int], measure: Measure) -> Any:
    return np.array([[dots[row].x, _high(dots[row], measure)] for row in rows], np.float32)


def _ranges(
    dots: Sequence[ParetoDot], measure: Measure, dim: int, live: Live | None
) -> tuple[tuple[float, float], tuple[float, float]]:
    """What is shown, across and up: everything but the far ends of the limit."""
    shown = [dot for dot in dots if dot.kind != "limit"]
    across = [dot.x for dot in shown] or [log10(dim / 12), log10(dim)]
    up = [_high(dot, measure) for dot in shown]
    if live is not None:
        across.append(log10(live.bytes_per_item))
        up += [] if live.value is None else [measure.height(live.value)]
    whole = (0.0, 1.0) if measure is MEASURES["recall10"] else (0.0, 1.6)
    low, high = min([whole[0], *up]), max([whole[1], *up])
    air = 0.06 * (high - low)
    return (min(across) - 0.14, max(across) + 0.14), (low - air, high + air)


def _round_numbers(span: tuple[float, float], most: int) -> list[float]:
    """As many round numbers between two logarithms as there is room for."""
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,)):
        scale = [step * 10.0**power for power in range(-2, 7) for step in steps]
        ticks = [value for value in scale if span[0] <= log10(value) <= span[1]]
        if len(ticks) <= most:
            break
    return ticks


def _bytes_axis(span: tuple[float, float], items: int, tokens: Tokens, most: int) -> dict[str, Any]:
    """Round numbers of bytes an item, and under each what they come to in all."""
    ticks = _round_numbers(span, most)
    return {
        "title": {"text": "bytes an item, and all together", "font": {"size": 12}, "standoff": 6},
        "range": list(span),
        "fixedrange": True,
        "tickvals": [log10(value) for value in ticks],
        "ticktext": [f"{value:g}<br>{amount(value * items)}" for value in ticks],
        "tickangle": 0,
        "tickfont": {"size": 11},
        "gridcolor": tokens.line,
        "zeroline": False,
        "ticks": "",
    }


def _measure_axis(measure: Measure, span: tuple[float, float], tokens: Tokens) -> dict[str, Any]:
    ticks = [value for value in measure.ticks if span[0] <= measure.height(value) <= span[1]]
    return {
        "title": {"text": measure.axis, "font": {"size": 12}, "standoff": 6},
        "range": list(span),
        "fixedrange": True,
        "tickvals": [measure.height(value) for value in ticks],
        "ticktext": [measure.tick(value) for value in ticks],
        "tickfont": {"size": 11},
        "gridcolor": tokens.line,
        "zeroline": False,
        "ticks": "",
    }


def amount(size: int | float) -> str:
    """A number of bytes as people say it.

    >>> amount(2_650_000), amount(84_200_000), amount(3_100), amount(12)
    ('2.6 MB', '84 MB', '3.1 kB', '12 B')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.{0 if size >= 10 * unit else 1}f} {name}"
    return f"{size:.0f} B"


def _limit(
    figure: Figure,
    dots: Sequence[ParetoDot],
    measure: Measure,
    x: tuple[float, float],
    y: tuple[float, float],
    tokens: Tokens,
) -> None:
    """The line, and everything on its upper left shaded."""
    rows = [row for _, own in _groups(dots, "limit") for row in own]
    if not rows:
        return
    rows.sort(key=lambda row: dots[row].bytes_per_item)
    line = _places(dots, rows, measure)
    line = line[line[:, 1] <= y[1] + 0.5]
    corner = [[line[-1, 0], y[1] + 1], [x[0] - 1, y[1] + 1], [x[0] - 1, line[0, 1]]]
    outline = np.concatenate([line, np.array(corner, np.float32), line[:1]])
    figure.add_trace(
        marks(
            outline,
            "lines",
            fill="toself",
            fillcolor=tokens.faint,
            opacity=0.28,
            line={"width": 0},
            meta={"role": "unreachable"},
        )
    )
    stroke = {"color": tokens.quiet, "width": 1.6}
    figure.add_trace(marks(line, "lines", line=stroke, meta={"role": "limit"}))


def _selected(
    figure: Figure,
    dots: Sequence[ParetoDot],
    measure: Measure,
    selected: str,
    first: int,
    tokens: Tokens,
) -> None:
    rows = [row for row, dot in enumerate(dots) if selected and dot.key == selected]
    if rows:
        ring = {"width": 2.5, "color": tokens.text}
        big = {"size": 17, "color": tokens.accent, "line": ring}
        place = _places(dots, rows, measure)
        own = [first + row for row in rows]
        figure.add_trace(marks(place, marker=big, meta={"role": "selected", "rows": own}))


def _live(
    figure: Figure, live: Live, measure: Measure, y: tuple[float, float], tokens: Tokens
) -> None:
    """Its budget as a line, and where it has got to as a hollow marker."""
    across = log10(live.bytes_per_item)
    budget = np.array([[across, y[0]], [across, y[1]]], np.float32)
    dotted = {"color": tokens.accent, "width": 1.2, "dash": "dot"}
    figure.add_trace(marks(budget, "lines", line=dotted, opacity=0.7, meta={"role": "budget"}))
    if live.value is not None:
        place = np.array([[across, measure.height(live.value)]], np.float32)
        border = {"width": 3, "color": tokens.accent}
        hollow = {"size": 15, "color": tokens.canvas, "line": border}
        figure.add_trace(marks(place, marker=hollow, meta={"role": "live"}))


def _roomiest(
    dots: Sequence[ParetoDot],
    rows: Sequence[int],
    measure: Measure,
    spans: tuple[tuple[float, float], tuple[float, float]],
) -> int:
    """The dot of a group that stands furthest from all other groups: its name fits there best."""
    scale = np.array([spans[0][1] - spans[0][0], spans[1][1] - spans[1][0]])
    own = {dots[rows[0]].group}
    others = [row for row, dot in enumerate(dots) if dot.group not in own]
    if not others:
        return rows[-1]
    away = _places(dots, others, measure) / scale
    room = [
        float(np.linalg.norm(_places(dots, [row], measure) / scale - away, axis=1).min())
        for row in rows
    ]
    return rows[int(np.argmax(room))]
