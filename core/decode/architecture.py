"""Where a causal model has its blocks and its final norm, which families name as they like."""

from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import Unsupported

NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f", "ln_out")  # usual names
SAME = 1e-3  # of a state's largest number: passes that differ less are the same
TRIED = ("llama", "gpt2")  # families known to read, norm and go on as `LanguageModel` wants them
USUAL = (
    "expected a causal model of a row of blocks, one norm and a plain head, as GPT-2, Llama, Qwen "
    "and most are: choose another, such as smollm2"
)


def decoder_of(model: Any) -> Any:
    """What lies below the head: the row of blocks with its embeddings and its final norm."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    return model.base_model if decoder is model else decoder


def blocks_of(base: Any, name: str) -> Any:
    """The model's blocks: its one list of as many modules as the configuration tells of layers."""
    from torch.nn import ModuleList

    count = int(getattr(base.config, "num_hidden_layers", 0) or 0)
    lists = [
        child for child in base.children() if isinstance(child, ModuleList) and len(child) == count
    ]
    if count < 1 or len(lists) != 1:
        raise Unsupported(f"found no row of {count} blocks in {name}; {USUAL}")
    return lists[0]


def norm_of(base: Any) -> Any:
    """The norm behind the last block; None where none has a usual name."""
    return next((getattr(base, name) for name in NORMS if hasattr(base, name)), None)


def same(one: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> bool:
    """Whether two passes came to the same but for rounding."""
    return bool(np.allclose(one, expected, rtol=SAME, atol=SAME * np.abs(expected).max()))
