"""Which texts are forms of one word, so that *walk* never teaches *walked*, and what is held out.

A fair question to a model that reads spelling holds out whole families of forms. Families are
Porter's stems (1980) of casefolded words, with the derived adverbs put to their adjectives and
the commonest irregular forms to their word. A stem is a key, not a word: some families are too
wide (*universe*, *university*), which makes the question harder, never easier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.spaces.subwords import bare
from core.spaces.words import folded, is_word
from core.types import Rows

HASH_BYTES = 8
FEWEST_LETTERS = 2  # below there is no spelling to read: "a", single Chinese characters
_IRREGULAR = """
be am is are was were been being; have has had having; do does did done; go goes went gone
say said; get got gotten; make made; know knew known; take took taken; see saw seen; come came
think thought; give gave given; find found; tell told; become became; leave left; feel felt
bring brought; begin began begun; keep kept; hold held; write wrote written; stand stood
hear heard; mean meant; meet met; run ran; pay paid; sit sat; speak spoke spoken; lie lay lain
lead led; grow grew grown; lose lost; fall fell fallen; send sent; build built
understand understood; draw drew drawn; break broke broken; spend spent; rise rose risen
drive drove driven; buy bought
wear wore worn; choose chose chosen; seek sought; throw threw thrown; catch caught; deal dealt
win won; forget forgot forgotten; shake shook shaken; fight fought; teach taught; eat ate eaten
sing sang sung; ring rang rung; sink sank sunk; drink drank drunk; swim swam swum; fly flew flown
strike struck; hang hung; hide hid hidden; ride rode ridden; bite bit bitten; steal stole stolen
freeze froze frozen; wake woke woken; tear tore torn; swear swore sworn; bear bore borne
blow blew blown; show shown; shoot shot; shine shone; sell sold; sleep slept; sweep swept; weep wept
creep crept; lend lent; bend bent; bind bound; wind wound; grind ground; feed fed; bleed bled
breed bred; flee fled; slide slid; spin spun; stick stuck; sting stung; swing swung; dig dug
cling clung; fling flung; spring sprang sprung; shrink shrank shrunk; stink stank stunk
arise arose arisen; awake awoke; undergo underwent undergone; overcome overcame; forgive forgave
child children; man men; woman women; foot feet; tooth teeth; goose geese; mouse mice; louse lice
person people; ox oxen; wolf wolves; knife knives; wife wives; life lives; leaf leaves; half halves
shelf shelves; self selves; thief thieves; loaf loaves; calf calves; elf elves; scarf scarves
good better best; bad worse worst; far further furthest farther farthest; little less least
datum data; medium media; criterion criteria; phenomenon phenomena; crisis crises; thesis theses
analysis analyses; basis bases; axis axes; nucleus nuclei; fungus fungi; bacterium bacteria
alumnus alumni; stimulus stimuli; radius radii; index indices; matrix matrices; vertex vertices
"""


@dataclass(frozen=True)
class Split:
    """What a training leaves out, and what of it is asked afterwards; both sorted.

    ``kept_out`` holds whole families; ``asked`` are those rows of it that make a fair question.
    """

    kept_out: Rows
    asked: npt.NDArray[np.int64]  # (a,)


def lemma_groups(texts: Sequence[str]) -> list[str]:
    """A key a text, the same for all forms of one word; a phrase's key has its words' keys.

    A WordPiece piece goes with the bare word. A text with no letter is its own family.

    >>> lemma_groups(["walk", "Walked", "##walking", "mice", "mouse", "happily", "happy", "1980"])
    ['walk', 'walk', 'walk', 'mous', 'mous', 'happi', 'happi', '1980']
    """
    keys = {text: _key(text) for text in set(texts)}
    return [keys[text] for text in texts]


def held_out_rows(
    texts: Sequence[str], share: float, seed: int, eligible: npt.NDArray[np.int64] | None = None
) -> Rows:
    """(r,) sorted rows of the families that are held out: a ``share`` of all, 0 to below 1.

    Whole families, so that no form of a held-out word remains. Which ones depends on the
    family's key and the seed alone, never on order, and stays when texts are added. Where
    ``eligible`` rows are given, only families with one of them are drawn from. At least one is
    held out where there are two, unless share is 0. Raises InvalidSpecification.
    """
    if not 0 <= share < 1:
        raise InvalidSpecification(
            f"found a held-out share of {share:g}; expected 0 to below 1: 0.05 is a good start"
        )
    keys = lemma_groups(texts)
    allowed = set(keys) if eligible is None else {keys[row] for row in eligible}
    if share == 0 or not allowed or len(set(keys)) < 2:
        return np.zeros(0, dtype=np.int64)
    draws = {key: _draw(key, seed) for key in allowed}
    chosen = {key for key, draw in draws.items() if draw < share}
    if not chosen or len(chosen) == len(set(keys)):
        chosen = {min(draws, key=lambda key: (draws[key], key))}
    return np.array([row for row, key in enumerate(keys) if key in chosen], dtype=np.int64)


def whole_words(space: Space) -> Rows:
    """(r,) rows of a space that are whole words of two letters or more, and no pieces of words.

    A space that says nothing of kinds is judged by its texts alone.
    """
    kinds = space.metadata["kind"] if "kind" in space.metadata else ["word"] * len(space)
    found = [
        row
        for row, (text, kind) in enumerate(zip(space.texts, kinds, strict=True))
        if kind == "word" and is_word(text) and len(text) >= FEWEST_LETTERS
    ]
    return np.array(found, dtype=np.int64)


def split(space: Space, share: float, seed: int) -> Split:
    """What students that read leave out of this space: families of whole words.

    A space without whole words (sentences, say) is asked about all its texts.
    """
    eligible = whole_words(space)
    if not len(eligible):
        eligible = np.arange(len(space), dtype=np.int64)
    kept_out = held_out_rows(space.texts, share, seed, eligible)
    return Split(kept_out, np.intersect1d(kept_out, eligible))


def _key(text: str) -> str:
    words = folded(bare(text)).split()
    return " ".join(_stem(word) for word in words) if words else text


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    stem = _porter(_irregular().get(word, word))
    if stem.endswith("li") and len(stem) > 5:  # Porter leaves "quickli", "happili"
        stem = _porter(stem[:-2])
    return stem


def _porter(word: str) -> str:
    return str(_stemmer().stem(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    from gensim.parsing.porter import PorterStemmer

    return PorterStemmer()


@lru_cache(maxsize=1)
def _irregular() -> dict[str, str]:
    """Every irregular form with the word that it is a form of."""
    families = (line.split() for line in _IRREGULAR.replace("\n", ";").split(";"))
    return {form: family[0] for family in families if family for form in family[1:]}


def _draw(key: str, seed: int) -> float:
    """A number in [0, 1) of the key and the seed, the same on every machine."""
    salt = seed.to_bytes(HASH_BYTES, "little")
    told = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, salt=salt)
    return float(int.from_bytes(told.digest(), "little") / 2 ** (8 * HASH_BYTES))
