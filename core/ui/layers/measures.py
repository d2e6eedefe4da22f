"""What is measured of all layers: how much context does, and how alike the layers are."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.layers.states import LayerCurve, curve_legend, heatmap, layer_curves, layer_name
from core.figures.scene import Picture, Scene
from core.figures.tokens import OKABE_ITO
from core.permalink import LayersView
from core.pipeline.layers.measures import grid, has_grid, has_measures, measures, parted
from core.ui.layers.sentence_scene import surface
from core.ui.layers.sentences import SETS, states_or_stop
from core.ui.shared.downloads import safe_csv
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.model_choice import model_name, models
from core.ui.shared.state import widget, workspace
from core.ui.stage import dark, mount, tokens

MOST_SHOWN = 24  # tokens of the sentences on which two models part
HELP_CONTEXT = """
After Ethayarajh 2019. **The same word** in two sentences: mean cosine; 1 would be one row for every
context. **A sentence's words** with their own mean. **One static vector** is the share of a word's
occurrences that a single vector explains at best. The dotted lines are what random words give: only
what lies above them is about meaning.
"""
HELP_OPENED = """
The mean cosine of random words. Near 1 all vectors point the same way, and a cosine says little.
**Centred**: the mean taken away. **All but the top**: and the leading directions too (Mu &
Viswanath 2018). **Whitened**: every direction made as long as any other. **Without outliers**: the
three dimensions of the largest size left out (Timkey & van Schijndel 2021).
"""
HELP_CKA = """
Linear centred kernel alignment (Kornblith and others 2019), debiased: 1 where two layers hold the
same arrangement up to turn and scale, 0 for unrelated ones. It forgives every rotation: alike here
does not mean the same numbers.
"""


def measures_view(view: LayersView) -> LayersView:
    """Context's share, the narrow cone and its remedies, and layer against layer."""
    view = _second_model(view)
    _context(view)
    if _likeness(view) and view.second:
        _where_they_part(view)
    return view


def _second_model(view: LayersView) -> LayersView:
    options = [
        "",
        *dict.fromkeys([*(model for model in models() if model != view.model), view.second]),
    ]
    options = list(dict.fromkeys(options))
    with st.sidebar:
        chosen = st.selectbox(
            "Compared with",
            options,
            index=options.index(view.second),
            format_func=lambda it: model_name(it) if it else "its own layers",
            key=widget("layers", f"second of {view.model}"),
            accept_new_options=True,
            help="A second model, such as a contextual student: every layer of one against every "
            "layer of the other.",
        )
    return replace(view, second=(chosen or "").strip())


def _context(view: LayersView) -> None:
    if not has_measures(workspace(), view.model):
        st.caption(
            "600 sentences are read by the model and measured in every layer, once; that takes "
            "about a minute or two."
        )
        job_id = submitted("measures", {"model": view.model}, f"measures {view.model}")
        if job_id is not None:
            watch(job_id, "Measure the layers", lambda: has_measures(workspace(), view.model))
        return
    found, theme = measures(workspace(), view.model), tokens()
    context = found.context
    by_chance = context["explainable_by_chance"].tolist()
    curves = [
        LayerCurve("the same word", context["self_similarity"].tolist(), theme.accent),
        LayerCurve("one static vector", context["explainable"].tolist(), theme.second),
        LayerCurve("a sentence's words", context["intra_sentence"].tolist(), theme.third),
        LayerCurve("random words", context["anisotropy"].tolist(), theme.quiet, "dot"),
        LayerCurve("one vector, random words", by_chance, theme.quiet, "dash"),
    ]
    colors = (theme.text, OKABE_ITO[0], OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[3])
    opened = [
        LayerCurve(str(name), found.openings[name].tolist(), color)
        for name, color in zip(found.openings.columns, colors, strict=True)
    ]
    left, right = st.columns(2, gap="small")
    with left:
        st.markdown("##### How much context changes a word", help=HELP_CONTEXT)
        _curves("context", "cosine, or share", curves, found.sentences)
        first, last = context["self_similarity"].iloc[0], context["self_similarity"].iloc[-1]
        chance = context["anisotropy"].iloc[-1]
        st.caption(
            f"The same word in two sentences: cosine {first:.2f} before any attention, {last:.2f} "
            f"in the last layer, where random words have {chance:.2f}."
        )
    with right:
        st.markdown("##### How narrow a cone the words lie in", help=HELP_OPENED)
        _curves("cone", "mean cosine of random words", opened, found.sentences)
        worst = int(found.openings["as they are"].abs().to_numpy().argmax())
        before, after = (
            found.openings["as they are"].iloc[worst],
            found.openings["centred"].iloc[worst],
        )
        st.caption(
            f"Narrowest in {layer_name(worst)}: {before:.2f}; taking the mean away leaves "
            f"{round(float(after), 2) + 0.0:.2f}."
        )
    table = pd.concat([context.reset_index(drop=True), found.openings], axis=1)
    table.insert(0, "layer", range(len(table)))
    st.download_button("Save as CSV", safe_csv(table), "layers.csv", "text/csv")


