"""The manifest of an artefact: what is in its folder, written by which version, and still whole?

A manifest is one JSON file beside the arrays and tables that it describes:

    {"format": "meaning-space artefact", "version": 1, "kind": "space", "key": "glove-30000",
     "created": "2025-03-01T12:00:00+00:00",
     "files": {"arrays.safetensors": {"bytes": 6000120, "blake2b": "9f..."}},
     "payload": {...}}
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import StoreError

FORMAT = "meaning-space artefact"
VERSION = 1  # raise it when a reader of today could not understand a folder of tomorrow
NAME = "manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """One file of an artefact: its size in bytes and its content digest (32 hex digits)."""

    bytes: int
    blake2b: str


@dataclass(frozen=True)
class Manifest:
    """What an artefact's folder holds; ``payload`` is free JSON of whoever saved it."""

    kind: str
    key: str
    created: str
    files: dict[str, FileEntry]
    payload: dict[str, Any]

    @classmethod
    def describe(cls, folder: Path, kind: str, key: str, payload: dict[str, Any]) -> "Manifest":
        """The manifest of all files that lie in the folder now."""
        files = {
            path.name: FileEntry(path.stat().st_size, file_digest(path))
            for path in sorted(folder.iterdir())
            if path.name != NAME
        }
        return cls(kind, key, datetime.now(UTC).isoformat(timespec="seconds"), files, payload)

    def write(self, folder: Path) -> None:
        """Write it into the folder. Raises StoreError where the payload is not JSON."""
        try:
            text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1)
        except (TypeError, ValueError) as fault:
            raise StoreError(
                f"found a payload that JSON cannot hold ({fault}); expected numbers, texts, "
                "lists and dictionaries: convert it before saving"
            ) from None
        (folder / NAME).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and understand it. Raises StoreError where it is damaged or newer than this."""
        try:
            raw = json.loads((folder / NAME).read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                raise ValueError
            version = int(raw["version"])
        except (ValueError, KeyError, TypeError):
            raise damaged(folder, f"a {NAME} that does not read as one") from None
        if version > VERSION:
            raise StoreError(
                f"found version {version} of the format in {folder}; expected at most {VERSION}: "
                "a newer Meaning Space wrote it, update this one"
            )
        try:
            files = {name: FileEntry(**entry) for name, entry in raw["files"].items()}
            return cls(raw["kind"], raw["key"], raw["created"], files, raw["payload"])
        except (KeyError, TypeError, AttributeError):
            raise damaged(folder, f"a {NAME} with missing entries") from None

    def check(self, folder: Path, *, verify: bool = False) -> None:
        """Compare every file's size, and with ``verify`` its content, with what was saved.

        Raises StoreError, naming the file.
        """
        for name, entry in self.files.items():
            path = folder / name
            if not path.exists():
                raise damaged(folder, f"no {name}")
            if path.stat().st_size != entry.bytes:
                raise damaged(
                    folder, f"{name} with {path.stat().st_size} bytes", f"{entry.bytes} bytes"
                )
            if verify and file_digest(path) != entry.blake2b:
                raise damaged(folder, f"{name} with other content", "what was saved")

    @property
    def bytes(self) -> int:
        """Bytes of all files together, without the manifest's own."""
        return sum(entry.bytes for entry in self.files.values())


def damaged(folder: Path, found: str, expected: str = "a whole artefact") -> StoreError:
    """The one error for a folder that cannot be trusted, with how to mend it."""
    return StoreError(
        f"found {found} in {folder}; expected {expected}: the artefact is damaged, "
        "delete that folder and compute it again"
    )


def file_digest(path: Path) -> str:
    """BLAKE2b of a file's content, 32 hex digits."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            state.update(block)
    return state.hexdigest()
