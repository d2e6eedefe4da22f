"""Paths: a way from concept to concept through a space, and what a language model says between."""

from dataclasses import replace

import streamlit as st

from core.permalink import PathView
from core.ui.paths.concept_plane import islands_view
from core.ui.paths.interpolation import between_view
from core.ui.paths.layer_choice import choose_speaker
from core.ui.paths.view import path_view
from core.ui.shared.segments import segments
from core.ui.shared.state import remember, view_of

VIEWS = {"way": path_view, "between": between_view, "islands": islands_view}
NAMES = {"way": "Way", "between": "Between", "islands": "Islands"}
TOLD = {
    "way": "Write a way, *dog > table* or *dog > cat > table*, and watch it, decoded in words; "
    "or a sum, *king - man + woman*.",
    "between": "A language model is asked what lies between two concepts: the state of the one is "
    "turned into that of the other, and at each step it says what it takes that for.",
    "islands": "Three concepts span a plane through a language model's states. At every place of "
    "it the model says a word: islands of what it knows, in a sea of what it does not.",
}
view = view_of("paths", PathView)
heading, choice = st.columns([0.72, 0.28], vertical_alignment="bottom")
with choice.container(horizontal_alignment="right"):
    show = segments("paths", "show", "Question", NAMES, view.show, labelled=False)
if show != view.show:
    view = replace(view, show=show)
with heading:
    st.title("Paths through meaning")
    st.caption(TOLD[view.show])
if view.show != "way":
    remember("paths", view)  # before the model is judged, so that another can be chosen
    view = choose_speaker(view)
view = VIEWS[view.show](view)
remember("paths", view)
