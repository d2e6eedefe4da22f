"""A module whose table and matrices are whole numbers: coded to a budget, tuned, packed, read.

What stays real are the gains of the matrices' rows, biases and norms: 16 bits each on disk. They
are tuned after the rounding, against the teacher's vectors, while the whole numbers stand still.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.students.coding.range_coding import Grid, bits, pack, unpack
from core.students.encoders.quantisation import (
    CodedLayer,
    CodedTable,
    LayerPlan,
    Sensitivity,
    TablePlan,
    code_layer,
    code_table,
    linear_layers,
    plan_layer,
    plan_table,
    shares_of,
)
from core.types import Progress, tell

Arrays = dict[str, npt.NDArray[Any]]
Share = Callable[[Sequence[Sequence[int]], int], npt.NDArray[np.float64]]
FINEST_STEP, COARSEST_STEP = 1e-5, 1.0  # below the finest, rounding is no longer felt
LARGEST = 32_000  # of the whole numbers
SNUG = 0.99  # of the room is enough used
SAMPLED = 8  # every so many rows of the table are looked at while the step is searched
ROUNDS = 6  # codings until the bytes fit


def code(
    module: Any,
    ids: Sequence[Sequence[int]],
    felt: Sensitivity,
    room: int,
    progress: Progress,
    *,
    share: Share = shares_of,
    turned: bool = True,
) -> tuple[CodedTable, dict[str, CodedLayer]]:
    """Table and layers in at most ``room`` bytes, each as fine as pays. Raises Cancelled.

    One step serves all: by :class:`Sensitivity` every entry then adds the same error. ``share``
    says how much of the texts each row of the table is; without ``turned`` the table stays in
    its own coordinates.
    """
    table = plan_table(*_table(module, ids, felt, share), felt.embedded, turned)
    plans = {
        name: plan_layer(it.weight, felt.inputs[name], felt.outputs[name])
        for name, it in linear_layers(module).items()
    }
    aim = float(room)
    for _ in range(ROUNDS):
        step = _step_for(table, list(plans.values()), aim)
        found = _coded(table, plans, step, progress)
        size = _bytes(*found)
        if size <= room and (size >= SNUG * room or step <= FINEST_STEP):
            break
        aim *= 0.998 * room / size
    while size > room or _cut(*found):  # the guesses were off, or there is room for anything
        step *= 1.1 if size > room else 2
        found = _coded(table, plans, step, progress)
        size = _bytes(*found)
    return found


def _cut(table: CodedTable, layers: Mapping[str, CodedLayer]) -> bool:
    """Whether some numbers were too large to be told in 16 bits."""
    grids = [table.grid, *(layer.grid for layer in layers.values())]
    return any(int(np.abs(grid).max()) >= LARGEST for grid in grids)


def _coded(
    table: TablePlan, plans: Mapping[str, LayerPlan], step: float, progress: Progress
) -> tuple[CodedTable, dict[str, CodedLayer]]:
    layers = {}
    for done, (name, plan) in enumerate(plans.items()):
        tell(progress, done, len(plans), "Rounding the layers")
        layers[name] = code_layer(plan, step)
    return code_table(table, step), layers


def _step_for(table: TablePlan, plans: Sequence[LayerPlan], room: float) -> float:
    """The step at which the bytes come to ``room``, by looking at a part of the rows."""
    part = max(1, min(SAMPLED, len(table.seen) // 64))

    def weighs(step: float) -> float:
        some = code_table(table, step, part)
        layers = [code_layer(plan, step, carry=False, every=4).grid for plan in plans]
        share = len(table.seen) / len(some.grid)
        return (share * bits([some.grid]) + bits([some.basis]) + 4 * bits(layers)) / 8

    low, high = np.log(FINEST_STEP), np.log(COARSEST_STEP)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if weighs(float(np.exp(middle))) > room else (low, middle)
    return float(np.exp(high))


def _bytes(table: CodedTable, layers: Mapping[str, CodedLayer]) -> int:
    return sum(array.nbytes for array in packed(table, list(layers.values())).values())


def _table(
    module: Any, ids: Sequence[Sequence[int]], felt: Sensitivity, share: Share
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """(n, d) the table's rows and the positions', centred, and their shares of the texts."""
    parts, shares = [module.table.weight], [share(ids, len(module.table.weight))]
    if hasattr(module, "positions"):
        count = len(module.positions.weight)
        seen = np.zeros(count)
        seen[: len(felt.places)] = felt.places[:count]
        parts.append(module.positions.weight)
        shares.append(0.5 / count + 0.5 * seen)
    rows = [part.detach().numpy() for part in parts]
    return np.concatenate([row - row.mean(0) for row in rows]), np.concatenate(shares)


def packed(table: CodedTable, layers: Sequence[CodedLayer]) -> Arrays:
    """The whole numbers as "stream" and "tables"."""
    small = [np.concatenate([layer.columns for layer in layers]), table.halvings]
    grids = [table.grid, table.basis, *(layer.grid for layer in layers)]
    return pack([*grids, *(it.astype(np.int16)[None] for it in small)])


def unpacked(
    stream: npt.NDArray[Any], tables: npt.NDArray[Any], shapes: Sequence[Sequence[int]]
) -> list[Grid]:
    """Table, basis, the layers, all columns, the halvings: the inverse of :func:`packed`."""
    rows = int(shapes[0][0])
    columns = sum(int(shape[1]) for shape in shapes[2:])
    return unpack(stream, tables, [*shapes, (1, columns), (1, rows)])


def assemble(inner: Any, state: Mapping[str, npt.NDArray[Any]]) -> Any:
    """A module like ``inner`` that computes from whole numbers; ``state`` as its state_dict.

    Its parameters are those that can be tuned.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    class QuantisedLinear(nn.Module):
        def __init__(self, grid: Any, columns: Any, rows: Any) -> None:
            super().__init__()
            self.register_buffer("grid", grid)
            self.register_buffer("columns", columns)
            self.register_buffer("rows", rows)
            real = grid.float() * torch.exp2(columns.float() / 8) * rows[:, None]
            self.register_buffer("real", real, persistent=False)
            self.real: torch.Tensor
            self.gain = nn.Parameter(torch.ones(len(grid)))
            self.bias = nn.Parameter(torch.zeros(len(grid)))

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return functional.linear(given, self.real) * self.gain + self.bias

    class Coded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for part in ("grid", "halvings", "basis", "units", "means"):
                self.register_buffer(f"table_{part}", tensors[f"table_{part}"])
            self.inner = inner

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.inner(ids)  # type: ignore[no-any-return]

    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    for name in list(linear_layers(inner)):
        parent, _, child = name.rpartition(".")
        parts = (tensors[f"inner.{name}.{part}"] for part in ("grid", "columns", "rows"))
        setattr(inner.get_submodule(parent), child, QuantisedLinear(*parts))
    _fill(inner, tensors)
    whole = Coded()
    whole.load_state_dict(tensors)
    return whole


