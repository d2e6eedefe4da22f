"""Under the curve: which measure, and the jobs that fill it."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.figures.students.pareto import MEASURES
from core.permalink import StudentView
from core.pipeline import Pareto, StudentCard
from core.pipeline.students.answers import measured_pareto
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.segments import segments
from core.ui.shared.state import workspace

MEANS = {
    "relative_error": "Of all that tells the items apart, how much is lost? 0 is the same vectors, "
    "1 is what the mean alone would give.",
    "cosine": "Do the vectors point the same way? 1 is the same direction.",
    "recall10": "Of an item's 10 nearest, how many are still its nearest? Most uses need this.",
}


def measure_controls(view: StudentView, pareto: Pareto | None) -> StudentView:
    """The measure on the curve, what it means, and the way to the rivals."""
    wanted = _wanted(view.teacher)
    missing = (pareto is None or not pareto.complete) and not st.session_state.get(wanted)
    columns = st.columns([3.2, 4, 2.6] if missing else [3.2, 6.6], vertical_alignment="center")
    pick, words = columns[0], columns[1]
    with pick:
        names = {name: measure.title for name, measure in MEASURES.items()}
        measure = segments("student", "measure", "Measure", names, view.measure, labelled=False)
    words.caption(MEANS[measure] + _no_limit(measure, pareto))
    if missing:
        columns[2].button(
            "Add classical coders",
            key="student rivals",
            width="stretch",
            on_click=_want(wanted),
            help="Measure int8, int4, PQ, OPQ and the others on this space: takes minutes, once.",
        )
    return replace(view, measure=measure)


def _no_limit(measure: str, pareto: Pareto | None) -> str:
    if measure == "recall10" and pareto is not None:
        return " The limit says nothing about neighbours."
    return ""


def rivals_job(teacher: str, pareto: Pareto | None) -> None:
    """Measure the rivals where somebody asked for them; each is drawn once it is known."""
    if not st.session_state.get(_wanted(teacher)):
        return
    if pareto is not None and pareto.complete:
        del st.session_state[_wanted(teacher)]
        return
    known = 0 if pareto is None else len(pareto.points)

    def more() -> bool:
        now = measured_pareto(workspace(), teacher)
        return now is not None and len(now.points) > known

    job_id = submitted("pareto", {"teacher": teacher}, f"pareto {teacher}")
    if job_id is not None:
        watch(job_id, "Measure the rivals", more)


def unmeasured_job(card: StudentCard | None) -> None:
    """Measure the student that is looked at, where that was not done yet."""
    if card is None or card.report:
        return
    job_id = submitted("evaluate", {"key": card.key}, f"evaluate {card.key}")
    if job_id is not None:
        watch(
            job_id,
            "Measure this student",
            lambda: bool(workspace().catalogue.card(card.key).report),
        )


def _wanted(teacher: str) -> str:
    return f"pareto wanted {teacher}"


def _want(key: str) -> Callable[[], None]:
    def note() -> None:
        st.session_state[key] = True

    return note
