"""The map: every item of a space, its true neighbours, and how true the picture is."""

from dataclasses import replace

import streamlit as st

from core.permalink import MapView
from core.ui.map.controls import map_controls
from core.ui.map.view import atlas, chosen_panel
from core.ui.shared.downloads import lasso_table
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, to_show
from core.ui.shared.picked_point import (
    middle_box,
    pickable_picture,
    picked_point_panel,
    point_of,
)
from core.ui.shared.projection_form import changed_parameters, spec_of
from core.ui.shared.state import remember, view_of

view = view_of("map", MapView)
space = space_or_wait(view.teacher)
st.title("Map of meaning")
st.caption(
    "Each point is one item of the space. Find one, or click it, to see its true neighbours; click "
    "where no item is, and the place is put into words."
)

picture, panel = st.columns([0.83, 0.17], gap="small")
with picture:
    stage, controls, line, progress = st.container(), st.container(), st.container(), st.container()
with controls:
    view = map_controls(view, space)
spec = spec_of(view.projector, view.parameters, view.seed, view.dims)
shown = to_show(space, spec)
sheet = pickable_picture(view.teacher, space, shown)
spot = point_of(view.spot, sheet, spec)
with stage:
    lasso = atlas(view, space, shown, spot=spot)
with line:
    truth_line(space, shown)
with panel:
    if spot is None:
        chosen_panel(view, space)
    else:
        picked_point_panel(spot, sheet, "map")
    if view.dims == 2:
        middle_box("map", view.spot)
lasso_table(space, shown, lasso)
with progress:
    follow(space, view.teacher, spec)
remember(
    "map",
    replace(view, revision=space.digest[:12], parameters=changed_parameters(spec)),
)
