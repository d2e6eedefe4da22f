"""Fresh processes to be timed: a clean environment, a server with its end, a headless browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).parent / "meaning-space"
BROWSER_FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",  # WebGL without a graphics card
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLL_SECONDS = 0.02


def environment(**more: str) -> dict[str, str]:
    """This environment as a person has it: Python keeps what it compiled, no threads are set."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "MEANING_SPACE_WORKSPACE")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, **more}


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """A server just started. Times are seconds since its command was given."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        self.started = time.perf_counter()
        self.started_epoch = time.time()

    def seconds(self) -> float:
        """Seconds since the command."""
        return time.perf_counter() - self.started

    def seconds_at(self, epoch_milliseconds: float) -> float:
        """Seconds from the command to a moment on the browser's clock."""
        return epoch_milliseconds / 1000 - self.started_epoch

    def until_answers(self, url: str, limit: float = 240) -> float:
        """Poll until the URL answers; the seconds it took. Raises RuntimeError with the log."""
        while self.seconds() < limit and self.process.poll() is None:
            try:
                with urlopen(url, timeout=5) as answer:
                    if answer.status == 200:
                        return self.seconds()
            except OSError:
                time.sleep(POLL_SECONDS)
        said = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"found no answer from {url} after {self.seconds():.0f} s:\n{said}")


@contextmanager
def server(
    command: Sequence[str], log: Path, environment: Mapping[str, str], root: Path = ROOT
) -> Iterator[Served]:
    """Start a server in a session of its own; it and its children end with the block."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    served = Served(process, log)
    try:
        yield served
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def processor_seconds(pid: int) -> float:
    """What a process has used of all cores so far, its children left out. Linux."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def holdings(pid: int) -> dict[str, int]:
    """What a process holds now, its children left out: megabytes of memory, and the most that it
    ever had; threads; open descriptors. Linux."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    said = {
        name: value.split()[0]
        for name, _, value in (line.partition(":") for line in lines)
        if name in ("VmRSS", "VmHWM", "Threads")
    }
    return {
        "megabytes": int(said["VmRSS"]) * 1024 // 10**6,
        "most_megabytes": int(said["VmHWM"]) * 1024 // 10**6,
        "threads": int(said["Threads"]),
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A headless Chromium that draws without a graphics card; MEANING_SPACE_CHROMIUM names one."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("MEANING_SPACE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=BROWSER_FLAGS)
        yield browser
        browser.close()


def seconds_of(command: Sequence[str], **options: Any) -> float:
    """Wall seconds of one process from start to end. Raises CalledProcessError."""
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, **options)
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, and every value in the order measured, to the millisecond."""
    from statistics import median

    return {"median": round(median(values), 3), "all": [round(value, 3) for value in values]}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their heads, in columns."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = zip(line, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
