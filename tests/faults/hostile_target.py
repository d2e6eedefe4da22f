"""A reader that does, on some inputs, everything that a reader must not."""

import os
import time
from pathlib import Path

from benchmarks.fuzz.harness import Target
from core.errors import UnreadableFile

CALM, ODD = bytes(64), bytes([1]) + bytes(63)


def seeds(folder: Path) -> None:
    (folder / "calm").write_bytes(CALM)
    (folder / "odd").write_bytes(ODD)


def read(path: Path) -> None:
    """By the input: an exception, two lines, too much memory, a crash, a hang, or a refusal."""
    raw = path.read_bytes()
    if raw in (CALM, ODD):
        return
    kind = sum(raw) % 9
    if kind == 0:
        raise KeyError(raw)
    if kind == 1:
        raise UnreadableFile("found two\nlines")
    if kind == 2:
        bytearray(8 << 30)
    if kind == 3:
        os._exit(9)
    if kind == 4:
        time.sleep(60)
    raise UnreadableFile("found something else")


TARGET = Target("hostile", seeds, read, seconds=0.2)
