"""The row of controls under the map: colour, projection, dimensions, and rare settings."""

from dataclasses import replace

import streamlit as st

from core.permalink import MapView
from core.spaces.space import Space
from core.ui.shared.colouring import layer_name, offered
from core.ui.shared.projection_form import TITLES, changed_parameters, picture_form, spec_of
from core.ui.shared.segments import segments
from core.ui.shared.state import widget


def map_controls(view: MapView, space: Space) -> MapView:
    """Draw the row; the view as the person has set it."""
    layers = offered(space)
    colour = view.colour if view.colour in layers else layers[0]
    colours, projectors, dims, more = st.columns([2.2, 2.4, 1.3, 1], vertical_alignment="bottom")
    with colours:
        colour = st.selectbox(
            "Colour by",
            layers,
            index=layers.index(colour),
            format_func=layer_name,
            key=widget("map", f"colour {space.digest}"),
        )
    with projectors:
        projector = segments("map", "projector", "Picture", TITLES, view.projector)
    with dims:
        names = {"2": "2-D", "3": "3-D"}
        wanted = segments("map", "dims", "Dimensions", names, str(view.dims))
    if projector != view.projector:
        view = replace(view, parameters=())
    view = replace(view, colour=colour, projector=projector, dims=int(wanted))
    with more, st.popover("More", width="stretch"):
        spec = spec_of(view.projector, view.parameters, view.seed, view.dims)
        drawn = picture_form("map", spec)
        if drawn is not None:
            seed = getattr(drawn, "seed", None)
            view = replace(view, parameters=changed_parameters(drawn), seed=seed)
    return view
