"""A training to look at: the loss as it falls, and the student's vectors as they take shape."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.figures.base import bare_axis, blank, marks, padded, points
from core.figures.map import point_size
from core.figures.parts import Figure
from core.figures.scene import Label, label_at
from core.figures.tokens import Tokens
from core.spaces.words import is_word
from core.types import Coords, Matrix, Queries, Vector

LANDMARKS = 14


def loss_figure(
    history: Sequence[Mapping[str, int | float]], tokens: Tokens, revision: str
) -> Figure:
    """The loss over the steps so far, from entries of a training's history."""
    line = np.array([[entry["step"], entry["loss"]] for entry in history], np.float32)
    line = line.reshape(-1, 2)
    quiet = {"fixedrange": True, "gridcolor": tokens.line, "zeroline": False, "nticks": 4}
    text = {"tickfont": {"size": 10}, "automargin": True, "ticks": ""}
    figure = blank(tokens, revision, xaxis={**quiet, **text}, yaxis={**quiet, **text})
    figure.update_layout(margin={"l": 6, "r": 8, "t": 6, "b": 6}, dragmode=False)
    stroke = {"color": tokens.accent, "width": 2}
    figure.add_trace(marks(line, "lines", line=stroke, meta={"role": "loss"}))
    dot = {"size": 7, "color": tokens.accent}
    figure.add_trace(marks(line[-1:], marker=dot, meta={"role": "now"}))
    return figure


def forming_figure(there: Coords, here: Coords, tokens: Tokens, revision: str) -> Figure:
    """Where the teacher has some items (n, 2), and where the student has them now.

    The frame is the teacher's and stays, so that every movement is learning. Traces by
    ``meta.role``: ground (the teacher's, still) and items (the student's, which the stage moves).
    """
    figure = blank(
        tokens,
        revision,
        xaxis=bare_axis(*padded(there[:, 0], 0.08)),
        yaxis=bare_axis(*padded(there[:, 1], 0.08)),
    )
    size = point_size(len(there)) + 1.2
    still = {"color": tokens.faint, "size": size, "line": {"width": 0}}
    figure.add_trace(points(there, marker=still, meta={"role": "ground", "still": True}))
    moving = {"color": tokens.accent, "size": size, "opacity": 0.75, "line": {"width": 0}}
    figure.add_trace(points(here, marker=moving, meta={"role": "items"}))
    return figure


def frame_of(vectors: Matrix) -> tuple[Vector, Queries]:
    """The plane in which rows (n, d) differ most: their mean (d,), and two directions (2, d).

    Fewer than two directions are filled up with zeros.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    plane = np.zeros((2, vectors.shape[1]), np.float32)
    plane[: min(2, len(axes))] = axes[:2]
    return mean.astype(np.float32), plane


def landmarks(texts: Sequence[str], there: Coords) -> list[Label]:
    """Names of some items far from each other, whole words first, at the teacher's places."""
    rows = np.array([row for row, text in enumerate(texts) if is_word(text)], np.int64)
    rows = rows if len(rows) >= LANDMARKS else np.arange(len(texts))
    if not len(rows):
        return []
    places = there[rows]
    chosen = [int(np.linalg.norm(places - places.mean(axis=0), axis=1).argmax())]
    away = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < min(LANDMARKS, len(rows)):
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return [label_at(texts[rows[at]], places[at], "quiet", 11) for at in chosen]
