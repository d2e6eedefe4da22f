"""The recipes: the only place that combines teachers, spaces, pictures, paths and the store.

A :class:`Bench` remembers in memory and on disk; the worker process, the pages and the command
line all go through one, so that what one of them computed the others find.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from core.decode.nearest import csls_penalty, decode
from core.errors import InvalidPath, StoreError
from core.paths.axes import Axis, axis_between
from core.paths.base import STEPS, Curve, through
from core.paths.expression import Term, combine, parse
from core.paths.graph import nearest_items, walk
from core.paths.linear import lerp
from core.paths.manifold import knn_percentile, norm_percentile, off_data
from core.paths.sphere import slerp
from core.projection.base import PcaSpec, Projection, Spec, UmapSpec, spec_from_dict
from core.projection.faithfulness import Faithfulness, faithfulness
from core.projection.fit import fit
from core.projection.placement import place
from core.projection.regions import RegionLabel, Regions, regions
from core.projection.umap import start_warm_up
from core.projection.umap import warm_up as compile_umap
from core.spaces.neighbors import NeighborGraph, knn_graph, nearest
from core.spaces.space import Space, frozen
from core.store.disk import Store
from core.teachers.registry import Teacher, TeacherInfo, known, resolve
from core.types import (
    Progress,
    Queries,
    QueryCoords,
    QueryCosines,
    QueryIndices,
    QueryScores,
    Rows,
    Vector,
    silent,
)

Result = TypeVar("Result")
KINDS = ("lerp", "slerp", "graph")
NEAREST = 10


class Bench:
    """Makes spaces, graphs, pictures and paths, each once; ``workspace`` keeps them."""

    def __init__(self, workspace: Path) -> None:
        self.store = Store(workspace / "cache")
        self._memory: dict[tuple[str, str], Any] = {}
        self._turns: dict[tuple[str, str], threading.RLock] = {}
        self._lock = threading.Lock()

    def teacher(self, reference: str) -> Teacher:
        """The teacher of a reference string, loaded at most once. Raises UnknownTeacher."""
        return self._once("teacher", reference, lambda: resolve(reference))

    def space_key(self, reference: str) -> str:
        """Where the store keeps the teacher's space; another model or text, another key."""
        return blake2b(self.teacher(reference).fingerprint().encode(), digest_size=16).hexdigest()

    def has_space(self, reference: str) -> bool:
        """Whether the space is there already, in memory or on disk."""
        key = self.space_key(reference)
        return ("space", key) in self._memory or self.store.has("space", key)

    def space(self, reference: str, progress: Progress = silent) -> Space:
        """The teacher's space: from memory, from disk, or made now and kept."""
        key = self.space_key(reference)
        return self._kept(
            "space",
            key,
            read=lambda: self.store.load_space(key),
            make=lambda: self.teacher(reference).space(progress),
            write=lambda space: self.store.save_space(key, space),
        )

    def has_graph(self, space: Space) -> bool:
        """Whether the neighbours are known already."""
        key = space.digest
        return ("graph", key) in self._memory or self.store.has("graph", key)

    def graph(self, space: Space, progress: Progress = silent) -> NeighborGraph:
        """The one kNN graph of a space."""
        return self._kept(
            "graph",
            space.digest,
            read=lambda: self.store.load_graph(space.digest),
            make=lambda: knn_graph(space.unit, progress=progress),
            write=lambda graph: self.store.save_graph(space.digest, graph),
        )

    def has_projection(self, space: Space, spec: Spec) -> bool:
        """Whether this picture is there already."""
        key = picture_key(space, spec)
        return ("projection", key) in self._memory or self.store.has("projection", key)

    def projection(self, space: Space, spec: Spec, progress: Progress = silent) -> Projection:
        """A picture of a space; only PCA does without the neighbours."""
        key = picture_key(space, spec)

        def make() -> Projection:
            if isinstance(spec, PcaSpec):
                return fit(space, None, spec, progress)
            if isinstance(spec, UmapSpec):  # compiles beside the search for neighbours
                start_warm_up(spec.seed is not None, spec.dims)
            graph = self.graph(space, partial(_scaled, progress, 0, 40))
            return fit(space, graph, spec, partial(_scaled, progress, 40, 100))

        return self._kept(
            "projection",
            key,
            read=lambda: _read_projection(self.store, key),
            make=make,
            write=lambda picture: _write_projection(self.store, key, picture),
        )

    def has_faithfulness(self, space: Space, spec: Spec) -> bool:
        """Whether it is known how true this picture is."""
        key = picture_key(space, spec)
        return ("faithfulness", key) in self._memory or self.store.has("faithfulness", key)

    def faithfulness(self, space: Space, spec: Spec, progress: Progress = silent) -> Faithfulness:
        """How true the picture is."""
        key = picture_key(space, spec)
        return self._kept(
            "faithfulness",
            key,
            read=lambda: _read_faithfulness(self.store, key),
            make=lambda: faithfulness(
                space, self.graph(space), self.projection(space, spec).coords, progress=progress
            ),
            write=lambda measured: _write_faithfulness(self.store, key, measured),
        )

    def has_regions(self, space: Space, spec: Spec) -> bool:
        """Whether the regions of this picture have names already."""
        key = picture_key(space, spec)
        return ("regions", key) in self._memory or self.store.has("regions", key)

    def regions(self, space: Space, spec: Spec) -> Regions:
        """Clusters of the picture and their names."""
        key = picture_key(space, spec)
        return self._kept(
            "regions",
            key,
            read=lambda: _read_regions(self.store, key),
            make=lambda: regions(self.projection(space, spec).coords, space.unit, space.texts),
            write=lambda found: _write_regions(self.store, key, found),
        )

    def represent(self, reference: str, text: str) -> "Waypoint":
        """The vector of an item or of any typed text. Raises UnknownItem where there is none."""
        space = self.space(reference)
        row = space.find(text)
        if row is not None:
            return Waypoint(space.texts[row], space.vectors[row], row, "an item of this space")
        vector, how = self.teacher(reference).represent(text)
        return Waypoint(text, vector, None, how)

    def _once(self, kind: str, key: str, make: Callable[[], Result]) -> Result:
        with self._lock:
            turn = self._turns.setdefault((kind, key), threading.RLock())
        with turn:  # whoever wants the same thing waits; other things go on
            found: Result | None = self._memory.get((kind, key))
            if found is None:
                found = make()
                with self._lock:
                    self._memory[kind, key] = found
                    self._forget()
            return found

    def _kept(
        self,
        kind: str,
        key: str,
        read: Callable[[], Result],
        make: Callable[[], Result],
        write: Callable[[Result], None],
    ) -> Result:
        def get() -> Result:
            if self.store.has(kind, key):
                try:
                    return read()
                except StoreError:  # a cache: what cannot be read is made again
                    self.store.remove(kind, key)
            made = make()
            write(made)
            return made

        return self._once(kind, key, get)

    def _forget(self) -> None:
        """Keep the latest things only: a space weighs tens of megabytes."""
        for kind, most in (("space", 6), ("graph", 8), ("projection", 24), ("faithfulness", 24)):
            keys = [key for key in self._memory if key[0] == kind]
            for key in keys[:-most]:
                del self._memory[key]


