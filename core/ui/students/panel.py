"""Beside the curve: what the chosen student weighs, how true it is, and what that means."""

from collections.abc import Mapping, Sequence

import streamlit as st

from core.figures.students.pareto import amount
from core.pipeline import ParetoPoint, StudentCard
from core.spaces.space import Space
from core.students.registry import family
from core.ui.shared.bars import Bar, bars
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace
from core.ui.students.curve import limit_at
from core.ui.students.wording import PARTS, best_rival, number, per_item, small, verdict


def nothing_yet() -> None:
    """The panel of a teacher without students."""
    st.markdown("##### No student yet")
    st.caption(
        "Choose a kind and a size under the picture, and train one: it takes seconds to "
        "minutes. It will stand on the curve as an amber dot."
    )


def student_panel(card: StudentCard, space: Space, points: Sequence[ParetoPoint]) -> None:
    """Size, fidelity, where the bytes go, and the verdict."""
    report = card.report
    st.subheader(plain(family(card.family).title, 60), anchor=False)
    origin = "shipped" if card.shipped else "trained here"
    st.caption(f"{amount(card.bytes_total)} in all, {per_item(card.bytes_per_item)} · {origin}")
    if not report:
        st.caption("It has not been measured yet.")
        return
    bars(_figures(report), "How true it is", "student figures")
    rival = best_rival(points, card.bytes_per_item)
    error = number(report, "relative_error")
    limit = None if error is None else limit_at(space, error)
    for sentence in verdict(report, len(space), space.dim, rival, limit):
        st.caption(plain(sentence))
    parts = report.get("parts", {})
    if parts:
        st.caption("**Where the bytes go**")
        bars(_parts(parts), "Where the bytes go", "student parts")


def student_menu(card: StudentCard) -> None:
    """Where to go with this student: it is a space like any other."""
    if st.button(
        "See its own map", key="student map", type="tertiary", icon=":material/bubble_chart:"
    ):
        _go("map", {"teacher": f"student:{card.key}"})
    if st.button(
        "Lay it beside its teacher",
        key="student compare",
        type="tertiary",
        icon=":material/compare_arrows:",
    ):
        _go("compare", {"a": card.teacher, "b": f"student:{card.key}"})
    if not card.shipped:
        with st.popover("Delete", type="tertiary", icon=":material/delete:"):
            st.caption(f"{plain(card.title)} will be gone for good.")
            if st.button("Delete this student", key=f"delete {card.key}"):
                workspace().catalogue.remove(card.key)
                st.rerun()


def _go(page: str, link: dict[str, str]) -> None:
    if "teacher" in link:
        st.session_state["teacher"] = link["teacher"]
    st.switch_page(f"pages/{page}.py", query_params=link)


def _figures(report: Mapping[str, object]) -> list[Bar]:
    """The three measures as bars; a longer bar is truer."""
    found = []
    error = number(report, "relative_error")
    if error is not None:
        found.append(Bar("error", small(error), max(0.0, 1 - error)))
    cosine = number(report, "cosine")
    if cosine is not None:
        found.append(Bar("cosine", f"{cosine:.3f}", cosine))
    recall = number(report, "recall", "10")
    if recall is not None:
        found.append(Bar("neighbours", f"{10 * recall:.1f} of 10", recall))
    unseen = number(report, "held_out", "cosine")
    if unseen is not None:
        found.append(Bar("unseen, cosine", f"{unseen:.2f}", unseen))
    return found


def _parts(parts: Mapping[str, int]) -> list[Bar]:
    whole = sum(parts.values()) or 1
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return [
        Bar(PARTS.get(name, name), amount(size), size / whole) for name, size in ordered if size
    ]
