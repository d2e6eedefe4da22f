"""The runner: a queue of jobs, and one worker process that does them in turn.

One process, because a fit uses every core and numba aborts when two run side by side; a process
of its own, because a fit would stall the pages, and because native code can only be stopped
by ending its process. All browser sessions share one runner, so everything here is locked.
"""

import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from core.errors import JobFailed
from core.jobs.job import Job, Status
from core.regular import at_once
from core.resources import share_cores, whole_machine

RECIPES = "core.pipeline:RECIPES"
GRACE_SECONDS = 3.0  # from a request to stop until the process is ended
PAUSE_GRACE = 5  # times as long, for whoever is to keep what he has: a checkpoint takes a moment
MOST_EACH = 4  # jobs of one owner that are not over
KEPT_JOBS = 200  # finished jobs beyond these are forgotten, oldest first
LOG_BYTES = 1_000_000  # a longer log is begun anew with the next process


class Runner:
    """Starts its worker at once, so that it warms up while a person still reads the page.

    ``recipes`` is "module:NAME" of a dictionary of recipes, see worker.py. Where that module has
    ``discard(workspace, recipe, arguments)``, it clears away what a cancelled job had kept; where
    it has ``hold(workspace, kind, key, packed, why)``, it is given what no disk took.
    """

    def __init__(
        self, workspace: Path, *, recipes: str = RECIPES, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.workspace = Path(workspace).absolute()
        self.log = self.workspace / "worker.log"
        self._recipes = recipes
        self._grace = grace_seconds
        self._jobs: dict[str, Job] = {}  # in order of submission
        self._running: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        with self._changed:
            self._spawn()

    def submit(self, recipe: str, arguments: dict[str, Any], owner: str = "") -> str:
        """Queue a job; the id of the same one where it is already queued or running.

        Turns go round by owner; an owner that is named may have `MOST_EACH` at a time. Raises
        TypeError for arguments that JSON cannot hold, JobFailed for one job too many.
        """
        wanted = (recipe, json.dumps(arguments, sort_keys=True))
        with self._changed:
            for job in self._jobs.values():
                same = (job.recipe, json.dumps(job.arguments, sort_keys=True)) == wanted
                if same and not job.over and not job.stopping:
                    return job.id
            self._require_room(owner)
            number = str(next(self._numbers))
            job = Job(number, recipe, json.loads(wanted[1]), time.time(), owner)
            self._jobs[job.id] = job
            self._forget()
            self._next()
            self._tell_who_waits()
            return job.id

    def job(self, job_id: str) -> Job:
        """How a job stands now. Raises JobFailed for one that is not known (any more)."""
        with self._changed:
            if job_id not in self._jobs:
                raise JobFailed(
                    f"found no job {job_id}; expected one of this session: start it again"
                )
            return self._jobs[job_id]

    def jobs(self) -> list[Job]:
        """All jobs that are remembered, in the order in which they came."""
        with self._changed:
            return list(self._jobs.values())

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """The job once it is over, or as it stands after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.job(job_id).over, timeout)
            return self.job(job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a job, gently first; after the grace period its process is ended and replaced.

        What it had kept to go on from is thrown away. Nothing happens to a job that is over.
        """
        self._stop(job_id, pausing=False)

    def pause(self, job_id: str) -> None:
        """Stop a job that shall go on later, where its recipe keeps checkpoints.

        It gives its worker back; to resume, submit the same work again. Nothing happens to a job
        that is over, or about to be cancelled.
        """
        self._stop(job_id, pausing=True)

    def _stop(self, job_id: str, *, pausing: bool) -> None:
        with self._changed:
            job = self.job(job_id)
            if job.status is Status.QUEUED:
                self._leave(job.pause(time.time()) if pausing else job.cancel(time.time()))
                self._tell_who_waits()
            elif job.status is Status.RUNNING and (not job.stopping or job.pausing > pausing):
                self._put(job.ask_stop(pausing))
                self._send({"do": "cancel", "id": job_id})
                grace = self._grace * (PAUSE_GRACE if pausing else 1)
                process = self._process
                timer = threading.Timer(grace, self._end_process, (job_id, process))
                timer.daemon = True
                timer.start()

    def close(self) -> None:
        """End the worker; what runs or waits is cancelled."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                if not job.over:
                    self._put(job.cancel(time.time()))
            self._running = None
            process, self._process = self._process, None
        if process is not None:
            _end(process)

    # From here on the caller holds the lock, except in the threads' own functions.

    def _put(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._changed.notify_all()

    def _leave(self, job: Job) -> None:
        """A job that somebody stopped is over: of a cancelled one, nothing is kept."""
        if job.status is Status.CANCELLED:
            with suppress(ImportError):  # a recipe that could not be imported kept nothing
                module = importlib.import_module(self._recipes.partition(":")[0])
                discard = getattr(module, "discard", None)
                if discard is not None:
                    discard(self.workspace, job.recipe, job.arguments)
        self._put(job)

    def _tell_who_waits(self) -> None:
        """Say to each job in the queue what it waits for."""
        before = [job.recipe for job in self._jobs.values() if job.status is Status.RUNNING]
        for job in self._in_turn():
            self._put(job.wait_behind(_waiting(before)))
            before.append(job.recipe)

    def _forget(self) -> None:
        over = [job.id for job in self._jobs.values() if job.over]
        for job_id in over[: max(0, len(self._jobs) - KEPT_JOBS)]:
            del self._jobs[job_id]

    def _require_room(self, owner: str) -> None:
        own = [job for job in self._jobs.values() if job.owner == owner and not job.over]
        if owner and len(own) >= MOST_EACH:
            raise JobFailed(
                f"found {len(own)} jobs of yours at work or waiting; expected fewer than "
                f"{MOST_EACH} before another: wait, or stop one"
            )

    def _in_turn(self) -> list[Job]:
        """What waits, in the order in which it will be done: each owner's first, each one's second,
        and so on, the one that runs counted."""
        rounds: dict[str, int] = {}
        order: list[tuple[int, Job]] = []
        for job in self._jobs.values():
            if not job.over:
                rounds[job.owner] = rounds.get(job.owner, -1) + 1
                order.append((rounds[job.owner] if job.owner else 0, job))
        order.sort(key=lambda it: it[0])
        return [job for _, job in order if job.status is Status.QUEUED]

    def _next(self) -> None:
        """Give the worker the next job that waits, unless it has one."""
        waiting = iter(self._in_turn())
        job = None if self._running is not None or self._closed else next(waiting, None)
        if job is None:
            return
        if self._process is None or self._process.poll() is not None:
            try:
                self._spawn()
            except JobFailed as fault:
                self._put(job.start(time.time()).fail(str(fault), time.time()))
                self._next()
                return
        self._running = job.id
        self._put(job.start(time.time()))
        order = {"do": "run", "id": job.id, "recipe": job.recipe, "arguments": job.arguments}
        self._send(order)

    def _spawn(self) -> None:
        here = str(Path(__file__).resolve().parents[2])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        share_cores()
        # -P: a folder named core where the person happens to stand must not be taken for ours.
        command = [sys.executable, "-P", "-m", "core.jobs.worker"]
        try:
            with self._opened_log() as log:
                process = subprocess.Popen(
                    [*command, "--workspace", str(self.workspace), "--recipes", self._recipes],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**whole_machine(), "PYTHONPATH": os.pathsep.join(paths)},
                    start_new_session=True,  # Ctrl-C in the terminal is for the app to handle
                )
        except OSError as fault:
            raise JobFailed(
                f"found that no worker can start ({fault.strerror or fault}); expected memory and "
                "room for another process: end some, and try again"
            ) from None
        self._process = process
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _opened_log(self) -> IO[bytes]:
        """What libraries print; where it cannot be written, it is lost and the work goes on."""
        try:
            self.workspace.mkdir(parents=True, exist_ok=True)
            anew = not self.log.exists() or self.log.stat().st_size > LOG_BYTES
            return open(self.log, "wb" if anew else "ab", opener=at_once)
        except OSError:
            return Path(os.devnull).open("wb")

    def _send(self, order: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it has just died: the listener is about to notice, and says so
            return

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """A thread for each process: takes in what it says until it ends."""
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(ValueError):  # a process killed in mid-line
                said = json.loads(line)
                if said["say"] == "held":
                    self._hold(said, process.stdout.read(said["bytes"]))
                    continue
                with self._changed:
                    if process is self._process:
                        self._hear(said)
        process.stdout.close()
        code = process.wait()
        with self._changed:
            if process is self._process:
                self._bury(code)

    def _hold(self, said: dict[str, Any], packed: bytes) -> None:
        """Hold here what the worker could not write: its memory goes with it."""
        hold = getattr(importlib.import_module(self._recipes.partition(":")[0]), "hold", None)
        if hold is not None and len(packed) == said["bytes"]:
            hold(self.workspace, said["kind"], said["key"], packed, said["why"])

    def _hear(self, said: dict[str, Any]) -> None:
        if said["id"] != self._running:
            return
        job = self._jobs[said["id"]]
        if said["say"] == "progress":
            message = job.message if job.stopping else said["message"]
            self._put(job.advance(said["done"], said["total"], message, time.time()))
            return
        if said["say"] == "done":
            job = job.succeed(said["result"], time.time())
        elif said["say"] == "cancelled":
            job = job.stop(time.time())
        else:
            job = job.fail(said["error"], time.time())
        self._running = None
        self._leave(job)
        self._next()
        self._tell_who_waits()

    def _bury(self, code: int) -> None:
        """The process is gone: account for its job, and start another where one is needed."""
        self._process = None
        if self._running is not None:
            job = self._jobs[self._running]
            self._running = None
            if job.stopping:
                self._leave(job.stop(time.time()))
                with suppress(JobFailed):  # the next job's own attempt reports it
                    self._spawn()
            else:
                error = (
                    f"found the worker process gone ({_ending(code)}) in the midst of "
                    f"{job.recipe!r}; expected a result: try again (a training goes on from its "
                    f"last checkpoint), {self.log} may say more"
                )
                self._put(job.fail(error, time.time()))
        self._next()
        self._tell_who_waits()

    def _end_process(self, job_id: str, process: "subprocess.Popen[bytes] | None") -> None:
        """A timer's thread: the grace period is over."""
        with self._changed:
            if self._running == job_id and process is self._process and process is not None:
                process.kill()


def _waiting(before: list[str]) -> str:
    """What a job in the queue waits for.

    >>> _waiting(["distill"]), _waiting(["map", "distill"])
    ('waiting until distill is done', 'waiting until map and 1 more are done')
    """
    if not before:
        return "waiting for its turn"
    more = f" and {len(before) - 1} more are" if len(before) > 1 else " is"
    return f"waiting until {before[0]}{more} done"


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"signal {name}" + (", as when memory runs out" if name == "SIGKILL" else "")


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()  # the worker ends when its input does
        process.wait(2)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
