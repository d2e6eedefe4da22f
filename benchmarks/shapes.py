"""Known shapes in every layer of the packaged causal model, beside chance and two rivals.

python -m benchmarks.shapes
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import Stopwatch, record, this_command
from core.metrics.shapes import chance_in_order, kept_by_chance
from core.pipeline import Workspace
from core.pipeline.models import speaker
from core.pipeline.trajectories.shapes import CIRCLE, FORMS, LINE, RIVALS, Shaped, ShapeSpec, shape
from core.teachers.smollm2 import SMOLLM2


def main() -> None:
    results: dict[str, Any] = {"model": SMOLLM2}
    speaker(SMOLLM2)
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        for task in FORMS:
            with Stopwatch() as watch:
                found = shape(workspace, ShapeSpec(SMOLLM2, task))
            results[task] = {"seconds": round(watch.seconds, 1), **_summary(found)}
    record("shapes", this_command(), results)


def _summary(found: Shaped) -> dict[str, Any]:
    table = found.table.round(5)
    layers, rivals = found.layers.round(5), table[table["reader"].isin(RIVALS)]
    said: dict[str, Any] = {
        "items": len(found.words),
        "best_layer": found.best,
        "p_of_the_best_layer": found.p_best,
        "best_layer_by_chance_95": found.best_by_chance,
    }
    if found.spec.form == CIRCLE:
        n = len(found.words)
        said |= {
            "layers_in_cyclic_order": len(found.ordered),
            "of_layers": len(layers),
            "chance_of_order": round(chance_in_order(n), 9),
            "chance_of_as_many_layers": round(found.luck, 9),
            "neighbours_kept_by_chance_95": kept_by_chance(n),
            "share_in_two_directions_by_chance": round(found.share_chance, 4),
        }
        columns = ["reader", "kept", "p", "share", "closing"]
    elif found.spec.form == LINE:
        columns = ["reader", "read", "read_chance", "rank", "rank_chance"]
    else:
        columns = [it for it in table.columns if it == "reader" or it.removeprefix("beyond_") in
                   ("off", "off_low", "off_high", "off_usual", "r2", "r2_low", "r2_high",
                    "r2_chance")]  # fmt: skip
    said["layers"] = layers[columns].to_dict("records")
    said["rivals"] = rivals[columns].to_dict("records")
    said["notes"] = list(found.notes)
    return said


if __name__ == "__main__":
    main()
