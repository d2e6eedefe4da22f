"""Steering: a direction added to a model's states while it writes, and what that costs.

The direction is the **difference of means** of the states of two groups of prompts in one layer,
as contrastive activation addition has it (Rimsky and others 2024, arXiv:2312.06681), but of all
tokens of a prompt rather than of the answer's alone. Activation addition (Turner and others 2023,
arXiv:2308.10248) takes one pair, position by position. Here it is made 1 long and added at every
position but the first, ``strength`` times as long as the states of that layer usually are.

The first position of a text holds a state of enormous length whatever stands there (Xiao and others
2023, "attention sinks"): it is left out of means and never added to. Prompts are read behind an
opening token, so that it is this token, not a prompt's first word, that is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.decode.residual_stream import Edit
from core.decode.sampling import Sampling
from core.errors import InvalidSpecification, InvalidVectors
from core.models.batching import in_batches, memory
from core.types import Matrix, Progress, Queries, QueryScores, Vector, silent, tell

ROWS = 48  # texts written side by side
READ = 64  # texts read side by side
AT_ONCE = 256  # positions whose whole vocabulary is looked at together
ZERO = 1e-6  # of the usual length: a difference that is only rounding
RUN = 3  # tokens in a row that, met again, are a repetition


@dataclass(frozen=True, eq=False)
class Direction:
    """Where to push the states of ``layer``: ``unit`` (d,) of length 1, ``usual`` the mean length
    of a state there, ``apart`` how far the two means lay from each other in units of ``usual``."""

    layer: int
    unit: Vector
    usual: float
    apart: float

    def times(self, strengths: Sequence[float]) -> Queries:
        """(m, d) what is added at each strength; 1 is as long as the layer's states usually are."""
        scale = np.asarray(strengths, np.float32)[:, None] * np.float32(self.usual)
        return np.ascontiguousarray(scale * self.unit[None])


def opening(model: LanguageModel) -> int:
    """The token that texts begin with: the model's own, else one that ends them."""
    said = model.tokenizer.bos_token_id
    return int(said) if said is not None else min(model.ends, default=0)


def _opened(model: LanguageModel, text: str) -> list[int]:
    """The tokens of a text behind one opening token; some tokenizers put it there themselves."""
    first, ids = opening(model), model.ids(text, room=1)
    return ids if ids[0] == first else [first, *ids]


def mean_states(
    model: LanguageModel, texts: Sequence[str], layers: Sequence[int]
) -> dict[int, Queries]:
    """By layer, (m, d) the mean state of each text's tokens behind an opening token."""
    rows = [_opened(model, text) for text in texts]
    found: dict[int, list[npt.NDArray[np.float32]]] = {layer: [] for layer in layers}

    def read(part: slice) -> None:
        stream = model.run(rows[part], layers=layers).stream
        for layer in layers:
            for row, ids in enumerate(rows[part]):
                states = stream[layer][row, 1 : len(ids)]
                found[layer].append(states.mean(0).float().cpu().numpy())

    for _ in in_batches(len(rows), READ, read):
        pass
    return {layer: np.stack(states) for layer, states in found.items()}


def usual_lengths(
    model: LanguageModel,
    rows: Sequence[Sequence[int]],
    layers: Sequence[int],
    progress: Progress = silent,
) -> dict[int, float]:
    """By layer, the mean length of the states of texts given as ids, position 0 left out."""
    sums, count, done = dict.fromkeys(layers, 0.0), 0, 0

    def read(part: slice) -> None:
        nonlocal count, done
        tell(progress, done, len(rows), "Measuring how long states are")
        stream = model.run(rows[part], layers=layers).stream
        for layer in layers:
            for row, ids in enumerate(rows[part]):
                sums[layer] += float(stream[layer][row, 1 : len(ids)].norm(dim=-1).sum())
        count += sum(len(ids) - 1 for ids in rows[part])
        done += len(rows[part])

    for _ in in_batches(len(rows), READ // 4, read):
        pass
    return {layer: total / max(count, 1) for layer, total in sums.items()}


def contrast(layer: int, plus: Matrix, minus: Queries, usual: float) -> Direction:
    """From the mean of ``minus`` (m, d) to that of ``plus`` (n, d), both states of ``layer``.

    Raises InvalidVectors where the two means are the same point.
    """
    away = plus.mean(axis=0, dtype=np.float64) - minus.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(away))
    if length <= ZERO * usual:
        raise InvalidVectors(
            f"found two groups of prompts with the same mean state in layer {layer}; expected "
            "groups that differ: write other prompts"
        )
    return Direction(layer, (away / length).astype(np.float32), usual, length / usual)


