"""Encoding speed: 2,617 sentences, our encoder against sentence-transformers' default encode.

    python -m benchmarks.encode [--rounds 3] [--sentences 2617]

Both run in one process on the same texts, by turns, after a warm-up each; reported are the
medians, in wall seconds and in seconds of processor time (which other work on the machine
disturbs less), and how far the vectors are apart.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import record, this_command
from core.teachers.corpus import corpus_sentences
from core.teachers.encoder import load_encoder
from core.teachers.minilm import MODEL, minilm_folder
from core.teachers.model_folder.device import bf16_gain, description, device

SEED = 7


def main() -> None:
    """Measure and write benchmarks/results/encode.json."""
    parser = argparse.ArgumentParser(description="encoding speed against sentence-transformers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=2617)
    arguments = parser.parse_args()
    sentences = [sentence.text for sentence in corpus_sentences()]
    texts = random.Random(SEED).sample(sentences, arguments.sentences)
    record("encode", this_command(), compare(texts, arguments.rounds))


def compare(texts: list[str], rounds: int) -> dict[str, Any]:
    """Both encoders by turns; their times, rates, and the lowest cosine between them."""
    from sentence_transformers import SentenceTransformer

    rival = SentenceTransformer(str(minilm_folder()), device=device(), local_files_only=True)
    ours = load_encoder(minilm_folder(), MODEL)
    sides: dict[str, Callable[[list[str]], Any]] = {
        "sentence_transformers": rival.encode,
        "meaning_space": ours.encode,
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    vectors: dict[str, npt.NDArray[np.float32]] = {}
    for encode in sides.values():
        encode(texts[:64])
    for _ in range(rounds):
        for name, encode in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            vectors[name] = np.asarray(encode(texts))
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    left, right = vectors["sentence_transformers"], vectors["meaning_space"]
    cosines = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    walls = {name: statistics.median(wall for wall, _ in pairs) for name, pairs in seconds.items()}
    cpus = {name: statistics.median(cpu for _, cpu in pairs) for name, pairs in seconds.items()}
    return {
        "sentences": len(texts),
        "mean_words": round(sum(len(text.split()) for text in texts) / len(texts), 1),
        "device": description(),
        "precision": ours.precision,
        "bf16_gain": round(bf16_gain(device()), 2),
        "rounds": rounds,
        "wall_seconds": _rounded(walls),
        "cpu_seconds": _rounded(cpus),
        "sentences_per_second": {name: round(len(texts) / it, 1) for name, it in walls.items()},
        "times_as_fast": round(walls["sentence_transformers"] / walls["meaning_space"], 2),
        "times_as_fast_cpu": round(cpus["sentence_transformers"] / cpus["meaning_space"], 2),
        "lowest_cosine": round(float(cosines.min()), 6),
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


if __name__ == "__main__":
    main()
