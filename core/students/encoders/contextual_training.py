"""How a contextual student is made: thinned or narrowed, taught, rounded, and tuned on all layers.

Each step takes a module and gives a module. What the teacher says of every token in every layer
is asked once and kept, since each epoch needs it again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidSpecification
from core.students.base import Stored
from core.students.checkpoint import Checkpoints
from core.students.coding.vocabulary import Vocabulary
from core.students.encoders import quantised_module, straight_through
from core.students.encoders.contextual_spec import ContextualSpec
from core.students.encoders.encoder_training import School
from core.students.encoders.layered_bert import LayeredShape, build_layered
from core.students.encoders.pruning import with_neurons, without_layers
from core.students.encoders.quantisation import (
    Sensitivity,
    alike,
    batches_of_one_length,
    counted,
    linear_layers,
    sensitivity,
    unfelt,
)
from core.students.encoders.teacher_states import TeacherStates, read_states
from core.students.encoders.training_texts import made_texts
from core.students.encoders.width_reduction import narrowed
from core.students.training import Schedule, train
from core.types import Progress

if TYPE_CHECKING:
    import torch

Ids = list[list[int]]
MADE = 0.1  # of the texts taught are cut out of others or strung together from words
GROUPS = 2  # of texts of one length each in a step: the numbers are rounded for each anew
COMPARED = 192  # tokens of a batch whose likeness among each other is compared
FULLER = 0.985  # of the room is rounded into where whole numbers learn, and become less regular


@dataclass(frozen=True)
class ContextualEffort:
    """Texts that gradients are measured on and that layers are refitted on, texts taught, steps
    of learning before and after the rounding, tokens of a step, and rates."""

    measured: int
    refitted: int
    taught: int
    learning: int
    tuning: int
    tokens: int
    rate: float


USUAL = ContextualEffort(
    measured=1_000, refitted=500, taught=5_000, learning=250, tuning=120, tokens=1_024, rate=2e-3
)
QUICK = ContextualEffort(
    measured=40, refitted=60, taught=120, learning=8, tuning=6, tokens=512, rate=2e-3
)
QUICKER = 4  # times as many steps for half the width, where one takes a quarter of the time
DENSE = 0.5  # of the rate, where whole matrices learn


def learn(
    school: School,
    spec: ContextualSpec,
    progress: Progress,
    checkpoints: Checkpoints,
    felt: Sensitivity | None = None,
) -> tuple[Stored, list[str]]:
    """What to store, and notes. ``felt`` is what :func:`noticed` found of this very module before.

    Raises InvalidSpecification, TrainingFailed, Cancelled.
    """
    effort = QUICK if spec.quick else USUAL
    teacher = layered(school)
    _require_fitting(spec, teacher.shape)
    ids = texts_taught(school, effort.taught)
    asked = ids if spec.tuned else ids[: effort.refitted]
    states = read_states(teacher, asked, checkpoints.folder, progress)
    teacher.weights = tuple((1 / np.sqrt(states.variance)).tolist())
    restored = checkpoints.restore()
    kept = (
        {} if restored is None else {n[7:]: a for n, a in restored[0].items() if n[:7] == "module."}
    )
    coded_already = "table.aimed" in kept
    module = smaller(teacher, ids[: effort.refitted], spec, progress)
    before, after = _steps(spec, effort, module.shape != teacher.shape)
    if before and not coded_already:
        teach(module, states, spec, effort, before, progress, checkpoints)
    room = room_for(school, module)
    names = list(linear_layers(module))
    state: Mapping[str, Any] = kept
    if not coded_already:
        felt = felt or noticed(module, ids[: effort.measured], spec, progress)
        within = int(FULLER * room) if spec.nudged else room
        state = rounded(module, ids, spec, felt, within, progress)
    module = straight_through.assemble(module, state, integers=spec.nudged)
    if after:
        teach(module, states, spec, effort, after, progress, _Later(checkpoints, before))
    notes = _notes(module.shape, teacher.shape, len(asked), before, after)
    return _stored(school, module, names, room), notes


def _steps(spec: ContextualSpec, effort: ContextualEffort, changed: bool) -> tuple[int, int]:
    """Of learning before the rounding, where the shape is not the teacher's, and behind it."""
    if not spec.tuned:
        return 0, 0
    often = QUICKER if spec.shape == "half" else 1
    before = spec.steps or often * effort.learning
    return before if changed else 0, spec.steps or effort.tuning


