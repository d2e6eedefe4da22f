"""How far the tokens move from layer to layer: in the space, in the picture, and by chance."""

import numpy as np
import streamlit as st

from core.figures.layers.states import LayerCurve, curve_legend, layer_curves
from core.figures.scene import Picture, Scene
from core.pipeline.layers.pictures import LayerPicture, drift
from core.signatures.states import States
from core.ui.stage import mount, tokens

HELP = """
- **In the space** is 1 − cosine of a token's states in two neighbouring layers, each about its
  layer's mean. Nothing is flattened.
- **In this picture** is the distance that the dot walks, in units of the picture's own radius.
- **By another seed** is how far the same states stand from where a second drawing has them. A
  walk that is no longer than that tells nothing.
"""


def drift_panel(
    picture: LayerPicture, states: States, row: int, second: LayerPicture | None
) -> None:
    """Two small figures side by side, for the chosen token and for all."""
    layers = [np.asarray(layer, np.float32) for layer in states.layers]
    if len(layers) < 2:
        return
    theme = tokens()
    whole, one = drift(picture, layers, second), drift(picture, [layer[[row]] for layer in layers])
    measured = [
        LayerCurve("all tokens", whole.measured, theme.second, first=1),
        LayerCurve("the chosen one", one.measured, theme.accent, first=1),
    ]
    drawn = [
        LayerCurve("all tokens", whole.drawn, theme.second, first=1),
        LayerCurve("the chosen one", one.drawn, theme.accent, first=1),
    ]
    if whole.by_seed is not None:
        drawn.append(
            LayerCurve("by another seed alone", whole.by_seed, theme.quiet, "dot", first=1)
        )
    st.markdown("##### How far they move, layer by layer", help=HELP)
    pictures = [
        Picture(
            layer_curves(curves, title, theme, f"drift {k}", across="into layer"),
            title=name,
            tag="measured" if k == 0 else "projected",
            alt=f"{name}: " + ", ".join(f"{value:.2f}" for value in curves[0].values),
            height=190,
        )
        for k, (curves, title, name) in enumerate(
            [
                (measured, "1 − cosine", "In the space"),
                (drawn, "in radii", "In this picture"),
            ]
        )
    ]
    mount(Scene(name="drift", pictures=pictures, legend=curve_legend(drawn)), "layers drift")
    if whole.by_seed is None:
        st.caption("How much of the walk is chance is known once a second drawing is made.")
        return
    lost = [
        str(layer)
        for layer, (walked, chance) in enumerate(zip(whole.drawn, whole.by_seed, strict=True), 1)
        if walked <= chance
    ]
    if lost:
        st.caption(
            f"Into layer{'s' * (len(lost) > 1)} {', '.join(lost)} the dots walk no farther than "
            "another seed alone would put them: take no meaning from that step of the picture."
        )
    else:
        ratio = min(a / b for a, b in zip(whole.drawn, whole.by_seed, strict=True) if b > 0)
        st.caption(
            f"In every step the dots walk at least {ratio:.1f} times as far as another seed alone "
            "would put them."
        )
