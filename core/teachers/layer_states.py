"""A layer of a model as a space: what the model makes of tokens where they stand in texts.

``smollm2:layer20``, ``path:DIR:layer0``, ``hub:ORG/NAME:layer12``. The items are tokens of
passages from the packaged corpus, in the context that the model sees: the text so far, or the
whole passage where it reads in both directions. Layer 0 is the embeddings; the last is what the
model gives out, in a causal one after the final norm, so that it is what words are read from. What
the tokenizer puts around a text is read but is no item. Nor is a causal model's first token: its
state is an outlier in every layer, whatever stands there (Xiao and others 2023, "attention sinks").
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from core.cache import LruCache
from core.context_length import context_length
from core.errors import InvalidSpecification, UnknownItem, Unsupported
from core.models.passes import is_causal, layer_states, trial
from core.models.prompt import Framed, framed
from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import TeacherInfo
from core.teachers.causal import load_causal
from core.teachers.corpus import corpus_sentences
from core.teachers.model_folder.device import device
from core.teachers.model_folder.loading import load_model
from core.teachers.model_folder.sources import DEPTHS, WIDTHS, Source, number_in
from core.teachers.packages import package_version
from core.types import Progress, Queries, Vector, silent, tell

PASSAGES = 96  # passages of as many documents
TOKENS = 64  # of a passage
AT_ONCE = 8  # passages in a batch
BEFORE = 60  # characters of the text before a token that a card shows
LONGEST = 512  # tokens of a typed text that are read


class LayerStates:
    """States of some 6,000 tokens in one layer, (n, d)."""

    def __init__(self, source: Source, layer: int) -> None:
        self.source = source
        self.layer = layer
        config = source.config()
        if depth := number_in(config, DEPTHS):  # of a model that is not fetched yet it is not told
            self._require_layer(depth)
        width = number_in(config, WIDTHS)
        self.info = TeacherInfo(
            reference=f"{source.reference}:layer{layer}",
            title=f"{source.reference.rpartition('/')[2]}, layer {layer}",
            items=PASSAGES * (TOKENS - 1),
            dim=width,
            can=("rows", "encode"),
            licence="as the model says; Wikipedia's texts CC BY-SA",
            size_bytes=PASSAGES * (TOKENS - 1) * width * 4,
            note="Tokens where they stand in texts, as one layer of a model has them.",
        )

    def _require_layer(self, depth: int) -> None:
        if self.layer > depth:
            raise InvalidSpecification(
                f"found layer {self.layer} of {self.source.reference}; expected 0 (the "
                f"embeddings) to {depth}: choose one of these"
            )

    def fingerprint(self) -> str:
        texts = f"gensim {package_version('gensim')}"
        return f"{self.info.reference} {self.source.version} {texts} states-1"

    def space(self, progress: Progress = silent) -> Space:
        """Read the passages: some 20 s for a small model on two cores. Raises Cancelled."""
        layers = self._loaded
        found = [(document, layers.cut(text, TOKENS)) for document, text in passages()]
        blocks, rows = [], []
        message = f"Reading passages with {self.source.reference}"
        for start in range(0, len(found), AT_ONCE):
            tell(progress, start, len(found), message)
            part = found[start : start + AT_ONCE]
            states = self._states([text for _, text in part])
            for (document, text), block in zip(part, states, strict=True):
                first = layers.outliers(text)
                blocks.append(block[first:])
                rows += _rows(layers.tokenizer, document, text, first)
        tell(progress, len(found), len(found), message)
        if not rows:
            raise Unsupported(
                f"found no token of {self.source.reference} in the packaged English texts; "
                "expected some: choose another model"
            )
        table = pd.DataFrame(rows)
        texts = table.pop("token").tolist()
        about = word_table(texts, "token")
        provenance = Provenance(
            teacher=self.info.reference,
            model=self.source.reference,
            revision=self.source.revision,
            layer=str(self.layer),
            corpus=f"gensim {package_version('gensim')}",
            licence=self.info.licence,
        )
        return Space.create(
            texts,
            np.concatenate(blocks),
            provenance,
            ids=[f"{row}" for row in range(len(texts))],
            metadata=pd.concat([about, table], axis=1),
        )

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> Queries:
        """(m, d) the state of each text's last token. Raises UnknownItem when empty, Cancelled."""
        layers = self._loaded
        found = []
        for number, text in enumerate(texts):
            tell(progress, number, len(texts), f"Reading with {self.source.reference}")
            read = layers.end_of(text)
            if not read.own or not text.strip():
                raise UnknownItem("found an empty text; expected a word or a phrase: type one")
            found.append(self._states([read])[0][-1])
        return np.stack(found)

    def represent(self, text: str) -> tuple[Vector, str]:
        """(d,) the state of the text's last token. Raises UnknownItem when empty."""
        return self.encode([text])[0], f"its last token's state in layer {self.layer}"

    @property
    def _loaded(self) -> "_Layers":
        source = self.source
        key = (source.reference, source.revision)
        layers = _models.get(key, lambda: _Layers(*_load(source), source.reference))
        self._require_layer(layers.depth)
        return layers

    def _states(self, texts: Sequence[Framed]) -> list[Queries]:
        """(t, d) a text: the states of its own tokens."""
        layers = self._loaded
        rows = [text.whole for text in texts]
        read = layer_states(layers.model, layers.tokenizer, self.source.reference, rows)[self.layer]
        states = read.float().cpu().numpy()
        spans = [(len(text.lead), len(text.lead) + len(text.own)) for text in texts]
        return [
            np.ascontiguousarray(states[row, start:end]) for row, (start, end) in enumerate(spans)
        ]


