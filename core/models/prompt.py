"""A text as the tokens that a model reads: its own, and those that the tokenizer puts around it.

Some tokenizers end every text with a token of their own (``</s>``, ``[SEP]``). To an encoder it
belongs; a model that writes would go on after the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Framed:
    """``own`` are the ids of a text itself, ``lead`` and ``tail`` those that the tokenizer puts
    before and behind every text."""

    lead: list[int]
    own: list[int]
    tail: list[int]

    @property
    def whole(self) -> list[int]:
        """What an encoder reads."""
        return [*self.lead, *self.own, *self.tail]

    @property
    def open(self) -> list[int]:
        """What a model goes on from: nothing says yet that the text is over."""
        return [*self.lead, *self.own]


def framed(tokenizer: Any, text: str) -> Framed:
    """The tokens of a text by a transformers tokenizer. What is typed, even the name of a special
    token, counts to the text."""
    said = tokenizer(text, return_special_tokens_mask=True, verbose=False)
    ids = [int(token) for token in said["input_ids"]]
    lead, tail = frame_lengths(said["special_tokens_mask"])
    end = len(ids) - tail
    return Framed(ids[:lead], ids[lead:end], ids[end:])


def frame_lengths(special: Sequence[int]) -> tuple[int, int]:
    """How many tokens stand before and behind a text's own, from the tokenizer's mask of 1 and 0;
    where a text has none of its own, all stand before.

    >>> frame_lengths([1, 0, 1, 0, 1, 1]), frame_lengths([1, 1])
    ((1, 2), (2, 0))
    """
    own = [place for place, one in enumerate(special) if not one]
    return (own[0], len(special) - own[-1] - 1) if own else (len(special), 0)
