"""Two spaces over the same items: one picture for both, the drift beside its null, and one way
walked in both.

Amber is what is chosen, slate the first space, teal the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from core.figures.base import bare_axis, blank, listed, marks, padded, ruled_axis
from core.figures.colors import Layer, continuous
from core.figures.map import map_figure
from core.figures.parts import Figure, Part, frame, scatter
from core.figures.scene import Label, Morph, label_at
from core.figures.tokens import CIVIDIS, CIVIDIS_DARK, Tokens
from core.types import Coords, QueryScores, Rows, Scores

Side = Literal["a", "b"]
TRAILS = 200  # items whose way is drawn: more is a thicket
NAMED = 8  # neighbours named beside what is chosen
BINS = 36
SEEN = 0.005  # a drift below it is written 0.00: rounding, or too little to rank and colour by


@dataclass(frozen=True, eq=False)
class Pick:
    """What is selected in both: its name, its place among the drawn items, and its neighbours
    in each space, (k,) places of drawn items."""

    text: str
    row: int
    near_a: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    near_b: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def side_color(side: Side, tokens: Tokens) -> str:
    """The colour of a space: slate for the first, teal for the second."""
    return tokens.label if side == "a" else tokens.second


def drift_layer(drift: Scores, dark: bool) -> Layer:
    """How far each item moved, on viridis; one colour where none moved by what can be seen."""
    low, high = _ends(drift)
    layer = continuous(drift, "Moved, measured in the space", low, high, dark)
    if any_moved(drift):
        return layer
    entry = {"label": "Nothing moved", "color": layer.scale[0][1]}
    return Layer(
        np.zeros_like(layer.values), layer.scale, 0.0, 1.0, {"title": "", "entries": [entry]}
    )


def any_moved(drift: Scores) -> bool:
    """Whether any item moved by what can be seen."""
    return bool((drift >= SEEN).any())


def kept_layer(overlap: Scores, dark: bool) -> Layer:
    """The share of its 10 neighbours that an item keeps, on cividis."""
    layer = continuous(
        overlap, "Neighbours that both have", "none", "all 10", dark, (CIVIDIS, CIVIDIS_DARK)
    )
    return Layer(layer.values, layer.scale, 0.0, 1.0, layer.legend)


def side_map(
    coords: Coords,
    other: Coords,
    layer: Layer | None,
    tokens: Tokens,
    revision: str,
    side: Side,
    pick: Pick | None = None,
) -> Figure:
    """One of two maps side by side, in a window that holds both (n, 2) sets of places."""
    figure = map_figure(coords, layer, tokens, revision)
    _frame(figure, coords, other)
    if pick is not None:
        _join(figure, coords, pick, side, tokens)
        _point_out(figure, coords, pick, tokens)
    return figure


def morph_map(
    coords: Coords,
    other: Coords,
    layer: Layer | None,
    tokens: Tokens,
    revision: str,
    trails: Rows,
    pick: Pick | None = None,
) -> Figure:
    """The first map, ready to move into the second. ``trails`` are drawn behind their items.

    Traces by ``meta.role``: items, matches, trails, then for what is chosen links and neighbors
    of both spaces, and chosen; all but the first two say in ``meta.follow`` what moves them.
    """
    figure = map_figure(coords, layer, tokens, revision)
    _frame(figure, coords, other)
    ways = np.full((3 * len(trails), 2), np.nan, np.float32)
    ways[0::3] = ways[1::3] = coords[trails]
    line = {"width": 1.2, "color": tokens.second}
    meta = {"role": "trails", "follow": _every_third(trails, 1)}
    figure.add_trace(marks(ways, "lines", line=line, opacity=0.55, meta=meta))
    if pick is not None:
        _join(figure, coords, pick, "a", tokens)
        _join(figure, coords, pick, "b", tokens)
        _point_out(figure, coords, pick, tokens)
    return figure


def most_moved(drift: Scores, count: int = TRAILS) -> Rows:
    """The rows of the largest drift, largest first; nothing whose move can't be seen."""
    order = np.argsort(-drift, kind="stable")[:count]
    return order[drift[order] >= SEEN].astype(np.int64)


def other_end(
    names: tuple[str, str], coords: Coords, labels: Sequence[Label], tokens: Tokens
) -> Morph:
    """The far end of :func:`morph_map`."""
    colors = (side_color("a", tokens), side_color("b", tokens))
    return Morph(names, colors, coords, labels)


def pair_labels(
    texts: Sequence[str],
    coords: Coords,
    pick: Pick | None,
    sides: Sequence[Side],
    moved: Rows,
) -> list[Label]:
    """The chosen item, then its neighbours: those of the first space dark, of the second teal,
    those of both only once. Where nothing is chosen, the items that ``moved`` most."""
    if pick is None:
        return [label_at(texts[row], coords[row], "near") for row in moved.tolist()]
    labels = [label_at(pick.text, coords[pick.row], "chosen", 15)]
    named: set[int] = set()
    for side in sides:
        near = pick.near_a if side == "a" else pick.near_b
        for row in near[:NAMED].tolist():
            if row not in named:
                kind: Literal["near", "second"] = "near" if side == "a" else "second"
                labels.append(label_at(texts[row], coords[row], kind))
                named.add(row)
    return labels


