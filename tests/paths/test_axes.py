"""Semantic axes: calibration, the exact scatter, and what it leaves out."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA

from core.errors import InvalidSpecification
from core.paths.axes import axis_between, scatter
from core.spaces.space import Provenance, Space

COORDINATE = st.floats(-5, 5, width=32)


def random_space(n=60, dim=5, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dim)) + 0.5
    return Space.create([f"w{i}" for i in range(n)], vectors, Provenance("random", "random"))


def axis_of(space, start, end):
    return axis_between(
        [space.texts[i] for i in start],
        space.vectors[list(start)],
        [space.texts[i] for i in end],
        space.vectors[list(end)],
    )


def unit(vectors):
    doubles = vectors.astype(float)
    return doubles / np.linalg.norm(doubles, axis=1, keepdims=True)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(4)), elements=COORDINATE),
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(4)), elements=COORDINATE),
)
def test_the_groups_stand_at_minus_one_and_plus_one(low, high):
    assume((np.linalg.norm(np.concatenate([low, high]), axis=1) > 0.1).all())
    difference = unit(high).mean(axis=0) - unit(low).mean(axis=0)
    assume(np.linalg.norm(difference) > 0.05)
    start = [f"a{i}" for i in range(len(low))]
    end = [f"b{i}" for i in range(len(high))]
    axis = axis_between(start, low, end, high)
    assert np.linalg.norm(axis.direction) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(axis.direction, difference / np.linalg.norm(difference), atol=1e-5)
    assert axis.score(low).mean() == pytest.approx(-1, abs=1e-4)
    assert axis.score(high).mean() == pytest.approx(1, abs=1e-4)
    # Turned round, every score changes its sign.
    other = axis_between(end, high, start, low)
    np.testing.assert_allclose(other.score(low), -axis.score(low), atol=1e-4)


def test_scores_against_float64():
    space = random_space()
    axis = axis_of(space, (0, 1), (2, 3, 4))
    u = unit(space.vectors)
    low, high = u[[0, 1]].mean(axis=0), u[[2, 3, 4]].mean(axis=0)
    oracle = 2 * (u - (low + high) / 2) @ (high - low) / np.sum((high - low) ** 2)
    np.testing.assert_allclose(axis.score(space.vectors), oracle, atol=1e-5)


def test_length_does_not_count_and_zero_is_not_a_number_too_many():
    space = random_space()
    axis = axis_of(space, (0,), (1,))
    longer = (space.vectors * np.float32(7)).astype(np.float32)
    np.testing.assert_allclose(axis.score(longer), axis.score(space.vectors), atol=1e-5)
    assert np.isfinite(axis.score(np.zeros((1, 5), dtype=np.float32))).all()


def test_scatter_shows_both_scores_and_the_angle():
    space = random_space()
    x, y = axis_of(space, (0,), (1,)), axis_of(space, (2, 3), (4,))
    seen = scatter(space, x, y)
    np.testing.assert_allclose(seen.coords[:, 0], x.score(space.vectors), atol=1e-5)
    np.testing.assert_allclose(seen.coords[:, 1], y.score(space.vectors), atol=1e-5)
    assert seen.cosine == pytest.approx(float(x.direction @ y.direction), abs=1e-6)
    assert seen.angle == pytest.approx(np.degrees(np.arccos(seen.cosine)), abs=1e-6)


def test_residual_by_least_squares():
    space = random_space()
    x, y = axis_of(space, (0,), (1,)), axis_of(space, (2, 3), (4,))
    seen = scatter(space, x, y)
    offsets = unit(space.vectors) - unit(space.vectors).mean(axis=0)
    both = np.stack([x.direction, y.direction], axis=1).astype(float)
    fitted = both @ np.linalg.lstsq(both, offsets.T, rcond=None)[0]
    rest = offsets - fitted.T
    np.testing.assert_allclose(seen.residual, np.linalg.norm(rest, axis=1), atol=1e-5)
    assert seen.unshown == pytest.approx((rest**2).sum() / (offsets**2).sum(), abs=1e-6)


@given(st.integers(0, 50))
def test_no_two_axes_show_more_than_pca(seed):
    space = random_space(seed=seed)
    pca = PCA(2).fit(unit(space.vectors))
    seen = scatter(space, axis_of(space, (0,), (1,)), axis_of(space, (2,), (3,)))
    assert 1 - pca.explained_variance_ratio_.sum() - 1e-6 <= seen.unshown <= 1


def test_two_dimensions_are_shown_in_full():
    space = random_space(dim=2)
    seen = scatter(space, axis_of(space, (0,), (1,)), axis_of(space, (2,), (3,)))
    assert seen.unshown < 1e-9
    assert seen.residual.max() < 1e-6


def test_blocks_do_not_show(monkeypatch):
    space = random_space()
    x, y = axis_of(space, (0,), (1,)), axis_of(space, (2,), (3,))
    whole = scatter(space, x, y)
    monkeypatch.setattr("core.paths.axes.BLOCK", 7)
    again = scatter(space, x, y)
    np.testing.assert_array_equal(whole.residual, again.residual)
    assert whole.unshown == pytest.approx(again.unshown)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ([], ["b"], "found no words in the 'from' list"),
        (["a"], [], "found no words in the 'to' list"),
        (["a", "b"], ["c", "B"], "found 'b' on both sides of the axis"),
        (["a"], ["longer a"], "two lists that mean the same point"),
        (["a"], ["zero"], "found a zero vector for 'zero'"),
    ],
)
def test_axes_without_a_direction(start, end, message):
    vectors = {"a": [1, 0], "b": [0, 1], "B": [0, 1], "c": [1, 1], "longer a": [3, 0]}
    low, high = (
        np.array([vectors.get(word, [0, 0]) for word in side], np.float32).reshape(-1, 2)
        for side in (start, end)
    )
    with pytest.raises(InvalidSpecification, match=message):
        axis_between(start, low, end, high)


def test_parallel_axes():
    space = random_space()
    there, back = axis_of(space, (0,), (1,)), axis_of(space, (1,), (0,))
    for other, cosine in ((there, r"\+1.0000"), (back, r"-1.0000")):
        with pytest.raises(InvalidSpecification, match=f"parallel axes .cosine {cosine}"):
            scatter(space, there, other)


def test_a_vector_for_every_word():
    one = np.ones((1, 2), dtype=np.float32)
    with pytest.raises(InvalidSpecification, match="found 2 words and 1 vectors"):
        axis_between(["a", "b"], one, ["c"], one)
