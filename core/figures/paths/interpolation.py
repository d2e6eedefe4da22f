"""What a model says on the way between two concepts: bands of words, and its doubt below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.base import blank, plain, ruled_axis
from core.figures.parts import Figure, Part, frame, scatter
from core.figures.scene import Label
from core.figures.tokens import OKABE_ITO, Tokens

Floats = npt.NDArray[np.floating[Any]]

LEAST = 0.015  # of a step: a word that is never likelier has no band of its own
MOST = 12  # bands besides those of the ends
NAMED = 0.03  # of the height: a band that is nowhere as thick has no name on it
OTHERS = "all other words"
QUIETER = (OKABE_ITO[1], OKABE_ITO[3], OKABE_ITO[6], OKABE_ITO[4], OKABE_ITO[2], OKABE_ITO[5])
Domains = tuple[tuple[float, float], ...]
ALONE: Domains = ((0.36, 1.0), (0.0, 0.3))  # of the height: the bands, the entropy
PAIRED: Domains = ((0.69, 1.0), (0.53, 0.65), (0.18, 0.49), (0.0, 0.14))  # and those of the other


@dataclass(frozen=True, eq=False)
class Band:
    """A word with its probability at each step, (m,): an end's own ("start", "end"), another
    ("between"), one of the prompt's ("echo"), or the sum of the rest ("rest")."""

    word: str
    shares: Floats
    kind: str


@dataclass(frozen=True, eq=False)
class ComparedReading:
    """The same way read elsewhere: the ``names`` of both readings, the bands of the other one, and
    the ``divergence`` (m,) of what is said there, in nats."""

    names: tuple[str, str]
    layers: Sequence[Band]
    divergence: Floats


def bands(
    words: Sequence[str], shares: Floats, names: tuple[str, str], echoes: Sequence[bool]
) -> list[Band]:
    """The bands from the bottom up: the start's, others by where they are likeliest, the rest, the
    end's. ``shares`` is (m, n) for n words.

    >>> shares = np.array([[1, 0, 0], [0, 0.5, 0.5]])
    >>> found = bands(["a", "b", "c"], shares, ("a", "b"), [False] * 3)
    >>> [(band.word, band.kind) for band in found]
    [('a', 'start'), ('c', 'between'), ('all other words', 'rest'), ('b', 'end')]
    """
    peaks = shares.max(axis=0)
    own = [row for row, word in enumerate(words) if word not in names and peaks[row] >= LEAST]
    chosen = sorted(sorted(own, key=lambda row: -peaks[row])[:MOST], key=_when(shares))
    start, end = (words.index(name) for name in names)
    middle = [
        Band(words[row], shares[:, row], "echo" if echoes[row] else "between") for row in chosen
    ]
    told = shares[:, list(dict.fromkeys([start, end, *chosen]))].sum(axis=1)
    rest = Band(OTHERS, np.clip(1 - told, 0, 1), "rest")
    first = Band(words[start], shares[:, start], "start")
    if start == end:  # both ends begin with the same token
        return [first, *middle, rest]
    return [first, *middle, rest, Band(words[end], shares[:, end], "end")]


def _when(shares: Floats) -> Any:
    """Where on the way a word is said, as a centre of gravity."""
    steps = np.arange(len(shares))
    return lambda row: float((shares[:, row] * steps).sum() / max(shares[:, row].sum(), 1e-9))


