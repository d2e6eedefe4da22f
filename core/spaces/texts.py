"""Finding a row by its text, by the one rule that spaces and vocabularies share."""

from collections.abc import Sequence
from functools import cached_property


class TextIndex:
    """Rows by text: exactly, then without regard to case; of equal texts the first row.

    >>> index = TextIndex(["Cat", "cat", "dog"])
    >>> index.find("cat"), index.find("CAT"), index.find("cow")
    (1, 0, None)
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    @cached_property
    def exact(self) -> dict[str, int]:
        """The first row of each text."""
        return {text: row for row, text in reversed(list(enumerate(self._texts)))}

    @cached_property
    def _folded(self) -> dict[str, int]:
        return {text.casefold(): row for row, text in reversed(list(enumerate(self._texts)))}

    def find(self, text: str) -> int | None:
        """The row of a text; None if absent."""
        row = self.exact.get(text)
        return self._folded.get(text.casefold()) if row is None else row
