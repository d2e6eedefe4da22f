"""An index over the states that tokens have in the packaged texts, every layer of a model.

    <workspace>/cache/states/<key>/layer_00.i16 ...     (n, d) 16-bit integers, a scale a row
                                   arrays.safetensors   scales, lengths, means, usual states
                                   tokens.parquet       a row a state: its token and its place
                                   texts.parquet        the sentences and their documents
                                   types.parquet        the tokens that have a usual state
                                   manifest.json        format, version, shape, digests

Sixteen bits of a row's own range are finer than float16 (an error of at most 2^-16 of the row's
largest number), and become float32 ten times as fast on processors that convert no halves.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.atomic import new_folder
from core.errors import StoreError, reason_of
from core.integrity import fault_in, put_aside, read_entries, unsealed
from core.pipeline.layers.state_index_building import (
    ARRAYS,
    FORMAT,
    KIND,
    MANIFEST,
    enough_sentences,
    layer_file,
    write_index,
)
from core.pipeline.models import identity, reader
from core.regular import read_bytes
from core.signatures.hidden import Reader
from core.spaces.neighbors import top_k
from core.store.files import map_arrays, read_table
from core.store.keys import store_key
from core.teachers.corpus import corpus_identity
from core.types import Progress, Rows, Scores, Vector, silent

STATES = 50_000  # the last sentence is read whole, so that there are a few more
BLOCK = 1024  # rows: as float32 they stay in a processor's second cache

Integers = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StateIndex:
    """n states a layer: ``layers`` (n, d) times ``scales`` (layers, n), and ``means`` (layers, d).

    ``tokens`` says of each state ``text``, ``start``, ``end`` (characters) and ``token``;
    ``types`` are the v tokens that occur three times or more, ``usual`` (layers, v, d) the means
    of their states.
    """

    layers: "Layers"
    scales: Floats
    lengths: Floats
    centred_lengths: Floats
    means: Floats
    usual: Floats
    types: pd.DataFrame
    tokens: pd.DataFrame
    texts: tuple[str, ...]
    documents: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def cosines(self, layer: int, state: Vector, centred: bool = True) -> Scores:
        """(n,) cosine of a state (d,) with every state of its layer.

        ``centred`` takes the layer's mean from both: without, all states are alike in what all
        share (anisotropy).
        """
        mean = self.means[layer]
        asked = state - mean if centred else state
        lengths = (self.centred_lengths if centred else self.lengths)[layer]
        products = _products(self.layers[layer], asked) * self.scales[layer]
        if centred:
            products -= float(mean @ asked)
        return _over(products, lengths * float(np.linalg.norm(asked)))

    def usual_cosines(self, layer: int, state: Vector, centred: bool = True) -> Scores:
        """(v,) cosine of a state (d,) with the usual state of each of ``types``."""
        rows, mean = self.usual[layer], self.means[layer]
        asked = state - mean if centred else state
        products = rows @ asked
        if centred:
            products -= float(mean @ asked)
        return _over(products, self._usual_lengths[centred][layer] * float(np.linalg.norm(asked)))

    @cached_property
    def _usual_lengths(self) -> tuple[Floats, Floats]:
        """(layers, v) lengths of the usual states, as they are and without their layer's mean."""
        away = self.usual - self.means[:, None]
        return np.linalg.norm(self.usual, axis=2), np.linalg.norm(away, axis=2)

    @cached_property
    def text_rows(self) -> Rows:
        """(n,) the sentence of each state."""
        rows: Rows = self.tokens["text"].to_numpy(np.int64)
        return rows

    @classmethod
    def open(cls, folder: Path) -> "StateIndex":
        """Read a folder, its layers memory-mapped. Raises StoreError, saying how to mend it."""
        try:
            said = unsealed(read_bytes(folder / MANIFEST))
            if {name: said[name] for name in FORMAT} != FORMAT:
                raise ValueError(f"expected {FORMAT}")
            layers = Layers(folder, said)
            for name, entry in layers.entries.items():
                if not name.endswith(KIND) and (fault := fault_in(folder / name, entry)):
                    raise ValueError(" instead of ".join(fault))
            texts = read_table(folder / "texts.parquet")
            index = cls(
                layers,
                **map_arrays(folder / ARRAYS),
                types=read_table(folder / "types.parquet"),
                tokens=read_table(folder / "tokens.parquet"),
                texts=tuple(texts["text"]),
                documents=tuple(texts["document"]),
            )
            layers.require(index)
            return index
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise StoreError(
                f"found {folder}, which does not read as an index of states "
                f"({reason_of(fault)}); expected a whole folder of this version: delete it "
                "and build it again"
            ) from None


