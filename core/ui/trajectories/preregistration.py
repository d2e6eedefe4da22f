"""A guess about the laws of motion: written down, locked, and scored on documents held out."""

import streamlit as st

from core.errors import MeaningSpaceError
from core.pipeline.trajectories.preregistration import (
    ALIKE,
    COMPARED,
    TOGETHER,
    Locked,
    Prediction,
    Score,
    lock,
    locked,
    score,
)
from core.pipeline.trajectories.samples import KINDS
from core.pipeline.trajectories.statistics import DOCUMENTS, LOCAL, QUANTITIES, has_laws, laws
from core.ui.shared.markdown import plain
from core.ui.shared.segments import segments
from core.ui.shared.state import widget, workspace
from core.ui.trajectories.statistics_job import ask, offer

FORMS = {"kinds": "Two kinds of text", "quantities": "Two quantities"}
HELP = f"""
A guess that is made after one has seen the figures is not worth much. So it is written down and
locked first, with its time, and then scored on {DOCUMENTS} **other** documents, of which only the
outcomes of guesses are shown. An outcome tells everybody who opens this page something about those
documents: a guess made after looking at it is no longer blind.

- **Supported**: the interval of the difference (or of the mean rank correlation) leaves out 0, on
  the side that you said.
- **Not supported**: it leaves out 0 on the other side.
- **Undecided**: 0 lies in it.
- For **about the same as** a margin was fixed for all: {ALIKE:g} standard deviations of that
  quantity between documents by people. Supported where the whole interval lies within it, not
  supported where all of it lies outside.

Whoever guesses often is right sometimes. So each further guess, about whichever layer or model, has
to clear a higher bar: all that will ever be made here are wrong with a chance of one in twenty
together.
"""
ICONS = {
    "supported": ":material/check_circle:",
    "not supported": ":material/cancel:",
    "undecided": ":material/help:",
}


def prediction_form(model: str, layer: int, open_first: bool) -> None:
    """Where a guess is put together and locked."""
    with st.expander("Write down a guess before you look", expanded=open_first):
        st.caption(
            "Put a sentence together. Once locked it can't be changed; it is scored on documents "
            "of which this page shows nothing but the outcomes of guesses, to everybody.",
            help=HELP,
        )
        form = segments("trajectories", "guess form", "About", FORMS, "kinds", labelled=False)
        said = _kinds() if form == "kinds" else _quantities()
        if not st.button("Lock this guess", type="primary"):
            return
        try:
            lock(workspace(), Prediction(*said), model, layer)
            ask(model, layer, "held out")
        except MeaningSpaceError as error:
            st.error(plain(error), icon=":material/error:")


def _kinds() -> tuple[str, str, str, str]:
    columns = st.columns([1.2, 1.6, 1.2, 1.6])
    with columns[0]:
        quantity = _box("Quantity", {name: it.name for name, it in QUANTITIES.items()}, 2)
    with columns[1]:
        kind = _box("of texts", KINDS, 1)
    with columns[2]:
        claim = _box("is", COMPARED, 1)
    with columns[3]:
        other = _box("that of texts", KINDS, 0)
    return quantity, claim, kind, other


def _quantities() -> tuple[str, str, str, str]:
    names = {name: QUANTITIES[name].name for name in LOCAL}
    columns = st.columns([1.6, 1.2, 1.6, 1.2])
    with columns[0]:
        kind = _box("Within texts", KINDS, 0)
    with columns[1]:
        quantity = _box("a higher", names, 2)
    with columns[2]:
        claims = {"together": "goes with a higher", "against": "goes with a lower"}
        claim = _box("tends to", {name: claims[name] for name in TOGETHER}, 0)
    with columns[3]:
        other = _box("second quantity", names, 4)
    return quantity, claim, kind, other


def _box(label: str, names: dict[str, str], index: int) -> str:
    chosen = st.selectbox(
        label,
        list(names),
        index=index,
        format_func=names.__getitem__,
        key=widget("trajectories", f"guess {label}"),
    )
    return str(chosen)


def predictions_scored(model: str, layer: int) -> None:
    """What was locked for this layer, with its outcome; nothing where nobody guessed."""
    try:
        known = locked(workspace(), model, layer)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    if not known:
        return
    st.markdown("##### Held out: guesses made here, scored", help=HELP)
    st.caption("Everybody who uses this server sees them, and may have made them.")
    if not has_laws(workspace(), model, layer, "held out"):
        about = "The guesses are locked. Documents that were not explored have to be measured."
        offer(model, layer, "held out", "Score the guesses", about)
        _lines([(one, None) for one in known])
        return
    held = laws(workspace(), model, layer, "held out")
    _lines([(one, score(one, held)) for one in known])


def _lines(found: list[tuple[Locked, Score | None]]) -> None:
    """The last guess, and those before it folded away."""
    *before, last = found
    _line(*last)
    if before:
        with st.expander(f"{len(before)} earlier"):
            for one in reversed(before):
                _line(*one)


def _line(one: Locked, score: Score | None) -> None:
    written = one.written.replace("T", " ").removesuffix("+00:00")
    about = f"Locked {written} UTC, {one.digest}."
    if score is None:
        st.info(f"{one.guess.sentence}. {about}", icon=":material/lock:")
        return
    what = "Difference" if one.guess.claim in COMPARED else "Mean rank correlation"
    within = "" if score.margin is None else f" Alike means within ±{score.margin:.3g}."
    show = {"supported": st.success, "not supported": st.error, "undecided": st.info}[score.outcome]
    show(
        f"**{score.outcome.capitalize()}**: {one.guess.sentence}. {what} "
        f"{score.interval.value:.3g}, {one.level:.1%} interval {score.interval.low:.3g} to "
        f"{score.interval.high:.3g}, {score.documents} held-out documents.{within} {about}",
        icon=ICONS[score.outcome],
    )
