"""Pooling: the largest value of each window, or the average; and unpooling, which puts values back where they came from.

Max-pooling remembers, for each window, *which tap* (kh, kw) won: the "switch", one byte a window. Backward sends dy to
the winner, and overlapping windows add up. The first of equal values wins, and NaN beats everything, as in PyTorch.

Sources: Ranzato et al. 2007 for max-pooling; Zeiler and Fergus 2014, section 2.1, for switches and unpooling.
"""

from __future__ import annotations

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional import separable
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.kernels.geometry import pair
from minifcn.kernels.pool_geometry import Windows

Pair = int | tuple[int, int]


def max_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, OH, OW) and the cache. ``stride`` is the kernel's size unless given.

    OH = floor or, with ``ceil_mode``, ceil of (H + 2·PH − DH·(KH − 1) − 1) / SH, plus 1; padding is −inf. With ceil_mode
    the last window may hang over the edge, but must start inside the picture or its left padding.
    """
    check_images("max_pool2d", x)
    windows = Windows.of("max_pool2d", x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    y, switches = _max_pool(x, windows)
    return y, (switches, windows)


@kernels.on_gpu("max_pool")
def _max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """x (N, C, H, W) -> y and switches (N, C, OH, OW)."""
    y = np.empty((*x.shape[:2], *windows.output_size), x.dtype)
    switches = np.empty(y.shape, np.uint8 if windows.KH * windows.KW <= 256 else np.int32)
    first = windows.first_tap().astype(switches.dtype)  # (OH, OW): the first tap inside the picture

    def planes(at: tuple[slice, slice]) -> None:
        y[at] = -np.inf
        switches[at] = first
        for tap, outputs, inputs in windows.taps():
            best, switch = y[at][outputs], switches[at][outputs]
            candidate = x[at][inputs].copy()  # side by side in memory: read once across the stride, then fast
            better = (candidate > best) | (candidate != candidate)  # strictly: the first of equals stays; NaN always wins
            np.maximum(best, candidate, out=best)
            np.maximum(switch, better * switch.dtype.type(tap), out=switch)  # taps ascend: the last better one is the largest

    kernels.over_blocks(planes, x)
    return y, switches


def max_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W): each dy to the input that won its window."""
    switches, windows = cache
    check_gradient("max_pool2d_backward", dy, switches.shape)
    return _max_pool_backward(dy, switches, windows)


@kernels.on_gpu("max_pool_backward")
def _max_pool_backward(dy: Array, switches: Array, windows: Windows) -> Array:
    """dy and switches (N, C, OH, OW) -> dx (N, C, H, W)."""
    dx = np.zeros((*dy.shape[:2], windows.H, windows.W), dy.dtype)

    def planes(at: tuple[slice, slice]) -> None:
        for tap, outputs, inputs in windows.taps():
            share = (switches[at][outputs] == tap).astype(dy.dtype)  # 1 where this tap won
            share *= dy[at][outputs]
            if windows.overlap:
                dx[at][inputs] += share
            else:
                dx[at][inputs] = share

    kernels.over_blocks(planes, dy)
    return dx


def max_pool2d_indices(cache: tuple) -> Array:
    """Where each maximum came from: (N, C, OH, OW) int64, h·W + w in the input plane, as PyTorch's ``return_indices``."""
    switches, windows = cache
    xp = get_xp(switches)
    tap_h, tap_w = switches // windows.KW, switches % windows.KW
    OH, OW = windows.output_size
    h = xp.arange(OH)[:, None] * windows.SH + tap_h.astype(np.int64) * windows.DH - windows.PH
    w = xp.arange(OW)[None, :] * windows.SW + tap_w.astype(np.int64) * windows.DW - windows.PW
    return h * windows.W + w


