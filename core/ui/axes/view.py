"""The axes page's parts: the lists of words, the scatter, and its residual."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.axes import AxisName, axes_figure, axes_labels
from core.figures.scene import Items, Picture, Scene
from core.paths.axes import Axis, Scatter, scatter
from core.permalink import AxesView, TrajectoriesView, encode
from core.pipeline import axis
from core.projection.base import PcaSpec
from core.spaces.space import Space
from core.teachers.causal import depth_of
from core.teachers.registry import LAYER
from core.types import Rows
from core.ui.shared.colouring import details, layer, offered
from core.ui.shared.downloads import safe_csv
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget, workspace
from core.ui.stage import mount, tokens

EXAMPLE = AxesView(
    x_from=("small", "tiny"),
    x_to=("large", "huge"),
    y_from=("dangerous", "deadly"),
    y_to=("safe", "harmless"),
    highlight=("mouse", "elephant", "whale", "shark", "kitten", "tiger", "bomb", "pillow"),
)


def axes_controls(view: AxesView) -> AxesView:
    """Five boxes of words; the view as the person has set it."""
    if not any((view.x_from, view.x_to, view.y_from, view.y_to)):
        view = replace(EXAMPLE, teacher=view.teacher)
    across, up, shown = st.columns(3, gap="medium")
    with across:
        x_from, x_to = _pair("Across, from", "to", view.x_from, view.x_to, "x")
    with up:
        y_from, y_to = _pair("Up, from", "to", view.y_from, view.y_to, "y")
    with shown:
        highlight = _words("Point out", view.highlight, "highlight")
    return replace(view, x_from=x_from, x_to=x_to, y_from=y_from, y_to=y_to, highlight=highlight)


def _pair(
    low: str, high: str, first: tuple[str, ...], second: tuple[str, ...], key: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    left, right = st.columns(2, gap="small")
    with left:
        low_words = _words(low, first, f"{key} from")
    with right:
        high_words = _words(high, second, f"{key} to")
    return low_words, high_words


def _words(label: str, words: tuple[str, ...], key: str) -> tuple[str, ...]:
    typed = st.text_input(
        label,
        ", ".join(words),
        key=widget("axes", key),
        placeholder="words, with commas between",
        max_chars=2000,
    )
    return tuple(dict.fromkeys(filter(None, (word.strip() for word in typed.split(",")))))


def draw_axes(view: AxesView, space: Space) -> None:
    """The scatter of all items, or what is missing for it."""
    try:
        x = axis(workspace(), view.teacher, view.x_from, view.x_to)
        y = axis(workspace(), view.teacher, view.y_from, view.y_to)
        scattered = scatter(space, x, y)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/straighten:")
        return
    rows = _rows(space, view)
    _scene(view, space, scattered, rows)
    right = abs(90 - scattered.angle)
    st.caption(
        f"These two axes show {1 - scattered.unshown:.1%} of how the {len(space):,} items differ; "
        f"{scattered.unshown:.1%} is in the other {space.dim - 2:,} dimensions. "
        f"The axes stand at {scattered.angle:.0f}° to each other"
        + (", though they are drawn at right angles." if right > 3 else ".")
        + " On each, −1 is the mean of the first list and +1 the mean of the second."
    )
    _steer_link(view)
    _table(space, scattered, rows, x, y)


def _steer_link(view: AxesView) -> None:
    """A layer of a model that writes can be pushed along the first axis; one behind the final norm
    cannot."""
    layer = LAYER.fullmatch(view.teacher)
    if layer is None or int(layer[2]) == depth_of(layer[1]):
        return
    steered = TrajectoriesView(
        model=layer[1],
        show="steer",
        layer=int(layer[2]),
        made="axis",
        plus=view.x_to,
        minus=view.x_from,
    )
    st.page_link(
        "pages/trajectories.py",
        label="Steer along the axis across",
        icon=":material/swap_horiz:",
        help="Let the model write while its states are pushed along this direction.",
        query_params=encode(steered),
    )


def _rows(space: Space, view: AxesView) -> Rows:
    """The highlighted items; what is not in the space is said."""
    rows, missing = [], []
    for text in view.highlight:
        row = space.find(text)
        if row is None:
            missing.append(text)
        else:
            rows.append(row)
    if missing:
        st.caption("Not items of this space: " + plain(", ".join(missing), 300))
    return np.array(sorted(set(rows)), dtype=np.int64)


def _scene(view: AxesView, space: Space, scatter: Scatter, rows: Rows) -> None:
    colours = layer(offered(space)[0], space, PcaSpec())
    x = AxisName(", ".join(view.x_from)[:40], ", ".join(view.x_to)[:40])
    y = AxisName(", ".join(view.y_from)[:40], ", ".join(view.y_to)[:40])
    revision = f"{space.digest} {view.x_from}{view.x_to}{view.y_from}{view.y_to}"
    scene = Scene(
        name="axes",
        pictures=[
            Picture(
                axes_figure(scatter.coords, x, y, colours, rows, tokens(), revision),
                title="Scores on both axes, exact and linear",
                tag="measured",
                alt=f"Scatter of {len(space):,} items: across {x.title()}, up {y.title()}.",
                height=600,
                labels=axes_labels(space.texts, scatter.coords, rows),
                space=f"{space.digest} axes",
            )
        ],
        items=Items(space.texts, details(space)),
        legend=None if colours is None else colours.legend,
        search="Find on these axes",
    )
    mount(scene, "axes stage", _point_out)


def _point_out() -> None:
    picked = st.session_state["axes stage"]["chosen"]
    seen = st.session_state.get("axes view")
    if not picked or not isinstance(seen, AxesView):
        return
    text = picked.get("text")
    if "row" in picked:
        space = workspace().space(seen.teacher)
        text = space.address(min(max(int(picked["row"]), 0), len(space) - 1))
    words = [word.strip() for word in st.session_state[widget("axes", "highlight")].split(",")]
    if text and "," not in text:
        st.session_state[widget("axes", "highlight")] = ", ".join(
            dict.fromkeys(filter(None, [*words, str(text)]))
        )


def _table(space: Space, scatter: Scatter, rows: Rows, x: Axis, y: Axis) -> None:
    """Scores of the highlighted items, and the ends of both axes, to take away."""
    ends = [np.argsort(scatter.coords[:, axis])[[0, 1, 2, -3, -2, -1]] for axis in (0, 1)]
    chosen = list(dict.fromkeys([*rows.tolist(), *np.concatenate(ends).tolist()]))
    table = pd.DataFrame(
        {
            **({} if space.ids == space.texts else {"id": [space.ids[row] for row in chosen]}),
            "text": [space.texts[row] for row in chosen],
            f"{x.start[0]} to {x.end[0]}": scatter.coords[chosen, 0],
            f"{y.start[0]} to {y.end[0]}": scatter.coords[chosen, 1],
            "distance from this plane": scatter.residual[chosen],
        }
    )
    with st.expander("Scores in figures"):
        st.caption("The words pointed out, then the three furthest out at each end of each axis.")
        st.dataframe(table, hide_index=True)
        st.download_button("Save as CSV", safe_csv(table), "axes.csv", "text/csv")
