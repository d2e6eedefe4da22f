"""The family "codes": packing, planning, learning, budgets, and coming back from disk."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Cancelled, InvalidSpecification, InvalidStudent, UnknownItem
from core.metrics.fidelity import fidelity
from core.spaces.space import Provenance, Space
from core.students.base import Origin
from core.students.checkpoint import Checkpoints
from core.students.coding.codebooks import Decoder, pack, plan, unpack, water_filling
from core.students.families import codes as module
from core.students.families.codes import FAMILY, CodesSpec, CodesStudent
from core.students.registry import fit, load
from core.students.storage import parts, save, size_bytes


def correlated(n: int, d: int, seed: int = 0) -> Space:
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.normal(size=(d, d)))[0]
    vectors = generator.normal(size=(n, d)) * 0.8 ** np.arange(d) @ turn + 0.3
    return Space.create([f"word{i}" for i in range(n)], vectors, Provenance("toy", "toy"))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 60)
    monkeypatch.setattr(module, "QUICK_STEPS", 20)


@pytest.fixture(scope="module")
def space() -> Space:
    return correlated(1000, 16)


@given(
    bits=st.integers(1, 8), n=st.integers(0, 20), pieces=st.integers(0, 7), seed=st.integers(0, 999)
)
def test_codes_come_back_from_their_bits(bits: int, n: int, pieces: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 2**bits, (n, pieces)).astype(np.uint8)
    packed = pack(codes, bits)
    assert packed.nbytes == -(-n * pieces * bits // 8)
    np.testing.assert_array_equal(unpack(packed, n, pieces, bits), codes)


def test_packing_is_plain_binary() -> None:
    codes = np.array([[5, 2, 7], [1, 0, 6]], np.uint8)
    stream = "".join(f"{code:03b}" for code in codes.ravel())
    expected = [int(stream[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(stream), 8)]
    assert pack(codes, 3).tolist() == expected


@given(seed=st.integers(0, 999), bits=st.floats(0.1, 60))
def test_water_fills_to_one_level(seed: int, bits: float) -> None:
    variances = np.sort(np.random.default_rng(seed).exponential(size=10) + 1e-6)[::-1]
    rates = water_filling(variances, bits)
    assert rates.sum() == pytest.approx(bits)
    left = variances * 4.0**-rates
    level = left[rates > 0].max()
    np.testing.assert_allclose(left[rates > 0], level, rtol=1e-6)
    assert (variances[rates == 0] <= level * (1 + 1e-6)).all()


@pytest.mark.parametrize("bytes_per_item", [8.0, 12.0, 20.0])
def test_it_keeps_to_its_budget_and_more_bytes_are_better(
    space: Space, bytes_per_item: float
) -> None:
    student = fit(space, CodesSpec(bytes_per_item=bytes_per_item))
    assert size_bytes(student) <= bytes_per_item * len(space)
    assert sum(parts(student).values()) == size_bytes(student)
    error = fidelity(space.vectors, student.generate(space.texts)).relative_error
    assert error < {8.0: 0.8, 12.0: 0.25, 20.0: 0.06}[bytes_per_item]
    assert student.parameters() > 0
    assert student.operations() > 0


def test_training_makes_it_better_than_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    flat = generator.normal(size=(1500, 4))  # what principal axes cannot see: a curved sheet
    bent = np.concatenate([flat, np.abs(flat[:, :2]) - 0.8, flat[:, :2] * flat[:, 2:]], axis=1)
    curved = Space.create([f"w{i}" for i in range(1500)], bent, Provenance("toy", "bent"))

    def error(steps: int) -> float:
        monkeypatch.setattr(module, "STEPS", steps)
        student = fit(curved, CodesSpec(bytes_per_item=7.0))
        return fidelity(curved.vectors, student.generate(curved.texts)).relative_error

    assert error(200) < error(1)


def test_it_comes_back_from_disk(space: Space, tmp_path: Path) -> None:
    student = fit(space, CodesSpec(bytes_per_item=12.0, quick=True))
    save(student, tmp_path / "student")
    back = load(tmp_path / "student")
    np.testing.assert_array_equal(back.generate(space.texts), student.generate(space.texts))
    on_disk = sum(path.stat().st_size for path in (tmp_path / "student").iterdir())
    assert on_disk == size_bytes(student) == size_bytes(back)
    assert back.vocabulary == student.vocabulary


def test_the_stored_decoder_is_what_was_trained(space: Space) -> None:
    student = fit(space, CodesSpec(bytes_per_item=12.0, quick=True))
    assert isinstance(student, CodesStudent)
    shape = student._decoder.plan
    again = Decoder.of(student._decoder.arrays(), shape.pieces, shape.bits)
    one, other = (it.decode(student._codes[:50]) for it in (again, student._decoder))
    np.testing.assert_array_equal(one, other)
    slow = []  # one row after the other, one axis after the other
    for codes in student._codes[:5]:
        z = np.array(
            [
                float(again.levels[a, codes[shape.groups[a]]]) * float(again.level_scales[a])
                for a in range(shape.axes)
            ]
        )
        row = z @ (again.basis * again.basis_scales.astype(np.float64)[:, None])
        row = row + np.maximum(z @ again.inner.astype(np.float64) + again.bias, 0) @ again.outer
        slow.append(again.mean + row * again.scale)
    np.testing.assert_allclose(one[:5], slow, atol=1e-4)


def test_order_of_texts_and_case(space: Space) -> None:
    student = fit(space, CodesSpec(bytes_per_item=12.0, quick=True))
    both = student.generate(["word7", "word3"])
    np.testing.assert_array_equal(both[::-1], student.generate(["word3", "Word7"]))
    assert student.generate([]).shape == (0, 16)
    with pytest.raises(UnknownItem, match="a speller or hybrid reads any text"):
        student.generate(["no such word"])


def test_the_same_seed_gives_the_same_student_and_a_resumed_one_too(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = CodesSpec(bytes_per_item=12.0)
    plain = fit(space, spec).generate(space.texts)
    np.testing.assert_array_equal(fit(space, spec).generate(space.texts), plain)
    checkpoints = Checkpoints(tmp_path / "training")

    def stop(done: int, total: int, message: str) -> bool:
        return not message.startswith("learning") or done < 30

    with pytest.raises(Cancelled):
        fit(space, spec, stop, checkpoints)
    assert checkpoints.previewed() is None or checkpoints.previewed()[1].shape[1] == 16
    np.testing.assert_array_equal(
        fit(space, spec, checkpoints=checkpoints).generate(space.texts), plain
    )


def test_keeping_neighbours_trains_too(space: Space) -> None:
    student = fit(space, CodesSpec(bytes_per_item=12.0, neighbours=0.1, quick=True))
    assert fidelity(space.vectors, student.generate(space.texts)).relative_error < 0.5


def test_a_space_that_is_one_point_comes_back_exactly() -> None:
    for n in (1, 30):
        vectors = np.tile(np.array([[0.1, -3.0, 7.7]], np.float32), (n, 1))
        flat = Space.create([f"w{i}" for i in range(n)], vectors, Provenance("toy", "flat"))
        student = fit(flat, CodesSpec(bytes_per_item=5000.0))
        np.testing.assert_array_equal(student.generate(flat.texts), vectors)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_small_spaces(n: int, tmp_path: Path) -> None:
    small = correlated(n, 8)
    student = fit(small, CodesSpec(bytes_per_item=4000 / n + 60))
    save(student, tmp_path / "s")
    assert np.isfinite(load(tmp_path / "s").generate(small.texts)).all()
    assert size_bytes(student) <= 4000 + 60 * n


def test_texts_that_occur_twice_keep_the_first_vector() -> None:
    once = correlated(400, 8)
    twice = Space.create(
        [*once.texts, "word3"],
        np.concatenate([once.vectors, np.full((1, 8), 50, np.float32)]),
        Provenance("toy", "twice"),
        ids=[str(i) for i in range(401)],
    )
    student = fit(twice, CodesSpec(bytes_per_item=24.0, quick=True))
    assert len(student.vocabulary) == 400
    assert any("1 texts occur more than once" in note for note in student.notes)
    assert np.abs(student.generate(["word3"])).max() < 20


def test_budgets_that_cannot_suffice_and_weights_outside_are_refused(space: Space) -> None:
    with pytest.raises(InvalidSpecification, match="give at least"):
        fit(space, CodesSpec(bytes_per_item=1.0))
    with pytest.raises(InvalidSpecification, match="0 keeps the vectors only"):
        CodesSpec(neighbours=-1.0)
    with pytest.raises(Cancelled):
        fit(space, CodesSpec(bytes_per_item=12.0), lambda done, total, message: False)


def test_codes_cut_short_are_refused(space: Space) -> None:
    student = fit(space, CodesSpec(bytes_per_item=12.0, quick=True))
    stored = student.stored()
    arrays = {**stored.arrays, "codes.packed": stored.arrays["codes.packed"][:-1]}
    with pytest.raises(InvalidStudent, match="copy the student again"):
        FAMILY.restore(student.spec, Origin.of(space), type(stored)(arrays, stored.payload), ())


@settings(max_examples=10)
@given(room=st.integers(0, 60_000), seed=st.integers(0, 99))
def test_a_plan_fits_its_room(room: int, seed: int) -> None:
    vectors = correlated(1000, 12, seed).vectors
    shape = plan(vectors, room)
    stored = 1000 * shape.pieces * shape.bits / 8
    if shape.axes:
        stored += shape.axes * (2**shape.bits + 12 + 6) + 2 * shape.hidden * (shape.axes + 13)
        assert sorted(set(shape.groups.tolist())) == list(range(shape.pieces))
    assert stored <= room


@pytest.mark.parametrize("size", [1e-7, 1e7])
def test_numbers_of_any_size_fit_their_16_bits(space: Space, size: float) -> None:
    scaled = Space.create(space.texts, space.vectors * size, Provenance("toy", "scaled"))
    student = fit(scaled, CodesSpec(bytes_per_item=14.0, quick=True))
    assert fidelity(scaled.vectors, student.generate(scaled.texts)).relative_error < 0.3
