"""Words that a student never saw: from spelling alone, from sentences that hold them, from both.

Held-out words of minilm:tokens, whole families of forms. A word's sentences are read by MiniLM;
the mean of its states in the last layer is mapped to the table by a ridge that was fitted on other
words; both together are the sum of the two guesses. Intervals are of 95%, by bootstrap over
words. Run from the repository's root:

    python -m benchmarks.zero_shot
"""

import argparse
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common import Stopwatch, record, this_command
from core.pipeline.workspace import Workspace
from core.spaces.lemmas import split, whole_words
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.families.speller import SpellerSpec, SpellerStudent
from core.students.registry import fit
from core.students.storage import size_bytes
from core.teachers.corpus import corpus_sentences
from core.teachers.minilm import minilm_folder
from core.teachers.model_folder.loading import load_model

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
WORD = re.compile(r"[a-z]+")
SHOTS = (1, 4, 16)
PENALTY = 30.0  # of the ridge from states to the table, per word
LEAST_SENTENCES = 16
BATCH = 32


def contexts(words: set[str], most: int) -> dict[str, list[str]]:
    """At most ``most`` sentences of the corpus for each word."""
    found: dict[str, list[str]] = {word: [] for word in words}
    for sentence in corpus_sentences():
        for word in set(WORD.findall(sentence.text.lower())) & words:
            if len(found[word]) < most:
                found[word].append(sentence.text)
    return found


def states(wanted: dict[str, list[str]], hidden: bool) -> dict[str, Floats]:
    """For each word (shots, 384): its last state in each sentence.

    ``hidden`` puts the mask in the word's place, so that only what stands around it tells. Without,
    the model reads the word's own row, which is what is asked for: an upper bound, no fair guess.
    """
    import torch

    model, tokenizer = load_model(minilm_folder(), "minilm")
    table, mask = tokenizer.get_vocab(), tokenizer.mask_token_id
    by_sentence: dict[str, list[str]] = {}
    for word, sentences in wanted.items():
        for sentence in sentences:
            by_sentence.setdefault(sentence, []).append(word)
    order = sorted(by_sentence, key=len)
    found: dict[str, list[Floats]] = {word: [] for word in wanted}
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        batch = tokenizer(part, padding=True, truncation=True, max_length=128, return_tensors="pt")
        ids = batch["input_ids"].clone()
        own = [[table[word] for word in by_sentence[sentence]] for sentence in part]
        if hidden:
            for index, several in enumerate(own):
                batch["input_ids"][index][torch.isin(ids[index], torch.tensor(several))] = mask
        with torch.inference_mode():
            last = model(**batch).last_hidden_state.float().numpy()
        for index, (sentence, several) in enumerate(zip(part, own, strict=True)):
            for word, piece in zip(by_sentence[sentence], several, strict=True):
                at = np.flatnonzero(ids[index].numpy() == piece)
                if len(at):
                    found[word].append(last[index, at].mean(axis=0))
    return {word: np.array(rows, dtype=np.float32) for word, rows in found.items()}


def ridge(features: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Weights and the features' mean; targets are centred already."""
    mean = features.mean(axis=0)
    centred = (features - mean).astype(np.float64)
    penalty = PENALTY * float(np.square(centred).mean())
    square = centred.T @ centred + penalty * np.eye(centred.shape[1])
    return np.linalg.solve(square, centred.T @ targets).astype(np.float32), mean


def scored(space: Space, rows: Array, guesses: Floats, mean: Floats) -> dict[str, Any]:
    """Cosines and the share whose true word is among the 10 rows nearest, with intervals."""
    centred = space.vectors - mean
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    found = guesses / np.linalg.norm(guesses, axis=1, keepdims=True)
    raw = guesses + mean
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    cosines = raw @ space.unit.T
    own = cosines[np.arange(len(rows)), rows]
    top = ((cosines > own[:, None]).sum(axis=1) < 10).astype(np.float64)
    own_centred = (found * units[rows]).sum(axis=1)
    return {
        "items": len(rows),
        "cosine": interval(own),
        "cosine_centred": interval(own_centred),
        "true_word_in_top_10": interval(top),
    }


def interval(values: npt.NDArray[Any]) -> dict[str, float]:
    """Mean with the 95% interval of 1,000 bootstrap samples."""
    generator = np.random.default_rng(0)
    means = values[generator.integers(0, len(values), (1_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def few_shots(space: Space, speller: SpellerStudent, taught: int) -> dict[str, Any]:
    """From 1, 4 and 16 sentences, alone and with the spelling, for words that have as many."""
    held = split(space, speller.spec.held_out, speller.spec.seed)  # type: ignore[attr-defined]
    asked = {space.texts[row]: int(row) for row in held.asked}
    kept_out = set(held.kept_out.tolist())
    generator = np.random.default_rng(0)
    others = [int(row) for row in whole_words(space) if row not in kept_out]
    mean = np.asarray(speller.spelling.mean)
    every = contexts(set(asked) | {space.texts[row] for row in others}, LEAST_SENTENCES)
    rich = [row for row in others if len(every[space.texts[row]]) >= 4]
    chosen = generator.permutation(rich)[:taught]
    taught_by = {space.texts[row]: every[space.texts[row]][:4] for row in chosen}
    asked_by = {word: every[word] for word in asked if len(every[word]) >= LEAST_SENTENCES}
    results: dict[str, Any] = {}
    for name, hidden in (("word_hidden", True), ("word_shown", False)):
        training, testing = states(taught_by, hidden), states(asked_by, hidden)
        words = [word for word, found in training.items() if len(found)]
        tests = [word for word, found in testing.items() if len(found) >= LEAST_SENTENCES]
        rows = np.array([space.find(word) for word in words])
        places = np.array([asked[word] for word in tests])
        seen = np.array([training[word].mean(axis=0) for word in words], dtype=np.float32)
        weights, centre = ridge(seen, space.vectors[rows] - mean)
        spelt = speller.generate(tests) - mean
        results["spelling_alone_same_words"] = scored(space, places, spelt, mean)
        results[name] = {"taught_words": len(words)}
        for shots in SHOTS:
            means = np.array([testing[word][:shots].mean(axis=0) for word in tests])
            told = ((means - centre) @ weights).astype(np.float32)
            results[name][f"sentences_{shots}"] = scored(space, places, told, mean)
            both = scored(space, places, told + spelt, mean)
            results[name][f"sentences_{shots}_and_spelling"] = both
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes-per-item", type=float, default=96.0)
    parser.add_argument(
        "--taught", type=int, default=2_500, help="words that the ridge is fitted on"
    )
    parser.add_argument("--quick", action="store_true", help="the speller's quick training")
    chosen = parser.parse_args(arguments)
    space = Workspace(default_workspace()).space("minilm:tokens")
    with Stopwatch() as learning:
        speller = fit(space, SpellerSpec(bytes_per_item=chosen.bytes_per_item, quick=chosen.quick))
    assert isinstance(speller, SpellerStudent)
    held = split(space, 0.05, 0)
    mean = np.asarray(speller.spelling.mean)
    guesses = speller.generate([space.texts[row] for row in held.asked]) - mean
    results = {
        "teacher": space.name,
        "bytes_total": size_bytes(speller),
        "seconds": learning.seconds,
        "spelling_alone": scored(space, held.asked, guesses, mean),
        **few_shots(space, speller, chosen.taught),
    }
    record("zero_shot", this_command(), results)


if __name__ == "__main__":
    main()
