"""The shapes view of the trajectories page: rings, rows and maps that words are known to lie in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.layers.states import layer_name
from core.figures.scene import Picture, Scene
from core.figures.trajectories.shapes import (
    by_layer_figure,
    cities_figure,
    city_labels,
    continent_colours,
    legend,
    polygon_figure,
    polygon_labels,
    read_figure,
)
from core.metrics.geography import kilometres, on_globe
from core.metrics.shapes import kept_by_chance
from core.permalink import MAX_TEXT, TrajectoriesView
from core.pipeline.trajectories.shapes import (
    CIRCLE,
    LINE,
    MAP,
    RIVALS,
    Shaped,
    ShapeSpec,
    cities,
    has_shape,
    shape,
)
from core.ui.shared.downloads import safe_csv, save_button
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.segments import segments
from core.ui.shared.state import remember, widget, workspace
from core.ui.stage import mount, tokens
from core.ui.trajectories.shape_wording import RIVAL_HELP, not_proven, verdict

SHAPES = {
    "days": "Days",
    "months": "Months",
    "numbers": "Numbers",
    "cities": "Cities",
    "own": "Your own list",
}
OWN = ("red", "orange", "yellow", "green", "blue", "purple")
FORMS = {CIRCLE: "A circle", LINE: "A line"}
UNSEEN = {"cities": "A tenth of the cities", "continents": "A whole continent"}
HEIGHT = 470
NAMED = ("London", "Moscow", "Cairo", "Nairobi", "Pretoria", "Beijing", "Tokyo", "Delhi", "Jakarta",
         "Canberra", "Wellington", "Ottawa", "Mexico City", "Lima", "Buenos Aires", "Brasilia",
         "Dakar", "Reykjavik", "Manila", "Tehran")  # fmt: skip


def shapes_view(view: TrajectoriesView) -> TrajectoriesView:
    """Choose a shape; see it in a layer, and how well each layer shows it."""
    chosen = segments("trajectories", "shape", "Shape", SHAPES, view.shape, labelled=False)
    if chosen != view.shape:
        view = replace(view, shape=chosen, layer=None)
    if view.shape == "own":
        view = _own(view)
    remember("trajectories", view)
    try:
        spec = spec_of(view)
        if not has_shape(workspace(), spec):
            _follow(spec)
            return view
        shaped = shape(workspace(), spec)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    return _shown(view, shaped)


def spec_of(view: TrajectoriesView) -> ShapeSpec:
    """What is looked for. Raises InvalidSpecification for too few words of one's own."""
    if view.shape == "own":
        return ShapeSpec(view.model, "own", view.words or OWN, view.form)
    return ShapeSpec(view.model, view.shape)


def _own(view: TrajectoriesView) -> TrajectoriesView:
    with st.form(widget("trajectories", "shape wish"), border=False):
        box, form_side, button = st.columns([5, 1.6, 1], vertical_alignment="bottom")
        with box:
            typed = st.text_input(
                "Words in the order that you suppose, with commas between",
                ", ".join(view.words or OWN),
                max_chars=MAX_TEXT,
                key=widget("trajectories", "shape words"),
                help="Five or more. On a circle the last is followed by the first.",
            )
        with form_side:
            form = segments("trajectories", "shape form", "They lie on", FORMS, view.form)
        with button:
            st.form_submit_button("Look for it", type="primary", width="stretch")
    words = tuple(dict.fromkeys(filter(None, (word.strip() for word in typed.split(",")))))
    kept = () if words in (OWN, ()) else words
    moved = (kept, form) != (view.words, view.form)
    return replace(view, words=kept, form=form, layer=None if moved else view.layer)


def _follow(spec: ShapeSpec) -> None:
    count = "a hundred cities are" if spec.form == MAP else "the words are"
    st.caption(
        f"For each layer {count} read behind several short beginnings, and compared with chance. "
        + ("That takes about twenty seconds" if spec.form == MAP else "That takes some seconds")
        + " on a small machine, and is kept."
    )
    arguments = {
        "model": spec.model,
        "task": spec.task,
        "words": list(spec.words),
        "form": spec.form,
    }
    job_id = submitted("shape", arguments, f"shape {spec}")
    if job_id is not None:
        watch(job_id, "Look for the shape", lambda: has_shape(workspace(), spec))


def _shown(view: TrajectoriesView, shaped: Shaped) -> TrajectoriesView:
    far = view.unseen == "continents"
    left, right = st.columns([0.65, 0.35], gap="medium")
    with right:
        if shaped.spec.form == MAP:
            unseen = segments(
                "trajectories", "unseen", "The reader has never met", UNSEEN, view.unseen
            )
            view = replace(view, unseen=unseen)
            far = unseen == "continents"
        st.markdown(verdict(shaped, far))
        slot = st.container()
        layer = st.slider(
            "Layer",
            0,
            shaped.depth,
            shaped.best if view.layer is None else min(view.layer, shaped.depth),
            key=widget("trajectories", f"shape layer {shaped.spec}"),
            help="0 are the model's own input rows, before any attention.",
        )
    with slot:
        _by_layer(shaped, layer, far)
    with left:
        if shaped.spec.form == MAP:
            _map(shaped, layer, far)
        else:
            _polygon(shaped, layer)
            if shaped.spec.form == LINE:
                _read(shaped, layer)
    _take_away(shaped)
    return replace(view, layer=None if layer == shaped.best and view.layer is None else layer)


