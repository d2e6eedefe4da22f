"""Many copies above the limit of the exact search: the same neighbours as it gives."""

import numpy as np
import pytest

from core.spaces import neighbors
from core.spaces.linalg import unit_rows
from core.spaces.neighbors import knn_graph


def many(kind):
    generator = np.random.default_rng(0)
    few = np.repeat(generator.normal(size=(5, 4)), 150, axis=0)
    if kind == "nearly":
        few *= 1 + 1e-6 * generator.normal(size=few.shape)
    if kind == "nothing":
        few[:300] = 0
    rows = np.concatenate([generator.normal(size=(400, 4)), few])
    return unit_rows(generator.permutation(rows).astype(np.float32))


@pytest.mark.parametrize("limit", [500, 50])  # the different ones alone are few enough, or not
@pytest.mark.parametrize("kind", ["copies", "nearly", "nothing"])
def test_copies_hide_nobody(kind, limit, monkeypatch):
    unit = many(kind)
    n = len(unit)
    true = knn_graph(unit, 12)
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", limit)
    found = knn_graph(unit, 12)
    share = (found.cosines >= true.cosines[:, -1:] - 1e-6).mean()
    assert share >= 0.95
    assert share == pytest.approx(found.recall, abs=0.03)
    if found.recall == 1:
        np.testing.assert_allclose(found.cosines, true.cosines, atol=2e-6)
    real = np.einsum("nd,nkd->nk", unit, unit[found.indices])
    np.testing.assert_allclose(found.cosines, real, atol=2e-6)
    assert not (found.indices == np.arange(n)[:, None]).any()
    assert all(len(set(row)) == 12 for row in found.indices.tolist())


def test_an_index_that_finds_too_few_gives_way(monkeypatch):
    unit = many("nearly")
    true = knn_graph(unit, 12)
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 50)
    monkeypatch.setattr(neighbors, "_recall", lambda unit, indices: 0.7)
    found = knn_graph(unit, 12)
    assert (found.method, found.recall) == ("exact", 1.0)
    np.testing.assert_array_equal(found.indices, true.indices)
