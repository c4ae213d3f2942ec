"""Peak memory of a fresh process that does three training steps of a network, ours and PyTorch's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from minifcn.bench.device import Device
from minifcn.bench.network import Architecture


@dataclass(frozen=True)
class Peak:
    """Bytes. `baseline` is what the process held after its imports; `gpu` what the GPU's memory pool held at most."""

    side: str
    batch_size: int
    baseline: int
    peak: int
    gpu: int | None = None

    @property
    def over_baseline(self) -> int:
        return self.peak - self.baseline


def peaks(device: Device, size: tuple[int, int], batch_sizes: tuple[int, ...], architecture: Architecture) -> list[Peak]:
    """Ours and, where it takes part, PyTorch's, for each batch size; nothing is subtracted from `peak`.

    Raises RuntimeError with the process's last words when it fails.
    """
    sides = ("ours", "pytorch") if device.pytorch and architecture.twin() is not None else ("ours",)
    return [three_steps(side, device, size, batch_size, architecture) for batch_size in batch_sizes for side in sides]


def three_steps(side: str, device: Device, size: tuple[int, int], batch_size: int, architecture: Architecture) -> Peak:
    """The peak of one side, "ours" or "pytorch", in a process of its own."""
    settings = {
        "model": architecture.model, "options": architecture.options, "size": size, "batch_size": batch_size,
        "device": device.name, "precision": device.precision, "threads": device.threads,
    }  # fmt: skip
    command = [sys.executable, "-m", "minifcn.bench.three_steps", side, json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or [f"killed with status {done.returncode}, perhaps for want of memory"]
        raise RuntimeError(f"three steps of {side} at batch {batch_size} failed: {words[-1]}")
    return Peak(side, batch_size, **json.loads(done.stdout.splitlines()[-1]))
