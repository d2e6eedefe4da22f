"""The index of token states against plain cosines over the very states it was built from."""

import json

import numpy as np
import pytest
from tiny_states import tiny

from core.errors import Cancelled, InvalidSpecification, StoreError
from core.pipeline.layers import nearest_states as became_module
from core.pipeline.layers import state_index as module
from core.pipeline.layers import state_index_building as building
from core.pipeline.layers.nearest_states import nearest_states
from core.pipeline.layers.state_index import StateIndex, build_index, has_index, index_folder
from core.signatures.documents import document_states
from core.teachers.corpus import Sentence

TOPICS = ("the cat sees a dog", "the sea and the moon", "salt over the table", "a dog sleeps")
SENTENCES = [
    Sentence(f"{TOPICS[row % 4]}, and {TOPICS[(row * 7 + 1) % 4]} {row}", f"d{row % 5}", "news")
    for row in range(60)
]


@pytest.fixture(params=["bert", "llama"], scope="module")
def model(request):
    return tiny(request.param, places=64)


@pytest.fixture(autouse=True)
def _small(model, monkeypatch):
    """A random model and sixty sentences instead of the packaged ones."""
    for place in (module, became_module):
        monkeypatch.setattr(place, "reader", lambda _: model)
        monkeypatch.setattr(place, "identity", lambda name: name)
    monkeypatch.setattr(building, "some_sentences", lambda count: SENTENCES[:count])
    monkeypatch.setattr(building, "SHARE", 7)
    became_module._table.cache_clear()
    became_module._names.cache_clear()
    module._opened.cache_clear()


@pytest.fixture
def index(tmp_path):
    return build_index(tmp_path, "tiny", count=400)


def plain(model, index):
    """The oracle: states of the same sentences in float64, read in one go."""
    states = document_states(list(index.texts), model)
    kept = states.tokens["position"].to_numpy() > (0 if model.causal else -1)
    return states.tokens[kept].reset_index(drop=True), [
        layer[kept].astype(np.float64) for layer in states.layers
    ]


def cosines(rows, vector):
    return (rows @ vector) / (np.linalg.norm(rows, axis=1) * np.linalg.norm(vector))


class TestIndex:
    def test_it_holds_whole_sentences_until_there_are_enough(self, model, index):
        assert len(index) >= 400
        assert (index.text_rows < len(index.texts) - 1).sum() < 400
        assert len(index.texts) < len(SENTENCES)
        table, _ = plain(model, index)
        for name in ("text", "start", "end", "token"):
            assert index.tokens[name].tolist() == table[name].tolist()
        assert index.documents == tuple(it.document for it in SENTENCES[: len(index.texts)])

    @pytest.mark.parametrize("centred", [False, True])
    def test_cosines_are_those_of_the_states(self, model, index, centred):
        _, layers = plain(model, index)
        for number, layer in enumerate(layers):
            away = layer.mean(axis=0) if centred else 0
            for row in (0, 17, len(layer) - 1):
                found = index.cosines(number, layer[row].astype(np.float32), centred)
                asked = cosines(layer - away, layer[row] - away)
                np.testing.assert_allclose(found, asked, atol=2e-4)

    @pytest.mark.parametrize("centred", [False, True])
    def test_usual_states_are_means(self, model, index, centred):
        table, layers = plain(model, index)
        counted = table["token"].value_counts()
        assert set(index.types["token"]) == set(counted[counted >= 3].index)
        means = np.stack(
            [layers[1][table["token"] == token].mean(axis=0) for token in index.types["token"]]
        )
        np.testing.assert_allclose(index.usual[1], means, atol=1e-3)
        away = layers[1].mean(axis=0) if centred else 0
        asked = cosines(means - away, layers[1][5] - away)
        found = index.usual_cosines(1, layers[1][5].astype(np.float32), centred)
        np.testing.assert_allclose(found, asked, atol=2e-3)

    def test_sixteen_bits_are_finer_than_float16(self, model, index):
        _, layers = plain(model, index)
        found = index.layers[-1] * index.scales[-1][:, None]
        largest = np.abs(layers[-1]).max(axis=1, keepdims=True)
        assert (np.abs(found - layers[-1]) <= largest * (2**-16 + 1e-6)).all()

    def test_it_is_built_once_and_opened_again(self, tmp_path, index):
        assert has_index(tmp_path, "tiny")
        assert not has_index(tmp_path, "another")
        assert build_index(tmp_path, "tiny", count=400) is index
        module._opened.cache_clear()
        again = build_index(tmp_path, "tiny", progress=lambda d, t, m: False, count=400)
        np.testing.assert_array_equal(again.layers[1], index.layers[1])

    @pytest.mark.parametrize("step", [1, 3, 7])
    def test_stopped_it_leaves_nothing(self, tmp_path, step):
        seen = []
        with pytest.raises(Cancelled):
            build_index(
                tmp_path, "tiny", lambda d, t, m: len(seen.append(d) or seen) < step, count=400
            )
        assert not has_index(tmp_path, "tiny")
        assert not list((tmp_path / "cache" / "states").iterdir())

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("manifest.json", b"{"),
            ("manifest.json", json.dumps({"format": "x", "version": 1}).encode()),
            ("layer_01.i16", b"12"),
            ("tokens.parquet", b"12"),
            ("arrays.safetensors", b""),
        ],
    )
    def test_what_is_damaged_says_so_and_is_built_again(self, tmp_path, index, name, content):
        folder = index_folder(tmp_path, "tiny")
        (folder / name).write_bytes(content)
        with pytest.raises(StoreError, match="does not read as an index of states"):
            StateIndex.open(folder)
        module._opened.cache_clear()
        again = build_index(tmp_path, "tiny", count=400)
        np.testing.assert_array_equal(again.tokens["token"], index.tokens["token"])

    def test_one_changed_bit_of_a_layer_costs_the_index_and_gives_no_figure(self, tmp_path, index):
        folder = index_folder(tmp_path, "tiny")
        content = bytearray((folder / "layer_01.i16").read_bytes())
        content[100] ^= 1
        (folder / "layer_01.i16").write_bytes(content)
        module._opened.cache_clear()
        opened = StateIndex.open(folder)
        assert opened.cosines(0, np.ones(opened.means.shape[1], np.float32)).shape == (len(opened),)
        with pytest.raises(StoreError, match=r"found layer_01\.i16 with other content .*build it"):
            opened.cosines(1, np.ones(opened.means.shape[1], np.float32))
        assert not has_index(tmp_path, "tiny")
        assert len(list((tmp_path / "damaged").iterdir())) == 1

    def test_half_built_folders_of_long_ago_are_cleared_away(self, tmp_path):
        import os

        folder = index_folder(tmp_path, "tiny")
        old, new = (folder.with_name(f".{folder.name}.{it * 32}.half") for it in "ab")
        old.mkdir(parents=True)
        new.mkdir()
        os.utime(old, (0, 0))
        build_index(tmp_path, "tiny", count=100)
        assert new.exists()
        assert not old.exists()


