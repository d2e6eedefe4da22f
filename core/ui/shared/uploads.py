"""Vector files through the browser: the box to drop one in, its name in lists, forgetting it."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.uploads import PREFIX, forget_upload, keep_upload, upload_name
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

BROUGHT = "uploads brought"  # in the session: references, in the order in which they came
TRIED = "uploads tried"  # in the session: how many; another box each time, which is empty
TAKEN = "uploads taken"  # in the session: how many; another button each time, which is closed
REFUSED = "upload refused"  # in the session: why the last one was
KINDS = ["txt", "vec", "bin", "npy", "npz", "parquet", "tsv"]


def upload_box(take: Callable[[str], None]) -> None:
    """A button that opens the box for a file; ``take`` is told the reference of what was brought,
    before the page runs again."""
    tried, refused = st.session_state.get(TRIED, 0), st.session_state.get(REFUSED, "")
    with st.popover(
        "Bring a file",
        icon=":material/upload_file:",
        width="stretch",
        key=f"bring:{st.session_state.get(TAKEN, 0)}",
    ):
        if refused:  # above the box: below it, a small window would cut it off
            st.error(plain(refused), icon=":material/error:")
        st.file_uploader(
            "The file",
            type=KINDS,
            accept_multiple_files=True,
            key=f"upload:{tried}",
            on_change=_keep,
            args=(take,),
            label_visibility="collapsed",
        )
        most = st.get_option("server.maxUploadSize")
        st.caption(
            "A table of vectors, one for each text: word2vec, GloVe, fastText `.vec`, `.npz` or "
            "Parquet; an `.npy` array and its words, one a line, are chosen together. At most "
            f"{most} MB a file. It stays on the machine of this app, until you forget it."
        )


def brought() -> list[str]:
    """References of the files that this session brought, and that are still here."""
    return list(st.session_state.get(BROUGHT, []))


def forget_button(reference: str, then: Callable[[], None]) -> None:
    """For whoever brought the file: a button that removes it, and what is done after."""
    if reference in brought():
        st.button(
            "Forget this file",
            help="Remove it from this machine",
            width="stretch",
            on_click=_forget,
            args=(reference, then),
        )


def upload_title(reference: str) -> str:
    """What an upload is called in a list: its file's name."""
    try:
        return upload_name(workspace().folder, reference)[:40]
    except MeaningSpaceError:  # whoever opens it is told why
        return f"{reference[: len(PREFIX) + 8]}…"


def _keep(take: Callable[[str], None]) -> None:
    """Keep what lies in the box; where it is refused, remember why."""
    tried = st.session_state.get(TRIED, 0)
    files: list[UploadedFile] = st.session_state[f"upload:{tried}"]
    if not files:
        return
    st.session_state[TRIED], st.session_state[REFUSED] = tried + 1, ""
    try:
        reference = keep_upload(
            workspace().folder, [(file.name, file.getvalue()) for file in files]
        )
    except MeaningSpaceError as error:
        st.session_state[REFUSED] = str(error)
        return
    st.session_state[TAKEN] = st.session_state.get(TAKEN, 0) + 1
    st.session_state[BROUGHT] = list(dict.fromkeys([*brought(), reference]))
    take(reference)


def _forget(reference: str, then: Callable[[], None]) -> None:
    with suppress(MeaningSpaceError):  # gone already
        workspace().forget_space(reference)
    forget_upload(workspace().folder, reference)
    st.session_state[BROUGHT].remove(reference)
    then()
