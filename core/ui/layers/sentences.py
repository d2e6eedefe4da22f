"""Sentences read layer by layer: every token walks through one picture of all layers."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.cache import LruCache
from core.errors import MeaningSpaceError
from core.figures.layers.states import layer_name
from core.figures.scene import Scene
from core.permalink import MAX_TEXT, LayersView
from core.pipeline.layers.pictures import (
    Ground,
    LayerPicture,
    ground,
    has_ground,
    has_picture,
    has_second,
    layer_picture,
    second_picture,
)
from core.pipeline.models import identity, reader
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.signatures.hidden import FULL, hidden_states
from core.signatures.states import States
from core.spaces.words import lines_of
from core.ui.layers.attention import attention_lines
from core.ui.layers.drift import drift_panel
from core.ui.layers.nearest_states import nearest_states_panel
from core.ui.layers.sentence_scene import (
    DISTORTS,
    FITS,
    SentenceReading,
    sentence_scene,
    states_of,
)
from core.ui.shared.downloads import as_page, safe_csv
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES
from core.ui.shared.segments import segments
from core.ui.shared.state import forget_widgets, remember, widget, workspace
from core.ui.shared.turns import kept_or_made
from core.ui.stage import mount

MOST_SENTENCES = 12
SETS = {
    "Two banks": ("She sat on the bank of the river.", "He took the money to the bank."),
    "Light, three ways": (
        "The light of the lamp fell on the table.",
        "Her bag was light enough to carry.",
        "He tried to light the candle.",
    ),
    "One not": ("The film was good.", "The film was not good."),
    "Who bites whom": ("The dog bit the man.", "The man bit the dog."),
    "What is it": (
        "The trophy did not fit into the suitcase because it was too big.",
        "The trophy did not fit into the suitcase because it was too small.",
    ),
    "The old man the boats": ("The old man the boats.", "The old man sails the boats."),
}

_readings: LruCache[States] = LruCache(12)


def sentence_view(view: LayersView) -> LayersView:
    """The box, the picture with its player, and what there is to know of the chosen token."""
    view = _box(view)
    states = states_or_stop(view.model, view.sentences)
    own = ground_or_wait(view.model)
    stage, controls, line, progress = st.container(), st.container(), st.container(), st.container()
    with controls:
        view = _picture_controls(view, len(states.layers))
    spec: Spec = PcaSpec() if view.picture == "pca" else UmapSpec()
    shown: Spec = spec if has_picture(workspace(), view.model, spec, view.fit) else PcaSpec()
    key = f"{own.joint.digest} {shown.digest}"
    reading = SentenceReading(view, states, _drawn(key, view.model, shown, view.fit))
    with stage:
        scene = _show(reading)
    with line:
        _truth(reading, shown)
    with progress:
        _follow(view, spec)
    second = None
    if has_second(workspace(), view.model, shown, view.fit):
        second = _second(key, view.model, shown, view.fit)
    attention_lines(view, states, reading.chosen)
    nearest_states_panel(view, states, reading.chosen)
    drift_panel(reading.picture, states, reading.chosen, second)
    _take_away(reading, scene)
    return view


def _box(view: LayersView) -> LayersView:
    """Where sentences are typed, one a line, or a prepared set is taken."""
    if not view.sentences:
        view = replace(view, sentences=SETS["Two banks"])
    box, sets = st.columns([0.76, 0.24], vertical_alignment="top")
    with box:
        typed = st.text_area(
            "Sentences, one a line",
            "\n".join(view.sentences),
            height=84,
            key=widget("layers", "sentences"),
            max_chars=8_000,
            help="Press Ctrl+Enter, or click beside the box, to have them read.",
        )
    lines = tuple(line.strip() for line in lines_of(typed) if line.strip())
    with sets:
        named = next((name for name, it in SETS.items() if it == lines), None)
        key = widget("layers", f"set {named}")
        st.selectbox(
            "Or a prepared set",
            list(SETS),
            index=None if named is None else list(SETS).index(named),
            placeholder="Your own",
            key=key,
            on_change=_take_set,
            args=(key,),
        )
    if not lines:
        st.info("Type a sentence, and its tokens walk through the layers.", icon=":material/edit:")
        st.stop()
    if len(lines) > MOST_SENTENCES:
        st.warning(
            f"Found {len(lines)} sentences; the first {MOST_SENTENCES} are read here. Whole texts "
            "go to the Texts page."
        )
    if max(map(len, lines)) > MAX_TEXT:
        st.warning(
            f"Found a line of {max(map(len, lines)):,} characters; it is cut after {MAX_TEXT:,} "
            "characters. Whole texts go to the Texts page."
        )
    lines = tuple(line[:MAX_TEXT] for line in lines[:MOST_SENTENCES])
    if lines != view.sentences:
        view = replace(view, sentences=lines, token=None)
    return view


def _take_set(key: str) -> None:
    name = st.session_state[key]
    current = st.session_state.get("layers view")
    if name in SETS and isinstance(current, LayersView):
        forget_widgets("layers")
        remember("layers", replace(current, sentences=SETS[name], token=None))


def states_or_stop(model: str, sentences: tuple[str, ...]) -> States:
    """The states of sentences; where they cannot be read, why, and the page ends."""
    try:
        states = _states(model, identity(model), sentences)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()
    for note in states.notes:
        st.info(plain(f"{note[:1].upper()}{note[1:]}."), icon=":material/info:")
    return states


def _states(model: str, stamp: str, sentences: tuple[str, ...]) -> States:
    def made() -> States:
        with st.spinner("Reading with the model; it is loaded first"):
            return hidden_states(sentences, reader(model), FULL, truncate=True)

    return kept_or_made(_readings, (model, stamp, sentences), made, "read")


def ground_or_wait(model: str) -> Ground:
    """The states behind the picture; where they are not made yet, a job with its progress."""
    if not has_ground(workspace(), model):
        st.caption(
            "For the background, some 140 sentences are read by the model once and kept; that "
            "takes about ten seconds."
        )
        follow_layers(model, PcaSpec(), "joint", lambda: has_ground(workspace(), model))
        st.stop()
    return ground(workspace(), model)


def follow_layers(model: str, spec: Spec, fit: str, ready: Callable[[], bool]) -> None:
    """Have the worker draw the layers, and show how far it is."""
    arguments = {"model": model, "spec": spec.to_dict(), "fit": fit}
    job_id = submitted("layers", arguments, f"layers {model} {spec.digest} {fit}")
    if job_id is not None:
        watch(job_id, "Draw the layers", ready)


@st.cache_resource(max_entries=6, show_spinner="Fitting one picture to the layers")
def _drawn(key: str, model: str, _spec: Spec, fit: str) -> LayerPicture:  # noqa: ARG001 - the key
    return layer_picture(workspace(), ground(workspace(), model), _spec, fit)


@st.cache_resource(max_entries=6, show_spinner=False)
def _second(key: str, model: str, _spec: Spec, fit: str) -> LayerPicture:  # noqa: ARG001 - the key
    return second_picture(workspace(), model, _spec, fit)


def _picture_controls(view: LayersView, count: int) -> LayersView:
    fits, projectors, layers = st.columns([3, 1.6, 1.6], vertical_alignment="bottom")
    with fits:
        distorts = "\n\n".join(f"**{FITS[name]}**: {DISTORTS[name]}" for name in FITS)
        label = "Layers in the picture"
        fit = segments("layers", "fit", label, FITS, view.fit, help_text=distorts)
    with projectors:
        titles = {name: TITLES[name] for name in ("umap", "pca")}
        picture = segments("layers", "picture", "Picture", titles, view.picture)
    with layers:
        shown = count - 1 if view.layer is None else min(view.layer, count - 1)
        layer = st.selectbox(
            "Layer of what stands below",
            list(range(count)),
            index=shown,
            format_func=layer_name,
            key=widget("layers", f"layer {view.model}"),
        )
    chosen = None if layer == count - 1 else layer
    return replace(view, fit=fit, picture=picture, layer=chosen)


def _show(reading: SentenceReading) -> Scene:
    """Put the picture on the stage; the scene, for whoever exports it."""
    scene = sentence_scene(reading)
    mount(scene, "layers stage", _choose)
    every, drawn = len(reading.states.tokens), len(states_of(reading))
    only = "" if drawn == every else f" The first {drawn} of {every} tokens are drawn."
    st.caption(f"{DISTORTS[reading.seen.fit]}{only}")
    return scene


def _choose() -> None:
    picked = st.session_state["layers stage"]["chosen"]
    current = st.session_state.get("layers view")
    if isinstance(current, LayersView) and picked and "mover" in picked:
        remember("layers", replace(current, token=max(0, int(picked["mover"]))))


def _truth(reading: SentenceReading, shown: Spec) -> None:
    """How true the picture is; a picture for each layer is as true as each of them."""
    picture = reading.picture
    if picture.fit == "joint":
        truth_line(picture.ground.joint, shown)
        return
    spaces = picture.ground.layers
    if not all(workspace().has_faithfulness(space, shown) for space in spaces):
        st.caption("How true this picture is, is being measured.")
        return
    found = [workspace().faithfulness(space, shown) for space in spaces]
    if not all(it.judged for it in found):
        st.caption("Too few tokens to judge how true this picture is.")
        return
    kept = [it.overlap * it.k for it in found]
    trust = [it.trustworthiness for it in found]
    st.caption(
        f"Of a token's {found[0].k} true neighbours in a layer, {min(kept):.1f} to {max(kept):.1f} "
        f"are near it in that layer's picture; trustworthiness {min(trust):.2f} to "
        f"{max(trust):.2f}."
    )


def _follow(view: LayersView, spec: Spec) -> None:
    """What is still missing of the picture is drawn by the worker."""
    model, fit = view.model, view.fit
    drawn = has_picture(workspace(), model, spec, fit)
    if drawn and has_second(workspace(), model, spec, fit):
        return

    def ready() -> bool:
        return not drawn and has_picture(workspace(), model, spec, fit)

    follow_layers(model, spec, fit, ready)


def _take_away(reading: SentenceReading, scene: Scene) -> None:
    """The ways as a table, the picture as a page that plays offline."""
    states = reading.states
    rows = list(states_of(reading))
    tables = []
    for layer in range(len(states.layers)):
        own = states.tokens.iloc[rows]
        tables.append(
            pd.DataFrame(
                {
                    "layer": layer,
                    "sentence": [states.texts[text] for text in own["text"]],
                    "token": [reading.written(row) for row in rows],
                    "start": own["start"].to_numpy(),
                    "end": own["end"].to_numpy(),
                    "x": reading.places[layer, rows, 0],
                    "y": reading.places[layer, rows, 1],
                }
            )
        )
    with st.popover("Take away"):
        st.download_button(
            "The ways as CSV",
            safe_csv(pd.concat(tables)),
            "layers.csv",
            "text/csv",
            width="stretch",
        )
        st.download_button(
            "The picture as a page that plays offline",
            lambda: as_page(scene, "Through the layers", " / ".join(states.texts)[:300]),
            "layers.html",
            "text/html",
            width="stretch",
        )
