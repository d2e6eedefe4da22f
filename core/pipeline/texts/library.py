"""The library: whole documents and their windows as one space.

One picture holds both, and a document is a way through its windows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from core.integrity import digest_of
from core.pipeline.models import identity, reader
from core.pipeline.texts.topics import Topic, topics
from core.pipeline.texts.windows import (
    WINDOW,
    Windowed,
    kept_windowed,
    snippet,
)
from core.progress import reach, scaled
from core.projection.base import PcaSpec, Spec
from core.spaces.space import Provenance, Space
from core.spaces.text_index import as_bytes
from core.store.keys import store_key
from core.teachers.corpus import Document, corpus_documents, corpus_identity
from core.types import Progress, Rows, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

VERSION = 1  # another one where texts or windows are cut otherwise
AT_ONCE = 100_000  # characters read between two parts that are kept
DOCUMENT, PART = "document", "window"  # kinds of items


@dataclass(frozen=True, eq=False)
class Library:
    """Items of ``space`` are the documents, then the windows of those that have more than one.

    Its metadata: ``kind``, ``document`` (the title), ``source``, ``part`` (a window's number from
    0; -1 for a document), ``parts`` (windows of the document), ``start``, ``end`` (characters of
    the document), ``tokens``, ``row`` (of the document).
    """

    space: Space
    documents: tuple[Document, ...]
    seconds: float  # that reading took; 0 where it took several goes

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each document by its title."""
        return {document.title: row for row, document in enumerate(self.documents)}

    @cached_property
    def leaves(self) -> Rows:
        """Items that hold each token of the library once: windows, and undivided documents."""
        table = self.space.metadata
        return np.flatnonzero((table["part"] >= 0) | (table["parts"] == 1)).astype(np.int64)

    def document_path(self, row: int) -> Rows:
        """The items that a document goes through: its windows in order, or itself."""
        table = self.space.metadata
        found = np.flatnonzero((table["row"] == row) & (table["part"] >= 0)).astype(np.int64)
        return found if len(found) else np.array([row], np.int64)

    def item(self, title: str, part: int | None = None) -> int | None:
        """The row of a document, or of one of its windows; None for one that is not."""
        row = self.rows.get(title)
        if row is None or part is None:
            return row
        items = self.document_path(row)
        return int(items[part]) if 0 <= part < len(items) else None

    def text(self, item: int) -> str:
        """What is written there."""
        text, start, end = self._place(item)
        return text[start:end]

    def said(self, item: int, limit: int) -> str:
        """Its first words, on one line of at most ``limit`` characters."""
        return snippet(*self._place(item), limit=limit)

    def _place(self, item: int) -> tuple[str, int, int]:
        row, start, end = self.space.metadata[["row", "start", "end"]].iloc[item].tolist()
        return self.documents[row].text, start, end


def has_library(workspace: "Workspace", model: str) -> bool:
    """Whether it was made already. Raises UnknownTeacher."""
    return workspace.store.has("library", library_key(model))


def library(workspace: "Workspace", model: str, progress: Progress = silent) -> Library:
    """The packaged documents as ``model`` reads them: kept, or read now, which takes minutes.

    Stopped in the midst, it goes on from there the next time. Raises what
    :func:`core.pipeline.models.reader` raises; Cancelled.
    """
    key = library_key(model)
    return workspace.kept(
        "library",
        key,
        read=lambda: _read(workspace, key),
        make=lambda: _make(workspace, model, key, progress),
        write=lambda made: _write(workspace, key, made),
    )


def library_key(model: str) -> str:
    """Where the store keeps it; another model or other texts, another key."""
    return store_key(identity(model), corpus_identity(), WINDOW, VERSION)


