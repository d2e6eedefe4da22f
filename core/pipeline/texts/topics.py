"""What the regions of a picture are about: their keywords, and the item in their middle."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.pipeline.workspace import picture_key
from core.projection.base import Spec
from core.spaces.keywords import class_keywords
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.types import Matrix, Rows

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

KEYWORDS = 6
NAMED = 2  # keywords in a region's name


@dataclass(frozen=True)
class Topic:
    """One region of a picture, on its middle level.

    ``words`` are its keywords with their weights, best first; ``medoid`` is the row of the item
    nearest by cosine to the mean direction of its items, with that cosine; ``size`` counts the
    items; (x, y) is where its name stands.
    """

    words: tuple[tuple[str, float], ...]
    medoid: int
    cosine: float
    size: int
    x: float
    y: float

    @property
    def name(self) -> str:
        """Its first two keywords; a dash where it has none, such as among numbers."""
        return ", ".join(word for word, _ in self.words[:NAMED]) or "–"


def topics(
    workspace: "Workspace",
    space: Space,
    spec: Spec,
    texts: Callable[[], Sequence[str]],
    leaves: Rows | None = None,
) -> tuple[Topic, ...]:
    """The regions 0, 1, ... of a picture of ``space``, kept beside it.

    ``texts`` gives in full what the ``leaves`` say, all items where that is None: items that stand
    for others (a document for its windows) lend no words and are no medoid.
    """
    key = picture_key(space, spec)

    def make() -> tuple[Topic, ...]:
        cluster = workspace.regions(space, spec).cluster
        coords = workspace.projection(space, spec).coords
        rows = np.arange(len(space)) if leaves is None else leaves
        keywords = class_keywords(texts(), cluster[rows], KEYWORDS)
        answer = []
        for number in range(int(cluster.max(initial=-1)) + 1):
            words = keywords[number] if number < len(keywords) else ()
            own = np.flatnonzero(cluster == number)
            inside = rows[cluster[rows] == number]
            middle, cosine = medoid(space.unit, inside if len(inside) else own)
            x, y = (float(value) for value in np.median(coords[own], axis=0))
            answer.append(Topic(words, middle, cosine, len(own), x, y))
        return tuple(answer)

    def read() -> tuple[Topic, ...]:
        kept = workspace.store.load("topics", key).payload["topics"]
        return tuple(
            Topic(**{**it, "words": tuple((str(w), float(s)) for w, s in it["words"])})
            for it in kept
        )

    def write(made: tuple[Topic, ...]) -> None:
        workspace.store.save("topics", key, payload={"topics": [asdict(topic) for topic in made]})

    return workspace.kept("topics", key, read, make, write)


def has_topics(workspace: "Workspace", space: Space, spec: Spec) -> bool:
    """Whether the regions have keywords already."""
    return workspace.store.has("topics", picture_key(space, spec))


def medoid(unit: Matrix, rows: Rows) -> tuple[int, float]:
    """Among ``rows`` of the unit vectors (n, d), the one nearest by cosine to their mean, and that
    cosine; the first where several are.

    Raises ValueError for no rows.
    """
    centre = unit_rows(unit[rows].mean(axis=0, dtype=np.float64).astype(np.float32)[None])[0]
    cosines = unit[rows] @ centre
    best = int(np.argmax(cosines))
    return int(rows[best]), float(cosines[best])
