"""The workspace: a folder in which spaces, graphs and pictures are made once and kept."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from core.pipeline import uploads
from core.pipeline.student_catalogue import PREFIX, StudentCatalogue
from core.pipeline.student_teacher import StudentTeacher
from core.progress import scaled
from core.projection.base import PcaSpec, Projection, Spec, UmapSpec, spec_from_dict
from core.projection.faithfulness import Faithfulness, faithfulness
from core.projection.fit import fit
from core.projection.regions import RegionLabel, Regions, regions
from core.projection.umap import start_warm_up
from core.spaces.neighbors import NeighborGraph, knn_graph
from core.spaces.space import Space
from core.store.disk import Store
from core.students import storage
from core.teachers.model_folder.sources import require_unchanged
from core.teachers.registry import Teacher, resolve
from core.types import (
    Progress,
    Vector,
    silent,
)

Result = TypeVar("Result")
WAY = 2  # counts up when graphs, pictures or their figures come out otherwise: old ones are left
NEAREST = 10  # items told of a point unless more are asked for
USUAL_MOST = 48  # things of a kind that stay in memory, and of those that weigh much:
MOST = {"space": 6, "graph": 8, "comparison": 3, "ground": 4, "library": 2, "probing": 8}
MOST |= {"projection": 24, "faithfulness": 24, "lens": 2, "bridge": 2, "laws": 4, "shape": 8}


class Workspace:
    """Makes spaces, graphs, pictures and paths, each once; ``workspace`` keeps them."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.store = Store(self.folder / "cache")
        self.catalogue = StudentCatalogue(self.store, self.folder)
        self._memory: dict[tuple[str, str], Any] = {}
        self._turns: dict[tuple[str, str], threading.RLock] = {}
        self._lock = threading.Lock()

    def teacher(self, reference: str) -> Teacher:
        """The teacher of a reference string, loaded at most once. Raises UnknownTeacher.

        A student is one too: ``student:KEY`` of this workspace, or ``student:DIR``; and so is a
        file of vectors that came through the browser, ``upload:KEY``.
        """
        if reference.startswith(PREFIX):
            return self._student(reference)
        if reference.startswith(uploads.PREFIX):
            return self._upload(reference)
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

        def make() -> Space:
            space = self.teacher(reference).space(progress)
            require_unchanged(reference, key, self.space_key(reference))
            return space

        return self.kept(
            "space",
            key,
            read=lambda: self.store.load_space(key),
            make=make,
            write=lambda space: self.store.save_space(key, space),
        )

    def forget_space(self, reference: str) -> None:
        """Remove the teacher's space from memory and disk. Raises as :meth:`teacher` does."""
        key = self.space_key(reference)
        self.store.remove("space", key)
        with self._lock:
            for named in (("space", key), ("teacher", reference)):
                self._memory.pop(named, None)

    def has_graph(self, space: Space) -> bool:
        """Whether the neighbours are known already."""
        key = graph_key(space)
        return ("graph", key) in self._memory or self.store.has("graph", key)

    def graph(self, space: Space, progress: Progress = silent) -> NeighborGraph:
        """The one kNN graph of a space."""
        key = graph_key(space)
        return self.kept(
            "graph",
            key,
            read=lambda: self.store.load_graph(key),
            make=lambda: knn_graph(space.unit, progress=progress),
            write=lambda graph: self.store.save_graph(key, graph),
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
            graph = self.graph(space, partial(scaled, progress, 0, 40))
            return fit(space, graph, spec, partial(scaled, progress, 40, 100))

        return self.kept(
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
        return self.kept(
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
        return self.kept(
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

    def _student(self, reference: str) -> Teacher:
        """Another digest, another student: one may be trained anew in the same place."""
        where = self.catalogue.where(reference.removeprefix(PREFIX))
        found: Teacher = self._once(
            "teacher",
            f"{reference} {storage.digest(where)}",
            lambda: StudentTeacher(reference, where, self.teacher, self.space),
        )
        return found

    def _upload(self, reference: str) -> Teacher:
        """The one that has read it already, as long as its file is here."""
        teacher: Teacher = uploads.uploaded(self.folder, reference)
        return self._once("teacher", reference, lambda: teacher)

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

    def kept(
        self,
        kind: str,
        key: str,
        read: Callable[[], Result],
        make: Callable[[], Result],
        write: Callable[[Result], object],
    ) -> Result:
        """From memory, else from the store, else made now and written there; once at a time."""

        def get() -> Result:
            recalled = self.store.recall(kind, key, read)
            if recalled is None:
                recalled = make()
                write(recalled)
            return recalled

        return self._once(kind, key, get)

    def _forget(self) -> None:
        """Keep the latest things only: a space weighs tens of megabytes."""
        for kind in {kind for kind, _ in self._memory}:
            keys = [key for key in self._memory if key[0] == kind]
            for key in keys[: -MOST.get(kind, USUAL_MOST)]:
                del self._memory[key]
                self._turns.pop(key, None)


def graph_key(space: Space) -> str:
    """What a graph depends on: the space's content, and how neighbours are found."""
    return f"{space.digest}-{WAY}"


def picture_key(space: Space, spec: Spec) -> str:
    """What a picture depends on: the space's content, every parameter, and how it is made."""
    return f"{space.digest}-{spec.digest}-{WAY}"


@dataclass(frozen=True, eq=False)
class Waypoint:
    """A text with its vector (d,), its row if it is an item, and how the vector was made."""

    text: str
    vector: Vector
    row: int | None
    how: str


def _write_projection(store: Store, key: str, picture: Projection) -> None:
    payload = {
        "spec": picture.spec.to_dict(),
        "space": picture.space_digest,
        "seconds": picture.seconds,
        "notes": picture.notes,
    }
    store.save("projection", key, {"coords": picture.coords}, None, payload)


def _read_projection(store: Store, key: str) -> Projection:
    stored = store.load("projection", key)
    said = stored.payload
    return Projection(
        stored.arrays["coords"],
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
    stored = store.load("faithfulness", key)
    return Faithfulness(per_point=stored.arrays["per_point"], **stored.payload)


def _write_regions(store: Store, key: str, regions: Regions) -> None:
    labels = [asdict(label) for label in regions.labels]
    store.save("regions", key, {"cluster": regions.cluster}, None, {"labels": labels})


def _read_regions(store: Store, key: str) -> Regions:
    stored = store.load("regions", key)
    labels = tuple(RegionLabel(**label) for label in stored.payload["labels"])
    return Regions(stored.arrays["cluster"], labels)