def between_figure(
    t: Floats,
    layers: Sequence[Band],
    entropy: Floats,
    flips: Sequence[float],
    tokens: Tokens,
    revision: str,
    beside: ComparedReading | None = None,
) -> Figure:
    """The bands (they add up to 1) over ``t`` (m,), entropy (m,) in nats below on the same t, and a
    dotted line at each of ``flips``; with ``beside`` its bands below, and the divergence below
    those. ``meta.steps`` lets the player go where somebody clicks.

    Traces by ``meta.role``: band, entropy, beside, divergence, and the moving ones, here and doubt
    (twice with ``beside``), of which a frame a step is named "0", "1", ...
    """
    domains = ALONE if beside is None else PAIRED
    axes = [
        _shares_axis("probability" if beside is None else beside.names[0], domains[0], tokens),
        _curve_axis("entropy (nats)", max(1.0, 1.12 * float(entropy.max())), domains[1], tokens),
    ]
    if beside is not None:
        axes.append(_shares_axis(beside.names[1], domains[2], tokens))
        axes.append(_curve_axis("JSD (nats)", 1.12 * log(2), domains[3], tokens))
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis("t, the way from the one to the other", 0.0, 1.0, tokens)
        | {"fixedrange": True, "showgrid": False, "anchor": f"y{len(axes)}", "zeroline": False},
        **{f"yaxis{k or ''}": axis for k, axis in zip((0, 2, 3, 4), axes, strict=False)},
        hovermode="x unified",
        hoverlabel={"bgcolor": tokens.card, "font": {"color": tokens.text, "size": 12}},
        dragmode=False,
    )
    figure.update_layout(margin={"l": 54, "r": 10, "t": 8, "b": 40})
    across = [round(float(value), 4) for value in t]
    colours = band_colours(layers, tokens)
    for band, colour in zip(layers, colours, strict=True):
        figure.add_trace(_area(across, band, colour, tokens))
    figure.add_trace(_curve(across, entropy, "entropy", "y2", tokens.label))
    curves = [("y2", _rounded(entropy))]
    if beside is not None:
        known = {band.word: colour for band, colour in zip(layers, colours, strict=True)}
        others = band_colours(beside.layers, tokens, known)
        for band, colour in zip(beside.layers, others, strict=True):
            figure.add_trace(_area(across, band, colour, tokens, "beside", "y3"))
        figure.add_trace(_curve(across, beside.divergence, "divergence", "y4", tokens.second))
        curves.append(("y4", _rounded(beside.divergence)))
    for flip in flips:
        figure.add_shape(
            type="line", x0=flip, x1=flip, y0=domains[1][0], y1=1, yref="paper", layer="above",
            line={"width": 1.4, "color": tokens.text, "dash": "dot"},
        )  # fmt: skip
    _add_markers(figure, across, curves, tokens)
    return figure


def _shares_axis(name: str, domain: tuple[float, float], tokens: Tokens) -> dict[str, Any]:
    kept = {"domain": list(domain), "fixedrange": True, "tickvals": [0, 0.5, 1], "showgrid": False}
    return ruled_axis(name, 0.0, 1.0, tokens) | kept


def _curve_axis(
    name: str, top: float, domain: tuple[float, float], tokens: Tokens
) -> dict[str, Any]:
    kept = {"domain": list(domain), "fixedrange": True, "nticks": 4, "zeroline": False}
    return ruled_axis(name, -0.05 * top, top, tokens) | kept


def _curve(across: Sequence[float], values: Floats, role: str, axis: str, colour: str) -> Part:
    told = [f"t {x:.2f}: {role} {value:.2f} nats" for x, value in zip(across, values, strict=True)]
    return scatter(
        x=list(across),
        y=_rounded(values),
        mode="lines",
        line={"width": 2.2, "color": colour},
        yaxis=axis,
        hoverinfo="text",
        hovertext=told,
        meta={"role": role, "steps": list(range(len(across)))},
    )


def _area(
    across: Sequence[float],
    band: Band,
    colour: tuple[str, float],
    tokens: Tokens,
    role: str = "band",
    axis: str = "y",
) -> Part:
    fill, opacity = colour
    shares = [round(float(value), 4) for value in band.shares]
    echo = " (the prompt's own word)" if band.kind == "echo" else ""
    hatched = {"shape": "/", "size": 6, "solidity": 0.25, "fgcolor": tokens.quiet}
    return scatter(
        x=list(across),
        y=shares,
        mode="lines",
        stackgroup="words",
        yaxis=axis,
        line={"width": 0.8, "color": tokens.canvas},
        fillcolor=_faded(fill, opacity),
        fillpattern=hatched if band.kind == "echo" else None,
        hoverinfo="text",
        hovertext=[f"{plain(band.word, 30)}{echo}: {share:.2f}" for share in shares],
        meta={
            "role": role,
            "word": plain(band.word),
            "kind": band.kind,
            "steps": list(range(len(shares))),
        },
    )


