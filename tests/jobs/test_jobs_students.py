"""A real training in the real worker: watched, paused, killed, resumed, cancelled, queued."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_students import ToySpec, registered

from core.jobs.job import Job, Status
from core.jobs.runner import Runner
from core.pipeline import Workspace, distill
from core.students import storage

TIMEOUT = 60.0
SLOW = {"steps": 60, "pause_between": 0.02}


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def workspace_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def runner(workspace_folder: Path) -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1] / "helpers"))
        made = Runner(workspace_folder, recipes="toy_recipes:RECIPES", grace_seconds=2.0)
        yield made
        made.close()


@pytest.fixture(scope="module")
def workspace(workspace_folder: Path) -> Workspace:
    return Workspace(workspace_folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, words_reference: str) -> str:
    """The digest of the student that an uninterrupted training gives."""
    made = distill(
        Workspace(tmp_path_factory.mktemp("whole")), words_reference, ToySpec(**SLOW), "t"
    )
    return storage.digest(made.folder)


def order(teacher: str, key: str, **values: Any) -> dict[str, Any]:
    return {"teacher": teacher, "spec": ToySpec(**{**SLOW, **values}).to_dict(), "key": key}


def wait_for_step(workspace: Workspace, runner: Runner, job_id: str, step: int) -> Job:
    """Wait until the job says that it has come so far."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        job = runner.job(job_id)
        said = job.message.rpartition("step ")[2].partition(" ")[0]
        if job.over or (said.isdecimal() and int(said) >= step):
            return job
        time.sleep(0.01)
    raise AssertionError(f"no step {step} within {TIMEOUT} s: {runner.job(job_id)}")


def test_paused_and_resumed_it_is_the_same_student(
    runner: Runner, workspace: Workspace, words_reference: str, undisturbed: str
) -> None:
    wanted = order(words_reference, "paused")
    first = runner.submit("distill", wanted)
    wait_for_step(workspace, runner, first, 15)
    runner.pause(first)
    assert runner.wait(first, TIMEOUT).status is Status.PAUSED
    (training,) = workspace.catalogue.trainings(words_reference)
    assert training.arguments == wanted
    job = runner.wait(runner.submit("distill", training.arguments), TIMEOUT)
    assert job.status is Status.DONE, job.error
    assert job.result["key"] == "paused"
    assert job.paced_from is not None
    assert storage.digest(workspace.catalogue.where("paused")) == undisturbed
    assert workspace.catalogue.trainings() == []
    assert "relative_error" in workspace.catalogue.card("paused").report


def test_a_killed_worker_is_noticed_and_its_training_goes_on(
    runner: Runner, workspace: Workspace, words_reference: str, undisturbed: str
) -> None:
    wanted = order(words_reference, "killed")
    first = runner.submit("distill", wanted)
    wait_for_step(workspace, runner, first, 15)
    assert runner._process is not None
    killed = time.monotonic()
    os.kill(runner._process.pid, signal.SIGKILL)
    job = runner.wait(first, TIMEOUT)
    assert time.monotonic() - killed < 3
    assert job.status is Status.FAILED
    assert "found the worker process gone (signal SIGKILL" in job.error
    assert "a training goes on from its last checkpoint" in job.error
    assert [it.key for it in workspace.catalogue.trainings()] == ["killed"]
    assert runner.wait(runner.submit("distill", wanted), TIMEOUT).status is Status.DONE
    assert storage.digest(workspace.catalogue.where("killed")) == undisturbed


def test_live_state_can_be_read_while_it_runs(
    runner: Runner, workspace: Workspace, words_reference: str
) -> None:
    job_id = runner.submit("distill", order(words_reference, "live", pause_between=0.03))
    end = time.monotonic() + TIMEOUT
    while workspace.catalogue.preview("live") is None and time.monotonic() < end:
        time.sleep(0.05)
    rows, vectors, step = workspace.catalogue.preview("live") or (None, None, 0)
    assert vectors is not None
    assert rows is not None
    assert len(rows) == len(vectors)
    (training,) = workspace.catalogue.trainings()
    assert {"step", "loss", "seconds"} <= set(training.history[-1])
    assert training.history[-1]["step"] >= step > 0
    runner.cancel(job_id)
    assert runner.wait(job_id, TIMEOUT).status is Status.CANCELLED
    assert workspace.catalogue.trainings() == []  # cancelled: nothing is kept
    assert not (workspace.catalogue.under_way / "live").exists()


def test_two_trainings_at_once_run_one_after_the_other(
    runner: Runner, workspace: Workspace, words_reference: str
) -> None:
    first = runner.submit("distill", order(words_reference, "one", steps=30))
    second = runner.submit("distill", order(words_reference, "two", steps=3))
    assert runner.job(second).message == "waiting until distill is done"
    one, two = runner.wait(first, TIMEOUT), runner.wait(second, TIMEOUT)
    assert (one.status, two.status) == (Status.DONE, Status.DONE)
    assert one.finished is not None
    assert two.started is not None
    assert one.finished <= two.started


def test_nan_fails_the_job_in_its_own_words(
    runner: Runner, workspace: Workspace, words_reference: str
) -> None:
    job_id = runner.submit("distill", order(words_reference, "nan", spoil_at=5))
    job = runner.wait(job_id, TIMEOUT)
    assert job.status is Status.FAILED
    assert "found a loss of nan at step 5" in job.error
    (training,) = workspace.catalogue.trainings()
    assert training.error == job.error
    workspace.catalogue.discard("nan")


@pytest.mark.parametrize("recipe", ["evaluate", "compare"])
def test_the_other_recipes(
    runner: Runner, workspace: Workspace, words_reference: str, recipe: str
) -> None:
    if "small" not in [card.key for card in workspace.catalogue.students()]:
        distill(workspace, words_reference, ToySpec(steps=3), "small")
    arguments = {
        "evaluate": {"key": "small"},
        "compare": {"a": words_reference, "b": "student:small"},
    }
    job = runner.wait(runner.submit(recipe, arguments[recipe]), TIMEOUT)
    assert job.status is Status.DONE, job.error


def test_an_unknown_family_is_said(runner: Runner, words_reference: str) -> None:
    wrong = {"teacher": words_reference, "spec": {"family": "gan"}, "key": "x"}
    job_id = runner.submit("distill", wrong)
    runner.cancel(job_id)  # what cannot be understood cannot have kept anything
    assert runner.wait(job_id, TIMEOUT).over
    job = runner.wait(runner.submit("distill", {**wrong, "key": "y"}), TIMEOUT)
    assert "found the student family 'gan'" in job.error
