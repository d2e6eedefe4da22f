"""The picture of the texts page: documents and windows, regions with their keywords, one way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.colors import Layer, clusters, sources
from core.figures.paths.path import color_of
from core.figures.scene import Items, Label, Picture, Player, Scene, Strip
from core.figures.texts import Found, WindowPath, focus_on_texts, texts_figure, texts_labels
from core.permalink import TextsView
from core.pipeline.models import identity, reader
from core.pipeline.texts.library import Library
from core.pipeline.texts.own_document import Dropped, near_documents, near_windows, placed
from core.pipeline.texts.topics import Topic
from core.pipeline.texts.windows import SNIPPET, signature, snippet
from core.projection.base import PcaSpec, Spec
from core.projection.regions import nearest_drawn
from core.spaces.space import Space
from core.types import Coords, QueryCoords, Rows, Vector
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import remember, workspace
from core.ui.stage import dark, mount, tokens

KEY = "texts stage"
NEAR_ON_MAP = 6
CELLS = 12  # of a strip
IN_CELL = 24  # characters
LABELS = 60
FILL = {True: 330, False: 300}  # pixels of the window left to the rest, with a player and without


@dataclass(frozen=True, eq=False)
class Asked:
    """A typed text, read: its signature (d,), its nearest documents and windows with cosines."""

    text: str
    vector: Vector
    documents: list[tuple[int, float]]
    windows: list[tuple[int, float]]


@dataclass(frozen=True, eq=False)
class DocumentPath:
    """A document as a way: its name, where its windows are (m, 2), their first words, the region
    of each (-1 for none), and whether it is the person's own."""

    name: str
    places: QueryCoords
    words: Sequence[str]
    regions: Rows
    own: bool = False

    @property
    def course(self) -> WindowPath:
        """As the figure draws it."""
        return WindowPath(self.name, self.places, "own" if self.own else "document")


def asked(view: TextsView, library: Library, near: int = 8) -> Asked | None:
    """What the typed text is near; None where there is none, or after saying what is wrong."""
    if not view.query:
        return None
    try:
        with st.spinner("Reading what you typed; the first time loads the model, some seconds"):
            vector = _signature(view.query, view.model, identity(view.model))
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/search_off:")
        return None
    documents, first = near_documents(library, vector[None], near)
    windows, second = near_windows(library, vector[None], near)
    return Asked(
        view.query,
        vector,
        list(zip(documents[0].tolist(), first[0].tolist(), strict=True)),
        list(zip(windows[0].tolist(), second[0].tolist(), strict=True)),
    )


@st.cache_data(max_entries=50, show_spinner=False)
def _signature(text: str, model: str, stamp: str) -> Vector:  # noqa: ARG001 - the key
    return signature(text, reader(model))


def library_path(view: TextsView, library: Library, spec: Spec) -> DocumentPath | None:
    """The chosen document's way; None where none is chosen."""
    row = library.rows.get(view.document)
    if row is None:
        if view.document:
            st.warning(
                f"The library holds no “{plain(view.document, 60)}”. Choose a document by its "
                "title, or click a point."
            )
        return None
    items = library.document_path(row)
    coords = workspace().projection(library.space, spec).coords
    said = [library.space.texts[item] for item in items]
    if len(items) == 1:
        said = [library.said(row, SNIPPET)]
    return DocumentPath(view.document, coords[items], said, cluster_of(library.space, spec)[items])


def own_path(own: Dropped, library: Library, spec: Spec) -> DocumentPath:
    """The way of a person's own document, its windows placed on the map."""
    places = _placed(f"{library.space.digest} {spec.digest} {own.key}", library, spec, own)
    return DocumentPath(own.title, places, own.parts(), _region_of(library, spec, places), own=True)


@st.cache_data(max_entries=10, show_spinner="Finding the places of its windows")
def _placed(key: str, _made: Library, _spec: Spec, _own: Dropped) -> QueryCoords:  # noqa: ARG001
    coords = workspace().projection(_made.space, _spec).coords
    return placed(_made, coords, _own.read.windows)


