"""A teacher's WordPiece tokenizer, made small: its pieces, sorted, and its rules as JSON.

Left out are the pieces that no text can produce, so that any text is still read exactly as
the teacher reads it.
"""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import InvalidSpecification, InvalidStudent, reason_of

UNUSED = re.compile(r"\[unused\d+\]")
LONGEST = 512  # tokens, where the teacher's folder names no limit
UNLIMITED = 1_000_000  # a tokenizer's way to say that it knows no limit
# The scripts that BERT's normaliser puts spaces around: a piece never continues with one.
CHINESE = re.compile(r"##[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\U00020000-\U0002ebef].*", re.S)


class WordPiece:
    """A tokenizer: ``pieces`` in the order of their ids, ``rules`` as tokenizer.json says them."""

    def __init__(self, pieces: Sequence[str], rules: dict[str, Any], longest: int) -> None:
        self.pieces = tuple(pieces)
        self.rules = rules
        self.longest = longest  # tokens of a text that are read, those that frame it included

    def whole_texts(self) -> Any:
        """A new tokenizer of the tokenizers library, which cuts nothing off and pads nothing.

        Raises InvalidStudent for rules that are none.
        """
        from tokenizers import Tokenizer

        ids = {piece: row for row, piece in enumerate(self.pieces)}
        model = {**self.rules["model"], "vocab": ids}
        try:
            return Tokenizer.from_str(json.dumps({**self.rules, "model": model}))
        except Exception as fault:  # the library raises nothing narrower
            raise InvalidStudent(
                f"found rules that make no tokenizer ({reason_of(fault, 120)}); "
                "expected those of a WordPiece one: copy the student again"
            ) from None

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = self.whole_texts()
        tokenizer.enable_truncation(self.longest)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The ids that stand before and behind every text: BERT's [CLS] and [SEP]."""
        ids = list(self._tokenizer.encode("").ids)
        return ids[: len(ids) // 2], ids[len(ids) // 2 :]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, cut at ``longest``; never none, as there would be nothing to pool."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates
        return [found.ids or [0] for found in self._tokenizer.encode_batch(clean)]


def read_pieces(folder: Path) -> tuple[WordPiece, list[int]]:
    """The tokenizer of the teacher in a folder, and the teacher's ids of the pieces kept.

    Raises InvalidSpecification when there is no WordPiece tokenizer in the folder.
    """
    path = folder / "tokenizer.json"
    rules = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    model = rules.get("model", {})
    if model.get("type") != "WordPiece":
        raise InvalidSpecification(
            f"found the tokenizer {model.get('type', 'none')} in {folder.name}; expected "
            "WordPiece in tokenizer.json: choose a BERT teacher, or the speller"
        )
    theirs: dict[str, int] = model["vocab"]
    chinese = bool((rules.get("normalizer") or {}).get("handle_chinese_chars"))
    kept = sorted(it for it in theirs if _reachable(it, chinese))
    moved = {theirs[piece]: row for row, piece in enumerate(kept)}
    rules |= {"truncation": None, "padding": None, "model": {**model, "vocab": {}}}
    rules["added_tokens"] = [{**token, "id": moved[token["id"]]} for token in rules["added_tokens"]]
    rules["post_processor"] = _moved(rules.get("post_processor"), moved)
    return WordPiece(kept, rules, _longest(folder)), [theirs[piece] for piece in kept]


def _reachable(piece: str, chinese: bool) -> bool:
    return not (UNUSED.fullmatch(piece) or (chinese and CHINESE.fullmatch(piece)))


def _moved(processor: Any, moved: dict[int, int]) -> Any:
    """The post processor with new ids: {"ids": [101]} of a template, ["[CLS]", 101] of BERT's."""
    if not processor:
        return processor
    changed = dict(processor)
    if isinstance(changed.get("special_tokens"), dict):
        changed["special_tokens"] = {
            name: {**token, "ids": [moved[it] for it in token["ids"]]}
            for name, token in changed["special_tokens"].items()
        }
    for name in ("cls", "sep"):
        if name in changed:
            changed[name] = [changed[name][0], moved[changed[name][1]]]
    return changed


def _longest(folder: Path) -> int:
    """Tokens of a text that the teacher reads: as its folder says, at most 512."""

    def said(name: str, key: str) -> int:
        path = folder / name
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return int(found.get(key) or 0)

    if asked := said("sentence_bert_config.json", "max_seq_length"):
        return asked
    positions = said("config.json", "max_position_embeddings") or LONGEST
    limit = said("tokenizer_config.json", "model_max_length")
    return min(limit if 0 < limit < UNLIMITED else positions, positions, LONGEST)
