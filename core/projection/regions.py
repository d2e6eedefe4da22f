"""Names for the regions of a picture, on three levels: few broad ones, then more, then many.

HDBSCAN finds where points crowd; a region is named by the member that is nearest to the region's
centre in the space, the mean of all items being taken away first, so that the name says what sets
the region apart and not what all items share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors
from core.spaces.space import frozen
from core.spaces.subwords import is_piece
from core.spaces.words import folded
from core.types import Coords, Matrix, QueryCoords, Rows, Vector

SHARES = (60, 200, 700)  # a region of each level holds at least one item in so many
SMALLEST = 5  # items in a region
SAMPLE = 8000  # points that HDBSCAN sees; others join the region of the nearest of those
CANDIDATES = 200  # members nearest to the centre, among which a presentable name is sought
MIDDLE = 1

Clusters = npt.NDArray[np.int32]


@dataclass(frozen=True)
class RegionLabel:
    """A name on the picture, at (x, y[, z]) in picture units.

    ``size`` counts the region's items, ``row`` is the item that lends its text, ``level`` goes
    from 0 (broad, show always) to 2 (fine, show when zoomed in).
    """

    text: str
    x: float
    y: float
    size: int
    row: int
    level: int
    z: float | None = None


@dataclass(frozen=True, eq=False)
class Regions:
    """``cluster`` (n,) int32: each item's region on the middle level, -1 for none; the names."""

    cluster: Clusters
    labels: tuple[RegionLabel, ...]


def regions(coords: Coords, unit: Matrix, texts: Sequence[str], seed: int = 0) -> Regions:
    """Regions of the picture ``coords`` (n, p), named from ``unit`` (n, d) and ``texts``.

    No text is used twice: the broader level has it. ``seed`` draws the sample above 8000 points.
    Raises InvalidVectors when the three do not have the same length.

    Source: Campello, Moulavi, Sander 2013 (HDBSCAN); scikit-learn.
    """
    if not len(coords) == len(unit) == len(texts):
        raise InvalidVectors(
            f"found {len(coords)} points, {len(unit)} vectors and {len(texts)} texts; "
            "expected the same number of each: pass one space and its picture"
        )
    n = len(coords)
    levels = _levels(coords, seed)
    mean = unit.mean(axis=0, dtype=np.float64).astype(np.float32)
    taken: set[str] = set()
    labels: list[RegionLabel] = []
    for level, cluster in enumerate(levels):
        order = np.argsort(cluster, kind="stable")
        bounds = np.searchsorted(cluster[order], np.arange(cluster.max(initial=-1) + 2))
        members = [order[a:b] for a, b in pairwise(bounds)]
        for rows in sorted(members, key=len, reverse=True):
            row = _name(rows, unit, mean, texts, taken)
            if row is not None and len(rows) < n:
                taken.add(folded(texts[row]))
                labels.append(_label(coords, texts, rows, row, level))
    return Regions(frozen(levels[MIDDLE]), tuple(labels))


def _levels(coords: Coords, seed: int) -> list[Clusters]:
    """The region of each point (n,) on each level, -1 for none."""
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    n = len(coords)
    if n < 2 * SMALLEST:
        return [np.full(n, -1, np.int32) for _ in SHARES]
    sample = np.arange(n)
    if n > SAMPLE:
        sample = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    seen = coords[sample]
    _, beside = cKDTree(seen).query(coords, workers=-1)  # of a sampled point: itself
    levels = []
    for share in SHARES:
        finder = HDBSCAN(
            min_cluster_size=max(SMALLEST, len(sample) // share),
            min_samples=SMALLEST,
            cluster_selection_method="leaf",  # the default merges a connected map into one region
            copy=True,
        )
        levels.append(finder.fit(seen).labels_.astype(np.int32)[beside])
    return levels


def _name(
    rows: npt.NDArray[np.int64], unit: Matrix, mean: Vector, texts: Sequence[str], taken: set[str]
) -> int | None:
    """The member nearest to the centre, presentable ones first; None if all texts are taken."""
    away = unit[rows] - mean
    centre = away.mean(axis=0)
    lengths = np.linalg.norm(away, axis=1)
    closeness = away @ centre / np.where(lengths > 0, lengths, 1)
    ranked = rows[np.argsort(-closeness, kind="stable")[:CANDIDATES]]
    free = [int(row) for row in ranked if folded(texts[row]) not in taken]
    return next((row for row in free if _presentable(texts[row])), free[0] if free else None)


def _presentable(text: str) -> bool:
    """A whole word or a sentence, rather than a piece ("##ing"), a number or a lone letter."""
    return not is_piece(text) and len(text) > 1 and text[:1].isalpha()


def _label(
    coords: Coords, texts: Sequence[str], rows: npt.NDArray[np.int64], row: int, level: int
) -> RegionLabel:
    """The name stands at the region's median point, which stragglers do not pull away."""
    place = [float(value) for value in np.median(coords[rows], axis=0)]
    z = place[2] if len(place) > 2 else None
    return RegionLabel(texts[row], place[0], place[1], len(rows), row, level, z)


def nearest_drawn(coords: Coords, places: QueryCoords) -> Rows:
    """(m,) the row of the point (n, p) that is drawn nearest to each place (m, p) of a picture."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(coords).query(places)[1], np.int64)
