"""Reading a file that a person names, or that other programs may have changed: a regular one only.

A pipe waits for its writer and a device may never end, so whoever opens one may wait for ever. What
is no regular file is refused before it is opened, and of a regular one no more is read than asked.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

MOST_BYTES = 1 << 28  # of a file that is read whole where nothing else is said
BLOCK = 1 << 16  # bytes read at once
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, to read its bytes. Raises OSError, which names the file and says why: it is
    none, is not there, or does not read."""
    try:
        require_regular(path)
        with open(path, "rb", opener=at_once) as stream:
            _require_regular(os.fstat(stream.fileno()).st_mode, path)  # it may have changed places
            yield stream
    except OSError as fault:
        if fault.filename is None and fault.errno is not None:
            fault.filename = str(path)
        raise


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file of at most so many bytes. Raises OSError for any other."""
    with opened(path) as stream:
        size = min(os.fstat(stream.fileno()).st_size, most)
        content = stream.read(size + 1)
        if len(content) > size:  # it grows, or tells no size, as those of /proc
            more = bytearray(content)
            while len(more) <= most and (block := stream.read(BLOCK)):
                more += block
            content = bytes(more)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return content


def require_regular(path: Path) -> None:
    """Raise OSError, naming what stands there, unless it is a regular file."""
    _require_regular(path.stat().st_mode, path)


def what_is(path: Path) -> str:
    """What stands at a path: "a file", "a folder", "a pipe", "no file" where nothing does, ..."""
    try:
        return _kind(path.stat().st_mode)
    except (OSError, ValueError):  # a zero byte is in no file's name
        return "no file"


def is_file(path: Path) -> bool:
    """Whether a regular file stands at a path; never one where no disk takes such a name."""
    return what_is(path) == "a file"


def is_within(place: Path, folder: Path) -> bool:
    """Whether a place is a folder or lies below it; what cannot be a path (a zero byte, a ring of
    links, a name that no disk takes) does not."""
    try:
        place.exists()  # raises for a name that is too long
        return place.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def at_once(path: str, flags: int) -> int:
    """An opener for :func:`open` that waits for nobody at the other end of a pipe: it fails."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def _require_regular(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {_kind(mode)}", str(path))


def _kind(mode: int) -> str:
    return "a file" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")
