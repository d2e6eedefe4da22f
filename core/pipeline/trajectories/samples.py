"""Texts of several kinds as paths of equal length through one layer: what their laws are read off.

All kinds of one document begin with the same few tokens. Then a person goes on, or the model, or
the person's tokens come in another order; or there is no text at all, and states are made up: the
person's states in another order, and random walks whose steps are as long as the person's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel, Pass
from core.decode.sampling import Sampling
from core.metrics.trajectory_statistics import random_walk, step_lengths, turning_angles
from core.models.batching import in_batches
from core.types import Matrix, Progress, silent, tell

KINDS = {
    "people": "written by people",
    "greedy": "by the model, always the likeliest word",
    "sampled": "by the model, drawn at temperature 1",
    "shuffled": "the people's words, shuffled",
    "jumbled": "the people's states, in another order",
    "walk": "a random walk, to all sides alike",
    "shaped": "a random walk, shaped like the corpus",
}
TEXTS = ("people", "greedy", "sampled", "shuffled")  # kinds that a model reads
AT_ONCE = 16  # texts that are written side by side
READ_AT_ONCE = 8

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Telling:
    """A document's texts, by kind: ids that begin with the same prompt, all of one length."""

    document: str
    prompt: int  # tokens
    ids: dict[str, list[int]]


@dataclass(frozen=True, eq=False)
class Followed:
    """What a text's tokens behind the prompt come to: states (m, d) in the chosen layer, the
    entropy (m,) of the word that comes next, in nats, and the mean turning angle in each layer."""

    states: Matrix
    entropy: Floats
    turns: Floats  # (layers,)


def tellings(
    lm: LanguageModel,
    passages: Sequence[tuple[str, list[int]]],
    prompt: int,
    fewest: int,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Telling]:
    """Each passage (document, ids) with its counterparts.

    Where the model ends a text early, all of that document's are cut to its length, and left out
    with fewer than ``fewest`` tokens behind the prompt. Raises Cancelled, NotEnoughMemory.
    """
    found = []
    for first in range(0, len(passages), AT_ONCE):
        part = passages[first : first + AT_ONCE]
        beginnings = [ids[:prompt] for _, ids in part]
        written = len(part[0][1]) - prompt
        own = {}
        for number, (kind, temperature) in enumerate((("greedy", 0.0), ("sampled", 1.0))):
            sampling = Sampling(temperature, seed=seed + first, steps=written)
            rows = []
            for step, tokens in enumerate(_written(lm, beginnings, sampling)):
                done = 2 * first + (number + step / written) * len(part)
                message = "letting the model go on from the same beginnings"
                tell(progress, round(done), 2 * len(passages), message)
                rows.append(tokens)
            own[kind] = [_until_end(lm, row) for row in np.stack(rows, axis=1).tolist()]
        for row, (document, ids) in enumerate(part):
            kinds = {"people": ids[prompt:], **{kind: own[kind][row] for kind in own}}
            length = min(map(len, kinds.values()))
            if length < fewest:
                continue
            people = kinds["people"][:length]
            order = np.random.default_rng([seed, first + row]).permutation(length)
            kinds["shuffled"] = [people[at] for at in order]
            whole = {kind: [*ids[:prompt], *kinds[kind][:length]] for kind in TEXTS}
            found.append(Telling(document, prompt, whole))
    return found


def _written(
    lm: LanguageModel, beginnings: Sequence[Sequence[int]], sampling: Sampling
) -> Iterator[npt.NDArray[np.int64]]:
    """(b,) the next token of each text, again and again; an ended text has its last id of
    :attr:`LanguageModel.ends` in it."""
    import torch

    table = lm.model.get_input_embeddings()
    with torch.inference_mode():
        vectors = table(
            torch.tensor([list(beginning) for beginning in beginnings], device=lm.device)
        )
    count = 0
    for step in lm.write(vectors, sampling, layers=()):
        count += 1
        yield step.ids
    for _ in range(count, sampling.steps):  # all have ended
        yield step.ids


def _until_end(lm: LanguageModel, ids: list[int]) -> list[int]:
    return ids[: next((at for at, it in enumerate(ids) if it in lm.ends), len(ids))]


def follow(
    lm: LanguageModel,
    texts: Sequence[list[int]],
    prompt: int,
    layer: int,
    progress: Progress = silent,
) -> list[Followed]:
    """Each text read once. The last layer's states are those after the final norm, as its space
    has them. Raises Cancelled, NotEnoughMemory."""

    def read(rows: slice) -> list[Followed]:
        tell(progress, rows.start, len(texts), "reading all texts")
        part = texts[rows]
        found = lm.run(part, layers=range(lm.depth))
        return [
            _followed(lm, found, row, slice(prompt, len(ids)), layer)
            for row, ids in enumerate(part)
        ]

    batches = in_batches(len(texts), READ_AT_ONCE, read)
    return [text for batch in batches for text in batch]


def _followed(lm: LanguageModel, one_pass: Pass, row: int, at: slice, layer: int) -> Followed:
    streams = [one_pass.stream[it][row, at] for it in range(lm.depth)] + [one_pass.final[row, at]]
    layers = [stream.float().cpu().numpy() for stream in streams]
    said = lm.logits(streams[-1]).double().log_softmax(-1)
    return Followed(
        np.ascontiguousarray(layers[layer]),
        -(said.exp() * said).sum(-1).cpu().numpy(),
        np.array([turning_angles(layer).mean() for layer in layers]),
    )


def made_up(people: Matrix, root: Floats, generator: np.random.Generator) -> dict[str, Matrix]:
    """The kinds without a text, from the people's states (m, d) and a root (d, d) of the corpus'
    covariance: from the same first state, in steps of the same lengths."""
    lengths = step_lengths(people)
    return {
        "jumbled": people[generator.permutation(len(people))],
        "walk": random_walk(people[0], lengths, generator).astype(np.float32),
        "shaped": random_walk(people[0], lengths, generator, root).astype(np.float32),
    }
