"""The map itself, the panel of what is chosen, and the table of what was lassoed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.map import Chosen, focus_on, map_figure, map_labels
from core.figures.scene import Items, Label, Picture, Scene
from core.permalink import MapView
from core.pipeline import neighbors
from core.projection.base import Spec
from core.projection.inverse import InvertedPoint
from core.projection.placement import place
from core.spaces.space import Space
from core.spaces.words import counted
from core.types import Coords
from core.ui.shared.colouring import details, layer
from core.ui.shared.faithfulness_line import noun
from core.ui.shared.markdown import plain
from core.ui.shared.picked_point import Lost, mark_point, pickable_picture, point_from
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import remember, workspace
from core.ui.stage import mount, neighbor_list, tokens

NEAR_ON_MAP = 12
NEAR_IN_PANEL = 15


def atlas(
    view: MapView,
    space: Space,
    shown: Spec,
    height: int = 420,
    fill: int = 292,
    page: str = "map",
    spot: InvertedPoint | Lost | None = None,
) -> list[int]:
    """The map with its search; the rows in the lasso are returned. ``spot`` is marked on it."""
    coords = workspace().projection(space, shown).coords
    graph = workspace().graph(space) if workspace().has_graph(space) else None
    chosen = _chosen(view, space, coords)
    colours = layer(view.colour, space, shown)
    revision = f"{space.digest} {shown.digest}"
    figure = map_figure(coords, colours, tokens(), revision, chosen)
    labels = map_labels(_region_labels(space, shown), coords, space.texts, chosen)
    if page == "map" and shown.dims == 2:
        mark_point(figure, labels, spot)
    title = f"{counted(len(space), noun(space))}, {TITLES[shown.kind]}"
    scene = Scene(
        name=f"map {shown.kind}",
        pictures=[
            Picture(
                figure,
                title=f"{title} in {shown.dims} dimensions",
                tag="projected",
                alt=f"Map of {title}." + (f" Chosen: {chosen.text}." if chosen else ""),
                height=height,
                fill=fill,
                focus=focus_on(coords, chosen),
                labels=labels,
                space=f"{space.digest} {shown.dims}",
                hint="The axes of this picture mean nothing; only who is near whom does."
                if shown.kind != "pca"
                else "The two directions in which the items differ most.",
                ground=page == "map" and shown.dims == 2,
            )
        ],
        items=Items(
            space.texts,
            details(space),
            None if graph is None or graph.k < 3 else graph.indices[:, :3],
        ),
        legend=None if colours is None else colours.legend,
        search=f"Find a {noun(space)}, or type any text",
    )
    key = f"{page} stage"
    sheet = pickable_picture(view.teacher, space, shown)
    return mount(scene, key, _choose_from(key, page), on_ground=point_from(key, page, sheet))


def chosen_panel(view: MapView, space: Space) -> None:
    """What is chosen: its neighbours with cosines, and where its vector came from."""
    if view.selected is None:
        st.markdown("##### Nothing chosen yet")
        st.caption(
            "Click a point, or type into the search box on the map. Here you will see its nearest "
            "neighbours, measured in all dimensions, not in the picture. Click where no point is, "
            "or anywhere with Alt held, to read what lies there."
        )
        return
    try:
        neighbours = neighbors(workspace(), view.teacher, view.selected, NEAR_IN_PANEL)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/search_off:")
        return
    st.subheader(plain(neighbours.query.text, 60), anchor=False)
    row = neighbours.query.row
    about = details(space)[row] if row is not None else neighbours.query.how
    st.caption(plain(about, 300) or "an item of this space")
    if row is None and "mean of" in neighbours.query.how:
        st.caption("This space is a table: a new text is the mean of the rows of its pieces.")
    listed = [
        (space.address(int(near)), float(cosine), int(near))
        for near, cosine in zip(neighbours.rows, neighbours.cosines, strict=True)
    ]
    st.caption("Nearest, by cosine", help="Measured in all dimensions, not in the picture.")
    neighbor_list(
        listed,
        f"Neighbours of {neighbours.query.text}",
        "map list",
        _choose_from("map list", "map"),
    )
    if row is not None and len(listed):
        target = space.address(int(neighbours.rows[-1]))
        if st.button("Path from here", help="Go to the Paths page with this item as the start"):
            st.switch_page(
                "pages/paths.py",
                query_params={
                    "teacher": view.teacher,
                    "waypoints": _link_words(row, space, target),
                },
            )


def _chosen(view: MapView, space: Space, coords: Coords) -> Chosen | None:
    if view.selected is None:
        return None
    try:
        neighbours = neighbors(workspace(), view.teacher, view.selected, NEAR_ON_MAP)
    except MeaningSpaceError:  # the panel says why
        return None
    query = neighbours.query
    if query.row is not None:
        spot = coords[query.row]
    else:
        spot = place(space, coords, query.vector[None, :])[0][0]
    return Chosen(query.text, spot, neighbours.rows, query.row)


def _region_labels(space: Space, shown: Spec) -> list[Label]:
    if shown.dims == 3 or not workspace().has_regions(space, shown):
        return []
    found = workspace().regions(space, shown).labels
    ordered = sorted(found, key=lambda label: (label.level, -label.size))
    return [
        Label(label.text[:32], label.x, label.y, px=(15, 13, 12)[min(label.level, 2)])
        for label in ordered
    ]


def _choose_from(key: str, page: str) -> Callable[[], None]:
    """What a click or a search in that component does: the view moves to the item."""

    def choose() -> None:
        picked = st.session_state[key]["chosen"]
        current = st.session_state.get(f"{page} view")
        if not picked or not isinstance(current, MapView):
            return
        if "row" in picked:
            space = workspace().space(current.teacher)
            text = space.address(int(np.clip(int(picked["row"]), 0, len(space) - 1)))
        else:
            text = str(picked["text"])[:2000]
        remember(page, replace(current, selected=text, spot=""))

    return choose


def _link_words(row: int, space: Space, target: str) -> str:
    from core.permalink import join_words

    return join_words((space.address(row), target))