def _polygon(shaped: Shaped, layer: int) -> None:
    spec, coords = shaped.spec, np.asarray(shaped.coords[layer], np.float32)
    share = float(shaped.table["share"].iloc[layer])
    revision = f"{spec} {layer}"
    figure = polygon_figure(coords, spec.form == CIRCLE, 0, tokens(), revision)
    picture = Picture(
        figure,
        title=f"{SHAPES[spec.task]}, {layer_name(layer)}",
        tag="projected",
        alt=f"{len(shaped.words)} words on the two directions in which they differ most, joined in "
        f"their true order: {', '.join(shaped.words)}.",
        height=HEIGHT if spec.form == CIRCLE else HEIGHT - 130,
        labels=polygon_labels(shaped.words, coords),
    )
    mount(Scene("shape", [picture]), "shape stage")
    st.caption(
        f"The line joins them in the order asked about. These two directions keep {share:.0%} of "
        f"how they differ; as many points thrown at random would keep {shaped.share_chance:.0%}."
    )


def _read(shaped: Shaped, layer: int) -> None:
    figure = read_figure(
        shaped.words, np.asarray(shaped.said[layer]), tokens(), f"{shaped.spec} read {layer}"
    )
    picture = Picture(
        figure,
        title="The place read off each word by a line fitted to the others",
        tag="measured",
        alt="True place across, place that is read up; the dotted line is where both agree.",
        height=250,
    )
    mount(Scene("shape read", [picture]), "shape read stage")


def _map(shaped: Shaped, layer: int, far: bool) -> None:
    table = cities()
    true = table[["latitude", "longitude"]].to_numpy(np.float32)
    said = np.asarray((shaped.beyond if far else shaped.coords)[layer], np.float32)
    km = kilometres(on_globe(true), on_globe(said)).astype(np.float32)
    names, continents = table["city"].tolist(), table["continent"].tolist()
    figure = cities_figure(
        true, said, names, continents, km, tokens(), f"{shaped.spec} {layer} {far}"
    )
    shown = [row for row, name in enumerate(names) if name in NAMED]
    picture = Picture(
        figure,
        title=f"Where {layer_name(layer)} puts cities that its reader was not taught",
        tag="measured",
        alt=f"{len(names)} cities; half are put within {np.median(km):,.0f} km.",
        height=HEIGHT - 80,
        labels=city_labels(true, names, shown),
    )
    mount(
        Scene("shape map", [picture], legend=legend(continent_colours(continents))),
        "shape map stage",
    )
    st.caption(
        "A dot is where a city lies, the open end of its line is where it is read. Plain degrees, "
        "no coastline; a line takes the shorter way round."
    )


def _by_layer(shaped: Shaped, layer: int, far: bool) -> None:
    """The score of every layer over chance, and of the rivals."""
    theme, form, layers = tokens(), shaped.spec.form, shaped.layers
    colours = dict(zip(RIVALS, (theme.third, theme.second), strict=True))
    band = None
    if form == CIRCLE:
        column, title = "kept", "neighbours kept"
        chance = [float(kept_by_chance(len(shaped.words)))] * len(layers)
        limits = (0.0, float(len(shaped.words)))
    elif form == LINE:
        column, title = "read", "held-out R²"
        chance, limits = layers["read_chance"].tolist(), (0.0, 1.0)
    else:
        prefix = "beyond_" if far else ""
        column, title = f"{prefix}r2", "held-out R²"
        chance, limits = layers[f"{prefix}r2_chance"].tolist(), (0.0, 0.8)
        band = (layers[f"{prefix}r2_low"].tolist(), layers[f"{prefix}r2_high"].tolist())
    values = [float(layer) for layer in layers[column]]
    rivals = {
        RIVALS[it.reader]: (float(getattr(it, column)), colours[it.reader])
        for it in shaped.table.itertuples()
        if it.reader in RIVALS
    }
    lowest = min([*values, *(value for value, _ in rivals.values()), *(band[0] if band else ())])
    limits = (min(limits[0], lowest), limits[1])
    figure = by_layer_figure(
        values, chance, rivals, layer, title, limits, theme, f"{shaped.spec} layers {far}", band
    )
    names = {"this model": theme.accent, **{name: color for name, (_, color) in rivals.items()}}
    picture = Picture(
        figure,
        title="By layer",
        tag="measured",
        alt=f"{title} by layer: {', '.join(f'{value:.2f}' for value in values)}.",
        height=190,
        hint="Grey: what 95% of shuffled orders stay within in that layer alone.",
    )
    scene = Scene("shape layers", [picture], legend=legend({**names, "chance": theme.faint}))
    mount(scene, "shape layers stage")


def _take_away(shaped: Shaped) -> None:
    for note in shaped.notes:
        st.caption(plain(note))
    with st.expander("The figures, as a table"):
        table = _named(shaped.table)
        st.dataframe(table, hide_index=True, width="stretch")
        save_button("Save as CSV", lambda: safe_csv(table), "shapes.csv", width="content")
    with st.expander("What this does not prove"):
        st.markdown(not_proven(shaped))
        st.markdown(RIVAL_HELP)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """The readers by name."""
    names = [RIVALS.get(it, f"layer {it}") for it in table["reader"]]
    return table.assign(reader=names).round(4)
