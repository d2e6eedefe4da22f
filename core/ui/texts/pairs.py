"""Does a signature carry more than its tokens? Prepared pairs, and one of the person's own."""

import numpy as np
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.scene import Items, Picture, Scene
from core.figures.texts import pairs_figure
from core.metrics.intervals import interval
from core.permalink import TextsView
from core.pipeline.models import identity
from core.pipeline.texts.pairs import SAME, Signed, apart, has_pairs, kept_pairs
from core.ui.shared.jobs import asked_for, follow_job
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget, workspace
from core.ui.stage import mount, tokens

ORDER = ("word order", "negation", "context swap", SAME)
MEANT = {
    "word order": "the same words in another order",
    "negation": "a sentence and its negation",
    "context swap": "the same words meant otherwise",
    SAME: "other words of the same meaning",
}
MOST = 1_000  # characters of a sentence
HEIGHT = 300


def more_than_tokens_panel(view: TextsView) -> None:
    """The whole section: the question, the answer once it is measured, one's own pair."""
    st.subheader("Does a signature carry more than its tokens?", anchor=False)
    st.caption(
        "A signature could be no more than the mean of its tokens' rows in the model's table, a "
        "bag of words. Pairs of sentences tell: 275 written for this, which share their words or "
        "their meaning, but seldom both."
    )
    try:
        if not has_pairs(workspace(), view.model):
            _offer(view)
            return
        signed = kept_pairs(workspace(), view.model)
        st.markdown(verdict(signed))
        own = _own_pair(view, signed)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    chart, table = st.columns([0.6, 0.4], gap="medium")
    with chart:
        _chart(view, signed, own)
    with table:
        _how_often(signed)


def _offer(view: TextsView) -> None:
    st.caption("Measuring them takes some ten seconds, most of them for loading the model.")
    arguments = {"model": view.model}
    if asked_for("pairs", arguments, "Measure the pairs", "secondary"):
        follow_job(
            "pairs", arguments, "Measure the pairs", lambda: has_pairs(workspace(), view.model)
        )


def verdict(signed: Signed) -> str:
    """The answer in a sentence or two, whichever way it falls."""
    context, rows = signed.contextual.by_kind, signed.rows.by_kind
    kinds = [kind for kind in ORDER if kind in context and kind in rows]
    more = [kind for kind in kinds if carries_more(signed, kind)]
    named = ", ".join(
        f"{kind} ({context[kind].value:.3f} against {rows[kind].value:.3f})" for kind in more
    )
    if not more:
        return (
            "**No, not by these pairs**: on no kind does the signature do better than the bag of "
            "words, beyond chance."
        )
    whole = len(more) == len(kinds)
    start = f"**Yes, on every kind**: {named}." if whole else f"**In part**: on {named}."
    limits = [
        f"than {MEANT[kind]} in {found.value:.0%}"
        for kind, found in signed.contextual.nearer.items()
        if found.high < 0.5
    ]
    if not limits:
        return start
    return (
        f"{start} But words still weigh more than meaning: of all comparisons, a paraphrase is "
        f"nearer {', '.join(limits)}."
    )


def carries_more(signed: Signed, kind: str) -> bool:
    """Whether the signature has paraphrases nearer, and pairs of any other kind further apart,
    than the mean of rows: by the 95% interval of the differences, pair by pair."""
    own = np.array([pair.kind == kind for pair in signed.pairs])
    gain = (signed.contextual.distances - signed.rows.distances)[own].astype(np.float64)
    measured = interval(-gain if kind == SAME else gain)
    return measured.low > 0


def _own_pair(view: TextsView, signed: Signed) -> tuple[float, float] | None:
    first, second = st.columns(2)
    one = first.text_input(
        "One sentence",
        placeholder="The dog bit the man.",
        key=widget("texts", "pair 1"),
        max_chars=MOST,
    )
    other = second.text_input(
        "and another",
        placeholder="The man bit the dog.",
        key=widget("texts", "pair 2"),
        max_chars=MOST,
    )
    if not one.strip() or not other.strip():
        return None
    with st.spinner("Reading both; the first time loads the model, some seconds"):
        found = _apart(view.model, identity(view.model), one, other, signed)
    context, rows = found
    st.caption(
        f"**Your pair** is {context:.3f} apart by signature, {rows:.3f} by the mean of rows; 0 is "
        "the same, 1 as far as sentences that have nothing to do with each other."
    )
    return found


@st.cache_data(max_entries=50, show_spinner=False)
def _apart(
    model: str,
    stamp: str,  # noqa: ARG001 - part of the key
    first: str,
    second: str,
    _signed: Signed,
) -> tuple[float, float]:
    return apart(model, _signed, first, second)


def _chart(view: TextsView, signed: Signed, own: tuple[float, float] | None) -> None:
    spaces = [(it.name, it.by_kind) for it in (signed.contextual, signed.rows)]
    kinds = [kind for kind in ORDER if kind in signed.contextual.by_kind]
    figure = pairs_figure(spaces, kinds, tokens(), f"pairs {view.model} {own is None}", own)
    said = "; ".join(
        f"{kind}: signature {signed.contextual.by_kind[kind].value:.2f}, "
        f"mean of rows {signed.rows.by_kind[kind].value:.2f}"
        for kind in kinds
    )
    legend = {
        "title": f"mean distance of {len(signed.pairs)} pairs, with 95% intervals",
        "entries": [
            {"label": "signature, in context", "color": tokens().accent},
            {"label": "mean of the tokens' rows", "color": tokens().label},
        ],
    }
    picture = Picture(
        figure,
        title="How far two sentences are",
        tag="measured",
        alt=f"Distances of pairs. {said}.",
        height=HEIGHT + (50 if own is not None else 0),
        hint="; ".join(f"{kind}: {MEANT[kind]}" for kind in kinds),
    )
    mount(Scene("texts pairs", [picture], Items([]), legend), "texts pairs stage")


def _how_often(signed: Signed) -> None:
    rows = [
        f"| {MEANT[kind]} | {_share(signed, kind, True)} | {_share(signed, kind, False)} |"
        for kind in ORDER
        if kind in signed.contextual.nearer
    ]
    st.markdown(
        "| How often a paraphrase is nearer than | signature | mean of rows |\n"
        "|---|---|---|\n" + "\n".join(rows)
    )
    st.caption(
        "In brackets the 95% interval, by resampling the pairs. Half would be chance; a space of "
        "meaning alone would come near 100%."
    )


def _share(signed: Signed, kind: str, contextual: bool) -> str:
    found = (signed.contextual if contextual else signed.rows).nearer[kind]
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"
