"""A person's own document among those of the library: where its windows go, and who is near.

Its text and its signatures lie in the workspace, on this machine, until they are forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.integrity import digest_of
from core.pipeline.models import identity
from core.pipeline.texts.library import DOCUMENT, Library
from core.pipeline.texts.windows import (
    WINDOW,
    Windowed,
    kept_windowed,
    snippet,
)
from core.projection.placement import place
from core.spaces.formats.text_files import require_prose
from core.spaces.neighbors import nearest
from core.spaces.text_index import SEPARATOR, as_bytes
from core.store.keys import store_key
from core.types import (
    Coords,
    Progress,
    Queries,
    QueryCoords,
    QueryCosines,
    QueryIndices,
    silent,
)

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

TEXT, SIGNED = "own-text", "own-document"  # kinds in the store
BLOCK = 1_000  # vectors placed at once
NEAR = 3  # documents named for a window


@dataclass(frozen=True, eq=False)
class Dropped:
    """A text with its title, its signature and those of its windows; ``key`` is the store's."""

    key: str
    title: str
    text: str
    read: Windowed

    def parts(self) -> list[str]:
        """The first words of each window."""
        places = self.read.table[["start", "end"]].itertuples(index=False)
        return [snippet(self.text, int(start), int(end)) for start, end in places]


def keep_text(workspace: "Workspace", model: str, title: str, text: str) -> str:
    """Put a text where the worker finds it; its key. Raises UnreadableFile, StoreError."""
    require_prose(text)
    told = f"{title}{SEPARATOR}{text}"
    if SEPARATOR in title:
        told = digest_of(as_bytes([title, text]))
    key = store_key(identity(model), WINDOW, told)
    table = pd.DataFrame({"title": [title], "text": [text]})
    workspace.store.save(TEXT, key, None, {"text": table}, {"words": len(text.split())})
    return key


def kept_words(workspace: "Workspace", key: str) -> int | None:
    """How many words that text has; None where it is not (or no longer) here."""
    return workspace.store.recall(
        TEXT, key, lambda: int(workspace.store.load(TEXT, key).payload["words"])
    )


def has_dropped(workspace: "Workspace", key: str) -> bool:
    """Whether that text was read already."""
    return workspace.store.has(TEXT, key) and workspace.store.has(SIGNED, key)


def dropped(workspace: "Workspace", model: str, key: str, progress: Progress = silent) -> Dropped:
    """The text that was kept under ``key``, read now or before.

    Raises StoreError where there is none, UnknownItem where there is nothing to read; Cancelled.
    """
    row = workspace.store.load(TEXT, key).tables["text"].iloc[0]
    text = str(row["text"])
    windows = kept_windowed(workspace.store, SIGNED, key, [text], model, progress)
    return Dropped(key, str(row["title"]), text, windows)


def forget(workspace: "Workspace", key: str) -> None:
    """Remove the text and its signatures from this machine."""
    for kind in (TEXT, SIGNED):
        workspace.store.remove(kind, key)


def placed(library: Library, coords: Coords, vectors: Queries) -> QueryCoords:
    """(m, 2) where vectors (m, d) fall in a picture of the library."""
    found = [np.empty((0, coords.shape[1]), np.float32)]
    for start in range(0, len(vectors), BLOCK):
        found.append(place(library.space, coords, vectors[start : start + BLOCK])[0])
    return np.concatenate(found)


def near_documents(library: Library, vectors: Queries, k: int) -> tuple[QueryIndices, QueryCosines]:
    """The library's documents nearest to each of the vectors (m, d), best first, with cosines."""
    whole = library.space.unit[: len(library.documents)]
    return nearest(whole, vectors, k)


def near_windows(
    library: Library, vectors: Queries, k: int
) -> tuple[npt.NDArray[np.int64], QueryCosines]:
    """The same among the windows, and the documents that have but one: items, (m, k)."""
    found, cosines = nearest(library.space.unit[library.leaves], vectors, k)
    return library.leaves[found], cosines


def windows_table(library: Library, own: Dropped, regions: Sequence[str]) -> pd.DataFrame:
    """A row a window: where it stands, its first words, the nearest documents with their cosines;
    ``regions`` are the names of the regions in which the windows fall."""
    rows, cosines = near_documents(library, own.read.windows, NEAR)
    table = pd.DataFrame({"window": np.arange(1, len(own.read.table) + 1)})
    for column in ("start", "end", "tokens"):
        table[column] = own.read.table[column].to_numpy()
    table["first words"] = own.parts()
    table["region"] = list(regions)
    for rank in range(rows.shape[1]):
        table[f"{DOCUMENT} {rank + 1}"] = [library.documents[row].title for row in rows[:, rank]]
        table[f"cosine {rank + 1}"] = cosines[:, rank]
    return table
