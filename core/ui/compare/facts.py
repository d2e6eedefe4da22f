"""The compare page's figures: the summary, the drift beside its null, what moved, what to save."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.figures.compare import SEEN, any_moved, drift_histogram
from core.figures.scene import Label, Picture, Scene
from core.permalink import CompareView
from core.pipeline.compare.comparison import NEAR
from core.types import Rows
from core.ui.compare.pair import ComparedPair, categories, second_seed
from core.ui.compare.panel import choose_from
from core.ui.compare.wording import TOO_FEW, figures, forgiving, in_words, kept_of_ten, tendency
from core.ui.shared.downloads import as_page, safe_csv, save_button
from core.ui.shared.faithfulness_line import noun
from core.ui.shared.markdown import plain
from core.ui.shared.state import workspace
from core.ui.stage import component, dark, mount, tokens

LISTED = 60
SHOWN = 5  # neighbours of a line of the table
COLUMNS = ("text", "moved by", "kept of 10", "lost", "gained", "trend")


def summary_row(pair: ComparedPair) -> None:
    """Five figures, each with its plain meaning, and the warning that belongs to them."""
    comparison = pair.comparison
    said = figures(comparison.summary, comparison.shared, comparison.join.left_out)
    for column, figure in zip(st.columns(len(said)), said, strict=True):
        with column:
            st.metric(figure.name, figure.value, help=figure.meaning)
            st.caption(figure.short)
    widths = (comparison.a.dim, pair.theirs.dim)
    padding = (
        f" They have {widths[0]} and {widths[1]} dimensions: the shorter vectors get zeros at "
        "their end before one space is laid on the other."
        if widths[0] != widths[1]
        else ""
    )
    st.caption(forgiving(comparison.summary) + padding)


def drift_panel(view: CompareView, pair: ComparedPair) -> None:
    """The drift of all items, in the map's colours, beside what chance alone does."""
    comparison = pair.comparison
    null = comparison.null_drift if _says_something(comparison.null_drift) else None
    row = comparison.a.find(view.item) if view.item else None
    mark = None if row is None else float(comparison.drift[row])
    figure = drift_histogram(comparison.drift, null, dark(), tokens(), pair.digest, mark)
    labels = (
        [] if mark is None or row is None else [_at_mark(comparison.a.texts[row], mark, figure)]
    )
    median = float(np.median(comparison.drift))
    scene = Scene(
        name="compare drift",
        pictures=[
            Picture(
                figure,
                title=f"How far the {noun(comparison.a)}s moved",
                tag="measured",
                alt=f"Histogram of the drift of {comparison.shared:,} items; median {median:.2f}.",
                height=268,
                labels=labels,
                hint="1 − cosine between an item's two vectors, once the second space is laid on "
                "the first and the first one's mean is taken from both. 0 is not moved, 1 is at "
                "right angles.",
            )
        ],
        legend=_legend(null is not None),
    )
    mount(scene, "compare drift")
    if null is None:
        note = comparison.null_note
        st.caption(f"No outline of chance: {plain(note)}." if note else "No outline of chance.")
        if comparison.null_drift is None:
            second_seed(view)
        return
    beyond = float(np.mean(comparison.drift > np.percentile(null, 95)))
    st.caption(
        f"Median {median:.2f}. Chance: {plain(comparison.null_note)}, median "
        f"{float(np.median(null)):.2f}. Of the items, {beyond:.0%} moved further than 95% do there."
    )


def _says_something(null: Any) -> bool:
    """A null of zeros is a student that no seed changes: that is said, not drawn."""
    return null is not None and bool(null.any())


def _at_mark(text: str, mark: float, figure: Any) -> Label:
    top = float(figure.layout.yaxis.range[1])
    return Label(text[:24], mark, top * 0.95, "chosen", 13, above=True)


def _legend(null: bool) -> dict[str, Any] | None:
    if not null:
        return None
    entries = [{"label": "the same student, another seed: chance alone", "color": tokens().second}]
    return {"title": "", "entries": entries}


