"""What the texts page shows, with which model, and the row of controls under its map."""

from dataclasses import replace

import streamlit as st

from core.permalink import TextsView
from core.pipeline.texts.library import Library
from core.pipeline.texts.topics import Topic
from core.ui.shared.model_choice import model_box
from core.ui.shared.segments import segments
from core.ui.shared.state import widget
from core.ui.texts.regions import region_box

VIEWS = {"documents": "Documents", "sentences": "Sentences"}
COLOURS = {"source": "Where from", "region": "Region", "plain": "One colour"}


def choose_view(view: TextsView) -> TextsView:
    """Documents or single sentences; a search is about one of them."""
    show = segments("texts", "show", "Points are", VIEWS, view.show, labelled=False)
    return view if show == view.show else replace(view, show=show, query="", spot="")


def choose_model(view: TextsView) -> TextsView:
    """The model that reads documents; another one reads the library anew."""
    model = model_box("texts", view.model, "Another model reads the library anew.")
    return view if model == view.model else replace(view, model=model, own="", query="")


def text_controls(
    view: TextsView, library: Library, topics: tuple[Topic, ...]
) -> tuple[TextsView, int | None]:
    """A document, a region, a colour; the view as set, and the region that is lit."""
    document, region, colour = st.columns([2.6, 2.2, 1.3], vertical_alignment="bottom")
    titles = [each.title for each in library.documents]
    with document:
        chosen = st.selectbox(
            "Document",
            titles,
            index=titles.index(view.document) if view.document in library.rows else None,
            placeholder="Choose one to see its way",
            key=widget("texts", f"document {view.document}"),
        )
    if (chosen or "") != view.document and (chosen or view.document in library.rows):
        view = replace(view, document=chosen or "", part=None, own="", query="")
    with region:
        lit = region_box(topics, "documents")
    with colour:
        view = colour_box(view, "documents")
    return view, lit


def colour_box(view: TextsView, page: str) -> TextsView:
    """How the points are coloured."""
    colour = st.selectbox(
        "Colour by",
        list(COLOURS),
        index=list(COLOURS).index(view.colour),
        format_func=COLOURS.__getitem__,
        key=widget("texts", f"colour {page}"),
    )
    return replace(view, colour=colour)
