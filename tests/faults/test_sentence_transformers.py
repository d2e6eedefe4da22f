"""Folders of sentence-transformers, equal to the library itself within 1e-5, or refused by name."""

import json
import shutil

import numpy as np
import pytest
from small_models import (
    SIZES,
    TEXTS,
    bert,
    llama,
    pooled,
    rewrite,
    save,
    sentence_layers,
    word_pieces,
)

from core.errors import MeaningSpaceError, TeacherUnavailable, Unsupported
from core.teachers.encoder import load_encoder
from core.teachers.model_folder.pooling import PoolingConfig, read_pooling
from core.teachers.model_folder.revision import revision_of

LONG = "the river and the money of the bank and the red lamp on the blue ocean " * 5
MODES = ["mean", "cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
OLDER = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    where = tmp_path_factory.mktemp("sentences")
    bert(where / "bert")
    llama(where / "llama")
    return where


@pytest.fixture
def folder(root, tmp_path):
    return shutil.copytree(root / "bert", tmp_path / "bert")


def same(folder, texts=(*TEXTS, LONG)):
    """Compare with the library, each text alone: it pads on the left where a decoder says so."""
    from sentence_transformers import SentenceTransformer

    rival = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    ours = load_encoder(folder, folder.name, "float32", revision_of(folder))
    theirs = np.stack([rival.encode(text) for text in texts])
    np.testing.assert_allclose(ours.encode(list(texts)), theirs, atol=1e-5)
    return ours


def settings(folder, **said):
    (folder / "sentence_bert_config.json").write_text(json.dumps(said))


def prompts(folder, **said):
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said))


class TestPooling:
    @pytest.mark.parametrize("mode", MODES)
    def test_each_kind(self, mode, root, tmp_path):
        kind = "llama" if mode in ("lasttoken", "weightedmean") else "bert"
        folder = shutil.copytree(root / kind, tmp_path / kind)
        older = {OLDER[mode]: True, OLDER["max" if mode != "max" else "mean"]: False}
        encoder = same(pooled(folder, **older))
        assert read_pooling(pooled(folder, pooling_mode=mode)) == encoder.pooling

    def test_several_are_joined_in_the_library_s_order(self, folder):
        same(pooled(folder, **{OLDER["lasttoken"]: True, OLDER["mean"]: True, OLDER["cls"]: True}))
        encoder = same(pooled(folder, pooling_mode=["max", "cls", "weightedmean"]))
        assert encoder.dim == 96
        assert encoder.pooling.name == "max + first + mean weighted by position"

    def test_nothing_said_is_the_mean(self, folder):
        assert same(pooled(folder, **{OLDER["cls"]: False})).pooling == read_pooling(folder)

    def test_another_kind_is_refused(self, folder):
        for config in ({"pooling_mode": "median"}, {"pooling_mode_median": True}):
            with pytest.raises(Unsupported, match=r"found the pooling (pooling_mode_)?median in"):
                read_pooling(pooled(folder, **config))


