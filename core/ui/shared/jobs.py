"""Waiting, written by someone who cares: what is happening, how far, how long, and a way out."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

import streamlit as st

from core.errors import MeaningSpaceError
from core.jobs.job import Job, Status
from core.pipeline import picture_key
from core.projection.base import PcaSpec, Spec
from core.spaces.space import Space
from core.ui.shared.markdown import plain
from core.ui.shared.state import may_stop, person, runner, visitor, workspace

Kind = Literal["primary", "secondary"]  # of a button
POLL_SECONDS = 0.4
LONG = 120  # seconds; more are told in minutes
NOT_YOURS = "Somebody else began this; who began it may stop it or go on with it."
_people: dict[str, set[str]] = {}  # who waits for a job: two may have asked for the same
_lock = threading.Lock()


def space_or_wait(reference: str) -> Space:
    """The space, at once where that takes a moment; else a job with its progress, and stop."""
    try:
        if _at_once(reference):
            with st.spinner(f"Reading {plain(workspace().teacher(reference).info.title)}"):
                return workspace().space(reference)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        st.stop()
    _make(reference)
    st.stop()


def _at_once(reference: str) -> bool:
    """Whether the space is there, or a packaged table that takes a second to read."""
    packaged_table = workspace().teacher(reference).info.can == ("rows",)
    quick = packaged_table and not reference.startswith(("hub:", "path:", "vectors:", "upload:"))
    return quick or workspace().has_space(reference)


def _make(reference: str) -> None:
    info = workspace().teacher(reference).info
    st.subheader(plain(info.title))
    how = "every text goes through the model, which takes up to a few minutes on a small machine"
    if info.can == ("rows",):
        how = "the file is read, which takes seconds for tens of thousands of rows"
    st.write(f"This space is made once and then kept: {how}.")
    job_id = submitted("space", {"reference": reference}, f"space {reference}")
    if job_id is not None:
        watch(job_id, "Make this space", lambda: workspace().has_space(reference))


def to_show(space: Space, spec: Spec) -> Spec:
    """The picture to show now: ``spec`` once it is there, PCA until then."""
    return spec if workspace().has_projection(space, spec) else PcaSpec(dims=spec.dims)


def follow(space: Space, reference: str, spec: Spec, graph_too: bool = False) -> None:
    """Have the worker compute what is missing, and draw its progress here.

    What is missing are neighbours, picture, its faithfulness, regions. The page reruns when the
    picture is there (with ``graph_too`` also when the neighbours are) and at the end. Call it
    after the first picture is drawn: the worker's start takes a core away from it.
    """
    if complete(space, spec):
        return
    arguments = {"reference": reference, "spec": spec.to_dict()}
    job_id = submitted("map", arguments, f"map {picture_key(space, spec)}")
    if job_id is None:
        return
    no_picture = not workspace().has_projection(space, spec)
    no_graph = graph_too and not workspace().has_graph(space)

    def ready() -> bool:
        drawn = no_picture and workspace().has_projection(space, spec)
        return drawn or (no_graph and workspace().has_graph(space))

    watch(job_id, "Draw this picture", ready)


def complete(space: Space, spec: Spec) -> bool:
    """Whether nothing is left to compute for this picture."""
    return (
        workspace().has_projection(space, spec)
        and workspace().has_graph(space)
        and workspace().has_faithfulness(space, spec)
        and workspace().has_faithfulness(space, PcaSpec(dims=spec.dims))
        and (spec.dims == 3 or workspace().has_regions(space, spec))
    )


def submitted(
    recipe: str, arguments: Mapping[str, object], name: str, slot: str = ""
) -> str | None:
    """Submit once per person and name; after a stop or a failure, only when asked again.

    Of work in the same ``slot`` a person wants the latest alone: what they had asked for there
    under another name is cancelled, unless somebody else waits for it too.
    """
    if slot:
        _leave_former(slot, name)
    key = f"job {name}"
    job_id: str | None = st.session_state.get(key)
    if job_id is not None:
        try:
            job = runner().job(job_id)
        except MeaningSpaceError:
            job_id = None
        else:
            if job.status in (Status.FAILED, Status.CANCELLED):
                _ended(job, key)
                return None
            if job.status is Status.DONE:
                job_id = None  # what it made was lost since, so make it again
    if job_id is None:
        try:
            job_id = runner().submit(recipe, dict(arguments), person())
        except MeaningSpaceError as error:
            st.error(plain(error), icon=":material/error:")
            return None
        st.session_state[key] = job_id
        with _lock:
            alive = {job.id for job in runner().jobs() if not job.over}
            for gone in _people.keys() - alive:
                del _people[gone]
            _people.setdefault(job_id, set()).add(visitor())
    return job_id


def asked_for(recipe: str, arguments: Mapping[str, object], label: str, kind: Kind) -> bool:
    """A button, until it was pressed or such a job runs; whether to go on to the job."""
    name = f"asked {recipe} {sorted(arguments.items(), key=str)}"
    running = any(
        job.recipe == recipe and job.arguments == arguments and not job.over
        for job in runner().jobs()
    )
    if running or st.session_state.get(name):
        return True
    if st.button(label, type=kind):
        st.session_state[name] = True
        st.rerun()
    return False


def follow_job(
    recipe: str, arguments: Mapping[str, object], label: str, done: Callable[[], bool]
) -> None:
    """The progress of that job, with a button that stops it."""
    job_id = submitted(recipe, arguments, f"{recipe} {sorted(arguments.items(), key=str)}")
    if job_id is not None:
        watch(job_id, label, done)


def _leave_former(slot: str, name: str) -> None:
    """Cancel what this person wanted in the slot before, where nobody else waits for it."""
    former = st.session_state.get(f"slot {slot}")
    st.session_state[f"slot {slot}"] = name
    job_id: str | None = st.session_state.get(f"job {former}")
    if former == name or job_id is None:
        return
    with suppress(MeaningSpaceError):  # forgotten since
        if runner().job(job_id).over:
            return
    del st.session_state[f"job {former}"]  # so that it begins anew when it is wanted again
    with _lock:
        waiting = _people.get(job_id, set())
        waiting.discard(visitor())
        if not waiting:
            with suppress(MeaningSpaceError):
                runner().cancel(job_id)


def _ended(job: Job, key: str) -> None:
    if job.status is Status.FAILED:
        st.error(plain(job.error), icon=":material/error:")
    else:
        st.info("Stopped. Nothing was lost; what was computed before is kept.")
    if st.button("Try again" if job.status is Status.FAILED else "Go on", key=f"again {key}"):
        del st.session_state[key]
        st.rerun()


def watch(job_id: str, label: str, ready: Callable[[], bool], *, stacked: bool = False) -> None:
    """A progress line that follows the job, with a button that stops it: beside it, or ``stacked``
    below it where there is little room."""

    @st.fragment(run_every=POLL_SECONDS)
    def line() -> None:
        job = runner().job(job_id)
        if job.over or ready():
            st.rerun()
        bar, button = (
            (st.container(), st.container())
            if stacked
            else st.columns([6, 1], vertical_alignment="center")
        )
        bar.progress(job.fraction, text=job_words(job))
        own = may_stop(job)
        pressed = button.button(
            "Stop",
            key=f"stop {job_id}",
            help=f"{label}: stop, and keep what is done" if own else NOT_YOURS,
            disabled=not own,
        )
        if pressed and own:
            runner().cancel(job_id)

    line()


def job_words(job: Job) -> str:
    """What a job is doing, and for how long still."""
    left = job.seconds_left(time.time())
    if job.status is Status.QUEUED:
        return job.message[:1].upper() + job.message[1:]
    message = job.message[:1].upper() + job.message[1:]
    if left is None or left < 1:
        return message
    told = f"{left:.0f} s" if left < LONG else f"{left / 60:.0f} min"
    return f"{message}, about {told} more"
