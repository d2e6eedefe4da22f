"""Where the information in a sentence's tokens could come from: attention rolled out, by layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.pipeline.models import reader
from core.signatures.attention import attention, rollout
from core.signatures.tokens import cut_texts
from core.types import Scores, silent


@dataclass(frozen=True, eq=False)
class AttentionRollout:
    """A sentence's t tokens, the special ones among them, as the model reads them.

    ``shares`` (layers + 1, t, t) are those of each input token (column) in each token (row);
    layer 0 is the identity, since nothing has looked at anything yet. ``joined`` tokens go on
    where the one before ends.
    """

    names: tuple[str, ...]
    special: tuple[bool, ...]
    joined: tuple[bool, ...]
    shares: npt.NDArray[np.float32]

    def of(self, position: int, layer: int) -> Scores:
        """(t,) the shares in the token at a position after a layer; they sum to 1."""
        found: Scores = np.ascontiguousarray(self.shares[layer, position])
        return found

    def to_dict(self, position: int) -> dict[str, Any]:
        """One token's shares as JSON, layer by layer."""
        return {
            "tokens": list(self.names),
            "position": position,
            "shares": self.shares[:, position].round(5).tolist(),
        }


def attention_rollout(reference: str, text: str) -> AttentionRollout:
    """Rollout of one text, every layer.

    Raises InvalidSpecification for a text longer than the model reads at once, UnknownItem for
    one without tokens, Unsupported for a model that gives no attention, and what reading a model
    raises.
    """
    model = reader(reference)
    rolled = rollout(attention(text, model))
    (cut,) = cut_texts([text], model.tokenizer, silent)
    written = model.tokenizer.convert_ids_to_tokens(cut.rows["id"].tolist())
    starts, ends = cut.rows["start"].tolist(), cut.rows["end"].tolist()
    special = tuple(cut.rows["special"].tolist())
    names = tuple(
        name if added else text[start:end] or name
        for name, added, start, end in zip(written, special, starts, ends, strict=True)
    )
    joined = tuple(
        row > 0 and not special[row] and not special[row - 1] and starts[row] == ends[row - 1]
        for row in range(len(names))
    )
    identity = np.eye(len(names), dtype=np.float32)[None]
    return AttentionRollout(names, special, joined, np.concatenate([identity, rolled]))
