"""What a person tells who asks for help: versions, machine, models, what is kept and whether it is
whole, and what is slow here and why. Nothing is changed, and nothing is sent anywhere."""

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from core import __version__
from core.atomic import leavings
from core.errors import MeaningSpaceError, StoreError, TeacherUnavailable
from core.integrity import fault_in, read_entries, size_of, unsealed
from core.pipeline.layers.state_index_building import MANIFEST
from core.regular import read_bytes
from core.store.disk import Store
from core.store.manifest import Manifest
from core.students import storage as student_folder
from core.students.checkpoint import Checkpoints
from core.teachers import minilm, smollm2, word_vectors
from core.teachers.model_folder import device
from core.teachers.packages import package_folder, package_version
from core.types import Progress, silent, tell

PACKAGES = (
    *("streamlit", "plotly", "numpy", "scipy", "pandas", "pyarrow", "torch", "transformers"),
    *("tokenizers", "safetensors", "umap-learn", "openTSNE", "numba", "scikit-learn"),
    *("faiss-cpu", "gensim", "constriction", "gguf", "accelerate", "regex"),
)
MODELS = {  # what comes inside packages, and the package
    "MiniLM": minilm.MINILM,
    "GloVe": word_vectors.GLOVE,
    "SmolLM2": smollm2.PACKAGE,
    "corpora": "gensim",
}
USEFUL = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # of a processor's flags
SLOW_SYNC = 0.05  # seconds until the disk has a small file
MEMINFO = "/proc/meminfo"
LITTLE_MEMORY, LITTLE_DISK = 2 << 30, 1 << 30  # bytes


@dataclass(frozen=True)
class WorkspaceReport:
    """What lies in a workspace: how many artefacts of each kind, and one line for each fault."""

    path: str
    writable: str  # "" or why not
    free_bytes: int
    bytes: int
    artefacts: dict[str, int]
    students: int
    trainings: int
    faults: list[str]
    left_over: int
    put_aside: int
    seconds: float


def examine(workspace: Path, progress: Progress = silent) -> dict[str, Any]:
    """The whole report, plain JSON. Raises Cancelled."""
    kept = kept_in(workspace, progress)
    machine = processor()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": versions(),
        "processor": machine,
        "models": models(),
        "workspace": asdict(kept),
        "slow": slow(workspace, machine, kept),
    }


