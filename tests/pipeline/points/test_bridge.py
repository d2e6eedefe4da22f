"""From a point of the sentence space to a sentence: the prompt, its training, and the search."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_causal import DIM, tiny_model

from core.decode.guided_decoding import GuidedSearch, drawn, guided_search
from core.decode.language_model import LanguageModel
from core.decode.soft_prompt import WORDS, Bridge
from core.errors import Cancelled, InvalidVectors, StoreError
from core.pipeline.points.bridge_data import Lessons, astray, lessons, split
from core.pipeline.points.bridge_training import BridgeSpec, sentence_loss, train_bridge
from core.spaces.linalg import unit_rows

POINT = 6  # numbers of a point here
SPEC = BridgeSpec(word_steps=60, word_batch=16, prompt_steps=12, prompt_batch=4, longest=8)
SENTENCES = [
    "the cat sat on the mat",
    "a dog sat on the moon",
    "the ocean is blue and green",
    "the river and the ocean",
    "money and justice in the bank",
    "the bank of money",
]
SINGLE = ["cat", "lamp", "justice", "the"]


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return tiny_model()


def _points(texts: list[str]) -> Any:
    """A toy encoder: each word has a direction of its own, a text the sum of its words'."""
    rows = []
    for text in texts:
        found = np.zeros(POINT)
        for word in text.replace(".", " ").split():
            seed = sum((at + 1) * ord(letter) for at, letter in enumerate(word))
            found += np.random.default_rng(seed).standard_normal(POINT)
        rows.append(found + 1e-6)
    return unit_rows(np.array(rows, np.float32))


@pytest.fixture(scope="module")
def taught(lm: LanguageModel) -> Lessons:
    return lessons(lm, SENTENCES, _points(SENTENCES), SINGLE, _points(SINGLE))


@pytest.fixture(scope="module")
def made(lm: LanguageModel, taught: Lessons) -> Bridge:
    return _train(lm, taught)


def _train(lm: LanguageModel, taught: Lessons, folder: Path | None = None, **more: Any) -> Bridge:
    own = _points(list(taught.spelled))
    return train_bridge(lm, taught, own, SENTENCES, _points(SENTENCES), SPEC, folder=folder, **more)


# ------------------------------------------------------------------------------ what is taught


def test_no_document_stands_on_two_sides_and_all_have_a_side() -> None:
    documents = [f"document {number % 40}" for number in range(400)]
    parts = split(documents)
    sides = [{documents[row] for row in np.flatnonzero(part)} for part in parts]
    assert sum(map(len, sides)) == 40
    assert len(sides[2]) == 4
    assert all(np.array_equal(a, b) for a, b in zip(parts, split(documents), strict=True))


def test_the_words_are_those_that_are_one_token_and_say_something(
    lm: LanguageModel, taught: Lessons
) -> None:
    assert {"ocean", "bank", "cat", "lamp"} <= set(taught.spelled)
    assert not {"the", "on", "and"} & set(taught.spelled)  # stop words
    assert all(
        lm.ids(f" {word}") == [int(it)]
        for word, it in zip(taught.spelled, taught.tokens, strict=True)
    )
    first = {taught.spelled[row] for row in taught.words[0]}
    assert first <= {"cat", "sat", "mat"}
    assert taught.weights[taught.spelled.index("lamp")] > taught.weights.min()


