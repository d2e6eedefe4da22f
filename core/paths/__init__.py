"""Curves through a space: straight, on the sphere, and along the neighbour graph."""

from core.errors import InvalidPath
from core.paths.curve import STEPS, Curve, through
from core.paths.linear import lerp
from core.paths.sphere import slerp
from core.types import Queries

KINDS = {"lerp": lerp, "slerp": slerp}
"""The kinds of curve that need nothing but their waypoints; "graph" needs items (graph.py)."""


def curve(waypoints: Queries, kind: str = "slerp", steps: int = STEPS) -> Curve:
    """A curve of ``steps`` points through all waypoints (w, d), first and last included.

    ``kind`` is "lerp" (straight) or "slerp" (along the great circle). Raises InvalidPath for an
    unknown kind, fewer than two waypoints, two alike in a row, and what the kind itself forbids.

    >>> import numpy as np
    >>> curve(np.float32([[0, 1], [1, 0]]), "lerp", steps=3).points.tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    if kind not in KINDS:
        raise InvalidPath(f"found kind {kind!r:.40}; expected one of {', '.join(KINDS)}")
    return through(waypoints, KINDS[kind], steps)
