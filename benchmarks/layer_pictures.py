"""Pictures of all layers: how far tokens walk in them, beside what another seed alone does.

    python -m benchmarks.layer_pictures [--workspace DIR]

Three fits (one for all layers, each layer's own turned onto the one before, each by itself) by PCA
and UMAP over some 20,000 states of MiniLM's seven layers. The tokens that walk stand in sentences
that no picture was fitted to. The second drawing has other sentences (PCA) or another seed (UMAP).
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.layers.pictures import (
    FITS,
    draw_layers,
    drift,
    ground,
    layer_picture,
    second_picture,
)
from core.pipeline.models import reader
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec, Spec, UmapSpec
from core.signatures.hidden import hidden_states
from core.teachers.corpus import some_sentences

MODEL = "minilm"
WALKERS = 60  # sentences


def one(workspace: Workspace, spec: Spec, fit: str, layers: list[Any]) -> dict[str, Any]:
    """The drift of the walkers in one picture, and how true that picture is."""
    with Stopwatch() as watch:
        draw_layers(workspace, MODEL, spec, fit)
    own = ground(workspace, MODEL)
    picture = layer_picture(workspace, own, spec, fit)
    found = drift(picture, layers, second_picture(workspace, MODEL, spec, fit))
    spaces = (own.joint,) if fit == "joint" else own.layers
    truth = [workspace.faithfulness(space, spec) for space in spaces]
    assert found.by_seed is not None
    return {
        "seconds": round(watch.seconds, 1),
        "drawn": [round(value, 3) for value in found.drawn],
        "by_seed": [round(value, 3) for value in found.by_seed],
        "measured": [round(value, 3) for value in found.measured],
        "overlap": [round(it.overlap, 3) for it in truth],
        "trustworthiness": [round(it.trustworthiness, 3) for it in truth],
    }


def main() -> None:
    """Measure and write benchmarks/results/layer_pictures.json."""
    parser = argparse.ArgumentParser(description="pictures of all layers, and their drift")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    texts = [it.text for it in some_sentences(WALKERS, seed=2)]
    layers = list(hidden_states(texts, reader(MODEL), truncate=True).layers)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(options.workspace or Path(folder))
        found = {
            f"{spec.kind} {fit}": one(workspace, spec, fit, layers)
            for spec in (PcaSpec(), UmapSpec())
            for fit in FITS
        }
    record("layer_pictures", this_command(), {"tokens": len(layers[0]), **found})


if __name__ == "__main__":
    main()
