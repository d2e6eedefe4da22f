"""Neighbours against brute force in float64, and what must hold for any vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import Cancelled, InvalidVectors
from core.spaces import neighbors
from core.spaces.neighbors import knn_graph, nearest, top_k


def unit_vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(unit: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All cosines in float64, a stable sort: equal ones by lower index."""
    cosines = unit.astype(np.float64) @ unit.astype(np.float64).T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, axis=1)


@pytest.mark.parametrize(("n", "d", "k"), [(2, 3, 1), (40, 5, 31), (700, 8, 31), (4500, 6, 31)])
def test_graph_is_brute_force(n: int, d: int, k: int) -> None:
    unit = unit_vectors(n, d)
    graph = knn_graph(unit, k)
    order, cosines = brute_force(unit, min(k, n - 1))
    np.testing.assert_allclose(graph.cosines, cosines, atol=2e-6)
    swapped = graph.indices != order  # allowed only where float32 cannot tell two cosines apart
    true = np.einsum("ij,ikj->ik", unit.astype(np.float64), unit[graph.indices].astype(np.float64))
    np.testing.assert_allclose(true[swapped], cosines[swapped], atol=2e-6)
    assert swapped.mean() < 0.01
    assert (graph.method, graph.recall, graph.k, len(graph)) == ("exact", 1.0, min(k, n - 1), n)


@given(
    hnp.arrays(
        np.int8, st.tuples(st.integers(2, 40), st.integers(1, 3)), elements=st.integers(-2, 2)
    ),
    st.integers(1, 45),
)
def test_graph_with_ties_and_zero_vectors(vectors: np.ndarray, k: int) -> None:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    graph = knn_graph(unit, k)
    _, cosines = brute_force(unit, min(k, len(unit) - 1))
    np.testing.assert_allclose(graph.cosines, cosines, atol=1e-6)
    for row, found in enumerate(graph.indices):
        assert row not in found
        assert len(set(found)) == len(found)


@given(
    hnp.arrays(np.float32, (3, 300), elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5])),
    st.integers(0, 2),
)
def test_top_k_on_two_levels_takes_the_lowest_of_equals(scores: np.ndarray, k: int) -> None:
    indices, values = top_k(scores, k)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, order, axis=1))


def test_duplicates_go_by_lower_index() -> None:
    graph = knn_graph(np.ones((200, 1), np.float32), k=3)
    assert graph.indices[0].tolist() == [1, 2, 3]
    assert graph.indices[2].tolist() == [0, 1, 3]
    assert graph.indices[199].tolist() == [0, 1, 2]


def test_one_item_has_no_neighbours() -> None:
    graph = knn_graph(np.ones((1, 4), np.float32))
    assert graph.indices.shape == graph.cosines.shape == (1, 0)


def test_k_below_one_is_refused() -> None:
    with pytest.raises(InvalidVectors, match="found k = 0 neighbours"):
        knn_graph(unit_vectors(5, 3), k=0)


def test_progress_and_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK_ROWS", 64)
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int, message: str) -> bool:
        seen.append((done, total))
        return True

    def stop(done: int, total: int, message: str) -> bool:
        return done < 128

    unit = unit_vectors(300, 4)
    knn_graph(unit, 5, watch)
    assert seen == [(64, 300), (128, 300), (192, 300), (256, 300), (300, 300)]
    with pytest.raises(Cancelled, match="at 128 of 300"):
        knn_graph(unit, 5, stop)


def test_bf16_candidates_are_ranked_again_in_fp32() -> None:
    unit = unit_vectors(500, 32)
    exact = knn_graph(unit, 10)
    rough = neighbors._bf16(unit, 10, lambda done, total, message: True)
    assert rough.method == "exact, bf16 candidates"
    assert rough.recall > 0.99
    np.testing.assert_allclose(rough.cosines, exact.cosines, atol=1e-3)


def test_hnsw_above_the_limit_reports_its_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 100)
    unit = unit_vectors(1200, 8)
    graph = knn_graph(unit, 10)
    true, _ = brute_force(unit, 10)
    found = (graph.indices[:, :, None] == true[:, None, :]).sum() / true.size
    assert graph.method == "hnsw"
    assert graph.recall == pytest.approx(found, abs=0.02)
    assert found > 0.9
    assert not (graph.indices == np.arange(1200)[:, None]).any()
    assert (np.diff(graph.cosines, axis=1) <= 0).all()


def test_nearest_scales_queries_and_leaves_rows_out() -> None:
    unit = unit_vectors(60, 5)
    queries = 7 * unit[[3, 9]]
    indices, cosines = nearest(unit, queries, 4)
    assert indices[:, 0].tolist() == [3, 9]
    np.testing.assert_allclose(cosines[:, 0], 1, atol=1e-6)
    without, _ = nearest(unit, queries, 100, exclude=[3, 9, 9])
    assert without.shape == (2, 58)
    assert not np.isin(without, [3, 9]).any()


@given(st.integers(1, 80), st.integers(1, 6), st.integers(1, 90), st.integers(0, 2**20))
def test_nearest_is_brute_force(n: int, m: int, k: int, seed: int) -> None:
    unit, queries = unit_vectors(n, 4, seed), unit_vectors(m, 4, seed + 1)
    _, cosines = nearest(unit, queries, k)
    scores = queries.astype(np.float64) @ unit.astype(np.float64).T
    np.testing.assert_allclose(cosines, -np.sort(-scores, axis=1)[:, :k], atol=1e-6)


def test_a_zero_query_has_no_direction() -> None:
    _, cosines = nearest(unit_vectors(9, 3), np.zeros((1, 3), np.float32), 3)
    assert cosines.tolist() == [[0, 0, 0]]
