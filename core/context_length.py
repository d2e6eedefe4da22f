"""How many tokens a transformer reads at once: one rule for everything that feeds one."""

from typing import Any

UNLIMITED = 1_000_000  # tokens; from here on a limit means that there is none
PLACES = ("position_embeddings", "position_embedding", "wpe")  # usual names of a learnt table


def context_length(model: Any, tokenizer: Any) -> int:
    """The tokens of a text that a model has places for, special ones counted; UNLIMITED for none.

    The smallest of what the tokenizer and the configuration say and what a learnt table of places
    holds. RoBERTa's kin count their places from the padding's on, so that they read fewer than
    their configuration says; XLNet says -1 for no limit, other models nothing.
    """
    config = model.config
    if hasattr(config, "get_text_config"):  # of a model that reads more than texts
        config = config.get_text_config()
    limits = [
        _limit(getattr(tokenizer, "model_max_length", None)),
        _limit(getattr(config, "max_position_embeddings", None)),
    ]
    for name, module in model.named_modules():
        rows = getattr(module, "num_embeddings", None)
        if rows is not None and name.endswith(PLACES) and "vision" not in name:
            padding = getattr(module, "padding_idx", None)
            limits.append(int(rows) if padding is None else int(rows) - padding - 1)
    return min(limits)


def _limit(said: Any) -> int:
    """
    >>> _limit(512), _limit(-1), _limit(None), _limit(1e30)
    (512, 1000000, 1000000, 1000000)
    """
    number = isinstance(said, int | float) and not isinstance(said, bool)
    return min(int(said), UNLIMITED) if number and said >= 1 else UNLIMITED
