"""Ridge regression on sparse features by conjugate gradients, which can be broken off and resumed.

Of two forms of one answer the smaller is solved: (X X' + p) A = Y for as many unknowns as texts,
W = X' A, or (X' X + p) W = X' Y for as many as features. No step is random, so that a resumed
solution equals an uninterrupted one bit for bit.

Source: Hestenes & Stiefel 1952; the dual form: Saunders, Gammerman & Vovk 1998.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, TrainingFailed
from core.students.checkpoint import Checkpoints
from core.students.training import SECONDS_BETWEEN_CHECKPOINTS, SECONDS_BETWEEN_REPORTS
from core.types import Coords, Matrix, Progress, QueryCoords, Rows

Array = npt.NDArray[Any]
PARTS = ("solution", "residual", "direction")


@dataclass(frozen=True)
class TrainingStage:
    """Which stretch of a training this is, for the checkpoint and for who watches."""

    name: str
    first: int  # steps before it
    rounds: int
    total: int  # steps of the whole training
    progress: Progress
    checkpoints: Checkpoints
    preview: Callable[[QueryCoords], tuple[Rows, Matrix]] | None = None
    carried: Mapping[str, Array] = field(default_factory=dict)  # kept with every checkpoint


def ridge(features: Any, targets: Coords, penalty: float, course: TrainingStage) -> QueryCoords:
    """(m, p) float32 weights of m features, for a scipy CSR matrix (n, m) and targets (n, p).

    Raises Cancelled once a checkpoint is kept when progress answers False, TrainingFailed when
    the numbers are no longer finite.
    """
    turned = features.T.tocsr()
    dual = features.shape[0] <= features.shape[1]

    def applied(x: Array) -> Array:
        product: Array = features @ (turned @ x) if dual else turned @ (features @ x)
        return product + np.float32(penalty) * x

    def weights(x: Array) -> QueryCoords:
        return np.asarray(turned @ x if dual else x, dtype=np.float32)

    right = targets if dual else np.asarray(turned @ targets, dtype=np.float32)
    return weights(_solved(applied, right, weights, course))


def _solved(
    applied: Callable[[Array], Array],
    right: Array,
    weights: Callable[[Array], QueryCoords],
    course: TrainingStage,
) -> Array:
    """The solution x of applied(x) = right after the course's rounds, each column by itself."""
    x, residual, direction, done, before = _begun(right, course)
    whole = float(np.square(right, dtype=np.float64).sum()) or 1.0
    size = np.square(residual).sum(axis=0)
    began = saved = told = time.monotonic()
    for step in range(done, course.rounds):
        pushed = applied(direction)
        along = size / np.maximum((direction * pushed).sum(axis=0), np.float32(1e-30))
        x = x + along * direction
        residual = residual - along * pushed
        fresh = np.square(residual).sum(axis=0)
        direction = residual + fresh / np.maximum(size, np.float32(1e-30)) * direction
        size = fresh
        left = math.sqrt(float(size.sum(dtype=np.float64)) / whole)
        if not math.isfinite(left):
            raise TrainingFailed(
                f"found a loss of {left} at step {course.first + step + 1}; expected a finite "
                "number: look at the vectors, whose numbers are too large for float32"
            )
        now, at = time.monotonic(), course.first + step + 1
        seconds = before + now - began
        if step + 1 == course.rounds or now - told > SECONDS_BETWEEN_REPORTS:
            told = now
            course.checkpoints.record({"step": at, "loss": left, "seconds": round(seconds, 2)})
            if course.preview is not None and course.checkpoints.folder is not None:
                course.checkpoints.preview(*course.preview(weights(x)), at)
        goes_on = course.progress(at, course.total, f"{course.name}, {left:.2%} unsolved")
        if not goes_on or now - saved > SECONDS_BETWEEN_CHECKPOINTS or step + 1 == course.rounds:
            saved = now
            kept = dict(zip(PARTS, (x, residual, direction), strict=True))
            payload = {"course": course.name, "step": step + 1, "seconds": seconds}
            course.checkpoints.save({**kept, **course.carried}, payload)
        if not goes_on and at < course.total:
            raise Cancelled(f"stopped at step {at} of {course.total}; it can be resumed")
    return x


def _begun(right: Array, course: TrainingStage) -> tuple[Array, Array, Array, int, float]:
    """Where the checkpoint stands, if it is of this course; else the beginning."""
    found = course.checkpoints.restore()
    if found is not None and found[1].get("course") == course.name:
        arrays, payload = found
        if set(PARTS) <= set(arrays) and all(arrays[p].shape == right.shape for p in PARTS):
            kept = (arrays[part] for part in PARTS)
            return *kept, int(payload["step"]), float(payload["seconds"])  # type: ignore[return-value]
    return np.zeros_like(right), right.copy(), right.copy(), 0, 0.0
