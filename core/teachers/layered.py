"""A layer of a causal model as a space: what the model makes of tokens where they stand in texts.

``smollm2:layer20``, ``path:DIR:layer0``, ``hub:ORG/NAME:layer12``. The items are tokens of
passages from the packaged corpus, each with its text so far as context. Layer 0 is the embeddings;
the last is after the final norm, so that it is what words are read from. The first token of a
passage is left out: its state is an outlier in every layer, whatever stands there (Xiao and others
2023, "attention sinks").
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InvalidSpecification, UnknownItem
from core.spaces.lexicon import word_table
from core.spaces.space import Provenance, Space
from core.teachers.base import TeacherInfo
from core.teachers.causal import load_causal
from core.teachers.device import device
from core.teachers.packages import package_version
from core.teachers.sources import DEPTHS, WIDTHS, Source, number_in
from core.teachers.texts import corpus_sentences
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
            note="Tokens where they stand in texts, as one layer of a model that writes has them.",
        )

    def _require_layer(self, depth: int) -> None:
        if self.layer > depth:
            raise InvalidSpecification(
                f"found layer {self.layer} of {self.source.reference}; expected 0 (the "
                f"embeddings) to {depth}: choose one of these"
            )

    def fingerprint(self) -> str:
        texts = f"gensim {package_version('gensim')}"
        return f"{self.info.reference} {self.source.revision} {texts} states-1"

    def space(self, progress: Progress = silent) -> Space:
        """Read the passages: some 20 s for a small model on two cores. Raises Cancelled."""
        model, tokenizer = self._loaded()
        most = min(TOKENS, _window(model))
        found = [(document, _ids(tokenizer, text)[:most]) for document, text in passages()]
        found = [(document, ids) for document, ids in found if len(ids) > 1]
        blocks, rows = [], []
        message = f"Reading passages with {self.source.reference}"
        for start in range(0, len(found), AT_ONCE):
            tell(progress, start, len(found), message)
            part = found[start : start + AT_ONCE]
            states = self._states(model, [ids for _, ids in part])
            for (document, ids), block in zip(part, states, strict=True):
                blocks.append(block[1:])
                rows += _rows(tokenizer, document, ids)
        tell(progress, len(found), len(found), message)
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
        model, tokenizer = self._loaded()
        found = []
        for number, text in enumerate(texts):
            tell(progress, number, len(texts), f"Reading with {self.source.reference}")
            ids = _ids(tokenizer, text)[-min(LONGEST, _window(model)) :]
            if not ids or not text.strip():
                raise UnknownItem("found an empty text; expected a word or a phrase: type one")
            if len(ids) == 1:  # alone it would stand at the outlier's place
                ids = [_opening(tokenizer), *ids]
            found.append(self._states(model, [ids])[0][-1])
        return np.stack(found)

    def represent(self, text: str) -> tuple[Vector, str]:
        """(d,) the state of the text's last token. Raises UnknownItem when empty."""
        return self.encode([text])[0], f"its last token's state in layer {self.layer}"

    def _loaded(self) -> tuple[Any, Any]:
        source = self.source
        model, tokenizer = load_causal(source.folder(), source.reference, source.revision)
        return model.to(device()), tokenizer

    def _states(self, model: Any, ids: list[list[int]]) -> list[Queries]:
        """(t, d) a text; behind a shorter one stands padding, which nothing before it sees."""
        import torch

        longest = max(map(len, ids))
        rows = torch.tensor([[*one, *[one[-1]] * (longest - len(one))] for one in ids])
        with torch.inference_mode():
            out = model.base_model(
                input_ids=rows.to(model.device), output_hidden_states=True, use_cache=False
            )
        self._require_layer(len(out.hidden_states) - 1)
        states = out.hidden_states[self.layer].float().cpu().numpy()
        return [np.ascontiguousarray(states[row, : len(one)]) for row, one in enumerate(ids)]


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
    return int(next(it for it in said if it is not None))


def _window(model: Any) -> int:
    """Tokens that the model reads at once, as far as its configuration tells."""
    return int(getattr(model.config, "max_position_embeddings", None) or LONGEST)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(it) for it in tokenizer(text, verbose=False)["input_ids"]]


def _rows(tokenizer: Any, document: str, ids: list[int]) -> list[dict[str, Any]]:
    """A row of the table for each token but the first."""
    found = []
    for at in range(1, len(ids)):
        before = str(tokenizer.decode(ids[:at]))
        token = str(tokenizer.decode([ids[at]])).strip() or "␣"
        found.append(
            {"token": token, "before": before[-BEFORE:], "document": document, "position": at}
        )
    return found
