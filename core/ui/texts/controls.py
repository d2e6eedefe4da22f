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


def choose_view(seen: TextsView) -> TextsView:
    """Documents or single sentences; a search is about one of them."""
    show = segments("texts", "show", "Points are", VIEWS, seen.show, labelled=False)
    return seen if show == seen.show else replace(seen, show=show, query="", spot="")


def choose_model(seen: TextsView) -> TextsView:
    """The model that reads documents; another one reads the library anew."""
    model = model_box("texts", seen.model, "Another model reads the library anew.")
    return seen if model == seen.model else replace(seen, model=model, own="", query="")


def text_controls(
    seen: TextsView, made: Library, topics: tuple[Topic, ...]
) -> tuple[TextsView, int | None]:
    """A document, a region, a colour; the view as set, and the region that is lit."""
    document, region, colour = st.columns([2.6, 2.2, 1.3], vertical_alignment="bottom")
    titles = [each.title for each in made.documents]
    with document:
        chosen = st.selectbox(
            "Document",
            titles,
            index=titles.index(seen.document) if seen.document in made.rows else None,
            placeholder="Choose one to see its way",
            key=widget("texts", f"document {seen.document}"),
        )
    if (chosen or "") != seen.document and (chosen or seen.document in made.rows):
        seen = replace(seen, document=chosen or "", part=None, own="", query="")
    with region:
        lit = region_box(topics, "documents")
    with colour:
        seen = colour_box(seen, "documents")
    return seen, lit


def colour_box(seen: TextsView, page: str) -> TextsView:
    """How the points are coloured."""
    colour = st.selectbox(
        "Colour by",
        list(COLOURS),
        index=list(COLOURS).index(seen.colour),
        format_func=COLOURS.__getitem__,
        key=widget("texts", f"colour {page}"),
    )
    return replace(seen, colour=colour)