class _Layers:
    """A model that is read layer by layer, and how texts are put before it."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.to(device())
        self.tokenizer = tokenizer
        tried = trial(self.model, tokenizer, name)
        self.depth = len(tried) - 1
        self.causal = is_causal(tried)

    def cut(self, text: str, most: int) -> Framed:
        """The beginning of a text, in at most so many tokens."""
        read = framed(self.tokenizer, text)
        return replace(read, own=read.own[: self._room(read, most)])

    def end_of(self, text: str) -> Framed:
        """The end of a text; where a causal model would have it at the outlier's place, behind a
        token that texts begin with."""
        read = framed(self.tokenizer, text)
        own = read.own[-self._room(read, LONGEST) :]
        if self.causal and not read.lead and len(own) == 1:
            return replace(read, lead=[_opening(self.tokenizer)], own=own)
        return replace(read, own=own)

    def outliers(self, text: Framed) -> int:
        """How many of a text's own tokens stand where every state is an outlier."""
        return int(self.causal and not text.lead)

    def _room(self, text: Framed, most: int) -> int:
        """Tokens of its own that a text may have."""
        limit = min(most, context_length(self.model, self.tokenizer))
        return max(1, limit - len(text.lead) - len(text.tail))


_models: LruCache[_Layers] = LruCache(1)


def _load(source: Source) -> tuple[Any, Any]:
    """(model, tokenizer) with its language head where it has one, so that a model that writes is
    in memory once."""
    try:
        return load_causal(source.folder(), source.reference, source.revision)
    except Unsupported:
        return load_model(source.folder(), source.reference)


@lru_cache(maxsize=1)
def passages() -> tuple[tuple[str, str], ...]:
    """(document, text): the first sentences of 96 documents, drawn with a seed, long enough."""
    whole: dict[str, list[str]] = {}
    for sentence in corpus_sentences():
        whole.setdefault(sentence.document, []).append(sentence.text)
    long = [(name, " ".join(texts)) for name, texts in whole.items()]
    long = [(name, text[: TOKENS * 12]) for name, text in long if len(text) > TOKENS * 6]
    rows = np.random.default_rng(0).permutation(len(long))[:PASSAGES]
    return tuple(long[row] for row in sorted(rows.tolist()))


def _opening(tokenizer: Any) -> int:
    """The token that texts begin with, else the one that ends them."""
    said = (tokenizer.bos_token_id, tokenizer.eos_token_id, 0)
    return int(next(entry for entry in said if entry is not None))


def _rows(tokenizer: Any, document: str, text: Framed, first: int) -> list[dict[str, Any]]:
    """A row of the table for each of a text's own tokens, from the ``first`` on."""
    found = []
    for at in range(first, len(text.own)):
        before = str(tokenizer.decode(text.own[:at]))
        token = str(tokenizer.decode([text.own[at]])).strip() or "␣"
        found.append(
            {
                "token": token,
                "before": before[-BEFORE:],
                "document": document,
                "position": len(text.lead) + at,
            }
        )
    return found
