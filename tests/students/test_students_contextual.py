"""Contextual students of a tiny BERT of two layers, and their parts against numpy."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_teacher import ODD, WORDS, save_teacher, texts

from core.errors import Cancelled, InvalidSpecification, InvalidStudent, Unsupported
from core.spaces.space import Provenance, Space
from core.students import registry, storage
from core.students.checkpoint import Checkpoints
from core.students.encoders import contextual_training as lessons
from core.students.encoders import straight_through
from core.students.encoders.encoder_training import open_school
from core.students.encoders.layered_bert import AFFINE, SAME, LayeredShape, reshaped, starts_of
from core.students.encoders.quantisation import linear_layers
from core.students.encoders.teacher_states import read_states
from core.students.families.contextual import ContextualSpec
from core.students.registry import family, fit
from core.students.storage import parts, size_bytes
from core.types import silent

BYTES = 26_000
LAYERS = 2


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """So small a model is slower on two."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_teacher(tmp_path_factory.mktemp("teacher"), LAYERS)


@pytest.fixture(scope="module")
def space(model):
    """Words, and sentences in documents of ten."""
    import pandas as pd

    from core.teachers.encoder import load_encoder

    encoder, lines = load_encoder(model, "tiny", "float32"), texts()
    documents = ["" if row < len(WORDS) else f"document {row // 10}" for row in range(len(lines))]
    return Space.create(
        lines,
        encoder.encode(lines),
        Provenance("tiny:texts", "tiny", pooling=encoder.pooling.name),
        metadata=pd.DataFrame({"document": documents}),
    )


def spec_of(space: Space, total: int = BYTES, **more: object) -> ContextualSpec:
    return ContextualSpec(bytes_per_item=total / len(space), **{"quick": True, **more})


@pytest.fixture(scope="module")
def school(space, model):
    return open_school(space, spec_of(space), 0.05, model)


@pytest.fixture(scope="module")
def teacher(school):
    return lessons.layered(school)


@pytest.fixture(scope="module")
def ids(school):
    return lessons.texts_taught(school, 120)


@pytest.fixture(scope="module")
def student(space, model):
    return fit(space, spec_of(space), model=model)


@pytest.fixture(scope="module")
def half(space, model):
    return fit(space, spec_of(space, 18_000, shape="half", inner=16), model=model)


def reader_of(student):
    from core.signatures.hidden import Reader

    return Reader(*student.as_transformers(), "cpu", "student")


def reader_of_folder(model):
    from core.signatures.hidden import Reader
    from core.teachers.model_folder.loading import load_model

    return Reader(*load_model(model, "tiny"), "cpu", "teacher")


def flat(module, ids):
    """(tokens, layers, d) of a module, the texts behind each other."""
    import torch

    with torch.no_grad():
        found = [torch.stack(module(torch.tensor([one])), 2)[0] for one in ids]
    return torch.cat(found).numpy()


def error(found, true):
    return ((found - true) ** 2).sum() / ((true - true.mean(0)) ** 2).sum()


