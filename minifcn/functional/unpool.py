"""Max-unpooling: puts values back where max-pooling took them from, and zeros elsewhere.

Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.kernels.geometry import pair


def max_unpool2d(x: Array, indices: Array, output_size: Sequence[int]) -> tuple[Array, tuple]:
    """x and indices (N, C, H, W) -> y (N, C, OH, OW), zero but for y[index] = x, and the cache.

    ``indices`` are ``max_pool2d_indices`` of the pooling that this one undoes, ``output_size`` (OH, OW) its input's size.
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
