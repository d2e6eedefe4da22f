"""Two small families for tests of what surrounds students, "toy" and "flat".

toy    learns by the real training loop: a bag of hashed letter pairs; reads any text
flat   stores every row in fp16, at once; reads nothing
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from core.errors import UnknownItem
from core.spaces.lemmas import split
from core.spaces.space import Space
from core.students import registry
from core.students.base import Family, Origin, Stored, Student, StudentSpec
from core.students.checkpoint import Checkpoints
from core.students.training import Schedule, train
from core.types import Progress, Queries

BUCKETS = 97


@dataclass(frozen=True, kw_only=True)
class ToySpec(StudentSpec):
    family: ClassVar[str] = "toy"

    held_out: float = 0.1
    steps: int = 40
    quick: bool = False  # a quarter of the steps
    spoil_at: int = -1  # the step at which the loss becomes NaN
    kill_at: int = -1  # the step at which the process is killed, the first time
    pause_between: float = 0.0  # seconds a step


@dataclass(frozen=True, kw_only=True)
class FlatSpec(StudentSpec):
    family: ClassVar[str] = "flat"


class ToyStudent(Student):
    family = "toy"

    def __init__(self, spec: ToySpec, origin: Origin, table: Any, notes: Sequence[str] = ()):
        super().__init__(spec, origin, notes)
        self.table = table

    @property
    def vocabulary(self) -> Sequence[str]:
        return ()

    def generate(self, texts: Sequence[str]) -> Queries:
        return np.asarray(bags(texts) @ self.table.astype(np.float32), dtype=np.float32)

    def stored(self) -> Stored:
        return Stored({"weights.table": self.table}, {})

    def operations(self) -> int:
        return 10 * self.dim


class FlatStudent(Student):
    family = "flat"

    def __init__(self, spec: Any, origin: Origin, rows: Any, texts: Sequence[str], notes=()):
        super().__init__(spec, origin, notes)
        self.rows = rows
        self.texts = tuple(texts)

    @property
    def vocabulary(self) -> Sequence[str]:
        return self.texts

    def generate(self, texts: Sequence[str]) -> Queries:
        at = {text: row for row, text in reversed(list(enumerate(self.texts)))}
        for text in texts:
            if text not in at:
                raise UnknownItem(f"found {text!r}; expected one of the stored texts: try another")
        return self.rows[[at[text] for text in texts]].astype(np.float32)

    def stored(self) -> Stored:
        return Stored({"codes.rows": self.rows}, {"texts": self.texts})

    def operations(self) -> int:
        return 0


def bags(texts: Sequence[str]) -> Any:
    """(m, BUCKETS) shares of hashed letter pairs."""
    out = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in enumerate(texts):
        word = f"<{text}>"
        for one, two in pairwise(word):
            out[row, (ord(one) * 31 + ord(two)) % BUCKETS] += 1 / len(word)
    return out


def fit_toy(
    space: Space, spec: ToySpec, progress: Progress, checkpoints: Checkpoints, model: Path | None
) -> Student:
    import torch

    kept_out = set(split(space, spec.held_out, spec.seed).kept_out.tolist())
    rows = np.array([row for row in range(len(space)) if row not in kept_out])
    inputs = torch.from_numpy(bags([space.texts[row] for row in rows]))
    target = torch.from_numpy(np.array(space.vectors[rows]))
    generator = torch.Generator().manual_seed(spec.seed)
    layer = torch.nn.Linear(BUCKETS, space.dim, bias=False)
    with torch.no_grad():
        layer.weight.copy_(0.01 * torch.randn(layer.weight.shape, generator=generator))

    def loss_of(step: int, drawn: np.random.Generator) -> "torch.Tensor":
        batch = torch.from_numpy(drawn.integers(0, len(rows), 16))
        time.sleep(spec.pause_between)
        mark = None if checkpoints.folder is None else checkpoints.folder.parent / "killed-once"
        if step == spec.kill_at and mark is not None and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        loss = (layer(inputs[batch]) - target[batch]).square().mean()
        return loss * float("nan") if step == spec.spoil_at else loss

    def preview() -> Any:
        with torch.no_grad():
            return np.arange(len(rows)), layer(inputs).numpy().astype(np.float32)

    steps = spec.steps // 4 if spec.quick else spec.steps
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model is slower on two, far slower on busy ones
    try:
        train(
            layer, loss_of, Schedule(steps, rate=0.05, warm_up=2), spec.seed, progress, checkpoints,
            preview=preview,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    table = layer.weight.detach().numpy().T.astype(np.float16).copy()
    return ToyStudent(spec, Origin.of(space), table)


def fit_flat(
    space: Space, spec: FlatSpec, progress: Progress, checkpoints: Checkpoints, model: Path | None
) -> Student:
    return FlatStudent(spec, Origin.of(space), space.vectors.astype(np.float16), space.texts)


FAMILIES = (
    Family("toy", "A toy", "Learns for tests.", ToySpec, fit_toy,
           lambda spec, origin, stored, notes: ToyStudent(
               spec, origin, stored.arrays["weights.table"], notes), True, True),
    Family("flat", "Flat", "Stores for tests.", FlatSpec, fit_flat,
           lambda spec, origin, stored, notes: FlatStudent(
               spec, origin, stored.arrays["codes.rows"], stored.payload["texts"], notes),
           False, False),
)  # fmt: skip


@contextmanager
def registered() -> Iterator[None]:
    """Make the registry know both families, for as long as it lasts."""
    before = registry.NAMES
    for family in FAMILIES:
        module = ModuleType(f"core.students.families.{family.name}")
        module.FAMILY = family  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
    registry.NAMES = (*before, *(family.name for family in FAMILIES))
    try:
        yield
    finally:
        registry.NAMES = before
