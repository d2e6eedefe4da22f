"""CKA, RSA and Procrustes against their textbook forms and scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group, spearmanr

from core.errors import InvalidVectors
from core.metrics import similarity as module
from core.metrics.fidelity import fidelity
from core.metrics.similarity import linear_cka, padded, procrustes, rsa, similarity

seeds = st.integers(0, 2**16)


def pair(n: int, d: int, p: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(n, 3))
    a = shared @ generator.normal(size=(3, d)) + 0.3 * generator.normal(size=(n, d)) + 2
    b = shared @ generator.normal(size=(3, p)) + 0.3 * generator.normal(size=(n, p)) - 1
    return a.astype(np.float32), b.astype(np.float32)


def turned(vectors: np.ndarray, seed: int, scale: float = 1.0) -> np.ndarray:
    """The same space turned, scaled and moved."""
    rotation = ortho_group.rvs(vectors.shape[1], random_state=seed)
    return (scale * vectors.astype(np.float64) @ rotation + 0.5).astype(np.float32)


def gram(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return vectors @ vectors.T


def unbiased_hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """Song and others 2012, equation 5, term by term."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(n)
    terms = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (terms - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


@pytest.mark.parametrize(("n", "d", "p"), [(30, 5, 8), (60, 7, 7), (12, 20, 3)])
def test_cka_is_the_one_of_gram_matrices(n: int, d: int, p: int) -> None:
    a, b = pair(n, d, p, seed=n)
    centring = np.eye(n) - 1 / n
    k, l = centring @ gram(a) @ centring, centring @ gram(b) @ centring  # noqa: E741
    expected = (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())
    assert linear_cka(a, b) == pytest.approx(expected, abs=1e-6)
    debiased = unbiased_hsic(gram(a), gram(b)) / np.sqrt(
        unbiased_hsic(gram(a), gram(a)) * unbiased_hsic(gram(b), gram(b))
    )
    assert linear_cka(a, b, debiased=True) == pytest.approx(debiased, abs=1e-6)


def test_rsa_is_spearman_of_all_distances_and_a_sample_is_near_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = pair(120, 5, 9, seed=1)
    expected = spearmanr(pdist(a), pdist(b)).statistic
    assert rsa(a, b) == pytest.approx(expected, abs=1e-6)
    monkeypatch.setattr(module, "PAIRS", 3000)
    assert rsa(a, b) == pytest.approx(expected, abs=0.03)


def test_procrustes_is_scipys() -> None:
    a, b = pair(50, 6, 6, seed=2)
    found = procrustes(a, b)
    _, _, disparity = scipy_procrustes(a.astype(np.float64), b.astype(np.float64))
    assert found.residual == pytest.approx(disparity, abs=1e-6)
    x, y = (v.astype(np.float64) - v.mean(axis=0, dtype=np.float64) for v in (a, b))
    rotation, total = orthogonal_procrustes(y, x)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-5)
    assert found.scale == pytest.approx(total / (y**2).sum(), rel=1e-5)
    left = ((found.apply(b) - a) ** 2).sum() / (x**2).sum()
    assert left == pytest.approx(found.residual, abs=1e-5)


@given(seed=seeds, scale=st.floats(0.2, 5))
@settings(max_examples=25)
def test_a_turned_space_is_the_same_space(seed: int, scale: float) -> None:
    a, _ = pair(40, 5, 5, seed)
    b = turned(a, seed, scale)
    assert linear_cka(a, b) == pytest.approx(1, abs=1e-4)
    assert linear_cka(a, b, debiased=True) == pytest.approx(1, abs=1e-4)
    assert rsa(a, b) == pytest.approx(1, abs=1e-3)
    assert procrustes(a, b).residual == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(procrustes(a, b).apply(b), a, atol=1e-3)


@given(seed=seeds)
@settings(max_examples=25)
def test_turning_one_of_two_spaces_changes_nothing(seed: int) -> None:
    a, b = pair(40, 5, 7, seed)
    c = turned(b, seed)
    assert linear_cka(a, c) == pytest.approx(linear_cka(a, b), abs=1e-4)
    assert rsa(a, c) == pytest.approx(rsa(a, b), abs=1e-3)
    assert procrustes(a, c).residual == pytest.approx(procrustes(a, b).residual, abs=1e-4)


