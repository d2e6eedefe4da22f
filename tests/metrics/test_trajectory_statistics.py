"""Motion of paths whose laws are known: a line, a circle, Brownian motion, draws without order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from core.errors import InvalidSpecification
from core.metrics.permutation_test import holm, sign_flip
from core.metrics.trajectory_statistics import (
    covariance_root,
    direction_memory,
    displacement_exponent,
    random_walk,
    squared_displacements,
    step_distances,
    step_lengths,
    straightness,
    turning_angles,
)

SEEDS = st.integers(0, 2**16)


def drawn(m=40, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(m, d))


def circle(m=361):
    turn = np.linspace(0, 2 * np.pi, m)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def brownian(m, d, seed=0):
    return np.cumsum(drawn(m, d, seed), axis=0)


class TestALine:
    line = np.outer(np.arange(20.0), [1.0, 2.0, -1.0])

    def test_it_never_turns(self):
        assert np.allclose(turning_angles(self.line), 0, atol=1e-5)
        assert straightness(self.line) == pytest.approx(1)
        assert direction_memory(self.line, 3) == pytest.approx(1)

    def test_it_spreads_as_the_square(self):
        assert displacement_exponent(self.line) == pytest.approx(2)

    def test_steps(self):
        assert np.allclose(step_lengths(self.line), np.sqrt(6))
        assert np.allclose(step_distances(self.line[1:]), 0, atol=1e-12)


class TestACircle:
    def test_it_turns_by_the_same_everywhere(self):
        assert np.allclose(turning_angles(circle(361)), 1, atol=1e-6)
        assert np.allclose(turning_angles(circle(5)), 90)

    def test_it_comes_back(self):
        assert straightness(circle()) == pytest.approx(0, abs=1e-12)
        assert straightness(circle()[:181]) == pytest.approx(2 / np.pi, abs=1e-4)

    def test_displacements_are_its_chords(self):
        chords = 4 * np.sin(np.radians(np.arange(1, 91)) / 2) ** 2
        assert np.allclose(squared_displacements(circle()), chords)


class TestChance:
    def test_brownian_motion_spreads_as_the_lag(self):
        slopes = [displacement_exponent(brownian(400, 50, seed)) for seed in range(20)]
        assert np.mean(slopes) == pytest.approx(1, abs=0.03)

    def test_brownian_motion_remembers_nothing_and_turns_by_90(self):
        own = brownian(300, 100)
        assert np.mean(turning_angles(own)) == pytest.approx(90, abs=1)
        for lag in (1, 2, 5):
            assert direction_memory(own, lag) == pytest.approx(0, abs=0.02)

    def test_draws_without_order_turn_by_120_and_stay(self):
        own = drawn(300, 200)
        assert np.mean(turning_angles(own)) == pytest.approx(120, abs=1)
        assert displacement_exponent(own) == pytest.approx(0, abs=0.02)
        assert direction_memory(own, 1) == pytest.approx(-0.5, abs=0.02)
        assert direction_memory(own, 2) == pytest.approx(0, abs=0.02)

    def test_a_walk_has_the_given_steps_and_start(self):
        lengths = np.abs(drawn(30, 1)[:, 0]) + 0.1
        walk = random_walk(np.ones(20), lengths, np.random.default_rng(0))
        assert np.allclose(walk[0], 1)
        assert np.allclose(step_lengths(walk), lengths)

    def test_a_shaped_walk_has_the_covariance_of_its_corpus(self):
        corpus = drawn(4_000, 3) * [5.0, 1.0, 0.0] @ np.linalg.qr(drawn(3, 3))[0]
        root = covariance_root(corpus)
        assert np.allclose(root @ root.T, np.cov(corpus.T, bias=True), atol=1e-9)
        walk = random_walk(np.zeros(3), np.ones(5_000), np.random.default_rng(0), root)
        moved = np.diff(walk, axis=0)
        main, flat = np.linalg.eigh(np.cov(corpus.T))[1].T[[2, 0]]
        assert np.mean((moved @ main) ** 2) > 0.7
        assert np.allclose(moved @ flat, 0, atol=1e-9)


class TestInvariants:
    @given(SEEDS, st.floats(0.01, 100))
    def test_turn_and_size_do_not_matter(self, seed, size):
        own = drawn(12, 4, seed)
        turn = np.linalg.qr(drawn(4, 4, seed + 1))[0]
        other = size * own @ turn + 7.0
        assert np.allclose(turning_angles(own), turning_angles(other), atol=1e-4)
        assert straightness(own) == pytest.approx(straightness(other))
        assert direction_memory(own, 2) == pytest.approx(direction_memory(other, 2), abs=1e-6)
        assert displacement_exponent(own) == pytest.approx(displacement_exponent(other), abs=1e-6)

    @given(SEEDS)
    def test_backwards_it_is_as_long_and_as_straight(self, seed):
        own = drawn(12, 4, seed)
        assert straightness(own) == pytest.approx(straightness(own[::-1]))
        assert np.allclose(np.sort(turning_angles(own)), np.sort(turning_angles(own[::-1])))

    @given(SEEDS)
    def test_bounds(self, seed):
        own = drawn(9, 2, seed)
        assert 0 <= straightness(own) <= 1
        assert ((turning_angles(own) >= 0) & (turning_angles(own) <= 180)).all()
        assert ((step_distances(own) >= -1e-9) & (step_distances(own) <= 2 + 1e-9)).all()


class TestEdges:
    def test_a_path_that_stands_still(self):
        still = np.ones((9, 3))
        assert straightness(still) == 0
        assert np.isnan(displacement_exponent(still))

    @pytest.mark.parametrize("path", [np.ones(3), np.ones((2, 2))])
    def test_too_short(self, path):
        with pytest.raises(InvalidSpecification, match="expected 3 states or more"):
            turning_angles(path)


class TestPaired:
    def test_a_planted_difference_is_found(self):
        own = drawn(48, 1)[:, 0]
        assert sign_flip(own + 1) < 0.001
        assert sign_flip(own - own.mean()) > 0.9

    @pytest.mark.parametrize("seed", range(5))
    def test_it_agrees_with_student_for_normal_values(self, seed):
        a, b = drawn(60, 2, seed).T
        assert sign_flip(a - b) == pytest.approx(ttest_rel(a, b).pvalue, abs=0.02)

    def test_where_nothing_differs_it_errs_as_often_as_it_says(self):
        p = np.array([sign_flip(drawn(20, 1, seed)[:, 0], seed) for seed in range(300)])
        assert np.mean(p < 0.1) == pytest.approx(0.1, abs=0.05)

    def test_nothing_to_compare(self):
        assert np.isnan(sign_flip([]))
        assert np.isnan(sign_flip([1.0, np.nan]))
        assert sign_flip(np.zeros(10)) == 1

    def test_holm_is_its_definition(self):
        p = [0.001, 0.2, 0.013, 0.04]
        assert np.allclose(holm(p), [0.004, 0.2, 0.039, 0.08])

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
    def test_holm_only_raises_and_keeps_the_order(self, p):
        found = holm(p)
        assert all(a <= b + 1e-12 for a, b in zip(p, found, strict=True))
        assert max(found) <= 1
        assert (np.diff(np.array(found)[np.argsort(p, kind="stable")]) >= -1e-12).all()
