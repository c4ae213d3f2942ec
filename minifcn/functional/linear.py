"""A fully connected layer: every output is a weighted sum of all inputs.

    y = x · Wᵀ + b        dx = dy · W        dW = dyᵀ · x        db = Σ dy

Each weight meets each row of x once, so its gradient is the sum over the rows. It is a convolution whose kernel covers its
whole input, with the places thrown away (Long, Shelhamer and Darrell 2015, section 3.1).
"""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.arguments import check_bias, check_floating, check_gradient


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, tuple]:
    """x (..., C), weight (O, C), bias (O,) -> y (..., O) and the cache. Raises ValueError when the sizes do not fit."""
    _check(x, weight, bias)
    O, C = weight.shape
    y = _product(x.reshape(-1, C), weight.T)  # (M, O) = (M, C) @ (C, O)
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], O), (x, weight, bias is not None)


def linear_backward(
    dy: Array, cache: tuple, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """dy (..., O) -> dx (..., C), dweight (O, C), dbias (O,), each None where ``needs`` says so or the forward had none."""
    x, weight, has_bias = cache
    O, C = weight.shape
    check_gradient("linear_backward", dy, (*x.shape[:-1], O))
    dy = dy.reshape(-1, O)  # (M, O)
    dx = _product(dy, weight).reshape(x.shape) if needs[0] else None  # (M, C) = (M, O) @ (O, C)
    dweight = _product(dy.T, x.reshape(-1, C)) if needs[1] else None  # (O, C) = (O, M) @ (M, C)
    return dx, dweight, dy.sum(axis=0) if needs[2] and has_bias else None


@kernels.accelerated("product")
def _product(a: Array, b: Array) -> Array:
    """a @ b of two matrices."""
    return a @ b


def _check(x: Array, weight: Array, bias: Array | None) -> None:
    check_floating("linear", x=x, weight=weight, bias=bias)
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(f"linear: weight has shape {weight.shape}; it must be (O, C), each at least 1")
    O, C = weight.shape
    if x.ndim < 1 or x.shape[-1] != C:
        raise ValueError(
            f"linear: x has shape {x.shape} and weight {weight.shape} expects (..., {C}): flatten feature maps first, "
            "or give pictures of the size that the layer was made for"
        )
    check_bias("linear", bias, O)
