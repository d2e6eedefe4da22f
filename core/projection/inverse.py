"""Which vector a spot of a picture stands for.

A linear picture can be undone within its plane: the mean of the items plus the plane's directions
is the one vector that lies in the plane and is drawn at the spot. What the picture left out is
lost. A UMAP or t-SNE picture has no inverse. There the vectors of the items drawn around the spot
are averaged, with the weights of Franke and Little by which :mod:`core.projection.placement` puts
new points onto a picture, so that an item's own place gives the item back. How far those items
agree with their mean is the answer's uncertainty: on torn or crowded ground they are neighbours on
paper alone.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors
from core.projection.pca import principal_plane
from core.spaces.linalg import unit_rows
from core.spaces.space import Space, frozen
from core.types import Coords, Rows, Vector

Place = npt.NDArray[np.float32]  # (p,)

AROUND = 8  # items that a spot is judged by
SAME = 1e-6  # of the picture's width: a spot this near to an item's place is on it


@dataclass(frozen=True, eq=False)
class InvertedPoint:
    """The vector (d,) of a spot (p,), and the items drawn around it, nearest first.

    ``how`` is "plane" for the exact vector within a linear picture, "around" for the weighted
    mean, "given" for one that was known before its place. ``rows`` (k,) and ``weights`` (k,), which
    sum to 1; ``cosines`` (k,) of the items to the vector, ``agreement`` their weighted mean: near 1
    where they mean one thing. A vector of a plane lies among the items' directions, which have
    length 1: its own length says nothing. ``kept`` is the share of the items' variance that a plane
    keeps, None for a mean.
    """

    spot: Place
    vector: Vector
    how: Literal["plane", "around", "given"]
    rows: Rows
    weights: npt.NDArray[np.float32]
    cosines: npt.NDArray[np.float32]
    agreement: float
    kept: float | None = None


def ground(space: Space, coords: Coords, spot: Place, linear: bool = False) -> InvertedPoint:
    """The vector that ``spot`` (p,) of the picture ``coords`` (n, p) stands for.

    ``linear`` says that the picture is PCA of the space's unit rows. Raises InvalidVectors for a
    spot that is not finite or not of this picture, and a picture of another space.
    """
    _require_match(space, coords, spot)
    rows, weights = _around(coords, spot)
    kept: float | None = None
    if linear:
        plane = principal_plane(space.unit, coords.shape[1])
        found = plane.mean + plane.axes @ spot[: plane.axes.shape[1]].astype(np.float64)
        kept = float(sum(plane.variances) / plane.total)
    else:
        found = weights.astype(np.float64) @ space.unit[rows].astype(np.float64)
        found *= float(weights @ space.norms[rows]) / (np.linalg.norm(found) or 1.0)
    vector = np.asarray(found, np.float32)
    cosines: npt.NDArray[np.float32] = space.unit[rows] @ unit_rows(vector[None])[0]
    return InvertedPoint(
        spot,
        frozen(vector),
        "plane" if linear else "around",
        rows,
        weights,
        cosines,
        float(weights @ cosines),
        kept,
    )


def _around(coords: Coords, spot: Place) -> tuple[Rows, npt.NDArray[np.float32]]:
    """The items drawn nearest to the spot, and the weights ((R - d) / (R d)) of their distances d,
    with R the distance to the first item left out."""
    distances = np.linalg.norm(coords.astype(np.float64) - spot, axis=1)
    count = min(AROUND, len(coords))
    near = np.argsort(distances, kind="stable")[: count + 1].astype(np.int64)
    least = SAME * (float(np.ptp(coords, axis=0).max()) or 1.0)
    own = distances[near[:count]]
    if own[0] < least:  # on an item; of items drawn at one place the first
        weights = np.eye(1, count)[0]
    elif len(near) == count:  # all items count: none is left out to say how far
        weights = 1 / own
    else:
        reach = max(float(distances[near[count]]), least)
        weights = np.maximum(reach - own, 0) / (reach * own)
    weights = weights if weights.sum() > 0 else np.ones(count)
    return near[:count], np.asarray(weights / weights.sum(), np.float32)


def _require_match(space: Space, coords: Coords, spot: Place) -> None:
    if len(coords) != len(space):
        raise InvalidVectors(
            f"found a picture of {len(coords)} points for a space of {len(space)} items; expected "
            "one point for each: pass this space's own picture"
        )
    if spot.shape != (coords.shape[1],) or not np.isfinite(spot).all():
        raise InvalidVectors(
            f"found the spot {spot.tolist()!r:.60}; expected {coords.shape[1]} finite numbers: "
            "click on the picture again"
        )
