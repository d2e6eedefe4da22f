"""Whole numbers that still learn: each entry keeps the real number that was rounded to it.

The forward pass computes from the whole numbers, the backward pass moves the real ones as if
nothing had been rounded (the straight-through estimate of Bengio, Léonard & Courville 2013), so
that an entry goes to its neighbour where enough texts ask for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.students.encoders import quantised_module
from core.students.encoders.quantisation import DEAD, CodedLayer, CodedTable, linear_layers, whole

Arrays = dict[str, npt.NDArray[Any]]
REACH = 1.5  # cells that one unit of a parameter is: the rate is then that of gains and biases
TIGHTER = 0.02  # of a cell more towards zero, until the bytes fit
LAYER = ("aimed", "columns", "rows", "gain", "bias")
TABLE = ("halvings", "basis", "units")


def begin(module: Any, table: CodedTable, layers: Mapping[str, CodedLayer]) -> Arrays:
    """The state that :func:`assemble` starts from: of a module, and of what was coded of it."""
    count = module.table.num_embeddings
    assert table.aimed is not None
    state: Arrays = {}
    for name, part in (("table", slice(0, count)), ("positions", slice(count, None))):
        state[f"{name}.aimed"] = table.aimed[part] / REACH
        state[f"{name}.mean"] = getattr(module, name).weight.detach().numpy().mean(0)
        state[f"{name}.halvings"] = table.halvings[part]
        state[f"{name}.basis"], state[f"{name}.units"] = table.basis, table.units
    for name, layer in layers.items():
        assert layer.aimed is not None
        state[f"{name}.aimed"] = layer.aimed / REACH
        state[f"{name}.columns"], state[f"{name}.rows"] = layer.columns, layer.rows
        state[f"{name}.gain"] = np.ones(len(layer.rows), np.float32)
    left_out = {f"{name}.weight" for name in layers} | {"table.weight", "positions.weight"}
    for name, value in module.state_dict().items():
        if name not in left_out:
            state[name] = value.detach().numpy()
    return {name: np.ascontiguousarray(it) for name, it in state.items()}


def assemble(module: Any, state: Mapping[str, npt.NDArray[Any]], *, integers: bool = True) -> Any:
    """``module`` with its matrices and tables exchanged, in place, for those that learn so.

    Without ``integers`` the whole numbers stand still and only what is real learns.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    def settled(values: torch.Tensor) -> torch.Tensor:
        cells = values * REACH
        return cells + (whole(cells) - cells).detach()

    class Line(nn.Module):
        def __init__(self, aimed: Any, columns: Any, rows: Any) -> None:
            super().__init__()
            self.aimed = nn.Parameter(aimed, requires_grad=integers)
            self.register_buffer("columns", columns)
            self.register_buffer("rows", rows)
            cells = torch.exp2(columns.float() / 8) * rows[:, None]
            self.register_buffer("cells", cells, persistent=False)
            self.cells: torch.Tensor
            still = None if integers else whole(aimed * REACH) * cells
            self.register_buffer("still", still, persistent=False)
            self.still: torch.Tensor | None
            self.gain = nn.Parameter(torch.ones(len(rows)))
            self.bias = nn.Parameter(torch.zeros(len(rows)))

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            real = settled(self.aimed) * self.cells if self.still is None else self.still
            return functional.linear(given, real) * self.gain + self.bias

    class Rows(nn.Module):
        def __init__(self, aimed: Any, mean: Any, halvings: Any, basis: Any, units: Any) -> None:
            super().__init__()
            self.aimed = nn.Parameter(aimed, requires_grad=integers)
            self.mean = nn.Parameter(mean)
            self.num_embeddings = len(aimed)
            for name, it in zip(TABLE, (halvings, basis, units), strict=True):
                self.register_buffer(name, it)
            self.register_buffer("steps", torch.exp2(halvings.float() / 2), persistent=False)
            self.register_buffer("real", basis.float() * units[:, None], persistent=False)
            self.steps: torch.Tensor
            self.real: torch.Tensor

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            rows = settled(functional.embedding(ids, self.aimed))
            return (rows * self.steps[ids][..., None]) @ self.real + self.mean

        @property
        def weight(self) -> torch.Tensor:
            rows: torch.Tensor = self(torch.arange(len(self.aimed)))
            return rows

    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    for name in list(linear_layers(module)):
        parent, _, child = name.rpartition(".")
        parts = (tensors[f"{name}.{part}"] for part in LAYER[:3])
        setattr(module.get_submodule(parent), child, Line(*parts))
    for name in ("table", "positions"):
        given = (tensors[f"{name}.{part}"] for part in ("aimed", "mean", *TABLE))
        setattr(module, name, Rows(*given))
    module.load_state_dict(tensors)
    return module


def settle(
    state: Mapping[str, npt.NDArray[Any]], names: Sequence[str], room: int
) -> tuple[quantised_module.Arrays, Any]:
    """(arrays, shapes) to keep, of a state; more entries become zero until ``room`` is enough."""
    dead = DEAD
    while True:
        arrays, shapes = quantised_module.stored(_whole(state, names, dead), names)
        size = sum(it.nbytes for name, it in arrays.items() if name.startswith("codes."))
        if size <= room or dead >= 0.5:
            return arrays, shapes
        dead += TIGHTER


def _whole(state: Mapping[str, npt.NDArray[Any]], names: Sequence[str], dead: float) -> Arrays:
    """The state as :func:`coded.stored` takes it."""

    def integers(aimed: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        cells = aimed * np.float32(REACH)
        found = np.sign(cells) * np.floor(np.abs(cells) + 0.5 - DEAD)
        found[np.abs(cells) < 0.5 + dead] = 0
        return np.asarray(np.clip(found, -32_000, 32_000), dtype=np.int16)

    both = ("table", "positions")
    found: Arrays = {
        "table_grid": np.concatenate([integers(state[f"{it}.aimed"]) for it in both]),
        "table_halvings": np.concatenate([state[f"{it}.halvings"] for it in both]),
        "table_basis": state["table.basis"],
        "table_units": state["table.units"],
        "table_means": np.stack([state[f"{it}.mean"] for it in both]),
    }
    for name in names:
        found[f"inner.{name}.grid"] = integers(state[f"{name}.aimed"])
        for part in LAYER[1:]:
            found[f"inner.{name}.{part}"] = state[f"{name}.{part}"]
    taken = {f"{name}.{part}" for name in names for part in LAYER}
    for name, value in state.items():
        if name not in taken and name.partition(".")[0] not in both:
            found[f"inner.{name}"] = value
    return found
