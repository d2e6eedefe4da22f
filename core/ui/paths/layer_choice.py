"""What Between and Islands ask for in common: the model, the layer and why, and a measurement."""

from dataclasses import replace

import streamlit as st

from core.permalink import PathView
from core.pipeline.paths.interpolation import usual_layer
from core.pipeline.paths.layer_suggestion import Named, has_named, kept_named
from core.teachers.causal import depth_of
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.model_choice import speaker_box
from core.ui.shared.state import widget, workspace


def choose_speaker(view: PathView) -> PathView:
    """The model that is asked; another one has its own layers."""
    model = speaker_box("paths", view.model)
    return view if model == view.model else replace(view, model=model, layer=None)


def suggested_layer(view: PathView, named: Named | None) -> int:
    """The layer to begin with: a measured one where there is a measurement."""
    return usual_layer(depth_of(view.model)) if named is None else named.suggested


def naming(view: PathView) -> Named | None:
    """In which layers the model names nouns, if that is known."""
    return kept_named(workspace(), view.model) if has_named(workspace(), view.model) else None


def layer_slider(view: PathView, named: Named | None) -> tuple[PathView, int]:
    """The slider with the suggested layer named; the view, and the layer that is meant."""
    usual = suggested_layer(view, named)
    depth = max(depth_of(view.model), 1)
    layer = int(
        st.select_slider(
            f"Layer (suggested: {usual})",
            list(range(depth + 1)),
            min(usual if view.layer is None else view.layer, depth),
            key=widget("paths", f"layer {view.model}"),
            help="Where in the model the states are taken and put back. 0 is the embeddings. "
            + plain(why(named, usual)),
        )
    )
    return replace(view, layer=None if layer == usual else layer), layer


def why(named: Named | None, usual: int) -> str:
    """Why that layer is suggested."""
    if named is None:
        return (
            f"Layer {usual} is an eighth of the way up; in which layers this model names nouns "
            "is not measured yet."
        )
    first, last = named.good
    most = max(named.right)
    many = f"layers {first} to {last}" if last > first else f"layer {first}"
    said = f"In {many} this model names {most} of {named.nouns} nouns right"
    if first == 0 < usual:
        return f"{said}. Layer 0 is the embeddings, where naming a word is no feat."
    return f"{said}."


def measure_layers(view: PathView, named: Named | None) -> None:
    """How well each layer names nouns: the figures, or the button that measures them."""
    if named is None:
        st.caption("Which layer says most is measured with sixty nouns in each, once a model.")
        key = f"{widget('paths', 'measure')} {view.model}"
        if st.button("Measure every layer", key=key) or st.session_state.get(f"{key} on"):
            st.session_state[f"{key} on"] = True
            job_id = submitted("nouns", {"model": view.model}, f"nouns {view.model}")
            if job_id is not None:
                watch(job_id, "Measure every layer", lambda: has_named(workspace(), view.model))
        return
    table = {
        "layer": list(named.layers),
        f"of {named.nouns} nouns": list(named.right),
        f"of {len(named.cut)} words in pieces": list(named.right_cut),
    }
    st.caption(plain(why(named, named.suggested)))
    st.dataframe(table, hide_index=True, height=220)


def pieces_said(text: str, pieces: tuple[str, ...]) -> str:
    """A sentence for a concept that the model has in several tokens, else nothing."""
    if len(pieces) < 2:
        return ""
    cut = " · ".join(piece.strip() or "(space)" for piece in pieces)
    return (
        f"“{plain(text, 60)}” is {len(pieces)} tokens here ({plain(cut, 120)}); its state is that "
        "of the last one, and often stands for that piece alone."
    )
