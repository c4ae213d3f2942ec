"""Everything of a network that is not a convolution, one kernel each: pooling, batch norm, the loss, ReLU, dropout.

Each function computes what its namesake in `functional/` spells out with array operations, and is checked against it. Here it
is one pass over memory instead of several, and memory is what these operations cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels.cuda.launch import blocks_for, blocks_for_planes, c_type, launch
from minifcn.kernels.pool_geometry import Windows

_PLANES = 4  # of which a thread of max_pool_backward takes the same pixel
_CHUNK = 1 << 14  # values of a channel that one block adds up: fixed, so that sums have the same bits everywhere


# ------------------------------------------------------------------------------------------------------------- pooling


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """x (N, C, H, W) -> y (N, C, OH, OW) and the switches (the tap that won), as `functional.max_pool2d` keeps them."""
    xp = get_xp(x)
    y = xp.empty((*x.shape[:2], *windows.output_size), x.dtype)
    switches = xp.empty(y.shape, np.uint8 if windows.KH * windows.KW <= 256 else np.int32)
    real, switch, grid = c_type(x.dtype), c_type(switches.dtype), blocks_for_planes(y.shape)
    arguments = (x, y, switches, *_planes(x.shape, windows))
    launch("max_pool.cu", "max_pool", grid, 256, arguments, REAL=real, SWITCH=switch, **_sizes(windows))
    return y, switches


def max_pool_backward(dy: Array, switches: Array, windows: Windows) -> Array:
    """dy and switches (N, C, OH, OW) -> dx (N, C, H, W)."""
    dx = get_xp(dy).empty((*dy.shape[:2], windows.H, windows.W), dy.dtype)
    real, switch, (blocks, planes) = c_type(dy.dtype), c_type(switches.dtype), blocks_for_planes(dx.shape)
    arguments = (dy, switches, dx, *_planes(dy.shape, windows))
    grid = (blocks, -(-planes // _PLANES))
    launch("max_pool.cu", "max_pool_backward", grid, 256, arguments, REAL=real, SWITCH=switch, **_sizes(windows))
    return dx


def _planes(shape: tuple[int, ...], w: Windows) -> tuple[int, ...]:
    return shape[0] * shape[1], w.H, w.W, *w.output_size


def _sizes(w: Windows) -> dict[str, int]:
    return {name: getattr(w, name) for name in ("KH", "KW", "SH", "SW", "PH", "PW", "DH", "DW")}


# ---------------------------------------------------------------------------------------------------------- batch norm


def channel_sum(x: Array) -> Array:
    """x (N, C, ...) -> (C,): the sum of each channel over pictures and pixels."""
    return _channel_sums(0, x.reshape(*x.shape[:2], -1))[0]


def channel_statistics(x: Array) -> tuple[Array, Array]:
    """x (N, C, L) -> mean and biased variance (C,), in two passes: the second subtracts the mean first."""
    M = x.size // x.shape[1]
    mean = _channel_sums(0, x)[0] / M
    return mean, _channel_sums(1, x, None, mean)[0] / M


def _channel_sums(
    which: int, a: Array, b: Array | None = None, mean: Array | None = None, inv_std: Array | None = None
) -> Array:
    """The sums that SUM=which of batch_norm.cu names: (1 or 2, C)."""
    xp, (N, C, L) = get_xp(a), a.shape
    chunks, count = -(-L // _CHUNK), 2 if which == 2 else 1
    parts, sums = xp.empty((count, N * chunks, C), a.dtype), xp.empty((count, C), a.dtype)
    real, arguments = c_type(a.dtype), (a, b, mean, inv_std, parts, C, L, chunks, _CHUNK)
    launch("batch_norm.cu", "channel_parts", (N * chunks, C), 256, arguments, REAL=real, SUM=which)
    launch("batch_norm.cu", "add_channel_parts", blocks_for(sums.size), 256, (parts, sums, N * chunks, C), REAL=real, SUM=which)
    return sums


def normalise(x: Array, mean: Array, scale: Array, shift: Array | None) -> Array:
    """(x − mean)·scale + shift, x (N, C, L) and the others (C,)."""
    y = get_xp(x).empty(x.shape, x.dtype)
    N, C, L = x.shape
    arguments = (x, mean, scale, shift, y, N * C, C, L)
    launch("batch_norm.cu", "normalise", blocks_for_planes(x.shape), 256, arguments, REAL=c_type(x.dtype), SUM=0)
    return y


def normalise_backward(
    dy: Array, x: Array, mean: Array, inv_std: Array, scale: Array, training: bool, needs_dx: bool
) -> tuple[Array | None, Array, Array]:
    """dy and x (N, C, L), the others (C,) -> dx (N, C, L) or None, dweight = Σ dy·x̂ and dbias = Σ dy (C,)."""
    sums = _channel_sums(2, dy, x, mean, inv_std)  # (2, C)
    if not needs_dx:
        return None, sums[1], sums[0]
    means = sums / (x.size // x.shape[1]) if training else sums * 0  # in evaluation mean and variance are constants
    dx = get_xp(dy).empty(dy.shape, dy.dtype)
    N, C, L = dy.shape
    arguments = (dy, x, mean, inv_std, scale, means[0], means[1], dx, N * C, C, L)
    launch("batch_norm.cu", "normalise_backward", blocks_for_planes(dy.shape), 256, arguments, REAL=c_type(dy.dtype), SUM=0)
    return dx, sums[1], sums[0]


# ------------------------------------------------------------------------------------------------------------ the loss


def pixel_losses(
    scores: Array, labels: Array, weight: Array, ignore_index: int | None, smoothing: float
) -> tuple[Array, Array, Array]:
    """scores (N, C, L), labels (N, L), weight (C,) -> losses (N, L), log-probabilities (N, C, L), pixel weights (N, L).

    A label that is neither 0..C−1 nor ignore_index makes its loss NaN.
    """
    xp, (N, C, L) = get_xp(scores), scores.shape
    losses, log_p, pixel_weight = (xp.empty(shape, scores.dtype) for shape in ((N, L), (N, C, L), (N, L)))
    real, label = c_type(scores.dtype), c_type(labels.dtype)
    arguments = (scores, labels, weight, losses, log_p, pixel_weight, C, L, *_void(ignore_index), smoothing)
    launch("cross_entropy.cu", "pixel_losses", (*blocks_for(L), N), 256, arguments, REAL=real, LABEL=label)
    return losses, log_p, pixel_weight


def pixel_losses_backward(
    log_p: Array, dlosses: Array, labels: Array, weight: Array, pixel_weight: Array, ignore_index: int | None, smoothing: float
) -> Array:
    """dlosses, (N, L) or () for all pixels alike, and what `pixel_losses` took and gave -> dscores (N, C, L)."""
    N, C, L = log_p.shape
    dscores = get_xp(log_p).empty(log_p.shape, log_p.dtype)
    real, label = c_type(log_p.dtype), c_type(labels.dtype)
    sizes = (C, L, *_void(ignore_index), smoothing, int(dlosses.ndim > 0))
    arguments = (dlosses, log_p, labels, weight, pixel_weight, dscores, *sizes)
    launch("cross_entropy.cu", "pixel_losses_backward", (*blocks_for(L), N), 256, arguments, REAL=real, LABEL=label)
    return dscores


def _void(ignore_index: int | None) -> tuple[int, int]:
    return (0, 0) if ignore_index is None else (1, ignore_index)


# ---------------------------------------------------------------------------------------------------------------- ReLU


def relu_backward(dy: Array, y: Array, inplace: bool = False) -> Array:
    """dy where y > 0, else 0; any shape. ``inplace`` writes over dy (where it is contiguous)."""
    dx = dy if inplace and dy.flags.c_contiguous else get_xp(dy).empty(dy.shape, dy.dtype)
    launch("relu.cu", "relu_backward", blocks_for(dy.size), 256, (dy, y, dx, dy.size), REAL=c_type(dy.dtype))
    return dx


# ------------------------------------------------------------------------------------------------------------- dropout


def dropout(x: Array, key: Any, threshold: int, scale: Any) -> tuple[Array, tuple]:
    """x of any shape -> y, and what draws the mask again: the key, two numbers of 64 bits, and the threshold."""
    mask = (key, threshold)
    return dropout_backward(x, mask, scale), mask


def dropout_backward(dy: Array, mask: tuple, scale: Any) -> Array:
    """dy -> dx, by the kernel that makes y of x: nothing of the forward's is read."""
    (key, threshold), dx = mask, get_xp(dy).empty(dy.shape, dy.dtype)
    if dy.size:
        arguments = (dy, dx, dy.size, scale, threshold, *key)
        launch("dropout.cu", "dropout", blocks_for(-(-dy.size // 8)), 256, arguments, REAL=c_type(dy.dtype))
    return dx
