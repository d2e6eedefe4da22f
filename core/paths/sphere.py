"""The great circle: equal turns of direction, and a norm that goes evenly from end to end."""

import numpy as np

from core.errors import InvalidPath
from core.paths.curve import Double

ANTIPODAL = 1e-5  # |u + v| of unit vectors; nearer than this, float32 rounding picks the circle
PARALLEL = 1e-9  # radians; below this the chord is the arc


def angle(u: Double, v: Double) -> float:
    """The angle between unit vectors (d,) in radians, 0..pi.

    Kahan's half-angle form: arccos of the dot product loses half its digits near 0 and pi.
    """
    return float(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)))


def turned(stops: Double) -> float:
    """Degrees from each of the points (s, d) to the next, summed; none of them may be zero.

    >>> round(turned(np.array([[1.0, 0], [0, 2], [-3, 0]])), 6)
    180.0
    """
    directions = stops / np.linalg.norm(stops, axis=1, keepdims=True)
    return float(np.degrees(sum(map(angle, directions[:-1], directions[1:]))))


def slerp(start: Double, end: Double, shares: Double) -> Double:
    """Points (s, d) at the given shares of the arc from start (d,) to end (d,).

    Directions follow the great circle at equal angular speed (Shoemake 1985); norms go linearly
    from the start's to the end's, so that two ends of equal norm stay on their sphere.
    Raises InvalidPath where an end is zero or the ends are opposite.
    """
    norms = np.linalg.norm(start), np.linalg.norm(end)
    if 0 in norms:
        raise InvalidPath(
            "found a zero vector, which has no direction; expected one of positive length for a "
            "path on the sphere: choose another waypoint or the straight path"
        )
    u, v = start / norms[0], end / norms[1]
    if np.linalg.norm(u + v) < ANTIPODAL:
        raise InvalidPath(
            "found two opposite points, between which every great circle is equally short; "
            "expected one shortest way: put a waypoint between them or choose the straight path"
        )
    omega = angle(u, v)
    if omega < PARALLEL:
        directions = (1 - shares)[:, None] * u + shares[:, None] * v
    else:
        weights = np.sin(np.stack([1 - shares, shares], axis=1) * omega) / np.sin(omega)  # (s, 2)
        directions = weights @ np.stack([u, v])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return ((1 - shares) * norms[0] + shares * norms[1])[:, None] * directions
