"""Between two concepts: the controls, the bands of words, and what was said in full."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.paths.interpolation import (
    Band,
    ComparedReading,
    band_labels,
    bands,
    between_figure,
    told_labels,
)
from core.figures.scene import Picture, Player, Scene, Strip
from core.permalink import PathView
from core.pipeline.paths.interpolation import divergence, has_between, kept_between, require_asked
from core.pipeline.paths.interpolation_reading import Between
from core.teachers.causal import depth_of
from core.ui.paths.layer_choice import layer_slider, measure_layers, naming, pieces_said
from core.ui.shared.downloads import as_page, file_name, save_page_and_table
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.segments import segments
from core.ui.shared.state import widget, workspace
from core.ui.stage import mount, tokens

ENDS = ("ocean", "justice")
KINDS = {"lerp": "Straight", "slerp": "Sphere", "centred": "Centred"}
SECONDS = 10.0
NOTHING = -1  # in place of a layer
HELP = """
- **Entropy** is the model's doubt about the next word, in nats: 0 where it is sure, 10.8 where all
  49,152 words of SmolLM2 were as likely.
- **Random** are eight random directions as long as the two states; **shuffled** are eight midpoints
  of the two states with their numbers in another order. Neither means anything.
- An **echo** is a word of the question itself.
- **JSD** is the Jensen-Shannon divergence between the answers of two layers, over all words of the
  model: 0 nats where they are the same, 0.69 where they share no word.
"""
Asked = tuple[str, str, str, int, int, str]  # model, both ends, layer, steps, kind


@dataclass(frozen=True, eq=False)
class Other:
    """The same way ``read`` in another layer; its answers are ``apart`` (m,) nats from the first's
    (Jensen-Shannon divergence)."""

    read: Between
    apart: npt.NDArray[np.float32]

    @property
    def name(self) -> str:
        return f"layer {self.read.layer}"

    def said(self) -> str:
        """How far the two layers' answers are apart, in a sentence."""
        most = float(self.read.t[int(self.apart.argmax())])
        return (
            f"The answers of {self.name} are {float(self.apart.mean()):.2f} nats from these in the "
            f"mean (JSD, 0.69 at most), furthest near t {most:.2f}."
        )


def between_view(view: PathView) -> PathView:
    """The whole view; the view state as the person has changed it."""
    try:
        view, layer = _controls(view)
        a, b = view.ends or ENDS
        require_asked((a, b), view.samples, view.blend)
        asked = (view.model, a, b, layer, view.samples, view.blend)
        if not has_between(workspace(), *asked):
            _follow(asked)
            return view
        between = kept_between(workspace(), *asked)
        second = _second(view, asked)
        known = second is not None and has_between(workspace(), *second)
        other = None
        if second is not None and known:
            below = kept_between(workspace(), *second)
            other = Other(below, divergence(between, below))
        scene = between_scene(between, other)
        mount(scene, "between stage")
        if second is not None and not known:
            _follow(second)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    _truth(between, other)
    _take_away(between, other, scene)
    return view


def _second(view: PathView, asked: Asked) -> Asked | None:
    """What is asked of the other layer; None where none is chosen."""
    model, a, b, layer, steps, kind = asked
    if view.beside is None or view.beside == layer:
        return None
    return model, a, b, view.beside, steps, kind


def _controls(view: PathView) -> tuple[PathView, int]:
    """The two concepts, the layer, the kind of way, and rare settings."""
    named = naming(view)
    a, b = (*view.ends, "", "")[:2] if view.ends else ENDS
    form, slider, other, more = st.columns([4.6, 2.2, 1.5, 1.1], vertical_alignment="bottom")
    with form, st.form(widget("paths", "ends"), border=False):
        first, second, button = st.columns([1.3, 1.3, 1.2], vertical_alignment="bottom")
        a = first.text_input("From", a, key=widget("paths", "from"), max_chars=200)
        b = second.text_input("To", b, key=widget("paths", "to"), max_chars=200)
        button.form_submit_button("Walk between", type="primary", width="stretch")
    with slider:
        view, layer = layer_slider(view, named)
    with other:
        view = _beside(view, layer)
    with more, st.popover("More", width="stretch"):
        blend = segments(
            "paths", "blend", "Way", KINDS, view.blend,
            help_text="Straight mixes the two states. Sphere turns the one into the other and "
            "keeps its length; Centred does so about the mean state of sixty nouns.",
        )  # fmt: skip
        samples = st.slider(
            "Steps", 5, 61, min(max(view.samples, 5), 61), 2, key=widget("paths", "samples")
        )
        measure_layers(view, named)
    ends = () if (a, b) == ENDS else (a, b)
    return replace(view, ends=ends, blend=blend, samples=int(samples)), layer


