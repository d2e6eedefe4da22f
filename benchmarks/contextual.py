"""Contextual students and their rivals, layer by layer, on documents never trained on.

    python -m benchmarks.contextual [--only students rivals pieces ablation] [--steps 60]

Each group of figures is written as soon as it stands, into what earlier runs left in
benchmarks/results/contextual.json, with the command that made it. Everything is asked about the
same sentences of the held-out documents of minilm:sentences, special tokens left out. The
teacher's states are read once and kept in the folder --cache.

Bytes of students are those on disk, of rivals their numbers, their scales at 16 bits, all that
is not a matrix at 16 bits, and the same packed vocabulary.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, Stopwatch, record, this_command
from core.pipeline.students.layer_fidelity import fidelity_by_layer, milliseconds, static_of
from core.pipeline.workspace import Workspace
from core.signatures.hidden import Reader, hidden_states
from core.signatures.states import States
from core.spaces.space import Space
from core.store.disk import default_workspace
from core.students import storage
from core.students.base import Origin
from core.students.checkpoint import Checkpoints
from core.students.coding.vocabulary import Vocabulary
from core.students.encoders import contextual_training as lessons
from core.students.encoders import straight_through
from core.students.encoders.encoder_training import School, open_school
from core.students.encoders.quantisation import Sensitivity, linear_layers
from core.students.encoders.teacher_states import TeacherStates, read_states
from core.students.encoders.training_texts import held_out
from core.students.families.contextual import (
    ContextualSpec,
    ContextualStudent,
    called,
    fast_tokenizer,
)
from core.students.storage import parts, size_bytes
from core.teachers.minilm import minilm_folder
from core.types import silent

SHARE, SEED = 0.05, 0
ASKED = 200  # held-out sentences
TAUGHT = 1_500  # of the texts taught, those from which the means of tokens are taken
GROUP = 64
SIZES = (8.0, 6.0, 4.0)
HALVES = (3.0,)
ROUGH = 300  # texts that the ablation measures gradients on
SHORT = 30  # steps of the ablation's tunings
MEGA = 1e6


@dataclass(eq=False)
class Room:
    """What all measurements share."""

    space: Space
    cache: Path
    steps: int

    def spec(self, megabytes: float = 6.0, **more: Any) -> ContextualSpec:
        """A specification of so many bytes in all."""
        return ContextualSpec(
            bytes_per_item=megabytes * MEGA / len(self.space),
            held_out=SHARE,
            seed=SEED,
            **{"steps": self.steps, **more},
        )

    def school(self, spec: ContextualSpec) -> School:
        return replace(self._school, spec=spec)

    @cached_property
    def _school(self) -> School:
        return open_school(self.space, self.spec(), SHARE, minilm_folder())

    @cached_property
    def ids(self) -> lessons.Ids:
        return lessons.texts_taught(self._school, lessons.USUAL.taught)

    @cached_property
    def states(self) -> TeacherStates:
        return read_states(lessons.layered(self._school), self.ids, self.cache, silent)

    def teacher(self) -> Any:
        """A new copy of the teacher, to be changed."""
        teacher = lessons.layered(self._school)
        teacher.weights = tuple((1 / np.sqrt(self.states.variance)).tolist())
        return teacher

    @cached_property
    def felt(self) -> Sensitivity:
        """What the teacher's own states notice."""
        return self.noticed(self.teacher(), self.spec())

    def noticed(self, module: Any, spec: ContextualSpec) -> Sensitivity:
        return lessons.noticed(module, self.ids[: lessons.USUAL.measured], spec, silent)

    @cached_property
    def asked(self) -> list[str]:
        rows = np.random.default_rng(SEED).permutation(held_out(self.space, SHARE, SEED))
        return [self.space.texts[row] for row in rows[:ASKED]]

    @cached_property
    def truth(self) -> States:
        return hidden_states(self.asked, self.reader(self.teacher()), truncate=True)

    def reader(self, module: Any) -> Reader:
        pieces = self._school.pieces
        return Reader(called(module, pieces), fast_tokenizer(pieces), "cpu", "a student")

    def measured(self, module: Any, *, timed: bool = False) -> dict[str, Any]:
        """Figures of all layers, each a list."""
        model = self.reader(module)
        found = fidelity_by_layer(hidden_states(self.asked, model, truncate=True), self.truth)
        names = ("cosine", "unexplained", "sentence_cosine", "pair_spearman", "cka")
        figures: dict[str, Any] = {
            name: [round(getattr(it, name), 4) for it in found] for name in names
        }
        if timed:
            figures["milliseconds"] = milliseconds(model, self.asked)
        return figures

    def fixed_bytes(self, module: Any) -> int:
        """Of a rival: the vocabulary, and at 16 bits what is no matrix."""
        rest = sum(it.numel() for it in module.state_dict().values()) - self.matrices(module)
        return int(2 * rest) + Vocabulary(self._school.pieces.pieces).packed().nbytes

    def matrices(self, module: Any) -> int:
        """Numbers in the matrices."""
        layers = [*linear_layers(module).values(), module.table]
        return sum(int(it.weight.numel()) for it in layers)


