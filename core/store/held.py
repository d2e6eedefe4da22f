"""What could not be written stays in memory: the result is shown, and gone when the program ends.

A disk that is full or may only be read must not cost anybody what was just computed. One such
memory serves all stores of a folder in a process; what the worker process holds it hands over to
the pages' process, packed into one run of bytes (:func:`pack`).
"""

import io
import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.store.files import Array, arrays_in, read_table, write_arrays, write_table
from core.store.manifest import payload_text

MOST_BYTES = 1 << 30  # in memory for one workspace; the latest stays in any case
Packed = tuple[dict[str, Array], dict[str, pd.DataFrame], dict[str, Any]]
Listener = Callable[[str, str, bytes, str], None]  # kind, key, packed, why

NOT_KEPT = (
    "found no way to write into %s (%s): what is computed is shown, and gone when this program "
    "ends; free some space, or choose another folder with --workspace"
)
_log = logging.getLogger(__name__)


class Held:
    """Packed artefacts by kind and key; ``why`` they are not on the disk, "" while none is held."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.why = ""
        self.listener: Listener | None = None
        self._packed: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def put(self, kind: str, key: str, packed: bytes, why: str) -> None:
        """Hold one, and tell the listener."""
        with self._lock:
            self._packed.pop((kind, key), None)
            self._packed[kind, key] = packed
            while len(self._packed) > 1 and sum(map(len, self._packed.values())) > MOST_BYTES:
                del self._packed[next(iter(self._packed))]
            first, self.why = not self.why, why
        if first:
            _log.warning(NOT_KEPT, self.root, why)
        if self.listener is not None:
            self.listener(kind, key, packed, why)

    def get(self, kind: str, key: str) -> bytes | None:
        """One that is held, packed; None where it is not."""
        return self._packed.get((kind, key))

    def drop(self, kind: str, key: str) -> None:
        """Forget one: it is on the disk now, or nobody wants it."""
        with self._lock:
            self._packed.pop((kind, key), None)
            if not self._packed:
                self.why = ""

    def all(self) -> list[tuple[str, str]]:
        """The kinds and keys of what is held."""
        return list(self._packed)


_rooms: dict[Path, Held] = {}
_lock = threading.Lock()


def held_for(root: Path) -> Held:
    """The one memory of a store's folder in this process."""
    with _lock:
        return _rooms.setdefault(root.absolute(), Held(root))


def pack(
    arrays: Mapping[str, Array], tables: Mapping[str, pd.DataFrame], payload: Mapping[str, Any]
) -> bytes:
    """An artefact as one safetensors file, the tables in it as the bytes of Parquet files.

    Raises StoreError for what no file can hold.
    """
    packed: dict[str, Array] = {f"array {name}": array for name, array in arrays.items()}
    for name, table in tables.items():
        parquet = io.BytesIO()
        write_table(parquet, name, table)
        packed[f"table {name}"] = np.frombuffer(parquet.getvalue(), np.uint8)
    stream = io.BytesIO()
    write_arrays(stream, packed, payload_text(dict(payload)))
    return stream.getvalue()


def unpack(packed: bytes) -> Packed:
    """Arrays (read-only, not copied), tables and payload. Raises ValueError for other bytes."""
    whole, payload = arrays_in(packed)
    arrays = {name[6:]: array for name, array in whole.items() if name.startswith("array ")}
    tables = {
        name[6:]: read_table(io.BytesIO(array.tobytes()))
        for name, array in whole.items()
        if name.startswith("table ")
    }
    return arrays, tables, json.loads(payload or "{}")
