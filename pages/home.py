"""The start: four things to click, and the map of the default space behind them."""

from dataclasses import replace

import streamlit as st

from core.permalink import AxesView, MapView, PathView, View, encode
from core.projection.base import UmapSpec
from core.ui.map.view import atlas
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, to_show
from core.ui.shared.state import remember, view_of

view = view_of("home", MapView)
if view.selected is not None:  # clicked on the map below
    remember("home", replace(view, selected=None))
    st.switch_page("pages/map.py", query_params=encode(view))
teacher = view.teacher
STARTS: tuple[tuple[str, str, str, str, View], ...] = (
    (
        "Watch dog become table",
        "A path between two concepts, read out word by word.",
        "Show the path",
        "paths",
        PathView(teacher=teacher, waypoints=("dog", "table"), kinds=("slerp", "graph")),
    ),
    (
        "Who lives near ocean?",
        "The map of all words, and the true neighbours of one.",
        "Open the map",
        "map",
        MapView(teacher=teacher, selected="ocean"),
    ),
    (
        "king − man + woman",
        "Arithmetic with meanings, with and without the usual trick.",
        "Do the sum",
        "paths",
        PathView(teacher=teacher, waypoints=("king - man + woman",)),
    ),
    (
        "Small, huge, safe, deadly",
        "Two axes made of words, and every item on them.",
        "See the axes",
        "axes",
        AxesView(teacher=teacher),
    ),
)

st.title("See what a language model means")
st.caption(
    "A model keeps a row of numbers for every word. Together they are a space, "
    "and a thought is a way through it. Start anywhere."
)
for column, (title, text, verb, page, target) in zip(st.columns(4), STARTS, strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{title}**")
        st.caption(text)
        if st.button(verb, key=f"start {title}", width="stretch"):
            st.switch_page(f"pages/{page}.py", query_params=encode(target))
space = space_or_wait(teacher)
stage, progress = st.container(), st.container()
spec = UmapSpec()
shown = to_show(space, spec)
with stage:
    atlas(view, space, shown, fill=400, page="home")
with progress:
    follow(space, teacher, spec)
truth_line(space, shown)
remember("home", view)
