"""Vectors of any length: what says something of direction is the same bit by bit, lengths scale.

A factor that is a power of two changes no digit of any float, so the answers for vectors of usual
length are the oracle, beside numpy in float64. In float32 the squares of numbers above 1.8e19 are
infinite, and of numbers below 1e-23 nothing.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_words import small_words

from core.decode.nearest import decode
from core.metrics.fidelity import fidelity
from core.metrics.similarity import similarity
from core.paths.axes import axis_between, scatter
from core.paths.expression import combine, parse
from core.paths.off_manifold import norm_percentile
from core.paths.plane import plane_of_path
from core.pipeline.compare.comparison import compare
from core.pipeline.paths.space_path import path
from core.pipeline.students.seed_drift import drift_of
from core.pipeline.workspace import Workspace
from core.spaces.linalg import paired_cosines, row_lengths, unit_rows
from core.spaces.neighbors import knn_graph, nearest
from core.spaces.space import Provenance, Space

FACTORS = [2.0**70, 2.0**-78]  # 1.2e21 and 3.3e-24


def space_of(vectors, words=None):
    words = words or [f"w{row}" for row in range(len(vectors))]
    return Space.create(words, vectors, Provenance("test", "test"))


@pytest.mark.parametrize("factor", FACTORS)
def test_directions_do_not_depend_on_length(factor):
    usual = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    usual[3] = 0
    mixed = usual.copy()
    mixed[::2] *= np.float32(factor)
    np.testing.assert_array_equal(unit_rows(mixed), unit_rows(usual))
    true = np.linalg.norm(usual.astype(np.float64) * factor, axis=1)
    np.testing.assert_allclose(row_lengths(usual * np.float32(factor)), true)
    np.testing.assert_allclose(
        paired_cosines(mixed[1:], mixed[:-1]), paired_cosines(usual[1:], usual[:-1]), atol=1e-7
    )


@given(
    st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1, max_size=9),
    st.integers(1, 4),
)
def test_any_row_of_finite_numbers_has_length_one_or_zero(row, copies):
    vectors = np.array([row] * copies, np.float32)
    unit = unit_rows(vectors)
    length = np.linalg.norm(unit.astype(np.float64), axis=1)
    assert np.allclose(length, 1, atol=1e-6) or (not vectors.any() and not unit.any())
    if vectors.any():  # float64 would be exact to 1e-16: twice a last digit of float32 is left
        peak = np.abs(vectors.astype(np.float64)).max()
        wide = vectors.astype(np.float64) / peak
        true = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        np.testing.assert_allclose(unit, true, atol=2e-7)


@pytest.mark.parametrize("factor", FACTORS)
def test_neighbours_axes_sums_and_planes(factor):
    words, vectors = small_words()
    usual, other = (space_of(scaled, words) for scaled in (vectors, vectors * np.float32(factor)))
    for one, two in zip(_said(usual), _said(other), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.norms, usual.norms * np.float32(factor), rtol=1e-6)


def _said(space):
    """Everything about directions that the lower rooms say of a space, one array each."""
    rows = {word: space.find(word) for word in ("king", "man", "woman", "small", "large")}
    chosen = space.vectors[list(rows.values())]
    graph = knn_graph(space.unit, k=10)
    yield graph.indices
    yield graph.cosines
    yield nearest(space.unit, chosen, 5)[0]
    yield decode(space, chosen, 5)[1]
    yield combine(parse("king - man + woman"), chosen[:3])
    small, large = (
        axis_between([low], space.vectors[[rows[low]]], [high], space.vectors[[rows[high]]])
        for low, high in (("small", "large"), ("man", "woman"))
    )
    found = scatter(space, small, large)
    yield found.coords
    yield found.residual
    yield plane_of_path(chosen).view(space.vectors[:50]).x
    yield plane_of_path(chosen).view(space.vectors[:50]).residual
    yield norm_percentile(space, chosen)
    yield space.centred.unit


@pytest.mark.parametrize("factor", FACTORS)
def test_two_tables_are_measured_alike(factor):
    generator = np.random.default_rng(1)
    teacher = generator.normal(size=(300, 12)).astype(np.float32)
    student = (teacher + 0.3 * generator.normal(size=teacher.shape)).astype(np.float32)
    scale = np.float32(factor)
    one, other = fidelity(teacher, student), fidelity(teacher * scale, student * scale)
    assert other.relative_error == pytest.approx(one.relative_error, rel=1e-5)
    assert other.cosine == pytest.approx(one.cosine, rel=1e-6)
    assert other.recall == one.recall
    assert other.intervals["relative_error"].low == pytest.approx(
        one.intervals["relative_error"].low, rel=1e-5
    )
    alike = similarity(teacher, student).report()
    for name, value in similarity(teacher * scale, student * scale).report().items():
        assert value == pytest.approx(alike[name], rel=1e-6), name
    np.testing.assert_allclose(
        drift_of(teacher * scale, student * scale), drift_of(teacher, student), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["lerp", "slerp", "graph"])
def test_paths_and_comparisons_of_files(kind, tmp_path):
    words, vectors = small_words()
    workspace = Workspace(tmp_path / "workspace")
    references = []
    for number, factor in enumerate([1.0, *FACTORS]):
        file = tmp_path / f"{number}.npz"
        np.savez(file, words=np.array(words), vectors=vectors * np.float32(factor))
        references.append(f"vectors:{file}")
    ways = [path(workspace, it, ["dog", "table", "ocean"], kind) for it in references]
    for way, factor in zip(ways[1:], FACTORS, strict=True):
        np.testing.assert_array_equal(way.nearest, ways[0].nearest)
        np.testing.assert_allclose(way.cosine_to_end, ways[0].cosine_to_end, atol=1e-6)
        np.testing.assert_allclose(way.norm, ways[0].norm * np.float32(factor), rtol=1e-6)
        np.testing.assert_allclose(way.norm_percentile, ways[0].norm_percentile)
    if kind == "lerp":
        for reference in references[1:]:
            found = compare(workspace, references[0], reference)
            assert found.summary["procrustes_residual"] < 1e-9
            assert found.drift.max() < 1e-5
