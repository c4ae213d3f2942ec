"""ReLU: y = max(x, 0).

dx = dy where y > 0, else 0 (at exactly 0 the gradient is 0, as in PyTorch). The output is its own cache: it is positive just
where x was, and the next layer keeps it anyway, so ReLU costs no memory.

Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
"""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating, check_gradient


def relu(x: Array, inplace: bool = False) -> tuple[Array, Array]:
    """x of any shape -> y of the same, and the cache. ``inplace`` writes y over x, which nobody may need any more."""
    check_floating("relu", x=x)
    y = _relu(x, inplace)
    return y, y


@kernels.accelerated("relu")
def _relu(x: Array, inplace: bool) -> Array:
    """max(x, 0)."""
    xp = get_xp(x)
    return xp.maximum(x, 0, out=x) if inplace else xp.maximum(x, 0)


def relu_backward(dy: Array, cache: Array, inplace: bool = False) -> Array:
    """dy -> dx, both of x's shape. ``inplace`` writes dx over dy."""
    y = cache
    check_gradient("relu_backward", dy, y.shape)
    return _relu_backward(dy, y, inplace)


@kernels.accelerated("relu_backward")
def _relu_backward(dy: Array, y: Array, inplace: bool) -> Array:
    """dy where y > 0, else 0."""
    xp = get_xp(dy)
    return xp.multiply(dy, y > 0, out=dy) if inplace else dy * (y > 0)
