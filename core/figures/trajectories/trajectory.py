"""Texts as paths through a frozen picture of a layer, with fans of what might have come next.

The frames are the player's steps, one a drawn token, named "0", "1", ...; a frame moves the marker
and the fan, never the corpus behind them or the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.base import bare_axis, blank, listed, marks, padded, plain, points
from core.figures.map import point_opacity, point_size
from core.figures.parts import Figure, Part, frame, scatter, scatter3d
from core.figures.scene import Label, LabelKind, label_at
from core.figures.tokens import DARK, Tokens
from core.types import Coords, QueryCoords

BANDS = ((0.3, 5.0, 0.95), (0.1, 3.2, 0.8), (0.03, 1.9, 0.65), (0.0, 1.0, 0.45))
"""Rays by probability: at least so much, so many pixels wide, so opaque."""
CONTROL = ("#75688f", "#a79cc4")  # grey-violet on light and on dark
NAMED_RAYS = 8  # of the fan at a step
NAMED_IN_SPACE = 12  # words of a path in three dimensions, where labels cannot make way
OUTLYING = 1.0  # percent of the corpus on each side that the window leaves out
LEAST_WINDOW = 0.4  # of the corpus' extent: a short path is not blown up


@dataclass(frozen=True, eq=False)
class Track:
    """One text as it is drawn: its ``words`` with ``places`` (m, p), the first ``begun`` of them a
    prompt's; from word ``stem`` on it goes a way of its own. ``said`` is for the hover."""

    words: Sequence[str]
    places: QueryCoords
    begun: int
    said: Sequence[str]
    stem: int = 0


@dataclass(frozen=True, eq=False)
class Rays:
    """A fan at one word: ``start`` (p,), ``words`` with ``places`` (k, p) and probabilities."""

    start: npt.NDArray[np.float32]
    words: Sequence[str]
    places: QueryCoords
    shares: npt.NDArray[np.floating]


def trajectory_figure(
    coords: Coords,
    tracks: Sequence[Track],
    tokens: Tokens,
    revision: str,
    *,
    fans: Sequence[Rays | None] = (),
    along: bool = False,
    control: QueryCoords | None = None,
    growing: bool = False,
    at: int | None = None,
) -> Figure:
    """``tracks`` over the corpus' states ``coords`` (n, p), the first in front; ``fans`` are one a
    word of it, drawn at the player's step or, with ``along``, all at once too. ``control`` (m, p)
    is the shuffled text. While the text is ``growing`` there are no frames; ``at`` is the step
    that is shown first.

    Traces by ``meta.role``: items, control, fans, branch, path, words, ray, tip, marker.
    """
    figure = blank(tokens, revision, **_axes(coords, tracks, control, growing))
    flat = coords.shape[1] == 2
    behind = {
        "color": tokens.point,
        "size": point_size(len(coords), flat),
        "opacity": 0.5 * point_opacity(len(coords)),
        "line": {"width": 0},
    }
    draw = points if len(coords) >= 2 else marks
    figure.add_trace(draw(coords, marker=behind, meta={"role": "items"}))
    if control is not None:
        _draw_control(figure, control, tokens)
    if along:
        _draw_rays(figure, [fan for fan in fans if fan is not None], tokens, "fans", 0.38)
    for number, track in enumerate(tracks[1:], 1):
        _draw_branch(figure, track, number, tokens)
    if tracks:
        _draw_path(figure, tracks[0], tokens)
        _move(figure, tracks[0], fans, tokens, growing, at)
    return figure


def word_labels(tracks: Sequence[Track], growing: bool = False) -> list[Label]:
    """Names of the words, the telling ones first: where it begins, where it is now, then long
    words before short ones; of other samples the word with which they part."""
    if not tracks or tracks[0].places.shape[1] == 3:
        return []
    trunk = tracks[0]
    last = len(trunk.words) - 1
    order = sorted(range(last + 1), key=lambda at: (-len(trunk.words[at].strip()), at))
    first = [*range(last, max(last - 4, -1), -1)] if growing else [last, 0]
    rows = list(dict.fromkeys([*first, *order])) if last >= 0 else []
    made = [label_at(shown(trunk.words[at]), trunk.places[at], _kind(trunk, at), 13) for at in rows]
    for track in tracks[1:]:
        if track.stem < len(track.words):
            made.insert(
                1, label_at(shown(track.words[track.stem]), track.places[track.stem], "quiet", 12)
            )
    return made


