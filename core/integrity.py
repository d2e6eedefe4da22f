"""Is what was written still what is there? Digests, JSON that vouches for itself, and a place aside
for what is not.

A disk may give back other bytes than it was given, and programs may write into files that are not
theirs. So every file that is kept has a digest beside it, which is checked when the file is first
read, and anew when its time or size changes.
"""

import json
import logging
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from core.regular import opened

SEAL = "seal"  # the entry of a sealed document that holds the digest of the others
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")  # of a file, in its folder
MOST_ASIDE = 20  # damaged things kept to be looked at: so many, and so many bytes
MOST_BYTES_ASIDE = 1 << 30

SETTLED_SECONDS = 2.0  # a file that changes again within one tick of its clock shows no new time
MOST_DIGESTS = 10_000
DIGESTED = 1 << 16  # bytes read at once

_digests: dict[tuple[tuple[int, ...], ...], str] = {}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileEntry:
    """What a file was when it was written: its bytes and the digest of its content.

    Raises ValueError where it can be neither.
    """

    bytes: int
    blake2b: str

    def __post_init__(self) -> None:
        counted = isinstance(self.bytes, int) and not isinstance(self.bytes, bool)
        digest = self.blake2b
        if not (counted and self.bytes >= 0 and isinstance(digest, str) and len(digest) == 32):
            raise ValueError(f"no size and digest: {self}")

    @classmethod
    def of(cls, path: Path) -> "FileEntry":
        """What a file is now."""
        return cls(path.stat().st_size, file_digest(path))


def entries_of(folder: Path, but: str = "") -> dict[str, FileEntry]:
    """The files of a folder as they are now, without the one named ``but``."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != but)
    return {path.name: FileEntry.of(path) for path in files}


def read_entries(said: object) -> dict[str, FileEntry]:
    """From parsed JSON. Raises ValueError: no entries, or names that lead out of the folder."""
    if not isinstance(said, dict):
        raise ValueError("no list of files")
    for name, entry in said.items():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "blake2b"}:
            raise ValueError(f"no size and digest of {name!r:.40}")
        if not PLAIN_NAME.fullmatch(name):
            raise ValueError(f"{name!r:.40} for the name of a file")
    return {name: FileEntry(**entry) for name, entry in said.items()}


def fault_in(path: Path, entry: FileEntry) -> tuple[str, str] | None:
    """What is found and what was expected where a file is not what was written; else None."""
    try:
        size = path.stat().st_size
        if size != entry.bytes:
            return f"{path.name} with {size} bytes", f"{entry.bytes} bytes"
        if file_digest(path) != entry.blake2b:
            return f"{path.name} with other content", "what was saved"
    except FileNotFoundError:
        return f"no {path.name}", "a whole artefact"
    except OSError as fault:
        return f"{path.name} that does not read ({fault.strerror or fault})", "a readable file"
    return None


def digest_of(content: bytes) -> str:
    """BLAKE2b, 32 hex digits."""
    return blake2b(content, digest_size=16).hexdigest()


def file_digest(*paths: Path) -> str:
    """BLAKE2b of the content of regular files, one behind the other, 32 hex digits; read once a
    process while they stay. Raises OSError."""
    state, now = blake2b(digest_size=16), [path.stat() for path in paths]
    identity = tuple(
        (it.st_dev, it.st_ino, it.st_mtime_ns, it.st_ctime_ns, it.st_size) for it in now
    )
    if (known := _digests.get(identity)) is not None:
        return known
    for path, facts in zip(paths, now, strict=True):
        with opened(path) as stream:
            left = facts.st_size
            while left and (block := stream.read(min(left, DIGESTED))):
                state.update(block)
                left -= len(block)
    if time.time() - max(max(it.st_mtime, it.st_ctime) for it in now) > SETTLED_SECONDS:
        if len(_digests) >= MOST_DIGESTS:
            _digests.clear()
        _digests[identity] = state.hexdigest()
    return state.hexdigest()


def sealed(said: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON with a digest of itself. Raises TypeError or ValueError for what JSON cannot hold.

    >>> unsealed(sealed({"layers": 7}))
    {'layers': 7}
    >>> unsealed(sealed({"layers": 7}).replace("7", "6"))
    Traceback (most recent call last):
    ValueError: it was changed after it was written
    """
    plain = json.loads(json.dumps(dict(said)))
    return json.dumps({**plain, SEAL: _seal(plain)}, indent=indent)


def unsealed(text: str | bytes) -> dict[str, Any]:
    """What was sealed, or JSON that never was. Raises ValueError for what is neither."""
    try:
        said = json.loads(text)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    if not isinstance(said, dict):
        raise ValueError("no dictionary")
    if said.pop(SEAL, None) not in (None, _seal(said)):
        raise ValueError("it was changed after it was written")
    return said


def _seal(said: Mapping[str, Any]) -> str:
    return digest_of(json.dumps(said, sort_keys=True).encode())


def put_aside(path: Path, room: Path, why: str) -> Path | None:
    """Move something damaged into the folder ``room``, said in the log; where it lies now.

    None where it has gone already or cannot be moved. The room keeps the latest only.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    named = f"{path.parent.name}-{path.name.lstrip('.')}"[:120]
    place = room / f"{stamp}-{uuid.uuid4().hex[:6]}-{named}"
    try:
        room.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    except OSError as fault:
        if path.exists():
            reason = fault.strerror or fault
            _log.warning("found %s in %s; it is left out, not moved (%s)", why, path, reason)
        return None
    _log.warning("found %s in %s; put aside in %s", why, path, room)
    _make_room(room)
    return place


def _make_room(room: Path) -> None:
    kept = 0
    with suppress(OSError):
        for number, place in enumerate(sorted(room.iterdir(), reverse=True)):
            kept += size_of([place])
            if number >= MOST_ASIDE or kept > MOST_BYTES_ASIDE:
                shutil.rmtree(place, ignore_errors=True)
                place.unlink(missing_ok=True)


def size_of(places: Iterable[Path]) -> int:
    """Bytes of files, and of all files below folders; what goes meanwhile counts nothing."""
    total = 0
    for place in places:
        for path in (place, *place.rglob("*")):
            with suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
    return total
