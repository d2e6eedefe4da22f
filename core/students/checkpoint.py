"""What a training leaves behind while it runs: checkpoints, a history, and a preview to look at.

    <folder>/checkpoint.safetensors   tensors and, in its header, JSON: one file, renamed into place
             history.jsonl            one line a report: {"step": 40, "loss": 0.31, "seconds": 4.2}
             preview.safetensors      vectors of some items as the student gives them now

A training that was paused, killed or cut off goes on from the checkpoint and comes to the same
student, bit for bit, as one that was left alone: randomness depends on seed and step only.
"""

import json
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.atomic import write_bytes
from core.errors import Unwritable, unwritable
from core.integrity import SEAL, sealed, unsealed
from core.regular import at_once, read_bytes
from core.types import Coords, Matrix, Rows

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.jsonl"
PREVIEW = "preview.safetensors"

ROW_OF_FLOATS = (np.dtype(np.int64), np.dtype(np.float32))  # of a preview

Tensors = Mapping[str, npt.NDArray[np.generic]]


class Checkpoints:
    """The folder of one training; with None nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def save(self, tensors: Tensors, payload: Mapping[str, Any]) -> None:
        """Keep a checkpoint in place of the last. Raises StoreError when the disk is full."""
        self._write(CHECKPOINT, tensors, payload)

    def restore(self) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]] | None:
        """The last checkpoint; None where there is none or it is cut short: then begin anew."""
        return self._read(CHECKPOINT)

    def cut_short(self) -> bool:
        """Whether there is a checkpoint, but none that reads."""
        there = self.folder is not None and (self.folder / CHECKPOINT).exists()
        return there and self.restore() is None

    def record(self, entry: Mapping[str, float | int]) -> None:
        """Add one line to the history."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / HISTORY, "a", encoding="utf-8", opener=at_once) as file:
                file.write(sealed(entry) + "\n")
        except OSError as fault:
            raise _full(unwritable(self.folder, fault)) from None

    def history(self) -> list[dict[str, float]]:
        """All lines so far, one for each step, the latest wins; a line cut short is left out."""
        if self.folder is None:
            return []
        try:
            lines = read_bytes(self.folder / HISTORY).split(b"\n")
        except OSError:
            return []
        entries: dict[float, dict[str, float]] = {}
        for line in lines:
            try:
                entry = {name: float(value) for name, value in unsealed(line).items()}
                entries[entry["step"]] = entry
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
        return [entries[step] for step in sorted(entries)]

    def preview(self, rows: Rows, vectors: Coords, step: int) -> None:
        """Show what the student gives now for some rows of the space: (r,) and (r, d)."""
        self._write(PREVIEW, {"rows": rows, "vectors": vectors}, {"step": step})

    def previewed(self) -> tuple[Rows, Matrix, int] | None:
        """The rows, their vectors and the step of the last preview."""
        found = self._read(PREVIEW)
        if found is None:
            return None
        arrays, payload = found
        rows, vectors, step = arrays.get("rows"), arrays.get("vectors"), payload.get("step")
        if rows is None or vectors is None or type(step) is not int or rows.ndim != 1:
            return None
        if (rows.dtype, vectors.dtype) != ROW_OF_FLOATS or vectors.ndim != 2:
            return None
        if len(rows) != len(vectors):
            return None
        return rows, vectors, step  # type: ignore[return-value]

    def begin_anew(self) -> None:
        """Forget checkpoint, history and preview: what is recorded from now on starts at zero."""
        if self.folder is not None:
            for name in (CHECKPOINT, HISTORY, PREVIEW):
                (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything, after the student is saved."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, tensors: Tensors, payload: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        from safetensors.numpy import save

        whole = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
        said = {"payload": json.dumps(payload), SEAL: _seal(whole, payload)}
        try:
            write_bytes(self.folder / name, save(whole, metadata=said))
        except Unwritable as fault:
            raise _full(fault) from None

    def _read(self, name: str) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]] | None:
        if self.folder is None or not (self.folder / name).is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.folder / name, framework="numpy") as file:
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                said = file.metadata()
            payload = json.loads(said["payload"])
            if said.get(SEAL) not in (None, _seal(arrays, payload)):  # None: of an older version
                return None
            return arrays, dict(payload)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def _seal(tensors: Tensors, payload: Mapping[str, Any]) -> str:
    """The digest of all that a checkpoint holds."""
    state = blake2b(json.dumps(payload, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        state.update(f"{name} {tensor.dtype} {tensor.shape} ".encode())
        state.update(np.ascontiguousarray(tensor).tobytes())
    return state.hexdigest()


def _full(fault: Unwritable) -> Unwritable:
    return Unwritable(f"{str(fault).partition(': ')[0]}: free some space, then resume", fault.why)
