"""Foreign models: weights that don't fit, files that lie, architectures of every kind."""

import functools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from small_models import SIZES, bert, llama, pooled, renamed, rewrite, save, word_pieces

from benchmarks.tiny_models import ARCHITECTURES, build
from core.errors import MeaningSpaceError, TeacherUnavailable, Unsupported
from core.students.encoders.bert import read_shape, read_teacher
from core.teachers.causal import load_causal
from core.teachers.encoded_texts import Corpus
from core.teachers.encoder import load_encoder
from core.teachers.hub import model_teacher
from core.teachers.model_folder.loading import load_model
from core.teachers.model_folder.revision import revision_of
from core.teachers.model_folder.sources import WIDTHS, FolderSource, number_in
from core.weights import promised


def spoilt(folder, tensor, value):
    """The folder, with one number of a tensor another."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors[tensor].flat[0] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def stored(folder, changes):
    """Put tensors into a model's file, or in the place of its own."""
    from safetensors.numpy import load_file, save_file

    weights = folder / "model.safetensors"
    save_file(load_file(weights) | changes, weights, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {"bert": bert(root / "bert"), "llama": llama(root / "llama")}


WRAPPERS = {
    "compiled": lambda name: f"_orig_mod.{name}",
    "parallel": lambda name: f"module.{name}",
    "compiled in parallel": lambda name: f"module._orig_mod.{name}",
    "parallel, compiled": lambda name: f"_orig_mod.module.{name}",
    "twice": lambda name: f"_orig_mod._orig_mod.{name}",
    "each layer": lambda name: name.replace(".0.", ".0._checkpoint_wrapped_module."),
}


class TestNames:
    @pytest.mark.parametrize("kind", WRAPPERS)
    def test_what_a_training_put_around_is_taken_off(self, kind, folders, tmp_path):
        rename = WRAPPERS[kind]
        copy = renamed(folders["bert"], tmp_path / "bert", rename)
        right, _ = load_model(folders["bert"], "right")
        wrapped, _ = load_model(copy, "wrapped")
        for name, tensor in right.state_dict().items():
            np.testing.assert_array_equal(wrapped.state_dict()[name], tensor, err_msg=name)
        head = renamed(folders["llama"], tmp_path / "llama", rename)
        np.testing.assert_array_equal(
            load_causal(head, "wrapped", kind)[0].lm_head.weight.detach(),
            load_causal(folders["llama"], "right", "")[0].lm_head.weight.detach(),
        )

    def test_a_student_reads_its_teacher_by_the_same_rule(self, folders, tmp_path):
        shape = read_shape(folders["bert"], "mean")
        copy = renamed(folders["bert"], tmp_path / "it", WRAPPERS["compiled in parallel"])
        right = read_teacher(folders["bert"], shape, [7, 8], 4).state_dict()
        wrapped = read_teacher(copy, shape, [7, 8], 4).state_dict()
        assert all((wrapped[name] == tensor).all() for name, tensor in right.items())

    def test_other_names_are_refused(self, folders, tmp_path):
        copy = renamed(folders["bert"], tmp_path / "it", lambda name: f"net.{name}")
        with pytest.raises(TeacherUnavailable, match=r"found no embeddings\.Layer.* net\.emb.* in"):
            load_model(copy, "mine")

    def test_one_missing_tensor_is_refused_by_name(self, folders, tmp_path):
        lacking = "encoder.layer.1.output.dense.bias"
        copy = renamed(
            folders["bert"], tmp_path / "it", lambda name: "gone" if name == lacking else name
        )
        with pytest.raises(TeacherUnavailable, match=rf"found no {lacking} in the weights of mine"):
            load_model(copy, "mine")
        llama = renamed(
            folders["llama"],
            tmp_path / "llama",
            lambda name: "gone" if name == "model.layers.1.mlp.up_proj.weight" else name,
        )
        with pytest.raises(TeacherUnavailable, match=r"found no model\.layers\.1\.mlp\.up_proj"):
            load_causal(llama, "mine", "")

    def test_a_pooler_may_be_missing(self, tmp_path):
        model, _ = load_model(bert(tmp_path, "BertForMaskedLM"), "mine")
        assert type(model).__name__ == "BertModel"

    def test_a_configuration_of_fewer_layers_is_another_model(self, folders, tmp_path):
        for kind, load in (("bert", load_model), ("llama", load_model), ("llama", load_causal)):
            copy = shutil.copytree(folders[kind], tmp_path / f"{kind} {load.__name__}")
            rewrite(copy / "config.json", num_hidden_layers=1)
            with pytest.raises(TeacherUnavailable, match=r"layers?\.1\..*has no place"):
                load(copy, "mine", *([""] if load is load_causal else []))
        copy = tmp_path / "bert load_model"
        with pytest.raises(TeacherUnavailable, match=r"encoder\.layer\.1\..*has no place"):
            read_teacher(copy, read_shape(copy, "mean"), [7], 4)

    def test_an_adapter_is_refused(self, folders, tmp_path):
        copy = renamed(
            folders["bert"],
            tmp_path / "it",
            lambda it: it.replace("pooler", "encoder.layer.0.lora"),
        )
        with pytest.raises(TeacherUnavailable, match=r"encoder\.layer\.0\.lora.* merge an adapter"):
            load_model(copy, "mine")
        (copy / "adapter_config.json").write_text("{}")
        with pytest.raises(TeacherUnavailable, match="found an adapter"):
            load_model(copy, "mine")

    def test_masks_of_older_versions_are_no_weights(self, tmp_path):
        from safetensors.numpy import load_file, save_file

        llama(tmp_path)
        weights = tmp_path / "model.safetensors"
        old = {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(4, np.float32)}
        old |= {"model.layers.0.attn.masked_bias": np.ones(1, np.float32)}
        save_file(load_file(weights) | old, weights, metadata={"format": "pt"})
        load_model(tmp_path, "mine")
        load_causal(tmp_path, "mine", "")


class TestFiles:
    @pytest.fixture
    def folder(self, folders, tmp_path):
        return shutil.copytree(folders["bert"], tmp_path / "it")

    def refused(self, folder, message):
        for load in (load_model, lambda *it: load_causal(*it, "")):
            with pytest.raises(MeaningSpaceError, match=message) as caught:
                load(folder, "mine")
            assert "\n" not in str(caught.value)

    def test_a_pointer_of_git_lfs(self, folder):
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n"
        (folder / "model.safetensors").write_text(pointer)
        self.refused(folder, "found model.safetensors of mine to be a pointer of Git LFS")
        (folder / "config.json").write_text(pointer)
        self.refused(folder, "found a pointer of Git LFS in config.json of mine")

    @pytest.mark.parametrize("kept", [0, 4, 200, 0.5, -1])
    def test_cut_weights(self, folder, kept):
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[: int(kept * len(whole)) if kept == 0.5 else kept])
        self.refused(folder, r"model\.safetensors of mine.* expected .*fetch it again")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_weights_that_are_no_numbers(self, value, folder, folders, tmp_path):
        """On a CPU attention makes finite states of such a bias, and a head of such a row none."""
        bias = "encoder.layer.0.attention.self.key.bias"
        with pytest.raises(TeacherUnavailable, match=rf"NaN or infinity in {bias} of mine"):
            load_model(spoilt(folder, bias, value), "mine")
        head = shutil.copytree(folders["llama"], tmp_path / "llama")
        spoilt(head, "lm_head.weight", value)
        with pytest.raises(TeacherUnavailable, match=r"NaN or infinity in lm_head\.weight of mine"):
            load_causal(head, "mine", str(value))

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
    def test_weights_that_are_codes(self, dtype, folder):
        """As transformers reads them they'd be states of the right shape that mean nothing."""
        key = "encoder.layer.0.output.dense.weight"
        stored(folder, {key: np.ones((32, 48), dtype)})
        kind = {"int8": "I8", "uint8": "U8", "int64": "I64"}[np.dtype(dtype).name]
        said = rf"found {key} of mine stored as {kind}; expected weights of float16, bfloat16, "
        self.refused(folder, said)
        with pytest.raises(TeacherUnavailable, match=said.replace("mine", folder.name)):
            read_teacher(folder, read_shape(folder, "mean"), [7, 8], 4)
        with pytest.raises(TeacherUnavailable, match=f"found {key} of"):
            FolderSource(folder)

    def test_whole_numbers_that_are_no_weights(self, folder, folders):
        """Old versions of transformers saved places, kinds and masks beside the weights."""
        places = {"embeddings.position_ids": np.arange(64)[None]}
        kinds = {"embeddings.token_type_ids": np.zeros((1, 64), np.int64)}
        stored(folder, places | kinds)
        model, _ = load_model(folder, "mine")
        right, _ = load_model(folders["bert"], "right")
        for name, tensor in right.state_dict().items():
            np.testing.assert_array_equal(model.state_dict()[name], tensor, err_msg=name)

    @pytest.mark.parametrize(
        "config",
        [
            {"quant_method": "bitsandbytes", "load_in_8bit": True},
            {"load_in_4bit": True},
            {"quant_method": "gptq", "bits": 4},
            {"quant_method": "awq", "bits": 4},
            {"quant_method": "fp8", "weight_block_size": [128, 128]},
            {"quant_method": "of next year"},  # transformers would pass over it in silence
            "int8",
        ],
    )
    def test_a_quantised_model(self, config, folder):
        rewrite(folder / "config.json", quantization_config=config)
        by = f" by {config['quant_method']}" if "quant_method" in config else ""
        self.refused(folder, rf"found weights quantised{by} \(quan.* in mine; .* model\.dequantize")

    def test_a_student_s_teacher_is_made_of_numbers_too(self, folder):
        spoilt(folder, "embeddings.LayerNorm.weight", np.nan)
        with pytest.raises(TeacherUnavailable, match=r"NaN or infinity in embeddings\.LayerNorm"):
            read_teacher(folder, read_shape(folder, "mean"), [7, 8], 4)

    def test_other_shapes_than_the_configuration_s(self, folder):
        rewrite(folder / "config.json", vocab_size=10**9)
        with pytest.raises(TeacherUnavailable, match=r"other shapes than its config\.json says"):
            load_model(folder, "mine")

    def test_a_header_is_not_believed_before_the_size_is_known(self, folder):
        weights = folder / "model.safetensors"
        with weights.open("wb") as stream:  # 5 GB of nothing
            stream.write((1 << 40).to_bytes(8, "little"))
            stream.truncate(5 << 30)
        self.refused(folder, r"5,368,709,120 bytes and a header of 1,099,511,627,776")

    @pytest.mark.parametrize(
        "header",
        [
            b"[]",
            b"nonsense",
            b'{"a": 1}',
            b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}',
            b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 9999999999999]}}',
            b"[" * 5_000,
        ],
    )
    def test_lying_headers(self, folder, header):
        content = len(header).to_bytes(8, "little") + header
        (folder / "model.safetensors").write_bytes(content)
        self.refused(folder, r"model\.safetensors of mine.*fetch it again")
        with pytest.raises(TeacherUnavailable):
            promised(folder / "model.safetensors", "mine")

    @pytest.mark.parametrize(
        "text", ["[]", "null", "3", "{", "", '{"model_type": "nonsense"}', "{}"]
    )
    def test_odd_configurations(self, folder, text):
        (folder / "config.json").write_text(text)
        self.refused(folder, r"found .*mine.* expected")

    def test_a_configuration_cannot_ask_for_more_layers_than_there_are_tensors(self, folder):
        rewrite(folder / "config.json", num_hidden_layers=10**9)
        self.refused(folder, "found num_hidden_layers 1,000,000,000 in config.json of mine")

    def test_an_index_that_names_no_file(self, folder):
        (folder / "model.safetensors").rename(folder / "shard.safetensors")
        self.refused(folder, r"found shard\.safetensors in mine; expected model\.safetensors")
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"a": "../../etc/passwd"}}))
        self.refused(folder, "expected a weight_map from tensors to files in the same folder")
        index.write_text(json.dumps({"weight_map": {"a": "shard.safetensors", "b": "other"}}))
        self.refused(folder, "found no other in mine, which its .* names")

    def test_a_tokenizer_of_another_version(self, folder):
        file = folder / "tokenizer.json"
        said = json.loads(file.read_text())
        rewrite(file, model=said["model"] | {"type": "NewModel"})
        with pytest.raises(TeacherUnavailable, match="found the tokenizer of mine, which does not"):
            load_model(folder, "mine")

    def test_a_tokenizer_is_tried_before_it_is_used(self, folder):
        rewrite(folder / "tokenizer_config.json", model_max_length="many")
        with pytest.raises(TeacherUnavailable, match="found the tokenizer of mine, which does not"):
            load_model(folder, "mine")

    def test_no_tokenizer_is_not_made_up(self, folder):
        for file in folder.glob("*token*"):
            file.unlink()
        with pytest.raises(TeacherUnavailable, match=r"found no tokenizer\.json and no vocab\.txt"):
            load_model(folder, "mine")