def step_labels(track: Track, fans: Sequence[Rays | None]) -> list[list[Label]]:
    """At each step the word itself, large, and the likeliest words of its fan."""
    if track.places.shape[1] == 3:
        return []
    found = []
    for at, word in enumerate(track.words):
        own = [label_at(shown(word), track.places[at], _kind(track, at), 17)]
        rays = fans[at] if at < len(fans) else None
        if rays is not None:
            own += [
                label_at(f"{shown(word)} {share:.0%}", place, "near", 13 if share >= 0.1 else 12)
                for word, place, share in list(
                    zip(rays.words, rays.places, rays.shares, strict=True)
                )[:NAMED_RAYS]
                if share >= 0.005
            ]
        found.append(own)
    return found


def shown(word: str) -> str:
    r"""A token so that something can be seen of it.

    >>> shown(" sea"), shown("\n"), shown(" "), shown(",")
    ('sea', '⏎', '␣', '“,”')
    """
    bare = word.strip()
    if not bare:
        return "⏎" if "\n" in word else "␣"
    return bare if any(map(str.isalnum, bare)) else f"“{bare}”"


def _kind(track: Track, at: int) -> LabelKind:
    return "second" if at < track.begun else "chosen"


def control_color(tokens: Tokens) -> str:
    """The grey-violet of what was shuffled."""
    return CONTROL[tokens is DARK]


# ---------------------------------------------------------------------------------------- parts


def _axes(
    coords: Coords, tracks: Sequence[Track], control: QueryCoords | None, growing: bool
) -> dict[str, object]:
    """While it grows the window is the corpus', and stands still; then it is the path's."""
    corpus = np.percentile(coords, [OUTLYING, 100 - OUTLYING], axis=0).astype(np.float32)
    drawn = [*(track.places for track in tracks), *([] if control is None else [control])]
    if growing or not any(map(len, drawn)):
        drawn.append(corpus)
    window = np.concatenate(drawn)
    ranges = []
    for axis in range(coords.shape[1]):
        low, high = padded(window[:, axis], 0.08)
        grow = max(0.0, LEAST_WINDOW * float(np.ptp(corpus[:, axis])) - (high - low)) / 2
        ranges.append((low - grow, high + grow))
    if coords.shape[1] == 2:
        return {"xaxis": bare_axis(*ranges[0]), "yaxis": bare_axis(*ranges[1])}
    axes: dict[str, object] = {
        name: {"visible": False, "showbackground": False, "range": list(around)}
        for name, around in zip(("xaxis", "yaxis", "zaxis"), ranges, strict=True)
    }
    camera = {"eye": {"x": 1.05, "y": 1.05, "z": 0.6}}
    return {"scene": {**axes, "aspectmode": "cube", "camera": camera, "dragmode": "orbit"}}


def _draw_control(figure: Figure, places: QueryCoords, tokens: Tokens) -> None:
    color = control_color(tokens)
    line = {"width": 1.3, "color": color, "dash": "dot"}
    dots = {"size": 4, "color": color}
    meta = {"role": "control"}
    figure.add_trace(
        marks(places, "lines+markers", line=line, marker=dots, opacity=0.75, meta=meta)
    )


def _draw_branch(figure: Figure, track: Track, number: int, tokens: Tokens) -> None:
    """Another sample, from the word at which it parts; it begins where the shared stem ends."""
    places = track.places[max(0, track.stem - 1) :]
    line = {"width": 1.6, "color": tokens.label}
    dots = {"size": 4, "color": tokens.label}
    meta = {"role": "branch", "sample": number}
    trace = marks(places, "lines+markers", line=line, marker=dots, opacity=0.36, meta=meta)
    said = [plain(text, 160) for text in track.said[max(0, track.stem - 1) :]]
    trace.merge(hoverinfo="text", hovertext=said)
    figure.add_trace(trace)