def versions() -> dict[str, str]:
    """The libraries that are there, and "missing" for those that are not."""
    told = {}
    for name in PACKAGES:
        try:
            told[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            told[name] = "missing"
    return told


def processor() -> dict[str, Any]:
    """Name, cores this process may use, flags that matter, memory in bytes, device."""
    text = _text("/proc/cpuinfo")
    name = re.search(r"model name\s*: (.*)", text)
    flags = re.search(r"(?:flags|Features)\s*: (.*)", text)
    memory = {key: int(it) << 10 for key, it in re.findall(r"(\w+): +(\d+) kB", _text(MEMINFO))}
    quota, _, period = _text("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "name": name[1] if name else platform.processor(),
        "cores": cores or 1,
        "cores_allowed": int(quota) / int(period) if quota.isdecimal() else None,
        "flags": [flag for flag in USEFUL if flags and flag in flags[1].split()],
        "memory_bytes": memory.get("MemTotal"),
        "memory_free_bytes": memory.get("MemAvailable"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "device": device.description(),
        "bf16_gain": round(device.bf16_gain(device.device()), 2),
    }


def models() -> dict[str, str]:
    """The version of each packaged model, or what is missing."""
    told = {}
    for name, package in MODELS.items():
        try:
            package_folder(package)
            told[name] = package_version(package)
        except TeacherUnavailable as error:
            told[name] = str(error).partition("; ")[0]
    return told


def kept_in(workspace: Path, progress: Progress = silent) -> WorkspaceReport:
    """Read everything that is kept and compare it with its digests."""
    began, store = time.perf_counter(), Store(workspace / "cache")
    places = [path for kind in store.kinds() for path in _folders(store.root / kind)]
    students, trainings = _folders(workspace / "students"), _folders(workspace / "trainings")
    faults: list[str] = []
    for number, place in enumerate([*places, *students, *trainings]):
        tell(progress, number, len(places) + len(students) + len(trainings), "Reading what is kept")
        fault = _fault(place, workspace)
        faults += [fault] if fault else []
    halves = [path for room in (*_rooms(workspace), workspace) for path in leavings(room)]
    return WorkspaceReport(
        path=shown(workspace),
        writable=_why_not_writable(workspace),
        free_bytes=shutil.disk_usage(_there(workspace)).free,
        bytes=size_of([workspace]),
        artefacts={kind: len(_folders(store.root / kind)) for kind in store.kinds()},
        students=len(students),
        trainings=len(trainings),
        faults=faults,
        left_over=len(halves),
        put_aside=len(list((workspace / "damaged").glob("*"))),
        seconds=round(time.perf_counter() - began, 2),
    )


def slow(workspace: Path, machine: dict[str, Any], kept: WorkspaceReport) -> list[str]:
    """What makes the program slow on this machine, one sentence each, with what would help."""
    return [*_slow_machine(machine), *_slow_disk(workspace, kept)]


def _slow_machine(machine: dict[str, Any]) -> Iterator[str]:
    cores, allowed, load = machine["cores"], machine["cores_allowed"], machine["load"]
    if allowed is not None and allowed < cores:
        yield f"this process may use {allowed:g} of {cores} cores: a limit of the container"
    if cores <= 2:
        yield f"{cores} cores: a first map takes a quarter of a minute, a training minutes"
    if load is not None and load > 1.5 * cores:
        yield f"other programs want the processor too: a load of {load:.1f} on {cores} cores"
    if machine["device"].startswith("CPU") and machine["bf16_gain"] < device.WORTH_IT:
        yield (
            f"bfloat16 is {machine['bf16_gain']:g} times as fast as float32 on this processor, so "
            "models run in float32: about half as fast as with bf16 units"
        )
    if machine["flags"] and not {"avx2", "asimd"} & set(machine["flags"]):
        yield "the processor has no AVX2: products of matrices take several times as long"
    if (free := machine["memory_free_bytes"]) is not None and free < LITTLE_MEMORY:
        yield f"{free / 2**30:.1f} GiB of memory are free: large models and spaces need more"


def _slow_disk(workspace: Path, kept: WorkspaceReport) -> Iterator[str]:
    if kept.writable:
        yield f"nothing can be kept ({kept.writable}): everything is computed anew each time"
        return
    with tempfile.TemporaryFile(dir=_there(workspace)) as file:
        began = time.perf_counter()
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
        seconds = time.perf_counter() - began
    if seconds > SLOW_SYNC:
        yield f"the disk takes {seconds:.2f} s for a small file: choose another with --workspace"
    if kept.free_bytes < LITTLE_DISK:
        yield f"{kept.free_bytes / 2**20:.0f} MiB of disk are free: a space takes 10 to 400"


def _fault(place: Path, workspace: Path) -> str:
    """What is wrong with one folder; "" where all is as it was written."""
    kind = place.parent.name
    named = f"{kind} {place.name}"
    try:
        if place.parent.parent != workspace:
            return f"{named}: {fault}" if (fault := _artefact_fault(place)) else ""
        if kind == "students":
            student_folder.describe(place)
        elif Checkpoints(place).cut_short():
            return f"{named}: its checkpoint does not read; it begins anew"
    except MeaningSpaceError as error:
        return f"{named}: {str(error).partition('; ')[0]}"
    return ""


def _artefact_fault(place: Path) -> str:
    if place.parent.name == "states":  # an index, which is larger than an artefact may be
        try:
            files = read_entries(unsealed(read_bytes(place / MANIFEST)).get("files", {}))
        except (OSError, ValueError) as fault:
            return f"its {MANIFEST} does not read ({fault})"
        faults = (fault_in(place / name, entry) for name, entry in files.items())
        return next((f"found {fault[0]}" for fault in faults if fault), "")
    try:
        manifest = Manifest.read(place)
        manifest.check(place, manifest.kind, manifest.key)
    except (StoreError, OSError) as error:
        return str(error).partition(" in ")[0]
    return ""


def _rooms(workspace: Path) -> list[Path]:
    """The folders in which something may lie half written."""
    kinds = _folders(workspace / "cache")
    trainings = workspace / "trainings"
    return [*kinds, workspace / "students", trainings, *_folders(trainings)]


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")
    except OSError:
        return []


def _there(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next((it for it in (path, *path.absolute().parents) if it.is_dir()), Path("/"))


def _why_not_writable(workspace: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=_there(workspace)) as file:
            file.write(bytes(4096))
    except OSError as fault:
        return str(fault.strerror or fault)
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def shown(path: Path) -> str:
    """A path for a report that others read: the person's own folder is ~."""
    home = str(Path.home())
    return str(path.absolute()).replace(home, "~", 1) if home != "/" else str(path.absolute())
