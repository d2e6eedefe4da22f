"""Where the pages and the assets lie: at the repository's root, or inside an installed wheel."""

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
