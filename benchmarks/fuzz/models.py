"""Folders of models: an encoder of sentence-transformers with layers, a plain one, a decoder."""

import json
from pathlib import Path

import numpy as np

from benchmarks.fuzz.harness import Target
from benchmarks.tiny_models import ARCHITECTURES, build
from core.teachers.causal import load_causal
from core.teachers.encoder import load_encoder
from core.teachers.hub import ModelTokens
from core.teachers.model_folder.sources import FolderSource

LAYERS = ("Transformer", "Pooling", "Dense", "Normalize")
TEXTS = ("dog", "the cat sat on the mat")


def seeds(folder: Path) -> None:
    """Three folders of some 200 kB."""
    for name, architecture in (("plain", "BERT"), ("sentences", "BERT"), ("decoder", "Llama")):
        for part in build(ARCHITECTURES[architecture]):
            part.save_pretrained(folder / name)
    _sentences(folder / "sentences")


def read(path: Path) -> None:
    """What ``path:DIR`` does: the revision, the table, the encoder, and the model with its head."""
    source = FolderSource(path)
    reference, revision = source.reference, source.revision
    if path.name == "decoder":
        load_causal(path, reference, revision)
    ModelTokens(source).space()
    load_encoder(path, reference, "float32", revision).encode(TEXTS)


def _sentences(folder: Path) -> None:
    """Make a folder one of sentence-transformers."""
    from safetensors.numpy import save_file

    modules = []
    for number, kind in enumerate(LAYERS):
        place = f"{number}_{kind}" if number else ""
        (folder / place).mkdir(exist_ok=True)
        module = {"idx": number, "path": place}
        modules.append(module | {"type": f"sentence_transformers.models.{kind}"})
    dense = {"in_features": 32, "out_features": 8, "bias": True, "use_residual": False}
    files = {
        "modules.json": modules,
        "1_Pooling/config.json": {"pooling_mode": ["mean"], "include_prompt": False},
        "2_Dense/config.json": dense | {"activation_function": "torch.nn.modules.activation.Tanh"},
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": "about: "},
            "default_prompt_name": "query",
            "truncate_dim": 6,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    rows = np.random.default_rng(0).normal(size=(9, 32)).astype(np.float32)
    tensors = {"linear.weight": rows[:8], "linear.bias": rows[8, :8].copy()}
    save_file(tensors, folder / "2_Dense" / "model.safetensors")


TARGET = Target("models", seeds, read, seconds=20.0)
