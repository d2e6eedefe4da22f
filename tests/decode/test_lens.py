"""Lenses against plain transformers, numpy's closed form and what they must be by definition."""

import json

import numpy as np
import pytest
from tiny_causal import DEPTH, DIM, near, raw_model, save_tiny, tiny_model

from core.cli import main
from core.decode import lens
from core.decode.lens import STRENGTHS, FittedLens, Sums, fit_lens, judge, lens_grid, summed
from core.errors import InvalidSpecification, Unsupported
from core.pipeline import Workspace
from core.pipeline.trajectories import lenses
from core.pipeline.trajectories.corpus_split import PARTS, documents, windows
from core.pipeline.trajectories.lenses import (
    fitted_lens,
    grid_table,
    has_lens,
    lens_gaps,
    read_layers,
)

TEXT = "the cat sat on the mat and the dog"


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def lm(request):
    return tiny_model(request.param)


def some_texts(lm, count, tokens=12, seed=0):
    drawn = np.random.default_rng(seed).integers(0, lm.vocabulary, (count, tokens))
    return drawn.tolist()


def stacked(lm, texts, layer):
    return np.concatenate([lm.states(ids)[layer, 1:] for ids in texts]).astype(np.float64)


class TestGrid:
    def test_it_is_what_plain_transformers_says(self, lm):
        import torch

        model, _ = raw_model(lm.name.split()[1])
        ids = lm.ids(TEXT)
        grid = lens_grid(lm, ids, k=3)
        with torch.inference_mode():
            out = model(torch.tensor([ids]), output_hidden_states=True)
            for layer in range(DEPTH + 1):
                states = out.hidden_states[layer][0]
                # transformers' own last state is after the final norm already
                seen = states if layer == DEPTH else lm.norm(states)
                said = model.get_output_embeddings()(seen).softmax(-1)
                assert grid.top[layer].tolist() == said.topk(3).indices.tolist()
                near(grid.probabilities[layer], said.topk(3).values)
                entropy = torch.distributions.Categorical(said).entropy()
                near(grid.entropy[layer], entropy)

    def test_gaps_are_jensen_shannon_divergences_in_bits(self, lm):
        import torch
        from scipy.spatial.distance import jensenshannon

        maps = np.random.default_rng(0).normal(size=(DEPTH, DIM, DIM)).astype(np.float32)
        fitted = FittedLens(maps, np.zeros((DEPTH, DIM), np.float32), (1.0,) * DEPTH)
        states = np.ascontiguousarray(lm.states(lm.ids(TEXT))[:, -1])
        found = lens_gaps(lm, states, fitted)
        seen = np.stack(
            [*(row @ it for row, it in zip(states[:-1], maps, strict=True)), states[-1]]
        )
        one, other = (lm.lens(torch.from_numpy(it)).double().softmax(-1) for it in (states, seen))
        near(found.between, jensenshannon(one, other, axis=1, base=2) ** 2)
        near(found.fitted[:-1], jensenshannon(other[:-1], one[-1:], axis=1, base=2) ** 2)
        near(found.logit[:-1], jensenshannon(one[:-1], one[-1:], axis=1, base=2) ** 2)
        assert found.logit[-1] == found.fitted[-1] == found.between[-1] == 0
        assert 0 < found.between[:-1].min() <= found.between.max() <= 1

    def test_ranks_are_those_of_the_sorted_vocabulary(self, lm):
        import torch

        ids = lm.ids(TEXT)
        grid = lens_grid(lm, ids, k=1)
        answers = grid.top[-1, :, 0]
        for layer in range(DEPTH + 1):
            said = lm.lens(torch.from_numpy(grid.states[layer])).numpy()
            order = np.argsort(-said, axis=1, kind="stable")
            places = [
                int(np.flatnonzero(row == it)[0]) for row, it in zip(order, answers, strict=True)
            ]
            assert grid.rank[layer].tolist() == [place + 1 for place in places]
        assert (grid.rank[-1] == 1).all()
        assert np.allclose(grid.share[-1], grid.probabilities[-1, :, 0])

    def test_an_answer_appears_where_it_stays(self):
        rank = np.array([[1, 5], [3, 2], [1, 1], [1, 4], [1, 1]])
        words, flat = np.zeros((5, 2, 1), int), np.zeros((5, 2, 1), np.float32)
        cells = flat[:, :, 0]
        grid = lens.LensGrid(np.zeros(2, int), words, flat, cells, rank, cells, flat)
        assert grid.appears.tolist() == [2, 4]

    @pytest.mark.parametrize("k", [0, 10_000])
    def test_no_such_number_of_words(self, lm, k):
        with pytest.raises(InvalidSpecification, match="expected 1 to"):
            lens_grid(lm, [1, 2], k=k)

    def test_batches_do_not_matter(self, lm, monkeypatch):
        ids = lm.ids(TEXT)
        whole = lens_grid(lm, ids)
        monkeypatch.setattr(lens, "ROWS", 2)
        parts = lens_grid(lm, ids)
        assert (whole.top == parts.top).all()
        near(whole.entropy, parts.entropy)