def _beside(view: PathView, layer: int) -> PathView:
    """Which other layer is asked the same, to be drawn below."""
    layers = [at for at in range(depth_of(view.model) + 1) if at != layer]
    chosen = st.selectbox(
        "Beside it",
        [NOTHING, *layers],
        index=1 + layers.index(view.beside) if view.beside in layers else 0,
        format_func=lambda it: "Nothing" if it == NOTHING else f"Layer {it}",
        key=widget("paths", f"beside {view.model} {layer}"),
        help="The same way through another layer, drawn below, with the curve of how differently "
        "the two answer.",
    )
    return replace(view, beside=None if chosen == NOTHING else chosen)


def _follow(asked: Asked) -> None:
    """Have the worker ask the model, and show how far it is."""
    model, a, b, layer, steps, kind = asked
    st.caption(
        f"Layer {layer} is asked at {steps} places between the two, once for the word and once "
        "for a description; that takes some ten seconds on a small machine, and is kept."
    )
    arguments = {"model": model, "a": a, "b": b, "layer": layer, "steps": steps, "kind": kind}
    job_id = submitted("between", arguments, f"between {asked}", slot="between")
    if job_id is not None:
        watch(job_id, "Ask the model", lambda: has_between(workspace(), *asked))


def between_scene(between: Between, other: Other | None = None) -> Scene:
    """The bands and the doubt below them, with a scrubber and what is said at each step; below
    those the bands of ``other``, and how far the two are apart."""
    theme = tokens()
    layers = _bands(between)
    beside = None
    if other is not None:
        names = (f"layer {between.layer}", other.name)
        beside = ComparedReading(names, _bands(other.read), other.apart)
    flips = [flip.t for flip in between.flips]
    a, b = between.ends
    spoken = ", then ".join(word for word, _ in groupby(between.top))
    revision = f"between {a} {b} {between.layer} {between.kind} {between.model}"
    below = "" if other is None else f" {other.name}"
    apart = "" if other is None else f" {other.said()}"
    return Scene(
        name=f"between {a} {b} {between.layer} {between.kind}{below}",
        pictures=[
            Picture(
                between_figure(
                    between.t, layers, between.entropy, flips, theme, revision + below, beside
                ),
                title="What the model says is there: the next word, and its doubt",
                tag="answered",
                alt=f"From {a} to {b} the likeliest word is {spoken}. Entropy "
                f"{between.entropy[0]:.1f} nats at the start, {between.entropy.max():.1f} at most, "
                f"{between.entropy[-1]:.1f} at the end.{apart}",
                height=340 if beside is None else 500,
                fill=530 if beside is None else 420,
                labels=band_labels(between.t, layers, beside),
                labels_at=told_labels(between.descriptions),
                hint="Bands are probabilities of the next word and add up to 1; a dotted line is "
                "where the likeliest word changes.",
            )
        ],
        player=_player(between, other),
    )


def _bands(between: Between) -> list[Band]:
    echoes = [between.echo(word) for word in between.words]
    return bands(between.words, between.shares, between.names, echoes)


def _says(between: Between) -> list[str]:
    return [f"{word} (echo)" if between.echo(word) else word for word in between.top]