def _make(workspace: "Workspace", model: str, key: str, progress: Progress) -> Library:
    started = perf_counter()
    reach(progress, 0, "Unpacking the texts")
    documents = corpus_documents()
    sizes = [len(document.text) for document in documents]
    parts: list[Windowed] = []
    goes = 0
    for group in groups(sizes, AT_ONCE):
        low, high = (100 * sum(sizes[:row]) // sum(sizes) for row in (group.start, group.stop))
        texts = [documents[row].text for row in group]
        kept = f"{key}-{group.start}"
        goes += not workspace.store.has("library-part", kept)
        part = partial(scaled, progress, low, high)
        parts.append(kept_windowed(workspace.store, "library-part", kept, texts, model, part))
    starts = [group.start for group in groups(sizes, AT_ONCE)]
    space = _space(model, documents, parts, starts)
    seconds = perf_counter() - started if goes == len(parts) else 0.0
    return Library(space, documents, seconds)


def groups(sizes: Sequence[int], at_once: int) -> Iterator[range]:
    """Rows in order, in groups of ``at_once`` or just above; the last may have less.

    >>> list(groups([5, 6, 20, 1], at_once=10))
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    start = held = 0
    for row, size in enumerate(sizes):
        held += size
        if held >= at_once or row == len(sizes) - 1:
            yield range(start, row + 1)
            start, held = row + 1, 0


def _space(
    model: str,
    documents: Sequence[Document],
    parts: Sequence[Windowed],
    starts: Sequence[int],
) -> Space:
    """Of parts that begin with the documents ``starts``."""
    windows = pd.concat([part.table for part in parts], ignore_index=True)
    begins = np.repeat(starts, [len(part.table) for part in parts])
    rows = windows["text"].to_numpy(np.int64) + begins
    windows["text"] = rows
    counts = np.bincount(rows, minlength=len(documents))
    several = counts[rows] > 1
    tokens = np.bincount(rows, windows["tokens"].to_numpy(), len(documents))
    heads = pd.DataFrame({"text": range(len(documents)), "part": -1, "start": 0})
    heads["end"] = [len(document.text) for document in documents]
    heads["tokens"] = tokens.astype(np.int64)
    table = pd.concat([heads, windows[several]], ignore_index=True).astype(np.int64)
    table = table.rename(columns={"text": "row"})
    owners = [documents[row] for row in table["row"]]
    table["kind"] = np.where(table["part"] < 0, DOCUMENT, PART)
    table["document"] = [owner.title for owner in owners]
    table["source"] = [owner.source for owner in owners]
    table["parts"] = counts[table["row"]].astype(np.int64)
    texts, ids = [], []
    for owner, part, start, end in zip(
        owners, table["part"], table["start"], table["end"], strict=True
    ):
        texts.append(owner.title if part < 0 else snippet(owner.text, start, end))
        ids.append(owner.title if part < 0 else f"{owner.title}\x1f{part}")
    vectors = np.concatenate([part.windows for part in parts])[several]
    whole = np.concatenate([part.whole for part in parts])
    return Space.create(
        texts,
        np.concatenate([whole, vectors]),
        _provenance(model, documents),
        ids=ids,
        metadata=table,
    )


def _provenance(model: str, documents: Sequence[Document]) -> Provenance:
    return Provenance(
        teacher=f"library:{model}",
        model=reader(model).name,
        revision=identity(model),
        layer="last",
        pooling=f"mean, windows of {WINDOW} tokens",
        corpus=digest_of(as_bytes([document.text for document in documents])),
        licence="Wikipedia's texts CC BY-SA",
    )


def _write(workspace: "Workspace", key: str, library: Library) -> None:
    written = workspace.store.save_space(f"library-{key}", library.space)
    documents = pd.DataFrame([vars(document) for document in library.documents])
    said = {"seconds": library.seconds}
    written &= workspace.store.save("library", key, None, {"documents": documents}, said)
    for group in groups([len(document.text) for document in library.documents], AT_ONCE):
        if written:
            workspace.store.remove("library-part", f"{key}-{group.start}")


def _read(workspace: "Workspace", key: str) -> Library:
    space = workspace.store.load_space(f"library-{key}")
    kept = workspace.store.load("library", key)
    rows = kept.tables["documents"][["title", "text", "source"]].itertuples(index=False)
    return Library(space, tuple(Document(*row) for row in rows), float(kept.payload["seconds"]))


def draw_library(
    workspace: "Workspace", model: str, spec: Spec, progress: Progress = silent
) -> int:
    """Everything that the texts page shows of the library; the number of items.

    Its space, neighbours, picture, regions with their keywords, and how true the picture is.
    """
    whole_library = library(workspace, model, partial(scaled, progress, 0, 80))
    space = whole_library.space
    workspace.graph(space, partial(scaled, progress, 80, 85))
    workspace.projection(space, spec, partial(scaled, progress, 85, 93))
    reach(progress, 93, "Naming the regions")
    library_topics(workspace, whole_library, spec)
    workspace.faithfulness(space, spec, partial(scaled, progress, 96, 98))
    workspace.faithfulness(space, PcaSpec(dims=spec.dims), partial(scaled, progress, 98, 100))
    return len(space)


def library_topics(workspace: "Workspace", library: Library, spec: Spec) -> tuple[Topic, ...]:
    """What the regions of a picture of the library are about."""

    def texts() -> list[str]:
        return [library.text(item) for item in library.leaves.tolist()]

    return topics(workspace, library.space, spec, texts, library.leaves)
