"""How an encoder student is made: what the teacher is asked, what is learnt, what is kept."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidSpecification
from core.spaces.space import Space
from core.students.base import Stored, StudentSpec, require_room
from core.students.checkpoint import Checkpoints
from core.students.coding.vocabulary import Vocabulary
from core.students.encoders import bag_of_pieces, quantised_module
from core.students.encoders.bert import Shape, in_batches, read_shape, read_teacher
from core.students.encoders.quantisation import batches_of_one_length, linear_layers, sensitivity
from core.students.encoders.training_texts import free_pieces, held_out, made_texts, trained_on
from core.students.encoders.wordpiece import WordPiece, read_pieces
from core.students.training import Schedule, train
from core.types import Matrix, Progress, Queries, Rows

if TYPE_CHECKING:
    import torch

ALIKE = 0.98  # cosine with the space's own vectors that the model in the folder must reach
FORMAT = 2_200  # bytes of JSON and headers beside the tokenizer's rules, at most
SHOWN = 600  # texts whose vectors can be watched forming
SHOWING = 0.1  # of the time of a training that may go into showing it


@dataclass(frozen=True)
class EncoderEffort:
    """Texts that gradients are measured on, texts made, steps of training, tokens of a step."""

    measured: int
    made: int
    steps: int
    tokens: int
    rate: float


LAYERS = EncoderEffort(measured=600, made=500, steps=60, tokens=1_024, rate=2e-3)
BAG = EncoderEffort(measured=1_500, made=6_000, steps=500, tokens=2_048, rate=2e-3)
QUICK = {
    "layers": EncoderEffort(measured=150, made=60, steps=8, tokens=512, rate=2e-3),
    "bag": EncoderEffort(measured=300, made=500, steps=60, tokens=2_048, rate=3e-3),
}


@dataclass(frozen=True, eq=False)
class School:
    """The teacher and all that a student of it needs to begin."""

    space: Space
    spec: StudentSpec
    share: float  # of words and documents that is held out
    pieces: WordPiece
    shape: Shape
    teacher: Any
    rows: Rows  # of the space that may be learnt from

    def room(self, least: int) -> int:
        """Bytes for whole numbers, when ``least`` real ones (2 bytes each) are kept as well."""
        fixed = Vocabulary(self.pieces.pieces).packed().nbytes + FORMAT + 2 * least
        fixed += len(json.dumps(self.pieces.rules)) + 16 * 6 * self.shape.layers
        return require_room(self.space, self.spec, fixed + max(500, fixed // 20)) - fixed


def open_school(space: Space, spec: StudentSpec, share: float, model: Path) -> School:
    """The teacher in a folder and the texts that may be learnt from.

    Raises InvalidSpecification where they do not belong together.
    """
    rows = trained_on(space, share, spec.seed)
    pieces, kept = read_pieces(model)
    shape = read_shape(model, space.provenance.pooling)
    teacher = read_teacher(model, shape, kept, pieces.longest).requires_grad_(False)
    school = School(space, spec, share, pieces, shape, teacher, rows)
    _require_alike(school)
    return school


def _require_alike(school: School) -> None:
    some = school.rows[:: max(1, len(school.rows) // 5)][:5]
    texts = [school.space.texts[row] for row in some]
    found = None
    if school.shape.width == school.space.dim:
        answers = in_batches(school.pieces.encode(texts), school.teacher, school.shape.width)
        given = school.space.vectors[some]
        size = np.linalg.norm(answers, axis=1) * np.linalg.norm(given, axis=1)
        found = float(((answers * given).sum(1) / np.maximum(size, 1e-12)).min())
    if found is None or found < ALIKE:
        said = "another width" if found is None else f"a cosine of {found:.2f} between them"
        raise InvalidSpecification(
            f"found that the vectors of {school.space.name} are not what its model answers "
            f"({said}); expected embeddings of whole texts, as of minilm:words: choose such a "
            "space, or the transform student"
        )


def learn_layers(
    school: School, quick: bool, progress: Progress, checkpoints: Checkpoints
) -> tuple[Stored, list[str]]:
    """Round the teacher's numbers first, then tune what stays real."""
    effort = QUICK["layers"] if quick else LAYERS
    names = list(linear_layers(school.teacher))
    lines = sum(layer.out_features * 2 for layer in linear_layers(school.teacher).values())
    room = school.room(lines + school.shape.width * (6 + 4 * school.shape.layers) * 2)
    ids, targets = _lessons(school, effort.made, progress)
    restored = checkpoints.restore()
    if restored is not None and "module.table_grid" in restored[0]:
        state = {name[7:]: it for name, it in restored[0].items() if name.startswith("module.")}
    else:
        state = _rounded(school, school.teacher, ids, effort, room, progress)
    module = quantised_module.assemble(school.teacher, state).requires_grad_(True)
    _learn(module, ids, targets, effort, school, progress, checkpoints, "Tuning")
    notes = [
        f"All {school.shape.layers} layers of the teacher with rounded, entropy-coded numbers; "
        f"tuned on {len(ids):,} texts for {effort.steps:,} steps."
    ]
    return _kept(school, "layers", school.shape, module.state_dict(), names, notes)


