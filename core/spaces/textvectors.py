"""word2vec text and binary, GloVe text and fastText .vec, read by gensim after a first look.

gensim repeats a lone number along a whole row, keeps the first of two equal words and ignores
lines beyond the header's count, all without a word: so the lines are counted before.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidVectors, UnreadableFile

EXPECTED = "word2vec, GloVe or fastText .vec text, word2vec .bin, .npz, .npy or Parquet"
SNIFFED = 1 << 16  # bytes; a first line of 1,000 numbers fits several times


def read_keyed(path: Path) -> tuple[tuple[str, ...], npt.NDArray[Any], str]:
    """n words, (n, d) float32, and the format's name.

    Raises UnreadableFile when it is none of these formats or cut short, InvalidVectors when
    lines are ragged, hold no numbers, or name a word twice.
    """
    header = _header(path)
    if header is None:
        _require_vector_line(path)
        count, dim, format_ = 0, _fields(path), "GloVe text"
    else:
        count, dim = header
        format_ = "word2vec binary" if _is_binary(path) else "word2vec text"
        _require_size(path, count, dim, format_)
    if format_ != "word2vec binary":
        _require_lines(path, count if header else None, dim)
    return *_load(path, format_), format_


def _load(path: Path, format_: str) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    from gensim.models import KeyedVectors

    twice = _Twice()
    logger = logging.getLogger("gensim.models.keyedvectors")
    logger.addHandler(twice)
    try:
        with np.errstate(over="ignore"):  # an overflow becomes inf, which Space.create names
            keyed = KeyedVectors.load_word2vec_format(
                str(path), binary=format_ == "word2vec binary", no_header=format_ == "GloVe text"
            )
    except (ValueError, EOFError, AssertionError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"found {path.name} damaged ({str(error)[:80]}); expected {format_}: get it again"
        ) from None
    finally:
        logger.removeHandler(twice)
    if twice.words:
        raise duplicates(twice.words, path)
    return tuple(keyed.index_to_key), keyed.vectors


def duplicates(twice: list[str], path: Path) -> InvalidVectors:
    """The error for words that a file gives more than once."""
    named = ", ".join(f"{word!r:.40}" for word in twice[:5])
    more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    return InvalidVectors(
        f"found {named}{more} more than once in {path.name}; expected each word once: "
        "remove the duplicates"
    )


class _Twice(logging.Handler):
    """Collects the words that gensim says it met before."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("duplicate word") and record.args:
            self.words.append(str(record.args[0]))  # type: ignore[index]


def _first_lines(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return file.read(SNIFFED).split(b"\n")


def _header(path: Path) -> tuple[int, int] | None:
    """(n, d) when the first line is two whole numbers and more follows, else None."""
    first, *rest = _first_lines(path)
    fields = first.split()
    if len(fields) == 2 and all(it.isdigit() for it in fields) and any(rest):
        count, dim = int(fields[0]), int(fields[1])
        return (count, dim) if count and dim else None
    return None


def _is_binary(path: Path) -> bool:
    return not _is_vector_line(_first_lines(path)[1])


def _is_vector_line(line: bytes) -> bool:
    """Whether a line is a word and numbers, in text."""
    try:
        _, *numbers = line.decode("utf-8").rstrip().split(" ")
        return bool(numbers) and all(np.isreal(float(number)) for number in numbers)
    except ValueError:  # a UnicodeDecodeError is one too
        return False


def _require_vector_line(path: Path) -> None:
    first = _first_lines(path)[0]
    if not _is_vector_line(first):
        raise UnreadableFile(
            f"found {path.name} starting with {first[:30]!r}; expected {EXPECTED}, "
            "in text a word and its numbers on each line"
        )


def _fields(path: Path) -> int:
    """d: the numbers on the first line."""
    return _first_lines(path)[0].rstrip().count(b" ")


def _require_size(path: Path, count: int, dim: int, format_: str) -> None:
    """A header may promise more than memory holds: believe the file's size first."""
    each = 4 * dim + 2 if format_ == "word2vec binary" else 2 * dim + 1
    size = path.stat().st_size
    if count * each > size + 64:
        raise UnreadableFile(
            f"found {size:,} bytes in {path.name}, whose header promises {count:,} words of {dim} "
            f"numbers; expected at least {count * each:,}: the file is cut short or not {format_}"
        )


def _require_lines(path: Path, count: int | None, dim: int) -> None:
    """Every line holds a word and d numbers, and there are as many as the header says."""
    lines = 0
    with path.open("rb") as file:
        if count is not None:
            file.readline()
        for number, line in enumerate(file, start=1 if count is None else 2):
            text = line.rstrip()
            if not text and count is None:
                raise InvalidVectors(_at(path, number, "an empty line", dim))
            if text.count(b" ") != dim:
                raise InvalidVectors(
                    _at(path, number, f"{text.count(b' ')} numbers after the word", dim)
                )
            lines += 1
    if count is not None and lines != count:
        raise UnreadableFile(
            f"found {lines:,} words in {path.name}, whose header says {count:,}; "
            "expected the same: mend the header or get the file again"
        )


def _at(path: Path, line: int, found: str, dim: int) -> str:
    return (
        f"found {found} on line {line} of {path.name}; expected a word without spaces "
        f"and {dim} numbers: mend or remove that line"
    )
