"""A tiny BERT to be the teacher of students that read, and texts for it."""

import json
from pathlib import Path

import numpy as np

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[unused0]", "##中"]
ALPHABET = [*"abcdefghijklmnopqrstuvwxyz.,'中", *(f"##{it}" for it in "abcdefghijklmnopqrstuvwxyz")]
WORDS = [
    *("sea", "salt", "moon", "sun", "cat", "cats", "dog", "dogs", "bird", "tree", "house", "door"),
    *("king", "queen", "river", "stone", "bread", "wine", "green", "red", "blue", "small", "big"),
    *("walk", "walked", "walking", "runs", "sleeps", "eats", "sees", "over", "under", "with"),
    *("the", "a", "and", "of", "in", "old", "young", "hand", "eye", "road", "wood", "fire", "ice"),
]
ODD = [
    "",
    "   ",
    "cat",
    "中文 text",
    "\ud800 broken",
    "\x00\u200b",
    "🦊🦊",
    "the " * 400,
    "xq" * 300,
]


def save_teacher(where: Path, layers: int = 2) -> Path:
    """A random BERT with a WordPiece tokenizer, as sentence-transformers would save it."""
    import torch
    import transformers as tf
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {it: row for row, it in enumerate(dict.fromkeys([*SPECIAL, *ALPHABET, *WORDS]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, sep_token="[SEP]", **names
    ).save_pretrained(where)
    config = tf.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.25,  # random, but not all alike
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        tf.AutoModel.from_config(config).save_pretrained(where)
    (where / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
    return where


def texts() -> list[str]:
    generator = np.random.default_rng(5)
    made = [" ".join(generator.choice(WORDS, generator.integers(5, 9))) for _ in range(260)]
    return [*WORDS, *dict.fromkeys(made)]
