"""Vocabulary, entropy coder and the transform student: round trips, budgets, random access."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidSpecification, InvalidStudent, UnknownItem
from core.spaces.space import Provenance, Space
from core.students.base import StudentSpec
from core.students.coding.coded_matrix import CodedMatrix
from core.students.coding.frequency_tables import as_levels, cumulated
from core.students.coding.prefix_prediction import Relatives
from core.students.coding.trellis import POLYNOMIALS, sources, trellis
from core.students.coding.vocabulary import Vocabulary
from core.students.families.linear import Principal
from core.students.families.transform import TransformSpec, TransformStudent
from core.students.registry import fit, load
from core.students.storage import parts, save, size_bytes

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def made_space(n: int, d: int, seed: int = 0, spread: float = 4.0) -> Space:
    """Gaussian vectors whose components have deviations from 1 to ``spread``, turned."""
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.normal(size=(d, d)))[0]
    vectors = generator.normal(size=(n, d)) * np.linspace(spread, 1, d) @ turn + 3
    words = [f"w{generator.integers(1e9):x}{row}" for row in range(n)]
    return Space.create(words, vectors, Provenance("gauss", "made"))


# Vocabulary


@settings(max_examples=40, deadline=None)
@given(st.lists(text, max_size=40))
def test_a_vocabulary_packs_any_texts(texts):
    vocabulary, rows = Vocabulary.of(texts)
    assert vocabulary.texts == tuple(sorted(set(texts), key=str.encode))
    assert [texts[row] for row in rows] == list(vocabulary.texts)
    assert all(texts.index(texts[row]) == row for row in rows)  # the first of several
    assert Vocabulary.unpacked(vocabulary.packed()).texts == vocabulary.texts
    assert all(vocabulary.texts[vocabulary.find(text)] == text for text in texts)


def test_a_vocabulary_keeps_long_and_odd_texts():
    texts = ["", "\n", "a\nb\0c", "x" * 700, "x" * 699 + "y", "ÿþ", "日本語", "\U0010ffff"]
    vocabulary = Vocabulary.of(texts)[0]
    assert set(Vocabulary.unpacked(vocabulary.packed()).texts) == set(texts)


def test_half_a_surrogate_pair_is_said():
    with pytest.raises(InvalidSpecification, match=r"row 1.*mend that text"):
        Vocabulary.of(["fine", "\ud800"])


def test_a_vocabulary_finds_without_regard_to_case():
    vocabulary = Vocabulary.of(["Straße", "cat"])[0]
    assert vocabulary.find("STRASSE") == vocabulary.find("Straße")
    assert vocabulary.find("dog") is None


@pytest.mark.parametrize("cut", [0, 3, 20, -20])
def test_a_damaged_vocabulary_is_said(cut):
    packed = Vocabulary.of([f"word{i * 7919}" for i in range(300)])[0].packed()
    with pytest.raises(InvalidStudent, match="vocabulary"):
        Vocabulary.unpacked(packed[:cut])


# Coder


def test_the_trellis_is_a_permutation_with_two_ways_into_each_state():
    for states in POLYNOMIALS:
        following, ways = trellis(states), sources(states)
        assert np.bincount(following.ravel(), minlength=states).tolist() == [2] * states
        for state in range(states):
            assert following[ways[state, 0], ways[state, 1]] == state
            assert following[ways[state, 2], ways[state, 3]] == state


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=25))
def test_frequencies_fill_their_room_and_none_is_empty(counts):
    starts = cumulated(as_levels(np.array(counts) + 0.3))
    assert starts[0] == 0
    assert starts[-1] == 2**15
    assert (np.diff(starts) > 0).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 6),
    st.sampled_from([1, 4, 8]),
    st.floats(0.01, 500),
    st.integers(0, 99),
)
def test_what_is_decoded_is_near_and_the_same_by_row(n, k, states, deviation, seed):
    generator = np.random.default_rng(seed)
    matrix = (generator.standard_t(3, size=(n, k)) * deviation).astype(np.float32)
    labels = generator.integers(0, 3, n)
    coded = CodedMatrix.fit(matrix, 1.0, states=states, labels=labels, block=64, rounds=1)
    whole = coded.rows(np.arange(n))
    some = generator.integers(0, n, 7)
    assert (coded.rows(some) == whole[some]).all()
    again = CodedMatrix.restore(coded.arrays("codes"), coded.payload)
    assert (again.rows(some) == whole[some]).all()
    assert np.square(whole - matrix).mean() <= np.square(matrix).mean() + 1e-6
    if deviation > 20:
        most = 0.2 if matrix.size >= 100 else 1.0  # one number alone may lie in a cell's corner
        assert np.square(whole - matrix).mean() < most


def test_what_is_decoded_is_what_the_encoder_reckoned_with():
    """The decoder's points against the same formula in numpy, by the symbols that were chosen."""
    from core.students.coding.coded_matrix import _Scaled
    from core.students.coding.frequency_tables import initial

    generator = np.random.default_rng(5)
    matrix = generator.normal(size=(200, 5)).astype(np.float32) * 4
    none, means = Relatives.none(200), np.zeros((1, 5), np.int8)
    scaled = _Scaled(matrix, np.zeros(200, np.int64), means, none)
    model = initial(matrix, scaled.labels, 1, 8)
    chosen, totals, left = scaled.quantised(model, 0.4)
    expected = np.zeros_like(matrix)
    for row in range(200):
        state = 0
        for j in range(5):
            q = int(chosen[row, j])
            expected[row, j] = 2 * q - np.sign(q) * (state & 1)
            state = trellis(8)[state, q & 1]
    assert (left == matrix).all()  # nothing was predicted
    assert totals[:, 0] == pytest.approx(np.square(expected - matrix).sum(axis=1), rel=1e-4)