class TestRevision:
    """Every file that is read makes the revision; no two revisions meet in one space."""

    @pytest.fixture
    def folder(self, tmp_path):
        return pooled(bert(tmp_path / "it"), pooling_mode="mean")

    @pytest.mark.parametrize(
        "file",
        [
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "vocab.txt",
            "spiece.model",
            "bpe.codes",
            "modules.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
            "1_Pooling/config.json",
            "1_Pooling/model.safetensors",
        ],
    )
    def test_another_byte_is_another_revision(self, file, folder):
        before = revision_of(folder)
        path = folder / file
        path.write_bytes((path.read_bytes() if path.is_file() else b"[]") + b" ")
        assert revision_of(folder) != before

    def test_weights_of_the_same_size_and_time(self, folder):
        weights = folder / "model.safetensors"
        before, about = revision_of(folder), weights.stat()
        content = bytearray(weights.read_bytes())
        content[-3] ^= 1
        weights.write_bytes(content)
        os.utime(weights, ns=(about.st_atime_ns, about.st_mtime_ns))
        assert revision_of(folder) != before

    def test_a_copy_is_the_same_and_notes_are_nothing(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
        (copy / "README.md").write_text("notes")
        (copy / "pytorch_model.bin").write_text("pickled")
        assert revision_of(copy) == revision_of(folder)

    def test_a_large_file_is_not_read_whole(self, folder, monkeypatch):
        monkeypatch.setattr("core.teachers.model_folder.revision.WHOLE", 10_000)
        before = revision_of(folder)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        assert revision_of(folder) != before

    def test_within_a_process_the_new_pooling_answers(self, folder, monkeypatch):
        corpus = Corpus(("cat", "dog"), ("cat", "dog"), pd.DataFrame(index=range(2)))
        monkeypatch.setattr("core.teachers.hub.common_words", lambda: corpus)
        words, tokens = (model_teacher("path", f"{folder}:{it}") for it in ("words", "tokens"))
        old, key, table = words.space(), words.fingerprint(), tokens.space()
        rewrite(folder / "1_Pooling" / "config.json", pooling_mode="cls")
        new = words.space()
        assert words.fingerprint() != key
        assert new.provenance.revision != old.provenance.revision
        assert not np.allclose(new.vectors, old.vectors)
        np.testing.assert_allclose(words.represent("dog")[0], new.vectors[1], atol=1e-5)
        assert tokens.space().provenance.revision == new.provenance.revision
        assert table.provenance.revision == old.provenance.revision

    def test_files_that_change_while_they_are_read(self, folder, monkeypatch):
        def common_words():
            return Corpus(("cat", "dog"), ("cat", "dog"), pd.DataFrame(index=range(2)))

        def change(*_):
            rewrite(folder / "1_Pooling" / "config.json", pooling_mode="max")
            return True

        monkeypatch.setattr("core.teachers.hub.common_words", common_words)
        with pytest.raises(TeacherUnavailable, match="changed while it was read"):
            model_teacher("path", f"{folder}:words").space(change)


READS = {  # what of a model reads a text, and what it puts in front of one without a start
    "XLNet": (lambda whole: whole, []),
    "CANINE": (lambda whole: whole, []),
    "T5 encoder": (lambda whole: whole, []),
    "BART": (lambda whole: whole.get_encoder(), []),
    "RoBERTa": (lambda whole: whole, []),
    "Funnel": (lambda whole: whole, []),
    "CLIP text": (lambda whole: whole, None),
    "Gemma 3, multimodal": (lambda whole: whole.language_model, [0]),
    "Mamba": (lambda whole: whole, [0]),
    "OPT, projected": (lambda whole: whole, [0]),
    "Falcon": (lambda whole: whole, [0]),
    "Qwen2": (lambda whole: whole, [0]),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("architectures")

    @functools.cache
    def folder(name):
        for part in build(ARCHITECTURES[name]):
            part.save_pretrained(root / name)
        return root / name

    return folder


class TestArchitectures:
    @pytest.mark.parametrize("name", READS)
    def test_words_are_the_mean_of_transformers_own_states(self, name, built):
        """A decoder's stand behind a start, with a blank in front, and the start is left out; where
        the tokenizer puts one itself (None), that is it."""
        import torch
        from transformers import AutoModel, AutoModelForTextEncoding, AutoTokenizer

        folder = built(name)
        kind = AutoModelForTextEncoding if name == "T5 encoder" else AutoModel
        part, start = READS[name]
        model = part(kind.from_pretrained(folder, dtype=torch.float32).eval())
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts = ["dog", "the cat sat on the mat of the bank"]
        expected = []
        for text in texts:
            lead = start or []
            spaced = f" {text}" if start else text
            ids = torch.tensor([lead + tokenizer(spaced)["input_ids"]])
            with torch.no_grad():
                states = model(input_ids=ids)[0][0]
            expected.append(states[1 if start is None else len(lead) :].mean(0).numpy())
        encoder = load_encoder(folder, name, "float32", name)
        np.testing.assert_allclose(encoder.encode(texts), expected, atol=2e-5)
        assert encoder.dim == expected[0].shape[0]
        assert np.isfinite(encoder.encode(["", "a", "dog " * 300])).all()

    def test_without_a_table_of_tokens(self, built):
        with pytest.raises(Unsupported, match="found no table of tokens in path"):
            model_teacher("path", f"{built('CANINE')}:tokens").space()

    def test_clip_gives_its_own_features(self, built):
        import torch
        from transformers import AutoTokenizer, CLIPModel

        folder = built("CLIP")
        model, tokenizer = CLIPModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        texts = ["dog", "the cat sat on the mat"]
        with torch.no_grad():
            made = [
                model.get_text_features(**tokenizer(text, return_tensors="pt")) for text in texts
            ]
        expected = np.concatenate([getattr(it, "pooler_output", it).numpy() for it in made])
        encoder = load_encoder(folder, "clip", "float32", "clip")
        np.testing.assert_allclose(encoder.encode(texts), expected, atol=2e-5)

    def test_a_tokenizer_of_another_model(self, folders, tmp_path):
        copy = shutil.copytree(folders["bert"], tmp_path / "it")
        tokenizer = word_pieces()
        tokenizer.add_tokens(["riverbank"])
        tokenizer.save_pretrained(copy)
        encoder = load_encoder(copy, "mine", "float32", "")
        assert np.isfinite(encoder.encode(["river bank"])).all()
        with pytest.raises(Unsupported, match="of the tokenizer of mine, whose model has"):
            encoder.encode(["riverbank"])

    def test_pictures_alone_are_no_texts(self, folders, tmp_path):
        from transformers import ViTConfig

        sizes = {**SIZES, "image_size": 16, "patch_size": 8}
        save(tmp_path, "ViTModel", ViTConfig(**sizes))
        with pytest.raises(MeaningSpaceError, match="found mine, which does not"):
            load_encoder(tmp_path, "mine", "float32", "")

    def test_a_configuration_with_text_inside_tells_its_sizes(self, built):
        source = FolderSource(built("Gemma 3, multimodal"))
        assert number_in(source.config(), WIDTHS) == 32
        assert model_teacher("path", f"{source.path}:tokens").info.dim == 32