def test_a_batch_has_shares_that_sum_to_one_and_points_of_length_one(taught: Lessons) -> None:
    points, shares = taught.batch(50, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_points_go_astray_no_further_than_said() -> None:
    points = unit_rows(np.random.default_rng(1).standard_normal((500, 40)).astype(np.float32))
    moved = astray(points, np.random.default_rng(2))
    cosines = (points * moved).sum(axis=1)
    assert cosines.min() > np.cos(np.arcsin(0.5)) - 1e-5
    assert cosines.min() < 0.95


# ------------------------------------------------------------------------------ the bridge


def test_the_words_of_a_point_are_by_a_softmax_that_scipy_agrees_with(made: Bridge) -> None:
    from scipy.special import log_softmax

    point = _points(["the ocean"])[0]
    scores = made.scores(2.5 * point)  # the length says nothing
    oracle = log_softmax(made.directions @ point + made.offsets)
    np.testing.assert_allclose(scores, oracle, atol=1e-4)
    leaning = made.leaning(point, 200)
    assert leaning[made.words(point, 1)[0]] == leaning.max() > 0
    assert (leaning >= 0).all()


def test_the_prompt_is_opening_words_and_a_closing_that_turns(
    made: Bridge, lm: LanguageModel
) -> None:
    point = _points(["the ocean"])[0]
    prompt = made.prompt(lm, point).numpy()
    a, b = len(made.opening), len(made.closing)
    assert prompt.shape == (a + min(WORDS, len(made.tokens)) + b, DIM)
    table = lm.model.get_input_embeddings().weight.detach().numpy()
    np.testing.assert_allclose(prompt[a:-b], table[made.words(point)])
    oracle = made.closing + np.tensordot(made.turn, point, axes=1)
    np.testing.assert_allclose(prompt[-b:], oracle, atol=1e-5)


def test_training_makes_the_true_sentences_likelier_and_leaves_the_model_alone(
    lm: LanguageModel, taught: Lessons, made: Bridge
) -> None:
    import torch

    table = lm.model.get_input_embeddings().weight.detach().clone()
    ids = [lm.ids(f" {text}\n")[:8] for text in SENTENCES]
    points = _points(SENTENCES)

    def loss(turn: Any, opening: Any, closing: Any) -> float:
        parts = {"turn": turn, "opening": opening, "closing": closing}
        tensors = {name: torch.from_numpy(np.array(it)) for name, it in parts.items()}
        with torch.no_grad():
            return float(sentence_loss(lm, made, tensors, ids, points))

    before = loss(
        np.zeros_like(made.turn),
        table[lm.ids("Words:")].numpy(),
        table[lm.ids("\nSentence:")].numpy(),
    )
    assert loss(made.turn, made.opening, made.closing) < before - 0.02
    again = _train(lm, taught)
    np.testing.assert_array_equal(again.turn, made.turn)  # the same every time
    assert torch.equal(table, lm.model.get_input_embeddings().weight)


def test_the_loss_is_that_of_reading_sentence_by_sentence(lm: LanguageModel, made: Bridge) -> None:
    import torch

    ids = [lm.ids(f" {text}\n")[:8] for text in SENTENCES[:3]]
    points = _points(SENTENCES[:3])
    parts = {
        n: torch.from_numpy(np.array(getattr(made, n))) for n in ("opening", "closing", "turn")
    }
    with torch.no_grad():
        found = float(sentence_loss(lm, made, parts, ids, points))
    table = lm.model.get_input_embeddings().weight.detach()
    nats = []
    for own, point in zip(ids, points, strict=True):
        prompt = made.prompt(lm, point)
        read = lm.run(embeddings=torch.cat([prompt, table[own]])[None])
        said = lm.logits(read.final[0, len(prompt) - 1 : -1]).log_softmax(-1)
        nats += [-float(said[at, token]) for at, token in enumerate(own)]
    assert found == pytest.approx(np.mean(nats), abs=1e-4)


def test_a_training_that_was_stopped_goes_on_to_the_same_bridge(
    lm: LanguageModel, taught: Lessons, made: Bridge, tmp_path: Path
) -> None:
    calls = 0

    def stop(done: int, total: int, message: str) -> bool:
        nonlocal calls
        calls += "prompt" in message
        return calls < 5

    with pytest.raises(Cancelled):
        _train(lm, taught, tmp_path, progress=stop)
    resumed = _train(lm, taught, tmp_path)
    np.testing.assert_allclose(resumed.turn, made.turn, atol=1e-6)
    np.testing.assert_allclose(resumed.opening, made.opening, atol=1e-6)


def test_it_is_kept_in_bytes_and_comes_back_nearly_the_same(made: Bridge) -> None:
    kept = made.arrays()
    assert kept["directions"].dtype == np.int8
    back = Bridge.from_arrays(kept)
    np.testing.assert_array_equal(back.tokens, made.tokens)
    assert np.abs(back.directions - made.directions).max() < np.abs(made.directions).max() / 100
    del kept["turn"]
    with pytest.raises(StoreError, match=r"'turn'.*train it again"):
        Bridge.from_arrays(kept)


@pytest.mark.parametrize("point", [np.zeros(POINT), np.full(POINT, np.nan), np.ones(POINT + 1)])
def test_what_is_no_point(made: Bridge, point: Any) -> None:
    with pytest.raises(InvalidVectors, match=f"expected {POINT} finite numbers"):
        made.words(point.astype(np.float32))


# ------------------------------------------------------------------------------ writing


def _nearness(point: Any) -> Any:
    return lambda texts: np.asarray(_points(list(texts)) @ point, np.float32)


def test_what_is_sought_is_nearer_than_what_is_drawn(made: Bridge, lm: LanguageModel) -> None:
    """A random model writes noise: reading again while writing must find the point all the same."""
    gains = []
    for text in SENTENCES[:4]:
        point = _points([text])[0]
        prompt = made.prompt(lm, point)
        free = drawn(lm, prompt, _nearness(point), count=3, steps=8)
        leaning = made.leaning(point, lm.vocabulary)
        found = guided_search(
            lm,
            prompt,
            _nearness(point),
            leaning,
            GuidedSearch(beams=3, wide=5, steps=8, fluency=0.02),
        )
        assert found[0].cosine == pytest.approx(
            float(_nearness(point)([found[0].text])[0]), abs=1e-5
        )
        gains.append(found[0].cosine - max(it.cosine for it in free))
    assert np.mean(gains) > 0.1


def test_the_mean_log_probability_is_the_models_own(made: Bridge, lm: LanguageModel) -> None:
    import torch

    point = _points(["the ocean"])[0]
    prompt = made.prompt(lm, point)
    leaning = np.zeros(lm.vocabulary, np.float32)
    found = guided_search(
        lm, prompt, _nearness(point), leaning, GuidedSearch(steps=4, beams=2, wide=3)
    )
    table = lm.model.get_input_embeddings().weight.detach()
    seen = 0
    for one in found:
        ids = lm.tokenizer(one.text)["input_ids"]
        spaced = lm.tokenizer(f" {one.text}")["input_ids"]
        for own in (ids, spaced):
            read = lm.run(embeddings=torch.cat([prompt, table[own]])[None])
            said = lm.logits(read.final[0, len(prompt) - 1 : -1]).log_softmax(-1)
            mean = float(said[range(len(own)), own].mean())
            seen += abs(mean - one.log_probability) < 1e-3
    assert seen  # texts are cut into tokens in one way only where the model wrote them so


def test_drawing_is_the_same_every_time_and_the_first_is_greedy(
    made: Bridge, lm: LanguageModel
) -> None:
    point = _points(["the cat"])[0]
    prompt = made.prompt(lm, point)
    once = drawn(lm, prompt, _nearness(point), count=4, steps=6)
    again = drawn(lm, prompt, _nearness(point), count=4, steps=6)
    alone = drawn(lm, prompt, _nearness(point), count=1, steps=6)
    assert once == again
    assert alone == once[:1]


def test_a_search_can_be_stopped(made: Bridge, lm: LanguageModel) -> None:
    point = _points(["the cat"])[0]
    leaning = made.leaning(point, lm.vocabulary)
    with pytest.raises(Cancelled):
        guided_search(
            lm,
            made.prompt(lm, point),
            _nearness(point),
            leaning,
            progress=lambda done, *_: done < 2,
        )


def test_the_search_agrees_with_trying_everything(made: Bridge, lm: LanguageModel) -> None:
    """As wide as the vocabulary and one token deep, the beam is an exhaustive search."""
    point = _points(["ocean"])[0]
    prompt = made.prompt(lm, point)
    leaning = np.zeros(lm.vocabulary, np.float32)
    asked = GuidedSearch(beams=1, wide=lm.vocabulary, steps=1, fluency=0.05)
    found = guided_search(lm, prompt, _nearness(point), leaning, asked)
    likely = lm.logits(lm.run(embeddings=prompt[None]).final[0, -1]).log_softmax(-1)
    scores: dict[str, float] = {}
    for token in range(lm.vocabulary):
        text = lm.text([token]).strip()
        if text and token not in lm.ends:
            score = float(_nearness(point)([text])[0]) + 0.05 * float(likely[token])
            scores[text] = max(score, scores.get(text, -9.0))
    assert found[0].text == max(scores, key=lambda it: scores[it])
