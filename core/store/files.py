"""The files of an artefact: arrays as safetensors, tables as Parquet."""

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import StoreError
from core.spaces.words import lines_of

Array = npt.NDArray[Any]

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


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write a safetensors file. Raises StoreError for what it cannot hold."""
    from safetensors.numpy import save_file

    for name, array in arrays.items():
        if array.dtype.type not in DTYPES.values():
            raise StoreError(
                f"found array {name!r} of type {array.dtype}; expected numbers or booleans: "
                "put texts into a table"
            )
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)


def map_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file, without a copy.

    The file is the header's length (8 bytes, little-endian), the header (JSON: dtype, shape
    and data_offsets of each array, counted from the header's end), the data.
    """
    with path.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(mapped[:8], "little")
    arrays: dict[str, Array] = {}
    for name, entry in json.loads(mapped[8:start]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        dtype = np.dtype(DTYPES[entry["dtype"]])
        count = (end - first) // dtype.itemsize
        if count:
            flat = np.frombuffer(mapped, dtype, count, start + first)
        else:
            flat = np.empty(0, dtype)
            flat.flags.writeable = False
        arrays[name] = flat.reshape(entry["shape"])
    return arrays


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file. Raises StoreError for columns of mixed types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(pa.Table.from_pandas(table), path, compression="zstd")
    except (pa.ArrowException, UnicodeEncodeError) as fault:
        raise StoreError(
            f"found a table {path.stem!r} that Parquet cannot hold ({lines_of(str(fault))[0]}); "
            "expected columns of one type each: convert them before saving"
        ) from None
