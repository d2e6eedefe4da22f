"""Training codes and their decoder as one module."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.students.checkpoint import Checkpoints
from core.students.coding.codebooks import Decoder, Plan
from core.students.training import PREVIEWED, Schedule, train
from core.types import Matrix, Progress, Rows, tell

if TYPE_CHECKING:
    import torch

BATCH, RATE = 512, 2e-4
SAMPLE, KMEANS_ROUNDS = 20_000, 8
CLUSTER = 32  # rows of a batch that lie together, where neighbours are to be kept
TEMPERATURE = 0.05  # of the softmax that says who is near
INT8 = 127


@dataclass(frozen=True)
class CodebookTraining:
    """``neighbours``: the weight of who is near whom beside the relative error."""

    seed: int
    steps: int
    neighbours: float


def learn(
    vectors: Matrix,
    shape: Plan,
    training: CodebookTraining,
    progress: Progress,
    checkpoints: Checkpoints,
) -> Decoder:
    """Start from principal axes and k-means, then train all at once; resumable by checkpoints."""
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    if not shape.axes:
        none = np.zeros((0, vectors.shape[1]), np.float16)
        return Decoder(
            shape, mean, np.ones(1, np.float32),
            np.zeros((0, 2**shape.bits), np.int8), np.zeros(0, np.float16),
            none.astype(np.int8), np.zeros(0, np.float16), none[:, :0],
            np.zeros(0, np.float16), none,
        )  # fmt: skip
    centred = vectors - mean
    scale = np.sqrt(np.square(centred).sum(axis=1).mean(keepdims=True, dtype=np.float64))
    scale = scale.astype(np.float32)
    centred = centred / scale  # of mean square length 1, so that the loss is the relative error
    basis, books = _start(centred, shape, progress)
    module = module_of(shape, basis, books, training.seed)
    teach(module, centred, mean, scale, training, progress, checkpoints)
    return _stored(shape, mean, scale, module)


def _stored(
    shape: Plan, mean: npt.NDArray[np.float32], scale: npt.NDArray[np.float32], module: Any
) -> Decoder:
    def array(tensor: "torch.Tensor") -> npt.NDArray[np.float32]:
        return np.asarray(tensor.detach().numpy(), dtype=np.float32)

    levels, level_scales = _whole(array(module.books))
    basis, basis_scales = _whole(array(module.basis))
    inner, bias, outer = (
        array(it).astype(np.float16) for it in (module.inner, module.bias, module.outer)
    )
    encoder = array(module.encoder)
    scales = (level_scales, basis, basis_scales)
    return Decoder(shape, mean, scale, levels, *scales, inner, bias, outer, encoder)


def _start(
    centred: Matrix, shape: Plan, progress: Progress
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Principal axes (axes, d) and the k-means of each group, (axes, 2**bits)."""
    import faiss

    _, axes = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
    basis = np.ascontiguousarray(axes[:, ::-1].T[: shape.axes], dtype=np.float32)
    rows = _sample(len(centred))
    z = (centred[rows] @ basis.T).astype(np.float32)
    books = np.empty((shape.axes, 2**shape.bits), np.float32)
    for piece in range(shape.pieces):
        tell(progress, piece, shape.pieces, "starting the codebooks")
        mine = np.flatnonzero(shape.groups == piece)
        learnt = faiss.Kmeans(
            len(mine), 2**shape.bits, niter=KMEANS_ROUNDS, seed=piece,
            min_points_per_centroid=1, max_points_per_centroid=SAMPLE,
        )  # fmt: skip
        learnt.train(np.ascontiguousarray(z[:, mine]))
        books[mine] = np.asarray(learnt.centroids).T
    return basis, books


