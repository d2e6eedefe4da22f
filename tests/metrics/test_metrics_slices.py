"""Slices: every item in one slice of each kind, and their figures add up to the whole's."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics import slices as module
from core.metrics.fidelity import fidelity, held_out_fidelity
from core.metrics.slices import slices
from core.spaces.space import Provenance, Space


def labelled(n: int, seed: int) -> tuple[Space, np.ndarray]:
    generator = np.random.default_rng(seed)
    texts = [f"{'##' if row % 3 == 0 else ''}{'x' * (1 + row % 12)}" for row in range(n)]
    table = pd.DataFrame(
        {
            "kind": ["piece" if text.startswith("##") else "word" for text in texts],
            "category": generator.choice(["noun.animal", "verb.motion", ""], n),
            "frequency_rank": generator.choice([-1, 5, 999, 1000, 50_000, 399_999], n),
        }
    )
    vectors = generator.normal(size=(n, 5)).astype(np.float32)
    space = Space.create(
        texts, vectors, Provenance("toy", "toy"), ids=[str(r) for r in range(n)], metadata=table
    )
    return space, (vectors + 0.4 * generator.normal(size=(n, 5))).astype(np.float32)


@given(seed=st.integers(0, 2**16), n=st.integers(1, 120))
@settings(max_examples=25)
def test_slices_add_up_to_the_whole(seed: int, n: int) -> None:
    space, student = labelled(n, seed)
    measured = fidelity(space.vectors, student)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEWEST", 1)
        found = slices(space, measured)
    for by in ("frequency", "category", "kind", "length"):
        parts = [it for it in found if it.by == by]
        assert sum(it.items for it in parts) == n
        assert sum(it.queries for it in parts) == len(measured.rows)
        cosine = sum(it.items * it.cosine for it in parts) / n
        assert cosine == pytest.approx(measured.cosine, abs=1e-6)
        if n > 11:
            recall = sum(it.queries * it.recall10 for it in parts) / n
            assert recall == pytest.approx(measured.recall[10], abs=1e-4)
        else:  # each item has no more than ten others: none of them could be lost
            assert {it.recall10 for it in parts} == {None}


def test_figures_of_a_slice_are_those_of_its_rows() -> None:
    space, student = labelled(300, seed=1)
    found = {(it.by, it.value): it for it in slices(space, fidelity(space.vectors, student))}
    rows = np.flatnonzero(space.metadata["category"] == "verb.motion")
    x, s = space.vectors[rows].astype(np.float64), student[rows].astype(np.float64)
    expected = ((x - s) ** 2).sum() / ((x - space.vectors.mean(axis=0)) ** 2).sum()
    one = found["category", "verb.motion"]
    assert one.items == len(rows)
    assert one.relative_error == pytest.approx(expected, rel=1e-4)
    assert ("category", "unknown") in found
    json.dumps([it.report() for it in found.values()])


def test_bands_are_named_and_ordered() -> None:
    space, student = labelled(600, seed=2)
    found = slices(space, fidelity(space.vectors, student))
    assert [it.value for it in found if it.by == "frequency"] == [
        *("first 1,000", "1,001 to 10,000", "10,001 to 100,000", "after 100,000", "unknown")
    ]
    lengths = [it.value for it in found if it.by == "length"]
    assert lengths == ["1 to 3 letters", "4 to 6 letters", "7 to 9 letters", "more than 9 letters"]
    assert {it.value for it in found if it.by == "kind"} == {"word", "piece"}


def test_held_out_rows_are_sliced_too_and_small_slices_left_out() -> None:
    space, student = labelled(400, seed=3)
    rows = np.arange(0, 400, 4)
    measured = held_out_fidelity(space.vectors, rows, student[rows])
    found = slices(space, measured, rows)
    assert sum(it.items for it in found if it.by == "kind") == 100
    assert all(it.items >= module.FEWEST for it in found)
    assert all(it.queries == it.items for it in found)


def test_sentences_are_sliced_by_their_words() -> None:
    texts = [f"{'word ' * (row % 20)}end {row}" for row in range(100)]
    vectors = np.random.default_rng(4).normal(size=(100, 3)).astype(np.float32)
    space = Space.create(texts, vectors, Provenance("toy", "sentences"))
    found = slices(space, fidelity(vectors, vectors))
    assert {it.by for it in found} == {"words"}
    assert [it.value for it in found] == ["2 to 5 words", "6 to 15 words", "more than 15 words"]
