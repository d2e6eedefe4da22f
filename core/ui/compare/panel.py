"""What is chosen in both spaces: how far it moved, its neighbours kept, lost and gained."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.figures.compare import Side
from core.permalink import CompareView
from core.pipeline.compare.comparison import NEAR, compare, has_comparison, sketch
from core.pipeline.compare.joint_picture import drawn_rows
from core.spaces.neighbors import nearest
from core.types import Rows
from core.ui.compare.pair import ComparedPair, categories
from core.ui.compare.wording import drift_in_words, tendency
from core.ui.shared.markdown import plain
from core.ui.shared.state import remember, workspace
from core.ui.stage import neighbor_list


def neighbors_in(pair: ComparedPair, side: Side, row: int) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Rows and cosines of an item's ten nearest shared items in one of the spaces."""
    space = pair.comparison.a if side == "a" else pair.theirs
    rows, cosines = nearest(space.unit, space.vectors[[row]], NEAR, [row])
    return rows[0].astype(np.int64), cosines[0]


def chosen_in_both(view: CompareView, pair: ComparedPair) -> None:
    """What is chosen: how far it moved, and its neighbours kept, lost and gained."""
    comparison = pair.comparison
    if not view.item:
        st.markdown("##### Nothing chosen yet")
        st.caption(
            "Point at a word in one map, and it is ringed in the other. Click it to see which "
            "neighbours it keeps, loses and gains. A lasso holds in both maps. Click where no word "
            "is, or anywhere with Alt held, to read what lies there."
        )
        return
    row = comparison.a.find(view.item)
    if row is None:
        st.markdown("##### Not in both")
        st.caption(f"“{plain(view.item, 60)}” is not among the items that both spaces hold.")
        return
    st.subheader(plain(comparison.a.texts[row], 60), anchor=False)
    if comparison.a.ids[row] != comparison.a.texts[row]:
        st.caption(plain(f"id {comparison.a.ids[row]}", 60))
    drift = float(comparison.drift[row])
    null = comparison.null_drift
    chance = None if null is None or not null.any() else float(np.percentile(null, 95))
    st.caption(drift_in_words(drift, float(np.mean(comparison.drift < drift)), chance))
    (rows_a, cosines_a), (rows_b, cosines_b) = (neighbors_in(pair, it, row) for it in ("a", "b"))
    here, there = (
        dict(zip(rows.tolist(), cosines.tolist(), strict=True))
        for rows, cosines in ((rows_a, cosines_a), (rows_b, cosines_b))
    )
    texts = comparison.a.texts
    kept = {it: there[it] for it in here if it in there}
    lost = {it: cosine for it, cosine in here.items() if it not in there}
    gained = {it: cosine for it, cosine in there.items() if it not in here}
    named = [[texts[it] for it in found] for found in (lost, gained)]
    trend = tendency(texts[row], named[0], named[1], categories(pair))
    if trend:
        st.caption(f"It moved {plain(trend)}.")
    for name, found, where in (
        ("Kept", kept, "both have it among the ten nearest; cosine in the second"),
        ("Lost", lost, f"near in {pair.names[0]} only"),
        ("Gained", gained, f"near in {pair.names[1]} only"),
    ):
        if found:
            st.caption(f"**{name}**, {len(found)} of {len(here)}", help=plain(where))
            _list(pair, found, f"{name} neighbours", f"compare {name.lower()}")


def _list(pair: ComparedPair, found: dict[int, float], label: str, key: str) -> None:
    address = pair.comparison.a.address  # of equal texts each is told by its id
    rows: Sequence[tuple[str, float, int]] = [
        (address(row), cosine, row) for row, cosine in found.items()
    ]
    neighbor_list(rows, label, key, choose_from(key, among_drawn=False))


def choose_from(key: str, among_drawn: bool = True) -> Callable[[], None]:
    """What a click or a search there does: the item becomes the chosen one."""

    def choose() -> None:
        picked = st.session_state[key]["chosen"]
        seen = st.session_state.get("compare view")
        if not picked or not isinstance(seen, CompareView):
            return
        if "row" in picked:
            known = has_comparison(workspace(), seen.a, seen.b)
            comparison = (compare if known else sketch)(workspace(), seen.a, seen.b)
            rows = drawn_rows(comparison) if among_drawn else np.arange(comparison.shared)
            row = int(np.clip(int(picked["row"]), 0, len(rows) - 1))
            text = comparison.a.address(int(rows[row]))
        else:
            text = str(picked["text"])[:2000]
        remember("compare", replace(seen, item=text, spot=""))

    return choose
