"""Ways: a path through texts, decoded and judged at every step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from core.decode.nearest import csls_penalty, decode, leave_out
from core.errors import InvalidPath, InvalidSpecification
from core.paths import curve
from core.paths.curve import STEPS, Curve
from core.paths.graph import nearest_items, walk
from core.paths.off_manifold import NEIGHBOURS, cosines_percentile, norm_percentile, off_data
from core.pipeline.workspace import NEAREST, Waypoint, Workspace
from core.projection.base import Spec
from core.projection.placement import CANDIDATES, place
from core.spaces.linalg import row_lengths, unit_rows
from core.spaces.neighbors import NeighborGraph, nearest
from core.spaces.space import Space, frozen
from core.types import (
    Progress,
    Queries,
    QueryCoords,
    QueryCosines,
    QueryIndices,
    QueryScores,
    Vector,
    silent,
)

KINDS = ("lerp", "slerp", "graph")


@dataclass(frozen=True, eq=False)
class PathReport:
    """A path of m steps and everything said about it.

    ``curve`` lies in the space itself, also when it was made on the centred one. ``nearest`` and
    ``nearest_without`` are rows (m, k), the second without the waypoints and so with fewer
    columns in a tiny space, with cosines measured in the space in which the path was made.
    ``off`` marks the steps off the data. ``visited`` are the items of a graph walk. ``around``
    (m, c) are the items nearest to each step by plain cosine, enough of them to place it on a map
    of the space; None where the way was made on the centred one.
    """

    kind: str
    centred: bool
    waypoints: tuple[Waypoint, ...]
    curve: Curve
    nearest: QueryIndices
    nearest_cosines: QueryCosines
    nearest_without: npt.NDArray[np.int32]
    nearest_without_cosines: npt.NDArray[np.float32]
    norm: QueryScores
    norm_percentile: QueryScores
    knn_percentile: QueryScores
    off: npt.NDArray[np.bool_]
    cosine_to_start: QueryScores
    cosine_to_end: QueryScores
    visited: tuple[int, ...] = ()
    around: npt.NDArray[np.int32] | None = None


def path(
    workspace: Workspace,
    reference: str,
    texts: Sequence[str],
    kind: str = "slerp",
    steps: int = STEPS,
    centred: bool = False,
    csls: bool = False,
    k: int = NEAREST,
    progress: Progress = silent,
) -> PathReport:
    """A path through all the texts, decoded at every step.

    Raises InvalidPath for fewer than two waypoints, equal neighbours, antipodal points on the
    sphere, or no way through the graph; UnknownItem for a text without a vector.
    """
    if kind not in KINDS:
        raise InvalidPath(f"found the kind {kind!r}; expected one of {', '.join(KINDS)}")
    if k < 1:
        raise InvalidSpecification(f"found k = {k}; expected at least 1 neighbour to tell")
    if len(texts) < 2:
        raise InvalidPath(
            f"found {len(texts)} waypoint{'s' * (len(texts) != 1)}; expected two or more: "
            "say where the path should go"
        )
    raw = workspace.space(reference)
    waypoints = tuple(workspace.represent(reference, text) for text in texts)
    _require_different(texts, waypoints)
    space = raw.centred if centred else raw
    shift = raw.mean if centred else np.zeros(raw.dim, np.float32)
    graph = workspace.graph(space, progress)
    made, marks, visited = _curve(space, graph, waypoints, shift, kind, steps)
    exclude = sorted({point.row for point in waypoints if point.row is not None})
    most = k + len(exclude)
    # One product of the points with all items answers every question about what is near.
    around, near = nearest(space.unit, made.points, max(most, NEIGHBOURS, CANDIDATES))
    penalty = csls_penalty(graph) if csls else None
    ranked = (around, near) if penalty is None else decode(space, made.points, most, csls=penalty)
    without, cosines_without = leave_out(
        *ranked, exclude, max(0, min(k, len(space) - len(exclude)))
    )
    percentile = cosines_percentile(space, graph, near)
    ends = made.points[[0, -1]]
    return PathReport(
        kind,
        centred,
        waypoints,
        _in_space(raw, made, marks, visited, waypoints) if centred else made,
        ranked[0][:, :k],
        ranked[1][:, :k],
        without,
        cosines_without,
        row_lengths(made.points).astype(np.float32),
        norm_percentile(space, made.points),
        percentile,
        off_data(percentile),
        _cosine(made.points, ends[0]),
        _cosine(made.points, ends[1]),
        visited,
        None if centred else around,
    )


def _require_different(texts: Sequence[str], waypoints: Sequence[Waypoint]) -> None:
    """Raise InvalidPath where two waypoints in a row are one point, however they were typed."""
    for at, (one, other) in enumerate(pairwise(waypoints)):
        if np.array_equal(one.vector, other.vector):
            raise InvalidPath(
                f"found {texts[at]!r:.60} and {texts[at + 1]!r:.60} one after the other, which "
                "are the same point; expected different waypoints: leave one out or choose "
                "another word"
            )


def _curve(
    space: Space,
    graph: NeighborGraph,
    waypoints: Sequence[Waypoint],
    shift: Vector,
    kind: str,
    steps: int,
) -> tuple[Curve, tuple[int, ...], tuple[int, ...]]:
    """The curve on ``space``, the steps that are waypoints or items, and the items of a walk."""
    points = np.stack([point.vector - shift for point in waypoints])
    try:
        if kind != "graph":
            drawn = curve(points, kind, steps)
            return drawn, drawn.stops, ()
        rows = _footholds(space, waypoints, points)
        walked = walk(space, graph, rows, steps)
        return walked.curve, walked.item_steps, walked.rows
    except InvalidPath as error:
        way = " > ".join(f"{point.text:.40}" for point in waypoints[:6])
        raise InvalidPath(f"{error} (on the way {way})") from None


def _footholds(space: Space, waypoints: Sequence[Waypoint], points: Queries) -> list[int]:
    """The row at which a walk passes each waypoint: its own, else that of the nearest item."""
    near = nearest_items(space, points)
    rows = [int(near[at]) if point.row is None else point.row for at, point in enumerate(waypoints)]
    for at, (one, other) in enumerate(pairwise(rows)):
        if one == other:
            raise InvalidPath(
                f"found that {waypoints[at].text!r:.60} and {waypoints[at + 1].text!r:.60} are "
                f"both nearest to {space.texts[one]!r:.60}; expected different items to walk "
                "between: choose another word, or the sphere path"
            )
    return rows


def _in_space(
    raw: Space,
    curve: Curve,
    marks: Sequence[int],
    visited: Sequence[int],
    waypoints: Sequence[Waypoint],
) -> Curve:
    """A curve of the centred space, in the space itself; waypoints and items come back exactly."""
    points = curve.points + raw.mean
    exact = raw.vectors[list(visited)] if visited else [point.vector for point in waypoints]
    points[list(marks)] = exact
    return replace(curve, points=frozen(points))


def _cosine(points: Queries, to: Vector) -> QueryScores:
    return np.asarray(unit_rows(points) @ unit_rows(to[None])[0], np.float32)


def place_path(workspace: Workspace, reference: str, spec: Spec, report: PathReport) -> QueryCoords:
    """Where the steps of a path lie on a picture of the raw space: (m, p)."""
    space = workspace.space(reference)
    coords = workspace.projection(space, spec).coords
    placed, _ = place(space, coords, report.curve.points, report.around)
    return placed
