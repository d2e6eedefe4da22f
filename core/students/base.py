"""What every student is: a small generator that gives vectors for texts, and all it stores.

A specification says what to make, :func:`core.students.registry.fit` makes it from a space, and
the student answers :meth:`Student.generate`. What a student stores is one dictionary of arrays,
whose names begin with the part that they belong to ("weights.basis", "codes.stream",
"vocabulary.words"), and a little JSON; the bytes that a student is charged with are the bytes of
exactly that on disk.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.checkpoint import Checkpoints
from core.types import Progress, Queries

Arrays: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
VERSION = 1
SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class StudentSpec:
    """What to make. ``bytes_per_item``: everything stored, vocabulary too, by items known."""

    family: ClassVar[str]

    bytes_per_item: float = 96.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.bytes_per_item <= 1e6:
            raise InvalidSpecification(
                f"found {self.bytes_per_item:g} bytes per item; expected more than 0 and at most "
                "a million: 96 is a good start"
            )
        if not 0 <= self.seed < SEEDS:
            raise InvalidSpecification(f"found seed {self.seed}; expected 0 to {SEEDS - 1}")

    @property
    def digest(self) -> str:
        """16 hex digits that tell this specification from every other."""
        state = json.dumps(self.to_dict(), sort_keys=True)
        return blake2b(state.encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON, the family beside the fields."""
        return {"family": self.family, **asdict(self)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "StudentSpec":
        """The inverse of :meth:`to_dict`. Raises InvalidSpecification for unknown names."""
        given = {name: value for name, value in stored.items() if name != "family"}
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InvalidSpecification(
                f"found {', '.join(unknown)} for the family {cls.family}; expected some of "
                f"{', '.join(sorted(known))}"
            )
        return cls(**given)


@dataclass(frozen=True)
class Origin:
    """The space that a student was made from."""

    teacher: str  # reference string
    model: str
    revision: str
    digest: str  # of the space
    items: int
    dim: int

    @classmethod
    def of(cls, space: Space) -> "Origin":
        """The origin that a space is."""
        said = space.provenance
        return cls(said.teacher, said.model, said.revision, space.digest, len(space), space.dim)


@dataclass(frozen=True)
class Stored:
    """Everything that a student is: arrays by "part.name", and JSON."""

    arrays: Arrays
    payload: Mapping[str, Any]


class Student(ABC):
    """A small generator of embeddings. Subclasses are final: one for each family.

    ``notes`` are sentences about the making that a person should read.
    """

    family: ClassVar[str]

    def __init__(self, spec: StudentSpec, origin: Origin, notes: Sequence[str] = ()) -> None:
        self.spec = spec
        self.origin = origin
        self.notes = tuple(notes)

    @property
    def dim(self) -> int:
        """d, the number of dimensions of what it generates: the teacher's."""
        return self.origin.dim

    @property
    @abstractmethod
    def vocabulary(self) -> Sequence[str]:
        """The texts that it stores something for, in its own order; () where it only reads."""

    @abstractmethod
    def generate(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32, one vector a text, in order.

        Raises UnknownItem for a text that it neither stores nor can read.
        """

    @abstractmethod
    def stored(self) -> Stored:
        """Everything that has to be kept, at its stored precision."""

    @abstractmethod
    def operations(self) -> int:
        """Multiply-adds for the vector of one typical text."""

    def parameters(self) -> int:
        """Numbers under "weights." and "codebooks."; families that pack several in one say so."""
        arrays = self.stored().arrays
        return sum(
            a.size for name, a in arrays.items() if name.startswith(("weights.", "codebooks."))
        )

    @cached_property
    def known(self) -> frozenset[str]:
        """The vocabulary, to ask."""
        return frozenset(self.vocabulary)


Fit: TypeAlias = Callable[[Space, Any, Progress, Checkpoints, Path | None], Student]
Restore: TypeAlias = Callable[[Any, Origin, Stored, Sequence[str]], Student]


@dataclass(frozen=True)
class Family:
    """A way to make students, as core/students/registry.py lists it.

    ``fit(space, spec, progress, checkpoints, model)``: ``model`` is the teacher's model folder
    where there is one. ``reads`` says whether texts that are not stored get vectors too.
    ``learns`` says whether there is a training to watch, pause and resume.
    """

    name: str
    title: str
    note: str
    spec: type[StudentSpec]
    fit: Fit
    restore: Restore
    reads: bool
    learns: bool


def require_choice(name: str, found: str, known: Sequence[str]) -> None:
    """Raise InvalidSpecification for a setting that is none of those known."""
    if found not in known:
        raise InvalidSpecification(
            f"found the {name} {found!r:.40}; expected one of {', '.join(known)}"
        )


def require_share(held_out: float) -> None:
    """Raise InvalidSpecification for a held-out share that leaves nothing to teach, or is none."""
    if not 0 <= held_out < 1:
        raise InvalidSpecification(
            f"found a held-out share of {held_out:g}; expected 0 to below 1: 0.05 is a good start"
        )


def require_room(space: Space, spec: StudentSpec, least_bytes: int) -> int:
    """The bytes that there are in all. Raises InvalidSpecification where they cannot suffice."""
    budget = round(spec.bytes_per_item * len(space))
    if budget < least_bytes:
        raise InvalidSpecification(
            f"found a budget of {budget:,} bytes ({spec.bytes_per_item:g} for each of "
            f"{len(space):,} items); expected at least {least_bytes:,}, which the "
            f"{spec.family} student needs before its first item: give at least "
            f"{least_bytes / len(space):.1f} bytes per item"
        )
    return budget
