"""Batch norm and sums over channels: each thread takes some channels, which stay in its cache from pass to pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import Block, over_blocks

_LONG = 4096  # numbers that are added in one go: BLAS has a float32 total in each of its lanes, which are sixteen at least


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
    """(x − mean)·scale + shift, as x·scale + offset in one pass less; x3 (N, C, H*W), the others (C,)."""
    y3, offset = np.empty_like(x3), -mean * scale if shift is None else shift - mean * scale

    def block(at: Block) -> None:
        channels, y = at[1], y3[:, at[1]]  # (N, c, H*W)
        np.multiply(x3[:, channels], scale[channels, None], out=y)
        y += offset[channels, None]

    over_blocks(block, x3, axes=(1,))
    return y3


def normalise_backward(
    dy3: np.ndarray, x3: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, scale: np.ndarray, training: bool, needs_dx: bool
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """dy3 and x3 (N, C, H*W), the others (C,) -> dx3 or None, dweight, dbias.

    In training dx = scale·dy − scale/M·(dbias + x̂·dweight): a factor of dy, one of x − mean, and a number for each channel.
    """
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
            dx = np.multiply(dy, scale[channels, None], out=dx3[:, channels])
            if training:
                share = scale[channels] / M  # (c,)
                centred *= (share * inv_std[channels] * dweight[channels])[:, None]
                centred += (share * dbias[channels])[:, None]
                dx -= centred

    over_blocks(block, dy3, axes=(1,))
    return dx3, dweight, dbias


def _sum(values: np.ndarray) -> np.ndarray:
    """(N, c, H*W) -> (c,)."""
    return _added(piece @ np.ones(piece.shape[2], piece.dtype) for piece in _short(values))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums of a·b, both (N, c, H*W) -> (c,)."""
    return _added(np.vecdot(*both) for both in zip(_short(a), _short(b), strict=True))


def _short(values: np.ndarray) -> Iterator[np.ndarray]:
    """(N, c, H*W) in pieces (N, c, at most 4096); float16 as float32, for its sums soon exceed the largest float16."""
    wide = np.float32 if values.dtype == np.float16 else values.dtype
    return (values[..., start : start + _LONG].astype(wide, copy=False) for start in range(0, values.shape[2], _LONG))


def _added(sums: Iterable[np.ndarray]) -> np.ndarray:
    """Sums (N, c) of pieces -> (c,): few numbers by now, so they may be added in float64."""
    return sum(part.sum(axis=0, dtype=np.float64) for part in sums)
