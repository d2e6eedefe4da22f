"""NumPy's own files: one array (.npy), or several in an archive (.npz). Nothing is unpickled.

A header says how many bytes follow; that is held against the bytes there are before any memory is
taken. Shapes (n, 1, d) and (1, n, d), which pipelines of models leave behind, are (n, d).
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors, UnreadableFile
from core.regular import opened
from core.spaces.formats.bounds import damage, plain, require_growth, require_room

WORD_KEYS = ("words", "texts", "tokens", "labels", "names")
VECTOR_KEYS = ("vectors", "embeddings", "vector", "embedding")
EXPECTED = "an array as numpy.save writes it"
EXPECTED_ARCHIVE = "an archive as numpy.savez writes it"

ENCRYPTED = 1  # the bit of a member's flags

Array = npt.NDArray[Any]


def read_npy(path: Path) -> Array:
    """The array of a .npy file. Raises UnreadableFile where it is damaged or holds objects."""
    with damage(path.name, EXPECTED), opened(path) as stream:
        return _body(stream, _header(stream, path.stat().st_size, path.name))


def require_npy(path: Path) -> None:
    """Raise UnreadableFile where the header's promise and the file's size do not match."""
    with damage(path.name, EXPECTED), opened(path) as stream:
        _header(stream, path.stat().st_size, path.name)


def read_npz(path: Path) -> tuple[tuple[str, ...], Array]:
    """n words and the vectors of an archive.

    Raises UnreadableFile where it is damaged, unpacks to more than it may, or lacks a key.
    """
    with _archive(path) as archive:
        members = _members(archive, path)
        words, vectors = (_body(*_opened(archive, member, path)) for member in members)
    return _texts(words, path.name), vectors


def require_npz(path: Path) -> None:
    """Raise UnreadableFile where an archive lacks a key or what it promises is too much."""
    with _archive(path) as archive:
        for member in _members(archive, path):
            _opened(archive, member, path)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with (
        damage(path.name, EXPECTED_ARCHIVE),
        opened(path) as stream,
        zipfile.ZipFile(stream) as archive,
    ):
        yield archive


def as_table(array: Array, name: str) -> Array:
    """(n, d) of an array that may hold a further axis of length 1. Raises InvalidVectors."""
    if array.ndim == 3 and 1 in array.shape[:2]:
        array = array.reshape(-1, array.shape[2])
    if array.ndim != 2 or 0 in array.shape:
        raise InvalidVectors(
            f"found an array of shape {array.shape} in {name}; expected (n, d), one row a word"
        )
    return array


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes that follow."""
        return prod(self.shape) * self.dtype.itemsize


def _members(archive: zipfile.ZipFile, path: Path) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo]:
    """Those of the words and of the vectors."""
    held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    words, vectors = (
        next((held[key] for key in keys if key in held), None) for keys in (WORD_KEYS, VECTOR_KEYS)
    )
    if words is None or vectors is None:
        named = ", ".join(f"{name:.40}" for name in list(held)[:8]) or "nothing"
        raise UnreadableFile(
            f"found {plain(named)} in {path.name}; expected the keys words and vectors: "
            "np.savez(file, words=words, vectors=vectors)"
        )
    if (words.flag_bits | vectors.flag_bits) & ENCRYPTED:
        raise UnreadableFile(
            f"found {path.name} encrypted; expected an archive without a password: save it again "
            "with np.savez"
        )
    require_growth(words.file_size + vectors.file_size, path.stat().st_size, path.name)
    return words, vectors


def _opened(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path
) -> tuple[BufferedIOBase, _Header]:
    stream = cast(BufferedIOBase, archive.open(member))
    return stream, _header(stream, member.file_size, path.name)


def _header(stream: BufferedIOBase, size: int, name: str) -> _Header:
    """What an array says of itself, held against the bytes there are and what memory holds."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        header = _Header(*np.lib.format.read_array_header_1_0(stream))
    else:  # 2.0 has a longer header; what 3.0 adds is for tables of named columns
        header = _Header(*np.lib.format.read_array_header_2_0(stream))
    if header.dtype.hasobject:
        raise UnreadableFile(
            f"found Python objects in {name}, which could run code; expected plain numbers and "
            "texts: save vectors as float32 and words as np.array(words, dtype=str)"
        )
    there = size - stream.tell()
    if header.size != there:
        raise UnreadableFile(
            f"found {there:,} bytes in {name} behind a header that promises {header.size:,}; "
            "expected as many: the file is cut short or damaged, get it again"
        )
    if header.shape:
        dim = 1 if header.dtype.kind in "US" else prod(header.shape[1:])
        require_room(header.shape[0], dim, name)
    return header


def _body(stream: BufferedIOBase, header: _Header) -> Array:
    numbers = np.frombuffer(stream.read(header.size), header.dtype)
    return numbers.reshape(header.shape, order="F" if header.fortran else "C")


def _texts(words: Array, name: str) -> tuple[str, ...]:
    if words.dtype.kind == "S":
        with damage(name, "words in UTF-8"):
            return tuple(word.decode("utf-8") for word in words.ravel().tolist())
    if words.dtype.kind != "U":
        raise UnreadableFile(
            f"found {words.dtype} words in {name}; expected text: np.array(words, dtype=str)"
        )
    return tuple(words.ravel().tolist())
