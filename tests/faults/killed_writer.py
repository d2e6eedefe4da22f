"""Writers that are killed at every call that changes the disk, and in the midst of a write.

python killed_writer.py FOLDER prints, for each writer, at how many places it was killed, what was
there afterwards ("old", "new" or "nothing"), and what was not as it should be. Each try is a fork
of this process: os._exit at the n-th call, or the signal of a file that may grow to n bytes only.
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core import atomic
from core.errors import StoreError
from core.store.disk import Store
from core.students.checkpoint import Checkpoints

CALLS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
SIZE = 40_000  # about the bytes of the largest file that is written here


def save_artefact(place: Path, turn: int) -> None:
    table = pd.DataFrame({"word": [f"word {turn} {row}" for row in range(9)]})
    numbers = np.full(SIZE // 8, float(turn))
    Store(place / "cache").save("thing", "a", {"x": numbers}, {"items": table}, {"turn": turn})


def artefact(place: Path) -> int | None:
    store = Store(place / "cache")
    if not store.has("thing", "a"):
        return None
    found = store.load("thing", "a")
    turn = int(found.payload["turn"])
    assert set(found.arrays["x"]) == {float(turn)}
    assert found.tables["items"]["word"].iloc[0] == f"word {turn} 0"
    return turn


def save_folder(place: Path, turn: int) -> None:
    with atomic.new_folder(place / "students" / "a") as beside:
        for name in ("student.json", "student.safetensors"):
            (beside / name).write_bytes(bytes([turn]) * SIZE)


def folder(place: Path) -> int | None:
    atomic.sweep(place / "students")  # as the catalogue does when it opens
    files = sorted((place / "students" / "a").glob("*"))
    content = {file.read_bytes() for file in files}
    assert len(content) == 1
    assert len(files) == 2
    whole = content.pop()
    assert len(whole) == SIZE
    return whole[0]


def save_checkpoint(place: Path, turn: int) -> None:
    checkpoints = Checkpoints(place / "training")
    checkpoints.save({"x": np.full(SIZE // 8, float(turn))}, {"turn": turn})
    checkpoints.record({"step": turn, "loss": 0.5})


def checkpoint(place: Path) -> int | None:
    checkpoints = Checkpoints(place / "training")
    found = checkpoints.restore()
    assert found is not None
    assert set(found[0]["x"]) == {float(found[1]["turn"])}
    assert all(it["loss"] == 0.5 for it in checkpoints.history())
    return int(found[1]["turn"])


WRITERS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], int | None]]] = {
    "artefact": (save_artefact, artefact),
    "folder": (save_folder, folder),
    "checkpoint": (save_checkpoint, checkpoint),
}


def killed_at_call(number: int, write: Callable[[], None]) -> bool:
    """Whether a fork of this process was killed at that call; False when it came to its end."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CALLS or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            count()

    fsync = os.fsync
    os.fsync = lambda handle: (count(), fsync(handle))[1]  # type: ignore[assignment, func-returns-value]
    sys.addaudithook(hook)
    write()
    os._exit(0)


def killed_at_byte(number: int, write: Callable[[], None]) -> bool:
    """Whether it was killed by writing more than so many bytes into one file."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    write()
    os._exit(0)


def tried(place: Path, name: str) -> dict[str, Any]:
    """Kill the writer of turn 2 over turn 1 everywhere; the state afterwards, and that turn 3 can
    be written and leaves nothing else behind."""
    save, read = WRITERS[name]
    there: Counter[str] = Counter()
    wrong: list[str] = []
    tries = [("call", number) for number in range(1_000)]
    tries += [("byte", number) for number in (0, 1, 100, 4_096, SIZE // 2, SIZE - 1)]
    over: set[str] = set()
    for kind, number in tries:
        if kind in over:
            continue
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        save(place, 1)
        kill = killed_at_call if kind == "call" else killed_at_byte
        if not kill(number, lambda: save(place, 2)):
            over.add(kind)
            continue
        try:
            found = read(place)
            there[{None: "nothing", 1: "old", 2: "new"}[found]] += 1
            save(place, 3)
            assert read(place) == 3
            atomic.STALE_SECONDS = -1
            for folder in {it.parent for it in place.rglob(".*")}:
                atomic.sweep(folder)
            atomic.STALE_SECONDS = 3600
            assert not list(place.rglob(".*"))
        except (AssertionError, StoreError, OSError, KeyError) as fault:
            wrong.append(f"{kind} {number}: {fault!r}")
    return {"there": dict(there), "killed": there.total(), "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps({name: tried(Path(sys.argv[1]) / name, name) for name in WRITERS}))