def moved_table(view: CompareView, pair: ComparedPair, lasso: Rows) -> None:
    """What moved most, of all items or of those in the lasso, with what that means in words.

    A line that is clicked becomes the chosen item.
    """
    comparison = pair.comparison
    if len(lasso):
        order = lasso[np.argsort(-comparison.drift[lasso], kind="stable")]
        st.markdown(f"##### Moved most, of the {len(lasso):,} in the lasso")
    else:
        order = np.argsort(-comparison.drift, kind="stable")
        st.markdown("##### What moved most, and what that means in words")
    if not any_moved(comparison.drift):
        st.caption(
            f"Nothing moved: no {noun(comparison.a)} by as much as {SEEN}, so there is no order to "
            "show. Both spaces are the same, up to a turn of the whole."
        )
        return
    _listed(view, pair, drift_table(pair, order[:LISTED]), order[:LISTED])


def _listed(view: CompareView, pair: ComparedPair, table: pd.DataFrame, rows: Rows) -> None:
    comparison = pair.comparison
    furthest = max(1.0, float(comparison.drift.max(initial=0)))
    shown = [
        {
            "row": int(row),
            "text": text[:80],
            "moved": f"{moved:.2f}",
            "share": moved / furthest,
            "kept": str(kept),
            "lost": lost[:SHOWN],
            "gained": gained[:SHOWN],
            "trend": trend,
        }
        for row, text, moved, kept, lost, gained, trend in zip(
            rows.tolist(), *(table[name].tolist() for name in COLUMNS), strict=True
        )
    ]
    chosen = comparison.a.find(view.item) if view.item else None
    component("meaning_space_moves", "moves.js", "moves.css")(
        data={
            "rows": shown,
            "chosen": chosen,
            "label": "What moved, furthest first",
            "tokens": tokens().css(),
        },
        key="compare moves",
        on_chosen_change=choose_from("compare moves", among_drawn=False),
    )


def drift_table(pair: ComparedPair, rows: Rows) -> pd.DataFrame:
    """One line for each of these shared items."""
    comparison = pair.comparison
    texts = comparison.a.texts
    before, after = (workspace().graph(space).indices for space in (comparison.a, pair.theirs))
    category_of = categories(pair)
    kept, lost, gained, trends, words = [], [], [], [], []
    for row in rows.tolist():
        then, now = before[row, :NEAR].tolist(), after[row, :NEAR].tolist()
        lost.append([texts[it] for it in then if it not in now])
        gained.append([texts[it] for it in now if it not in then])
        kept.append(len(then) - len(lost[-1]))
        trends.append(tendency(texts[row], lost[-1], gained[-1], category_of))
        words.append(in_words(texts[row], lost[-1], gained[-1], category_of))
    table = pd.DataFrame(
        {
            "id": [comparison.a.ids[row] for row in rows],
            "text": [texts[row] for row in rows],
            "moved by": comparison.drift[rows].astype(float).round(4),
            "kept of 10": kept,
            "lost": lost,
            "gained": gained,
            "trend": trends,
            "in words": words,
        }
    )
    if _says_something(comparison.null_drift):
        table["chance"] = comparison.null_drift[rows].astype(float).round(4)  # type: ignore[index]
    return table


def take_away(view: CompareView, pair: ComparedPair, scene: Scene) -> None:
    """The whole table and the maps, to keep."""
    comparison = pair.comparison
    csv, page, _ = st.columns([1.1, 1.3, 2.6])
    with csv:
        save_button(
            "Save the drift table",
            lambda: safe_csv(
                _flat(drift_table(pair, np.argsort(-comparison.drift, kind="stable")))
            ),
            "drift.csv",
            help_text=f"CSV, one row for each of the {comparison.shared:,} shared items",
        )
    with page:
        save_button(
            "Save the maps as a page",
            lambda: _page(view, pair, scene),
            "compared.html",
            help_text="One HTML file that works offline: pointing, zooming and the morph. "
            "For a PNG use the camera in a picture's corner.",
        )


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """The table with lists of words as one text each."""
    joined = {name: table[name].map("; ".join) for name in ("lost", "gained")}
    return table.assign(**joined)


def _page(view: CompareView, pair: ComparedPair, scene: Scene) -> bytes:
    comparison = pair.comparison
    caption = (
        f"{pair.names[0]} ({view.a}) and {pair.names[1]} ({view.b}): {comparison.shared:,} shared "
        f"items, the second laid on the first by Procrustes and placed in its picture; mean drift "
        f"{comparison.summary['drift_mean']:.3f}, neighbours kept "
        f"{kept_of_ten(comparison.summary) or TOO_FEW}. Made with Meaning Space."
    )
    return as_page(scene, f"{pair.names[0]} and {pair.names[1]}", caption)
