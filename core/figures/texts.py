"""Texts as points: documents large, their windows small, and one document as a way through them.

And two spaces asked about the same pairs of sentences, with what chance may do to the answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, marks, padded, points, ruled_axis
from core.figures.colors import Layer
from core.figures.map import point_opacity, point_size
from core.figures.parts import Figure, scatter
from core.figures.paths.path import FigurePath, with_paths
from core.figures.scene import Label, LabelKind, label_at
from core.figures.tokens import Tokens
from core.metrics.intervals import Interval
from core.types import Coords, QueryCoords, Rows, Vector

LARGE = 2.4  # times the size of a window: a document
CROWDED = 60  # windows: from here on their dots are smaller
MOST_STEPS = 200  # of a way: more are neither seen nor waited for
ROOM = 0.06  # of the picture: the least that is shown around a way
ABOVE, BELOW = 0.16, -0.16  # of a row: where its two marks stand


@dataclass(frozen=True, eq=False)
class WindowPath:
    """A way through windows: where they are (m, 2), its colour by kind ("document" or "own"), and
    what it is called."""

    name: str
    places: QueryCoords
    kind: str = "document"

    @property
    def steps(self) -> Rows:
        """The windows that are stops of the drawn way, at most 200, the first and last in it."""
        count = min(len(self.places), MOST_STEPS)
        return np.unique(np.linspace(0, len(self.places) - 1, count).round().astype(np.int64))


@dataclass(frozen=True, eq=False)
class Found:
    """A typed text on the map: where it falls (2,), and the rows of its nearest items."""

    text: str
    place: Vector
    near: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def texts_figure(
    coords: Coords,
    large: npt.NDArray[np.bool_],
    layer: Layer | None,
    tokens: Tokens,
    revision: str,
    *,
    region: Rows | None = None,
    course: WindowPath | None = None,
    looked_at: int | None = None,
    found: Found | None = None,
) -> Figure:
    """Items (n, 2) with the ``large`` ones standing out; ``region`` are rows that are lit.

    Traces by ``meta.role``: items, matches, region, links, neighbors, found, windows, then the
    way's own with a frame a step (see path.py), and looked_at.
    """
    axes = {"xaxis": bare_axis(*padded(coords[:, 0])), "yaxis": bare_axis(*padded(coords[:, 1]))}
    figure = blank(tokens, revision, **axes)
    small = point_size(len(coords))
    sizes = np.where(large, LARGE * small, small).astype(np.float32)
    color = {"color": tokens.point} if layer is None else layer.marker()
    faint = 0.5 if course is not None or region is not None else 1.0
    opacity = faint * point_opacity(len(coords))
    marker = {**color, "size": sizes, "opacity": opacity, "line": {"width": 0}}
    figure.add_trace(points(coords, marker=marker, meta={"role": "items"}))
    ring = {"size": 9, "color": "rgba(0,0,0,0)", "line": {"width": 1.6, "color": tokens.accent}}
    figure.add_trace(marks(coords[:0], marker=ring, meta={"role": "matches"}))
    if region is not None:
        lit = {"size": sizes[region] + 1.2, "color": tokens.accent, "line": {"width": 0}}
        meta = {"role": "region", "rows": region.tolist()}
        figure.add_trace(points(coords[region], marker={**lit, "opacity": 0.75}, meta=meta))
    if found is not None:
        _find(figure, coords, found, tokens)
    if course is not None:
        _draw(figure, course, tokens)
    if looked_at is not None:
        ring = {"size": 17, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": tokens.text}}
        meta = {"role": "looked_at", "rows": [looked_at]}
        figure.add_trace(marks(coords[[looked_at]], marker=ring, meta=meta))
    return figure


def _find(figure: Figure, coords: Coords, found: Found, tokens: Tokens) -> None:
    near = coords[found.near]
    links = np.full((3 * len(near), 2), np.nan, np.float32)
    links[0::3], links[1::3] = found.place, near
    line = {"width": 1.3, "color": tokens.accent}
    figure.add_trace(marks(links, "lines", line=line, opacity=0.45, meta={"role": "links"}))
    dot = {"size": 8, "color": tokens.accent, "line": {"width": 1, "color": tokens.canvas}}
    meta = {"role": "neighbors", "rows": found.near.tolist()}
    figure.add_trace(marks(near, marker=dot, meta=meta))
    border = {"width": 2, "color": tokens.canvas}
    big = {"size": 15, "color": tokens.accent, "symbol": "diamond", "line": border}
    figure.add_trace(marks(found.place[None], marker=big, meta={"role": "found"}))


def _draw(figure: Figure, course: WindowPath, tokens: Tokens) -> None:
    """The windows as dots; where there is more than one, the way through them and its frames."""
    from core.figures.paths.path import color_of

    color = color_of(course.kind, tokens)
    count = len(course.places)
    alone = count == 1
    size = 14 if alone else 7 if count < CROWDED else 5
    dot = {"size": size, "color": color, "line": {"width": 1, "color": tokens.canvas}}
    figure.add_trace(marks(course.places, marker=dot, meta={"role": "windows"}))
    if alone:
        return
    track = np.ascontiguousarray(course.places[course.steps])
    on = np.zeros(len(track), np.bool_)
    drawn = FigurePath(course.kind, track, track, on, [0, len(track) - 1])
    with_paths(figure, [drawn], [track], tokens)
    if count >= CROWDED:
        lines = [trace for trace in figure.data if (trace.meta or {}).get("role") == "line"]
        for line in lines:
            line.merge(line={"width": 1.3}, opacity=0.5)


def texts_labels(
    regions: Sequence[Label],
    course: WindowPath | None,
    found: Found | None,
    names: Sequence[tuple[str, Vector]] = (),
) -> list[Label]:
    """What is chosen first, then ``names`` (text, place) of what is near, then the regions."""
    labels: list[Label] = []
    if found is not None:
        labels.append(label_at(found.text, found.place, "chosen", 15))
    if course is not None:
        kind: LabelKind = "chosen" if course.kind == "document" else "second"
        labels.append(label_at(course.name, course.places[0], kind, 15))
        if len(course.places) > 1:
            labels.append(label_at("its end", course.places[-1], kind, 12))
    return [*labels, *(label_at(text, place, "near") for text, place in names), *regions]


def focus_on_texts(coords: Coords, places: QueryCoords) -> list[float]:
    """Ranges (x from, to, y from, to) around some places of the picture, never less than some."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle = (low + high) / 2
    half = np.maximum(0.62 * (high - low), ROOM / 2 * np.ptp(coords, axis=0))
    (x, y), (w, h) = middle.tolist(), half.tolist()
    return [x - w, x + w, y - h, y + h]


