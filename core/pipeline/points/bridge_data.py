"""What the bridge learns from: points of sentences with their words, split by document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import regex

from core.decode.language_model import LanguageModel
from core.spaces.linalg import unit_rows
from core.types import Matrix, Queries

WORD = regex.compile(r"[^\W\d_][\w'’-]*\w|\d{4}")  # two characters or more, or a year
MOST_WORDS = 14_000
SEEN = 2  # times that a word must occur in the texts
HELD_OUT, TUNED = 0.10, 0.05  # shares of the documents
MIXED = 0.3  # of a batch: points half-way between two sentences, with the words of both
NOISE = 0.5  # the longest random vector added to a point of length 1
LESSONS = (MOST_WORDS, SEEN, HELD_OUT, TUNED, MIXED, NOISE)  # other ones teach another bridge

Mask = npt.NDArray[np.bool_]


def split(documents: Sequence[str], seed: int = 0) -> tuple[Mask, Mask, Mask]:
    """(n,) masks: to learn from, to tune with, held out; no document is in two of them.

    >>> [part.tolist() for part in split(["a", "b", "a"])]
    [[True, True, True], [False, False, False], [False, False, False]]
    """
    names = sorted(set(documents))
    np.random.default_rng(seed).shuffle(names)
    held = set(names[: int(len(names) * HELD_OUT)])
    tuned = set(names[: int(len(names) * (HELD_OUT + TUNED))]) - held
    own = np.array([name in held for name in documents])
    other = np.array([name in tuned for name in documents])
    return ~own & ~other, other, own


@dataclass(frozen=True, eq=False)
class Lessons:
    """n points (n, d) of length 1, the rows of each one's words in the list of v ``tokens``, the
    ``weights`` (v,) of words (rare ones count more), and how often they occur, ``counts`` (v,)."""

    points: Matrix
    words: tuple[tuple[int, ...], ...]
    tokens: npt.NDArray[np.int64]
    spelled: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    counts: npt.NDArray[np.float32]

    def batch(
        self, size: int, draw: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(size, d) points, some half-way between two, all a little off; and (size, v) the share
        that each word should have there."""
        rows, others = draw.integers(0, len(self.points), (2, size))
        mixed = draw.random(size) < MIXED
        points = self.points[rows] + np.where(mixed[:, None], self.points[others], 0)
        shares = np.zeros((size, len(self.tokens)), np.float32)
        for at, (row, other, both) in enumerate(zip(rows, others, mixed, strict=True)):
            for word in self.words[row] + (self.words[other] if both else ()):
                shares[at, word] += self.weights[word]
        return astray(unit_rows(points), draw), shares / shares.sum(axis=1, keepdims=True)


def astray(points: npt.NDArray[np.float32], draw: np.random.Generator) -> npt.NDArray[np.float32]:
    """Unit rows (m, d) moved in random directions, up to NOISE far, and back to length 1."""
    noise = draw.standard_normal(points.shape).astype(np.float32)
    far = (NOISE * draw.random((len(points), 1))).astype(np.float32)
    return unit_rows(points + far * unit_rows(noise))


def lessons(
    lm: LanguageModel,
    texts: Sequence[str],
    points: Matrix,
    words: Sequence[str],
    word_points: Queries,
    most: int = MOST_WORDS,
) -> Lessons:
    """From sentences with their points, and single words with theirs.

    The list holds what is one token of the model behind a space: what occurs in the sentences,
    most frequent first, then the single words. English stop words are left out.
    """
    tokens = _Tokens(lm)
    per_text = [tokens.of(text) for text in texts]
    count = Counter(token for found in per_text for token in found)
    frequent = [it for it, times in count.most_common() if times >= SEEN]
    single = {token: row for row, word in enumerate(words) if (token := tokens.one(word))}
    rare = [it for it in single if it not in set(frequent)]
    vocabulary = [*frequent[: most - min(len(rare), most // 5)], *rare][:most]
    at = {token: row for row, token in enumerate(vocabulary)}
    known = [tuple(at[it] for it in found if it in at) for found in per_text]
    rows = [row for row, found in enumerate(known) if found]
    alone = [(row, at[token]) for token, row in single.items() if token in at]
    counts = np.array([count[word] + 0.5 for word in vocabulary], np.float32)
    weights = np.log(len(texts) / counts + 1)
    return Lessons(
        unit_rows(np.concatenate([points[rows], word_points[[row for row, _ in alone]]])),
        (*(known[row] for row in rows), *((word,) for _, word in alone)),
        np.array(vocabulary, np.int64),
        tuple(lm.text([word]).strip() for word in vocabulary),
        (weights / weights.mean()).astype(np.float32),
        counts,
    )


class _Tokens:
    """Words of a text that are one token each, by the model's own tokenizer."""

    def __init__(self, lm: LanguageModel) -> None:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        self._lm = lm
        self._stop = ENGLISH_STOP_WORDS
        self._known: dict[str, int | None] = {}

    def one(self, word: str) -> int | None:
        """The one token of a word behind a space, if it is one and not a stop word."""
        if word not in self._known:
            ids = [] if word.lower() in self._stop else self._lm.inner_ids(f" {word}")
            self._known[word] = ids[0] if len(ids) == 1 else None
        return self._known[word]

    def of(self, text: str) -> list[int]:
        """Each of a text's once, in order."""
        found = (self.one(word) for word in dict.fromkeys(WORD.findall(text)))
        return [it for it in dict.fromkeys(found) if it is not None]
