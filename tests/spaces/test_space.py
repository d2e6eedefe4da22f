"""A space: what it refuses, and what its derived figures obey."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.errors import InvalidVectors
from core.spaces.space import Provenance, Space

HERE = Provenance("test", "by hand")
MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 6)),
    elements=st.floats(-100, 100, width=32),
)


def space(vectors, **more):
    return Space.create([f"w{row}" for row in range(len(vectors))], vectors, HERE, **more)


@given(MATRICES)
def test_unit_rows_and_norms_agree_with_float64(matrix):
    made = space(matrix)
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    # Squares below 1e-38 underflow in float32: a norm under 1e-18 may come out as 0.
    np.testing.assert_allclose(made.norms, norms, rtol=1e-5, atol=1e-18)
    np.testing.assert_allclose(made.unit * norms[:, None], matrix, rtol=1e-4, atol=1e-5)
    lengths = np.linalg.norm(made.unit.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths[norms > 1e-3], 1, rtol=1e-5)


@given(MATRICES)
def test_centred_has_mean_zero_and_another_digest(matrix):
    made = space(matrix)
    centred = made.centred
    np.testing.assert_allclose(centred.vectors.mean(axis=0, dtype=np.float64), 0, atol=1e-4)
    assert centred.digest != made.digest
    assert centred.texts == made.texts


def test_vectors_are_frozen_and_the_callers_array_is_not():
    mine = np.ones((2, 2), dtype=np.float32)
    made = space(mine)
    with pytest.raises(ValueError, match="read-only"):
        made.vectors[0, 0] = 5
    mine.sum()
    assert made.vectors.flags.c_contiguous


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_not_finite_rows_are_named(bad):
    vectors = np.zeros((3, 2))
    vectors[1, 0] = bad
    with pytest.raises(InvalidVectors, match=r"found NaN or infinity in row 1 \('w1'\)"):
        space(vectors)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1, 2], [3]], "found rows of different lengths"),
        ([["a", "b"]], "found rows of different lengths or entries that are not numbers"),
        (np.zeros((2, 0)), r"found an array of shape \(2, 0\)"),
        (np.zeros(3), r"found an array of shape \(3,\)"),
    ],
)
def test_what_is_no_matrix(vectors, message):
    with pytest.raises(InvalidVectors, match=message):
        space(vectors)


def test_ids_are_unique_and_counts_agree():
    with pytest.raises(InvalidVectors, match="found 1 ids more than once, such as 'a'"):
        Space.create(["a", "a"], np.eye(2), HERE)
    with pytest.raises(InvalidVectors, match="found 1 texts, 1 ids, 2 vectors"):
        Space.create(["a"], np.eye(2), HERE)
    assert len(Space.create(["a", "a"], np.eye(2), HERE, ids=["1", "2"])) == 2


def test_find_is_exact_first():
    made = Space.create(["polish", "Polish", "😀", "שלום"], np.eye(4), HERE)
    assert made.find("Polish") == 1
    assert made.find("POLISH") == 0
    assert made.find("😀") == 2
    assert made.find("שלום") == 3
    assert made.find("x" * 100_000) is None


def test_digest_sees_every_part():
    base = space(np.eye(3))
    other = [
        space(np.eye(3) * 2),
        Space.create(["w0", "w1", "x"], np.eye(3), HERE),
        space(np.eye(3), metadata=pd.DataFrame({"a": [1, 2, 3]})),
        Space.create(["w0", "w1", "w2"], np.eye(3), Provenance("test", "other")),
    ]
    assert len({made.digest for made in [base, *other]}) == 5
    assert space(np.eye(3)).digest == base.digest


def test_take_keeps_rows_together():
    made = space(np.arange(12).reshape(4, 3), metadata=pd.DataFrame({"a": list("pqrs")}))
    part = made.take(np.array([3, 1], dtype=np.int64), "part")
    assert part.texts == ("w3", "w1")
    assert list(part.metadata["a"]) == ["s", "q"]
    np.testing.assert_array_equal(part.vectors[0], [9, 10, 11])
    assert part.name == "part"
