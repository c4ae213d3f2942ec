"""Where a training step's time goes on the device, kernel by kernel, ours and PyTorch's in one process.

    python tests/gpu/device/kernel_times.py tf32 1 --out FILE.json            or float32; the batch size

PyTorch's profiler sees every kernel of the process, CuPy's too. Its trace is read rather than its tables: ours belong to
none of PyTorch's operations.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

from gpu.device import step_command  # noqa: E402

WARMUPS, STEPS = 6, 3
ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")  # categories of the trace
SHOWN = 14
NAME = 100  # characters of a kernel's name that are kept: cuDNN's run to hundreds


def main(arguments: list[str]) -> None:
    """Profiles both, prints the longest kernels of each and writes all of them down."""
    options = step_command.parse(__doc__, arguments)
    from minifcn.bench.network import Architecture, Networks

    device = step_command.gpu(options.precision)
    found: dict[str, Any] = {}
    with device.held():
        networks = Networks(device, Architecture("fcn8s", {}), channels_last=True)
        size = tuple(options.size)
        layout = networks.choose_layout(lambda: networks.steps(size, options.batch_size))
        ours, theirs = networks.steps(size, options.batch_size)
        for name, step in (("ours", ours), ("PyTorch's" + layout, theirs)):
            found[name] = summary(trace(step, device.wait), STEPS)
            print(said(name, found[name]), flush=True)
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def trace(step: Callable[[], Any], wait: Callable[[], None]) -> list[dict[str, Any]]:
    """The profiler's events of some steps, after some that are not looked at."""
    from torch.profiler import ProfilerActivity, profile

    for _ in range(WARMUPS):
        step()
    wait()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(STEPS):
            step()
        wait()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        return json.loads(path.read_text(encoding="utf-8"))["traceEvents"]


def summary(events: Iterable[dict[str, Any]], steps: int) -> dict[str, Any]:
    """Milliseconds of a step from its first kernel to its last, those in kernels, and (name, calls, ms), longest first."""
    events = [event for event in events if event.get("cat") in ON_DEVICE]
    if not events:
        raise RuntimeError("the profiler saw no kernel: it may not be allowed to count here")
    kernels: dict[str, list[float]] = {}
    for event in events:
        kernels.setdefault(event["name"][:NAME], []).append(event["dur"])
    rows = [(name, len(times) / steps, sum(times) / steps / 1e3) for name, times in kernels.items()]
    span = max(event["ts"] + event["dur"] for event in events) - min(event["ts"] for event in events)
    return {
        "ms": span / steps / 1e3,
        "busy_ms": sum(ms for *_, ms in rows),
        "kernels": len(events) / steps,
        "rows": sorted(rows, key=lambda row: -row[2]),
    }


def said(name: str, found: dict[str, Any]) -> str:
    """The summary in lines, the longest kernels only."""
    head = f"{name}: {found['ms']:.3f} ms a step, {found['busy_ms']:.3f} ms of it in {found['kernels']:.0f} kernels"
    return "\n".join([head, *(f"{ms:9.3f} ms {calls:6.1f} x {kernel}" for kernel, calls, ms in found["rows"][:SHOWN])])


if __name__ == "__main__":
    main(sys.argv[1:])
