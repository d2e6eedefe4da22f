"""Students: small generators of a teacher's vectors, on the curve of fidelity against bytes."""

from dataclasses import replace

import streamlit as st

from core.permalink import StudentView
from core.pipeline.students.answers import measured_pareto, student_points
from core.ui.shared.jobs import space_or_wait
from core.ui.shared.state import bench, remember, view
from core.ui.students.ask import ask
from core.ui.students.controls import measure_controls, rivals_job, unmeasured_job
from core.ui.students.curve import default_key
from core.ui.students.errors import errors
from core.ui.students.layers import layer_fidelity
from core.ui.students.live import observe, panel
from core.ui.students.summary import can_it_be_smaller, take_away
from core.ui.students.training import ended, families, just_made, running, train_form, unfinished

seen = view("student", StudentView)
space = space_or_wait(seen.teacher)
st.title("Students")
st.caption(
    "A student is a small generator that learnt to give its teacher's vectors from far fewer "
    "bytes. Can it be smaller, and still the same?"
)
# In this order: what ends while the page is drawn is then seen by the curve, which draws it again.
job = running(seen.teacher)
seen = replace(seen, student=just_made() or seen.student)
offered = {family.name for family in families()}
cards = [card for card in bench().studio.students(seen.teacher) if card.family in offered]
if seen.student not in {card.key for card in cards}:
    seen = replace(seen, student=default_key(cards, space.dim))
pareto = measured_pareto(bench(), seen.teacher)
points = student_points(bench(), seen.teacher) if pareto is None else pareto.points
card = next((card for card in cards if card.key == seen.student), None)

picture, beside = st.columns([0.82, 0.18], gap="small")
with picture:
    stage, controls = st.container(), st.container()
with controls:
    ended(seen.teacher)
    seen = measure_controls(seen, pareto)
    seen = train_form(seen, space, busy=job is not None)
    rivals_job(seen.teacher, pareto)
    unmeasured_job(card)
    unfinished(seen.teacher, job)
remember("student", replace(seen, revision=space.digest[:12]))
with stage:
    observe(seen, space, cards, points, job)
with beside:
    panel(seen, space, card, points, job)
if card is not None:
    layer_fidelity(card)
    seen = ask(seen, card, space)
    errors(card)
can_it_be_smaller()
take_away(seen.teacher, points, card)
remember("student", replace(seen, revision=space.digest[:12]))
