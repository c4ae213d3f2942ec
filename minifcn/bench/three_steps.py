"""Three training steps of FCN-8s in a process of their own, and the most memory that it ever held.

    python -m minifcn.bench.three_steps ours --size 224x224

prints one line of JSON: bytes after the imports ("baseline") and at the peak, of main memory and, with --device cuda, of
the GPU as well. :mod:`minifcn.bench.memory` runs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

STEPS = 3


def main(arguments: list[str]) -> None:
    """Runs the steps of one side and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=("ours", "pytorch"))
    parser.add_argument("--size", type=int, nargs=2, default=(224, 224))
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default=None)
    given = parser.parse_args(arguments)
    print(json.dumps((ours if given.side == "ours" else pytorch)(given)))


def ours(given: argparse.Namespace) -> dict[str, int]:
    """Three steps of ours."""
    from minifcn.bench.device import Device
    from minifcn.bench.network import OurStep, batch, our_network

    device = Device.of(given.device, given.precision, given.threads, pytorch=False)
    with device.held():
        baseline = peak_memory()
        images, labels = map(device.ours, batch(given.size, given.batch_size))
        run(OurStep(our_network(given.width).to(device.name).train(), images, labels))
        device.wait()
        found = {"baseline": baseline, "peak": peak_memory()}
        if device.name == "cuda":
            from minifcn.backend import import_cupy

            found["gpu"] = import_cupy().get_default_memory_pool().total_bytes()  # a pool that has given nothing back
    return found


def pytorch(given: argparse.Namespace) -> dict[str, int]:
    """Three steps of PyTorch's, with its own first weights: nothing of our network is ever in this process."""
    from minifcn.bench import torch_twin
    from minifcn.bench.device import Device
    from minifcn.bench.network import CLASSES, SGD_OPTIONS, batch

    device = Device.of(given.device, given.precision, given.threads)
    with device.held():
        baseline = peak_memory()
        images, labels = map(device.theirs, batch(given.size, given.batch_size))
        net = torch_twin.FCN8s(CLASSES, given.width).to(device.name).train()
        run(torch_twin.Step(net, images, labels, SGD_OPTIONS))
        found = {"baseline": baseline, "peak": peak_memory()}
        if device.name == "cuda":
            found["gpu"] = torch_twin.torch.cuda.max_memory_reserved()
    return found


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
    main(sys.argv[1:])
