"""What the layers page shows, and with which model."""

from dataclasses import replace

import streamlit as st

from core.permalink import LayersView
from core.ui.models import model_box
from core.ui.state import widget

VIEWS = {
    "sentence": "Sentences",
    "senses": "Senses",
    "measures": "Measures",
    "probes": "Probes",
}


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
    show = str(chosen or seen.show)
    if show == seen.show:
        return seen
    return replace(seen, show=show, token=None, layer=None)  # they mean other things there


def choose_model(seen: LayersView) -> LayersView:
    """The model that reads; another one chooses its own layer and counts its own tokens."""
    model = model_box("layers", seen.model, "Every layer of it is read.")
    return seen if model == seen.model else replace(seen, model=model, layer=None, token=None)
