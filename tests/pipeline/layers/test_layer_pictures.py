"""One picture for all layers of a model: what it keeps, where it puts things, what is chance."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import save_tiny
from tiny_encoder import save_model

from core.errors import InvalidSpecification, UnknownItem
from core.figures.layers.states import (
    LayerCurve,
    heatmap,
    layer_colours,
    layer_curves,
    layers_map,
    runs_of,
)
from core.figures.scene import Mover, Picture, Player, Scene, to_json
from core.figures.tokens import DARK, LIGHT
from core.metrics.silhouette import grouping
from core.pipeline.layers import pictures
from core.pipeline.layers.measures import (
    grid,
    has_grid,
    has_measures,
    measures,
    openings,
    parted,
)
from core.pipeline.layers.pictures import (
    FITS,
    draw_layers,
    drift,
    ground,
    ground_of,
    has_ground,
    has_picture,
    has_second,
    layer_picture,
    second_picture,
)
from core.pipeline.layers.senses import sentences_with
from core.pipeline.models import reader
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec, UmapSpec
from core.signatures.hidden import hidden_states
from core.spaces.linalg import unit_rows
from core.ui.layers.senses import labelled
from core.ui.layers.sentence_scene import nearest_words, surface, telling

TEXTS = ["the cat sleeps", "a big dog runs over the small table"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return f"path:{save_model(tmp_path_factory.mktemp('model'), 'bert')}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "BACKGROUND", 600)
        yield Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def own(workspace, model):
    return ground(workspace, model)


@pytest.fixture(scope="module")
def states(model):
    return hidden_states(TEXTS, reader(model))


def test_byte_pairs_are_written_as_people_read_them(workspace, tmp_path):
    reference = save_tiny(tmp_path)
    read = hidden_states(["the cat sat on the mat"], reader(reference))
    assert "Ġcat" in set(read.tokens["token"])  # as its vocabulary writes it
    texts = set(ground(workspace, reference).layers[0].texts)
    assert "cat" in texts or "the" in texts
    assert not any(text.startswith("Ġ") and len(text) > 1 for text in texts)
    near = nearest_words(ground(workspace, reference), read, 1)
    assert any(word != "–" for words in near for word in words)
    assert all("Ġ" not in word for words in near for word in words)


def vectors_of(ground):
    return [space.vectors for space in ground.layers]


class TestGround:
    def test_the_same_tokens_in_every_layer(self, own):
        assert len(own.layers) == 3  # the embeddings and two layers
        assert {len(space) for space in own.layers} == {200}
        assert len({space.texts for space in own.layers}) == 1
        assert len(own.joint) == 600
        np.testing.assert_array_equal(own.joint.vectors[200:400], own.layers[1].vectors)
        assert own.joint.metadata["layer"].tolist()[::200] == [0, 1, 2]

    def test_its_states_are_the_models(self, own, model):
        sentence = own.layers[0].metadata["sentence"][0]
        again = hidden_states([sentence], reader(model), truncate=True)
        for space, layer in zip(own.layers, again.layers, strict=True):
            np.testing.assert_allclose(space.vectors[: len(layer)], layer, atol=1e-5)

    def test_it_is_kept_and_read_again(self, workspace, own, model):
        assert has_ground(workspace, model)
        assert not has_ground(workspace, model, seed=5)
        again = ground(Workspace(workspace.folder), model)
        assert again.joint.digest == own.joint.digest

    def test_another_seed_reads_other_sentences(self, workspace, own, model):
        other = ground(workspace, model, seed=1)
        sentences = [set(it.layers[0].metadata["sentence"]) for it in (own, other)]
        assert sentences[0] != sentences[1]


class TestPictures:
    @pytest.mark.parametrize("fit", FITS)
    def test_what_is_placed_stands_where_it_was_drawn(self, workspace, own, fit):
        picture = layer_picture(workspace, own, PcaSpec(), fit)
        placed = picture.place(vectors_of(own))
        np.testing.assert_allclose(placed, np.stack(picture.coords), atol=1e-5)

    def test_the_joint_fit_is_pca_of_all_layers(self, workspace, own):
        from sklearn.decomposition import PCA

        picture = layer_picture(workspace, own, PcaSpec(), "joint")
        oracle = PCA(2).fit_transform(own.joint.unit.astype(np.float64))
        got = np.concatenate(picture.coords)
        signs = np.sign((oracle * got).sum(axis=0))
        np.testing.assert_allclose(got, oracle * signs, atol=1e-4)

    def test_each_is_pca_of_its_own_layer(self, workspace, own):
        from sklearn.decomposition import PCA

        picture = layer_picture(workspace, own, PcaSpec(), "each")
        for coords, space in zip(picture.coords, own.layers, strict=True):
            oracle = PCA(2).fit_transform(space.unit.astype(np.float64))
            np.testing.assert_allclose(np.abs(coords), np.abs(oracle), atol=1e-4)

    def test_turning_changes_no_distance_and_brings_layers_together(self, workspace, own):
        each, aligned = (layer_picture(workspace, own, PcaSpec(), it) for it in ("each", "aligned"))

        def apart(coords):
            return np.linalg.norm(coords[:, None] - coords[None], axis=2)

        for one, other in zip(each.coords, aligned.coords, strict=True):
            np.testing.assert_allclose(apart(one), apart(other), atol=1e-4)
        walked = [np.square(np.diff(np.stack(it.coords), axis=0)).sum() for it in (each, aligned)]
        assert walked[1] <= walked[0] + 1e-6

    def test_another_fit_is_refused(self, workspace, own):
        with pytest.raises(InvalidSpecification, match="joint, aligned, each"):
            layer_picture(workspace, own, PcaSpec(), "sideways")

    def test_umap_is_drawn_once_and_places_a_state_on_itself(self, workspace, own, model):
        spec = UmapSpec(n_epochs=10, seed=3)
        assert not has_picture(workspace, model, spec, "joint")
        draw_layers(workspace, model, spec, "joint")
        assert has_picture(workspace, model, spec, "joint")
        assert has_second(workspace, model, spec, "joint")
        assert workspace.has_faithfulness(own.joint, spec)
        picture = layer_picture(workspace, own, spec, "joint")
        placed = picture.place([it[:20] for it in vectors_of(own)])
        mine = np.stack(picture.coords)[:, :20]
        # Equal states lie on each other in the space, and the first of them lends its place.
        same = np.abs(placed - mine).max(axis=2) < 1e-5
        assert same.mean() > 0.5
        away = np.linalg.norm(placed - mine, axis=2).mean()
        assert away < 0.3 * picture.radius


class TestDrift:
    def test_nothing_moves_where_the_layers_are_one(self, workspace, own):
        still = ground_of([own.layers[1].vectors] * 3, own.layers[1].texts, "minilm")
        picture = layer_picture(workspace, still, PcaSpec(), "joint")
        found = drift(picture, vectors_of(still))
        np.testing.assert_allclose(found.measured, 0, atol=1e-5)
        np.testing.assert_allclose(found.drawn, 0, atol=1e-5)
        assert found.by_seed is None

    def test_a_picture_beside_itself_has_no_chance_in_it(self, workspace, own, states):
        for fit in FITS:
            picture = layer_picture(workspace, own, PcaSpec(), fit)
            found = drift(picture, list(states.layers), picture)
            np.testing.assert_allclose(found.by_seed, 0, atol=1e-4)
            assert min(found.drawn) > 0

    def test_other_sentences_move_the_picture(self, workspace, model, states, own):
        picture = layer_picture(workspace, own, PcaSpec(), "joint")
        second = second_picture(workspace, model, PcaSpec(), "joint")
        found = drift(picture, list(states.layers), second)
        assert len(found.measured) == len(found.drawn) == len(found.by_seed) == 2
        assert min(found.by_seed) > 1e-4

    def test_measured_by_hand(self, workspace, own, states):
        picture = layer_picture(workspace, own, PcaSpec(), "joint")
        a, b = (
            layer - space.vectors.mean(0)
            for layer, space in zip(states.layers[:2], own.layers[:2], strict=True)
        )
        cosines = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
        found = drift(picture, list(states.layers))
        assert found.measured[0] == pytest.approx(1 - np.mean(cosines), abs=1e-5)


class TestMeasures:
    def test_they_are_made_once(self, workspace, model):
        assert not has_measures(workspace, model)
        found = measures(workspace, model)
        assert has_measures(workspace, model)
        again = measures(Workspace(workspace.folder), model)
        assert again.to_dict() == found.to_dict()
        assert len(found.context) == len(found.openings) == 3
        assert found.context["self_similarity"][1] < 1

    def test_centring_opens_the_cone(self, states):
        found = openings(states)
        assert (found["centred"].abs() < found["as they are"].abs() + 0.2).all()
        assert set(found) == {
            "as they are", "centred", "all but the top", "whitened", "without outliers",
        }  # fmt: skip

    def test_layer_against_layer_is_kept(self, workspace, model):
        assert not has_grid(workspace, model, model)
        found = grid(workspace, model, model)
        again = grid(Workspace(workspace.folder), model, model)
        np.testing.assert_allclose(again.debiased, found.debiased)
        np.testing.assert_allclose(np.diag(found.debiased), 1, atol=1e-6)

    def test_a_model_does_not_part_from_itself(self, states):
        np.testing.assert_allclose(parted(states, states), 1, atol=1e-5)

    def test_two_that_cannot_be_compared(self, states, tmp_path):
        other = hidden_states(TEXTS, reader(f"path:{save_model(tmp_path, 'gpt2')}"))
        less = hidden_states(TEXTS[:1], reader(other.name))
        with pytest.raises(InvalidSpecification, match="a student and its teacher"):
            parted(states, less)


class TestGrouping:
    def test_two_clouds_are_found(self):
        generator = np.random.default_rng(0)
        clouds = np.repeat(4 * generator.normal(size=(2, 20)), 15, axis=0)
        labels, found = grouping((clouds + generator.normal(size=(30, 20))).astype(np.float32))
        assert sorted(np.bincount(labels)) == [15, 15]
        assert len(set(labels[:15])) == 1
        assert found.silhouette > found.null_high

    def test_one_cloud_parts_no_more_than_chance(self):
        cloud = np.random.default_rng(1).normal(size=(40, 20)).astype(np.float32)
        _, found = grouping(cloud)
        assert found.silhouette <= found.null_high + 0.02
        assert found.null_mean > 0  # any cloud can be cut in two

    def test_states_that_are_all_one_do_not_part(self):
        _, found = grouping(np.ones((8, 4), np.float32))
        assert found.silhouette == 0

    def test_too_few(self):
        with pytest.raises(InvalidSpecification, match="6 or more"):
            grouping(np.eye(4, dtype=np.float32))

    def test_a_word_is_a_word_of_its_own(self):
        found = sentences_with("cell")
        assert len(found) >= 8
        assert all("cell" in text.casefold() for text in found)
        assert not any("cellar" in text and "cell " not in text for text in found)
        assert sentences_with("qwrtzp") == []
        assert sentences_with("a.c") == []  # no pattern of the person's own


class TestWords:
    def test_what_a_token_is_near_is_another_word(self, own, states):
        near = nearest_words(own, states, 1)
        name = states.tokens["token"][1]
        assert len(near) == 3
        assert all(not word.startswith(name) for words in near for word in words)

    def test_the_word_that_sentences_share_is_looked_at_first(self, model):
        read = hidden_states(["the small table", "a big table or sea"], reader(model))
        assert surface(read, telling(read)) == "table"

    def test_lines_with_their_senses(self):
        text = "shore: The bank: it was wet.\n\n: nothing\nno colon\nmoney:   "
        found = labelled(text)
        assert [(it.sense, it.text) for it in found] == [("shore", "The bank: it was wet.")]


class TestFigures:
    def test_a_map_of_layers(self):
        coords = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
        colours = layer_colours([100, 100, 100], dark=False)
        way = coords[:3]
        figure = layers_map(coords, coords[:0], colours, [(way, "#123456")], LIGHT, "r")
        roles = [trace.meta["role"] for trace in figure.data]
        assert roles == ["items", "matches", "way"]
        assert figure.data[0].type == "scattergl"
        assert set(figure.data[0].marker.color) == {0.0, 1.0, 2.0}

    def test_without_a_background_nothing_is_webgl(self):
        coords = np.zeros((0, 2), np.float32)
        ranges = np.array([[0, 0], [1, 2]], np.float32)
        figure = layers_map(coords, ranges, None, [], DARK, "r")
        assert {trace.type for trace in figure.data} == {"scatter"}
        assert figure.layout.xaxis.range[1] >= 1

    def test_curves_and_their_interval(self):
        curve = LayerCurve("one <b>", [0.1, 0.4], "#000", first=1, low=[0.0, 0.3], high=[0.2, 0.5])
        figure = layer_curves([curve], "share", LIGHT, "r", at=2)
        assert [trace.meta["role"] for trace in figure.data] == ["chosen", "interval", "curve"]
        assert list(figure.data[2].x) == [1, 2]
        assert "<b>" not in figure.data[2].hovertext[0]
        assert figure.layout.yaxis.range[1] > 0.5

    def test_a_heatmap_keeps_markup_out(self):
        values = np.eye(2)
        figure = heatmap(values, ["a", "<i>b"], ["a", "b"], ("x", "y"), LIGHT, False, "r")
        assert list(figure.data[0].y) == ["a", "&lt;i&gt;b"]

    @given(st.lists(st.sampled_from(["a", "b"]), max_size=8))
    def test_runs_hold_every_step_once(self, words):
        runs = runs_of(words)
        assert [word for start, stop, word, _ in runs for _ in range(start, stop)] == words
        assert all(a[2] != b[2] for a, b in pairwise(runs))

    def test_movers_and_steps_reach_the_stage(self):
        coords = np.arange(6, dtype=np.float32).reshape(3, 2)
        mover = Mover("bank", coords, "#123456", 4, chosen=True)
        figure = layers_map(coords, coords, None, [], LIGHT, "r")
        picture = Picture(figure, "t", "projected", "alt", movers=[mover], steps=[coords, coords])
        player = Player([0.0, 1.0, 2.0], [], ["a", "b", "c"], names=["x", "y", "z"], start=1)
        sent = to_json(Scene("s", [picture], player=player), np.ndarray.tolist, list)
        told = sent["pictures"][0]
        assert told["movers"][0]["way"] == coords.tolist()
        assert told["movers"][0]["row"] == 4
        assert told["steps"][1]["y"] == [1.0, 3.0, 5.0]
        assert sent["player"]["names"] == ["x", "y", "z"]
        assert sent["player"]["start"] == 1


def test_a_word_nobody_wrote_is_not_found():
    from core.pipeline.layers.senses import grouped_senses

    with pytest.raises(UnknownItem, match="commoner word"):
        grouped_senses("minilm", "qwrtzp")


def test_other_weights_in_the_same_folder_are_another_model(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    folder = save_model(tmp_path, "bert")
    before = hidden_states(TEXTS, reader(f"path:{folder}")).layers[-1]
    weights = load_file(folder / "model.safetensors")
    weights = {name: it + 0.1 * torch.rand_like(it) for name, it in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    after = hidden_states(TEXTS, reader(f"path:{folder}")).layers[-1]
    assert np.abs(after - before).max() > 0.01


def test_unit_rows_are_what_the_pictures_are_of(workspace, own):
    picture = layer_picture(workspace, own, PcaSpec(), "joint")
    longer = [3 * it for it in vectors_of(own)]
    np.testing.assert_allclose(picture.place(longer), np.stack(picture.coords), atol=1e-5)
    assert unit_rows(longer[0]).shape == longer[0].shape
