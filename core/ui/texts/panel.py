"""Beside the map of texts: what is chosen, what it says, near what it is, in which region."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from core.permalink import TextsView
from core.pipeline.texts.library import Library
from core.pipeline.texts.own_document import Dropped, near_documents
from core.pipeline.texts.topics import Topic
from core.pipeline.texts.windows import SNIPPET
from core.spaces.linalg import paired_cosines
from core.types import Queries, Rows
from core.ui.shared.bars import Bar, bars
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember
from core.ui.stage import neighbor_list
from core.ui.texts.scene import Asked, DocumentPath, choose_item

NEAR = 8
WORTH_SAYING = 0.005  # of the tokens: so many unknown ones
SAID = 420  # characters of a window


def nothing_chosen() -> None:
    """How to begin."""
    st.markdown("##### Nothing chosen yet")
    st.caption(
        "Large points are whole documents, small ones their windows. Click one, or type into the "
        "search box: a title, or any text at all. You will see the way that the document takes, "
        "and what is near it, measured in all dimensions."
    )


def asked_panel(query: Asked, library: Library) -> None:
    """What a typed text is near: documents by their signatures, then single windows."""
    st.subheader(plain(query.text, 80), anchor=False)
    leave_search()
    st.caption("Documents nearest to it, by cosine", help="Of whole documents' signatures.")
    _documents(query.documents, library, "texts near documents")
    st.caption("Windows nearest to it")
    titles = library.space.metadata["document"]
    rows = [
        Bar(str(titles.iloc[item]), f"{cosine:.2f}", None, library.said(item, SNIPPET), key=item)
        for item, cosine in query.windows
    ]
    bars(
        rows,
        "Windows nearest to the text",
        "texts near windows",
        _choose(library, "texts near windows"),
    )


def leave_search() -> None:
    """A button that takes the typed text away."""
    current = st.session_state.get("texts view")
    if isinstance(current, TextsView) and st.button("Leave the search"):
        remember("texts", replace(current, query=""))
        st.rerun()


def document_panel(
    view: TextsView, library: Library, walk: DocumentPath, topics: Sequence[Topic], region: Rows
) -> None:
    """The chosen document: what it says there, how far it wanders, which documents are near."""
    row = library.rows[walk.name]
    document = library.documents[row]
    item = library.item(walk.name, view.part)
    item = row if item is None else item
    way = library.document_path(row)
    kind = {"news": "news", "wikipedia": "Wikipedia"}[document.source]
    st.subheader(plain(walk.name, 80), anchor=False)
    words = len(document.text.split())
    st.caption(f"{kind} · {words:,} words · {len(way)} window{'s' * (len(way) > 1)}")
    _wanders(library.space.unit[way])
    _region(topics, int(region[item]))
    where = "It begins" if view.part is None else f"Window {view.part + 1} of {len(way)}"
    st.caption(f"**{where}**  \n{plain(library.said(item, SAID), 2 * SAID)}")
    st.caption("Documents nearest to the whole", help="By the cosine of their signatures.")
    found, cosines = near_documents(library, library.space.vectors[[row]], NEAR + 1)
    near = [
        (int(other), float(cosine))
        for other, cosine in zip(found[0], cosines[0], strict=True)
        if other != row
    ][:NEAR]
    _documents(near, library, "texts near documents")


def own_panel(own: Dropped, library: Library, walk: DocumentPath) -> None:
    """The person's own document."""
    st.subheader(plain(own.title, 80), anchor=False)
    windows = len(own.read.windows)
    st.caption(f"yours · {len(own.text.split()):,} words · {windows:,} window{'s' * (windows > 1)}")
    if (share := own.read.unknown) >= WORTH_SAYING:
        st.warning(
            f"{share:.0%} of its tokens are unknown to this model's vocabulary"
            + ("; all look the same to it, so the place says nothing." if share > 0.5 else ".")
        )
    if len(walk.course.steps) < windows:
        st.caption(f"The way is drawn through {len(walk.course.steps)} of the {windows:,} windows.")
    _wanders(own.read.windows)
    st.caption("Documents nearest to the whole", help="By the cosine of their signatures.")
    found, cosines = near_documents(library, own.read.whole, NEAR)
    near = list(zip(found[0].tolist(), cosines[0].tolist(), strict=True))
    _documents(near, library, "texts near documents")


def _wanders(windows: Queries) -> None:
    """How far a document's windows are from one to the next, in words."""
    if len(windows) < 2:
        return
    steps = paired_cosines(windows[1:], windows[:-1])
    ends = float(paired_cosines(windows[:1], windows[-1:])[0])
    st.caption(
        f"From window to window the cosine is {float(np.mean(steps)):.2f} on average, from the "
        f"first to the last {ends:.2f}.",
        help="1: the same direction of meaning. Neighbouring windows share a quarter of what is "
        "read, but each token counts to one of them only.",
    )


def _region(topics: Sequence[Topic], number: int) -> None:
    if not 0 <= number < len(topics):
        if topics:
            st.caption("It stands between the regions of the picture.")
        return
    topic = topics[number]
    st.caption(
        f"**Its region is about** {plain(', '.join(word for word, _ in topic.words), 120)}",
        help="Words that are frequent in the region's windows and rare in the others (c-TF-IDF).",
    )
    if st.button("Light up the region", help=f"{topic.size:,} items on the map"):
        st.session_state["texts region documents"] = number
        st.rerun()


def _documents(near: Sequence[tuple[int, float]], library: Library, key: str) -> None:
    rows = [(library.documents[row].title, cosine, row) for row, cosine in near]
    neighbor_list(rows, "Nearest documents", key, _choose(library, key))


def _choose(library: Library, key: str) -> Callable[[], None]:
    def choose() -> None:
        picked = st.session_state[key]["chosen"]
        if picked and "row" in picked:
            choose_item(library, int(np.clip(int(picked["row"]), 0, len(library.space) - 1)))

    return choose