def _fill(inner: Any, tensors: Mapping[str, Any]) -> None:
    """Put the table's and the positions' rows in, as buffers: they are not tuned, nor kept."""
    table = CodedTable(*(tensors[f"table_{field}"].numpy() for field in FIELDS))
    import torch

    rows = torch.from_numpy(table.rows())
    start = 0
    for part, mean in zip(("table", "positions"), tensors["table_means"], strict=False):
        if hasattr(inner, part):
            held = getattr(inner, part)
            count = held.num_embeddings
            del held.weight
            held.register_buffer("weight", rows[start : start + count] + mean, persistent=False)
            start += count


FIELDS = ("grid", "halvings", "basis", "units")


def state_of(module: Any, table: CodedTable, layers: Mapping[str, CodedLayer]) -> Arrays:
    """What :func:`assemble` starts from: the coded parts, and the module's biases and norms."""
    means = [module.table.weight.detach().numpy().mean(0)]
    if hasattr(module, "positions"):
        means.append(module.positions.weight.detach().numpy().mean(0))
    state: Arrays = {f"table_{name}": getattr(table, name) for name in FIELDS}
    state["table_means"] = np.stack(means).astype(np.float32)
    for name, layer in layers.items():
        for part in ("grid", "columns", "rows"):
            state[f"inner.{name}.{part}"] = getattr(layer, part)
        state[f"inner.{name}.gain"] = np.ones(len(layer.rows), dtype=np.float32)
    left_out = {f"{name}.weight" for name in layers} | {"table.weight", "positions.weight"}
    for name, value in module.state_dict().items():
        if name not in left_out:
            state[f"inner.{name}"] = value.detach().numpy()
    return state