def max_unpool2d(x: Array, indices: Array, output_size: tuple[int, int]) -> tuple[Array, tuple]:
    """x and indices (N, C, H, W) -> y (N, C, OH, OW), zero but for y[index] = x, and the cache.

    ``indices`` are :func:`max_pool2d_indices` of the pooling that this one undoes, ``output_size`` (OH, OW) its input's size.
    """
    check_images("max_unpool2d", x)
    OH, OW = pair(tuple(output_size)[-2:], "output_size", 1)
    if indices.shape != x.shape or indices.dtype.kind not in "iu":
        raise ValueError(f"max_unpool2d: indices must be integers of x's shape {x.shape}; got {indices.dtype} {indices.shape}")
    xp = get_xp(x)
    if xp is np and (indices.min() < 0 or indices.max() >= OH * OW):  # a look that would make a GPU wait
        raise ValueError(
            f"max_unpool2d: indices run from {indices.min()} to {indices.max()}, outside an output of {OH}x{OW}; "
            "give the size that max_pool2d had as its input"
        )
    N, C = x.shape[:2]
    y = xp.zeros((N, C, OH * OW), x.dtype)
    xp.put_along_axis(y, indices.reshape(N, C, -1), x.reshape(N, C, -1), axis=2)
    return y.reshape(N, C, OH, OW), (indices, (OH, OW))


def max_unpool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W): each x went to one place, and its gradient waits there."""
    indices, (OH, OW) = cache
    N, C, H, W = indices.shape
    check_gradient("max_unpool2d_backward", dy, (N, C, OH, OW))
    dx = get_xp(dy).take_along_axis(dy.reshape(N, C, OH * OW), indices.reshape(N, C, -1), axis=2)  # (N, C, H*W)
    return dx.reshape(N, C, H, W)


def avg_pool2d(
    x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, H, W) -> y (N, C, OH, OW), the mean of each window, and the cache.

    ``count_include_pad`` counts padding's zeros as values (a window that hangs over even the padding counts what it covers).
    """
    check_images("avg_pool2d", x)
    windows = Windows.of("avg_pool2d", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    recipes = [(_window_averages, windows, axis, count_include_pad) for axis in (0, 1)]
    y = separable.apply(x, *recipes)
    return y, (recipes, y.shape)


def adaptive_avg_pool2d(x: Array, output_size: Pair) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, OH, OW) and the cache: the picture cut into OH x OW near-equal windows, each averaged."""
    check_images("adaptive_avg_pool2d", x)
    sizes = zip(x.shape[2:], pair(output_size, "output_size", 1), strict=True)
    recipes = [(_adaptive_averages, n, n_out) for n, n_out in sizes]
    y = separable.apply(x, *recipes)
    return y, (recipes, y.shape)


def avg_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W)."""
    recipes, shape = cache
    check_gradient("avg_pool2d_backward", dy, shape)
    return separable.apply_backward(dy, *recipes)


def adaptive_avg_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W)."""
    return avg_pool2d_backward(dy, cache)


def _window_averages(windows: Windows, axis: int, count_include_pad: bool) -> np.ndarray:
    """The matrix of avg_pool2d along one axis."""
    n, start, K, P = windows.axes()[axis]
    end = start + K
    count = np.minimum(end, n + P) - start if count_include_pad else np.minimum(end, n) - np.maximum(start, 0)
    return _average_matrix(n, start, end, count)


def _adaptive_averages(n: int, n_out: int) -> np.ndarray:
    """The matrix of adaptive_avg_pool2d along one axis."""
    out = np.arange(n_out)
    start, end = out * n // n_out, -(-(out + 1) * n // n_out)
    return _average_matrix(n, start, end, end - start)


def _average_matrix(n: int, start: np.ndarray, end: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The (n_out, n) matrix that adds the inputs start[i] <= j < end[i] into output i and divides by count[i]."""
    inside = (np.arange(n) >= start[:, None]) & (np.arange(n) < end[:, None])  # (n_out, n)
    return inside / count[:, None]
