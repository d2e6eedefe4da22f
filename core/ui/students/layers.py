"""A contextual student beside its teacher, layer by layer: how much of each layer it keeps."""

from typing import Any

import pandas as pd
import streamlit as st

from core.figures.layers.states import LayerCurve, curve_legend, layer_curves
from core.figures.scene import Picture, Scene
from core.permalink import LayersView, encode
from core.pipeline import StudentCard
from core.pipeline.student_catalogue import PREFIX
from core.ui.shared.downloads import safe_csv
from core.ui.stage import mount, tokens

HELP = """
On sentences of documents that it was never taught. **Cosine** of a token's state in the student
with the same token's in the teacher: no rotation is forgiven. **A table at its best** is the mean
of the teacher's states of each token, whatever its sentence says: what lies beyond that line is
context. **Unexplained** is the squared error, as a share of the layer's variance.
"""


def layer_fidelity(card: StudentCard) -> None:
    """Two curves over the layers, and the way to the page that compares the two; nothing for a
    student of another family or one that was not measured."""
    report: dict[str, Any] = card.report.get("contextual") or {}
    layers: list[dict[str, Any]] = report.get("layers") or []
    if not layers:
        return
    theme = tokens()
    st.subheader("Layer by layer", anchor=False, help=HELP)
    figures = []
    for name, key, title in (
        ("How like the teacher a token's state is", "cosine", "cosine"),
        ("What is lost", "unexplained", "unexplained variance"),
    ):
        curves = [LayerCurve("the student", [float(layer[key]) for layer in layers], theme.accent)]
        static = [layer.get(f"static_{key}") for layer in layers]
        values = [float(value) for value in static if value is not None]
        if len(values) == len(layers):
            curves.append(LayerCurve("a table at its best", values, theme.quiet, "dot"))
        figures.append((curves, name, title))
    pictures = [
        Picture(
            layer_curves(curves, title, theme, f"{card.key} {title}", limits=(0.0, 1.0)),
            title=name,
            tag="measured",
            alt=f"{name}: " + ", ".join(f"{value:.2f}" for value in curves[0].values),
            height=230,
        )
        for curves, name, title in figures
    ]
    legend = curve_legend(figures[0][0])
    mount(Scene(f"layers of {card.key}", pictures, legend=legend), "student layers")
    last, times = layers[-1], report.get("milliseconds", {})
    st.caption(
        f"In the last layer: cosine {last['cosine']:.3f} a token, {last['sentence_cosine']:.3f} a "
        f"sentence, pairs of sentences ranked alike {last['pair_spearman']:.3f}; "
        f"{times.get('student_alone', 0):.1f} ms a sentence, the teacher "
        f"{times.get('teacher_alone', 0):.1f} ms. Measured on {report['sentences']:,} sentences."
    )
    go, save = st.columns([0.3, 0.7])
    if go.button("Send sentences through both", icon=":material/layers:", key="student both"):
        seen = LayersView(model=report["teacher"], second=PREFIX + card.key, show="measures")
        st.switch_page("pages/layers.py", query_params=encode(seen))
    table = safe_csv(pd.DataFrame(layers))
    save.download_button("Save as CSV", table, f"{card.key}-layers.csv", "text/csv")
