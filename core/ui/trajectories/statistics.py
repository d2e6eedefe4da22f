"""The laws view of the trajectories page: does a text move by any law that chance has not?"""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.layers.states import LayerCurve, curve_legend, layer_curves
from core.figures.scene import Picture, Scene
from core.figures.tokens import OKABE_ITO
from core.figures.trajectories.statistics import (
    Estimate,
    Panel,
    laws_figure,
    panels_height,
    random_walk_figure,
)
from core.permalink import TrajectoriesView
from core.pipeline.trajectories.samples import KINDS, TEXTS
from core.pipeline.trajectories.significance import Verdict, differences, verdicts
from core.pipeline.trajectories.statistics import (
    PROMPT,
    QUANTITIES,
    WRITTEN,
    Laws,
    corpus_places,
    has_laws,
    laws,
    laws_key,
    middle,
)
from core.teachers.causal import depth_of
from core.types import Coords
from core.ui.shared.downloads import safe_csv
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, widget, workspace
from core.ui.stage import mount, tokens
from core.ui.trajectories.preregistration import prediction_form, predictions_scored
from core.ui.trajectories.statistics_job import offer

SHORT = {
    "people": "people",
    "greedy": "model, likeliest",
    "sampled": "model, drawn",
    "shuffled": "words shuffled",
    "jumbled": "states jumbled",
    "walk": "walk, all sides",
    "shaped": "walk, shaped",
}
DRAWN = {
    "people": "Written by people",
    "sampled": "Written by the model",
    "shuffled": "Their words, shuffled",
    "shaped": "A random walk",
}
HELP_KINDS = "\n".join(
    [
        f"All texts of a document begin with the same {PROMPT} tokens; what is measured are the "
        f"{WRITTEN} behind them.",
        "",
        *(f"- **{SHORT[name]}**: {about}" for name, about in KINDS.items()),
        "",
        "The walks start where the people's text starts and take steps as long as its own.",
    ]
)
NOT_PROVEN = """
- A difference between means says nothing about a single text: most quantities overlap widely.
- That two kinds can't be told apart by a quantity may only mean that so many texts are too few: in
  layer 14 of the packaged model, four pairs that are not told apart here are in other documents.
- The person's passages are from an encyclopedia and old news, the model has read much of the
  like, and another model, layer or language may move otherwise.
- A walk in many dimensions is no strong rival: states of text never wander off, so every quantity
  about how far one comes tells them apart. The harder rivals are the shuffled words and the
  jumbled states.
- Straightening over the layers was found before (Hosseini & Fedorenko 2023). That order makes the
  way straighter is shown by the shuffled words; why, is not.
"""


def laws_view(view: TrajectoriesView) -> TrajectoriesView:
    """A guess first, then paths side by side, every quantity by kind of text, and a verdict."""
    st.caption(
        "Drawn as paths, texts look like a mess. Is there a law in it? Texts by people are laid "
        "beside texts by the model, the same words shuffled, and random walks.",
        help=HELP_KINDS,
    )
    try:
        view, layer = _layer(view)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    remember("trajectories", view)
    explored = has_laws(workspace(), view.model, layer)
    prediction_form(view.model, layer, open_first=not explored)
    predictions_scored(view.model, layer)
    if explored:
        view = _explored(view, laws(workspace(), view.model, layer))
    else:
        about = "This layer was not measured yet: a good moment to write down a guess."
        offer(view.model, layer, "explored", "Measure", about)
    with st.expander("What this does not prove"):
        st.markdown(NOT_PROVEN)
    return view


def _layer(view: TrajectoriesView) -> tuple[TrajectoriesView, int]:
    depth = depth_of(view.model)
    usual = middle(depth)
    shown = usual if view.layer is None else min(view.layer, depth)
    box, _ = st.columns([1, 3])
    with box:
        layer = st.selectbox(
            "Layer",
            list(range(depth + 1)),
            index=shown,
            format_func=lambda it: f"layer {it}" + ", a middle one" * (it == usual),
            key=widget("trajectories", f"laws layer {view.model}"),
            help="The space that the paths run through. Each layer is measured once.",
        )
    return replace(view, layer=None if layer == usual else layer), int(layer)


