"""Local response normalisation: each value is divided by the strength of its neighbours in the channels next to its own.

    s[c] = k + α/n · Σ x[j]²  over the n channels j around c,        y[c] = x[c] · s[c]^−β

at each pixel by itself. x[c] counts in its own y and, through s, in those of its neighbours:

    dx[c] = dy[c] · s[c]^−β  −  2αβ/n · x[c] · Σ dy[j] · x[j] · s[j]^(−β−1)  over the channels j whose neighbour c is

Outside of the first and the last channel lie zeros. The neighbours of c are c − n//2 ... c + (n − 1)//2, as in PyTorch; α is
divided by n, as in PyTorch and Caffe and other than in the paper, whose α is n times smaller.

Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 3.3.
"""

from __future__ import annotations

from numbers import Integral

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.arguments import check_floating, check_gradient


def local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> tuple[Array, tuple]:
    """x (N, C, ...) -> y of the same shape and the cache; ``size`` is n, the number of channels that are summed.

    Raises ValueError for a size below 1, a negative alpha, or a k that is not positive: s could be zero.
    """
    _check(x, size, alpha, k)
    x3 = x.reshape(*x.shape[:2], -1)  # (N, C, H*W)
    y3, s3 = _local_response(x3, size, float(alpha), float(beta), float(k))
    return y3.reshape(x.shape), (x, s3, size, float(alpha), float(beta))


def local_response_norm_backward(dy: Array, cache: tuple) -> Array:
    """dy -> dx, both of x's shape."""
    x, s3, size, alpha, beta = cache
    check_gradient("local_response_norm_backward", dy, x.shape)
    return _local_response_backward(dy.reshape(s3.shape), x.reshape(s3.shape), s3, size, alpha, beta).reshape(x.shape)


@kernels.accelerated("local_response")
def _local_response(x3: Array, size: int, alpha: float, beta: float, k: float) -> tuple[Array, Array]:
    """x3 (N, C, L) -> y3 and s3 of the same shape."""
    s3 = k + alpha / size * sum_of_neighbours(x3 * x3, size // 2, (size - 1) // 2)
    return x3 * s3**-beta, s3


@kernels.accelerated("local_response_backward")
def _local_response_backward(dy3: Array, x3: Array, s3: Array, size: int, alpha: float, beta: float) -> Array:
    """dy3, x3 and s3 (N, C, L) -> dx3."""
    through_s = sum_of_neighbours(dy3 * x3 * s3 ** (-beta - 1), (size - 1) // 2, size // 2)  # seen from the neighbour
    return dy3 * s3**-beta - 2 * alpha * beta / size * x3 * through_s


def sum_of_neighbours(values: Array, below: int, above: int) -> Array:
    """(N, C, L) -> for each channel c the sum over c − below ... c + above, as far as there are channels."""
    total, C = values.copy(), values.shape[1]
    for step in range(1, min(below, C - 1) + 1):
        total[:, step:] += values[:, :-step]
    for step in range(1, min(above, C - 1) + 1):
        total[:, :-step] += values[:, step:]
    return total


def _check(x: Array, size: int, alpha: float, k: float) -> None:
    check_floating("local_response_norm", x=x)
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(f"local_response_norm: x has shape {x.shape}; it must be (N, C, ...) and not empty")
    if not isinstance(size, Integral) or isinstance(size, bool):
        raise TypeError(f"local_response_norm: size={size!r} must be an integer, the number of channels that are summed")
    if size < 1:
        raise ValueError(f"local_response_norm: size={size} must be at least 1, the number of channels that are summed")
    if not alpha >= 0 or not k > 0:
        raise ValueError(f"local_response_norm: alpha={alpha} must not be negative and k={k} positive, or it divides by zero")
