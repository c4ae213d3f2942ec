"""Exercises of lesson 03: four products for six, windows as columns, and a convolution as one product of matrices."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

# ------------------------------------------------------------------------------------------------------- winograd_1d


def winograd_1d(d, g):
    """The two results of four pixels d (4,) and three weights g (3,), by Winograd's four products."""
    return np.correlate(d, g)


def _products(d, g, half=0.5):
    return (
        (d[0] - d[2]) * g[0],
        half * (d[1] + d[2]) * (g[0] + g[1] + g[2]),
        half * (d[2] - d[1]) * (g[0] - g[1] + g[2]),
        (d[1] - d[3]) * g[2],
    )


def half_forgotten(right, d, g):
    """The halves are missing: m2 and m3 are divided by 2."""
    m1, m2, m3, m4 = _products(d, g, half=1)
    return np.array([m1 + m2 + m3, m2 - m3 - m4])


def m4_added(right, d, g):
    """The second result subtracts m4; you add it."""
    _, m2, m3, m4 = _products(d, g)
    return np.array([right(d, g)[0], m2 - m3 + m4])


def m3_added(right, d, g):
    """The second result subtracts m3; you add it."""
    _, m2, m3, m4 = _products(d, g)
    return np.array([right(d, g)[0], m2 + m3 - m4])


def m2_and_m3_exchanged(right, d, g):
    """The two products in the middle are exchanged: m2 is made of d1 + d2, m3 of d2 − d1."""
    m1, m2, m3, m4 = _products(d, g)
    return np.array([m1 + m2 + m3, m3 - m2 - m4])


def g_reversed(right, d, g):
    """The weights are turned around (a convolution as mathematicians write it): d0 meets g0."""
    return right(d, g[::-1])


def d_reversed(right, d, g):
    """The pixels are turned around: d0 is the first one."""
    return right(d[::-1], g)


def results_exchanged(right, d, g):
    """The two results are exchanged: m1 belongs to the first, m4 to the second."""
    return right(d, g)[::-1]


def first_result_only(right, d, g):
    """Only the first result is there; return both."""
    return right(d, g)[:1]


def _winograd_cases() -> list[tuple]:
    rng = np.random.default_rng(30)
    whole = (np.array([1.0, 2, 0, 3]), np.array([2.0, -1, 1]))
    return [whole, *((rng.normal(size=4), rng.normal(size=3)) for _ in range(4))]


