"""The speller: grams, ridge, rounding, and what it does with any text at all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_words import small_words

from core.errors import Cancelled, InvalidSpecification, TrainingFailed
from core.spaces.lemmas import split
from core.spaces.space import Provenance, Space
from core.students import registry, storage
from core.students.checkpoint import Checkpoints
from core.students.families.speller import SpellerSpec, SpellerStudent
from core.students.registry import fit
from core.students.storage import parts, size_bytes
from core.students.subwords.conjugate_gradients import TrainingStage, ridge
from core.students.subwords.ngrams import LONGEST, Grams, gram_hashes
from core.students.subwords.subword_embedding import Spelling, features_of
from core.types import silent

TEXTS = st.lists(st.text(max_size=12), max_size=12)
SPEC = SpellerSpec(bytes_per_item=60.0, quick=True)


@pytest.fixture(scope="module")
def student(small_space: Space) -> SpellerStudent:
    made = fit(small_space, SPEC)
    assert isinstance(made, SpellerStudent)
    return made


def slow_grams(text: str) -> list[str]:
    """The grams by their definition, ends marked."""
    marked = f"\ue000{text.casefold()}\ue001"
    found = list(text.casefold())
    for n in range(2, LONGEST + 1):
        found += [marked[i : i + n] for i in range(len(marked) - n + 1)]
    return found


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_as_many_grams_as_by_the_definition(texts: list[str]) -> None:
    _, single, owners = gram_hashes(texts)
    expected = [slow_grams(text) for text in texts]
    assert np.bincount(owners, minlength=len(texts)).tolist() == [len(e) for e in expected]
    assert single.sum() == sum(len(text.casefold()) for text in texts)


def test_equal_grams_have_equal_hashes_and_others_not() -> None:
    texts = ["walked", "walking", "balk", "", "ab", "ba"]
    hashes, _, owners = gram_hashes(texts)
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            shared = set(slow_grams(one)) & set(slow_grams(other))
            found = set(hashes[owners == i].tolist()) & set(hashes[owners == j].tolist())
            assert len(found) == len(shared)


def test_a_text_has_the_same_grams_in_any_company() -> None:
    alone = gram_hashes(["walk"])[0]
    hashes, _, owners = gram_hashes(["some", "", "walk", "😀"])
    assert alone.tolist() == hashes[owners == 2].tolist()


def test_hashes_are_the_same_in_another_process() -> None:
    code = (
        "from core.students.subwords.ngrams import gram_hashes as g;"
        "print(g(['wálk','😀'])[0].tolist())"
    )
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=root, env={"PYTHONHASHSEED": "7"},
    ).stdout  # fmt: skip
    assert told.strip() == str(gram_hashes(["wálk", "😀"])[0].tolist())


def test_grams_pack_and_bags_can_be_taken() -> None:
    grams = Grams.commonest(["walk", "walked", "talk", "talked"], 30)
    assert Grams.unpacked(grams.packed()).hashes.tolist() == grams.hashes.tolist()
    bags = grams.bags(["walk", "", "talking"])
    taken = bags.take(np.array([2, 0]))
    both = grams.bags(["talking", "walk"])
    assert taken.places.tolist() == both.places.tolist()
    assert taken.starts.tolist() == both.starts.tolist()
    assert np.allclose(taken.weights, both.weights)


@pytest.mark.parametrize("n", [20, 200])
def test_the_ridge_is_the_closed_form(n: int) -> None:
    """Oracle: the normal equations, solved directly; more texts than features, and fewer."""
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcd"), 5)) for _ in range(n)]
    grams = Grams.commonest(words, 60)
    features = features_of(grams.bags(words), len(grams))
    targets = generator.normal(size=(n, 3)).astype(np.float32)
    found = ridge(features, targets, 0.7, TrainingStage("test", 0, 80, 80, silent, Checkpoints()))
    dense = features.toarray().astype(np.float64)
    expected = np.linalg.solve(dense.T @ dense + 0.7 * np.eye(len(grams)), dense.T @ targets)
    assert np.abs(found - expected).max() < 1e-4


def test_it_stays_within_its_budget_and_reads_back_bit_for_bit(
    small_space: Space, student: SpellerStudent, tmp_path: Path
) -> None:
    assert size_bytes(student) <= SPEC.bytes_per_item * len(small_space)
    assert size_bytes(student) == sum(parts(student).values())
    storage.save(student, tmp_path / "s")
    again = registry.load(tmp_path / "s")
    texts = [*small_space.texts, "unseen", "", "😀😀"]
    assert (again.generate(texts) == student.generate(texts)).all()
    assert again.vocabulary == ()


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_text_has_a_finite_vector_of_its_own(student: SpellerStudent, texts: list[str]) -> None:
    whole = student.generate(texts)
    assert whole.shape == (len(texts), student.dim)
    assert np.isfinite(whole).all()
    assert np.allclose(whole[-1], student.generate(texts[-1:])[0], atol=1e-5)


@pytest.mark.parametrize("text", ["", "😀", "a" * 10_000, "שלום", "\ud800", "##ing"])
def test_hostile_texts_have_finite_vectors(student: SpellerStudent, text: str) -> None:
    assert np.isfinite(student.generate([text])).all()


def test_held_out_words_teach_nothing(small_space: Space) -> None:
    """Other vectors for the held-out words make the same student."""
    rows = split(small_space, SPEC.held_out, SPEC.seed).kept_out
    assert len(rows)
    vectors = small_space.vectors.copy()
    vectors[rows] = 7.0
    other = Space.create(small_space.texts, vectors, small_space.provenance)
    one, two = (fit(it, SPEC).generate(["walk", *small_space.texts]) for it in (small_space, other))
    assert (one == two).all()


def test_what_was_learnt_is_recognised_through_a_typo(
    small_space: Space, student: SpellerStudent
) -> None:
    """A misspelt word lands nearer to the word's own vector than other words do."""
    pairs = {"hospital": "hopsital", "elephant": "elephnat", "dangerous": "dangerrous"}
    truth = small_space.vectors - small_space.mean
    for word, typo in pairs.items():
        guess = student.generate([typo])[0] - small_space.mean
        cosines = truth @ guess / np.linalg.norm(truth, axis=1)
        row = small_space.find(word)
        assert row is not None
        assert cosines[row] > np.percentile(cosines, 90)