def _stored(school: School, module: Any, names: Sequence[str], room: int) -> Stored:
    state = {name: it.detach().numpy() for name, it in module.state_dict().items()}
    arrays, grids = straight_through.settle(state, names, room)
    arrays["vocabulary.pieces"] = Vocabulary(school.pieces.pieces).packed()
    payload = {
        "shape": asdict(module.shape),
        "grids": grids,
        "rules": school.pieces.rules,
        "longest": school.pieces.longest,
        "pooling": [school.shape.pooling, school.shape.normalise],
    }
    return Stored(arrays, payload)


def layered(school: School) -> Any:
    """The teacher as a module that gives the states of all its layers."""
    shape = LayeredShape.of(school.shape)
    teacher = build_layered(shape, len(school.pieces.pieces), school.pieces.longest)
    teacher.load_state_dict(school.teacher.state_dict())
    return teacher.requires_grad_(False)


def texts_taught(school: School, count: int) -> Ids:
    """Ids of ``count`` of the school's texts and of texts made from them, in any order."""
    own = [school.space.texts[row] for row in school.rows]
    made = min(round(MADE * count), 10 * len(own))
    generator = np.random.default_rng((school.spec.seed, 4))
    chosen = generator.permutation(len(own))[: count - made]
    extra = made_texts(school.space, school.rows, made, school.spec.seed)
    texts = [*(own[row] for row in chosen), *extra]
    return school.pieces.encode([texts[row] for row in generator.permutation(len(texts))])