def test_with_nothing_taken_away_the_states_are_the_teachers(teacher, school, model, ids):
    """The oracle: transformers' own hidden states, special tokens and all."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    theirs, tokenizer = (
        AutoModel.from_pretrained(model).eval(),
        AutoTokenizer.from_pretrained(model),
    )
    batch = tokenizer(["the cats, walking", "sea"], padding=True, return_tensors="pt")
    with torch.no_grad():
        told = theirs(**batch, output_hidden_states=True).hidden_states
    ours = school.pieces.encode(["the cats, walking"])
    np.testing.assert_allclose(flat(teacher, ours), torch.stack(told, 2)[0].numpy(), atol=2e-5)
    padded = torch.tensor([ours[0], [*school.pieces.encode(["sea"])[0], *[0] * 20][: len(ours[0])]])
    with torch.no_grad():
        masked = torch.stack(teacher(padded, batch["attention_mask"]), 2)
    kept = batch["attention_mask"].bool()
    np.testing.assert_allclose(masked[kept], torch.stack(told, 2)[kept], atol=2e-5)
    unchanged = lessons.smaller(teacher, ids, spec_of_nothing(), silent)
    np.testing.assert_array_equal(flat(unchanged, ours), flat(teacher, ours))


def spec_of_nothing() -> ContextualSpec:
    return ContextualSpec(tuned=False)


def test_with_room_rounding_is_not_felt(space, model, teacher, school):
    made = fit(space, spec_of(space, 90_000, tuned=False), model=model)
    asked = school.pieces.encode(space.texts[70:90])
    assert error(flat(made.module, asked), flat(teacher, asked)) < 2e-3


def test_held_out_states_are_near_and_the_budget_is_kept(student, space, teacher):
    from core.students.encoders.training_texts import held_out

    asked = student.pieces.encode([space.texts[row] for row in held_out(space, 0.05, 0)])
    assert error(flat(student.module, asked), flat(teacher, asked)) < 0.35
    assert size_bytes(student) <= BYTES
    assert sum(parts(student).values()) == size_bytes(student)
    assert student.vocabulary == ()
    assert student.operations() > 0
    assert student.parameters() > 1000
    vectors = student.generate(space.texts[:40])
    assert np.einsum("nd,nd->n", vectors, space.vectors[:40]).mean() > 0.8


def test_saved_and_read_it_has_the_same_states(student, tmp_path):
    storage.save(student, tmp_path / "student")
    again = registry.load(tmp_path / "student")
    asked = student.pieces.encode(ODD)
    np.testing.assert_array_equal(flat(again.module, asked), flat(student.module, asked))
    on_disk = sum(it.stat().st_size for it in (tmp_path / "student").iterdir())
    assert on_disk == size_bytes(again) == size_bytes(student)
    (tmp_path / "student" / "student.safetensors").write_bytes(b"1234")
    with pytest.raises(InvalidStudent, match="changed since it was written"):
        registry.load(tmp_path / "student")


def test_any_text_is_read(student):
    found = student.generate(ODD)
    assert np.isfinite(found).all()
    one_by_one = np.concatenate([student.generate([it]) for it in ODD])
    np.testing.assert_allclose(one_by_one, found, atol=2e-5)
    assert student.generate([]).shape == (0, 32)


def test_it_is_read_layer_by_layer_as_its_teacher_is(student, model):
    from core.signatures.hidden import ReadSpec, hidden_states

    asked = ["The cats, walking.", "xyzzy 中文 sea", "a"]
    there = hidden_states(asked, reader_of_folder(model))
    here = hidden_states(asked, reader_of(student))
    for name in ("text", "start", "end", "word", "token", "unknown"):
        assert here.tokens[name].tolist() == there.tokens[name].tolist()
    assert [it.shape for it in here.layers] == [it.shape for it in there.layers]
    assert error(np.stack(here.layers), np.stack(there.layers)) < 0.5
    whole = hidden_states(asked[:1], reader_of(student), ReadSpec(special=True))
    np.testing.assert_allclose(
        np.stack(whole.layers, 1), flat(student.module, student.pieces.encode(asked[:1])), atol=1e-5
    )
    assert reader_of(student).window == 48
    assert not reader_of(student).causal


def stopping(at: int):
    """Progress that says stop at so many steps of learning."""
    seen = []

    def progress(done: int, _total: int, message: str) -> bool:
        if message.startswith("Learning all layers"):
            seen.append(done)
        return len(seen) < at

    return progress


@pytest.mark.parametrize(("shape", "at"), [("half", 3), ("thin", 2)])
def test_broken_off_and_resumed_it_is_the_same(
    shape, at, space, model, school, half, student, tmp_path
):
    """While it learns before the rounding, and while it is tuned behind it, as "thin" only is."""
    whole = half if shape == "half" else student
    checkpoints = Checkpoints(tmp_path / "training")
    with pytest.raises(Cancelled):
        fit(space, whole.spec, stopping(at), checkpoints, model)
    resumed = fit(space, whole.spec, checkpoints=checkpoints, model=model)
    asked = school.pieces.encode(space.texts[60:70])
    np.testing.assert_array_equal(flat(resumed.module, asked), flat(whole.module, asked))
    steps = [it["step"] for it in checkpoints.history()]
    assert steps == sorted(set(steps))
    assert steps[-1] == {"half": 38, "thin": 6}[shape]


def test_the_ridge_refit_is_least_squares_and_better_than_plain_pruning(teacher, ids):
    """The oracle: numpy's lstsq on the same activations."""
    import torch

    kept = [
        lessons.smaller(teacher, ids, ContextualSpec(inner=24, refit=refit), silent)
        for refit in (True, False)
    ]
    true = flat(teacher, ids)
    fitted, plain = (error(flat(it, ids), true) for it in kept)
    assert fitted < 0.9 * plain
    block, made = teacher.blocks[0], kept[0].blocks[0]
    before = torch.from_numpy(true[:, 0])
    with torch.no_grad():
        # One text at a time gives the same states between the halves as all of them do.
        between = torch.cat(
            [
                block.after_attention(it + block.out(block.mixed(it)))[0]
                for it in (
                    one[None] for one in torch.split(before, np.diff(starts_of(ids)).tolist())
                )
            ]
        )
        activations = torch.nn.functional.gelu(made.up(between)).numpy().astype(np.float64)
        aim = block.down(torch.nn.functional.gelu(block.up(between))).numpy().astype(np.float64)
    rows = np.c_[activations, np.ones(len(activations))]
    best = np.linalg.lstsq(rows, aim, rcond=None)[0]
    least = ((rows @ best - aim) ** 2).sum()
    ours = made.down.weight.detach().numpy(), made.down.bias.detach().numpy()
    reached = ((activations @ ours[0].T + ours[1] - aim) ** 2).sum()
    assert least <= reached < 1.02 * least


