"""Exercises of lesson 02: one window, how many positions a kernel has, convolution itself, and a kernel with gaps."""

from __future__ import annotations

import math

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise
from minifcn.kernels import Geometry

# -------------------------------------------------------------------------------------------------------- one_window


def one_window(x, kernel, row, column):
    """One number of a convolution: x (H, W), kernel (KH, KW), the window's top left cell is x[row, column].

    Multiply window and kernel cell by cell and add up.
    """
    return F.conv2d(x[None, None], kernel[None, None])[0][0, 0, row, column]


def _window(x: np.ndarray, kernel: np.ndarray, row: int, column: int) -> np.ndarray:
    return x[row : row + kernel.shape[0], column : column + kernel.shape[1]]


def turned(right, x, kernel, row, column):
    """Equal after flipping the kernel: do not turn it, kernel[0, 0] meets the window's top left cell."""
    return right(x, kernel[::-1, ::-1], row, column)


def row_for_column(right, x, kernel, row, column):
    """Row and column are exchanged: an array is indexed [row, column], rows first."""
    return np.sum(_window(x, kernel, column, row) * kernel)


def in_the_middle(right, x, kernel, row, column):
    """Your window has x[row, column] in its middle; here it is the window's top left cell."""
    KH, KW = kernel.shape
    return np.sum(_window(np.pad(x, ((KH // 2, KH), (KW // 2, KW))), kernel, row, column) * kernel)


def not_added(right, x, kernel, row, column):
    """These are the products; add them up to one number."""
    return _window(x, kernel, row, column) * kernel


def averaged_products(right, x, kernel, row, column):
    """The products are averaged (the slide's table does that); here they are added up."""
    return right(x, kernel, row, column) / kernel.size


def matrix_product(right, x, kernel, row, column):
    """This is the matrix product, rows times columns (@); multiply cell by cell (*)."""
    return np.sum(_window(x, kernel, row, column) @ kernel)


def window_alone(right, x, kernel, row, column):
    """The window is added up, but the kernel is not in it: multiply each cell by the kernel's first."""
    return _window(x, kernel, row, column).sum()


def last_row_and_column_missing(right, x, kernel, row, column):
    """The last row and column of the window are missing: a range a : b ends before b, so write row : row + KH."""
    return np.sum((_window(x, kernel, row, column) * kernel)[:-1, :-1])


def _window_cases() -> list[tuple]:
    rng = np.random.default_rng(1)
    return [
        (rng.normal(size=shape), rng.normal(size=kernel), row, column)
        for shape, kernel, row, column in (
            ((4, 5), (3, 3), 0, 0), ((5, 6), (3, 3), 1, 2), ((6, 5), (2, 4), 3, 1), ((5, 7), (3, 2), 2, 5),
            ((4, 6), (1, 3), 2, 3),
        )
    ]  # fmt: skip


ONE_WINDOW = Exercise(
    one_window,
    _window_cases(),
    (
        turned, row_for_column, in_the_middle, not_added, averaged_products, matrix_product, window_alone,
        last_row_and_column_missing,
    ),
    step="warm-up",
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------- output_size


def output_size(H, K, S, P):
    """The height of the output of a convolution: input height H, kernel height K, stride S, padding P on both sides.

    All four are whole numbers, and so is the answer.
    """
    return Geometry.of((1, 1, H, K), (1, 1, K, 1), stride=S, padding=(P, 0)).OH


def no_fencepost(right, H, K, S, P):
    """Always one too few: you counted the steps between positions; there is one position more than there are steps (+ 1)."""
    return right(H, K, S, P) - 1


def one_sided(right, H, K, S, P):
    """Padding is added on both sides, so the input grows by 2·P; you added it once."""
    return (H + P - K) // S + 1 if P else right(H, K, S, P)


def padding_left_out(right, H, K, S, P):
    """Equal for P = 0: you left the padding out; the kernel slides over H + 2·P rows."""
    return right(H, K, S, 0) if H >= K else right(H, K, S, P)


def stride_left_out(right, H, K, S, P):
    """Equal for S = 1: you left the stride out; only every S-th position is taken."""
    return right(H, K, 1, P)


def rounded_up(right, H, K, S, P):
    """You round up where the last step does not fit: a window that hangs over the edge is left out, so round down (//)."""
    return math.ceil((H + 2 * P - K) / S) + 1


def not_rounded(right, H, K, S, P):
    """The answer must be a whole number: use // instead of / , for a window that does not fit is left out."""
    return (H + 2 * P - K) / S + 1


def plus_one_inside(right, H, K, S, P):
    """The + 1 is divided by S with the rest: count the steps first, (H + 2·P - K) // S, then add the first position, + 1."""
    return (H + 2 * P - K + 1) // S


def kernel_left_out(right, H, K, S, P):
    """You left the kernel out: its window is K rows tall, so its top cannot go further down than row H + 2·P - K."""
    return (H + 2 * P) // S


_SIZES = [(9, 3, 1, 0), (7, 2, 1, 0), (5, 3, 1, 1), (9, 3, 2, 0), (10, 3, 2, 0), (9, 3, 2, 1), (10, 4, 3, 2), (227, 11, 4, 0)]

OUTPUT_SIZE = Exercise(
    output_size,
    _SIZES,
    (no_fencepost, one_sided, padding_left_out, stride_left_out, rounded_up, not_rounded, plus_one_inside, kernel_left_out),
)

# ------------------------------------------------------------------------------------------------------------ conv2d


def conv2d(x, weight, bias, stride, padding):
    """Convolution: x (N, C, H, W), weight (O, C, KH, KW), bias (O,), one stride and one padding -> y (N, O, OH, OW).

    Loops are fine; the arrays are small.
    """
    return F.conv2d(x, weight, bias, stride, padding)[0]


def flipped(right, x, weight, bias, stride, padding):
    """Equal after flipping the kernel: you computed convolution as mathematicians define it, the library computes correlation.

    Index x and weight in the same direction: x[..., oh*stride + kh, ow*stride + kw] * weight[..., kh, kw].
    """
    return right(x, weight[:, :, ::-1, ::-1], bias, stride, padding)


def transposed_kernel(right, x, weight, bias, stride, padding):
    """Equal after transposing the kernel: kh and kw are exchanged; kh goes with rows, kw with columns."""
    return right(x, np.swapaxes(weight, 2, 3), bias, stride, padding)


def bias_left_out(right, x, weight, bias, stride, padding):
    """Equal but for the bias: add bias[o] to every pixel of output channel o."""
    return right(x, weight, 0 * bias, stride, padding)


def bias_for_each_channel(right, x, weight, bias, stride, padding):
    """The bias is added once for each input channel: add it once, after the sum over the channels."""
    return right(x, weight, x.shape[1] * bias, stride, padding)


def bias_for_each_product(right, x, weight, bias, stride, padding):
    """The bias is added with every product: add it once, after the sum."""
    return right(x, weight, weight[0].size * bias, stride, padding)


def first_channel_only(right, x, weight, bias, stride, padding):
    """Only input channel 0 is there: add up the products of all C channels."""
    return right(x[:, :1], weight[:, :1], bias, stride, padding)


def last_channel_only(right, x, weight, bias, stride, padding):
    """Only the last input channel is there: each channel overwrites the one before; add them up (+=)."""
    return right(x[:, -1:], weight[:, -1:], bias, stride, padding)


def averaged_channels(right, x, weight, bias, stride, padding):
    """The products are averaged over the input channels; add them up."""
    return right(x, weight / x.shape[1], bias, stride, padding)


def padding_left_out_of_conv(right, x, weight, bias, stride, padding):
    """There is no padding in it: put `padding` rows and columns of zeros on each side of x first."""
    return right(x, weight, bias, stride, 0)


def padded_with_the_edge(right, x, weight, bias, stride, padding):
    """Right inside, wrong at the border: you repeat the edge pixels as padding; the library pads with zeros."""
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return right(np.pad(x, around, mode="edge"), weight, bias, stride, 0)


def padded_at_the_end(right, x, weight, bias, stride, padding):
    """All the padding is at the bottom and the right: half of it, `padding` rows and columns, belongs on each side."""
    return right(np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding))), weight, bias, stride, 0)


def stride_ignored(right, x, weight, bias, stride, padding):
    """Equal for stride 1: you take every position; with a stride, output oh looks at row oh * stride."""
    return right(x, weight, bias, 1, padding)


def stride_in_the_size_only(right, x, weight, bias, stride, padding):
    """The output has the right size, but its windows lie one pixel apart: output oh looks at row oh * stride, not oh."""
    OH, OW = right(x, weight, bias, stride, padding).shape[2:]
    return right(x, weight, bias, 1, padding)[:, :, :OH, :OW]


def averaged_window(right, x, weight, bias, stride, padding):
    """The products are averaged over the window (the slide's table divides by 9); a convolution adds them up."""
    return right(x, weight / (weight.shape[2] * weight.shape[3]), bias, stride, padding)


def _conv_cases() -> list[tuple]:
    rng = np.random.default_rng(2)

    def case(N, C, H, W, O, KH, KW, stride, padding):
        return (rng.normal(size=(N, C, H, W)), rng.normal(size=(O, C, KH, KW)), rng.normal(size=O), stride, padding)

    return [
        case(1, 1, 5, 5, 1, 3, 3, 1, 0),
        case(1, 3, 6, 5, 1, 3, 3, 1, 0),
        case(2, 3, 6, 7, 4, 3, 3, 1, 0),
        case(2, 3, 6, 7, 4, 2, 2, 1, 1),
        case(2, 3, 7, 8, 4, 3, 3, 2, 0),
        case(2, 2, 7, 9, 3, 3, 3, 2, 1),
        case(1, 2, 8, 7, 3, 3, 2, 2, 1),
    ]


CONV2D = Exercise(
    conv2d,
    _conv_cases(),
    (
        flipped, transposed_kernel, bias_left_out, bias_for_each_channel, bias_for_each_product, first_channel_only,
        last_channel_only, averaged_channels, padding_left_out_of_conv, padded_with_the_edge, padded_at_the_end,
        stride_ignored, stride_in_the_size_only, averaged_window,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- dilated


def dilated(x, kernel, dilation):
    """A convolution with gaps: x (H, W), kernel (KH, KW); neighbours in the kernel meet cells `dilation` apart. No padding.

    The result is (H − dilation·(KH − 1), W − dilation·(KW − 1)); dilation 1 is the convolution that you know.
    """
    return F.conv2d(x[None, None], kernel[None, None], dilation=dilation)[0][0, 0]


def no_gaps(right, x, kernel, dilation):
    """Equal for dilation 1: there are no gaps; kernel[kh, kw] meets x[oh + kh·dilation, ow + kw·dilation]."""
    return right(x, kernel, 1)


def strides_instead(right, x, kernel, dilation):
    """This is a stride: the windows lie `dilation` apart. With dilation they lie one apart, and the cells of one have gaps."""
    return right(x, kernel, 1)[::dilation, ::dilation]


def both(right, x, kernel, dilation):
    """The windows lie `dilation` apart as well: only the cells of a window have gaps, the windows lie one apart."""
    return right(x, kernel, dilation)[::dilation, ::dilation]


def gap_too_wide(right, x, kernel, dilation):
    """One cell too many in each gap: neighbours end up `dilation` apart, so there are dilation − 1 cells between them."""
    return right(x, kernel, dilation + 1)


def gap_filled(right, x, kernel, dilation):
    """The gaps are filled with copies of the kernel's cells; they must be left out (as if the kernel were 0 there)."""
    KH, KW = (dilation * (n - 1) + 1 for n in kernel.shape)
    return right(x, kernel.repeat(dilation, axis=0).repeat(dilation, axis=1)[:KH, :KW], 1)


def gaps_in_rows_only(right, x, kernel, dilation):
    """There are gaps between rows, but none between columns: do both."""
    return F.conv2d(x[None, None], kernel[None, None], dilation=(dilation, 1))[0][0, 0]


def gaps_in_columns_only(right, x, kernel, dilation):
    """There are gaps between columns, but none between rows: do both."""
    return F.conv2d(x[None, None], kernel[None, None], dilation=(1, dilation))[0][0, 0]


def turned_with_gaps(right, x, kernel, dilation):
    """Equal after flipping the kernel: do not turn it, kernel[0, 0] meets the window's top left cell."""
    return right(x, kernel[::-1, ::-1], dilation)


def _dilated_cases() -> list[tuple]:
    rng = np.random.default_rng(3)
    return [
        (rng.normal(size=shape), rng.normal(size=kernel), dilation)
        for shape, kernel, dilation in (
            ((4, 5), (2, 2), 1), ((5, 6), (2, 2), 2), ((7, 8), (3, 3), 2), ((9, 7), (3, 2), 3), ((11, 9), (4, 3), 2),
        )
    ]  # fmt: skip


DILATED = Exercise(
    dilated,
    _dilated_cases(),
    (
        no_gaps, strides_instead, both, gap_too_wide, gap_filled, gaps_in_rows_only, gaps_in_columns_only,
        turned_with_gaps,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (ONE_WINDOW, OUTPUT_SIZE, CONV2D, DILATED)