def _explored(view: TrajectoriesView, laws: Laws) -> TrajectoriesView:
    st.markdown(
        f"##### Explored: {len(laws.documents)} documents",
        help="Everything on this page but the scores of guesses is about these documents. Guesses "
        "are scored on others.",
    )
    view = _paths(view, laws)
    _quantities(laws)
    _verdict(laws)
    _by_layer(laws)
    st.download_button(
        "Save all measurements as CSV", lambda: safe_csv(laws.table), "laws.csv", "text/csv"
    )
    return view


def _colors() -> dict[str, str]:
    theme = tokens()
    return {
        "people": theme.second,
        "greedy": OKABE_ITO[1],
        "sampled": theme.accent,
        "shuffled": theme.third,
        "jumbled": theme.point,
        "walk": theme.quiet,
        "shaped": theme.quiet,
    }


@st.cache_resource(max_entries=4, show_spinner="Drawing the corpus behind the paths")
def _places(key: str, _found: Laws) -> Coords:  # noqa: ARG001 - the key
    return corpus_places(workspace(), _found)


def _paths(view: TrajectoriesView, laws: Laws) -> TrajectoriesView:
    """Four paths of one document, all through the same window."""
    count = laws.paths.shape[1]
    above = st.container()  # the box stands below the pictures, and is read before they are drawn
    box, beside = st.columns([1, 4], vertical_alignment="center")
    with box:
        chosen = st.selectbox(
            "Document",
            list(range(count)),
            index=min(view.step or 0, count - 1),
            format_func=lambda it: laws.documents[it][:60],
            key=widget("trajectories", f"laws document {laws.layer}"),
            label_visibility="collapsed",
        )
    beside.caption(
        f"Directions of states in layer {laws.layer}, on the plane of most variance of the "
        f"corpus' own (dots): it keeps {laws.kept:.0%}. The ring is the start; thin lines are "
        "other documents. The first three are a mess that no eye tells apart: that is the point. "
        "What tells them apart stands below."
    )
    with above:
        _samples(laws, chosen)
    return replace(view, step=chosen or None)


def _samples(laws: Laws, chosen: int) -> None:
    """The pictures, and the words behind them."""
    corpus = _places(laws_key(laws.model, laws.layer, laws.part), laws)
    order = list(KINDS)
    kinds = {kind: laws.paths[order.index(kind)] for kind in DRAWN}
    whole = np.concatenate([value.reshape(-1, 2) for value in kinds.values()])
    window = np.concatenate([whole[np.isfinite(whole).all(axis=1)], corpus])
    pictures = []
    for kind, paths in kinds.items():
        ways = [way[np.isfinite(way).all(axis=1)] for way in paths]
        figure = random_walk_figure(
            ways, corpus, chosen, window, _colors()[kind], tokens(), f"wander {kind} {laws.layer}"
        )
        pictures.append(
            Picture(
                figure,
                title=DRAWN[kind],
                tag="projected",
                alt=f"{DRAWN[kind]}: a path of {len(ways[chosen])} states.",
                height=290,
            )
        )
    mount(Scene("wanderings", pictures), "laws stage")
    for column, kind in zip(st.columns(4), DRAWN, strict=True):
        said = "".join(laws.words[kind][chosen]) if kind in laws.words else ""
        about = plain(said.strip(), 170) if said else "No words: states made up step by step."
        column.caption(about)


def _quantities(laws: Laws) -> None:
    st.markdown("##### What can be measured of a path", help=_about())
    panels = [
        Panel(it.name, it.unit, [_dot(laws, name, kind) for kind in KINDS], it.walk)
        for name, it in QUANTITIES.items()
    ]
    colors = [_colors()[kind] for kind in KINDS]
    figure = laws_figure(panels, [SHORT[kind] for kind in KINDS], colors, tokens(), "laws")
    told = [
        f"{panel.name}: "
        + ", ".join(
            f"{SHORT[kind]} {dot.value:.3g}"
            for kind, dot in zip(KINDS, panel.dots, strict=True)
            if dot is not None
        )
        for panel in panels
    ]
    picture = Picture(
        figure,
        title=f"Means over {len(laws.documents)} documents in layer {laws.layer}, with 95% "
        "intervals; dotted, what a random walk has",
        tag="measured",
        alt=". ".join(told),
        height=panels_height(len(panels), len(KINDS)),
    )
    mount(Scene("quantities", [picture]), "laws quantities")


