"""Single sentences of the same texts on one map, found by typing and by clicking."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.colors import Layer, clusters, sources
from core.figures.scene import Items, Picture, Scene
from core.figures.texts import Found, focus_on_texts, texts_figure, texts_labels
from core.permalink import TextsView
from core.pipeline import Neighbors, neighbors
from core.pipeline.models import MINILM
from core.pipeline.texts.topics import Topic
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.projection.inverse import InvertedPoint
from core.projection.placement import place
from core.spaces.space import Space
from core.types import Coords
from core.ui.shared.bars import Bar, bars
from core.ui.shared.colouring import details
from core.ui.shared.downloads import lasso_table
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import follow, space_or_wait, to_show
from core.ui.shared.markdown import plain
from core.ui.shared.picked_point import (
    Lost,
    mark_point,
    middle_box,
    pickable_picture,
    picked_point_panel,
    point_from,
    point_of,
)
from core.ui.shared.projection_form import TITLES
from core.ui.shared.state import remember, workspace
from core.ui.stage import dark, mount, tokens
from core.ui.texts.controls import colour_box
from core.ui.texts.library_job import sentence_topics
from core.ui.texts.panel import leave_search
from core.ui.texts.regions import region_box, region_facts, regions_table
from core.ui.texts.scene import cluster_of, topic_labels

REFERENCE = "minilm:sentences"
KEY, LIST = "texts stage", "texts near sentences"
SPEC = UmapSpec()
NEAR_ON_MAP, NEAR = 8, 12


def sentences_view(view: TextsView) -> TextsView:
    """The whole view; the state as the person has set it."""
    if view.model != MINILM:
        st.caption("Sentences are read by MiniLM, whatever model reads the documents.")
    space = space_or_wait(REFERENCE)
    picture, panel = st.columns([0.82, 0.18], gap="small")
    with picture:
        stage, controls = st.container(), st.container()
        line, progress = st.container(), st.container()
    shown = to_show(space, SPEC)
    topics = sentence_topics(space, shown)
    cluster = cluster_of(space, shown)
    with controls:
        region, colour = st.columns([2.2, 1.3])
        with region:
            lit = region_box(topics, "sentences")
        with colour:
            view = colour_box(view, "sentences")
    found = _found(view)
    sheet = pickable_picture(REFERENCE, space, shown)
    spot = point_of(view.spot, sheet, SPEC)
    with stage:
        scene = _scene(view, space, shown, topics, found, lit, spot)
        ground = _alone(point_from(KEY, "texts", sheet))
        lasso = mount(scene, KEY, _choose, on_ground=ground)
    with line:
        truth_line(space, shown)
    with panel:
        if lit is not None and found is None:
            region_facts(lit, topics, space, cluster, space.texts[topics[lit].medoid])
        elif spot is not None:
            picked_point_panel(spot, sheet, "texts")
        else:
            _panel(view, space, found)
        middle_box("texts", view.spot)
    lasso_table(space, shown, lasso)
    regions_table(topics, space, cluster, [space.texts[topic.medoid] for topic in topics])
    with progress:
        follow(space, REFERENCE, SPEC)
    return view


def _found(view: TextsView) -> Neighbors | None:
    """What the chosen or typed sentence is near; what is wrong is said in the panel."""
    if not view.query:
        return None
    try:
        with st.spinner("Reading what you typed; the first time loads the model, some seconds"):
            return neighbors(workspace(), REFERENCE, view.query, NEAR)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/search_off:")
        return None


def _scene(
    view: TextsView,
    space: Space,
    shown: Spec,
    topics: tuple[Topic, ...],
    neighbors: Neighbors | None,
    lit: int | None,
    spot: InvertedPoint | Lost | None,
) -> Scene:
    coords = workspace().projection(space, shown).coords
    found = None if neighbors is None else _on_map(space, coords, neighbors)
    colours = _layer(view, space, shown)
    graph = workspace().graph(space) if workspace().has_graph(space) else None
    title = f"{len(space):,} sentences, {TITLES[shown.kind]}"
    figure = texts_figure(
        coords,
        np.zeros(len(space), np.bool_),
        colours,
        tokens(),
        f"{space.digest} {shown.digest}",
        region=None if lit is None else np.flatnonzero(cluster_of(space, shown) == lit),
        found=found,
    )
    near = [] if found is None else [(space.texts[row], coords[row]) for row in found.near]
    labels = texts_labels(topic_labels(topics), None, found, near)
    mark_point(figure, labels, spot)
    return Scene(
        name=f"sentences {shown.kind}",
        pictures=[
            Picture(
                figure,
                title=title,
                tag="projected",
                alt=f"Map of {title}." + (f" Chosen: {found.text}." if found else ""),
                height=420,
                fill=300,
                focus=None
                if found is None
                else focus_on_texts(coords, np.vstack([found.place[None], coords[found.near]])),
                labels=labels,
                space=f"{space.digest} sentences",
                hint="The axes of this picture mean nothing; only who is near whom does.",
                ground=True,
            )
        ],
        items=Items(space.texts, details(space), None if graph is None else graph.indices[:, :3]),
        legend=None if colours is None else colours.legend,
        search="Find a sentence, or type any text",
    )


def _on_map(space: Space, coords: Coords, neighbors: Neighbors) -> Found:
    query = neighbors.query
    row = query.row
    spot = coords[row] if row is not None else place(space, coords, query.vector[None])[0][0]
    return Found(query.text, spot, neighbors.rows[:NEAR_ON_MAP])


def _layer(view: TextsView, space: Space, shown: Spec) -> Layer | None:
    if view.colour == "region" and not isinstance(shown, PcaSpec):
        if workspace().has_regions(space, shown):
            return clusters(workspace().regions(space, shown).cluster, tokens())
        return None
    return sources(space.metadata, tokens(), dark()) if view.colour == "source" else None


def _panel(view: TextsView, space: Space, neighbors: Neighbors | None) -> None:
    if neighbors is None:
        if not view.query:
            st.markdown("##### Nothing chosen yet")
            st.caption(
                "Click a point, or type any text into the search box on the map. Here you will "
                "see the sentences nearest to it, measured in all dimensions. Click where no "
                "point is, or anywhere with Alt held, to read what lies there."
            )
        return
    row = neighbors.query.row
    documents = space.metadata["document"]
    st.markdown(f"**{plain(neighbors.query.text, 300)}**")
    st.caption(plain(documents.iloc[row] if row is not None else neighbors.query.how, 200))
    leave_search()
    st.caption("Nearest, by cosine", help="Measured in all dimensions, not in the picture.")
    rows = [
        Bar(space.texts[near], f"{cosine:.2f}", None, str(documents.iloc[near]), key=int(near))
        for near, cosine in zip(neighbors.rows.tolist(), neighbors.cosines.tolist(), strict=True)
    ]
    bars(rows, "Nearest sentences", LIST, lambda: _go(LIST))


def _choose() -> None:
    _go(KEY)


def _go(key: str) -> None:
    """What was clicked or typed is looked at from now on."""
    picked = st.session_state[key]["chosen"]
    current = st.session_state.get("texts view")
    if not picked or not isinstance(current, TextsView):
        return
    if "row" in picked:
        space = workspace().space(REFERENCE)
        text = space.texts[int(np.clip(int(picked["row"]), 0, len(space) - 1))]
    else:
        text = str(picked.get("text", ""))[:2000]
    st.session_state["texts region sentences"] = None
    remember("texts", replace(current, query=text, spot=""))


def _alone(choose: Callable[[], None]) -> Callable[[], None]:
    """The same, with no region lit."""

    def chosen() -> None:
        st.session_state["texts region sentences"] = None
        choose()

    return chosen
