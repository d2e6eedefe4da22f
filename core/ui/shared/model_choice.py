"""Models that are read layer by layer: which there are, what they are called, choosing one."""

from collections.abc import Callable

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.models import MINILM, identity, speaker_identity, speaker_or_missing
from core.pipeline.student_catalogue import PREFIX
from core.teachers.causal import depth_of
from core.teachers.smollm2 import SMOLLM2, installed
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget, workspace

READS_LAYERS = ("contextual",)  # families of students that have layers to look at


def model_box(page: str, current: str, help_text: str) -> str:
    """The model that reads, chosen in the sidebar. One that is not there is said, and the page
    ends."""
    model = reference_box(
        widget(page, "model"),
        models(),
        current,
        model_name,
        f"{help_text} Choose one, or type a reference: `path:FOLDER` for a model that "
        "`save_pretrained` wrote, `hub:ORG/NAME`, or `student:KEY` for a contextual student.",
    )
    try:
        with st.spinner("Finding the model; one from the hub is fetched first"):
            identity(model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()
    return model


def reference_box(
    key: str, known: list[str], current: str, name_of: Callable[[str], str], help_text: str
) -> str:
    """A box in the sidebar to choose a known model in, or to type the reference of another."""
    options = list(dict.fromkeys([*known, current]))
    with st.sidebar:
        chosen = st.selectbox(
            "Model",
            options,
            index=options.index(current),
            format_func=name_of,
            key=key,
            accept_new_options=True,
            help=help_text,
        )
    return (chosen or current).strip()


def models() -> list[str]:
    """References of the models that can be read without typing one."""
    cards = workspace().catalogue.students()
    students = (PREFIX + card.key for card in cards if card.family in READS_LAYERS)
    return [MINILM, *([SMOLLM2] if installed() else []), *students]


def model_name(reference: str) -> str:
    """What a model is called."""
    if reference == MINILM:
        return "MiniLM, 6 layers"
    if reference == SMOLLM2:
        return "SmolLM2"  # with its 30 layers it would not fit
    if reference.startswith(PREFIX):
        return f"Student {reference.removeprefix(PREFIX)}"
    return shortened(reference)


def shortened(reference: str) -> str:
    """A reference that was typed, for a list."""
    return reference if len(reference) < 44 else f"{reference[:43]}…"


def speaker_box(page: str, current: str) -> str:
    """The model that writes, chosen in the sidebar. One that is not there is said, with what
    brings it, and the page ends."""
    model = reference_box(
        widget(page, "speaker"),
        [SMOLLM2],
        current,
        speaker_name,
        "A causal model: one that writes. Choose, or type `path:FOLDER` for one that "
        "`save_pretrained` wrote, or `hub:ORG/NAME`.",
    )
    try:
        with st.spinner("Finding the model; one from the hub is fetched first"):
            speaker_identity(model)
            speaker_or_missing(model)
            depth_of(model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.caption("Everything else in the app works without this model.")
        st.stop()
    return model


def speaker_name(reference: str) -> str:
    """What a model is called."""
    return "SmolLM2" if reference == SMOLLM2 else shortened(reference)
