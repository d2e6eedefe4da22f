"""Artefacts on disk: a folder each, there whole or not at all, read without a copy.

    <root>/<kind>/<key>/manifest.json        what is here, see manifest.py
                        arrays.safetensors   every array, memory-mapped on the way in
                        <table>.parquet      every table
    <root>/../damaged/                       what failed its check, to be looked at

Nothing here is ever a pickle. Several processes may write the same key at once: a reader sees
one writer's folder or another's, whole, and never a mixture. What is read was checked against its
digests, once a process while the files stay as they are. What the disk does not take stays in
memory (held.py).
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from core.atomic import new_folder, sweep
from core.errors import InvalidSpecification, InvalidVectors, StoreError, Unwritable, reason_of
from core.integrity import put_aside, size_of
from core.regular import what_is
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Space
from core.store.files import Array, map_arrays, read_table, write_arrays, write_table
from core.store.held import held_for, pack, unpack
from core.store.manifest import NAME, Manifest, Newer, damaged
from core.store.read_back import Artefact, graph_from, space_from, storable

ARRAYS = "arrays.safetensors"
T = TypeVar("T")
PATIENCE = 25  # looks at a folder that another process is just putting into its place
UNREADABLE = (  # what a reader raises where an artefact is not what it expects
    *(StoreError, InvalidVectors, InvalidSpecification),
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
)
Identity = tuple[tuple[str, int, int, int], ...]  # name, inode, time and size of each file


def default_workspace() -> Path:
    """Where artefacts live: MEANING_SPACE_WORKSPACE, else the user's data directory.

    Raises StoreError where a file stands in its place: that was a slip, not a full disk.
    """
    from platformdirs import user_data_path

    chosen = os.environ.get("MEANING_SPACE_WORKSPACE")
    place = Path(chosen).expanduser() if chosen else user_data_path("meaning-space", False)
    if place.exists() and not place.is_dir():
        raise StoreError(
            f"found {what_is(place)} at {place}; expected a folder to keep results in: name "
            "another with --workspace"
        )
    return place


class Store:
    """The artefacts under one root folder; nothing is created before the first save."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.aside = self.root.parent / "damaged"
        self._held = held_for(self.root)
        self._checked: dict[Path, tuple[Identity, bool]] = {}  # and whether it was whole

    @property
    def unkept(self) -> str:
        """Why something that was computed is only in memory; "" where all is on the disk."""
        return self._held.why

    def folder(self, kind: str, key: str) -> Path:
        """Where an artefact lies. A key that is no plain file name is replaced by its digest."""
        return self.root / _plain(kind) / _plain(key)

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there, and whole; a damaged one is put aside."""
        if self._held.get(kind, key) is not None:
            return True
        folder = self.folder(kind, key)
        if not (folder / NAME).exists():
            return False
        identity = _identity(folder)
        known = self._checked.get(folder)
        if known is not None and known[0] == identity:
            return known[1]
        try:
            self.manifest(kind, key)
        except StoreError:
            return False
        return True

    def manifest(self, kind: str, key: str) -> Manifest:
        """The manifest of an artefact on disk whose files are all as they were saved.

        Raises StoreError where it is absent, newer than this program, or damaged: it is then put
        aside.
        """
        return self._look(kind, key, lambda _, manifest: manifest)

    def save(
        self,
        kind: str,
        key: str,
        arrays: Mapping[str, Array] | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write an artefact, in place of any that is there; whether the disk took it.

        Where it did not, the artefact is held in memory. Raises StoreError for what no file holds.
        """
        named = {_plain(name): table for name, table in (tables or {}).items()}
        artefact = Artefact(dict(arrays or {}), named, dict(payload or {}))
        try:
            _write(self.folder(kind, key), kind, key, artefact)
        except Unwritable as fault:
            self.hold(kind, key, pack(**vars(artefact)), fault.why)
            return False
        self._held.drop(kind, key)
        with suppress(Unwritable):
            self._write_held()
        return True

    def _write_held(self) -> None:
        """There is room again: write what is held. Raises Unwritable where there is none."""
        for kind, key in self._held.all():
            packed = self._held.get(kind, key)
            if packed is not None:
                _write(self.folder(kind, key), kind, key, Artefact(*unpack(packed)))
                self._held.drop(kind, key)

    def hold(self, kind: str, key: str, packed: bytes, why: str) -> None:
        """Hold in memory what could not be written, here or in another process."""
        self._held.put(kind, key, packed, why)

    def when_held(self, tell: Callable[[str, str, bytes, str], None]) -> None:
        """Have ``tell(kind, key, packed, why)`` called with whatever is held from now on."""
        self._held.listener = tell

    def load(self, kind: str, key: str) -> Artefact:
        """Read an artefact; arrays are memory-mapped and read-only.

        Raises StoreError where it is absent, from a newer version, or damaged: it is then put
        aside.
        """
        packed = self._held.get(kind, key)
        if packed is not None:
            return Artefact(*unpack(packed))
        return self._look(kind, key, _read)

    def recall(self, kind: str, key: str, read: Callable[[], T]) -> T | None:
        """What ``read`` makes of an artefact; None where there is none, or none that it can use:
        that one is put aside, and can be made again."""
        if not self.has(kind, key):
            return None
        try:
            return read()
        except UNREADABLE as fault:
            self._held.drop(kind, key)
            put_aside(self.folder(kind, key), self.aside, f"no usable {kind} ({reason_of(fault)})")
            return None

    def remove(self, kind: str, key: str) -> None:
        """Delete an artefact, damaged or not; nothing happens where there is none."""
        self._held.drop(kind, key)
        shutil.rmtree(self.folder(kind, key), ignore_errors=True)

    def size(self) -> int:
        """Bytes of everything under the root."""
        return size_of([self.root])

    def kinds(self) -> list[str]:
        """The folders below the root: what kinds of artefacts there are."""
        return sorted(
            path.name for path in _entries(self.root) if path.is_dir() and path.name[0] != "."
        )

    def sweep(self) -> None:
        """Clear away what killed processes left behind."""
        for place in (self.root, *(self.root / kind for kind in self.kinds())):
            sweep(place, ours=True)

    def save_space(self, key: str, space: Space) -> bool:
        """Keep a space. Raises StoreError for a text that UTF-8 cannot hold, naming the row."""
        items = {"text": storable(space.texts)}
        if space.ids != space.texts:
            items["id"] = storable(space.ids)
        tables = {"items": pd.DataFrame(items)}
        if len(space.metadata.columns):
            tables["metadata"] = space.metadata
        payload = {"digest": space.digest, "provenance": asdict(space.provenance)}
        return self.save("space", key, {"vectors": space.vectors}, tables, payload)

    def load_space(self, key: str) -> Space:
        """The space as it was saved, its vectors memory-mapped. Raises StoreError."""
        try:
            return space_from(self.load("space", key))
        except (KeyError, TypeError, ValueError):
            raise damaged(self.folder("space", key), "no complete space") from None

    def save_graph(self, key: str, graph: NeighborGraph) -> bool:
        """Keep the kNN graph of a space."""
        arrays = {"indices": graph.indices, "cosines": graph.cosines}
        payload = {"method": graph.method, "recall": graph.recall}
        return self.save("graph", key, arrays, None, payload)

    def load_graph(self, key: str) -> NeighborGraph:
        """The kNN graph as it was saved, memory-mapped. Raises StoreError."""
        try:
            return graph_from(self.load("graph", key))
        except (KeyError, TypeError, ValueError):
            raise damaged(self.folder("graph", key), "no complete graph") from None

    def _look(self, kind: str, key: str, read: Callable[[Path, Manifest], T]) -> T:
        """What reading a folder gives that is whole, and that nobody replaces meanwhile."""
        folder = self.folder(kind, key)
        for _ in range(PATIENCE):
            before = _identity(folder)
            made = _whole(folder, kind, key, read) if before else None
            if before and _identity(folder) == before:
                if isinstance(made, _Fault):
                    raise self._refused(folder, before, made.error)
                if made is not None:
                    self._checked[folder] = before, True
                    return made
            time.sleep(0.002)  # another process may just be putting its own folder in this place
        raise StoreError(
            f"found no {kind} under {key!r} in {self.root}; expected one that was saved: "
            "compute it first"
        )

    def _refused(self, folder: Path, identity: Identity, error: StoreError) -> StoreError:
        """What to raise for a folder that cannot be read, once it is out of the way."""
        if not isinstance(error, Newer):
            why = str(error).removeprefix("found ").partition(" in ")[0]
            if put_aside(folder, self.aside, f"a damaged {folder.parent.name}: {why}") is None:
                self._checked[folder] = identity, False
        return error


