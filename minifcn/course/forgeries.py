"""Ten forged backwards, for lesson 05: each looks like the real one, and each is wrong in another way.

An operation here is two functions, ``forward(x) -> y`` and ``backward(dy, x) -> dx``, on x of shape ``SHAPE``. They have names,
not parameters, for a checker sees nothing of them but what they return.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minifcn import functional as F

SHAPE = (2, 2, 5, 20)  # (N, C, H, W): 400 numbers
_WEIGHT = np.random.default_rng(5).normal(size=(3, 2, 3, 3))  # (O, C, KH, KW)

Forward = Callable[[np.ndarray], np.ndarray]
Backward = Callable[[np.ndarray, np.ndarray], np.ndarray]

# ------------------------------------------------------------------------------------------------------ the real ones


def convolve(x):
    """A convolution, 3 x 3, padding 1: (N, 2, H, W) -> (N, 3, H, W)."""
    return F.conv2d(x, _WEIGHT.astype(x.dtype), padding=1)[0]


def convolve_backward(dy, x):
    return _convolve_backward(dy, x, _WEIGHT)


def normalise(x):
    """A batch norm in training: each channel gets mean 0 and variance 1."""
    return _batch_norm(x)[0]


def normalise_backward(dy, x):
    return F.batch_norm_backward(dy, _batch_norm(x)[1])[0]


def rectify(x):
    """A ReLU."""
    return F.relu(x)[0]


def rectify_backward(dy, x):
    return F.relu_backward(dy, F.relu(x)[1])


def _convolve_backward(dy, x, weight, padding=1):
    _, cache = F.conv2d(x, weight.astype(x.dtype), padding=padding)
    return F.conv2d_backward(dy.astype(x.dtype), cache)[0]


def _batch_norm(x):
    mean, variance = np.zeros(x.shape[1], x.dtype), np.ones(x.shape[1], x.dtype)
    return F.batch_norm(x, mean, variance, training=True, eps=1e-12)


REAL: tuple[tuple[Forward, Backward], ...] = (
    (convolve, convolve_backward),
    (normalise, normalise_backward),
    (rectify, rectify_backward),
)

# ------------------------------------------------------------------------------------------------------- the forged ones


def nothing_comes_back(dy, x):
    """dx is 0."""
    return np.zeros_like(x)


def dy_flipped(dy, x):
    """dy is read from its end."""
    return convolve_backward(dy[:, :, ::-1, ::-1], x)


def kernel_flipped(dy, x):
    """The kernel is turned by half a turn once too often."""
    return _convolve_backward(dy, x, _WEIGHT[:, :, ::-1, ::-1])


def kernel_transposed(dy, x):
    """The kernel's rows and columns are exchanged."""
    return _convolve_backward(dy, x, _WEIGHT.swapaxes(2, 3))


def divided_by_the_batch(dy, x):
    """A mean over the pictures where a sum belongs."""
    return convolve_backward(dy, x) / len(x)


def sign_turned(dy, x):
    """Minus the gradient."""
    return -convolve_backward(dy, x)


def cut_off_at_one_side(dy, x):
    """The padding is cut off at the bottom and the right alone, so all is shifted by a pixel."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return _convolve_backward(dy, padded, _WEIGHT, padding=0)[:, :, : x.shape[2], : x.shape[3]]


def one_element_wrong(dy, x):
    """One of the 400 numbers is half of what it should be."""
    dx = convolve_backward(dy, x)
    dx[1, 0, 3, 7] /= 2
    return dx


def mask_forgotten(dy, x):
    """ReLU's gradient passes where x is below 0, too."""
    return dy.copy()


def half_precision(dy, x):
    """Right, but only to three or four digits."""
    return convolve_backward(dy, x).astype(np.float16)


FORGED: tuple[tuple[Forward, Backward], ...] = (
    (normalise, nothing_comes_back),
    (convolve, dy_flipped),
    (convolve, kernel_flipped),
    (convolve, kernel_transposed),
    (convolve, divided_by_the_batch),
    (convolve, sign_turned),
    (convolve, cut_off_at_one_side),
    (convolve, one_element_wrong),
    (rectify, mask_forgotten),
    (convolve, half_precision),
)
