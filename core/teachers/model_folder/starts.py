"""What a decoder is given before a text, so that no word stands where its texts begin.

The state of the first token is an outlier whatever the token (Xiao and others 2023, "attention
sinks"): SmolLM2's means over single words have a mean cosine of .96 with it, and of .78 without.
So a start stands there, whose place is left out, and a word has its blank in front where the
tokenizer tells "dog" within a text by that.
"""

from typing import Any, NamedTuple

from core.models.prompt import framed

SEPARATOR = "<|endoftext|>"  # what stands between texts in training, where a tokenizer has one
PROBE = "the"  # a word that every tokenizer knows, or cuts without harm


class Start(NamedTuple):
    """``ids`` to put before a text's, the text with ``blank`` in front; the first ``lead`` tokens
    of the whole are no text."""

    ids: list[int]
    blank: str
    lead: int


def start_of(tokenizer: Any, rows: int) -> Start:
    """The tokenizer's own start where it puts one, else a separator, a start or an end of texts
    that is one of the model's ``rows``, else a blank."""
    plain, spaced = (framed(tokenizer, text) for text in (PROBE, f" {PROBE}"))
    blank = " " if len(spaced.own) == len(plain.own) and spaced.own != plain.own else ""
    if plain.lead:
        return Start([], blank, len(plain.lead))
    ids = _opening(tokenizer, rows)
    return Start(ids, blank, len(ids))


def _opening(tokenizer: Any, rows: int) -> list[int]:
    said = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id]
    if SEPARATOR in tokenizer.all_special_tokens:
        said.insert(0, tokenizer.convert_tokens_to_ids(SEPARATOR))
    known = ([int(token)] for token in said if token is not None and int(token) < rows)
    return next(known, framed(tokenizer, " ").own[:1] or [0])
