"""What each layer would say: states of the residual stream read as words.

The **logit lens** (nostalgebraist 2020) reads a layer's states as if they were the last one's. The
**fitted lens** first maps them to what the last layer makes of them: an affine map a layer, after
the tuned lens of Belrose and others 2023, whose form it has: the state and a linear correction to
it. Theirs is trained to say the same words; ours is a ridge regression of what is still to come on
what is there, solved at once from sums over tokens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.decode.language_model import LanguageModel
from core.errors import InvalidSpecification
from core.models.batching import in_batches
from core.types import Progress, silent, tell

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]

STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)  # of the mean variance of a direction
AT_ONCE = 8  # texts in a pass
SINK = 10  # times the median norm of its layer: a state that attention rests on, not a meaning
ROWS = 256  # states read at once: each is a row of the whole vocabulary
JUDGED = 4  # one token in so many is judged: each costs the whole vocabulary in every layer


@dataclass(frozen=True, eq=False)
class FittedLens:
    """For each layer but the last, states x (d,) become ``x @ maps[layer] + shifts[layer]``.

    ``maps`` (depth, d, d), ``shifts`` (depth, d), ``strengths`` the ridge of each, in mean
    variances of a direction.
    """

    maps: Single
    shifts: Single
    strengths: tuple[float, ...]

    def __call__(self, states: "Tensor", layer: int) -> "Tensor":
        """(..., d) what the last layer is taken to make of states (..., d); its own stay."""
        import torch

        if layer == len(self.maps):
            return states
        maps, shifts = (
            torch.from_numpy(np.array(it[layer])).to(states) for it in (self.maps, self.shifts)
        )
        return states @ maps + shifts


class Sums:
    """Sums over tokens from which every layer's regression on the last one is solved; no state is
    kept. ``x`` (l, d), ``xx`` and ``xy`` (l, d, d), ``y`` (d,), ``yy`` (d,), in float64; a batch's
    products are taken in float32, which is twice as fast and loses nothing that the ridge sees."""

    def __init__(self, layers: int, dim: int) -> None:
        self.count = 0
        self.x = np.zeros((layers, dim))
        self.xx = np.zeros((layers, dim, dim))
        self.xy = np.zeros((layers, dim, dim))
        self.y = np.zeros(dim)
        self.yy = np.zeros(dim)

    def add(self, streams: "Mapping[int, Tensor]") -> None:
        """States (n, d) of the same tokens by layer, the last one's among them."""
        last = streams[len(self.x)].float()
        self.count += len(last)
        self.y += _double(last.double().sum(0))
        self.yy += _double(last.double().square().sum(0))
        for layer in range(len(self.x)):
            states = streams[layer].float()
            self.x[layer] += _double(states.double().sum(0))
            self.xx[layer] += _double(states.T @ states)
            self.xy[layer] += _double(states.T @ last)

    def __add__(self, other: "Sums") -> "Sums":
        sums = Sums(*self.x.shape)
        for name, value in vars(self).items():
            setattr(sums, name, value + getattr(other, name))
        return sums

    def centred(self, layer: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Means of x and of y (d,), and the sums of squares and products about them (d, d)."""
        mean, aim = self.x[layer] / self.count, self.y / self.count
        xx = self.xx[layer] - self.count * np.outer(mean, mean)
        return mean, aim, xx, self.xy[layer] - self.count * np.outer(mean, aim)

    def error(self, layer: int, matrix: Floats, shift: Floats) -> float:
        """The mean squared distance of ``x @ matrix + shift`` to y."""
        xx, xy, x, y = self.xx[layer], self.xy[layer], self.x[layer], self.y
        squares = self.yy.sum() - 2 * np.sum(matrix * xy) + np.sum(matrix * (xx @ matrix))
        shifted = 2 * shift @ (x @ matrix - y) + self.count * shift @ shift
        return float((squares + shifted) / self.count)


def summed(lm: LanguageModel, texts: Sequence[Sequence[int]], progress: Progress = silent) -> Sums:
    """The sums over every token of the texts but the first, and but others whose state is such an
    outlier in some layer. Raises Cancelled, NotEnoughMemory."""
    sums = Sums(lm.depth, lm.dim)
    for done, streams in _streams(lm, texts):
        tell(progress, done, len(texts), "reading the texts that the lens is fitted on")
        sums.add(streams)
    return sums


def fit_lens(own: Sums, check: Sums, progress: Progress = silent) -> FittedLens:
    """The lens: each layer's ridge is the one of :data:`STRENGTHS` with the least error on
    ``check``, and is then solved on both together. Raises InvalidSpecification for fewer than two
    tokens in one of them, Cancelled.
    """
    if min(own.count, check.count) < 2:
        raise InvalidSpecification(
            f"found {own.count} tokens to fit a lens on and {check.count} to choose its strength; "
            "expected at least 2 of each: bring longer texts"
        )
    both, depth = own + check, len(own.x)
    maps, shifts, chosen = [], [], []
    for layer in range(depth):
        tell(progress, layer, depth, f"fitting the lens of layer {layer}")
        tried = zip(STRENGTHS, _ridges(own, layer, STRENGTHS), strict=True)
        errors = {strength: check.error(layer, *ridge) for strength, ridge in tried}
        best = min(errors, key=errors.__getitem__)
        [(matrix, shift)] = _ridges(both, layer, [best])
        maps.append(matrix.astype(np.float32))
        shifts.append(shift.astype(np.float32))
        chosen.append(best)
    return FittedLens(np.stack(maps), np.stack(shifts), tuple(chosen))


def _ridges(sums: Sums, layer: int, strengths: Sequence[float]) -> Iterator[tuple[Floats, Floats]]:
    """(matrix, shift) of each strength, from one decomposition. The more ridge, the nearer is the
    matrix to one that changes nothing."""
    from scipy.linalg import eigh

    mean, aim, xx, xy = sums.centred(layer)
    values, vectors = eigh(xx)
    turned = vectors.T @ (xy - xx)
    for strength in strengths:
        ridge = strength * max(float(values.mean()), np.finfo(float).tiny)
        matrix = vectors @ (turned / (np.maximum(values, 0) + ridge)[:, None])
        matrix[np.diag_indices_from(matrix)] += 1
        yield matrix, aim - mean @ matrix


# ---------------------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class LensGrid:
    """What a lens reads off l layers (0 to the last) at the t positions of a text.

    ``ids`` (t,) the text; ``top`` and ``probabilities`` (l, t, k) the likeliest next tokens;
    ``entropy`` (l, t) in nats; ``rank`` and ``share`` (l, t) place and probability of the token
    that the model itself finds likeliest in the end, 1 for the first; ``states`` (l, t, d).
    """

    ids: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    probabilities: Single
    entropy: Single
    rank: npt.NDArray[np.int64]
    share: Single
    states: Single

    @cached_property
    def appears(self) -> npt.NDArray[np.int64]:
        """(t,) the first layer from which on the model's own answer stays the likeliest."""
        right = self.rank == 1
        stays = np.logical_and.accumulate(right[::-1], axis=0)[::-1]
        return np.asarray(stays.argmax(axis=0), np.int64)


def lens_grid(
    lm: LanguageModel, ids: Sequence[int], fitted: FittedLens | None = None, k: int = 5
) -> LensGrid:
    """Read every layer at every position; without ``fitted`` by the logit lens.

    Raises InvalidSpecification for a k that is no number of tokens, NotEnoughMemory.
    """
    import torch

    if not 1 <= k <= lm.vocabulary:
        raise InvalidSpecification(f"found k = {k}; expected 1 to {lm.vocabulary:,} words a cell")
    every = list(range(lm.depth + 1))
    stream = lm.run([ids], layers=every).stream
    answers = torch.cat(
        list(in_batches(len(ids), ROWS, lambda at: lm.lens(stream[lm.depth][0, at]).argmax(-1)))
    )
    found = [_cells(lm, layer, stream[layer][0], answers, fitted, k) for layer in every]
    top, shares, entropy, rank, share = (np.stack(it) for it in zip(*found, strict=True))
    states = np.stack([stream[layer][0].float().cpu().numpy() for layer in every])
    return LensGrid(np.array(ids, np.int64), top, shares, entropy, rank, share, states)


def _cells(
    lm: LanguageModel,
    layer: int,
    states: "Tensor",
    answers: "Tensor",
    fitted: FittedLens | None,
    k: int,
) -> tuple[npt.NDArray[np.generic], ...]:
    """top, probabilities (t, k), entropy, rank, share (t,) of a layer's states (t, d)."""
    import torch

    def read(at: slice) -> "tuple[Tensor, ...]":
        seen = states[at] if fitted is None else fitted(states[at], layer)
        said = lm.lens(seen).float().log_softmax(-1)
        likeliest, tokens = said.topk(k, dim=-1)
        answer = said.gather(1, answers[at, None])
        rank = (said > answer).sum(-1) + 1
        spread = -(said.exp() * said).sum(-1)
        return tokens, likeliest.exp(), spread, rank, answer[:, 0].exp()

    with torch.inference_mode():
        parts = zip(*in_batches(len(states), ROWS, read), strict=True)
        return tuple(torch.cat(list(part)).cpu().numpy() for part in parts)


@dataclass(frozen=True, eq=False)
class Judged:
    """Both lenses on n texts, (2, depth + 1, n): the logit lens first, then the fitted one.

    ``agrees`` counts the tokens whose likeliest word is the model's own, ``divergence`` sums the
    Kullback-Leibler divergence of the model's own distribution from the lens' in nats; ``tokens``
    (n,) are how many were read.
    """

    agrees: Floats
    divergence: Floats
    tokens: npt.NDArray[np.int64]


def judge(
    lm: LanguageModel,
    texts: Sequence[Sequence[int]],
    fitted: FittedLens,
    progress: Progress = silent,
) -> Judged:
    """Both lenses on every fourth token of texts. Raises Cancelled, NotEnoughMemory."""
    at = slice(JUDGED - 1, None, JUDGED)
    agrees = np.zeros((2, lm.depth + 1, len(texts)))
    divergence = np.zeros_like(agrees)
    for number, ids in enumerate(texts):
        stream = lm.run([ids], layers=range(lm.depth + 1)).stream
        own = lm.lens(stream[lm.depth][0, at]).float().log_softmax(-1)
        for layer in range(lm.depth + 1):
            done, all_of_them = (it * (lm.depth + 1) for it in (number, len(texts)))
            tell(progress, done + layer, all_of_them, "judging the lens on texts it has not met")
            states = stream[layer][0, at]
            for kind, seen in enumerate((states, fitted(states, layer))):
                said = lm.lens(seen).float().log_softmax(-1)
                agrees[kind, layer, number] = int((said.argmax(-1) == own.argmax(-1)).sum())
                divergence[kind, layer, number] = float((own.exp() * (own - said)).sum())
    return Judged(agrees, divergence, np.array([len(ids[at]) for ids in texts], np.int64))


def _double(tensor: "Tensor") -> Floats:
    return np.asarray(tensor.double().cpu().numpy())


def _streams(
    lm: LanguageModel, texts: Sequence[Sequence[int]]
) -> "Iterator[tuple[int, dict[int, Tensor]]]":
    """(texts read before, states (n, d) by layer), batch after batch, without outliers."""
    import torch

    every = list(range(lm.depth + 1))

    def read(rows: slice) -> "tuple[int, dict[int, Tensor]]":
        part = texts[rows]
        stream = lm.run(part, layers=every).stream
        own = {
            layer: torch.cat([stream[layer][row, 1 : len(ids)] for row, ids in enumerate(part)])
            for layer in every
        }
        norms = torch.stack([own[layer].norm(dim=1) for layer in every])  # (layers, n)
        kept = (norms <= SINK * norms.median(dim=1, keepdim=True).values).all(0)
        return rows.start, {layer: states[kept] for layer, states in own.items()}

    yield from in_batches(len(texts), AT_ONCE, read)
