"""Vector files that came through the browser: kept in the workspace, each under a name that only
its content gives.

    <workspace>/uploads/KEY/NAME      the file, and the file of words beside it where it has one

``upload:KEY`` is then a reference as any other. Where others are served it opens for whoever has
the reference, and none can be guessed: KEY is a digest of names and contents.
"""

import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from core.atomic import new_folder
from core.errors import UnreadableFile
from core.integrity import digest_of, file_digest, size_of
from core.reach import paths_are_closed
from core.spaces.formats.bounds import memory_at_most
from core.spaces.formats.sidefile import beside
from core.spaces.io import require_readable
from core.teachers.word_vectors import VectorsFile

PREFIX = "upload:"
KEY = re.compile(r"[0-9a-f]{32}")
MOST_KEPT = 2**30  # bytes of all uploads where others are served; the longest unused go first
MOST_MEMORY = 2**27  # bytes that one may take there once it is read
LONGEST = 160  # bytes of a file's name, without its ending: disks take 255
ARRAY = b"\x93NUMPY"  # an .npy file begins so


def keep_upload(workspace: Path, files: Sequence[tuple[str, bytes]]) -> str:
    """Keep a file of vectors, with the file of words beside it if there is one; its reference.

    ``files`` are names and contents. Raises UnreadableFile where they are not one file of vectors,
    as far as first bytes and promises tell; Unwritable where the disk takes none.
    """
    named = _paired({_name(name): content for name, content in files})
    if not 0 < len(named) == len(files) <= 2:
        raise UnreadableFile(
            f"found {len(files)} files; expected one of vectors, or an array and its words under "
            "another name: choose them again"
        )
    names = sorted(named)
    sizes = [len(named[name]) for name in names]
    key = _key(names, sizes, digest_of(b"".join(named[name] for name in names)))
    folder = workspace / "uploads" / key
    with new_folder(folder) as half:
        for name, content in named.items():
            (half / name).write_bytes(content)
        with memory_at_most(_most_memory()):
            require_readable(_of_vectors(half))
    if paths_are_closed():
        _make_room(folder)
    return PREFIX + key


def uploaded(workspace: Path, reference: str) -> VectorsFile:
    """The space of an upload, not read yet. Raises UnreadableFile where it is not here."""
    folder = _folder(workspace, reference)
    try:
        files = _files(folder)
        own = _of_vectors(folder)
        sizes = [path.stat().st_size for path in files]
        key = _key([path.name for path in files], sizes, file_digest(*files))
        os.utime(folder)  # used just now
    except OSError:
        raise UnreadableFile(
            "found no such upload on this machine; expected one that was brought here and not "
            "forgotten since: bring the file again"
        ) from None
    if PREFIX + key != reference:
        raise UnreadableFile(
            f"found {own.name} with other content than was brought; expected it as it was: bring "
            "the file again"
        )
    return VectorsFile(own, reference, _most_memory())


def upload_name(workspace: Path, reference: str) -> str:
    """What its file is called. Raises UnreadableFile where it is not here."""
    return uploaded(workspace, reference).path.name


def forget_upload(workspace: Path, reference: str) -> None:
    """Remove an upload's files; nothing happens where there are none. Raises UnreadableFile."""
    shutil.rmtree(_folder(workspace, reference), ignore_errors=True)


def _most_memory() -> int | None:
    return MOST_MEMORY if paths_are_closed() else None


def _folder(workspace: Path, reference: str) -> Path:
    key = reference.removeprefix(PREFIX)
    if KEY.fullmatch(key) is None:
        raise UnreadableFile(
            "found a name that no upload has; expected upload: and 32 hex digits, as in the "
            "address of its page: copy the whole of that, or bring the file again"
        )
    return workspace / "uploads" / key


def _of_vectors(folder: Path) -> Path:
    """Which file of an upload has the vectors: the only one, or the one that has words beside it.

    Raises OSError where there is no folder, UnreadableFile where the two are no pair.
    """
    files = _files(folder)
    pairs = [path for path in files if beside(path) in files]
    if len(files) == 1 or pairs:
        return (pairs or files)[0]
    raise UnreadableFile(
        f"found {files[0].name} and {files[1].name}; expected one file of vectors, or an array "
        "(.npy, .tsv) and its words under the same name (.txt): choose them again"
    )


def _files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not files:
        raise FileNotFoundError(folder)
    return files


def _key(names: list[str], sizes: list[int], digest: str) -> str:
    """What files are called, where one ends and the next begins, and what is in them."""
    return digest_of(json.dumps([names, sizes, digest]).encode())


def _paired(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files; the words of an .npy array renamed after it, whatever they were called."""
    arrays = [name for name, content in files.items() if content.startswith(ARRAY)]
    if len(files) != 2 or len(arrays) != 1:
        return files
    words = next(name for name in files if name not in arrays)
    ending = ".tsv" if words.lower().endswith(".tsv") else ".txt"
    return {arrays[0]: files[arrays[0]], str(Path(arrays[0]).with_suffix(ending)): files[words]}


def _name(given: str) -> str:
    """A file's name without any folder, short, and with its ending."""
    bare = PurePosixPath(PureWindowsPath(given).name).name.lstrip(". ")
    path = PurePosixPath("".join(sign if sign.isprintable() else "_" for sign in bare) or "vectors")
    return path.stem.encode()[:LONGEST].decode(errors="ignore") + path.suffix[:16]


def _make_room(latest: Path) -> None:
    """Let the uploads go that were unused for longest, until all fit."""
    others = [
        path for path in latest.parent.iterdir() if path != latest and KEY.fullmatch(path.name)
    ]
    with suppress(OSError):  # another process takes them away too
        others.sort(key=lambda path: path.stat().st_mtime)
    sizes = [size_of([path]) for path in others]
    kept = size_of([latest]) + sum(sizes)
    for path, size in zip(others, sizes, strict=True):
        if kept <= MOST_KEPT:
            return
        shutil.rmtree(path, ignore_errors=True)
        kept -= size
