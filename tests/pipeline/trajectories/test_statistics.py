"""Laws of motion: texts of a kind are what they say, a planted difference is found and none where
there is none, and a guess is locked before it is scored."""

from dataclasses import replace

import numpy as np
import pytest
from planted_laws import planted
from tiny_causal import DEPTH, near, save_tiny, tiny_model

from core.errors import Cancelled, InvalidSpecification
from core.metrics.intervals import Interval
from core.metrics.trajectory_statistics import step_lengths, turning_angles
from core.pipeline import Workspace
from core.pipeline.trajectories import preregistration
from core.pipeline.trajectories import statistics as laws_module
from core.pipeline.trajectories.corpus_split import documents, windows
from core.pipeline.trajectories.preregistration import Prediction, lock, locked, score
from core.pipeline.trajectories.samples import KINDS, TEXTS, follow, made_up, tellings
from core.pipeline.trajectories.significance import Difference, differences, report, verdicts
from core.pipeline.trajectories.statistics import (
    has_laws,
    laws,
    middle,
)


@pytest.fixture(scope="module")
def lm():
    return tiny_model()


@pytest.fixture(scope="module")
def told(lm):
    return tellings(lm, windows(lm, "explored", 32, most=5), 8, 8)


class TestTellings:
    def test_all_begin_alike_and_are_as_long(self, told):
        assert len(told) > 2
        for one in told:
            assert set(one.ids) == set(TEXTS)
            assert len({tuple(ids[:8]) for ids in one.ids.values()}) == 1
            assert len({len(ids) for ids in one.ids.values()}) == 1

    def test_shuffled_are_the_same_words(self, told):
        for one in told:
            people, shuffled = one.ids["people"][8:], one.ids["shuffled"][8:]
            assert sorted(people) == sorted(shuffled)
        assert any(one.ids["people"] != one.ids["shuffled"] for one in told)

    def test_greedy_is_what_the_model_writes_alone(self, lm, told):
        from core.decode.sampling import Sampling

        for one in told:
            count = len(one.ids["greedy"]) - 8
            alone = lm.write(one.ids["greedy"][:8], Sampling(steps=count))
            assert [int(step.ids[0]) for step in alone] == one.ids["greedy"][8:]

    def test_samples_are_the_same_again(self, lm, told):
        again = tellings(lm, windows(lm, "explored", 32, most=5), 8, 8)
        assert [it.ids for it in again] == [it.ids for it in told]
        other = tellings(lm, windows(lm, "explored", 32, most=5), 8, 8, seed=9)
        assert [it.ids["sampled"] for it in other] != [it.ids["sampled"] for it in told]

    def test_no_end_is_in_them(self, lm, told):
        for one in told:
            assert not lm.ends & set(one.ids["greedy"][8:] + one.ids["sampled"][8:])

    def test_an_early_end_cuts_all_kinds(self, lm, monkeypatch):
        rows = windows(lm, "explored", 32, most=5)
        whole = tellings(lm, rows, 8, 8)
        stop = whole[0].ids["greedy"][8 + 10]
        first = whole[0].ids["greedy"][8:].index(stop)
        monkeypatch.setitem(lm.__dict__, "ends", frozenset({stop}))
        cut = {it.document: it for it in tellings(lm, rows, 8, 1)}
        for one in cut.values():
            assert len({len(ids) for ids in one.ids.values()}) == 1
            assert stop not in one.ids["greedy"][8:] + one.ids["sampled"][8:]
        if whole[0].document in cut:
            assert len(cut[whole[0].document].ids["people"]) <= 8 + first

    def test_stop(self, lm):
        with pytest.raises(Cancelled):
            tellings(lm, windows(lm, "explored", 32, most=2), 8, 8, progress=lambda *_: False)


class TestFollowing:
    @pytest.mark.parametrize("layer", [0, 2, DEPTH])
    def test_states_are_plain_transformers(self, lm, told, layer):
        import torch

        texts = [told[0].ids["people"], told[1].ids["greedy"]]
        found = follow(lm, texts, 8, layer)
        for ids, one in zip(texts, found, strict=True):
            with torch.inference_mode():
                out = lm.model(torch.tensor([ids]), output_hidden_states=True)
            near(one.states, out.hidden_states[layer][0, 8:])
            entropy = torch.distributions.Categorical(logits=out.logits[0, 8:]).entropy()
            near(one.entropy, entropy)
            turn = turning_angles(out.hidden_states[2][0, 8:].numpy()).mean()
            assert one.turns[2] == pytest.approx(turn, abs=0.05)

    def test_made_up_paths_have_the_steps_of_people(self):
        people = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
        found = made_up(people, np.eye(6), np.random.default_rng(1))
        assert set(found) == set(KINDS) - set(TEXTS)
        for kind in ("walk", "shaped"):
            assert np.allclose(step_lengths(found[kind]), step_lengths(people), atol=1e-4)
            assert np.allclose(found[kind][0], people[0], atol=1e-6)
        assert np.allclose(np.sort(found["jumbled"], axis=0), np.sort(people, axis=0))


