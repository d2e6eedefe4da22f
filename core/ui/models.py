"""Models that are read layer by layer: which there are, what they are called, choosing one."""

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.reading import MINILM, identity
from core.pipeline.students import PREFIX
from core.ui.prose import plain
from core.ui.state import bench, widget

READS_LAYERS = ("contextual",)  # families of students that have layers to look at


def model_box(page: str, current: str, help_text: str) -> str:
    """The model that reads, chosen in the sidebar. One that is not there is said, and the page
    ends."""
    options = list(dict.fromkeys([*models(), current]))
    with st.sidebar:
        chosen = st.selectbox(
            "Model",
            options,
            index=options.index(current),
            format_func=model_name,
            key=widget(page, "model"),
            accept_new_options=True,
            help=f"{help_text} Choose one, or type a reference: `path:FOLDER` for a model that "
            "`save_pretrained` wrote, `hub:ORG/NAME`, or `student:KEY` for a contextual student.",
        )
    model = (chosen or current).strip()
    try:
        with st.spinner("Finding the model; one from the hub is fetched first"):
            identity(model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()
    return model


def models() -> list[str]:
    """References of the models that can be read without typing one."""
    cards = bench().studio.students()
    return [MINILM, *(PREFIX + card.key for card in cards if card.family in READS_LAYERS)]


def model_name(reference: str) -> str:
    """What a model is called."""
    if reference == MINILM:
        return "MiniLM, 6 layers"
    if reference.startswith(PREFIX):
        return f"Student {reference.removeprefix(PREFIX)}"
    return reference if len(reference) < 44 else f"{reference[:43]}…"