def test_a_mapped_layer_beats_one_left_out(teacher, ids):
    true = flat(teacher, ids)
    errors = {}
    for mapped in (True, False):
        made = lessons.smaller(teacher, ids, ContextualSpec(dropped=1, mapped=mapped), silent)
        assert sorted(made.shape.inner) == [AFFINE if mapped else SAME, 64]
        errors[mapped] = error(flat(made, ids), true)
    assert errors[True] < 0.8 * errors[False]


def test_half_the_width_begins_from_the_teacher(teacher, ids):
    """What chance would begin with: a module with the same shape and random numbers."""
    import torch

    made = lessons.smaller(teacher, ids, ContextualSpec(shape="half"), silent)
    assert made.shape == LayeredShape(16, 32, 2, (32,) * LAYERS, made.shape.epsilon)
    true = flat(teacher, ids)
    assert error(flat(made, ids), true) < 0.75
    with torch.random.fork_rng():
        torch.manual_seed(0)
        random = replace(made.shape)
        other = reshaped(SimpleNamespace(**vars_of(made, random)), random)
    assert error(flat(made, ids), true) < 0.5 * error(flat(other, ids), true)


def vars_of(made, shape):
    """What :func:`reshaped` asks of a module, none of whose weights are to be taken."""
    return {
        "table": made.table,
        "positions": made.positions,
        "state_dict": dict,
        "shape": shape,
    }


def test_rounding_where_it_is_felt_least_beats_rounding_alike(teacher, ids, school, space):
    true = flat(teacher, ids[:40])
    room = lessons.room_for(school, teacher) // 2
    errors = {}
    for name, more in (("all", {}), ("alike", {"felt": False})):
        module = reshaped(teacher, teacher.shape)
        spec = spec_of(space, tuned=False, **more)
        felt = lessons.noticed(module, ids[:40], spec, silent)
        state = lessons.rounded(module, ids, spec, felt, room, silent)
        module = straight_through.assemble(module, state)
        errors[name] = error(flat(module, ids[:40]), true)
    assert errors["all"] < 0.8 * errors["alike"]


def test_tuning_helps_and_each_ingredient_can_be_left_out(teacher, ids, school, space):
    states = read_states(teacher, ids, None, silent)
    first = reshaped(teacher, teacher.shape)
    room = lessons.room_for(school, teacher) // 2
    felt = lessons.noticed(first, ids[:40], spec_of(space), silent)
    state = lessons.rounded(first, ids, spec_of(space), felt, room, silent)
    true, before = flat(teacher, ids[:40]), None
    for more in ({}, {"cosine": False, "relations": False}, {"nudged": True}):
        spec = spec_of(space, **more)
        module = reshaped(teacher, teacher.shape)
        module = straight_through.assemble(module, state, integers=spec.nudged)
        before = error(flat(module, ids[:40]), true)
        lessons.teach(module, states, spec, lessons.QUICK, 15, silent, Checkpoints())
        assert error(flat(module, ids[:40]), true) < 0.98 * before
        moved = module.blocks[0].up.aimed.detach().numpy() - state["blocks.0.up.aimed"]
        assert (np.abs(moved).max() > 0) == spec.nudged
    arrays, _ = straight_through.settle(
        {name: it.detach().numpy() for name, it in module.state_dict().items()},
        list(linear_layers(first)),
        room,
    )
    assert sum(it.nbytes for name, it in arrays.items() if name.startswith("codes.")) <= room


def test_states_of_the_teacher_are_kept_and_used_again(teacher, ids, tmp_path):
    made = read_states(teacher, ids, tmp_path, silent)
    true = flat(teacher, ids)
    rows = [row for row in range(len(ids)) if len(ids[row]) == len(ids[0])]
    part = np.concatenate([true[slice(*starts_of(ids)[row : row + 2])] for row in rows])
    np.testing.assert_allclose(made.of(rows).flatten(0, 1).numpy(), part, atol=2e-2)
    np.testing.assert_allclose(
        made.variance, ((true - true.mean(0)) ** 2).sum(2).mean(0), rtol=0.02
    )
    file = next(tmp_path.iterdir())
    changed = file.stat().st_mtime_ns
    read_states(teacher, ids, tmp_path, lambda *_: False)  # nothing is asked, so nothing stops
    assert file.stat().st_mtime_ns == changed
    with pytest.raises(Cancelled):
        read_states(teacher, ids[:5], tmp_path, lambda *_: False)
    assert list(tmp_path.iterdir()) == [file]