def stored(state: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> tuple[Arrays, Any]:
    """(arrays, shapes) to keep of a state; ``names`` are those of the layers, in order."""
    table = CodedTable(*(state[f"table_{field}"] for field in FIELDS))
    layers = [
        CodedLayer(*(state[f"inner.{name}.{part}"] for part in ("grid", "columns", "rows")))
        for name in names
    ]
    real = [it.ravel() for it in _real(state, names)]
    arrays = {f"codes.{name}": array for name, array in packed(table, layers).items()}
    arrays["weights.units"] = table.units
    arrays["weights.real"] = np.concatenate(real).astype(np.float16)
    shapes = [table.grid.shape, table.basis.shape, *(layer.grid.shape for layer in layers)]
    return arrays, [list(map(int, shape)) for shape in shapes]


def _real(state: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> list[npt.NDArray[Any]]:
    """Means, the rows with their gains, then everything else by name."""
    rows = [state[f"inner.{name}.rows"] * state[f"inner.{name}.gain"] for name in names]
    return [state["table_means"], *rows, *(state[it] for it in _others(state, names))]


def _others(state: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    coded = {
        f"inner.{name}.{part}" for name in names for part in ("grid", "columns", "rows", "gain")
    }
    return sorted(it for it in state if not it.startswith("table_") and it not in coded)


def restored(arrays: Mapping[str, npt.NDArray[Any]], shapes: Any, module: Any) -> Any:
    """``module`` filled with what :func:`stored` gave, as plain layers, ready to compute."""
    import torch

    names = list(linear_layers(module))
    grids = unpacked(arrays["codes.stream"], arrays["codes.tables"], shapes)
    count = len(names)
    columns = np.split(
        grids[2 + count][0], np.cumsum([shape[1] for shape in shapes[2:]])[:-1].astype(int)
    )
    halvings = grids[3 + count][0].astype(np.int8)
    table = CodedTable(grids[0], halvings, grids[1], arrays["weights.units"])
    real = torch.from_numpy(arrays["weights.real"].astype(np.float32))
    kinds = 1 + hasattr(module, "positions")
    width = module.table.embedding_dim

    def take(*shape: int) -> torch.Tensor:
        nonlocal real
        size = int(np.prod(shape))
        part, real = real[:size].reshape(shape), real[size:]
        return part

    tensors = {"table_means": take(kinds, width)}
    tensors |= {
        f"table_{field}": torch.from_numpy(np.array(getattr(table, field))) for field in FIELDS
    }
    own = dict(module.state_dict())
    for name, grid, wide in zip(names, grids[2 : 2 + count], columns, strict=True):
        scale = np.exp2(wide.astype(np.float32) / 8)[None] * take(len(grid)).numpy()[:, None]
        own[f"{name}.weight"] = torch.from_numpy((grid * scale).astype(np.float32))
    skipped = {f"{name}.weight" for name in names} | {"table.weight", "positions.weight"}
    for name in sorted(it for it in own if it not in skipped):
        own[name] = take(*own[name].shape)
    module.load_state_dict(own)
    _fill(module, tensors)
    return module.eval()
