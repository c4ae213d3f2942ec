"""Batch norm and sums over channels: each thread takes some channels, which stay in its cache from pass to pass."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import Block, over_blocks

_ROW = 512  # numbers that BLAS adds in one go, in float32: the more, the larger is the rounding error


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
        with workspace(x3.dtype) as new:
            centred = np.subtract(x3[:, channels], mean[channels, None], out=new(*x3[:, channels].shape))
            var[channels] = _dot(centred, centred) / M

    over_blocks(block, x3, axes=(1,))
    return mean, var


def normalise(x3: np.ndarray, mean: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """(x − mean)·scale + shift; x3 (N, C, H*W), the others (C,)."""
    y3 = np.empty_like(x3)

    def block(at: Block) -> None:
        channels, y = at[1], y3[:, at[1]]  # (N, c, H*W)
        np.subtract(x3[:, channels], mean[channels, None], out=y)  # before scaling: x·scale − mean·scale would cancel
        y *= scale[channels, None]
        if shift is not None:
            y += shift[channels, None]

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
        channels, dy = at[1], dy3[:, at[1]]  # (N, c, H*W)
        with workspace(dy3.dtype) as new:
            centred = np.subtract(x3[:, channels], mean[channels, None], out=new(*dy.shape))
            dweight[channels] = _dot(dy, centred) * inv_std[channels]
            dbias[channels] = _sum(dy)
            if dx3 is None:
                return
            dx = dx3[:, channels]
            if not training:
                np.multiply(dy, scale[channels, None], out=dx)
                return
            np.subtract(dy, (dbias[channels] / M)[:, None], out=dx)
            centred *= (inv_std[channels] * dweight[channels] / M)[:, None]
            dx -= centred
            dx *= scale[channels, None]

    over_blocks(block, dy3, axes=(1,))
    return dx3, dweight, dbias


def _sum(values: np.ndarray) -> np.ndarray:
    """(N, c, H*W) -> (c,)."""
    return _dot(values, np.ones(values.shape[2], values.dtype))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums of a·b, a (N, c, H*W) and b like it or (H*W,) -> (c,): BLAS adds short rows, float64 what they leave."""
    return sum(np.vecdot(*rows).sum(axis=(0, 2), dtype=np.float64) for rows in zip(_rows(a), _rows(b), strict=True))


def _rows(values: np.ndarray) -> list[np.ndarray]:
    """(..., L) -> (..., L/512, 512) and the rest (..., 1, L modulo 512); float16 as float32, which holds its sums."""
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    whole = values.shape[-1] // _ROW * _ROW
    rows = [values[..., :whole].reshape(*values.shape[:-1], -1, _ROW)] if whole else []
    return [*rows, values[..., None, whole:]] if whole < values.shape[-1] else rows