def test_states_that_fp16_does_not_hold(teacher, ids):
    import torch

    loud = reshaped(teacher, teacher.shape)
    with torch.no_grad():
        loud.norm.weight.fill_(1e6)
    with pytest.raises(InvalidSpecification, match="at most 65504"):
        read_states(loud, ids[:5], None, silent)


def test_the_error_is_zero_for_the_teacher_and_each_part_counts():
    import torch

    generator = torch.Generator().manual_seed(0)
    aim = torch.randn(3, 4, 2, 8, generator=generator)
    mean, variance = torch.zeros(2, 8), torch.full((2,), 8.0)
    exact = [aim[:, :, 0], aim[:, :, 1]]
    assert float(lessons.error(exact, aim, variance, mean, True, True)) < 1e-5
    longer = [2 * it for it in exact]  # the same directions, the same likenesses
    both = float(lessons.error(longer, aim, variance, mean, True, True))
    assert both == pytest.approx(float((aim**2).sum(3).mean() / 8), rel=1e-4)
    other = [it.flip(0) for it in exact]
    whole, without = (
        float(lessons.error(other, aim, variance, mean, True, it)) for it in (True, False)
    )
    assert whole > without > float(lessons.error(other, aim, variance, mean, False, False))


def test_fidelity_by_layer_against_formulas(student, model):
    from core.pipeline.students.layer_fidelity import fidelity_by_layer, static_of, unexplained
    from core.signatures.hidden import hidden_states

    asked = texts()[70:100]
    there, here = (hidden_states(asked, it) for it in (reader_of_folder(model), reader_of(student)))
    found = fidelity_by_layer(here, there, static_of(there, there))
    assert len(found) == LAYERS + 1
    last, ours, true = found[-1], here.layers[-1], there.layers[-1]
    assert last.unexplained == pytest.approx(error(ours, true), rel=1e-4)
    assert last.cosine == pytest.approx(
        np.mean((ours * true).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(true, axis=1)),
        rel=1e-5,
    )
    assert 0.5 < last.cka < 1
    assert 0.3 < last.pair_spearman < 1
    assert unexplained(true, true) == 0
    tokens = there.tokens["token"].to_numpy(str)
    means = np.stack([true[tokens == it].mean(0) for it in tokens])
    assert last.static_unexplained == pytest.approx(error(means, true), rel=1e-4)
    same = fidelity_by_layer(there, there)[-1]
    assert (same.cosine, same.cka) == pytest.approx((1, 1))
    with pytest.raises(InvalidSpecification, match="the same tokens and layers"):
        fidelity_by_layer(here, hidden_states(asked[:3], reader_of_folder(model)))


def test_a_student_is_read_by_its_reference(student, tmp_path, monkeypatch):
    from core.pipeline.models import identity, reader

    monkeypatch.setenv("MEANING_SPACE_WORKSPACE", str(tmp_path))
    storage.save(student, tmp_path / "students" / "mine")
    by_key, by_path = (reader(f"student:{it}") for it in ("mine", tmp_path / "students" / "mine"))
    assert reader("student:mine") is by_key
    assert by_key.name == "student:mine"
    assert len(by_path.trial) == LAYERS + 1
    assert identity("student:mine").endswith(storage.digest(tmp_path / "students" / "mine"))
    with pytest.raises(Unsupported, match="expected a contextual one"):
        reader("student:shipped-encoder-minilm-words")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"shape": "round"}, "found the shape 'round'"),
        ({"held_out": 1.0}, "held-out share of 1"),
        ({"dropped": -1}, "found dropped -1"),
        ({"steps": 10**9}, "found steps 1000000000"),
        ({"shape": "half", "dropped": 2}, "half the width"),
        ({"bytes_per_item": 0.0}, "found 0 bytes per item"),
    ],
)
def test_specifications_that_cannot_be(values, found):
    with pytest.raises(InvalidSpecification, match=found):
        ContextualSpec(**values)


def test_teachers_and_budgets_that_cannot_do(space, model, tiny_space):
    with pytest.raises(InvalidSpecification, match="no transformers model"):
        fit(tiny_space, ContextualSpec())
    with pytest.raises(InvalidSpecification, match="expected at least"):
        fit(space, spec_of(space, 3_000), model=model)
    with pytest.raises(InvalidSpecification, match="with 2 layers of 64"):
        fit(space, spec_of(space, dropped=2), model=model)
    with pytest.raises(InvalidSpecification, match="with 2 layers of 64"):
        fit(space, spec_of(space, inner=65), model=model)


def test_it_is_listed():
    made = family("contextual")
    assert made.reads
    assert made.learns
    spec = ContextualSpec(seed=4, inner=768)
    assert made.spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
