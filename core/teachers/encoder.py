"""Texts to vectors with a transformers model, fast.

Where the time goes is matrix products, so the batches waste none of them: texts are sorted by
their number of tokens and batched to a budget of tokens, mostly with equal lengths, which
needs neither padding nor a mask. Products are bf16 where a measurement says that it pays.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import Unsupported
from core.teachers.device import bf16_pays, device, halve_products
from core.teachers.loading import load_model
from core.teachers.pooling import Pooling, read_pooling
from core.types import Progress, Queries, silent, tell

BUDGET = {"cpu": 2048, "mps": 8192, "cuda": 32768}  # tokens a batch; measured on the CPU
LONGEST = 512  # tokens, where a model would take more
UNLIMITED = 1_000_000  # a tokenizer's way to say that it knows no limit
CHUNK = 4096  # texts tokenized between two reports of progress


class TextEncoder:
    """A model, its tokenizer and its pooling. Make one with :func:`load_encoder`."""

    def __init__(
        self, model: Any, tokenizer: Any, pooling: Pooling, name: str, precision: str = "float32"
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.name = name
        self.precision = precision  # of the products: "float32" or "bfloat16"
        self.dim = int(model.config.hidden_size)
        self.max_tokens = _max_tokens(model.config, tokenizer, pooling)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Queries:
        """(m, d) float32, one vector a text, in the texts' order.

        Texts longer than ``max_tokens`` are cut there. Raises Cancelled when ``progress``
        (counting texts) answers False.
        """
        import torch

        report = progress or silent
        ids = self._tokenize(texts, report)
        lengths = np.array([len(tokens) for tokens in ids], dtype=np.int64)
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        done = 0
        with torch.inference_mode():
            for rows in batches(lengths, BUDGET[self.model.device.type]):
                tell(report, done, len(texts), f"Encoding with {self.name}")
                out[rows] = self._batch([ids[row] for row in rows])
                done += len(rows)
        tell(report, done, len(texts), f"Encoding with {self.name}")
        return out

    def count_tokens(self, text: str) -> int:
        """Tokens of a text before it is cut."""
        return len(self.tokenizer(self._prepared(text), verbose=False)["input_ids"])

    def _prepared(self, text: str) -> str:
        prompted = self.pooling.prompt + text
        return prompted.lower() if self.pooling.lower else prompted

    def _tokenize(self, texts: Sequence[str], report: Progress) -> list[list[int]]:
        """Token ids, no padding; never none, since there would be nothing to pool."""
        blank = [self._padding()]
        ids: list[list[int]] = []
        for start in range(0, len(texts), CHUNK):
            tell(report, 0, len(texts), "Cutting the texts into tokens")
            part = [self._prepared(text) for text in texts[start : start + CHUNK]]
            cut = self.tokenizer(part, truncation=True, max_length=self.max_tokens, padding=False)
            ids += [tokens or blank for tokens in cut["input_ids"]]
        return ids

    def _padding(self) -> int:
        """Any id will do where the mask hides it; decoders often have none of their own."""
        found = self.tokenizer.pad_token_id
        return int(found if found is not None else self.tokenizer.eos_token_id or 0)

    def _batch(self, ids: list[list[int]]) -> Queries:
        import torch

        longest = max(map(len, ids))
        padded = np.full((len(ids), longest), self._padding(), dtype=np.int64)
        mask = np.zeros((len(ids), longest), dtype=np.int64)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        where = self.model.device
        attended = torch.from_numpy(mask).to(where)
        states = self.model(
            input_ids=torch.from_numpy(padded).to(where),
            attention_mask=None if mask.all() else attended,  # unmasked attention is faster
        )[0]
        vectors: Queries = self.pooling(states, attended).cpu().numpy()
        return vectors


def batches(lengths: Any, budget: int) -> Iterator[list[int]]:
    """Rows grouped for encoding, longest first, so that memory runs out at once or never.

    A batch holds at most ``budget`` tokens, padding counted; from half of that on it ends
    where the length changes, so that most batches have one length.

    >>> list(batches(np.array([3, 9, 3, 3]), budget=9))
    [[1], [0, 2, 3]]
    """
    rows: list[int] = []
    longest = 0
    for row in np.argsort(-lengths, kind="stable").tolist():
        tokens = len(rows) * longest
        full = tokens + longest > budget
        if rows and (full or (2 * tokens >= budget and lengths[row] < lengths[rows[-1]])):
            yield rows
            rows = []
        longest = int(lengths[row]) if not rows else longest
        rows.append(row)
    if rows:
        yield rows


@lru_cache(maxsize=2)
def load_encoder(
    folder: Path,
    name: str,
    precision: str = "measured",
    revision: str = "",  # noqa: ARG001
) -> TextEncoder:
    """The encoder in a folder, on the best device; the last two stay in memory.

    ``precision`` is "float32", "bfloat16", or "measured": bf16 where it pays. ``revision``
    tells files apart that change in the folder, so that no old model answers for new ones.
    Raises TeacherUnavailable when the folder holds no safetensors model, Unsupported when the
    architecture is none that turns a text into states by itself.
    """
    pooling = read_pooling(folder)
    model, tokenizer = load_model(folder, name)
    if getattr(model.config, "is_encoder_decoder", False):
        raise Unsupported(
            f"found an encoder-decoder in {name}; expected an encoder or a decoder: "
            "use its token table with :tokens"
        )
    if precision == "measured":
        precision = "bfloat16" if bf16_pays(device()) else "float32"
    if precision == "bfloat16":
        halve_products(model)
    return TextEncoder(model.to(device()), tokenizer, pooling, name, precision)


def _max_tokens(config: Any, tokenizer: Any, pooling: Pooling) -> int:
    """Tokens of a text that are read: what the model's folder says, else at most 512."""
    if pooling.max_tokens:
        return pooling.max_tokens
    said = int(tokenizer.model_max_length)
    positions = int(getattr(config, "max_position_embeddings", 0) or LONGEST)
    return min(said if said < UNLIMITED else positions, positions, LONGEST)
