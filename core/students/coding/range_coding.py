"""Integer matrices as one range-coded stream, without telling the coder a scale for each entry.

Entries are put into classes by how large their row and their column are; each class has a table
of frequencies that was counted, not assumed. Rows and columns say their size in thirds of a
doubling, a byte each before LZMA.
"""

import lzma
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidStudent

Grid = npt.NDArray[np.int16]  # (r, c) whole numbers
THIRDS = 3
SMALL = 1e-3  # added to a mean size, so that an empty row has a logarithm
CLASSES = 64
FULL = 65_535  # what the largest count of a class is scaled to


def pack(grids: Sequence[Grid]) -> dict[str, npt.NDArray[np.generic]]:
    """ "stream" (uint32) and "tables" (uint8): all that :func:`unpack` needs beside the shapes."""
    import constriction

    sizes = [_sizes(grid) for grid in grids]
    classes = np.concatenate([_classes(*size).ravel() for size in sizes])
    symbols = np.concatenate([grid.ravel() for grid in grids]).astype(np.int32)
    encoder = constriction.stream.queue.RangeEncoder()
    tables = []
    for number in range(CLASSES):
        chosen = symbols[classes == number]
        low, counts = _table(chosen)
        tables.append(np.array([low, len(counts), *counts], dtype=np.int32))
        if len(counts) > 1:
            encoder.encode(chosen - low, _model(counts))
    small = np.concatenate([part for size in sizes for part in size]).astype(np.int8)
    wide = np.concatenate(tables)
    return {
        "stream": encoder.get_compressed(),
        "tables": _squeezed(small.tobytes() + wide.astype("<i4").tobytes()),
    }


MOST_BYTES = 1 << 26  # of the tables unpacked: more is damage
MOST_NUMBERS = 1 << 27  # of all layers together: a BERT of base size has 1.1e8


def unpack(
    stream: npt.NDArray[np.uint32], tables: npt.NDArray[np.uint8], shapes: Sequence[Sequence[int]]
) -> list[Grid]:
    """The inverse of :func:`pack`. Raises InvalidStudent when they do not belong together."""
    import constriction

    content = lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(tables.tobytes(), MOST_BYTES)
    edge = sum(rows + columns for rows, columns in shapes)
    numbers = sum(rows * columns for rows, columns in shapes)
    if min(map(min, shapes)) < 0 or len(content) < edge or numbers > MOST_NUMBERS:
        raise _foreign(len(content), edge)
    small, wide = np.frombuffer(content[:edge], np.int8), np.frombuffer(content[edge:], "<i4")
    sizes, at = [], 0
    for rows, columns in shapes:
        sizes.append((small[at : at + rows], small[at + rows : at + rows + columns]))
        at += rows + columns
    classes = np.concatenate([_classes(*size).ravel() for size in sizes])
    symbols = np.zeros(len(classes), dtype=np.int16)
    decoder = constriction.stream.queue.RangeDecoder(stream)
    at = 0
    for number in range(CLASSES):
        if at + 1 >= len(wide):
            raise _foreign(len(wide), at + 2)
        low, length = int(wide[at]), int(wide[at + 1])
        counts = wide[at + 2 : at + 2 + length]
        at += 2 + length
        where = np.flatnonzero(classes == number)
        if length > 1:
            symbols[where] = decoder.decode(_model(counts), len(where)) + low
        elif len(where):
            symbols[where] = low
    if at != len(wide):
        raise _foreign(len(wide), at)
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    parts = np.split(symbols, cuts)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _foreign(found: int, expected: int) -> InvalidStudent:
    return InvalidStudent(
        f"found {found} numbers in a student's tables; expected {expected}: copy it again, or "
        "train it again"
    )


def bits(grids: Sequence[Grid]) -> float:
    """What the stream of these grids will weigh, nearly, without coding it."""
    total = 0.0
    classes = np.concatenate([_classes(*_sizes(grid)).ravel() for grid in grids])
    symbols = np.concatenate([grid.ravel() for grid in grids])
    low, high = int(symbols.min()), int(symbols.max())
    width = high - low + 1
    joint = np.bincount(
        classes.astype(np.int64) * width + (symbols - low), minlength=CLASSES * width
    ).reshape(CLASSES, width)
    for counts in joint:
        seen = counts[counts > 0]
        total += float((seen * np.log2(seen.sum() / seen)).sum())
    return total


def _sizes(grid: Grid) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """(r,) and (c,): how large rows and columns are; the rows' against the whole."""
    size = np.abs(grid)
    whole = np.log2(size.mean() + SMALL)

    def thirds(of: Any) -> npt.NDArray[np.int8]:
        return np.asarray(np.round(np.clip(THIRDS * of, -60, 60)), dtype=np.int8)

    return thirds(np.log2(size.mean(1) + SMALL) - whole), thirds(np.log2(size.mean(0) + SMALL))


def _classes(rows: npt.NDArray[np.int8], columns: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    both = rows.astype(np.int16)[:, None] + columns.astype(np.int16)[None] + CLASSES // 2
    return np.asarray(np.clip(both, 0, CLASSES - 1), dtype=np.uint8)


def _table(symbols: npt.NDArray[np.int32]) -> tuple[int, npt.NDArray[np.int64]]:
    """The smallest symbol, and how often each from there on occurs, scaled to 16 bits."""
    if not len(symbols):
        return 0, np.zeros(0, dtype=np.int64)
    low = int(symbols.min())
    counts = np.bincount(symbols - low)
    scale = min(1.0, FULL / counts.max())
    return low, np.where(counts, np.maximum(1, counts * scale), 0).astype(np.int64)


def _model(counts: npt.NDArray[Any]) -> Any:
    import constriction

    # An entry of 0 still gets the least probability that the coder knows.
    weights = counts.astype(np.float64)
    return constriction.stream.model.Categorical(weights / weights.sum(), perfect=False)


def _squeezed(content: bytes) -> npt.NDArray[np.uint8]:
    packed = lzma.compress(content, format=lzma.FORMAT_ALONE, preset=9)
    return np.frombuffer(packed, dtype=np.uint8)
