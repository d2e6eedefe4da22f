"""Of some work a person wants the latest alone, and never at the cost of somebody else."""

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from core.jobs.job import Job, Status
from core.ui.shared import jobs, state
from core.ui.shared.jobs import submitted


@dataclass
class Queue:
    """A runner without a worker: jobs wait until they are cancelled or said to be done."""

    known: dict[str, Job] = field(default_factory=dict)

    def submit(self, recipe: str, arguments: dict[str, Any], owner: str = "") -> str:
        for job in self.known.values():
            if (job.recipe, job.arguments, job.over) == (recipe, arguments, False):
                return job.id
        job = Job(str(len(self.known)), recipe, arguments, time.time())
        self.known[job.id] = job
        return job.id

    def job(self, job_id: str) -> Job:
        return self.known[job_id]

    def jobs(self) -> list[Job]:
        return list(self.known.values())

    def cancel(self, job_id: str) -> None:
        self.known[job_id] = self.known[job_id].cancel(time.time())

    def cancelled(self) -> list[int]:
        return [it.arguments["n"] for it in self.jobs() if it.status is Status.CANCELLED]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue()
    monkeypatch.setattr(jobs, "runner", lambda: made)
    monkeypatch.setattr(jobs, "_people", {})
    return made


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask for map ``n`` as the person whose session that is."""

    def asked(session: dict[str, Any], n: int, slot: str = "map") -> str | None:
        for module in (jobs, state):
            page = SimpleNamespace(session_state=session, context=SimpleNamespace(cookies={}))
            monkeypatch.setattr(module, "st", page)
        return submitted("islands", {"n": n}, f"map {n}", slot)

    return asked


def test_what_was_asked_before_is_cancelled(queue: Queue, ask: Any) -> None:
    me: dict[str, Any] = {}
    for n in (1, 1, 2, 3):
        assert ask(me, n) is not None
    assert queue.cancelled() == [1, 2]


def test_what_was_left_begins_anew_when_it_is_asked_again(queue: Queue, ask: Any) -> None:
    me: dict[str, Any] = {}
    first = ask(me, 1)
    ask(me, 2)
    again = ask(me, 1)
    assert again not in (None, first)
    assert queue.job(again).status is Status.QUEUED
    assert queue.cancelled() == [1, 2]


def test_other_slots_and_none_are_left_alone(queue: Queue, ask: Any) -> None:
    me: dict[str, Any] = {}
    ask(me, 1, "map")
    ask(me, 2, "way")
    ask(me, 3, "")
    assert queue.cancelled() == []


def test_what_somebody_else_waits_for_goes_on(queue: Queue, ask: Any) -> None:
    me: dict[str, Any] = {}
    other: dict[str, Any] = {}
    assert ask(me, 1) == ask(other, 1)
    ask(me, 2)
    assert queue.cancelled() == []
    ask(other, 3)  # now nobody does
    assert queue.cancelled() == [1]


def test_what_is_over_is_not_touched(queue: Queue, ask: Any) -> None:
    me: dict[str, Any] = {}
    first = ask(me, 1)
    queue.known[first] = queue.job(first).start(time.time()).succeed({}, time.time())
    ask(me, 2)
    assert queue.cancelled() == []
    assert me["job map 1"] == first


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, ""), (12, ", about 12 s more"), (3_878, ", about 65 min more")]
)
def test_a_long_wait_is_told_in_minutes(monkeypatch, seconds, told):
    monkeypatch.setattr(Job, "seconds_left", lambda self, now: seconds)
    job = Job("1", "space", {}, time.time(), status=Status.RUNNING, message="reading")
    assert jobs.job_words(job) == f"Reading{told}"
