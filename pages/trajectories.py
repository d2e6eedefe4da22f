"""Trajectories: a text that is being written as a path through a model's meaning space."""

import streamlit as st

from core.permalink import TrajectoriesView
from core.ui.shared.state import remember, view_of
from core.ui.trajectories.controls import choose_speaker, choose_view
from core.ui.trajectories.lens import lens_view
from core.ui.trajectories.path import path_view
from core.ui.trajectories.shapes import shapes_view
from core.ui.trajectories.statistics import laws_view
from core.ui.trajectories.steering import steer_view

VIEWS = {
    "path": (
        path_view,
        "Watch a sentence being written",
        "A language model writes one token at a time. Each token is a point in its meaning space, "
        "so a text is a path.",
    ),
    "lens": (
        lens_view,
        "What each layer would say",
        "A text goes up through the model layer by layer. A lens reads each layer's state as the "
        "next word.",
    ),
    "laws": (
        laws_view,
        "Does a text move by laws?",
        "How far a text steps, how it turns, how sure the model is: measured, against chance.",
    ),
    "steer": (
        steer_view,
        "Push a model while it writes",
        "A direction is added to the states of a layer, and the text turns. Before and after stand "
        "side by side.",
    ),
    "shapes": (
        shapes_view,
        "Shapes that words lie in",
        "Weekdays in a ring, numbers in a row, cities on a map: found in a layer, or only hoped "
        "for?",
    ),
}
view = view_of("trajectories", TrajectoriesView)
heading, choice = st.columns([0.6, 0.4], vertical_alignment="bottom")
with choice.container(horizontal_alignment="right"):
    view = choose_view(view)
draw, title, about = VIEWS[view.show]
with heading:
    st.title(title)
    st.caption(about)
remember("trajectories", view)  # before the model is judged, so that another can be chosen
view = choose_speaker(view)
remember("trajectories", view)
view = draw(view)
remember("trajectories", view)
