"""Texts to vectors with a transformers model, fast.

Where the time goes is matrix products, so the batches waste none of them: texts are sorted by
their number of tokens and batched to a budget of tokens, mostly with equal lengths, which
needs neither padding nor a mask. Products are bf16 where a measurement says that it pays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.context_length import UNLIMITED, context_length
from core.errors import Unsupported
from core.models.passes import SAME, TRIAL, input_table, passing, trial_rows
from core.spaces.linalg import unit_rows
from core.teachers.model_folder.device import bf16_pays, device, halve_products
from core.teachers.model_folder.loading import load_whole, text_part
from core.teachers.model_folder.pooling import FEATURES, PoolingConfig, read_pooling
from core.teachers.model_folder.starts import Start, start_of
from core.types import Progress, Queries, silent, tell

BUDGET = {"cpu": 2048, "mps": 8192, "cuda": 32768}  # tokens a batch; measured on the CPU
LONGEST = 512  # tokens, where a model would take more
CHUNK = 4096  # texts tokenized between two reports of progress
SEEN = 1e-3  # of a vector's largest number: more than rounding in bf16 between two batches
PROBES = ("the river", "a river of the moon and the sun")  # texts that a model is tried on
FAITHFUL = 0.999  # the least cosine of a text in bf16 to itself in float32
NOTHING = Start([], "", 0)


class TextEncoder:
    """A model, its tokenizer and its pooling. Make one with :func:`load_encoder`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        pooling: PoolingConfig,
        name: str,
        precision: str = "float32",
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.name = name
        self.precision = precision  # of the products: "float32" or "bfloat16"
        table = input_table(model)
        self._rows = len(table.weight) if table is not None else UNLIMITED
        self._start = start_of(tokenizer, self._rows) if pooling.start else NOTHING
        places = min(context_length(model, tokenizer), pooling.max_tokens or LONGEST)
        self.max_tokens = places - len(self._start.ids)
        self._lead = self._start.lead if pooling.include_prompt else self._prompt_length()
        self._shortest = 1
        self.dim = self._tried()
        self._may_pad = self._padding_is_hidden()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Queries:
        """(m, d) float32, one vector a text, in the texts' order.

        Texts longer than ``max_tokens`` are cut there. Raises Cancelled when ``progress``
        (counting texts) answers False.
        """
        report = progress or silent
        ids = self._tokenize(texts, report)
        lengths = np.array([len(tokens) for tokens in ids], dtype=np.int64)
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        done = 0
        for rows in batches(lengths, BUDGET[self.model.device.type], mixed=self._may_pad):
            tell(report, done, len(texts), f"Encoding with {self.name}")
            with passing(self.name):
                out[rows] = self._batch([ids[row] for row in rows])
            done += len(rows)
        tell(report, done, len(texts), f"Encoding with {self.name}")
        return out

    def count_tokens(self, text: str) -> int:
        """Tokens of a text before it is cut."""
        return len(self.tokenizer(self._prepared(text), verbose=False)["input_ids"])

    def _prepared(self, text: str) -> str:
        return self._start.blank + self.pooling.prompt + text

    def _tokenize(self, texts: Sequence[str], report: Progress) -> list[list[int]]:
        """Token ids, no padding; never none, since there would be nothing to pool."""
        blank = [self._padding()]
        ids: list[list[int]] = []
        for start in range(0, len(texts), CHUNK):
            tell(report, 0, len(texts), "Cutting the texts into tokens")
            part = [self._prepared(text) for text in texts[start : start + CHUNK]]
            with passing(self.name):
                cut = self.tokenizer(part, truncation=True, max_length=self.max_tokens)
            ids += [[*self._start.ids, *(tokens or blank)] for tokens in cut["input_ids"]]
        if (largest := max(map(max, ids), default=0)) >= self._rows:
            raise Unsupported(
                f"found token {largest:,} of the tokenizer of {self.name}, whose model has "
                f"{self._rows:,}; expected one that fits its model: save both again together"
            )
        return ids

    def _tried(self) -> int:
        """Dimensions of a vector; how many tokens the model reads at least is noted, as Funnel
        needs some. Raises Unsupported where it reads none."""
        while True:
            with passing(self.name):
                try:
                    return int(self._batch([[self._padding()] * self._shortest]).shape[1])
                except (RuntimeError, ValueError, IndexError):
                    if self._shortest >= TRIAL:
                        raise
            self._shortest += 1

    def _padding_is_hidden(self) -> bool:
        """Whether a text's vector is the same beside a longer text: CANINE and Funnel, which join
        neighbouring places, see the padding through its mask."""
        places = min(self.max_tokens, 2 * TRIAL)
        row, longer = [self._padding()] * (places // 2), [self._padding()] * places
        if len(row) < self._shortest:
            return True
        with passing(self.name):
            alone, beside = self._batch([row])[0], self._batch([row, longer])[0]
        return bool(np.allclose(alone, beside, rtol=SEEN, atol=SEEN * np.abs(alone).max()))

    def _prompt_length(self) -> int:
        """Tokens that the prompt takes at the start of a text, as sentence-transformers counts."""
        if not self.pooling.prompt:
            return 0
        with passing(self.name, "read its own prompt"):
            cut = self.tokenizer(self.pooling.prompt, truncation=True, max_length=self.max_tokens)
            tokens = cut["input_ids"]
            return len(tokens) - (tokens[-1] in self.tokenizer.all_special_ids if tokens else 0)

    def _padding(self) -> int:
        """Any id will do where the mask hides it; decoders often have none of their own."""
        said = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        known = (int(entry) for entry in said if entry is not None and int(entry) < self._rows)
        return next(known, 0)

    def _batch(self, ids: list[list[int]]) -> Queries:
        import torch

        longest = max(self._shortest, *map(len, ids))
        padded = np.full((len(ids), longest), self._padding(), dtype=np.int64)
        mask = np.zeros((len(ids), longest), dtype=np.int64)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        where = self.model.device
        attended = torch.from_numpy(mask).to(where)
        read = self.model.get_text_features if self.pooling.modes == (FEATURES,) else self.model
        with torch.inference_mode():
            out = read(
                input_ids=torch.from_numpy(padded).to(where),
                attention_mask=None if mask.all() else attended,  # unmasked attention is faster
            )
            if self.pooling.modes == (FEATURES,):
                made = self.pooling.finished(getattr(out, "pooler_output", out).float())
            else:
                made = self.pooling(out[0], attended, self._lead)
        vectors: Queries = made.cpu().numpy()
        return vectors


def batches(lengths: Any, budget: int, *, mixed: bool = True) -> Iterator[list[int]]:
    """Rows grouped for encoding, longest first, so that memory runs out at once or never.

    A batch holds at most ``budget`` tokens, padding counted; from half of that on it ends
    where the length changes, so that most batches have one length; all have unless ``mixed``.

    >>> list(batches(np.array([3, 9, 3, 3]), budget=9))
    [[1], [0, 2, 3]]
    """
    rows: list[int] = []
    longest = 0
    for row in np.argsort(-lengths, kind="stable").tolist():
        tokens = len(rows) * longest
        full = tokens + longest > budget
        ends = not mixed or 2 * tokens >= budget
        if rows and (full or (ends and lengths[row] < lengths[rows[-1]])):
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

    ``precision`` is "float32", "bfloat16", or "measured": bf16 where it pays. A model that says
    something else in bf16 computes in float32. ``revision`` tells files apart that change in the
    folder, so that no old model answers for new ones. Raises TeacherUnavailable when the folder
    holds no safetensors model, Unsupported when the architecture is none that turns a text into
    states by itself.
    """
    encoder = _exact(folder, name)
    if precision == "float32" or (precision == "measured" and not bf16_pays(device())):
        return encoder
    return _halved(encoder) or _exact(folder, name)


def _exact(folder: Path, name: str) -> TextEncoder:
    """The encoder in float32."""
    pooling = read_pooling(folder)
    whole, tokenizer = load_whole(folder, name)
    if pooling.max_tokens and pooling.max_tokens < UNLIMITED:
        tokenizer.model_max_length = pooling.max_tokens
    if pooling.lower:
        _lower(tokenizer, name)
    told = (folder / "modules.json").is_file()
    if not told and hasattr(whole, "get_text_features"):
        model, pooling = whole, replace(pooling, modes=(FEATURES,))
    else:
        model = text_part(whole, name)
        causal = _sees_only_what_stands_before(model, name)
        pooling = replace(pooling, start=causal and not told)
    return TextEncoder(model.to(device()), tokenizer, pooling, name)


def _halved(exact: TextEncoder) -> TextEncoder | None:
    """The encoder with its products in bf16, which its model's weights then are; None where its
    vectors are others then, or there are none: Mamba computes with weights past their layers."""
    expected = unit_rows(exact.encode(PROBES))
    halve_products(exact.model)
    parts = (exact.model, exact.tokenizer, exact.pooling, exact.name)
    try:
        made = TextEncoder(*parts, "bfloat16")
        told = unit_rows(made.encode(PROBES))
    except Unsupported:
        return None
    return made if (expected * told).sum(axis=1).min() >= FAITHFUL else None


def _sees_only_what_stands_before(model: Any, name: str) -> bool:
    """Whether a model is a decoder: tried on two texts that differ in their last token, as few
    models say so. Raises Unsupported where it gives no state a token."""
    import torch

    table = input_table(model)
    count = len(table.weight) if table is not None else UNLIMITED
    rows = torch.tensor(trial_rows(count))
    with torch.inference_mode(), passing(name):
        states = model(input_ids=rows.to(model.device))[0]
        if states.ndim != 3 or states.shape[:2] != (2, TRIAL):
            raise ValueError(f"states of shape {tuple(states.shape)}")
    return bool(torch.allclose(states[0, :-1], states[1, :-1], rtol=SAME, atol=SAME))


def _lower(tokenizer: Any, name: str) -> None:
    """Make a tokenizer lower all letters first, as sentence-transformers does."""
    from tokenizers import normalizers

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise Unsupported(
            f"found do_lower_case for {name}, whose tokenizer is a slow one; expected a fast one: "
            "save it with AutoTokenizer"
        )
    own = backend.normalizer
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([own] if own else [])])
