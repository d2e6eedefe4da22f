"""What it costs to watch a model write: model ready, a fan, forty tokens with every layer's state.

    python -m benchmarks.trajectories

The model is the packaged one, unpacked before (run it twice on a new machine). Pairs alternate, so
that what else the machine does falls on both. What was asked of all that a model writes is laid
beside what was found, here and by the benchmarks between, lens, shapes and bridge: run them first.
"""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.common import RESULTS, Stopwatch, record, this_command

PROMPT = "The best thing about AI is its ability to"
STEPS = 40
PAIRS = 7
FANS = 9
K = 50
READY = """
import time
begun = time.perf_counter()
import torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from core.pipeline.models import speaker
imported = time.perf_counter()
speaker("smollm2")
print(imported - begun, time.perf_counter() - imported)
"""


def main() -> None:
    """Measure and write benchmarks/results/trajectories.json."""
    ready = [_ready() for _ in range(3)]
    from core.decode.sampling import Sampling
    from core.pipeline.models import speaker
    from core.pipeline.trajectories.next_tokens import spreads

    lm = speaker("smollm2")
    ids = lm.ids(PROMPT)
    spreads(lm, ids, K, lm.depth)  # the first tries out whether branches can stand side by side
    fans = []
    for _ in range(FANS):
        with Stopwatch() as watch:
            spreads(lm, ids, K, lm.depth)
        fans.append(watch.seconds)
    pairs = [_pair(lm, ids, Sampling(steps=STEPS)) for _ in range(PAIRS)]
    ratios = [ours / plain for ours, plain, _ in pairs]
    results: dict[str, Any] = {
        "prompt": PROMPT,
        "model_ready": {
            "imports_seconds": statistics.median(it[0] for it in ready),
            "load_seconds": statistics.median(it[1] for it in ready),
            "runs": len(ready),
        },
        f"fan_of_{K}": {
            "seconds_median": statistics.median(fans),
            "seconds_best": min(fans),
            "runs": FANS,
        },
        f"write_{STEPS}_all_layers": {
            "ratio_median": statistics.median(ratios),
            "ratio_low": min(ratios),
            "ratio_high": max(ratios),
            "seconds_median": statistics.median(it[0] for it in pairs),
            "plain_generate_seconds_median": statistics.median(it[1] for it in pairs),
            "token_for_token_equal": all(it[2] for it in pairs),
            "pairs": PAIRS,
        },
    }
    record("trajectories", this_command(), results | {"targets": _targets(results)})


def _targets(own: dict[str, Any]) -> list[dict[str, Any]]:
    """What was asked, what was found, and whether that is enough."""
    between, lens, shapes, bridge = (
        json.loads((RESULTS / f"{name}.json").read_text())["results"]
        for name in ("between", "lens", "shapes", "bridge")
    )
    agreement = {
        row["layer"]: row["agreement"] for row in lens["layers"] if row["kind"] == "fitted"
    }
    maps = between["islands"]
    cosine = bridge["sentences"]["cosine"]
    beyond = bridge["sentences"]["above_nearest_stored"]["sought"]
    write = own[f"write_{STEPS}_all_layers"]
    median = statistics.median
    at_most = [
        ("model ready, s", 1.0, own["model_ready"]["load_seconds"]),
        ("fan of 50, s", 0.5, own[f"fan_of_{K}"]["seconds_median"]),
        ("40 steps with all states, times generate", 1.2, write["ratio_median"]),
        ("islands, first picture, s", 3.0, median(it["seconds_to_stride_4"] for it in maps)),
        ("islands, whole, s", 20.0, median(it["seconds_to_stride_1"] for it in maps)),
    ]
    at_least = [
        ("60 nouns named, layers 0 to 14", 0.98, between["layers_0_to_14"]),
        ("fitted lens agrees, layer 8", 0.25, agreement[8]),
        ("fitted lens agrees, layer 16", 0.31, agreement[16]),
        ("fitted lens agrees, layer 24", 0.52, agreement[24]),
        ("layers with the days in cyclic order", 8, shapes["days"]["layers_in_cyclic_order"]),
        (
            "bridge, cosine above shuffled",
            cosine["sought, shuffled"]["high"],
            cosine["sought"]["low"],
        ),
        ("bridge, cosine above the nearest stored", 0.0, beyond["low"]),
    ]
    return [
        {"figure": name, "asked": asked, "found": round(float(found), 4), "met": met}
        for name, asked, found, met in [
            *((name, asked, found, found <= asked) for name, asked, found in at_most),
            *((name, asked, found, found >= asked) for name, asked, found in at_least),
        ]
    ]


def _ready() -> tuple[float, float]:
    """Seconds of the imports and of the load, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", READY], check=True, capture_output=True, text=True)
    imports, load = map(float, done.stdout.split()[-2:])
    return imports, load


def _pair(lm: Any, ids: list[int], sampling: Any) -> tuple[float, float, bool]:
    """(seconds with every layer's state, seconds of plain ``generate``, the same tokens)."""
    import torch

    with Stopwatch() as ours:
        written = [int(step.ids[0]) for step in lm.write(ids, sampling)]
    with Stopwatch() as plain, torch.inference_mode():
        out = lm.model.generate(
            torch.tensor([ids], device=lm.device),
            max_new_tokens=sampling.steps,
            do_sample=False,
            pad_token_id=0,
        )
    return ours.seconds, plain.seconds, out[0, len(ids) :].tolist() == written


if __name__ == "__main__":
    main()