WINOGRAD_1D = Exercise(
    winograd_1d,
    _winograd_cases(),
    (
        half_forgotten, m4_added, m3_added, m2_and_m3_exchanged, g_reversed, d_reversed, results_exchanged, first_result_only,
    ),
    step="warm-up",
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------ im2col


def im2col(x, KH, KW, stride, padding):
    """x (N, C, H, W) -> columns (N, C·KH·KW, OH·OW): rows by channel, kernel row, kernel column; windows row by row."""
    return _rows_first(_six(x, KH, KW, stride, padding))


def _six(x, KH, KW, stride, padding):
    """(N, C, KH, KW, OH, OW): for each kernel cell the pixels that it meets."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), (2, 3))[:, :, ::stride, ::stride]  # N C OH OW KH KW
    return windows.transpose(0, 1, 4, 5, 2, 3)


def _rows_first(six):
    N, C, KH, KW, OH, OW = six.shape
    return six.reshape(N, C * KH * KW, OH * OW)


def kernel_before_channel(right, x, KH, KW, stride, padding):
    """Your rows run by kernel cell first, then by channel; a convolution's weights run channel by channel: (C, KH, KW)."""
    return _six(x, KH, KW, stride, padding).transpose(0, 2, 3, 1, 4, 5).reshape(right(x, KH, KW, stride, padding).shape)


def windows_as_rows(right, x, KH, KW, stride, padding):
    """Your windows are rows; each is a *column* here: (N, C·KH·KW, OH·OW)."""
    return right(x, KH, KW, stride, padding).transpose(0, 2, 1)


def windows_column_by_column(right, x, KH, KW, stride, padding):
    """Your windows go down the picture column by column; they go row by row, as text does."""
    six = _six(x, KH, KW, stride, padding).transpose(0, 1, 2, 3, 5, 4)
    return six.reshape(right(x, KH, KW, stride, padding).shape)


def kernel_column_first(right, x, KH, KW, stride, padding):
    """Within a channel your rows run by kernel column first; kernel row first, then column."""
    six = _six(x, KH, KW, stride, padding).transpose(0, 1, 3, 2, 4, 5)
    return six.reshape(right(x, KH, KW, stride, padding).shape)


def padding_forgotten(right, x, KH, KW, stride, padding):
    """The padding is left out: put `padding` rows and columns of zeros on each side first."""
    return right(x, KH, KW, stride, 0)


def padded_by_the_edge(right, x, KH, KW, stride, padding):
    """You repeat the edge pixels as padding; pad with zeros."""
    sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return right(np.pad(x, sides, mode="edge"), KH, KW, stride, 0)


def stride_forgotten(right, x, KH, KW, stride, padding):
    """The stride is left out: only every stride-th window counts, in both directions."""
    return right(x, KH, KW, 1, padding)


def turned(right, x, KH, KW, stride, padding):
    """The windows are turned around: the first row is the pixels that the kernel's *first* cell meets."""
    return _rows_first(_six(x, KH, KW, stride, padding)[:, :, ::-1, ::-1])


def reshaped_for_transposed(right, x, KH, KW, stride, padding):
    """You made windows as rows and *reshaped* them: a reshape only cuts numbers into other rows, so transpose."""
    columns = right(x, KH, KW, stride, padding)
    return np.ascontiguousarray(columns.transpose(0, 2, 1)).reshape(columns.shape)


def first_picture_only(right, x, KH, KW, stride, padding):
    """Only the first picture of the batch is there; all N are asked for."""
    return right(x[:1], KH, KW, stride, padding)


_SIZES = (  # x, O, KH, KW, stride, padding
    ((1, 1, 3, 4), 2, 2, 2, 1, 0), ((2, 2, 5, 4), 3, 2, 3, 1, 0), ((1, 3, 6, 7), 4, 3, 2, 2, 1), ((2, 3, 5, 8), 2, 3, 3, 2, 2),
    ((1, 2, 7, 5), 5, 1, 4, 3, 1),
)  # fmt: skip


def _columns_cases() -> list[tuple]:
    rng = np.random.default_rng(31)
    return [(rng.normal(size=shape), KH, KW, S, P) for shape, _, KH, KW, S, P in _SIZES]


IM2COL = Exercise(
    im2col,
    _columns_cases(),
    (
        kernel_before_channel, windows_as_rows, windows_column_by_column, kernel_column_first, padding_forgotten,
        padded_by_the_edge, stride_forgotten, turned, reshaped_for_transposed, first_picture_only,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- conv2d_matrix


def conv2d_matrix(x, weight, bias, stride, padding):
    """The convolution y (N, O, OH, OW) of x (N, C, H, W) by one product of matrices; weight (O, C, KH, KW), bias (O,)."""
    return F.conv2d(x, weight, bias, stride, padding)[0]


def weight_cut_the_wrong_way(right, x, weight, bias, stride, padding):
    """The weights are reshaped to (C·KH·KW, O) and used transposed: reshape to (O, C·KH·KW), which leaves each filter a row."""
    cut = weight.reshape(-1, len(weight)).T.reshape(weight.shape)
    return right(x, cut, bias, stride, padding)


def kernel_flipped(right, x, weight, bias, stride, padding):
    """The kernels are turned around; the library's convolution does not turn them."""
    return right(x, weight[:, :, ::-1, ::-1].copy(), bias, stride, padding)


def no_bias(right, x, weight, bias, stride, padding):
    """The bias is missing: add bias[o] to all of output channel o."""
    return right(x, weight, np.zeros_like(bias), stride, padding)


def bias_for_each_row(right, x, weight, bias, stride, padding):
    """The bias is added once for each row of the columns: once for each result, after the product."""
    return right(x, weight, bias * weight[0].size, stride, padding)


def sides_exchanged(right, x, weight, bias, stride, padding):
    """OH and OW are exchanged in the last reshape: rows first, (N, O, OH, OW)."""
    y = right(x, weight, bias, stride, padding)
    return y.reshape(*y.shape[:2], y.shape[3], y.shape[2])


def batch_and_filters_exchanged(right, x, weight, bias, stride, padding):
    """The axes of pictures and filters are exchanged: (N, O, OH, OW)."""
    return right(x, weight, bias, stride, padding).transpose(1, 0, 2, 3)


def not_cut_again(right, x, weight, bias, stride, padding):
    """The result is still (N, O, OH·OW): reshape it to pictures again."""
    y = right(x, weight, bias, stride, padding)
    return y.reshape(*y.shape[:2], -1)


def padding_left_out(right, x, weight, bias, stride, padding):
    """There is no padding in it: put `padding` rows and columns of zeros on each side of x first."""
    return right(x, weight, bias, stride, 0)


def stride_left_out(right, x, weight, bias, stride, padding):
    """There is no stride in it: only every stride-th window counts."""
    return right(x, weight, bias, 1, padding)


def _matrix_cases() -> list[tuple]:
    rng = np.random.default_rng(32)
    return [
        (rng.normal(size=shape), rng.normal(size=(O, shape[1], KH, KW)), rng.normal(size=O), S, P)
        for shape, O, KH, KW, S, P in _SIZES
    ]


CONV2D_MATRIX = Exercise(
    conv2d_matrix,
    _matrix_cases(),
    (
        weight_cut_the_wrong_way, kernel_flipped, no_bias, bias_for_each_row, sides_exchanged, batch_and_filters_exchanged,
        not_cut_again, padding_left_out, stride_left_out,
    ),
)  # fmt: skip

EXERCISES = (WINOGRAD_1D, IM2COL, CONV2D_MATRIX)
