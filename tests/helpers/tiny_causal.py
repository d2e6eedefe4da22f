"""Tiny random causal models of two families, with a tokenizer of words, built from a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.decode.language_model import LanguageModel

WORDS = (
    *("the", "a", "cat", "dog", "sat", "on", "mat", "moon", "chair", "lamp", "salt", "x"),
    *("ocean", "justice", "bank", "river", "money", "and", "of", "is", "was", "I", "you"),
    *("thinking", "about", "in", "it", "red", "blue", "green", ".", ",", ":", "\n"),
)
DIM, DEPTH = 32, 4
SLOW = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 128}
SLOW |= {"max_position_embeddings": 1024}  # a Llama that takes many seconds to write 500 tokens


def tokenizer() -> Any:
    """Words and single letters; a word behind a space carries it, as GPT-2's tokens do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [chr(code) for code in range(97, 123)]
    kinds = ["<end>", *WORDS, *(f"Ġ{word}" for word in WORDS), *letters, "Ġ", "Ċ"]
    vocabulary = {token: row for row, token in enumerate(dict.fromkeys(kinds))}
    merges: list[tuple[str, str]] = []
    for word in [f"Ġ{word}" for word in WORDS] + list(WORDS):  # a space is joined first
        if word.strip("Ġ").isalpha():
            merges += _merges(word, vocabulary)
    made = Tokenizer(models.BPE(vocabulary, list(dict.fromkeys(merges)), unk_token="<end>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", unk_token="<end>", pad_token="<end>"
    )


def _merges(word: str, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """What joins letters to a word from the left; the parts become tokens too."""
    found = []
    for end in range(1, len(word)):
        vocabulary.setdefault(word[:end], len(vocabulary))
        vocabulary.setdefault(word[: end + 1], len(vocabulary))
        found.append((word[:end], word[end]))
    return found


def raw_model(
    family: str = "llama", seed: int = 0, other: Mapping[str, int] | None = None
) -> tuple[Any, Any]:
    """(model, tokenizer): "llama" or "gpt2", 4 layers of width 32, random weights; a Llama may have
    ``other`` sizes."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    words = tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "gpt2":
            config: Any = GPT2Config(
                vocab_size=len(words),
                n_embd=DIM,
                n_layer=DEPTH,
                n_head=4,
                n_positions=128,
                initializer_range=0.4,
                bos_token_id=0,
                eos_token_id=0,
            )
            return GPT2LMHeadModel(config).eval(), words
        sizes = {"hidden_size": DIM, "intermediate_size": 64, "num_hidden_layers": DEPTH}
        config = LlamaConfig(
            **(sizes | {"max_position_embeddings": 128} | dict(other or {})),
            vocab_size=len(words),
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.4,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
        )
        made = LlamaForCausalLM(config).eval()
        if other:
            made.generation_config.eos_token_id = [len(words)]  # no token: it never ends by itself
        return made, words


def tiny_model(family: str = "llama", seed: int = 0) -> LanguageModel:
    """A LanguageModel of a tiny random model."""
    model, words = raw_model(family, seed)
    return LanguageModel(model, words, "cpu", f"tiny {family}")


def save_tiny(
    folder: Path, family: str = "llama", seed: int = 0, other: Mapping[str, int] | None = None
) -> str:
    """Write one to a folder as ``save_pretrained`` does; its reference, ``path:FOLDER``."""
    model, words = raw_model(family, seed, other)
    model.save_pretrained(str(folder))
    words.save_pretrained(str(folder))
    return f"path:{folder}"


def near(found: Any, expected: Any) -> None:
    """The same but for rounding, in units of the largest number: processors sum in other orders."""
    found, expected = np.asarray(found), np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())
