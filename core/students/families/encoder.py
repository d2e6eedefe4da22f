"""``encoder``: a small model that reads any text and gives the teacher's own sentence embedding.

Two shapes. "layers" keeps all of the teacher's layers and makes its numbers small: they are
rounded where the vectors notice it least, entropy-coded, and what stays real is tuned to the
teacher's vectors. "bag" is another, much faster model, trained from the teacher's answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored, StudentSpec, require_choice, require_share
from core.students.checkpoint import Checkpoints
from core.students.encoders import bag_of_pieces, quantised_module
from core.students.encoders.bert import Shape, build, in_batches
from core.students.encoders.encoder_training import School, learn_bag, learn_layers, open_school
from core.students.encoders.text_student import ReadingStudent
from core.types import Progress, Queries

SHAPES = ("auto", "bag", "layers")
WORTH = 0.1  # bytes for each number of the teacher, below which the layers are too coarse


@dataclass(frozen=True, kw_only=True)
class EncoderSpec(StudentSpec):
    """``held_out``: share of words (by lemma) and documents never trained on. ``shape``: "bag" is
    fast, "layers" is true; "auto" chooses by the bytes. ``quick``: a try of some 25 seconds."""

    family: ClassVar[str] = "encoder"

    bytes_per_item: float = 250.0
    held_out: float = 0.05
    shape: str = "auto"
    quick: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(self.held_out)
        require_choice("shape", self.shape, SHAPES)


class EncoderStudent(ReadingStudent):
    """Gives a text the teacher's own sentence embedding."""

    family = "encoder"

    @property
    def shape(self) -> Shape | bag_of_pieces.BagShape:
        """The shape of its model."""
        said = dict(self._kept.payload["shape"])
        return bag_of_pieces.BagShape(**said) if self.kind == "bag" else Shape(**said)

    @property
    def kind(self) -> str:
        """ "bag" or "layers"."""
        return str(self._kept.payload["kind"])

    def generate(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32, in order; of a long text the teacher's own number of tokens is read."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        return in_batches(self.pieces.encode(texts), self.module, self.dim)

    @cached_property
    def module(self) -> Any:
        """The model, in float32."""
        payload = self._kept.payload
        blank = _blank(self.shape, len(self.pieces.pieces), payload["positions"])
        return quantised_module.restored(self._kept.arrays, payload["grids"], blank)


def _blank(shape: Shape | bag_of_pieces.BagShape, pieces: int, positions: int) -> Any:
    if isinstance(shape, bag_of_pieces.BagShape):
        return bag_of_pieces.build(shape, pieces)
    return build(shape, pieces, positions)


def fit(
    space: Space,
    spec: EncoderSpec,
    progress: Progress,
    checkpoints: Checkpoints,
    model: Path | None,
) -> EncoderStudent:
    """An encoder of the space's teacher. ``model`` is the folder of the teacher's model.

    Raises InvalidSpecification where there is no BERT teacher, where the space is not what it
    answers, or for a budget that cannot suffice; TrainingFailed; Cancelled.
    """
    if model is None:
        raise InvalidSpecification(
            f"found {space.name}, which no transformers model answers; expected a teacher that "
            "reads texts, such as minilm:words: choose one, or the speller student"
        )
    school = open_school(space, spec, spec.held_out, model)
    learn = learn_bag if _kind(school, spec) == "bag" else learn_layers
    kept, notes = learn(school, spec.quick, progress, checkpoints)
    return EncoderStudent(spec, Origin.of(space), kept, notes)


def _kind(school: School, spec: EncoderSpec) -> str:
    if spec.shape != "auto":
        return spec.shape
    numbers = sum(parameter.numel() for parameter in school.teacher.parameters())
    return "layers" if spec.bytes_per_item * len(school.space) >= WORTH * numbers else "bag"


def _restore(
    spec: EncoderSpec, origin: Origin, kept: Stored, notes: Sequence[str]
) -> EncoderStudent:
    return EncoderStudent(spec, origin, kept, notes)


FAMILY = Family(
    name="encoder",
    title="Encoder",
    note="Reads whole words and sentences and gives the teacher's own sentence embedding.",
    spec=EncoderSpec,
    fit=fit,
    restore=_restore,
    reads=True,
    learns=True,
)
