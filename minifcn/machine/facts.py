"""Facts about this computer: processor, cores, memory, and the library behind NumPy's matrix products."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minifcn.kernels.threads import cores

__all__ = ["blas", "busy_cores", "check_fits", "cores", "memory", "processor"]


def memory() -> tuple[int | None, int | None]:
    """(total, available) bytes of main memory that this process may use, a container's limit counted; None: unknown."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        total, free = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None, None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())  # "max" (no limit) is not a number
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        total, free = min(total, limit), min(free, max(0, limit - used))
    except (OSError, ValueError):
        pass
    return total, free


def check_fits(needed: int, what: str, advice: str) -> None:
    """Raises ValueError where `what` takes more bytes of main memory than this process can ever have."""
    limits = [memory()[0]]
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    limit = min((limit for limit in limits if limit is not None and limit > 0), default=needed)
    if needed > limit:
        raise ValueError(f"{what} takes {needed / 2**30:,.1f} GB of memory, of which there are {limit / 2**30:,.1f}: {advice}")


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


def blas() -> dict[str, Any] | None:
    """What threadpoolctl knows of the library behind NumPy's matrix products: "internal_api", "version", "num_threads" ...

    None where it knows none. Raises ImportError without threadpoolctl.
    """
    from threadpoolctl import threadpool_info

    return next((library for library in threadpool_info() if library["user_api"] == "blas"), None)
