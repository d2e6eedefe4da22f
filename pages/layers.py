"""Layers: what context makes of a token, layer by layer."""

import streamlit as st

from core.permalink import LayersView
from core.ui.layers.controls import choose_model, choose_view
from core.ui.layers.measures import measures_view
from core.ui.layers.probes import probes_view
from core.ui.layers.senses import senses_view
from core.ui.layers.sentences import sentence_view
from core.ui.shared.state import remember, view_of

VIEWS = {
    "sentence": sentence_view,
    "senses": senses_view,
    "measures": measures_view,
    "probes": probes_view,
}
view = view_of("layers", LayersView)
heading, choice = st.columns([0.58, 0.42], vertical_alignment="bottom")
with heading:
    st.title("Through the layers")
    st.caption(
        "A table holds one row for *bank*. Layer by layer, attention makes of it what the "
        "sentence means by it."
    )
with choice.container(horizontal_alignment="right"):
    view = choose_view(view)
remember("layers", view)  # before the model is judged: where it is not there, another can be chosen
view = choose_model(view)
remember("layers", view)
view = VIEWS[view.show](view)
remember("layers", view)
