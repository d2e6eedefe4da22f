"""Finding the step of a quantiser at which a student is as large, or as true, as was asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.types import Progress, tell

MadeT = TypeVar("MadeT")
TRIES = 12
NEAR = 0.004  # of the target that may be left


@dataclass(frozen=True)
class Tried(Generic[MadeT]):
    """A student at a step, and by how much it misses: the logarithm of what it has by what it may.

    Above 0 it is too large (or not true enough).
    """

    step: float
    excess: float
    made: MadeT


def search(
    make: Callable[[float], Tried[MadeT]],
    first: float,
    floor: float,
    grows: bool,
    progress: Progress,
    message: str,
) -> Tried[MadeT] | None:
    """The best that is not too much: secants on the logarithm of the step, inside a bracket.

    ``grows`` says whether the excess grows with the step, as an error does; a size falls. None
    where nothing was small enough; steps below ``floor`` are not tried. Raises Cancelled.
    """
    sign = 1.0 if grows else -1.0
    good: Tried[MadeT] | None = None
    bad: Tried[MadeT] | None = None
    last: Tried[MadeT] | None = None
    step = first
    for attempt in range(TRIES):
        tell(progress, attempt, TRIES, message)
        tried = make(step)
        if tried.excess <= 0:
            if good is None or tried.excess > good.excess:
                good = tried
            if tried.excess > -NEAR or (step <= floor and not grows):
                break
        elif bad is None or tried.excess < bad.excess:
            bad = tried
        if good is not None and bad is not None:
            if abs(math.log(good.step / bad.step)) < 1e-4:
                break
            # Aim just inside: at a third of what may be left.
            share = (-NEAR / 3 - good.excess) / (bad.excess - good.excess)
            share = min(max(share, 0.05), 0.95)
            step = good.step * (bad.step / good.step) ** share
        else:
            # No bracket yet: go by the slope of the last two, or by a slope of one.
            slope = sign
            if last is not None and last.step != tried.step:
                seen = (tried.excess - last.excess) / math.log(tried.step / last.step)
                slope = seen if seen * sign > 0.05 else 0.05 * sign
            move = -(tried.excess + NEAR / 3) / slope
            move = math.copysign(min(max(abs(move) * 1.05, 0.005), 1.5), move)
            step = max(floor, tried.step * math.exp(move))
        last = tried
    return good
