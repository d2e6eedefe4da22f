"""The senses of one word: its occurrences part as the layers play, and how far, by layer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.cache import LruCache
from core.errors import MeaningSpaceError
from core.figures.layers.states import (
    MOST_NAMED,
    LayerCurve,
    curve_legend,
    layer_curves,
    layer_name,
    layers_map,
    runs_of,
)
from core.figures.scene import Mover, Picture, Player, Scene, Strip
from core.figures.tokens import OKABE_ITO
from core.permalink import LayersView
from core.pipeline.layers.pictures import LayerPicture, ground_of, layer_picture
from core.pipeline.layers.senses import (
    Senses,
    SenseSentence,
    grouped_senses,
    prepared_senses,
    senses,
)
from core.pipeline.models import identity
from core.projection.base import PcaSpec
from core.spaces.words import lines_of
from core.ui.shared.downloads import safe_csv
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, widget, workspace
from core.ui.shared.turns import kept_or_made
from core.ui.stage import mount, tokens

SENSES = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[3], OKABE_ITO[1], OKABE_ITO[0])
SECONDS = 8.4
HELP = """
- **Silhouette** (Rousseeuw 1987): how much nearer an occurrence is to its own sense than to the
  nearest other one, from -1 to 1, by cosine distance in all dimensions.
- **Chance** is what the same states give when the labels are shuffled: its mean, and the value that
  95% of 200 shuffles stay below.
"""
HELP_FOUND = """
Nobody has labelled these sentences. In each layer the occurrences are cut into two groups
(spherical k-means). Any cloud can be cut in two, so chance is what the same cut gives in 40 normal
clouds of the same mean and spread: its mean, and the value that 95% of them stay below.
"""

_readings: LruCache[Senses] = LruCache(12)


def senses_view(view: LayersView) -> LayersView:
    """Choose a word, watch its occurrences part, and see in which layer they do."""
    view, own = _controls(view)
    found = _found_or_stop(view, own)
    shown = found.best if view.layer is None else min(view.layer, len(found.layers) - 1)
    picture, beside = st.columns([0.72, 0.28], gap="small")
    with picture:
        _show(found, _picture(view.model, found), view.token)
    with beside:
        curve = st.container()
        chosen = st.selectbox(
            "Layer of the list below",
            list(range(len(found.layers))),
            index=shown,
            format_func=layer_name,
            key=widget("layers", f"layer of {found.word[:40]} {view.model}"),
        )
        with curve:
            _curve(found, chosen)
    _sentences(found, chosen)
    return replace(view, layer=None if chosen == found.best else chosen)


def _controls(view: LayersView) -> tuple[LayersView, tuple[SenseSentence, ...]]:
    """The word, and sentences of the person's own with it."""
    words, bring = st.columns([3, 1], vertical_alignment="bottom")
    options = list(dict.fromkeys([*prepared_senses(), view.word]))
    with words:
        chosen = st.selectbox(
            "Word",
            options,
            index=options.index(view.word),
            key=widget("layers", "word"),
            accept_new_options=True,
            help="Eight words have sentences written for this page, each labelled with its sense. "
            "Type any other, and it is looked for in the packaged texts.",
        )
    with bring, st.popover("Your own sentences", width="stretch"):
        st.caption("One a line, its sense first: `shore: She sat on the bank of the river.`")
        typed = st.text_area("Sentences with senses", key=widget("layers", "labelled"), height=200)
    word = (chosen or view.word).strip()
    if word != view.word:
        view = replace(view, word=word, layer=None, token=None)
    return view, labelled(typed)


def labelled(text: str) -> tuple[SenseSentence, ...]:
    """Lines of ``sense: sentence``; a line without a sense is left out.

    >>> labelled("shore: The bank was wet.\\nno colon")
    (SenseSentence(text='The bank was wet.', sense='shore'),)
    """
    pairs = [line.partition(":")[::2] for line in lines_of(text)]
    return tuple(
        SenseSentence(sentence.strip(), sense.strip()[:40])
        for sense, sentence in pairs
        if sense.strip() and sentence.strip()
    )


def _found_or_stop(view: LayersView, own: tuple[SenseSentence, ...]) -> Senses:
    try:
        if not view.word:
            st.info("Type a word.", icon=":material/edit:")
            st.stop()
        return _found(view.model, identity(view.model), view.word, own)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()


def _found(model: str, stamp: str, word: str, own: tuple[SenseSentence, ...]) -> Senses:
    def made() -> Senses:
        with st.spinner("Reading the sentences; the model is loaded first"):
            if own or word in prepared_senses():
                return senses(model, word, own or None)
            return grouped_senses(model, word)

    return kept_or_made(_readings, (model, stamp, word, own), made, "read")


def _picture(model: str, senses: Senses) -> LayerPicture:
    """The occurrences alone, a plane for each layer, turned onto that of the layer before."""
    own = ground_of(senses.layers, [sentence.text for sentence in senses.sentences], model)
    return layer_picture(workspace(), own, PcaSpec(), "aligned")


