"""The benchmarks are gensim's, for teacher and student alike."""

import json

import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from core.errors import Cancelled
from core.metrics import benchmarks as module
from core.metrics.benchmarks import word_benchmarks
from core.spaces.space import Provenance, Space


def words_of_the_benchmarks() -> list[str]:
    judged = [*module._judgements(module._gensim_data("wordsim353.tsv"))]
    asked = module._questions(module._gensim_data("questions-words.txt"))[:400:8]
    words = {word for a, b, _ in judged[:200] for word in (a, b)}
    words |= {word for _, four in asked for word in four}
    return sorted(word.lower() for word in words)


@pytest.fixture(scope="module")
def space() -> Space:
    words = words_of_the_benchmarks()
    vectors = np.random.default_rng(0).normal(size=(len(words), 12))
    return Space.create(words, vectors, Provenance("toy", "random"))


def by_gensim(space: Space, vectors: np.ndarray) -> KeyedVectors:
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(list(space.texts), vectors)
    return keyed


def test_the_figures_are_gensims_own(space: Space) -> None:
    student = (
        space.vectors + 0.5 * np.random.default_rng(1).normal(size=space.vectors.shape)
    ).astype(np.float32)
    found = {it.name: it for it in word_benchmarks(space, student)}
    for name, file in module.PAIRS.items():
        for said, vectors in (("teacher", space.vectors), ("student", student)):
            _, spearman, unknown = by_gensim(space, vectors).evaluate_word_pairs(datapath(file))
            assert getattr(found[name], said) == pytest.approx(spearman.statistic, abs=1e-6)
            assert found[name].covered / found[name].total == pytest.approx(1 - unknown / 100)
        assert found[name].student_95.value == pytest.approx(found[name].student, abs=1e-6)
        assert found[name].student_95.low <= found[name].student <= found[name].student_95.high
    analogies = found["questions-words"]
    for said, vectors in (("teacher", space.vectors), ("student", student)):
        score, sections = by_gensim(space, vectors).evaluate_word_analogies(
            datapath("questions-words.txt")
        )
        assert getattr(analogies, said) == pytest.approx(score)
        assert analogies.covered == sum(len(sections[-1][key]) for key in ("correct", "incorrect"))
    assert analogies.total == 19_544
    json.dumps([it.report() for it in found.values()])


def test_a_student_that_is_the_teacher_loses_nothing(space: Space) -> None:
    for it in word_benchmarks(space, space.vectors):
        assert it.teacher == it.student
        assert it.difference_95.report() == [0, 0]


def test_an_analogy_that_holds_is_found() -> None:
    generator = np.random.default_rng(2)
    sections = module._questions(module._gensim_data("questions-words.txt"))
    capitals = [words for name, words in sections if name == "capital-common-countries"]
    vectors: dict[str, np.ndarray] = {}
    country = generator.normal(size=16) * 3
    for capital, land, *_ in capitals:
        vectors[capital] = vectors.get(capital, generator.normal(size=16))
        vectors[land] = vectors[capital] + country
    space = Space.create(list(vectors), list(vectors.values()), Provenance("toy", "parallel"))
    noise = generator.normal(size=space.vectors.shape).astype(np.float32)
    found = {it.name: it for it in word_benchmarks(space, noise)}["questions-words"]
    assert found.teacher > 0.85
    assert found.student < 0.2
    assert found.difference_95.high < -0.5


def test_many_questions_are_sampled_and_it_is_said(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUESTIONS", 20)
    monkeypatch.setattr(module, "RESTRICT", len(space) - 5)
    found = {it.name: it for it in word_benchmarks(space, space.vectors)}["questions-words"]
    assert found.asked == 20
    assert found.asked < found.covered
    assert f"first {len(space) - 5:,} items" in found.note
    assert "20 of" in found.note


def test_a_space_without_the_words_has_no_benchmark(tiny_space: Space) -> None:
    assert word_benchmarks(tiny_space, tiny_space.vectors) == []


def test_the_first_of_equal_texts_counts(space: Space) -> None:
    twice = Space.create(
        [*space.texts, *(text.upper() for text in space.texts)],
        np.concatenate([space.vectors, -space.vectors[::-1]]),
        Provenance("toy", "twice"),
        ids=[str(row) for row in range(2 * len(space))],
    )
    plain, doubled = (word_benchmarks(it, it.vectors)[0] for it in (space, twice))
    assert doubled.teacher == pytest.approx(plain.teacher)


def test_it_can_be_stopped(space: Space) -> None:
    with pytest.raises(Cancelled):
        word_benchmarks(space, space.vectors, progress=lambda done, total, message: done < 1)
