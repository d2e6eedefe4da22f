"""Turns at the language models of this process: one person's work at a time, the others in line.

Thirty texts that are written side by side take thirty times as long, each, and leave no core for
the pages; one after the other they are ready in turn, and everybody knows when.
"""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st

from core.cache import LruCache
from core.jobs.line import Place, TurnQueue, place_words
from core.ui.shared.state import person, visitor

T = TypeVar("T")
POLITE_SECONDS = 0.3  # a wait that need not be told
LOOK_SECONDS = 0.5  # between two looks at the line
LINE = TurnQueue()
_own = threading.local()


def kept_or_made(kept: LruCache[T], key: Hashable, make: Callable[[], T], kind: str) -> T:
    """What is kept, at once; else what is made when this person's turn has come."""
    if key in kept:
        return kept.get(key, make)
    with turn(kind):  # before the key's own lock: whoever makes it may have to wait for a turn
        return kept.get(key, make)


@contextmanager
def turn(kind: str) -> Iterator[None]:
    """A turn for the thread of a page, which shows its place in line; within a turn, the same.

    Whoever leaves the line is told so, and the page ends there. Any other click, or a closed tab,
    gives the place up too.
    """
    if getattr(_own, "turn", False):
        yield
        return
    _stop_who_left(kind)
    with LINE.join(person() or visitor(), kind) as place:
        if not place.wait(POLITE_SECONDS):
            _stand(place)
        with taken():
            yield


@contextmanager
def taken() -> Iterator[None]:
    """What this thread does belongs to a turn that has come."""
    _own.turn = True
    try:
        yield
    finally:
        _own.turn = False


def _stand(place: Place) -> None:
    """Show the place in line until it is the first. Ends with the script where that is stopped."""
    box = st.empty()
    with box.container(horizontal=True, vertical_alignment="center"):
        words = st.empty()
        st.button(
            "Leave the line",
            key=f"leave the line {place.kind}",
            on_click=lambda: st.session_state.update({_left(place.kind): True}),
        )
    while not place.wait(LOOK_SECONDS):
        words.info(f"In line for the model: {place_words(place)}.", icon=":material/groups:")
    box.empty()


def _left(kind: str) -> str:
    return f"left the line {kind}"


def _stop_who_left(kind: str) -> None:
    if not st.session_state.get(_left(kind)):
        return
    st.info("You left the line; nothing was made.", icon=":material/groups:")
    if not st.button("Stand in line again", key=f"again in line {kind}"):
        st.stop()
    del st.session_state[_left(kind)]
    st.rerun()
