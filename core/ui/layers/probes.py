"""The probes' view: choose what to ask, see which layer knows it, and what that does not show."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import MeaningSpaceError
from core.figures.axes import AxisName
from core.figures.layers.probes import (
    chart_labels,
    chart_legend,
    label_layer,
    probe_lines,
    probe_scatter,
    probes_figure,
)
from core.figures.scene import Items, Picture, Scene
from core.permalink import LayersView
from core.pipeline.layers.labelled_texts import (
    MOST_CLASSES,
    MOST_ROWS,
    keep_labelled,
    labelled,
    read_table,
)
from core.pipeline.layers.probing.probes import OWN, has_probing, kept_probing
from core.pipeline.layers.probing.verdict import Probing
from core.pipeline.layers.senses import prepared_senses
from core.ui.layers.probe_wording import (
    ASKED,
    NO_CONTROL,
    NOT_USED,
    TASKS,
    around,
    class_name,
    figures_of,
    verdict,
)
from core.ui.shared.downloads import safe_csv
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.markdown import plain
from core.ui.shared.state import widget, workspace
from core.ui.stage import mount, tokens

HEIGHT = 360
NONE = "none"
TEXTUAL, LABELLING = ("text", "sentence", "document"), ("label", "class", "category", "sense")


def probes_view(view: LayersView) -> LayersView:
    """The whole view, its controls first; the view as the person has changed it."""
    view = _choose(view)
    kind = view.task.partition(":")[0]
    if kind == OWN:
        view = _bring(view)
        if view.task == OWN:  # nothing brought yet
            return view
    try:
        if not has_probing(workspace(), view.model, view.task):
            _follow(view)
            return view
        probing = kept_probing(workspace(), view.model, view.task)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return view
    st.markdown(verdict(probing))
    return _pictures(view, probing)


def _choose(view: LayersView) -> LayersView:
    """The question, and the word where it is about one."""
    kind, _, word = view.task.partition(":")
    kind = kind if kind in TASKS else "category"
    left, right, note = st.columns([0.26, 0.18, 0.56], vertical_alignment="bottom")
    with left:
        names = list(TASKS)
        chosen = st.selectbox(
            "What shall each layer be asked?",
            names,
            index=names.index(kind),
            format_func=TASKS.__getitem__,
            key=widget("layers", "probe task"),
        )
    task = chosen
    if chosen == "sense":
        words = list(prepared_senses())
        current = word if word in words else view.word if view.word in words else words[0]
        with right:
            picked = st.selectbox(
                "Word", words, index=words.index(current), key=widget("layers", "probe word")
            )
        task = f"sense:{picked}"
    elif chosen == OWN:
        task = view.task if kind == OWN else OWN
    note.caption(ASKED[chosen])
    return replace(view, task=task)


def _bring(view: LayersView) -> LayersView:
    """A table of one's own: the file, its columns, and the button; the task once it is asked."""
    file = st.file_uploader(
        "A table with a text and its label in each row",
        type=["csv", "tsv", "txt"],
        key=widget("layers", "probe file"),
        help=f"CSV or TSV in UTF-8, names of the columns in the first line. Up to {MOST_ROWS:,} "
        f"rows and {MOST_CLASSES} labels are used, more are drawn from; it stays on this machine.",
    )
    if file is None:
        return view
    try:
        table = read_table(file.getvalue(), file.name)
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return replace(view, task=OWN)
    text, label, word, group, ask = st.columns([1, 1, 1, 1, 0.8], vertical_alignment="bottom")
    names = [str(name) for name in table.columns]
    texts, labels = _likeliest(table)
    options = [NONE, *names]
    chosen = (
        text.selectbox("Text", names, index=texts, key=widget("layers", "probe text")),
        label.selectbox("Label", names, index=labels, key=widget("layers", "probe label")),
        word.selectbox(
            "Word in the text",
            options,
            key=widget("layers", "probe own word"),
            help="Asks about the state of this word in its text; without one, about whole texts.",
        ),
        group.selectbox(
            "Kept together",
            options,
            key=widget("layers", "probe group"),
            help="Rows with the same value here, such as one author's, are never on both sides: "
            "what the probe is asked about, it has not learnt from.",
        ),
    )
    if not ask.button("Ask each layer", type="primary", width="stretch", key="layers probe ask"):
        return view
    try:
        own_word, together = (it if it != NONE else "" for it in chosen[2:])
        items = labelled(table, chosen[0], chosen[1], own_word, together)
        return replace(view, task=f"{OWN}:{keep_labelled(workspace().store, items)}")
    except MeaningSpaceError as error:
        st.error(plain(error), icon=":material/error:")
        return replace(view, task=OWN)


