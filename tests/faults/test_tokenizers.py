"""Which tokens are words: what the tokenizer's own model and decoder say, not a letter."""

import numpy as np
import pytest
import transformers as tf

from benchmarks.tiny_models import ARCHITECTURES, build
from benchmarks.tiny_tokenizers import WORDS, byte_level, end_of_word, sentencepiece, wordpiece
from core.models.word_marks import readings
from core.teachers.registry import resolve

KINDS = {
    "wordpiece": wordpiece,
    "byte_level": byte_level,
    "sentencepiece": sentencepiece,
    "end_of_word": end_of_word,
}
SIGNS = ["Ġ", "Ġa", "▁", "▁a", "dog</w>", "##", "Ċ", "ĉ"]  # each means something to some tokenizer


def saved(folder, tokenizer):
    """A random model with a tokenizer; its reference."""
    model, _ = build(ARCHITECTURES["BERT"]._replace(tokenizer=lambda: tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"path:{folder}"


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_each_kind_of_tokenizer_are_found(kind, tmp_path):
    tokenizer = KINDS[kind]()
    teacher = resolve(f"{saved(tmp_path, tokenizer)}:tokens")
    space = teacher.space()
    table = tf.BertModel.from_pretrained(tmp_path).get_input_embeddings().weight
    kinds = dict(zip(space.texts, space.metadata["kind"], strict=True))
    for word in ("dog", "ocean", "justice"):
        [own] = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        expected = table[own].detach().numpy()
        np.testing.assert_array_equal(space.vectors[space.find(word)], expected)
        np.testing.assert_array_equal(teacher.represent(word)[0], expected)
        assert kinds[word] == "word"
    assert not any(mark in text for text in space.texts for mark in ("</w>", "▁d", "Ġd"))


@pytest.mark.parametrize("kind", [wordpiece, sentencepiece])
def test_a_letter_that_is_another_tokenizers_mark_changes_nothing(kind, tmp_path):
    more = kind(extra=["Ġ", "Ġa", "ĉ", "Ğ"])
    plain = resolve(f"{saved(tmp_path / 'plain', kind())}:tokens").space()
    other = resolve(f"{saved(tmp_path / 'other', more)}:tokens").space()
    kinds = dict(zip(other.texts, other.metadata["kind"], strict=True))
    assert {text: kinds[text] for text in plain.texts} == dict(
        zip(plain.texts, plain.metadata["kind"], strict=True)
    )
    assert set(WORDS) <= set(other.texts)
    assert (plain.metadata["category"] != "").sum() == (other.metadata["category"] != "").sum() > 5


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (wordpiece, ["Ġ", "Ġa", "▁", "▁a", "dog</w>", "##", "Ċ", "ĉ"]),
        (sentencepiece, ["##Ġ", "##Ġa", "▁", "a", "##dog</w>", "####", "##Ċ", "##ĉ"]),
        (byte_level, ["Ġ", "a", "##▁", "##▁a", "##dog</w>", "####", "Ċ", "ĉ"]),
        (end_of_word, ["Ġ##", "Ġa##", "▁##", "▁a##", "dog", "####", "Ċ##", "ĉ##"]),
    ],
)
def test_a_sign_means_what_it_means_to_its_tokenizer(kind, expected):
    assert [text for text, _ in readings(SIGNS, kind())] == expected


def test_a_piece_that_goes_on_into_the_next_is_no_word():
    assert readings(["do", "dog</w>", "g</w>"], end_of_word()) == [
        ("do##", "piece"),
        ("dog", "word"),
        ("g", "word"),
    ]


def test_a_tokenizer_without_a_decoder_is_read_by_its_pre_tokenizer():
    for kind, token in ((byte_level, "Ġdog"), (sentencepiece, "▁dog")):
        tokenizer = kind()
        tokenizer.backend_tokenizer.decoder = None
        assert readings([token, "dog"], tokenizer) == [("dog", "word"), ("##dog", "piece")]


def test_byte_pairs_with_a_mark_of_their_own_and_added_words():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(
        models.BPE({"d": 0, "o": 1, "@@o": 2, "do": 3}, [], continuing_subword_prefix="@@")
    )
    made.pre_tokenizer, made.decoder = pre_tokenizers.Whitespace(), decoders.BPEDecoder()
    tokenizer = tf.PreTrainedTokenizerFast(tokenizer_object=made)
    tokenizer.add_tokens(["@@all"])
    assert readings(["do", "@@o", "@@all"], tokenizer) == [
        ("do", "word"),
        ("##o", "piece"),
        ("@@all", "word"),
    ]


@pytest.mark.models
def test_the_packaged_tables():
    for reference, words in (("smollm2:tokens", 20_000), ("minilm:tokens", 20_000)):
        space = resolve(reference).space()
        assert (space.metadata["kind"] == "word").sum() > words
        assert space.find("justice") is not None


def test_a_tokenizer_of_bytes_without_a_backend():
    """ByT5's joins only tokens of its own, and raises for any other."""
    tokenizer = tf.ByT5Tokenizer()
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    assert len(readings(tokens, tokenizer)) == len(tokens)