def _player(between: Between, other: Other | None) -> Player:
    theme = tokens()
    says = _says(between)
    strips = [
        Strip("word" if other is None else f"layer {between.layer}", theme.accent, _runs(says))
    ]
    if other is not None:
        strips.append(Strip(other.name, theme.accent, _runs(_says(other.read))))
    strips.append(Strip("in words", theme.second, _sentences(between.descriptions), flowing=True))
    lines = [
        f"t {between.t[k]:.2f}: {says[k]}, {between.likeliest(k, 1)[0][1]:.2f}; {told}"
        for k, told in enumerate(between.descriptions)
    ]
    t = [round(float(value), 4) for value in between.t]
    return Player(t, strips, lines, seconds=SECONDS, start=len(t) // 2)


def _runs(texts: list[str]) -> list[tuple[int, int, str, bool]]:
    """Stretches of equal texts, none of them off the data."""
    runs, start = [], 0
    for text, group in groupby(texts):
        stop = start + len(list(group))
        runs.append((start, stop, text[:90] or "(nothing)", False))
        start = stop
    return runs


def _sentences(told: Sequence[str]) -> list[tuple[int, int, str, bool]]:
    """The same as running text, with a mark between two."""
    runs = _runs(list(told))
    marks = [" →"] * (len(runs) - 1) + [""]
    return [
        (start, stop, f" {text}{mark}", off)
        for (start, stop, text, off), mark in zip(runs, marks, strict=True)
    ]


def _truth(between: Between, other: Other | None) -> None:
    """One quiet line: whether the ends are named, where it flips, and what nothing would say."""
    right = sum(between.named)
    ends = ("neither end is", "one of the ends is", "both ends are")[right]
    flips = between.flips
    if not flips:
        turn = "The likeliest word never changes"
    elif len(flips) == 1:
        turn = f"It flips once, near t {flips[0].t:.2f}"
    else:
        turn = f"It changes {len(flips)} times, first near t {flips[0].t:.2f}"
    most = float(between.entropy.max())
    noise, shuffled = between.noise, between.shuffled
    echoes = noise.echoes + shuffled.echoes
    total = len(noise.words) + len(shuffled.words)
    apart = "" if other is None else f" {other.said()}"
    st.caption(
        f"Controls: {ends} named right. {turn}; the doubt is {most:.1f} nats at most, where random "
        f"vectors get {noise.entropy:.1f} and shuffled midpoints {shuffled.entropy:.1f}, "
        f"{echoes} of {total} of them answered with a word of the question itself.{apart}",
        help=HELP,
    )
    for text, pieces in zip(between.ends, between.pieces, strict=True):
        if said := pieces_said(text, pieces):
            st.caption(said)


def steps_table(between: Between) -> pd.DataFrame:
    """A row for each step."""
    said = [between.likeliest(k, 5) for k in range(len(between.t))]
    table = pd.DataFrame({"t": np.round(between.t, 4)})
    table["word"] = [entry[0][0] for entry in said]
    table["probability"] = [entry[0][1] for entry in said]
    table["echo"] = [between.echo(entry[0][0]) for entry in said]
    table["description"] = list(between.descriptions)
    table["next words"] = [", ".join(f"{word} {p:.2f}" for word, p in entry[1:]) for entry in said]
    table["entropy (nats)"] = between.entropy
    table["cosine to start"], table["cosine to end"] = between.cosines.T
    table["length"] = between.norms
    return table


def _take_away(between: Between, other: Other | None, scene: Scene) -> None:
    """The steps as a table, and what can be saved."""
    table = steps_table(between)
    if other is not None:
        table[f"word, {other.name}"] = other.read.top
        table["JSD (nats)"] = other.apart
    with st.expander("Every step in words and figures"):
        columns = {
            name: st.column_config.NumberColumn(format="%.2f")
            for name in table.select_dtypes("number").columns
        }
        columns["description"] = st.column_config.TextColumn(width="large")
        st.dataframe(table, hide_index=True, height=320, column_config=columns)
    save_page_and_table(
        file_name("between", between.ends),
        lambda: _page(between, scene),
        table,
        "step",
        "One HTML file that plays offline.",
    )


def _page(between: Between, scene: Scene) -> bytes:
    caption = (
        f"What {between.model} says between two states of its layer {between.layer}, at "
        f"{len(between.t)} steps ({KINDS[between.kind].lower()}). Made with Meaning Space."
    )
    return as_page(scene, f"Between {between.ends[0]} and {between.ends[1]}", caption)
