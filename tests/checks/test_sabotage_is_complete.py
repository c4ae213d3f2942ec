"""No backward may be without its wrong versions."""

from __future__ import annotations

from checks import (
    test_sabotage_classifiers,
    test_sabotage_convolution,
    test_sabotage_loss,
    test_sabotage_merge,
    test_sabotage_pointwise,
    test_sabotage_pooling,
)
from minifcn import functional as F

MODULES = (
    test_sabotage_classifiers, test_sabotage_convolution, test_sabotage_loss, test_sabotage_merge, test_sabotage_pointwise,
    test_sabotage_pooling,
)  # fmt: skip


def test_every_backward_is_sabotaged_at_least_six_times():
    counts = dict.fromkeys((name.removesuffix("_backward") for name in F.__all__ if name.endswith("_backward")), 0)
    for module in MODULES:
        for sabotage in module.SABOTAGES.values():
            counts[sabotage.function.__name__] += len(sabotage.mutants)
    assert min(counts.values()) >= 6, counts
