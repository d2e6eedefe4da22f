"""A text's pieces join to the text, whatever a tokenizer does to spaces and to characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_causal import raw_model, tiny_model

from core.decode.detokenize import Detokenizer
from core.decode.language_model import LanguageModel


@pytest.fixture(scope="module")
def sentencepiece() -> LanguageModel:
    """A tiny model whose tokenizer marks spaces as Llama's does, with bytes for what it lacks."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    kinds = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a"]
    made = Tokenizer(
        models.BPE(
            {token: row for row, token in enumerate(kinds)},
            [("▁", "a")],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    words = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", unk_token="<unk>")
    model, _ = raw_model()
    model.resize_token_embeddings(len(kinds))
    return LanguageModel(model, words, "cpu", "marked spaces")


def test_a_token_alone_keeps_its_space(sentencepiece: LanguageModel) -> None:
    ids = sentencepiece.ids("a a b")
    assert sentencepiece.text(ids[:1]) == "a"  # this is what the tokenizer does by itself
    assert sentencepiece.pieces(ids)[:2] == [" a", " a"]
    assert tiny_model("gpt2").pieces(tiny_model("gpt2").ids("the cat")) == ["the", " cat"]


@pytest.mark.parametrize("text", ["a a b", "I love 🎉 and 東京", "é", "a\nb", "🎉🎉"])
def test_they_join_to_the_text(sentencepiece: LanguageModel, text: str) -> None:
    ids = sentencepiece.ids(text)
    found = Detokenizer(sentencepiece.text, ids).all()
    assert len(found) == len(ids)
    assert "".join(found) == sentencepiece.text(ids) == text


def test_a_character_in_parts_stands_with_its_last(sentencepiece: LanguageModel) -> None:
    ids = sentencepiece.ids("a é")
    assert [it for it in Detokenizer(sentencepiece.text, ids).all() if "é" in it] == ["é"]
    whole = Detokenizer(sentencepiece.text, ids[:-1])
    assert "\N{REPLACEMENT CHARACTER}" in whole.all()[-1]  # as long as the rest is not there
    whole.add(ids[-1])
    assert "".join(whole.all()) == "a é"


@given(st.lists(st.integers(0, 261), max_size=12))
def test_any_tokens_have_a_piece_each(ids: list[int]) -> None:
    lm = tiny_model("gpt2")
    own = [it % lm.vocabulary for it in ids]
    found = Detokenizer(lm.text, own)
    assert len(found.all()) == len(own)
    assert "".join(found.all()) == lm.text(own)


@pytest.mark.models
def test_smollm2_writes_every_character(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    from core.teachers.smollm2 import smollm2_folder

    words = AutoTokenizer.from_pretrained(str(smollm2_folder()), local_files_only=True)
    text = "I love 🎉 and 東京, naïve café\n"
    ids = words(text)["input_ids"]
    assert "".join(words.decode([it]) for it in ids) != text
    assert "".join(Detokenizer(lambda some: str(words.decode(list(some))), ids).all()) == text