def cluster_of(space: Space, spec: Spec) -> Rows:
    """(n,) the region of each item, -1 for none."""
    if isinstance(spec, PcaSpec) or not workspace().has_regions(space, spec):
        return np.full(len(space), -1, np.int64)
    return workspace().regions(space, spec).cluster.astype(np.int64)


def _region_of(library: Library, spec: Spec, places: QueryCoords) -> Rows:
    """The region of the item that stands nearest to each place of the picture."""
    coords = workspace().projection(library.space, spec).coords
    return cluster_of(library.space, spec)[nearest_drawn(coords, places)]


def texts_scene(
    view: TextsView,
    library: Library,
    spec: Spec,
    topics: Sequence[Topic],
    walk: DocumentPath | None,
    query: Asked | None,
    region: int | None,
) -> Scene:
    """Everything on the stage, as data."""
    space = library.space
    coords = workspace().projection(space, spec).coords
    large = (space.metadata["part"] < 0).to_numpy(np.bool_)
    lit = None if region is None else np.flatnonzero(cluster_of(library.space, spec) == region)
    found = None if query is None else _found(library, coords, query)
    course = None if walk is None else walk.course
    looked_at = library.item(view.document, view.part) if view.part is not None else None
    colours = _layer(view, library, spec)
    revision = f"{space.digest} {spec.digest} {'' if walk is None else walk.name}"
    figure = texts_figure(
        coords,
        large,
        colours,
        tokens(),
        revision,
        region=lit,
        course=course,
        looked_at=looked_at,
        found=found,
    )
    near = [] if query is None else _named(library, coords, query)
    walks = walk is not None and len(walk.places) > 1
    documents = len(library.documents)
    title = f"{documents} documents, {len(space) - documents:,} windows ({TITLES[spec.kind]})"
    chosen = "" if walk is None else f" The way of {walk.name} through {len(walk.places)} windows."
    return Scene(
        name=f"texts {spec.kind}" + ("" if walk is None else f" {walk.name}"),
        pictures=[
            Picture(
                figure,
                title=title,
                tag="projected",
                alt=f"Map of {title}.{chosen}",
                height=400,
                fill=FILL[walks],
                labels=texts_labels(topic_labels(topics), course, found, near),
                space=f"{space.digest} texts",
                hint="Large points are whole documents, small ones windows of 128 tokens. The axes "
                "of this picture mean nothing; only who is near whom does.",
                focus=_focus(coords, course, found),
            )
        ],
        items=Items(space.texts, _details(space.digest, library), _near(library)),
        legend=None if colours is None else colours.legend,
        search="Find a document, or type any text",
        player=_player(walk, topics) if walk is not None and walks else None,
    )


def show_texts(scene: Scene) -> list[int]:
    """Put it on the stage; the items in the lasso."""
    return mount(scene, KEY, _choose)


def topic_labels(topics: Sequence[Topic]) -> list[Label]:
    """The regions' keywords where they stand, large regions first."""
    ordered = sorted(topics, key=lambda topic: -topic.size)[:LABELS]
    return [
        Label(topic.name[:36], topic.x, topic.y, px=14 if rank < 8 else 12)
        for rank, topic in enumerate(ordered)
        if topic.words
    ]


def _found(library: Library, coords: Coords, query: Asked) -> Found:
    place = placed(library, coords, query.vector[None])[0]
    near = np.array([item for item, _ in query.windows[:NEAR_ON_MAP]], np.int64)
    return Found(query.text, place, near)


def _named(library: Library, coords: Coords, query: Asked) -> list[tuple[str, Vector]]:
    titles: dict[str, Vector] = {}
    for item, _ in query.windows[:NEAR_ON_MAP]:
        titles.setdefault(str(library.space.metadata["document"].iloc[item]), coords[item])
    return list(titles.items())


def _focus(coords: Coords, course: WindowPath | None, found: Found | None) -> list[float] | None:
    if found is not None:
        return focus_on_texts(coords, np.vstack([found.place[None], coords[found.near]]))
    return None if course is None else focus_on_texts(coords, course.places)


