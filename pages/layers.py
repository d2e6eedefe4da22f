"""Layers: what context makes of a token, layer by layer."""

import streamlit as st

from core.permalink import LayersView
from core.ui.layers.controls import choose_model, choose_view
from core.ui.layers.measures import measures_view
from core.ui.layers.probes import probes_view
from core.ui.layers.senses import senses_view
from core.ui.layers.sentences import sentence_view
from core.ui.shared.state import remember, view

VIEWS = {
    "sentence": sentence_view,
    "senses": senses_view,
    "measures": measures_view,
    "probes": probes_view,
}
seen = view("layers", LayersView)
heading, choice = st.columns([0.64, 0.36], vertical_alignment="bottom")
with heading:
    st.title("Through the layers")
    st.caption(
        "A table holds one row for *bank*. Layer by layer, attention makes of it what the "
        "sentence means by it."
    )
with choice.container(horizontal_alignment="right"):
    seen = choose_view(seen)
remember("layers", seen)  # before the model is judged: where it is not there, another can be chosen
seen = choose_model(seen)
remember("layers", seen)
seen = VIEWS[seen.show](seen)
remember("layers", seen)
