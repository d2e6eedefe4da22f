"""A path drawn twice: on the map, and in its own plane where straight is straight.

Both figures carry the same frames, one a step, named "0", "1", ...; a frame holds the moving
traces alone (the trail and the marker of each path), never the background.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, broken, listed, marks, padded, points, ruled_axis
from core.figures.map import point_opacity, point_size
from core.figures.parts import Figure, Part, frame, scatter, scatter3d
from core.figures.scene import Label, label_at
from core.figures.tokens import Tokens
from core.types import Coords, QueryCoords, Vector

TRAIL = 8  # steps that fade behind the marker
COLORS = {
    **{"lerp": "accent", "slerp": "second", "graph": "third", "a": "label", "b": "second"},
    **{"document": "accent", "own": "second"},
}
NAMES = {"lerp": "straight", "slerp": "sphere", "graph": "graph"}


@dataclass(frozen=True, eq=False)
class FigurePath:
    """One path as both pictures need it; m steps."""

    kind: str
    on_map: QueryCoords  # (m, p)
    on_plane: npt.NDArray[np.float32]  # (m, 2), also where the map has three dimensions
    off: npt.NDArray[np.bool_]  # (m,) off the data
    stops: Sequence[int]  # steps that are waypoints


def color_of(kind: str, tokens: Tokens) -> str:
    """The colour of a kind of path: amber, teal or rose."""
    return str(getattr(tokens, COLORS[kind]))


def path_on_map(
    coords: Coords, ways: Sequence[FigurePath], tokens: Tokens, revision: str, zoom: bool = True
) -> Figure:
    """The paths over the faint map of all items. ``zoom`` frames the paths, not the whole map."""
    figure = blank(tokens, revision, **_map_axes(coords, ways if zoom else ()))
    flat = coords.shape[1] == 2
    marker = {
        "color": tokens.point,
        "size": point_size(len(coords), flat),
        "opacity": 0.55 * point_opacity(len(coords)),
        "line": {"width": 0},
    }
    figure.add_trace(points(coords, marker=marker, meta={"role": "items"}))
    return with_paths(figure, ways, [way.on_map for way in ways], tokens)


def path_on_plane(
    ways: Sequence[FigurePath], around: QueryCoords, tokens: Tokens, revision: str
) -> Figure:
    """The plane of the paths, exact and linear; ``around`` (r, 2) are items near the way."""
    everything = np.concatenate([around, *(way.on_plane for way in ways)])
    x = padded(everything[:, 0], 0.07)
    low, high = padded(everything[:, 1], 0.12)
    y = (min(low, -0.3), max(high, 0.3))
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("along the way, in its own length", *x, tokens),
        yaxis=ruled_axis("away from it", *y, tokens) | {"scaleanchor": "x"},
    )
    figure.update_layout(margin={"l": 44, "r": 8, "t": 8, "b": 38})
    marker = {"size": 5, "color": tokens.point, "opacity": 0.7, "line": {"width": 0}}
    figure.add_trace(marks(around, marker=marker, meta={"role": "around"}))
    return with_paths(figure, ways, [way.on_plane for way in ways], tokens)


def path_labels(
    names: Sequence[str], at: QueryCoords, decoded: Sequence[tuple[str, Vector]] = ()
) -> list[Label]:
    """Names of the waypoints, then of decoded items (text, place) beside the way."""
    labels = [label_at(name, place, "chosen", 15) for name, place in zip(names, at, strict=True)]
    return labels + [label_at(text, place, "near") for text, place in decoded]


def _map_axes(coords: Coords, ways: Sequence[FigurePath]) -> dict[str, object]:
    if coords.shape[1] == 3:
        hidden = {"visible": False, "showbackground": False}
        axes: dict[str, object] = dict.fromkeys(("xaxis", "yaxis", "zaxis"), hidden)
        return {"scene": {**axes, "aspectmode": "data"}}
    shown = np.concatenate([way.on_map for way in ways]) if ways else coords
    ranges = []
    for axis in (0, 1):
        low, high = padded(shown[:, axis], 0.35 if ways else 0.04)
        least = 0.45 * float(np.ptp(coords[:, axis])) if ways else 0.0
        grow = max(0.0, least - (high - low)) / 2
        ranges.append((low - grow, high + grow))
    return {"xaxis": bare_axis(*ranges[0]), "yaxis": bare_axis(*ranges[1])}


def with_paths(
    figure: Figure, ways: Sequence[FigurePath], tracks: Sequence[QueryCoords], tokens: Tokens
) -> Figure:
    """The figure with the ways drawn on their ``tracks``, and a frame for each step."""
    for way, track in zip(ways, tracks, strict=True):
        _draw_line(figure, way, track, tokens)
    for way, track in zip(ways, tracks, strict=True):
        stops = track[list(way.stops)]
        ring = {"size": 10, "color": tokens.canvas, "line": {"width": 2.5, "color": tokens.accent}}
        figure.add_trace(marks(stops, marker=ring, meta={"role": "waypoints"}))
    moving: list[int] = []
    for way, track in zip(ways, tracks, strict=True):
        moving += [len(figure.data), len(figure.data) + 1]
        for trace in _moving(way, track, 0, tokens):
            figure.add_trace(trace)
    steps = len(tracks[0]) if tracks else 0
    places = [listed(track) for track in tracks]
    figure.frames = [
        frame(
            step,
            moving,
            [_position(place, part) for place in places for part in (_trail_steps(step), [step])],
        )
        for step in range(steps)
    ]
    return figure


def _draw_line(figure: Figure, way: FigurePath, track: QueryCoords, tokens: Tokens) -> None:
    """Solid where the way runs among the data, dashed where it leaves them."""
    color = color_of(way.kind, tokens)
    for keep, dash, opacity in ((~way.off, "solid", 0.9), (_spread(way.off), "dot", 0.6)):
        line = {"width": 2.5, "color": color, "dash": dash}
        role = {"role": "line", "kind": way.kind, "off": dash == "dot"}
        piece = broken(track, keep)
        figure.add_trace(marks(piece, "lines", line=line, opacity=opacity, meta=role))


def _spread(off: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Off-data steps and their neighbours, so that a dashed stretch joins the solid ones."""
    wide = off.copy()
    wide[:-1] |= off[1:]
    wide[1:] |= off[:-1]
    return wide


