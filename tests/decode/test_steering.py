"""Steering: what is added where, against hooks of our own; prices against plain transformers."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_causal import DEPTH, DIM, near, raw_model, save_tiny, tiny_model

from core.decode import steering as decoding
from core.decode.language_model import LanguageModel
from core.decode.sampling import Sampling
from core.decode.steering import (
    Direction,
    contrast,
    mean_states,
    opening,
    perplexities,
    push,
    random_unit,
    repeated,
    require_prompts,
    usual_lengths,
    write_pushed,
)
from core.errors import Cancelled, InvalidSpecification, InvalidVectors
from core.figures.tokens import LIGHT
from core.figures.trajectories.steering import Measured, layers_figure, steering_figure
from core.pipeline import Workspace
from core.pipeline.trajectories import steering
from core.pipeline.trajectories.steering import (
    Steered,
    count_texts,
    default_layer,
    has_steered,
    steer,
    steer_key,
)
from core.pipeline.trajectories.steering_layers import scan
from core.pipeline.trajectories.steering_spec import AXIS, SteerSpec
from core.teachers.minilm import MinilmSentences
from core.ui.trajectories.steering_wording import headline, marked, verdict

PROMPT = "the cat sat on"
PLUS, MINUS = ("the red moon is red",), ("the blue river is blue",)
HOT = Sampling(temperature=1.0, steps=6)


@pytest.fixture(params=["llama", "gpt2"])
def lm(request) -> LanguageModel:
    return tiny_model(request.param)


class TestPush:
    def test_it_equals_a_hook_of_our_own(self, lm):
        """Added at every position but the first, to what leaves block 2."""
        vector = np.random.default_rng(0).normal(size=DIM).astype(np.float32)
        ids = lm.ids(PROMPT)
        found = lm.logits(lm.run([ids], edits=[push(2, vector[None])]).final)
        model, _ = raw_model(lm.name.split()[1])
        blocks = getattr(model.base_model, "layers", None) or model.base_model.h

        def add(_, __, out):
            states = out[0] if isinstance(out, tuple) else out
            states[:, 1:] += torch.from_numpy(vector)
            return out

        blocks[1].register_forward_hook(add)
        with torch.no_grad():
            near(found, model(torch.tensor([ids])).logits)

    def test_nothing_added_changes_nothing_and_nothing_stays_behind(self, lm):
        ids = lm.ids(PROMPT)
        before = lm.logits(lm.run([ids]).final)
        unpushed = lm.logits(lm.run([ids], edits=[push(2, np.zeros((1, DIM), np.float32))]).final)
        assert torch.equal(before, unpushed)
        strong = np.full((1, DIM), 9, np.float32)
        assert not torch.allclose(before, lm.logits(lm.run([ids], edits=[push(2, strong)]).final))
        assert torch.equal(before, lm.logits(lm.run([ids]).final))

    def test_the_first_position_is_never_pushed(self, lm):
        ids = lm.ids(PROMPT)
        pushed = lm.states(ids, edits=[push(2, np.full((1, DIM), 9, np.float32))])
        near(pushed[:, 0], lm.states(ids)[:, 0])


class TestWriting:
    def test_without_a_push_it_writes_what_write_writes(self, lm):
        ids = lm.ids(PROMPT)
        found = write_pushed(lm, ids, HOT, [1, 1], np.zeros((2, DIM), np.float32), [5, 6])
        steps = list(lm.write(ids, Sampling(1.0, 1.0, 5, 6), copies=2, layers=[]))
        for row, text in enumerate(found):
            plain = [int(step.ids[row]) for step in steps if step.alive[row]]
            assert text == [it for it in plain if it not in lm.ends]

    def test_equal_seeds_meet_equal_draws_and_texts_do_not_see_each_other(self, lm):
        ids, unit = lm.ids(PROMPT), random_unit(DIM, 1)
        vectors = np.stack([0 * unit, 40 * unit, 0 * unit])
        together = write_pushed(lm, ids, HOT, [2, 3, 2], vectors, [7, 7, 7])
        assert together[0] == together[2] != together[1]
        [alone] = write_pushed(lm, ids, HOT, [3], vectors[[1]], [7])
        assert alone == together[1]

    def test_a_stop_is_heard(self, lm):
        with pytest.raises(Cancelled):
            write_pushed(
                lm, lm.ids(PROMPT), HOT, [1], np.zeros((1, DIM), np.float32), [0],
                lambda done, total, message: done < 3,
            )  # fmt: skip


class TestDirection:
    def test_it_is_the_difference_of_the_means(self):
        generator = np.random.default_rng(0)
        plus, minus = (generator.normal(size=(n, 6)).astype(np.float32) for n in (3, 4))
        found = contrast(2, plus, minus, 10.0)
        away = plus.mean(0) - minus.mean(0)
        near(found.unit, away / np.linalg.norm(away))
        assert found.apart == pytest.approx(np.linalg.norm(away) / 10)
        near(np.linalg.norm(found.times([0.3, -0.5]), axis=1), [3, 5])

    def test_equal_means_are_refused(self):
        same = np.ones((2, 4), np.float32)
        with pytest.raises(InvalidVectors, match="same mean state in layer 3"):
            contrast(3, same, same, 1.0)

    def test_means_leave_the_opening_token_out(self, lm):
        text = "red moon"
        found = mean_states(lm, [text, "blue"], [0, 2])
        ids = [opening(lm), *lm.ids(text)]
        states = lm.states(ids)
        near(found[2][0], states[2, 1:].mean(axis=0))
        near(found[0][0], states[0, 1:].mean(axis=0))
        assert found[2].shape == (2, DIM)

    def test_a_tokenizer_that_opens_texts_itself_opens_them_once(self, lm):
        from tokenizers.processors import TemplateProcessing

        plain = mean_states(lm, ["red moon"], [2])[2]
        inner = lm.tokenizer.backend_tokenizer
        inner.post_processor = TemplateProcessing("<end> $A", special_tokens=[("<end>", 0)])
        assert lm.ids("red moon")[0] == opening(lm) == 0
        near(mean_states(lm, ["red moon"], [2])[2], plain)

    def test_usual_length_leaves_the_first_position_out(self, lm):
        rows = [lm.ids(PROMPT), lm.ids("the moon")]
        lengths = [np.linalg.norm(lm.states(row)[2, 1:], axis=1) for row in rows]
        assert usual_lengths(lm, rows, [2])[2] == pytest.approx(
            np.concatenate(lengths).mean(), rel=1e-4
        )

    def test_random_directions(self):
        assert np.linalg.norm(random_unit(50, 3)) == pytest.approx(1)
        assert np.array_equal(random_unit(50, 3), random_unit(50, 3))
        assert abs(float(random_unit(5000, 1) @ random_unit(5000, 2))) < 0.1


class TestPrice:
    def test_perplexity_is_that_of_plain_transformers(self, lm):
        prompt, texts = lm.ids(PROMPT), [lm.ids("the moon is red"), lm.ids("dog")]
        found = perplexities(lm, prompt, texts)
        model, _ = raw_model(lm.name.split()[1])
        for text, value in zip(texts, found, strict=True):
            whole = torch.tensor([[*prompt, *text]])
            labels = whole.clone()
            labels[:, : len(prompt)] = -100
            with torch.no_grad():
                loss = model(whole, labels=labels).loss
            assert value == pytest.approx(float(loss.exp()), rel=1e-3)

    def test_nothing_written_has_no_price(self, lm):
        found = perplexities(lm, lm.ids(PROMPT), [[], lm.ids("dog")])
        assert np.isnan(found[0])
        assert found[1] > 1
        assert np.isnan(perplexities(lm, lm.ids(PROMPT), [[]])).all()

    def test_the_vocabulary_is_looked_at_in_blocks(self, lm, monkeypatch):
        prompt, texts = lm.ids(PROMPT), [lm.ids("the moon is red"), [], lm.ids("dog")]
        whole, sizes, logits = perplexities(lm, prompt, texts), [], lm.logits
        monkeypatch.setattr(decoding, "AT_ONCE", 3)
        monkeypatch.setattr(lm, "logits", lambda it: sizes.append(len(it)) or logits(it))
        near(perplexities(lm, prompt, texts)[[0, 2]], whole[[0, 2]])
        assert max(sizes) == 3

    def test_memory_that_runs_out_halves_the_texts(self, lm, monkeypatch):
        prompt, texts = lm.ids(PROMPT), [lm.ids("dog")[:1], lm.ids("moon")[:1]]
        whole, soft = perplexities(lm, prompt, texts), torch.Tensor.log_softmax

        def small(it, *given):
            if len(it) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return soft(it, *given)

        monkeypatch.setattr(torch.Tensor, "log_softmax", small)
        near(perplexities(lm, prompt, texts), whole)

    def test_repetition(self):
        assert repeated([1, 2]) == 0
        assert repeated([1, 2, 3, 4, 5]) == 0
        assert repeated([1] * 12) == pytest.approx(0.9)


class TestSpec:
    def test_it_survives_json(self):
        spec = SteerSpec("smollm2", "x", ("a", "b"), ("c",), 3)
        assert SteerSpec.from_dict(json.loads(json.dumps(asdict(spec)))) == spec
        assert steer_key(spec) != steer_key(SteerSpec("smollm2", "x", ("a", "b"), ("c",), 4))

    def test_another_scorer_or_corpus_is_another_key(self, monkeypatch):
        spec = SteerSpec("smollm2", "x", ("a",), ("b",), 3)
        keys = {steer_key(spec)}
        for name in ("fingerprint", "revision"):
            monkeypatch.setattr(MinilmSentences, name, lambda _: "other weights")
        keys.add(steer_key(spec))
        monkeypatch.setattr(steering, "corpus_identity", lambda: "other texts")
        assert len({*keys, steer_key(spec)}) == 3

    def test_at_temperature_0_all_texts_are_the_same_so_one_is_written(self):
        greedy = SteerSpec("m", "x", ("a",), ("b",), 0, sampling=Sampling(steps=3))
        assert (greedy.samples, SteerSpec.from_dict(asdict(greedy))) == (1, greedy)
        with pytest.raises(InvalidSpecification, match="0 samples"):
            replace(greedy, samples=0)

    def test_nought_is_always_among_the_strengths(self):
        assert SteerSpec("m", "x", ("a",), ("b",), 0, (0.3,)).strengths == (0.0, 0.3)

    @pytest.mark.parametrize("strengths", [(3.0,), (float("nan"),), (float("inf"),)])
    def test_strengths_that_mean_nothing(self, strengths):
        with pytest.raises(InvalidSpecification, match=r"0\.3 works"):
            SteerSpec("m", "x", ("a",), ("b",), 0, strengths)

    def test_empty_groups(self):
        with pytest.raises(InvalidSpecification, match="what to steer towards"):
            SteerSpec("m", "x", (" ", ""), ("b",), 0)
        assert require_prompts("it", [" a ", "a", "", "b"]) == ("a", "b")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch) -> Workspace:
    """A workspace whose texts are few, and whose sentence model counts letters."""
    monkeypatch.setattr(steering, "passages", lambda: (("a", "the cat sat on the mat"),) * 2)

    class Counting:
        def encode(self, texts, progress=None):
            return np.array([[t.count("r") + 1.0, t.count("b"), len(t)] for t in texts], np.float32)

    found = Workspace(tmp_path)
    plain = found.teacher
    monkeypatch.setattr(
        found, "teacher", lambda it: Counting() if it == steering.SCORER else plain(it)
    )
    return found


def asked(model: str, **more) -> SteerSpec:
    given = {"strengths": (-0.5, 0.5), "sampling": HOT, "samples": 2, "controls": 3, **more}
    return SteerSpec(model, PROMPT, PLUS, MINUS, 2, **given)


def made(slopes: tuple[float, ...]) -> Steered:
    """As if each sample had moved by its slope, and three random directions by 0.5, 0.5, -0.7."""
    pushes = [("along", 0, number, slope) for number, slope in enumerate(slopes)] + [
        ("random", which, number, slope)
        for which, slope in enumerate((0.5, 0.5, -0.7))
        for number in range(len(slopes))
    ]
    rows = [
        {"pushed": kind, "strength": by, "direction": which, "sample": number, "text": "x",
         "perplexity": 2.0, "repeated": 0.0, "score": slope * by + 0.01 * number}
        for kind, which, number, slope in pushes
        for by in (-0.5, 0.0, 0.5)
        if kind == "along" or by
    ]  # fmt: skip
    return Steered(asked("m", samples=len(slopes)), pd.DataFrame(rows), 1.0, 0.1)


class TestSteer:
    def test_every_strength_has_its_texts_and_is_kept(self, workspace, model):
        spec = asked(model)
        assert not has_steered(workspace, spec)
        found = steer(workspace, spec)
        assert has_steered(workspace, spec)
        assert len(found.texts) == count_texts(spec) == 3 * 2 + 2 * 3 * 2
        assert len(found.of("along", 0.0)) == 2
        assert found.of("random", 0.0).equals(found.of("along", 0.0))
        assert len(found.of("random", -0.5)) == 3 * 2
        again = steer(Workspace(workspace.folder), spec)
        pd.testing.assert_frame_equal(again.texts, found.texts.reset_index(drop=True))
        assert (again.usual, again.apart) == (found.usual, found.apart)
        assert set(found.texts.columns) >= {"text", "score", "perplexity", "repeated"}

    def test_at_nought_nothing_is_steered(self, workspace, model):
        spec = asked(model)
        rows = steer(workspace, spec).of("along", 0.0)
        lm = tiny_model()
        steps = list(lm.write(lm.ids(PROMPT), HOT, copies=2, layers=[]))
        texts = np.stack([step.ids for step in steps]).T.tolist()
        plain = [lm.text([it for it in row if it not in lm.ends]) for row in texts]
        assert rows["text"].tolist() == plain

    def test_what_cannot_be_done_is_said(self, workspace, model):
        with pytest.raises(InvalidSpecification, match="layer 9"):
            steer(workspace, SteerSpec(model, PROMPT, PLUS, MINUS, 9))
        with pytest.raises(InvalidSpecification, match="empty prompt"):
            steer(workspace, SteerSpec(model, "  ", PLUS, MINUS, 2))
        with pytest.raises(InvalidSpecification, match="behind the final norm"):
            steer(workspace, SteerSpec(model, PROMPT, ("red",), ("blue",), DEPTH, made=AXIS))

    def test_the_layers_are_tried(self, workspace, model):
        found = scan(workspace, asked(model))
        assert found.layers["layer"].tolist() == [2, 4]
        assert found.best in (2, 4)
        assert found.strength == pytest.approx(0.3)
        assert scan(Workspace(workspace.folder), asked(model)).layers.equals(found.layers)
        # which layer the page looks at is all the same
        with pytest.raises(InvalidSpecification, match="belongs to one layer"):
            scan(workspace, asked(model, made=AXIS))

    def test_one_strength_alone_compares_with_the_unsteered_texts(self, workspace, model):
        found = steer(workspace, asked(model, strengths=(0.3,)))
        assert len(found.random_slopes) == 3
        rows = found.of("random", 0.3)
        away = found.effect("along", 0.0).value
        first = rows[rows["direction"] == 0]["score"].mean()
        assert found.random_slopes[0] == pytest.approx((first - away) / 0.3, rel=1e-4)

    def test_a_slope_and_the_random_ones(self):
        found = made((1.9, 2.0, 2.1))
        assert found.slope.value == pytest.approx(2)
        assert found.random_slopes == pytest.approx([0.5, 0.5, -0.7])
        assert found.beaten == 3
        assert "The push works" in verdict(found, 0.5)
        assert "more than 3 of 3 random ones" in verdict(found, 0.5)
        assert found.effect("along", 0.5).value == pytest.approx(1.01)
        assert found.price("random", 0.5).value == 2

    @pytest.mark.parametrize(
        ("slopes", "head"),
        [
            ((-1.0, 1.0, 3.0), "The push probably works."),  # straddles 0, beats them all
            ((-2.0, 0.5, 2.0), "No surer than a random push."),
            ((0.5, 0.6, 0.7), "The push probably works."),  # steady, and one random moves it more
            ((-3.0, -1.0, 1.0), "No surer than a random push."),
            ((-2.1, -2.0, -1.9), "It pushes the other way."),
            ((0.9, 1.0, 1.1), "The push works."),
        ],
    )
    def test_what_is_claimed(self, slopes, head):
        assert headline(made(slopes)) == head

    def test_a_push_the_other_way_beats_nobody(self):
        assert made((-2.1, -2.0, -1.9)).beaten == 0

    def test_random_intervals_are_over_directions(self):
        """Two texts of a direction are not two witnesses."""
        one, many = made((2.0,) * 2), made((2.0,) * 40)
        wide, also = (it.effect("random", 0.5) for it in (one, many))
        assert wide.low == pytest.approx(-0.35, abs=0.01)
        assert also.low == pytest.approx(-0.35 + 0.195, abs=0.01)

    def test_few_texts_have_no_interval(self):
        found = made((2.0, 2.1))
        assert np.isnan([found.effect("along", 0.5).low, found.price("along", 0.5).high]).all()
        assert found.to_dict()["slope_95"] is None
        assert found.to_dict()["strengths"][0]["score_95"] is None
        assert "it takes 3 texts" in found.notes[0]
        assert made((2.0,) * 3).notes == []
        assert "nan" not in verdict(found, 0.5)

    def test_default_layer(self):
        assert default_layer(30) == 14
        assert default_layer(4) == 2


class TestAxis:
    def test_an_axis_of_the_axes_page_is_the_same_direction(self, workspace, model, monkeypatch):
        from core.pipeline.points.queries import axis
        from core.teachers import layer_states

        monkeypatch.setattr(
            layer_states, "passages", lambda: (("a", "the cat sat on the mat"),) * 2
        )
        spec = SteerSpec(model, PROMPT, ("the cat",), ("the mat",), 2, made=AXIS)
        lm = tiny_model()
        found = steering.direction(workspace, lm, spec)
        made = axis(workspace, f"{model}:layer2", ("the mat",), ("the cat",))
        near(found.unit, made.direction)
        assert isinstance(found, Direction)


class TestFigures:
    def test_both_panels_are_drawn_with_both_kinds(self):
        bands = ((0.1, 0.0, 0.2), (0.5, 0.4, np.nan))
        kind = Measured("along", (0.0, 0.3), bands, ((2.0, 1.0, 3.0), (9.0, 5.0, 30.0)))
        other = Measured("random", (0.0, 0.3), bands, bands)
        figure = steering_figure(kind, other, 0.3, LIGHT, "x")
        roles = [trace.meta["role"] for trace in figure.data]
        assert roles.count("along") == roles.count("random") == 2
        assert figure.layout.yaxis2.type == "log"
        assert 10 ** figure.layout.yaxis2.range[1] > 30

    def test_layers(self):
        figure = layers_figure([2, 4], [(0.1, 0.0, 0.2), (0.3, 0.1, 0.5)], [1.2, 3.0], 4, LIGHT, "")
        assert [trace.meta["role"] for trace in figure.data].count("along") == 2


class TestMarked:
    def test_only_what_differs_is_coloured(self):
        assert marked("it was good food", "it was bad food") == "it was :orange[bad] food"
        assert marked("a b", "a b") == "a b"

    def test_nothing_a_model_writes_is_markup(self):
        said = marked("a", "a ![x](http://y) <b>*z*</b> ]")
        assert "![" not in said
        assert "<b" not in said.replace("\\<", "")
        assert said.endswith("\\]]")


class TestCommand:
    def test_json_and_text(self, workspace, model, monkeypatch, capsys):
        from core.cli import steering as command
        from core.cli.parser import parser

        monkeypatch.setattr(command, "open_workspace", lambda: workspace)
        said = ["steer", model, PROMPT, "--plus", PLUS[0], "--minus", MINUS[0], "--plus", "a lamp"]
        small = ["--steps", "3", "--samples", "1", "--controls", "1", "--scale", "0.4"]
        options = parser().parse_args([*said, *small, "--json"])
        options.run(options)
        found = json.loads(capsys.readouterr().out)
        assert found["plus"] == [*PLUS, "a lamp"]
        assert [it["strength"] for it in found["strengths"]] == [0.0, 0.4, 0.4]
        assert len(found["texts"]) == 3
        assert found["layer"] == 2
        options = parser().parse_args([*said, *small])
        options.run(options)
        assert "+0.40" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("given", "samples"), [(["--samples", "2"], 2), (["--temperature", "0"], 1)]
    )
    def test_what_is_unknown_is_null_and_said(
        self, workspace, model, monkeypatch, capsys, given, samples
    ):
        from core.cli import steering as command
        from core.cli.parser import parser

        monkeypatch.setattr(command, "open_workspace", lambda: workspace)
        said = ["steer", model, PROMPT, "--plus", PLUS[0], "--minus", MINUS[0], "--steps", "3"]
        options = parser().parse_args([*said, "--controls", "3", *given, "--json"])
        options.run(options)
        out = capsys.readouterr().out
        assert "NaN" not in out
        found = json.loads(out)
        assert found["samples"] == samples
        assert found["slope_95"] is None
        assert len(found["random_slopes"]) == 3
        assert "No 95% intervals along the direction" in found["notes"][0]

    def test_a_scale_of_nought(self, model):
        from core.cli.parser import parser

        options = parser().parse_args(
            ["steer", model, PROMPT, "--plus", "a", "--minus", "b", "--scale", "0"]
        )
        with pytest.raises(InvalidSpecification, match="changes nothing"):
            options.run(options)


@pytest.mark.models
class TestSmolLM2:
    def test_pushed_towards_joy_it_writes_more_joyfully(self, tmp_path):
        spec = SteerSpec(
            "smollm2", "My first day at the new school was",
            ("I love this, it is wonderful",), ("I hate this, it is terrible",),
            14, (-0.3, 0.3), Sampling(temperature=0.6, steps=16), samples=3, controls=0,
        )  # fmt: skip
        found = steer(Workspace(tmp_path), spec)
        assert 120 < found.usual < 200
        assert found.effect("along", 0.3).value > found.effect("along", -0.3).value
        assert found.price("along", 0.3).value < 60
