"""Sums over all but the channels."""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array


@kernels.accelerated("channel_sum")
def channel_sum(x: Array) -> Array:
    """x (N, C, H, W) -> (C,): the sum of each channel over pictures and pixels."""
    return x.sum(axis=(0, 2, 3), dtype="float32" if x.dtype == "float16" else None).astype(x.dtype, copy=False)