def _likeliest(table: pd.DataFrame) -> tuple[int, int]:
    """The columns of texts and of labels, most likely: by name, else the longest cells, and
    the fewest different ones of the rest."""
    head = table.head(2_000)
    names = [str(name).strip().casefold() for name in table.columns]
    lengths = [float(head[name].astype(str).str.len().mean()) for name in table.columns]
    text = next((row for row, it in enumerate(names) if it in TEXTUAL), int(np.argmax(lengths)))
    rest = [row for row in range(len(names)) if row != text] or [text]
    counts = {row: head.iloc[:, row].nunique() for row in rest}
    fewest = min(rest, key=lambda row: counts[row] if counts[row] > 1 else len(head) + 1)
    return text, next((row for row in rest if names[row] in LABELLING), fewest)


def _follow(view: LayersView) -> None:
    """Have the worker ask, and show how far it is."""
    st.caption(
        "The sentences are read with the model, then a probe is taught and asked on every layer, "
        "sixteen times each; that takes up to two minutes on a small machine, and is kept."
    )
    arguments = {"model": view.model, "task": view.task, "seed": 0}
    job_id = submitted("probe", arguments, f"probe {view.model} {view.task}")
    if job_id is not None:
        watch(job_id, "Ask each layer", lambda: has_probing(workspace(), view.model, view.task))


def _pictures(view: LayersView, probing: Probing) -> LayersView:
    """The chart, the items along the probe's directions, and what can be taken away."""
    last = len(probing.layers) - 1
    layer = probing.best if view.layer is None else min(view.layer, last)
    left, right = st.columns([0.54, 0.46], gap="medium")
    with right:
        slot = st.container()
        picked, x_side, y_side = st.columns([1.1, 1, 1], vertical_alignment="bottom")
        with picked:
            layer = st.select_slider(
                "Layer",
                list(range(last + 1)),
                layer,
                key=widget("layers", f"probe layer {view.model} {view.task}"),
            )
        axes = _axes(probing, x_side, y_side)
    with left:
        _chart(probing, layer)
    with slot:
        _scatter(probing, layer, axes)
    st.caption(NOT_USED)
    if np.isnan(probing.layers[0].control):
        st.caption(NO_CONTROL)
    if probing.notes:
        said = "; ".join(probing.notes)
        st.caption(plain(f"{said[:1].upper()}{said[1:]}."))
    _take_away(probing)
    moved = layer != probing.best or view.layer is not None
    return replace(view, layer=layer if moved else None)


def _axes(probing: Probing, x_side: object, y_side: object) -> tuple[int, int]:
    """The two classes whose directions are drawn; with two classes there is no choice."""
    if len(probing.names) == 2:
        return 1, 1
    counted = Counter(probing.asked.labels)
    common = sorted(range(len(probing.names)), key=lambda it: -counted[probing.names[it]])
    chosen = []
    for side, name, usual in ((x_side, "Across", common[0]), (y_side, "Up", common[1])):
        chosen.append(
            side.selectbox(  # type: ignore[attr-defined]
                name,
                list(range(len(probing.names))),
                index=usual,
                format_func=lambda it: class_name(probing.names[it]),
                key=widget("layers", f"probe {name} {probing.task}"),
                help="The direction along which the probe says so.",
            )
        )
    return chosen[0], chosen[1]


