"""How a model's token states become one vector a text: read from its folder, then done.

A sentence-transformers model says it in ``modules.json`` and ``1_Pooling/config.json``; any
other model gets the mean over its tokens.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Unsupported

MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
NAMES = {"mean": "mean", "cls": "first", "max": "max", "lasttoken": "last"}


@dataclass(frozen=True)
class Pooling:
    """``mode`` is "mean", "first", "max" or "last"; ``normalise`` scales to length 1."""

    mode: str = "mean"
    normalise: bool = False
    max_tokens: int = 0  # 0: as the tokenizer and the model say
    lower: bool = False
    prompt: str = ""  # put before each text

    @property
    def name(self) -> str:
        """As the provenance says it."""
        return f"{self.mode}, normalised" if self.normalise else self.mode

    def __call__(self, states: Any, mask: Any) -> Any:
        """(b, d) from states (b, t, d) and a mask (b, t) of 1 and 0, padding on the right."""
        import torch

        states = states.float()
        weights = mask.to(states.dtype)[:, :, None]  # (b, t, 1)
        if self.mode == "mean":
            pooled = (states * weights).sum(1) / weights.sum(1)
        elif self.mode == "max":
            pooled = states.masked_fill(weights == 0, float("-inf")).amax(1)
        elif self.mode == "first":
            pooled = states[:, 0]
        else:
            pooled = states[torch.arange(len(states)), mask.sum(1).long() - 1]
        return torch.nn.functional.normalize(pooled) if self.normalise else pooled


def read_pooling(folder: Path) -> Pooling:
    """The pooling that a model's folder asks for. Raises Unsupported for a layer we lack."""
    modules = _json(folder / "modules.json")
    if not modules:
        return Pooling()
    kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
    odd = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    if odd or "Pooling" not in kinds:
        raise Unsupported(
            f"found the layers {', '.join(kinds)} in {folder.name}; expected Transformer, Pooling "
            "and perhaps Normalize: use its token table with :tokens"
        )
    config = _json(folder / modules[kinds.index("Pooling")]["path"] / "config.json")
    text = _json(folder / "sentence_bert_config.json")
    prompts = _json(folder / "config_sentence_transformers.json")
    return Pooling(
        mode=_mode(config, folder),
        normalise="Normalize" in kinds,
        max_tokens=int(text.get("max_seq_length") or 0),
        lower=bool(text.get("do_lower_case")),
        prompt=str((prompts.get("prompts") or {}).get(prompts.get("default_prompt_name")) or ""),
    )


def _mode(config: dict[str, Any], folder: Path) -> str:
    asked = [name for name, on in config.items() if name.startswith("pooling_mode_") and on is True]
    if "pooling_mode" in config:
        named = config["pooling_mode"]
        asked = named if isinstance(named, list) else [named]
    known = [(MODES | NAMES)[name] for name in asked if name in MODES | NAMES]
    if len(asked) == 1 and known:
        return known[0]
    raise Unsupported(
        f"found the pooling {' + '.join(map(str, asked)) or 'none'} in {folder.name}; "
        "expected mean, cls, max or lasttoken: use its token table with :tokens"
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
