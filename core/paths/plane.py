"""The plane of a path: an exact linear picture in which a straight path looks straight."""

from dataclasses import dataclass

import numpy as np

from core.errors import InvalidPath
from core.paths.curve import Double
from core.spaces.space import frozen
from core.types import Matrix, Queries, QueryScores, Vector

FLAT = 1e-5  # in units of the way's length: what float32 points leave beside a straight line


@dataclass(frozen=True, eq=False)
class PlaneView:
    """m points seen in a plane: ``x``, ``y`` and the distance ``residual`` from the plane, all
    (m,) and in units of the way from the first waypoint to the last."""

    x: QueryScores
    y: QueryScores
    residual: QueryScores


@dataclass(frozen=True, eq=False)
class Plane:
    """``origin`` (d,) is the first waypoint, ``along`` (d,) the unit vector to the last one,
    ``away`` (d,) a unit vector at right angles to it (zero where there is no second direction),
    ``length`` the distance between the two waypoints."""

    origin: Vector
    along: Vector
    away: Vector
    length: float

    def view(self, points: Queries) -> PlaneView:
        """Project points (m, d) at right angles. x is 0 at the first waypoint, 1 at the last."""
        offsets = (points.astype(np.float64) - self.origin) / self.length
        x, y = offsets @ self.along.astype(np.float64), offsets @ self.away.astype(np.float64)
        rest = offsets - np.outer(x, self.along) - np.outer(y, self.away)
        residual = np.linalg.norm(rest, axis=1)
        return PlaneView(
            frozen(x.astype(np.float32)),
            frozen(y.astype(np.float32)),
            frozen(residual.astype(np.float32)),
        )


def plane_of_path(points: Queries, context: Matrix | None = None) -> Plane:
    """The plane of a path (m, d): along the way, and where the path bends away from it.

    The second direction is the first principal direction of what the path leaves beside the
    straight line, signed so that the path bends upwards. A straight path leaves nothing; then
    ``context`` (items around the path) gives the direction, and the path itself stays at y = 0.
    A path that ends where it began runs along to its furthest point. Raises InvalidPath for a
    path that never leaves its first point.
    """
    doubles = points.astype(np.float64)
    offsets = doubles - doubles[0]
    distances = np.linalg.norm(offsets, axis=1)
    last = len(points) - 1
    if distances[last] <= FLAT * distances.max():
        last = int(distances.argmax())
    length = float(distances[last])
    if length == 0:
        raise InvalidPath("found a path that stays at one point; expected two different waypoints")
    along = offsets[last] / length
    away = _principal(offsets / length, along)
    if not away.any() and context is not None:
        away = _principal((context.astype(np.float64) - doubles[0]) / length, along)
    origin, e, u = (frozen(v.astype(np.float32)) for v in (doubles[0], along, away))
    return Plane(origin, e, u, length)


def _principal(offsets: Double, along: Double) -> Double:
    """The main direction (d,) of offsets (m, d) at right angles to ``along``; zero if flat."""
    beside = offsets - np.outer(offsets @ along, along)
    if not len(beside) or np.linalg.norm(beside, axis=1).max() < FLAT:
        return np.zeros_like(along)
    # The largest eigenvector of the smaller products: a tenth of the work of the whole SVD.
    if len(beside) < len(along):
        away = beside.T @ np.linalg.eigh(beside @ beside.T)[1][:, -1]
    else:
        away = np.linalg.eigh(beside.T @ beside)[1][:, -1]
    away -= (away @ along) * along
    away /= np.linalg.norm(away)
    # A principal direction has no sign of its own; most of the path goes up.
    upwards: Double = away if (beside @ away).sum() >= 0 else -away
    return upwards
