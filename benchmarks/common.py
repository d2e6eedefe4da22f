"""What every benchmark writes down beside its figures: the command, the versions, the machine."""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "numpy",
    "torch",
    "transformers",
    "tokenizers",
    "sentence-transformers",
    "umap-learn",
    "openTSNE",
    "numba",
    "scikit-learn",
    "faiss-cpu",
    "plotly",
    "streamlit",
)


def record(name: str, command_args: Sequence[str], results: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json`` and print it; answers the path.

    ``command_args`` is the command as a person would type it again, ``results`` the figures,
    with units in their names (``seconds``, ``items_per_second``).
    """
    document = {
        "benchmark": name,
        "command": " ".join(command_args),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "results": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2, ensure_ascii=False))
    return path


def machine() -> dict[str, Any]:
    """The processor, its matrix extensions, cores, memory in GiB, load, system."""
    return {
        "processor": _from_proc("/proc/cpuinfo", "model name") or platform.processor(),
        "extensions": _extensions(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Python and each package that a figure may depend on; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def this_command() -> list[str]:
    """The running benchmark as a command from the repository's root."""
    spec = sys.modules["__main__"].__spec__
    name = spec.name if spec else f"benchmarks.{Path(sys.argv[0]).stem}"
    return ["python", "-m", name, *sys.argv[1:]]


class Stopwatch:
    """Wall seconds of a block: ``with Stopwatch() as watch: ...; watch.seconds``."""

    seconds = 0.0

    def __enter__(self) -> "Stopwatch":
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


def _extensions() -> list[str]:
    flags = _from_proc("/proc/cpuinfo", "flags").split()
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]


def _memory_gib() -> float | None:
    found = _from_proc("/proc/meminfo", "MemTotal").split()
    return round(int(found[0]) / 2**20, 1) if found else None


def _from_proc(file: str, key: str) -> str:
    path = Path(file)
    if not path.exists():
        return ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
