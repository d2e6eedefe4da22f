"""A text as a path through a model's meaning space: while it is written, and afterwards.

Each token is a point: the state that one layer has of it where it stands. The first token of a text
is left out of every picture, as its state is an outlier whatever it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from core.decode.detokenize import Detokenizer
from core.decode.language_model import LanguageModel
from core.decode.sampling import Sampling
from core.metrics.trajectory_statistics import step_distances
from core.paths.off_manifold import knn_percentile
from core.pipeline.models import speaker
from core.pipeline.trajectories.corpus_picture import Backdrop, backdrop, in_space, layer_of
from core.pipeline.workspace import Workspace
from core.projection.base import PcaSpec, Spec
from core.types import Progress, Queries, QueryCoords, QueryScores, silent, tell

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 64  # positions whose distributions over the vocabulary are held at a time
FIRST = 1  # the first token that is drawn
MOST_SAMPLES = 12


@dataclass(frozen=True, eq=False)
class TokenPath:
    """A text of t tokens as a path through one layer.

    ``ids`` (t,), ``pieces`` what each adds to the text, ``begun`` how many of them were the prompt.
    ``probability`` (t,) of each token after what stands before it, ``rank`` (t,) its place among
    all tokens there (1 is the likeliest) and ``entropy`` (t,) in nats of what it was chosen from;
    all three at temperature 1. The first token's are those after the model's own sign for the
    start of a text; NaN and rank 0 where it has none. ``states`` (t, d) are as the layer's space
    has them: the last layer's after the final norm.
    """

    ids: npt.NDArray[np.int64]
    pieces: tuple[str, ...]
    begun: int
    probability: npt.NDArray[np.float64]
    entropy: npt.NDArray[np.float64]
    rank: npt.NDArray[np.int64]
    states: Queries

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def text(self) -> str:
        """The tokens as they read together."""
        return "".join(self.pieces)

    def text_to(self, at: int) -> str:
        """The text up to a token and with it."""
        return "".join(self.pieces[: at + 1])


Walks: TypeAlias = tuple[TokenPath, ...]
KeepOn: TypeAlias = Callable[[Walks], bool]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A prompt and what a model made of it, on a picture of one of its layers.

    ``places`` are (t, p) for each of the ``walks``, ``percentile`` (t,) how far each state of the
    first is from the corpus' own: the share of those that are nearer to their neighbours.
    """

    model: str
    layer: int
    backdrop: Backdrop
    walks: Walks
    places: tuple[QueryCoords, ...]
    percentile: QueryScores


def trajectory(
    workspace: Workspace,
    model: str,
    prompt: str,
    sampling: Sampling,
    samples: int = 1,
    layer: int | None = None,
    spec: Spec | None = None,
    keep_on: KeepOn = lambda _: True,
    progress: Progress = silent,
) -> Trajectory:
    """Let a model go on from a prompt, and place every token on the frozen picture of its layer
    (the last where None; PCA in three dimensions where no ``spec`` is given).

    Sample i draws with seed + i. Raises InvalidSpecification for a prompt that is empty or has no
    room left, or a layer that is not there; TeacherUnavailable; Cancelled.
    """
    spec = spec or PcaSpec(dims=3)
    depth = layer_of(model, layer)
    lm = speaker(model)
    ids = lm.ids(prompt, room=sampling.steps)
    behind = backdrop(workspace, model, depth, spec, progress)

    def told(walks: Walks) -> bool:
        done = max(map(len, walks)) - len(ids)
        tell(progress, done, sampling.steps, f"{model} writes")
        return keep_on(walks)

    walks = write_paths(lm, ids, sampling, depth, samples, told)
    return Trajectory(
        model,
        depth,
        behind,
        walks,
        tuple(behind.place(token_path.states) for token_path in walks),
        far_from_corpus(workspace, behind, walks[0].states),
    )


def far_from_corpus(workspace: Workspace, behind: Backdrop, states: Queries) -> QueryScores:
    """(t,) 0..100 how far states are from the corpus' own, by their nearest 15."""
    return knn_percentile(behind.space, workspace.graph(behind.space), states)


# ------------------------------------------------------------------------------- write and read


def write_paths(
    lm: LanguageModel,
    ids: Sequence[int],
    sampling: Sampling,
    layer: int,
    samples: int = 1,
    keep_on: KeepOn = lambda _: True,
) -> Walks:
    """Go on from a prompt's tokens in ``samples`` texts side by side.

    After each token ``keep_on`` gets what is there so far, all but the newest token, whose own
    state is not known yet; its answer of False stops the writing, and what was written is kept.
    """
    prompt = read_paths(lm, [ids], layer)[0]
    rows = [_Growing(lm, prompt) for _ in range(samples)]
    for step in lm.write(ids, sampling, copies=samples, layers=[layer]):
        told = _told(step.log_probabilities, step.ids)
        states = in_space(lm, layer, step.states[0])
        for at, row in enumerate(rows):
            row.read(states[at])
            token = int(step.ids[at])
            if step.alive[at] and token not in lm.ends:
                share, entropy, rank = (float(it[at]) for it in told)
                row.choose(token, (share, entropy, rank))
        if not keep_on(tuple(row.token_path() for row in rows)):
            break
    return read_paths(lm, [row.ids for row in rows], layer, len(ids))


def read_paths(
    lm: LanguageModel, texts: Sequence[Sequence[int]], layer: int, begun: int | None = None
) -> Walks:
    """Texts of tokens that are there already as paths, each by one pass.

    The first ``begun`` tokens of each were the prompt, all of them where None.
    """
    return tuple(_read(lm, list(ids), layer, begun) for ids in texts)


