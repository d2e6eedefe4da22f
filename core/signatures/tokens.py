"""Texts cut into tokens: where each stands in its text, and which word it is part of."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification, UnknownItem
from core.models.prompt import frame_lengths
from core.types import Progress, Rows, tell

CHUNK = 1024  # texts cut between two reports of progress
COLUMNS = ("text", "window", "position", "id", "start", "end", "word")  # what a row says of a token
ROW = np.dtype([*((name, np.int32) for name in COLUMNS), ("special", np.bool_)])
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which UTF-8 cannot hold

Spans = npt.NDArray[np.integer]  # (t, 2) characters of the text: start, end


@dataclass(frozen=True, eq=False)
class Cut:
    """One text: a row a token; the first ``lead`` and the last ``tail`` are special."""

    rows: npt.NDArray[Any]  # of ROW
    lead: int
    tail: int

    @property
    def own(self) -> int:
        """Tokens of the text itself."""
        return len(self.rows) - self.lead - self.tail


def cut_texts(texts: Sequence[str], tokenizer: Any, progress: Progress) -> list[Cut]:
    """The tokens of each text, all of them.

    Raises InvalidSpecification where there are no texts, UnknownItem where one has no tokens or
    half a surrogate pair, Cancelled.
    """
    if isinstance(texts, str) or not len(texts):
        found = "a text" if texts else "no texts"
        raise InvalidSpecification(f"found {found}; expected a list of one text or more")
    _require([row for row, it in enumerate(texts) if not it.strip() or SURROGATE.search(it)])
    cuts: list[Cut] = []
    for start in range(0, len(texts), CHUNK):
        tell(progress, 0, len(texts), "Cutting the texts into tokens")
        part = list(texts[start : start + CHUNK])
        said = tokenizer(
            part, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False
        )
        columns = (said[it] for it in ("input_ids", "offset_mapping", "special_tokens_mask"))
        cuts += [_cut(*row) for row in zip(part, *columns, strict=True)]
    _require([row for row, cut in enumerate(cuts) if not cut.own])
    return cuts


def words_of(text: str, spans: Spans) -> tuple[Rows, Rows]:
    """(t,) the word of each token, -1 for white space, and (t,) where it starts without the white
    space in front that some tokenizers count to a token.

    A word is a run of letters, digits and marks, or of punctuation and symbols, whatever the
    tokenizer. Where a token covers several runs they are one word, as ``'s`` is for GPT-2.
    Scripts without spaces are not cut: there a word is all that stands between two signs.

    >>> words_of("It isn't", np.array([[0, 2], [2, 5], [5, 6], [6, 7], [7, 8]]))[0].tolist()
    [0, 1, 1, 2, 3]
    """
    kinds = np.array([_kind(character) for character in text] + [0], dtype=np.int64)
    begins = (kinds > 0) & (kinds != np.roll(kinds, 1))
    runs = np.cumsum(begins) - 1
    places = np.where(kinds > 0, np.arange(len(kinds)), len(kinds))
    following = np.minimum.accumulate(places[::-1])[::-1]  # the next character that is seen
    starts = following[spans[:, 0]]
    seen = starts < spans[:, 1]
    joined = np.zeros(begins.sum(), dtype=bool)  # a run to the one before
    for start, end in zip(starts[seen], spans[seen, 1], strict=True):
        joined[runs[start] + 1 : runs[end - 1] + 1] = True
    words = np.full(len(spans), -1, dtype=np.int64)
    words[seen] = (np.cumsum(~joined) - 1)[runs[starts[seen]]]
    return words, np.where(seen, starts, spans[:, 0])


def _cut(text: str, ids: list[int], offsets: list[tuple[int, int]], special: list[int]) -> Cut:
    lead, tail = frame_lengths(special)
    stop = len(ids) - tail
    rows = np.zeros(len(ids), dtype=ROW)
    spans = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    rows["id"], rows["end"], rows["word"], rows["special"] = ids, spans[:, 1], -1, True
    rows["start"][stop:] = rows["end"][stop:] = len(text)
    rows["special"][lead:stop] = False
    rows["word"][lead:stop], rows["start"][lead:stop] = words_of(text, spans[lead:stop])
    return Cut(rows, lead, tail)


def _kind(character: str) -> int:
    """0 for white space, 2 for punctuation and symbols, 1 for all else."""
    if character.isspace():
        return 0
    return 2 if unicodedata.category(character)[0] in "PS" else 1


def _require(bad: list[int]) -> None:
    if bad:
        named = ", ".join(map(str, bad[:5])) + ", ..." * (len(bad) > 5)
        raise UnknownItem(
            f"found nothing to read, or half a surrogate pair, in {len(bad)} texts (counted from "
            f"0: {named}); expected words in each: leave those out"
        )
