"""A way in sentences: some of its points, each written anew by a language model."""

import numpy as np
import streamlit as st

from core.pipeline.points.bridge import crosses
from core.pipeline.points.description import has_told, tell_point
from core.types import Queries
from core.ui.paths.scene import DrawnPath
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.picked_point import may_write
from core.ui.shared.state import workspace

PLACES = 5


def path_in_sentences(journey: DrawnPath, reference: str) -> None:
    """A button, the job behind it, and a line for each of some places along the first way.

    Only spaces of whole texts have it: their points are what the bridge reads.
    """
    if not crosses(journey.space):
        return
    curve = journey.reports[0].curve
    steps = np.unique(np.linspace(0, len(curve) - 1, PLACES).round().astype(int))
    points = curve.points[steps]
    asked = f"say {reference} {' > '.join(journey.names)} {journey.reports[0].kind} {len(curve)}"
    if not has_told(workspace(), points):
        if st.session_state.get("said way") != asked:
            if st.button(
                "Say it in sentences",
                help=f"A language model writes a new sentence at {len(steps)} places of the way; "
                "that takes about a minute, and is kept.",
            ):
                st.session_state["said way"] = asked
                st.rerun()
            return
        if may_write(journey.space):
            _follow(points, reference, asked)
        return
    _lines(points, [float(curve.t[step]) for step in steps])


def _follow(points: Queries, reference: str, asked: str) -> None:
    arguments = {"teacher": reference, "points": points.astype(float).tolist()}
    job_id = submitted("describe", arguments, asked, slot="say a way")
    if job_id is not None:
        watch(job_id, "Say it in sentences", lambda: has_told(workspace(), points))


def _lines(points: Queries, t: list[float]) -> None:
    st.markdown("**The way in sentences**")
    st.caption(
        "New sentences, written by SmolLM2 at places of the way and read again by MiniLM; the "
        "cosine says how near each comes to its place."
    )
    for at, point in zip(t, points, strict=True):
        told = tell_point(workspace(), point)
        where, said = st.columns([0.1, 0.9], vertical_alignment="center")
        where.markdown(f"**{at:.2f}**")
        said.markdown(f"{plain(told.best.text, 400)} :gray[{told.best.cosine:.2f}]")