def _chart(probing: Probing, layer: int) -> None:
    lines = probe_lines(probing.layers, probing.static, tokens())
    revision = f"{probing.model} {probing.task}"
    best = probing.layers[probing.best]
    mount(
        Scene(
            name="layer probes",
            pictures=[
                Picture(
                    probes_figure(probing.layers, probing.static, layer, tokens(), revision),
                    title="What a linear probe reads off each layer",
                    tag="measured",
                    alt=f"Accuracy by layer, highest in layer {best.layer} with "
                    f"{best.accuracy.value:.0%}. The figures are in the table below.",
                    height=HEIGHT,
                    labels=chart_labels(lines, layer),
                    hint=f"Five folds; no {probing.apart} lies on both sides. The band is a 95% "
                    f"interval over {probing.groups:,} {probing.apart}s.",
                )
            ],
            legend=chart_legend(lines),
        ),
        "layer probes",
    )


def _scatter(probing: Probing, layer: int, axes: tuple[int, int]) -> None:
    """Items along two directions of the layer's probe, each said by one not taught its group."""
    scores = probing.layers[layer].scores
    names = [class_name(name) for name in probing.names]
    labels = [class_name(label) for label in probing.asked.labels]
    if len(names) == 2:
        across, up = scores[:, 1], probing.asked.aside[layer]
        titles = (AxisName(names[0][:26], names[1][:26]).title(), "where they differ most besides")
    else:
        across, up = scores[:, axes[0]], scores[:, axes[1]]
        titles = (f"{names[axes[0]]:.40}, says the probe", f"{names[axes[1]]:.40}, says the probe")
    places = np.ascontiguousarray(np.stack([across, up], axis=1), dtype=np.float32)
    colours = label_layer(labels, [names[it] for it in dict.fromkeys(axes)], "", tokens())
    revision = f"{probing.model} {probing.task} {layer} {axes}"
    quiet = [
        f"{label} · {text}"[:160] if text else label
        for label, text in zip(labels, probing.asked.details, strict=True)
    ]
    scene = Scene(
        name="layer probe items",
        pictures=[
            Picture(
                probe_scatter(places, colours, titles, tokens(), revision),
                title=f"Along the probe's directions in layer {layer}",
                tag="measured",
                alt=f"{probing.items:,} items along two directions of the probe of layer {layer}.",
                height=HEIGHT - 74,
                hint="Nothing is flattened: each place is what a probe says that was not taught "
                f"the item's own {probing.apart}. +1 is the label, −1 any other, 0 undecided.",
            )
        ],
        items=Items(_item_names(probing), quiet, np.empty((0, 3), np.int32)),
        legend=colours.legend,
    )
    mount(scene, "layer probe items")


def _item_names(probing: Probing) -> list[str]:
    """What an item is called; where all are one word, the words around it."""
    names = probing.asked.names
    if len({name.casefold() for name in names}) > 1:
        return [name[:120] for name in names]
    return [around(text, name) for text, name in zip(probing.asked.details, names, strict=True)]


def _take_away(probing: Probing) -> None:
    """The figures as a table, and as files."""
    table = figures_of(probing)
    with st.expander("The figures, as a table"):
        st.dataframe(table, hide_index=True, width="stretch")
    csv, whole, _ = st.columns([1, 1, 3])
    csv.download_button(
        "Save as CSV", safe_csv(table), "probes.csv", "text/csv", width="stretch", on_click="ignore"
    )
    whole.download_button(
        "Save as JSON",
        json.dumps(probing.to_dict(), ensure_ascii=False, indent=1),
        "probes.json",
        "application/json",
        width="stretch",
        on_click="ignore",
    )
