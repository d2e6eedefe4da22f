"""Who watches the work of this thread, told of what a library does for seconds without a word.

A model is loaded once, by whoever asks first, behind caches that know of no callback: what loading
takes is therefore said to whoever watches, not to one that is handed down to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from core.errors import Cancelled


@runtime_checkable  # the tests check annotations at run time
class Report(Protocol):
    """core.types.Progress, without numpy: the command line starts with this module."""

    def __call__(self, done: int, total: int, message: str) -> bool: ...


class _Watcher:
    """A callback that remembers what it was last told."""

    def __init__(self, progress: Report, idle: str, flush: Callable[[], None]) -> None:
        self._progress = progress
        self.flush = flush
        self.latest = (0, 0, idle)

    def __call__(self, done: int, total: int, message: str) -> bool:
        self.latest = (done, total, message)
        return self._progress(done, total, message)


_watcher: ContextVar[_Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(
    progress: Report, idle: str = "", flush: Callable[[], None] = lambda: None
) -> Iterator[Report]:
    """Let ``progress`` be told of every :func:`waiting` within; gives the callback for the work
    itself, whose share of the whole stands while it waits.

    ``idle`` is said after a wait that came before any other word. ``flush`` is called when one
    begins: what tokenizers does in Rust lets no other thread run, so the word must be out before.
    """
    watcher = _Watcher(progress, idle, flush)
    token = _watcher.set(watcher)
    try:
        yield watcher
    finally:
        _watcher.reset(token)


@contextmanager
def waiting(message: str) -> Iterator[None]:
    """Say what begins, of which nobody knows how far it is, and afterwards what was said before.

    Nothing is said where nobody watches. Raises Cancelled where the answer is stop.
    """
    watcher = _watcher.get()
    if watcher is None:
        yield
        return
    done, total, before = watcher.latest
    if not watcher(done, total, message):
        raise Cancelled(f"stopped before: {message}")
    watcher.flush()
    try:
        yield
    finally:
        watcher(done, total, before)