class TestTexts:
    @pytest.mark.parametrize(("mode", "include"), [("mean", True), *((it, False) for it in MODES)])
    def test_prompts(self, mode, include, folder):
        pooled(folder, pooling_mode=mode, include_prompt=include)
        prompts(folder, prompts={"q": "the moon of salt: "}, default_prompt_name="q")
        settings(folder, max_seq_length=32)
        same(folder)

    def test_a_prompt_nobody_chose_is_not_used(self, folder):
        pooled(folder, pooling_mode="mean")
        prompts(folder, prompts={"q": "the moon of salt: "}, default_prompt_name=None)
        assert same(folder).pooling.prompt == ""
        for chosen in ("other", "half"):
            prompts(folder, prompts={"half": "\ud800"}, default_prompt_name=chosen)
            with pytest.raises(Unsupported, match=f"found the default prompt '{chosen}' in bert"):
                read_pooling(folder)

    def test_a_prompt_of_a_decoder(self, root, tmp_path):
        folder = shutil.copytree(root / "llama", tmp_path / "llama")
        pooled(folder, pooling_mode="mean", include_prompt=False)
        prompts(folder, prompts={"q": "a dog on "}, default_prompt_name="q")
        same(folder)

    def test_texts_no_longer_than_their_prompt_have_a_vector(self, folder):
        pooled(folder, pooling_mode="max", include_prompt=False)
        prompts(
            folder, prompts={"q": "the moon of salt the moon of salt "}, default_prompt_name="q"
        )
        settings(folder, max_seq_length=6)
        assert np.isfinite(load_encoder(folder, "cut", "float32", "").encode(["a", ""])).all()

    @pytest.mark.parametrize("text", ["ΟΔΟΣ", "The CAT", "İSTANBUL ß"])
    def test_lower_case(self, text, tmp_path):
        bert(tmp_path, tokenizer=word_pieces(lower=False))
        pooled(tmp_path, pooling_mode="mean")
        settings(tmp_path, do_lower_case=True)
        same(tmp_path, [text])

    def test_length(self, folder):
        pooled(folder, pooling_mode="mean")
        assert same(folder).max_tokens == 64
        settings(folder, max_seq_length=9)
        assert same(folder).max_tokens == 9

    def test_a_length_above_the_places_is_cut_to_these(self, folder):
        pooled(folder, pooling_mode="mean")
        settings(folder, max_seq_length=128)
        long = load_encoder(folder, "long", "float32", "long")
        assert long.max_tokens == 64
        settings(folder, max_seq_length=64)  # the library fails above the places
        np.testing.assert_array_equal(same(folder).encode([LONG]), long.encode([LONG]))

    def test_roberta_s_places_begin_behind_the_padding_s(self, tmp_path):
        from transformers import RobertaConfig

        save(tmp_path, "RobertaModel", RobertaConfig(**SIZES, max_position_embeddings=34))
        assert load_encoder(tmp_path, "plain", "float32", "").max_tokens == 32
        pooled(tmp_path, pooling_mode="mean")
        settings(tmp_path, max_seq_length=32)
        same(tmp_path)

    @pytest.mark.parametrize(
        "said",
        [
            {"transformer_task": "fill-mask"},
            {"config_args": {"hidden_act": "relu"}},
            {"tokenizer_args": {"add_prefix_space": True}},
            {"processing_kwargs": {"text": {"max_length": 3}}},
            {"modality_config": {"text": {"method": "get_text_features"}}},
            {"max_seq_length": "many"},
            {"max_seq_length": -1},
        ],
    )
    def test_settings_that_we_lack_are_named(self, said, folder):
        settings(pooled(folder, pooling_mode="mean"), **said)
        with pytest.raises(Unsupported, match=f"found .*{next(iter(said)).split('_')[0]}.* bert"):
            read_pooling(folder)


