"""Which vector a spot of a picture stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidVectors
from core.projection.inverse import AROUND, ground
from core.projection.pca import pca, principal_plane
from core.spaces.linalg import unit_rows
from core.spaces.space import Provenance, Space

TOY = Provenance(teacher="toy", model="toy")


def _space(n: int = 60, d: int = 12, seed: int = 0) -> Space:
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return Space.create([f"item {row}" for row in range(n)], vectors, TOY)


def _clusters() -> tuple[Space, np.ndarray]:
    """Two groups of ten, far from each other in the space and on the picture."""
    draw = np.random.default_rng(3)
    centres = np.repeat(np.eye(2, 12), 10, axis=0)
    vectors = (centres + 0.05 * draw.standard_normal((20, 12))).astype(np.float32)
    places = np.repeat([[0.0, 0.0], [10.0, 0.0]], 10, axis=0) + draw.random((20, 2))
    space = Space.create([str(row) for row in range(20)], vectors, TOY)
    return space, places.astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 5))
def test_the_plane_draws_its_own_inverse_at_the_spot(x: float, y: float, seed: int) -> None:
    space = _space(seed=seed)
    coords, _ = pca(space.unit)
    spot = np.array([x, y], np.float32)
    found = ground(space, coords, spot, linear=True)
    plane = principal_plane(space.unit)
    np.testing.assert_allclose(plane(found.vector[None])[0], spot, atol=1e-5)
    off = found.vector - plane.mean - plane.axes @ (plane.axes.T @ (found.vector - plane.mean))
    np.testing.assert_allclose(off, 0, atol=1e-6)  # nothing outside the plane
    assert found.how == "plane"


def test_the_plane_says_what_share_of_the_variance_it_keeps() -> None:
    from sklearn.decomposition import PCA

    space = _space()
    coords, _ = pca(space.unit)
    found = ground(space, coords, coords[3], linear=True)
    oracle = PCA(2).fit(space.unit)
    assert found.kept == pytest.approx(oracle.explained_variance_ratio_.sum(), rel=1e-4)
    back = oracle.inverse_transform(oracle.transform(space.unit[[3]]))[0]
    np.testing.assert_allclose(found.vector, back, atol=1e-5)


def test_an_items_own_place_gives_the_item_back() -> None:
    space, coords = _clusters()
    found = ground(space, coords, coords[4])
    assert found.rows[0] == 4
    assert found.weights[0] == 1
    np.testing.assert_allclose(found.vector, space.vectors[4], atol=1e-5)
    assert found.agreement == pytest.approx(1, abs=1e-5)
    assert set(found.rows) <= set(range(10))  # and its neighbourhood, not the far group


def test_between_two_groups_the_items_disagree() -> None:
    space, coords = _clusters()
    among = ground(space, coords, np.array([0.5, 0.5], np.float32))
    between = ground(space, coords, np.array([5.4, 0.5], np.float32))
    assert among.agreement > 0.9
    assert between.agreement < among.agreement


@settings(max_examples=25, deadline=None)
@given(st.floats(-1, 12), st.floats(-1, 2))
def test_the_mean_is_a_convex_one_and_its_length_that_of_the_items(x: float, y: float) -> None:
    space, coords = _clusters()
    found = ground(space, coords, np.array([x, y], np.float32))
    assert found.weights.min() >= 0
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    low, high = space.norms[found.rows].min(), space.norms[found.rows].max()
    assert low - 1e-4 <= np.linalg.norm(found.vector) <= high + 1e-4
    oracle = found.weights @ unit_rows(space.vectors[found.rows])
    cosine = oracle @ found.vector / np.linalg.norm(oracle) / np.linalg.norm(found.vector)
    assert cosine == pytest.approx(1, abs=1e-5)
    distances = np.linalg.norm(coords - found.spot, axis=1)
    assert np.all(np.diff(distances[found.rows]) >= 0)


def test_a_tiny_space_uses_all_its_items() -> None:
    space = _space(n=3)
    coords = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    found = ground(space, coords, np.array([0.2, 0.2], np.float32))
    assert sorted(found.rows) == [0, 1, 2]
    assert len(found.rows) < AROUND


def test_items_drawn_at_one_place() -> None:
    space = _space(n=20)
    coords = np.zeros((20, 2), np.float32)
    assert np.isfinite(ground(space, coords, np.ones(2, np.float32)).vector).all()
    assert ground(space, coords, np.zeros(2, np.float32)).rows[0] == 0


@pytest.mark.parametrize(
    ("spot", "said"),
    [([1.0, np.nan], "2 finite numbers"), ([1.0, 2.0, 3.0], "2 finite numbers")],
)
def test_a_spot_that_is_none(spot: list[float], said: str) -> None:
    space, coords = _clusters()
    with pytest.raises(InvalidVectors, match=said):
        ground(space, coords, np.array(spot, np.float32))


def test_the_picture_of_another_space() -> None:
    space, coords = _clusters()
    with pytest.raises(InvalidVectors, match="one point for each"):
        ground(space, coords[:5], coords[0])
