"""Items on two semantic axes: exact and linear, so the axes have names, ticks and a zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.figures.base import blank, marks, padded, points, ruled_axis
from core.figures.colors import Layer
from core.figures.map import point_opacity, point_size
from core.figures.parts import Figure
from core.figures.scene import Label, label_at
from core.figures.tokens import Tokens
from core.types import Coords, Rows


@dataclass(frozen=True)
class AxisName:
    """What an axis runs from and to, in words."""

    low: str
    high: str

    def title(self) -> str:
        """``small, tiny  ←→  large, huge``."""
        return f"{self.low}  ←→  {self.high}"


def axes_figure(
    scores: Coords,
    x: AxisName,
    y: AxisName,
    layer: Layer | None,
    highlighted: Rows,
    tokens: Tokens,
    revision: str,
) -> Figure:
    """Scores (n, 2): -1 where the first list of words lies on average, +1 where the second does."""
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(x.title(), *padded(scores[:, 0]), tokens),
        yaxis=ruled_axis(y.title(), *padded(scores[:, 1]), tokens),
    )
    figure.update_layout(margin={"l": 50, "r": 12, "t": 10, "b": 46})
    color = {"color": tokens.point} if layer is None else layer.marker()
    size, opacity = point_size(len(scores)), 0.8 * point_opacity(len(scores))
    marker = {**color, "size": size, "opacity": opacity, "line": {"width": 0}}
    figure.add_trace(points(scores, marker=marker, meta={"role": "items"}))
    ring = {"size": 9, "color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": tokens.accent}}
    figure.add_trace(marks(scores[:0], marker=ring, meta={"role": "matches"}))
    dot = {"size": 10, "color": tokens.accent, "line": {"width": 1.5, "color": tokens.canvas}}
    rows = [int(row) for row in highlighted]
    figure.add_trace(
        marks(scores[highlighted], marker=dot, meta={"role": "highlighted", "rows": rows})
    )
    return figure


def axes_labels(texts: Sequence[str], scores: Coords, highlighted: Rows) -> list[Label]:
    """Names of the highlighted items."""
    return [label_at(texts[row], scores[row], "chosen", 13) for row in highlighted]
