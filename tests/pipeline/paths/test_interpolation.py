"""What lies between two concepts: on tiny random models, and once on the packaged one."""

import dataclasses

import numpy as np
import pytest
from tiny_causal import DEPTH, near, save_tiny

from core.decode.nouns import CUT, NOUNS
from core.decode.patchscopes import Patchscope, concepts, identity_prompt, words_of
from core.errors import Cancelled, InvalidSpecification, TeacherUnavailable, UnknownTeacher
from core.paths.linear import lerp
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.paths import layer_suggestion
from core.pipeline.paths.interpolation import (
    KINDS,
    between,
    divergence,
    has_between,
    kept_between,
    usual_layer,
)
from core.pipeline.paths.interpolation_reading import Between
from core.pipeline.paths.layer_suggestion import Named, has_named, kept_named, nouns_named
from core.teachers.smollm2 import SMOLLM2, installed
from core.types import Progress

PAIR = ("ocean", "justice")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def found(model) -> Between:
    return between(model, *PAIR, layer=2, steps=7)


class TestDivergence:
    def test_it_is_the_entropy_of_the_mixture_less_the_mean_of_both(self, model, found):
        other = between(model, *PAIR, layer=3, steps=7)
        one, two = (it.full.astype(np.float64) for it in (found, other))
        one, two = (it / it.sum(axis=1, keepdims=True) for it in (one, two))
        doubt = [-(it * np.log(it)).sum(axis=1) for it in ((one + two) / 2, one, two)]
        apart = divergence(found, other)
        np.testing.assert_allclose(apart, doubt[0] - (doubt[1] + doubt[2]) / 2, atol=1e-6)
        assert apart.max() > 1e-4
        assert (apart <= np.log(2)).all()
        np.testing.assert_allclose(divergence(other, found), apart, atol=1e-6)

    def test_a_way_diverges_from_itself_by_nothing(self, found):
        assert (divergence(found, found) == 0).all()

    def test_answers_without_a_common_word_are_as_far_apart_as_can_be(self, found):
        one, two = np.zeros((2, *found.full.shape), np.float16)
        one[:, 0], two[:, 1] = 1, 1
        ways = [dataclasses.replace(found, full=it) for it in (one, two)]
        np.testing.assert_allclose(divergence(*ways), np.log(2), atol=1e-6)

    def test_ways_that_can_not_be_compared(self, model, found):
        with pytest.raises(InvalidSpecification, match="as many steps"):
            divergence(found, between(model, *PAIR, layer=2, steps=5))


class TestTheWay:
    @pytest.mark.parametrize("kind", KINDS)
    def test_its_ends_are_the_concepts_own_readings(self, model, kind):
        made = between(model, *PAIR, layer=2, steps=5, kind=kind)
        lm = speaker(model)
        states = np.stack([it.states[0] for it in concepts(lm, PAIR, [2])])
        own = Patchscope(lm, identity_prompt(PAIR)[0]).shares(states, 2)
        texts = words_of(lm).texts
        for step, row in ((0, 0), (-1, 1)):
            for word, share in made.likeliest(step, 5):
                assert share == pytest.approx(own[row, texts.index(word)], rel=1e-3, abs=1e-5)
        np.testing.assert_allclose(np.diag(made.cosines[[0, -1]]), 1, atol=1e-5)
        np.testing.assert_allclose(made.norms[[0, -1]], np.linalg.norm(states, axis=1), rtol=1e-5)

    def test_the_middle_is_read_where_it_is(self, model, found):
        lm = speaker(model)
        start, end = (it.states[0].astype(np.float64) for it in concepts(lm, PAIR, [2]))
        point = lerp(start, end, np.array([0.5])).astype(np.float32)
        own = Patchscope(lm, identity_prompt(PAIR)[0]).shares(point, 2)[0]
        texts = words_of(lm).texts
        near(found.shares[3], own[[texts.index(word) for word in found.words]])
        exact = own.astype(np.float64)
        assert found.entropy[3] == pytest.approx(-(exact * np.log(exact)).sum(), abs=1e-3)

    def test_backwards_is_the_same_way(self, model, found):
        back = between(model, *reversed(PAIR), layer=2, steps=7)
        np.testing.assert_allclose(back.entropy[::-1], found.entropy, atol=1e-3)
        assert back.top[::-1] == found.top
        assert [round(1 - flip.t, 4) for flip in back.flips][::-1] == [
            round(flip.t, 4) for flip in found.flips
        ]

    def test_the_sphere_keeps_the_length(self, model):
        straight = between(model, *PAIR, layer=2, steps=5)
        sphere = between(model, *PAIR, layer=2, steps=5, kind="slerp")
        inside = sphere.norms[1:-1]
        assert (straight.norms[1:-1] < inside - 1e-4).all()
        even = np.linspace(*sphere.norms[[0, -1]].tolist(), 5)
        np.testing.assert_allclose(sphere.norms, even, rtol=1e-5)

    def test_about_the_mean_the_distance_to_it_is_kept(self, model):
        made = between(model, *PAIR, layer=2, steps=5, kind="centred")
        raw = between(model, *PAIR, layer=2, steps=5, kind="slerp")
        assert np.abs(made.norms - raw.norms).max() > 1e-3
        np.testing.assert_allclose(made.norms[[0, -1]], raw.norms[[0, -1]], rtol=1e-5)


