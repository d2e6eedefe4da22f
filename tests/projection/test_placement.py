"""Placement: exact on items, continuous between them, the same in any batch. And regions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidVectors
from core.projection.placement import CANDIDATES, place
from core.projection.regions import regions
from core.spaces.neighbors import nearest
from core.spaces.space import Provenance, Space

N, D = 400, 10


def make(vectors: object) -> Space:
    vectors = np.asarray(vectors, dtype=np.float32)
    return Space.create([f"w{i}" for i in range(len(vectors))], vectors, Provenance("t", "test"))


@pytest.fixture(scope="module")
def space() -> Space:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(8, D))
    return make(centres[np.arange(N) % 8] + 0.5 * generator.normal(size=(N, D)))


@pytest.fixture(scope="module")
def coords(space: Space) -> np.ndarray:
    """Bundles far apart, in no order that the space knows: the hardest map for a path."""
    generator = np.random.default_rng(1)
    centres = generator.uniform(-10, 10, size=(8, 2))
    return (centres[np.arange(N) % 8] + generator.normal(size=(N, 2))).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    a, b = (v.astype(np.float64) / np.linalg.norm(v.astype(np.float64)) for v in (a, b))
    angle = np.arccos(np.clip(a @ b, -1, 1))
    t = t[:, None]
    return ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(
        np.float32
    )


def test_every_item_gets_its_own_place(space: Space, coords: np.ndarray) -> None:
    places, spread = place(space, coords, space.vectors)
    np.testing.assert_array_equal(places, coords)
    np.testing.assert_array_equal(spread, 0)


@given(st.lists(st.integers(0, N - 1), min_size=1, max_size=6), st.floats(0.01, 1000))
def test_length_does_not_matter(space: Space, coords: np.ndarray, rows: list, scale: float) -> None:
    places, _ = place(space, coords, np.float32(scale) * space.vectors[rows])
    np.testing.assert_allclose(places, coords[rows], atol=1e-4)


@given(st.integers(0, 2**20), st.integers(CANDIDATES, 40))
def test_known_candidates_change_nothing(
    space: Space, coords: np.ndarray, seed: int, known: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(7, D)).astype(np.float32)
    candidates, _ = nearest(space.unit, vectors, known)
    for told, found in zip(
        place(space, coords, vectors, candidates), place(space, coords, vectors), strict=True
    ):
        np.testing.assert_array_equal(told, found)


@given(st.integers(0, 2**20), st.integers(2, 30))
def test_the_batch_does_not_matter(space: Space, coords: np.ndarray, seed: int, m: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(m, D)).astype(np.float32)
    places, spread = place(space, coords, vectors)
    for row in (0, m - 1):
        alone, alone_spread = place(space, coords, vectors[row : row + 1])
        np.testing.assert_array_equal(alone[0], places[row])
        np.testing.assert_array_equal(alone_spread[0], spread[row])
    assert (places >= coords.min(axis=0) - 1e-4).all()  # never outside the map
    assert (places <= coords.max(axis=0) + 1e-4).all()
    assert (spread >= 0).all()


@settings(max_examples=40)
@given(st.integers(0, N - 1), st.integers(1, N - 1))
def test_no_jump_along_a_path(space: Space, coords: np.ndarray, start: int, away: int) -> None:
    """Look closer and closer at the largest step: a jump would stay, a quick move shrinks."""
    a, b = space.vectors[start], space.vectors[(start + away) % N]
    low, high = 0.0, 1.0
    for _ in range(4):  # 1/32 each: a window of one millionth of the path at last
        t = np.linspace(low, high, 33)
        places, _ = place(space, coords, slerp(a, b, t))
        steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
        worst = int(steps.argmax())
        low, high = t[worst], t[worst + 1]
    assert steps[worst] < 0.05  # on a map that is 20 wide


def test_a_majority_wins_over_the_middle() -> None:
    """Ten neighbours here and five there: the place is here, not between."""
    angles = np.linspace(-0.3, 0.3, 15)
    far = np.linspace(2, 3, 20)
    both = np.concatenate([angles, far])
    space = make(np.stack([np.cos(both), np.sin(both)], axis=1))
    coords = np.zeros((35, 2), np.float32)
    coords[:10, 0] = 1
    coords[10:15, 0] = -9
    places, spread = place(space, coords, np.array([[np.cos(0.07), np.sin(0.07)]], np.float32))
    assert places[0, 0] > 0.9
    assert spread[0] > 1


@pytest.mark.parametrize("n", [1, 2, 5, 15, 16, 17])
def test_tiny_spaces_and_zero_vectors(n: int) -> None:
    space = make(np.eye(n, 20))
    coords = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    places, spread = place(
        space, coords, np.concatenate([np.zeros((1, 20)), np.eye(n, 20)]).astype(np.float32)
    )
    assert np.isfinite(places).all()
    assert np.isfinite(spread).all()
    np.testing.assert_array_equal(places[1:], coords)
    assert place(space, coords, np.empty((0, 20), np.float32))[0].shape == (0, 2)


def test_equal_items_lend_the_first_place() -> None:
    space = make([[1, 0], [1, 0], [0, 1]])
    coords = np.array([[5, 5], [7, 7], [0, 0]], np.float32)
    places, _ = place(space, coords, np.array([[3, 0]], np.float32))
    assert places.tolist() == [[5, 5]]


def test_wrong_input_says_what_to_do(space: Space, coords: np.ndarray) -> None:
    with pytest.raises(InvalidVectors, match="found a map of 9 points for a space of 400 items"):
        place(space, coords[:9], space.vectors[:1])
    with pytest.raises(InvalidVectors, match="found vectors of 3 dimensions in a space of 10"):
        place(space, coords, np.ones((1, 3), np.float32))
    with pytest.raises(InvalidVectors, match="found NaN or infinity"):
        place(space, coords, np.full((1, D), np.nan, np.float32))


def test_regions_find_the_bundles_and_name_them_by_whole_words(
    space: Space, coords: np.ndarray
) -> None:
    texts = [f"##{i}" if i < 200 else f"word{chr(97 + i % 8)}{i}" for i in range(N)]
    found = regions(coords, space.unit, texts)
    assert found.cluster.shape == (N,)
    assert not found.cluster.flags.writeable
    for label in found.labels:
        assert texts[label.row] == label.text
        assert label.level > 0 or not label.text.startswith("##")  # fine ones may hold pieces only
        assert label.size >= 5
        assert label.z is None
    names = [label.text for label in found.labels]
    assert len(set(names)) == len(names)
    for cluster in range(found.cluster.max() + 1):
        bundle = np.flatnonzero(found.cluster == cluster) % 8
        assert np.bincount(bundle).max() / len(bundle) > 0.5


def test_regions_repeat_with_their_seed_above_the_sample(
    monkeypatch: pytest.MonkeyPatch, space: Space, coords: np.ndarray
) -> None:
    monkeypatch.setattr("core.projection.regions.SAMPLE", 150)
    solid = np.concatenate([coords, coords[:, :1]], axis=1)
    one, two = (regions(solid, space.unit, space.texts, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.cluster, two.cluster)
    assert one.labels == two.labels
    assert all(label.z is not None for label in one.labels)


@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_regions_of_tiny_and_constant_pictures(n: int) -> None:
    found = regions(np.zeros((n, 2), np.float32), np.ones((n, 1), np.float32), ["same"] * n)
    assert found.cluster.shape == (n,)
    assert len(found.labels) <= 3
    with pytest.raises(InvalidVectors, match="expected the same number of each"):
        regions(np.zeros((n, 2), np.float32), np.ones((n, 1), np.float32), [])
