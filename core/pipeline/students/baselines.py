"""Measuring what a student has to beat: the classical rivals and the physical limit."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.metrics.fidelity import QUERIES, fidelity, sample_rows
from core.metrics.rate_distortion import gaussian_limit, principal_variances
from core.pipeline.students.answers import student_points
from core.pipeline.students.pareto import LIMIT, RIVAL, Pareto, ParetoPoint, stored_pareto
from core.progress import scaled
from core.spaces.space import Space
from core.students.baselines import Rival, rivals
from core.students.coding.vocabulary import Vocabulary
from core.types import Progress, silent

if TYPE_CHECKING:
    from core.pipeline.workspace import Workspace

ERRORS = (0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005)
LARGE = 100_000  # items; from there fewer are asked for their neighbours
FEWER_QUERIES = 500  # recall@10 is then sure to about 0.02


def pareto(workspace: "Workspace", teacher: str, progress: Progress = silent) -> Pareto:
    """Measure rivals and limit, each kept as soon as it is known; students are added as they are.

    The limit is of the vectors alone; rivals and students carry their vocabulary too. Raises
    Cancelled; what was measured by then is kept, and the next call goes on from there.
    """
    known = stored_pareto(workspace.store, workspace.space_key(teacher))
    if known is None or not known.complete:
        space = workspace.space(teacher, partial(scaled, progress, 0, 10))
        found = known or Pareto(teacher, len(space), limit(space), complete=False)
        _keep(workspace, found)
        for point in _measured(space, found, partial(scaled, progress, 10, 100)):
            found = replace(found, points=(*found.points, point))
            _keep(workspace, found)
        known = replace(found, complete=True)
        _keep(workspace, known)
    return known.having(student_points(workspace, teacher))


def limit(space: Space) -> tuple[ParetoPoint, ...]:
    """The least bytes for each error, of a Gaussian with the space's covariance."""
    variances = principal_variances(space.vectors)
    points: list[ParetoPoint] = []
    for error in ERRORS if variances.any() else ():
        bytes_per_item = gaussian_limit(variances, error) / 8
        points.append(
            ParetoPoint(
                name="Gaussian limit",
                kind=LIMIT,
                family="limit",
                bytes_total=round(bytes_per_item * len(space)),
                bytes_per_item=bytes_per_item,
                relative_error=error,
                cosine=limit_cosine(space, error, float(variances.sum())),
                recall10=math.nan,
            )
        )
    return tuple(points)


def limit_cosine(space: Space, error: float, variance: float) -> float:
    """The cosine to a row of what is told of it at that error; ``variance`` is of all directions.

    Of a row's spread the share 1 - e is told, and what is lost stands at right angles to it; the
    mean is known to everybody, and is a part of both.
    """
    whole = variance + float(np.square(space.mean, dtype=np.float64).sum())
    return math.sqrt(1 - error * variance / whole)


def _measured(space: Space, pareto: Pareto, progress: Progress) -> Iterator[ParetoPoint]:
    """The points of those rivals that were not measured yet."""
    vocabulary = int(Vocabulary.of(space.texts)[0].packed().nbytes)
    rows = sample_rows(len(space), 0, QUERIES if len(space) < LARGE else FEWER_QUERIES)
    at = (0, 1)

    def coding(done: int, total: int, message: str) -> bool:
        nonlocal at
        at = done, total
        return progress(done, total, message)

    def comparing(done: int, total: int, message: str) -> bool:  # noqa: ARG001
        return progress(*at, message)

    skip = {point.name for point in pareto.of(RIVAL)}
    for rival in rivals(space, vocabulary, coding, skip):
        measured = fidelity(space.vectors, rival.vectors, rows=rows, progress=comparing)
        yield _point(rival, len(space), measured.relative_error, measured.cosine, measured.recall)


def _point(
    rival: Rival, items: int, relative_error: float, cosine: float, recall: Mapping[int, float]
) -> ParetoPoint:
    return ParetoPoint(
        name=rival.name,
        kind=RIVAL,
        family=rival.method,
        bytes_total=rival.bytes_total,
        bytes_per_item=rival.bytes_total / items,
        relative_error=relative_error,
        cosine=cosine,
        recall10=recall[10],
    )


def _keep(workspace: "Workspace", pareto: Pareto) -> None:
    workspace.store.save("pareto", workspace.space_key(pareto.teacher), payload=pareto.to_dict())
