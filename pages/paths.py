"""Paths: from one concept to another, decoded in words at every step; and vector arithmetic."""

from dataclasses import replace

import streamlit as st

from core.permalink import PathView
from core.ui.journey import explain, show, take_away
from core.ui.pictures import changed_parameters, spec_of
from core.ui.ready import follow, space_or_wait, to_show
from core.ui.state import bench, remember, view
from core.ui.truth import truth_line
from core.ui.wayfinding import journey_of, path_controls, solution, what_was_asked

seen = view("paths", PathView)
space = space_or_wait(seen.teacher)
st.title("Paths through meaning")
st.caption(
    "Write a way, *dog > table* or *dog > cat > table*, and watch it, decoded in words; "
    "or a sum, *king - man + woman*."
)
seen = path_controls(seen)
spec = spec_of(seen.projector, seen.parameters, seen.seed, 2)
stage, progress = st.container(), st.container()
asked = what_was_asked(seen)
shown = to_show(space, spec)
with stage:
    if asked == "sum":
        solution(seen, space, shown)
        truth_line(space, shown)
    elif asked == "path" and not bench().has_graph(space):
        st.info("The path follows as soon as it is known who is near whom in this space.")
    elif asked == "path":
        journey = journey_of(seen, space, shown)
        if journey is not None:
            scene = show(journey, " > ".join(seen.waypoints))
            explain(seen, journey)
            truth_line(space, shown)
            take_away(journey, scene)
with progress:
    follow(space, seen.teacher, spec, graph_too=True)
remember(
    "paths",
    replace(seen, revision=space.digest[:12], parameters=changed_parameters(spec)),
)
