"""Files and folders that are there whole or not at all, even when a process is killed or the power
fails: written beside, put on the disk (fsync), renamed, and the new name put on the disk too.

    <parent>/.NAME.HEX.half    being written; of a killed process, swept an hour later
             .NAME.HEX.old     what a new folder replaces, for the moment in between; put back
                               where the new one never came
"""

import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from core.errors import unwritable

STALE_SECONDS = 3600  # what nobody has written to for so long belongs to a process that was killed
LONGEST = 50  # characters of its name that a half-written file carries: names have an end
LEFT = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}\.(?P<what>half|old)")
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.ENOTDIR)  # something lies there
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # folders on some network disks


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A stream, to write and to read, for what shall take the place of a file once it is whole.

    Raises Unwritable where the disk is full or may not be written; the old file is then there.
    """
    path = Path(path)
    half = _beside(path, "half")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with half.open("w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        raise unwritable(path, fault) from None
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Put a file where it belongs, whole. Raises Unwritable."""
    with new_file(path) as stream:
        stream.write(content)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty folder; with what is put into it, it takes the place of ``folder`` at the end.

    Raises Unwritable where the disk is full or may not be written; the old folder is then there.
    """
    folder = Path(folder)
    half = _beside(folder, "half")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        half.mkdir()
        yield half
        _sync_tree(half)
        _take_its_place(half, folder)
    except OSError as fault:
        raise unwritable(folder, fault) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


def sweep(parent: Path, *, ours: bool = False) -> None:
    """Clear away what killed processes left half written, and put back what one took away.

    In a folder that is ``ours`` alone, every hidden thing is a left-over.
    """
    for left in leavings(parent, ours=ours):
        match = LEFT.fullmatch(left.name)
        if match and match["what"] == "old" and not (parent / match["name"]).exists():
            with suppress(OSError):
                left.rename(parent / match["name"])
        elif _age(left) > STALE_SECONDS:
            _clear(left)


def leavings(parent: Path, *, ours: bool = False) -> list[Path]:
    """What lies half written in a folder: just now, or since a process was killed."""
    try:
        hidden = [path for path in parent.iterdir() if path.name.startswith(".")]
    except OSError:
        return []
    return [path for path in hidden if ours or LEFT.fullmatch(path.name)]


def _take_its_place(half: Path, folder: Path) -> None:
    """A folder cannot replace a full one in one step: the old one is taken away first."""
    taken: list[Path] = []
    try:
        for _ in range(100):  # several processes may want the place
            try:
                half.rename(folder)
                break
            except OSError as fault:
                if fault.errno not in TAKEN:
                    raise
            old = _beside(folder, "old")
            with suppress(FileNotFoundError):  # another process took it
                folder.rename(old)
                taken.append(old)
        else:
            raise OSError(errno.EBUSY, "it is being rewritten without end")
        _sync_folder(folder.parent)
    finally:
        for old in taken:
            if folder.exists():
                _clear(old)
            else:
                old.rename(folder)


def _clear(path: Path) -> None:
    """Delete a file or a folder, as far as that can be done."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _beside(path: Path, what: str) -> Path:
    name = path.name if what == "old" else path.name[:LONGEST]
    return path.with_name(f".{name}.{uuid.uuid4().hex}.{what}")


def _age(path: Path) -> float:
    """Seconds since anything was written in it; 0 for what has gone meanwhile."""
    try:
        latest = max(it.stat().st_mtime for it in (path, *path.glob("*")))
    except OSError:
        return 0.0
    return time.time() - latest


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("r+b") as stream:  # Windows syncs only what may be written
                os.fsync(stream.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # it cannot, and need not
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno not in NO_SYNC:
            raise
    finally:
        os.close(handle)
