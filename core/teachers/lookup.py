"""Finding a typed text in a table of vectors: the row, the words, or the nearest spellings."""

import difflib
from collections.abc import Callable

import numpy as np

from core.errors import UnknownItem
from core.spaces.space import Space
from core.spaces.words import clusters, folded, normal, unspaced, words
from core.teachers.base import shown
from core.types import Vector

LONGEST_WORD = 40  # characters; longer texts are not compared by spelling
CANDIDATES = 4000  # spellings compared at most: difflib takes 10 us each
MOST_WORDS = 1000  # words of a text that are averaged; more say nothing more
LONGEST_CUT = 12  # characters of an item for which a run without spaces is searched


def represent_in_table(space: Space, text: str) -> tuple[Vector, str]:
    """(d,) a text's vector from a table of words alone, and how it was made.

    The exact row, else the row without regard to case, else the mean of the words that the
    table holds. A run of a script without spaces is cut into the longest items from its start.
    Raises UnknownItem with the nearest spellings.
    """
    return own_row(space, text) or _mean_of_words(space, text)


def own_row(space: Space, text: str) -> tuple[Vector, str] | None:
    """The vector of an item whose text this is, or None. Raises UnknownItem when empty."""
    wanted = text.strip()
    if not wanted:
        raise UnknownItem("found an empty text; expected a word or a phrase: type one")
    row = space.find(wanted)
    if row is None:
        return None
    same = normal(space.texts[row]) == normal(wanted)
    how = "its own row" if same else f"the row of {space.texts[row]!r}"
    return space.vectors[row], how


def similar(space: Space, text: str, count: int = 3) -> list[str]:
    """Items spelled nearly like ``text``, at most ``count``; the same first letter, like length."""
    word = folded(text.strip())
    if not 0 < len(word) <= LONGEST_WORD:
        return []
    near: list[str] = []
    for candidate in space.texts:
        if folded(candidate[:1]) == word[0] and abs(len(candidate) - len(word)) <= 2:
            near.append(candidate)
            if len(near) == CANDIDATES:
                break
    return difflib.get_close_matches(word, near, n=count, cutoff=0.7)


def unknown(space: Space, text: str, advice: str = "") -> UnknownItem:
    """The error for a text that the table cannot answer, with the nearest spellings."""
    spellings = similar(space, text)
    offer = f"try {', '.join(map(repr, spellings))}" if spellings else "try another word"
    return UnknownItem(
        f"found {shown(text)}, which {space.name} does not hold; expected one of its "
        f"{len(space):,} items: {offer}{advice}"
    )


def mean_of(
    parts: list[str], vector_of: Callable[[str], Vector | None]
) -> tuple[Vector | None, list[str], list[str]]:
    """The mean of the vectors of those parts that have one, the parts used, the parts missing."""
    found = [(part, vector_of(part)) for part in parts]
    vectors = [vector for _, vector in found if vector is not None]
    used = [part for part, vector in found if vector is not None]
    missing = [part for part, vector in found if vector is None]
    if not vectors:
        return None, used, missing
    mean: Vector = np.stack(vectors).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean, used, missing


def mean_of_pieces(
    space: Space, text: str, pieces: list[str], vector_of: Callable[[str], Vector | None]
) -> tuple[Vector, str]:
    """(d,) the mean of the tokenizer's pieces of a text, and which they were.

    Raises UnknownItem when the table has none of them.
    """
    vector, used, missing = mean_of(pieces[:MOST_WORDS], vector_of)
    if vector is None:
        raise unknown(space, text, ", or minilm:words, which encodes any text")
    how = f"mean of {len(used)} piece{'s' * (len(used) != 1)}: {named(used)}"
    return vector, how + (f"; {len(missing)} not readable" if missing else "")


def named(parts: list[str], most: int = 8) -> str:
    """Some parts in words: ``new york``, or the first eight ``and 12 more``."""
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    return " ".join(part[:LONGEST_WORD] for part in parts[:most]) + more


def _mean_of_words(space: Space, text: str) -> tuple[Vector, str]:
    told = _words_of(space, text[: MOST_WORDS * LONGEST_WORD])[:MOST_WORDS]
    parts = [part for word in told for part in _cut(space, word)]

    def vector_of(word: str) -> Vector | None:
        row = space.find(word)
        return None if row is None else space.vectors[row]

    vector, used, missing = mean_of(parts, vector_of)
    if vector is None:
        raise unknown(space, text, ", or minilm:words, which encodes any text")
    how = f"mean of {len(used)} word{'s' * (len(used) != 1)}: {named(used)}"
    return vector, how + (f"; not known: {named(missing)}" if missing else "")


def _words_of(space: Space, text: str) -> list[str]:
    """The words of a text. What stands between spaces and is an item is one word, whatever signs
    are in it (*u.s.*, *c++*, Tibetan with its points); signs alone are none."""
    told: list[str] = []
    for part in text.split():
        inside = words(part)
        whole = bool(inside) and inside != [part] and space.find(part) is not None
        told += [part] if whole else inside
    return told


def _cut(space: Space, word: str) -> list[str]:
    """A word; of a run without spaces, the longest items that it begins with, one after another.

    What no item begins is kept together, to be told as not known.
    """
    if not unspaced(word) or space.find(word) is not None:
        return [word]
    letters, parts, at, lost = clusters(word)[:MOST_WORDS], [], 0, ""
    while at < len(letters):
        sizes = range(min(len(letters) - at, LONGEST_CUT), 0, -1)
        tried = ("".join(letters[at : at + size]) for size in sizes)
        part = next((it for it in tried if space.find(it) is not None), "")
        if part and lost:
            parts.append(lost)
        if part:
            parts.append(part)
        lost = "" if part else lost + letters[at]
        at += len(clusters(part)) or 1
    return [*parts, lost] if lost else parts
