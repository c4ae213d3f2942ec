"""Exercises of lesson 04: the gradients of bias and weight; that of the input, dx, is a ladder of its own (lesson_04_dx)."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise
from minifcn.course.exercises.lesson_04_dx import DX

# ----------------------------------------------------------------------------------------------------- bias_gradient


def bias_gradient(dy):
    """dbias, of shape (O,), of a convolution whose output had the gradient dy (N, O, OH, OW)."""
    one = np.ones((dy.shape[1], 1, 1, 1))
    _, cache = F.conv2d(np.zeros((dy.shape[0], 1, *dy.shape[2:])), one, np.zeros(dy.shape[1]))
    return F.conv2d_backward(dy, cache)[2]


def mean_over_all(right, dy):
    """You average dy where it must be added up: the bias goes into every pixel of every picture, and all of them count."""
    return right(dy) / (dy.size // dy.shape[1])


def mean_over_pictures(right, dy):
    """You average over the batch; the loss feels the bias through every picture, so add the pictures up."""
    return right(dy) / dy.shape[0]


def batch_kept(right, dy):
    """The batch is still there: add up over the pictures as well (axes 0, 2 and 3)."""
    return dy.sum(axis=(2, 3))


def everything_added(right, dy):
    """All channels are in one number: each filter has its own bias, so keep axis 1."""
    return dy.sum()


def one_axis_missing(right, dy):
    """One axis of pixels is still there: add up over rows and columns (axes 0, 2 and 3)."""
    return dy.sum(axis=(0, 2))


def other_axis_missing(right, dy):
    """One axis of pixels is still there: add up over rows and columns (axes 0, 2 and 3)."""
    return dy.sum(axis=(0, 3))


def first_picture_only(right, dy):
    """Only the first picture of the batch is in it: add up over axis 0 too."""
    return right(dy[:1])


def _dy_cases() -> list[tuple]:
    rng = np.random.default_rng(40)
    return [(rng.normal(size=shape),) for shape in ((1, 1, 2, 2), (1, 3, 4, 2), (2, 3, 4, 5), (3, 2, 5, 4))]


BIAS_GRADIENT = Exercise(
    bias_gradient,
    _dy_cases(),
    (mean_over_pictures, mean_over_all, batch_kept, everything_added, one_axis_missing, other_axis_missing, first_picture_only),
    step="warm-up",
)

# --------------------------------------------------------------------------------------------------- weight_gradient


def weight_gradient(x, dy, KH, KW, stride, padding):
    """dweight (O, C, KH, KW) of a convolution of x (N, C, H, W), whose output had the gradient dy (N, O, OH, OW)."""
    weight = np.zeros((dy.shape[1], x.shape[1], KH, KW))
    return F.conv2d_backward(dy, F.conv2d(x, weight, stride=stride, padding=padding)[1])[1]


def weight_mean_over_batch(right, x, dy, KH, KW, stride, padding):
    """You average over the batch; every picture uses the weight, so add the pictures up."""
    return right(x, dy, KH, KW, stride, padding) / x.shape[0]


def weight_last_picture(right, x, dy, KH, KW, stride, padding):
    """Only the last picture of the batch is in it: each overwrites the one before; add them up (+=)."""
    return right(x[-1:], dy[-1:], KH, KW, stride, padding)


def weight_first_picture(right, x, dy, KH, KW, stride, padding):
    """Only the first picture of the batch is in it: add up over all N pictures."""
    return right(x[:1], dy[:1], KH, KW, stride, padding)


def weight_flipped(right, x, dy, KH, KW, stride, padding):
    """Equal after flipping dweight: weight[kh, kw] met x[oh*stride + kh, ow*stride + kw]; do not turn anything here."""
    return right(x, dy, KH, KW, stride, padding)[:, :, ::-1, ::-1]


def weight_transposed(right, x, dy, KH, KW, stride, padding):
    """Equal after exchanging its first two axes: dweight is (O, C, KH, KW), filters first."""
    return right(x, dy, KH, KW, stride, padding).swapaxes(0, 1)


def weight_no_padding(right, x, dy, KH, KW, stride, padding):
    """Padding is left out: put `padding` rows and columns of zeros around x first, as the forward did."""
    OH, OW = dy.shape[2:]
    H, W = (OH - 1) * stride + KH, (OW - 1) * stride + KW
    short = [(0, max(0, n - size)) for n, size in ((H, x.shape[2]), (W, x.shape[3]))]
    return right(np.pad(x, ((0, 0), (0, 0), *short))[:, :, :H, :W], dy, KH, KW, stride, 0)


def weight_no_stride(right, x, dy, KH, KW, stride, padding):
    """Equal for stride 1: output oh used row oh * stride + kh of x (and the same for columns); you left the stride out."""
    OH, OW = dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return right(padded[:, :, : OH - 1 + KH, : OW - 1 + KW], dy, KH, KW, 1, 0)


def weight_mean_over_places(right, x, dy, KH, KW, stride, padding):
    """You average over the places of the window; add them up."""
    return right(x, dy, KH, KW, stride, padding) / (dy.shape[2] * dy.shape[3])


def _weight_cases() -> list[tuple]:
    rng = np.random.default_rng(41)
    cases = []
    for (N, C, H, W), O, (KH, KW), stride, padding in (
        ((1, 1, 3, 3), 1, (2, 2), 1, 0),
        ((1, 2, 5, 4), 3, (3, 3), 1, 0),
        ((2, 2, 5, 6), 3, (3, 2), 1, 0),
        ((2, 2, 5, 6), 3, (3, 3), 1, 1),
        ((3, 2, 7, 8), 4, (3, 2), 2, 0),
        ((2, 3, 6, 7), 2, (3, 3), 2, 1),
        ((1, 2, 8, 6), 3, (2, 3), 3, 1),
    ):
        OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
        cases.append((rng.normal(size=(N, C, H, W)), rng.normal(size=(N, O, OH, OW)), KH, KW, stride, padding))
    return cases


WEIGHT_GRADIENT = Exercise(
    weight_gradient,
    _weight_cases(),
    (
        weight_mean_over_batch, weight_last_picture, weight_first_picture, weight_flipped, weight_transposed,
        weight_no_padding, weight_no_stride, weight_mean_over_places,
    ),
)  # fmt: skip

EXERCISES = (BIAS_GRADIENT, WEIGHT_GRADIENT, *DX)
