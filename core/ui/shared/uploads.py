"""Vector files through the browser: the box to drop one in, its name in lists, forgetting it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.uploads import PREFIX, forget_upload, keep_upload, upload_name
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

BROUGHT = "uploads brought"  # in the session: references, in the order in which they came
BOX = "upload box"  # in the session: counts up, so that the box is empty again
OPEN = "upload open"  # in the session: whether the dialog is
REFUSED = "upload refused"  # in the session: why the last one was
KINDS = ["txt", "vec", "bin", "npy", "npz", "parquet", "tsv"]


def upload_button(taken: Callable[[str], None]) -> None:
    """A button, and the dialog that it opens; ``taken`` is told the reference of what was brought,
    and ends the run."""
    if st.button("Bring a file", icon=":material/upload_file:", width="stretch"):
        st.session_state[OPEN], st.session_state[REFUSED] = True, ""
    if st.session_state.get(OPEN):  # also when the page runs again under the dialog
        _dialog(taken)


def _dismissed() -> None:
    st.session_state[OPEN] = False


@st.dialog("Bring a file of vectors", width="medium", on_dismiss=_dismissed)
def _dialog(taken: Callable[[str], None]) -> None:
    st.markdown(
        "One vector for each text, as word2vec, GloVe, fastText `.vec`, `.npz` or Parquet. An "
        "`.npy` array and its words, one a line, are chosen together."
    )
    number = st.session_state.setdefault(BOX, 0)
    files = st.file_uploader(
        "The file",
        type=KINDS,
        accept_multiple_files=True,
        key=f"upload:{number}",
        label_visibility="collapsed",
    )
    most = st.get_option("server.maxUploadSize")
    st.caption(
        f"At most {most} MB a file. It stays on the machine of this app, until you forget it."
    )
    if files and (reference := _keep(files)):
        st.session_state[OPEN] = False
        taken(reference)
    if refused := st.session_state.get(REFUSED):
        st.error(plain(refused), icon=":material/error:")


def brought() -> list[str]:
    """References of the files that this session brought, and that are still here."""
    return list(st.session_state.get(BROUGHT, []))


def forget_button(reference: str) -> bool:
    """For whoever brought the file: a button that removes it. Whether it was pressed."""
    if reference not in brought():
        return False
    if not st.button("Forget this file", help="Remove it from this machine", width="stretch"):
        return False
    workspace().forget_space(reference)
    forget_upload(workspace().folder, reference)
    st.session_state[BROUGHT].remove(reference)
    return True


def upload_title(reference: str) -> str:
    """What an upload is called in a list: its file's name."""
    try:
        return upload_name(workspace().folder, reference)[:40]
    except MeaningSpaceError:  # whoever opens it is told why
        return f"{reference[: len(PREFIX) + 8]}…"


def _keep(files: "list[UploadedFile]") -> str | None:
    """Keep them; where they are refused, empty the box and say why."""
    st.session_state[BOX] += 1
    try:
        reference = keep_upload(
            workspace().folder, [(file.name, file.getvalue()) for file in files]
        )
    except MeaningSpaceError as error:
        st.session_state[REFUSED] = str(error)
        st.rerun(scope="fragment")
    st.session_state[BROUGHT] = list(dict.fromkeys([*brought(), reference]))
    return reference
