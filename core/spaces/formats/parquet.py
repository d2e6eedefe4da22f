"""Vectors in a Parquet table: a column of texts, one of lists, ids and whatever else is there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidVectors, UnreadableFile
from core.spaces.formats.bounds import damage, plain, require_growth, require_room

TEXT_COLUMNS = ("text", "word", "token", "item", "name", "index")
VECTOR_COLUMNS = ("vector", "embedding", "vectors", "embeddings")
EXPECTED = "a Parquet table"
BATCH = 8192  # rows read at once
A_NUMBER = 8  # bytes, or the place of a text

Read = tuple[tuple[str, ...], npt.NDArray[Any], tuple[str, ...] | None, pd.DataFrame]


def read_parquet(path: Path) -> Read:
    """Texts, vectors (n, d), ids where there is a column of them, and the other columns.

    Raises UnreadableFile where the table is damaged, promises too much or lacks a column,
    InvalidVectors where a row lacks its text or id, or has another length.
    """
    with damage(path.name, EXPECTED):
        layout = _layout(path)
        table = _table(layout, path)
        texts = _texts(table.column(layout.text), "text", path)
        vectors = _rectangular(table.column(layout.vector).combine_chunks(), path)
        ids = _texts(table.column("id"), "id", path) if layout.has_ids else None
        columns = _plain(table.select(layout.others), path).to_pandas(ignore_metadata=True)
    return texts, vectors, ids, columns


def require_parquet(path: Path) -> None:
    """Raise UnreadableFile where a column is missing or what the file promises is too much."""
    with damage(path.name, EXPECTED):
        _layout(path)


@dataclass(frozen=True)
class _Layout:
    """An open file, the rows it promises, the columns of vectors and texts, whether there are ids,
    and what else."""

    file: Any
    rows: int
    vector: str
    text: str
    has_ids: bool
    others: list[str]


def _layout(path: Path) -> _Layout:
    import pyarrow.parquet
    from pyarrow.types import is_nested

    file = pyarrow.parquet.ParquetFile(path, read_dictionary=_text_leaves(path))
    schema = file.schema_arrow
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise UnreadableFile(
            f"found more than one column {plain(twice[0])!r} in {path.name}; expected each name "
            "once: rename one"
        )
    vector = _column(schema, VECTOR_COLUMNS, _is_list, "of lists of numbers", path)
    text = _column(schema, TEXT_COLUMNS, _is_text, "of texts", path)
    has_ids = "id" in schema.names and "id" not in (text, vector)
    used = {vector, text, *(["id"] if has_ids else [])}
    others = [each.name for each in schema if each.name not in used and not is_nested(each.type)]
    rows = file.metadata.num_rows
    require_room(rows, 1, path.name, len(others))
    require_growth(A_NUMBER * rows * len(schema), path.stat().st_size, path.name)
    return _Layout(file, rows, vector, text, has_ids, others)


def _text_leaves(path: Path) -> list[str]:
    """Columns of bytes: read as a dictionary, a text that comes a million times is held once."""
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(path)
    return [each.name for each in schema if _is_text(each.type)]


def _table(layout: _Layout, path: Path) -> Any:
    """All rows, by blocks, as long as what they take is in proportion to the file.

    The numbers that a column says it holds are not asked for: ``RowGroupMetaData.column`` ends the
    whole process where a damaged file contradicts itself there (pyarrow 26).
    """
    import pyarrow

    size, taken = path.stat().st_size, 0
    batches: list[Any] = []
    for batch in layout.file.iter_batches(BATCH, use_pandas_metadata=False):
        taken += batch.nbytes
        require_growth(taken, size, path.name)
        if not batches and len(batch):
            dim = batch.column(layout.vector).nbytes // (4 * len(batch))
            require_room(layout.rows, dim, path.name, len(layout.others))
        batches.append(batch)
    return pyarrow.Table.from_batches(batches, layout.file.schema_arrow if not batches else None)


def _texts(column: Any, what: str, path: Path) -> tuple[str, ...]:
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise InvalidVectors(
            f"found no {what} in row {row} of {path.name} ({column.null_count:,} such rows); "
            f"expected one in each: fill it in, or remove those rows or the column"
        )
    return tuple(map(str, _unpacked(column, path).to_pylist()))


def _plain(table: Any, path: Path) -> Any:
    """The table with texts that were read as a dictionary written out.

    Put together once: ``set_column`` copies the list of all columns each time, which for 10,000
    took over 25 s.
    """
    if not table.num_columns:
        return table  # it knows its rows, which none put together of nothing would
    columns = [_unpacked(column, path) for column in table.columns]
    return type(table).from_arrays(columns, names=table.column_names)


def _unpacked(column: Any, path: Path) -> Any:
    """A column of texts written out, once its length is known to be modest."""
    import pyarrow.compute
    import pyarrow.types

    if not pyarrow.types.is_dictionary(column.type) or not _is_text(column.type):
        return column
    total = 0
    for chunk in column.chunks:
        lengths = pyarrow.compute.binary_length(chunk.dictionary)
        total += pyarrow.compute.sum(lengths.take(chunk.indices)).as_py() or 0
    require_growth(total, path.stat().st_size, path.name)
    return column.cast(pyarrow.large_string())


def _column(schema: Any, names: tuple[str, ...], fits: Any, what: str, path: Path) -> str:
    """The column to use: by a usual name, else the only one of its type."""
    fitting = [column.name for column in schema if fits(column.type)]
    named = [name for name in names if name in fitting]
    if named or len(fitting) == 1:
        return str((named or fitting)[0])
    held = plain(", ".join(f"{name:.40}" for name in fitting[:8])) if fitting else "none"
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
