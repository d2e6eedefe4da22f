"""Tiny random encoders with a tokenizer of words, saved to disk."""

from pathlib import Path

WORDS = ["the", "a", "cat", "dog", "runs", "sleeps", "under", "over", "big", "small", "table"]


def save_tokenizer(folder: Path, *, bert: bool) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {token: row for row, token in enumerate([*special, *WORDS, "##s", "[unused0]"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"unk_token": "[UNK]"}
    if bert:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def save_model(folder: Path, kind: str) -> Path:
    """A random model of two layers and 16 dimensions, with its tokenizer."""
    import torch
    import transformers as tf

    vocab = len(WORDS) + 6
    if kind == "bert":
        config = tf.BertConfig(
            vocab_size=vocab,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        )
    elif kind == "gpt2":
        config = tf.GPT2Config(vocab_size=vocab, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    else:
        config = tf.LlamaConfig(
            vocab_size=vocab,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        tf.AutoModel.from_config(config).save_pretrained(folder)
    save_tokenizer(folder, bert=kind == "bert")
    return folder
