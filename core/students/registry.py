"""The families of students by name; a family's module is imported when it is asked for."""

import importlib
from lzma import LZMAError
from pathlib import Path

import numpy as np

from core.errors import InvalidSpecification, InvalidStudent, MeaningSpaceError
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, Student, StudentSpec
from core.students.checkpoint import Checkpoints
from core.students.storage import ARRAYS, content_of, describe
from core.types import Progress, silent

NAMES = ("transform", "codes", "vae", "speller", "hybrid", "encoder", "contextual")


def family(name: str) -> Family:
    """The family of a name. Raises InvalidSpecification, listing those there are."""
    if name not in NAMES:
        raise InvalidSpecification(
            f"found the student family {name!r:.40}; expected one of {', '.join(NAMES)}"
        )
    found: Family = importlib.import_module(f"core.students.families.{name}").FAMILY
    return found


def fit(
    space: Space,
    spec: StudentSpec,
    progress: Progress = silent,
    checkpoints: Checkpoints | None = None,
    model: Path | None = None,
) -> Student:
    """Make a student of a space.

    ``checkpoints`` lets a training be resumed; ``model`` is the teacher's transformers
    folder, which the encoder starts from. Raises InvalidSpecification for a budget that cannot
    suffice or a space that cannot be learnt, TrainingFailed, and Cancelled after keeping a
    checkpoint.
    """
    return family(spec.family).fit(space, spec, progress, checkpoints or Checkpoints(), model)


def load(folder: Path) -> Student:
    """Read a student back. Raises InvalidStudent: absent, damaged, newer, of an unknown family."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    folder = Path(folder)
    said = describe(folder)
    content = content_of(folder, ARRAYS)
    try:
        made = family(said["family"])
        spec = made.spec.from_dict(said["spec"])
        stored = Stored(load_arrays(content), said["payload"])
        student = made.restore(spec, Origin(**said["origin"]), stored, said["notes"])
        _try(student)
    except (
        *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError),
        *(AssertionError, MemoryError, LZMAError, SafetensorError, MeaningSpaceError),
    ) as fault:
        raise InvalidStudent(
            f"found {folder} with a student that does not read ({' '.join(str(fault).split())}); "
            "expected one that this program wrote: train it again"
        ) from None
    return student


def _try(student: Student) -> None:
    """Ask for a few vectors: parts that do not fit each other show only then."""
    known = student.vocabulary
    asked = [known[0], known[len(known) // 2], known[-1]] if known else ["a"]
    vectors = student.generate(asked)
    if vectors.shape != (len(asked), student.origin.dim) or not np.isfinite(vectors).all():
        raise ValueError("vectors of another length than its teacher's, or not finite")