@given(seed=seeds)
@settings(max_examples=25)
def test_both_ways_round_and_in_any_order_it_is_the_same(seed: int) -> None:
    a, b = pair(40, 5, 7, seed)
    order = np.random.default_rng(seed).permutation(40)
    for measure in (linear_cka, rsa, lambda x, y: procrustes(x, y).residual):
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-5)
        assert measure(a[order], b[order]) == pytest.approx(measure(a, b), abs=1e-5)


@given(seed=seeds, d=st.integers(1, 6), p=st.integers(1, 6))
@settings(max_examples=25)
def test_dimensions_may_differ_and_the_turn_is_orthogonal(seed: int, d: int, p: int) -> None:
    a, b = pair(20, d, p, seed)
    found = procrustes(a, b)
    width = max(d, p)
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(width), atol=1e-5)
    assert found.apply(b).shape == (20, width)
    assert 0 <= found.residual <= 1
    left = ((found.apply(b) - padded(a, width)) ** 2).sum()
    there = ((a - a.mean(axis=0)) ** 2).sum()
    assert left / there == pytest.approx(found.residual, abs=1e-3)


@given(seed=seeds, noise=st.floats(0, 3))
@settings(max_examples=20)
def test_the_residual_is_never_above_the_relative_error(seed: int, noise: float) -> None:
    a, _ = pair(30, 4, 4, seed)
    b = (a + noise * np.random.default_rng(seed).normal(size=a.shape)).astype(np.float32)
    assert procrustes(a, b).residual <= fidelity(a, b).relative_error + 1e-5


def test_unrelated_spaces_score_like_the_null_and_related_ones_far_above() -> None:
    generator = np.random.default_rng(3)
    a, b = (generator.normal(size=(300, 10)).astype(np.float32) for _ in range(2))
    unrelated = similarity(a, b)
    assert unrelated.cka == pytest.approx(unrelated.null["cka"], abs=0.05)
    assert unrelated.cka > 0.01  # the plain form's bias: 10 of 300 dimensions
    assert abs(unrelated.cka_debiased) < 0.02
    assert abs(unrelated.rsa) < 0.03
    assert unrelated.procrustes > 0.8
    related = similarity(a, (a + 0.1 * b).astype(np.float32))
    assert related.cka > 0.98
    assert related.rsa > 0.95
    assert related.procrustes < 0.02
    assert set(related.report()["null"]) == {"cka", "cka_debiased", "rsa", "procrustes"}


@pytest.mark.parametrize("n", [1, 2, 6])
def test_spaces_that_are_one_point_or_one_item(n: int) -> None:
    flat = np.full((n, 3), 0.1, np.float32)
    other = np.random.default_rng(4).normal(size=(n, 3)).astype(np.float32)
    assert linear_cka(flat, other) == 0
    assert linear_cka(flat, other, debiased=True) == 0
    assert rsa(flat, other) == 0
    assert procrustes(flat, flat).residual == 0
    if n > 1:
        assert procrustes(other, flat).residual == 1
    np.testing.assert_allclose(procrustes(flat, other).apply(other), flat, atol=1e-6)


def test_from_three_items_on_two_spaces_can_differ() -> None:
    generator = np.random.default_rng(0)
    for n in (1, 2, 3, 4):
        a, b = generator.normal(size=(2, n, 5)).astype(np.float32)
        found = similarity(a, b)
        shown = [found.cka, found.rsa, found.procrustes]
        assert np.isnan(shown).all() == (n < 3)
        assert np.isnan(found.cka_debiased) == (n < 4)
        assert n < 3 or (found.cka < 0.99 and found.rsa < 0.99 and found.procrustes > 0.01)
    two, other = generator.normal(size=(2, 2, 5)).astype(np.float32)  # why: any two are alike
    assert linear_cka(two, other) == pytest.approx(1)
    assert procrustes(two, other).residual == pytest.approx(0, abs=1e-6)


def test_other_items_are_refused() -> None:
    with pytest.raises(InvalidVectors, match="take the shared ones first"):
        module._require_same_items(np.ones((3, 2), np.float32), np.ones((4, 2), np.float32))
