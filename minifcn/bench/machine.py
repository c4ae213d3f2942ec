"""What it was measured on: a figure without its machine means nothing."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from minifcn.bench.device import Device
from minifcn.checks.doctor import memory
from minifcn.training.environment import environment


def machine(device: Device) -> dict[str, Any]:
    """Date, processor, cores, bytes of memory, load of the minute before, versions, git commit; a GPU's name, too.

    ``torch`` is None where it takes no part.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **environment(device.name),
        "processor": processor(),
        "cores": cores,
        "memory": memory()[0],
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "blas": blas(),
        "torch": version("torch") if device.pytorch else None,
    }
    if device.name == "cuda":
        cupy = sys.modules["cupy"]
        found["cuda"] = cupy.cuda.runtime.runtimeGetVersion()
        found["cudnn"] = _cudnn() if device.pytorch else None
    return found


def described(found: dict[str, Any], device: Device) -> str:
    """The same in one sentence, for people."""
    on = f"{found['device_name']} (CuPy {found['cupy']})" if device.name == "cuda" else found["processor"]
    parts = [
        f"{on}, {found['cores']} cores",
        f"{device.threads} thread{'s' if device.threads > 1 else ''} on both sides",
        device.precision,
        f"NumPy {found['numpy']} ({found['blas']})",
        f"PyTorch {found['torch']}" if found["torch"] else "without PyTorch",
        f"minifcn {found['minifcn']}",
        found["date"][:10],
    ]
    return ", ".join(parts)


def disturbed(found: dict[str, Any]) -> str | None:
    """A warning where other programs use this machine."""
    if not found["load"] or found["load"] < 0.7:
        return None
    return (
        f"other programs are running (load {found['load']:.1f} on {found['cores']} cores): do not trust these ratios; on busy "
        "cores PyTorch's threads, which wait for each other, lose more than ours"
    )


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
