"""A variational coder: linear-Gaussian encoder and decoder, a learnt prior, a rate in real bits.

Encoder and decoder are the principal components (the optimum of a linear variational autoencoder:
Lucas et al. 2019). What is learnt is the prior that entropy-codes the latents, and that is where a
table departs from one Gaussian:

- a mixture of Gaussians, fitted to latents with the quantiser's noise. A row tells the component it
  is coded with, and then only what departs from it;
- spelling. The latents of a text are predicted from those of the most alike of the texts just
  before it in the sorted vocabulary; that takes ten numbers, not a network.

No gradient training remains; what each part saves, and what was not tried, is in
docs/experiments/rate.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, Student, StudentSpec
from core.students.checkpoint import Checkpoints
from core.students.coding.coded_matrix import BLOCK, CodedMatrix
from core.students.coding.gaussian_mixture import Mixture
from core.students.coding.prefix_prediction import Relatives
from core.students.coding.vocabulary import Vocabulary
from core.students.families.linear import LinearStudent, restored
from core.students.families.transform import Coder, fitted, require_error
from core.types import Coords, Progress, Rows

MOST = 128  # components
NUMBERS_PER_ROW = 5  # of its mean that one row pays for: 5 k numbers of a component, n rows


@dataclass(frozen=True, kw_only=True)
class VaeSpec(StudentSpec):
    """``relative_error``: where given, the size is what that error takes, whatever the budget.

    ``components`` of the prior; None takes as many as pay for themselves. ``spelling`` says
    whether texts that look alike predict each other. ``states`` of the trellis: 1 is none.
    """

    family: ClassVar[str] = "vae"

    relative_error: float | None = None
    components: int | None = None
    spelling: bool = True
    states: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_error(self.relative_error)
        if self.components is not None and not 1 <= self.components <= 255:
            raise InvalidSpecification(
                f"found {self.components} components; expected 1 to 255, or none said"
            )
        if self.states not in (1, 4, 8, 16, 32, 64):
            raise InvalidSpecification(
                f"found a trellis of {self.states} states; expected 1, 4, 8, 16, 32 or 64"
            )


@final
class VaeStudent(LinearStudent):
    """Principal components, coded with a learnt prior."""

    family: ClassVar[str] = "vae"


def fit(
    space: Space, spec: VaeSpec, progress: Progress, _keeper: Checkpoints, _model: Path | None
) -> Student:
    """Learn the prior and code a table. Raises InvalidSpecification and Cancelled."""

    def learnt(words: Vocabulary, coefficients: Coords, level: float) -> Coder:
        return _coder(spec, words, coefficients, level)

    return fitted(VaeStudent, space, spec, spec.relative_error, learnt, progress)


def _coder(spec: VaeSpec, words: Vocabulary, coefficients: Coords, level: float) -> Coder:
    n, k = coefficients.shape
    relatives = Relatives.none(n)
    if spec.spelling:
        relatives = Relatives.of(words.texts, BLOCK).fitted(coefficients)
    most = spec.components or max(1, min(MOST, n // (NUMBERS_PER_ROW * max(k, 1))))
    left = coefficients - relatives.predicted(coefficients)
    labels = Mixture.fit(left, level, most, spec.seed).labels(left)

    def code(values: Coords, step: float, rows: Rows) -> CodedMatrix:
        mine = relatives.take(rows)
        means = _means(values - mine.predicted(values), labels[rows], int(labels.max()) + 1, step)
        return CodedMatrix.fit(
            values, step, labels=labels[rows], means=means, relatives=mine, states=spec.states
        )

    return code


def _means(left: Coords, labels: Rows, components: int, step: float) -> npt.NDArray[np.int8]:
    """(components, k) in half steps, drawn to 0 where rows are few."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=components)
    begins = np.cumsum(counts) - counts
    sums = np.zeros((components, left.shape[1]))
    some = counts > 0
    sums[some] = np.add.reduceat(left[order].astype(np.float64), begins[some], axis=0)
    found = np.round(sums / (counts + 1)[:, None] / (step / 2))
    return np.clip(found, -127, 127).astype(np.int8)


def restore(spec: VaeSpec, origin: Origin, stored: Stored, notes: Sequence[str]) -> VaeStudent:
    """The student that was stored."""
    return VaeStudent(spec, origin, notes, *restored(stored))


FAMILY = Family(
    name="vae",
    title="Variational coder",
    note="Codes under a learnt prior: a mixture, and what spelling tells. The smallest there is.",
    spec=VaeSpec,
    fit=fit,
    restore=restore,
    reads=False,
    learns=False,
)
