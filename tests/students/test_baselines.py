"""The classical rivals: their bytes are faiss's, their vectors better for more bytes."""

import math

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Cancelled
from core.metrics.fidelity import fidelity
from core.spaces.space import Provenance, Space
from core.students import baselines as module
from core.students.baselines import rivals
from core.students.coding.lloyd_max import GAUSSIAN, allotted, lloyd_max_coder


def spread(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Rows whose axes matter less and less, turned, off the origin."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.normal(size=(d, d)))[0]
    return (generator.normal(size=(n, d)) * 0.9 ** np.arange(d) @ turn + 0.2).astype(np.float32)


def error(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.square(x - y).sum() / np.square(x - x.mean(axis=0)).sum())


def space_of(x: np.ndarray) -> Space:
    return Space.create([f"w{i}" for i in range(len(x))], x, Provenance("toy", "toy"))


@pytest.fixture(scope="module")
def found() -> list[module.Rival]:
    return list(rivals(space_of(spread(1200, 24)), 1000))


def test_every_method_gives_whole_tables_and_says_what_it_does(found: list[module.Rival]) -> None:
    assert {it.method for it in found} == {
        *("whole numbers", "fewer axes", "transform coder", "hashing trick", "k-means"),
        *("product quantisation", "rotated product quantisation", "residual quantisation"),
    }
    assert len({it.name for it in found}) == len(found)
    x = spread(1200, 24)
    for it in found:
        assert it.vectors.shape == x.shape
        assert np.isfinite(it.vectors).all()
        assert it.note.endswith(".")
        assert 1000 < it.bytes_total < x.nbytes + 1000 + 4 or it.method == "residual quantisation"
        assert error(x, it.vectors) < 1.0


def test_more_bytes_are_less_error_within_a_method(found: list[module.Rival]) -> None:
    x = spread(1200, 24)
    for method in {it.method for it in found}:
        mine = sorted((it for it in found if it.method == method), key=lambda it: it.bytes_total)
        errors = [error(x, it.vectors) for it in mine]
        assert errors == sorted(errors, reverse=True), method


def test_the_vocabulary_is_added_to_each() -> None:
    space = space_of(spread(300, 8))
    without, with_it = ([it.bytes_total for it in rivals(space, size)] for size in (0, 12_345))
    assert [size + 12_345 for size in without] == with_it


def test_bytes_of_product_quantisation_are_faisss_own_with_its_codebooks() -> None:
    x = spread(2000, 24)
    theirs = faiss.ProductQuantizer(24, 6, 8)
    size, _ = module.product_quantiser(x, 6)
    assert size == 2000 * theirs.code_size + 2 * theirs.M * theirs.ksub * theirs.dsub
    turned, _ = module.product_quantiser(x, 6, rotated=True)
    assert turned == size + 2 * 24 * 24
    residual = faiss.ResidualQuantizer(24, 3, 6)
    assert module.residual_quantiser(x, 3, 6)[0] == 2000 * residual.code_size + 2 * 3 * 64 * 24


def test_product_quantisation_is_as_good_as_faisss_alone() -> None:
    x = spread(2000, 24)
    theirs = faiss.ProductQuantizer(24, 6, 8)
    theirs.cp.min_points_per_centroid = 1
    theirs.train(x)
    expected = error(x, theirs.decode(theirs.compute_codes(x)))
    _, plain = module.product_quantiser(x, 6)
    assert error(x, plain) == pytest.approx(expected, rel=0.05)


def test_the_balanced_rotation_is_orthogonal_and_evens_the_pieces() -> None:
    x = spread(2000, 24)
    basis = module._balanced(x, 6)
    np.testing.assert_allclose(basis.T @ basis, np.eye(24), atol=1e-5)
    logs = np.log((x @ basis).var(axis=0)).reshape(6, 4).sum(axis=1)
    assert np.ptp(logs) < 0.3 * np.ptp(
        np.log((x @ module._pca(x)[1]).var(axis=0)).reshape(6, 4).sum(1)
    )


@given(bits=st.sampled_from([3, 4, 8]), seed=st.integers(0, 1000), d=st.integers(1, 9))
@settings(max_examples=20)
def test_whole_numbers_are_off_by_half_a_step_and_weigh_their_bits(
    bits: int, seed: int, d: int
) -> None:
    x = np.random.default_rng(seed).normal(size=(30, d)).astype(np.float32)
    size, y = module.whole_numbers(x, bits)
    assert size == 30 * math.ceil(d * bits / 8) + 60
    plain = np.abs(x).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    assert (np.square(x - y).sum(1) <= d * np.square(0.51 * plain[:, 0]) + 1e-9).all()


def test_the_transform_coder_spends_its_budget_and_reaches_the_gaussian_distortion() -> None:
    x = np.random.default_rng(3).normal(size=(20_000, 4)).astype(np.float32)
    for bits in (1, 2, 3, 4):
        coder = lloyd_max_coder(x, 4 * bits)
        assert coder.bits.sum() == 4 * bits
        decoded = coder.decode(coder.encode(x))
        assert np.square(x - decoded).mean() == pytest.approx(GAUSSIAN[bits], rel=0.05)


@given(seed=st.integers(0, 1000), budget=st.integers(0, 40))
@settings(max_examples=30)
def test_bits_fall_with_the_variance_and_come_to_the_budget(seed: int, budget: int) -> None:
    variances = np.sort(np.random.default_rng(seed).exponential(size=12))[::-1]
    bits = allotted(variances, budget)
    assert bits.sum() == budget
    assert (np.diff(bits) <= 0).all()


def test_identical_fidelity_for_all_items_in_one_bucket_each() -> None:
    x = spread(50, 6)
    size, y = module.hashed_rows(x, 100_000)  # so many rows that hardly two share one
    assert size == 2 * 100_000 * 6
    assert fidelity(x, np.ascontiguousarray(y)).relative_error < 0.01


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("flat", [True, False])
def test_tiny_and_constant_spaces(n: int, flat: bool) -> None:
    x = np.full((n, 7), 0.3, np.float32) if flat else spread(n, 7)
    for it in rivals(space_of(x), 10):
        assert it.vectors.shape == x.shape
        assert np.isfinite(it.vectors).all()
        if flat:
            np.testing.assert_allclose(it.vectors, x, rtol=0.2)


def test_huge_numbers_do_not_overflow_their_halves() -> None:
    x = spread(300, 8) * np.float32(1e6)
    for it in rivals(space_of(x), 0):
        assert np.isfinite(it.vectors).all()
        assert error(x, it.vectors) < 1.0


def test_it_is_the_same_each_time_and_can_be_stopped() -> None:
    space = space_of(spread(300, 8))
    once, again = (list(rivals(space, 0)) for _ in range(2))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a.vectors, b.vectors)
    with pytest.raises(Cancelled):
        list(rivals(space, 0, lambda done, total, message: done < 3))