class TestFitting:
    def test_the_sums_are_those_of_all_states(self, lm):
        texts = some_texts(lm, 11)
        sums = summed(lm, texts)
        last = stacked(lm, texts, DEPTH)
        assert sums.count == len(last) == 11 * 11
        for layer in (0, 2):
            states = stacked(lm, texts, layer)
            near(sums.xx[layer], states.T @ states)
            near(sums.xy[layer], states.T @ last)

    def test_the_ridge_is_sklearn_s(self, lm):
        from sklearn.linear_model import Ridge

        texts, check = some_texts(lm, 30), some_texts(lm, 8, seed=1)
        own, other = summed(lm, texts), summed(lm, check)
        found = fit_lens(own, other)
        for layer in range(DEPTH):
            states, last = (
                np.concatenate([stacked(lm, it, at) for it in (texts, check)])
                for at in (layer, DEPTH)
            )
            centred = states - states.mean(axis=0)
            alpha = found.strengths[layer] * np.mean(np.sum(centred**2, axis=0))
            oracle = Ridge(alpha=alpha).fit(states, last - states)
            ours = states @ found.maps[layer] + found.shifts[layer]
            theirs = states + oracle.predict(states)
            assert np.allclose(ours, theirs, atol=2e-2 * np.abs(last).max())
            error = np.mean(np.sum((ours - last) ** 2, axis=1))
            said = (own + other).error(
                layer, found.maps[layer].astype(float), found.shifts[layer].astype(float)
            )
            assert said == pytest.approx(error, rel=1e-2)

    def test_the_strength_is_the_one_with_least_error_elsewhere(self, lm):
        from sklearn.linear_model import Ridge

        texts, check = some_texts(lm, 6), some_texts(lm, 6, seed=1)
        found = fit_lens(summed(lm, texts), summed(lm, check))
        states, last = stacked(lm, texts, 1), stacked(lm, texts, DEPTH)
        unit = np.mean(np.sum((states - states.mean(axis=0)) ** 2, axis=0))
        errors = []
        for strength in STRENGTHS:
            oracle = Ridge(alpha=strength * unit).fit(states, last - states)
            seen = stacked(lm, check, 1)
            away = seen + oracle.predict(seen) - stacked(lm, check, DEPTH)
            errors.append(np.mean(np.sum(away**2, axis=1)))
        assert found.strengths[1] == STRENGTHS[int(np.argmin(errors))]

    def test_a_linear_relation_is_found(self):
        import torch

        generator = np.random.default_rng(0)
        turn, shift = generator.normal(size=(8, 8)), generator.normal(size=8)

        def sums(seed):
            states = np.random.default_rng(seed).normal(size=(400, 8)).astype(np.float32)
            made = Sums(1, 8)
            last = (states @ turn + shift).astype(np.float32)
            made.add({0: torch.from_numpy(states), 1: torch.from_numpy(last)})
            return made

        found = fit_lens(sums(1), sums(2))
        assert found.strengths == (STRENGTHS[0],)
        assert np.allclose(found.maps[0], turn, atol=1e-2)
        assert np.allclose(found.shifts[0], shift, atol=1e-2)

    def test_a_sink_is_left_out(self, lm, monkeypatch):
        texts = some_texts(lm, 3)
        whole = summed(lm, texts).count
        table = lm.model.get_input_embeddings().weight.data
        token = texts[0][5]
        kept = table[token].clone()
        try:
            table[token] *= 1_000
            times = sum(ids[1:].count(token) for ids in texts)
            assert summed(lm, texts).count == whole - times
        finally:
            table[token] = kept

    def test_too_little_to_fit_on(self, lm):
        with pytest.raises(InvalidSpecification, match="found 1 tokens"):
            fit_lens(summed(lm, [[1, 2]]), summed(lm, some_texts(lm, 2)))

    def test_stop(self, lm):
        from core.errors import Cancelled

        with pytest.raises(Cancelled):
            summed(lm, some_texts(lm, 9), lambda *_: False)


class TestJudging:
    def test_the_last_layer_agrees_with_itself(self, lm):
        texts = some_texts(lm, 6)
        fitted = fit_lens(summed(lm, texts), summed(lm, texts[:3]))
        found = judge(lm, texts, fitted)
        assert found.tokens.tolist() == [3] * 6
        assert (found.agrees[:, -1] == 3).all()
        assert np.allclose(found.divergence[:, -1], 0, atol=1e-5)
        assert (found.divergence > -1e-4).all()

    def test_a_map_that_changes_nothing_is_the_logit_lens(self, lm):
        same = np.broadcast_to(np.eye(DIM, dtype=np.float32), (DEPTH, DIM, DIM))
        fitted = FittedLens(same, np.zeros((DEPTH, DIM), np.float32), (0.1,) * DEPTH)
        found = judge(lm, some_texts(lm, 3), fitted)
        assert (found.agrees[0] == found.agrees[1]).all()
        ids = lm.ids(TEXT)
        assert (lens_grid(lm, ids).top == lens_grid(lm, ids, fitted).top).all()

    def test_fitting_brings_the_last_layer_nearer(self, lm):
        texts = some_texts(lm, 150)
        fitted = fit_lens(summed(lm, texts[:100]), summed(lm, texts[100:130]))
        found = judge(lm, texts[130:], fitted)
        plain, better = found.divergence[:, :-1].sum(axis=(1, 2))
        assert better < plain


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model"))


