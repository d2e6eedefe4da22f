"""Lenses of a causal model: how often each layer names the model's own word, on other documents.

    python -m benchmarks.lens [--workspace DIR] [--model smollm2]

The logit lens and the fitted one (a ridge correction a layer, fitted on stretches of 96 documents)
are judged on one token in four of 48 documents that the fit has not met; intervals are bootstrapped
over these documents. The lens is fitted anew without --workspace.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.models import speaker
from core.pipeline.trajectories.lenses import fitted_lens, read_layers
from core.pipeline.workspace import Workspace

PROMPTS = (
    "The capital of France is the city of",
    "The Eiffel Tower stands in the city of",
    "The opposite of hot is",
    "Two plus two makes",
)


def main() -> None:
    """Measure and write benchmarks/results/lens.json."""
    parser = argparse.ArgumentParser(description="lenses, layer by layer")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--model", default="smollm2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(options.workspace or Path(folder))
        found = fitted_lens(workspace, options.model)
        lm = speaker(options.model)
        read = {}
        for text in PROMPTS:
            grids = {}
            for kind in ("logit", "fitted"):
                with Stopwatch() as watch:
                    grid = read_layers(workspace, options.model, text, kind)
                grids[kind] = {
                    "appears": int(grid.appears[-1]),
                    "rank_half_way": int(grid.rank[lm.depth // 2, -1]),
                    "seconds": round(watch.seconds, 2),
                }
            read[text] = {"answer": lm.text([int(grid.top[-1, -1, 0])]), **grids}
    strengths = np.array(found.fitted.strengths)
    record(
        "lens",
        this_command(),
        {**found.to_dict(), "strengths_used": sorted(set(strengths.tolist())), "texts": read},
    )


if __name__ == "__main__":
    main()