def students(room: Room) -> dict[str, Any]:
    """As wide as the teacher, of several sizes; the folders are left in the cache."""
    found = {}
    for size in SIZES:
        found[f"thin {size:g} MB"] = student(room, room.spec(size), f"thin-{size:g}")
        note(found, "students")
    return found


def halves(room: Room) -> dict[str, Any]:
    """Of half the width."""
    found = {}
    for size in HALVES:
        spec = room.spec(size, shape="half", steps=4 * room.steps)  # its steps are so much quicker
        found[f"half {size:g} MB"] = student(room, spec, f"half-{size:g}")
        note(found, "halves")
    return found


def student(room: Room, spec: ContextualSpec, name: str) -> dict[str, Any]:
    """One, made as everybody makes it, but that the teacher was read already."""
    checkpoints = Checkpoints(room.cache / name)
    school = room.school(spec)
    assert checkpoints.folder is not None
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    room.states  # noqa: B018 - read once
    for file in room.cache.glob("states-*.f16"):
        if not (checkpoints.folder / file.name).exists():
            (checkpoints.folder / file.name).hardlink_to(file)
    with Stopwatch() as watch:
        felt = room.felt if spec.shape == "thin" else None
        kept, notes = lessons.learn(school, spec, show, checkpoints, felt)
    made = ContextualStudent(spec, Origin.of(room.space), kept, notes)
    storage.save(made, room.cache / f"student-{name}")
    losses = [it["loss"] for it in checkpoints.history()]
    checkpoints.clear()
    return {
        "bytes_total": size_bytes(made),
        "parts": parts(made),
        "parameters": made.parameters(),
        "operations": made.operations(),
        "notes": notes,
        "seconds_without_reading": round(watch.seconds),
        "loss_first_and_last": [round(it, 4) for it in (losses[0], losses[-1])] if losses else [],
        **room.measured(made.module, timed=True),
    }


def rivals(room: Room) -> dict[str, Any]:
    """The teacher itself, rounding to nearest, layers dropped, neurons dropped, a static table."""
    teacher = room.teacher()
    found: dict[str, Any] = {
        "teacher": {
            "bytes_total": 4 * sum(it.numel() for it in teacher.parameters()),
            "milliseconds": milliseconds(room.reader(teacher), room.asked),
        }
    }
    for name, table, layers in (
        ("int8", 8, 8),
        ("int4 and int8", 4, 8),
        ("int4", 4, 4),
        ("int3", 3, 3),
    ):
        module = room.teacher()
        size = room.fixed_bytes(module) + round_matrices(module, table, layers)
        found[f"{name}, groups of {GROUP}"] = {"bytes_total": size, **room.measured(module)}
        note(found, "rivals")
    for name, more in (
        ("1 layer dropped, mapped", {"dropped": 1}),
        ("1 layer dropped", {"dropped": 1, "mapped": False}),
        ("3 layers dropped, mapped", {"dropped": 3}),
        ("768 neurons, refitted", {"inner": 768}),
        ("768 neurons", {"inner": 768, "refit": False}),
        ("512 neurons, refitted", {"inner": 512}),
    ):
        module = thinner(room, room.spec(**more))
        said = {
            "bytes_total_at_8_bits": room.fixed_bytes(module) + room.matrices(module),
            "inner": module.shape.inner,
        }
        found[f"{name}, real numbers"] = {**said, **room.measured(module)}
        note(found, "rivals")
    texts = [room._school.pieces.whole_texts().decode(it) for it in room.ids[:TAUGHT]]
    taught = hidden_states([it for it in texts if it.strip()], room.reader(teacher), truncate=True)
    static = fidelity_by_layer(room.truth, room.truth, static_of(taught, room.truth))
    found["the mean of each token"] = {
        "cosine": [round(it.static_cosine or 0, 4) for it in static],
        "unexplained": [round(it.static_unexplained or 0, 4) for it in static],
    }
    note(found, "rivals")
    return found


def thinner(room: Room, spec: ContextualSpec) -> Any:
    """A smaller module in real numbers, untaught."""
    return lessons.smaller(room.teacher(), room.ids[: lessons.USUAL.refitted], spec, silent)


