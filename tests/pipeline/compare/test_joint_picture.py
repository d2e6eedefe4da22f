"""core.pipeline.compare.joint_picture: where a second space falls in the first one's picture."""

from pathlib import Path

import numpy as np
import pytest
from compared_words import ASTRAY, write_second
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Cancelled
from core.pipeline import Workspace
from core.pipeline.compare.comparison import compare
from core.pipeline.compare.joint_picture import (
    along,
    counterpart,
    draw_over,
    drawn_rows,
    falls,
    has_counterpart,
)
from core.projection.base import PcaSpec, TsneSpec
from core.projection.pca import pca
from core.types import silent

DRAWN = TsneSpec(perplexity=5, early_iterations=20, iterations=30, seed=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def turned(workspace, words_reference, tmp_path_factory):
    second = write_second(tmp_path_factory.mktemp("second") / "second.npz")
    return compare(workspace, words_reference, f"vectors:{second}")


@pytest.fixture(scope="module")
def flat(workspace, words_reference, tmp_path_factory):
    """The second space has fewer dimensions than the first, and the other way round."""
    second = write_second(tmp_path_factory.mktemp("second") / "flat.npz", dims=20)
    pair = (words_reference, f"vectors:{second}")
    return compare(workspace, *pair), compare(workspace, *pair[::-1])


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(2, 9))
def test_the_directions_of_a_picture_are_found_again(seed, n, d):
    """Oracle: the vectors that the picture was made of fall where the picture has them."""
    unit = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    picture, _ = pca(unit, 2)
    np.testing.assert_allclose(along(unit, picture, unit), picture, atol=2e-4)


def test_what_lies_beyond_the_dimensions_casts_no_shadow():
    unit = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
    picture, _ = pca(unit, 2)
    wider = np.concatenate([unit, np.full((5, 3), 7, np.float32)], axis=1)
    np.testing.assert_allclose(along(unit, picture, wider), picture, atol=1e-5)


@pytest.mark.parametrize("spec", [PcaSpec(), DRAWN], ids=["pca", "t-sne"])
def test_a_turned_copy_stays_where_it_was(workspace, turned, spec):
    """What is left of the way is what the words astray took from the turn."""
    made = counterpart(workspace, turned, spec)
    away = np.linalg.norm(made.a - made.b, axis=1) / np.ptp(made.a, axis=0).max()
    astray = np.isin(np.array(turned.a.texts)[made.rows], ASTRAY)
    assert np.median(away[~astray]) < 0.02
    assert away[astray].min() > 4 * np.median(away[~astray])


def test_an_item_falls_on_itself(workspace, turned):
    """Whatever the picture, A's own vectors are where A has them."""
    for spec in (PcaSpec(), DRAWN):
        made = counterpart(workspace, turned, spec)
        found = falls(
            workspace, turned, spec, turned.a.vectors[made.rows], turned.a.norms[made.rows]
        )
        np.testing.assert_allclose(found, made.a, atol=1e-3 * np.ptp(made.a))


@pytest.mark.parametrize("spec", [PcaSpec(), DRAWN], ids=["pca", "t-sne"])
def test_other_dimensions(workspace, flat, spec):
    for comparison in flat:
        made = counterpart(workspace, comparison, spec)
        assert made.a.shape == made.b.shape == (250, 2)
        assert np.isfinite(made.b).all()


def test_it_is_kept(workspace, turned):
    first = counterpart(workspace, turned, DRAWN)
    assert has_counterpart(workspace, turned, DRAWN)
    again = counterpart(workspace, turned, DRAWN, lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(first.b, again.b)
    assert not has_counterpart(workspace, turned, TsneSpec(perplexity=4))
    assert has_counterpart(workspace, turned, PcaSpec())


def test_it_goes_with_the_picture_that_it_was_placed_in(workspace, turned, monkeypatch):
    counterpart(workspace, turned, DRAWN)
    monkeypatch.setattr(
        "core.pipeline.workspace.WAY", -1
    )  # pictures come out otherwise from now on
    assert not has_counterpart(workspace, turned, DRAWN)


def test_stop(workspace, turned):
    rows = drawn_rows(turned)
    with pytest.raises(Cancelled, match="stopped at 0 of"):
        falls(workspace, turned, DRAWN, turned.b.vectors, turned.a.norms, lambda *_: False)
    assert len(rows) == turned.shared


def test_all_that_the_page_shows(tmp_path: Path, words_reference, tmp_path_factory):
    own = Workspace(tmp_path)
    second = f"vectors:{write_second(tmp_path_factory.mktemp('all') / 'second.npz')}"
    draw_over(own, words_reference, second, PcaSpec(), silent)
    fresh = Workspace(tmp_path)
    space = fresh.space(words_reference)
    assert fresh.has_faithfulness(space, PcaSpec())
    assert fresh.has_graph(space)
    assert fresh.has_graph(fresh.space(second))
