"""What it was measured on: a figure without its machine means nothing."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from minifcn.bench import onnx_runtime
from minifcn.bench.device import Device
from minifcn.machine import facts
from minifcn.machine.environment import environment


def machine(device: Device) -> dict[str, Any]:
    """Date, processor, cores, bytes of memory, cores busy with other things, versions, git commit; a GPU's name.

    ``torch`` and ``onnxruntime`` are None where they take no part.
    """
    specs: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **environment(device.name),
        "processor": facts.processor(),
        "cores": facts.cores(),
        "memory": facts.memory()[0],
        "busy_cores": facts.busy_cores(),
        "blas": _blas(),
        "torch": version("torch") if device.pytorch else None,
        "onnxruntime": version("onnxruntime") if onnx_runtime.takes_part(device) else None,
    }
    if device.name == "cuda":
        from minifcn.kernels.cuda import multiplier

        cupy = sys.modules["cupy"]
        specs["cuda"] = cupy.cuda.runtime.runtimeGetVersion()
        specs["multiplier"] = multiplier()
        specs["cudnn"] = _cudnn() if device.pytorch else None
    return specs


def described(specs: dict[str, Any], device: Device) -> str:
    """The same in one sentence, for people."""
    on = f"{specs['device_name']} (CuPy {specs['cupy']})" if device.name == "cuda" else specs["processor"]
    parts = [
        f"{on}, {specs['cores']} cores",
        f"{device.threads} thread{'s' if device.threads > 1 else ''} on both sides",
        f"{device.precision}{_multiplier(specs)}",
        f"NumPy {specs['numpy']} ({specs['blas']})",
        f"PyTorch {specs['torch']}" if specs["torch"] else "without PyTorch",
        *([f"ONNX Runtime {specs['onnxruntime']} (in inference)"] if specs["onnxruntime"] else []),
        f"minifcn {specs['minifcn']}",
        specs["date"][:10],
    ]
    return ", ".join(parts)


def _multiplier(specs: dict[str, Any]) -> str:
    """On a GPU, how our convolutions come to that precision."""
    return f" (our convolutions: {specs['multiplier']})" if "multiplier" in specs else ""


def disturbed(specs: dict[str, Any]) -> str | None:
    """A warning where other programs use this machine."""
    if (specs["busy_cores"] or 0) < 0.2:
        return None
    return (
        f"other programs keep {specs['busy_cores']:.1f} of this machine's cores busy: do not trust these ratios; threads that "
        "wait for each other, as PyTorch's do, lose more by it than ours"
    )


def _blas() -> str:
    library = facts.blas()
    if library is None:
        return "an unknown BLAS"
    kernels = f" for {library['architecture']}" if library.get("architecture") else ""  # which says more than some names do
    return f"{library['internal_api']} {library['version']}{kernels}"


def _cudnn() -> int | None:
    import torch

    return torch.backends.cudnn.version()