def picture_key(space: Space, spec: Spec) -> str:
    """What a picture depends on: the space's content and every parameter."""
    return f"{space.digest}-{spec.digest}"


# ---------------------------------------------------------------------------- texts and points


@dataclass(frozen=True, eq=False)
class Waypoint:
    """A text with its vector (d,), its row if it is an item, and how the vector was made."""

    text: str
    vector: Vector
    row: int | None
    how: str


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The items nearest to a query: rows (k,) best first, and their cosines (k,)."""

    query: Waypoint
    rows: Rows
    cosines: npt.NDArray[np.float32]


def neighbors(bench: Bench, reference: str, text: str, k: int = NEAREST) -> Neighbors:
    """The k nearest items of an item (itself left out) or of any typed text."""
    space = bench.space(reference)
    query = bench.represent(reference, text)
    exclude = [] if query.row is None else [query.row]
    indices, cosines = nearest(space.unit, query.vector[None, :], k, exclude)
    return Neighbors(query, indices[0].astype(np.int64), cosines[0])


# ---------------------------------------------------------------------------------------- paths


@dataclass(frozen=True, eq=False)
class PathReport:
    """A path of m steps and everything said about it.

    ``curve`` lies in the space itself, also when it was made on the centred one. ``nearest`` and
    ``nearest_without`` are rows (m, k), the second without the waypoints and so with fewer
    columns in a tiny space, with cosines measured in the space in which the path was made.
    ``off`` marks the steps off the data. ``visited`` are the items of a graph walk.
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


