"""A job: one run of one recipe, as a state machine that knows nothing of processes.

    queued --start--> running --succeed--> done
       |                 |-----fail------> failed
       |                 |-----ask_stop--> running, stopping or pausing
       |----cancel-------+-----cancel----> cancelled
       `----pause--------+-----pause-----> paused

A paused job has given its worker back: to go on, its work is submitted again and begins where
the recipe's own checkpoint stands. Each step gives a new Job, so that a Job in somebody's hands
never changes under them. Times are seconds since the epoch.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"


class IllegalStep(RuntimeError):
    """A step that does not lead on from where the job stands: a fault in the program."""


@dataclass(frozen=True)
class Job:
    """``owner`` is who asked for it, "" on one's own machine. ``done`` of ``total`` are units of
    the recipe's own; ``result`` is there when it is done.

    ``stopping``: somebody asked it to stop; ``pausing``: and to keep what it has. ``paced_from``
    is when its first progress came and how far it was by then: work that goes on from a
    checkpoint begins far along.

    >>> job = Job("1", "map", {}, queued_at=0.0).start(10.0).advance(25, 100, "layout")
    >>> job.fraction, job.seconds_left(20.0)
    (0.25, 30.0)
    """

    id: str
    recipe: str
    arguments: dict[str, Any]
    queued_at: float
    owner: str = ""
    status: Status = Status.QUEUED
    done: int = 0
    total: int = 0
    message: str = "waiting for its turn"
    stopping: bool = False
    pausing: bool = False
    started: float | None = None
    paced_from: tuple[float, float] | None = None  # (time, fraction)
    finished: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in (Status.QUEUED, Status.RUNNING)

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1; 0 while the total is unknown."""
        if self.status is Status.DONE:
            return 1.0
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0

    def seconds_left(self, now: float) -> float | None:
        """An estimate at the pace so far; None while there is nothing to judge it by."""
        if self.status is not Status.RUNNING or self.started is None:
            return None
        since, before = self.paced_from or (self.started, 0.0)
        if self.fraction <= before:
            return None
        return max(now - since, 0.0) * (1 - self.fraction) / (self.fraction - before)

    def seconds(self, now: float) -> float:
        """How long it has run, or ran."""
        if self.started is None:
            return 0.0
        return (now if self.finished is None else self.finished) - self.started

    def start(self, now: float) -> "Job":
        """Queued becomes running."""
        self._require(Status.QUEUED, step="start")
        return replace(self, status=Status.RUNNING, started=now, message="starting")

    def wait_behind(self, message: str) -> "Job":
        """Queued still, and what it waits for."""
        self._require(Status.QUEUED, step="wait_behind")
        return replace(self, message=message)

    def advance(self, done: int, total: int, message: str, now: float | None = None) -> "Job":
        """Running, and so much further."""
        self._require(Status.RUNNING, step="advance")
        moved = replace(self, done=done, total=total, message=message)
        if self.paced_from is None and now is not None and total > 0:
            return replace(moved, paced_from=(now, moved.fraction))
        return moved

    def ask_stop(self, pausing: bool = False) -> "Job":
        """Running, and asked to stop, for good or for a while; who asked to stop, means it."""
        self._require(Status.RUNNING, step="ask_stop")
        pausing = pausing and (self.pausing or not self.stopping)
        message = "pausing" if pausing else "stopping"
        return replace(self, stopping=True, pausing=pausing, message=message)

    def succeed(self, result: dict[str, Any], now: float) -> "Job":
        """Running becomes done, with a result."""
        self._require(Status.RUNNING, step="succeed")
        return replace(self, status=Status.DONE, result=result, finished=now, message="done")

    def fail(self, error: str, now: float) -> "Job":
        """Running becomes failed, with one line that says why."""
        self._require(Status.RUNNING, step="fail")
        return replace(self, status=Status.FAILED, error=error, finished=now, message="failed")

    def cancel(self, now: float) -> "Job":
        """Queued or running becomes cancelled."""
        self._require(Status.QUEUED, Status.RUNNING, step="cancel")
        return replace(self, status=Status.CANCELLED, finished=now, message="cancelled")

    def pause(self, now: float) -> "Job":
        """Queued or running becomes paused."""
        self._require(Status.QUEUED, Status.RUNNING, step="pause")
        return replace(self, status=Status.PAUSED, finished=now, message="paused")

    def stop(self, now: float) -> "Job":
        """Paused where that was asked for, else cancelled."""
        return self.pause(now) if self.pausing else self.cancel(now)

    def _require(self, *allowed: Status, step: str) -> None:
        if self.status not in allowed:
            raise IllegalStep(
                f"found job {self.id} {self.status}; expected it {' or '.join(allowed)} "
                f"before {step}()"
            )
