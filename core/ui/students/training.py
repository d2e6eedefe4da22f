"""Training as a person meets it: the form, the job while it runs, and what was broken off."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.scene import Picture, Scene
from core.figures.students.pareto import amount
from core.figures.students.training import loss_figure
from core.jobs.job import Job, Status
from core.permalink import StudentView
from core.pipeline import Training, quickened, specification, student_key
from core.spaces.space import Space
from core.students import registry
from core.students.base import Family
from core.students.registry import family
from core.teachers.base import WithModel
from core.ui.shared.jobs import NOT_YOURS, job_words
from core.ui.shared.markdown import plain
from core.ui.shared.state import may_stop, person, runner, widget, workspace
from core.ui.stage import mount, tokens
from core.ui.students.wording import budgets, nearest_budget

RECIPE = "distill"
READ_A_MODEL = ("encoder", "contextual")  # they start from a transformers model


def families() -> list[Family]:
    """Those that can be trained here."""
    found = []
    for name in registry.NAMES:
        try:
            found.append(family(name))
        except ImportError:  # a family whose library is not installed
            continue
    return found


def train_form(view: StudentView, space: Space, busy: bool) -> StudentView:
    """Family, budget, and two buttons; the view as the person has set it."""
    offered = {each.name: each for each in families()}
    columns = st.columns([2.1, 3.2, 1, 1.5, 1], vertical_alignment="bottom")
    with columns[0]:
        name = st.selectbox(
            "Kind of student",
            list(offered),
            index=list(offered).index(view.family) if view.family in offered else 0,
            format_func=lambda each: offered[each].title,
            key=widget("student", "family"),
        )
    choices = budgets(space.dim)
    with columns[1]:
        size = st.select_slider(
            "Bytes an item",
            choices,
            nearest_budget(space.dim, view.bytes_per_item),
            format_func=lambda each: f"{each:g} B · {amount(each * len(space))}",
            key=widget("student", f"bytes {space.dim}"),
            help=f"Everything counts: codes, weights, the words themselves. The teacher's rows "
            f"take {4 * space.dim:,} bytes each, {amount(4 * space.dim * len(space))} in all; "
            f"int8 takes {space.dim:,}.",
        )
    with columns[4], st.popover("More", width="stretch"):
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key=widget("student", "seed"),
            help="Two trainings with one seed come to the same student. Default 0.",
        )
    chosen = offered[name]
    why = _hindrance(view.teacher, chosen, busy)
    with columns[2]:
        wanted = st.button(
            "Train",
            type="primary",
            width="stretch",
            disabled=why is not None,
            help=why,
            key="student train",
        )
    with columns[3]:
        hasty = st.button(
            "Try now (30 s)",
            width="stretch",
            disabled=why is not None or not _can_hurry(chosen),
            help=why
            or (
                "The same student with a short training: rough, and there at once."
                if _can_hurry(chosen)
                else "This kind needs no long training: Train takes seconds."
            ),
            key="student try",
        )
    st.caption(plain(chosen.note))
    if wanted or hasty:
        submit(view.teacher, chosen, float(size), int(seed), hasty)
    return replace(view, family=chosen.name, bytes_per_item=float(size))


def _hindrance(teacher: str, chosen: Family, busy: bool) -> str | None:
    """Why no training can begin now; None where one can."""
    if busy:
        return "One training at a time: pause or cancel the one that runs."
    if chosen.name in READ_A_MODEL and not isinstance(workspace().teacher(teacher), WithModel):
        return "This kind starts from its teacher's own model, and this teacher is a bare table."
    return None


def _can_hurry(chosen: Family) -> bool:
    usual = chosen.spec()
    return chosen.learns and quickened(usual) != usual


def submit(teacher: str, chosen: Family, size: float, seed: int, hasty: bool) -> None:
    """Have the worker make a student; what is wrong with the wish is said at once."""
    try:
        wish = {"bytes_per_item": size, "seed": seed}
        spec = specification(chosen.name, wish, quick=hasty)
        key = student_key(teacher, spec)
        _start({"teacher": teacher, "spec": spec.to_dict(), "key": key})
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.rerun()


def _start(arguments: dict[str, Any]) -> None:
    st.session_state["student watched"] = runner().submit(RECIPE, arguments, person())


def just_made() -> str | None:
    """The key of the student whose training this person began, once, when it is there."""
    try:
        job = runner().job(str(st.session_state.get("student watched")))
    except MeaningSpaceError:  # none, or forgotten
        return None
    if not job.over:
        return None
    del st.session_state["student watched"]
    return str(job.result["key"]) if job.status is Status.DONE else None


def running(teacher: str) -> Job | None:
    """The training of this teacher that runs or waits, whoever began it."""
    jobs = (job for job in runner().jobs() if job.recipe == RECIPE and not job.over)
    return next((job for job in jobs if job.arguments.get("teacher") == teacher), None)


def ended(teacher: str) -> None:
    """Say how the last training ended, where it did not end well; until it is read."""
    jobs = [job for job in runner().jobs() if job.recipe == RECIPE]
    jobs = [job for job in jobs if job.arguments.get("teacher") == teacher]
    if not jobs or jobs[-1].status is not Status.FAILED:
        return
    read: set[str] = st.session_state.setdefault("student read", set())
    if jobs[-1].id in read:
        return
    message, button = st.columns([6, 1], vertical_alignment="center")
    message.error(plain(jobs[-1].error), icon=":material/error:")
    if button.button("Close", key=f"close {jobs[-1].id}", width="stretch"):
        read.add(jobs[-1].id)
        st.rerun()


def live_panel(job: Job, training: Training | None) -> None:
    """What runs: how far, how long still, the loss, and the ways to stop."""
    st.markdown("##### Learning")
    st.caption(plain(training.title if training else job.arguments["key"]))
    st.progress(job.fraction)
    st.caption(plain(job_words(job)))
    history = training.history if training else []
    if len(history) > 1:
        picture = Picture(
            loss_figure(history, tokens(), job.id),
            title="Loss",
            tag="measured",
            alt=f"The loss fell from {history[0]['loss']:.3g} to {history[-1]['loss']:.3g}.",
            height=130,
        )
        mount(Scene("loss", [picture]), "student loss")
    own = may_stop(job)
    left, right = st.columns(2)
    # By callback: a click that meets the curve's own rerun must not be lost.
    left.button(
        "Pause",
        key=f"pause {job.id}",
        width="stretch",
        disabled=job.stopping or not own,
        help="Keep what is learnt, and give the machine back. Resume whenever you like."
        if own
        else NOT_YOURS,
        on_click=_stop,
        args=(job.id, runner().pause),
    )
    right.button(
        "Cancel",
        key=f"cancel {job.id}",
        width="stretch",
        disabled=(job.stopping and not job.pausing) or not own,
        help="Stop, and throw this training away." if own else NOT_YOURS,
        on_click=_stop,
        args=(job.id, runner().cancel),
    )


def _stop(job_id: str, stop: Callable[[str], None]) -> None:
    """A click that was sent without the button is looked at again."""
    if may_stop(runner().job(job_id)):
        stop(job_id)


def _began(key: str) -> bool:
    """Whether this person began the training that was last at work on a student."""
    return person() == (_owner(key) or "")


def _somebody_elses(key: str) -> bool:
    """Whether another person did; one from before the server's start is nobody's."""
    return _owner(key) not in (None, person())


def _owner(key: str) -> str | None:
    jobs = [job for job in runner().jobs() if job.arguments.get("key") == key]
    return jobs[-1].owner if jobs else None


def unfinished(teacher: str, active: Job | None) -> None:
    """Trainings that were paused or broke off, also before the machine was switched off."""
    busy = active is not None
    running_key = active.arguments.get("key") if active else None
    waiting = [
        training
        for training in workspace().catalogue.trainings(teacher)
        if training.key != running_key
    ]
    if waiting:
        st.markdown("##### Unfinished")
    for training in waiting:
        text, resume, discard = st.columns([5, 1, 1], vertical_alignment="center")
        text.markdown(f"**{plain(training.title)}** {_where(training)}")
        own, taken = _began(training.key), _somebody_elses(training.key)
        pressed = resume.button(
            "Resume",
            key=f"resume {training.key}",
            width="stretch",
            disabled=busy or taken,
            help=NOT_YOURS if taken else None,
        )
        if pressed and not taken:  # who resumes may cancel, and so throw away
            _start(training.arguments)
            st.rerun()
        pressed = discard.button(
            "Discard",
            key=f"discard {training.key}",
            width="stretch",
            disabled=not own,
            help=None if own else NOT_YOURS,
        )
        if pressed and own:
            workspace().catalogue.discard(training.key)
            st.rerun()


def _where(training: Training) -> str:
    if training.error:
        return f"broke off: {plain(training.error)}"
    if not training.history:
        return "was stopped before its first step."
    last = training.history[-1]
    return f"waits at step {last['step']:,.0f}, loss {last['loss']:.3g}."
