"""Students: small generators of a teacher's vectors, on the curve of fidelity against bytes."""

from dataclasses import replace

import streamlit as st

from core.permalink import StudentView
from core.pipeline.students.answers import measured_pareto, student_points
from core.ui.shared.jobs import space_or_wait
from core.ui.shared.state import remember, view_of, workspace
from core.ui.students.ask import ask
from core.ui.students.controls import measure_controls, rivals_job, unmeasured_job
from core.ui.students.curve import default_key
from core.ui.students.errors import errors
from core.ui.students.layers import layer_fidelity
from core.ui.students.live import observe, panel
from core.ui.students.summary import can_it_be_smaller, take_away
from core.ui.students.training import ended, families, just_made, running, train_form, unfinished

view = view_of("student", StudentView)
space = space_or_wait(view.teacher)
st.title("Students")
st.caption(
    "A student is a small generator that learnt to give its teacher's vectors from far fewer "
    "bytes. Can it be smaller, and still the same?"
)
# In this order: what ends while the page is drawn is then view by the curve, which draws it again.
job = running(view.teacher)
view = replace(view, student=just_made() or view.student)
offered = {family.name for family in families()}
cards = [card for card in workspace().catalogue.students(view.teacher) if card.family in offered]
if view.student not in {card.key for card in cards}:
    view = replace(view, student=default_key(cards, space.dim))
pareto = measured_pareto(workspace(), view.teacher)
points = student_points(workspace(), view.teacher) if pareto is None else pareto.points
card = next((card for card in cards if card.key == view.student), None)

picture, beside = st.columns([0.82, 0.18], gap="small")
with picture:
    stage, controls = st.container(), st.container()
with controls:
    ended(view.teacher)
    view = measure_controls(view, pareto)
    view = train_form(view, space, busy=job is not None)
    rivals_job(view.teacher, pareto)
    unmeasured_job(card)
    unfinished(view.teacher, job)
remember("student", replace(view, revision=space.digest[:12]))
with stage:
    observe(view, space, cards, points, job)
with beside:
    panel(view, space, card, points, job)
if card is not None:
    layer_fidelity(card)
    view = ask(view, card, space)
    errors(card)
can_it_be_smaller()
take_away(view.teacher, points, card)
remember("student", replace(view, revision=space.digest[:12]))
