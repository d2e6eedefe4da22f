"""The packaged texts in three parts that share no document: what is fitted on one is judged on
another."""

from functools import lru_cache

import numpy as np

from core.decode.language_model import LanguageModel
from core.errors import InvalidSpecification
from core.models.prompt import framed
from core.teachers.corpus import corpus_sentences
from core.teachers.layer_states import passages

PARTS = ("fitted", "explored", "held out")
LONG_ENOUGH = 384  # characters of a document that is read at all
LONGEST = 40_000  # characters of a document that are read
LONGEST_TOKEN = 12  # characters, more than a token has on the mean: what is cut for so many tokens


@lru_cache(maxsize=1)
def documents() -> dict[str, tuple[tuple[str, str], ...]]:
    """(document, text) by part.

    "fitted" are the documents that the layers' own spaces are made of
    (:mod:`core.teachers.layer_states`), the others are dealt into two halves with a seed. Raises
    TeacherUnavailable.
    """
    own = {name for name, _ in passages()}
    whole: dict[str, list[str]] = {}
    for sentence in corpus_sentences():
        whole.setdefault(sentence.document, []).append(sentence.text)
    texts = {name: " ".join(found)[:LONGEST] for name, found in whole.items()}
    rest = [name for name, text in texts.items() if name not in own and len(text) > LONG_ENOUGH]
    dealt = [rest[row] for row in np.random.default_rng(0).permutation(len(rest))]
    half = len(dealt) // 2
    parts = zip(
        PARTS, ([text for text in texts if text in own], dealt[:half], dealt[half:]), strict=True
    )
    return {part: tuple((name, texts[name]) for name in names) for part, names in parts}


def windows(
    lm: LanguageModel, part: str, tokens: int, each: int = 1, most: int | None = None
) -> list[tuple[str, list[int]]]:
    """(document, ids): up to ``each`` stretches of exactly so many tokens of each document, or of
    as many as the model reads at once, of ``most`` documents. A document that is too short for one
    is left out.

    Raises InvalidSpecification for another part, TeacherUnavailable.
    """
    if part not in PARTS:
        raise InvalidSpecification(f"found the part {part!r:.40}; expected one of {PARTS}")
    tokens = min(tokens, lm.window)
    found: list[tuple[str, list[int]]] = []
    read = 0
    for name, text in documents()[part]:
        cut = text[: LONGEST_TOKEN * tokens * each]
        ids = framed(lm.tokenizer, cut).open
        rows = [ids[start : start + tokens] for start in range(0, tokens * each, tokens)]
        kept = [(name, row) for row in rows if len(row) == tokens]
        found += kept
        read += bool(kept)
        if read == most:
            break
    return found