def round_matrices(module: Any, table: int, layers: int) -> int:
    """Round to nearest in groups, in place; the bytes of the matrices."""
    import torch

    bits = {f"{name}.weight": layers for name in linear_layers(module)} | {"table.weight": table}
    size = 0
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name in bits:
                groups = value.reshape(-1, GROUP)
                top = 2 ** (bits[name] - 1) - 1
                step = (groups.abs().amax(1, keepdim=True) / top).clamp(min=1e-12)
                value.copy_((torch.round(groups / step) * step).reshape(value.shape))
                size += value.numel() * bits[name] // 8 + 2 * len(groups)
    return size


def ablation(room: Room) -> dict[str, Any]:
    """6 MB each, from gradients of fewer texts: rounded with one ingredient changed; short
    tunings from the same rounded numbers with one ingredient of the learning changed; smaller
    shapes, untuned."""
    found: dict[str, Any] = {}
    first: Any = None
    for name, more in _named(
        ("everything", {}),
        ("not felt: all numbers alike", {"felt": False}),
        ("table in its own coordinates", {"factorised": False}),
    ):
        state, figures = roughly(room, room.spec(**more))
        first = state if first is None else first
        found[f"untuned, {name}"] = figures
        note(found, "ablation")
    for name, more in _named(
        ("everything", {}),
        ("no cosine", {"cosine": False}),
        ("no relations", {"relations": False}),
        ("squared error alone", {"cosine": False, "relations": False}),
        ("whole numbers learn too", {"nudged": True}),
    ):
        spec = room.spec(**{**more, "steps": room.steps or SHORT})
        module = straight_through.assemble(room.teacher(), first, integers=spec.nudged)
        lessons.teach(module, room.states, spec, lessons.USUAL, spec.steps, show, Checkpoints())
        found[f"tuned {spec.steps} steps, {name}"] = room.measured(module)
        note(found, "ablation")
    for name, more in _named(
        ("1,024 neurons, refitted", {"inner": 1024}),
        ("1,024 neurons, not refitted", {"inner": 1024, "refit": False}),
        ("1 layer mapped", {"dropped": 1}),
        ("1 layer left out", {"dropped": 1, "mapped": False}),
    ):
        _, found[f"untuned, {name}"] = roughly(room, room.spec(**more))
        note(found, "ablation")
    return found


def _named(*rows: tuple[str, dict[str, Any]]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Rows of a table by name, with what each one changes."""
    return rows


def roughly(room: Room, spec: ContextualSpec) -> tuple[Any, dict[str, Any]]:
    """The rounded state of a module that was not taught, and its figures."""
    module = thinner(room, spec)
    whole = lessons.room_for(room.school(spec), module)
    felt = lessons.noticed(module, room.ids[:ROUGH], spec, silent)
    state = lessons.rounded(module, room.ids, spec, felt, whole, silent)
    return state, room.measured(straight_through.assemble(module, state))


def kept(_room: Room) -> dict[str, Any]:
    """The whole report, probes and senses included, of the student that ships."""
    from core.pipeline.students.layer_fidelity import contextual_report

    workspace = Workspace(default_workspace())
    return contextual_report(workspace, SHIPPED, whole=True, sentences=ASKED).to_dict()


SHIPPED = "shipped-contextual-minilm"
GROUPS: dict[str, Callable[[Room], dict[str, Any]]] = {
    "students": students,
    "halves": halves,
    "rivals": rivals,
    "ablation": ablation,
    "shipped": kept,
}


def note(found: dict[str, Any], group: str) -> None:
    """Put what stands so far into the file of results."""
    file = RESULTS / "contextual.json"
    before = json.loads(file.read_text(encoding="utf-8"))["results"] if file.exists() else {}
    commands = {**before.get("commands", {}), group: " ".join(this_command())}
    rows = {**before.get(group, {}), **found}
    record("contextual", this_command(), {**before, group: rows, "commands": commands})


def show(done: int, total: int, message: str) -> bool:
    print(f"\r{message} {done} of {total}", end="", flush=True)
    return True


def main() -> None:
    """Measure and write benchmarks/results/contextual.json."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--sizes", nargs="*", type=float, help="megabytes of students, or halves")
    parser.add_argument("--steps", type=int, default=0, help="of tuning; 0 is the usual number")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(gettempdir()) / "contextual")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if chosen.sizes:
        globals().update(SIZES=tuple(chosen.sizes), HALVES=tuple(chosen.sizes))
    room = Room(
        Workspace(default_workspace()).space("minilm:sentences"), chosen.cache, chosen.steps
    )
    for group in chosen.only:
        note(GROUPS[group](room), group)


if __name__ == "__main__":
    main()
