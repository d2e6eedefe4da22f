"""Pictures of few items, of equal items and of none: drawn truly, or not at all, and marked so."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from core.errors import InvalidSpecification
from core.projection import tsne as module
from core.projection.base import PcaSpec, TsneSpec
from core.projection.faithfulness import faithfulness
from core.projection.fit import fit
from core.spaces.neighbors import knn_graph
from core.spaces.space import Provenance, Space


def space_of(vectors):
    texts = [f"w{row}" for row in range(len(vectors))]
    return Space.create(texts, np.asarray(vectors, np.float32), Provenance("t", "test"))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("n", [7, 8, 9, 10, 12, 15, 20, 25, 40, 99, 100])
def test_tsne_of_few_items_spreads_them(n, dims):
    space = space_of(np.random.default_rng(n).normal(size=(n, 16)))
    graph = knn_graph(space.unit)
    coords = fit(space, graph, TsneSpec(dims=dims, seed=1)).coords
    assert np.ptp(coords, axis=0).max() > 1
    assert len(np.unique(coords.round(3), axis=0)) == n
    k = min(5, (n - 1) // 2)
    measured = faithfulness(space, graph, coords, k).trustworthiness
    assert measured == pytest.approx(
        trustworthiness(space.unit, coords, n_neighbors=k, metric="cosine"), abs=1e-6
    )
    assert measured > 0.6  # a collapsed picture of the same items had 0.41 to 0.64


def test_a_picture_that_is_rounding_is_not_drawn(monkeypatch):
    space = space_of(np.random.default_rng(10).normal(size=(10, 16)))
    monkeypatch.setattr(module, "PULLED_FROM", 0)  # what pulls all into one point
    with pytest.raises(InvalidSpecification, match="found all 10 items in one point after t-SNE"):
        fit(space, knn_graph(space.unit), TsneSpec(seed=1, exaggeration=32.0))


@pytest.mark.parametrize("place", [0.0, 3.0, 1e7])
def test_a_constant_picture_has_no_good_mark(place):
    space = space_of(np.random.default_rng(0).normal(size=(60, 5)))
    coords = np.full((60, 2), place, np.float32)
    measured = faithfulness(space, knn_graph(space.unit), coords)
    assert measured.blank
    assert measured.trustworthiness == measured.continuity == measured.triplets == 0
    assert measured.sentence("word") == (
        "all words are drawn at one place: this picture says nothing of the space"
    )


def test_a_picture_of_two_places_is_no_better_than_a_coin():
    """Sorted by topic, as files are, an order by row would find the true neighbours by itself."""
    generator = np.random.default_rng(1)
    angles = np.sort(generator.uniform(0, np.pi, 200))
    space = space_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    coords = np.zeros((200, 2), np.float32)
    coords[0] = 1
    measured = faithfulness(space, knn_graph(space.unit), coords)
    assert measured.trustworthiness == pytest.approx(0.5, abs=0.06)
    assert measured.continuity == pytest.approx(0.5, abs=0.06)
    assert measured.overlap < 0.15


def test_copies_stand_for_each_other():
    """Five words forty times each: a picture that keeps the five apart is perfect."""
    five = np.random.default_rng(2).normal(size=(5, 6))
    space = space_of(np.tile(five, (40, 1)))
    graph = knn_graph(space.unit)
    coords = fit(space, graph, PcaSpec()).coords
    measured = faithfulness(space, graph, coords)
    assert measured.overlap == 1
    assert measured.trustworthiness == measured.continuity == 1


@pytest.mark.parametrize("spec", [PcaSpec(), TsneSpec(seed=1)])
def test_items_that_are_all_equal(spec):
    space = space_of(np.ones((50, 8)))
    coords = fit(space, knn_graph(space.unit), spec).coords
    assert np.isfinite(coords).all()