def band_colours(
    layers: Sequence[Band], tokens: Tokens, known: Mapping[str, tuple[str, float]] | None = None
) -> list[tuple[str, float]]:
    """A colour and an opacity for each band: amber and teal for the ends, Okabe-Ito between; a word
    that is ``known`` by a colour keeps it."""
    fixed = {
        "start": (tokens.accent, 0.85),
        "end": (tokens.second, 0.85),
        "rest": (tokens.faint, 0.35),
        "echo": (tokens.point, 0.35),
    }
    found, drawn = [], 0
    for band in layers:
        if band.kind in fixed:
            found.append(fixed[band.kind])
        elif known and band.word in known:
            found.append(known[band.word])
        else:
            found.append((QUIETER[drawn % len(QUIETER)], 0.6))
            drawn += 1
    return found


def band_labels(
    t: Floats, layers: Sequence[Band], beside: ComparedReading | None = None
) -> list[Label]:
    """A name on each band, where it is thickest, the thickest first; then those of ``beside``."""
    labels = _names(t, layers)
    if beside is None:
        return labels
    (low, high), (first, last) = PAIRED[2], PAIRED[0]
    scale, start = (high - low) / (last - first), (low - first) / (last - first)
    below = [replace(it, y=start + scale * it.y) for it in _names(t, beside.layers)]
    return [*labels, *below]  # all places are told on the axis of the first bands


def _names(t: Floats, layers: Sequence[Band]) -> list[Label]:
    below = np.cumsum([band.shares for band in layers], axis=0)
    found = []
    for row, band in enumerate(layers):
        at = _thickest(band.shares)
        thick = float(band.shares[at])
        if thick < NAMED:
            continue
        middle = float(below[row, at]) - thick / 2
        large = band.kind in ("start", "end")
        name = f"{band.word[:30]} (echo)" if band.kind == "echo" else band.word[:36]
        kind = "near" if band.kind != "rest" else "quiet"
        place = float(np.clip(t[at], 0.03, 0.97))
        label = Label(name, place, middle, kind, 17 if large else 12)  # type: ignore[arg-type]
        found.append((thick, label))
    return [label for _, label in sorted(found, key=lambda pair: -pair[0])]


def told_labels(told: Sequence[str]) -> list[list[Label]]:
    """What is shown at each step over the bands: how the model describes the place."""
    return [[Label(f"“{text[:80]}”", 0.5, 0.9, "near", 16)] if text else [] for text in told]


def _thickest(shares: Floats) -> int:
    """The middle of where a band is within a tenth of its most."""
    wide = np.flatnonzero(shares >= 0.9 * shares.max())
    run = np.split(wide, np.flatnonzero(np.diff(wide) > 1) + 1)
    longest = max(run, key=len)
    return int(longest[len(longest) // 2])


def _add_markers(
    figure: Figure,
    across: Sequence[float],
    curves: Sequence[tuple[str, Sequence[float]]],
    tokens: Tokens,
) -> None:
    """Lines over the bands that stand at the player's step, and a dot on each curve below them."""
    moving = [len(figure.data) + k for k in range(2 * len(curves))]
    line = {"width": 2, "color": tokens.text}
    dot = {"size": 11, "color": tokens.text, "line": {"width": 2, "color": tokens.canvas}}
    for bands_axis, (axis, values) in zip(("y", "y3"), curves, strict=False):
        figure.add_trace(
            scatter(
                x=[across[0]] * 2, y=[0, 1], mode="lines", line=line, yaxis=bands_axis,
                hoverinfo="skip", meta={"role": "here"},
            )
        )  # fmt: skip
        figure.add_trace(
            scatter(
                x=[across[0]], y=[values[0]], mode="markers", marker=dot, yaxis=axis,
                hoverinfo="skip", cliponaxis=False, meta={"role": "doubt"},
            )
        )  # fmt: skip
    figure.frames = [
        frame(
            step,
            moving,
            [
                trace
                for _, values in curves
                for trace in (scatter(x=[x, x], y=[0, 1]), scatter(x=[x], y=[values[step]]))
            ],
        )
        for step, x in enumerate(across)
    ]


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 4) for value in values]


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
