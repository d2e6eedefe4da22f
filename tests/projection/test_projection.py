"""Specifications, PCA against scikit-learn, and fits that end well in any space."""

import json
import threading
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidSpecification
from core.projection import SPECS, PcaSpec, Spec, TsneSpec, UmapSpec, fit, spec_from_dict
from core.projection.pca import pca
from core.projection.umap import _with_self
from core.spaces.neighbors import knn_graph
from core.spaces.space import Provenance, Space

QUICK = [PcaSpec(), UmapSpec(n_epochs=20), TsneSpec(early_iterations=10, iterations=10)]


def make(vectors: object) -> Space:
    vectors = np.asarray(vectors, dtype=np.float32)
    return Space.create([f"w{i}" for i in range(len(vectors))], vectors, Provenance("t", "test"))


def clusters(n: int = 300, d: int = 12, seed: int = 0) -> Space:
    """Five bundles of directions."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(5, d))
    return make(centres[np.arange(n) % 5] + 0.3 * generator.normal(size=(n, d)))


def test_specs_explain_every_field() -> None:
    for spec in SPECS.values():
        for each in fields(spec):
            assert each.metadata["help"].endswith(".")
            assert each.metadata["min"] < each.metadata["max"]


def test_spec_travels_through_json() -> None:
    for spec in (PcaSpec(3), UmapSpec(min_dist=0.25, seed=7), TsneSpec(perplexity=5)):
        again = spec_from_dict(json.loads(json.dumps(spec.to_dict())))
        assert again == spec
        assert again.digest == spec.digest
        assert len(spec.digest) >= 16


def test_digest_tells_kinds_and_values_apart() -> None:
    specs = [PcaSpec(), UmapSpec(), TsneSpec(), UmapSpec(seed=1), UmapSpec(dims=3), PcaSpec(3)]
    assert len({spec.digest for spec in specs}) == len(specs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "umap", "dims": 4}, "found dims = 4 for umap; expected a whole number from 2"),
        ({"kind": "umap", "min_dist": 2}, "found min_dist = 2 for umap; expected a number"),
        ({"kind": "umap", "n_neighbors": True}, "found n_neighbors = True"),
        ({"kind": "umap", "n_epochs": 99.5}, "found n_epochs = 99.5"),
        ({"kind": "umap", "min_dist": float("nan")}, "found min_dist = nan"),
        ({"kind": "tsne", "seed": -1}, "found seed = -1"),
        ({"kind": "tsne", "perplexity": "10"}, "found perplexity = '10'"),
        ({"kind": "som"}, "found projection kind 'som'; expected one of umap, tsne, pca"),
        ({"kind": "pca", "seed": 3}, "found seed in a specification for pca"),
    ],
)
def test_bad_specs_say_what_to_do(values: dict, message: str) -> None:
    with pytest.raises(InvalidSpecification, match=message):
        spec_from_dict(values)


def test_pca_is_scikit_learns() -> None:
    from sklearn.decomposition import PCA

    unit = clusters().unit
    coords, notes = pca(unit, 3)
    oracle = PCA(3, svd_solver="full").fit(unit.astype(np.float64))
    expected = oracle.transform(unit.astype(np.float64))
    signs = np.sign((coords * expected).sum(axis=0))
    np.testing.assert_allclose(coords, expected * signs, atol=1e-5)
    assert notes["explained_variance"] == pytest.approx(oracle.explained_variance_ratio_.sum())
    assert notes["explained_variance_1"] == pytest.approx(oracle.explained_variance_ratio_[0])


@given(st.integers(0, 2**20))
def test_pca_keeps_straight_lines_straight_and_signs_fixed(seed: int) -> None:
    unit = clusters(40, 6, seed).unit
    coords, _ = pca(unit)
    again, _ = pca(unit[::-1].copy())
    np.testing.assert_allclose(again[::-1], coords, atol=1e-5)
    np.testing.assert_allclose(coords.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("spec", QUICK, ids=lambda spec: spec.kind)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((1, 3)),
        np.eye(2, 3),
        np.eye(5),
        np.ones((20, 4)),  # all the same
        np.zeros((10, 4)),  # no direction at all
        np.linspace(-1, 1, 12)[:, None],  # one dimension: two directions
        np.repeat(np.eye(3), 9, axis=0),  # duplicates
    ],
    ids=["one", "two", "five", "constant", "zero", "line", "duplicates"],
)
def test_small_and_degenerate_spaces_give_finite_pictures(
    spec: Spec, dims: int, vectors: np.ndarray
) -> None:
    space = make(vectors)
    graph = knn_graph(space.unit)
    projection = fit(space, graph, spec_from_dict(spec.to_dict() | {"dims": dims}))
    assert projection.coords.shape == (len(space), dims)
    assert projection.coords.dtype == np.float32
    assert np.isfinite(projection.coords).all()
    assert not projection.coords.flags.writeable
    assert projection.space_digest == space.digest
    assert projection.seconds["fit"] >= 0


@pytest.mark.parametrize("spec", [UmapSpec(n_epochs=50), TsneSpec()], ids=lambda spec: spec.kind)
def test_bundles_stay_together(spec: Spec) -> None:
    space = clusters()
    coords = fit(space, knn_graph(space.unit), spec).coords
    away = np.linalg.norm(coords[:, None] - coords[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (away.argmin(axis=1) % 5 == np.arange(300) % 5).mean() > 0.95


@pytest.mark.parametrize("kind", ["umap", "tsne"])
def test_a_seed_repeats_exactly(kind: str) -> None:
    space = clusters(120)
    graph = knn_graph(space.unit)
    spec = spec_from_dict({"kind": kind, "seed": 3})
    first, second = fit(space, graph, spec), fit(space, graph, spec)
    np.testing.assert_array_equal(first.coords, second.coords)
    state = np.random.get_state()[1].copy()
    fit(space, graph, spec)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # nobody else's dice


@pytest.mark.parametrize("spec", QUICK[1:], ids=lambda spec: spec.kind)
def test_progress_and_stop(spec: Spec) -> None:
    space = clusters(60)
    graph = knn_graph(space.unit)
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int, message: str) -> bool:
        seen.append((done, total))
        return True

    fit(space, graph, spec, watch)
    assert seen == sorted(seen)
    assert seen[-1] == (20, 20)
    assert len(seen) >= 4
    with pytest.raises(Cancelled, match="found a stop"):
        fit(space, graph, spec, lambda done, total, message: done < 10)


def test_after_a_stop_another_thread_draws() -> None:
    """As the next warm-up does: a lock left behind by the stopped fit would hold it for ever."""
    space = clusters(60)
    graph = knn_graph(space.unit)
    with pytest.raises(Cancelled, match="found a stop"):
        fit(space, graph, UmapSpec(n_epochs=20), lambda done, total, message: done < 10)
    other = threading.Thread(target=fit, args=(space, graph, UmapSpec(n_epochs=20)), daemon=True)
    other.start()
    other.join(60)
    assert not other.is_alive()


def test_graph_must_be_there_and_fit() -> None:
    space = clusters(60)
    with pytest.raises(InvalidSpecification, match="found no neighbour graph for umap"):
        fit(space, None, UmapSpec())
    with pytest.raises(InvalidSpecification, match="found a graph of 50 items"):
        fit(space, knn_graph(space.unit[:50].copy()), UmapSpec())
    with pytest.raises(InvalidSpecification, match="a graph of 5 neighbours"):
        fit(space, knn_graph(space.unit, 5), UmapSpec())
    with pytest.raises(InvalidSpecification, match="lower it to 1"):
        fit(space, knn_graph(space.unit, 5), TsneSpec())


def test_umap_gets_neighbours_in_its_own_form() -> None:
    space = clusters(60)
    graph = knn_graph(space.unit)
    indices, distances = _with_self(graph, 15)
    np.testing.assert_array_equal(indices[:, 0], np.arange(60))
    np.testing.assert_array_equal(indices[:, 1:], graph.indices[:, :14])
    assert (distances[:, 0] == 0).all()
    np.testing.assert_allclose(distances[:, 1:], 1 - graph.cosines[:, :14], atol=1e-6)
