"""Steering the packaged causal model: effect and price by strength, beside random directions of
equal length, for three prompts; and by layer for the first of them.

    python -m benchmarks.steering
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.trajectories.steering import Steered, default_layer, steer
from core.pipeline.trajectories.steering_layers import scan
from core.pipeline.trajectories.steering_spec import SteerSpec
from core.teachers.smollm2 import SMOLLM2

PROMPTS = (
    "The food in the restaurant was",
    "My first day at the new school was",
    "I went to the cinema and",
)
PLUS = ("I love this, it is wonderful", "What a beautiful and happy day")
MINUS = ("I hate this, it is terrible", "What an ugly and sad day")


def main() -> None:
    model = speaker(SMOLLM2)
    first = SteerSpec(SMOLLM2, PROMPTS[0], PLUS, MINUS, default_layer(model.depth))
    results: dict[str, Any] = {
        "model": SMOLLM2,
        "layer": first.layer,
        "plus": PLUS,
        "minus": MINUS,
        "temperature": first.sampling.temperature,
        "tokens": first.sampling.steps,
        "samples": first.samples,
        "random_directions": first.controls,
    }
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        results["prompts"] = [_steered(workspace, replace(first, prompt=it)) for it in PROMPTS]
        with Stopwatch() as watch:
            layers = scan(workspace, first)
        results["layers"] = {
            "seconds": round(watch.seconds, 1),
            "strength": layers.strength,
            "best": layers.best,
            "rows": layers.layers.round(4).to_dict("records"),
        }
    record("steering", this_command(), results)


def _steered(workspace: Workspace, spec: SteerSpec) -> dict[str, Any]:
    with Stopwatch() as watch:
        found: Steered = steer(workspace, spec)
    said = found.to_dict()
    kept = ("prompt", "usual_length", "apart", "slope", "slope_95", "random_slopes")
    return {
        **{name: said[name] for name in kept},
        "random_beaten": found.beaten,
        "texts": len(found.texts),
        "seconds": round(watch.seconds, 1),
        "strengths": said["strengths"],
    }


if __name__ == "__main__":
    main()