class TestWhatIsSaid:
    def test_flips_are_where_the_likeliest_word_changes(self, found):
        made = dataclasses.replace(
            found,
            t=np.float32([0, 0.5, 1]),
            words=("sea", "law"),
            shares=np.float32([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]),
        )
        [flip] = made.flips
        assert (flip.t, flip.before, flip.after) == (0.75, "sea", "law")
        assert made.likeliest(2) == [("law", pytest.approx(0.8)), ("sea", pytest.approx(0.2))]

    def test_an_echo_is_the_prompts_own_word(self, found):
        assert found.echo("salt")
        assert not found.echo("money")
        assert not dataclasses.replace(found, names=("salt", "cat")).echo("salt")

    def test_an_example_that_is_asked_about_gives_way(self, model):
        made = between(model, "salt", "cat", layer=2, steps=3)
        assert "salt" not in made.examples
        assert not made.echo("salt")

    def test_a_concept_of_several_tokens(self, model):
        made = between(model, "red river", "cat", layer=2, steps=3)
        assert len(made.pieces[0]) > 1
        assert len(made.pieces[1]) == 1
        assert made.ends == ("red river", "cat")

    def test_as_json(self, found):
        said = found.to_dict()
        assert [step["t"] for step in said["steps"]] == pytest.approx(np.linspace(0, 1, 7))
        for step in said["steps"]:
            shares = [word["probability"] for word in step["words"]]
            assert shares == sorted(shares, reverse=True)
            assert {"text", "probability"} <= set(step["words"][0])
            assert isinstance(step["description"], str)
            assert step["entropy"] > 0
        assert said["unit"] == "nats"
        assert len(said["controls"]["noise"]["words"]) == 8

    def test_controls_are_the_same_each_time(self, model, found):
        again = between(model, *PAIR, layer=2, steps=7)
        assert again.noise == found.noise
        assert again.shuffled == found.shuffled


class TestBadInput:
    @pytest.mark.parametrize("pair", [("cat", "cat"), ("cat", "  CAT "), ("a  b", "a b")])
    def test_twice_the_same(self, model, pair):
        with pytest.raises(InvalidSpecification, match="twice"):
            between(model, *pair)

    @pytest.mark.parametrize("pair", [("", "cat"), ("cat", " \n")])
    def test_an_empty_one(self, model, pair):
        with pytest.raises(InvalidSpecification, match="empty concept"):
            between(model, *pair)

    @pytest.mark.parametrize("layer", [-1, DEPTH + 1, 99])
    def test_a_layer_that_is_not_there(self, model, layer):
        with pytest.raises(InvalidSpecification, match=f"found layer {layer}"):
            between(model, *PAIR, layer=layer)

    @pytest.mark.parametrize(("steps", "kind"), [(1, "lerp"), (9999, "lerp"), (5, "graph")])
    def test_steps_and_kinds(self, model, steps, kind):
        with pytest.raises(InvalidSpecification, match="expected"):
            between(model, *PAIR, steps=steps, kind=kind)

    def test_a_model_that_is_not_there(self):
        with pytest.raises((UnknownTeacher, TeacherUnavailable)):
            between("nobody", *PAIR)

    @pytest.mark.parametrize("after", range(5))
    def test_it_stops_when_asked(self, model, after):
        said: list[str] = []

        def stop(done: int, total: int, message: str) -> bool:
            said.append(message)
            return len(said) <= after

        with pytest.raises(Cancelled):
            between(model, *PAIR, layer=2, steps=3, progress=stop)
        assert len(said) == after + 1


