"""Power-average pooling: between the average (p = 1) and, as p grows, the maximum of a window.

    y = ( sum over a window of x^p )^(1/p),    dx = dy · (x / y)^(p − 1),  added up over the windows that hold x

A window that hangs over the edge (``ceil_mode``) counts as if all KH·KW pixels were as its own are on average, as in PyTorch.

Source: Gulcehre et al., "Learned-norm pooling for deep feedforward and recurrent neural networks", 2014; PyTorch's LPPool2d.
"""

from __future__ import annotations

from math import prod

import numpy as np

from minifcn.backend import Array
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.functional.avg_pool import avg_pool2d, avg_pool2d_backward
from minifcn.kernels.geometry import Pair, pair


def lp_pool2d(
    x: Array, norm_type: float, kernel_size: Pair, stride: Pair | None = None, ceil_mode: bool = False
) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, OH, OW) and the cache; ``norm_type`` is p, ``stride`` the kernel's size unless given.

    A window whose sum of powers is negative (p = 3, say) has no root: its y is NaN, as in PyTorch. Raises ValueError for p < 1.
    """
    check_images("lp_pool2d", x)
    if not norm_type >= 1:
        raise ValueError(f"lp_pool2d: norm_type={norm_type} must be at least 1: 1 adds up, 2 is the Euclidean norm of a window")
    taps = prod(pair(kernel_size, "kernel_size", 1))
    mean, windows = avg_pool2d(x**norm_type, kernel_size, stride, 0, ceil_mode)  # (N, C, OH, OW)
    with np.errstate(invalid="ignore"):
        y = (mean * taps) ** (1 / norm_type)
    return y.astype(x.dtype, copy=False), (x, y, norm_type, taps, windows)


def lp_pool2d_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W). Where y is 0 the root has no slope, and gives 0 (PyTorch: NaN)."""
    x, y, norm_type, taps, windows = cache
    check_gradient("lp_pool2d_backward", dy, y.shape)
    dmean = dy * taps * (y + (y == 0)) ** (1 - norm_type) * (y != 0)  # (N, C, OH, OW), of the mean of powers, times p
    return avg_pool2d_backward(dmean, windows) * x ** (norm_type - 1)
