"""Whether this processor multiplies bf16 faster than float32: measured once a process."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from core.types import Matrix

BF16_WORTH_IMPORT = 50_000  # items; below, importing torch costs what bf16 would spare


def bf16_gains(unit: Matrix) -> bool:
    """Whether bf16 products are twice as fast here, by a measurement of a few milliseconds.

    Without a processor flag for bf16 they never are; and importing torch takes longer than a
    small space's whole graph, so it must be loaded already or the space be large.
    """
    flags = Path("/proc/cpuinfo")
    if not flags.exists() or "amx_bf16" not in flags.read_text(encoding="utf-8", errors="replace"):
        return False
    if len(unit) < BF16_WORTH_IMPORT and "torch" not in sys.modules:
        return False
    import torch

    single = torch.from_numpy(np.array(unit[:2048]))
    halved = single.bfloat16()
    return _milliseconds(lambda: halved @ halved.T) * 2 < _milliseconds(
        lambda: unit[:2048] @ unit[:2048].T
    )


def _milliseconds(work: Callable[[], object]) -> float:
    """The better of three runs."""
    times: list[float] = []
    for _ in range(3):
        start = perf_counter()
        work()
        times.append((perf_counter() - start) * 1e3)
    return min(times)
