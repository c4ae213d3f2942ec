"""What the host does while it launches a training step, function by function, and how long a step takes with and without it.

    python tests/gpu/device/host_times.py tf32 1 --out FILE.json            or float32; the batch size

Where a step takes no longer than its launching, the device waits for the host, and faster kernels would not help. Python's
profiler makes each call some tenths of a microsecond longer: its figures show where the time goes, the first line how much.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

from gpu.device import step_command  # noqa: E402
from minifcn.bench.timing import host_times  # noqa: E402

WARMUPS, STEPS = 6, 20
SHOWN, KEPT = 25, 80  # functions


def main(arguments: list[str]) -> None:
    """Measures and profiles, prints the longest functions and writes more of them down."""
    options = step_command.parse(__doc__, arguments)
    from minifcn.bench.network import Architecture, Networks

    device = step_command.gpu(options.precision)
    with device.held():
        ours, _ = Networks(device, Architecture("fcn8s", {})).steps(tuple(options.size), options.batch_size)
        found = measure(ours, device.wait)
    print(said(found), flush=True)
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def measure(step: Callable[[], Any], wait: Callable[[], None]) -> dict[str, Any]:
    """Milliseconds of a step: of many that queue up, of launching one; and (function, calls, ms) by own time, longest first."""
    for _ in range(WARMUPS):
        step()
    wait()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    wait()
    queued = (time.perf_counter() - start) / STEPS
    launched = median(host_times(step, STEPS, wait=wait))
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(STEPS):
        step()
    profiler.disable()
    wait()
    return {"ms": queued * 1e3, "launched_ms": launched * 1e3, "rows": rows(pstats.Stats(profiler), STEPS)}


def rows(stats: pstats.Stats, steps: int) -> list[tuple[str, float, float]]:
    """(function, calls a step, its own ms a step) of those with the most time of their own."""
    found = []
    for (file, line, name), (_, calls, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        place = f"{Path(file).parent.name}/{Path(file).name}:{line}" if line else ""
        found.append((f"{place} {name}".strip(), calls / steps, own / steps * 1e3))
    return sorted(found, key=lambda row: -row[2])[:KEPT]


def said(found: dict[str, Any]) -> str:
    """The measurement in lines, the longest functions only."""
    head = f"{found['ms']:.3f} ms a step, {found['launched_ms']:.3f} ms to launch one; of each function's own, profiled:"
    return "\n".join([head, *(f"{ms:9.3f} ms {calls:7.1f} x {name}" for name, calls, ms in found["rows"][:SHOWN])])


if __name__ == "__main__":
    main(sys.argv[1:])