class TestBecame:
    def test_it_is_the_nearest_of_each_kind(self, model, index):
        states = document_states(["the cat sleeps over a table"], model)
        table, layers = plain(model, index)
        found = nearest_states(index, "tiny", states, 2, k=4, centred=False)
        assert [it.layer for it in found] == [0, 1, 2]
        weight = model.model.get_input_embeddings().weight.detach().numpy().astype(np.float64)
        tokens = model.tokenizer.convert_ids_to_tokens(list(range(len(weight))))
        special = [row for row, it in enumerate(tokens) if it in model.tokenizer.all_special_tokens]
        missing = [row for row, it in enumerate(tokens) if it is None]
        for number, it in enumerate(found):
            state = states.layers[number][2].astype(np.float64)
            near = cosines(weight, state)
            near[special + missing] = -2
            np.testing.assert_allclose(
                [each.cosine for each in it.table], np.sort(near)[::-1][:4], atol=1e-4
            )
            exact = cosines(layers[number], state)
            best: dict[int, float] = {}
            for text, cosine in zip(table["text"], exact, strict=True):
                best[text] = max(best.get(text, -1), cosine)
            wanted = sorted(best.values(), reverse=True)[:4]
            np.testing.assert_allclose([each.cosine for each in it.states], wanted, atol=1e-3)

    def test_a_table_of_another_width_is_left_out(self, model, index, monkeypatch):
        import torch

        narrow = torch.nn.Embedding(300, 8)
        states = document_states(["the moon"], model)
        became_module._table.cache_clear()
        monkeypatch.setattr(model.model, "get_input_embeddings", lambda: narrow)
        found = nearest_states(index, "tiny", states, 1)
        assert all(it.table == () and it.usual and it.states for it in found)

    def test_a_state_knows_its_place(self, model, index):
        states = document_states(["the moon"], model)
        for it in nearest_states(index, "tiny", states, 1)[0].states:
            before, token, behind = it.parts
            assert before + token + behind == it.sentence
            assert token
            assert it.document in index.documents

    def test_its_own_sentence_is_left_out(self, model, index):
        states = document_states([index.texts[3].upper()], model)
        for layer in nearest_states(index, "tiny", states, 1):
            assert index.texts[3] not in [it.sentence for it in layer.states]
            assert layer.states

    def test_it_is_json(self, model, index):
        states = document_states(["the moon"], model)
        layers = nearest_states(index, "tiny", states, 0)
        said = json.loads(json.dumps([layer.to_dict() for layer in layers]))
        assert set(said[0]) == {"layer", "table", "usual", "states"}
        assert set(said[0]["states"][0]) == {"sentence", "start", "end", "document", "cosine"}

    def test_what_cannot_be_asked(self, model, index):
        states = document_states(["the moon"], model)
        with pytest.raises(InvalidSpecification, match="found token 99; expected 0 to"):
            nearest_states(index, "tiny", states, 99)
        other = document_states(["the moon"], tiny("gpt2"))
        fewer = type(other)(other.layers[:2], other.tokens, other.texts, "x", True)
        with pytest.raises(InvalidSpecification, match="read with its model"):
            nearest_states(index, "tiny", fewer, 0)
