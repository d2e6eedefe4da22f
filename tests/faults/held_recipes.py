"""A recipe whose result no disk takes, for a real worker and the process that shows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.store.disk import Store
from core.types import Progress


def make(workspace_folder: Path, arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Keep an array of so many numbers, larger than a pipe holds."""
    numbers = np.arange(arguments["count"], dtype=np.float32)
    kept = Store(workspace_folder / "cache").save("thing", "a", {"x": numbers}, None, {"why": "é"})
    return {"kept": kept}


def when_held(workspace_folder: Path, tell: Callable[[str, str, bytes, str], None]) -> None:
    Store(workspace_folder / "cache").when_held(tell)


def hold(workspace_folder: Path, kind: str, key: str, packed: bytes, why: str) -> None:
    Store(workspace_folder / "cache").hold(kind, key, packed, why)


RECIPES = {"make": make}
