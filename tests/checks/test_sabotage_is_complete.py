"""No backward may be without its wrong versions."""

from __future__ import annotations

import importlib
from pathlib import Path

from minifcn import functional as F


def test_every_backward_is_sabotaged_at_least_six_times():
    counts = dict.fromkeys((name.removesuffix("_backward") for name in F.__all__ if name.endswith("_backward")), 0)
    for path in Path(__file__).parent.glob("test_sabotage_*.py"):
        module = importlib.import_module(f"checks.{path.stem}")
        for sabotage in getattr(module, "SABOTAGES", {}).values():
            counts[sabotage.function.__name__] += len(sabotage.mutants)
    assert min(counts.values()) >= 6, counts
