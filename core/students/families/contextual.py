"""``contextual``: a smaller encoder with the teacher's states of every token in every layer.

What an encoder student gives of a text is one vector; this one gives all that its teacher
computes on the way, so that it can be read layer by layer wherever the teacher can.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Family, Origin, Stored
from core.students.checkpoint import Checkpoints
from core.students.encoders import quantised_module
from core.students.encoders.bert import Shape, in_batches, pool
from core.students.encoders.contextual_spec import ContextualSpec
from core.students.encoders.contextual_training import learn
from core.students.encoders.encoder_training import open_school
from core.students.encoders.layered_bert import LayeredShape, build_layered
from core.students.encoders.text_student import ReadingStudent
from core.students.encoders.wordpiece import WordPiece
from core.types import Progress, Queries

__all__ = ["FAMILY", "ContextualSpec", "ContextualStudent"]


class ContextualStudent(ReadingStudent):
    """Gives every token of a text the teacher's states, layer by layer."""

    family = "contextual"

    @property
    def shape(self) -> LayeredShape:
        """The shape of its model."""
        return LayeredShape.from_dict(self._kept.payload["shape"])

    def generate(self, texts: Sequence[str]) -> Queries:
        """(m, d) float32, in order: its last layer, pooled as the teacher does."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        mode, normalise = self._kept.payload["pooling"]
        shape = self.shape
        how = Shape(shape.dim, len(shape.inner), shape.heads, 0, shape.epsilon, mode, normalise)
        return in_batches(
            self.pieces.encode(texts), lambda ids: pool(self.module(ids)[-1], how), self.dim
        )

    @cached_property
    def module(self) -> Any:
        """The model, in float32; ``module(ids, mask)`` gives the states of all layers."""
        payload = self._kept.payload
        blank = build_layered(self.shape, len(self.pieces.pieces), payload["longest"])
        return quantised_module.restored(self._kept.arrays, payload["grids"], blank)

    def as_transformers(self) -> tuple[Any, Any]:
        """A model and a tokenizer that are called as transformers' are.

        ``model(input_ids=, attention_mask=, output_hidden_states=True).hidden_states`` are the
        layers' states, each (b, t, d); the tokenizer is a fast one, which tells offsets.
        """
        return called(self.module, self.pieces), fast_tokenizer(self.pieces)


def called(module: Any, pieces: WordPiece) -> Any:
    """A layered module that is called as a model of transformers is."""
    from types import SimpleNamespace

    import torch
    from torch import nn

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.config = SimpleNamespace(
                model_type="contextual student",
                max_position_embeddings=pieces.longest,
                hidden_size=module.shape.dim,
                num_hidden_layers=len(module.shape.inner),
                is_encoder_decoder=False,
            )

        @property
        def device(self) -> torch.device:
            """Where it computes, as models of transformers say it."""
            return next(self.parameters()).device

        def get_input_embeddings(self) -> Any:
            return self.module.table

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor | None = None,
            **_asked: Any,  # output_hidden_states: they are given always
        ) -> Any:
            states = self.module(input_ids, attention_mask)
            return SimpleNamespace(hidden_states=tuple(states), last_hidden_state=states[-1])

    return Called().eval()


def fast_tokenizer(pieces: WordPiece) -> Any:
    """The tokenizer of transformers that reads as these pieces do, and tells offsets."""
    from transformers import PreTrainedTokenizerFast

    before, behind = ([pieces.pieces[row] for row in part] for part in pieces.frame)
    named = {"pad_token": "[PAD]", "mask_token": "[MASK]"}
    named = {name: piece for name, piece in named.items() if piece in pieces.pieces}
    named["unk_token"] = pieces.rules["model"].get("unk_token", "[UNK]")
    if before:
        named["cls_token"] = before[0]
    if behind:
        named["sep_token"] = behind[-1]
    made: Any = PreTrainedTokenizerFast  # its types are unknown
    return made(tokenizer_object=pieces.whole_texts(), model_max_length=pieces.longest, **named)


def fit(
    space: Space,
    spec: ContextualSpec,
    progress: Progress,
    checkpoints: Checkpoints,
    model: Path | None,
) -> ContextualStudent:
    """A contextual student of the space's teacher. ``model`` is the folder of its model.

    Raises InvalidSpecification where there is no BERT teacher, where the space is not what it
    answers, or for a budget that cannot suffice; TrainingFailed; Cancelled.
    """
    if model is None:
        raise InvalidSpecification(
            f"found {space.name}, which no transformers model answers; expected a model that is "
            "read layer by layer, such as minilm: choose it"
        )
    school = open_school(space, spec, spec.held_out, model)
    kept, notes = learn(school, spec, progress, checkpoints)
    return ContextualStudent(spec, Origin.of(space), kept, notes)


def _restore(
    spec: ContextualSpec, origin: Origin, kept: Stored, notes: Sequence[str]
) -> ContextualStudent:
    return ContextualStudent(spec, origin, kept, notes)


FAMILY = Family(
    name="contextual",
    title="Contextual",
    note="Reads any text and gives the teacher's states of every token in every layer.",
    spec=ContextualSpec,
    fit=fit,
    restore=_restore,
    reads=True,
    learns=True,
)
