"""What it was measured on: a figure without its machine means nothing."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from minifcn.bench.device import Device
from minifcn.machine import facts
from minifcn.machine.environment import environment


def machine(device: Device) -> dict[str, Any]:
    """Date, processor, cores, bytes of memory, cores busy with other things, versions, git commit; a GPU's name.

    ``torch`` is None where it takes no part.
    """
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **environment(device.name),
        "processor": facts.processor(),
        "cores": facts.cores(),
        "memory": facts.memory()[0],
        "busy_cores": facts.busy_cores(),
        "blas": _blas(),
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


def _blas() -> str:
    library = facts.blas()
    return f"{library['internal_api']} {library['version']}" if library else "an unknown BLAS"


def _cudnn() -> int | None:
    import torch

    return torch.backends.cudnn.version()
