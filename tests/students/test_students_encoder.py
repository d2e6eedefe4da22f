"""Encoder students on tiny BERT teachers of two layers, and their parts against libraries."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tiny_teacher import ODD, WORDS, save_teacher, texts

from core.errors import Cancelled, InvalidSpecification, InvalidStudent
from core.spaces.space import Provenance, Space
from core.students import registry, storage
from core.students.checkpoint import Checkpoints
from core.students.coding.range_coding import bits, pack, unpack
from core.students.encoders.quantisation import batches_of_one_length, code_layer, plan_layer
from core.students.encoders.training_texts import free_pieces, held_out, made_texts, trained_on
from core.students.encoders.wordpiece import read_pieces
from core.students.families.encoder import EncoderSpec
from core.students.registry import family, fit
from core.students.storage import parts, size_bytes
from core.types import silent

BYTES = 22_000


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return save_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def encoder(teacher):
    from core.teachers.encoder import load_encoder

    return load_encoder(teacher, "tiny", "float32")


@pytest.fixture(scope="module")
def space(encoder):
    """Words, and sentences in documents of ten."""
    import pandas as pd

    lines = texts()
    documents = ["" if row < len(WORDS) else f"document {row // 10}" for row in range(len(lines))]
    return Space.create(
        lines,
        encoder.encode(lines),
        Provenance("tiny:texts", "tiny", pooling=encoder.pooling.name),
        metadata=pd.DataFrame({"document": documents}),
    )


def spec_of(space: Space, shape: str, total: int = BYTES, **more: object) -> EncoderSpec:
    return EncoderSpec(bytes_per_item=total / len(space), shape=shape, quick=True, **more)


@pytest.fixture(scope="module")
def students(space, teacher):
    return {shape: fit(space, spec_of(space, shape), model=teacher) for shape in ("layers", "bag")}


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("shape", ["layers", "bag"])
def test_held_out_texts_beat_the_mean_and_the_budget_is_kept(shape, students, space):
    student, rows = students[shape], held_out(space, 0.05, 0)
    kept = np.setdiff1d(np.arange(len(space)), rows)
    mean = np.broadcast_to(space.vectors[kept].mean(0), (len(rows), space.dim))
    found = student.generate([space.texts[row] for row in rows])
    errors = ((found - space.vectors[rows]) ** 2).sum()
    assert errors < {"layers": 0.3, "bag": 0.95}[shape] * ((mean - space.vectors[rows]) ** 2).sum()
    assert size_bytes(student) <= BYTES
    assert sum(parts(student).values()) == size_bytes(student)
    assert student.kind == shape
    assert student.vocabulary == ()
    assert student.operations() > 0
    assert student.parameters() > 1000


def test_with_room_the_layers_come_near_to_exact(space, teacher):
    student = fit(space, spec_of(space, "layers", 60_000), model=teacher)
    found = student.generate(space.texts)
    assert cosines(found, space.vectors).mean() > 0.99


@pytest.mark.parametrize("shape", ["layers", "bag"])
def test_saved_and_read_it_gives_the_same(shape, students, tmp_path):
    storage.save(students[shape], tmp_path / "student")
    again = registry.load(tmp_path / "student")
    np.testing.assert_array_equal(again.generate(ODD[:4]), students[shape].generate(ODD[:4]))
    assert sum(it.stat().st_size for it in (tmp_path / "student").iterdir()) == size_bytes(again)
    assert storage.digest(tmp_path / "student")


@pytest.mark.parametrize("shape", ["layers", "bag"])
def test_any_text_is_read(shape, students):
    found = students[shape].generate(ODD)
    assert found.shape == (len(ODD), 32)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (np.linalg.norm(found, axis=1) > 0).all()
    one_by_one = np.concatenate([students[shape].generate([it]) for it in ODD])
    np.testing.assert_allclose(one_by_one, found, atol=2e-5)
    assert students[shape].generate([]).shape == (0, 32)


@pytest.mark.parametrize("shape", ["layers", "bag"])
def test_broken_off_and_resumed_it_is_the_same(shape, students, space, teacher, tmp_path):
    checkpoints = Checkpoints(tmp_path / "training")
    asked = []

    def stop(done: int, total: int, message: str) -> bool:
        learning = message.startswith(("Tuning", "Learning"))
        asked.append(message)
        return not (learning and done >= 4)

    with pytest.raises(Cancelled):
        fit(space, spec_of(space, shape), stop, checkpoints, teacher)
    assert checkpoints.history() == [] or checkpoints.history()[-1]["step"] <= 4
    resumed = fit(space, spec_of(space, shape), checkpoints=checkpoints, model=teacher)
    np.testing.assert_array_equal(
        resumed.generate(space.texts[:60]), students[shape].generate(space.texts[:60])
    )


def test_it_can_be_stopped_before_it_learns(space, teacher):
    with pytest.raises(Cancelled):
        fit(space, spec_of(space, "bag"), lambda *_: False, model=teacher)


def test_auto_chooses_by_the_bytes(space, teacher):
    assert fit(space, spec_of(space, "auto"), model=teacher).kind == "layers"


def test_budgets_and_spaces_that_cannot_do(space, teacher, tiny_space, tmp_path):
    with pytest.raises(InvalidSpecification, match="expected at least"):
        fit(space, EncoderSpec(bytes_per_item=5.0), model=teacher)
    with pytest.raises(InvalidSpecification, match="no transformers model"):
        fit(tiny_space, EncoderSpec())
    with pytest.raises(InvalidSpecification, match="not what its model answers"):
        fit(tiny_space, EncoderSpec(), model=teacher)
    one = space.take(np.array([0]), "one")
    with pytest.raises(InvalidSpecification, match="at least two texts"):
        fit(one, EncoderSpec(), model=teacher)
    equal = Space.create(["a", "b", "c"], np.ones((3, 32)), Provenance("equal", "by hand"))
    with pytest.raises(InvalidSpecification, match="at least two texts"):
        fit(equal, EncoderSpec(), model=teacher)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(InvalidSpecification, match="WordPiece"):
        fit(space, EncoderSpec(), model=tmp_path)
    with pytest.raises(InvalidSpecification, match="held-out share"):
        EncoderSpec(held_out=1.0)
    with pytest.raises(InvalidSpecification, match="the shape 'round'"):
        EncoderSpec(shape="round")


def test_it_is_listed():
    made = family("encoder")
    assert made.reads
    assert made.learns
    assert made.spec.from_dict(EncoderSpec(seed=4).to_dict()) == EncoderSpec(seed=4)


def test_pieces_read_as_the_teacher_does(teacher, encoder):
    pieces, kept = read_pieces(teacher)
    assert "[unused0]" not in pieces.pieces
    assert "##中" not in pieces.pieces
    for text in ["The cats, walking.", "xyzzy 中文", ""]:
        theirs = encoder.tokenizer(text, truncation=True, max_length=48)["input_ids"]
        assert [kept[it] for it in pieces.encode([text])[0]] == theirs
    assert len(pieces.encode(["sea " * 100])[0]) == 48


def test_the_plain_module_is_the_teacher(teacher, encoder, space):
    from core.students.encoders.bert import in_batches, read_shape, read_teacher

    pieces, kept = read_pieces(teacher)
    module = read_teacher(teacher, read_shape(teacher, "mean"), kept, pieces.longest)
    found = in_batches(pieces.encode(space.texts), module, 32)
    np.testing.assert_allclose(found, space.vectors, atol=2e-5)


def test_errors_carried_on_are_smaller_than_plain_rounding():
    """The oracle: the squared error of a layer's output, on the inputs themselves."""
    import torch

    generator = torch.Generator().manual_seed(1)
    mixing = torch.randn(24, 24, generator=generator)
    inputs = torch.randn(500, 24, generator=generator) @ mixing
    weight = torch.randn(12, 24, generator=generator)
    plan = plan_layer(weight, inputs.T @ inputs / 500, torch.ones(12))

    def error(coded):
        real = coded.grid * np.exp2(coded.columns / 8)[None] * coded.rows[:, None]
        return float(((inputs @ (torch.from_numpy(real).float() - weight).T) ** 2).mean())

    for step in (0.5, 2.0):
        assert error(code_layer(plan, step)) < 0.7 * error(code_layer(plan, step, carry=False))
    fine, coarse = (error(code_layer(plan, step)) for step in (0.01, 0.02))
    assert fine * 2.5 < coarse < fine * 6  # a square law


