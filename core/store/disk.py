"""Artefacts on disk: a folder each, written beside and renamed into place, read without a copy.

    <root>/<kind>/<key>/manifest.json        what is here, see manifest.py
                        arrays.safetensors   every array, memory-mapped on the way in
                        <table>.parquet      every table

Nothing here is ever a pickle. Several processes may write the same key at once: a reader sees
one writer's folder or another's, whole, and never a mixture.
"""

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import StoreError
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Provenance, Space
from core.spaces.words import lines_of
from core.store.files import Array, map_arrays, write_arrays, write_table
from core.store.manifest import NAME, Manifest, damaged

ARRAYS = "arrays.safetensors"
STALE_SECONDS = 3600  # a half-written folder older than this belongs to a process that was killed


@dataclass(frozen=True)
class Artefact:
    """What one folder holds: read-only arrays, tables, and free JSON."""

    arrays: dict[str, Array] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)


def default_workspace() -> Path:
    """Where artefacts live: MEANING_SPACE_WORKSPACE, else the user's data directory."""
    from platformdirs import user_data_path

    chosen = os.environ.get("MEANING_SPACE_WORKSPACE")
    return Path(chosen).expanduser() if chosen else user_data_path("meaning-space", appauthor=False)


class Store:
    """The artefacts under one root folder; nothing is created before the first save."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def folder(self, kind: str, key: str) -> Path:
        """Where an artefact lies. A key that is no plain file name is replaced by its digest."""
        return self.root / _plain(kind) / _plain(key)

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there; whether it is whole, only :meth:`load` can tell."""
        return (self.folder(kind, key) / NAME).exists()

    def save(
        self,
        kind: str,
        key: str,
        arrays: Mapping[str, Array] | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an artefact, in place of any that is there. Raises StoreError."""
        waiting = self.root / ".writing"
        beside = waiting / uuid.uuid4().hex
        try:
            _sweep(waiting)
            beside.mkdir(parents=True)
            if arrays:
                write_arrays(beside / ARRAYS, arrays)
            for name, table in (tables or {}).items():
                write_table(beside / f"{_plain(name)}.parquet", table)
            manifest = Manifest.describe(beside, kind, key, dict(payload or {}))
            manifest.write(beside)
            _move_into_place(beside, self.folder(kind, key), manifest)
        except OSError as fault:
            raise StoreError(
                f"found that {self.root} cannot be written ({fault.strerror or fault}); expected "
                "a folder with space left: free some, or choose another with --workspace"
            ) from None
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def load(self, kind: str, key: str, *, verify: bool = False) -> Artefact:
        """Read an artefact; arrays are memory-mapped and read-only.

        Sizes are always checked, contents too with ``verify``. Raises StoreError where it is
        absent, damaged or from a newer version.
        """
        folder = self.folder(kind, key)
        for _ in range(50):
            before = _identity(folder)
            found = _read_or_fault(folder, verify) if before else None
            if before and _identity(folder) == before:
                if isinstance(found, StoreError):
                    raise found
                if found is not None:
                    return found
            time.sleep(0.002)  # another process may just be putting its own folder in this place
        raise StoreError(
            f"found no {kind} under {key!r} in {self.root}; expected one that was saved: "
            "compute it first"
        )

    def remove(self, kind: str, key: str) -> None:
        """Delete an artefact, damaged or not; nothing happens where there is none."""
        shutil.rmtree(self.folder(kind, key), ignore_errors=True)

    def size(self) -> int:
        """Bytes of everything under the root."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def save_space(self, key: str, space: Space) -> None:
        """Keep a space. Raises StoreError for a text that UTF-8 cannot hold, naming the row."""
        items = {"text": _storable(space.texts)}
        if space.ids != space.texts:
            items["id"] = _storable(space.ids)
        tables = {"items": pd.DataFrame(items)}
        if len(space.metadata.columns):
            tables["metadata"] = space.metadata
        payload = {"digest": space.digest, "provenance": asdict(space.provenance)}
        self.save("space", key, {"vectors": space.vectors}, tables, payload)

    def load_space(self, key: str, *, verify: bool = False) -> Space:
        """The space as it was saved, its vectors memory-mapped. Raises StoreError."""
        found = self.load("space", key, verify=verify)
        try:
            items = found.tables["items"]
            texts = tuple(items["text"].to_numpy(dtype=object).tolist())
            ids = tuple(items["id"].to_numpy(dtype=object).tolist()) if "id" in items else texts
            metadata = found.tables.get("metadata", pd.DataFrame(index=range(len(texts))))
            provenance = Provenance(**found.payload["provenance"])
            digest: str = found.payload["digest"]
            return Space(ids, texts, found.arrays["vectors"], metadata, provenance, digest)
        except (KeyError, TypeError):
            raise damaged(self.folder("space", key), "no complete space") from None

    def save_graph(self, key: str, graph: NeighborGraph) -> None:
        """Keep the kNN graph of a space."""
        arrays = {"indices": graph.indices, "cosines": graph.cosines}
        self.save("graph", key, arrays, None, {"method": graph.method, "recall": graph.recall})

    def load_graph(self, key: str, *, verify: bool = False) -> NeighborGraph:
        """The kNN graph as it was saved, memory-mapped. Raises StoreError."""
        found = self.load("graph", key, verify=verify)
        try:
            return NeighborGraph(
                indices=found.arrays["indices"],
                cosines=found.arrays["cosines"],
                method=found.payload["method"],
                recall=found.payload["recall"],
            )
        except KeyError:
            raise damaged(self.folder("graph", key), "no complete graph") from None


def _plain(name: str) -> str:
    if re.fullmatch(r"[a-z0-9_-]{1,80}", name):
        return name
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tells a folder from another one that took its place; None where there is none."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read_or_fault(folder: Path, verify: bool) -> Artefact | StoreError:
    try:
        return _read(folder, verify)
    except StoreError as fault:
        return fault
    except FileNotFoundError as fault:
        return damaged(folder, f"no {Path(fault.filename).name}")


def _read(folder: Path, verify: bool) -> Artefact:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    manifest = Manifest.read(folder)
    manifest.check(folder, verify=verify)
    try:
        return Artefact(
            arrays=map_arrays(folder / ARRAYS) if ARRAYS in manifest.files else {},
            tables={
                name.removesuffix(".parquet"): pq.read_table(folder / name).to_pandas()
                for name in manifest.files
                if name.endswith(".parquet")
            },
            payload=manifest.payload,
        )
    except (ArrowException, ValueError, KeyError, TypeError) as fault:
        raise damaged(folder, f"files that do not read ({lines_of(str(fault))[0]})") from None


def _storable(texts: tuple[str, ...]) -> npt.NDArray[np.object_]:
    for row, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise StoreError(
                f"found half a surrogate pair in the text of row {row} ({text!a:.60}); expected "
                "text that UTF-8 can hold: repair or remove that character"
            ) from None
    return np.array(texts, dtype=object)


def _sweep(waiting: Path) -> None:
    """Clear away what killed writers left behind."""
    if not waiting.exists():
        return
    for left in waiting.iterdir():
        try:
            stale = time.time() - left.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:  # its writer has just finished
            continue
        if stale:
            shutil.rmtree(left, ignore_errors=True)


def _move_into_place(beside: Path, target: Path, manifest: Manifest) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = beside.with_name(f"{beside.name}-old")
    for _ in range(100):
        try:
            if _same(target, manifest):
                return
            beside.rename(target)
            return
        except OSError as fault:
            if fault.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
                raise
        try:  # a folder cannot replace a full one in one step: take the old one away first
            target.rename(aside)
        except FileNotFoundError:  # another writer took it
            continue
        shutil.rmtree(aside, ignore_errors=True)
    raise OSError(f"{target} is being rewritten without end")


def _same(target: Path, manifest: Manifest) -> bool:
    """Whether the very same content is there already, whole."""
    try:
        there = Manifest.read(target)
        there.check(target)
    except (StoreError, OSError):
        return False
    return there.files == manifest.files and there.payload == manifest.payload
