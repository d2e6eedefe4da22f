"""Texts: documents and sentences as points, and a document as a way through them."""

import streamlit as st

from core.permalink import TextsView
from core.ui.shared.state import remember, view_of
from core.ui.texts.controls import choose_model, choose_view
from core.ui.texts.documents import documents_view
from core.ui.texts.pairs import more_than_tokens_panel
from core.ui.texts.sentences import sentences_view

view = view_of("texts", TextsView)
heading, switch = st.columns([0.72, 0.28], vertical_alignment="bottom")
with heading:
    st.title("Texts as points, a document as a way")
    st.caption(
        "What a text means becomes one point, its signature; a long one wanders from window to "
        "window."
    )
with switch:
    view = choose_view(view)
remember("texts", view)  # before the model is judged: where it is not there, another can be chosen
view = choose_model(view)
remember("texts", view)
texts, question = st.container(), st.container()
with question:  # drawn first, for the texts may end the page to wait
    more_than_tokens_panel(view)
with texts:
    view = documents_view(view) if view.show == "documents" else sentences_view(view)
remember("texts", view)
