"""Building an index of states: sentences read share by share, states as 16-bit integers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.integrity import entries_of, sealed
from core.signatures.documents import document_states
from core.signatures.hidden import Reader
from core.signatures.tokens import cut_texts
from core.store.files import write_arrays
from core.teachers.corpus import Sentence, some_sentences
from core.types import Matrix, Progress, Queries, Scores, silent, tell

SHARE = 128  # sentences read between two steps: what lies in memory at once
FEWEST = 3  # occurrences of a token, to speak of its usual state
FORMAT = {"format": "meaning-space token states", "version": 1}
MANIFEST, ARRAYS = "manifest.json", "arrays.safetensors"
KIND = ".i16"  # how the layers' files are named


def enough_sentences(model: Reader, count: int) -> list[Sentence]:
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


def write_index(place: Path, model: Reader, chosen: Sequence[Sentence], progress: Progress) -> None:
    count = len(model.trial)
    tables, scales, lengths = [], [], []
    with ExitStack() as open_files:
        files = [
            open_files.enter_context((place / layer_file(at)).open("wb")) for at in range(count)
        ]
        for start, table, layers in _read(model, chosen, progress):
            table["text"] += start
            tables.append(table)
            scales.append(np.stack([_write(*it) for it in zip(files, layers, strict=True)]))
            lengths.append(np.stack([np.linalg.norm(layer, axis=1) for layer in layers]))
    tokens = pd.concat(tables, ignore_index=True)
    shape = (len(tokens), model.trial[0].shape[-1])
    mapped = [np.memmap(place / layer_file(at), np.int16, "r", shape=shape) for at in range(count)]
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


def layer_file(number: int) -> str:
    return f"layer_{number:02d}{KIND}"