class TestKept:
    @pytest.fixture
    def few(self, monkeypatch):
        for name, value in {"EACH": 1, "JUDGED": 5, "WINDOW": 16}.items():
            monkeypatch.setattr(lenses, name, value)

    def test_parts_share_no_document(self):
        names = [{name for name, _ in documents()[part]} for part in PARTS]
        assert not (names[0] & names[1]) | (names[0] & names[2]) | (names[1] & names[2])
        assert abs(len(names[1]) - len(names[2])) <= 1
        assert len(names[0]) == 96

    def test_windows_are_whole(self):
        lm = tiny_model()
        found = windows(lm, "explored", 20, each=2, most=4)
        assert {len(ids) for _, ids in found} == {20}
        assert len({name for name, _ in found}) == 4
        with pytest.raises(InvalidSpecification, match="found the part 'x'"):
            windows(lm, "x", 3)

    def test_it_is_made_once(self, tmp_path, model, few, monkeypatch):
        assert not has_lens(Workspace(tmp_path), model)
        made = fitted_lens(Workspace(tmp_path), model)
        assert made.documents == 96
        assert made.judged_documents == 5
        monkeypatch.setattr(lenses, "_made", None)
        again = fitted_lens(Workspace(tmp_path), model)
        assert again.to_dict() == made.to_dict()
        assert (again.fitted.maps == made.fitted.maps).all()
        last = made.figures[made.figures.layer == DEPTH]
        assert last.agreement.tolist() == [1, 1]
        assert last.agreement_low.tolist() == [1, 1]

    def test_other_weights_in_the_same_folder_have_another_lens(self, tmp_path, few):
        workspace, model = Workspace(tmp_path / "workspace"), save_tiny(tmp_path / "model")
        old = fitted_lens(workspace, model)
        save_tiny(tmp_path / "model", seed=1)
        assert not has_lens(workspace, model)
        assert not np.array_equal(fitted_lens(workspace, model).fitted.maps, old.fitted.maps)

    def test_a_table_of_cells(self, tmp_path, model):
        grid = read_layers(Workspace(tmp_path), model, TEXT, k=2)
        table = grid_table(tiny_model(), grid)
        assert len(table) == grid.top[:, :, 0].size
        row = table[(table.layer == 2) & (table.position == 3)].iloc[0]
        assert row.token == tiny_model().text([int(grid.ids[3])])
        assert row.word_2 == tiny_model().text([int(grid.top[2, 3, 1])])
        assert row.probability_1 == grid.probabilities[2, 3, 0]

    @pytest.mark.parametrize(
        ("text", "kind", "match"),
        [("", "logit", "empty prompt"), (TEXT, "tuned", "found the lens 'tuned'")],
    )
    def test_bad_input(self, tmp_path, model, text, kind, match):
        with pytest.raises(InvalidSpecification, match=match):
            read_layers(Workspace(tmp_path), model, text, kind)

    def test_the_command(self, workspace_folder, model, few, capsys):
        for kind in ("logit", "fitted"):
            assert main(["lens", model, TEXT, "--kind", kind, "-k", "2", "--json"]) == 0
            told = json.loads(capsys.readouterr().out)
            assert told["kind"] == kind
            assert "".join(it["text"] for it in told["tokens"]) == TEXT
            [first, *_, last] = told["tokens"][0]["layers"]
            assert first["layer"] == 0
            assert len(last["words"]) == 2
            assert last["rank_of_final"] == 1
            assert last["words"][0]["text"] == told["tokens"][0]["answer"]
        assert main(["lens", model, TEXT]) == 0
        assert "what comes next" in capsys.readouterr().out

    def test_a_model_without_a_head(self, tmp_path):
        with pytest.raises(Unsupported, match="no language head"):
            read_layers(Workspace(tmp_path), "minilm", TEXT)


@pytest.mark.models
def test_the_packaged_model_knows_a_capital(workspace_folder):
    from core.pipeline.models import speaker

    grid = read_layers(
        Workspace(workspace_folder), "smollm2", "The capital of France is the city of"
    )
    lm = speaker("smollm2")
    assert lm.text([int(grid.top[-1, -1, 0])]) == " Paris"
    assert 10 < grid.appears[-1] < lm.depth
    assert grid.rank[0, -1] > 1
