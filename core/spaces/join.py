"""The items that two spaces share, and which of several equal texts is which.

By id where both spaces have ids of their own, else by text: the first *the* of one is that of the
other, and the second the second.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.spaces.identity import MARK
from core.spaces.space import Space
from core.spaces.words import normal
from core.types import Rows

PIECE = "piece"  # the kind of item that only a table of tokens has
DOCUMENT = "document"  # the column that says in which text an item stands
MUCH = 0.1  # of a space: a join that leaves out more says so first


def occurrences(texts: Sequence[Hashable]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(n,) how often each text came before its row, and (n,) how often it comes in all.

    >>> [counts.tolist() for counts in occurrences(["the", "cat", "the"])]
    [[0, 0, 1], [2, 1, 2]]
    """
    before: Counter[Hashable] = Counter()
    numbers = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        numbers[row] = before[text]
        before[text] += 1
    return numbers, np.array([before[text] for text in texts], np.int64)


def has_own_ids(space: Space) -> bool:
    """Whether the ids say more than texts, their repetition, and the order of the rows.

    Those of a table of tokens do not: they are the texts as one tokenizer writes them, ``Ġdog``
    or ``▁dog``.
    """
    kinds = space.metadata.get("kind")
    if kinds is not None and bool((kinds == PIECE).any()):
        return False
    if space.ids == space.texts or space.ids == _numbered(space.ids):
        return False
    pairs = zip(space.ids, space.texts, strict=True)
    return any(own != text and not own.startswith(f"{text}{MARK}") for own, text in pairs)


def _numbered(ids: Sequence[str]) -> tuple[str, ...]:
    """As many numbers from 0 or 1, where the first id is one of these."""
    start = int(ids[0]) if ids[0] in ("0", "1") else None
    return () if start is None else tuple(map(str, range(start, start + len(ids))))


@dataclass(frozen=True, eq=False)
class Join:
    """Rows (m,) of a and of b that are the same items, in a's order, of ``sizes`` in all.

    ``by`` is "id", where both spaces have ids of their own, else "text": then the first *the* of
    one is that of the other, and the second the second, a document at a time where both have
    documents. ``renamed`` items have one id and two texts.
    """

    a: Rows
    b: Rows
    by: str
    sizes: tuple[int, int]
    renamed: int = 0

    @property
    def left_out(self) -> tuple[int, int]:
        """How many items only the first has, and only the second."""
        return self.sizes[0] - len(self.a), self.sizes[1] - len(self.b)

    @property
    def much(self) -> bool:
        """Whether more than a tenth of one of the two is left out."""
        return any(out > MUCH * size for out, size in zip(self.left_out, self.sizes, strict=True))

    @property
    def advice(self) -> str:
        """What to do where too little is shared."""
        if self.by == "id":
            return "Leave the ids out of one file, and the two are compared by text"
        return "Choose a space with the same words or texts"

    def sentence(self, names: tuple[str, str] = ("the first", "the second")) -> str:
        """What is compared and what is not.

        >>> rows = np.arange(2)
        >>> Join(rows, rows, "id", (2, 3)).sentence()
        'Compared by id: 2 items that both have. Left out: 1 of 3 of the second (33%).'
        """
        out = [
            f"{count:,} of {size:,} of {name} ({count / size:.0%})"
            for count, size, name in zip(self.left_out, self.sizes, names, strict=True)
            if count
        ]
        rest = f"Left out: {', '.join(out)}." if out else "None is left out."
        have = "has" if self.renamed == 1 else "have"
        other = f" {self.renamed:,} of them {have} another text there." if self.renamed else ""
        return f"Compared by {self.by}: {len(self.a):,} items that both have.{other} {rest}"


def join(a: Space, b: Space) -> Join:
    """The items that two spaces share: by id where both have ids of their own, else by text."""
    by_id = has_own_ids(a) and has_own_ids(b)
    placed = all(DOCUMENT in space.metadata for space in (a, b))
    keys = [space.ids if by_id else _by_text(space, placed) for space in (a, b)]
    there = {key: row for row, key in enumerate(keys[1])}
    pairs = [(row, there[key]) for row, key in enumerate(keys[0]) if key in there]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    renamed = sum(normal(a.texts[row]) != normal(b.texts[other]) for row, other in pairs)
    return Join(
        np.ascontiguousarray(rows[:, 0]),
        np.ascontiguousarray(rows[:, 1]),
        "id" if by_id else "text",
        (len(a), len(b)),
        renamed,
    )


def _by_text(space: Space, placed: bool) -> list[tuple[Hashable, int]]:
    """Each item's text, as it looks, and which one of this text it is, in its document where both
    spaces are ``placed``: two models may read the same texts to another length."""
    texts: list[Hashable] = [normal(text) for text in space.texts]
    if placed:
        texts = list(zip(space.metadata[DOCUMENT].astype(str), texts, strict=True))
    return list(zip(texts, occurrences(texts)[0].tolist(), strict=True))


def in_both(
    joined: Join, shared: Space, wholes: tuple[Space, Space], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """What leads, in each of two joined spaces, to the ``shared`` items of these names.

    An address is of one space: the same id may be another item's in the other. A name of no shared
    item stays as it is.
    """
    rows = [shared.find(name) for name in names]
    return tuple(
        tuple(
            name if row is None else whole.address(int(theirs[row]))
            for name, row in zip(names, rows, strict=True)
        )
        for whole, theirs in zip(wholes, (joined.a, joined.b), strict=True)
    )