def _trail_steps(step: int) -> list[int]:
    """Always TRAIL steps, the oldest first, so that the browser can tween between frames."""
    return [max(0, step - back) for back in range(TRAIL, 0, -1)]


def _moving(way: FigurePath, track: QueryCoords, step: int, tokens: Tokens) -> list[Part]:
    color = color_of(way.kind, tokens)
    fading = [round(0.08 + 0.5 * k / TRAIL, 2) for k in range(TRAIL)]
    sizes = [round(4 + 5 * k / TRAIL, 1) for k in range(TRAIL)]
    spatial = track.shape[1] == 3
    trail: dict[str, object] = {"size": sizes, "color": color, "line": {"width": 0}}
    trail["opacity"] = 0.4 if spatial else fading  # 3-D markers share one opacity
    border = {"width": 3, "color": tokens.canvas}
    head = {"size": 9 if spatial else 17, "color": color, "line": border}
    return [
        marks(track[_trail_steps(step)], marker=trail, meta={"role": "trail", "kind": way.kind}),
        marks(track[[step]], marker=head, meta={"role": "marker", "kind": way.kind}),
    ]


def _position(places: list[list[float | None]], steps: list[int]) -> Part:
    """Coordinates alone: a frame changes where a trace is, never how it looks."""
    columns = [[column[step] for step in steps] for column in places]
    if len(columns) == 3:
        return scatter3d(x=columns[0], y=columns[1], z=columns[2])
    return scatter(x=columns[0], y=columns[1])
