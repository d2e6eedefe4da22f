"""Descriptors: as many as the system grants, and none kept by people who are gone.

Each session of Streamlit owns an event loop, three descriptors. Its storage keeps sessions for two
minutes after their tab closed, up to 128 of them, and forgets them without closing: a server that
is allowed 256 descriptors had none left for its next visitor after 82 page loads, for good.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from streamlit.runtime import Runtime
from streamlit.runtime.session_manager import SessionInfo, SessionStorage
from streamlit.starlette import App

WANTED = (65_536, 10_240)  # descriptors; some systems grant no more than the second
KEPT_SECONDS = 60.0  # for a tab that was reloaded, or whose network is back
A_SESSION = 16  # descriptors of the limit for each session that waits for its tab
MOST_KEPT = 128
SWEEP_SECONDS = 2.0


def raise_descriptor_limit() -> int:
    """As many open descriptors as the system lets this process have; how many that are."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return WANTED[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in WANTED:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and most > soft:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
                return most
    return WANTED[0] if soft == resource.RLIM_INFINITY else soft


class ClosingStorage(SessionStorage):
    """Sessions whose tab is gone, each for ``seconds`` and ``most`` at a time, then closed.

    To be used on the event loop's own thread, as Streamlit does.
    """

    def __init__(self, most: int, seconds: float = KEPT_SECONDS) -> None:
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[str, tuple[SessionInfo, float]] = OrderedDict()

    def get(self, session_id: str) -> SessionInfo | None:
        kept = self._kept.get(session_id)
        return None if kept is None else kept[0]

    def save(self, session_info: SessionInfo) -> None:
        self._kept[session_info.session.id] = (session_info, time.monotonic())
        self._kept.move_to_end(session_info.session.id)
        self.sweep()

    def delete(self, session_id: str) -> None:
        self._kept.pop(session_id, None)

    def list(self) -> list[SessionInfo]:
        return [info for info, _ in self._kept.values()]

    def sweep(self) -> None:
        """Close what has waited for too long, and the longest waiting beyond ``most``."""
        old = time.monotonic() - self._seconds
        while self._kept:
            first = next(iter(self._kept))
            info, since = self._kept[first]
            if since > old and len(self._kept) <= self._most:
                return
            del self._kept[first]
            info.session.shutdown()


@asynccontextmanager
async def closing_sessions(_: App) -> AsyncIterator[None]:
    """An app's lifespan in which sessions of closed tabs are closed too."""
    most = max(8, min(MOST_KEPT, raise_descriptor_limit() // A_SESSION))
    storage = ClosingStorage(most)
    # Streamlit makes its own storage inside App and takes no other from outside.
    Runtime.instance()._session_mgr._session_storage = storage  # type: ignore[attr-defined]

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            storage.sweep()

    sweeping = asyncio.create_task(sweep())
    try:
        yield
    finally:
        sweeping.cancel()
