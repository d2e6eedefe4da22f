"""Sentences read layer by layer: every token walks through one picture of all layers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import streamlit as st

from core.cache import LruCache
from core.errors import MeaningSpaceError
from core.figures.layers.states import layer_colours, layer_name, layers_map, runs_of
from core.figures.scene import Items, Mover, Picture, Player, Scene, Strip
from core.figures.tokens import OKABE_ITO
from core.permalink import MAX_TEXT, LayersView
from core.pipeline.layers.pictures import (
    Ground,
    LayerPicture,
    Track,
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
from core.spaces.linalg import unit_rows
from core.spaces.words import folded, is_word, lines_of
from core.ui.layers.attention import attention_lines
from core.ui.layers.drift import drift_panel
from core.ui.layers.nearest_states import nearest_states_panel
from core.ui.shared.downloads import as_page, safe_csv
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.projection_form import TITLES
from core.ui.shared.segments import segments
from core.ui.shared.state import forget_widgets, remember, widget, workspace
from core.ui.shared.turns import kept_or_made
from core.ui.stage import dark, mount, tokens

MOST_SENTENCES = 12
MOST_DRAWN = 120  # tokens that walk
MOST_FOLLOWED = 4  # of one word, each with its way and a strip of what it is near
SECONDS = 8.4
SENTENCES = (OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[3], OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[7])
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
FITS = {"joint": "One fit for all", "aligned": "Aligned", "each": "Each by itself"}
DISTORTS = {
    "joint": "One fit for all layers: a place means the same in each of them, but what a single "
    "layer does is flattened most.",
    "aligned": "A fit for each layer, turned onto that of the layer before: every layer at its "
    "best, but some of the movement is the turning of the picture.",
    "each": "A fit for each layer, as it comes: only who is near whom counts; the movement "
    "between two layers means nothing.",
}

_readings: LruCache[States] = LruCache(12)


@dataclass(frozen=True, eq=False)
class SentenceReading:
    """Sentences as a model reads them, on a picture of its layers."""

    seen: LayersView
    states: States
    picture: LayerPicture

    @cached_property
    def places(self) -> Track:
        """(l, t, 2)"""
        return self.picture.place([np.asarray(layer, np.float32) for layer in self.states.layers])

    @property
    def chosen(self) -> int:
        """The row of the token that is looked at."""
        count = len(states_of(self))
        wanted = self.seen.token
        return wanted if wanted is not None and wanted < count else telling(self.states)

    @cached_property
    def followed(self) -> list[int]:
        """The chosen token, then its namesakes among those that are drawn."""
        name = folded(self.written(self.chosen))
        same = [row for row in states_of(self) if folded(self.written(row)) == name]
        return [self.chosen, *(row for row in same if row != self.chosen)][:MOST_FOLLOWED]

    @cached_property
    def near(self) -> list[list[list[str]]]:
        """For each followed token and each layer, the words that its state is nearest to."""
        return [nearest_words(self.picture.ground, self.states, row) for row in self.followed]

    def written(self, row: int) -> str:
        """A token as it stands in its sentence."""
        return surface(self.states, row)


def surface(states: States, row: int) -> str:
    """The characters of a token, or its name in the vocabulary where it has none."""
    token = states.tokens.iloc[row]
    text = states.texts[int(token["text"])][int(token["start"]) : int(token["end"])]
    return text or str(token["token"])


def telling(states: States) -> int:
    """The token to begin with: a word that stands in most of the sentences, the longest of those.

    A single sentence has its longest word looked at.
    """
    names = [folded(surface(states, row)) for row in range(min(len(states.tokens), MOST_DRAWN))]
    held: dict[str, set[int]] = {}
    for name, text in zip(names, states.tokens["text"].tolist(), strict=False):
        held.setdefault(name, set()).add(text)
    best = max(
        held, key=lambda name: (len(held[name]) > 1, len(name) > 3, len(held[name]), len(name))
    )
    return names.index(best)


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
    picture, seen = reading.picture, reading.seen
    joint = picture.fit == "joint"
    own = picture.ground.joint if joint else picture.ground.layers[0]
    coords = np.concatenate(picture.coords) if joint else picture.coords[0]
    frame = np.concatenate(picture.coords) if not joint else coords[:0]
    colours = None
    if joint:
        colours = layer_colours([len(coord) for coord in picture.coords], dark())
    movers = _movers(reading)
    ways = [(mover.way, mover.color) for mover in movers if mover.chosen]
    revision = f"{own.digest} {picture.fit} {picture.spec.digest}"
    title = f"{len(states_of(reading)):,} tokens over {len(coords):,} states"
    scene = Scene(
        name=f"layers {picture.fit} {picture.spec.kind}",
        pictures=[
            Picture(
                layers_map(coords, frame, colours, ways, tokens(), revision),
                title=f"{title}: {FITS[picture.fit].lower()}, {TITLES[picture.spec.kind]}",
                tag="projected",
                alt=f"{_told(reading)[-1]} Each token's way through the layers.",
                height=380,
                fill=452,
                space=f"{own.digest} layers",
                hint=DISTORTS[picture.fit],
                movers=movers,
                steps=() if joint else picture.coords,
            )
        ],
        items=Items(own.texts, _details(own.digest, own.metadata), None),
        legend=None if colours is None else colours.legend,
        player=_player(reading),
    )
    mount(scene, "layers stage", _choose)
    every, drawn = len(reading.states.tokens), len(states_of(reading))
    only = "" if drawn == every else f" The first {drawn} of {every} tokens are drawn."
    st.caption(f"{DISTORTS[seen.fit]}{only}")
    return scene


def states_of(reading: SentenceReading) -> range:
    """Rows of the tokens that are drawn."""
    return range(min(len(reading.states.tokens), MOST_DRAWN))


@st.cache_resource(max_entries=8, show_spinner=False)
def _details(digest: str, _table: pd.DataFrame) -> list[str]:  # noqa: ARG001 - the digest is the key
    names = [layer_name(int(number)) for number in _table["layer"]]
    return [f"{name} · {text[:110]}" for name, text in zip(names, _table["sentence"], strict=True)]


def _movers(reading: SentenceReading) -> list[Mover]:
    """A dot for each token, in its sentence's colour; the chosen token and its namesakes with
    their ways."""
    states, places = reading.states, reading.places
    strokes = dict(zip(reading.followed, _strokes(), strict=False))
    colors = SENTENCES if len(states.texts) > 1 else (tokens().quiet,)
    made = []
    for row in states_of(reading):
        text = int(states.tokens["text"].iloc[row])
        made.append(
            Mover(
                text=reading.written(row),
                way=np.ascontiguousarray(places[:, row]),
                color=strokes.get(row) or colors[text % len(colors)],
                row=row,
                chosen=row in strokes,
                detail=f"in: {states.texts[text][:120]}",
            )
        )
    return made


def _strokes() -> tuple[str, ...]:
    """Colours of what is followed: the chosen one amber, then its namesakes."""
    theme = tokens()
    return theme.accent, theme.second, theme.third, theme.label


def _player(reading: SentenceReading) -> Player:
    """Layer by layer, with what the states of the followed tokens are nearest to."""
    count = len(reading.states.layers)
    strips = [
        Strip(_strip_name(reading, row), color, runs_of([words[0] for words in near]))
        for row, color, near in zip(reading.followed, _strokes(), reading.near, strict=False)
    ]
    return Player(
        t=[float(layer) for layer in range(count)],
        strips=strips,
        transcript=_told(reading),
        seconds=SECONDS,
        names=[layer_name(layer) for layer in range(count)],
    )


def _strip_name(reading: SentenceReading, row: int) -> str:
    """ "bank, 2": the token, and in which sentence it stands where that has to be said."""
    name = reading.written(row)[:10]
    text = int(reading.states.tokens["text"].iloc[row])
    return f"{name}, {text + 1}" if len(reading.followed) > 1 else name


def _told(reading: SentenceReading) -> list[str]:
    """Each layer in words."""
    near = reading.near
    lines = []
    for layer in range(len(reading.states.layers)):
        said = [
            f"{_strip_name(reading, row)} is nearest to {', '.join(words[layer])}"
            for row, words in zip(reading.followed, near, strict=True)
        ]
        lines.append(f"{layer_name(layer)}: {'; '.join(said)}.")
    return lines


def nearest_words(own: Ground, states: States, row: int, k: int = 3) -> list[list[str]]:
    """For each layer the k different tokens of the background whose states are nearest, by cosine
    about the layer's mean; the token's own kind, and what begins like it, is left out."""
    name = folded(surface(states, row).strip())
    found = []
    for number, space in enumerate(own.layers):
        query = unit_rows(np.asarray(states.layers[number][[row]], np.float32) - space.mean)[0]
        words: dict[str, None] = {}
        for near in np.argsort(-(space.centred.unit @ query), kind="stable").tolist():
            text = space.texts[near]
            other = folded(text)
            if is_word(text) and not (other.startswith(name) or name.startswith(other)):
                words[text] = None
            if len(words) == k:
                break
        found.append(list(words) or ["–"])
    return found


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
