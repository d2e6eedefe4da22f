"""What an encoder student trains on, and what it never sees: words by lemma, sentences by document.

Beside the space's own texts there are texts made from them, cut out of sentences and strung
together from words, so that data is not the limit: the teacher is there to answer for them.
"""

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.lemmas import held_out_rows, lemma_groups, split
from core.spaces.space import Space
from core.spaces.words import folded
from core.types import Rows

SHORTEST, LONGEST = 2, 12  # words of a span
FEWEST = 5  # words of a text that spans are cut from
LISTED = 5  # words of a list, at most


def held_out(space: Space, share: float, seed: int) -> Rows:
    """(r,) sorted rows that are kept out of the training of an encoder.

    A text of a document goes with its whole document (``document`` in the metadata), every other
    with its lemma. Depends on texts, share and seed only.
    """
    if "document" not in space.metadata:
        return split(space, share, seed).kept_out
    documents = [str(it) if isinstance(it, str) else "" for it in space.metadata["document"]]
    named = sorted(set(documents) - {""})
    count = round(share * len(named)) if share else 0
    count = min(max(count, 1), len(named) - 1) if share and len(named) > 1 else 0
    order = np.random.default_rng((seed, len(named))).permutation(len(named))
    chosen = {named[number] for number in order[:count]}
    rest = [row for row, document in enumerate(documents) if not document]
    words = held_out_rows([space.texts[row] for row in rest], share, seed).tolist() if rest else []
    rows = [row for row, document in enumerate(documents) if document in chosen]
    return np.array(sorted([*rows, *(rest[word] for word in words)]), dtype=np.int64)


def trained_on(space: Space, share: float, seed: int) -> Rows:
    """(r,) the other rows; of texts that occur twice the first, and none that equals a held-out.

    Raises InvalidSpecification when fewer than two different texts are left, or all vectors are
    equal: then there is nothing to learn.
    """
    out = held_out(space, share, seed)
    seen = {folded(space.texts[row]) for row in out}
    rows: list[int] = []
    forbidden = set(out.tolist())
    for row, text in enumerate(space.texts):
        if row not in forbidden and folded(text) not in seen:
            seen.add(folded(text))
            rows.append(row)
    found = np.array(rows, dtype=np.int64)
    if len(found) < 2 or np.allclose(space.vectors[found], space.vectors[found[0]], atol=1e-6):
        raise InvalidSpecification(
            f"found {len(found)} different texts to learn from, or vectors that are all equal; "
            "expected at least two texts with vectors of their own: use the transform student"
        )
    return found


def made_texts(space: Space, rows: Rows, count: int, seed: int) -> list[str]:
    """``count`` texts cut out of the sentences and listed from the words among ``rows``.

    >>> from core.spaces.space import Provenance
    >>> space = Space.create(["sea", "salt"], [[1, 0], [0, 1]], Provenance("demo", "by hand"))
    >>> [sorted(set(text.split())) for text in made_texts(space, np.array([0, 1]), 1, seed=0)]
    [['salt', 'sea']]
    """
    generator = np.random.default_rng((seed, 1))
    sentences = [it for it in (space.texts[row].split() for row in rows) if len(it) >= FEWEST]
    words = [it for it in (space.texts[row] for row in rows) if it.strip() and " " not in it]
    found = []
    for _ in range(count if sentences or words else 0):
        if sentences and (not words or generator.random() < 0.5):
            source = sentences[generator.integers(len(sentences))]
            length = int(generator.integers(SHORTEST, min(LONGEST, len(source)) + 1))
            start = int(generator.integers(len(source) - length + 1))
            found.append(" ".join(source[start : start + length]))
        else:
            length = min(int(generator.integers(2, LISTED + 1)), len(words))
            chosen = generator.choice(len(words), length, replace=False)
            found.append(" ".join(words[it] for it in chosen))
    return found


def free_pieces(pieces: tuple[str, ...], space: Space, rows: Rows) -> npt.NDArray[np.int64]:
    """Sorted rows of the pieces that are no form of a held-out word, special ones left out.

    ``rows`` are those held out; a piece that is one would give its vector away.
    """
    words = [space.texts[row] for row in rows if len(space.texts[row].split()) == 1]
    hidden = set(lemma_groups(words))
    groups = lemma_groups(pieces)
    found = [
        row
        for row, (piece, group) in enumerate(zip(pieces, groups, strict=True))
        if group not in hidden and not (len(piece) > 2 and piece[0] == "[" and piece[-1] == "]")
    ]
    return np.array(found, dtype=np.int64)
