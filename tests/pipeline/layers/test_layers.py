"""Questions to the layers of the packaged model: senses, probes, layer against layer, files."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from core.cli import main
from core.errors import InvalidSpecification, UnknownItem, UnknownTeacher
from core.pipeline.layers.layer_similarity import layer_likeness
from core.pipeline.layers.probing.probes import probing
from core.pipeline.layers.senses import Senses, SenseSentence, prepared_senses, senses
from core.pipeline.models import reader
from core.pipeline.texts.pairs import Pair, _mean_rows, more_than_tokens, prepared_pairs
from core.signatures.hidden import hidden_states
from core.signatures.pooling import Pooling, pool
from core.store.files import write_tensors

WORDS = "bank crane spring light bass cell mouse plant"
TEXTS = ["The bank of the river was steep.", "She works at a bank in Oslo.", "Nobody knows why."]


class TestPrepared:
    def test_every_word_has_enough_sentences_of_each_sense(self):
        found = prepared_senses()
        assert set(found) == set(WORDS.split())
        for word, sentences in found.items():
            assert len(sentences) >= 24
            assert len({it.sense for it in sentences}) >= 2
            assert all(word in it.text for it in sentences)

    def test_pairs_say_what_they_are(self):
        table = pd.read_csv(Path("assets/pairs.tsv"), sep="\t", quoting=3)
        assert len(table) >= 200
        for row in table[table["same_words"] == 1].itertuples():
            bags = [sorted(it.lower().strip(".?!").split()) for it in (row.first, row.second)]
            assert [it.strip(",") for it in bags[0]] == [it.strip(",") for it in bags[1]]
        assert not table[["first", "second"]].stack().duplicated().any()


@pytest.fixture(scope="module")
def bank() -> Senses:
    return senses("minilm", "bank")


class TestSenses:
    def test_the_senses_part_as_the_layers_go(self, bank):
        told = [it.silhouette for it in bank.partings]
        assert len(told) == 7
        assert told[bank.best] > told[1] + 0.05  # attention parts them, the table does not
        assert told[bank.best] > bank.partings[bank.best].null_high
        assert all(abs(it.null_mean) < 0.05 for it in bank.partings)

    def test_its_states_are_the_models_own(self, bank):
        import torch

        model = reader("minilm")
        sentence = bank.sentences[3].text
        told = model.tokenizer(sentence, return_tensors="pt")
        with torch.inference_mode():
            states = model.model(**told, output_hidden_states=True).hidden_states
        at = told["input_ids"][0].tolist().index(model.tokenizer.vocab["bank"])
        for layer, state in zip(bank.layers, states, strict=True):
            np.testing.assert_allclose(layer[3], state[0, at].numpy(), atol=1e-4)

    def test_bring_your_own(self):
        own = [
            SenseSentence("The jaguar slept in a tree.", "cat"),
            SenseSentence("A jaguar crossed the river.", "cat"),
            SenseSentence("His jaguar needs new tyres.", "car"),
            SenseSentence("She parked the Jaguar outside.", "car"),
        ]
        found = senses("minilm", "jaguar", own)
        assert found.to_dict()["senses"] == {"car": 2, "cat": 2}

    @pytest.mark.parametrize(
        ("word", "sentences", "fault", "said"),
        [
            ("xyzzy", None, UnknownItem, "found no prepared sentences with 'xyzzy'"),
            ("dog", [SenseSentence("A cat.", "a")], UnknownItem, "found no 'dog' in sentence 1"),
            ("dog", [SenseSentence("A dog.", "a")] * 2, InvalidSpecification, "found 1 sense"),
        ],
    )
    def test_what_cannot_be_asked(self, word, sentences, fault, said):
        with pytest.raises(fault, match=said):
            senses("minilm", word, sentences)


class TestLikeness:
    def test_a_model_with_itself(self):
        grid = layer_likeness("minilm", "minilm", TEXTS)
        assert grid.debiased.shape == (7, 7)
        np.testing.assert_allclose(np.diag(grid.debiased), 1, atol=1e-5)
        np.testing.assert_allclose(grid.debiased, grid.debiased.T, atol=1e-6)
        assert grid.debiased[0, 6] < grid.debiased[5, 6]
        assert grid.words == 20  # full stops are words too

    def test_too_few_words(self):
        with pytest.raises(InvalidSpecification, match="found 2 words that both"):
            layer_likeness("minilm", "minilm", ["one two"])


class TestProbing:
    def test_the_sense_is_read_in_context_only(self):
        found = probing("minilm", "sense:bank")
        assert len(found.layers) == 7
        assert found.layers[0].accuracy.value < 0.7  # the table has one row for both senses
        assert found.layers[4].accuracy.value > 0.85
        assert json.loads(json.dumps(found.to_dict()))["layers"][4]["control"] is None

    @pytest.mark.parametrize("task", ["colour", "sense:xyzzy"])
    def test_what_cannot_be_asked(self, task):
        with pytest.raises(InvalidSpecification, match="found"):
            probing("minilm", task)


class TestPairs:
    @pytest.fixture(scope="class")
    @classmethod
    def told(cls):
        return more_than_tokens("minilm")

    def test_rows_alone_know_no_order(self, told):
        assert told.rows.by_kind["word order"].value == pytest.approx(0, abs=1e-5)
        assert told.contextual.by_kind["word order"].low > 0.01

    def test_every_kind_is_measured_with_its_interval(self, told):
        for space in (told.contextual, told.rows):
            assert set(space.by_kind) == {"word order", "negation", "context swap", "paraphrase"}
            assert set(space.nearer) == {"word order", "negation", "context swap"}
            for found in (*space.by_kind.values(), *space.nearer.values()):
                assert found.low <= found.value <= found.high
        assert json.loads(json.dumps(told.to_dict()))["pairs"] == len(prepared_pairs())

    def test_distances_are_in_units_of_unrelated_sentences(self):
        pairs = [Pair("far", *two) for two in pairwise(TEXTS)]
        pairs.append(Pair("same", "A cat sat.", "A cat sat."))
        told = more_than_tokens("minilm", pairs)
        assert told.contextual.distances[-1] == pytest.approx(0, abs=1e-5)
        assert told.contextual.nearer == {}
        assert told.contextual.by_kind["far"].value > 0.3

    def test_the_rows_are_the_tables(self):
        model = reader("minilm")
        texts = ["Oslo is cold.", "unbelievable"]
        table = model.model.get_input_embeddings().weight.detach().numpy()
        ids = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        means = np.stack([table[row].mean(axis=0) for row in ids])
        np.testing.assert_allclose(_mean_rows(hidden_states(texts, model), model), means, atol=1e-6)


class TestCommands:
    def test_hidden(self, tmp_path, capsys):
        out = tmp_path / "s.safetensors"
        assert main(["hidden", "minilm", "--text", *TEXTS, "--out", str(out), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        layers, table = load_file(out), pd.read_parquet(out.with_suffix(".parquet"))
        assert sorted(layers) == [f"layer_{it:02d}" for it in range(7)]
        assert said["rows"] == len(table) == len(layers["layer_06"])
        assert not table["special"].any()
        states = hidden_states(TEXTS, reader("minilm"))
        np.testing.assert_allclose(layers["layer_03"], states.layers[3], atol=1e-5)
        for row in table.itertuples():
            written = TEXTS[row.text][row.start : row.end].lower()
            assert written == row.token.removeprefix("##")

    def test_hidden_pooled_from_a_file(self, tmp_path):
        file, out = tmp_path / "texts.txt", tmp_path / "w.safetensors"
        file.write_text("\n\n".join(TEXTS), encoding="utf-8")
        told = ["--pool", "word", "--layers", "0,-1", "--out", str(out)]
        assert main(["hidden", "minilm", "--file", str(file), *told]) == 0
        layers, table = load_file(out), pd.read_parquet(out.with_suffix(".parquet"))
        assert sorted(layers) == ["layer_00", "layer_06"]
        assert table["surface"].tolist()[:3] == ["The", "bank", "of"]
        states = hidden_states(TEXTS, reader("minilm"))
        words = pool(states, Pooling(unit="word")).vectors
        np.testing.assert_allclose(layers["layer_06"], words, atol=1e-5)

    def test_signature_of_a_long_document(self, tmp_path, capsys):
        file, out = tmp_path / "long.txt", tmp_path / "d.safetensors"
        file.write_text(" ".join(TEXTS) * 60, encoding="utf-8")
        assert main(["signature", "minilm", "--file", str(file), "--out", str(out)]) == 0
        found = load_file(out)
        assert found["documents"].shape == (1, 384)
        assert len(found["windows"]) > 2
        assert "1 documents" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (["senses", "minilm", "xyzzy"], "found no prepared sentences"),
            (["senses", "nosuch", "bank"], "found the model 'nosuch'"),
            (["probe", "minilm", "--task", "colour"], "found the task 'colour'"),
            (["hidden", "minilm", "--text", " ", "--out", "{}/s"], "found nothing to read"),
            (
                ["hidden", "minilm", "--text", "a", "--layers", "9", "--out", "{}/s"],
                "found layer 9",
            ),
            (["hidden", "minilm", "--text", "a", "--layers", "x", "--out", "{}/s"], "the layers"),
            (["signature", "minilm", "--file", "{}/latin", "--out", "{}/s"], "is not UTF-8"),
            (["signature", "minilm", "--file", "{}/none", "--out", "{}/s"], "found no text in"),
        ],
    )
    def test_bad_input(self, tmp_path, capsys, command, said):
        (tmp_path / "latin").write_bytes("é".encode("latin-1"))
        assert main([it.format(tmp_path) for it in command]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert not list(tmp_path.glob("*s*.safetensors"))
        assert not list(tmp_path.glob(".*"))


class TestFile:
    def test_it_is_safetensors_from_memory_maps_too(self, tmp_path):
        array = np.random.default_rng(0).normal(size=(20_001, 3)).astype(np.float32)
        np.save(tmp_path / "a.npy", array)
        mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
        half = array[:5].astype(np.float16)
        write_tensors(tmp_path / "t.safetensors", {"mapped": mapped, "half": half})
        found = load_file(tmp_path / "t.safetensors")
        np.testing.assert_array_equal(found["mapped"], array)
        np.testing.assert_array_equal(found["half"], half)

    def test_an_unknown_kind_of_model(self):
        with pytest.raises(UnknownTeacher, match="expected minilm, smollm2, path:DIR"):
            reader("glove")