def drift_histogram(
    drift: Scores,
    null: Scores | None,
    dark: bool,
    tokens: Tokens,
    revision: str,
    mark: float | None = None,
) -> Figure:
    """How many items moved how far, in the map's own colours; the null as a teal outline, what is
    chosen as an amber line. Heights are shares of the items, so that both can be compared."""
    layer = drift_layer(drift, dark)
    furthest = [float(np.percentile(drift, 99.5)), mark or 0.0, 2 * SEEN]
    if null is not None:
        furthest.append(float(np.percentile(null, 99.5)))
    top = 1.02 * max(furthest)
    edges = np.linspace(0, top, BINS + 1)
    heights = _shares(drift, edges)
    tallest = float(heights.max())
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("moved by, 1 − cosine", 0.0, top, tokens),
        yaxis=ruled_axis("share of the items", 0.0, tallest * 1.12, tokens)
        | {"tickformat": ".0%", "nticks": 4},
    )
    figure.update_layout(margin={"l": 48, "r": 10, "t": 10, "b": 42}, bargap=0.08)
    centres = (edges[1:] + edges[:-1]) / 2
    spans = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(edges)]
    figure.add_trace(
        Part(
            type="bar",
            x=centres.tolist(),
            y=heights.tolist(),
            marker={
                "color": centres.tolist(),
                "colorscale": layer.scale,
                "cmin": layer.low,
                "cmax": layer.high,
                "line": {"width": 0},
            },
            customdata=spans,
            hovertemplate="moved by %{customdata}: %{y:.1%} of the items<extra></extra>",
            meta={"role": "drift"},
        )
    )
    if null is not None:
        _outline(figure, edges, _shares(null, edges), tallest, tokens)
    if mark is not None:
        line = {"color": tokens.accent, "width": 2.5}
        at = np.array([[mark, 0], [mark, tallest * 1.1]], np.float32)
        figure.add_trace(marks(at, "lines", line=line, meta={"role": "mark"}))
    return figure


def divergence_figure(
    t: QueryScores, degrees: QueryScores, names: tuple[str, str], tokens: Tokens, revision: str
) -> Figure:
    """The angle (m,) between the two ways at each t (m,); its marker moves with the player."""
    curve = np.stack([t, degrees], axis=1).astype(np.float32)
    top = max(float(degrees.max()) * 1.25, 5.0)
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(f"the way, {names[0]} to {names[1]}", -0.03, 1.03, tokens),
        yaxis=ruled_axis("apart by, degrees", 0.0, top, tokens) | {"nticks": 5},
    )
    figure.update_layout(margin={"l": 48, "r": 10, "t": 10, "b": 42})
    figure.add_trace(
        marks(
            curve,
            "lines",
            line={"width": 2.5, "color": tokens.third},
            meta={"role": "divergence"},
        )
    )
    head = {"size": 13, "color": tokens.accent, "line": {"width": 3, "color": tokens.canvas}}
    figure.add_trace(marks(curve[[0]], marker=head, meta={"role": "marker"}))
    figure.frames = [frame(step, [1], [_at(curve[[step]])]) for step in range(len(t))]
    return figure


def _at(point: Coords) -> Part:
    x, y = listed(point)
    return scatter(x=x, y=y)


def _ends(values: Scores) -> tuple[str, str]:
    low, high = np.percentile(values, [1, 99])
    return f"{low:.2f}", f"{high:.2f} or more"


def _shares(values: Scores, edges: Any) -> Any:
    """The share of the values in each bin; what lies beyond the last edge counts into it."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return counts / max(len(values), 1)


def _outline(figure: Figure, edges: Any, heights: Any, tallest: float, tokens: Tokens) -> None:
    """Steps around the null; where it is taller than the picture, it is cut off at the top."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[0], np.repeat(np.minimum(heights, tallest * 1.1), 2), [0]])
    line = {"color": tokens.second, "width": 2}
    steps = np.stack([x, y], axis=1).astype(np.float32)
    figure.add_trace(marks(steps, "lines", line=line, meta={"role": "null"}))


def _frame(figure: Figure, coords: Coords, other: Coords) -> None:
    both = np.concatenate([coords, other])
    figure.update_layout(xaxis=bare_axis(*padded(both[:, 0])), yaxis=bare_axis(*padded(both[:, 1])))


def _join(figure: Figure, coords: Coords, pick: Pick, side: Side, tokens: Tokens) -> None:
    """Lines from the chosen item to its neighbours in one space, and those neighbours."""
    near = pick.near_a if side == "a" else pick.near_b
    color = side_color(side, tokens)
    links = np.full((3 * len(near), 2), np.nan, np.float32)
    links[0::3], links[1::3] = coords[pick.row], coords[near]
    follow = _every_third(near, 1)
    follow[0::3] = [pick.row] * len(near)
    line = {"width": 1.4, "color": color}
    meta = {"role": "links", "side": side, "follow": follow}
    figure.add_trace(marks(links, "lines", line=line, opacity=0.6, meta=meta))
    rows = near.tolist()
    dot = {"size": 8, "color": color, "line": {"width": 1.2, "color": tokens.canvas}}
    meta = {"role": "neighbors", "side": side, "rows": rows, "follow": rows}
    figure.add_trace(marks(coords[near], marker=dot, meta=meta))


def _point_out(figure: Figure, coords: Coords, pick: Pick, tokens: Tokens) -> None:
    big = {"size": 14, "color": tokens.accent, "line": {"width": 2, "color": tokens.canvas}}
    meta = {"role": "chosen", "rows": [pick.row], "follow": [pick.row]}
    figure.add_trace(marks(coords[[pick.row]], marker=big, meta=meta))


def _every_third(rows: Rows, at: int) -> list[int]:
    """-1, but the rows at 1, 4, 7, ...: the far ends of lines with a gap after each."""
    follow = np.full(3 * len(rows), -1, np.int64)
    follow[at::3] = rows
    return [int(row) for row in follow]
