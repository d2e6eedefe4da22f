"""What a file may ask for before it is believed: rows, memory, growth, the size of numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors, MeaningSpaceError, UnreadableFile

MOST_ROWS = 10_000_000
A_ROW = 300  # bytes of a text, its id, its place in the index and in the table
COPIES = 2  # of the numbers: as they are, and at length 1
FREE, MOST_GROWTH = 2**28, 100  # bytes that any file may unpack to; above, times its own size
LARGEST, SMALLEST = 1e30, 1e-37  # the largest number of a row: squares fit float64, digits float32
_most_memory: ContextVar[int | None] = ContextVar("most_memory", default=None)


@contextmanager
def memory_at_most(most: int | None) -> Iterator[None]:
    """Within it, a file may take so many bytes once it is read; None: whatever is free."""
    token = _most_memory.set(most)
    try:
        yield
    finally:
        _most_memory.reset(token)


def require_room(rows: int, dim: int, name: str, columns: int = 0) -> None:
    """Raise UnreadableFile unless memory holds so many rows of so many numbers."""
    if rows > MOST_ROWS:
        raise UnreadableFile(
            f"found {rows:,} rows in {name}; expected at most {MOST_ROWS:,}: bring a part of it"
        )
    need, free = rows * (4 * COPIES * dim + A_ROW * (1 + columns)), _free_memory()
    most = _most_memory.get()
    if most is not None and need > most:
        raise UnreadableFile(
            f"found {rows:,} rows of {dim:,} numbers in {name}, which take {need / 2**20:,.0f} MiB "
            f"of memory; expected at most {most / 2**20:,.0f} MiB on this server, which others "
            "share: bring a part"
        )
    if need > free:
        raise UnreadableFile(
            f"found {rows:,} rows of {dim:,} numbers in {name}, which take {need / 2**30:.1f} GiB "
            f"of memory; expected at most the {free / 2**30:.1f} GiB that are free: bring a part"
        )


def require_growth(unpacked: int, packed: int, name: str) -> None:
    """Raise UnreadableFile where a file unpacks to more than any true one does."""
    most = _most_memory.get()
    if most is not None and unpacked > most:
        raise UnreadableFile(
            f"found {packed:,} bytes in {name} that unpack to {unpacked:,}; expected at most "
            f"{most:,} on this server, which others share: bring a part"
        )
    if unpacked > max(FREE, MOST_GROWTH * packed):
        raise UnreadableFile(
            f"found {packed:,} bytes in {name} that unpack to {unpacked:,}; expected at most "
            f"{MOST_GROWTH} times as many: save it again without packing"
        )


def as_float32(
    numbers: npt.NDArray[np.generic], name: str, first: int = 0
) -> npt.NDArray[np.float32]:
    """(n, d) real numbers in float32; NaN and infinity stay, to be named with their texts.

    ``first`` is the file's row that row 0 is. Raises InvalidVectors where a row's numbers are so
    large or so small that float32 or its squares would lose them.
    """
    if numbers.dtype.kind not in "fiu":
        raise InvalidVectors(
            f"found {KINDS.get(numbers.dtype.kind, str(numbers.dtype)[:40])} in {name}; expected "
            "real numbers: save them as float32"
        )
    if numbers.dtype.itemsize > 8:
        numbers = numbers.astype(np.float64)
    if numbers.dtype.kind == "f" and numbers.size:
        _require_scale(numbers, name, first)
    with np.errstate(over="ignore", under="ignore"):
        return np.ascontiguousarray(numbers, dtype=np.float32)


KINDS = {"c": "complex numbers", "b": "true and false", "U": "texts", "S": "texts", "M": "dates"}


def _require_scale(numbers: npt.NDArray[np.generic], name: str, first: int) -> None:
    largest = np.maximum(numbers.max(axis=1), -numbers.min(axis=1)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        small = (largest < SMALLEST) & (largest > 0)
        odd = np.flatnonzero(np.isfinite(largest) & ((largest > LARGEST) | small))
    if len(odd):
        row = int(odd[0])
        more = f" and {len(odd) - 1:,} more" if len(odd) > 1 else ""
        raise InvalidVectors(
            f"found {largest[row]:.2g} as the largest number of row {first + row}{more} in {name}; "
            f"expected {SMALLEST:g} to {LARGEST:g}, or a row of zeros: multiply all by one number"
        )


@contextmanager
def readable(name: str, expected: str) -> Iterator[None]:
    """What the system says of a file that it does not give, as one UnreadableFile."""
    try:
        yield
    except OSError as fault:
        if fault.errno is None:  # a library's own, which says what is damaged
            raise
        raise UnreadableFile(
            f"found {name}, which cannot be read ({fault.strerror}); expected {expected}: check "
            "the path, its rights and its disk"
        ) from None


@contextmanager
def damage(name: str, expected: str) -> Iterator[None]:
    """What a library says of a damaged file, as one UnreadableFile.

    numpy, zipfile and pyarrow raise a dozen kinds for one (zlib.error, TokenError, JSONDecodeError,
    NotImplementedError, struct.error, ...), and none says in its documentation which.
    """
    try:
        with readable(name, expected):
            yield
    except MeaningSpaceError:
        raise
    except MemoryError:
        raise UnreadableFile(
            f"found that memory has no room for {name}; expected a smaller file: bring a part of it"
        ) from None
    except Exception as error:
        said = plain(str(error)) or type(error).__name__
        raise UnreadableFile(
            f"found {name} damaged ({said}); expected {expected}: get it again"
        ) from None


def plain(said: str) -> str:
    """What a library or a file says, short and on one line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in said[:200]).split())[
        :80
    ]


def _free_memory() -> int:
    """Bytes that a new array may take; as good as all where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").split("\n"):
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 2**50