class TestLayers:
    def saved(self, root, where, *layers):
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer import modules

        transformer = modules.Transformer(str(root / "bert"))
        made = [transformer, modules.Pooling(32, "mean"), *layers]
        SentenceTransformer(modules=made, device="cpu").save(str(where))
        return where

    @pytest.mark.parametrize("activation", ["Tanh", "Identity", "GELU", "ReLU"])
    def test_dense(self, activation, root, tmp_path):
        import torch
        from sentence_transformers.sentence_transformer.modules import Dense, Normalize

        act = getattr(torch.nn, activation)()
        dense = Dense(32, 12, bias=activation != "ReLU", activation_function=act)
        encoder = same(self.saved(root, tmp_path, dense, Normalize()))
        assert encoder.dim == 12
        assert encoder.pooling.name == "mean, dense 32 to 12, normalised"

    def test_several_layers_with_what_goes_around_them(self, root, tmp_path):
        from sentence_transformers.sentence_transformer import modules as layers

        chain = [
            layers.LayerNorm(32),
            layers.Dense(32, 48, use_residual=True),
            layers.Dropout(0.4),
            layers.Dense(48, 48, use_residual=True),
        ]
        folder = self.saved(root, tmp_path, *chain)
        same(folder)
        rewrite(folder / "config_sentence_transformers.json", truncate_dim=10)
        assert same(folder).dim == 10

    def test_a_layer_s_weights_have_to_fit(self, root, tmp_path):
        from safetensors.numpy import load_file, save_file
        from sentence_transformers.sentence_transformer.modules import Dense

        weights = self.saved(root, tmp_path, Dense(32, 12)) / "2_Dense" / "model.safetensors"
        right = same(tmp_path).encode(TEXTS)
        tensors = load_file(weights)
        save_file({f"module.{name}": tensor for name, tensor in tensors.items()}, weights)
        wrapped = load_encoder(tmp_path, "wrapped", "float32", "")
        np.testing.assert_array_equal(wrapped.encode(TEXTS), right)
        save_file({"weight": tensors["linear.weight"]}, weights)
        with pytest.raises(TeacherUnavailable, match=r"found no linear\.weight of 2 dimensions"):
            read_pooling(tmp_path)
        save_file({"linear.weight": tensors["linear.weight"][:5]}, weights)
        with pytest.raises(TeacherUnavailable, match="with a layer of 32 to 5; expected what"):
            read_pooling(tmp_path)
        weights.rename(weights.with_name("pytorch_model.bin"))
        with pytest.raises(TeacherUnavailable, match=r"found pickled weights, .* in 2_Dense of"):
            read_pooling(tmp_path)

    @pytest.mark.parametrize(
        ("kinds", "message"),
        [
            (["Pooling", "Magic"], "found the layer Magic behind the pooling"),
            (["Magic", "Pooling"], "found the layers Transformer, Magic, Pooling in"),
            (["Dense"], "found the layers Transformer, Dense in"),
            ([], "found the layers Transformer in"),
        ],
    )
    def test_layers_that_we_lack_are_named(self, kinds, message, folder):
        for place in sentence_layers(folder, *kinds):
            (place / "config.json").write_text("{}")
        with pytest.raises(Unsupported, match=message):
            read_pooling(folder)

    @pytest.mark.parametrize("path", ["..", "/etc", "a\0b", "ring"])
    def test_layers_stand_in_the_folder(self, path, folder):
        pooled(folder, pooling_mode="cls")
        (folder / "ring").symlink_to("ring")
        modules = json.loads((folder / "modules.json").read_text())
        modules[1]["path"] = path
        (folder / "modules.json").write_text(json.dumps(modules))
        with pytest.raises(Unsupported, match="found a layer of bert outside its folder"):
            load_encoder(folder, "bert", "float32", revision_of(folder))

    def test_a_copy_without_its_folders_does_not_take_the_mean(self, folder):
        shutil.rmtree(pooled(folder, pooling_mode="cls") / "1_Pooling")
        with pytest.raises(Unsupported, match=r"found no 1_Pooling/config\.json in bert"):
            load_encoder(folder, "bert", "float32", revision_of(folder))

    def test_an_activation_is_not_imported(self, root, tmp_path):
        from sentence_transformers.sentence_transformer.modules import Dense

        config = self.saved(root, tmp_path, Dense(32, 12)) / "2_Dense" / "config.json"
        for odd in (
            "os.system",
            "torch.nn.modules.activation.MultiheadAttention",
            "torch.hub.load",
        ):
            rewrite(config, activation_function=odd)
            with pytest.raises(Unsupported, match=f"found the activation '{odd}'"):
                read_pooling(tmp_path)

    @pytest.mark.parametrize(
        "text", ["[]", "{}", "3", "[3]", "[", '[{"path": "../..", "type": "a"}]']
    )
    @pytest.mark.parametrize("file", ["modules.json", "1_Pooling/config.json"])
    def test_nonsense(self, file, text, folder):
        (pooled(folder) / file).write_text(text)
        if (file, text) == ("1_Pooling/config.json", "{}"):
            assert read_pooling(folder).modes == ("mean",)
            return
        with pytest.raises(MeaningSpaceError, match=r"found .* expected"):
            read_pooling(folder)


def test_the_encoder_of_t5(tmp_path):
    from transformers import T5Config

    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    config = T5Config(vocab_size=SIZES["vocab_size"], **sizes, pad_token_id=0)
    whole = save(tmp_path / "whole", "T5ForConditionalGeneration", config)
    alone = save(tmp_path / "alone", "T5EncoderModel", config)
    for folder in (whole, alone):
        same(pooled(folder, pooling_mode="mean"))


def test_a_model_without_such_files_takes_the_mean(folder):
    assert same(folder).pooling == PoolingConfig()
