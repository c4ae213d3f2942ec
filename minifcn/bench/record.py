"""What was measured, as JSON for programs: every sample, the machine and the settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minifcn.bench.contest import Result
from minifcn.safe_file import replacing

FORMAT = "minifcn bench 1"


def as_dict(result: Result) -> dict[str, Any]:
    """A result with every sample, and what follows from them."""
    timing, host = result.timing, {}
    if result.host is not None:
        host = {"ours_host_seconds": list(result.host.ours), "pytorch_host_seconds": list(result.host.pytorch)}
    return {
        "group": result.group,
        "name": result.name,
        "ours_seconds": list(timing.ours),
        "pytorch_seconds": list(timing.pytorch),
        "ratio": timing.ratio,
        "ratio_least": timing.spread[0] if timing.spread else None,
        "ratio_most": timing.spread[1] if timing.spread else None,
        "onnxruntime_seconds": list(timing.onnxruntime),
        "onnxruntime_ratio": timing.onnxruntime_ratio,
        "multiply_adds": result.macs or None,
        "bytes_moved": result.moved or None,
        "difference": result.difference,
        **host,
    }


def write(path: Path, subject: str, machine: dict[str, Any], settings: dict[str, Any], **lists: Sequence[Any]) -> None:
    """Writes one subject's JSON: the format's name, the machine, the settings, and the lists of what was measured."""
    rows = {name: [as_dict(row) if isinstance(row, Result) else asdict(row) for row in lists[name]] for name in lists}
    content = {"format": FORMAT, "subject": subject, "machine": machine, "settings": settings, **rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
