"""Text in and out of a causal model: the tokens of a prompt, the pieces of a text, and its room."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from core.context_length import context_length
from core.errors import InvalidSpecification
from core.models.prompt import framed


class ModelText:
    """What a causal model's tokenizer reads and writes, and how much the model reads at once."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name

    @cached_property
    def window(self) -> int:
        """Tokens that the model reads at once."""
        return context_length(self.model, self.tokenizer)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Ids that end a text."""
        said = self.model.generation_config.eos_token_id
        ids = said if isinstance(said, list) else [said, self.tokenizer.eos_token_id]
        return frozenset(int(number) for number in ids if number is not None)

    def ids(self, text: str, room: int = 0) -> list[int]:
        """The tokens of a text to go on from, with ``room`` left for more: what the tokenizer puts
        before a text is in front, what it puts behind one is left out.

        Raises InvalidSpecification for an empty text and for one that is too long.
        """
        if not text.strip():
            raise InvalidSpecification(
                "found an empty prompt; expected some words to go on from: write a beginning"
            )
        read = framed(self.tokenizer, text)
        if not read.own:
            raise InvalidSpecification(
                f"found a prompt without a token that {self.name} knows; expected some words: "
                "write others"
            )
        self.require_room(len(read.open), room)
        return read.open

    def inner_ids(self, text: str) -> list[int]:
        """The tokens of a text that stands in the midst of another: none is put around it."""
        return framed(self.tokenizer, text).own

    def require_room(self, read: int, room: int = 0) -> None:
        """Raise InvalidSpecification where the model does not read so many tokens at once, with
        ``room`` for more that it is to write."""
        if read + room > self.window:
            more = f" and {room:,} to write" * bool(room)
            raise InvalidSpecification(
                f"found a prompt of {read:,} tokens{more}; expected at most "
                f"{self.window:,} together, which {self.name} reads at once: shorten it"
            )

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens."""
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def own_text(self, ids: Sequence[int]) -> str:
        """The text of tokens without what the tokenizer puts before every text."""
        lead = self._lead
        return self.text(ids[len(lead) :] if list(ids[: len(lead)]) == lead else ids)

    @cached_property
    def _lead(self) -> list[int]:
        return framed(self.tokenizer, "a").lead

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each token by itself, with the space in front of it where it has one.

        The pieces of a text are ``Pieces(lm.text, ids)``: they join to it.
        """
        if self._keeps_spaces:
            return [self.text([number]) for number in ids]
        before = self.inner_ids("a")[-1:]
        return [self.text([*before, number])[len(self.text(before)) :] for number in ids]

    @cached_property
    def _keeps_spaces(self) -> bool:
        """Whether a token that begins with a space is read with it when it stands alone."""
        return self.text(self.inner_ids("a a")[-1:]).startswith(" ")
