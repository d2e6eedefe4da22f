"""word2vec text, GloVe text and fastText .vec: on each line a word and its d numbers.

The last d fields of a line are the numbers. What stands before them is the word, which may hold
spaces: GloVe 840B has ``. . .`` and ``at name@domain.com``, phrases do, and spaCy has a lone space.
Fields are parted by a space or a tab.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors, UnreadableFile
from core.regular import opened
from core.spaces.formats.bounds import as_float32, require_room
from core.spaces.formats.encodings import BOM, MARKS, hint
from core.spaces.words import counted

EXPECTED = "word2vec, GloVe or fastText .vec text, word2vec .bin, .npz, .npy or Parquet"
BLOCK = 1 << 23  # bytes of lines read at once
LONGEST_LINE = 1 << 26  # bytes; 3 million numbers
SAMPLE_LINES, SAMPLE_BYTES = 1000, 1 << 22  # from which d is taken where no header says it
NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.I)
COMMA = re.compile(rb"\d,[+-]?\d")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # what no text has, and four bytes of a float do

Texts = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What the first record says: the format, n where a header gives it, d, the byte at which the
    first record begins, and whether numbers stand where its word should (TensorBoard's tensors)."""

    format: str
    count: int | None
    dim: int
    start: int
    wordless: bool = False

    @property
    def binary(self) -> bool:
        """Whether the numbers are four bytes each."""
        return self.format == "word2vec binary"


def layout_of(path: Path) -> Layout:
    """Told by the whole first record, however long. Raises UnreadableFile for no such format."""
    with opened(path) as file:
        head = file.read(1 << 16)
        for mark, encoding in MARKS:
            if head.startswith(mark):
                raise _not_utf8(path, f" (it is in {encoding})")
        start = len(BOM) if head.startswith(BOM) else 0
        file.seek(start)
        header = _header(_line(file, path))
        begins, record = file.tell(), _line(file, path, partly=True)
        if header is not None and (all(header) or _may_follow(record, header[1])):
            count, dim = header
            _require_items(path, count, dim)
            known = "word2vec binary" if record and _is_binary(record, dim) else "word2vec text"
            _require_size(path, count, dim, known)
            return Layout(known, count, dim, begins)
        file.seek(start)
        dim = _usual_dim(file, path)
        file.seek(start)
        wordless = _is_decimal(_split(_line(file, path), -1)[0])
        return Layout("GloVe text", None, dim, start, wordless)


def read_text(path: Path, layout: Layout) -> tuple[Texts, npt.NDArray[np.float32]]:
    """n words and (n, d). Raises InvalidVectors or UnreadableFile, naming the line."""
    most = layout.count or _lines_in(path)
    require_room(most, layout.dim, path.name)
    vectors = np.empty((most, layout.dim), np.float32)
    words: list[str] = []
    for number, lines in _blocks(path, layout):
        if layout.count is not None and len(words) + len(lines) > layout.count:
            raise _other_count(path, len(words) + len(lines), layout.count, "or more ")
        heads, tails = _parted(lines, layout.dim, number, path)
        vectors[len(words) : len(words) + len(lines)] = as_float32(
            _numbers(tails, layout.dim, number, path), path.name, len(words)
        )
        words += _decoded(heads, number, path)
    if layout.count is not None and len(words) != layout.count:
        raise _other_count(path, len(words), layout.count)
    return tuple(words), vectors[: len(words)]


