"""A student of half the width, begun from its teacher and not from chance.

Its states are the teacher's in the principal directions that all layers share. Block by block the
teacher's matrices are written in these directions: each head's queries and keys by the best
product of lower rank, the neurons that matter most, and every matrix that adds to a state refitted
by ridge to what that state should become. One matrix a layer leads back to the teacher's width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.students.encoders.layered_bert import LayeredShape, build_layered
from core.students.encoders.pruning import Moments
from core.students.encoders.quantisation import batches_of_one_length
from core.types import Progress, tell

if TYPE_CHECKING:
    import torch

TOKENS = 2048


@dataclass(eq=False)
class _Texts:
    """Batches of ids; of each the teacher's states before, between and after a block's halves."""

    batches: list["torch.Tensor"]
    teacher: Any
    basis: "torch.Tensor"  # (dim, width)

    def narrow(self, states: list["torch.Tensor"]) -> list["torch.Tensor"]:
        """In the student's directions, about their mean, so that a token's numbers have the
        variance 1 on the whole, as behind a norm."""
        import torch

        rows = torch.cat([state.reshape(-1, state.shape[-1]) for state in states])
        mean = rows.mean(0)
        turned = [(state - mean) @ self.basis for state in states]
        size = torch.cat([it.reshape(-1) for it in turned]).std()
        return [it / size for it in turned]


def narrowed(
    teacher: Any, ids: Sequence[Sequence[int]], width: int, inner: int, progress: Progress
) -> Any:
    """A student of ``width`` with ``inner`` neurons a layer. Raises Cancelled."""
    import torch

    shape: LayeredShape = teacher.shape
    made_shape = LayeredShape(
        width, shape.dim, shape.heads, (inner,) * len(shape.inner), shape.epsilon
    )
    student = build_layered(made_shape, len(teacher.table.weight), len(teacher.positions.weight))
    student.weights = teacher.weights
    batches = [
        torch.tensor([list(ids[row]) for row in rows])
        for rows in batches_of_one_length(ids, TOKENS)
    ]
    with torch.no_grad():
        texts = _Texts(batches, teacher, _basis(teacher, batches, width))
        _first(student, texts)
        there = [teacher(batch)[0] for batch in batches]
        here = _begin(student, texts, there)
        _give(student.given[0], here, there)
        for number, block in enumerate(teacher.blocks):
            tell(progress, number, len(teacher.blocks), "Writing the layers in fewer directions")
            between, after = _halves(block, there)
            here = _attend(block, student.blocks[number], texts, here, there, between)
            here = _feed(block, student.blocks[number], texts, here, between, after)
            there = after
            _give(student.given[number + 1], here, there)
    return student


def _basis(teacher: Any, batches: list["torch.Tensor"], width: int) -> "torch.Tensor":
    """(dim, width) leading directions of all layers, each layer counted alike."""
    import torch

    count = teacher.shape.layers
    moments = [Moments(teacher.shape.dim, 1) for _ in range(count)]
    for batch in batches:
        for one, state in zip(moments, teacher(batch), strict=True):
            one.add(state, torch.zeros(*state.shape[:-1], 1))
    total = torch.zeros(teacher.shape.dim, teacher.shape.dim, dtype=torch.float64)
    for one in moments:
        mean = one.inputs[-1, :-1] / one.inputs[-1, -1]
        spread = one.inputs[:-1, :-1] / one.inputs[-1, -1] - torch.outer(mean, mean)
        total += spread / spread.trace()
    found: torch.Tensor = torch.linalg.eigh(total)[1][:, -width:].flip(1).float()
    return found


def _first(student: Any, texts: _Texts) -> None:
    """Table and positions in the new directions; the norm's gain is the teacher's, projected."""
    teacher, basis = texts.teacher, texts.basis
    gain = teacher.norm.weight[:, None] * basis
    student.table.weight.copy_(teacher.table.weight @ gain)
    student.positions.weight.copy_(teacher.positions.weight @ gain)


def _begin(student: Any, texts: _Texts, there: list["torch.Tensor"]) -> list["torch.Tensor"]:
    """The first states, with the norm fitted to them."""
    summed = [
        student.table(batch) + student.positions.weight[: batch.shape[1]] for batch in texts.batches
    ]
    return _norm(student.norm, summed, texts.narrow(there))


def _norm(
    norm: Any, summed: list["torch.Tensor"], aims: list["torch.Tensor"]
) -> list["torch.Tensor"]:
    """Gain and bias of a norm by least squares, and what it then gives."""
    import torch

    norm.weight.fill_(1.0)
    norm.bias.fill_(0.0)
    rows = torch.cat([norm(it).reshape(-1, it.shape[-1]) for it in summed])
    aim = torch.cat([aim.reshape(-1, aim.shape[-1]) for aim in aims])
    mean, middle = rows.mean(0), aim.mean(0)
    gain = ((rows - mean) * (aim - middle)).sum(0) / ((rows - mean) ** 2).sum(0).clamp(min=1e-6)
    norm.weight.copy_(gain)
    norm.bias.copy_(middle - gain * mean)
    return [norm(it) for it in summed]


def _give(layer: Any, here: list["torch.Tensor"], there: list["torch.Tensor"]) -> None:
    """The matrix from the student's states back to the teacher's, by ridge."""
    matrix, bias = _fitted(here, there)
    layer.weight.copy_(matrix)
    layer.bias.copy_(bias)


def _fitted(
    inputs: list["torch.Tensor"], targets: list["torch.Tensor"]
) -> tuple["torch.Tensor", "torch.Tensor"]:
    moments = Moments(inputs[0].shape[-1], targets[0].shape[-1])
    for given, aim in zip(inputs, targets, strict=True):
        moments.add(given, aim)
    return moments.solve()


def _halves(
    block: Any, there: list["torch.Tensor"]
) -> tuple[list["torch.Tensor"], list["torch.Tensor"]]:
    """The teacher's states between attention and feed-forward, and behind both."""
    between = [block.after_attention(it + block.out(block.mixed(it))) for it in there]
    after = [block(it) for it in there]
    return between, after


