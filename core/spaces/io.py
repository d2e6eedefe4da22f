"""Reading the files in which people have vectors.

| format | words | vectors |
|---|---|---|
| word2vec text and binary, GloVe text, fastText .vec | in the file | in the file |
| .npz | key ``words`` | key ``vectors`` |
| .npy | NAME.txt or NAME.words.txt beside it, one a line | the array |
| Parquet | a text column (``id`` and other columns are kept) | a column of lists |

The content says what a file is, and its name must not say otherwise. Nothing is unpickled.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidVectors, UnreadableFile
from core.spaces.textvectors import EXPECTED, duplicates, read_keyed
from core.spaces.words import lines_of

WORD_KEYS = ("words", "texts", "tokens")
TEXT_COLUMNS = ("text", "word", "token", "item", "name", "index")
VECTOR_COLUMNS = ("vector", "embedding", "vectors", "embeddings")

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PAR1", "parquet"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive, to be unpacked first"),
    (b"BZh", "a bzip2 archive, to be unpacked first"),
    (b"\xba\x16\x4f\x2f", "a fastText .bin model (its .vec file can be read)"),
    (b"\x80\x02", "a Python pickle, which could run code"),
    (b"\x80\x03", "a Python pickle, which could run code"),
    (b"\x80\x04", "a Python pickle, which could run code"),
    (b"\x80\x05", "a Python pickle, which could run code"),
)
NAMED = {".npy": "npy", ".npz": "npz", ".parquet": "parquet"}


@dataclass(frozen=True)
class NamedVectors:
    """What a file held: n texts, (n, d) vectors not checked yet, ids, further columns."""

    texts: tuple[str, ...]
    vectors: npt.NDArray[Any]
    format: str
    ids: tuple[str, ...] | None = None
    metadata: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_vectors(path: Path) -> NamedVectors:
    """Read a file of vectors, whatever its format.

    Raises UnreadableFile when the file is not what was expected, InvalidVectors when its rows
    are ragged, not numbers, or name a word twice.
    """
    kind = _kind(path)
    if kind == "npy":
        found = _read_npy(path)
    elif kind == "npz":
        found = _read_npz(path)
    elif kind == "parquet":
        found = _read_parquet(path)
    else:
        words, vectors, format_ = read_keyed(path)
        found = NamedVectors(words, vectors, format_)
    if found.ids is None:
        _require_once(found.texts, path)
    return found


def _kind(path: Path) -> str:
    """ "npy", "npz", "parquet" or "keyed", by content. Raises UnreadableFile."""
    if not path.is_file():
        raise UnreadableFile(f"found no file {path}; expected {EXPECTED}: check the path")
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise UnreadableFile(f"found an empty file {path.name}; expected {EXPECTED}")
    kind = next((name for start, name in SIGNATURES if head.startswith(start)), "keyed")
    said = NAMED.get(path.suffix.lower())
    if kind in NAMED.values() and path.suffix.lower() in (*NAMED, ".txt", ".vec", ".bin"):
        if said != kind:
            raise UnreadableFile(
                f"found {kind} content in {path.name}; expected what its name says: "
                f"rename it to {path.stem}.{kind}"
            )
        return kind
    if kind not in ("keyed", *NAMED.values()):
        raise UnreadableFile(f"found {kind} in {path.name}; expected {EXPECTED}")
    if kind == "keyed" and said is not None:
        raise UnreadableFile(
            f"found something else in {path.name}; expected the {said} format that its name says: "
            "save it again"
        )
    return kind


def _read_npy(path: Path) -> NamedVectors:
    sidecars = [path.with_suffix(".words.txt"), path.with_suffix(".txt")]
    beside = next((it for it in sidecars if it.is_file()), None)
    if beside is None:
        raise UnreadableFile(
            f"found {path.name} without words; expected {sidecars[1].name} beside it, "
            "one word a line: add it"
        )
    vectors = _array(path, path.name)
    try:
        words = lines_of(beside.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UnreadableFile(
            f"found bytes in {beside.name} that are not UTF-8; expected text: save it as UTF-8"
        ) from None
    _require_as_many(words, vectors, f"{beside.name} and {path.name}")
    return NamedVectors(tuple(words), vectors, "npy")


def _read_npz(path: Path) -> NamedVectors:
    try:
        with np.load(path, allow_pickle=False) as archive:
            key = next((key for key in WORD_KEYS if key in archive), None)
            if key is None or "vectors" not in archive:
                held = ", ".join(archive.files) or "nothing"
                raise UnreadableFile(
                    f"found {held} in {path.name}; expected the keys words and vectors: "
                    "np.savez(file, words=words, vectors=vectors)"
                )
            words, vectors = archive[key], archive["vectors"]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(path.name, error) from None
    if words.dtype.kind != "U":
        raise UnreadableFile(
            f"found {words.dtype} words in {path.name}; expected text: np.array(words, dtype=str)"
        )
    texts = tuple(str(word) for word in words.ravel())
    _require_as_many(texts, vectors, path.name)
    return NamedVectors(texts, vectors, "npz")


def _read_parquet(path: Path) -> NamedVectors:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _refused(path.name, error) from None
    vector_column = _column(table, VECTOR_COLUMNS, _is_list, "of lists of numbers", path)
    text_column = _column(table, TEXT_COLUMNS, _is_text, "of texts", path)
    texts = table.column(text_column).to_pylist()
    if None in texts:
        raise InvalidVectors(
            f"found no text in row {texts.index(None)} of {path.name}; "
            "expected one in each row: remove that row"
        )
    vectors = _rectangular(table.column(vector_column).combine_chunks(), path)
    used = {vector_column, text_column}
    others = [
        column.name
        for column in table.schema
        if column.name not in used | {"id"} and not pyarrow.types.is_nested(column.type)
    ]
    ids = None
    if "id" in table.column_names and text_column != "id":
        ids = tuple(map(str, table.column("id").to_pylist()))
    metadata = table.select(others).to_pandas()
    return NamedVectors(tuple(map(str, texts)), vectors, "Parquet", ids, metadata)


def _column(table: Any, names: tuple[str, ...], fits: Any, what: str, path: Path) -> str:
    """The column to use: by a usual name, else the only one of its type."""
    fitting = [column.name for column in table.schema if fits(column.type)]
    named = [name for name in names if name in fitting]
    if named or len(fitting) == 1:
        return str((named or fitting)[0])
    held = ", ".join(fitting) if fitting else "none"
    raise UnreadableFile(
        f"found {held} as columns {what} in {path.name}; expected one: call it {names[0]}"
    )


def _is_list(type_: Any) -> bool:
    import pyarrow.types as types

    lists = types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_)
    if not lists:
        return False
    return bool(types.is_floating(type_.value_type) or types.is_integer(type_.value_type))


def _is_text(type_: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(types.is_string(type_) or types.is_large_string(type_))


def _rectangular(lists: Any, path: Path) -> npt.NDArray[Any]:
    """(n, d) from a list column. Raises InvalidVectors, naming the rows that differ."""
    import pyarrow.compute

    lengths = np.asarray(pyarrow.compute.list_value_length(lists).fill_null(0), dtype=np.int64)
    if len(lengths) == 0:
        raise InvalidVectors(f"found no rows in {path.name}; expected at least one vector")
    odd = np.flatnonzero(lengths != np.bincount(lengths).argmax())
    if len(odd):
        raise InvalidVectors(
            f"found {len(odd)} rows of another length in {path.name}, such as row {odd[0]} with "
            f"{lengths[odd[0]]} numbers; expected {np.bincount(lengths).argmax()} in each: "
            "mend or remove them"
        )
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat).reshape(len(lengths), -1)


def _array(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _refused(name, error) from None
    return np.asarray(array)


def _refused(name: str, error: Exception) -> UnreadableFile:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return UnreadableFile(
            f"found Python objects in {name}, which could run code; expected plain numbers and "
            "texts: save vectors as float32 and words as np.array(words, dtype=str)"
        )
    return UnreadableFile(f"found {name} damaged ({str(error)[:80]}); expected {EXPECTED}")


def _require_as_many(words: Any, vectors: npt.NDArray[Any], where: str) -> None:
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise InvalidVectors(
            f"found {len(words)} words and an array of shape {vectors.shape} in {where}; "
            "expected (n, d) vectors with one word each"
        )


def _require_once(texts: tuple[str, ...], path: Path) -> None:
    seen: set[str] = set()
    twice = dict.fromkeys(text for text in texts if text in seen or seen.add(text))  # type: ignore[func-returns-value]
    if twice:
        raise duplicates(list(twice), path)
