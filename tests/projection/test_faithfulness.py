"""Faithfulness against scikit-learn and a slow reading of the formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidVectors
from core.projection import faithfulness as module
from core.projection.faithfulness import Faithfulness, faithfulness, picture_neighbors
from core.spaces.neighbors import knn_graph
from core.spaces.space import Provenance, Space


def make(vectors: object) -> Space:
    vectors = np.asarray(vectors, dtype=np.float32)
    return Space.create([f"w{i}" for i in range(len(vectors))], vectors, Provenance("t", "test"))


def random_pair(n: int, seed: int, p: int = 2) -> tuple[Space, np.ndarray]:
    """A space, and a picture that keeps something of it."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(n, 6))
    noise = 0.3 * generator.normal(size=(n, p))
    return make(vectors), (vectors[:, :p] + noise).astype(np.float32)


@pytest.mark.parametrize(("n", "k", "p"), [(40, 5, 2), (200, 15, 3), (900, 15, 2)])
def test_trustworthiness_is_scikit_learns(n: int, k: int, p: int) -> None:
    from sklearn.manifold import trustworthiness

    space, coords = random_pair(n, seed=n, p=p)
    found = faithfulness(space, knn_graph(space.unit), coords, k)
    expected = trustworthiness(
        space.unit.astype(np.float64), coords, n_neighbors=k, metric="cosine"
    )
    assert found.trustworthiness == pytest.approx(expected, abs=1e-6)
    assert found.sample == n


def test_continuity_is_trustworthiness_with_the_roles_changed() -> None:
    from sklearn.manifold import trustworthiness

    space, coords = random_pair(300, seed=1)
    found = faithfulness(space, knn_graph(space.unit), coords)
    expected = trustworthiness(coords, space.unit.astype(np.float64), n_neighbors=15)
    assert found.continuity == pytest.approx(expected, abs=1e-6)


def test_overlap_counts_shared_neighbours() -> None:
    space, coords = random_pair(120, seed=2)
    graph = knn_graph(space.unit)
    found = faithfulness(space, graph, coords, k=10)
    away = np.linalg.norm(coords[:, None] - coords[None], axis=2)
    np.fill_diagonal(away, np.inf)
    near = away.argsort(axis=1)[:, :10]
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(near, graph.indices[:, :10], strict=True)]
    np.testing.assert_allclose(found.per_point, shared, atol=1e-6)
    assert found.overlap == pytest.approx(np.mean(shared))


def test_a_perfect_picture_has_perfect_figures() -> None:
    angles = np.random.default_rng(3).uniform(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    space = make(circle)
    found = faithfulness(space, knn_graph(space.unit), space.unit)
    assert found.trustworthiness == pytest.approx(1, abs=1e-4)
    assert found.continuity == pytest.approx(1, abs=1e-4)
    assert found.overlap > 0.98
    assert found.triplets > 0.999


def test_a_random_picture_is_chance() -> None:
    space, _ = random_pair(1000, seed=4)
    coords = np.random.default_rng(5).normal(size=(1000, 2)).astype(np.float32)
    found = faithfulness(space, knn_graph(space.unit), coords)
    assert found.triplets == pytest.approx(0.5, abs=0.02)
    assert found.trustworthiness == pytest.approx(0.5, abs=0.03)
    assert found.overlap == pytest.approx(15 / 999, abs=0.01)


@settings(max_examples=20)
@given(
    st.integers(0, 2**20),
    st.floats(0.01, 100),
    st.floats(0, 2 * np.pi),
    st.integers(5, 60),
)
def test_turning_and_scaling_a_picture_changes_nothing(
    seed: int, scale: float, angle: float, n: int
) -> None:
    space, coords = random_pair(n, seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    graph = knn_graph(space.unit)
    one = faithfulness(space, graph, coords, k=5)
    other = faithfulness(space, graph, (scale * coords @ turn).astype(np.float32), k=5)
    assert one.trustworthiness == pytest.approx(other.trustworthiness, abs=0.02)
    assert one.overlap == pytest.approx(other.overlap, abs=0.02)
    for value in (one.trustworthiness, one.continuity, one.overlap, one.triplets):
        assert 0 <= value <= 1
    assert ((one.per_point >= 0) & (one.per_point <= 1)).all()


def test_a_sample_is_near_the_whole_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    space, coords = random_pair(1500, seed=6)
    graph = knn_graph(space.unit)
    whole = faithfulness(space, graph, coords)
    monkeypatch.setattr(module, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 400)
    sampled = faithfulness(space, graph, coords)
    assert (whole.sample, sampled.sample) == (1500, 400)
    assert sampled.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)
    assert sampled.continuity == pytest.approx(whole.continuity, abs=0.02)
    assert sampled.overlap == whole.overlap  # never sampled
    again = faithfulness(space, graph, coords)
    assert again.trustworthiness == sampled.trustworthiness


MARKS = ("trustworthiness", "continuity", "overlap", "triplets")


def marks(space: Space, coords: object) -> list[float]:
    found = faithfulness(space, knn_graph(space.unit), np.asarray(coords, np.float32))
    assert found.k == (len(space) - 1) // 2
    assert found.per_point.shape == (len(space),)
    return [getattr(found, name) for name in MARKS]


def test_from_three_items_on_every_mark_can_fail() -> None:
    space = make([[1, 0], [0.9, 0.1], [0, 1]])
    assert marks(space, [[0, 0], [1, 0], [5, 0]]) == pytest.approx([1, 1, 1, 1])
    bad = marks(space, [[0, 0], [9, 0], [1, 0]])  # the far one near, the near one far
    assert max(bad[:3]) <= 2 / 3
    assert bad[3] < 0.6


@pytest.mark.parametrize("vectors", [np.eye(1, 5), np.eye(2, 5), np.ones((6, 3))])
def test_where_no_mark_could_be_bad_none_is_given(vectors: np.ndarray) -> None:
    space = make(vectors)
    for coords in np.random.default_rng(0).normal(size=(3, len(space), 2)).astype(np.float32):
        found = faithfulness(space, knn_graph(space.unit), coords)
        assert not found.judged
        assert np.isnan([getattr(found, name) for name in MARKS]).all()
        assert np.isnan(found.per_point).all()
        said = found.to_dict()
        assert [said[name] for name in MARKS] == [None] * 4
        few, alike = "too few items to judge", "all items are alike: none to judge"
        assert said["note"] == (few if len(space) < 3 else alike)
        assert found.sentence("word") == (
            "too few words to judge how true this picture is"
            if len(space) < 3
            else "all words have the same direction here: where each one stands is chance"
        )


def test_many_equal_points_are_not_their_own_neighbours() -> None:
    near = picture_neighbors(np.zeros((50, 2), np.float32), 10)
    assert not (near == np.arange(50)[:, None]).any()


def test_sentence() -> None:
    found = Faithfulness(0.8, 0.9, 0.1533, 0.6, 15, np.zeros(1, np.float32), 1)
    assert found.sentence("word") == (
        "of a word's 15 true neighbours, 2.3 are near it in this picture"
    )
    assert found.sentence().startswith("of an item's 15")


def test_stop_and_wrong_pictures() -> None:
    space, coords = random_pair(60, seed=7)
    graph = knn_graph(space.unit)
    with pytest.raises(Cancelled, match="found a stop while measuring"):
        faithfulness(space, graph, coords, progress=lambda done, total, message: False)
    with pytest.raises(InvalidVectors, match="found 50 points and a graph of 60 for 60 items"):
        faithfulness(space, graph, coords[:50])