@dataclass(frozen=True)
class _Fault:
    error: StoreError


def _whole(folder: Path, kind: str, key: str, read: Callable[[Path, Manifest], T]) -> "T | _Fault":
    try:
        manifest = Manifest.read(folder)
        manifest.check(folder, kind, key)
        return read(folder, manifest)
    except StoreError as fault:
        return _Fault(fault)
    except FileNotFoundError as fault:
        return _Fault(damaged(folder, f"no {Path(fault.filename).name}"))
    except OSError as fault:
        return _Fault(damaged(folder, f"files that do not read ({fault.strerror or fault})"))


def _write(folder: Path, kind: str, key: str, artefact: Artefact) -> None:
    with new_folder(folder) as beside:
        if artefact.arrays:
            with (beside / ARRAYS).open("wb") as stream:
                write_arrays(stream, artefact.arrays)
        for name, table in artefact.tables.items():
            write_table(beside / f"{name}.parquet", name, table)
        Manifest.describe(beside, kind, key, artefact.payload).write(beside)


def _read(folder: Path, manifest: Manifest) -> Artefact:
    tables = [name for name in manifest.files if name.endswith(".parquet")]
    try:
        return Artefact(
            arrays=map_arrays(folder / ARRAYS) if ARRAYS in manifest.files else {},
            tables={name.removesuffix(".parquet"): read_table(folder / name) for name in tables},
            payload=manifest.payload,
        )
    except ValueError as fault:
        raise damaged(folder, f"files that do not read ({reason_of(fault)})") from None


def _plain(name: str) -> str:
    if re.fullmatch(r"[a-z0-9_-]{1,80}", name):
        return name
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _identity(folder: Path) -> Identity:
    """Tells a folder's files from any others; () where there is no folder."""
    try:
        return tuple(sorted(map(_facts, os.scandir(folder))))
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _facts(entry: "os.DirEntry[str]") -> tuple[str, int, int, int]:
    """Name, inode, time and size; of a link that leads nowhere or in a circle, its own."""
    try:
        told = entry.stat()
    except OSError:
        told = entry.stat(follow_symlinks=False)
    return entry.name, told.st_ino, told.st_mtime_ns, told.st_size


def _entries(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