class TestKept:
    def test_a_second_bench_reads_what_the_first_wrote(self, model, found, tmp_path):
        asked = (model, *PAIR, 2, 7, "lerp")
        assert not has_between(Workspace(tmp_path), *asked)
        kept_between(Workspace(tmp_path), *asked)
        assert has_between(Workspace(tmp_path), *asked)

        def never(done: int, total: int, message: str) -> bool:
            raise AssertionError(message)

        quiet: Progress = never
        again = kept_between(Workspace(tmp_path), *asked, progress=quiet)
        assert again.to_dict() == found.to_dict()
        assert dataclasses.asdict(again.noise) == dataclasses.asdict(found.noise)

    def test_other_weights_in_the_same_folder_are_asked_anew(self, tmp_path):
        asked = (save_tiny(tmp_path / "model"), *PAIR, 2, 3, "lerp")
        workspace = Workspace(tmp_path / "workspace")
        old = kept_between(workspace, *asked)
        save_tiny(tmp_path / "model", seed=1)
        assert not has_between(workspace, *asked)
        new = kept_between(workspace, *asked)
        assert not np.array_equal(new.full, old.full)
        assert new.to_dict() == between(*asked).to_dict()
        save_tiny(tmp_path / "model")
        assert kept_between(Workspace(tmp_path / "workspace"), *asked).to_dict() == old.to_dict()

    def test_what_is_damaged_is_made_again(self, model, tmp_path):
        asked = (model, *PAIR, 2, 3, "lerp")
        kept_between(Workspace(tmp_path), *asked)
        [manifest] = (tmp_path / "cache" / "between").glob("*/manifest.json")
        manifest.write_text(manifest.read_text().replace('"noise"', '"nose"'))
        assert len(kept_between(Workspace(tmp_path), *asked).t) == 3


class TestNaming:
    def test_each_layer_is_asked(self, model):
        found = nouns_named(model, [0, 2])
        assert found.layers == (0, 2)
        assert len({*NOUNS}) == 60
        assert found.nouns + len(found.cut) == 60 + len(CUT)  # this model cuts most of them
        assert {*CUT} <= {*found.cut}
        assert "river" not in found.cut
        both = zip(found.right, found.right_cut, found.missed, strict=True)
        for right, right_cut, missed in both:
            assert right + right_cut + len(missed) == 60 + len(CUT)
            assert right <= found.nouns

    def test_it_counts_what_is_said(self, model, monkeypatch):
        """Where the model says the first token of every noun, all are right."""
        lm = speaker(model)
        first = [it.first for it in concepts(lm, (*NOUNS, *CUT), [1])]
        monkeypatch.setattr(layer_suggestion, "_said", lambda scope, states, layer: first)
        found = nouns_named(model, [1, 3])
        assert found.right == (found.nouns,) * 2
        assert found.right_cut == (len(found.cut),) * 2
        assert found.missed == ((), ())
        assert found.shares == [1, 1]
        cat = first[NOUNS.index("cat")]
        monkeypatch.setattr(layer_suggestion, "_said", lambda *_: [cat] * len(first))
        assert nouns_named(model, [1]).right == (1,)

    @pytest.mark.parametrize(
        ("right", "layer"),
        [([5, 9, 9, 9, 2], 1), ([9, 1, 9, 9, 8], 2), ([9, 9, 9, 9], 1), ([9, 1], 0), ([3, 4], 1)],
    )
    def test_the_usual_layer_or_the_nearest_good_one(self, right, layer):
        layers = tuple(range(len(right)))
        named = Named("m", 9, layers, tuple(right), layers, (), ((),) * len(right))
        assert named.suggested == layer

    def test_it_is_kept(self, model, tmp_path):
        assert not has_named(Workspace(tmp_path), model)
        found = kept_named(Workspace(tmp_path), model)
        assert has_named(Workspace(tmp_path), model)
        assert kept_named(Workspace(tmp_path), model) == found
        assert len(found.layers) == DEPTH + 1

    def test_the_last_layer_hears_nothing(self, model):
        """What is patched above the last block cannot be told from anything else."""
        found = nouns_named(model, [DEPTH])
        assert len({word for _, word in found.missed[0]}) == 1

    def test_the_usual_layer(self, model):
        assert between(model, *PAIR, steps=2).layer == usual_layer(DEPTH) == 1


@pytest.mark.models
@pytest.mark.skipif(not installed(), reason="the packaged model is not installed")
def test_from_ocean_to_justice():
    found = between(SMOLLM2, *PAIR, layer=4, steps=5)
    assert (found.top[0], found.top[-1]) == PAIR
    assert found.named == (True, True)
    assert len(found.flips) >= 1
    assert found.entropy[2] > 2 * max(found.entropy[0], found.entropy[-1])
    lm = speaker(SMOLLM2)
    assert usual_layer(lm.depth) == 4
    ten = concepts(lm, NOUNS[:10], [4])
    scope = Patchscope(lm, identity_prompt()[0])
    said = scope.logits(np.stack([it.states[0] for it in ten]), 4).argmax(-1).tolist()
    assert said == [it.first for it in ten]
