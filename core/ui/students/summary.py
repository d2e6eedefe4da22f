"""To take away: the curve and the report as files; and the project's own question, answered."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.pipeline import ParetoPoint, StudentCard
from core.resources import site_root
from core.ui.shared.downloads import safe_csv
from core.ui.shared.markdown import plain

FILE = "answer.json"


@dataclass(frozen=True)
class Answered:
    """``points`` are (heading, text); ``table`` one row a dictionary; ``measured`` how it was."""

    question: str
    sentence: str
    points: tuple[tuple[str, str], ...]
    table: tuple[dict[str, Any], ...]
    measured: str


def take_away(teacher: str, points: Sequence[ParetoPoint], card: StudentCard | None) -> None:
    """Three files: the curve twice, the chosen student's report once."""
    table = pd.DataFrame([asdict(point) for point in points])
    name = teacher.replace(":", "-").replace("/", "-")[-40:]
    curve, lines, report = st.columns(3)
    if len(table):
        curve.download_button(
            "Curve as CSV", safe_csv(table), f"curve-{name}.csv", "text/csv", width="stretch"
        )
        lines.download_button(
            "Curve as JSON",
            json.dumps(json.loads(table.to_json(orient="records")), indent=1),
            f"curve-{name}.json",
            "application/json",
            width="stretch",
        )
    if card is not None and card.report:
        report.download_button(
            "Report of this student",
            json.dumps(card.report, indent=1, ensure_ascii=False),
            f"{card.key}.json",
            "application/json",
            width="stretch",
        )


def can_it_be_smaller() -> None:
    """The question that the project grew from, with figures; nothing where they are not there."""
    found = answered()
    if found is None:
        return
    with st.expander(plain(found.question), expanded=False):
        _answer(found)


def _answer(answered: Answered) -> None:
    st.markdown(f"**{plain(answered.sentence, 2000)}**")
    for heading, text in answered.points:
        st.markdown(f"**{plain(heading, 200)}.** {plain(text, 2000)}")
    if answered.table:
        st.dataframe(pd.DataFrame(answered.table), hide_index=True, width="stretch")
    if answered.measured:
        st.caption(plain(answered.measured, 600))


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