def _show(senses: Senses, picture: LayerPicture, token: int | None) -> None:
    names, colors = _colors(senses)
    places = np.stack(picture.coords)  # (l, m, 2)
    everything = np.concatenate(picture.coords)
    movers = [
        Mover(
            text=it.sense,
            way=np.ascontiguousarray(places[:, row]),
            color=colors[it.sense],
            row=row,
            named=False,
            detail=it.text,
        )
        for row, it in enumerate(senses.sentences)
    ]
    for name in names:
        rows = [row for row, it in enumerate(senses.sentences) if it.sense == name]
        middle = places[:, rows].mean(axis=1)
        movers.append(
            Mover(name, middle, colors[name], -1, chosen=True, detail=f"middle of {name}")
        )
    ways = [(mover.way, mover.color) for mover in movers[len(senses.sentences) :]]
    best = layer_name(senses.best)
    scene = Scene(
        name=f"senses {senses.word}",
        pictures=[
            Picture(
                layers_map(
                    everything[:0], everything, None, ways, tokens(), f"senses {senses.word}"
                ),
                title=f"“{senses.word[:40]}” in {len(senses.sentences)} sentences",
                tag="projected",
                alt=f"{senses.word} in {len(senses.sentences)} sentences; the senses part most in "
                f"{best}, silhouette {senses.partings[senses.best].silhouette:.2f}.",
                height=380,
                fill=440,
                hint="Each layer's own plane of most variance, turned onto that of the layer "
                "before: no label was used to draw it.",
                movers=movers,
            )
        ],
        legend={
            "title": "Sense" if senses.given else "Found group",
            "entries": [{"label": name, "color": colors[name]} for name in names],
        },
        player=_player(senses, picture),
    )
    mount(scene, "senses stage", _choose)
    kept = [_share(picture, layer) for layer in range(len(picture.coords))]
    st.caption(
        "A plane for each layer, chosen without the labels and turned onto that of the layer "
        f"before; it keeps {min(kept):.0%} to {max(kept):.0%} of what there is between the "
        "occurrences. The silhouette is measured in all dimensions."
    )
    if token is not None and token < len(senses.sentences):
        it = senses.sentences[token]
        st.markdown(f"**{plain(it.sense, 40)}**: {plain(it.text)}")


def _share(picture: LayerPicture, layer: int) -> float:
    plane = picture.planes[layer]
    return sum(plane.variances) / plane.total


def _colors(senses: Senses) -> tuple[list[str], dict[str, str]]:
    names = sorted({sentence.sense for sentence in senses.sentences})
    return names, {name: SENSES[k % len(SENSES)] for k, name in enumerate(names)}


def _player(senses: Senses, picture: LayerPicture) -> Player:
    count = len(picture.coords)
    roomy = count <= MOST_NAMED
    digits = 2 if roomy else 1
    said = [
        f"{round(parting.silhouette, digits) + 0.0:.{digits}f}" for parting in senses.partings
    ]  # no -0.0
    each = [(k, k + 1, text, False) for k, text in enumerate(said)]
    lines = [
        f"{layer_name(k)}: silhouette {it.silhouette:.2f}, by chance {it.null_mean:.2f}, at most "
        f"{it.null_high:.2f} in 95% of the draws."
        for k, it in enumerate(senses.partings)
    ]
    return Player(
        t=[float(layer) for layer in range(count)],
        strips=[Strip("parting", tokens().accent, each if roomy else runs_of(said))],
        transcript=lines,
        seconds=SECONDS,
        names=[layer_name(layer) for layer in range(count)],
    )


def _choose() -> None:
    picked = st.session_state["senses stage"]["chosen"]
    current = st.session_state.get("layers view")
    if isinstance(current, LayersView) and picked and int(picked.get("mover", -1)) >= 0:
        remember("layers", replace(current, token=int(picked["mover"])))


def _curve(senses: Senses, shown: int) -> None:
    """The silhouette by layer, beside chance, and what to make of it."""
    theme, best = tokens(), senses.partings[senses.best]
    values = [parting.silhouette for parting in senses.partings]
    curves = [
        LayerCurve("silhouette", values, theme.accent),
        LayerCurve(
            "by chance", [parting.null_mean for parting in senses.partings], theme.quiet, "dot"
        ),
        LayerCurve(
            "95% of chance", [parting.null_high for parting in senses.partings], theme.quiet, "dash"
        ),
    ]
    figure = layer_curves(curves, "silhouette", theme, f"senses {senses.word}", at=shown)
    name = layer_name(senses.best)
    picture = Picture(
        figure,
        title="How far the senses part",
        tag="measured",
        alt=f"Silhouette by layer: {', '.join(f'{value:.2f}' for value in values)}.",
        height=230,
    )
    mount(Scene("senses curve", [picture], legend=curve_legend(curves)), "senses curve")
    if best.silhouette > best.null_high:
        verdict = f"They part most in {name}: {best.silhouette:.2f}, where chance gives "
        verdict += (
            f"{round(best.null_mean, 2) + 0.0:.2f} and seldom more than {best.null_high:.2f}."
        )
    else:
        verdict = f"They do not part beyond chance: {best.silhouette:.2f} at best, in {name}, "
        verdict += f"where chance reaches {best.null_high:.2f}."
    if not senses.given:
        verdict += " The groups were found in the states, not given: look whether they are senses."
    st.markdown(verdict, help=HELP if senses.given else HELP_FOUND)


def _sentences(senses: Senses, shown: int) -> None:
    """Every sentence with its sense, and how well its occurrence stands with its own."""
    by_item = senses.partings[shown].by_item
    table = pd.DataFrame(
        {
            "sense": [sentence.sense for sentence in senses.sentences],
            "sentence": [sentence.text for sentence in senses.sentences],
            "silhouette": np.round(by_item, 3),
        }
    ).sort_values("silhouette", ascending=False, kind="stable")
    st.markdown(f"##### The sentences, by how they stand in {layer_name(shown)}")
    st.dataframe(
        table,
        hide_index=True,
        height=250,
        column_config={"silhouette": st.column_config.NumberColumn(format="%.2f", width="small")},
    )
    st.download_button("Save as CSV", safe_csv(table), f"senses-{senses.word[:20]}.csv", "text/csv")