@pytest.fixture
def few(monkeypatch):
    for name, value in {"DOCUMENTS": 6, "WRITTEN": 20, "FEWEST": 8, "SHOWN": 2}.items():
        monkeypatch.setattr(laws_module, name, value)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


class TestLaws:
    def test_everything_is_measured_and_kept(self, folder, model, few, monkeypatch):
        assert not has_laws(Workspace(folder), model, 2)
        found = laws(Workspace(folder), model, 2)
        n = len(found.documents)
        assert n + found.left_out == 6
        assert len(found.table) == n * len(KINDS)
        assert found.turns.shape == (len(TEXTS), n, DEPTH + 1)
        assert found.paths.shape == (len(KINDS), 2, 20, 2)
        monkeypatch.setattr(laws_module, "_measured", None)
        again = laws(Workspace(folder), model, 2)
        assert report(again) == report(found)
        assert again.words == found.words
        assert np.array_equal(again.paths, found.paths, equal_nan=True)

    def test_only_what_has_words_has_entropy(self, folder, model, few):
        found = laws(Workspace(folder), model, 2)
        for kind in KINDS:
            assert (found.mean("entropy", kind) is None) == (kind not in TEXTS)
            assert found.mean("turn", kind) is not None

    def test_explored_and_held_out_share_no_document(self, folder, model, few):
        explored = laws(Workspace(folder), model, 2)
        held = laws(Workspace(folder), model, 2, "held out")
        assert not set(explored.documents) & set(held.documents)
        fitted = {name for name, _ in documents()["fitted"]}
        assert not fitted & {*explored.documents, *held.documents}

    @pytest.mark.parametrize(("layer", "part"), [(99, "explored"), (2, "seen")])
    def test_bad_input(self, folder, model, few, layer, part):
        with pytest.raises(InvalidSpecification, match="found"):
            laws(Workspace(folder), model, layer, part)

    def test_the_middle(self):
        assert (middle(30), middle(4), middle(1)) == (14, 2, 0)


class TestVerdicts:
    def test_a_planted_difference_is_found(self):
        found = {it.quantity: it for it in verdicts(differences(planted(1.0)))}
        assert found["turn"].higher == ("sampled",)
        assert found["turn"].lower == ()
        assert "greedy" in found["turn"].alike

    def test_where_there_is_none_none_is_found(self):
        found = [differences(planted(0.0, seed=seed)) for seed in range(3)]
        assert sum(it.apart for asked in found for it in asked) <= 1

    def test_what_is_equal_by_making_is_not_asked(self):
        asked = {(it.quantity, it.kind) for it in differences(planted(0.0))}
        assert ("length", "walk") not in asked
        assert ("off", "jumbled") not in asked
        assert ("entropy", "walk") not in asked
        assert ("turn", "walk") in asked

    def test_asking_much_raises_the_bar(self):
        for it in differences(planted(0.2)):
            assert it.p_of_all >= it.p
        one = Difference("turn", "walk", Interval(1.0, 0.1, 2.0), 0.01, 0.3)
        assert not one.apart


RISES = Prediction("turn", "higher", "sampled", "people")