def smaller(teacher: Any, ids: Ids, spec: ContextualSpec, progress: Progress) -> Any:
    """The module that the student becomes, in real numbers, before it learns."""
    shape: LayeredShape = teacher.shape
    if spec.shape == "half":
        inner = spec.inner or max(shape.inner) // 2
        return narrowed(teacher, ids, shape.width // 2, inner, progress)
    module = teacher
    if spec.dropped:
        module = without_layers(module, ids, spec.dropped, spec.mapped, progress)
    if spec.inner:
        module = with_neurons(module, ids, spec.inner, spec.refit, progress)
    return module


def noticed(module: Any, ids: Ids, spec: ContextualSpec, progress: Progress) -> Sensitivity:
    """What the states of all layers notice of each number."""
    module.requires_grad_(False)  # only what reaches the layers is asked for
    return sensitivity(module, ids, spec.seed, progress) if spec.felt else unfelt(module)


def rounded(
    module: Any, ids: Ids, spec: ContextualSpec, felt: Sensitivity, room: int, progress: Progress
) -> quantised_module.Arrays:
    """The state of the rounded module, as :func:`core.students.encoders.straight_through.assemble`
    takes it."""
    module.requires_grad_(False)
    table, layers = quantised_module.code(
        module,
        ids,
        felt,
        room,
        progress,
        share=counted if spec.felt else alike,
        turned=spec.factorised,
    )
    return straight_through.begin(module, table, layers)


def teach(
    module: Any,
    states: TeacherStates,
    spec: ContextualSpec,
    effort: ContextualEffort,
    steps: int,
    progress: Progress,
    checkpoints: Checkpoints,
) -> None:
    """Towards the teacher's states in all layers."""
    import torch

    for name, parameter in module.named_parameters():
        parameter.requires_grad_(spec.nudged or not name.endswith("aimed"))
    groups = batches_of_one_length(states.ids, max(1, effort.tokens // GROUPS))
    variance, mean = torch.from_numpy(states.variance), torch.from_numpy(states.mean)

    def loss_of(step: int, _: np.random.Generator) -> "torch.Tensor":
        total, count = torch.zeros(()), 0
        for number in range(GROUPS * step, GROUPS * (step + 1)):
            order = np.random.default_rng((spec.seed, 3, number // len(groups)))
            rows = groups[order.permutation(len(groups))[number % len(groups)]]
            given = module(torch.tensor([states.ids[row] for row in rows]))
            aim = states.of(rows)
            tokens = aim.shape[0] * aim.shape[1]
            loss = error(given, aim, variance, mean, spec.cosine, spec.relations)
            total = total + tokens * loss
            count += tokens
        return total / count

    dense = any(p.requires_grad for p in module.table.parameters() if p.ndim > 1)
    rate = effort.rate * (DENSE if dense else 1)
    schedule = Schedule(steps, rate, warm_up=max(1, steps // 20))
    train(
        module, loss_of, schedule, spec.seed, progress, checkpoints, message="Learning all layers"
    )


def error(
    given: Sequence["torch.Tensor"],
    aim: "torch.Tensor",
    variance: "torch.Tensor",
    mean: "torch.Tensor",
    cosine: bool,
    relations: bool,
) -> "torch.Tensor":
    """Of the states of all layers, each (b, t, d), against (b, t, layers, d)."""
    import torch
    from torch.nn import functional

    total = torch.zeros(())
    for layer, state in enumerate(given):
        true = aim[:, :, layer]
        total = total + ((state - true) ** 2).sum(2).mean() / variance[layer]
        if cosine:
            total = total + (1 - functional.cosine_similarity(state, true, dim=2)).mean()
        if relations:
            total = total + _unlike(state - mean[layer], true - mean[layer])
    return total / len(given)


def _unlike(given: "torch.Tensor", true: "torch.Tensor") -> "torch.Tensor":
    """How much the cosines among tokens differ, by how much the true ones are spread."""
    from torch.nn import functional

    both = [functional.normalize(it.flatten(0, 1)[:COMPARED], dim=1) for it in (given, true)]
    here, there = (it @ it.T for it in both)
    return ((here - there) ** 2).mean() / there.var().clamp(min=1e-6)


def room_for(school: School, module: Any) -> int:
    """Bytes for whole numbers."""
    linear = {f"{name}.weight" for name in linear_layers(module)}
    linear |= {"table.weight", "positions.weight"}
    real = sum(it.numel() for name, it in module.state_dict().items() if name not in linear)
    real += sum(layer.out_features for layer in linear_layers(module).values())
    return school.room(real + 4 * module.shape.width + len(json.dumps(asdict(module.shape))))


def _require_fitting(spec: ContextualSpec, shape: LayeredShape) -> None:
    layers, inner = len(shape.inner), max(shape.inner)
    if spec.dropped >= layers or spec.inner > inner:
        raise InvalidSpecification(
            f"found {spec.dropped} layers to drop and {spec.inner} neurons to keep of a teacher "
            f"with {layers} layers of {inner}; expected at most {layers - 1} and {inner}"
        )
    if spec.shape == "half" and shape.width % (2 * shape.heads):
        raise InvalidSpecification(
            f"found a teacher of width {shape.width} with {shape.heads} heads; expected heads of "
            "an even size to halve: choose the shape thin"
        )


class _Later(Checkpoints):
    """A checkpoints whose history goes on behind the steps of an earlier part."""

    def __init__(self, checkpoints: Checkpoints, before: int) -> None:
        super().__init__(checkpoints.folder)
        self.before = before

    def record(self, entry: Mapping[str, float | int]) -> None:
        super().record({**entry, "step": entry["step"] + self.before})


def _notes(
    shape: LayeredShape, teacher: LayeredShape, texts: int, before: int, after: int
) -> list[str]:
    kept = sum(width > 0 for width in shape.inner)
    said = f"{kept} of {len(teacher.inner)} layers, {shape.width} of {teacher.width} wide"
    neurons = ", ".join(
        str(it) for it in dict.fromkeys(width for width in shape.inner if width > 0)
    )
    return [
        f"{said}, {neurons} neurons; taught on {texts:,} texts for {before + after:,} steps, all "
        "layers at once, with rounded, entropy-coded numbers."
    ]
