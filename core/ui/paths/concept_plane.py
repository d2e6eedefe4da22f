"""The map between three concepts: the controls, the map as it grows, and what can be taken away."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.paths.concept_plane import CellGrid, filled, island_labels, islands_figure
from core.figures.scene import Items, Picture, Scene
from core.permalink import PathView
from core.pipeline.paths.concept_plane import (
    Islands,
    islands_key,
    require_three,
    stored_islands,
    stored_stride,
)
from core.ui.paths.layer_choice import layer_slider, measure_layers, naming, pieces_said
from core.ui.shared.downloads import as_page, file_name, safe_csv, save_button
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget, workspace
from core.ui.stage import dark, mount, tokens

THREE = ("cat", "dog", "piano")
GRIDS = (13, 21, 31, 41)
UNIT = "length"
HELP = """
- The picture is an exact flat cut through the model's layer: it holds the states of all three
  concepts. Distances in it are true; one **length** is how long those states are in the mean.
- The **colour** is the word that the model says at that place, more opaque where it is surer.
- An **echo** is a word of the question itself: the model's way of having nothing to say.
"""


def islands_view(view: PathView) -> PathView:
    """The whole view; the view state as the person has changed it."""
    try:
        view, layer = _controls(view)
        three = view.corners or THREE
        require_three(three, view.grid)
        key = islands_key(view.model, three, layer, view.grid)
        islands = stored_islands(workspace(), key)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    if islands is not None:
        scene = islands_scene(islands)
        picture, beside = st.columns([0.72, 0.28], gap="small")
        with picture:
            mount(scene, "islands stage")
        with beside:
            _words(islands)
        _truth(islands)
    if islands is None or not islands.whole:
        _follow(view, three, layer, key, 0 if islands is None else islands.stride)
    if islands is not None:
        _take_away(islands, scene)
    return view


def _controls(view: PathView) -> tuple[PathView, int]:
    """The three concepts, the layer, and rare settings."""
    named = naming(view)
    given = (*view.corners, "", "", "")[:3] if view.corners else THREE
    form, slider, more = st.columns([5, 2, 0.8], vertical_alignment="bottom")
    names = ("First concept", "Second", "Third")
    with form, st.form(widget("paths", "corners"), border=False):
        *boxes, button = st.columns([1.2, 1.2, 1.2, 1.2], vertical_alignment="bottom")
        three = tuple(
            box.text_input(name, text, key=widget("paths", f"corner {name}"), max_chars=200)
            for box, name, text in zip(boxes, names, given, strict=True)
        )
        button.form_submit_button("Draw the islands", type="primary", width="stretch")
    with slider:
        view, layer = layer_slider(view, named)
    with more, st.popover("More", width="stretch"):
        options = sorted({*GRIDS, view.grid})
        grid = st.select_slider(
            "Cells on a side",
            options,
            view.grid,
            key=widget("paths", "grid"),
            help="21 are 441 places, some ten seconds on a small machine; 41 take four times that.",
        )
        measure_layers(view, named)
    corners = () if three == THREE else three
    return replace(view, corners=corners, grid=int(grid)), layer


def _follow(view: PathView, three: Sequence[str], layer: int, key: str, stride: int) -> None:
    """Have the worker read the rest; the page draws each finer map as it is there."""
    if not stride:
        st.caption(
            f"The model is asked at {view.grid**2:,} places, coarsely first, so that a map is "
            "there after a second or two; then it is refined, and kept."
        )
    arguments = {"model": view.model, "three": list(three), "layer": layer, "grid": view.grid}
    job_id = submitted("islands", arguments, f"islands {key}", slot="islands")
    if job_id is not None:
        watch(job_id, "Read the map", lambda: stored_stride(workspace(), key) != stride)


def ground_of(islands: Islands) -> CellGrid:
    """The cells as grids; a cell that is not read yet takes after the nearest that is."""
    cells = islands.cells
    kinds = dict(zip(cells["word"], cells["kind"], strict=True))
    words = list(kinds)
    rows = {word: row for row, word in enumerate(words)}
    at = (cells["row"].to_numpy(), cells["column"].to_numpy())
    word = np.zeros((islands.grid, islands.grid), np.int64)
    share = np.zeros((islands.grid, islands.grid), np.float32)
    read = np.zeros((islands.grid, islands.grid), np.bool_)
    word[at] = [rows[cell] for cell in cells["word"]]
    share[at] = cells["probability"].to_numpy()
    read[at] = True
    near = np.ix_(*[filled(islands.grid, islands.stride)] * 2)
    return CellGrid(islands.half, words, list(kinds.values()), word[near], share[near], read)


def islands_scene(islands: Islands) -> Scene:
    """The map, with what the pointer shows of each cell."""
    ground = ground_of(islands)
    a, b, c = (text[:30] for text in islands.concepts)
    rings = _rings(islands.half)
    key = f"islands {' '.join(islands.concepts)} {islands.layer} {islands.grid} {islands.model}"
    titles = (
        f"from {a} towards {b}, in lengths of a state",
        f"towards {c}, in lengths of a state",
    )
    cells = islands.cells.sort_values(["row", "column"])
    counts = islands.to_dict()
    sizes = ", ".join(f"{count['text']} {count['cells']}" for count in counts["concepts"])
    grown = "" if islands.whole else f", one cell in {islands.stride**2} so far"
    return Scene(
        name=f"{key} {islands.stride}",
        pictures=[
            Picture(
                islands_figure(
                    ground, islands.corners, islands.names, titles, rings, tokens(), dark(), key
                ),
                title=f"What the model says on the plane of {a}, {b} and {c}{grown}",
                tag="answered",
                alt=f"A map of {len(islands.cells)} places. Cells by word: {sizes}; other words "
                f"{counts['between']}, echoes {counts['echoes']}.",
                height=430,
                fill=310,
                labels=island_labels(ground, islands.corners, islands.concepts, rings, UNIT),
            )
        ],
        items=Items(
            [str(word) for word in cells["word"]],
            [_told(cell) for cell in cells.to_dict("records")],
            np.empty((0, 3), np.int32),
        ),
    )


def _rings(half: float) -> list[float]:
    """Two or three round radii that fit."""
    step = next((it for it in (2.0, 1.0, 0.5, 0.25, 0.1) if it <= half / 1.8), 0.05)
    return [round(float(step * k), 2) for k in (1, 2, 3) if step * k < half]


def _told(cell: dict[str, object]) -> str:
    echo = ", an echo of the question" if cell["kind"] == "echo" else ""
    return (
        f"{cell['probability']:.2f}{echo}; then {cell['second']} {cell['second_probability']:.2f}, "
        f"{cell['third']} {cell['third_probability']:.2f}. {cell['radius']:.1f} {UNIT}s from "
        "the middle"
    )


def _truth(islands: Islands) -> None:
    """One quiet line: what the concepts hold, what lies between, and what is echo."""
    said = islands.to_dict()
    total = said["cells"]
    own = sum(entry["cells"] for entry in said["concepts"])
    missed = [plain(entry["text"], 40) for entry in said["concepts"] if not entry["named"]]
    named = "All three are named right at their own places"
    if missed:
        named = f"Not named right at its own place: {', '.join(missed)}"
    cells = islands.cells
    sure = cells.loc[cells["kind"] == "concept", "probability"].mean()
    unsure = cells.loc[cells["kind"] != "concept", "probability"].mean()
    rest = (
        "" if np.isnan(unsure) else f" (mean probability {unsure:.2f}, on the islands {sure:.2f})"
    )
    st.caption(
        f"{named}. Of {total} places {own / total:.0%} say one of the three, "
        f"{said['between'] / total:.0%} another word and {said['echoes'] / total:.0%} a word of "
        f"the question{rest}. Only the three marked places are states of a sentence; all others "
        "are mixtures of them, and a word there is what the model makes of a mixture.",
        help=HELP,
    )
    for text, pieces in zip(islands.concepts, islands.pieces, strict=True):
        if told := pieces_said(text, pieces):
            st.caption(told)


def _words(islands: Islands) -> None:
    """Which words are said, on how many cells, and how surely."""
    groups = islands.cells.groupby("word", sort=False)
    table = pd.DataFrame(
        {
            "places": groups.size(),
            "surest": groups["probability"].max(),
            "what": groups["kind"].first(),
        }
    ).sort_values("places", ascending=False, kind="stable")
    st.markdown("##### What is said where", help=HELP)
    st.dataframe(
        table.reset_index(names="word"),
        hide_index=True,
        height=430,
        column_config={
            "word": st.column_config.TextColumn(width=84),
            "places": st.column_config.NumberColumn(width=56),
            "what": st.column_config.TextColumn(width=68),
            "surest": st.column_config.NumberColumn(
                format="%.2f", width=58, help="The highest probability anywhere on the map"
            ),
        },
    )


def _take_away(islands: Islands, scene: Scene) -> None:
    name = file_name("islands", islands.concepts, 16)
    page, parquet, csv, _ = st.columns([1, 1, 1, 2])
    with page:
        save_button(
            "Save as a page",
            lambda: _page(islands, scene),
            f"{name}.html",
            help_text="One HTML file that needs no network.",
        )
    with parquet:
        save_button(
            "Save as Parquet",
            lambda: _parquet(islands.cells),
            f"{name}.parquet",
            help_text="A row for each cell: place, words, probabilities, entropy",
        )
    with csv:
        save_button(
            "Save as CSV",
            lambda: safe_csv(islands.cells),
            f"{name}.csv",
        )


def _page(islands: Islands, scene: Scene) -> bytes:
    caption = (
        f"What {islands.model} says at {len(islands.cells)} places of the plane through three "
        f"states of its layer {islands.layer}. Made with Meaning Space."
    )
    return as_page(scene, f"Islands of {', '.join(islands.concepts)}", caption)


def _parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()
