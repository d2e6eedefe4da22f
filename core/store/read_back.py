"""Artefacts as they are read back, and the spaces and neighbour graphs in them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import StoreError
from core.spaces.neighbors import NeighborGraph
from core.spaces.space import Provenance, Space
from core.store.files import Array


@dataclass(frozen=True)
class Artefact:
    """What one folder holds: read-only arrays, tables, and free JSON."""

    arrays: dict[str, Array] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)


def space_from(kept: Artefact) -> Space:
    """Raises KeyError, TypeError, ValueError where the parts are not those of one space."""
    items, vectors = kept.tables["items"], kept.arrays["vectors"]
    texts = tuple(items["text"].to_numpy(dtype=object).tolist())
    ids = tuple(items["id"].to_numpy(dtype=object).tolist()) if "id" in items else texts
    metadata = kept.tables.get("metadata", pd.DataFrame(index=range(len(texts))))
    if vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError("no matrix of float32")
    if not len(texts) == len(vectors) == len(metadata):
        raise ValueError("texts, vectors and metadata of several lengths")
    if not all(isinstance(it, str) for it in (*texts, *ids, kept.payload["digest"])):
        raise TypeError("texts that are none")
    provenance = Provenance(**kept.payload["provenance"])
    return Space(ids, texts, vectors, metadata, provenance, kept.payload["digest"])


def graph_from(kept: Artefact) -> NeighborGraph:
    """Raises KeyError, TypeError, ValueError where the parts are not those of one graph."""
    indices, cosines = kept.arrays["indices"], kept.arrays["cosines"]
    method, recall = kept.payload["method"], kept.payload["recall"]
    if indices.dtype != np.int32 or cosines.dtype != np.float32 or indices.ndim != 2:
        raise ValueError("no indices, or no cosines")
    if indices.shape != cosines.shape:
        raise ValueError("as many cosines as indices")
    if indices.size and not 0 <= indices.min() <= indices.max() < len(indices):
        raise ValueError("a neighbour that is not there")
    if not isinstance(method, str) or not isinstance(recall, int | float):
        raise TypeError("no method, or no recall")
    return NeighborGraph(indices, cosines, method, recall)


def storable(texts: tuple[str, ...]) -> npt.NDArray[np.object_]:
    for row, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise StoreError(
                f"found half a surrogate pair in the text of row {row} ({text!a:.60}); expected "
                "text that UTF-8 can hold: repair or remove that character"
            ) from None
    return np.array(texts, dtype=object)
