"""What the layers page shows, and with which model."""

from dataclasses import replace

import streamlit as st

from core.errors import MeaningSpaceError
from core.permalink import LayersView
from core.pipeline.reading import MINILM, identity
from core.pipeline.students import PREFIX
from core.ui.prose import plain
from core.ui.state import bench, widget

VIEWS = {
    "sentence": "Sentences",
    "senses": "Senses",
    "measures": "Measures",
    "probes": "Probes",
}
READS_LAYERS = ("contextual",)  # families of students that have layers to look at


def choose_view(seen: LayersView) -> LayersView:
    """The four questions of the page."""
    chosen = st.segmented_control(
        "Question",
        list(VIEWS),
        default=seen.show,
        format_func=VIEWS.__getitem__,
        key=widget("layers", "show"),
        label_visibility="collapsed",
        required=True,
    )
    return replace(seen, show=str(chosen or seen.show))


def choose_model(seen: LayersView) -> LayersView:
    """The model that reads, in the sidebar. One that is not there is said, and the page ends."""
    known = models()
    options = list(dict.fromkeys([*known, seen.model]))
    with st.sidebar:
        chosen = st.selectbox(
            "Model",
            options,
            index=options.index(seen.model),
            format_func=model_name,
            key=widget("layers", "model"),
            accept_new_options=True,
            help="Choose one, or type a reference: `path:FOLDER` for a model that "
            "`save_pretrained` wrote, `hub:ORG/NAME`, or `student:KEY` for a contextual student.",
        )
    model = (chosen or seen.model).strip()
    try:
        identity(model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()
    return seen if model == seen.model else replace(seen, model=model, layer=None)


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
