"""Hidden states of every layer: speed against a plain loop, memory, senses, probes, pairs.

    python -m benchmarks.context [--rounds 3]

The rival is the loop that anybody writes first: batches of 32 in the order of the texts, padded
to the longest, float32. Rounds alternate. Memory is the process's largest resident size above
what it holds with the model loaded, while 100,000 tokens are read into a folder.
"""

import argparse
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.layers.layer_similarity import layer_likeness
from core.pipeline.layers.probing.probes import probing
from core.pipeline.layers.senses import prepared_senses, senses
from core.pipeline.models import reader
from core.pipeline.texts.pairs import more_than_tokens
from core.signatures.contextuality import by_layer
from core.signatures.hidden import Reader, hidden_states
from core.spaces.linalg import paired_cosines
from core.teachers.corpus import corpus_sentences

MODEL = "minilm"
BATCH = 32
TOKENS = 100_000
TASKS = ("category", "position", "length", "order", "sense:bank")


def plain(texts: Sequence[str], model: Reader) -> list[np.ndarray[Any, Any]]:
    """(t, d) each layer's states by the plain loop, special tokens left out."""
    import torch

    found: list[list[np.ndarray[Any, Any]]] = []
    for start in range(0, len(texts), BATCH):
        told = model.tokenizer(
            list(texts[start : start + BATCH]), padding=True, truncation=True,
            return_tensors="pt", return_special_tokens_mask=True,
        )  # fmt: skip
        special = told.pop("special_tokens_mask").bool()
        with torch.inference_mode():
            states = model.model(**told, output_hidden_states=True).hidden_states
        found.append([state[~special].numpy() for state in states])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def speed(rounds: int) -> dict[str, Any]:
    """Seconds of both, alternating, and how equal their states are."""
    texts = [it.text for it in corpus_sentences()][:2617]
    model = reader(MODEL)
    hidden_states(texts[:64], model)
    plain(texts[:64], model)
    ours, theirs = [], []
    for _ in range(rounds):
        with Stopwatch() as watch:
            states = hidden_states(texts, model)
        ours.append(round(watch.seconds, 2))
        with Stopwatch() as watch:
            rival = plain(texts, model)
        theirs.append(round(watch.seconds, 2))
    least = min(
        float(paired_cosines(np.asarray(a, np.float64), b.astype(np.float64)).min())
        for a, b in zip(states.layers, rival, strict=True)
    )
    return {
        "sentences": len(texts),
        "tokens": len(states.tokens),
        "ours": ours,
        "plain_loop": theirs,
        "ratio_of_medians": round(float(np.median(theirs) / np.median(ours)), 2),
        "least_cosine_of_a_token": least,
    }


def memory() -> dict[str, Any]:
    """Peak resident size while many tokens are read into a folder."""
    model = reader(MODEL)
    texts = [it.text for it in corpus_sentences()]
    with tempfile.TemporaryDirectory() as place:
        hidden_states(texts[:64], model)
        before = _peak()
        states = hidden_states((texts * 4)[: TOKENS // 22], model, folder=Path(place) / "states")
        return {
            "tokens": len(states.tokens),
            "layers": len(states.layers),
            "megabytes_of_states": round(sum(it.nbytes for it in states.layers) / 1e6),
            "peak_megabytes_before": before,
            "peak_megabytes_after": _peak(),
        }


def _peak() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and write benchmarks/results/context.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    found: dict[str, Any] = {"memory": memory()}
    found["speed"] = speed(chosen.rounds)
    print(found, flush=True)
    found["senses"] = {word: senses(MODEL, word).to_dict() for word in prepared_senses()}
    found["pairs"] = more_than_tokens(MODEL).to_dict()
    texts = [it.text for it in corpus_sentences()][:600]
    table = by_layer(hidden_states(texts, reader(MODEL)))
    found["contextuality"] = table.round(4).to_dict(orient="list")
    found["cka"] = layer_likeness(MODEL, MODEL).to_dict()
    found["probes"] = {task: probing(MODEL, task).to_dict() for task in TASKS}
    record("context", this_command(), found)


if __name__ == "__main__":
    main()
