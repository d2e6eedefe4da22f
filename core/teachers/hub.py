"""Any transformers encoder or decoder: its token table, or its embeddings of common words.

``hub:ORG/NAME[@REVISION]`` and ``path:DIR``, each with ``:tokens`` (the default) or
``:words`` behind it.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.cache import LruCache
from core.errors import TeacherUnavailable, Unsupported
from core.models.passes import input_table
from core.models.word_marks import UNUSED, pieces_of_words, readings
from core.reach import require_open
from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import PureTable, TeacherInfo, shown
from core.teachers.encoded_texts import WORDS, Corpus, EncodedTeacher, common_words
from core.teachers.encoder import TextEncoder, load_encoder
from core.teachers.lookup import mean_of_pieces, own_row
from core.teachers.model_folder.loading import load_model
from core.teachers.model_folder.sources import (
    WIDTHS,
    FolderSource,
    HubSource,
    Source,
    number_in,
    require_unchanged,
)
from core.types import Matrix, Progress, Vector, silent, tell

LICENCE = "as the model says"


def model_teacher(kind: str, rest: str) -> "ModelTokens | ModelWords":
    """The teacher of ``path:REST`` or ``hub:REST``. Raises TeacherUnavailable, UnknownTeacher."""
    where, colon, suffix = rest.rpartition(":")
    if not colon or suffix not in ("tokens", "words"):
        where, suffix = rest, "tokens"
    source = source_of(kind, where)
    return ModelTokens(source) if suffix == "tokens" else ModelWords(source)


def source_of(kind: str, where: str) -> Source:
    """Where ``path:WHERE`` or ``hub:WHERE`` keeps its files. Raises what the sources raise."""
    if kind == "hub":
        return _repository(where)
    require_open(where)
    try:
        return FolderSource(Path(where))
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a zero byte
        raise TeacherUnavailable(
            f"found no folder {shown(where)}; expected one that save_pretrained wrote: check its "
            "path"
        ) from None


@lru_cache(maxsize=8)
def _repository(where: str) -> HubSource:
    """Asked once a process which commit it is at: a page asks for it many times."""
    return HubSource(where)


class ModelTokens(PureTable):
    """A model's input embedding table, special and unused rows left out."""

    def __init__(self, source: Source, info: TeacherInfo | None = None) -> None:
        self.source = source
        self._given = info
        self._once: LruCache[Any] = LruCache(2)  # a table and a space, of one revision

    @property
    def info(self) -> TeacherInfo:
        items = number_in(self.source.config(), ("vocab_size",))
        return self._given or _info(self.source, "tokens", items)

    def fingerprint(self) -> str:
        return f"{self.source.reference}:tokens {self.source.version} rows-2"

    def space(self, progress: Progress = silent) -> Space:
        """The tokens in the table's order, each as :mod:`core.models.word_marks` reads it."""
        tell(progress, 0, 1, f"Loading {self.source.reference}")
        space = self._space
        tell(progress, 1, 1, f"Loading {self.source.reference}")
        return space

    def represent(self, text: str) -> tuple[Vector, str]:
        """The item's row, else the mean of the tokenizer's pieces."""
        space = self.space()
        return own_row(space, text) or self._mean_of_pieces(space, text)

    def model_folder(self) -> Path:
        return self.source.folder()

    def _mean_of_pieces(self, space: Space, text: str) -> tuple[Vector, str]:
        _, tokenizer = self._loaded
        pieces = pieces_of_words(text.strip(), tokenizer)
        rows = {token: row for row, token in enumerate(space.ids)}
        return mean_of_pieces(
            space, text, pieces, lambda piece: space.vectors[rows[piece]] if piece in rows else None
        )

    @property
    def _loaded(self) -> tuple[Matrix, Any]:
        held: tuple[Matrix, Any] = self._once.get(("table", self.source.revision), self._load)
        return held

    @property
    def _space(self) -> Space:
        revision = self.source.revision
        held: Space = self._once.get(("space", revision), lambda: self._make(revision))
        return held

    def _load(self) -> tuple[Matrix, Any]:
        model, tokenizer = load_model(self.source.folder(), self.source.reference)
        table = input_table(model)
        if table is None:
            raise Unsupported(
                f"found no table of tokens in {self.source.reference}, which reads texts without "
                "one; expected a model with an embedding a token: use :words, or choose another"
            )
        return table.weight.detach().float().numpy().copy(), tokenizer

    def _make(self, revision: str) -> Space:
        table, tokenizer = self._loaded
        require_unchanged(self.source.reference, revision, self.source.revision)
        special = set(tokenizer.all_special_tokens)
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        kept = [
            (token, row)
            for token, row in vocabulary
            if row < len(table) and token not in special and not UNUSED.fullmatch(token)
        ]
        tokens = [token for token, _ in kept]
        shown_kinds = readings(tokens, tokenizer)
        texts = [text for text, _ in shown_kinds]
        kinds = [kind for _, kind in shown_kinds]
        provenance = Provenance(
            teacher=f"{self.source.reference}:tokens",
            model=self.source.reference,
            revision=revision,
            licence=LICENCE,
        )
        rows = np.array([row for _, row in kept], dtype=np.int64)
        return Space.create(
            texts, table[rows], provenance, ids=tokens, metadata=word_table(texts, kinds)
        )


class ModelWords(EncodedTeacher):
    """A model's own embeddings of the 20,000 most frequent English words."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.info = _info(source, "words", WORDS)

    def fingerprint(self) -> str:
        return f"{self.source.reference}:words {self.source.version} encode-1"

    def corpus(self) -> Corpus:
        return common_words()

    def encoder(self) -> TextEncoder:
        folder, revision = self.source.folder(), self.source.revision
        return load_encoder(folder, self.source.reference, revision=revision)

    def model_folder(self) -> Path:
        return self.source.folder()

    def revision(self) -> str:
        return self.source.revision


def _info(source: Source, mode: str, items: int) -> TeacherInfo:
    dim = number_in(source.config(), WIDTHS)
    return TeacherInfo(
        reference=f"{source.reference}:{mode}",
        title=f"{source.reference.rpartition('/')[2]}, its {mode}",
        items=items,
        dim=dim,
        can=("rows",) if mode == "tokens" else ("rows", "encode", "states"),
        licence=LICENCE,
        size_bytes=items * dim * 4,
        note="A transformers model of your own choice.",
    )
