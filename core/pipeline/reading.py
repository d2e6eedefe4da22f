"""Models that are read layer by layer, what they are given to read, and the file of states."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import UnknownTeacher, unwritable
from core.signatures.hidden import Reader
from core.teachers.device import device
from core.teachers.encoder import BUDGET, load_model
from core.teachers.hub import source_of
from core.teachers.packaged import minilm_folder
from core.teachers.texts import Sentence, corpus_sentences

MINILM = "minilm"


@lru_cache(maxsize=2)
def reader(reference: str) -> Reader:
    """The model of ``minilm``, ``path:DIR`` or ``hub:ORG/NAME``, loaded once.

    Raises UnknownTeacher, TeacherUnavailable, Unsupported.
    """
    kind, _, rest = reference.partition(":")
    if kind == MINILM:
        folder = minilm_folder()
    elif kind in ("path", "hub") and rest:
        folder = source_of(kind, rest).folder()
    else:
        raise UnknownTeacher(
            f"found the model {reference!r:.80}; expected {MINILM}, path:DIR or hub:ORG/NAME"
        )
    model, tokenizer = load_model(folder, reference)
    where = device()
    return Reader(model.to(where), tokenizer, where, reference, BUDGET[where])


def some_sentences(count: int, seed: int = 0) -> list[Sentence]:
    """Sentences of the packaged corpus, drawn with a seed. Raises TeacherUnavailable."""
    corpus = corpus_sentences()
    rows = np.random.default_rng(seed).permutation(len(corpus))[:count]
    return [corpus[row] for row in rows]


def write_tensors(file: Path, tensors: dict[str, npt.NDArray[Any]]) -> None:
    """A safetensors file, written tensor by tensor: memory-mapped ones are never whole in memory.

    float32 and float16 only. Raises StoreError where it cannot be written.
    """
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        kind = {"float32": "F32", "float16": "F16"}[tensor.dtype.name]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    beside = file.with_name(f".{file.name}.half")
    try:
        with beside.open("wb") as stream:
            stream.write(len(text).to_bytes(8, "little") + text)
            for tensor in tensors.values():
                for block in range(0, len(tensor), 8_192):
                    stream.write(np.ascontiguousarray(tensor[block : block + 8_192]).data)
        beside.replace(file)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise unwritable(file, fault) from None
