"""Laws of motion: what tells texts by people, by a model, shuffled ones and random walks apart.

    python -m benchmarks.laws [--workspace DIR] [--model smollm2] [--layer 14]

48 explored documents and 48 held out, in one layer; every quantity by kind of text with a 95%
interval over documents, and every kind against the people's by a sign-flip test after Holm. What
holds in the explored documents and again in those held out is counted, and what holds in one part
alone is named.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.common import record, this_command
from core.pipeline.models import speaker
from core.pipeline.trajectories.significance import differences, report
from core.pipeline.trajectories.statistics import laws, middle
from core.pipeline.workspace import Workspace


def main() -> None:
    """Measure and write benchmarks/results/laws.json."""
    parser = argparse.ArgumentParser(description="laws of motion, tested")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--layer", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(options.workspace or Path(folder))
        depth = speaker(options.model).depth
        layer = middle(depth) if options.layer is None else options.layer
        both = {
            part: laws(workspace, options.model, layer, part) for part in ("explored", "held out")
        }
        asked = {
            part: {(it.quantity, it.kind): it for it in differences(found)}
            for part, found in both.items()
        }
        apart, there = (
            {key: it.interval.value > 0 for key, it in asked[part].items() if it.apart}
            for part in both
        )
        found = {part.replace(" ", "_"): report(it) for part, it in both.items()}
    again = [key for key, above in apart.items() if there.get(key) == above]
    replicated = {
        "questions": len(asked["explored"]),
        "apart_in_explored": len(apart),
        "apart_in_held_out": len(there),
        "apart_in_both": len(again),
        "apart_only_in_explored": [list(key) for key in apart if key not in there],
        "apart_only_in_held_out": [list(key) for key in there if key not in apart],
        "apart_to_the_other_side": [
            list(key) for key in apart if key in there and key not in again
        ],
    }
    record("laws", this_command(), {**found, "replicated": replicated})


if __name__ == "__main__":
    main()
