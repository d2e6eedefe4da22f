"""Causal models that write: choosing one, and what to say where its weights are missing."""

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.speaking import SMOLLM2, speaker_identity, speaker_or_missing
from core.teachers.causal import depth_of
from core.ui.shared.markdown import plain
from core.ui.shared.model_choice import reference_box, shortened
from core.ui.shared.state import widget


def speaker_box(page: str, current: str) -> str:
    """The model that writes, chosen in the sidebar. One that is not there is said, with what
    brings it, and the page ends."""
    model = reference_box(
        widget(page, "speaker"),
        [SMOLLM2],
        current,
        speaker_name,
        "A causal model: one that writes. Choose, or type `path:FOLDER` for one that "
        "`save_pretrained` wrote, or `hub:ORG/NAME`.",
    )
    try:
        with st.spinner("Finding the model; one from the hub is fetched first"):
            speaker_identity(model)
            speaker_or_missing(model)
            depth_of(model)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.caption("Everything else in the app works without this model.")
        st.stop()
    return model


def speaker_name(reference: str) -> str:
    """What a model is called."""
    return "SmolLM2" if reference == SMOLLM2 else shortened(reference)
