"""word2vec's binary format: n and d in a line of text, then a word, a space and d float32 each.

A line break may stand before a word. The format has no mark by which a reader could find its way
back: a word with a space in it, or a wrong n, puts everything behind it in the wrong place. So all
bytes must come out even.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import UnreadableFile
from core.regular import opened
from core.spaces.formats.bounds import require_room
from core.spaces.formats.keyed_vectors import CONTROL, Layout

BLOCK = 1 << 24  # bytes read at once
LONGEST_WORD = 1 << 16  # bytes


def read_binary(path: Path, layout: Layout) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """n words and (n, d). Raises UnreadableFile where bytes are missing, left over or no text."""
    count, dim = layout.count or 0, layout.dim
    require_room(count, dim, path.name)
    vectors = np.empty((count, dim), np.float32)
    words: list[str] = []
    with opened(path) as file:
        file.seek(layout.start)
        block, at = b"", 0
        for row in range(count):
            space = block.find(b" ", at, at + LONGEST_WORD)
            if space < 0 or space + 1 + 4 * dim > len(block):
                block, at = block[at:] + file.read(BLOCK + 4 * dim), 0
                space = block.find(b" ", 0, LONGEST_WORD)
            ends = space + 1 + 4 * dim
            if space < 0 or ends > len(block):
                raise _uneven(path, f"the end within word {row + 1:,} of {count:,}")
            words.append(_word(block[at:space], row, path))
            vectors[row] = np.frombuffer(block, "<f4", dim, space + 1)
            at = ends
        left = (block[at:] + file.read(BLOCK)).strip(b"\r\n")
    if left:
        more = "at least " if len(left) >= BLOCK else ""
        raise _uneven(path, f"{more}{len(left):,} bytes behind the last of {count:,} words")
    return tuple(words), vectors


def _word(raw: bytes, row: int, path: Path) -> str:
    raw = raw.lstrip(b"\r\n")
    if CONTROL.search(raw):
        raise _uneven(path, f"bytes of numbers where word {row + 1:,} should be")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _uneven(path, f"bytes that are not UTF-8 where word {row + 1:,} should be") from None


def _uneven(path: Path, what: str) -> UnreadableFile:
    return UnreadableFile(
        f"found {what} in {path.name}; expected word2vec binary that comes out even: its header "
        "may be wrong, it may be cut, or words hold spaces, which text and .npz can tell apart"
    )
