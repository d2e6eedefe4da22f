"""Drop a document in: read by the worker, placed among the library's, walked, and taken away."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import MeaningSpaceError
from core.permalink import TextsView
from core.pipeline.models import identity
from core.pipeline.texts.library import Library
from core.pipeline.texts.own_document import (
    Dropped,
    dropped,
    forget,
    has_dropped,
    keep_text,
    kept_words,
    windows_table,
)
from core.pipeline.texts.topics import Topic
from core.pipeline.texts.windows import PER_SECOND, snippet
from core.spaces.formats.text_files import read_plain, require_prose
from core.ui.shared.downloads import safe_csv
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, widget, workspace
from core.ui.texts.scene import DocumentPath

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

OWN = "texts own"  # in the session: the key of the document that was dropped in last
MOST_MEGABYTES = 12  # of a file: what is too long is said by its characters
TOKENS_A_WORD = 1.8  # read, with what windows share


def own_document(view: TextsView) -> Dropped | None:
    """The document of one's own that is looked at, once it was read."""
    if not view.own or not has_dropped(workspace(), view.own):
        return None
    try:
        return _read(view.own, view.model, identity(view.model))
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return None


def drop_box(view: TextsView) -> None:
    """A file or a text of one's own, and the progress of its reading."""
    st.subheader("Drop a document in", anchor=False)
    st.caption(
        "Watch where its windows go among those of the library. It stays on this machine, in the "
        "workspace, until you forget it."
    )
    with st.form(widget("texts", "own"), border=False):
        file, typed = st.columns([0.34, 0.66], gap="medium")
        with file:
            uploaded = st.file_uploader(
                "A text file",
                type=["txt", "md"],
                key=widget("texts", "file"),
                max_upload_size=MOST_MEGABYTES,
                help="Plain text in UTF-8; half a million words at most.",
            )
        with typed:
            text = st.text_area(
                "or a text",
                placeholder="Paste an article, a letter, a chapter",
                height=120,
                key=widget("texts", "typed"),
            )
        pressed = st.form_submit_button("Show its way", type="primary")
    if pressed:
        _take(view, uploaded, text)
    _follow(view)


def own_controls(
    view: TextsView, library: Library, own: Dropped, walk: DocumentPath, topics: Sequence[Topic]
) -> None:
    """To take the figures away, and to forget the document."""
    numbers = walk.regions.tolist() if topics else [-1] * len(walk.regions)
    table = windows_table(
        library, own, ["" if number < 0 else topics[number].name for number in numbers]
    )
    save, away, _ = st.columns([1, 1, 3])
    save.download_button(
        "Save its windows",
        lambda: safe_csv(table),
        "windows.csv",
        "text/csv",
        help="CSV, a row a window: its words, its region, the nearest documents with cosines",
        width="stretch",
        on_click="ignore",
    )
    if away.button("Forget this document", help="Remove it from the workspace", width="stretch"):
        forget(workspace(), view.own)
        st.session_state.pop(OWN, None)
        remember("texts", replace(view, own=""))
        st.rerun()
    with st.expander("Every window in figures"):
        st.dataframe(table, hide_index=True, height=320)


def _take(view: TextsView, uploaded: "UploadedFile | None", text: str) -> None:
    """Keep what was brought, and look at it from now on."""
    try:
        if uploaded is not None:
            title, said = uploaded.name, read_plain(uploaded.name, uploaded.getvalue())
        else:
            said = require_prose(text)
            title = f"Yours: {snippet(said, limit=32)}"
        key = keep_text(workspace(), view.model, title[:80], said)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    if (before := st.session_state.get(OWN)) not in (None, key):
        forget(workspace(), before)
    st.session_state[OWN] = key
    remember("texts", replace(view, own=key, query=""))
    st.rerun()


def _follow(view: TextsView) -> None:
    """Where it waits to be read: its progress. Where another is looked at: the way back."""
    if not view.own:
        kept = st.session_state.get(OWN)
        if kept and has_dropped(workspace(), kept) and st.button("Show your document again"):
            remember("texts", replace(view, own=kept))
            st.rerun()
        return
    if has_dropped(workspace(), view.own):
        return
    words = kept_words(workspace(), view.own)
    if words is None:
        st.info("The document in this link is not on this machine. Drop it in again.")
        return
    seconds = TOKENS_A_WORD * words / PER_SECOND
    wait = f", about {seconds:,.0f} s" if seconds > 5 else ""
    st.caption(f"Reading {words:,} words{wait}, after loading the model.")
    arguments = {"model": view.model, "key": view.own}
    job_id = submitted("document", arguments, f"document {view.own}")
    if job_id is not None:
        watch(job_id, "Read your document", lambda: has_dropped(workspace(), view.own))


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(key: str, model: str, stamp: str) -> Dropped:  # noqa: ARG001 - the key
    return dropped(workspace(), model, key)
