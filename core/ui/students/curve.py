"""The main picture: fidelity against bytes, and beside it a training as it takes shape."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.figures.scene import Items, Picture, Scene
from core.figures.students.pareto import (
    LEAST,
    MEASURES,
    Live,
    ParetoDot,
    pareto_figure,
    pareto_labels,
)
from core.figures.students.training import forming_figure, frame_of, landmarks
from core.metrics.rate_distortion import gaussian_limit, principal_variances
from core.permalink import StudentView
from core.pipeline.student_catalogue import StudentCard
from core.pipeline.students.baselines import limit_cosine
from core.pipeline.students.pareto import RIVAL, ParetoPoint
from core.spaces.linalg import paired_cosines
from core.spaces.space import Space
from core.spaces.words import counted
from core.types import Queries, Rows, Vector
from core.ui.shared.colouring import details
from core.ui.shared.faithfulness_line import noun
from core.ui.shared.state import remember
from core.ui.stage import mount, tokens
from core.ui.students.wording import detail, number

KEY = "student stage"


@dataclass(frozen=True, eq=False)
class Forming:
    """A training to draw: ``rows`` (r,) of the space and their vectors (r, d) as they are now."""

    key: str
    name: str
    bytes_per_item: float
    rows: Rows | None = None
    vectors: Queries | None = None
    step: int = 0


def dots_of(
    space: Space, cards: Sequence[StudentCard], points: Sequence[ParetoPoint], measure: str
) -> list[ParetoDot]:
    """All that has a place on the curve: the limit, rivals, the students that were measured."""
    dots = [] if measure == "recall10" else list(_limit(space.digest, measure, space))
    rivals = (_rival(point, measure) for point in points if point.kind == RIVAL)
    students = (_student(card, measure) for card in cards)
    return [*dots, *(dot for dot in (*rivals, *students) if dot is not None)]


def _rival(point: ParetoPoint, measure: str) -> ParetoDot | None:
    value = float(getattr(point, measure))
    if not np.isfinite(value):
        return None
    size, recall = point.bytes_per_item, point.recall10
    known = recall if np.isfinite(recall) else None
    said = detail(size, point.bytes_total, point.relative_error, point.cosine, known)
    return ParetoDot(point.name, point.family, "rival", size, value, detail=said)


def _student(card: StudentCard, measure: str) -> ParetoDot | None:
    error, cosine = (number(card.report, name) for name in ("relative_error", "cosine"))
    recall = number(card.report, "recall", "10")
    value = {"relative_error": error, "cosine": cosine, "recall10": recall}[measure]
    if value is None:
        return None
    size = card.bytes_per_item
    said = detail(size, card.bytes_total, error, cosine, recall)
    name = f"{card.family}, {size:.3g} B"
    return ParetoDot(name, card.family, "student", size, value, card.key, said)


@st.cache_resource(max_entries=8, show_spinner=False)
def _limit(digest: str, measure: str, _space: Space) -> list[ParetoDot]:  # noqa: ARG001 - the key
    """What no coder for Gaussian rows of this covariance passes, from error 1 down to 0.001."""
    variances = _variances(_space.digest, _space)
    whole = float(variances.sum())
    if not whole:
        return []
    dots = []
    for error in np.geomspace(0.97, LEAST, 40):
        size = gaussian_limit(variances, float(error)) / 8
        value = float(error)
        if measure != "relative_error":
            value = limit_cosine(_space, value, whole)
        dots.append(ParetoDot("Gaussian limit", "limit", "limit", size, value))
    return dots


@st.cache_resource(max_entries=8, show_spinner=False)
def _variances(digest: str, _space: Space) -> npt.NDArray[np.float64]:  # noqa: ARG001 - the key
    return principal_variances(_space.vectors)


def limit_at(space: Space, error: float) -> float | None:
    """Bytes an item at the limit, for this error; None where there is no such limit."""
    variances = _variances(space.digest, space)
    if not 0 < error < 1 or not variances.any():
        return None
    return gaussian_limit(variances, error) / 8


def draw_curve(
    view: StudentView,
    space: Space,
    cards: Sequence[StudentCard],
    points: Sequence[ParetoPoint],
    forming: Forming | None,
    fill: int,
) -> None:
    """The stage: the curve, and the map that forms where a training runs."""
    dots = dots_of(space, cards, points, view.measure)
    live = None
    if forming is not None:
        so_far = _so_far(space, forming, view.measure)
        live = Live(forming.name, forming.bytes_per_item, so_far)
    pictures = []
    texts: list[str] = []
    said: list[str] = []
    if forming is not None and forming.rows is not None:
        pictures.append(_forming_picture(space, forming, fill))
        texts = [space.texts[row] for row in forming.rows]
        quiet = details(space)
        said = [quiet[row] for row in forming.rows]
    curve = _curve_picture(view, space, dots, live, len(texts), fill)
    items = Items(
        [*texts, *(dot.name for dot in dots)],
        [*said, *(dot.detail for dot in dots)],
        np.empty((0, 3), np.int32),
    )
    st.session_state["student keys"] = [*("" for _ in texts), *(dot.key for dot in dots)]
    mount(Scene("students", [curve, *pictures], items), KEY, _choose)


def _curve_picture(
    view: StudentView,
    space: Space,
    dots: Sequence[ParetoDot],
    live: Live | None,
    first: int,
    fill: int,
) -> Picture:
    measure = MEASURES[view.measure]
    revision = f"{space.digest} {view.measure} {live is not None}"
    figure = pareto_figure(
        dots, measure, len(space), space.dim, tokens(), revision, view.student, live, first
    )
    students = sum(dot.kind == "student" for dot in dots)
    rivals = sum(dot.kind == "rival" for dot in dots)
    return Picture(
        figure,
        title="How true, for how many bytes: click a student",
        tag="measured",
        alt=f"{measure.axis} against bytes an item, of {students} students and {rivals} "
        "classical coders.",
        height=320,
        fill=fill,
        labels=pareto_labels(dots, measure, space.dim, view.student, live),
        hint="Students in amber, classical coders in grey. Upper left is better: truer, smaller.",
    )


def _forming_picture(space: Space, forming: Forming, fill: int) -> Picture:
    assert forming.rows is not None
    assert forming.vectors is not None
    mean, plane = _frame(forming.key, space.digest, space, forming.rows)
    there = (space.vectors[forming.rows] - mean) @ plane.T
    here = (forming.vectors - mean) @ plane.T
    revision = f"{space.digest} {forming.key}"
    return Picture(
        forming_figure(there, here.astype(np.float32), tokens(), revision),
        title=f"{counted(len(there), noun(space))}: amber the student, grey its teacher",
        tag="projected",
        alt=f"Where the student has {len(there):,} items at step {forming.step}.",
        height=320,
        fill=fill,
        labels=landmarks([space.texts[row] for row in forming.rows], there),
        space=f"forming {forming.key}",
        hint="The frame is the teacher's own and does not move: what moves is learning.",
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _frame(key: str, digest: str, _space: Space, _rows: Rows) -> tuple[Vector, Queries]:  # noqa: ARG001 - the first two are the key
    return frame_of(_space.vectors[_rows])


def _so_far(space: Space, forming: Forming, measure: str) -> float | None:
    """How true the previewed vectors are; neighbours are not counted among so few."""
    if forming.rows is None or forming.vectors is None or measure == "recall10":
        return None
    there, here = space.vectors[forming.rows], forming.vectors
    if measure == "cosine":
        return float(paired_cosines(there, here).mean())
    spread = float(np.square(there - space.mean).sum())
    return float(np.square(there - here).sum()) / spread if spread else None


def _choose() -> None:
    """A click on a dot: its student is the one that is looked at."""
    picked = st.session_state[KEY]["chosen"]
    keys = st.session_state.get("student keys", [])
    row = int((picked or {}).get("row", -1))
    if 0 <= row < len(keys) and keys[row]:
        choose_student(keys[row])


def choose_student(key: str) -> None:
    """Look at this student from now on."""
    current = st.session_state.get("student view")
    if isinstance(current, StudentView):
        remember("student", replace(current, student=key))


def default_key(cards: Sequence[StudentCard], dim: int) -> str:
    """The student to begin with: measured, and nearest to a byte for four numbers."""
    measured = [card for card in cards if card.report]
    if not measured:
        return cards[0].key if cards else ""
    return min(measured, key=lambda card: abs(np.log(card.bytes_per_item * 4 / dim))).key
