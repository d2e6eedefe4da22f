"""What a model might have said at a word: the fan in figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import InvalidSpecification
from core.figures.scene import Picture, Scene
from core.figures.trajectories.next_tokens import rank_figure
from core.figures.trajectories.trajectory import shown
from core.metrics.zipf import rank_law
from core.permalink import TrajectoriesView
from core.pipeline.models import speaker
from core.pipeline.trajectories.next_tokens import Said, reweighed
from core.pipeline.trajectories.trajectory import FIRST
from core.ui.shared.bars import Bar, bars
from core.ui.shared.downloads import safe_csv, save_button
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, widget
from core.ui.stage import mount, tokens
from core.ui.trajectories.generation import Wish
from core.ui.trajectories.scene import Drawn, percent, place_words

LISTED = 9  # words beside the picture
HEATS = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
NAMED_RANKS = 2_000


def nearest_heat(heat: float) -> float:
    """The temperature of the slider that is nearest.

    >>> nearest_heat(0.9)
    0.85
    """
    return min(HEATS, key=lambda it: abs(it - heat))


def fan_panel(drawn: Drawn, wish: Wish) -> None:
    """The word that is looked at, and the likeliest words behind it."""
    if drawn.steps < 1:
        st.caption("The prompt is a single token, which is not drawn. Write a longer one.")
        return
    walk, at = drawn.trunk, FIRST + drawn.step
    st.subheader(plain(shown(walk.pieces[at]), 40), anchor=False)
    whose = "of the prompt" if at < walk.begun else "written"
    share = float(walk.probability[at])
    likely = ""
    if int(walk.rank[at]) > 0:
        likely = f": {percent(share)} likely there, {place_words(int(walk.rank[at]))}"
    far = ""
    if drawn.percentile is not None:
        far = f" Farther from the corpus than {drawn.percentile[at]:.0f}% of its own tokens."
    st.caption(plain(f"Token {at + 1}, {whose}{likely}.{far}"))
    if drawn.said is None:
        return
    st.markdown("###### What may come next")
    ids, pieces, shares = _likeliest(drawn.said[at], drawn.seen, wish.model)
    taken = int(walk.ids[at + 1]) if at + 1 < len(walk) else -1
    top = float(shares[0]) or 1.0
    bars(
        [
            Bar(
                shown(piece),
                percent(float(share)),
                float(share) / top,
                "taken" if token == taken else "",
            )
            for token, piece, share in list(zip(ids, pieces, shares, strict=True))[:LISTED]
        ],
        "The likeliest next words",
        "trajectory next",
    )
    st.select_slider(
        "Temperature",
        HEATS,
        nearest_heat(drawn.seen.heat),
        format_func=lambda it: f"{it:g}",
        key=widget("trajectories", "heat"),
        on_change=_heat,
        help="Weighs the same words anew, at once: 0 leaves only the likeliest, 1 is what the "
        "model says, 100 makes nearly all words alike.",
    )


def fan_row(drawn: Drawn, wish: Wish) -> None:
    """Probability against rank, and the whole fan as a table."""
    if drawn.steps < 1 or drawn.said is None:
        return
    at = FIRST + drawn.step
    heat = drawn.seen.heat
    shares = np.sort(reweighed(drawn.said[at], heat))[::-1]
    law = None
    try:
        law = rank_law(shares)
        fitted = (
            f"Over ranks {law.low} to {law.high:,} probability falls with rank to the power "
            f"{law.slope:.2f}; a straight line explains {law.r_squared:.0%} of it. Fitted by least "
            "squares on both logarithms, every power of ten of ranks counting alike."
        )
    except InvalidSpecification:
        fitted = "At this temperature too few words have any probability to fit a line."
    order = np.argsort(-drawn.said[at], kind="stable")[:NAMED_RANKS]
    words = [shown(piece) for piece in speaker(wish.model).pieces(order.tolist())]
    before = drawn.trunk.text_to(at)[-60:]
    title = f"After “…{before.strip()}”" if len(before) == 60 else f"After “{before.strip()}”"
    figure, table = st.columns([0.56, 0.44], gap="small")
    with figure:
        mount(
            Scene(
                name="trajectory ranks",
                pictures=[
                    Picture(
                        rank_figure(shares, law, words, tokens(), "trajectory ranks"),
                        title=title,
                        tag="measured",
                        alt=f"Probability of every next word against its rank. {fitted}",
                        height=250,
                    )
                ],
            ),
            "trajectory ranks",
        )
        st.caption(fitted)
    with table:
        ids, pieces, own = _likeliest(drawn.said[at], drawn.seen, wish.model)
        told = pd.DataFrame({"rank": range(1, len(ids) + 1), "word": pieces, "probability": own})
        st.dataframe(
            told,
            hide_index=True,
            height=250,
            column_config={
                "rank": st.column_config.NumberColumn(width="small"),
                "probability": st.column_config.ProgressColumn(
                    format="percent", min_value=0.0, max_value=float(own[0]) or 1.0
                ),
            },
        )
        save_button("Save the words", lambda: safe_csv(told), "next-words.csv", width="content")


def _likeliest(
    said: Said, view: TrajectoriesView, model: str
) -> tuple[list[int], list[str], np.ndarray]:
    """The k likeliest tokens of log-probabilities (v,) and what they have at the wanted
    temperature."""
    ids = np.argsort(-said, kind="stable")[: view.k].tolist()
    return ids, speaker(model).pieces(ids), reweighed(said, view.heat)[ids]


def _heat() -> None:
    current = st.session_state.get("trajectories view")
    if isinstance(current, TrajectoriesView):
        heat = float(st.session_state[widget("trajectories", "heat")])
        remember("trajectories", replace(current, heat=heat))