def _layer(view: TextsView, library: Library, spec: Spec) -> Layer | None:
    if view.colour == "region" and workspace().has_regions(library.space, spec):
        return clusters(workspace().regions(library.space, spec).cluster, tokens())
    return sources(library.space.metadata, tokens(), dark()) if view.colour == "source" else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _details(digest: str, _made: Library) -> list[str]:  # noqa: ARG001 - the digest is the key
    said = []
    columns = [_made.space.metadata[name] for name in ("document", "part", "parts", "tokens")]
    for title, part, parts, count in zip(*columns, strict=True):
        if part < 0:
            windows = f", {parts} windows" if parts > 1 else ""
            said.append(f"document of {count:,} tokens{windows}")
        else:
            said.append(f"{title}, window {part + 1} of {parts}")
    return said


def _near(library: Library) -> np.ndarray | None:
    if not workspace().has_graph(library.space):
        return None
    graph = workspace().graph(library.space)
    return graph.indices[:, :3] if graph.k >= 3 else None


def _player(walk: DocumentPath, topics: Sequence[Topic]) -> Player:
    steps = walk.course.steps.tolist()
    count = len(steps)
    color = color_of(walk.course.kind, tokens())
    edges = np.unique(np.linspace(0, count, min(count, CELLS) + 1).round().astype(np.int64))
    cells = list(pairwise(edges.tolist()))
    strips = []
    if topics:
        names = [_commonest(walk.regions[steps[start:stop]], topics) for start, stop in cells]
        strips.append(Strip("where", color, _joined(cells, names)))
    said = [(*cell, snippet(walk.words[steps[cell[0]]], limit=IN_CELL), False) for cell in cells]
    strips.append(Strip("it says", color, said))
    t = [round(step / (count - 1), 4) for step in range(count)]
    lines = [f"Window {step + 1}: {walk.words[step]}" for step in steps]
    names = [f"{step + 1} of {len(walk.places)}" for step in steps]
    return Player(t, strips, lines, seconds=float(np.clip(0.7 * count, 4, 24)), names=names)


def _commonest(regions: Rows, topics: Sequence[Topic]) -> str:
    """The name of the region in which most of some windows are; "" where that is none."""
    numbers, counts = np.unique(regions, return_counts=True)
    best = int(numbers[np.argmax(counts)])
    return "" if best < 0 else topics[best].name


def _joined(
    cells: Sequence[tuple[int, int]], names: Sequence[str]
) -> list[tuple[int, int, str, bool]]:
    """Cells of the same name as one; those in no region are pale.

    >>> _joined([(0, 2), (2, 3), (3, 5)], ["a", "a", ""])
    [(0, 3, 'a', False), (3, 5, 'between', True)]
    """
    runs = []
    for name, group in groupby(zip(cells, names, strict=True), key=lambda it: it[1]):
        own = [cell for cell, _ in group]
        runs.append((own[0][0], own[-1][1], name or "between", not name))
    return runs


def _choose() -> None:
    """A click or a search on the map: another document, another window, or a typed text."""
    picked = st.session_state[KEY]["chosen"]
    current = st.session_state.get("texts view")
    if not picked or not isinstance(current, TextsView):
        return
    if "row" in picked:
        from core.pipeline.texts.library import library

        whole_library = library(workspace(), current.model)
        choose_item(
            whole_library, int(np.clip(int(picked["row"]), 0, len(whole_library.space) - 1))
        )
    elif "text" in picked:
        remember("texts", replace(current, query=str(picked["text"])[:2000]))


def choose_item(library: Library, item: int) -> None:
    """Look at this item from now on, and at nothing else."""
    current = st.session_state.get("texts view")
    if not isinstance(current, TextsView):
        return
    said = library.space.metadata.iloc[item]
    part = int(said["part"])
    st.session_state["texts region documents"] = None
    title, number = str(said["document"]), None if part < 0 else part
    remember("texts", replace(current, document=title, part=number, own="", query=""))
