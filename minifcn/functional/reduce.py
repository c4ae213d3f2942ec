"""Sums over all but the channels."""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array, get_xp


@kernels.on_gpu("channel_sum")
def channel_sum(x: Array) -> Array:
    """x (N, C, H, W) -> (C,): the sum of each channel over pictures and pixels."""
    total = get_xp(x).empty(x.shape[1], x.dtype)

    def block(at: tuple[slice, slice]) -> None:
        # Pixels first: NumPy adds a contiguous axis pairwise, which keeps float32 sums accurate.
        total[at[1]] = x[at].reshape(*x[at].shape[:2], -1).sum(axis=2).sum(axis=0)

    kernels.over_blocks(block, x, axes=(1,))
    return total
