"""Documents as points: the map with one way on it, what is chosen, a document of one's own."""

import streamlit as st

from core.permalink import TextsView
from core.ui.shared.downloads import lasso_table
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.state import remember
from core.ui.texts.controls import text_controls
from core.ui.texts.library_job import follow_library, known_topics, library_or_offer, shown_spec
from core.ui.texts.own_document import drop_box, own_controls, own_document
from core.ui.texts.panel import asked_panel, document_panel, nothing_chosen, own_panel
from core.ui.texts.regions import region_facts, regions_table
from core.ui.texts.scene import asked, cluster_of, library_path, own_path, show_texts, texts_scene

SAID = 320  # characters of a text in the middle of a region


def documents_view(view: TextsView) -> TextsView:
    """The whole view; the state as the person has set it."""
    made = library_or_offer(view)
    if made is None:
        return view
    picture, panel = st.columns([0.82, 0.18], gap="small")
    with picture:
        stage, controls = st.container(), st.container()
        line, progress = st.container(), st.container()
    spec = shown_spec(made.space)
    topics = known_topics(made, spec)
    with controls:
        view, lit = text_controls(view, made, topics)
    remember("texts", view)
    own = own_document(view)
    walk = library_path(view, made, spec) if own is None else own_path(own, made, spec)
    query = asked(view, made)
    cluster = cluster_of(made.space, spec)
    with stage:
        lasso = show_texts(texts_scene(view, made, spec, topics, walk, query, lit))
    with line:
        truth_line(made.space, spec)
    with panel:
        if query is not None:
            asked_panel(query, made)
        elif lit is not None:
            region_facts(lit, topics, made.space, cluster, made.said(topics[lit].medoid, SAID))
        elif own is not None and walk is not None:
            own_panel(own, made, walk)
        elif walk is not None:
            document_panel(view, made, walk, topics, cluster)
        else:
            nothing_chosen()
    if own is not None and walk is not None:
        own_controls(view, made, own, walk, topics)
    lasso_table(made.space, spec, lasso)
    said = [made.said(topic.medoid, SAID) for topic in topics]
    regions_table(topics, made.space, cluster, said)
    with progress:
        follow_library(view, made)
    drop_box(view)
    return view
