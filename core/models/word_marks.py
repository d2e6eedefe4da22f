"""How a tokenizer writes where words begin and end, and its tokens as people read them.

WordPiece marks the tokens that go on with a word (``##ing``), byte pairs and SentencePiece those
that begin one (``Ġdog``, ``▁dog``), CLIP and the first GPT those that end one (``dog</w>``). Which
of these holds is said by the tokenizer's own model and decoder: a vocabulary may hold any of the
signs as a plain letter (``Ġ`` is one in Maltese).

Shown are plain words, ``##ing`` for a piece that goes on with a word, ``do##`` for one that goes on
into the next piece.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from core.spaces.subwords import GOES_ON

UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # a part of a character
WORD, PIECE = "word", "piece"
UNUSED = re.compile(r"[\[<]unused_?\d+[\]>]")  # rows of BERT and Gemma that mean nothing yet
END = "</w>"  # how the first GPT and CLIP mark a word's end
BEFORE = "a"  # a token is read behind this one: many decoders take the first space of a text away

Reading = tuple[str, str]  # the text, and "word" or "piece"


def readings(tokens: Sequence[str], tokenizer: Any) -> list[Reading]:
    """Each token of a transformers tokenizer as (text, "word" or "piece").

    Tokens of white space or of a part of a character are pieces, shown as the vocabulary has them;
    what was added to the vocabulary stands for itself.
    """
    added = set(tokenizer.get_added_vocab())
    read = _reader(tokenizer)
    return [(token, WORD) if token in added and token.strip() else read(token) for token in tokens]


def pieces_of_words(text: str, tokenizer: Any) -> list[str]:
    """The tokens of a text whose first word has a space in front, where that is what makes it a
    word (``Ġdog``, not ``dog``)."""
    plain: list[str] = tokenizer.tokenize(text)
    spaced: list[str] = tokenizer.tokenize(f" {text}")
    if not plain or not spaced:
        return plain
    (_, kind), (_, behind) = readings([plain[0], spaced[0]], tokenizer)
    return spaced if kind == PIECE and behind == WORD else plain


def _reader(tokenizer: Any) -> Callable[[str], Reading]:
    """How one token is read, by what the tokenizer says of itself."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    model = getattr(backend, "model", None)
    join = _join(tokenizer, backend)
    if prefix := getattr(model, "continuing_subword_prefix", None):
        return lambda token: _prefixed(token, prefix)
    suffix = getattr(model, "end_of_word_suffix", None)
    if not suffix and (backend or any(token.endswith(END) for token in tokenizer.get_vocab())):
        suffix = _end_of_word(join)  # only plain Python may raise for tokens that are not its own
    if suffix:
        return lambda token: _suffixed(token, suffix, join)
    return lambda token: _joined(token, join)


def _join(tokenizer: Any, backend: Any) -> Callable[[list[str]], str]:
    """Tokens to text, by the decoder; where there is none, by what undoes the pre-tokenizer."""
    if backend is None:
        return lambda tokens: str(tokenizer.convert_tokens_to_string(tokens))
    decoder = backend.decoder or _undoing(backend.pre_tokenizer)
    return lambda tokens: str(decoder.decode(tokens)) if decoder else " ".join(tokens)


def _undoing(pre_tokenizer: Any) -> Any:
    from tokenizers import decoders

    kind = type(pre_tokenizer).__name__
    if kind == "ByteLevel":
        return decoders.ByteLevel()
    if kind == "Metaspace":
        return decoders.Metaspace(replacement=pre_tokenizer.replacement)
    return None


def _end_of_word(join: Callable[[list[str]], str]) -> str | None:
    """The mark of a word's end where the model does not name it, if joining knows it."""
    apart = join([f"{BEFORE}{END}", BEFORE]).strip() == f"{BEFORE} {BEFORE}"
    return END if apart and join([BEFORE, BEFORE]).strip() == 2 * BEFORE else None


def _prefixed(token: str, prefix: str) -> Reading:
    body = token.removeprefix(prefix)
    return (f"{GOES_ON}{body}", PIECE) if body and body != token else (token, WORD)


def _suffixed(token: str, suffix: str, join: Callable[[list[str]], str]) -> Reading:
    body = token.removesuffix(suffix)
    text = join([body]).strip()
    if not text or UNREADABLE in text:
        return token, PIECE
    return (text, WORD) if body != token else (f"{text}{GOES_ON}", PIECE)


def _joined(token: str, join: Callable[[list[str]], str]) -> Reading:
    """By what the token adds to a text: a word where that begins with a space."""
    added = join([BEFORE, token]).removeprefix(BEFORE)
    text = added.removeprefix(" ")
    if not text or text != text.strip() or UNREADABLE in text:
        return token, PIECE
    return (text, WORD) if added != text else (f"{GOES_ON}{text}", PIECE)
