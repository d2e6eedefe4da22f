"""Writing toward a point: what a model writes, read again by the encoder that the point is from.

Two ways. :func:`drawn` lets the model write as it likes, several times, and ranks what it wrote by
how near it comes to the point. :func:`sought` asks while writing: in a beam search each beginning
is read by the encoder, and those go on which are near to the point and likely to the model.

Source: the second is guided decoding as in zero-shot embedding inversion (Zhang, Morris and
Shmatikov 2025), with a soft prompt in front.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.decode.sampling import Sampling
from core.types import Progress, silent, tell

if TYPE_CHECKING:
    from torch import Tensor

Nearness = Callable[[Sequence[str]], npt.NDArray[np.float32]]  # texts -> (m,) cosines to the point

STOPS = (".", "!", "?", '."', ".”")
TEMPERATURE, TOP_P = 0.7, 0.95
FEWEST_WORDS = 4  # of a sentence
REPEATED = 2.0  # nats that a token loses for standing in the text already


@dataclass(frozen=True)
class Written:
    """A text, the cosine of its own vector to the point, and the mean log-probability of its
    tokens (nats) by the model that wrote it."""

    text: str
    cosine: float
    log_probability: float


@dataclass(frozen=True)
class GuidedSearch:
    """``beams`` beginnings go on with ``wide`` next tokens each, for ``steps`` tokens at most.

    ``fluency`` is what a nat of mean log-probability counts against the cosine, ``lean`` what a
    nat of the point's own words adds when next tokens are proposed.
    """

    beams: int = 4
    wide: int = 5
    steps: int = 28
    fluency: float = 0.1
    lean: float = 0.3


# ------------------------------------------------------------------------------ best of n


def drawn(
    lm: LanguageModel,
    prompt: "Tensor",
    nearness: Nearness,
    count: int = 8,
    steps: int = 30,
    seed: int = 0,
) -> list[Written]:
    """``count`` texts in the order in which they were written: the first greedy, the rest drawn."""
    greedy = _samples(lm, prompt, Sampling(seed=seed, steps=steps), 1)
    others = _samples(lm, prompt, Sampling(TEMPERATURE, TOP_P, seed, steps), count - 1)
    texts = [(text or "…", likely) for text, likely in greedy + others]
    cosines = nearness([text for text, _ in texts])
    return [
        Written(text, float(cosine), likely)
        for (text, likely), cosine in zip(texts, cosines, strict=True)
    ]


def _samples(
    lm: LanguageModel, prompt: "Tensor", sampling: Sampling, copies: int
) -> list[tuple[str, float]]:
    if copies < 1:
        return []
    rows: list[list[int]] = [[] for _ in range(copies)]
    likely = np.zeros(copies)
    over = np.zeros(copies, np.bool_)
    for step in lm.write(prompt, sampling, copies=copies, layers=()):
        for row in np.flatnonzero(~over):
            token = int(step.ids[row])
            likely[row] += float(step.log_probabilities[row, token])
            if _line_ends(lm, token):
                over[row] = True
                continue
            rows[row].append(token)
            over[row] = _whole(lm.text(rows[row]).strip())
        if over.all():
            break
    means = [float(total / max(1, len(row))) for total, row in zip(likely, rows, strict=True)]
    return [(lm.text(row).strip(), mean) for row, mean in zip(rows, means, strict=True)]


# ------------------------------------------------------------------------------ beam search


@dataclass(frozen=True)
class _Beginning:
    parent: int
    ids: tuple[int, ...]
    total: float  # log-probability
    ended: bool = False

    @property
    def mean(self) -> float:
        return self.total / max(1, len(self.ids))


def guided_search(
    lm: LanguageModel,
    prompt: "Tensor",
    nearness: Nearness,
    leaning: npt.NDArray[np.float32],
    search: GuidedSearch | None = None,
    progress: Progress = silent,
) -> list[Written]:
    """Whole sentences near the point, best first; the longest beginnings where none was finished.

    ``leaning`` (v,) is told by the point for each token (Bridge.leaning). The order is by cosine
    and fluency together. Nothing is random. Raises Cancelled.
    """
    import torch

    asked = search or GuidedSearch()
    lean = torch.from_numpy(asked.lean * leaning).to(lm.device)
    read = lm.run(embeddings=prompt[None], cached=True)
    beams = [_Beginning(0, (), 0.0)]
    whole: list[tuple[float, Written]] = []
    unfinished: list[tuple[float, Written]] = []
    for step in range(asked.steps):
        tell(progress, step, asked.steps, "Writing toward the point")
        likely = lm.logits(read.final[:, -1]).float().log_softmax(-1)
        ranked = _ranked(lm, _grown(lm, beams, likely, lean, asked.wide), nearness, asked.fluency)
        whole += [(score, made) for score, made, one in ranked if one.ended]
        going = [(score, made, one) for score, made, one in ranked if not one.ended]
        if not going or _settled(whole, going, asked.beams):
            break
        unfinished = [(score, made) for score, made, _ in going]
        beams = [one for _, _, one in going[: asked.beams]]
        read = lm.run(
            [[one.ids[-1]] for one in beams],
            cache=_reordered(read.cache, [one.parent for one in beams]),
        )
    found = sorted(whole or unfinished, key=lambda it: -it[0])
    return [made for _, made in found]


def _grown(
    lm: LanguageModel,
    beams: Sequence[_Beginning],
    likely: "Tensor",
    lean: "Tensor",
    wide: int,
) -> list[_Beginning]:
    """Each beginning with each of its likeliest next tokens, by the model and the point's words."""
    grown = []
    for parent, one in enumerate(beams):
        wanted = likely[parent] + lean
        if one.ids:
            used = list(set(one.ids))
            wanted[used] = likely[parent, used] - REPEATED
        for token in wanted.topk(wide).indices.tolist():
            total = one.total + float(likely[parent, token])
            if _line_ends(lm, token):
                if len(lm.text(one.ids).split()) >= FEWEST_WORDS:
                    grown.append(_Beginning(parent, one.ids, total, ended=True))
                continue
            ids = (*one.ids, token)
            grown.append(_Beginning(parent, ids, total, _whole(lm.text(ids).strip())))
    return grown


def _ranked(
    lm: LanguageModel, grown: Sequence[_Beginning], nearness: Nearness, fluency: float
) -> list[tuple[float, Written, _Beginning]]:
    """Best first, each text once."""
    texts: dict[str, _Beginning] = {}
    for one in sorted(grown, key=lambda it: -it.total):
        texts.setdefault(lm.text(one.ids).strip(), one)
    texts.pop("", None)
    cosines = nearness(list(texts)) if texts else np.empty(0, np.float32)
    found = [
        (float(cosine) + fluency * one.mean, Written(text, float(cosine), one.mean), one)
        for (text, one), cosine in zip(texts.items(), cosines, strict=True)
    ]
    return sorted(found, key=lambda it: -it[0])


def _settled(
    whole: Sequence[tuple[float, Written]], going: Sequence[tuple[float, Any, Any]], beams: int
) -> bool:
    """Whether as many sentences as beams are better than whatever is still being written."""
    return sum(score > going[0][0] for score, _ in whole) >= beams


def _reordered(cache: Any, parents: Sequence[int]) -> Any:
    import torch

    cache.batch_select_indices(torch.tensor(list(parents)))
    return cache


def _line_ends(lm: LanguageModel, token: int) -> bool:
    return token in lm.ends or "\n" in lm.text([token])


def _whole(text: str) -> bool:
    """Whether a text ends as a sentence does, and has some words."""
    return text.endswith(STOPS) and len(text.split()) >= FEWEST_WORDS