def test_a_resumed_training_equals_an_uninterrupted_one(small_space: Space, tmp_path: Path) -> None:
    whole = fit(small_space, SPEC).stored()
    for stop in (1, 4, 7, 10):
        checkpoints = Checkpoints(tmp_path / str(stop))

        def stops(done: int, total: int, message: str, stop: int = stop) -> bool:
            return done < stop

        with pytest.raises(Cancelled):
            fit(small_space, SPEC, stops, checkpoints)
        resumed = fit(small_space, SPEC, silent, checkpoints).stored()
        for name, array in whole.arrays.items():
            assert (resumed.arrays[name] == array).all(), (stop, name)
        assert resumed.payload == whole.payload
        assert checkpoints.previewed() is not None
        assert checkpoints.history()


def test_numbers_too_large_are_named_as_such() -> None:
    words, vectors = small_words()
    huge = Space.create(words, vectors * np.float32(1e30), Provenance("huge", "huge"))
    with pytest.raises(TrainingFailed, match="expected a finite number"), np.errstate(all="ignore"):
        fit(huge, SPEC)


@pytest.mark.parametrize("bytes_per_item", [1.0, 5.0])
def test_too_small_a_budget_is_refused(small_space: Space, bytes_per_item: float) -> None:
    with pytest.raises(InvalidSpecification, match="expected"):
        fit(small_space, SpellerSpec(bytes_per_item=bytes_per_item))


@pytest.mark.parametrize("n", [1, 5])
def test_a_constant_space_is_refused(n: int) -> None:
    constant = Space.create([f"w{i}" for i in range(n)], np.ones((n, 3)), Provenance("c", "c"))
    with pytest.raises(InvalidSpecification, match="all the same"):
        fit(constant, SpellerSpec(bytes_per_item=5_000.0))


def test_texts_that_occur_twice_are_said(small_space: Space) -> None:
    texts = [*small_space.texts[:-1], small_space.texts[0]]
    twice = Space.create(texts, small_space.vectors, small_space.provenance, ids=small_space.ids)
    assert "more than once" in fit(twice, SPEC).notes[0]


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(InvalidSpecification, match="held-out share"):
        SpellerSpec(held_out=share)


def test_rounding_is_fine_where_there_is_room(small_space: Space) -> None:
    """With many bytes the rounded guesses are those of the ridge."""
    roomy = fit(small_space, SpellerSpec(bytes_per_item=2_000.0, quick=True))
    assert isinstance(roomy, SpellerStudent)
    kept = roomy.spelling
    again = Spelling.restore(kept.arrays(), kept.payload)
    assert (again.vectors == kept.vectors).all()
    assert (again.levels == kept.levels).all()
