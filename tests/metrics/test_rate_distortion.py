"""The Gaussian limit against its closed form and its inverse, and its shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidSpecification
from core.metrics.rate_distortion import (
    gaussian_limit,
    limit_of,
    principal_variances,
    water_level,
)

variances = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12).map(np.array)
errors = st.floats(0.001, 0.999)


@given(errors, st.integers(1, 20), st.floats(0.01, 100))
def test_equal_variances_have_a_closed_form(error, d, variance):
    expected = d * 0.5 * np.log2(1 / error)
    assert gaussian_limit(np.full(d, variance), error) == pytest.approx(expected, abs=1e-9)


def test_two_components_by_hand():
    # Variances 16 and 1, error 2 of 17: both at level 1; the second is not told at all.
    assert water_level(np.array([16.0, 1.0]), 2 / 17) == pytest.approx(1.0)
    assert gaussian_limit(np.array([16.0, 1.0]), 2 / 17) == pytest.approx(2.0)
    # Error 1: both get 1/2, so 5/2 + 1/2 bits.
    assert gaussian_limit(np.array([16.0, 1.0]), 1 / 17) == pytest.approx(3.0)


@given(variances, errors)
def test_the_inverse_undoes_it(values, error):
    bits = gaussian_limit(values, error)
    least, most = np.log2(values.min()) - 50, np.log2(values.max())  # of the level's logarithm
    for _ in range(100):
        level = (least + most) / 2
        above = 0.5 * np.maximum(np.log2(values) - level, 0).sum() > bits
        least, most = (level, most) if above else (least, level)
    assert np.minimum(values, 2**level).sum() / values.sum() == pytest.approx(error, rel=1e-6)


@given(variances, errors, errors)
def test_less_error_takes_more_bits(values, one, other):
    low, high = sorted((one, other))
    assert gaussian_limit(values, low) >= gaussian_limit(values, high) - 1e-9


@given(variances, errors)
def test_scale_and_order_do_not_matter(values, error):
    bits = gaussian_limit(values, error)
    assert gaussian_limit(values[::-1] * 7, error) == pytest.approx(bits, abs=1e-6)


def test_a_table_of_gaussian_rows_comes_near_the_limit_of_their_covariance():
    generator = np.random.default_rng(3)
    scales = np.array([3.0, 2.0, 1.0, 0.3])
    turn = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    vectors = (generator.normal(size=(20_000, 4)) * scales @ turn + 5).astype(np.float32)
    assert principal_variances(vectors) == pytest.approx(scales**2, rel=0.05)
    assert limit_of(vectors, 0.1) == pytest.approx(gaussian_limit(scales**2, 0.1), rel=0.02)


def test_a_constant_table_needs_nothing():
    assert limit_of(np.ones((5, 3), np.float32), 0.1) == 0.0


@pytest.mark.parametrize("error", [0.0, -0.1, 1.5, float("nan")])
def test_an_error_outside_its_range_is_said(error):
    with pytest.raises(InvalidSpecification, match="expected more than 0 and at most 1"):
        gaussian_limit(np.ones(2), error)


@pytest.mark.parametrize("values", [np.array([-1.0]), np.ones((2, 2)), np.array([]), [np.nan]])
def test_what_are_no_variances_is_said(values):
    with pytest.raises(InvalidSpecification, match="eigenvalues"):
        gaussian_limit(np.asarray(values), 0.1)
