"""The curve with its panel, at rest and while a training runs: then both follow it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.jobs.job import Job
from core.permalink import StudentView
from core.pipeline import ParetoPoint, StudentCard, Training
from core.spaces.space import Space
from core.ui.shared.state import workspace
from core.ui.students.curve import Forming, draw_curve
from core.ui.students.panel import nothing_yet, student_menu, student_panel
from core.ui.students.training import live_panel, running

POLL_SECONDS = 1.0
MOST_DRAWN = 2_000  # items of a training: each second all of them travel
FILL = 304  # pixels of the window that title, form and controls take


def observe(
    view: StudentView,
    space: Space,
    cards: Sequence[StudentCard],
    points: Sequence[ParetoPoint],
    begun: Job | None,
) -> None:
    """The curve; while a training runs, and only then, it draws itself again every second.

    ``begun`` is the training that ran when the page began to be drawn. The view must be
    remembered before: a click changes the one that is remembered.
    """

    @st.fragment(run_every=None if begun is None else POLL_SECONDS)
    def curve() -> None:
        now = st.session_state.get("student view", view)
        job = running(view.teacher)
        if (job is None and begun is not None) or now.student != view.student:
            st.rerun(scope="app")
        forming = None if job is None else _forming(job, _training(job, view.teacher))
        draw_curve(now, space, cards, points, forming, FILL)

    curve()


def panel(
    view: StudentView,
    space: Space,
    card: StudentCard | None,
    points: Sequence[ParetoPoint],
    begun: Job | None,
) -> None:
    """Beside the curve: the training that runs, else the student that is looked at."""

    @st.fragment(run_every=POLL_SECONDS)
    def live() -> None:
        job = running(view.teacher)  # when it is over, the curve has the page drawn again
        if job is not None:
            live_panel(job, _training(job, view.teacher))

    if begun is not None:
        with st.container(key="student_live"):
            live()
    elif card is None:
        nothing_yet()
    else:
        student_panel(card, space, points)
        student_menu(card)


def _training(job: Job, teacher: str) -> Training | None:
    key = job.arguments.get("key")
    found = (each for each in workspace().catalogue.trainings(teacher) if each.key == key)
    return next(found, None)


def _forming(job: Job, training: Training | None) -> Forming:
    spec = job.arguments["spec"]
    forming = Forming(job.arguments["key"], spec["family"], float(spec["bytes_per_item"]))
    seen = None if training is None else workspace().catalogue.preview(training.key)
    if seen is None:
        return forming
    rows, vectors, step = seen
    some = np.linspace(0, len(rows) - 1, min(len(rows), MOST_DRAWN)).astype(np.int64)
    rows, vectors = rows[some], vectors[some]
    return Forming(forming.key, forming.name, forming.bytes_per_item, rows, vectors, step)
