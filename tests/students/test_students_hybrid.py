"""The hybrid: known texts as coded, others from spelling, and new ones added without training."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidSpecification
from core.spaces.lemmas import split
from core.spaces.space import Provenance, Space
from core.students import registry, storage
from core.students.families.hybrid import HybridSpec, HybridStudent
from core.students.registry import fit
from core.students.storage import size_bytes

SPEC = HybridSpec(bytes_per_item=80.0, spelling=0.3, quick=True)


@pytest.fixture(scope="module")
def student(small_space: Space) -> HybridStudent:
    made = fit(small_space, SPEC)
    assert isinstance(made, HybridStudent)
    return made


def relative_error(small_space: Space, student: HybridStudent) -> float:
    wrong = small_space.vectors - student.generate(small_space.texts)
    return float(np.square(wrong).sum() / np.square(small_space.vectors - small_space.mean).sum())


def news(n: int, dim: int) -> tuple[list[str], np.ndarray]:
    vectors = np.random.default_rng(1).normal(size=(n, dim)).astype(np.float32)
    return [f"newword{index}" for index in range(n)], vectors


def test_known_texts_come_back_far_better_than_guesses(
    small_space: Space, student: HybridStudent
) -> None:
    guessed = np.square(small_space.vectors - student.guess(small_space.texts)).sum()
    guessed /= np.square(small_space.vectors - small_space.mean).sum()
    assert relative_error(small_space, student) < 0.5 * guessed
    assert set(student.vocabulary) == set(small_space.texts)


def test_it_stays_within_its_budget_and_reads_back_bit_for_bit(
    small_space: Space, student: HybridStudent, tmp_path: Path
) -> None:
    assert size_bytes(student) <= SPEC.bytes_per_item * len(small_space)
    grown = student.add(*news(5, small_space.dim))
    for index, it in enumerate((student, grown)):
        storage.save(it, tmp_path / str(index))
        again = registry.load(tmp_path / str(index))
        texts = [*small_space.texts, "newword3", "unseen", "", "😀"]
        assert (again.generate(texts) == it.generate(texts)).all()
        assert tuple(again.vocabulary) == tuple(it.vocabulary)


def test_more_bytes_mean_less_error(small_space: Space, student: HybridStudent) -> None:
    roomier = fit(small_space, replace(SPEC, bytes_per_item=120.0))
    assert isinstance(roomier, HybridStudent)
    assert relative_error(small_space, roomier) < relative_error(small_space, student)


def test_unknown_texts_are_read(student: HybridStudent) -> None:
    texts = ["hospitals", "", "🙃", "a" * 10_000]
    assert (student.generate(texts) == student.guess(texts)).all()
    assert np.isfinite(student.guess(texts)).all()


def test_guesses_know_nothing_of_held_out_words_but_their_rows_are_coded(
    small_space: Space,
) -> None:
    rows = split(small_space, SPEC.held_out, SPEC.seed).kept_out
    vectors = small_space.vectors.copy()
    vectors[rows] += 1.0
    other = Space.create(small_space.texts, vectors, small_space.provenance)
    one, two = fit(small_space, SPEC), fit(other, SPEC)
    assert isinstance(one, HybridStudent)
    assert isinstance(two, HybridStudent)
    assert (one.guess(small_space.texts) == two.guess(small_space.texts)).all()
    texts = [small_space.texts[row] for row in rows]
    assert (one.generate(texts) != two.generate(texts)).any()


def test_adding_leaves_all_that_was_there_bit_for_bit(
    small_space: Space, student: HybridStudent
) -> None:
    before = student.generate(small_space.texts)
    texts, vectors = news(200, small_space.dim)
    student.add(texts[:5], vectors[:5])  # compiles
    began = time.perf_counter()
    grown = student.add(texts, vectors)
    assert time.perf_counter() - began < 2.0
    assert (grown.generate(small_space.texts) == before).all()
    assert len(grown.vocabulary) == len(student.vocabulary) + len(texts)
    wrong = np.square(grown.generate(texts) - vectors).sum() / np.square(vectors).sum()
    assert wrong < 0.3
    assert wrong < np.square(student.generate(texts) - vectors).sum() / np.square(vectors).sum()


def test_what_was_added_last_counts(small_space: Space, student: HybridStudent) -> None:
    vectors = np.stack([small_space.vectors[3], small_space.vectors[9]])
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


def test_texts_that_occur_twice_keep_the_first(small_space: Space) -> None:
    texts = [*small_space.texts[:-1], "dog"]
    twice = Space.create(texts, small_space.vectors, small_space.provenance, ids=small_space.ids)
    made = fit(twice, SPEC)
    assert made.notes
    first = small_space.vectors[texts.index("dog")]
    found = made.generate(["dog"])[0]
    assert np.square(found - first).sum() < np.square(found - small_space.vectors[-1]).sum()


@pytest.mark.parametrize("spelling", [0.0, 0.95])
def test_a_share_outside_its_range_is_refused(spelling: float) -> None:
    with pytest.raises(InvalidSpecification, match="for the spelling"):
        HybridSpec(spelling=spelling)


def test_too_small_a_budget_is_refused(small_space: Space) -> None:
    with pytest.raises(InvalidSpecification, match="at least"):
        fit(small_space, HybridSpec(bytes_per_item=2.0))
