"""Where the pages and the assets lie, where models are unpacked to, how cores are shared."""

import os
from pathlib import Path


def site_root() -> Path:
    """The folder that holds ``app.py``, ``pages/`` and ``assets/``.

    A wheel carries them in ``core/_site``; in a checkout they stand beside ``core``.

    >>> (site_root() / "assets").is_dir()
    True
    """
    here = Path(__file__).resolve().parent
    inside = here / "_site"
    return inside if inside.is_dir() else here.parent


def share_cores() -> None:
    """Let torch's threads sleep while they wait for each other, in this process and its children.

    They spin by default, which is no faster on idle cores, and many times slower where a browser
    that draws without a graphics card wants the same ones. To be called before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def model_cache() -> Path:
    """Where packaged models are unpacked: MEANING_SPACE_MODELS, else the user's cache. It is shared
    by all workspaces, as everything in it can be made again from a package."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("MEANING_SPACE_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    return user_cache_path("meaning-space", appauthor=False) / "models"
