"""Laws of motion: every quantity by kind of text with its interval, and paths side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, marks, padded, plain
from core.figures.parts import Figure
from core.figures.tokens import Tokens
from core.types import Coords

COLUMNS = 4
ROW = 22  # pixels of a kind
ABOVE, BELOW = 34, 40  # pixels over and under a panel


@dataclass(frozen=True)
class Estimate:
    """A kind's mean with its interval; None where it has no such thing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One quantity: its name, its unit, a dot a kind, and what a random walk would have."""

    name: str
    unit: str
    dots: Sequence[Estimate | None]
    walk: float | None = None


def panels_height(panels: int, kinds: int) -> int:
    """Pixels of so many panels."""
    return -(-panels // COLUMNS) * (ABOVE + BELOW + ROW * kinds) + 10


def laws_figure(
    panels: Sequence[Panel],
    kinds: Sequence[str],
    colors: Sequence[str],
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Small multiples: a panel a quantity, a row a kind, its mean as a dot on its 95% interval.

    Traces by ``meta.role``: interval, dot; a dotted line is what a random walk has.
    """
    figure = blank(tokens, revision)
    rows = -(-len(panels) // COLUMNS)
    height = panels_height(len(panels), len(kinds))
    figure.update_layout(margin={"l": 118, "r": 14, "t": 0, "b": 0}, dragmode=False)
    for number, panel in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        left, right = (column + 0.04) / COLUMNS, (column + 0.96) / COLUMNS
        top = 1 - (row * (height - 10) / rows + ABOVE) / height
        bottom = top - ROW * len(kinds) / height
        _panel(figure, panel, number, (left, right, bottom, top), kinds, colors, tokens)
    return figure


def _panel(
    figure: Figure,
    panel: Panel,
    number: int,
    place: tuple[float, float, float, float],
    kinds: Sequence[str],
    colors: Sequence[str],
    tokens: Tokens,
) -> None:
    suffix = "" if number == 0 else str(number + 1)
    left, right, bottom, top = place
    ends = [it for dot in panel.dots if dot for it in (dot.low, dot.high)]
    ends += [] if panel.walk is None else [panel.walk]
    low, high = padded(np.array(ends or [0.0, 1.0]), 0.1)
    named = number % COLUMNS == 0
    figure.update_layout(
        **{
            f"xaxis{suffix}": {
                "domain": [left, right], "anchor": f"y{suffix}", "range": [low, high], "nticks": 4,
                "gridcolor": tokens.line, "zeroline": False, "tickfont": {"size": 11},
                "fixedrange": True,
                "title": {"text": plain(panel.unit), "font": {"size": 11}, "standoff": 2},
            },
            f"yaxis{suffix}": {
                "domain": [bottom, top], "anchor": f"x{suffix}", "range": [len(kinds) - 0.5, -0.5],
                "tickvals": list(range(len(kinds))), "showgrid": False, "zeroline": False,
                "ticktext": [plain(kind) for kind in kinds] if named else [""] * len(kinds),
                "tickfont": {"size": 12, "color": tokens.text}, "ticks": "", "fixedrange": True,
            },
        }
    )  # fmt: skip
    figure.add_annotation(
        text=plain(panel.name), x=left, y=top, xref="paper", yref="paper", xanchor="left",
        yanchor="bottom", yshift=5, showarrow=False, font={"size": 13, "color": tokens.text},
    )  # fmt: skip
    if panel.walk is not None:
        figure.add_shape(
            type="line", x0=panel.walk, x1=panel.walk, y0=-0.5, y1=len(kinds) - 0.5,
            xref=f"x{suffix}", yref=f"y{suffix}",
            line={"width": 1.5, "dash": "dot", "color": tokens.quiet},
        )  # fmt: skip
    axes = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
    for row, (kind, dot, color) in enumerate(zip(kinds, panel.dots, colors, strict=True)):
        if dot is None:
            continue
        line = np.array([[dot.low, row], [dot.high, row]], np.float32)
        stroke = {"width": 3, "color": color}
        figure.add_trace(marks(line, "lines", line=stroke, meta={"role": "interval"}, **axes))
        at = np.array([[dot.value, row]], np.float32)
        trace = marks(at, marker={"size": 9, "color": color}, meta={"role": "dot"}, **axes)
        said = f"{plain(kind)}: {dot.value:.3g}, 95% interval {dot.low:.3g} to {dot.high:.3g}"
        trace.merge(hoverinfo="text", hovertext=[said])
        figure.add_trace(trace)


def random_walk_figure(
    paths: Sequence[npt.NDArray[np.float32]],
    corpus: Coords,
    chosen: int,
    window: npt.NDArray[np.float32],
    color: str,
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Paths (m, 2) over the corpus' own states (n, 2), the chosen one in colour with its start as
    a ring; what all pictures side by side show is ``window`` (r, 2).

    Traces by ``meta.role``: corpus, other, way, start.
    """
    ranges = [padded(window[:, axis], 0.06) for axis in (0, 1)]
    figure = blank(tokens, revision, xaxis=bare_axis(*ranges[0]), yaxis=bare_axis(*ranges[1]))
    figure.update_layout(dragmode=False)
    dots = {"size": 3, "color": tokens.point, "opacity": 0.16}
    figure.add_trace(marks(corpus, marker=dots, meta={"role": "corpus"}))
    for number, path in enumerate(paths):
        if number != chosen:
            line = {"width": 1, "color": tokens.faint}
            figure.add_trace(marks(path, "lines", line=line, meta={"role": "other"}))
    way = paths[chosen]
    line, dot = {"width": 1.6, "color": color}, {"size": 5, "color": color}
    figure.add_trace(marks(way, "lines+markers", line=line, marker=dot, meta={"role": "way"}))
    ring = {"size": 12, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": tokens.text}}
    figure.add_trace(marks(way[:1], marker=ring, meta={"role": "start"}))
    return figure
