"""The map between three concepts: cells coloured by the word that a model says there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.figures.base import blank, marks, ruled_axis
from core.figures.parts import Figure, Part
from core.figures.scene import Label, label_at
from core.figures.tokens import OKABE_ITO, Tokens
from core.types import Coords

THREE = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2])  # blue, vermilion, green
THREE_DARK = (OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2])  # on dark the blue is too dim
QUIET = (OKABE_ITO[3], OKABE_ITO[6], OKABE_ITO[0], OKABE_ITO[1])
QUIETED = 0.5  # how much of the theme's grey is mixed into a word that is no concept
FAINTEST = 0.1  # opacity of a cell at probability 0
LABELLED = 0.006  # of all cells: an island that is smaller has no name
SHORTEST = 3  # letters: less is a piece of a word that says little to a reader
LABELS = 16
RING_POINTS = 120

Grid = npt.NDArray[np.int64]  # (g, g)


@dataclass(frozen=True, eq=False)
class CellGrid:
    """A grid of g x g cells over a square from -half to half, row 0 the lowest.

    ``word`` (g, g) is the row of the word of each cell in ``words``, ``probability`` (g, g) its
    probability, ``kinds`` what each word is: "concept", "between" or "echo". Where a cell is not
    read yet it has what its nearest read cell has, and ``read`` (g, g) is False.
    """

    half: float
    words: Sequence[str]
    kinds: Sequence[str]
    word: Grid
    probability: npt.NDArray[np.float32]
    read: npt.NDArray[np.bool_]

    @property
    def along(self) -> npt.NDArray[np.float64]:
        """(g,) the middles of the cells."""
        return np.linspace(-self.half, self.half, len(self.word))


def filled(grid: int, stride: int) -> npt.NDArray[np.int64]:
    """(grid,) for each row the nearest one that is read when every ``stride``-th is.

    >>> filled(7, 4).tolist()
    [0, 0, 0, 4, 4, 4, 4]
    """
    last = (grid - 1) // stride * stride
    nearest: npt.NDArray[np.int64] = np.clip(
        np.ceil((np.arange(grid) - stride / 2) / stride) * stride, 0, last
    ).astype(np.int64)
    return nearest


def islands_figure(
    ground: CellGrid,
    corners: Coords,
    names: Sequence[str],
    titles: tuple[str, str],
    rings: Sequence[float],
    tokens: Tokens,
    dark: bool,
    revision: str,
) -> Figure:
    """Cells by word, more opaque where the word is likelier; ``corners`` (3, 2) are the concepts,
    ``names`` their words, ``rings`` radii about the middle.

    Traces by ``meta.role``: cells, ring, places (a mark for each cell that is read, unseen, by row
    and column), corners.
    """
    cell = 2 * ground.half / (len(ground.word) - 1)
    edge = ground.half + cell / 2
    figure = blank(
        tokens,
        revision,
        xaxis=ruled_axis(titles[0], -edge, edge, tokens) | {"showgrid": False, "zeroline": False},
        yaxis=ruled_axis(titles[1], -edge, edge, tokens)
        | {"showgrid": False, "zeroline": False, "scaleanchor": "x", "constrain": "domain"},
        hoverdistance=60,
    )
    figure.update_layout(margin={"l": 50, "r": 10, "t": 8, "b": 42})
    colours = word_colours(ground.words, ground.kinds, names, tokens, dark)
    figure.add_trace(
        Part(
            type="image",
            z=_painted(ground, colours).tolist(),
            colormodel="rgba256",
            x0=-ground.half,
            y0=-ground.half,
            dx=cell,
            dy=cell,
            hoverinfo="skip",
            meta={"role": "cells"},
        )
    )
    for radius in rings:
        line = {"width": 1, "color": tokens.quiet, "dash": "dot"}
        figure.add_trace(marks(_circle(radius), "lines", line=line, meta={"role": "ring"}))
    x, y = np.meshgrid(ground.along, ground.along)
    places = np.stack([x[ground.read], y[ground.read]], axis=1).astype(np.float32)
    unseen = {"size": 6, "opacity": 0, "color": tokens.text}
    rows = list(range(len(places)))  # for the pointer alone: items would all be named
    figure.add_trace(marks(places, marker=unseen, meta={"role": "places", "rows": rows}))
    ring = {"size": 13, "color": tokens.canvas, "line": {"width": 3, "color": tokens.text}}
    figure.add_trace(marks(corners, marker=ring, meta={"role": "corners"}))
    return figure


def word_colours(
    words: Sequence[str], kinds: Sequence[str], names: Sequence[str], tokens: Tokens, dark: bool
) -> list[str]:
    """The three concepts loud, other words quieter, the prompt's own grey."""
    own = dict(zip(names, THREE_DARK if dark else THREE, strict=False))
    found, drawn = [], 0
    for word, kind in zip(words, kinds, strict=True):
        if word in own:
            found.append(own[word])
        elif kind == "echo":
            found.append(tokens.point)
        else:
            found.append(_mixed(QUIET[drawn % len(QUIET)], tokens.point, QUIETED))
            drawn += 1
    return found


def islands_of(ground: CellGrid) -> list[tuple[int, int, float, float]]:
    """Connected cells of one word, the largest first: (word, cells, x, y), the place being the
    cell of the island that is nearest to its middle."""
    from scipy.ndimage import label

    found = []
    for word in np.unique(ground.word):
        parts, count = label(ground.word == word)
        for part in range(1, count + 1):
            cells = np.argwhere(parts == part)
            middle = cells[np.linalg.norm(cells - cells.mean(axis=0), axis=1).argmin()]
            x, y = ground.along[middle[1]], ground.along[middle[0]]
            found.append((int(word), len(cells), float(x), float(y)))
    return sorted(found, key=lambda it: -it[1])


def island_labels(
    ground: CellGrid, corners: Coords, concepts: Sequence[str], rings: Sequence[float], unit: str
) -> list[Label]:
    """Names of the concepts, of the larger islands of other words, and of the rings."""
    labels = [
        label_at(text, place, "near", 15) for text, place in zip(concepts, corners, strict=True)
    ]
    least = max(2, LABELLED * ground.word.size)
    for word, count, x, y in islands_of(ground):
        kind = ground.kinds[word]
        said = ground.words[word]
        if count < least or kind == "concept" or len(said) < SHORTEST or said.startswith("("):
            continue
        text = f"{ground.words[word][:30]} (echo)" if kind == "echo" else ground.words[word][:36]
        labels.append(Label(text, x, y, "quiet" if kind == "echo" else "region", 12))
    shown = labels[: LABELS + 3]
    return shown + [
        Label(f"{radius:g} {unit}{'s' * (radius != 1)}", 0.0, radius, "quiet", 10)
        for radius in rings
    ]


def _painted(ground: CellGrid, colours: Sequence[str]) -> npt.NDArray[np.int64]:
    """(g, g, 4): red, green, blue and opacity, 0 to 255."""
    table = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours])
    opacity = FAINTEST + (1 - FAINTEST) * ground.probability.astype(np.float64)
    alpha = (255 * np.clip(opacity, 0, 1)).round().astype(np.int64)
    painted: npt.NDArray[np.int64] = np.concatenate([table[ground.word], alpha[:, :, None]], axis=2)
    return painted


def _circle(radius: float) -> Any:
    turn = np.linspace(0, 2 * np.pi, RING_POINTS)
    return (radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)).astype(np.float32)


def _mixed(colour: str, other: str, share: float) -> str:
    parts = [
        round((1 - share) * int(colour[k : k + 2], 16) + share * int(other[k : k + 2], 16))
        for k in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)