class Layers:
    """The layers of a folder, memory-mapped; each is checked when it is first asked for, since all
    of them may be gigabytes. A damaged one costs the whole index: it is put aside."""

    def __init__(self, folder: Path, said: dict[str, Any]) -> None:
        self.folder = folder
        self.entries = read_entries(said.get("files", {}))  # {} of an older version
        count, states, dim = (said[name] for name in ("layers", "states", "dim"))
        if not all(type(it) is int and it > 0 for it in (count, states, dim)):
            raise ValueError("a shape that is none")
        self.shape = (states, dim)
        self.maps = [np.memmap(folder / layer_file(at), np.int16, "r") for at in range(count)]
        if {layer_map.size for layer_map in self.maps} != {states * dim}:
            raise ValueError("layers of another size")

    def require(self, index: StateIndex) -> None:
        """Raises ValueError where the arrays beside the layers are not of their shape."""
        count, (states, dim) = len(self), self.shape
        rows = {it.shape for it in (index.scales, index.lengths, index.centred_lengths)}
        usual = (count, len(index.types), dim)
        if rows != {(count, states)} or index.means.shape != (count, dim):
            raise ValueError("arrays of another shape")
        if index.usual.shape != usual or len(index.tokens) != states:
            raise ValueError("tables of another length")

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, number: int) -> Integers:
        name = layer_file(range(len(self))[number])
        entry, path = self.entries.get(name), self.folder / name
        if entry is not None and (fault := fault_in(path, entry)) is not None:
            _put_aside(self.folder, fault[0])
            raise StoreError(
                f"found {fault[0]} in {self.folder}; expected {fault[1]}: the index is damaged, "
                "build it again"
            )
        layer: Integers = self.maps[number].reshape(self.shape)
        return layer


def _put_aside(folder: Path, why: str) -> None:
    put_aside(folder, folder.parents[2] / "damaged", f"a damaged index of states: {why}")


def index_folder(workspace: Path, reference: str) -> Path:
    """Where the index of a model lies; another revision, another folder."""
    key = store_key(identity(reference), corpus_identity(), STATES, FORMAT)
    return Path(workspace) / "cache" / "states" / key


def has_index(workspace: Path, reference: str) -> bool:
    """Whether it is built; a damaged one is put aside."""
    folder = index_folder(workspace, reference)
    try:
        return (folder / MANIFEST).exists() and bool(state_index(workspace, reference))
    except StoreError as fault:
        _put_aside(folder, str(fault))
        return False


def state_index(workspace: Path, reference: str) -> StateIndex:
    """The index as it was built, opened once. Raises StoreError where it is damaged or absent."""
    folder = index_folder(workspace, reference)
    stamp = (folder / MANIFEST).stat().st_mtime_ns if (folder / MANIFEST).exists() else 0
    return _opened(folder, stamp)


@lru_cache(maxsize=2)
def _opened(folder: Path, stamp: int) -> StateIndex:  # noqa: ARG001 - built anew, read anew
    return StateIndex.open(folder)


def index_bytes(model: Reader) -> int:
    """About how large the index of a model is on disk, before it is built."""
    layers, dim = len(model.trial), model.trial[0].shape[-1]
    return int(layers * (STATES * (2 * dim + 12) + 2_500 * 4 * dim))


def build_index(
    workspace: Path, reference: str, progress: Progress = silent, count: int = STATES
) -> StateIndex:
    """Read sentences of the packaged texts until there are ``count`` states, and keep them.

    What is there already is opened; what is damaged is made again. Raises what reading a model
    raises, StoreError where nothing can be written, Cancelled.
    """
    folder = index_folder(workspace, reference)
    if has_index(workspace, reference):
        return state_index(workspace, reference)
    model = reader(reference)
    chosen = enough_sentences(model, count)
    with new_folder(folder) as place:
        write_index(place, model, chosen, progress)
    return state_index(workspace, reference)


def _products(integers: Integers, vector: Vector) -> Scores:
    """(n,) integers (n, d) times a vector (d,), block by block."""
    found = np.empty(len(integers), np.float32)
    for start in range(0, len(integers), BLOCK):
        part = integers[start : start + BLOCK].astype(np.float32)
        np.matmul(part, vector, out=found[start : start + BLOCK])
    return found


def _over(products: Scores, lengths: Scores) -> Scores:
    """Products divided by lengths; 0 where something has none."""
    safe = np.where(lengths > 0, lengths, 1)
    found: Scores = np.where(lengths > 0, products / safe, 0).astype(np.float32)
    return found


def best(scores: Scores, k: int) -> list[tuple[int, float]]:
    """Rows and cosines of the k highest, highest first."""
    rows, cosines = top_k(np.ascontiguousarray(scores[None]), min(k, len(scores)))
    return list(zip(rows[0].tolist(), cosines[0].tolist(), strict=True))
