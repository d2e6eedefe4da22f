"""States written into a prompt, against a hand-written hook on the plain transformers model."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import DEPTH, DIM, near, raw_model, tiny_model

from core.decode import patchscopes
from core.decode.language_model import LanguageModel
from core.decode.nouns import NOUNS
from core.decode.patchscopes import (
    SOURCE,
    Patchscope,
    concepts,
    entropy,
    identity_prompt,
    is_echo,
    named_apart,
    shown,
    words_of,
)
from core.decode.residual_stream import Edit
from core.decode.sampling import Sampling
from core.errors import Cancelled, InvalidSpecification, NotEnoughMemory, Unsupported

FAMILIES = ("llama", "gpt2")


@pytest.fixture(scope="module", params=FAMILIES)
def lm(request: Any) -> LanguageModel:
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def scope(lm: LanguageModel) -> Patchscope:
    return Patchscope(lm, identity_prompt()[0])


def drawn(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def by_hand(family: str, ids: list[int], vector: Any, layer: int, place: int) -> Any:
    """The last logits of the plain model with ``vector`` written into ``layer`` at ``place``."""
    import torch

    model, _ = raw_model(family)
    base = model.base_model
    blocks = base.layers if family == "llama" else base.h

    def write(states: Any) -> Any:
        states = states.clone()
        states[:, place] = torch.from_numpy(vector)
        return states

    if layer == 0:
        blocks[0].register_forward_pre_hook(
            lambda _, given, named: (
                ((write(given[0]), *given[1:]), named)
                if given
                else (given, {**named, "hidden_states": write(named["hidden_states"])})
            ),
            with_kwargs=True,
        )
    else:
        blocks[layer - 1].register_forward_hook(
            lambda _, __, out: (write(out[0]), *out[1:]) if isinstance(out, tuple) else write(out)
        )
    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).logits[0, -1].numpy()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", range(DEPTH + 1))
def test_patching_is_what_a_hook_on_the_plain_model_does(family, layer):
    scope = Patchscope(tiny_model(family), identity_prompt()[0])
    vectors = drawn(3)
    found = scope.logits(vectors, layer).numpy()
    for row in range(3):
        there = by_hand(family, scope.ids, vectors[row], layer, scope.place)
        near(found[row], there)


def test_what_is_read_once_changes_nothing(lm, scope):
    vectors = drawn(5)
    edit = Edit(2, vectors, scope.place, scope.place + 1)
    whole = lm.run([scope.ids] * 5, edits=[edit])
    plain = lm.logits(whole.final[:, -1]).numpy()
    near(scope.logits(vectors, 2), plain)
    again = scope.logits(vectors[:2], 2).numpy()  # a pass leaves nothing behind for the next one
    near(again, plain[:2])


def test_the_last_layer_cannot_be_heard(scope):
    """What is written above the last block reaches no other position."""
    one, other = scope.logits(drawn(2), DEPTH).numpy()
    near(one, other)


def test_the_placeholders_own_state_changes_nothing(lm, scope):
    states = lm.states(scope.ids)
    plain = lm.logits(lm.run([scope.ids]).final[0, -1]).numpy()
    for layer in range(DEPTH + 1):
        same = scope.logits(states[layer, scope.place][None], layer).numpy()[0]
        near(same, plain)


def test_concepts_are_the_last_tokens_of_a_plain_sentence(lm):
    layers = [0, 2, DEPTH]
    found = concepts(lm, ["cat", "  red   river ", "cat"], layers)
    for it, text in zip(found, ("cat", "red river", "cat"), strict=True):
        ids = lm.ids(f"{SOURCE} {text}")
        near(it.states, lm.states(ids)[layers, -1])
        assert it.text == text
        assert "".join(it.pieces) == f" {text}"
        assert lm.text([it.first]) == it.pieces[0]
    assert len(found[1].pieces) > 1
    assert found[0].first == lm.ids(f"{SOURCE} cat")[-1]


def test_a_batch_too_large_for_memory_is_halved(lm, monkeypatch):
    texts = ["cat", "dog", "mat", "river", "bank"]
    whole = concepts(lm, texts, [1])
    run, sizes = lm.run, []

    def little(ids: Any = None, **more: Any) -> Any:
        sizes.append(len(ids))
        if len(ids) > 2:
            raise NotEnoughMemory("found too little memory; expected more: free some")
        return run(ids, **more)

    monkeypatch.setattr(lm, "run", little)
    for one, other in zip(whole, concepts(lm, texts, [1]), strict=True):
        near(one.states, other.states)
    assert (sizes[0], sizes[-3:]) == (5, [2, 2, 1])


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_concept(lm, text):
    with pytest.raises(InvalidSpecification, match="empty concept"):
        concepts(lm, ["cat", text], [1])


def test_a_concept_longer_than_the_window(lm):
    with pytest.raises(InvalidSpecification, match="shorten it"):
        concepts(lm, ["cat " * 200], [1])


def test_a_layer_that_is_not_there(lm, scope):
    with pytest.raises(InvalidSpecification, match="found layer 9"):
        concepts(lm, ["cat"], [9])
    with pytest.raises(InvalidSpecification, match="found layer -1"):
        scope.shares(drawn(1), -1)


@pytest.mark.parametrize("prompt", ["the cat sat on the mat", "x: cat", "the cat sat x"])
def test_a_prompt_without_a_place(lm, prompt):
    with pytest.raises(Unsupported, match="no token of its own"):
        Patchscope(lm, prompt)


def test_concepts_of_one_first_token_cannot_be_told_apart(lm):
    assert named_apart(lm, concepts(lm, ["cat", "red river"], [1])) == ("cat", "red")
    with pytest.raises(InvalidSpecification, match=r"'red bank', which both begin with .* 'red'"):
        named_apart(lm, concepts(lm, ["cat", "red river", "red bank"], [1]))


class TestWords:
    def test_shares_are_the_softmax_over_words(self, lm, scope):
        vectors = drawn(4)
        shares = scope.shares(vectors, 1)
        tokens = scope.logits(vectors, 1).softmax(-1).numpy()
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        texts = words_of(lm).texts
        assert len(set(texts)) == len(texts)
        for word in ("cat", "moon", "x"):
            same = [k for k, it in enumerate(lm.pieces(range(lm.vocabulary))) if it.strip() == word]
            assert len(same) == 2  # with and without a space in front
            there = shares[:, texts.index(word)]
            near(there, tokens[:, same].sum(axis=1))

    def test_batches_change_nothing(self, scope, monkeypatch):
        vectors = drawn(7)
        whole = scope.shares(vectors, 1)
        monkeypatch.setattr(patchscopes, "BATCH", 3)
        near(scope.shares(vectors, 1), whole)

    def test_spaces_are_shown(self):
        assert [shown(it) for it in (" cat", "\n\n", " ")] == ["cat", "(new line)", "(space)"]


class TestWriting:
    def test_it_is_what_the_model_writes_uncached(self, lm, scope):
        vectors = drawn(3)
        edit = Edit(1, vectors, scope.place, scope.place + 1)
        steps = lm.write(scope.ids, Sampling(steps=6), copies=3, edits=[edit], layers=[])
        plain = np.stack([step.ids for step in steps], axis=1).tolist()
        found = scope.write(vectors, 1, 6)
        for row, text in zip(plain, found, strict=True):
            line = lm.text(row).split("\n")[0].split("<end>")[0]
            assert text == line.strip()

    def test_it_can_be_stopped(self, scope):
        with pytest.raises(Cancelled):
            scope.write(drawn(1), 1, 6, lambda done, total, message: done < 2)


class TestEcho:
    @pytest.mark.parametrize("word", ["moon", "Salt", "salty", "lam", "x", ":", " chair"])
    def test_the_prompts_own_words(self, word):
        assert is_echo(word, identity_prompt()[1])

    @pytest.mark.parametrize("word", ["ocean", "s", "sa", "mood", "", "sea", "e"])
    def test_others(self, word):
        assert not is_echo(word, identity_prompt()[1])

    def test_what_is_asked_about_is_no_example(self):
        prompt, examples = identity_prompt(["Salt", " moon "])
        assert examples == ("chair", "lamp", "glove", "mill")
        assert "salt" not in prompt
        assert prompt.endswith("\n x:")

    def test_no_noun_is_an_example(self):
        prompt, examples = identity_prompt()
        assert prompt == "moon: moon\n chair: chair\n lamp: lamp\n salt: salt\n x:"
        assert len(set(NOUNS)) == 60
        assert not {*examples, *patchscopes.SPARE} & {*NOUNS}


class TestEntropy:
    def test_closed_forms(self):
        even = np.full((1, 8), 1 / 8, np.float32)
        sure = np.eye(8, dtype=np.float32)[:1]
        np.testing.assert_allclose(
            entropy(np.concatenate([even, sure])), [math.log(8), 0], atol=1e-6
        )

    @given(st.integers(2, 40), st.integers(0, 999))
    def test_never_below_nothing_nor_above_even(self, words, seed):
        shares = np.random.default_rng(seed).dirichlet(np.full(words, 0.1), 3).astype(np.float32)
        found = entropy(shares)
        assert (found >= -1e-5).all()
        assert (found <= math.log(words) + 1e-4).all()