def path(
    bench: Bench,
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
    if len(texts) < 2:
        raise InvalidPath(
            f"found {len(texts)} waypoint{'s' * (len(texts) != 1)}; expected two or more: "
            "say where the path should go"
        )
    raw = bench.space(reference)
    waypoints = tuple(bench.represent(reference, text) for text in texts)
    _require_different(texts, waypoints)
    space = raw.centred if centred else raw
    shift = raw.mean if centred else np.zeros(raw.dim, np.float32)
    graph = bench.graph(space, progress)
    curve, marks, visited = _curve(space, graph, waypoints, shift, kind, steps)
    exclude = sorted({point.row for point in waypoints if point.row is not None})
    penalty = csls_penalty(graph) if csls else None
    found, cosines = decode(space, curve.points, k, csls=penalty)
    without, cosines_without = decode(space, curve.points, k, exclude, penalty)
    percentile = knn_percentile(space, graph, curve.points)
    ends = curve.points[[0, -1]]
    return PathReport(
        kind,
        centred,
        waypoints,
        _in_space(raw, curve, marks, visited, waypoints) if centred else curve,
        found,
        cosines,
        without,
        cosines_without,
        np.linalg.norm(curve.points, axis=1).astype(np.float32),
        norm_percentile(space, curve.points),
        percentile,
        off_data(percentile),
        _cosine(curve.points, ends[0]),
        _cosine(curve.points, ends[1]),
        visited,
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
            curve = through(points, lerp if kind == "lerp" else slerp, steps)
            return curve, curve.stops, ()
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
    lengths = np.linalg.norm(points, axis=1) * np.linalg.norm(to)
    return np.asarray(points @ to / np.where(lengths > 0, lengths, 1), np.float32)


def place_path(bench: Bench, reference: str, spec: Spec, report: PathReport) -> QueryCoords:
    """Where the steps of a path lie on a picture of the raw space: (m, p)."""
    space = bench.space(reference)
    coords = bench.projection(space, spec).coords
    placed, _ = place(space, coords, report.curve.points)
    return placed


# ---------------------------------------------------------------------------- arithmetic, axes


@dataclass(frozen=True, eq=False)
class Solution:
    """What an expression comes to: its terms, the point (d,), and the nearest items."""

    terms: tuple[Term, ...]
    waypoints: tuple[Waypoint, ...]
    point: Vector
    rows: Rows
    cosines: npt.NDArray[np.float32]
    rows_with_inputs: Rows
    cosines_with_inputs: npt.NDArray[np.float32]


def solve(bench: Bench, reference: str, expression: str, k: int = NEAREST) -> Solution:
    """Vector arithmetic on directions, with and without the words that went in."""
    terms = parse(expression)
    space = bench.space(reference)
    waypoints = tuple(bench.represent(reference, term.text) for term in terms)
    point = combine(terms, np.stack([waypoint.vector for waypoint in waypoints]))
    exclude = sorted({waypoint.row for waypoint in waypoints if waypoint.row is not None})
    rows, cosines = nearest(space.unit, point[None, :], k, exclude)
    all_rows, all_cosines = nearest(space.unit, point[None, :], k)
    return Solution(
        terms,
        waypoints,
        point,
        rows[0].astype(np.int64),
        cosines[0],
        all_rows[0].astype(np.int64),
        all_cosines[0],
    )


def axis(bench: Bench, reference: str, low: Sequence[str], high: Sequence[str]) -> Axis:
    """A direction of meaning from one list of texts to another.

    Raises InvalidSpecification for an empty list or a text on both sides, UnknownItem for a text
    without a vector.
    """
    vectors = [_vectors(bench, reference, texts) for texts in (low, high)]
    return axis_between(low, vectors[0], high, vectors[1])


def axis_scores(bench: Bench, reference: str, made: Axis, texts: Sequence[str]) -> QueryScores:
    """(m,) scores of any texts: -1 where the first list lies on average, +1 the second."""
    return made.score(_vectors(bench, reference, texts))


def _vectors(bench: Bench, reference: str, texts: Sequence[str]) -> Queries:
    if not texts:
        return np.empty((0, bench.space(reference).dim), np.float32)
    return np.stack([bench.represent(reference, text).vector for text in texts])


# ------------------------------------------------------------------------- the worker's recipes


def make_space(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "space": make a teacher's space and keep it."""
    space = Bench(workspace).space(arguments["reference"], progress)
    return {"digest": space.digest, "items": len(space)}


def make_map(
    workspace: Path, arguments: dict[str, Any], progress: Progress = silent
) -> dict[str, Any]:
    """Recipe "map": space, neighbours, picture, its faithfulness and its regions, all kept."""
    bench = _worker_bench(workspace)
    spec = spec_from_dict(arguments["spec"])
    reference = arguments["reference"]
    space = bench.space(reference, partial(_scaled, progress, 0, 30))
    drawn = 40 if isinstance(spec, PcaSpec) else 90  # PCA comes before the neighbours
    bench.projection(space, spec, partial(_scaled, progress, 30, drawn))
    bench.graph(space, partial(_scaled, progress, drawn, 90))
    if spec.dims == 2:
        _scaled(progress, 90, 95, 0, 1, "naming the regions")
        bench.regions(space, spec)
    bench.faithfulness(space, spec, partial(_scaled, progress, 95, 98))
    bench.faithfulness(space, PcaSpec(dims=spec.dims), partial(_scaled, progress, 98, 100))
    return {"digest": picture_key(space, spec)}


RECIPES: dict[str, Callable[[Path, dict[str, Any], Progress], dict[str, Any]]] = {
    "space": make_space,
    "map": make_map,
}

_benches: dict[Path, Bench] = {}


def _worker_bench(workspace: Path) -> Bench:
    """One bench for the worker's whole life, so that a second map finds the space in memory."""
    return _benches.setdefault(workspace, Bench(workspace))


def warm_up() -> None:
    """What the worker does when it starts: import and compile what the first map needs."""
    compile_umap()


def _scaled(progress: Progress, low: int, high: int, done: int, total: int, message: str) -> bool:
    """Report a stage as its share, low to high of 100, of the whole."""
    return progress(round(low + (high - low) * done / max(total, 1)), 100, message)


# -------------------------------------------------------------------- pictures on disk and back


def _write_projection(store: Store, key: str, picture: Projection) -> None:
    payload = {
        "spec": picture.spec.to_dict(),
        "space": picture.space_digest,
        "seconds": picture.seconds,
        "notes": picture.notes,
    }
    store.save("projection", key, {"coords": picture.coords}, None, payload)


def _read_projection(store: Store, key: str) -> Projection:
    found = store.load("projection", key)
    said = found.payload
    return Projection(
        found.arrays["coords"],
        spec_from_dict(said["spec"]),
        said["space"],
        said["seconds"],
        said["notes"],
    )


def _write_faithfulness(store: Store, key: str, measured: Faithfulness) -> None:
    payload = asdict(measured)
    per_point = payload.pop("per_point")
    store.save("faithfulness", key, {"per_point": per_point}, None, payload)


def _read_faithfulness(store: Store, key: str) -> Faithfulness:
    found = store.load("faithfulness", key)
    return Faithfulness(per_point=found.arrays["per_point"], **found.payload)


def _write_regions(store: Store, key: str, found: Regions) -> None:
    labels = [asdict(label) for label in found.labels]
    store.save("regions", key, {"cluster": found.cluster}, None, {"labels": labels})


def _read_regions(store: Store, key: str) -> Regions:
    found = store.load("regions", key)
    labels = tuple(RegionLabel(**label) for label in found.payload["labels"])
    return Regions(found.arrays["cluster"], labels)


def teachers() -> list[TeacherInfo]:
    """The teachers that need no argument."""
    return known()
