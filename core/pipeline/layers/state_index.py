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

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.atomic import new_folder
from core.errors import StoreError, reason_of
from core.integrity import (
    entries_of,
    fault_in,
    put_aside,
    read_entries,
    sealed,
    unsealed,
)
from core.pipeline.models import identity, reader
from core.regular import read_bytes
from core.signatures.documents import document_states
from core.signatures.hidden import Reader
from core.signatures.tokens import cut_texts
from core.spaces.neighbors import top_k
from core.store.files import map_arrays, read_table, write_arrays
from core.store.keys import store_key
from core.teachers.corpus import Sentence, corpus_identity, some_sentences
from core.types import Matrix, Progress, Queries, Rows, Scores, Vector, silent, tell

STATES = 50_000  # the last sentence is read whole, so that there are a few more
SHARE = 128  # sentences read between two steps: what lies in memory at once
FEWEST = 3  # occurrences of a token, to speak of its usual state
BLOCK = 1024  # rows: as float32 they stay in a processor's second cache
FORMAT = {"format": "meaning-space token states", "version": 1}
MANIFEST, ARRAYS = "manifest.json", "arrays.safetensors"
KIND = ".i16"  # how the layers' files are named

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
        self.maps = [np.memmap(folder / _file(at), np.int16, "r") for at in range(count)]
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
        name = _file(range(len(self))[number])
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
    chosen = _enough(model, count)
    with new_folder(folder) as place:
        _build(place, model, chosen, progress)
    return state_index(workspace, reference)


def _enough(model: Reader, count: int) -> list[Sentence]:
    """Sentences drawn with a seed, until their tokens are enough."""
    found: list[Sentence] = []
    room = count
    every = some_sentences(1_000_000)
    for start in range(0, len(every), SHARE):
        part = every[start : start + SHARE]
        for cut, sentence in zip(
            cut_texts([it.text for it in part], model.tokenizer, silent), part, strict=True
        ):
            if room <= 0:
                return found
            found.append(sentence)
            room -= cut.own - (model.causal and not cut.lead)  # see _read
    return found


def _build(place: Path, model: Reader, chosen: Sequence[Sentence], progress: Progress) -> None:
    count = len(model.trial)
    tables, scales, lengths = [], [], []
    with ExitStack() as open_files:
        files = [open_files.enter_context((place / _file(at)).open("wb")) for at in range(count)]
        for start, table, layers in _read(model, chosen, progress):
            table["text"] += start
            tables.append(table)
            scales.append(np.stack([_write(*it) for it in zip(files, layers, strict=True)]))
            lengths.append(np.stack([np.linalg.norm(layer, axis=1) for layer in layers]))
    tokens = pd.concat(tables, ignore_index=True)
    shape = (len(tokens), model.trial[0].shape[-1])
    mapped = [np.memmap(place / _file(at), np.int16, "r", shape=shape) for at in range(count)]
    codes, types = _often(tokens["token"])
    arrays: dict[str, Any] = {
        "scales": np.concatenate(scales, axis=1),
        "lengths": np.concatenate(lengths, axis=1),
    }
    means, centred, usual = [], [], []
    for number, integers in enumerate(mapped):
        tell(progress, number, count, "Finding the usual state of each token")
        states = integers * arrays["scales"][number][:, None]
        means.append(states.mean(axis=0, dtype=np.float64).astype(np.float32))
        centred.append(np.linalg.norm(states - means[-1], axis=1))
        usual.append(_means(states, codes, len(types)))
    arrays |= {
        "means": np.stack(means),
        "centred_lengths": np.stack(centred),
        "usual": np.stack(usual),
    }
    with (place / ARRAYS).open("wb") as stream:
        write_arrays(stream, arrays)
    tokens.to_parquet(place / "tokens.parquet")
    types.to_parquet(place / "types.parquet")
    texts = [(it.text, it.document) for it in chosen]
    pd.DataFrame(texts, columns=["text", "document"]).to_parquet(place / "texts.parquet")
    said: dict[str, Any] = {**FORMAT, "model": model.name}
    said |= {"layers": count, "states": shape[0], "dim": shape[1]}
    said["files"] = {name: asdict(entry) for name, entry in entries_of(place).items()}
    (place / MANIFEST).write_text(sealed(said, indent=1), encoding="utf-8")


def _read(
    model: Reader, chosen: Sequence[Sentence], progress: Progress
) -> Iterator[tuple[int, pd.DataFrame, list[Matrix]]]:
    """Share by share: the row of its first sentence, its tokens, and each layer's states."""
    for start in range(0, len(chosen), SHARE):
        tell(progress, start, len(chosen), f"Reading sentences with {model.name}")
        states = document_states([it.text for it in chosen[start : start + SHARE]], model)
        # Position 0 of a causal model is an outlier in every layer, whatever stands there.
        kept = np.flatnonzero(states.tokens["position"] > 0) if model.causal else slice(None)
        table = states.tokens.iloc[kept][["text", "start", "end", "token"]]
        yield start, table.reset_index(drop=True), [layer[kept] for layer in states.layers]


def _write(file: Any, states: Matrix) -> Scores:
    """Append a layer's states (m, d) as integers; the scale of each row (m,)."""
    scales: Scores = np.abs(states).max(axis=1) / np.float32(np.iinfo(np.int16).max)
    scales[scales == 0] = 1
    file.write(np.rint(states / scales[:, None]).astype(np.int16).data)
    return scales


def _often(tokens: "pd.Series[str]") -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """(n,) the place of each token among those that occur often enough, -1 for the rest; these."""
    counted = tokens.value_counts(sort=False)
    types = counted[counted >= FEWEST].rename_axis("token").reset_index(name="count")
    places = {token: row for row, token in enumerate(types["token"])}
    codes = tokens.map(places).fillna(-1).to_numpy(np.int64)
    return codes, types


def _means(states: Matrix, codes: npt.NDArray[np.int64], count: int) -> Queries:
    """(v, d) the mean of each token's states."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    if not len(order):
        return np.empty((0, states.shape[1]), np.float32)
    begins = np.searchsorted(codes[order], np.arange(count))
    sums = np.add.reduceat(states[order], begins, axis=0, dtype=np.float64)
    return (sums / np.bincount(codes[order])[:, None]).astype(np.float32)


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


def _file(number: int) -> str:
    return f"layer_{number:02d}{KIND}"


def best(scores: Scores, k: int) -> list[tuple[int, float]]:
    """Rows and cosines of the k highest, highest first."""
    rows, cosines = top_k(np.ascontiguousarray(scores[None]), min(k, len(scores)))
    return list(zip(rows[0].tolist(), cosines[0].tolist(), strict=True))
