"""core.jobs: the state machine on its own, and the runner with a real worker process."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import JobFailed
from core.jobs.job import IllegalStep, Job, Status
from core.jobs.runner import KEPT_JOBS, Runner

TIMEOUT = 30.0


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1] / "helpers"))
    with_tests = Runner(tmp_path, recipes="job_recipes:RECIPES", grace_seconds=0.3)
    yield with_tests
    with_tests.close()


def finish(runner: Runner, recipe: str, **arguments: Any) -> Job:
    return runner.wait(runner.submit(recipe, arguments), TIMEOUT)


def wait_until_heard(runner: Runner, job_id: str) -> None:
    end = time.monotonic() + TIMEOUT
    while runner.job(job_id).total == 0 and time.monotonic() < end:
        time.sleep(0.01)
    assert runner.job(job_id).total > 0


# The state machine


def test_a_job_goes_from_queued_to_done() -> None:
    job = Job("1", "map", {}, queued_at=0.0)
    assert (job.status, job.over, job.seconds(5.0)) == (Status.QUEUED, False, 0.0)
    job = job.start(10.0).advance(25, 100, "layout")
    assert job.seconds_left(20.0) == 30.0
    job = job.succeed({"key": "abc"}, 50.0)
    assert (job.over, job.fraction, job.seconds(99.0)) == (True, 1.0, 40.0)
    assert job.seconds_left(99.0) is None


STEPS = {
    "start": lambda job: job.start(1.0),
    "advance": lambda job: job.advance(1, 2, "on"),
    "ask_stop": lambda job: job.ask_stop(),
    "succeed": lambda job: job.succeed({}, 2.0),
    "fail": lambda job: job.fail("why", 2.0),
    "cancel": lambda job: job.cancel(2.0),
    "pause": lambda job: job.pause(2.0),
    "wait_behind": lambda job: job.wait_behind("waiting until map is done"),
}
LEGAL = {
    Status.QUEUED: {"start", "cancel", "pause", "wait_behind"},
    Status.RUNNING: {"advance", "ask_stop", "succeed", "fail", "cancel", "pause"},
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
def test_only_legal_steps_succeed_and_nothing_follows_the_end(steps: list[str]) -> None:
    job = Job("1", "map", {}, queued_at=0.0)
    for step in steps:
        if step in LEGAL.get(job.status, set()):
            job = STEPS[step](job)
        else:
            with pytest.raises(IllegalStep, match=f"found job 1 {job.status}; expected it"):
                STEPS[step](job)


@given(st.integers(-5, 200), st.integers(-5, 100))
def test_the_fraction_stays_within_bounds(done: int, total: int) -> None:
    job = Job("1", "map", {}, queued_at=0.0).start(0.0).advance(done, total, "")
    assert 0.0 <= job.fraction <= 1.0
    left = job.seconds_left(7.0)
    assert left is None or left >= 0.0


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ((True,), Status.PAUSED),
        ((False,), Status.CANCELLED),
        ((True, False), Status.CANCELLED),
        ((False, True), Status.CANCELLED),
        ((True, True), Status.PAUSED),
    ],
)
def test_who_asked_to_cancel_means_it(asked: tuple[bool, ...], end: Status) -> None:
    job = Job("1", "distill", {}, queued_at=0.0).start(0.0)
    for pausing in asked:
        job = job.ask_stop(pausing)
    assert job.stopping
    assert job.stop(1.0).status is end


def test_the_estimate_of_a_resumed_job_counts_from_where_it_began() -> None:
    job = Job("1", "distill", {}, queued_at=0.0).start(10.0).advance(500, 1000, "on", 12.0)
    assert job.seconds_left(12.0) is None
    assert job.advance(600, 1000, "on", 22.0).seconds_left(22.0) == pytest.approx(40.0)


# The runner and its worker


def test_a_recipe_gets_its_workspace_and_arguments(runner: Runner, tmp_path: Path) -> None:
    job = finish(runner, "echo", text="naïve \ud800 🐈", numbers=[1, 2.5])
    assert job.status is Status.DONE
    assert job.result["workspace"] == str(tmp_path)
    assert (job.result["text"], job.result["numbers"]) == ("naïve \ud800 🐈", [1, 2.5])


def test_one_process_serves_all_jobs(runner: Runner) -> None:
    first, second = finish(runner, "echo", n=1), finish(runner, "echo", n=2)
    assert first.result["pid"] == second.result["pid"] != os.getpid()


def test_what_libraries_print_goes_to_the_log(runner: Runner) -> None:
    job = finish(runner, "noisy")
    assert (job.status, job.result) == (Status.DONE, {"heard": ""})
    log = runner.log.read_text()
    assert "not JSON at all" in log
    assert "on standard error" in log


def test_jobs_run_in_turn(runner: Runner) -> None:
    ids = [runner.submit("sleepy", {"steps": 3, "n": n}) for n in range(3)]
    jobs = [runner.wait(job_id, TIMEOUT) for job_id in ids]
    for before, after in itertools.pairwise(jobs):
        assert before.finished is not None
        assert after.started is not None
        assert before.finished <= after.started


def test_the_same_work_is_not_queued_twice(runner: Runner) -> None:
    first = runner.submit("sleepy", {"steps": 50, "seed": 1})
    assert runner.submit("sleepy", {"seed": 1, "steps": 50}) == first
    assert runner.submit("sleepy", {"seed": 2, "steps": 50}) != first
    runner.cancel(first)
    assert runner.submit("sleepy", {"seed": 1, "steps": 50}) != first


def test_many_threads_share_one_job(runner: Runner) -> None:
    ids: set[str] = set()
    submit = lambda: ids.add(runner.submit("sleepy", {"steps": 100}))  # noqa: E731
    threads = [threading.Thread(target=submit) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 1


def test_a_gentle_stop_keeps_the_process(runner: Runner) -> None:
    pid = finish(runner, "echo").result["pid"]
    job_id = runner.submit("sleepy", {"steps": 10_000})
    wait_until_heard(runner, job_id)
    runner.cancel(job_id)
    assert runner.wait(job_id, TIMEOUT).status is Status.CANCELLED
    assert finish(runner, "echo").result["pid"] == pid


def test_a_recipe_that_does_not_listen_is_ended(runner: Runner) -> None:
    pid = finish(runner, "echo").result["pid"]
    job_id = runner.submit("deaf", {})
    after = runner.submit("echo", {"n": 2})
    wait_until_heard(runner, job_id)
    runner.cancel(job_id)
    assert runner.job(job_id).message == "stopping"
    assert runner.wait(job_id, TIMEOUT).status is Status.CANCELLED
    assert runner.wait(after, TIMEOUT).result["pid"] != pid


def test_a_queued_job_is_cancelled_without_running(runner: Runner) -> None:
    first = runner.submit("sleepy", {"steps": 20})
    second = runner.submit("sleepy", {"steps": 21})
    runner.cancel(second)
    assert runner.job(second).status is Status.CANCELLED
    assert runner.job(second).started is None
    assert runner.wait(first, TIMEOUT).status is Status.DONE
    runner.cancel(first)  # over: nothing happens
    assert runner.job(first).status is Status.DONE


def test_a_paused_job_frees_the_worker_and_comes_again(runner: Runner) -> None:
    pid = finish(runner, "echo").result["pid"]
    job_id = runner.submit("sleepy", {"steps": 10_000})
    after = runner.submit("echo", {"n": 2})
    wait_until_heard(runner, job_id)
    runner.pause(job_id)
    assert runner.job(job_id).message == "pausing"
    job = runner.wait(job_id, TIMEOUT)
    assert (job.status, job.message, job.over) == (Status.PAUSED, "paused", True)
    assert runner.wait(after, TIMEOUT).result["pid"] == pid
    again = runner.submit("sleepy", {"steps": 10_000})
    assert again != job_id
    runner.pause(job_id)  # over: nothing happens
    runner.cancel(job_id)
    assert runner.job(job_id).status is Status.PAUSED


def test_a_pause_can_become_a_cancel_and_not_the_reverse(runner: Runner) -> None:
    for first, second in (("pause", "cancel"), ("cancel", "pause")):
        job_id = runner.submit("deaf", {"first": first})
        wait_until_heard(runner, job_id)
        getattr(runner, first)(job_id)
        getattr(runner, second)(job_id)
        assert runner.wait(job_id, TIMEOUT).status is Status.CANCELLED


def test_a_pause_that_is_not_heard_ends_the_process(runner: Runner) -> None:
    job_id = runner.submit("deaf", {})
    wait_until_heard(runner, job_id)
    runner.pause(job_id)
    assert runner.wait(job_id, TIMEOUT).status is Status.PAUSED
    assert finish(runner, "echo").status is Status.DONE


def test_who_waits_is_told_for_what(runner: Runner) -> None:
    first = runner.submit("deaf", {})
    second, third = (runner.submit("sleepy", {"steps": n}) for n in (1, 2))
    assert runner.job(second).message == "waiting until deaf is done"
    assert runner.job(third).message == "waiting until deaf and 1 more are done"
    runner.pause(second)
    assert runner.job(second).status is Status.PAUSED
    assert runner.job(third).message == "waiting until deaf is done"
    runner.cancel(first)
    assert runner.wait(third, TIMEOUT).status is Status.DONE


def test_a_known_fault_is_reported_in_its_own_words(runner: Runner) -> None:
    job = finish(runner, "known_fault")
    assert job.error == "found one waypoint; expected two or more: add another"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("unknown_fault", "ZeroDivisionError: of two lines"),
        ("unspeakable", "not JSON serializable"),
        ("leave", "SystemExit: 3"),
        ("absent", "KeyError: 'absent'"),
    ],
)
def test_an_unknown_fault_fails_the_job_alone(runner: Runner, recipe: str, said: str) -> None:
    job = finish(runner, recipe)
    assert job.status is Status.FAILED
    assert said in job.error
    assert "\n" not in job.error
    assert finish(runner, "echo").status is Status.DONE


@pytest.mark.parametrize(("recipe", "how"), [("die", "signal SIGKILL"), ("fall", "exit code 7")])
def test_a_dead_process_fails_its_job_and_is_replaced(
    runner: Runner, recipe: str, how: str
) -> None:
    doomed = runner.submit(recipe, {})
    after = runner.submit("echo", {})
    job = runner.wait(doomed, TIMEOUT)
    assert job.status is Status.FAILED
    assert f"found the worker process gone ({how}" in job.error
    assert str(runner.log) in job.error
    assert runner.wait(after, TIMEOUT).status is Status.DONE


def test_progress_is_held_to_ten_reports_a_second(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = []
    hear = Runner._hear

    def counted(self: Runner, said: dict[str, Any]) -> None:
        reports.append(said)
        hear(self, said)

    monkeypatch.setattr(Runner, "_hear", counted)
    job = finish(runner, "chatty")
    assert job.result["calls"] > 100
    assert 2 <= len(reports) <= 8


def test_a_wait_is_told_before_it_holds_everything_up(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[str, tuple[float, int]] = {}
    hear = Runner._hear

    def timed(self: Runner, said: dict[str, Any]) -> None:
        heard[said.get("message", said["say"])] = (time.monotonic(), said.get("done", 0))
        hear(self, said)

    monkeypatch.setattr(Runner, "_hear", timed)
    finish(runner, "waits")
    at, share = heard["Reading"]
    assert share == 3
    assert heard["done"][0] - at > 0.5


def test_recipes_that_cannot_be_imported_fail_the_job(tmp_path: Path) -> None:
    runner = Runner(tmp_path, recipes="no_such_module:RECIPES")
    try:
        assert "No module named 'no_such_module'" in finish(runner, "echo").error
    finally:
        runner.close()


def test_the_worker_ends_with_its_runner(runner: Runner) -> None:
    process = runner._process
    assert process is not None
    job_id = runner.submit("deaf", {})
    wait_until_heard(runner, job_id)
    runner.close()
    assert process.poll() == 0
    assert runner.job(job_id).status is Status.CANCELLED


def test_an_unknown_job_is_named(runner: Runner) -> None:
    with pytest.raises(JobFailed, match="found no job 77; expected one of this session"):
        runner.job("77")


def test_old_jobs_are_forgotten(runner: Runner) -> None:
    running = runner.submit("deaf", {})
    for n in range(KEPT_JOBS + 10):
        runner.cancel(runner.submit("echo", {"n": n}))
    assert len(runner.jobs()) <= KEPT_JOBS + 1
    assert runner.job(running).status is Status.RUNNING


def test_where_the_log_cannot_be_written_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1] / "helpers"))
    (tmp_path / "file").write_text("in the way")
    runner = Runner(tmp_path / "file" / "workspace", recipes="job_recipes:RECIPES")
    try:
        assert finish(runner, "echo", text="here").result["text"] == "here"
    finally:
        runner.close()
