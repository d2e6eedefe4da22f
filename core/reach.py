"""Which files a reference may name: any on one's own machine; where others are served, those below
the folders that the owner allowed, and none besides."""

import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import UnreadableFile

ALLOWED = "MEANING_SPACE_PATHS"  # folders; not set at all where every path is open


def close_paths(folders: Sequence[Path]) -> None:
    """From now on only what lies below the folders is opened, here and in child processes."""
    os.environ[ALLOWED] = os.pathsep.join(str(folder.resolve()) for folder in folders)


def paths_are_closed() -> bool:
    """Whether others are served, so that a path is opened only where its owner allowed it."""
    return ALLOWED in os.environ


def require_open(typed: str) -> None:
    """Raises UnreadableFile for a path that is closed: in the same words whether there is anything
    or not, and without having looked.

    The path is judged as it will be opened: ``~`` is a home, and ``..`` behind a link leads to
    where the link's target lies, not back to the link.
    """
    allowed = os.environ.get(ALLOWED)
    if allowed is None:
        return
    folders = [Path(folder) for folder in allowed.split(os.pathsep) if folder]
    try:
        named = Path.cwd() / Path(typed).expanduser()
        spelled = Path(os.path.normpath(named))
        inside = any(spelled.is_relative_to(folder) for folder in folders)
        if inside and any(named.resolve().is_relative_to(folder) for folder in folders):
            return
    except (OSError, RuntimeError, ValueError):  # a zero byte, a ring of links
        pass
    raise UnreadableFile(
        "found a path that this server does not open, whether anything is there or not; expected "
        "a packaged model, an upload, or what its owner allowed: ask whoever runs it"
    )
