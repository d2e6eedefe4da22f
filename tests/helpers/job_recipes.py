"""Recipes for the tests of core.jobs; a real worker process runs them."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import Cancelled, InvalidPath
from core.types import Progress
from core.watching import waiting

Json = dict[str, Any]


def warm_up() -> None:
    print("warming up on standard output")


def echo(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    progress(1, 1, "echoing")
    return {"workspace": str(workspace_folder), "pid": os.getpid(), **arguments}


def noisy(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    print('{"say": "done", "id": "1", "result": {"forged": true}}', flush=True)
    os.write(1, b"not JSON at all\n")
    os.write(2, b"on standard error\n")
    return {"heard": sys.stdin.read()}


def sleepy(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    for step in range(arguments["steps"]):
        if not progress(step, arguments["steps"], f"step {step}"):
            raise Cancelled("stopped at a step")
        time.sleep(0.01)
    return {"steps": arguments["steps"]}


def deaf(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    progress(1, 10, "not listening")
    time.sleep(60)
    return {}


def chatty(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    end = time.monotonic() + 0.5
    calls = 0
    while time.monotonic() < end:
        calls += 1
        progress(calls, 0, f"call {calls}")
    return {"calls": calls}


def waits(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    """Like a large tokenizer, which is read in Rust and lets no other thread run meanwhile."""
    progress(3, 10, "before")
    with waiting("Reading"):
        ctypes.PyDLL(None).usleep(600_000)
    progress(4, 10, "after")
    return {}


def known_fault(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    raise InvalidPath("found one waypoint; expected two or more: add another")


def unknown_fault(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    raise ZeroDivisionError("of two\nlines")


def unspeakable(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    return {"path": workspace_folder}


def leave(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    sys.exit(3)


def die(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def fall(workspace_folder: Path, arguments: Json, progress: Progress) -> Json:
    os._exit(7)


RECIPES = {
    name: recipe
    for name, recipe in globals().items()
    if callable(recipe) and getattr(recipe, "__module__", "") == __name__ and name != "warm_up"
}
