"""Encoder students against model2vec's recipe and the rounded teacher, on held-out texts.

    python -m benchmarks.encoder [--students "6 layers" "4 layers" "4 bag"] [--seeds 3]

The space is minilm:words and minilm:sentences together. Held out are words by lemma and
sentences by document. Students are trained here, in their usual time, once for each seed; the
rivals are asked about the first seed's texts. Times are seconds of processor time on one
thread, which other work disturbs less than wall time.

The best static table gives each piece one vector, by ridge regression on the same texts that the
students learn from, so that the mean of a text's pieces comes nearest to its embedding.

model2vec's recipe, written out from its description (Tulkens & van Dongen 2024,
https://github.com/MinishLab/model2vec): the teacher's vector of each piece by itself, principal
components, weights by Zipf's law or SIF, the mean. It asks the teacher about every piece, so it
has seen the held-out words that are single pieces; the students have not.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.common import Stopwatch, record, this_command
from core.metrics.intervals import seeds_interval
from core.pipeline.workspace import Workspace
from core.spaces.linalg import unit_rows
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students.checkpoint import Checkpoints
from core.students.encoders.bert import in_batches, read_shape, read_teacher
from core.students.encoders.quantisation import linear_layers
from core.students.encoders.training_texts import held_out, trained_on
from core.students.encoders.wordpiece import WordPiece, read_pieces
from core.students.families.encoder import EncoderSpec
from core.students.registry import fit
from core.students.storage import parts, size_bytes
from core.students.subwords.conjugate_gradients import TrainingStage, ridge
from core.teachers.minilm import minilm_folder
from core.types import silent

SHARE, SEED = 0.05, 0
GROUP = 64
Vectors = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


def main() -> None:
    """Measure and write benchmarks/results/encoder.json."""
    parser = argparse.ArgumentParser(description="encoder students and their rivals")
    parser.add_argument("--students", nargs="*", default=["6 layers", "4 layers", "4 bag"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=500)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    space = union(Workspace(default_workspace()))
    rows = asked(space, arguments.texts, 0)
    found: dict[str, Any] = {"items": len(space), **_counts(space, rows)}
    pieces, kept = read_pieces(minilm_folder())
    shape = read_shape(minilm_folder(), space.provenance.pooling)
    teacher = read_teacher(minilm_folder(), shape, kept, pieces.longest)

    def answers(texts: Sequence[str]) -> Vectors:
        return in_batches(pieces.encode(texts), teacher, space.dim)

    found["teacher"] = {"bytes_total": 90_868_376, **measured(space, rows, answers)}
    found["teacher"]["operations"] = shape.operations(10)
    found["mean_of_training_vectors"] = mean_baseline(space, rows)
    found["rivals"] = rivals(space, rows, pieces, teacher, answers)
    found["students"] = [
        student(space, float(size), name, arguments)
        for size, name in (asked_for.split() for asked_for in arguments.students)
    ]
    record("encoder", this_command(), found)


def student(
    space: Space, megabytes: float, shape: str, arguments: argparse.Namespace
) -> dict[str, Any]:
    """One size and shape, trained once for each seed, which also draws what is held out."""
    runs = []
    for seed in range(arguments.seeds):
        size = megabytes * 1e6 / len(space)
        spec = EncoderSpec(bytes_per_item=size, held_out=SHARE, shape=shape, seed=seed)
        with Stopwatch() as watch:
            made = fit(space, spec, model=minilm_folder())
        runs.append(
            {
                "seed": seed,
                "bytes_total": size_bytes(made),
                "training_seconds": round(watch.seconds, 1),
                **measured(space, asked(space, arguments.texts, seed), made.generate),
            }
        )
        print(shape, megabytes, runs[-1], flush=True)
    over = {
        name: [round(it, 4) for it in (whole.value, whole.low, whole.high)]
        for name in runs[0]
        if name.startswith(("cosine", "pair"))
        for whole in (seeds_interval([run[name] for run in runs]),)
    }
    return {
        "shape": shape,
        "megabytes_asked": megabytes,
        "parts": parts(made),
        "parameters": made.parameters(),
        "operations": made.operations(),
        "notes": made.notes,
        "over_seeds": over,
        "runs": runs,
    }


def union(workspace: Workspace) -> Space:
    """minilm:words and minilm:sentences as one space; sentences keep their documents."""
    words, sentences = workspace.space("minilm:words"), workspace.space("minilm:sentences")
    metadata = pd.DataFrame(
        {
            "kind": ["word"] * len(words) + ["sentence"] * len(sentences),
            "document": [""] * len(words) + list(sentences.metadata["document"]),
        }
    )
    ids = [f"{kind}/{it}" for kind, part in (("w", words), ("s", sentences)) for it in part.ids]
    return Space.create(
        [*words.texts, *sentences.texts],
        np.concatenate([words.vectors, sentences.vectors]),
        replace(words.provenance, teacher="minilm:words+sentences"),
        ids=ids,
        metadata=metadata,
    )


def asked(space: Space, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Held-out rows, half of them words and half sentences where there are so many."""
    rows = np.random.default_rng(seed).permutation(held_out(space, SHARE, seed))
    words = space.metadata["kind"].to_numpy()[rows] == "word"
    half = count // 2
    return np.sort(np.concatenate([rows[words][:half], rows[~words][:half]]))


