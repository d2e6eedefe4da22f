"""Tiny random models with a tokenizer of some thirty words, and copies with something changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat", "bank", "of", "river", "money", "is", "was"]
WORDS += ["ocean", "moon", "lamp", "salt", "red", "blue", "and"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz.,", *(f"##{it}" for it in "abcdefghijklmnopqrstuvwxyz")]
VOCABULARY = {token: row for row, token in enumerate([*SPECIAL, *WORDS, *LETTERS])}
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.3,
}
LAYERS = "sentence_transformers.models"
TEXTS = ["the cat sat on the mat", "river", "a dog", "money of the bank, the ocean and the moon"]


def word_pieces(*, lower: bool = True, bounds: bool = True) -> Any:
    """BERT's kind of tokenizer; without ``bounds`` it adds no token of its own."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=False)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.decoder = decoders.WordPiece()
    if bounds:
        pieces.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    named = {f"{name}_token": token for name, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=pieces, **named)


def save(folder: Path, model: str, config: Any, tokenizer: Any = None) -> Path:
    """A random model of transformers' class ``model``, with its tokenizer, in a folder."""
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        getattr(transformers, model)(config).eval().save_pretrained(folder)
    (tokenizer or word_pieces()).save_pretrained(folder)
    return folder


def bert(folder: Path, model: str = "BertModel", tokenizer: Any = None, **changes: Any) -> Path:
    """A BERT of 64 places."""
    from transformers import BertConfig

    return save(
        folder, model, BertConfig(**SIZES | {"max_position_embeddings": 64} | changes), tokenizer
    )


def llama(folder: Path, model: str = "LlamaForCausalLM", tokenizer: Any = None) -> Path:
    """A Llama with its head."""
    from transformers import LlamaConfig

    config = LlamaConfig(**SIZES, max_position_embeddings=64)
    return save(folder, model, config, tokenizer or word_pieces(bounds=False))


def renamed(folder: Path, into: Path, rename: Callable[[str], str]) -> Path:
    """A copy of a model with other names of its tensors."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, into)
    tensors = load_file(into / "model.safetensors")
    save_file(
        {rename(name): tensor for name, tensor in tensors.items()},
        into / "model.safetensors",
        metadata={"format": "pt"},
    )
    return into


def rewrite(file: Path, **changes: Any) -> None:
    """Change fields of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def sentence_layers(folder: Path, *kinds: str) -> list[Path]:
    """Write modules.json: a transformer, then layers of these kinds; gives their folders."""
    modules = [{"idx": 0, "name": "0", "path": "", "type": f"{LAYERS}.Transformer"}]
    for number, kind in enumerate(kinds, 1):
        place = f"{number}_{kind}"
        (folder / place).mkdir(exist_ok=True)
        modules.append(
            {"idx": number, "name": f"{number}", "path": place, "type": f"{LAYERS}.{kind}"}
        )
    (folder / "modules.json").write_text(json.dumps(modules))
    return [folder / str(it["path"]) for it in modules[1:]]


def pooled(folder: Path, **config: Any) -> Path:
    """Make a model's folder one of sentence-transformers, with this 1_Pooling/config.json."""
    (place,) = sentence_layers(folder, "Pooling")
    (place / "config.json").write_text(json.dumps({"word_embedding_dimension": 32} | config))
    return folder
