"""The map between three concepts: the plane through their states, each place read in words.

The grid is read coarse first and then finer, so that a picture is there at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.decode.patchscopes import (
    BATCH,
    Patchscope,
    Shares,
    concepts,
    entropy,
    identity_prompt,
    is_echo,
    likeliest,
    named_apart,
    words_of,
)
from core.errors import InvalidSpecification, StoreError
from core.paths.plane import Plane, plane_of_path
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.paths.interpolation import require_asked, usual_layer
from core.progress import reach
from core.store.keys import store_key
from core.types import Coords, Progress, Queries, QueryCoords, silent, tell

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

GRID = 21
SMALLEST, LARGEST = 5, 61
COARSE = 4  # every so many cells are read first
REACH = 5.0  # half the picture's side, in distances of the farthest concept from the middle
TOLD = 3  # words of each cell

Cells = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class ConceptPlane:
    """A plane through three states, with places measured from their middle in units of their mean
    length.

    ``corners`` (3, 2) are the places of the three; ``unit`` is that length.
    """

    plane: Plane
    middle: QueryCoords  # (1, 2) in the plane's own units
    unit: float
    corners: Coords

    def points(self, places: QueryCoords) -> Queries:
        """(m, d) the vectors at places (m, 2)."""
        own = places.astype(np.float64) * (self.unit / self.plane.length) + self.middle
        axes = np.stack([self.plane.along, self.plane.away]).astype(np.float64)
        return (self.plane.origin + self.plane.length * own @ axes).astype(np.float32)


def concept_plane(states: Queries) -> ConceptPlane:
    """The plane through three states (3, d): the first two lie level, the third above them.

    Raises InvalidSpecification where they lie on one line.
    """
    plane = plane_of_path(states[[0, 2, 1]])
    seen = plane.view(states)
    if not plane.away.any():
        raise InvalidSpecification(
            "found three concepts on one line; expected three that span a plane: change one"
        )
    own = np.stack([seen.x, seen.y], axis=1).astype(np.float64)
    middle = own.mean(axis=0, keepdims=True)
    unit = float(np.linalg.norm(states, axis=1).mean())
    corners = (own - middle) * (plane.length / unit)
    return ConceptPlane(plane, middle.astype(np.float32), unit, corners.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Islands:
    """What is read so far of a map of ``grid`` x ``grid`` cells.

    ``cells`` has a row for each cell read: row, column, x, y (from the middle, in units of the
    three states' mean length), radius, word, probability, second, second_probability, third,
    third_probability, entropy (nats) and kind, "concept", "between" or "echo". ``stride`` is how
    far apart the cells are that have all been read; 1 is the whole map. ``corners`` (3, 2) are the
    concepts' places, ``named`` whether each is answered with its own name, ``names``.
    """

    model: str
    layer: int
    concepts: tuple[str, str, str]
    pieces: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    named: tuple[bool, ...]
    examples: tuple[str, ...]
    grid: int
    half: float
    unit: float
    corners: Coords
    stride: int
    cells: pd.DataFrame

    @property
    def whole(self) -> bool:
        """Whether every cell is read."""
        return self.stride == 1

    @property
    def side(self) -> float:
        """From one cell's middle to the next."""
        return 2 * self.half / (self.grid - 1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the cells."""
        counts = self.cells["kind"].value_counts()
        return {
            "model": self.model,
            "layer": self.layer,
            "grid": self.grid,
            "cells": len(self.cells),
            "half": self.half,
            "unit": self.unit,
            "concepts": [
                {
                    "text": text,
                    "pieces": list(self.pieces[row]),
                    "named": self.named[row],
                    "x": float(self.corners[row, 0]),
                    "y": float(self.corners[row, 1]),
                    "cells": int((self.cells["word"] == self.names[row]).sum()),
                }
                for row, text in enumerate(self.concepts)
            ],
            "between": int(counts.get("between", 0)),
            "echoes": int(counts.get("echo", 0)),
        }


def islands(
    reference: str,
    three: Sequence[str],
    layer: int | None = None,
    grid: int = GRID,
    progress: Progress = silent,
    so_far: Islands | None = None,
) -> Iterator[Islands]:
    """The map, coarse first, then finer, the last one whole; it goes on from ``so_far``.

    Raises InvalidSpecification, TeacherUnavailable, Unsupported, NotEnoughMemory, Cancelled.
    """
    require_three(three, grid)
    reach(progress, 0, "loading the model")
    lm = speaker(reference)
    layer = lm.require_layer(usual_layer(lm.depth) if layer is None else layer)
    reach(progress, 2, "reading the three concepts")
    named = concepts(lm, three, [layer])
    states = np.stack([it.states[0] for it in named])
    flat = concept_plane(states)
    names = named_apart(lm, named)
    prompt, examples = identity_prompt((*three, *names))
    scope = Patchscope(lm, prompt)
    words = words_of(lm).texts
    own = [words[row] for row in scope.shares(states, layer).argmax(axis=1)]
    half = REACH * float(np.linalg.norm(flat.corners, axis=1).max())
    start = Islands(
        reference,
        layer,
        (named[0].text, named[1].text, named[2].text),
        tuple(it.pieces for it in named),
        names,
        tuple(a == b for a, b in zip(own, names, strict=True)),
        examples,
        grid,
        half,
        flat.unit,
        flat.corners,
        0,
        pd.DataFrame(),
    )
    tables = [] if so_far is None else [so_far.cells]
    read, total = sum(map(len, tables)), grid**2
    for stride, cells in levels(grid):
        if so_far is not None and stride >= so_far.stride:
            continue
        for first in range(0, len(cells), BATCH):
            tell(progress, 100 * read // total, 100, f"reading {read:,} of {total:,} places")
            part = cells[first : first + BATCH]
            places = _places(part, grid, half)
            shares = scope.shares(flat.points(places), layer)
            tables.append(_table(part, places, shares, words, names, examples))
            read += len(part)
        yield replace(start, stride=stride, cells=pd.concat(tables, ignore_index=True))


def require_three(three: Sequence[str], grid: int) -> None:
    """Raise InvalidSpecification for other than three different concepts, and for a grid that is
    too small or too large."""
    if len(three) != 3:
        raise InvalidSpecification(
            f"found {len(three)} concept{'s' * (len(three) != 1)}; expected three, which span a "
            "plane"
        )
    require_asked(three)
    if not SMALLEST <= grid <= LARGEST:
        raise InvalidSpecification(
            f"found a grid of {grid}; expected {SMALLEST} to {LARGEST} cells on a side"
        )


def levels(grid: int) -> Iterator[tuple[int, Cells]]:
    """Each stride with the cells (row, column) that it adds: every fourth, every second, the rest.

    >>> [(stride, len(cells)) for stride, cells in levels(21)]
    [(4, 36), (2, 85), (1, 320)]
    """
    known: set[tuple[int, int]] = set()
    for stride in (COARSE, COARSE // 2, 1):
        own = range(0, grid, stride)
        cells = [(row, column) for row in own for column in own if (row, column) not in known]
        known.update(cells)
        yield stride, cells


def _places(cells: Cells, grid: int, half: float) -> QueryCoords:
    """(m, 2) x and y of the cells' middles; row 0 is the lowest."""
    along = np.linspace(-half, half, grid)
    return np.array([(along[column], along[row]) for row, column in cells], dtype=np.float32)


def _table(
    cells: Cells,
    places: QueryCoords,
    shares: Shares,
    words: Sequence[str],
    names: Sequence[str],
    examples: Sequence[str],
) -> pd.DataFrame:
    """A row for each cell."""
    order = likeliest(shares, TOLD)
    told = np.take_along_axis(shares, order, axis=1)
    table = pd.DataFrame(cells, columns=["row", "column"])
    table["x"], table["y"] = places[:, 0], places[:, 1]
    table["radius"] = np.linalg.norm(places, axis=1)
    for rank, name in enumerate(("", "second", "third")):
        table[name or "word"] = [words[row] for row in order[:, rank]]
        table[f"{name}_probability".lstrip("_")] = told[:, rank]
    table["entropy"] = entropy(shares)
    table["kind"] = [_kind(word, names, examples) for word in table["word"]]
    return table


def _kind(word: str, names: Sequence[str], examples: Sequence[str]) -> str:
    if word in names:
        return "concept"
    return "echo" if is_echo(word, examples) else "between"


# ------------------------------------------------------------------------------------- kept


def islands_key(reference: str, three: Sequence[str], layer: int | None, grid: int) -> str:
    """Where the store keeps a map. Raises UnknownTeacher, TeacherUnavailable."""
    said = [" ".join(text.split()) for text in three]
    return store_key("islands-2", speaker_identity(reference), repr(said), layer, grid)


def stored_islands(workspace: "Workspace", key: str) -> Islands | None:
    """What is read of a map so far; None where nothing is."""
    return workspace.store.recall("islands", key, lambda: _read(workspace, key))


def stored_stride(workspace: "Workspace", key: str) -> int:
    """How far apart the cells are that are read; 0 where none is."""

    def read() -> int:
        return int(workspace.store.load("islands", key).payload["stride"])

    return workspace.store.recall("islands", key, read) or 0


def kept_islands(
    workspace: "Workspace",
    reference: str,
    three: Sequence[str],
    layer: int | None = None,
    grid: int = GRID,
    progress: Progress = silent,
) -> Islands:
    """The whole map; every stage of it is kept as soon as it is read."""
    require_three(three, grid)
    key = islands_key(reference, three, layer, grid)
    found = stored_islands(workspace, key)
    if found is not None and found.whole:
        return found
    for made in islands(reference, three, layer, grid, progress, found):
        _write(workspace, key, made)
        found = made
    if found is None:  # levels() is never empty
        raise StoreError("found no map; expected one: ask again")
    return found


def _write(workspace: "Workspace", key: str, islands: Islands) -> None:
    said = {
        name: value for name, value in vars(islands).items() if name not in ("cells", "corners")
    }
    workspace.store.save(
        "islands", key, {"corners": islands.corners}, {"cells": islands.cells}, said
    )


def _read(workspace: "Workspace", key: str) -> Islands:
    stored = workspace.store.load("islands", key)
    try:
        said = dict(stored.payload)
        said["pieces"] = tuple(tuple(piece) for piece in said["pieces"])
        for name in ("concepts", "names", "named", "examples"):
            said[name] = tuple(said[name])
        return Islands(**said, corners=stored.arrays["corners"], cells=stored.tables["cells"])
    except (KeyError, TypeError):
        raise StoreError(f"found no whole map under {key}; expected one: make it again") from None
