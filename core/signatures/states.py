"""The states of every layer for every token, in memory or in a folder, written as they come.

    <folder>/layer_00.npy ...   (t, d) float32 or float16 each; 0 is the embedding layer
             tokens.parquet     a row a token, see :class:`States`
             texts.parquet      the texts
             manifest.json      format, version, number of layers, name, notes, digests

Made beside and renamed into place; never a pickle.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.atomic import new_folder
from core.errors import InvalidSpecification, StoreError, reason_of
from core.integrity import entries_of, fault_in, read_entries, sealed, unsealed
from core.regular import read_bytes, require_regular
from core.spaces.linalg import Floats
from core.spaces.space import frozen

MANIFEST = "manifest.json"
TOKENS, TEXTS = "tokens.parquet", "texts.parquet"
FORMAT = {"format": "meaning-space states", "version": 1}


@dataclass(frozen=True, eq=False)
class States:
    """What a model makes of t tokens, layer by layer.

    ``layers`` are (t, d), read-only; 0 is the embedding layer, and the last is what the model
    gives out (in most decoders after the final norm). ``tokens`` has t rows in the texts' order:
    ``text`` (row of the text), ``window`` (which part of it the model read the token in),
    ``position`` (0 is the first that the model read there, special or not), ``token`` (as the
    vocabulary writes it), ``start`` and ``end`` (characters of the text), ``word`` (its number in
    the text, -1 for none), ``special`` (added by the tokenizer), ``unknown``.
    """

    layers: tuple[Floats, ...]
    tokens: pd.DataFrame
    texts: tuple[str, ...]
    name: str
    causal: bool  # a token sees only what stands before it
    notes: tuple[str, ...] = ()

    def layer(self, number: int) -> Floats:
        """(t, d) one layer; -1 is the last. Raises InvalidSpecification for one that is not."""
        if not -len(self.layers) <= number < len(self.layers):
            raise InvalidSpecification(
                f"found layer {number}; expected 0 (the embeddings) to {len(self.layers) - 1}, "
                f"or -1 to {-len(self.layers)} from the end"
            )
        return self.layers[number]

    @classmethod
    def open(cls, folder: Path) -> "States":
        """Read a folder, its layers memory-mapped. Raises StoreError, saying how to mend it."""
        try:
            said = unsealed(read_bytes(folder / MANIFEST))
            if {name: said[name] for name in FORMAT} != FORMAT:
                raise ValueError(f"expected {FORMAT}")
            for name, entry in read_entries(said.get("files", {})).items():  # {}: before digests
                if (damage := fault_in(folder / name, entry)) is not None:
                    raise ValueError(" instead of ".join(damage))
            files = [folder / _file(number) for number in range(said["layers"])]
            for file in (*files, folder / TOKENS, folder / TEXTS):
                require_regular(file)
            layers = tuple(np.load(it, mmap_mode="r", allow_pickle=False) for it in files)
            tokens = pd.read_parquet(folder / TOKENS)
            texts = tuple(pd.read_parquet(folder / TEXTS)["text"])
            if {layer.shape for layer in layers} != {(len(tokens), layers[0].shape[1])}:
                raise ValueError("layers of other lengths than the tokens")
            return cls(layers, tokens, texts, said["name"], said["causal"], tuple(said["notes"]))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as fault:
            raise StoreError(
                f"found {folder}, which does not read as states ({reason_of(fault)}); expected a "
                "whole folder of this version: delete it and compute them again"
            ) from None

    def keep(self, folder: Path, layers: int) -> None:
        """Write all but the layers, which lie there already."""
        self.tokens.to_parquet(folder / TOKENS)
        pd.DataFrame({"text": list(self.texts)}).to_parquet(folder / TEXTS)
        own: dict[str, Any] = {"name": self.name, "causal": self.causal, "notes": self.notes}
        own["files"] = {name: asdict(entry) for name, entry in entries_of(folder).items()}
        text = sealed({**FORMAT, "layers": layers, **own}, indent=1)
        (folder / MANIFEST).write_text(text, encoding="utf-8")


class LayerWriter:
    """Layers (t, d) while they are made, rows in any order, as .npy files or the same in memory.

    Files are written, not mapped: a full disk is an error then, where it would end a process that
    maps, and what was written does not count as this process's memory.
    """

    def __init__(self, folder: Path | None, count: int, shape: tuple[int, int], dtype: str) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        names = map(_file, range(count))
        self.streams: list[Any] = [
            (folder / name).open("wb") if folder else io.BytesIO() for name in names
        ]
        head: dict[str, Any] = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        for stream in self.streams:
            np.lib.format.write_array_header_1_0(stream, head)
        self.start = self.streams[0].tell()

    def put(self, number: int, row: int, block: Floats) -> None:
        """Place a block (r, d) of a layer with its first row at ``row``."""
        stream = self.streams[number]
        stream.seek(self.start + row * self.shape[1] * self.dtype.itemsize)
        stream.write(np.ascontiguousarray(block, dtype=self.dtype).data)

    def arrays(self) -> tuple[Floats, ...]:
        """The layers that were made in memory."""
        buffers = (
            np.frombuffer(stream.getbuffer(), self.dtype, -1, self.start) for stream in self.streams
        )
        return tuple(frozen(buffer.reshape(self.shape)) for buffer in buffers)

    def close(self) -> None:
        """End the writing of files; what is in memory stays open to the arrays that look at it."""
        for stream in self.streams:
            if not isinstance(stream, io.BytesIO):
                stream.close()


@contextmanager
def beside(folder: Path | None) -> Iterator[Path | None]:
    """A new folder that takes its place when all went well, and is gone when not; None for None.

    Raises StoreError where the place is taken or cannot be written.
    """
    if folder is None:
        yield None
        return
    if folder.exists():
        raise StoreError(f"found {folder}; expected nothing there yet: open it, or choose another")
    with new_folder(folder) as half:
        yield half


def _file(number: int) -> str:
    return f"layer_{number:02d}.npy"
