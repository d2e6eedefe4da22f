"""Where models run, and whether bfloat16 is worth it there."""

import os
import platform
import shutil
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

WORTH_IT = 1.25  # bf16 must beat fp32 by this much to pay for its rounding
ROWS, INNER, OUTER = 1024, 384, 1536  # the feed-forward product of a small encoder
REPEATS = 4  # the first one warms up


@lru_cache(maxsize=1)
def device() -> str:
    """ "cuda", "mps" or "cpu": the best that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def description() -> str:
    """The device in words, for the sidebar: "NVIDIA H100" or "CPU, 8 threads".

    torch is asked only when it is loaded already or an accelerator may be there: importing it
    takes seconds, and the first page should not wait for them.
    """
    if "torch" not in sys.modules and not _accelerator_possible():
        return _cpu(os.cpu_count() or 1)
    import torch

    if device() == "cuda":
        return str(torch.cuda.get_device_name())
    if device() == "mps":
        return "Apple GPU"
    return _cpu(torch.get_num_threads())


def _cpu(threads: int) -> str:
    return f"CPU, {threads} thread{'s' * (threads != 1)}"


def _accelerator_possible() -> bool:
    """Whether the machine could have CUDA, ROCm or MPS; cheap, and never a wrong no."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    devices = any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
    return apple or devices or shutil.which("nvidia-smi") is not None


@lru_cache(maxsize=4)
def bf16_gain(name: str) -> float:
    """How many times faster a matrix product in bf16 is on a device, its casts from and to fp32
    included; 0 if impossible.

    Measured, a few milliseconds, once a process: CPU flags tell what exists, not what is
    fast, and a CPU without bf16 units emulates it several times slower.
    """
    import torch

    try:
        seconds = {
            dtype: _product_seconds(name, dtype) for dtype in (torch.float32, torch.bfloat16)
        }
    except (RuntimeError, TypeError):  # a device that knows no bf16
        return 0.0
    return seconds[torch.float32] / seconds[torch.bfloat16]


def bf16_pays(name: str) -> bool:
    """Whether models on this device should hold bf16 weights."""
    return bf16_gain(name) >= WORTH_IT


def halve_products(model: Any) -> None:
    """Hold the weights of a model's linear layers in bf16, in place, and nothing else.

    Sums and norms between the layers stay fp32. With everything in bf16 single words of
    MiniLM fall to a cosine of 0.99986 with fp32; this way the lowest of 258 was 0.99994.
    """
    import torch

    for layer in model.modules():
        if type(layer) is torch.nn.Linear:
            layer.to(torch.bfloat16)
            layer.register_forward_pre_hook(lambda _, given: (given[0].to(torch.bfloat16),))
            layer.register_forward_hook(lambda _layer, _given, product: product.float())


def _product_seconds(name: str, dtype: Any) -> float:
    """The best of a few runs: what the device can do, whatever else runs beside."""
    import torch

    left = torch.ones((ROWS, INNER), device=name)
    right = torch.ones((OUTER, INNER), dtype=dtype, device=name)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(REPEATS):
            start = time.perf_counter()
            product = torch.nn.functional.linear(left.to(dtype), right).float()
            float(product[0, 0])  # waits for a GPU
            best = min(best, time.perf_counter() - start)
    return best
