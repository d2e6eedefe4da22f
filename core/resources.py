"""Where the pages and the assets lie, where models are unpacked to, how cores are shared."""

import os
from pathlib import Path

THREADS = "MEANING_SPACE_THREADS"  # marks that it was us who limited them


def site_root() -> Path:
    """The folder that holds ``app.py``, ``pages/`` and ``assets/``.

    A wheel carries them in ``core/_site``; in a checkout they stand beside ``core``.

    >>> (site_root() / "assets").is_dir()
    True
    """
    here = Path(__file__).resolve().parent
    inside = here / "_site"
    return inside if inside.is_dir() else here.parent


def plotly_path() -> Path:
    """plotly.min.js as the plotly package carries it: offline, and of the same version."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def share_cores() -> None:
    """Let torch's threads sleep while they wait for each other, in this process and its children.

    They spin by default, which is no faster on idle cores, and many times slower where a browser
    that draws without a graphics card wants the same ones. To be called before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def leave_a_core() -> None:
    """Let the models of this process compute on all cores but one, for the pages that it serves.

    Each thread that computes gets as many helpers, so that in a crowd of readers there are hundreds
    of them. To be called before torch is imported; a number that the person set is kept.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    granted = hasattr(os, "sched_getaffinity")  # fewer than the machine has, in a container
    cores = len(os.sched_getaffinity(0)) if granted else os.cpu_count() or 1
    os.environ[THREADS] = os.environ["OMP_NUM_THREADS"] = str(max(1, cores - 1))


def whole_machine() -> dict[str, str]:
    """The environment of a child that serves no pages: without what `leave_a_core` set."""
    own = dict(os.environ)
    if own.pop(THREADS, None) is not None:
        own.pop("OMP_NUM_THREADS", None)
    return own


def model_cache() -> Path:
    """Where packaged models are unpacked: MEANING_SPACE_MODELS, else the user's cache. It is shared
    by all workspaces, as everything in it can be made again from a package."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("MEANING_SPACE_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    return user_cache_path("meaning-space", appauthor=False) / "models"
