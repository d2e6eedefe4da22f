"""The one training loop: AdamW, cosine schedule, checkpoints, and a stop that loses nothing."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from core.errors import Cancelled, TrainingFailed
from core.students.checkpoint import Checkpoints
from core.types import Matrix, Progress, Rows

if TYPE_CHECKING:
    import torch

SECONDS_BETWEEN_CHECKPOINTS = 15.0
SECONDS_BETWEEN_REPORTS = 1.0
PREVIEWED = 1_500  # items whose vectors a person can watch forming


@dataclass(frozen=True)
class Schedule:
    """``steps`` of AdamW; the rate rises over ``warm_up`` of them, then falls as a cosine to 0."""

    steps: int
    rate: float = 1e-3
    warm_up: int = 50
    weight_decay: float = 0.0
    clip: float = 1.0

    def at(self, step: int) -> float:
        """The rate at a step.

        >>> Schedule(100, rate=1.0, warm_up=10).at(0), Schedule(100, warm_up=0).at(100)
        (0.1, 0.0)
        """
        rising = min(1.0, (step + 1) / max(self.warm_up, 1))
        return self.rate * rising * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))


def train(
    module: "torch.nn.Module",
    loss_of: Callable[[int, np.random.Generator], "torch.Tensor"],
    schedule: Schedule,
    seed: int,
    progress: Progress,
    checkpoints: Checkpoints,
    *,
    message: str = "learning",
    preview: Callable[[], tuple[Rows, Matrix]] | None = None,
    measure: Callable[[], Mapping[str, float]] | None = None,
) -> None:
    """Train in place, going on from the checkpoints's checkpoint if there is one.

    ``loss_of(step, generator)`` gives a scalar; its generator depends on seed and step only, so
    that a resumed training equals an uninterrupted one. ``preview`` gives (rows, vectors) to
    look at, ``measure`` more figures for the history. Raises Cancelled once a checkpoint is kept
    when ``progress`` answers False, TrainingFailed when the loss is not finite (the module is
    then back at its last good checkpoint, which is kept).
    """
    import torch

    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad],
        lr=schedule.rate,
        weight_decay=schedule.weight_decay,
        foreach=True,
    )
    start, before = _go_on(module, optimiser, checkpoints)
    began = saved = told = time.monotonic()

    def seconds() -> float:
        return before + time.monotonic() - began

    if start == 0:
        _keep(module, optimiser, checkpoints, 0, 0.0)
    module.train()
    for step in range(start, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        loss = loss_of(step, np.random.default_rng((seed, step)))
        value = float(loss.detach())
        if not math.isfinite(value):
            back, _ = _go_on(module, optimiser, checkpoints)
            raise TrainingFailed(
                f"found a loss of {value} at step {step}; expected a finite number: the student "
                f"of step {back} is kept; try a larger budget or another seed"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(module.parameters(), schedule.clip)
        optimiser.step()
        now = time.monotonic()
        last = step + 1 == schedule.steps
        if last or now - told > SECONDS_BETWEEN_REPORTS:
            told = now
            entry = {"step": step + 1, "loss": value, "seconds": round(seconds(), 2)}
            checkpoints.record({**entry, **(measure() if measure else {})})
            if preview is not None and checkpoints.folder is not None:
                rows, vectors = preview()
                checkpoints.preview(rows, vectors, step + 1)
                module.train()
        wants_more = progress(step + 1, schedule.steps, f"{message}, loss {value:.4f}")
        if not wants_more or now - saved > SECONDS_BETWEEN_CHECKPOINTS:
            saved = now
            _keep(module, optimiser, checkpoints, step + 1, seconds())
        if not wants_more and not last:
            raise Cancelled(f"stopped at step {step + 1} of {schedule.steps}; it can be resumed")
    _keep(module, optimiser, checkpoints, schedule.steps, seconds())
    module.eval()


def _keep(
    module: "torch.nn.Module",
    optimiser: "torch.optim.Optimizer",
    checkpoints: Checkpoints,
    step: int,
    spent: float,
) -> None:
    if checkpoints.folder is None and step:
        return
    tensors = {
        f"module.{name}": value.detach().numpy() for name, value in module.state_dict().items()
    }
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    for index, moments in state.items():
        tensors |= {f"optimiser.{index}.{name}": value.numpy() for name, value in moments.items()}
    checkpoints.save(tensors, {"step": step, "seconds": spent})


def _go_on(
    module: "torch.nn.Module", optimiser: "torch.optim.Optimizer", checkpoints: Checkpoints
) -> tuple[int, float]:
    """Load the checkpoint where one fits this module; the step and the seconds it stands at."""
    import torch

    restored = checkpoints.restore()
    if restored is None:
        return 0, 0.0
    arrays, payload = restored
    own = {
        n[7:]: torch.from_numpy(np.array(a)) for n, a in arrays.items() if n.startswith("module.")
    }
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    if {name: tuple(value.shape) for name, value in own.items()} != expected:
        return 0, 0.0
    state = _moments(arrays, [p for group in optimiser.param_groups for p in group["params"]])
    step, seconds = payload.get("step"), payload.get("seconds")
    timed = type(step) is int and step >= 0 and isinstance(seconds, int | float)
    if state is None or not timed:
        return 0, 0.0
    module.load_state_dict(own)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(payload["step"]), float(payload["seconds"])


def _moments(
    arrays: Mapping[str, npt.NDArray[np.generic]], parameters: Sequence["torch.Tensor"]
) -> "dict[int, dict[str, torch.Tensor]] | None":
    """What the optimiser remembers of each parameter; None where it is not of these."""
    import torch

    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("optimiser."):
            index, _, moment = name.removeprefix("optimiser.").partition(".")
            if not index.isdecimal() or int(index) >= len(parameters):
                return None
            if moment != "step" and array.shape != tuple(parameters[int(index)].shape):
                return None
            state.setdefault(int(index), {})[moment] = torch.from_numpy(np.array(array))
    whole = all(set(value) == {"step", "exp_avg", "exp_avg_sq"} for value in state.values())
    return state if whole else None