def measured(space: Space, rows: npt.NDArray[np.int64], encode: Encode) -> dict[str, Any]:
    """Fidelity on the held-out rows, and processor time."""
    texts = [space.texts[row] for row in rows]
    found, true = encode(texts), space.vectors[rows]
    words = space.metadata["kind"].to_numpy()[rows] == "word"
    mean = space.mean
    return {
        "cosine_words": _cosine(found[words], true[words]),
        "cosine_sentences": _cosine(found[~words], true[~words]),
        "cosine_centred_words": _cosine(found[words] - mean, true[words] - mean),
        "cosine_centred_sentences": _cosine(found[~words] - mean, true[~words] - mean),
        "pair_spearman_sentences": _spearman(found[~words], true[~words]),
        "pair_spearman_words": _spearman(found[words], true[words]),
        **_times(encode, [it for it, word in zip(texts, words, strict=True) if not word]),
    }


def _times(encode: Encode, sentences: list[str]) -> dict[str, Any]:
    """Microseconds of processor time a sentence, alone and many at once; the best of rounds."""
    encode(sentences[:2])
    alone, many = [], []
    for round_ in range(3):
        begin = time.process_time()
        for sentence in sentences[round_ * 10 : round_ * 10 + 10]:
            encode([sentence])
        alone.append((time.process_time() - begin) / 10)
        begin = time.process_time()
        encode(sentences[:200])
        many.append((time.process_time() - begin) / len(sentences[:200]))
    return {
        "microseconds_alone": round(1e6 * min(alone), 1),
        "microseconds_in_batches": round(1e6 * min(many), 1),
    }


def rivals(
    space: Space, rows: npt.NDArray[np.int64], pieces: WordPiece, teacher: Any, answers: Encode
) -> list[dict[str, Any]]:
    """model2vec's recipe at several sizes, and the teacher rounded to int8 and int4."""
    found = recipe(space, rows, pieces, _pieces_alone(space, pieces, teacher))
    found.append(static(space, rows, pieces))
    for bits in (8, 4):
        total, keep = _round_teacher(teacher, bits)
        found.append(
            {
                "name": f"the teacher, int{bits} in groups of {GROUP}",
                "bytes_total": total,
                **measured(space, rows, answers),
            }
        )
        teacher.load_state_dict(keep)
    return found


def recipe(
    space: Space, rows: npt.NDArray[np.int64], pieces: WordPiece, alone: Vectors
) -> list[dict[str, Any]]:
    """model2vec's, from the teacher's vectors (n, d) of each piece alone."""
    found = []
    ids = pieces.encode([space.texts[row] for row in trained_on(space, SHARE, SEED)])
    counts = np.bincount(np.concatenate(ids), minlength=len(alone)) + 1.0
    weights = 1e-3 / (1e-3 + counts / counts.sum())
    mean = alone.mean(0)
    directions = np.linalg.svd(alone - mean, full_matrices=False)[2]
    for size in (128, 256):
        # Centred, as principal components are: all single pieces share one direction.
        table = ((alone - mean) @ directions[:size].T) * weights[:, None]
        steps = np.abs(table).max(1, keepdims=True) / 127
        table = np.round(table / np.maximum(steps, 1e-12)) * steps
        encode = _bag_of(pieces, table, directions[:size])
        total = table.size + 2 * len(table) + 2 * directions[:size].size + 45_466
        figures = measured(space, rows, encode)
        said = {"name": f"model2vec's recipe, {size} dimensions, int8", "bytes_total": total}
        found.append({**said, **figures})
    return found