def _read(lm: LanguageModel, ids: list[int], layer: int, begun: int | None) -> TokenPath:
    run = lm.run([ids], layers=[layer])
    told = [_first(lm, ids[0])]
    for start in range(0, len(ids) - 1, AT_ONCE):
        said = lm.logits(run.final[0, start : start + AT_ONCE]).float().log_softmax(-1)
        after = ids[start + 1 : start + 1 + AT_ONCE]
        told.append(_told(said[: len(after)], np.array(after)))
    probability, entropy, rank = (np.concatenate(it) for it in zip(*told, strict=True))
    return TokenPath(
        np.array(ids, np.int64),
        Detokenizer(lm.text, ids).all(),
        len(ids) if begun is None else begun,
        probability,
        entropy,
        rank.astype(np.int64),
        in_space(lm, layer, run.stream[layer][0].float().cpu().numpy()),
    )


def shuffled(lm: LanguageModel, token_path: TokenPath, layer: int, seed: int = 0) -> TokenPath:
    """The same tokens in another order, read as a text of their own: the control that says what a
    path owes to its words alone. The first token stays, as its state is no word's."""
    order = np.random.default_rng(seed).permutation(np.arange(FIRST, len(token_path)))
    ids = [int(token_path.ids[0]), *(int(token_path.ids[at]) for at in order)]
    return read_paths(lm, [ids], layer)[0]


def mean_step(token_path: TokenPath, behind: Backdrop) -> float:
    """How long a step is: the mean of 1 - cosine from a state to the next, seen from the corpus'
    mean, 0 to 2; NaN for a text of fewer than two drawn tokens."""
    own = token_path.states[FIRST:] - behind.space.mean
    return float(step_distances(own).mean()) if len(own) > 1 else float("nan")


# ------------------------------------------------------------------------------------ branches


@dataclass(frozen=True)
class Branch:
    """Where a sample parts from the others: it shares the first ``at`` tokens with ``parent``."""

    parent: int
    at: int


def branches(walks: Sequence[TokenPath]) -> list[Branch]:
    """The tree of samples: each grows from the earlier one that it goes along with for longest.

    The first is the trunk: it parts from itself at 0.
    """
    found = [Branch(0, 0)] if walks else []
    for row, token_path in enumerate(walks[1:], 1):
        shared = [shared_start(token_path.ids, other.ids) for other in walks[:row]]
        parent = int(np.argmax(shared))
        found.append(Branch(parent, shared[parent]))
    return found


def shared_start(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> int:
    """How many tokens two texts begin with alike.

    >>> shared_start(np.array([5, 6, 7]), np.array([5, 6, 8]))
    2
    """
    short = min(len(one), len(other))
    unlike = np.flatnonzero(one[:short] != other[:short])
    return int(unlike[0]) if len(unlike) else short


# ----------------------------------------------------------------------------------- as it grows


class _Growing:
    """One text while it is written; a token's own state comes a pass after its choice."""

    def __init__(self, lm: LanguageModel, prompt: TokenPath) -> None:
        self.prompt = prompt
        self.ids = prompt.ids.tolist()
        self.pieces = Detokenizer(lm.text, self.ids)
        self.told: list[tuple[float, float, float]] = []
        self.states: list[npt.NDArray[np.float32]] = []

    def read(self, state: npt.NDArray[np.float32]) -> None:
        """The state at the place where the next token is chosen: the latest token's own."""
        if len(self.states) < len(self.told):
            self.states.append(state)

    def choose(self, token: int, told: tuple[float, float, float]) -> None:
        self.ids.append(token)
        self.pieces.add(token)
        self.told.append(told)

    def token_path(self) -> TokenPath:
        """All tokens whose states are known."""
        start, count = self.prompt, len(self.states)
        if not count:
            return start
        told = np.array(self.told[:count])
        return replace(
            start,
            ids=np.array(self.ids[: len(start) + count], np.int64),
            pieces=self.pieces.all()[: len(start) + count],
            probability=np.concatenate([start.probability, told[:, 0]]),
            entropy=np.concatenate([start.entropy, told[:, 1]]),
            rank=np.concatenate([start.rank, told[:, 2].astype(np.int64)]),
            states=np.concatenate([start.states, np.stack(self.states)]),
        )


# ---------------------------------------------------------------------------- what was expected


def _told(
    said: "Tensor", ids: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Probability, entropy and rank of tokens (m,), after log-probabilities (m, v)."""
    import torch

    tokens = torch.from_numpy(np.asarray(ids, np.int64)).to(said.device)[:, None]
    with torch.inference_mode():
        own = said.gather(1, tokens)
        entropy = torch.special.entr(said.exp()).sum(-1)
        rank = (said > own).sum(-1) + 1
    return (
        own[:, 0].exp().double().cpu().numpy(),
        entropy.double().cpu().numpy(),
        rank.cpu().numpy(),
    )


def _first(
    lm: LanguageModel, token: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """What was expected at a text's start, after the model's own sign for it."""
    words = lm.tokenizer
    start = words.bos_token_id if words.bos_token_id is not None else words.eos_token_id
    if start is None or token == start:
        return np.array([np.nan]), np.array([np.nan]), np.array([0])
    said = lm.logits(lm.run([[int(start)]]).final[0]).float().log_softmax(-1)
    return _told(said, np.array([token]))
