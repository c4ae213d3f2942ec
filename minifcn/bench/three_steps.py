"""Three training steps of a network in a process of their own, and the most memory that it ever held.

    python -m minifcn.bench.three_steps ours SETTINGS

takes the settings as JSON and prints one line of JSON: bytes after the imports ("baseline") and at the peak, of main memory
and, on "cuda", of the GPU as well. :mod:`minifcn.bench.memory` runs it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from minifcn.bench.device import Device
from minifcn.bench.network import SGD_OPTIONS, Architecture, OurStep

STEPS = 3


def main(side: str, settings: str) -> None:
    """Runs the steps of one side and prints what they took."""
    given = json.loads(settings)
    architecture = Architecture(given["model"], given["options"])
    device = Device.of(given["device"], given["precision"], given["threads"], pytorch=side == "pytorch")
    with device.held():
        print(json.dumps((ours if side == "ours" else pytorch)(architecture, device, given["size"], given["batch_size"])))


def ours(architecture: Architecture, device: Device, size: tuple[int, int], batch_size: int) -> dict[str, int]:
    """Three steps of ours."""
    baseline = peak_memory()
    images, labels = map(device.ours, architecture.batch(size, batch_size))
    run(OurStep(architecture.ours().to(device.name).train(), images, labels))
    device.wait()
    held = {"baseline": baseline, "peak": peak_memory()}
    if device.name == "cuda":
        from minifcn.backend import import_cupy

        held["gpu"] = import_cupy().get_default_memory_pool().total_bytes()  # a pool that has given nothing back
    return held


def pytorch(architecture: Architecture, device: Device, size: tuple[int, int], batch_size: int) -> dict[str, int]:
    """Three steps of PyTorch's, with its own first weights: nothing of our network is ever in this process."""
    from minifcn.bench import torch_step

    twin = architecture.twin()  # the last of the imports
    assert twin is not None  # or nobody asks
    baseline = peak_memory()
    images, labels = map(device.theirs, architecture.batch(size, batch_size))
    run(torch_step.Step(twin().to(device.name).train(), images, labels, SGD_OPTIONS))
    held = {"baseline": baseline, "peak": peak_memory()}
    if device.name == "cuda":
        held["gpu"] = torch_step.torch.cuda.max_memory_reserved()
    return held


def run(step: Any) -> None:
    """Does the three steps."""
    for _ in range(STEPS):
        step()


def peak_memory() -> int:
    """The most main memory, in bytes, that this process has held so far.

    On Linux read from /proc: `ru_maxrss` there is inherited, a child of a large process starts with its parent's.
    Raises RuntimeError where the system does not tell.
    """
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        pass
    try:
        import resource
    except ImportError:
        raise RuntimeError("this system does not tell a process its peak memory; Linux and macOS do") from None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KB elsewhere


if __name__ == "__main__":
    main(*sys.argv[1:])