# ------------------------------------------------------------------------------ pairs


def pairs_figure(
    spaces: Sequence[tuple[str, Mapping[str, Interval]]],
    kinds: Sequence[str],
    tokens: Tokens,
    revision: str,
    own: tuple[float, float] | None = None,
) -> Figure:
    """Mean distances with their intervals: a row a kind, the last one uppermost; ``spaces`` are
    (name, figures by kind), amber and slate. ``own`` adds a lowest row for a pair of one's own."""
    rows = len(kinds)
    most = max(
        [1.02, *(value.high for _, told in spaces for value in told.values()), *(own or ())],
        default=1.02,
    )
    low = -1.6 if own is not None else -0.6
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(
            "distance; 0 the same, 1 as far as unrelated sentences", -0.03, 1.06 * most, tokens
        ),
        yaxis={
            **{"range": [low, rows - 0.4], "showgrid": False, "zeroline": False, "ticks": ""},
            "tickvals": [*range(rows), *([-1] if own is not None else [])],
            "ticktext": [*reversed(kinds), *(["your pair"] if own is not None else [])],
            "automargin": True,
            "fixedrange": True,
        },
    )
    figure.update_layout(margin={"l": 8, "r": 12, "t": 6, "b": 40})
    for (name, told), away, color in zip(
        spaces, (ABOVE, BELOW), (tokens.accent, tokens.label), strict=True
    ):
        places = [rows - 1 - row + away for row in range(rows)]
        values = [told[kind] for kind in kinds]
        if own is not None:
            places.append(-1 + away)
        x = [value.value for value in values]
        plus = [value.high - value.value for value in values]
        minus = [value.value - value.low for value in values]
        if own is not None:
            x.append(own[0 if away == ABOVE else 1])
            plus.append(0.0)
            minus.append(0.0)
        figure.add_trace(
            scatter(
                x=x,
                y=places,
                mode="markers",
                marker={"size": 10, "color": color},
                error_x={
                    **{"type": "data", "symmetric": False, "array": plus, "arrayminus": minus},
                    **{"color": color, "thickness": 2, "width": 5},
                },
                hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
                meta={"role": "told", "space": name},
            )
        )
    return figure
