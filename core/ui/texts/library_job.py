"""Getting the library ready: what it will take is said before it starts, then its progress."""

import streamlit as st

from core.errors import MeaningSpaceError
from core.permalink import TextsView
from core.pipeline.texts.library import Library, has_library, library, library_topics
from core.pipeline.texts.topics import Topic, has_topics, topics
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.spaces.space import Space
from core.ui.shared.jobs import asked_for, complete, submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.model_choice import model_name
from core.ui.shared.state import workspace

DOCUMENTS, WORDS, WINDOWS = 449, 515_000, 7_200  # of the packaged texts
MINUTES = 5  # to read them on two cores with nothing else to do, see docs/texts.md
SPEC: Spec = UmapSpec()


def library_or_offer(view: TextsView) -> Library | None:
    """The library where it was read; else None, after the offer to read it or its progress."""
    try:
        if has_library(workspace(), view.model):
            with st.spinner("Opening the library"):
                return library(workspace(), view.model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return None
    _offer(view.model)
    return None


def follow_library(view: TextsView, library: Library) -> None:
    """Have the worker draw what is missing of the picture, and show its progress."""
    space = library.space
    if complete(space, SPEC) and has_topics(workspace(), space, SPEC):
        return
    drawn = workspace().has_projection(space, SPEC)
    job_id = submitted("library", _arguments(view.model), _name(view.model))
    if job_id is not None:
        watch(
            job_id,
            "Draw the library",
            lambda: not drawn and workspace().has_projection(space, SPEC),
        )


def shown_spec(space: Space) -> Spec:
    """The picture to show now: UMAP where it is drawn, PCA until then."""
    return SPEC if workspace().has_projection(space, SPEC) else PcaSpec()


def known_topics(library: Library, spec: Spec) -> tuple[Topic, ...]:
    """What the regions of the library's picture are about; nothing before they are known."""
    if isinstance(spec, PcaSpec) or not has_topics(workspace(), library.space, spec):
        return ()
    return library_topics(workspace(), library, spec)


def sentence_topics(space: Space, spec: Spec) -> tuple[Topic, ...]:
    """The same for a space of which each item is a text."""
    if isinstance(spec, PcaSpec) or not workspace().has_regions(space, spec):
        return ()
    with st.spinner("Naming the regions"):
        return topics(workspace(), space, spec, lambda: space.texts)


def _offer(model: str) -> None:
    st.markdown("##### Read the library first")
    name = plain(model_name(model), 60)
    st.write(
        f"{DOCUMENTS} whole texts, news of 2001 and articles of Wikipedia, some {WORDS:,} words, "
        f"are read once, in {WINDOWS:,} overlapping windows. With {name} that takes about "
        f"{MINUTES} minutes on two cores, and is kept."
    )
    st.caption(
        "Stopped in the midst, it goes on from there. Until it is done, Sentences shows single "
        "sentences of the same texts."
    )
    arguments = _arguments(model)
    if asked_for("library", arguments, "Read the library", "primary"):
        job_id = submitted("library", arguments, _name(model))
        if job_id is not None:
            watch(job_id, "Read the library", lambda: has_library(workspace(), model))


def _arguments(model: str) -> dict[str, object]:
    return {"model": model, "spec": SPEC.to_dict()}


def _name(model: str) -> str:
    return f"library {model}"
