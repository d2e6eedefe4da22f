"""The view of the map."""

from dataclasses import dataclass

from core.permalink.base import DIMS, PARAMETERS, SEED, TEACHER, TEXT, in_link


@dataclass(frozen=True, kw_only=True)
class MapView:
    """What the map shows. ``parameters`` are the projector's own fields, name and number;
    ``revision`` is the short digest of the space that the link was made on. ``spot`` is a place of
    the picture where no item is, "x,y@picture" (see :func:`clicked`), or a way whose middle is
    meant, "dog > table"."""

    teacher: str = in_link(TEXT, TEACHER)
    revision: str = in_link(TEXT, "")
    projector: str = in_link(TEXT, "umap")
    parameters: tuple[tuple[str, int | float], ...] = in_link(PARAMETERS, ())
    seed: int | None = in_link(SEED, None)
    dims: int = in_link(DIMS, 2)
    colour: str = in_link(TEXT, "category")
    selected: str | None = in_link(TEXT, None)
    spot: str = in_link(TEXT, "")