class TestGuesses:
    def test_it_is_locked_with_its_time(self, tmp_path):
        workspace = Workspace(tmp_path)
        one = lock(workspace, RISES, "smollm2", 3)
        assert locked(Workspace(tmp_path), "smollm2", 3) == [one]
        assert one.order == 1
        assert lock(workspace, RISES, "smollm2", 3) == one
        other = lock(workspace, replace(RISES, claim="lower"), "smollm2", 3)
        assert other.order == 2
        assert other.level > one.level == pytest.approx(0.975)
        assert locked(workspace, "smollm2", 4) == []

    def test_all_layers_and_models_are_counted(self, tmp_path):
        """They are scored on the same documents."""
        workspace = Workspace(tmp_path)
        places = [("smollm2", 3), ("smollm2", 4), ("other", 3)]
        assert [lock(workspace, RISES, *place).order for place in places] == [1, 2, 3]
        assert lock(workspace, RISES, "smollm2", 4).order == 2
        assert [one.order for one in locked(workspace, "other", 3)] == [3]

    def test_all_guesses_ever_made_err_with_a_twentieth(self):
        errs = [1 - preregistration.Locked(RISES, "m", 2, "now", k).level for k in range(1, 10_000)]
        assert sum(errs) == pytest.approx(0.05, abs=1e-4)

    def test_damage_on_the_disk_costs_no_guess(self, tmp_path):
        made = lock(Workspace(tmp_path), RISES, "smollm2", 3)
        (
            Workspace(tmp_path).store.folder(preregistration.KIND, preregistration.KEY)
            / "manifest.json"
        ).write_text("{")
        assert locked(Workspace(tmp_path), "smollm2", 3) == [made]
        assert lock(Workspace(tmp_path), replace(RISES, claim="lower"), "smollm2", 3).order == 2
        assert len(locked(Workspace(tmp_path), "smollm2", 3)) == 2

    def test_a_changed_guess_is_noticed(self, tmp_path):
        workspace = Workspace(tmp_path)
        lock(workspace, RISES, "smollm2", 3)
        kept = (preregistration.KIND, preregistration.KEY)
        rows = workspace.store.load(*kept).payload["guesses"]
        rows[0]["guess"]["claim"] = "lower"
        workspace.store.save(*kept, None, None, {"guesses": rows})
        with pytest.raises(InvalidSpecification, match="changed after it was locked"):
            locked(workspace, "smollm2", 3)

    @pytest.mark.parametrize(
        ("guess", "difference", "outcome"),
        [
            (RISES, 1.0, "supported"),
            (RISES, -1.0, "not supported"),
            (RISES, 0.0, "undecided"),
            (replace(RISES, claim="lower"), 1.0, "not supported"),
            (replace(RISES, claim="alike"), 1.0, "not supported"),
            (replace(RISES, claim="alike"), -1.0, "not supported"),
            (replace(RISES, claim="alike"), 0.0, "supported"),
            (replace(RISES, claim="alike"), 0.2, "supported"),
            (replace(RISES, claim="alike"), 0.5, "undecided"),
            (Prediction("step", "together", "people", "turn"), 0.0, "supported"),
            (Prediction("turn", "together", "people", "step"), 0.0, "supported"),
            (Prediction("step", "against", "people", "turn"), 0.0, "not supported"),
            (Prediction("turn", "together", "people", "entropy"), 0.0, "undecided"),
        ],
    )
    def test_scores(self, guess, difference, outcome):
        one = preregistration.Locked(guess, "m", 2, "now", 1)
        told = score(one, planted(difference))
        assert told.outcome == outcome
        assert told.documents == 40

    def test_a_later_guess_has_a_wider_interval(self):
        first, tenth = (preregistration.Locked(RISES, "m", 2, "now", k) for k in (1, 10))
        a, b = (score(one, planted(0.1)).interval for one in (first, tenth))
        assert b.low < a.low < a.value < a.high < b.high

    @pytest.mark.parametrize("difference", [0.0, 0.3, 0.8])
    def test_a_stricter_level_makes_no_answer_easier(self, difference):
        found = planted(difference)
        for claim in ("alike", "higher"):
            first, late = (
                score(
                    preregistration.Locked(replace(RISES, claim=claim), "m", 2, "now", k), found
                ).outcome
                for k in (1, 10**6)
            )
            assert late in (first, "undecided")

    def test_the_margin_is_half_the_spread_between_people(self):
        found = planted(0.0)
        one = preregistration.Locked(replace(RISES, claim="alike"), "m", 2, "now", 1)
        spread = found.values("turn", "people").std(ddof=1)
        assert score(one, found).margin == pytest.approx(spread / 2)
        assert score(replace(one, guess=RISES), found).margin is None

    @pytest.mark.parametrize("change", [{"part": "explored"}, {"layer": 3}, {"model": "x"}])
    def test_only_what_was_held_out_scores(self, change):
        one = preregistration.Locked(RISES, "m", 2, "now", 1)
        with pytest.raises(InvalidSpecification, match="expected those held out"):
            score(one, replace(planted(0.0), **change))

    @pytest.mark.parametrize(
        "said",
        [
            ("turn", "higher", "people", "people"),
            ("turn", "higher", "people", "nobody"),
            ("beauty", "higher", "people", "walk"),
            ("turn", "nicer", "people", "walk"),
            ("turn", "together", "people", "turn"),
            ("turn", "together", "people", "spread"),
            ("entropy", "higher", "people", "walk"),
            ("turn", "together", "walk", "entropy"),
            ("length", "alike", "people", "walk"),
        ],
    )
    def test_what_is_no_sentence(self, said):
        with pytest.raises(InvalidSpecification, match="expected two different"):
            Prediction(*said)

    def test_in_words(self):
        assert RISES.sentence.startswith("Turn of “by the model, drawn")
        assert RISES.sentence.endswith("is higher than that of “written by people”")
        assert "falls" in Prediction("step", "against", "people", "turn").sentence
