"""Where a student errs: the items it reproduces worst, and the slices in which it is weak."""

from collections.abc import Mapping
from itertools import groupby, islice
from typing import Any

import streamlit as st

from core.permalink import MapView, encode
from core.pipeline import StudentCard
from core.ui.shared.bars import Bar, bars
from core.ui.shared.colouring import in_words
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace
from core.ui.students.wording import SLICES, number

WORST = 14
NAMED = 4
MOST_SLICES = 8  # of one kind, the largest


def errors(card: StudentCard) -> None:
    """Two columns: single items, and slices; nothing for a student that was not measured."""
    worst = card.report.get("worst", [])
    slices = card.report.get("slices", [])
    if not worst and not slices:
        return
    st.subheader("Where it errs", anchor=False)
    items, parts = st.columns([0.5, 0.5], gap="large")
    with items:
        st.caption(
            "**Reproduced worst**, by cosine to the teacher without the mean. Click one to see "
            "it on the teacher's map."
        )
        bars([_item(entry) for entry in worst[:WORST]], "Worst items", "student worst", _picked)
        _follow_pick(card)
    with parts:
        st.caption(
            "**Neighbours kept, by kind of item.** The mark is the mean of all.",
            help="Of an item's 10 nearest in the teacher's space, the share that are among its "
            "10 nearest in the student's.",
        )
        whole = number(card.report, "recall", "10")
        for by, group in groupby(slices, key=lambda entry: entry.get("by", "")):
            drawn = [_slice(entry, whole) for entry in islice(group, MOST_SLICES)]
            if len(drawn) > 1:
                st.caption(f"*{SLICES.get(by, plain(by))}*")
                bars(drawn, SLICES.get(by, by), f"student slices {by}")


def _item(entry: Mapping[str, Any]) -> Bar:
    lost, gained = entry.get("lost", []), entry.get("gained", [])
    change = " → ".join(", ".join(names[:NAMED]) for names in (lost, gained) if names)
    cosine = float(entry.get("cosine_centred", entry.get("cosine", 0)))
    row = int(entry["row"])
    return Bar(str(entry["text"]), f"{cosine:.2f}", max(0.0, cosine), change, key=row)


def _slice(entry: Mapping[str, Any], whole: float | None) -> Bar:
    kept = entry.get("recall10")
    value = float(entry["cosine_centred"]) if kept is None else float(kept)
    shown = f"cosine {value:.2f}" if kept is None else f"{10 * value:.1f} of 10"
    value_named = str(entry["value"])
    if entry.get("by") == "category":
        value_named = in_words(value_named)
    name = f"{value_named} · {int(entry['items']):,}"
    return Bar(name, shown, value, mark=whole if kept is not None else None)


def _picked() -> None:
    """The click is followed in the run after this callback: only there may the page change."""
    picked = st.session_state["student worst"]["chosen"]
    if picked:
        st.session_state["student worst row"] = int(picked["row"])


def _follow_pick(card: StudentCard) -> None:
    row = st.session_state.pop("student worst row", None)
    if row is None:
        return
    space = workspace().space(card.teacher)
    if 0 <= row < len(space):
        target = MapView(teacher=card.teacher, selected=space.address(row))
        st.switch_page("pages/map.py", query_params=encode(target))
