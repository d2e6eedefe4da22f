"""Small tokenizers of the four kinds that models come with, each with the same English words.

Each marks words in its own way; ``extra`` puts further tokens into the vocabulary.
"""

from collections.abc import Sequence
from typing import Any

WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "on",
    "mat",
    "bank",
    "of",
    "river",
    "money",
    "is",
    "was",
    "and",
    "in",
    "it",
    "ocean",
    "justice",
    "moon",
    "lamp",
    "salt",
    "chair",
    "red",
    "blue",
    "green",
    "I",
    "thinking",
    "about",
    "x",
    "you",
    "that",
]
LETTERS = "abcdefghijklmnopqrstuvwxyzI"
SIGNS = ".,:!?"


def wordpiece(extra: Sequence[str] = ()) -> Any:
    """BERT's: ``##`` goes on with a word; [CLS] before a text, [SEP] behind it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
    pieces = [*special, *WORDS, "##s", "##ing", *extra, *LETTERS, *SIGNS]
    vocabulary = _numbered([*pieces, *(f"##{letter}" for letter in LETTERS)])
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(it, vocabulary[it]) for it in ("[CLS]", "[SEP]")],
    )
    return _fast(
        made,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def byte_level(extra: Sequence[str] = (), template: str = "") -> Any:
    """GPT-2's: ``Ġ`` begins a word. ``template`` frames a text, as "$A <end>" does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    merges = [pair for word in [f"Ġ{it}" for it in WORDS] + list(WORDS) for pair in _merges(word)]
    merges = list(dict.fromkeys(merges))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    parts = [part for one, other in merges for part in (one, other, one + other)]
    made = Tokenizer(models.BPE(_numbered(["<end>", *alphabet, *parts, *extra]), merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if template:
        made.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<end>", 0)]
        )
    return _fast(made, bos_token="<end>", eos_token="<end>", pad_token="<end>")


def sentencepiece(extra: Sequence[str] = (), template: str = "") -> Any:
    """XLM-RoBERTa's and T5's: ``▁`` begins a word. ``template`` frames a text, "$A </s>" say."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    scored = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    scored += [(f"▁{word}", -2 - row / 100) for row, word in enumerate(WORDS)]
    scored += [("ing", -3.0), ("▁", -4.0), *((token, -6.0) for token in extra)]
    scored += [(letter, -7.0) for letter in LETTERS + SIGNS]
    made = Tokenizer(models.Unigram(scored, unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    if template:
        made.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return _fast(
        made,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def end_of_word() -> Any:
    """CLIP's: ``</w>`` ends a word; a text stands between two tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    merges = [pair for word in WORDS for pair in _merges(word.lower(), "</w>")]
    parts = [part for one, other in merges for part in (one, other, one + other)]
    letters = [*LETTERS.lower(), *SIGNS]
    framing = ("<|startoftext|>", "<|endoftext|>")
    vocabulary = _numbered([*framing, *letters, *(f"{it}</w>" for it in letters), *parts])
    model = models.BPE(
        vocabulary,
        list(dict.fromkeys(merges)),
        unk_token="<|endoftext|>",
        end_of_word_suffix="</w>",
    )
    made = Tokenizer(model)
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    made.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[(it, vocabulary[it]) for it in framing],
    )
    return _fast(
        made,
        bos_token=framing[0],
        eos_token=framing[1],
        unk_token=framing[1],
        pad_token=framing[1],
    )


def _fast(made: Any, **names: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=made, **names)  # type: ignore[no-untyped-call]


def _merges(word: str, suffix: str = "") -> list[tuple[str, str]]:
    """The pairs that put a word together from its first letter on."""
    letters = [*word[:-1], word[-1] + suffix]
    return [("".join(letters[:at]), letters[at]) for at in range(1, len(letters))]


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: row for row, token in enumerate(dict.fromkeys(tokens))}
