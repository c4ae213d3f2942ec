"""Everything that a run left behind but its times: what must not depend on how often it was killed, or on who computed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minifcn.training import RunFolder, read_checkpoint

TIMES = {"seconds", "images_per_second", "validation_seconds"}


def rows(run: Path) -> list[dict[str, Any]]:
    """The log."""
    return [without_times(row) for row in RunFolder(run).read_log()]


def digits(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """The numbers of weights and optimizer, each with its dtype and shape; the log; and what else the checkpoint says."""
    last = read_checkpoint(run / "last.safetensors")
    state = {**last.model, **last.optimizer}
    numbers = {name: (str(v.dtype), v.shape, v.tobytes()) if hasattr(v, "shape") else v for name, v in state.items()}
    return numbers, rows(run), without_times(last.metadata)


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in TIMES}
