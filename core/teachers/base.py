"""What every teacher can be asked: what it is, its space, and a vector for any text.

A teacher is named by a reference string (``minilm:tokens``, ``glove:30000``, ``path:DIR``);
core.teachers.registry turns the string into the object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from core.errors import Unsupported
from core.spaces.space import Space
from core.types import Progress, Queries, Vector, silent

SHOWN = 40  # characters of a text that an error repeats


@dataclass(frozen=True)
class TeacherInfo:
    """What a list of teachers shows; knowing it loads no model.

    ``items`` and ``dim`` are 0 where only loading would tell. ``can`` holds some of "rows"
    (a table of vectors), "encode" (any text), "states" (every layer), "generate".
    ``size_bytes`` is the size of the vectors in memory.
    """

    reference: str
    title: str
    items: int
    dim: int
    can: tuple[str, ...]
    licence: str
    size_bytes: int
    note: str = ""


@runtime_checkable
class Teacher(Protocol):
    """A maker of spaces."""

    @property
    def info(self) -> TeacherInfo:
        """What the list of teachers shows."""
        ...

    def fingerprint(self) -> str:
        """A key for caches, without loading a model: other weights or texts, another key."""
        ...

    def space(self, progress: Progress = silent) -> Space:
        """The items and their vectors. Raises Cancelled when ``progress`` answers False."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> Queries:
        """(m, d) one vector a text, in order. Raises Unsupported for a pure table."""
        ...

    def represent(self, text: str) -> tuple[Vector, str]:
        """(d,) the vector of any typed text, and how it was made, in words.

        Raises UnknownItem, saying what to try, where the teacher has no vector for it.
        """
        ...


@runtime_checkable
class WithModel(Protocol):
    """A teacher whose vectors come from a transformers model in a folder."""

    def model_folder(self) -> Path:
        """Where the model lies. Raises TeacherUnavailable."""
        ...


class PureTable:
    """A teacher that holds rows and no model: it cannot encode."""

    @property
    def info(self) -> TeacherInfo:
        """What the list of teachers shows."""
        raise NotImplementedError

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> Queries:  # noqa: ARG002
        """Raises Unsupported, always."""
        raise Unsupported(
            f"found {self.info.reference}, a table of vectors; expected a model that encodes "
            "text: use minilm:words, or ask for one word at a time"
        )


def shown(text: str) -> str:
    """A text as an error repeats it: quoted, and cut when long.

    >>> shown("a" * 50)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' (50 characters)"
    """
    return repr(text) if len(text) <= SHOWN else f"'{text[:SHOWN]}...' ({len(text)} characters)"
