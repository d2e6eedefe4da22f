"""A smaller module out of a teacher's, without gradients: fewer layers, fewer neurons.

What is taken away is made good by what stays: a dropped layer by the affine map that comes
nearest to it, missing neurons by a ridge refit of the matrix behind them, both from the states of
texts that the teacher has read.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from core.students.encoders.layered_bert import AFFINE, SAME, LayeredShape, each_batch, reshaped
from core.types import Progress, silent

if TYPE_CHECKING:
    import torch

RIDGE = 1e-3  # of the mean of the moments


def ridge(moments: "torch.Tensor", crossed: "torch.Tensor", share: float = RIDGE) -> "torch.Tensor":
    """(p, q) that brings inputs with moments (p, p) nearest to what they were ``crossed`` (p, q)
    with; ``share`` of the mean moment is added to the diagonal."""
    import torch

    level = share * moments.diagonal().mean() + 1e-12
    eye = torch.eye(len(moments), dtype=moments.dtype)
    found: torch.Tensor = torch.linalg.solve(moments + level * eye, crossed)
    return found


class Moments:
    """Second moments of inputs (n, p), with a constant behind them, and with targets (n, q)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        import torch

        self.inputs = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64)
        self.crossed = torch.zeros(inputs + 1, outputs, dtype=torch.float64)
        self.target = 0.0  # squares of the targets
        self.total = torch.zeros(outputs, dtype=torch.float64)

    def add(self, inputs: "torch.Tensor", targets: "torch.Tensor") -> None:
        """More rows of both: (..., p) and (..., q)."""
        import torch

        rows = inputs.reshape(-1, inputs.shape[-1])
        rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
        aims = targets.reshape(-1, targets.shape[-1])
        self.inputs += (rows.T @ rows).double()
        self.crossed += (rows.T @ aims).double()
        self.target += float((aims.double() ** 2).sum())
        self.total += aims.double().sum(0)

    def solve(self, share: float = RIDGE) -> tuple["torch.Tensor", "torch.Tensor"]:
        """(q, p) and (q,): the affine map, by ridge about the means."""
        import torch

        count = self.inputs[-1, -1]
        mean, middle = self.inputs[-1, :-1] / count, self.total / count
        own = self.inputs[:-1, :-1] - count * torch.outer(mean, mean)
        both = self.crossed[:-1] - count * torch.outer(mean, middle)
        matrix = ridge(own, both, share).T
        return matrix.float(), (middle - matrix @ mean).float()

    def unexplained(self) -> float:
        """Share of the targets' variance that the affine map leaves."""
        import torch

        matrix, bias = self.solve()
        whole = torch.cat([matrix, bias[:, None]], 1).double()
        left = self.target - 2 * (whole.T * self.crossed).sum()
        left += ((whole @ self.inputs) * whole).sum()
        about = self.target - (self.total**2).sum() / self.inputs[-1, -1]
        return float(left / about.clamp(min=1e-30))


def without_layers(
    module: Any,
    ids: Sequence[Sequence[int]],
    count: int,
    mapped: bool = True,
    progress: Progress = silent,
) -> Any:
    """``count`` layers less: those that an affine map of the state before them replaces best.

    With ``mapped`` that map takes their place; else the state before them goes on as it is.
    """
    import torch

    shape: LayeredShape = module.shape
    width = shape.width
    found = [Moments(width, width) for _ in shape.inner]

    def watch(batch: "torch.Tensor", _rows: list[int]) -> None:
        states = module(batch)
        for moments, before, after in zip(found, states, states[1:], strict=False):
            moments.add(before, after)

    each_batch(ids, watch, progress, "Looking for layers to leave out")
    lost = [it.unexplained() for it in found]
    dropped = sorted(range(len(lost)), key=lost.__getitem__)[:count]
    inner = [AFFINE if mapped else SAME] * len(lost)
    for number, kept in enumerate(shape.inner):
        if number not in dropped:
            inner[number] = kept
    shaped = reshaped(module, replace(shape, inner=tuple(inner)))
    if mapped:
        with torch.no_grad():
            for number in dropped:
                matrix, bias = found[number].solve()
                shaped.blocks[number].weight.copy_(matrix)
                shaped.blocks[number].bias.copy_(bias)
    return shaped


def with_neurons(
    module: Any,
    ids: Sequence[Sequence[int]],
    count: int,
    refit: bool = True,
    progress: Progress = silent,
) -> Any:
    """``count`` neurons in each layer: those whose outputs are largest where they arrive.

    With ``refit`` the matrix behind them is fitted anew to what all of them gave.
    """
    shape: LayeredShape = module.shape
    kept = [number for number, inner in enumerate(shape.inner) if inner > count]
    found = {number: Moments(shape.inner[number], shape.width) for number in kept}

    def watch(number: int, _layer: Any, given: Any, answer: Any) -> None:
        found[number].add(given[0], answer)

    hooks = [
        module.blocks[number].down.register_forward_hook(partial(watch, number)) for number in kept
    ]
    each_batch(ids, lambda batch, _: module(batch), progress, "Looking for neurons to leave out")
    for hook in hooks:
        hook.remove()
    inner = tuple(min(width, count) for width in shape.inner)
    shaped = reshaped(module, replace(shape, inner=inner))
    for number in kept:
        _thinned(module.blocks[number], shaped.blocks[number], found[number], count, refit)
    return shaped


def _thinned(block: Any, made: Any, moments: Moments, count: int, refit: bool) -> None:
    """Fill ``made`` with the neurons of ``block`` that are kept."""
    import torch

    worth = moments.inputs.diagonal()[:-1].float() * (block.down.weight**2).sum(0)
    chosen = torch.argsort(worth, descending=True)[:count].sort().values
    with torch.no_grad():
        made.up.weight.copy_(block.up.weight[chosen])
        made.up.bias.copy_(block.up.bias[chosen])
        if not refit:
            made.down.weight.copy_(block.down.weight[:, chosen])
            made.down.bias.copy_(block.down.bias)
            return
        matrix, bias = some(moments, chosen).solve()
        made.down.weight.copy_(matrix)
        made.down.bias.copy_(bias)


def some(moments: Moments, chosen: "torch.Tensor") -> Moments:
    """The moments of some of the inputs."""
    import torch

    rows = torch.cat([chosen, torch.tensor([len(moments.inputs) - 1])])
    found = Moments(len(chosen), moments.crossed.shape[1])
    found.inputs = moments.inputs[rows][:, rows]
    found.crossed = moments.crossed[rows]
    found.target, found.total = moments.target, moments.total
    return found
