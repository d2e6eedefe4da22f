"""Attention rolled out, as lines over the sentence from the chosen token."""

import streamlit as st

from core.errors import MeaningSpaceError
from core.permalink import LayersView
from core.pipeline.layers.attention_rollout import AttentionRollout, attention_rollout
from core.pipeline.models import identity
from core.signatures.states import States
from core.ui.shared.markdown import plain
from core.ui.stage import component, tokens

WHAT_IT_IS = (
    "Attention rollout (Abnar & Zuidema 2020): the attention of all heads, averaged, half of it "
    "replaced by the token itself, and multiplied up from the first layer. It says from which "
    "tokens information **could have come**. It is no explanation: what the values carried, and "
    "what the feed-forward layers made of it, is not in it. Marks that the tokenizer adds, such as "
    "\\[CLS\\], often draw much attention without carrying meaning: their lines are grey, and "
    "widths are measured by the words' largest share."
)


def attention_lines(view: LayersView, states: States, row: int) -> None:
    """The sentence of the token in ``row`` of ``states``, with its shares after the chosen layer.

    Without a chosen layer the last one is shown.
    """
    token = states.tokens.iloc[row]
    text = states.texts[int(token["text"])]
    st.markdown("##### Where it could have drawn from")
    try:
        found = _rollout(view.model, identity(view.model), text)
    except MeaningSpaceError as error:
        st.info(plain(error), icon=":material/info:")
        return
    last = len(found.shares) - 1
    layer = last if view.layer is None else min(view.layer, last)
    place = int(token["position"])
    shares = found.of(place, layer)
    component("meaning_space_attention_rollout", "attention_rollout.js", "attention_rollout.css")(
        data={
            "words": [
                {"name": name, "share": float(share), "special": special, "joined": joined}
                for name, share, special, joined in zip(
                    found.names, shares, found.special, found.joined, strict=True
                )
            ],
            "chosen": place,
            "label": _told(found, place, layer),
            "tokens": tokens().css(),
        },
        key="layers rollout",
    )
    st.caption(
        f"After layer {layer} of {last}. {WHAT_IT_IS}"
        if layer
        else "In layer 0 no token has looked at any other yet: choose a later layer."
    )


def _told(rollout: AttentionRollout, place: int, layer: int) -> str:
    """The picture in words: the largest shares."""
    shares = rollout.of(place, layer)
    order = [it for it in shares.argsort()[::-1].tolist() if it != place][:3]
    most = ", ".join(f"{rollout.names[place]} {shares[place]:.0%}" for place in order)
    return (
        f"Shares of the sentence's tokens in {rollout.names[place]} after layer {layer}: itself "
        f"{shares[place]:.0%}, {most}."
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _rollout(model: str, stamp: str, text: str) -> AttentionRollout:  # noqa: ARG001 - made anew, read anew
    return attention_rollout(model, text)