def learn_bag(
    school: School, quick: bool, progress: Progress, checkpoints: Checkpoints
) -> tuple[Stored, list[str]]:
    """Train real numbers first, then round them, then tune what stays real."""
    effort = QUICK["bag"] if quick else BAG
    shape = bag_of_pieces.BagShape.of(school.space.dim, school.shape.normalise)
    blank = bag_of_pieces.build(shape, 1)
    names = list(linear_layers(blank))
    room = school.room(
        sum(2 * layer.out_features for layer in linear_layers(blank).values()) + 3 * shape.width
    )
    ids, targets = _lessons(school, effort.made, progress)
    answers, single = _alone(school, quick, progress)
    counts = np.bincount(np.concatenate(ids), minlength=len(answers)).astype(np.float64)
    module = bag_of_pieces.start(shape, answers, counts, school.spec.seed)
    ids, targets = [*ids, *single[0]], np.concatenate([targets, single[1]])
    _learn(module, ids, targets, effort, school, progress, checkpoints, "Learning")
    state = _rounded(school, module, ids, effort, room, progress)
    module = quantised_module.assemble(module, state).requires_grad_(True)
    finish = EncoderEffort(0, 0, max(2, effort.steps // 20), effort.tokens, effort.rate / 2)
    _learn(module, ids, targets, finish, school, progress, Checkpoints(), "Tuning")
    notes = [f"Trained on {len(ids):,} texts for {effort.steps:,} steps, then rounded."]
    return _kept(school, "bag", shape, module.state_dict(), names, notes)


def _lessons(school: School, made: int, progress: Progress) -> tuple[list[list[int]], Matrix]:
    """Token ids and the teacher's vectors: of the space's texts, and of texts made from them."""
    own = [school.space.texts[row] for row in school.rows]
    extra = made_texts(school.space, school.rows, min(made, 20 * len(own)), school.spec.seed)
    ids = school.pieces.encode(own + extra)
    vectors = in_batches(
        ids[len(own) :],
        school.teacher,
        school.space.dim,
        progress,
        f"The teacher reads {len(extra):,} texts more",
    )
    return ids, np.concatenate([school.space.vectors[school.rows], vectors])


def _alone(
    school: School, quick: bool, progress: Progress
) -> tuple[Matrix, tuple[list[list[int]], Queries]]:
    """(n, d) what the teacher says of each piece by itself; and the pieces it was asked, answered.

    Of forms of held-out words it is not asked: a ridge from the teacher's table guesses them.
    """
    out = held_out(school.space, school.share, school.spec.seed)
    free = free_pieces(school.pieces.pieces, school.space, out)
    asked = free[:: 10 if quick and len(free) > 2_000 else 1]
    before, behind = school.pieces.frame
    ids = [[*before, int(row), *behind] for row in asked]
    answers = in_batches(
        ids, school.teacher, school.space.dim, progress, f"The teacher reads {len(ids):,} pieces"
    )
    table = school.teacher.table.weight.detach().numpy()
    mean, middle = table.mean(0), answers.mean(0)
    known = (table[asked] - mean).astype(np.float64)
    moments = known.T @ known
    moments += 0.1 * np.trace(moments) / len(moments) * np.eye(len(moments)) + 1e-9
    ridge = np.linalg.solve(moments, known.T @ (answers - middle))
    every = ((table - mean) @ ridge + middle).astype(np.float32)
    every[asked] = answers
    return every, (ids, answers)


def _rounded(
    school: School,
    module: Any,
    ids: list[list[int]],
    effort: EncoderEffort,
    room: int,
    progress: Progress,
) -> quantised_module.Arrays:
    generator = np.random.default_rng((school.spec.seed, 2))
    some = generator.permutation(len(ids))[: effort.measured]
    module.requires_grad_(False)  # only what reaches the layers is asked for
    felt = sensitivity(module, [ids[row] for row in some], school.spec.seed, progress)
    table, layers = quantised_module.code(module, ids, felt, room, progress)
    return quantised_module.state_of(module, table, layers)


def _learn(
    module: Any,
    ids: list[list[int]],
    targets: Matrix,
    effort: EncoderEffort,
    school: School,
    progress: Progress,
    checkpoints: Checkpoints,
    message: str,
) -> None:
    """Towards the teacher's vectors: squared distance, against the vectors' own spread."""
    import torch

    answers = torch.from_numpy(targets)
    spread = float(((answers - answers.mean(0)) ** 2).sum(1).mean()) or 1.0
    groups = batches_of_one_length(ids, max(1, effort.tokens // 4))
    seed = school.spec.seed

    def loss_of(step: int, _: np.random.Generator) -> "torch.Tensor":
        total, count = torch.zeros(()), 0
        for number in range(4 * step, 4 * step + 4):
            order = np.random.default_rng((seed, 3, number // len(groups)))
            rows = groups[order.permutation(len(groups))[number % len(groups)]]
            given = module(torch.tensor([ids[row] for row in rows]))
            total = total + ((given - answers[rows]) ** 2).sum()
            count += len(rows)
        return total / count / spread

    schedule = Schedule(effort.steps, effort.rate, warm_up=max(1, effort.steps // 20))
    preview = _preview(module, school)
    train(module, loss_of, schedule, seed, progress, checkpoints, message=message, preview=preview)


def _preview(module: Any, school: School) -> Callable[[], tuple[Rows, Matrix]]:
    """The vectors of some texts as they are now, or were a little while ago: it takes time."""
    rows = school.rows[:: max(1, len(school.rows) // SHOWN)][:SHOWN]
    ids = school.pieces.encode([school.space.texts[row] for row in rows])
    last: list[Matrix] = []
    began, spent = time.monotonic(), 0.0

    def preview() -> tuple[Rows, Matrix]:
        nonlocal spent
        now = time.monotonic()
        if not last or spent < SHOWING * (now - began):
            last[:] = [in_batches(ids, module.eval(), school.space.dim)]
            spent += time.monotonic() - now
        return rows, last[0]

    return preview


def _kept(
    school: School,
    kind: str,
    shape: Any,
    tensors: Any,
    names: list[str],
    notes: list[str],
) -> tuple[Stored, list[str]]:
    state = {name: it.detach().numpy() for name, it in tensors.items()}
    arrays, grids = quantised_module.stored(state, names)
    arrays["vocabulary.pieces"] = Vocabulary(school.pieces.pieces).packed()
    payload = {
        "kind": kind,
        "shape": asdict(shape),
        "grids": grids,
        "rules": school.pieces.rules,
        "longest": school.pieces.longest,
        "positions": school.pieces.longest,
    }
    notes.append(f"Texts are read up to {school.pieces.longest} tokens, as the teacher does.")
    if len(set(school.space.texts)) < len(school.space):
        notes.append("Of texts that occur twice the first row counts.")
    return Stored(arrays, payload), notes
