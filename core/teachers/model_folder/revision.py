"""Which version of a model a folder holds: one digest over every file that loading it may read."""

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from core.errors import TeacherUnavailable
from core.regular import is_within, opened
from core.weights import LONGEST_HEADER, PREFIX, read_list

WHOLE = 1 << 27  # bytes; a file up to this is digested whole, 0.1 s
BLOCKS, BLOCK = 256, 4096  # of a larger file so many blocks, evenly spaced, of so many bytes
# What no loader here reads: code, pictures, notes, and weights in other formats.
UNREAD = {
    *(".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".ot", ".gguf", ".tflite"),
    *(".py", ".pyc", ".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".log", ".zip"),
}


def revision_of(folder: Path) -> str:
    """32 hex digits; another byte in any file that is read, another one.

    That is every file beside config.json and in the folders that modules.json names, but code,
    notes, and weights in other formats. Of a file above 128 MiB the header, 256 blocks, the size
    and the time stand for all. Raises TeacherUnavailable for a file that cannot be read.
    """
    state = blake2b(digest_size=16)
    for file in _read_files(folder):
        try:
            about = file.stat()
            stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
            digest = _digest(file, *stamp)
        except OSError as fault:
            raise TeacherUnavailable(
                f"found {file.name} of {folder}, which cannot be read ({fault.strerror or fault}); "
                "expected a model's files to be readable: check their rights"
            ) from None
        state.update(f"{file.relative_to(folder)}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def _read_files(folder: Path) -> list[Path]:
    """The files of a model, in a fixed order."""
    inside = [path for path in folder.iterdir() if path.is_file()]
    if (folder / "modules.json").is_file():
        for module in read_list(folder / "modules.json", folder.name):
            place = folder / str(module.get("path", ""))
            if is_within(place, folder) and place.is_dir() and not place.samefile(folder):
                inside += [path for path in place.rglob("*") if path.is_file()]
    read = {it for it in inside if it.suffix not in UNREAD and not it.name.startswith(".")}
    return sorted(read)


@lru_cache(maxsize=512)
def _digest(file: Path, size: int, modified: int, *_stamp: int) -> str:
    """Of a file that has these facts: its times and its number tell when it must be read again."""
    state = blake2b(digest_size=16)
    with opened(file) as stream:
        if size <= WHOLE:
            while block := stream.read(1 << 20):
                state.update(block)
            return state.hexdigest()
        state.update(f"{size} {modified}".encode())
        head = stream.read(PREFIX)
        if file.suffix == ".safetensors":
            head += stream.read(min(int.from_bytes(head, "little"), LONGEST_HEADER))
        state.update(head)
        for number in range(BLOCKS):
            stream.seek(number * (size - BLOCK) // (BLOCKS - 1), os.SEEK_SET)
            state.update(stream.read(BLOCK))
    return state.hexdigest()
