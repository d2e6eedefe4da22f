"""What outlives a rerun: the workspace and the worker for everybody, the view for one person.

The view of a page is kept in its query string, so that every state has a link. A page reads it
with :func:`view_of`, draws, and writes it back with :func:`remember`.
"""

import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar, cast
from uuid import uuid4

import streamlit as st

from core.jobs.job import Job
from core.jobs.runner import Runner
from core.permalink import (
    CompareView,
    LayersView,
    MapView,
    PathView,
    TextsView,
    TrajectoriesView,
    View,
    clicked,
    decode,
    encode,
)
from core.pipeline import Workspace
from core.store.disk import default_workspace
from core.ui.serving.entry import person_of
from core.ui.shared.markdown import plain

V = TypeVar("V", bound=View)
READ_BY_A_MODEL = LayersView | TextsView | TrajectoriesView  # views that are of no one space
_lock = threading.Lock()


def workspace() -> Workspace:
    """The one workspace of this process."""
    with _lock:
        return _bench(default_workspace())


def runner() -> Runner:
    """The one worker process of this server; it warms up as soon as it is asked for."""
    with _lock:
        return _runner(default_workspace())


def visitor() -> str:
    """Who looks at the page, for as long as it is open: a name drawn once per session."""
    return str(st.session_state.setdefault("visitor", uuid4().hex))


def person() -> str:
    """Who asks, for as long as the browser keeps its cookie; "" on one's own machine."""
    return person_of(st.context.cookies)


def may_stop(job: Job) -> bool:
    """Whether this person began the job, who alone may stop it; on one's own machine, always."""
    return job.owner == person()


@cache
def _bench(folder: Path) -> Workspace:
    return Workspace(folder)


@cache
def _runner(folder: Path) -> Runner:
    return Runner(folder)


def view_of(page: str, kind: type[V]) -> V:  # noqa: ARG001 - the kind is for the reader and mypy
    """The view that the link asks for, else the one this person left on this page.

    A value in the link that is not understood is said above the page.
    """
    params = st.query_params.to_dict()
    written = st.session_state.get(f"{page} link")
    if params == written or (not params and f"{page} view" in st.session_state):
        current = cast(V, st.session_state[f"{page} view"])
        return _moved(current, st.session_state.get("teacher"))
    read, warnings = decode(page, params)
    for warning in warnings:
        st.warning(plain(warning))
    if not {"teacher", "a"} & set(params):
        read = _moved(read, st.session_state.get("teacher"))
    forget_widgets(page)
    if (space := _space_of(read)) is not None:
        st.session_state["teacher"] = space
    return cast(V, read)


def remember(page: str, current: View) -> None:
    """Keep the view, and put it into the address bar."""
    link = encode(current)
    st.session_state[f"{page} view"] = current
    st.session_state[f"{page} link"] = link
    if st.query_params.to_dict() != link:
        st.query_params.from_dict(link)


def widget(page: str, name: str) -> str:
    """The key of a page's widget."""
    return f"{page}:{name}"


def forget_widgets(page: str) -> None:
    """Let the page's widgets start from the view again."""
    for key in [key for key in st.session_state if str(key).startswith(f"{page}:")]:
        del st.session_state[key]


def _moved(current: V, teacher: str | None) -> V:
    """The same view on the space that the sidebar shows; in a comparison that is the first.

    A place that was clicked stays behind: it belongs to the former space's picture.
    """
    if teacher in (None, _space_of(current)) or isinstance(current, READ_BY_A_MODEL):
        return current
    if isinstance(current, MapView | PathView | CompareView) and clicked(current.spot):
        current = replace(current, spot="")
    if isinstance(current, CompareView):
        return replace(current, a=teacher)
    return replace(current, teacher=teacher, revision="")


def _space_of(current: View) -> str | None:
    """The space of a view; None for one that reads with a model instead."""
    if isinstance(current, READ_BY_A_MODEL):
        return None
    return current.a if isinstance(current, CompareView) else current.teacher
