"""The worker process: runs one recipe at a time and talks JSON lines with its runner.

    in    {"do": "run", "id": "3", "recipe": "map", "arguments": {...}}
          {"do": "cancel", "id": "3"}
    out   {"say": "progress", "id": "3", "done": 40, "total": 200, "message": "layout"}
          {"say": "done", "id": "3", "result": {...}}
          {"say": "failed", "id": "3", "error": "..."}
          {"say": "cancelled", "id": "3"}
          {"say": "held", "kind": ..., "key": ..., "why": ..., "bytes": 40} and 40 bytes behind it

A recipe is ``recipe(workspace, arguments, progress) -> dict``, both dictionaries JSON. It runs
in the main thread; while no job is there yet, and beside the first one, the recipes' module may
warm up (imports, compilation) in a thread: its ``warm_up()`` must be safe beside a recipe.
Where the recipes' module has ``when_held(workspace, tell)``, what a recipe made and no disk took
is told and handed over as "held", before the job says that it is done.
The process ends when its input does, because then its runner is gone.
"""

import argparse
import importlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import Cancelled, MeaningSpaceError
from core.types import Progress
from core.watching import watching

Recipe = Callable[[Path, dict[str, Any], Progress], dict[str, Any]]

SECONDS_BETWEEN_REPORTS = 0.1
NICENESS = 5  # a fit wants every core; the page that a person is looking at comes first


class Channel:
    """Our ends of the two pipes, out of reach of whatever libraries print or read."""

    def __init__(self) -> None:
        self._lines: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        self._lock = threading.Lock()
        sys.stdout.flush()
        os.dup2(2, 1)  # what anybody prints goes to the log
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.cancelled: set[str] = set()

    def say(self, what: str, **details: Any) -> None:
        """Send one line. Raises TypeError for details that JSON cannot hold."""
        line = json.dumps({"say": what, **details}).encode() + b"\n"
        with self._lock:
            self._out.write(line)
            self._out.flush()

    def hand_over(self, kind: str, key: str, packed: bytes, why: str) -> None:
        """Send what could not be written to the process that shows it."""
        said = {"say": "held", "kind": kind, "key": key, "why": why, "bytes": len(packed)}
        with self._lock:
            self._out.write(json.dumps(said).encode() + b"\n" + packed)
            self._out.flush()

    def listen(self) -> None:
        """Take in lines for as long as there are any, then end the whole process at once."""
        for line in self._lines:
            order = json.loads(line)
            if order["do"] == "run":
                self.jobs.put(order)
            elif order["do"] == "cancel":
                self.cancelled.add(order["id"])
        os._exit(0)  # a recipe deep in native code would not notice anything gentler


class Reporter:
    """The progress callback of one job: remembers the latest, reports it ten times a second."""

    def __init__(self, channel: Channel, job: str) -> None:
        self._channel = channel
        self._job = job
        self._latest: tuple[int, int, str] | None = None
        self._sent: tuple[int, int, str] | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> "Reporter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __call__(self, done: int, total: int, message: str) -> bool:
        self._latest = (int(done), int(total), str(message))
        return self._job not in self._channel.cancelled

    def _report(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_REPORTS):
            self.flush()

    def flush(self) -> None:
        """Report now."""
        with self._lock:
            if self._latest is not None and self._latest != self._sent:
                done, total, message = self._sent = self._latest
                self._channel.say("progress", id=self._job, done=done, total=total, message=message)


def find_recipes(reference: str) -> dict[str, Recipe]:
    """The recipes that "module:NAME" names."""
    module, _, name = reference.partition(":")
    recipes: dict[str, Recipe] = getattr(importlib.import_module(module), name)
    return recipes


def _when_held(channel: Channel, workspace: Path, reference: str) -> None:
    when_held = getattr(importlib.import_module(reference.partition(":")[0]), "when_held", None)
    if when_held is not None:
        when_held(workspace, channel.hand_over)


def warm_up(reference: str) -> None:
    """Let the recipes' module prepare itself; a failure is only logged, jobs tell better."""
    try:
        module = importlib.import_module(reference.partition(":")[0])
        prepare = getattr(module, "warm_up", None)
        if prepare is not None:
            prepare()
    except Exception:
        traceback.print_exc()


def run(channel: Channel, workspace: Path, reference: str, order: dict[str, Any]) -> None:
    """Run one recipe to its end, whatever the end, and say which it was."""
    job = order["id"]
    try:
        recipe = find_recipes(reference)[order["recipe"]]
        _when_held(channel, workspace, reference)
        with (
            Reporter(channel, job) as reporter,
            watching(reporter, "starting", reporter.flush) as progress,
        ):
            result = recipe(workspace, order["arguments"], progress)
        channel.say("done", id=job, result=result)
    except Cancelled:
        channel.say("cancelled", id=job)
    except MeaningSpaceError as fault:
        channel.say("failed", id=job, error=str(fault))
    except BaseException as fault:  # also SystemExit: a recipe must not end the process
        traceback.print_exc()
        error = " ".join(f"{type(fault).__name__}: {fault}".split())
        channel.say("failed", id=job, error=f"found an unexpected fault in the work: {error}")
    finally:
        channel.cancelled.discard(job)


def main() -> None:
    parser = argparse.ArgumentParser(prog="core.jobs.worker")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--recipes", default="core.pipeline:RECIPES")
    options = parser.parse_args()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    channel = Channel()
    threading.Thread(target=channel.listen, daemon=True).start()
    threading.Thread(target=warm_up, args=(options.recipes,), daemon=True).start()
    while True:
        run(channel, options.workspace, options.recipes, channel.jobs.get())


if __name__ == "__main__":
    main()
