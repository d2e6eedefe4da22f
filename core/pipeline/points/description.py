"""What any point of a space says: its nearest items, how far off the data it is, and a sentence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from core.decode.guided_decoding import GuidedSearch, Written, drawn, guided_search
from core.decode.nearest import decode
from core.errors import InvalidVectors
from core.paths.off_manifold import knn_percentile, norm_percentile, off_data
from core.pipeline.models import speaker, speaker_identity
from core.pipeline.points.bridge import bridge, crosses, encoder, has_bridge
from core.pipeline.workspace import NEAREST, Workspace
from core.progress import scaled
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.store.keys import store_key
from core.teachers.smollm2 import SMOLLM2
from core.types import Progress, Queries, Vector, silent

ONLY_SENTENCES = (
    "The bridge reads MiniLM's vectors of whole words and sentences only: choose minilm:words or "
    "minilm:sentences to read points as sentences."
)


@dataclass(frozen=True)
class PointDescription:
    """A point in words: the ``prompt`` words that the bridge read off it, the ``greedy`` sentence
    that the model wrote by itself, and the ``best`` that was found by reading again while
    writing."""

    prompt: tuple[str, ...]
    greedy: Written
    best: Written

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Description:
    """What a point says. ``near`` are texts with cosines, best first; percentiles 0..100 as in
    :mod:`core.paths.off_manifold`; ``told`` is None where ``why_not`` says why there are no
    words."""

    point: Vector
    near: tuple[tuple[str, float], ...]
    rows: npt.NDArray[np.int64]
    norm_percentile: float
    distance_percentile: float
    off_data: bool
    told: PointDescription | None
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "words": [{"text": text, "cosine": round(cosine, 4)} for text, cosine in self.near],
            "sentence": None if self.told is None else self.told.best.text,
            "cosine": None if self.told is None else round(self.told.best.cosine, 4),
            "on_data": not self.off_data,
            "distance_percentile": round(self.distance_percentile, 2),
            "norm_percentile": round(self.norm_percentile, 2),
            "told": None if self.told is None else self.told.to_dict(),
            "why_not": self.why_not,
        }


def descriptions(
    workspace: Workspace,
    reference: str,
    points: Queries,
    k: int = NEAREST,
    sentences: bool = True,
    progress: Progress = silent,
) -> list[Description]:
    """Of each of m points (m, d); without ``sentences`` only what takes no writing.

    Raises InvalidVectors for points of another space, Unsupported where no bridge is trained,
    TeacherUnavailable where the language model is missing, Cancelled.
    """
    space = workspace.space(reference)
    require_points(space, points)
    graph = workspace.graph(space, progress)
    rows, cosines = decode(space, points, k)
    length, distance = norm_percentile(space, points), knn_percentile(space, graph, points)
    off = off_data(distance)
    why = "" if crosses(space) else ONLY_SENTENCES
    found = []
    for at, point in enumerate(points):
        told = None
        if sentences and not why:
            part = partial(_share, progress, at, len(points))
            told = tell_point(workspace, point, part)
        near = zip(rows[at].tolist(), cosines[at].tolist(), strict=True)
        found.append(
            Description(
                point,
                tuple((space.texts[row], float(cosine)) for row, cosine in near),
                rows[at].astype(np.int64),
                float(length[at]),
                float(distance[at]),
                bool(off[at]),
                told,
                why,
            )
        )
    return found


def told_key(workspace: Workspace, point: Vector) -> str:
    """Where the store keeps a point in words. Raises Unsupported where no bridge is trained."""
    direction = (unit_rows(point[None])[0].round(5) + 0).astype("<f4").tobytes().hex()
    made_of = (speaker_identity(SMOLLM2), bridge(workspace).facts["digest"], GuidedSearch())
    return store_key("told-1", *made_of, direction)


def has_told(workspace: Workspace, points: Queries) -> bool:
    """Whether these points (m, d) were all put into words before."""
    known = has_bridge(workspace)
    return known and all(
        workspace.store.has("told", told_key(workspace, point)) for point in points
    )


def tell_point(
    workspace: Workspace, point: Vector, progress: Progress = silent
) -> PointDescription:
    """A point of MiniLM's space of texts in words, by the bridge; made once and kept."""
    key = told_key(workspace, point)

    def read() -> PointDescription:
        said = workspace.store.load("told", key).payload
        greedy, best = Written(**said["greedy"]), Written(**said["best"])
        return PointDescription(tuple(said["prompt"]), greedy, best)

    def write(point_description: PointDescription) -> None:
        workspace.store.save("told", key, payload=point_description.to_dict())

    return workspace.kept("told", key, read, lambda: written(workspace, point, progress), write)


def written(workspace: Workspace, point: Vector, progress: Progress = silent) -> PointDescription:
    """The same, not kept."""
    over = bridge(workspace).bridge
    lm = speaker(SMOLLM2)
    reader = encoder()
    to = unit_rows(point[None])[0]

    def nearness(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.asarray(unit_rows(reader.encode(list(texts))) @ to, np.float32)

    prompt = over.prompt(lm, point)
    greedy = drawn(lm, prompt, nearness, count=1)[0]
    part = partial(scaled, progress, 20, 100)
    found = guided_search(lm, prompt, nearness, over.leaning(point, lm.vocabulary), progress=part)
    return PointDescription(
        tuple(lm.text([word]).strip() for word in over.words(point)),
        greedy,
        found[0],
    )


def require_points(space: Space, points: Queries) -> None:
    """Raise InvalidVectors unless the points are finite, of the space, and not zero."""
    if points.ndim != 2 or points.shape[1] != space.dim or not len(points):
        raise InvalidVectors(
            f"found points of shape {points.shape}; expected (m, {space.dim}), as {space.name} "
            "has them: take vectors from the space's own teacher"
        )
    if not np.isfinite(points).all() or not points.any(axis=1).all():
        raise InvalidVectors(
            "found a point with NaN or infinity, or one of zeros alone; expected finite numbers "
            "with a direction: leave such rows out"
        )


def _share(progress: Progress, at: int, count: int, done: int, total: int, message: str) -> bool:
    said = message if count == 1 else f"{message} {at + 1} of {count}"
    return progress(100 * at + round(100 * done / max(total, 1)), 100 * count, said)
