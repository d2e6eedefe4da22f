"""Nearest items of points, plain and by CSLS, against brute force in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decode.nearest import csls_penalty, decode, leave_out
from core.errors import InvalidSpecification
from core.spaces.neighbors import knn_graph
from core.spaces.space import Provenance, Space


def random_space(n=120, dim=7, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dim))
    return Space.create([f"w{i}" for i in range(n)], vectors, Provenance("random", "random"))


def double_cosines(space, points):
    unit = (
        space.vectors.astype(float) / np.linalg.norm(space.vectors.astype(float), axis=1)[:, None]
    )
    queries = points.astype(float) / np.linalg.norm(points.astype(float), axis=1)[:, None]
    return queries @ unit.T


@given(st.integers(0, 1000), st.integers(1, 200), st.lists(st.integers(0, 119), max_size=4))
def test_nearest_against_float64(seed, k, exclude):
    space = random_space()
    points = np.random.default_rng(seed).normal(size=(3, 7)).astype(np.float32)
    indices, cosines = decode(space, points, k, exclude)
    oracle = double_cosines(space, points)
    oracle[:, exclude] = -np.inf
    kept = min(k, 120 - len(set(exclude)))
    assert indices.shape == cosines.shape == (3, kept)
    assert not set(exclude) & set(indices.ravel().tolist())
    np.testing.assert_allclose(cosines, -np.sort(-oracle, axis=1)[:, :kept], atol=1e-6)


@given(st.integers(0, 1000), st.integers(1, 200), st.lists(st.integers(0, 119), max_size=4))
def test_csls_order_against_float64(seed, k, exclude):
    space = random_space()
    graph = knn_graph(space.unit, 20)
    points = np.random.default_rng(seed).normal(size=(3, 7)).astype(np.float32)
    indices, cosines = decode(space, points, k, exclude, csls_penalty(graph))
    plain = double_cosines(space, points)
    among = np.sort(double_cosines(space, space.vectors) - 9 * np.eye(120), axis=1)
    own = np.sort(plain, axis=1)[:, -10:].mean(axis=1, keepdims=True)
    scores = 2 * plain - own - among[:, -10:].mean(axis=1)
    np.testing.assert_allclose(cosines, np.take_along_axis(plain, indices, axis=1), atol=1e-6)
    scores[:, exclude] = -np.inf
    kept = min(k, 120 - len(set(exclude)))
    found = np.take_along_axis(scores, indices.astype(int), axis=1)
    np.testing.assert_allclose(found, -np.sort(-scores, axis=1)[:, :kept], atol=1e-5)
    assert all(len(set(row)) == kept for row in indices.tolist())


def test_csls_puts_a_hub_behind():
    # A hub amid a bundle, and a loner; the query lies a little nearer to the hub.
    vectors = [[1, 0.0], [1, 0.01], [1, -0.01], [0, 1.0]]
    space = Space.create(["hub", "a", "b", "loner"], vectors, Provenance("hub", "by hand"))
    point = np.float32([[1, 0.98]])
    penalties = csls_penalty(knn_graph(space.unit, 3), k=2)
    plain, _ = decode(space, point, 4)
    corrected, _ = decode(space, point, 4, csls=penalties)
    assert space.texts[plain[0, 0]] == "a"
    assert space.texts[corrected[0, 0]] == "loner"


@pytest.mark.parametrize("csls", [None, np.zeros(4, dtype=np.float32)])
def test_equals_come_by_row_and_zero_is_near_nothing(csls):
    space = Space.create(list("abcd"), [[1, 0], [0, 1], [1, 0], [0, 1]], Provenance("t", "t"))
    indices, cosines = decode(space, np.float32([[2, 0], [0, 0]]), 3, csls=csls)
    assert indices.tolist() == [[0, 2, 1], [0, 1, 2]]
    np.testing.assert_allclose(cosines, [[1, 1, 0], [0, 0, 0]], atol=1e-7)


@pytest.mark.parametrize("csls", [None, np.zeros(3, dtype=np.float32)])
def test_everything_left_out(csls):
    space = Space.create(list("abc"), np.eye(3), Provenance("t", "t"))
    indices, cosines = decode(space, space.vectors, 5, exclude=(0, 1, 2), csls=csls)
    assert indices.shape == cosines.shape == (3, 0)


def test_many_points_go_in_blocks(monkeypatch):
    space = random_space()
    penalties = csls_penalty(knn_graph(space.unit, 12))
    whole = decode(space, space.vectors, 5, csls=penalties)
    monkeypatch.setattr("core.decode.nearest.BLOCK", 700)
    for once, again in zip(whole, decode(space, space.vectors, 5, csls=penalties), strict=True):
        np.testing.assert_allclose(once, again, atol=1e-6)


def test_no_points_at_all():
    space = random_space()
    empty = np.empty((0, 7), dtype=np.float32)
    penalties = csls_penalty(knn_graph(space.unit, 12))
    assert decode(space, empty, 3, csls=penalties)[0].shape == (0, 3)
    assert decode(space, empty, 3)[0].shape == (0, 3)


def test_refusals():
    space = random_space()
    with pytest.raises(InvalidSpecification, match="found k = 0; expected at least 1"):
        decode(space, space.vectors, 0)
    with pytest.raises(InvalidSpecification, match="found 3 CSLS penalties for 120 items"):
        decode(space, space.vectors, 1, csls=np.zeros(3, dtype=np.float32))


def test_a_single_item_is_no_hub():
    assert csls_penalty(knn_graph(random_space(1).unit)).tolist() == [0]


@given(st.integers(0, 1000), st.integers(1, 12), st.lists(st.integers(0, 39), max_size=5))
def test_leaving_out_afterwards_is_leaving_out(seed, k, exclude):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-2, 3, size=(40, 3)).astype(np.float32)  # many are equal
    space = Space.create([str(row) for row in range(40)], vectors, Provenance("tiny", "by hand"))
    points = generator.normal(size=(6, 3)).astype(np.float32)
    rows, cosines = decode(space, points, k, exclude)
    left = leave_out(*decode(space, points, k + len(set(exclude))), exclude, k)
    np.testing.assert_array_equal(left[0], rows)
    np.testing.assert_array_equal(left[1], cosines)
