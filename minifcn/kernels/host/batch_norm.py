"""Batch norm and sums over channels: each thread takes some channels, which stay in its cache from pass to pass."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import Block, over_blocks


def channel_sum(x: np.ndarray) -> np.ndarray:
    """x (N, C, H, W) -> (C,): the sum of each channel over pictures and pixels."""
    total = np.empty(x.shape[1], x.dtype)

    def block(at: Block) -> None:
        total[at[1]] = _sum(x[at].reshape(*x[at].shape[:2], -1))

    over_blocks(block, x, axes=(1,))
    return total


def channel_statistics(x3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x3 (N, C, H*W) -> mean and biased variance (C,), in two passes: the second subtracts the mean first."""
    M = x3.size // x3.shape[1]
    mean, var = np.empty(x3.shape[1], x3.dtype), np.empty(x3.shape[1], x3.dtype)

    def block(at: Block) -> None:
        channels = at[1]
        mean[channels] = _sum(x3[:, channels]) / M
        centred = x3[:, channels] - mean[channels, None]
        var[channels] = _sum(centred * centred) / M

    over_blocks(block, x3, axes=(1,))
    return mean, var


def normalise(x3: np.ndarray, mean: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """(x − mean)·scale + shift; x3 (N, C, H*W), the others (C,)."""
    y3 = np.empty_like(x3)

    def block(at: Block) -> None:
        channels = at[1]
        shifted = x3[:, channels] - mean[channels, None]  # (N, c, H*W)
        np.multiply(shifted, scale[channels, None], out=y3[:, channels])
        if shift is not None:
            y3[:, channels] += shift[channels, None]

    over_blocks(block, x3, axes=(1,))
    return y3


def normalise_backward(
    dy3: np.ndarray, x3: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, scale: np.ndarray, training: bool, needs_dx: bool
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """dy3 and x3 (N, C, H*W), the others (C,) -> dx3 or None, dweight, dbias."""
    M = x3.size // x3.shape[1]  # values a channel
    dweight, dbias = np.empty_like(inv_std), np.empty_like(inv_std)
    dx3 = np.empty_like(dy3) if needs_dx else None

    def block(at: Block) -> None:
        channels = at[1]
        x_hat = (x3[:, channels] - mean[channels, None]) * inv_std[channels, None]  # (N, c, H*W)
        dweight[channels] = _sum(dy3[:, channels] * x_hat)
        dbias[channels] = _sum(dy3[:, channels])
        if dx3 is None:
            return
        dx = dy3[:, channels]
        if training:
            x_hat *= (dweight[channels] / M)[:, None]
            dx = dx - (dbias[channels] / M)[:, None]
            dx -= x_hat
        np.multiply(dx, scale[channels, None], out=dx3[:, channels])

    over_blocks(block, dy3, axes=(1,))
    return dx3, dweight, dbias


def _sum(values: np.ndarray) -> np.ndarray:
    """(N, c, H*W) -> (c,). Pixels first: NumPy adds a contiguous axis pairwise, which keeps float32 sums accurate."""
    wide = np.float32 if values.dtype == np.float16 else None  # whose sums soon exceed the largest float16
    return values.sum(axis=2, dtype=wide).sum(axis=0)