GRIDS = hnp.arrays(
    np.int16,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(-3000, 3000),
)


@settings(max_examples=30)
@given(st.lists(GRIDS, min_size=1, max_size=4))
def test_streams_give_back_what_they_took(grids):
    packed = pack(grids)
    found = unpack(packed["stream"], packed["tables"], [grid.shape for grid in grids])
    for one, other in zip(found, grids, strict=True):
        np.testing.assert_array_equal(one, other)


def test_streams_cost_their_entropy():
    grid = np.random.default_rng(2).normal(scale=3, size=(400, 200)).round().astype(np.int16)
    size = pack([grid])["stream"].nbytes * 8
    gaussian = grid.size * (np.log2(3) + 0.5 * np.log2(2 * np.pi * np.e))  # of the real number
    assert size == pytest.approx(bits([grid]), rel=0.01)
    assert size == pytest.approx(gaussian, rel=0.03)
    packed = pack([grid])
    with pytest.raises((InvalidStudent, ValueError)):
        unpack(packed["stream"], packed["tables"], [(400, 100)])


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 30))
def test_batches_have_one_length_each(lengths, tokens):
    ids = [[0] * length for length in lengths]
    found = batches_of_one_length(ids, tokens)
    assert sorted(row for rows in found for row in rows) == list(range(len(ids)))
    for rows in found:
        assert len({lengths[row] for row in rows}) == 1
        assert len(rows) == 1 or len(rows) * lengths[rows[0]] <= tokens


def test_what_is_held_out_teaches_nothing(space, teacher):
    rows = held_out(space, 0.1, 2)
    np.testing.assert_array_equal(rows, held_out(space, 0.1, 2))
    learnt = trained_on(space, 0.1, 2)
    assert not set(rows) & set(learnt)
    documents = space.metadata["document"]
    chosen = {documents[row] for row in rows} - {""}
    assert chosen
    assert not chosen & {documents[row] for row in learnt}
    words = {space.texts[row] for row in rows if not documents[row]}
    assert words
    for form in ("walk", "walked", "walking"):
        assert (form in words) == ("walk" in words)
    kept = {space.texts[row] for row in learnt}
    for text in made_texts(space, learnt, 200, seed=2):
        parts = text.split()
        listed = all(part in kept for part in parts)
        assert listed or any(text in whole for whole in kept)
    pieces, _ = read_pieces(teacher)
    asked = {pieces.pieces[row] for row in free_pieces(pieces.pieces, space, rows)}
    assert not asked & words
    assert "[CLS]" not in asked
    assert silent(0, 1, "")


def test_without_documents_words_are_split_by_lemma(space):
    words = space.take(np.arange(len(WORDS)), "words")
    rows = held_out(words, 0.2, 1)
    assert 0 < len(rows) < len(words)
    assert len(held_out(words, 0.0, 1)) == 0
