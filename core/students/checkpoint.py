"""What a training leaves behind while it runs: checkpoints, a history, and a preview to look at.

    <folder>/checkpoint.safetensors   tensors and, in its header, JSON: one file, renamed into place
             history.jsonl            one line a report: {"step": 40, "loss": 0.31, "seconds": 4.2}
             preview.safetensors      vectors of some items as the student gives them now

A training that was paused, killed or cut off goes on from the checkpoint and comes to the same
student, bit for bit, as one that was left alone: randomness depends on seed and step only.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import StoreError
from core.spaces.words import lines_of
from core.types import Coords, Matrix, Rows

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.jsonl"
PREVIEW = "preview.safetensors"

Tensors = Mapping[str, npt.NDArray[np.generic]]


class Keeper:
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
            with (self.folder / HISTORY).open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as fault:
            raise _full(self.folder, fault) from None

    def history(self) -> list[dict[str, float]]:
        """All lines so far, one for each step, the latest wins; a line cut short is left out."""
        if self.folder is None or not (self.folder / HISTORY).exists():
            return []
        entries: dict[float, dict[str, float]] = {}
        for line in lines_of((self.folder / HISTORY).read_text(encoding="utf-8")):
            try:
                entry = {name: float(value) for name, value in json.loads(line).items()}
                entries[entry["step"]] = entry
            except (ValueError, KeyError, TypeError, AttributeError):
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
        return arrays["rows"], arrays["vectors"], int(payload["step"])  # type: ignore[return-value]

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
        content = save(whole, metadata={"payload": json.dumps(payload)})
        beside = self.folder / f".{name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(self.folder / name)
        except OSError as fault:
            beside.unlink(missing_ok=True)
            raise _full(self.folder, fault) from None

    def _read(self, name: str) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]] | None:
        if self.folder is None or not (self.folder / name).is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.folder / name, framework="numpy") as file:
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return arrays, json.loads(file.metadata()["payload"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):
            return None


def _full(folder: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"found that {folder} cannot be written ({fault.strerror or fault}); expected room for a "
        "checkpoint: free some space, then resume"
    )
