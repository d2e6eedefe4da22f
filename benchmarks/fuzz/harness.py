"""Runs a target on mutated seeds in a process of its own, bounded in time and memory.

That process may hang, be killed by the system or die in native code: the one that watches it counts
the case, keeps its input and starts another.
"""

import hashlib
import multiprocessing
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.mutate import mutated
from core.errors import MeaningSpaceError

KEPT = Path(__file__).resolve().parents[2] / "tests" / "faults" / "kept"
MEMORY_A_CASE = 2 << 30  # bytes of address space beyond what reading the seeds took
START_SECONDS = 180.0  # libraries are imported and every seed is read once

FAULTS = ("foreign", "slow", "killed")
Outcome = tuple[str, str]  # "read", "refused" or one of FAULTS; what was said


@dataclass(frozen=True)
class Target:
    """A reader to be tried: ``seeds`` writes valid inputs into a folder, ``read`` reads one.

    Each file or folder that ``seeds`` writes is one seed; of a folder, one file is mutated.
    ``read`` may answer anything or raise a MeaningSpaceError of one line; whatever else it does
    is a fault. Both are functions of a module, since another process runs them.
    ``seconds`` is what one case may take.
    """

    name: str
    seeds: Callable[[Path], object]
    read: Callable[[Path], object]
    seconds: float = 10.0


@dataclass
class Run:
    """What came of a target: cases by outcome, and each kind of fault once, with its case."""

    target: str
    outcomes: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """How many were tried."""
        return self.outcomes.total()

    @property
    def faults(self) -> int:
        """Cases that ended neither in a value nor in a clear line."""
        return sum(self.outcomes[kind] for kind in FAULTS)

    def count(self, kind: str, said: str) -> None:
        """One more case."""
        if kind in FAULTS:
            self.first.setdefault(f"{kind}: {said}", self.cases)
        self.outcomes[kind] += 1

    def to_dict(self) -> dict[str, Any]:
        """For JSON: counts by outcome, the first case of each fault, seconds."""
        return {
            "cases": self.cases,
            "faults": self.faults,
            **{kind: self.outcomes[kind] for kind in ("read", "refused", *FAULTS)},
            "first_case_of_each_fault": self.first,
            "seconds": round(self.seconds, 1),
        }


def outcome(target: Target, path: Path) -> Outcome:
    """Read one input and say how it ended."""
    try:
        target.read(path)
    except MeaningSpaceError as error:
        if "\n" not in str(error):
            return "refused", ""
        return "foreign", f"a line break in {type(error).__name__} {_where(error)}"
    except _TooSlow as error:
        return "slow", f"more than {target.seconds:g} s {_where(error)}"
    except Exception as error:
        return "foreign", f"{type(error).__name__} {_where(error)}"
    return "read", ""


def run(target: Target, cases: int, seconds: float, kept: Path = KEPT) -> Run:
    """Try ``cases`` mutations, fewer when ``seconds`` are over; faults are kept below ``kept``."""
    result = Run(target.name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        while result.cases < cases and time.monotonic() - began < seconds:
            _watch(target, Path(name), result, cases, began + seconds, kept)
    result.seconds = time.monotonic() - began
    return result


def _watch(target: Target, folder: Path, result: Run, cases: int, until: float, kept: Path) -> None:
    """One process, until all is done, time is over or the process is gone."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    work = (target, folder, result.cases, cases, kept, there)
    child = context.Process(target=_work, args=work, daemon=True)
    child.start()
    there.close()
    ended: Outcome | None = None
    try:
        if here.poll(START_SECONDS):
            here.recv()
        while result.cases < cases and time.monotonic() < until and ended is None:
            if here.poll(target.seconds + 5):
                result.count(*here.recv())
            else:
                ended = "slow", f"more than {target.seconds:g} s in native code"
    except EOFError:
        child.join(10)
        ended = "killed", f"exit code {child.exitcode}"
    finally:
        child.kill()
        child.join()
    if ended is not None:
        result.count(*ended)
        _keep(folder / "case", kept / target.name, ended)


def _work(
    target: Target, folder: Path, first: int, cases: int, kept: Path, answer: Connection
) -> None:
    """In the process of its own: read the valid seeds, then case after case."""
    warnings.simplefilter("ignore")
    seeds = _seeds(target, folder)
    for seed in seeds:
        outcome(target, _only(seed))
    seeds += sorted((kept / target.name).glob("*"))
    room = _address_space() + MEMORY_A_CASE
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    signal.signal(signal.SIGALRM, _too_slow)
    answer.send("ready")
    for number in range(first, cases):
        case = _make(target, seeds, number, folder / "case")
        signal.setitimer(signal.ITIMER_REAL, target.seconds)
        try:
            ended = outcome(target, case)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if ended[0] in FAULTS:
            _keep(folder / "case", kept / target.name, ended)
        answer.send(ended)


def _seeds(target: Target, folder: Path) -> list[Path]:
    """A folder for each seed, with its file or folder alone inside."""
    fresh, wrapped = folder / "fresh", folder / "seeds"
    for place in (fresh, wrapped):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    target.seeds(fresh)
    for entry in sorted(fresh.iterdir()):
        (wrapped / entry.name).mkdir()
        entry.rename(wrapped / entry.name / entry.name)
    return sorted(wrapped.iterdir())


def _only(case: Path) -> Path:
    return next(case.iterdir())


def _make(target: Target, seeds: list[Path], number: int, case: Path) -> Path:
    """Lay out a case: a seed of which one file is mutated; the path to read."""
    generator = np.random.default_rng([number, *target.name.encode()])
    seed = seeds[generator.integers(len(seeds))]
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(seed, case)
    files = [file for file in sorted(case.rglob("*")) if file.is_file()]
    chosen = files[generator.integers(len(files))]
    others = [
        file for file in sorted(seeds[generator.integers(len(seeds))].rglob("*")) if file.is_file()
    ]
    other = others[generator.integers(len(others))].read_bytes()
    chosen.write_bytes(mutated(chosen.read_bytes(), other, generator))
    return _only(case)


def _keep(case: Path, folder: Path, ended: Outcome) -> None:
    """The input, in a folder named by its fault, so that each fault is kept once."""
    at = folder / hashlib.blake2b(" ".join(ended).encode(), digest_size=4).hexdigest()
    if case.exists() and not at.exists():
        at.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(case, at)


class _TooSlow(BaseException):
    """Raised by the alarm; no reader catches it."""


def _too_slow(*_: object) -> None:
    raise _TooSlow


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _where(error: BaseException) -> str:
    """The innermost line of this project that an exception passed through."""
    whole = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in whole if frame.filename != __file__] or whole
    own = [frame for frame in frames if "/core/" in frame.filename]
    frame = (own or frames)[-1]
    return f"at {'/'.join(Path(frame.filename).parts[-2:])}, {frame.name}"
