"""Axes: every item between two pairs of opposites; exact, linear, with what it leaves out."""

from dataclasses import replace

import streamlit as st

from core.permalink import AxesView
from core.ui.axes.view import axes_controls, draw_axes
from core.ui.shared.jobs import space_or_wait
from core.ui.shared.state import remember, view_of

view = view_of("axes", AxesView)
space = space_or_wait(view.teacher)
st.title("Axes of meaning")
st.caption(
    "Two lists of words make a direction. Two directions make a picture that is exact, "
    "though much is left out."
)
view = axes_controls(view)
draw_axes(view, space)
remember("axes", replace(view, revision=space.digest[:12]))
