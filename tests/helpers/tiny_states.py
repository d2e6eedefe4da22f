"""Tiny random models of several kinds whose states are read, and texts for them."""

from core.signatures.hidden import Reader

KINDS = ("bert", "gpt2", "llama")
WINDOW = 36
TEXTS = [
    "the cat sleeps",
    "a big dog runs over the small table, and the moon doesn't sleep",
    "salt",
    "the sea and the moon and the sea",
    "Café, naïve?  two  spaces\nand a line",
    "the cat sees a cat",
]
LONG = " ".join(f"{TEXTS[row % 4]}." for row in range(12))


def wordpiece():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = sorted(set("".join(TEXTS).lower()) - set(" \né,ï?'."))
    words = ["the", "cat", "dog", "sea", "moon", "and", "a", "salt", "table", "sleep", "over"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters, *",.?'"]
    vocabulary += [f"##{letter}" for letter in letters]
    rows = {token: row for row, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(rows, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "[PAD]"), ("unk_token", "[UNK]"), ("cls_token", "[CLS]")
    return tokenizer, dict(names)


def byte_pairs(beginning: bool):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, LONG], trainer)
    if beginning:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
        return tokenizer, {"bos_token": "<s>"}
    return tokenizer, {}


def tiny(kind: str, places: int = WINDOW, **changes) -> Reader:
    """A random model of two layers and 32 dimensions that reads ``places`` tokens."""
    import torch
    import transformers as tf
    from transformers import PreTrainedTokenizerFast

    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    shared = {"vocab_size": 300, "hidden_size": 32, "max_position_embeddings": places}
    if kind == "gpt2":
        config = tf.GPT2Config(vocab_size=300, n_positions=places, n_embd=32, n_layer=2, n_head=2)
    else:
        config = {"bert": tf.BertConfig, "llama": tf.LlamaConfig, "roberta": tf.RobertaConfig}[
            kind
        ](**shared, **small)
    made, names = byte_pairs(kind == "llama") if kind in ("gpt2", "llama") else wordpiece()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **names)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = tf.AutoModel.from_config(config)
        for weight in model.parameters():  # untrained, neighbours would hardly change a state
            if weight.ndim == 2:
                torch.nn.init.normal_(weight, std=0.2)
    return Reader(model, tokenizer, "cpu", f"tiny {kind}", **changes)


def stop_at(step: int):
    """A progress callback that answers False at its n-th call."""
    seen = []
    return lambda done, total, message: len(seen.append(done) or seen) < step
