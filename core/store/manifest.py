"""The manifest of an artefact: what is in its folder, written by which version, and still whole?

A manifest is one JSON file beside the arrays and tables that it describes:

    {"format": "meaning-space artefact", "version": 1, "kind": "space", "key": "glove-30000",
     "created": "2025-03-01T12:00:00+00:00",
     "files": {"arrays.safetensors": {"bytes": 6000120, "blake2b": "9f..."}},
     "payload": {...},
     "seal": "4c..."}

The seal is the digest of all the rest (:mod:`core.integrity`); manifests of before it have none.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import StoreError
from core.integrity import FileEntry, entries_of, fault_in, read_entries, sealed, unsealed
from core.regular import read_bytes

FORMAT = "meaning-space artefact"
VERSION = 1  # raise it when a reader of today could not understand a folder of tomorrow
NAME = "manifest.json"


class Newer(StoreError):
    """An artefact of a later version: not damaged, but not to be read here."""


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
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(kind, key, now, entries_of(folder, but=NAME), payload)

    def write(self, folder: Path) -> None:
        """Write it into the folder. Raises StoreError where the payload is not JSON."""
        payload_text(self.payload)
        text = sealed({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1)
        (folder / NAME).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read and understand it. Raises StoreError where it is damaged or newer than this."""
        try:
            raw = unsealed(read_bytes(folder / NAME))
            if raw["format"] != FORMAT:
                raise ValueError
            version = raw["version"]
            if not isinstance(version, int):
                raise ValueError
        except (ValueError, KeyError):
            raise damaged(folder, f"a {NAME} that does not read as one") from None
        if version > VERSION:
            raise Newer(
                f"found version {version} of the format in {folder}; expected at most {VERSION}: "
                "a newer Meaning Space wrote it, update this one"
            )
        try:
            kind, key, created, payload = (
                raw[name] for name in ("kind", "key", "created", "payload")
            )
            if not all(isinstance(it, str) for it in (kind, key, created)):
                raise ValueError
            if not isinstance(payload, dict):
                raise ValueError
            return cls(kind, key, created, read_entries(raw["files"]), payload)
        except (KeyError, ValueError):
            raise damaged(folder, f"a {NAME} with missing entries") from None

    def check(self, folder: Path, kind: str, key: str) -> None:
        """Compare what was asked for, and every file's size and content, with what was saved.

        Raises StoreError, naming the file.
        """
        if (self.kind, self.key) != (kind, key):
            raise damaged(folder, f"a {NAME} of {self.kind!r:.40}, {self.key!r:.40}", "its own")
        for name, entry in self.files.items():
            if (fault := fault_in(folder / name, entry)) is not None:
                raise damaged(folder, *fault)

    @property
    def bytes(self) -> int:
        """Bytes of all files together, without the manifest's own."""
        return sum(entry.bytes for entry in self.files.values())


def payload_text(payload: dict[str, Any]) -> str:
    """A payload as JSON. Raises StoreError where it is none."""
    try:
        return json.dumps(payload)
    except (TypeError, ValueError) as fault:
        raise StoreError(
            f"found a payload that JSON cannot hold ({fault}); expected numbers, texts, "
            "lists and dictionaries: convert it before saving"
        ) from None


def damaged(folder: Path, found: str, expected: str = "a whole artefact") -> StoreError:
    """The one error for a folder that cannot be trusted, with how to mend it."""
    return StoreError(
        f"found {found} in {folder}; expected {expected}: the artefact is damaged, compute it again"
    )
