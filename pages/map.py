"""The map: every item of a space, its true neighbours, and how true the picture is."""

from dataclasses import replace

import streamlit as st

from core.permalink import MapView
from core.ui.map.controls import map_controls
from core.ui.map.view import atlas, chosen_panel
from core.ui.shared.downloads import lasso_table
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, to_show
from core.ui.shared.picked_point import middle_box, sheet_of, spot_of, spot_panel
from core.ui.shared.projection_form import changed_parameters, spec_of
from core.ui.shared.state import remember, view

seen = view("map", MapView)
space = space_or_wait(seen.teacher)
st.title("Map of meaning")
st.caption(
    "Each point is one item of the space. Find one, or click it, to see its true neighbours; click "
    "where no item is, and the place is put into words."
)

picture, panel = st.columns([0.83, 0.17], gap="small")
with picture:
    stage, controls, line, progress = st.container(), st.container(), st.container(), st.container()
with controls:
    seen = map_controls(seen, space)
spec = spec_of(seen.projector, seen.parameters, seen.seed, seen.dims)
shown = to_show(space, spec)
sheet = sheet_of(seen.teacher, space, shown)
spot = spot_of(seen.spot, sheet, spec)
with stage:
    lasso = atlas(seen, space, shown, spot=spot)
with line:
    truth_line(space, shown)
with panel:
    if spot is None:
        chosen_panel(seen, space)
    else:
        spot_panel(spot, sheet, "map")
    if seen.dims == 2:
        middle_box("map", seen.spot)
lasso_table(space, shown, lasso)
with progress:
    follow(space, seen.teacher, spec)
remember(
    "map",
    replace(seen, revision=space.digest[:12], parameters=changed_parameters(spec)),
)
