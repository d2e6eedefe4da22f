"""Texts as paths: against plain transformers passes, by their trees, fans and laws."""

import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import DEPTH, DIM, near, save_tiny, tiny_model

from core.cli import main
from core.decode.sampling import Sampling
from core.errors import Cancelled, InvalidSpecification, TeacherUnavailable
from core.metrics.zipf import rank_law, spread_ranks
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.trajectories.corpus_picture import backdrop, in_space, layer_of
from core.pipeline.trajectories.divergence import divergence, same_vocabulary, surprise, token_ends
from core.pipeline.trajectories.next_tokens import fan, reweighed, said_next, spreads
from core.pipeline.trajectories.trajectory import (
    FIRST,
    branches,
    mean_step,
    read_paths,
    shared_start,
    shuffled,
    trajectory,
    write_paths,
)
from core.projection.base import PcaSpec, UmapSpec
from core.spaces.linalg import unit_rows
from core.teachers import layer_states
from core.teachers.causal import depth_of

PROMPT = "the cat sat on the mat"


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def lm(request):
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model on disk, with a corpus of a few passages behind it."""
    words = ("ocean", "bank", "river", "moon", "lamp", "salt", "mat", "dog", "cat", "red")
    texts = tuple(
        (f"text {it}", " ".join(f"the {words[(it * 7 + k * 3) % 10]} was" for k in range(14)))
        for it in range(9)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_states, "passages", lambda: texts)
        yield save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("workspace"))


def plain_pass(lm, ids):
    """(t, v) log-probabilities and the states of all layers, by transformers alone."""
    import torch

    with torch.inference_mode():
        out = lm.model(torch.tensor([ids]), output_hidden_states=True)
    said = out.logits[0].double().log_softmax(-1).numpy()
    return said, [it[0].numpy() for it in out.hidden_states]


class TestWalk:
    @pytest.mark.parametrize("layer", [0, 2, DEPTH])
    def test_states_and_expectations_are_those_of_a_plain_pass(self, lm, layer):
        ids = lm.ids(PROMPT)
        [walk] = read_paths(lm, [ids], layer)
        said, states = plain_pass(lm, ids)
        near(walk.states, states[layer])
        for at in range(1, len(ids)):
            own = said[at - 1]
            assert walk.probability[at] == pytest.approx(np.exp(own[ids[at]]), rel=1e-4)
            assert walk.entropy[at] == pytest.approx(-(np.exp(own) * own).sum(), rel=1e-4)
            assert walk.rank[at] == 1 + int((own > own[ids[at]]).sum())
        start, _ = plain_pass(lm, [0])
        assert walk.probability[0] == pytest.approx(np.exp(start[0, ids[0]]), rel=1e-4)
        assert walk.begun == len(walk) == len(ids)
        assert walk.text == PROMPT
        assert walk.text_to(1) == "the cat"

    def test_a_text_that_begins_with_the_start_sign_has_no_first_probability(self, lm):
        [walk] = read_paths(lm, [[0, 5, 6]], DEPTH)
        assert np.isnan(walk.probability[0])
        assert walk.rank[0] == 0

    def test_no_start_sign_at_all(self):
        lm = tiny_model()
        lm.tokenizer.bos_token = lm.tokenizer.eos_token = None
        assert np.isnan(read_paths(lm, [[3, 4]], 1)[0].entropy[0])

    def test_long_texts_are_read_in_parts(self, lm, monkeypatch):
        ids = lm.ids(PROMPT)
        [whole] = read_paths(lm, [ids], 1)
        monkeypatch.setattr("core.pipeline.trajectories.trajectory.AT_ONCE", 2)
        [parts] = read_paths(lm, [ids], 1)
        near(whole.probability, parts.probability)
        np.testing.assert_array_equal(whole.rank, parts.rank)

    def test_written_greedily_it_is_what_transformers_generates(self, lm):
        import torch

        ids = lm.ids(PROMPT)
        [walk] = write_paths(lm, ids, Sampling(steps=12), DEPTH)
        out = lm.model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, pad_token_id=0
        )[0].tolist()
        assert walk.ids.tolist() == [it for it in out if it not in lm.ends]
        assert walk.begun == len(ids)

    def test_while_it_grows_it_is_the_beginning_of_what_it_becomes(self, lm):
        seen = []
        ids = lm.ids(PROMPT)
        sampling = Sampling(temperature=1.0, seed=3, steps=8)
        found = write_paths(lm, ids, sampling, DEPTH, 2, lambda walks: not seen.append(walks))
        for walks in seen:
            for early, late in zip(walks, found, strict=True):
                count = len(early)
                assert early.ids.tolist() == late.ids[:count].tolist()
                assert len(early.states) == len(early.pieces) == count
                near(early.states, late.states[:count])
                near(early.probability, late.probability[:count])
                np.testing.assert_array_equal(early.rank, late.rank[:count])
        assert len(seen[0][0]) == len(ids)
        assert len(seen[-1][0]) >= len(found[0]) - 1

    def test_stopped_in_the_middle_it_keeps_what_was_written(self, lm):
        ids = lm.ids(PROMPT)
        sampling = Sampling(temperature=1.0, seed=1, steps=30)
        [walk] = write_paths(lm, ids, sampling, 1, 1, lambda walks: len(walks[0]) < len(ids) + 3)
        assert len(ids) + 3 <= len(walk) <= len(ids) + 4
        assert len(walk.states) == len(walk)

    def test_samples_draw_with_the_next_seed(self, lm):
        ids = lm.ids(PROMPT)
        both = write_paths(lm, ids, Sampling(1.0, 1.0, 5, 6), 1, 2)
        [second] = write_paths(lm, ids, Sampling(1.0, 1.0, 6, 6), 1)
        assert both[1].ids.tolist() == second.ids.tolist()

    @pytest.mark.parametrize("temperature", [0.0, 100.0])
    def test_the_coldest_and_the_hottest(self, lm, temperature):
        [walk] = write_paths(lm, lm.ids("the"), Sampling(temperature, steps=4), DEPTH)
        assert np.isfinite(walk.states).all()
        assert (walk.rank[1:] == 1).all() or temperature > 0

    def test_two_at_once_do_not_disturb_each_other(self, lm):
        prompts = [lm.ids(PROMPT), lm.ids("I was thinking about the moon")]
        alone = [write_paths(lm, ids, Sampling(steps=10), 2)[0] for ids in prompts]
        found = {}

        def work(number):
            found[number] = write_paths(lm, prompts[number], Sampling(steps=10), 2)[0]

        threads = [threading.Thread(target=work, args=(it,)) for it in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in (0, 1):
            assert found[number].ids.tolist() == alone[number].ids.tolist()
            near(found[number].states, alone[number].states)

    def test_shuffled_it_has_the_same_tokens_read_anew(self, lm):
        [walk] = read_paths(lm, [lm.ids(f"{PROMPT} and the moon is red")], 2)
        other = shuffled(lm, walk, 2, seed=1)
        assert other.ids[0] == walk.ids[0]
        assert sorted(other.ids.tolist()) == sorted(walk.ids.tolist())
        assert other.ids.tolist() != walk.ids.tolist()
        near(other.states, plain_pass(lm, other.ids.tolist())[1][2])


class TestTree:
    def test_shared_stems(self, lm):
        texts = [[1, 2, 3, 4, 5], [1, 2, 9, 8], [1, 2, 9, 7, 7], [1, 2, 3, 4]]
        found = branches(read_paths(lm, texts, 1, 2))
        assert [(it.parent, it.at) for it in found] == [(0, 0), (0, 2), (1, 3), (0, 4)]
        assert branches(()) == []

    @given(st.lists(st.integers(0, 2), max_size=8), st.lists(st.integers(0, 2), max_size=8))
    def test_a_shared_start_is_the_longest(self, one, other):
        found = shared_start(np.array(one, np.int64), np.array(other, np.int64))
        assert one[:found] == other[:found]
        assert one[: found + 1] != other[: found + 1] or found == min(len(one), len(other))


class TestBackdrop:
    def test_the_picture_is_frozen_and_exact(self, workspace, model):
        lm = speaker(model)
        behind = backdrop(workspace, model, DEPTH, PcaSpec())
        np.testing.assert_allclose(behind.place(behind.space.vectors), behind.coords, atol=1e-5)
        assert 0 < behind.share <= 1
        ids = lm.ids(PROMPT)
        states = read_paths(lm, [ids], DEPTH)[0].states
        from sklearn.decomposition import PCA

        fitted = PCA(2).fit(behind.space.unit.astype(np.float64))
        theirs = fitted.transform(unit_rows(states).astype(np.float64))
        ours = behind.place(states)
        np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)
        assert behind.share == pytest.approx(fitted.explained_variance_ratio_.sum(), rel=1e-4)

    def test_a_passage_of_the_corpus_falls_onto_its_own_tokens(self, workspace, model):
        """The last layer is after the final norm in both."""
        lm = speaker(model)
        space = backdrop(workspace, model, DEPTH, PcaSpec()).space
        text = layer_states.passages()[0][1]
        [walk] = read_paths(lm, [lm.ids(text)[: layer_states.TOKENS]], DEPTH)
        near(walk.states[FIRST:], space.vectors[: len(walk) - FIRST])

    def test_umap_places_among_the_nearest(self, workspace, model):
        behind = backdrop(workspace, model, 1, UmapSpec(n_neighbors=4, n_epochs=10, seed=1))
        assert behind.plane is None
        assert behind.share is None
        near(behind.place(behind.space.vectors[:5]), behind.coords[:5])

    def test_only_the_last_layer_is_normed(self, lm):
        stream = lm.states(lm.ids(PROMPT))
        np.testing.assert_array_equal(in_space(lm, 2, stream[2]), stream[2])
        normed = in_space(lm, DEPTH, stream[DEPTH])
        near(normed, plain_pass(lm, lm.ids(PROMPT))[1][-1])

    def test_layers_that_are_not_there(self, model):
        assert depth_of(model) == DEPTH
        assert layer_of(model, None) == DEPTH
        with pytest.raises(InvalidSpecification, match="found layer 9; expected 0"):
            layer_of(model, 9)


class TestTrajectory:
    def test_a_prompt_goes_on_and_is_placed(self, workspace, model):
        found = trajectory(workspace, model, PROMPT, Sampling(1.0, seed=2, steps=6), samples=3)
        assert found.layer == DEPTH
        assert [it.shape for it in found.places] == [(len(it), 3) for it in found.walks]
        assert found.percentile.shape == (len(found.walks[0]),)
        assert ((found.percentile >= 0) & (found.percentile <= 100)).all()
        step = mean_step(found.walks[0], found.backdrop)
        own = found.walks[0].states[FIRST:] - found.backdrop.space.mean
        unit = own / np.linalg.norm(own, axis=1, keepdims=True)
        assert step == pytest.approx(1 - (unit[1:] * unit[:-1]).sum(1).mean(), rel=1e-4)

    def test_progress_can_stop_it(self, workspace, model):
        def until_two(done, total, message):
            return "writes" not in message or done < 2

        with pytest.raises(Cancelled):
            trajectory(workspace, model, PROMPT, Sampling(1.0, steps=9), progress=until_two)

    @pytest.mark.parametrize(
        ("prompt", "said"),
        [("  \n", "empty prompt"), ("the cat " * 70, "shorten it"), ("", "empty prompt")],
    )
    def test_prompts_that_cannot_be(self, workspace, model, prompt, said):
        with pytest.raises(InvalidSpecification, match=said):
            trajectory(workspace, model, prompt, Sampling(steps=4))

    def test_a_prompt_at_the_limit_still_fits(self, model):
        lm = speaker(model)
        ids = lm.ids("the " * 110)[: lm.window - 3]
        [walk] = write_paths(lm, ids, Sampling(1.0, steps=3), 1)
        assert len(walk) <= lm.window
        assert read_paths(lm, [[3] * lm.window], 1)[0].states.shape == (lm.window, DIM)

    def test_a_model_that_is_not_there(self, workspace):
        with pytest.raises(TeacherUnavailable):
            trajectory(workspace, "path:/nowhere", PROMPT, Sampling())


class TestFan:
    @pytest.mark.parametrize("layer", [1, DEPTH])
    def test_rays_end_at_states_of_a_plain_pass(self, lm, layer):
        ids = lm.ids(PROMPT)
        for found in spreads(lm, ids, 4, layer, [1, 3, len(ids) - 1]):
            said = np.exp(plain_pass(lm, ids[: found.position + 1])[0][-1])
            assert found.ids.tolist() == np.argsort(-said, kind="stable")[:4].tolist()
            near(found.probability, said[found.ids])
            for token, state in zip(found.ids.tolist(), found.states, strict=True):
                _, states = plain_pass(lm, [*ids[: found.position + 1], token])
                near(state, states[layer][-1])

    def test_the_whole_vocabulary_sums_to_one(self, lm):
        [found] = spreads(lm, lm.ids(PROMPT), 10_000, 1)
        assert len(found.ids) == lm.vocabulary
        assert found.probability.sum() == pytest.approx(1, abs=1e-4)
        assert (np.diff(found.probability) <= 0).all()

    def test_many_positions_tell_of_themselves(self, lm, monkeypatch):
        monkeypatch.setattr("core.pipeline.trajectories.next_tokens.CHUNK", 4)
        ids = lm.ids(PROMPT)
        told = []
        parts = spreads(lm, ids, 2, 1, range(1, len(ids)), lambda *it: not told.append(it))
        assert len(parts) == len(ids) - 1
        assert len(told) > 1
        with pytest.raises(Cancelled):
            spreads(lm, ids, 2, 1, [1], lambda *_: False)

    def test_a_fan_on_the_picture(self, workspace, model):
        found = fan(workspace, model, PROMPT, 5)
        behind = found.backdrop
        np.testing.assert_allclose(found.places, behind.place(found.spread.states))
        [walk] = read_paths(speaker(model), [speaker(model).ids(PROMPT)], DEPTH)
        near(found.start, behind.place(walk.states[-1:])[0])

    def test_weighed_anew_it_is_the_softmax_of_colder_logits(self, lm):
        import torch

        ids = lm.ids(PROMPT)
        said = said_next(lm, ids)
        with torch.inference_mode():
            logits = lm.model(torch.tensor([ids])).logits[0].double()
        for heat in (0.3, 1.0, 2.0, 100.0):
            theirs = (logits[-1] / heat).softmax(-1).numpy()
            np.testing.assert_allclose(reweighed(said[-1], heat), theirs, rtol=1e-3, atol=1e-7)
        assert (
            reweighed(said[-1], 0.0).tolist() == np.eye(lm.vocabulary)[said[-1].argmax()].tolist()
        )
        with pytest.raises(InvalidSpecification, match="temperature -1"):
            reweighed(said[-1], -1.0)


class TestRankLaw:
    @given(st.floats(-4, -0.2), st.integers(30, 5_000))
    def test_an_exact_power_law_has_its_slope(self, slope, count):
        shares = np.arange(1, count + 1, dtype=float) ** slope
        found = rank_law(np.random.default_rng(0).permutation(shares / shares.sum()))
        assert found.slope == pytest.approx(slope, abs=1e-6)
        assert found.r_squared == pytest.approx(1)
        assert (found.low, found.high) == (1, min(count, 1_000))
        ranks = np.array([1, count // 2])
        np.testing.assert_allclose(found.at(ranks), (shares / shares.sum())[ranks - 1])

    def test_every_decade_counts_alike(self):
        """What is true of the first decade, turned round, is as true of the last."""
        x = np.log10(np.arange(1, 1_001))
        near, far = (10 ** (-1.5 * x + bump) for bump in (0.3 * (x <= 1), -0.3 * (x >= 2)))
        assert rank_law(near).slope == pytest.approx(rank_law(far).slope, abs=0.002)
        assert abs(rank_law(near).slope + 1.5) > 0.05

    def test_what_is_drawn_is_spread_evenly(self):
        ranks = spread_ranks(1, 10_000)
        counts = [int(((ranks > 10**k) & (ranks <= 10 ** (k + 1))).sum()) for k in (1, 2, 3)]
        assert max(counts) - min(counts) <= 3

    def test_what_bends_is_no_straight_line(self):
        assert rank_law(np.exp(-np.arange(1_000) / 30)).r_squared < 0.9

    def test_too_few(self):
        with pytest.raises(InvalidSpecification, match="expected at least three"):
            rank_law(np.array([1.0, 0, 0, 0]))


class TestParting:
    def test_a_text_against_itself_and_turned(self, lm):
        ids = lm.ids(f"{PROMPT} and the moon is red")
        [walk] = read_paths(lm, [ids], 2)
        from dataclasses import replace

        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, DIM)))[0].astype(np.float32)
        zero, ends = np.zeros(DIM, np.float32), token_ends(lm, ids)
        turned = replace(walk, states=np.ascontiguousarray(walk.states @ turn))
        found = divergence(walk, turned, (zero, zero), (ends, ends))
        assert found.at.tolist() == list(range(len(ids)))
        assert np.isnan(found.apart[0])
        np.testing.assert_allclose(found.apart[1:], 0, atol=1e-5)  # axes do not matter
        [other] = read_paths(tiny_model(seed=9), [ids], 2)
        assert np.nanmean(divergence(walk, other, (zero, zero), (ends, ends)).apart) > 0.05

    def test_it_is_the_correlation_of_cosines(self, lm):
        ids = lm.ids(PROMPT)
        one, other = (read_paths(lm, [ids], layer)[0] for layer in (1, 4))
        means = (one.states[1:].mean(0), other.states[1:].mean(0))
        ends = token_ends(lm, ids)
        found = divergence(one, other, means, (ends, ends)).apart
        units = [
            unit_rows(it.states[1:] - mean) for it, mean in zip((one, other), means, strict=True)
        ]
        first, second = (unit.astype(np.float64) @ unit.T for unit in units)
        rest = [it for it in range(len(first)) if it != 2]
        expected = 1 - np.corrcoef(first[2, rest], second[2, rest])[0, 1]
        assert found[3] == pytest.approx(expected, abs=1e-6)

    def test_other_tokens_are_laid_by_their_ends(self, lm):
        ids = lm.ids(PROMPT)
        one, other = read_paths(lm, [ids, ids[:4]], 1)
        zero = np.zeros(DIM, np.float32)
        found = divergence(one, other, (zero, zero), ([3, 7, 11, 14, 18, 22], [3, 11, 18, 22]))
        assert found.at.tolist() == [0, 1, 1, 2, 2, 3]

    def test_surprise_is_the_divergence(self, lm):
        said = said_next(lm, lm.ids(PROMPT))
        np.testing.assert_allclose(surprise(said, said), 0, atol=1e-9)
        theirs = said_next(tiny_model(seed=5), lm.ids(PROMPT))
        from scipy.stats import entropy

        np.testing.assert_allclose(
            surprise(said, theirs), entropy(np.exp(said), np.exp(theirs), axis=1), rtol=1e-3
        )
        assert same_vocabulary(lm, tiny_model(seed=5))


@pytest.mark.models
def test_wolframs_prompt_goes_on_sensibly():
    lm = speaker("smollm2")
    [walk] = write_paths(
        lm, lm.ids("The best thing about AI is its ability to"), Sampling(steps=6), lm.depth
    )
    assert walk.text.endswith(" make things more efficient and effective")
    assert (walk.rank[walk.begun :] == 1).all()
    law = rank_law(np.exp(said_next(lm, walk.ids[: walk.begun].tolist())[-1]))
    assert -3 < law.slope < -0.5


def test_the_command_line(model, workspace_folder, capsys):
    assert main(["trajectory", model, PROMPT, "--steps", "5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["text"].startswith(PROMPT)
    wanted = {"text", "id", "probability", "entropy", "x", "y", "z"}
    assert all(wanted <= set(it) for it in said["tokens"])
    assert "".join(it["text"] for it in said["tokens"]) == said["text"]
    assert [it["written"] for it in said["tokens"]][:7] == [False] * 6 + [True]
    assert main(["trajectory", model, PROMPT, "--steps", "2", "--dims", "2", "--json"]) == 0
    assert {it["z"] for it in json.loads(capsys.readouterr().out)["tokens"]} == {0.0}
    assert main(["fan", model, PROMPT, "-k", "7", "--json"]) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    assert len(words) == 7
    assert all({"text", "probability", "x", "y"} <= set(it) for it in words)
    assert words == sorted(words, key=lambda it: -it["probability"])
    assert main(["fan", model, PROMPT, "-k", "7"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--samples", "0"], "found --samples 0"),
        (["--temperature", "101"], "found temperature 101"),
        (["--layer", "77"], "found layer 77"),
        (["--steps", "200"], "shorten it"),
    ],
)
def test_the_command_line_says_what_to_mend(model, workspace_folder, capsys, arguments, said):
    assert main(["trajectory", model, PROMPT, *arguments]) == 2
    assert said in capsys.readouterr().err
