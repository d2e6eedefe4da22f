"""A text in pieces, one a token, that join to the text."""

from collections.abc import Callable, Iterable, Sequence

BROKEN = "\N{REPLACEMENT CHARACTER}"  # what tokenizers write for a character that is not whole yet
LONGEST = 4  # bytes of a character, so tokens at most


class Detokenizer:
    """What each token adds to a text that grows.

    A token by itself often reads otherwise: a tokenizer may drop the space in front of it, and a
    character can be parted among tokens. Then the last of these has it, and the others nothing.
    ``decode`` reads tokens as text.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], ids: Iterable[int] = ()) -> None:
        self.found: list[str] = []
        self._decode = decode
        self._before: list[int] = []  # the last tokens that were whole
        self._held: list[int] = []  # those of a character that is not
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """The next token."""
        self._held.append(token)
        said = self._decode([*self._before, *self._held])[len(self._decode(self._before)) :]
        if said.endswith(BROKEN) and len(self._held) < LONGEST:
            self.found.append("")
            return
        self.found.append(said)
        self._before, self._held = self._held, []

    def all(self) -> tuple[str, ...]:
        """The pieces so far; what is not whole stands in the last one as it is."""
        if not self._held:
            return tuple(self.found)
        rest = self._decode([*self._before, *self._held])[len(self._decode(self._before)) :]
        return (*self.found[:-1], rest)