def _header(line: bytes) -> tuple[int, int] | None:
    """(n, d) when a line is two whole numbers, else None."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 16 for field in fields):
        return None
    return int(fields[0]), int(fields[1])


def _may_follow(record: bytes, dim: int) -> bool:
    """Whether what stands behind a header of no words, or of no numbers, can be its record: nothing
    is, or d numbers. One number is not: then the header was a word and its number too."""
    return not record.strip() or (dim > 1 and _is_record(record, dim))


def _is_record(line: bytes, dim: int) -> bool:
    fields = _split(line, dim)
    return len(fields) == dim + 1 and all(map(NUMBER.fullmatch, fields[1:]))


def _line(file: BinaryIO, path: Path, partly: bool = False) -> bytes:
    """The next line; ``partly`` takes the beginning of a longer one. Raises UnreadableFile."""
    line = file.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE and not partly:
        raise UnreadableFile(
            f"found no end of the first line in {LONGEST_LINE:,} bytes of {path.name}; "
            f"expected {EXPECTED}"
        )
    return line


def _is_binary(record: bytes, dim: int) -> bool:
    """Whether what follows a header is no line of text: no d numbers end it, and either none does,
    or it is not UTF-8 or has bytes of numbers in it."""
    if _is_record(record, dim):
        return False
    no_text = _undecodable(record) or CONTROL.search(record)
    return bool(no_text) or not NUMBER.fullmatch(_split(record, dim)[-1])


def _split(line: bytes, dim: int) -> list[bytes]:
    """A line's word and its last d fields; fewer where there are fewer."""
    return line.rstrip(b" \t\r\n").replace(b"\t", b" ").rsplit(b" ", dim)


def _usual_dim(file: BinaryIO, path: Path) -> int:
    """d: how many numbers most of the first lines end with, a word left before them."""
    counts: Counter[int] = Counter()
    taken = 0
    while taken < SAMPLE_BYTES and counts.total() < SAMPLE_LINES:
        line = _line(file, path)
        if not line:
            break
        taken += len(line)
        first, *fields = _split(line, -1)
        ending = next(
            (at for at, it in enumerate(reversed(fields)) if not NUMBER.fullmatch(it)), None
        )
        counts[len(fields) if ending is None else ending] += bool(first or fields)
        if counts.total() == 1 and (CONTROL.search(line) or not counts.most_common()[0][0]):
            break  # no line of vectors, so no file of them
    dim = max(counts, key=counts.__getitem__, default=0)  # of equals the first line's
    if not dim:
        guess = hint(line) if _undecodable(line) or CONTROL.search(line) else ""
        if COMMA.search(line):
            guess = " (a comma stands where a point or a space should)"
        raise UnreadableFile(
            f"found {path.name}, whose first line is not a word and numbers{guess}; expected "
            f"{EXPECTED}, in text a word and its numbers on each line"
        )
    return dim


def _undecodable(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _require_items(path: Path, count: int, dim: int) -> None:
    if not (count and dim):
        raise UnreadableFile(
            f"found a header of {count:,} words of {dim:,} numbers in {path.name}; expected at "
            "least one of each: mend the header or get the file again"
        )


def _require_size(path: Path, count: int, dim: int, format_: str) -> None:
    """A header may promise more than memory holds: believe the file's size first."""
    each = 4 * dim + 2 if format_ == "word2vec binary" else 2 * dim + 1
    size = path.stat().st_size
    if count * each > size + 64:
        raise UnreadableFile(
            f"found {size:,} bytes in {path.name}, whose header promises {count:,} words of {dim} "
            f"numbers; expected at least {count * each:,}: the file is cut short or not {format_}"
        )


def _lines_in(path: Path) -> int:
    """No fewer lines than there are."""
    total = 1
    with opened(path) as file:
        while block := file.read(BLOCK):
            total += block.count(b"\n")
    return total


def _blocks(path: Path, layout: Layout) -> Iterator[tuple[int, list[bytes]]]:
    """The number of a first line, and some lines from it on, without what ends them and with
    spaces for tabs; empty lines at the file's end are left out."""
    number = 1 if layout.count is None else 2
    with opened(path) as file:
        file.seek(layout.start)
        rest = b""
        while block := file.read(BLOCK):
            whole, end, rest = (rest + block).rpartition(b"\n")
            if len(rest) > LONGEST_LINE:
                raise UnreadableFile(
                    f"found no end of line {number:,} of {path.name} in {LONGEST_LINE:,} bytes; "
                    "expected a word and its numbers: mend or remove that line"
                )
            if end:
                lines = _stripped(whole)
                filled = next((at for at, it in enumerate(reversed(lines)) if it), len(lines))
                rest = b"\n" * filled + rest  # empty lines wait for what follows them
                lines = lines[: len(lines) - filled]
                if lines:
                    yield number, lines
                number += len(lines)
        lines = _stripped(rest)
        if any(lines):
            yield number, lines


def _stripped(block: bytes) -> list[bytes]:
    return [line.rstrip(b" \r") for line in block.replace(b"\t", b" ").split(b"\n")]


def _parted(
    lines: list[bytes], dim: int, first: int, path: Path
) -> tuple[list[bytes], list[bytes]]:
    """The words, and the numbers of each as one text."""
    heads, tails = [], []
    for number, line in enumerate(lines, start=first):
        spaces = line.count(b" ")
        if spaces == dim:
            head, _, tail = line.partition(b" ")
        elif spaces > dim:
            head, *fields = line.rsplit(b" ", dim)
            tail = b" ".join(fields)
            if _is_number_too_many(head, tail):
                raise InvalidVectors(_at(path, number, f"{spaces} numbers after the word", dim))
            head = head.rstrip(b" ") or b" "
        else:
            what = f"{spaces} numbers after the word" if line else "an empty line"
            raise InvalidVectors(_at(path, number, what, dim))
        heads.append(head)
        tails.append(tail)
    return heads, tails


def _is_number_too_many(head: bytes, tail: bytes) -> bool:
    """Whether a word ends with a number that looks like those behind it: then d is wrong there.
    ``iPhone 5`` before numbers with a point is a word."""
    _, space, last = head.rpartition(b" ")
    return bool(space and NUMBER.fullmatch(last)) and (b"." in last or b"." not in tail)


def _numbers(tails: list[bytes], dim: int, first: int, path: Path) -> npt.NDArray[np.float64]:
    """(n, d), by the reader of Arrow, which rounds as Python does; what it refuses, by Python."""
    import pyarrow
    from pyarrow import csv

    names = [str(column) for column in range(dim)]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(b"\n".join(tails)),
            csv.ReadOptions(column_names=names, block_size=BLOCK + LONGEST_LINE),
            csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.float64()), null_values=[]
            ),
        )
    except pyarrow.ArrowException:
        return _slowly(tails, dim, first, path)
    return np.stack([column.to_numpy() for column in table.columns], axis=1)


