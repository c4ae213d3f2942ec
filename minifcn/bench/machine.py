"""What it was measured on: a figure without its machine means nothing."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from minifcn.bench.device import Device
from minifcn.checks.doctor import memory
from minifcn.training.environment import environment


def machine(device: Device) -> dict[str, Any]:
    """Date, processor, cores, bytes of memory, cores busy with other things, versions, git commit; a GPU's name.

    ``torch`` is None where it takes no part.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **environment(device.name),
        "processor": processor(),
        "cores": cores,
        "memory": memory()[0],
        "busy_cores": busy_cores(),
        "blas": blas(),
        "torch": version("torch") if device.pytorch else None,
    }
    if device.name == "cuda":
        from minifcn.kernels.cuda import multiplier

        cupy = sys.modules["cupy"]
        found["cuda"] = cupy.cuda.runtime.runtimeGetVersion()
        found["multiplier"] = multiplier()
        found["cudnn"] = _cudnn() if device.pytorch else None
    return found


def described(found: dict[str, Any], device: Device) -> str:
    """The same in one sentence, for people."""
    on = f"{found['device_name']} (CuPy {found['cupy']})" if device.name == "cuda" else found["processor"]
    parts = [
        f"{on}, {found['cores']} cores",
        f"{device.threads} thread{'s' if device.threads > 1 else ''} on both sides",
        f"{device.precision}{_multiplier(found)}",
        f"NumPy {found['numpy']} ({found['blas']})",
        f"PyTorch {found['torch']}" if found["torch"] else "without PyTorch",
        f"minifcn {found['minifcn']}",
        found["date"][:10],
    ]
    return ", ".join(parts)


def _multiplier(found: dict[str, Any]) -> str:
    """On a GPU, how our convolutions come to that precision."""
    return f" (our convolutions: {found['multiplier']})" if "multiplier" in found else ""


def disturbed(found: dict[str, Any]) -> str | None:
    """A warning where other programs use this machine."""
    if (found["busy_cores"] or 0) < 0.2:
        return None
    return (
        f"other programs keep {found['busy_cores']:.1f} of this machine's cores busy: do not trust these ratios; threads that "
        "wait for each other, as PyTorch's do, lose more by it than ours"
    )


def busy_cores(pause: Callable[[float], None] = time.sleep) -> float | None:
    """How many cores others keep busy while this process sleeps for a moment; None where the system does not tell."""
    try:
        before = _core_ticks()
        pause(0.5)
        busy, idle = (b - a for a, b in zip(before, _core_ticks(), strict=True))
    except (OSError, ValueError):
        return None
    return round((os.cpu_count() or 1) * busy / max(1, busy + idle), 2)


def _core_ticks() -> tuple[int, int]:
    """Ticks that all cores together have been busy, and idle, since the machine started (Linux)."""
    _, user, nice, system, idle, waiting, *interrupts = Path("/proc/stat").read_text().splitlines()[0].split()[:9]
    return sum(map(int, (user, nice, system, *interrupts))), int(idle) + int(waiting)


def processor() -> str:
    """The processor by name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def blas() -> str:
    """The library behind NumPy's matrix products."""
    from threadpoolctl import threadpool_info

    names = [f"{one['internal_api']} {one['version']}" for one in threadpool_info() if one["user_api"] == "blas"]
    return names[0] if names else "an unknown BLAS"


def _cudnn() -> int | None:
    import torch

    return torch.backends.cudnn.version()