def random_unit(dim: int, seed: int) -> Vector:
    """(d,) a direction of length 1, every one as likely as any other."""
    drawn = np.random.default_rng(seed).normal(size=dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def push(layer: int, vectors: Queries) -> Edit:
    """Vectors (b, d), one a text, added to the states of ``layer`` at every position but the
    first, and at every position that is written later."""
    return Edit(layer=layer, vectors=vectors, first=1, last=None, how="add")


def write_pushed(
    model: LanguageModel,
    prompt: Sequence[int],
    sampling: Sampling,
    layers: Sequence[int],
    vectors: Matrix,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> list[list[int]]:
    """What n texts from one prompt go on with, text i pushed by ``vectors[i]`` (n, d) in
    ``layers[i]`` and drawing with ``seeds[i]``: equal seeds meet equal draws, so that texts part
    only where the push makes them part. Raises Cancelled.

    The ids written, without the token that ends a text.
    """
    total, done = len(seeds) * sampling.steps, 0

    def write(part: slice) -> list[list[int]]:
        nonlocal done
        edits = list(_edits(layers[part], vectors[part]))
        rows: list[list[int]] = [[] for _ in seeds[part]]
        steps = model.write(
            prompt, sampling, copies=len(rows), edits=edits, layers=[], seeds=seeds[part]
        )
        for number, step in enumerate(steps):
            tell(progress, done * sampling.steps + number * len(rows), total, "Writing")
            for row, (chosen, alive) in enumerate(zip(step.ids, step.alive, strict=True)):
                if alive and int(chosen) not in model.ends:
                    rows[row].append(int(chosen))
        done += len(rows)
        return rows

    return [row for part in in_batches(len(seeds), ROWS, write) for row in part]


def _edits(layers: Sequence[int], vectors: Matrix) -> Iterable[Edit]:
    """One edit a layer; texts that are pushed elsewhere get zeros there."""
    for layer in sorted(set(layers)):
        own = np.array([it == layer for it in layers])
        yield push(layer, np.where(own[:, None], vectors, np.float32(0)))


def perplexities(
    model: LanguageModel,
    prompt: Sequence[int],
    texts: Sequence[Sequence[int]],
    progress: Progress = silent,
) -> QueryScores:
    """(m,) how surprised the model itself is, unsteered, by what stands behind the prompt: the
    exponential of the mean negative log-probability of a token. NaN where nothing was written.

    1 is no surprise; as many as there are words in the vocabulary is pure chance. It does not see
    repetition: a text that goes round in circles surprises little.
    """

    def judge(part: slice) -> npt.NDArray[np.float32]:
        tell(progress, part.start, len(texts), "Reading it unsteered")
        surprise = _surprises(model, prompt, texts[part])
        means = [np.mean(own, dtype=np.float64) if len(own) else np.nan for own in surprise]
        return np.exp(means).astype(np.float32)

    return np.concatenate(list(in_batches(len(texts), ROWS // 2, judge)))


def _surprises(
    model: LanguageModel, prompt: Sequence[int], texts: Sequence[Sequence[int]]
) -> list[npt.NDArray[np.float32]]:
    """The negative log-probability of each token of each text behind the prompt."""
    import torch

    with memory(), torch.inference_mode():
        final = model.run([[*prompt, *text] for text in texts]).final
        rows = [final[row, len(prompt) - 1 :][: len(text)] for row, text in enumerate(texts)]
        states = torch.cat(rows)  # (positions of all texts, d)
        ids = torch.tensor([it for text in texts for it in text], device=states.device).long()
        parts = zip(torch.split(states, AT_ONCE), torch.split(ids, AT_ONCE), strict=True)
        found = [
            -model.logits(some).float().log_softmax(-1).gather(1, own[:, None])[:, 0]
            for some, own in parts
        ]
        flat: npt.NDArray[np.float32] = torch.cat(found).cpu().numpy()
    ends = np.cumsum([len(text) for text in texts])
    return np.split(flat, ends[:-1])


def repeated(ids: Sequence[int]) -> float:
    """The share, 0 to 1, of a text's runs of three tokens that stood in it before.

    >>> repeated([1, 2, 3, 1, 2, 3])
    0.25
    """
    runs = [tuple(ids[at : at + RUN]) for at in range(len(ids) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def require_prompts(name: str, prompts: Sequence[str]) -> tuple[str, ...]:
    """The prompts without empty ones, each once. Raises InvalidSpecification where none is left."""
    kept = tuple(dict.fromkeys(filter(None, (prompt.strip() for prompt in prompts))))
    if not kept:
        raise InvalidSpecification(
            f"found no prompts that say {name}; expected one or more: write one"
        )
    return kept
