"""Transform coding: principal components, one uniform step for all of them, an entropy code.

With one step every component that varies by more than the water level gets the same error and
the others none: reverse water-filling, without allocating a bit by hand. The coefficients go
through a trellis quantiser (core/students/coding/coded_matrix.py). The components come in order,
so that the first k of them are a k-dimensional student.

Sources: Goyal, Theoretical foundations of transform coding, 2001; Sullivan 1996 for one uniform
step with entropy coding at low rates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar, final

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, Student, StudentSpec, require_room
from core.students.checkpoint import Checkpoints
from core.students.coding.coded_matrix import BLOCK, CodedMatrix
from core.students.coding.step_search import Tried, search
from core.students.coding.vocabulary import Vocabulary
from core.students.families.linear import (
    Basis,
    Double,
    LinearStudent,
    Principal,
    duplicates,
    restored,
)
from core.students.storage import size_bytes
from core.types import Coords, Progress, Rows

PROBED = 4_000  # rows on which the step is sought before all are coded
FINEST = 2**-12  # the smallest step, in deviations of the largest component

Coder = Callable[[Coords, float, Rows], CodedMatrix]
"""(coefficients (n, k), step, the rows they are of: whole blocks) -> codes."""
StudentT = TypeVar("StudentT", bound=LinearStudent)


@dataclass(frozen=True, kw_only=True)
class TransformSpec(StudentSpec):
    """``relative_error``: where given, the size is what that error takes, whatever the budget."""

    family: ClassVar[str] = "transform"

    relative_error: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_error(self.relative_error)


@final
class TransformStudent(LinearStudent):
    """Principal components, coded."""

    family: ClassVar[str] = "transform"


def fit(
    space: Space, spec: TransformSpec, progress: Progress, _keeper: Checkpoints, _model: Path | None
) -> Student:
    """Code a table. Raises InvalidSpecification for too small a budget, and Cancelled."""

    def plain(_words: Vocabulary, _coefficients: Coords, _level: float) -> Coder:
        return lambda values, step, _rows: CodedMatrix.fit(values, step)

    return fitted(TransformStudent, space, spec, spec.relative_error, plain, progress)


def fitted(
    kind: Callable[..., StudentT],
    space: Space,
    spec: StudentSpec,
    relative_error: float | None,
    coder_of: Callable[[Vocabulary, Coords, float], Coder],
    progress: Progress,
) -> StudentT:
    """The linear student that fills its budget, or that reaches the error that is asked for.

    ``coder_of(words, coefficients, level)`` is called once, with exact principal coefficients
    (n, k) of all rows and about the water level that there will be.
    """
    words, rows = Vocabulary.of(space.texts)
    vectors = space.vectors if len(rows) == len(space) and _rising(rows) else space.vectors[rows]
    principal, notes = Principal.of(vectors), duplicates(space, words)
    begun = partial(kind, spec, Origin.of(space), notes, words)
    empty = begun(Basis.fit(principal, math.inf), None)
    least = size_bytes(empty)
    budget = require_room(space, spec, least) if relative_error is None else 0
    if not principal.variances[0] > 0:
        return empty
    bits = max(0.0, budget - least) * 8 / len(words)
    level = _level(principal.variances, relative_error, bits)
    kept = principal.axes[:, principal.variances > level].astype(np.float32)
    exact = np.asarray((vectors - principal.mean) @ kept, np.float32)
    coder = coder_of(words, exact, level)

    def make(chosen: Rows, step: float) -> Tried[StudentT]:
        basis = Basis.fit(principal, step)
        part = vectors if len(chosen) == len(vectors) else vectors[chosen]
        codes = coder(basis.analysed(part), step, chosen) if basis.k else None
        made = begun(basis, codes)
        if relative_error is not None:
            told = made.error_on(part)
            return Tried(step, math.log(told / relative_error), made)
        size = size_bytes(made)
        if codes is not None and len(chosen) < len(words):
            size += round(codes.nbytes_of_rows * (len(words) / len(chosen) - 1))
        return Tried(step, math.log(size / budget), made)

    few = _blocks(len(words), PROBED)
    floor = FINEST * math.sqrt(float(principal.variances[0]))
    grows = relative_error is not None
    step = max(floor, math.sqrt(12 * level))
    if len(few) < len(words):
        near = search(partial(make, few), step, floor, grows, progress, "seeking the step")
        step = step if near is None else near.step
    every = np.arange(len(words))
    best = search(partial(make, every), step, floor, grows, progress, "coding every row")
    return empty if best is None else best.made


def require_error(relative_error: float | None) -> None:
    """Raises InvalidSpecification for an error outside 0 to 1."""
    if relative_error is not None and not 0 < relative_error < 1:
        raise InvalidSpecification(
            f"found a relative error of {relative_error:g}; expected more than 0 and less than 1: "
            "0.1 keeps three of four neighbours"
        )


def _level(variances: Double, relative_error: float | None, bits: float) -> float:
    """The water level at which a Gaussian with these variances has that error, or those bits."""
    low, high = 1e-15 * float(variances[0]), float(variances[0])
    for _ in range(100):
        middle = math.sqrt(low * high)
        if relative_error is not None:
            too_high = np.minimum(variances, middle).sum() > relative_error * variances.sum()
        else:
            above = variances[variances > middle]
            too_high = 0.5 * np.log2(above / middle).sum() < bits
        low, high = (low, middle) if too_high else (middle, high)
    return high * (1 - 1e-9)


def _blocks(n: int, most: int) -> Rows:
    """The rows of whole blocks, evenly taken, of at most about ``most`` rows."""
    every = max(1, -(-n // BLOCK) // max(1, most // BLOCK))
    found: Rows = np.flatnonzero(np.arange(n) // BLOCK % every == 0)
    return found


def _rising(rows: Rows) -> bool:
    return bool((rows == np.arange(len(rows))).all())


def restore(
    spec: TransformSpec, origin: Origin, stored: Stored, notes: Sequence[str]
) -> TransformStudent:
    """The student that was stored."""
    return TransformStudent(spec, origin, notes, *restored(stored))


FAMILY = Family(
    name="transform",
    title="Transform",
    note="Principal components, one step for all, entropy-coded. No training; hard to beat.",
    spec=TransformSpec,
    fit=fit,
    restore=restore,
    reads=False,
    learns=False,
)
