"""The families of students by name; a family's module is imported when it is asked for."""

import importlib
from pathlib import Path

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Student, StudentSpec
from core.students.checkpoint import Keeper
from core.types import Progress, silent

NAMES = ("transform", "codes", "vae", "speller", "hybrid", "encoder", "contextual")


def family(name: str) -> Family:
    """The family of a name. Raises InvalidSpecification, listing those there are."""
    if name not in NAMES:
        raise InvalidSpecification(
            f"found the student family {name!r:.40}; expected one of {', '.join(NAMES)}"
        )
    found: Family = importlib.import_module(f"core.students.{name}").FAMILY
    return found


def fit(
    space: Space,
    spec: StudentSpec,
    progress: Progress = silent,
    keeper: Keeper | None = None,
    model: Path | None = None,
) -> Student:
    """Make a student of a space.

    ``keeper`` lets a training be resumed; ``model`` is the folder of the teacher's transformers
    model, which the encoder starts from. Raises InvalidSpecification for a budget that cannot
    suffice or a space that cannot be learnt, TrainingFailed, and Cancelled after keeping a
    checkpoint.
    """
    return family(spec.family).fit(space, spec, progress, keeper or Keeper(), model)


def warm_up() -> None:
    """Have numba compile the coder's loops, once for a machine: half a minute; then a second."""
    import numpy as np

    from core.spaces.space import Provenance
    from core.students.vae import VaeSpec

    vectors = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    space = Space.create([f"word{row}" for row in range(300)], vectors, Provenance("warm up", ""))
    student = fit(space, VaeSpec(bytes_per_item=16.0))
    student.generate(space.texts[:2])
    student.size_bytes()