def _attend(
    block: Any,
    made: Any,
    texts: _Texts,
    here: list["torch.Tensor"],
    there: list["torch.Tensor"],
    between: list["torch.Tensor"],
) -> list["torch.Tensor"]:
    """Fill the attention; the states behind it."""
    import torch

    back, shift = _fitted(here, there)  # the teacher's states from the student's
    heads = texts.teacher.shape.heads
    size = made.query.out_features // heads
    spread = _root(here)
    parts: dict[str, list[torch.Tensor]] = {"query": [], "key": [], "value": []}
    for head in range(heads):
        rows = slice(head * (len(back) // heads), (head + 1) * (len(back) // heads))

        def lifted(layer: Any, rows: slice = rows) -> torch.Tensor:
            """(head, width + 1): one head's matrix on the student's states, its bias behind."""
            matrix = layer.weight[rows]
            bias = layer.bias[rows] + matrix @ shift
            return torch.cat([matrix @ back, bias[:, None]], 1)

        query, key, value = (lifted(getattr(block, name)) for name in parts)
        ratio = (size / query.shape[0]) ** 0.5  # heads of fewer numbers are divided by less
        left, values, right = torch.linalg.svd(ratio * spread.T @ query.T @ key @ spread)
        scale = values[:size].sqrt()
        unspread = torch.linalg.inv(spread)
        parts["query"].append((left[:, :size] * scale).T @ unspread)
        parts["key"].append((right[:size].T * scale).T @ unspread)
        outward = block.out.weight[:, rows] @ value @ spread
        _, values, right = torch.linalg.svd(outward, full_matrices=False)
        parts["value"].append((right[:size].T * values[:size]).T @ unspread)
    for name, found in parts.items():
        whole = torch.cat(found)
        getattr(made, name).weight.copy_(whole[:, :-1])
        getattr(made, name).bias.copy_(whole[:, -1])
    mixed = [made.mixed(it) for it in here]
    return _added(made.out, made.after_attention, mixed, here, texts.narrow(between))


def _root(here: list["torch.Tensor"]) -> "torch.Tensor":
    """(width + 1, width + 1): a root of the states' second moments, a constant behind them."""
    import torch

    moments = Moments(here[0].shape[-1], 1)
    for it in here:
        moments.add(it, torch.zeros(*it.shape[:-1], 1))
    whole = moments.inputs / moments.inputs[-1, -1]
    whole += 1e-4 * whole.diagonal().mean() * torch.eye(len(whole), dtype=whole.dtype)
    root: torch.Tensor = torch.linalg.cholesky(whole)
    return root.float()


def _feed(
    block: Any,
    made: Any,
    texts: _Texts,
    here: list["torch.Tensor"],
    between: list["torch.Tensor"],
    after: list["torch.Tensor"],
) -> list["torch.Tensor"]:
    """Fill the feed-forward; the states behind it."""
    import torch

    back, shift = _fitted(here, between)
    weight, bias = block.up.weight @ back, block.up.bias + block.up.weight @ shift
    gelu = torch.nn.functional.gelu
    aims = texts.narrow(after)
    moments = Moments(len(weight), aims[0].shape[-1])
    for it, aim in zip(here, aims, strict=True):
        moments.add(gelu(it @ weight.T + bias), aim - it)
    worth = moments.inputs.diagonal()[:-1].float() * (block.down.weight**2).sum(0)
    chosen = torch.argsort(worth, descending=True)[: made.up.out_features].sort().values
    made.up.weight.copy_(weight[chosen])
    made.up.bias.copy_(bias[chosen])
    fed = [gelu(made.up(it)) for it in here]
    return _added(made.down, made.after_feed, fed, here, aims)


def _added(
    layer: Any,
    norm: Any,
    inputs: list["torch.Tensor"],
    here: list["torch.Tensor"],
    aims: list["torch.Tensor"],
) -> list["torch.Tensor"]:
    """Refit what is added to the states so that they come to ``aims``, then the norm."""
    wanted = [aim - it for aim, it in zip(aims, here, strict=True)]
    matrix, bias = _fitted(inputs, wanted)
    layer.weight.copy_(matrix)
    layer.bias.copy_(bias)
    summed = [it + layer(given) for it, given in zip(here, inputs, strict=True)]
    return _norm(norm, summed, aims)
