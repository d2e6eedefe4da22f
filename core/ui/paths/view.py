"""A way through a space: the first of the paths page's three views."""

from dataclasses import replace

import streamlit as st

from core.permalink import PathView
from core.ui.paths.controls import drawn_path, path_controls, solution, what_was_asked
from core.ui.paths.scene import explain, show, take_away
from core.ui.paths.sentences import path_in_sentences
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, to_show
from core.ui.shared.picked_point import pickable_picture, picked_point_panel, point_of
from core.ui.shared.projection_form import changed_parameters, spec_of
from core.ui.shared.state import workspace


def path_view(view: PathView) -> PathView:
    """The box, the pictures and what they say; the view as the person has changed it."""
    space = space_or_wait(view.teacher)
    view = path_controls(view)
    spec = spec_of(view.projector, view.parameters, view.seed, 2)
    stage, progress = st.container(), st.container()
    asked = what_was_asked(view)
    shown = to_show(space, spec)
    with stage:
        if asked == "sum":
            solution(view, space, shown)
            truth_line(space, shown)
        elif asked == "path" and not workspace().has_graph(space):
            st.info("The path follows as soon as it is known who is near whom in this space.")
        elif asked == "path":
            journey = drawn_path(view, space, shown)
            if journey is not None:
                sheet = pickable_picture(view.teacher, space, shown)
                spot = point_of(view.spot, sheet, spec)
                scene = show(journey, " > ".join(view.waypoints), sheet, spot)
                explain(view, journey)
                if spot is not None:
                    with st.columns([0.55, 0.45])[0]:
                        picked_point_panel(spot, sheet, "paths")
                path_in_sentences(journey, view.teacher)
                truth_line(space, shown)
                take_away(journey, scene)
    with progress:
        follow(space, view.teacher, spec, graph_too=True)
    return replace(view, revision=space.digest[:12], parameters=changed_parameters(spec))
