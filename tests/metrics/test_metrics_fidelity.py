"""Fidelity against a slow reading of its definitions, and what has to hold for every student."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.errors import Cancelled, InvalidVectors
from core.metrics import fidelity as module
from core.metrics.fidelity import fidelity, held_out_fidelity, overlap, sample_rows
from core.metrics.intervals import bootstrap, interval, seeds_interval
from core.spaces.neighbors import knn_graph

seeds = st.integers(0, 2**16)


def pair(n: int, d: int, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    teacher = generator.normal(size=(n, d)) + 1
    student = teacher + noise * generator.normal(size=(n, d))
    return teacher.astype(np.float32), student.astype(np.float32)


def slow_neighbours(table: np.ndarray, query: np.ndarray, own: int, k: int) -> list[int]:
    table = table.astype(np.float64)
    cosines = table @ query / np.linalg.norm(table, axis=1) / np.linalg.norm(query)
    cosines[own] = -np.inf
    return np.argsort(-cosines, kind="stable")[:k].tolist()


def test_recall_is_the_share_of_true_neighbours_in_the_students_own_table() -> None:
    teacher, student = pair(150, 6, seed=1)
    found = fidelity(teacher, student)
    assert found.table == module.OWN_TABLE
    for k in (1, 10, 100):
        shares = [
            len(
                set(slow_neighbours(teacher, teacher[i], i, k))
                & set(slow_neighbours(student, student[i], i, k))
            )
            / k
            for i in range(150)
        ]
        np.testing.assert_allclose(found.kept[k], shares, atol=1e-6)
        assert found.recall[k] == pytest.approx(np.mean(shares), abs=1e-6)


def test_held_out_recall_and_rank_look_among_the_teachers_rows() -> None:
    teacher, student = pair(150, 6, seed=2, noise=1.0)
    rows = np.array([3, 50, 149])
    found = held_out_fidelity(teacher, rows, student[rows])
    assert found.table == module.TEACHERS_TABLE
    for place, row in enumerate(rows):
        true = slow_neighbours(teacher, teacher[row], row, 10)
        got = slow_neighbours(teacher, student[row], row, 10)
        assert found.kept[10][place] == pytest.approx(len(set(true) & set(got)) / 10)
        assert found.lost(place) == [it for it in true if it not in got]
        assert found.gained(place) == [it for it in got if it not in true]
        unit = teacher / np.linalg.norm(teacher, axis=1, keepdims=True)
        scores = unit @ student[row]
        assert found.ranks[place] == 1 + (scores > scores[row]).sum()
    whole = fidelity(teacher, student, rows=rows)
    np.testing.assert_array_equal(whole.ranks, found.ranks)  # both ask the teacher's table


def test_cosines_and_relative_error_are_their_definitions() -> None:
    teacher, student = pair(80, 5, seed=3)
    found = fidelity(teacher, student)
    x, s = teacher.astype(np.float64), student.astype(np.float64)
    mean = x.mean(axis=0)
    error = ((x - s) ** 2).sum() / ((x - mean) ** 2).sum()
    assert found.relative_error == pytest.approx(error, rel=1e-5)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(
            np.mean(
                [u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in zip(a, b, strict=True)]
            )
        )

    assert found.cosine == pytest.approx(cosine(x, s), abs=1e-6)
    assert found.cosine_centred == pytest.approx(cosine(x - mean, s - mean), abs=1e-6)
    np.testing.assert_allclose(found.residual, np.linalg.norm(x - s, axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.spread, np.linalg.norm(x - mean, axis=1), rtol=1e-5)


def test_the_neighbours_are_the_graphs() -> None:
    teacher, _ = pair(200, 8, seed=4)
    unit = teacher / np.linalg.norm(teacher, axis=1, keepdims=True)
    found = fidelity(teacher, teacher)
    np.testing.assert_array_equal(found.true, knn_graph(unit, 10).indices)


@given(n=st.integers(1, 40), d=st.integers(1, 6), seed=seeds)
def test_a_student_that_is_the_teacher_is_perfect(n: int, d: int, seed: int) -> None:
    teacher, _ = pair(n, d, seed)
    found = fidelity(teacher, teacher)
    assert found.relative_error == 0
    assert found.cosine == pytest.approx(1)
    assert found.cosine_centred == pytest.approx(1)
    assert {share for k, share in found.recall.items() if k < n - 1} <= {1.0}
    assert found.rank_median == 1
    assert n == 1 or found.in_top(1) == 1


@pytest.mark.parametrize(("k", "places"), [(1, 1), (10, 10)])
def test_a_share_is_given_from_where_it_can_be_bad(k: int, places: int) -> None:
    """By a student of noise: every bound is the number of items from which on it falls below 1."""
    for n in range(2, 40):
        teacher, _ = pair(n, 8, n)
        found = fidelity(teacher, pair(n, 8, n + 100)[0])
        assert np.isnan(found.recall[k]) == (n < k + 2)
        assert np.isnan(found.in_top(places)) == (n <= places)
        assert n < k + 8 or found.recall[k] < 1
        assert n < places + 8 or found.in_top(places) < 1
        told = found.report()["intervals"]
        assert np.isnan(told[f"recall_{k}"]).all() == (n < k + 2)
        assert np.isnan(told["true_word_in_top_10"]).all() == (n <= 10)


@given(seed=seeds, n=st.integers(3, 40))
def test_the_mean_alone_leaves_exactly_everything_unexplained(seed: int, n: int) -> None:
    teacher, _ = pair(n, 4, seed)
    mean = teacher.mean(axis=0, dtype=np.float64).astype(np.float32)
    found = fidelity(teacher, np.broadcast_to(mean, teacher.shape).copy())
    assert found.relative_error == 1
    rows = np.array([0, n - 1])
    assert held_out_fidelity(teacher, rows, np.stack([mean, mean])).relative_error == 1


@given(seed=seeds, noise=st.floats(0, 5))
def test_figures_keep_to_their_ranges_and_the_rank_to_the_items(seed: int, noise: float) -> None:
    teacher, student = pair(30, 4, seed, noise)
    found = fidelity(teacher, student)
    assert 0 <= found.recall[1] <= 1
    assert 0 <= found.recall[10] <= 1
    assert -1 <= found.cosine <= 1
    assert found.relative_error >= 0
    assert found.ranks.min() >= 1
    assert found.ranks.max() <= 30
    assert np.isnan(found.recall[100])  # all the others are among the 100 nearest, for certain
    assert found.in_top(1) <= found.in_top(10)


@given(seed=seeds)
@settings(max_examples=20)
def test_the_order_of_the_items_does_not_matter(seed: int) -> None:
    teacher, student = pair(60, 5, seed)
    order = np.random.default_rng(seed).permutation(60)
    plain, mixed = fidelity(teacher, student), fidelity(teacher[order], student[order])
    np.testing.assert_allclose(mixed.residual, plain.residual[order], rtol=1e-6)
    np.testing.assert_allclose(mixed.kept[10], plain.kept[10][order], atol=1e-6)
    np.testing.assert_array_equal(mixed.ranks, plain.ranks[order])
    assert mixed.relative_error == pytest.approx(plain.relative_error, rel=1e-5)


@given(seed=seeds, scale=st.floats(0.1, 10))
@settings(max_examples=20)
def test_neighbours_do_not_see_a_scale_and_the_error_does(seed: int, scale: float) -> None:
    teacher, student = pair(50, 5, seed)
    plain, scaled = (
        fidelity(teacher, student),
        fidelity(teacher, (student * scale).astype(np.float32)),
    )
    np.testing.assert_allclose(scaled.cosines, plain.cosines, atol=1e-5)
    assert scaled.recall[10] == pytest.approx(plain.recall[10], abs=0.02)


def test_duplicates_share_the_best_rank() -> None:
    teacher = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert fidelity(teacher, teacher).ranks.tolist() == [1, 1, 1]


@pytest.mark.parametrize("rows", [1, 5])
def test_a_space_that_is_one_point(rows: int) -> None:
    teacher = np.tile(np.array([[0.1, 0.7, 0.3]], np.float32), (rows, 1))
    same = fidelity(teacher, teacher)
    assert same.relative_error == 0
    assert same.cosine_centred == 1
    assert fidelity(teacher, np.zeros_like(teacher)).relative_error == pytest.approx(1)
    assert math.isfinite(same.recall[1]) == (rows > 2)


def test_many_items_are_sampled_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student = pair(300, 4, seed=5)
    whole = fidelity(teacher, student)
    assert not whole.sampled
    rows = sample_rows(300, seed=0, most=100)
    part = fidelity(teacher, student, rows=rows)
    assert part.sampled
    assert part.report()["queries"] == 100
    np.testing.assert_allclose(part.kept[10], whole.kept[10][rows])
    assert part.relative_error == whole.relative_error  # over all items always
    monkeypatch.setattr(module, "ASKED_AT_ONCE", 7)
    np.testing.assert_array_equal(fidelity(teacher, student, rows=rows).ranks, part.ranks)


def test_the_report_is_json_with_the_agreed_names() -> None:
    import json

    teacher, student = pair(60, 4, seed=6)
    report = json.loads(json.dumps(fidelity(teacher, student).report()))
    agreed = {"relative_error", "cosine", "cosine_centred", "recall", "rank_median"}
    assert agreed <= set(report)
    assert set(report["recall"]) == {"1", "10", "100"}
    low, high = report["intervals"]["recall_10"]
    assert low <= report["recall"]["10"] <= high


def test_faults_say_what_to_mend() -> None:
    teacher, student = pair(20, 3, seed=7)
    broken = student.copy()
    broken[4, 1] = np.nan
    with pytest.raises(InvalidVectors, match="the student's row 4"):
        fidelity(teacher, broken)
    with pytest.raises(InvalidVectors, match="pass the items in the teacher's order"):
        module._require_same_shape(teacher, student[:5])
    with pytest.raises(Cancelled):
        fidelity(teacher, student, progress=lambda done, total, message: False)


@given(n=st.integers(1, 20), k=st.integers(0, 8), seed=seeds)
def test_overlap_counts_what_both_have(n: int, k: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    true, found = (
        np.stack([generator.choice(20, k, replace=False) for _ in range(n)]).astype(np.int32)
        for _ in range(2)
    )
    expected = [len(set(a) & set(b)) / k if k else 1 for a, b in zip(true, found, strict=True)]
    np.testing.assert_allclose(overlap(true, found), expected, atol=1e-6)


def test_the_bootstrap_agrees_with_scipys() -> None:
    values = np.random.default_rng(8).exponential(size=200)
    found = interval(values, seed=1)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", random_state=1)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_the_normal_limit_agrees_with_the_bootstrap() -> None:
    generator = np.random.default_rng(9)
    over = generator.uniform(1, 2, 20_001)
    values = over * generator.uniform(0, 1, 20_001)
    normal = interval(values, over=over)
    drawn = bootstrap(lambda it: values[it].sum(axis=1) / over[it].sum(axis=1), len(values))
    assert normal.value == pytest.approx(drawn.value)
    assert normal.low == pytest.approx(drawn.low, abs=5e-4)
    assert normal.high == pytest.approx(drawn.high, abs=5e-4)


def test_intervals_of_seeds_are_students_t() -> None:
    values = [0.71, 0.74, 0.70, 0.73]
    found = seeds_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert math.isnan(seeds_interval(values[:2]).low)
    assert math.isnan(interval([]).value)
