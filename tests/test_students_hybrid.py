"""The hybrid: known texts as coded, others from spelling, and new ones added without training."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_words import small_words

from core.errors import InvalidSpecification
from core.spaces.lemmas import split
from core.spaces.space import Provenance, Space
from core.students import folder
from core.students.hybrid import HybridSpec, HybridStudent
from core.students.registry import fit

SPEC = HybridSpec(bytes_per_item=80.0, spelling=0.3, quick=True)


@pytest.fixture(scope="module")
def space() -> Space:
    words, vectors = small_words()
    return Space.create(words, vectors, Provenance("small", "GloVe"))


@pytest.fixture(scope="module")
def student(space: Space) -> HybridStudent:
    made = fit(space, SPEC)
    assert isinstance(made, HybridStudent)
    return made


def relative_error(space: Space, student: HybridStudent) -> float:
    wrong = space.vectors - student.generate(space.texts)
    return float(np.square(wrong).sum() / np.square(space.vectors - space.mean).sum())


def news(n: int, dim: int) -> tuple[list[str], np.ndarray]:
    vectors = np.random.default_rng(1).normal(size=(n, dim)).astype(np.float32)
    return [f"newword{index}" for index in range(n)], vectors


def test_known_texts_come_back_far_better_than_guesses(
    space: Space, student: HybridStudent
) -> None:
    guessed = np.square(space.vectors - student.guess(space.texts)).sum()
    guessed /= np.square(space.vectors - space.mean).sum()
    assert relative_error(space, student) < 0.5 * guessed
    assert set(student.vocabulary) == set(space.texts)


def test_it_stays_within_its_budget_and_reads_back_bit_for_bit(
    space: Space, student: HybridStudent, tmp_path: Path
) -> None:
    assert student.size_bytes() <= SPEC.bytes_per_item * len(space)
    grown = student.add(*news(5, space.dim))
    for index, it in enumerate((student, grown)):
        folder.save(it, tmp_path / str(index))
        again = folder.load(tmp_path / str(index))
        texts = [*space.texts, "newword3", "unseen", "", "😀"]
        assert (again.generate(texts) == it.generate(texts)).all()
        assert tuple(again.vocabulary) == tuple(it.vocabulary)


def test_more_bytes_mean_less_error(space: Space, student: HybridStudent) -> None:
    roomier = fit(space, replace(SPEC, bytes_per_item=120.0))
    assert isinstance(roomier, HybridStudent)
    assert relative_error(space, roomier) < relative_error(space, student)


def test_unknown_texts_are_read(student: HybridStudent) -> None:
    texts = ["hospitals", "", "🙃", "a" * 10_000]
    assert (student.generate(texts) == student.guess(texts)).all()
    assert np.isfinite(student.guess(texts)).all()


def test_guesses_know_nothing_of_held_out_words_but_their_rows_are_coded(space: Space) -> None:
    rows = split(space, SPEC.held_out, SPEC.seed).kept_out
    vectors = space.vectors.copy()
    vectors[rows] += 1.0
    other = Space.create(space.texts, vectors, space.provenance)
    one, two = fit(space, SPEC), fit(other, SPEC)
    assert isinstance(one, HybridStudent)
    assert isinstance(two, HybridStudent)
    assert (one.guess(space.texts) == two.guess(space.texts)).all()
    texts = [space.texts[row] for row in rows]
    assert (one.generate(texts) != two.generate(texts)).any()


def test_adding_leaves_all_that_was_there_bit_for_bit(space: Space, student: HybridStudent) -> None:
    before = student.generate(space.texts)
    texts, vectors = news(200, space.dim)
    student.add(texts[:5], vectors[:5])  # compiles
    began = time.perf_counter()
    grown = student.add(texts, vectors)
    assert time.perf_counter() - began < 2.0
    assert (grown.generate(space.texts) == before).all()
    assert len(grown.vocabulary) == len(student.vocabulary) + len(texts)
    wrong = np.square(grown.generate(texts) - vectors).sum() / np.square(vectors).sum()
    assert wrong < 0.3
    assert wrong < np.square(student.generate(texts) - vectors).sum() / np.square(vectors).sum()


def test_what_was_added_last_counts(space: Space, student: HybridStudent) -> None:
    vectors = np.stack([space.vectors[3], space.vectors[9]])
    grown = student.add(["dog"], vectors[:1]).add(["dog"], vectors[1:])
    found = grown.generate(["dog"])[0]
    assert np.square(found - vectors[1]).sum() < np.square(found - vectors[0]).sum()
    assert len(grown.vocabulary) == len(student.vocabulary)


def test_what_cannot_be_added_is_refused(student: HybridStudent) -> None:
    texts, vectors = news(2, student.dim)
    with pytest.raises(InvalidSpecification, match="one vector of"):
        student.add(texts, vectors[:1])
    with pytest.raises(InvalidSpecification, match="one text or more"):
        student.add([], vectors[:0])
    vectors[1, 0] = np.nan
    with pytest.raises(InvalidSpecification, match="newword1"):
        student.add(texts, vectors)


@pytest.mark.parametrize("n", [1, 6])
def test_a_constant_space_comes_back_exactly(n: int) -> None:
    row = np.float32([0.1, -2.3, 5.0])
    constant = Space.create([f"w{i}" for i in range(n)], [row] * n, Provenance("c", "c"))
    made = fit(constant, HybridSpec(bytes_per_item=20_000.0))
    assert (made.generate([*constant.texts, "other"]) == row).all()
    assert isinstance(made, HybridStudent)
    with pytest.raises(InvalidSpecification, match="all the same"):
        made.add(["more"], np.ones((1, 3), np.float32))


def test_texts_that_occur_twice_keep_the_first(space: Space) -> None:
    texts = [*space.texts[:-1], "dog"]
    twice = Space.create(texts, space.vectors, space.provenance, ids=space.ids)
    made = fit(twice, SPEC)
    assert made.notes
    first = space.vectors[texts.index("dog")]
    found = made.generate(["dog"])[0]
    assert np.square(found - first).sum() < np.square(found - space.vectors[-1]).sum()


@pytest.mark.parametrize("spelling", [0.0, 0.95])
def test_a_share_outside_its_range_is_refused(spelling: float) -> None:
    with pytest.raises(InvalidSpecification, match="for the spelling"):
        HybridSpec(spelling=spelling)


def test_too_small_a_budget_is_refused(space: Space) -> None:
    with pytest.raises(InvalidSpecification, match="at least"):
        fit(space, HybridSpec(bytes_per_item=2.0))