def _draw_path(figure: Figure, track: Track, tokens: Tokens) -> None:
    flat = track.places.shape[1] == 2
    begun = min(track.begun, len(track.words))
    for name, color, rows in (
        ("prompt", tokens.second, slice(0, begun)),
        ("written", tokens.accent, slice(max(begun - 1, 0), None)),
    ):
        line = {"width": 1.8 if flat else 4, "color": color}
        role = {"role": "path", "part": name}
        figure.add_trace(marks(track.places[rows], "lines", line=line, opacity=0.45, meta=role))
    for name, color, first, stop in (
        ("prompt", tokens.second, 0, begun),
        ("written", tokens.accent, begun, len(track.words)),
    ):
        border = {"width": 1.5 if flat else 0, "color": tokens.canvas}
        dots = {"size": 8 if flat else 4.5, "color": color, "line": border}
        meta: dict[str, Any] = {"role": "words", "part": name, "steps": list(range(first, stop))}
        trace = marks(track.places[first:stop], marker=dots, meta=meta)
        said = [plain(text, 160) for text in track.said[first:stop]]
        trace.merge(hoverinfo="text", hovertext=said)
        if not flat:
            trace.merge(mode="markers+text", text=_in_space(track, first, stop))
            trace.merge(textposition="top center", textfont={"size": 12, "color": color})
        figure.add_trace(trace)


def _in_space(track: Track, first: int, stop: int) -> list[str]:
    """Names for three dimensions: the longest words only, since there they cannot make way."""
    order = sorted(range(len(track.words)), key=lambda at: -len(track.words[at].strip()))
    named = set(order[:NAMED_IN_SPACE])
    return [plain(shown(track.words[at]), 24) if at in named else "" for at in range(first, stop)]


def _draw_rays(
    figure: Figure, fans: Sequence[Rays], tokens: Tokens, role: str, fade: float = 1.0
) -> None:
    """One trace for each band of probability, thick for the likely."""
    for (_, width, opacity), places in zip(BANDS, _banded(fans), strict=True):
        line = {"width": width * (0.6 if fade < 1 else 1), "color": tokens.accent}
        figure.add_trace(
            marks(places, "lines", line=line, opacity=fade * opacity, meta={"role": role})
        )


def _banded(fans: Sequence[Rays]) -> list[QueryCoords]:
    """For each band the rays of its probabilities, (3 r, p) with a gap after each."""
    width = fans[0].places.shape[1] if fans else 2
    found: list[list[npt.NDArray[np.float32]]] = [[] for _ in BANDS]
    gap = np.full(width, np.nan, np.float32)
    for rays in fans:
        for place, share in zip(rays.places, rays.shares, strict=True):
            band = next(k for k, (least, _, _) in enumerate(BANDS) if share >= least)
            found[band] += [rays.start, place, gap]
    return [
        np.stack(it).astype(np.float32) if it else np.empty((0, width), np.float32) for it in found
    ]


def _move(
    figure: Figure,
    track: Track,
    fans: Sequence[Rays | None],
    tokens: Tokens,
    growing: bool,
    at: int | None,
) -> None:
    """The marker and the fan at it, and a frame for each word."""
    last = len(track.words) - 1
    if last < 0:
        return
    start = last if at is None else min(at, last)
    first = len(figure.data)
    rays = [fans[step] if step < len(fans) else None for step in range(last + 1)]
    flat = track.places.shape[1] == 2
    none = track.places[:0]
    own = rays[start]
    if own is None:
        for _, width, opacity in BANDS:
            line = {"width": width, "color": tokens.accent}
            figure.add_trace(marks(none, "lines", line=line, opacity=opacity, meta={"role": "ray"}))
    else:
        _draw_rays(figure, [own], tokens, "ray")
    tip: dict[str, Any] = {"size": 6 if flat else 3.5, "color": tokens.accent}
    tip["line"] = {"width": 1 if flat else 0, "color": tokens.canvas}
    figure.add_trace(marks(none if own is None else own.places, marker=tip, meta={"role": "tip"}))
    border = {"width": 3, "color": tokens.canvas}
    head = {"size": 17 if flat else 9, "color": tokens.accent, "line": border}
    figure.add_trace(marks(track.places[[start]], marker=head, meta={"role": "marker"}))
    if growing:
        return
    moving = list(range(first, len(figure.data)))
    figure.frames = [
        frame(step, moving, _positions(track, step, rays[step])) for step in range(last + 1)
    ]


def _positions(track: Track, step: int, rays: Rays | None) -> list[Part]:
    """Coordinates alone: a frame changes where a trace is, never how it looks."""
    none = track.places[:0]
    banded = [none] * len(BANDS) if rays is None else _banded([rays])
    tips = none if rays is None else rays.places
    return [_at(places) for places in (*banded, tips, track.places[[step]])]


def _at(places: QueryCoords) -> Part:
    columns = listed(places.round(4))
    if places.shape[1] == 3:
        return scatter3d(x=columns[0], y=columns[1], z=columns[2])
    return scatter(x=columns[0], y=columns[1])
