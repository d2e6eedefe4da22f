"""A trained module as whole numbers: each matrix rounded where the vectors notice it least.

A weight's step is as wide as the vectors allow: wide for a row whose output matters little and
for a column that the other columns can stand in for. Errors of a column are made good by the
columns after it (GPTQ, Frantar et al. 2022); what matters is measured as K-FAC does (Martens &
Grosse 2015): second moments of a layer's inputs and of the gradients at its outputs. With an
entropy coder behind, equal contributions to the error are then the best that rounding can do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.students.coding.range_coding import Grid
from core.types import Progress, silent, tell

if TYPE_CHECKING:
    import torch

DEAD = 0.1  # of a step: rounded towards zero by so much, which saves more bits than it costs
DAMPING = 0.01  # of the mean of a layer's second moments
FLOOR = 0.05  # of the mean sensitivity: no output is treated as worth less
HALF = 0.5  # of a row's importance comes from its share of the texts, the rest is equal for all
TOKENS = 2048  # of a batch while gradients are measured
TOGETHER = 64  # columns whose errors are carried on at once
UNUSED = 0.01  # mean size of a coordinate below which it is not worth its direction
FINEST = 31  # steps from zero to the largest entry of the table's basis


@dataclass(frozen=True)
class Sensitivity:
    """What the vectors notice. ``inputs`` (in, in) and ``outputs`` (out,) by a layer's name,
    ``embedded`` (d, d) for errors of the table's rows, ``places`` (t,) how much each position
    matters."""

    inputs: Mapping[str, "torch.Tensor"]
    outputs: Mapping[str, "torch.Tensor"]
    embedded: "torch.Tensor"
    places: npt.NDArray[np.float64]


def sensitivity(
    module: Any, ids: Sequence[Sequence[int]], seed: int, progress: Progress = silent
) -> Sensitivity:
    """Measured on texts, each in a random direction of its vector. Raises Cancelled."""
    import torch

    layers = linear_layers(module)
    inputs = {name: torch.zeros(it.in_features, it.in_features) for name, it in layers.items()}
    outputs = {name: torch.zeros(it.out_features) for name, it in layers.items()}
    entered: dict[str, torch.Tensor] = {}
    hooks = [
        hook for name, it in layers.items() for hook in _watch(name, it, entered, inputs, outputs)
    ]
    width = module.table.embedding_dim
    embedded = torch.zeros(width, width)
    places = np.zeros(max(map(len, ids)))
    generator = torch.Generator().manual_seed(seed)
    done = 0
    for rows in batches_of_one_length(ids, TOKENS):
        batch = torch.tensor([list(ids[row]) for row in rows])
        read = module.table(batch).detach().requires_grad_()
        vectors = module.read(read)
        (vectors * torch.randn(vectors.shape, generator=generator)).sum().backward()
        gradient = read.grad.reshape(-1, width)
        embedded += gradient.T @ gradient
        places[: batch.shape[1]] += (read.grad**2).sum((0, 2)).numpy()
        done += len(rows)
        tell(progress, done, len(ids), "Measuring what the vectors notice")
    for hook in hooks:
        hook.remove()
    module.zero_grad(set_to_none=True)
    for name, total in outputs.items():
        inputs[name] /= total.sum().clamp(min=1e-30)
        outputs[name] = total / len(ids)
    return Sensitivity(inputs, outputs, embedded / len(ids), places / places.sum())


def linear_layers(module: Any) -> dict[str, Any]:
    """The layers whose matrices are coded, by name."""
    import torch

    return {name: it for name, it in module.named_modules() if isinstance(it, torch.nn.Linear)}


def batches_of_one_length(ids: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Rows by length, longest first, so that there is neither padding nor a mask.

    >>> batches_of_one_length([[1], [2, 3], [4], [5]], tokens=2)
    [[1], [0, 2], [3]]
    """
    found: list[list[int]] = []
    for row in sorted(range(len(ids)), key=lambda row: (-len(ids[row]), row)):
        length = len(ids[row])
        if found and len(ids[found[-1][0]]) == length and (len(found[-1]) + 1) * length <= tokens:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _watch(name: str, layer: Any, entered: Any, inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """Hooks that add up the moments of a layer. A token counts by its gradient's square."""

    def forward(_: Any, given: Any, __: Any) -> None:
        entered[name] = given[0].detach().reshape(-1, layer.in_features)

    def backward(_: Any, __: Any, given: Any) -> None:
        squares = given[0].reshape(-1, layer.out_features) ** 2
        outputs[name] += squares.sum(0)
        inputs[name].addmm_((entered[name] * squares.sum(1)[:, None]).T, entered[name])

    return layer.register_forward_hook(forward), layer.register_full_backward_hook(backward)


@dataclass(frozen=True)
class CodedLayer:
    """A matrix (out, in): ``grid`` times ``columns`` (in,) times ``rows`` (out,).

    ``aimed`` is what was rounded to ``grid``; nothing once it was stored.
    """

    grid: Grid
    columns: npt.NDArray[np.int8]  # eighths of a doubling
    rows: npt.NDArray[np.float32]
    aimed: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class LayerPlan:
    """How a matrix is rounded at a step of 1; made once, used at every step."""

    weight: "torch.Tensor"  # (out, in)
    factor: "torch.Tensor"  # (in, in) upper Cholesky factor of the inverse moments
    columns: "torch.Tensor"  # (in,) eighths of a doubling
    rows: "torch.Tensor"  # (out,)


def plan_layer(
    weight: "torch.Tensor", inputs: "torch.Tensor", outputs: "torch.Tensor"
) -> LayerPlan:
    """From a layer's moments: wide steps where an error is not felt, or can be made good."""
    import torch

    eye = torch.eye(weight.shape[1], dtype=torch.float64)
    moments = inputs.double() + (DAMPING * inputs.diagonal().mean().double() + 1e-12) * eye
    factor = torch.linalg.cholesky(torch.linalg.inv(moments), upper=True)
    wide = torch.log2(factor.diagonal())
    middle = float(wide.mean())
    columns = (8 * (wide - middle)).round().clamp(-127, 127)
    rows = 2**middle / (outputs + FLOOR * outputs.mean()).clamp(min=1e-20).sqrt()
    return LayerPlan(weight.detach(), factor.float(), columns.float(), rows.float())


def code_layer(plan: LayerPlan, step: float, carry: bool = True, every: int = 1) -> CodedLayer:
    """A matrix as whole numbers; ``carry`` makes errors good in later columns.

    ``step`` squared / 12 is what each entry adds to the squared error of a text's vector.
    ``every``: only each so many-th row, for a guess at the bytes.
    """
    import torch

    rows = step * plan.rows[::every]
    cells = torch.exp2(plan.columns / 8)[None] * rows[:, None]
    weight = plan.weight[::every]
    aimed = _carried(weight, plan.factor, cells) if carry else weight / cells
    return CodedLayer(
        whole(aimed).clamp(-32_000, 32_000).short().numpy(),
        plan.columns.to(torch.int8).numpy(),
        rows.numpy(),
        aimed.numpy(),
    )


def whole(values: "torch.Tensor") -> "torch.Tensor":
    """Whole numbers of cells, a little towards zero."""
    import torch

    return torch.sign(values) * torch.floor(values.abs() + 0.5 - DEAD)


def _carried(
    weight: "torch.Tensor", factor: "torch.Tensor", cells: "torch.Tensor"
) -> "torch.Tensor":
    """What GPTQ rounds, in cells, in blocks of columns; ``factor`` is the upper Cholesky factor
    of the inverse."""
    import torch

    left = weight.detach().clone()
    aimed = torch.zeros_like(left)
    size = left.shape[1]
    for start in range(0, size, TOGETHER):
        end = min(start + TOGETHER, size)
        errors = torch.zeros(len(left), end - start)
        for column in range(start, end):
            aimed[:, column] = left[:, column] / cells[:, column]
            error = left[:, column] - whole(aimed[:, column]) * cells[:, column]
            errors[:, column - start] = error / factor[column, column]
            left[:, column + 1 : end] -= (
                errors[:, column - start, None] * factor[column, column + 1 : end]
            )
        left[:, end:] -= errors @ factor[start:end, end:]
    return aimed


@dataclass(frozen=True)
class CodedTable:
    """Rows (n, d): (``grid`` times each row's step) @ ``basis`` + ``mean`` (of its kind)."""

    grid: Grid  # (n, k)
    halvings: npt.NDArray[np.int8]  # (n,) a row's step is 2 ** (halvings / 2) steps
    basis: Grid  # (k, d) in units of ``units``
    units: npt.NDArray[np.float32]  # (k,)
    aimed: npt.NDArray[np.float32] | None = None  # what was rounded to ``grid``

    def rows(self) -> npt.NDArray[np.float32]:
        """(n, d) without the mean."""
        basis = self.basis * self.units[:, None]
        steps = np.exp2(self.halvings.astype(np.float32) / 2)[:, None]
        found: npt.NDArray[np.float32] = (self.grid * steps) @ basis
        return found.astype(np.float32)


@dataclass(frozen=True)
class TablePlan:
    """How a table is rounded at a step of 1."""

    seen: npt.NDArray[np.float64]  # (n, d) in principal coordinates, divided by the rows' steps
    halvings: npt.NDArray[np.int8]  # (n,)
    back: npt.NDArray[np.float64]  # (d, d) from those coordinates


def plan_table(
    centred: npt.NDArray[np.float32],
    shares: npt.NDArray[np.float64],
    embedded: "torch.Tensor",
    turned: bool = True,
) -> TablePlan:
    """In the coordinates that the vectors notice: principal ones, after the metric of the
    gradients is made round.

    ``shares`` (n,) say how much of all texts a row is; rows of frequent pieces get finer steps.
    Without ``turned`` the coordinates are the table's own, each scaled by how it is noticed.
    """
    metric = embedded.double().numpy()
    if not turned:
        metric = np.diag(np.diag(metric))
    values, vectors = np.linalg.eigh(metric)
    # Directions that no text was seen to notice are still kept, coarsely.
    values = np.maximum(values, 0) + 1e-3 * values.mean() + 1e-30
    seen = centred.astype(np.float64) @ (vectors * np.sqrt(values))
    spread = seen.T @ seen / len(seen)
    order = np.linalg.eigh(spread)[1][:, ::-1] if turned else np.eye(len(spread))
    back = order.T @ (vectors / np.sqrt(values)).T
    halvings = np.clip(np.round(-np.log2(np.maximum(shares, 1e-12))), -126, 126).astype(np.int8)
    return TablePlan((seen @ order) / np.exp2(halvings / 2)[:, None], halvings, back)


def code_table(plan: TablePlan, step: float, every: int = 1) -> CodedTable:
    """A table as whole numbers; coordinates that hardly any row uses are left out."""
    scaled = plan.seen[::every] / step
    grid = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5 - DEAD)
    used = np.flatnonzero(np.abs(grid).mean(0) > UNUSED)
    used = used if len(used) else np.array([0])
    basis = step * plan.back[used]
    units = np.maximum(np.abs(basis).max(1) / FINEST, 1e-20).astype(np.float32)
    return CodedTable(
        np.clip(grid[:, used], -32_000, 32_000).astype(np.int16),
        plan.halvings[::every],
        np.round(basis / units[:, None]).astype(np.int16),
        units,
        scaled[:, used].astype(np.float32),
    )


