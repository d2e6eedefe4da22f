"""Learning the bridge: first which words fit a point, then the prompt around them.

The words are learnt without the language model, as a softmax over the list. The prompt is learnt
through it: its own weights stay, and what it says about the true sentence after the soft prompt
goes back into opening, closing and turn alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.decode.soft_prompt import Bridge
from core.pipeline.points.bridge_data import Lessons, astray
from core.progress import scaled
from core.students.checkpoint import Checkpoints
from core.students.training import Schedule, train
from core.types import Matrix, Progress, Queries, silent

if TYPE_CHECKING:
    from torch import Tensor

OPENING, CLOSING = "Words:", "\nSentence:"  # what the prompt is before it has learnt anything
PARTS_LEARNT = ("words", "prompt")  # each with a folder of its own while it is trained
SHARPNESS = 15.0  # of the cosines between point and word, to begin with
COMMONNESS = 0.5  # of a word's log frequency, to begin with
BEGINNING = (OPENING, CLOSING, SHARPNESS, COMMONNESS)  # other ones make another bridge


@dataclass(frozen=True)
class BridgeSpec:
    """How much is learnt: steps and sentences a step of the words, then of the prompt, whose
    sentences are cut after ``longest`` tokens."""

    word_steps: int = 500
    word_batch: int = 256
    word_rate: float = 3e-3
    prompt_steps: int = 120
    prompt_batch: int = 12
    prompt_rate: float = 2e-3
    longest: int = 20
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def train_bridge(
    lm: LanguageModel,
    taught: Lessons,
    spelled: Queries,
    texts: Sequence[str],
    points: Matrix,
    spec: BridgeSpec,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Bridge:
    """The bridge from lessons, with ``spelled`` (v, d) the points of the list's own words, and
    sentences with their points (n, d).

    With a folder it goes on from what was learnt before. Raises Cancelled, once that is kept.
    """
    keep = [None if folder is None else folder / part for part in PARTS_LEARNT]
    directions, offsets = _learn_words(
        taught, spelled, spec, Checkpoints(keep[0]), partial(scaled, progress, 0, 30)
    )
    table = lm.model.get_input_embeddings().weight.detach().cpu().numpy()
    start = Bridge(
        directions,
        offsets,
        taught.tokens,
        table[lm.ids(OPENING)],
        (closing := table[lm.inner_ids(CLOSING)]),
        np.zeros((*closing.shape, points.shape[1]), np.float32),
    )
    return _learn_prompt(
        lm, start, texts, points, spec, Checkpoints(keep[1]), partial(scaled, progress, 30, 100)
    )


def _learn_words(
    taught: Lessons,
    spelled: Queries,
    spec: BridgeSpec,
    checkpoints: Checkpoints,
    progress: Progress,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(v, d) and (v,): a softmax over the words, begun at the cosine with each word's own point."""
    import torch

    module = torch.nn.Linear(spelled.shape[1], len(spelled))
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(SHARPNESS * spelled))
        common = np.log(taught.counts / taught.counts.mean())
        module.bias.copy_(torch.from_numpy(COMMONNESS * common))

    def loss(_: int, draw: np.random.Generator) -> "Tensor":
        points, shares = (torch.from_numpy(array) for array in taught.batch(spec.word_batch, draw))
        nats: Tensor = -(shares * module(points).log_softmax(-1)).sum(-1)
        return nats.mean()

    schedule = Schedule(spec.word_steps, spec.word_rate)
    train(module, loss, schedule, spec.seed, progress, checkpoints, message="Learning the words")
    return module.weight.detach().numpy(), module.bias.detach().numpy()


def _learn_prompt(
    lm: LanguageModel,
    start: Bridge,
    texts: Sequence[str],
    points: Matrix,
    spec: BridgeSpec,
    checkpoints: Checkpoints,
    progress: Progress,
) -> Bridge:
    """Opening, closing and turn, by what the model says of each sentence after its prompt."""
    import torch

    module: Any = torch.nn.ParameterDict(
        {name: torch.from_numpy(np.array(getattr(start, name))) for name in PARTS}
    )
    for weight in lm.model.parameters():
        weight.requires_grad_(False)
    ids = [_cut(lm, text, spec.longest) for text in texts]
    order = np.argsort([len(row) for row in ids], kind="stable")

    def loss(_: int, draw: np.random.Generator) -> "Tensor":
        first = int(draw.integers(0, max(1, len(order) - spec.prompt_batch + 1)))
        rows = order[first : first + spec.prompt_batch]  # of about one length
        off = astray(points[rows], draw)
        return sentence_loss(lm, start, module, [ids[row] for row in rows], off)

    schedule = Schedule(spec.prompt_steps, spec.prompt_rate, warm_up=10)
    train(module, loss, schedule, spec.seed, progress, checkpoints, message="Learning the prompt")
    made = {name: module[name].detach().numpy() for name in PARTS}
    return Bridge(start.directions, start.offsets, start.tokens, **made)


PARTS = ("opening", "closing", "turn")


def sentence_loss(
    lm: LanguageModel, words: Bridge, parts: Any, ids: Sequence[Sequence[int]], points: Queries
) -> "Tensor":
    """Mean nats a token of sentences ``ids`` after the soft prompts of ``points`` (b, d).

    ``words`` says which words stand in a prompt; ``parts`` hold opening, closing and turn.
    """
    import torch

    table = lm.model.get_input_embeddings().weight.detach()
    longest = max(map(len, ids))
    rows = [[*row, *[row[-1]] * (longest - len(row))] for row in ids]
    padded = torch.tensor(rows, device=table.device)
    told = torch.tensor([words.words(point) for point in points], device=table.device)
    turned = parts["closing"] + torch.einsum("bed,nd->nbe", parts["turn"], torch.from_numpy(points))
    turned = turned.to(table.device)
    opening = parts["opening"].to(table.device).expand(len(ids), -1, -1)
    whole = torch.cat([opening, table[told], turned, table[padded]], dim=1)
    final = lm.model.base_model(inputs_embeds=whole, use_cache=False).last_hidden_state
    said = lm.head(final[:, -longest - 1 : -1])
    within = [[at < len(row) for at in range(longest)] for row in ids]
    real = torch.tensor(within, device=table.device)
    loss: Tensor = torch.nn.functional.cross_entropy(said[real].float(), padded[real])
    return loss


def _cut(lm: LanguageModel, text: str, longest: int) -> list[int]:
    """A sentence's tokens with the line end behind them, or the first ``longest``."""
    return lm.inner_ids(f" {text}\n")[:longest]
