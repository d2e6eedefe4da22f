"""Identity patching by layer, and how long the map between three concepts takes.

    python -m benchmarks.between                   writes benchmarks/results/between.json
    python -m benchmarks.between --ship            and assets/named_nouns.json, which the app reads

The map is timed warm: the model is loaded and has read something before. ``plain`` reads the whole
prompt for each place, as one would without keys and values kept.
"""

import argparse
import json
import time
from typing import Any

import numpy as np

from benchmarks.common import Stopwatch, record, this_command
from core.decode.nouns import CUT, NOUNS
from core.decode.patchscopes import Patchscope, concepts, identity_prompt
from core.decode.residual_stream import Edit
from core.pipeline.models import speaker
from core.pipeline.paths.concept_plane import islands
from core.pipeline.paths.interpolation import between, usual_layer
from core.pipeline.paths.layer_suggestion import SHIPPED, Named, naming_key, nouns_named
from core.resources import site_root
from core.teachers.smollm2 import SMOLLM2

THREE = ("cat", "dog", "piano")
REPEATS = 3


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--ship", action="store_true")
    asked = options.parse_args()
    with Stopwatch() as loading:
        speaker(SMOLLM2)
    with Stopwatch() as naming:
        named = nouns_named(SMOLLM2)
    if asked.ship:
        _ship(named)
    record(
        "between",
        this_command(),
        {
            "model": SMOLLM2,
            "load_seconds": round(loading.seconds, 2),
            "naming_seconds": round(naming.seconds, 1),
            "nouns": list(NOUNS),
            "cut_words": list(CUT),
            "named": named.to_dict(),
            "layers_0_to_14": round(float(np.mean(named.shares[:15])), 4),
            "islands": [_map() for _ in range(REPEATS)],
            "prefix": _prefix(),
            "between": _way(),
        },
    )


def _ship(named: Named) -> None:
    file = site_root() / "assets" / SHIPPED
    told = {naming_key(SMOLLM2): named.to_dict()}
    file.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")


def _map() -> dict[str, Any]:
    """Seconds to each stage of a 21 x 21 map, and what its cells say."""
    start = time.perf_counter()
    found: dict[str, Any] = {}
    for made in islands(SMOLLM2, THREE):
        found[f"seconds_to_stride_{made.stride}"] = round(time.perf_counter() - start, 2)
    cells = made.cells
    own, other = (cells[(cells["kind"] == "concept") == it] for it in (True, False))
    return {
        **found,
        "cells": len(cells),
        "share_of_kinds": cells["kind"].value_counts(normalize=True).round(4).to_dict(),
        "share_of_words": cells["word"].value_counts(normalize=True).round(4).head(6).to_dict(),
        "probability_on_islands": round(float(own["probability"].mean()), 4),
        "probability_elsewhere": round(float(other["probability"].mean()), 4),
    }


def _prefix() -> dict[str, Any]:
    """64 vectors: the rest of the prompt alone, and the whole of it."""
    lm = speaker(SMOLLM2)
    layer = usual_layer(lm.depth)
    scope = Patchscope(lm, identity_prompt()[0])
    vectors = np.stack([it.states[0] for it in concepts(lm, NOUNS, [layer])])
    scope.logits(vectors, layer)
    with Stopwatch() as kept:
        fast = scope.logits(vectors, layer)
    edit = Edit(layer, vectors, scope.place, scope.place + 1)
    with Stopwatch() as plain:
        whole = lm.run([scope.ids] * len(vectors), edits=[edit])
        slow = lm.logits(whole.final[:, -1])
    return {
        "vectors": len(vectors),
        "seconds": round(kept.seconds, 2),
        "plain_seconds": round(plain.seconds, 2),
        "largest_difference_of_logits": float((fast - slow).abs().max()),
    }


def _way() -> dict[str, Any]:
    with Stopwatch() as watch:
        found = between(SMOLLM2, "ocean", "justice")
    steps = found.to_dict()["steps"]
    middle = steps[len(found.t) // 2]
    vaguest = steps[int(found.entropy.argmax())]
    return {
        "seconds": round(watch.seconds, 2),
        "flips": [[round(it.t, 3), it.before, it.after] for it in found.flips],
        "entropy_nats": [round(float(value), 2) for value in found.entropy],
        "described": list(found.descriptions),
        "middle": middle["words"][:3],
        "vaguest": {"t": vaguest["t"], "words": vaguest["words"][:3]},
        "controls": found.to_dict()["controls"],
    }


if __name__ == "__main__":
    main()