def _slowly(tails: list[bytes], dim: int, first: int, path: Path) -> npt.NDArray[np.float64]:
    found = np.empty((len(tails), dim))
    for row, tail in enumerate(tails):
        fields = tail.split(b" ")
        wrong = [at for at, it in enumerate(fields, start=1) if not NUMBER.fullmatch(it)]
        if wrong:
            advice = ", with a point and not a comma" if b"," in fields[wrong[0] - 1] else ""
            raise InvalidVectors(
                f"found no number in place {wrong[0]} after the word on line {first + row:,} of "
                f"{path.name}; expected {dim} numbers{advice}: mend or remove that line"
            )
        found[row] = [float(field) for field in fields]
    return found


def _decoded(heads: list[bytes], first: int, path: Path) -> list[str]:
    try:
        return b"\n".join(heads).decode("utf-8").split("\n")
    except UnicodeDecodeError:
        row = next(row for row, head in enumerate(heads) if _undecodable(head))
        raise _not_utf8(path, hint(heads[row]), f" on line {first + row:,}") from None


def _not_utf8(path: Path, guess: str, where: str = "") -> UnreadableFile:
    return UnreadableFile(
        f"found text that is not UTF-8{where} in {path.name}{guess}; expected UTF-8: open it in an "
        "editor and save it as UTF-8"
    )


def _other_count(path: Path, found: int, promised: int, more: str = "") -> UnreadableFile:
    return UnreadableFile(
        f"found {counted(found, f'{more}word')} in {path.name}, whose header says {promised:,}; "
        "expected the same: mend the header or get the file again"
    )


def _at(path: Path, line: int, what: str, dim: int) -> str:
    return (
        f"found {what} on line {line:,} of {path.name}; expected a word and {dim} numbers: "
        "mend or remove that line"
    )


def first_numbers(words: Texts) -> npt.NDArray[np.float32] | None:
    """(n, 1) the numbers that stand where words should, all with a point; None for words."""
    raw = [word.encode() for word in words]
    if not all(_is_decimal(it) for it in raw):
        return None
    return np.array([[float(it)] for it in raw], np.float32)


def _is_decimal(field: bytes) -> bool:
    return b"." in field and NUMBER.fullmatch(field) is not None