@pytest.mark.parametrize("states", [1, 8])
@pytest.mark.parametrize("deviation", [0.7, 3.0, 40.0])
def test_gaussian_numbers_are_coded_above_their_limit_and_near_it(states, deviation):
    generator = np.random.default_rng(1)
    matrix = (generator.normal(size=(3_000, 48)) * deviation).astype(np.float32)
    coded = CodedMatrix.fit(matrix, 2.0, states=states, price=0.35)
    error = float(np.square(coded.rows(np.arange(3_000)) - matrix).mean())
    bits = coded.nbytes * 8 / matrix.size
    limit = 0.5 * np.log2(deviation**2 / error)
    assert limit < bits < limit + (0.32 if states == 1 else 0.2)


def test_the_coder_spends_what_a_library_spends():
    """constriction's range coder on the same symbols with the frequencies they have."""
    import constriction

    generator = np.random.default_rng(2)
    matrix = generator.laplace(size=(4_000, 8)).astype(np.float32) * 3
    coded = CodedMatrix.fit(matrix, 1.0, states=1, block=4_000)
    symbols = np.round(coded.rows(np.arange(4_000))).astype(np.int32)
    low = int(symbols.min())
    shares = np.bincount((symbols - low).ravel()) + 1e-3
    model = constriction.stream.model.Categorical(
        (shares / shares.sum()).astype(np.float64), perfect=False
    )
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode((symbols - low).ravel(), model)
    assert coded.stream.nbytes == pytest.approx(encoder.get_compressed().nbytes, rel=0.015)


def test_relatives_are_the_most_alike_before():
    texts = ["walk", "walked", "walker", "walkers", "zebra"]
    relatives = Relatives.of(texts, 128)
    assert relatives.before.tolist() == [0, 1, 1, 1, 0]
    assert Relatives.of(texts, 2).before.tolist() == [0, 1, 0, 1, 0]  # never out of the block


def test_rows_that_copy_their_relative_cost_little():
    generator = np.random.default_rng(4)
    words = sorted({f"{generator.integers(1e6):06d}" for _ in range(400)})
    texts = [word + tail for word in words for tail in ("", "s")]
    matrix = np.repeat(generator.normal(size=(len(words), 8)), 2, axis=0).astype(np.float32) * 5
    relatives = Relatives.of(texts, 128).fitted(matrix)
    alone = CodedMatrix.fit(matrix, 1.0)
    helped = CodedMatrix.fit(matrix, 1.0, relatives=relatives)
    assert helped.stream.nbytes < 0.75 * alone.stream.nbytes
    again = CodedMatrix.restore(helped.arrays("codes"), helped.payload, "codes", texts)
    assert (again.rows(np.arange(9, 33)) == helped.rows(np.arange(9, 33))).all()
    with pytest.raises(InvalidStudent, match="texts"):
        CodedMatrix.restore(helped.arrays("codes"), helped.payload, "codes", texts[:-1])


def test_codes_that_are_cut_are_said():
    coded = CodedMatrix.fit(np.ones((300, 2), np.float32), 0.1)
    arrays = coded.arrays("codes")
    with pytest.raises(InvalidStudent, match="blocks"):
        CodedMatrix.restore({**arrays, "codes.stream": arrays["codes.stream"][:-1]}, coded.payload)
    with pytest.raises(InvalidStudent, match="table"):
        CodedMatrix.restore({**arrays, "codes.model": arrays["codes.model"][:-9]}, coded.payload)


# The student


@pytest.fixture(scope="module")
def gauss() -> Space:
    return made_space(1_500, 12)


@pytest.fixture(scope="module")
def student(gauss) -> TransformStudent:
    made = fit(gauss, TransformSpec(bytes_per_item=16.0))
    assert isinstance(made, TransformStudent)
    return made


def true_error(student, space) -> float:
    told = student.generate(space.texts)
    return float(np.square(told - space.vectors).sum() / np.square(space.centred.vectors).sum())


