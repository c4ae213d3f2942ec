"""Max-pooling: the largest value of each window.

It remembers, for each window, *which tap* (kh, kw) won: the "switch", one byte a window (four where a kernel has
more than 256 taps). Backward sends dy to the winner, and overlapping windows add up. The first of equal values wins, and NaN
beats everything, as in PyTorch.

Sources: Ranzato et al. 2007; Zeiler and Fergus 2014, section 2.1, for switches.
"""

from __future__ import annotations

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.kernels.geometry import Pair
from minifcn.kernels.pool_geometry import Windows


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
    windows = _windows(x, kernel_size, stride, padding, dilation, ceil_mode)
    y, switches = _max_pool(x, windows)
    return y, (switches, windows)


def max_pool2d_values(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Array:
    """:func:`max_pool2d`'s y alone, where no backward will follow: nobody asks which tap won, and nothing remembers it."""
    return _max_pool_values(x, _windows(x, kernel_size, stride, padding, dilation, ceil_mode))


def _windows(x: Array, *options) -> Windows:
    check_images("max_pool2d", x)
    return Windows.of("max_pool2d", x.shape, *options)


@kernels.accelerated("max_pool")
def _max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """x (N, C, H, W) -> y and switches (N, C, OH, OW)."""
    xp = get_xp(x)
    y = xp.full((*x.shape[:2], *windows.output_size), -np.inf, x.dtype)
    switches = xp.broadcast_to(xp.asarray(windows.first_tap()), y.shape).copy()  # a window of nothing but −inf keeps it
    for tap, outputs, inputs in windows.taps():
        candidate = x[inputs]  # of each window that has this tap inside the picture
        better = (candidate > y[outputs]) | xp.isnan(candidate)
        y[outputs] = xp.where(better, candidate, y[outputs])
        switches[outputs] = xp.where(better, tap, switches[outputs])
    return y, switches


@kernels.accelerated("max_pool_values")
def _max_pool_values(x: Array, windows: Windows) -> Array:
    """x (N, C, H, W) -> y (N, C, OH, OW)."""
    return _max_pool(x, windows)[0]


def max_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W): each dy to the input that won its window."""
    switches, windows = cache
    check_gradient("max_pool2d_backward", dy, switches.shape)
    return _max_pool_backward(dy, switches, windows)


@kernels.accelerated("max_pool_backward")
def _max_pool_backward(dy: Array, switches: Array, windows: Windows) -> Array:
    """dy and switches (N, C, OH, OW) -> dx (N, C, H, W)."""
    xp = get_xp(dy)
    dx = xp.zeros((*dy.shape[:2], windows.H, windows.W), dy.dtype)
    for tap, outputs, inputs in windows.taps():
        dx[inputs] += xp.where(switches[outputs] == tap, dy[outputs], 0)
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
