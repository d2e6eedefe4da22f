"""Families of word forms, and what is held out of a training."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidSpecification
from core.spaces.lemmas import held_out_rows, lemma_groups, split, whole_words
from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space

FORMS = ["walk", "walks", "walked", "walking", "be", "is", "were", "child", "children"]
FORMS += ["##ing", "ing", "happy", "happily"]
WORDS = st.lists(
    st.text(alphabet="abdeginkrstwly", min_size=1, max_size=8), min_size=1, max_size=60
)


def space_of(words: list[str], kinds: list[str]) -> Space:
    vectors = np.random.default_rng(0).normal(size=(len(words), 3)).astype(np.float32)
    return Space.create(words, vectors, Provenance("t", "t"), metadata=word_table(words, kinds))


def test_forms_of_one_word_have_one_key() -> None:
    keys = lemma_groups(FORMS)
    by_word = dict(zip(FORMS, keys, strict=True))
    assert len({by_word[w] for w in ("walk", "walks", "walked", "walking")}) == 1
    assert by_word["be"] == by_word["is"] == by_word["were"] != by_word["walk"]
    assert by_word["child"] == by_word["children"]
    assert by_word["##ing"] == by_word["ing"]
    assert by_word["happy"] == by_word["happily"]


@pytest.mark.parametrize("text", ["", "😀", "1980", "##", "ß", "two words", "\ud800"])
def test_any_text_has_a_key(text: str) -> None:
    assert len(lemma_groups([text, text])) == 2


def test_a_phrase_goes_with_its_other_forms() -> None:
    assert len(set(lemma_groups(["He walks home", "he walked homes"]))) == 1


@given(WORDS, st.floats(0.05, 0.9), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_families_are_never_split(words: list[str], share: float, seed: int) -> None:
    held = held_out_rows(words, share, seed)
    keys = lemma_groups(words)
    inside = {keys[row] for row in held}
    outside = {keys[row] for row in set(range(len(words))) - set(held.tolist())}
    assert not inside & outside
    assert (np.diff(held) > 0).all()
    assert bool(len(held)) == (len(set(keys)) > 1)


@given(WORDS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter(words: list[str], random: object) -> None:
    shuffled = sorted(words, key=lambda _: random.random())  # type: ignore[attr-defined]
    one = {words[row] for row in held_out_rows(words, 0.3, 1)}
    other = {shuffled[row] for row in held_out_rows(shuffled, 0.3, 1)}
    assert one == other


def test_the_share_is_what_was_asked_and_the_seed_matters() -> None:
    generator = np.random.default_rng(3)
    words = ["".join(generator.choice(list("bcdfgkmnoptu"), 7)) for _ in range(4_000)]
    one, other = (held_out_rows(words, 0.1, seed) for seed in (0, 1))
    assert 0.08 < len(one) / len(words) < 0.12
    assert len(np.intersect1d(one, other)) < 0.3 * len(one)
    assert len(held_out_rows(words, 0.0, 0)) == 0


def test_only_families_of_eligible_rows_are_drawn() -> None:
    words = ["walk", "##walking", "sing", "dog"]
    held = held_out_rows(words, 0.9, 0, np.array([0], dtype=np.int64))
    assert held.tolist() == [0, 1]


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(InvalidSpecification, match="expected 0 to below 1"):
        held_out_rows(["a", "b"], share, 0)


def test_whole_words_are_asked_and_their_pieces_are_kept_out() -> None:
    words = ["walk", "##walk", "dog", "1980", "x", "sing", "3rd", "cat", "tree", "sun"]
    space = space_of(words, ["piece" if w.startswith("##") else "word" for w in words])
    assert [words[row] for row in whole_words(space)] == [
        "walk",
        "dog",
        "sing",
        "cat",
        "tree",
        "sun",
    ]
    for seed in range(30):
        found = split(space, 0.3, seed)
        assert set(found.asked) <= set(found.kept_out)
        assert (0 in found.kept_out) == (1 in found.kept_out)
        assert 1 not in found.asked


def test_a_space_without_words_is_asked_all_its_texts() -> None:
    texts = [f"Sentence {i} says so." for i in range(40)]
    found = split(space_of(texts, ["sentence"] * 40), 0.4, 0)
    assert len(found.asked) == len(found.kept_out) > 0