def _dot(laws: Laws, quantity: str, kind: str) -> Estimate | None:
    mean = laws.mean(quantity, kind)
    return None if mean is None else Estimate(mean.value, mean.low, mean.high)


def _about() -> str:
    return "\n".join(
        f"- **{value.name}** ({value.unit}): {value.about}" for value in QUANTITIES.values()
    )


def _verdict(laws: Laws) -> None:
    """Who can be told from the people's texts, by what."""
    asked = differences(laws)
    st.markdown(
        "##### Verdict",
        help=f"Each kind against the people's texts, document by document: {len(asked)} "
        "questions. Told apart means that a sign-flip test says so even after all of them were "
        "asked (Holm 1979), at one chance in twenty.",
    )
    found_of = verdicts(asked)
    st.markdown("\n".join(f"- {line}" for line in _summary(found_of)))
    rows = [
        {
            "quantity": QUANTITIES[it.quantity].name,
            "higher than in people's texts": ", ".join(SHORT[kind] for kind in it.higher),
            "lower": ", ".join(SHORT[kind] for kind in it.lower),
            "can't be told apart": ", ".join(SHORT[kind] for kind in it.alike),
        }
        for it in found_of
    ]
    st.dataframe(rows, hide_index=True, width="stretch")


def _summary(found: list[Verdict]) -> list[str]:
    """The verdict in sentences."""

    def named(kind: str, alike: bool) -> list[str]:
        return [
            QUANTITIES[it.quantity].name.casefold()
            for it in found
            if (kind in it.alike if alike else kind in it.higher + it.lower)
        ]

    def answer(*kinds: str) -> str:
        apart = [
            name
            for name in named(kinds[0], False)
            if all(name in named(kind, False) for kind in kinds)
        ]
        alike = [
            name
            for name in named(kinds[0], True)
            if all(name in named(kind, True) for kind in kinds)
        ]
        told = f"Told apart by {', '.join(apart)}" if apart else "Nothing here tells them apart"
        return f"{told}. " + (f"Not told apart by {', '.join(alike)}." if alike else "")

    return [
        f"**Are people's texts nothing but a random walk?** {answer('walk', 'shaped')}",
        f"**Nothing but their words, in any order?** {answer('shuffled')}",
        f"**Does the model move as people do, where it draws its words?** {answer('sampled')}",
        f"**And where it takes the likeliest?** {answer('greedy')}",
    ]


def _by_layer(laws: Laws) -> None:
    """How the turns grow or shrink over the layers, for what the model reads."""
    st.markdown(
        "##### Does the model straighten sentences?",
        help="Mean angle between one step and the next, in every layer. States in no order at all "
        "turn by 120 degrees, a random walk by 90. After Hosseini & Fedorenko 2023.",
    )
    dashes = {"greedy": "dash"}
    curves = [
        LayerCurve(
            SHORT[kind], laws.turns[row].mean(axis=0).tolist(), _colors()[kind],
            dashes.get(kind, "solid"),
        )
        for row, kind in enumerate(TEXTS)
    ]  # fmt: skip
    every = np.array([curve.values for curve in curves])
    limits = float(np.floor(every.min())) - 1, float(np.ceil(every.max())) + 1
    figure = layer_curves(curves, "degrees", tokens(), "turns", laws.layer, limits)
    first, least = every[0, 0], every[0].min()
    picture = Picture(
        figure,
        title=f"Mean turn by layer, {len(laws.documents)} documents",
        tag="measured",
        alt=f"People's texts turn by {first:.0f} degrees in layer 0 and {least:.0f} at the least.",
        height=250,
    )
    mount(Scene("turns", [picture], legend=curve_legend(curves)), "laws turns")
    last = every[:, -1]
    st.caption(
        f"People's texts turn by {first:.0f}° before any attention and by {last[0]:.0f}° in the "
        f"last layer; the same words shuffled by {every[TEXTS.index('shuffled'), 0]:.0f}° and "
        f"{last[TEXTS.index('shuffled')]:.0f}°."
    )
