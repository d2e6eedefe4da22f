"""The encoder against plain transformers and sentence-transformers, on tiny random models."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoder import WORDS, save_model

from core.errors import Cancelled, TeacherUnavailable
from core.teachers.encoder import batches, load_encoder
from core.teachers.model_folder.device import bf16_gain, description, device
from core.teachers.model_folder.loading import load_model
from core.teachers.model_folder.pooling import PoolingConfig, read_pooling

WORDS += ["moon", "sea", "salt", "and", "or"]
TEXTS = [
    "the cat sleeps",
    "a big dog runs over the small table and the moon",
    "salt",
    "the sea and the moon and the sea",
    "a dog",
    "the cat sleeps under a table",
]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {kind: save_model(root / kind, kind) for kind in ("bert", "gpt2", "llama")}


def one_by_one(folder: Path) -> np.ndarray:
    """The oracle: a text at a time, float64, no padding, mean over tokens; for a decoder behind
    token 0, since its tokenizer knows no start, whose place is left out."""
    import torch

    model, tokenizer = load_model(folder, "oracle")
    model = model.double()
    lead = [] if folder.name == "bert" else [0]
    with torch.no_grad():
        ids = [torch.tensor([lead + tokenizer(text)["input_ids"]]) for text in TEXTS]
        states = [model(input_ids=one)[0][0, len(lead) :] for one in ids]
    return np.stack([one.mean(0).numpy() for one in states])


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_batches_and_padding_change_nothing(kind, models, monkeypatch):
    monkeypatch.setattr("core.teachers.encoder.BUDGET", {"cpu": 24, "mps": 24, "cuda": 24})
    encoder = load_encoder(models[kind], kind, "float32")
    np.testing.assert_allclose(encoder.encode(TEXTS), one_by_one(models[kind]), atol=2e-6)
    np.testing.assert_allclose(
        encoder.encode(TEXTS[::-1])[::-1], encoder.encode(TEXTS), atol=2e-6, err_msg="input order"
    )


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_bf16_stays_near(kind, models):
    exact = load_encoder(models[kind], kind, "float32").encode(TEXTS)
    rough = load_encoder(models[kind], kind, "bfloat16").encode(TEXTS)
    cosines = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert rough.dtype == np.float32
    assert cosines.min() > 0.9999


@pytest.mark.parametrize("mode", ["mean", "cls", "max", "lasttoken"])
def test_pooling_is_sentence_transformers_own(mode, models, tmp_path):
    import sentence_transformers as stf
    from sentence_transformers import models as parts

    transformer = parts.Transformer(str(models["bert"]))
    pooling = parts.Pooling(16, pooling_mode=mode)
    rival = stf.SentenceTransformer(modules=[transformer, pooling, parts.Normalize()], device="cpu")
    rival.save(str(tmp_path / mode))
    ours = load_encoder(tmp_path / mode, mode, "float32")
    assert ours.pooling.name.endswith(", normalised")
    np.testing.assert_allclose(ours.encode(TEXTS), rival.encode(TEXTS), atol=1e-5)


def test_awkward_texts_have_finite_vectors(models):
    encoder = load_encoder(models["gpt2"], "gpt2", "float32")
    odd = ["", "   ", "😀", "שלום", "<img onerror>", "cat " * 25_000]
    vectors = encoder.encode(odd)
    assert vectors.shape == (6, 16)
    assert np.isfinite(vectors).all()
    assert encoder.count_tokens("cat " * 100) == 100
    assert encoder.encode([]).shape == (0, 16)


def test_stop_raises_cancelled(models):
    encoder = load_encoder(models["bert"], "bert", "float32")
    seen = []

    def stop(done: int, total: int, message: str) -> bool:
        seen.append((done, total, message))
        return "Encoding" not in message

    with pytest.raises(Cancelled, match="stopped at 0 of 6: Encoding with bert"):
        encoder.encode(TEXTS, stop)
    assert seen[-1][1] == 6


def test_progress_reaches_the_end(models):
    seen = []
    load_encoder(models["bert"], "bert", "float32").encode(
        TEXTS, lambda done, total, message: bool(seen.append((done, total))) or True
    )
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(8, 200))
def test_batches_cover_each_row_once_within_budget(lengths, budget):
    found = list(batches(np.array(lengths, dtype=np.int64), budget))
    assert sorted(row for rows in found for row in rows) == list(range(len(lengths)))
    for rows in found:
        assert len(rows) == 1 or max(lengths[row] for row in rows) * len(rows) <= budget
    alike = list(batches(np.array(lengths, dtype=np.int64), budget, mixed=False))
    assert sorted(row for rows in alike for row in rows) == list(range(len(lengths)))
    assert all(len({lengths[row] for row in rows}) == 1 for rows in alike)


def test_a_folder_without_safetensors(models, tmp_path):
    with pytest.raises(TeacherUnavailable, match=r"found no config.json in empty; expected"):
        load_model(tmp_path, "empty")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        TeacherUnavailable, match=r"found no weights in it; expected \*.safetensors"
    ):
        load_model(tmp_path, "it")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(TeacherUnavailable, match="found pickled weights, which could run code, in"):
        load_model(tmp_path, "it")
    (tmp_path / "model.safetensors").write_bytes(b"not at all")
    with pytest.raises(TeacherUnavailable, match=r"header of .* one that fits") as caught:
        load_model(tmp_path, "it")
    assert "\n" not in str(caught.value)


def test_code_in_a_model_is_never_run(models, tmp_path):
    import shutil

    folder = shutil.copytree(models["bert"], tmp_path / "evil")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(TeacherUnavailable, match="found evil, which does not load"):
        load_model(folder, "evil")


def test_without_modules_the_mean_is_taken(tmp_path):
    assert read_pooling(tmp_path) == PoolingConfig(("mean",))


def test_bf16_is_measured_not_believed():
    assert bf16_gain("cpu") >= 0
    assert bf16_gain("cpu") == bf16_gain("cpu")
    assert device() in ("cpu", "cuda", "mps")
    assert description()


@pytest.mark.models
def test_minilm_equals_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    from core.teachers.minilm import MODEL, minilm_folder

    texts = [*TEXTS, "Paris is the capital of France.", "word " * 300, "😀 שלום", "x", "!", "truly"]
    rival = SentenceTransformer(str(minilm_folder()), device="cpu").encode(texts)
    for precision in ("float32", "bfloat16"):
        ours = load_encoder(minilm_folder(), MODEL, precision).encode(texts)
        assert (ours * rival).sum(1).min() >= 0.9999