def _curves(name: str, title: str, curves: list[LayerCurve], sentences: int) -> None:
    figure = layer_curves(curves, title, tokens(), f"measures {name}")
    told = "; ".join(
        f"{curve.name}: {', '.join(f'{value:.2f}' for value in curve.values)}" for curve in curves
    )
    picture = Picture(
        figure,
        title=f"{sentences} sentences of the packaged texts",
        tag="measured",
        alt=f"By layer. {told}.",
        height=270,
    )
    mount(Scene(name, [picture], legend=curve_legend(curves)), f"measures {name}")


def _likeness(view: LayersView) -> bool:
    """Every layer of one model against every layer of the other, or of its own; whether both
    can be read."""
    a, b = view.model, view.second or view.model
    st.markdown("##### Layer against layer", help=HELP_CKA)
    try:
        kept = has_grid(workspace(), a, b)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return False
    if not kept:
        st.caption("200 sentences are read by both, and every pair of layers is compared, once.")
        job_id = submitted("grid", {"a": a, "b": b}, f"grid {a} {b}")
        if job_id is not None:
            watch(job_id, "Compare the layers", lambda: has_grid(workspace(), a, b))
        return True
    likeness = grid(workspace(), a, b)
    rows, columns = likeness.debiased.shape
    names = model_name(a), model_name(b)
    figure = heatmap(
        likeness.debiased,
        [layer_name(k) for k in range(rows)],
        [layer_name(k) for k in range(columns)],
        names,
        tokens(),
        dark(),
        f"grid {a} {b}",
    )
    picture = Picture(
        figure,
        title=f"Linear CKA, debiased, over {likeness.words:,} words",
        tag="measured",
        alt=f"How alike the layers of {names[0]} and {names[1]} are, on a scale to 1.",
        height=90 + 36 * rows,
    )
    mount(Scene("grid", [picture]), "measures grid")
    return True


def _where_they_part(view: LayersView) -> None:
    """The same sentences through both models: the cosine of each token's states, layer by layer."""
    sentences = view.sentences or SETS["Two banks"]
    st.markdown("##### Where they part on the sentences of the first view")
    one, other = (states_or_stop(model, sentences) for model in (view.model, view.second))
    try:
        cosines = parted(one, other)
    except MeaningSpaceError as error:
        st.info(plain(error), icon=":material/info:")
        return
    shown = min(cosines.shape[1], MOST_SHOWN)
    # A category must be unique to have a column of its own.
    names = [f"{surface(one, row)[:16]}{chr(0x200B) * row}" for row in range(shown)]
    figure = heatmap(
        cosines[:, :shown],
        [layer_name(k) for k in range(len(cosines))],
        names,
        ("layer", "token"),
        tokens(),
        dark(),
        f"parted {view.model} {view.second}",
    )
    worst = divmod(int(cosines[:, :shown].argmin()), shown)
    picture = Picture(
        figure,
        title=f"Cosine of {model_name(view.model)} and {model_name(view.second)}, token by token",
        tag="measured",
        alt=f"They part most at {surface(one, worst[1])} in {layer_name(worst[0])}.",
        height=90 + 36 * len(cosines),
    )
    mount(Scene("parted", [picture]), "measures parted")
    st.caption(
        f"They part most at “{plain(surface(one, worst[1]), 30)}” in {layer_name(worst[0])}, "
        f"cosine {cosines[worst]:.2f}; the mean over all tokens is {cosines[-1].mean():.3f} in the "
        "last layer. These are the states' own numbers: no rotation is forgiven."
    )
