"""What a token became: nearest vocabulary and nearest states of other sentences, by layer."""

import json
from typing import Any

import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.students.pareto import amount
from core.permalink import LayersView
from core.pipeline.layers.nearest_states import NearestStates, nearest_states
from core.pipeline.layers.state_index import STATES, StateIndex, has_index, index_bytes, state_index
from core.pipeline.layers.state_index_building import FEWEST
from core.pipeline.models import identity, reader
from core.signatures.states import States
from core.store.disk import default_workspace
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget
from core.ui.stage import component, tokens

HEADS = (
    ("Layer", "0 is the embedding layer: what the token is before it has looked at any other."),
    (
        "Nearest in the table",
        "Rows of the table that the model reads from, one a token, without any context. From "
        "layer 1 on this asks how much of the token itself is left.",
    ),
    (
        "Nearest usual state",
        f"Tokens whose states in this very layer, averaged over {FEWEST} occurrences or more, are "
        "nearest: what the token is like here.",
    ),
    (
        "Where else a token is like this",
        "Single states of this layer, the nearest one of each sentence. Point at one to read the "
        "whole sentence and where it stands.",
    ),
)
SENTENCES = 3
TOKENS = 4


def nearest_states_panel(view: LayersView, states: States, row: int) -> None:
    """The table of the token in ``row`` of ``states``; where there is no index, a button for it."""
    token = states.tokens.iloc[row]
    written = states.texts[int(token["text"])][int(token["start"]) : int(token["end"])]
    st.markdown(f"##### What “{plain(written or token['token'], 40)}” became")
    try:
        if not has_index(default_workspace(), view.model):
            _offer(view.model)
            return
        index = state_index(default_workspace(), view.model)
        _panel(view, index, states, row)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")


def _panel(view: LayersView, index: StateIndex, states: States, row: int) -> None:
    left, right = st.columns([0.8, 0.2], vertical_alignment="bottom")
    centred = left.toggle(
        "Take each layer's mean away first",
        value=True,
        key=widget("layers", "became centred"),
        help="All states of a layer share a direction, so that all are alike. Without it, cosines "
        "tell what sets one state apart from the others.",
    )
    place = (int(states.tokens["text"].iloc[row]), int(states.tokens["start"].iloc[row]))
    text = states.texts[place[0]]
    asked = (view.model, identity(view.model), text, row, place[1], bool(centred))
    found = _nearest_states(asked, index, states)
    component("meaning_space_nearest_states", "nearest_states.js", "nearest_states.css")(
        data={
            "rows": [_sent(it) for it in found],
            "chosen": view.layer,
            "heads": [{"name": name, "help": text} for name, text in HEADS],
            "label": "What the token became, a row a layer",
            "tokens": tokens().css(),
        },
        key="layers became",
    )
    st.caption(
        f"Cosines, measured among {len(index):,} states of {len(index.texts):,} sentences of the "
        f"packaged texts and {len(index.types):,} usual states; a sentence is named once, and "
        "the token's own is left out."
    )
    right.download_button(
        "Save as JSON",
        json.dumps([it.to_dict() for it in found], ensure_ascii=False, indent=1),
        "nearest_states.json",
        "application/json",
        width="stretch",
        on_click="ignore",
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _nearest_states(
    asked: tuple[str, str, str, int, int, bool], _index: StateIndex, _states: States
) -> list[NearestStates]:
    return nearest_states(_index, asked[0], _states, asked[3], centred=asked[5])


def _sent(nearest_states: NearestStates) -> dict[str, Any]:
    """What the browser gets: fewer than there are, so that seven layers fit the window."""
    told = nearest_states.to_dict()
    return {
        "layer": nearest_states.layer,
        "table": told["table"][:TOKENS],
        "usual": told["usual"][:TOKENS],
        "states": [
            {"parts": list(state.parts), "cosine": state.cosine, "document": state.document}
            for state in nearest_states.states[:SENTENCES]
        ],
    }


def _offer(model: str) -> None:
    """What an index brings and costs, and the button that builds it."""
    name = f"states {model}"
    started = st.session_state.get(f"job {name}") is not None
    st.write(
        f"Compare it with {STATES:,} tokens in sentences of the packaged texts: which words and "
        "which places in other sentences is it most like, layer by layer?"
    )
    if not started:
        size = amount(index_bytes(reader(model)))
        st.caption(
            f"The sentences are read once, which takes about a minute on a small machine, and "
            f"kept on disk, about {size}."
        )
        if not st.button("Read the sentences", key="layers became build"):
            return
    job_id = submitted("states", {"model": model}, name)
    if job_id is not None:
        watch(job_id, "Read the sentences", lambda: has_index(default_workspace(), model))