def counted(ids: Sequence[Sequence[int]], size: int) -> npt.NDArray[np.float64]:
    """(n,) the share of the tokens that each row of the table is; half of it equal for all rows.

    A row moves its own token's states by about as much in any text.
    """
    found = np.bincount(np.concatenate([*ids, []]).astype(np.int64), minlength=size)
    mixed: npt.NDArray[np.float64] = (1 - HALF) / size + HALF * found / max(found.sum(), 1)
    return mixed


def alike(_ids: Sequence[Sequence[int]], size: int) -> npt.NDArray[np.float64]:
    """(n,) the same share for each row of the table."""
    return np.full(size, 1 / size)


def unfelt(module: Any) -> Sensitivity:
    """What plain rounding takes for granted: that every number matters alike."""
    import torch

    layers = linear_layers(module)
    places, count = len(module.positions.weight), module.table.num_embeddings
    return Sensitivity(
        {name: torch.eye(it.in_features) for name, it in layers.items()},
        {name: torch.ones(it.out_features) for name, it in layers.items()},
        count * torch.eye(module.table.embedding_dim),  # each row is one of so many
        np.full(places, 1 / places),
    )


def shares_of(ids: Sequence[Sequence[int]], size: int) -> npt.NDArray[np.float64]:
    """(n,) how much of the texts each row of the table is; half of it equal for all rows.

    A row in a text of t pieces moves its vector by about 1 / t.
    """
    found = np.zeros(size)
    for text in ids:
        np.add.at(found, list(text), 1 / len(text) ** 2)
    mixed: npt.NDArray[np.float64] = (1 - HALF) / size + HALF * found / max(found.sum(), 1e-12)
    return mixed