def test_it_fills_its_budget_and_no_more(student, gauss):
    budget = 16 * len(gauss)
    assert 0.985 * budget < size_bytes(student) <= budget
    assert sum(parts(student).values()) == size_bytes(student)
    assert true_error(student, gauss) < 0.3


def test_more_bytes_leave_less_error(gauss):
    errors = [
        true_error(fit(gauss, TransformSpec(bytes_per_item=b)), gauss) for b in (14.0, 18.0, 26.0)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02


def test_an_error_that_is_asked_for_is_reached(gauss):
    made = fit(gauss, TransformSpec(relative_error=0.1))
    assert 0.096 < true_error(made, gauss) <= 0.1


def test_random_access_equals_the_batch(student, gauss):
    whole = student.generate(gauss.texts)
    for row in (0, 777, 1_499):
        assert (student.coefficients(np.array([row])) == student.coefficients(
            np.arange(1_500))[row]).all()  # fmt: skip
        assert student.generate([gauss.texts[row]])[0] == pytest.approx(whole[row], abs=1e-5)


def test_it_is_never_below_the_limit_of_gaussian_vectors(student, gauss):
    variances = Principal.of(gauss.vectors).variances
    level = true_error(student, gauss) * variances.sum() / len(variances)
    limit = 0.5 * np.log2(np.maximum(variances / level, 1)).sum() * len(gauss) / 8
    assert parts(student)["codes"] > limit


def test_its_first_coefficients_are_a_smaller_student(student, gauss):
    errors = []
    for dims in (1, 3, 6, student.basis.k):
        told = student.generate(gauss.texts, dims=dims)
        errors.append(float(np.square(told - gauss.vectors).sum()))
    assert errors == sorted(errors, reverse=True)
    assert (told == student.generate(gauss.texts)).all()


def test_it_comes_back_from_disk_bit_for_bit(student, gauss, tmp_path):
    save(student, tmp_path / "it")
    again = load(tmp_path / "it")
    assert (again.generate(gauss.texts) == student.generate(gauss.texts)).all()
    assert again.spec == student.spec
    on_disk = sum(file.stat().st_size for file in (tmp_path / "it").iterdir())
    assert on_disk == size_bytes(student) == size_bytes(again)


def test_one_changed_byte_on_disk_is_noticed(student, tmp_path):
    save(student, tmp_path / "it")
    file = tmp_path / "it" / "student.safetensors"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidStudent, match="digest"):
        load(tmp_path / "it")


@pytest.mark.parametrize("n", [1, 40])
def test_a_constant_space_comes_back_exactly(n, tmp_path):
    vector = np.array([0.1, -2.7, 1e-3], np.float32)
    space = Space.create([f"w{i}" for i in range(n)], [vector] * n, Provenance("one", "made"))
    made = fit(space, TransformSpec(bytes_per_item=2_000.0))
    assert (made.generate(space.texts) == vector).all()
    save(made, tmp_path / "it")
    assert (load(tmp_path / "it").generate(["w0"]) == vector).all()


def test_a_small_space_works(tiny_space):
    made = fit(tiny_space, TransformSpec(bytes_per_item=64.0))
    assert size_bytes(made) <= 64 * 60
    assert true_error(made, tiny_space) < 0.1


def test_a_text_that_occurs_twice_keeps_its_first_vector():
    space = Space.create(
        ["a", "b", "a", "c"], np.eye(4) * 9, Provenance("twice", "made"), ids=list("1234")
    )
    made = fit(space, TransformSpec(bytes_per_item=500.0))
    assert len(made.vocabulary) == 3
    assert made.generate(["a"])[0] == pytest.approx([9, 0, 0, 0], abs=0.2)
    assert "1 rows repeat" in made.notes[0]


def test_a_budget_that_cannot_suffice_is_said(gauss):
    with pytest.raises(InvalidSpecification, match="give at least"):
        fit(gauss, TransformSpec(bytes_per_item=0.5))


@pytest.mark.parametrize("error", [0.0, 1.0, -3.0, float("nan")])
def test_an_error_outside_its_range_is_said(error):
    with pytest.raises(InvalidSpecification, match="relative error"):
        TransformSpec(relative_error=error)


def test_an_unknown_text_is_said(student):
    with pytest.raises(UnknownItem, match="'zyx'"):
        student.generate(["zyx"])
    assert student.generate([]).shape == (0, 12)


def test_it_stops_when_asked(gauss):
    with pytest.raises(Cancelled):
        fit(gauss, TransformSpec(bytes_per_item=16.0), lambda done, total, message: False)


def test_the_same_spec_gives_the_same_student(student, gauss):
    again = fit(gauss, replace(student.spec))
    assert isinstance(again.spec, StudentSpec)
    assert (again.generate(gauss.texts) == student.generate(gauss.texts)).all()
