"""Compare: two spaces over the items that both hold, in one picture, and what moved between."""

import streamlit as st

from core.permalink import CompareView
from core.projection.base import PcaSpec, UmapSpec
from core.ui.compare.facts import drift_panel, moved_table, summary_row, take_away
from core.ui.compare.maps import compare_controls, maps, sheets_of
from core.ui.compare.pair import (
    choose_second,
    comparison_or_sketch,
    follow_comparison,
    follow_picture,
    paired,
    say_what_is_left_out,
)
from core.ui.compare.panel import chosen_in_both
from core.ui.compare.path import path_box, same_path
from core.ui.shared.faithfulness_line import truth_line
from core.ui.shared.jobs import space_or_wait
from core.ui.shared.picked_point import picked_point_panel, point_of, sheet_asked
from core.ui.shared.state import remember, view_of

view = view_of("compare", CompareView)
heading, second = st.columns([0.62, 0.38], vertical_alignment="bottom")
with heading:
    st.title("Two spaces, one picture")
    st.caption(
        "The same words in two models: which of them mean the same, which moved, and where to?"
    )
with second:
    view = choose_second(view)
remember("compare", view)
space = space_or_wait(view.a)
if view.a == view.b:
    st.info(
        f"Both are the same space, so nothing moves: the drift of all {len(space):,} items is 0. "
        "Choose another space to compare it with.",
        icon=":material/equal:",
    )
    st.stop()
other = space_or_wait(view.b)
comparison = comparison_or_sketch(view, space, other)
sketched = comparison.overlap is None
say_what_is_left_out(view, comparison.join)

picture, panel = st.columns([0.8, 0.2], gap="small")
with picture:
    stage, controls, line, progress = st.container(), st.container(), st.container(), st.container()
with controls:
    view = compare_controls(view, comparison)
spec = PcaSpec() if sketched or view.picture == "pca" else UmapSpec()
pair = paired(view, comparison, other, spec)
sheets = sheets_of(view, pair) if view.layout == "side" else []
sheet = sheet_asked(view.spot, sheets) if sheets else None
spot = None if sheet is None else point_of(view.spot, sheet, spec)
with stage:
    scene, lasso = maps(view, pair, sheets, spot, 0 if sheet is None else sheet.picture)
with line:
    truth_line(space, pair.shown.spec)
with panel:
    if spot is not None and sheet is not None:
        picked_point_panel(spot, sheet, "compare")
    else:
        chosen_in_both(view, pair)
if sketched:
    with progress:
        follow_comparison(view, comparison)
    st.stop()
summary_row(pair)
drift, table = st.columns([0.36, 0.64], gap="medium")
with drift:
    drift_panel(view, pair)
with table:
    moved_table(view, pair, lasso)
take_away(view, pair, scene)
view = path_box(view, pair)
same_path(view, pair)
with progress:
    follow_picture(view, pair, spec)
remember("compare", view)
