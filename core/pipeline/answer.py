"""The project's question, "can it be smaller?", and its answer as it was measured.

assets/answer.json holds it, written by benchmarks/students.py from its results:

    {"question": "Can it be smaller?",
     "sentence": "one sentence, with the figures in it",
     "points": [{"heading": "For which uses", "text": "..."}, ...],
     "table": [{"teacher": "minilm:tokens", "error": 0.1, "MB": 2.1, ...}, ...],
     "measured": "on which machine, when, from which file"}
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.resources import site_root

FILE = "answer.json"


@dataclass(frozen=True)
class Answered:
    """``points`` are (heading, text); ``table`` one row a dictionary; ``measured`` how it was."""

    question: str
    sentence: str
    points: tuple[tuple[str, str], ...]
    table: tuple[dict[str, Any], ...]
    measured: str


def answered(file: Path | None = None) -> Answered | None:
    """The answer; None where the file is absent or not what it should be."""
    try:
        said = json.loads((file or site_root() / "assets" / FILE).read_text(encoding="utf-8"))
        return Answered(
            str(said["question"]),
            str(said["sentence"]),
            tuple((str(it["heading"]), str(it["text"])) for it in said.get("points", [])),
            tuple(dict(row) for row in said.get("table", [])),
            str(said.get("measured", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
