"""Average pooling: the mean of each window, as two small matrices a picture (:mod:`minifcn.functional.separable`)."""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.functional import separable
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.kernels.geometry import Pair, pair
from minifcn.kernels.pool_geometry import Windows


def avg_pool2d(
    x: Array, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, H, W) -> y (N, C, OH, OW), the mean of each window, and the cache. ``stride`` is the kernel's size unless given.

    OH = floor or, with ``ceil_mode``, ceil of (H + 2·PH − KH) / SH, plus 1; with ceil_mode the last window may hang over the
    edge, but must start inside the picture or its left padding. ``count_include_pad`` counts padding's zeros as values (a
    window that hangs over even the padding counts what it covers).

    Raises TypeError unless x is floating, ValueError when sizes or options do not fit. Source: PyTorch's AvgPool2d.
    """
    check_images("avg_pool2d", x)
    windows = Windows.of("avg_pool2d", x.shape, kernel_size, stride, padding, 1, ceil_mode)
    recipes = [(_window_averages, windows, axis, count_include_pad) for axis in (0, 1)]
    y = separable.apply(x, *recipes)
    return y, (recipes, y.shape)


def avg_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W)."""
    recipes, shape = cache
    check_gradient("avg_pool2d_backward", dy, shape)
    return separable.apply_backward(dy, *recipes)


def adaptive_avg_pool2d(x: Array, output_size: Pair) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, OH, OW) and the cache: the picture cut into OH x OW near-equal windows, each averaged.

    Window oh has the rows from floor(oh·H / OH) to ceil((oh + 1)·H / OH), and its columns likewise: neighbours may share some.
    Raises TypeError unless x is floating, ValueError for an empty output. Source: PyTorch's AdaptiveAvgPool2d.
    """
    check_images("adaptive_avg_pool2d", x)
    sizes = zip(x.shape[2:], pair(output_size, "output_size", 1), strict=True)
    recipes = [(_adaptive_averages, n, n_out) for n, n_out in sizes]
    y = separable.apply(x, *recipes)
    return y, (recipes, y.shape)


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
