"""ReLU: y = max(x, 0).

dx = dy where y > 0, else 0 (at exactly 0 the gradient is 0, as in PyTorch). The output is its own cache: it is positive just
where x was, and the next layer keeps it anyway, so ReLU costs no memory.

Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
"""

from __future__ import annotations

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating, check_gradient


def relu(x: Array, inplace: bool = False) -> tuple[Array, Array]:
    """x of any shape -> y of the same, and the cache. ``inplace`` writes y over x, which nobody may need any more."""
    check_floating("relu", x=x)
    xp = get_xp(x)
    y = x if inplace else xp.empty_like(x)
    kernels.over_blocks(lambda at: xp.maximum(x[at], 0, out=y[at]), x, axes=range(x.ndim), size=1 << 18)
    return y, y


def relu_backward(dy: Array, cache: Array, inplace: bool = False) -> Array:
    """dy -> dx, both of x's shape. ``inplace`` writes dx over dy."""
    y = cache
    check_gradient("relu_backward", dy, y.shape)
    return _relu_backward(dy, y, inplace)


@kernels.on_gpu("relu_backward")
def _relu_backward(dy: Array, y: Array, inplace: bool) -> Array:
    """dy where y > 0, else 0."""
    dx = dy if inplace else np.empty_like(dy)
    kernels.over_blocks(lambda at: np.multiply(dy[at], y[at] > 0, out=dx[at]), dy, axes=range(dy.ndim))
    return dx