def module_of(
    shape: Plan, basis: npt.NDArray[np.float32], books: npt.NDArray[np.float32], seed: int
) -> Any:
    """``basis`` (axes, d) and ``books`` (axes, entries) to start from; the network starts at 0."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    class CodebookModule(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = int(np.bincount(shape.groups).max())
            slots = torch.zeros(shape.pieces, width, dtype=torch.long)
            filled = torch.zeros(shape.pieces, width)
            for piece in range(shape.pieces):
                mine = np.flatnonzero(shape.groups == piece)
                slots[piece, : len(mine)] = torch.from_numpy(mine)
                filled[piece, : len(mine)] = 1
            self._slots, self._filled = slots, filled
            self._groups = torch.from_numpy(shape.groups.astype(np.int64))
            self._axes = torch.arange(shape.axes)
            self.books = torch.nn.Parameter(torch.from_numpy(books.copy()))
            self.basis = torch.nn.Parameter(torch.from_numpy(basis.copy()))
            self.encoder = torch.nn.Parameter(torch.from_numpy(basis.T.copy()), requires_grad=False)
            start = torch.randn(shape.axes, shape.hidden, generator=generator)
            scale = 1 / (float(np.square(books).mean()) * shape.axes) ** 0.5
            self.inner = torch.nn.Parameter(start * scale)
            self.bias = torch.nn.Parameter(torch.zeros(shape.hidden))
            self.outer = torch.nn.Parameter(torch.zeros(shape.hidden, basis.shape[1]))

        def choose(self, z: "torch.Tensor") -> "torch.Tensor":
            """(b, axes) coordinates to (b, pieces) the nearest entries."""
            with torch.no_grad():
                parts = (z[:, self._slots] * self._filled).permute(1, 0, 2)  # (pieces, b, width)
                entries = self.books[self._slots] * self._filled[:, :, None]
                own = entries.square().sum(1, keepdim=True)
                return torch.baddbmm(own, parts, entries, alpha=-2).argmin(2).T

        def forward(self, x: "torch.Tensor") -> "torch.Tensor":
            """(b, d) centred rows to (b, d) as their codes give them."""
            z = x @ self.encoder
            chosen = self.books[self._axes, self.choose(z)[:, self._groups]]  # (b, axes)
            found = chosen @ self.basis
            if shape.hidden:
                found = found + torch.relu(chosen @ self.inner + self.bias) @ self.outer
            return found

    return CodebookModule()


def teach(
    module: Any,
    centred: Matrix,
    mean: npt.NDArray[np.float32],
    scale: npt.NDArray[np.float32],
    training: CodebookTraining,
    progress: Progress,
    checkpoints: Checkpoints,
) -> None:
    """In place. The loss is the relative error, and the neighbours' where they are wished for."""
    import torch

    data = torch.from_numpy(centred)
    own = torch.from_numpy(mean / scale)
    together = _together(centred + mean / scale, training.seed) if training.neighbours else None
    size = min(BATCH, len(centred))
    shown = np.sort(np.random.default_rng(0).permutation(len(centred))[:PREVIEWED])

    def loss_of(_: int, generator: np.random.Generator) -> "torch.Tensor":
        if together is None:
            rows = generator.integers(0, len(centred), size)
        else:
            starts = generator.integers(0, len(centred), max(1, size // CLUSTER))
            rows = together[(starts[:, None] + np.arange(CLUSTER)).ravel() % len(centred)]
        x = data[torch.from_numpy(rows)]
        found = module(x)
        loss: torch.Tensor = (x - found).square().sum(1).mean()
        if together is not None:
            loss = loss + training.neighbours * _relation(x + own, found + own)
        return loss

    def preview() -> tuple[Rows, Matrix]:
        with torch.no_grad():
            found = module(data[torch.from_numpy(shown)])
        return shown, (found + own).numpy() * scale

    schedule = Schedule(training.steps, rate=RATE, warm_up=50)
    train(module, loss_of, schedule, training.seed, progress, checkpoints, preview=preview)


def _relation(x: "torch.Tensor", found: "torch.Tensor") -> "torch.Tensor":
    """Cross-entropy less entropy of who is near whom in a batch, by the teacher and by us."""
    import torch

    unit, ours = (torch.nn.functional.normalize(it, dim=1) for it in (x, found))
    hidden = torch.eye(len(x), dtype=torch.bool)
    theirs = (unit @ unit.T / TEMPERATURE).masked_fill(hidden, -1e4).softmax(1)
    near = (ours @ ours.T / TEMPERATURE).masked_fill(hidden, -1e4).log_softmax(1)
    return torch.nn.functional.kl_div(near, theirs, reduction="batchmean")


def _together(vectors: Matrix, seed: int) -> Rows:
    """An order of the rows in which those that lie together stand together: by k-means."""
    import faiss

    groups = max(1, min(256, len(vectors) // CLUSTER))
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    learnt = faiss.Kmeans(vectors.shape[1], groups, niter=5, seed=seed, min_points_per_centroid=1)
    learnt.train(unit)
    _, group = learnt.index.search(unit, 1)
    return np.argsort(group[:, 0], kind="stable")


def _whole(
    numbers: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float16]]:
    """Rows in 8 bits, and their scales in 16."""
    scales = (np.abs(numbers).max(axis=1) / INT8).astype(np.float16)
    safe = np.where(scales > 0, scales, 1).astype(np.float32)[:, None]
    return np.clip(np.rint(numbers / safe), -INT8, INT8).astype(np.int8), scales


def _sample(n: int) -> Rows:
    if n <= SAMPLE:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))
