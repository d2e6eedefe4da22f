"""A token's way up: its state in every layer, in one picture of them all, with the lens' words."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.decode.language_model import LanguageModel
from core.decode.lens import LensGrid
from core.figures.layers.states import layer_colours, layer_name, layers_map, runs_of
from core.figures.scene import Items, Mover, Picture, Player, Scene, Strip
from core.figures.trajectories.lens import visible
from core.pipeline.layers.pictures import LayerPicture, ground, has_ground, layer_picture
from core.pipeline.models import identity
from core.projection.base import PcaSpec
from core.ui.shared.jobs import submitted, watch
from core.ui.shared.state import workspace
from core.ui.stage import dark, mount, tokens

if TYPE_CHECKING:
    from torch import Tensor

SECONDS = 9.0
HELP = """
Each dot behind is the state of a token of the packaged texts in one layer, coloured by the layer.
All layers share one flat picture (PCA of directions), so a place means the same in each. Most of
what such a picture shows is which layer a state belongs to: the layers drift apart. Look at the way
against the cloud of its own layer, not at how far it comes.
"""


def rise(model: str, lm: LanguageModel, grid: LensGrid, chosen: int, lens: str) -> None:
    """The picture with its player; where the background is not made yet, a job."""
    own = visible(lm.text([int(grid.ids[chosen])]))
    st.markdown("##### Its way through the layers", help=HELP)
    if not has_ground(workspace(), model):
        st.caption(
            "For the background, some sentences are read by the model once and kept; that takes "
            "about half a minute."
        )
        spec = PcaSpec()
        arguments = {"model": model, "spec": spec.to_dict(), "fit": "joint"}
        job_id = submitted("layers", arguments, f"layers {model} {spec.digest} joint")
        if job_id is not None:
            watch(job_id, "Draw the layers", lambda: has_ground(workspace(), model))
        return
    picture = _picture(identity(model), model)
    layers = _layers(lm, grid)
    places = picture.place(layers)
    theme = tokens()
    pieces = lm.pieces(grid.ids.tolist())
    movers = [
        Mover(
            text=visible(pieces[at]),
            way=np.ascontiguousarray(places[:, at]),
            color=theme.accent if at == chosen else theme.quiet,
            row=-1,
            chosen=at == chosen,
            named=at == chosen,
        )
        for at in range(1, len(pieces))  # the first is an outlier in every layer
    ] or [Mover(own, np.ascontiguousarray(places[:, chosen]), theme.accent, -1, True)]
    coords = np.concatenate(picture.coords)
    colours = layer_colours([len(coord) for coord in picture.coords], dark())
    said = [visible(word) for word in lm.pieces(grid.top[:, chosen, 0].tolist())]
    kept = sum(picture.planes[0].variances) / picture.planes[0].total
    ways = [(mover.way, mover.color) for mover in movers if mover.chosen]
    shown = picture.ground.joint
    scene = Scene(
        name="rise",
        pictures=[
            Picture(
                layers_map(coords, places[:, chosen], colours, ways, theme, f"rise {shown.digest}"),
                title=f"“{own[:24]}” over {len(coords):,} states of all layers, PCA: "
                f"{kept:.0%} of the variance",
                tag="projected",
                alt=f"The way of {own} through the layers. "
                + "; ".join(f"{layer_name(k)}: {word}" for k, word in enumerate(said)),
                height=400,
                movers=movers,
                near=np.zeros((0, 3), np.int32),
            )
        ],
        items=Items(shown.texts, _details(shown.digest, model), None),
        legend=colours.legend,
        player=Player(
            t=[float(layer) for layer in range(len(said))],
            strips=[Strip(own[:10], theme.accent, runs_of(said))],
            transcript=[
                f"{layer_name(k)}: the {lens} says “{word}”, probability "
                f"{grid.probabilities[k, chosen, 0]:.2f}."
                for k, word in enumerate(said)
            ],
            seconds=SECONDS,
            names=[layer_name(layer) for layer in range(len(said))],
        ),
    )
    mount(scene, "rise stage")
    if chosen == 0:
        st.caption(
            "This is the first token: whatever stands there, its state is an outlier in every "
            "layer, which the model uses as a resting place for its attention."
        )


@st.cache_resource(max_entries=4, show_spinner="Fitting one picture to all layers")
def _picture(stamp: str, model: str) -> LayerPicture:  # noqa: ARG001 - the key
    return layer_picture(workspace(), ground(workspace(), model), PcaSpec(), "joint")


def _layers(
    lm: LanguageModel, grid: LensGrid
) -> list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    """(t, d) a layer; the last after the final norm, as the background has it."""
    import torch

    with torch.inference_mode():
        normed: Callable[..., Tensor] = lm.norm
        last = normed(torch.from_numpy(grid.states[-1]).to(lm.device)).float().cpu().numpy()
    return [*(np.ascontiguousarray(state) for state in grid.states[:-1]), last]


@st.cache_resource(max_entries=4, show_spinner=False)
def _details(digest: str, model: str) -> list[str]:  # noqa: ARG001 - the digest is the key
    table = ground(workspace(), model).joint.metadata
    pairs = zip(table["layer"], table["sentence"], strict=True)
    return [f"{layer_name(int(layer))} · {text[:110]}" for layer, text in pairs]
