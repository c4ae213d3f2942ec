"""How much memory a training step really takes, to hold the ledger's prediction against."""

from __future__ import annotations

import tracemalloc

import numpy as np

from minifcn.layers import CrossEntropyLoss, Layer


def training_step_peak(net: Layer, input_shape: tuple[int, int, int, int], num_classes: int) -> int:
    """Bytes at the peak of one forward and backward of ``net`` on random pictures (N, C, H, W), its parameters included.

    NumPy reports every array to tracemalloc, so this counts arrays, and neither Python's own memory nor what BLAS takes for
    itself. The network's gradients are forgotten afterwards. A tracing that the caller has begun goes on, with a new peak.
    """
    dtype = next(net.parameters()).data.dtype
    rng = np.random.default_rng(0)
    labels = rng.integers(0, num_classes, (input_shape[0], *input_shape[2:]))
    criterion = CrossEntropyLoss()
    net.zero_grad()
    traced_already = tracemalloc.is_tracing()
    if not traced_already:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        images = rng.standard_normal(input_shape).astype(dtype)
        criterion(net(images), labels)
        net.backward(criterion.backward())
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        if not traced_already:
            tracemalloc.stop()
        net.zero_grad()
        net.forget()
    return peak + sum(parameter.data.nbytes for parameter in net.parameters())
