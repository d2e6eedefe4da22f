"""The files of an artefact: arrays as safetensors, tables as Parquet."""

import io
import json
import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.atomic import new_file
from core.errors import StoreError, reason_of
from core.regular import opened, require_regular

Array = npt.NDArray[Any]
ROWS = 8_192  # of an array that are copied and written at once: mapped ones are never whole here

DTYPES: dict[str, type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_arrays(
    stream: IO[bytes] | io.BytesIO, arrays: Mapping[str, Array], said: str | None = None
) -> None:
    """Write arrays as safetensors, with a text in the header. Raises StoreError, OSError.

    The file is the header's length (8 bytes, little-endian), the header (JSON: dtype, shape
    and data_offsets of each array, counted from the header's end), the data; wide numbers come
    first, so that each array begins at a multiple of its numbers' width.
    """
    ordered = dict(sorted(arrays.items(), key=lambda it: (-it[1].dtype.itemsize, it[0])))
    header: dict[str, Any] = {} if said is None else {"__metadata__": {"payload": said}}
    end = 0
    for name, array in ordered.items():
        if array.dtype.type not in NAMES:
            raise StoreError(
                f"found array {name!r} of type {array.dtype}; expected numbers or booleans: "
                "put texts into a table"
            )
        start, end = end, end + array.nbytes
        kind = NAMES[array.dtype.type]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    for array in ordered.values():
        rows = array.reshape(1) if not array.ndim else array
        for row in range(0, len(rows), ROWS):
            little = array.dtype.newbyteorder("<")
            stream.write(rows[row : row + ROWS].astype(little, copy=False).tobytes())


def map_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file, memory-mapped. Raises ValueError for one that lies."""
    if path.stat().st_size == 0:
        raise ValueError("an empty file")
    with opened(path) as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return arrays_in(mapped)[0]


def arrays_in(content: "mmap.mmap | bytes") -> tuple[dict[str, Array], str | None]:
    """The arrays of such a file's content, without a copy and read-only, and its text.

    Raises ValueError where the header promises what is not there.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    if not 8 < start <= len(content):
        raise ValueError(f"a header of {start - 8} bytes in a file of {len(content)}")
    try:
        header = json.loads(content[8:start])
        said = header.pop("__metadata__", {}).get("payload")
        arrays = {name: _array(content, start, entry) for name, entry in header.items()}
    except (RecursionError, AttributeError, KeyError, TypeError, OverflowError) as fault:
        raise ValueError(f"a header that does not read ({type(fault).__name__})") from None
    return arrays, said


def _array(content: "mmap.mmap | bytes", start: int, entry: dict[str, Any]) -> Array:
    (first, end), shape = entry["data_offsets"], entry["shape"]
    dtype = np.dtype(DTYPES[entry["dtype"]])
    if not all(type(it) is int and it >= 0 for it in (first, end, *shape)):
        raise ValueError("shapes or places that are no numbers")
    count = math.prod(shape)
    if end - first != count * dtype.itemsize or start + end > len(content):
        raise ValueError(f"an array {shape} of {dtype} at {first} to {end}")
    if not count:
        empty = np.empty(shape, dtype)
        empty.flags.writeable = False
        return empty
    return np.frombuffer(content, dtype, count, start + first).reshape(shape)


def write_table(target: "Path | io.BytesIO", name: str, table: pd.DataFrame) -> None:
    """Write a table as Parquet. Raises StoreError for columns of mixed types, OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(pa.Table.from_pandas(table), target, compression="zstd")
    except (pa.ArrowException, UnicodeEncodeError) as fault:
        raise StoreError(
            f"found a table {name!r} that Parquet cannot hold ({reason_of(fault)}); expected "
            "columns of one type each: convert them before saving"
        ) from None


def read_table(source: "Path | io.BytesIO") -> pd.DataFrame:
    """The table of a Parquet file. Raises ValueError for what is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(source, Path):
            require_regular(source)
        stored = pq.read_table(source)
        stored.validate(full=True)
        table: pd.DataFrame = stored.to_pandas()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, LookupError, TypeError, AttributeError) as fault:
        raise ValueError(f"no table ({reason_of(fault)})") from None
    return table


def write_tensors(file: Path, tensors: dict[str, npt.NDArray[Any]]) -> None:
    """A safetensors file, written block by block: memory-mapped ones are never whole in memory.

    Raises Unwritable.
    """
    with new_file(file) as stream:
        write_arrays(stream, tensors)