def static(space: Space, rows: npt.NDArray[np.int64], pieces: WordPiece) -> dict[str, Any]:
    """The best table of one vector a piece, 128 directions of it in int8."""
    from scipy.sparse import csr_matrix

    kept = trained_on(space, SHARE, SEED)
    edge = len(pieces.frame[0])
    inside = [
        ids[edge : len(ids) - edge] or ids
        for ids in pieces.encode([space.texts[row] for row in kept])
    ]
    lengths = np.array([len(ids) for ids in inside])
    shape = (len(inside), len(pieces.pieces))
    counts = np.repeat(1 / lengths, lengths).astype(np.float32)
    bags = csr_matrix((counts, np.concatenate(inside), np.r_[0, np.cumsum(lengths)]), shape=shape)
    truth = np.ascontiguousarray(space.vectors[kept])
    course = TrainingStage("learning", 0, 60, 60, silent, Checkpoints())
    table = ridge(bags, truth, 0.05, course)
    directions = np.linalg.svd(truth[::4], full_matrices=False)[2][:128]
    small = table @ directions.T
    steps = np.maximum(np.abs(small).max(1, keepdims=True) / 127, 1e-12)
    encode = _bag_of(pieces, np.round(small / steps) * steps, directions)
    total = small.size + 2 * len(small) + 2 * directions.size + 45_466
    return {
        "name": "the best static table, 128 dimensions, int8",
        "bytes_total": total,
        **measured(space, rows, encode),
    }


def _pieces_alone(space: Space, pieces: WordPiece, teacher: Any) -> Vectors:
    before, behind = pieces.frame
    ids = [[*before, row, *behind] for row in range(len(pieces.pieces))]
    return in_batches(ids, teacher, space.dim)


def _bag_of(pieces: WordPiece, table: Any, directions: Any) -> Encode:
    """The mean of the rows of a text's pieces, turned back to the teacher's dimensions."""
    edge = len(pieces.frame[0])

    def encode(texts: Sequence[str]) -> Vectors:
        inside = [ids[edge : len(ids) - edge] or ids for ids in pieces.encode(texts)]
        means = np.stack([table[ids].mean(0) for ids in inside]) @ directions
        return unit_rows(means.astype(np.float32))

    return encode


def _round_teacher(teacher: Any, bits: int) -> tuple[int, Any]:
    """Round all matrices to nearest in groups, in place: bytes, and the state before."""
    import torch

    keep = {name: it.clone() for name, it in teacher.state_dict().items()}
    coded = {f"{name}.weight" for name in linear_layers(teacher)} | {"table.weight"}
    total = 45_466
    for name, value in teacher.state_dict().items():
        if name not in coded:
            total += 2 * value.numel()
            continue
        groups = value.reshape(-1, GROUP)
        top = 2 ** (bits - 1) - 1
        step = (groups.abs().amax(1, keepdim=True) / top).clamp(min=1e-12)
        value.copy_((torch.round(groups / step) * step).reshape(value.shape))
        total += value.numel() * bits // 8 + 2 * len(groups)
    return total, keep


def mean_baseline(space: Space, rows: npt.NDArray[np.int64]) -> dict[str, float]:
    """The cosine of always answering the mean."""
    kept = trained_on(space, SHARE, SEED)
    mean = np.broadcast_to(space.vectors[kept].mean(0), (len(rows), space.dim))
    return {"cosine": _cosine(mean, space.vectors[rows])}


def _counts(space: Space, rows: npt.NDArray[np.int64]) -> dict[str, int]:
    words = space.metadata["kind"].to_numpy()[rows] == "word"
    whole = len(held_out(space, SHARE, SEED))
    return {"held_out": whole, "asked_words": int(words.sum()), "asked_sentences": int(sum(~words))}


def _cosine(one: Any, other: Any) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return round(float(((one * other).sum(1) / np.maximum(lengths, 1e-12)).mean()), 4)


def _spearman(one: Vectors, other: Vectors) -> float:
    from scipy.stats import spearmanr

    pairs = np.triu_indices(len(one), 1)
    similar = [unit_rows(np.asarray(it, np.float32)) for it in (one, other)]
    left, right = ((it @ it.T)[pairs] for it in similar)
    return round(float(spearmanr(left, right).statistic), 4)


if __name__ == "__main__":
    main()
