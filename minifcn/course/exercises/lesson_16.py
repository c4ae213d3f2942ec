"""Exercises of lesson 16: concatenation backwards, a shared weight's gradient, an atrous convolution, how far layers see."""

from __future__ import annotations

import math

import numpy as np

from minifcn.course.exercises import Exercise

# --------------------------------------------------------------------------------------------------- concat_backward


def concat_backward(dy, C1):
    """dy (N, C1 + C2, H, W), behind a concatenation -> the gradients (N, C1, H, W) and (N, C2, H, W) of its two parts."""
    return dy[:, :C1], dy[:, C1:]


def both_whole(right, dy, C1):
    """Each part gets all of dy, as behind an addition; a concatenation is cut apart."""
    return dy, dy


def wrong_axis(right, dy, C1):
    """You cut along axis 0, the pictures; channels are axis 1."""
    return dy[:C1], dy[C1:]


def rows_cut(right, dy, C1):
    """You cut along the rows; channels are axis 1."""
    return dy[:, :, :C1], dy[:, :, C1:]


def exchanged(right, dy, C1):
    """The two parts are exchanged: the first C1 channels belong to the first."""
    return dy[:, C1:], dy[:, :C1]


def from_the_end(right, dy, C1):
    """You count C1 from the end; the first part is the first C1 channels."""
    return dy[:, :-C1], dy[:, -C1:]


def copied_twice(right, dy, C1):
    """Both parts are the first C1 channels; the second part is the rest."""
    return dy[:, :C1], dy[:, :C1]


def second_of_as_many(right, dy, C1):
    """The second part has only C1 channels; it has all that are left."""
    return dy[:, :C1], dy[:, C1 : 2 * C1]


def halves(right, dy, C1):
    """You cut in the middle; the first part has C1 channels, and the second may have more or fewer."""
    half = dy.shape[1] // 2
    return dy[:, :half], dy[:, half:]


def one_less(right, dy, C1):
    """You cut one channel too early: the first part is channels 0 to C1 - 1, which is [:C1]."""
    return dy[:, : C1 - 1], dy[:, C1 - 1 :]


def halved(right, dy, C1):
    """The gradients are divided by 2; nothing is shared here, so each part gets its own gradient whole."""
    first, second = right(dy, C1)
    return first / 2, second / 2


def _concat_cases() -> list[tuple]:
    rng = np.random.default_rng(160)
    return [(rng.normal(size=shape), C1) for shape, C1 in (((1, 3, 1, 2), 1), ((3, 5, 4, 2), 2), ((2, 7, 3, 5), 5))]


CONCAT_BACKWARD = Exercise(
    concat_backward,
    _concat_cases(),
    (
        both_whole, wrong_axis, rows_cut, exchanged, from_the_end, copied_twice, second_of_as_many, halves, one_less, halved,
    ),
    parts=("the first part", "the second part"),
    step="warm-up",
)  # fmt: skip

# ----------------------------------------------------------------------------------------------- recurrent_gradient


def recurrent_gradient(w, x):
    """dh/dw of h = w (x + w x), for two numbers: the sum over both uses of w."""
    return x + 2 * w * x


def last_use_only(right, w, x):
    """That is the second use alone: x + w x. The first use goes through the second, and has its part, too: w x."""
    return x + w * x


def first_use_only(right, w, x):
    """That is the first use alone, seen through the second: w x. The second use saw x + w x."""
    return w * x


def not_through(right, w, x):
    """The first use's part has not gone through the second: what it says is multiplied by w once more."""
    return x + w * x + x


def value(right, w, x):
    """That is h itself; asked for is its derivative with respect to w."""
    return w * (x + w * x)


def by_x(right, w, x):
    """That is the derivative with respect to x; asked for is the one with respect to w."""
    return w + w * w


def input_once(right, w, x):
    """The input is forgotten: h is w (x + w x), not w (w x)."""
    return 2 * w * x


def factor_forgotten(right, w, x):
    """The derivative of w² is 2 w."""
    return x + w * w * x


def all_the_way(right, w, x):
    """That is w x + w² x without a derivative taken of its first part; w x becomes x."""
    return w * x + 2 * w * x


def sum_of_both(right, w, x):
    """You have added where factors multiply: w x + w² x, derived, is x + 2 w x."""
    return x + 2 * w


RECURRENT_GRADIENT = Exercise(
    recurrent_gradient,
    [(3.0, 2.0), (0.5, -4.0), (-1.25, 3.0), (2.5, 0.75)],
    (last_use_only, first_use_only, not_through, value, by_x, input_once, factor_forgotten, all_the_way, sum_of_both),
    step="warm-up",
)

# ------------------------------------------------------------------------------------------------------------ atrous


def atrous(x, weight, rate):
    """The correlation of x (H, W) with weight (KH, KW), its taps `rate` pixels apart, without padding."""
    return _atrous(x, weight, rate, rate)


def _atrous(x, weight, down, across):
    KH, KW = weight.shape
    H, W = x.shape[0] - down * (KH - 1), x.shape[1] - across * (KW - 1)
    y = np.zeros((max(H, 0), max(W, 0)))
    for row in range(KH):
        for column in range(KW):
            y += weight[row, column] * x[row * down : row * down + H, column * across : column * across + W]
    return y


def rate_ignored(right, x, weight, rate):
    """The rate is ignored: the taps lie side by side."""
    return right(x, weight, 1)


def rate_of_zeros(right, x, weight, rate):
    """There are `rate` holes between two taps; a rate of r leaves r - 1 out, and the next tap is r pixels on."""
    return right(x, weight, rate + 1) if min(x.shape) > (rate + 1) * (max(weight.shape) - 1) else np.zeros((0, 0))


def stride_for_rate(right, x, weight, rate):
    """That is a stride: every rate-th result of a kernel without holes. The holes are between the taps."""
    return right(x, weight, 1)[::rate, ::rate]


def kernel_copied(right, x, weight, rate):
    """The kernel is enlarged by copying its taps; between the taps there is nothing: zeros."""
    return right(x, weight.repeat(rate, 0).repeat(rate, 1), 1)


def kernel_flipped(right, x, weight, rate):
    """Equal after flipping the kernel: that is a convolution, and a correlation is asked for."""
    return right(x, weight[::-1, ::-1], rate)


def kernel_transposed(right, x, weight, rate):
    """Rows and columns of the kernel are exchanged."""
    return right(x, weight.T, rate)


def padded(right, x, weight, rate):
    """x is padded, so that the result has its size; nothing is padded here."""
    KH, KW = weight.shape
    return right(np.pad(x, ((rate * (KH - 1) // 2,) * 2, (rate * (KW - 1) // 2,) * 2)), weight, rate)


def padded_by_one(right, x, weight, rate):
    """x is padded by 1 all around; nothing is padded here."""
    return right(np.pad(x, 1), weight, rate)


def rows_only(right, x, weight, rate):
    """The taps are `rate` apart down the rows only, not along the columns."""
    return _atrous(x, weight, rate, 1)


def columns_only(right, x, weight, rate):
    """The taps are `rate` apart along the columns only, not down the rows."""
    return _atrous(x, weight, 1, rate)


def last_row_lost(right, x, weight, rate):
    """A row and a column are missing at the end: there are H - rate (KH - 1) of them."""
    return right(x, weight, rate)[:-1, :-1]


def divided(right, x, weight, rate):
    """The sum is divided by the number of taps; it is a sum."""
    return right(x, weight, rate) / weight.size


def _atrous_cases() -> list[tuple]:
    rng = np.random.default_rng(161)
    sizes = (((4, 5), (2, 2), 1), ((6, 7), (2, 3), 2), ((11, 9), (3, 2), 3), ((9, 14), (2, 3), 4), ((12, 13), (3, 3), 2))
    return [(rng.normal(size=x), rng.normal(size=weight), rate) for x, weight, rate in sizes]


ATROUS = Exercise(
    atrous,
    _atrous_cases(),
    (
        rate_ignored, rate_of_zeros, stride_for_rate, kernel_copied, kernel_flipped, kernel_transposed, padded, padded_by_one,
        rows_only, columns_only, last_row_lost, divided,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------- field


def field(kernels, strides, rates):
    """How many input pixels (one axis) an output sees through layers of these kernels, strides and rates, the first first."""
    return _field(kernels, strides, rates)


def _field(kernels, strides, rates, grows=lambda K, rate: (K - 1) * rate, after=False, start=1):
    seen, apart = start, 1
    for K, stride, rate in zip(kernels, strides, rates, strict=True):
        apart *= stride if after else 1
        seen += grows(K, rate) * apart
        apart *= 1 if after else stride
    return seen


def rate_left_out(right, kernels, strides, rates):
    """The rates are ignored: the taps of a kernel reach over (K - 1) · rate pixels."""
    return right(kernels, strides, [1] * len(rates))


def stride_left_out(right, kernels, strides, rates):
    """The strides are ignored: behind a stride of 2, neighbours are two input pixels apart."""
    return right(kernels, [1] * len(strides), rates)


def own_stride_too(right, kernels, strides, rates):
    """A layer's own stride is counted for its own taps; only the strides *before* it place its inputs apart."""
    return _field(kernels, strides, rates, after=True)


def kernel_whole(right, kernels, strides, rates):
    """Each layer adds K · rate; it adds (K - 1) · rate: the first tap is there already."""
    return _field(kernels, strides, rates, grows=lambda K, rate: K * rate)


def kernel_minus_rate(right, kernels, strides, rates):
    """Each layer adds K · rate - 1; K taps have K - 1 gaps, each `rate` wide: (K - 1) · rate."""
    return _field(kernels, strides, rates, grows=lambda K, rate: K * rate - 1)


def holes_counted(right, kernels, strides, rates):
    """There are `rate` holes between two taps in your sum; the next tap is `rate` pixels on: (K - 1) · rate."""
    return _field(kernels, strides, rates, grows=lambda K, rate: (K - 1) * (rate + 1))


def product(right, kernels, strides, rates):
    """The kernels are multiplied; one layer adds to what the layers before it have seen."""
    return math.prod((K - 1) * rate + 1 for K, rate in zip(kernels, rates, strict=True))


def without_the_first(right, kernels, strides, rates):
    """The pixel itself is missing: begin with 1."""
    return _field(kernels, strides, rates, start=0)


def only_last(right, kernels, strides, rates):
    """That is what the last layer sees of the map before it; go on to the input."""
    return (kernels[-1] - 1) * rates[-1] + 1


def backwards(right, kernels, strides, rates):
    """The layers are taken in the wrong order: the first of the list is the one at the input."""
    return right(kernels[::-1], strides[::-1], rates[::-1])


def strides_added(right, kernels, strides, rates):
    """The strides are added up; they multiply: two strides of 2 place neighbours 4 pixels apart."""
    seen, apart = 1, 1
    for K, stride, rate in zip(kernels, strides, rates, strict=True):
        seen += (K - 1) * rate * apart
        apart += stride - 1
    return seen


def rates_pile_up(right, kernels, strides, rates):
    """The rates are multiplied up like strides; a rate is for its own layer only."""
    seen, apart = 1, 1
    for K, stride, rate in zip(kernels, strides, rates, strict=True):
        apart *= rate
        seen += (K - 1) * apart
        apart *= stride
    return seen


def last_stride_only(right, kernels, strides, rates):
    """Only the stride of the layer just before counts in your sum; all strides before a layer do, multiplied."""
    before = [1, *strides[:-1]]
    return 1 + sum((K - 1) * rate * stride for K, rate, stride in zip(kernels, rates, before, strict=True))


def half_kernels(right, kernels, strides, rates):
    """You count one side of each kernel; it reaches to both sides: (K - 1) · rate."""
    return _field(kernels, strides, rates, grows=lambda K, rate: K // 2 * rate)


def rate_added(right, kernels, strides, rates):
    """The rate is added to the gaps; each of the K - 1 gaps is `rate` wide: multiply."""
    return _field(kernels, strides, rates, grows=lambda K, rate: K - 1 + rate)


def sum_of_kernels(right, kernels, strides, rates):
    """The kernels are added up; a layer adds (K - 1) · rate times the strides before it, and the pixel itself counts once."""
    return sum(kernels)


def largest_kernel(right, kernels, strides, rates):
    """That is the largest kernel; layers behind one another see more than each alone."""
    return max(kernels)


def strides_alone(right, kernels, strides, rates):
    """That is how far apart two neighbours at the end lie in the input: the product of the strides, not what they see."""
    return math.prod(strides)


FIELD = Exercise(
    field,
    [
        ([3], [1], [1]),
        ([3, 3, 3], [1, 1, 1], [2, 2, 2]),
        ([3, 2, 3], [1, 2, 1], [1, 1, 2]),
        ([5, 2, 3, 2, 3], [1, 2, 1, 2, 1], [1, 1, 2, 1, 4]),
        ([7, 3, 3, 1, 3], [2, 2, 1, 3, 1], [1, 1, 3, 1, 2]),
    ],
    (
        rate_left_out, stride_left_out, own_stride_too, kernel_whole, kernel_minus_rate, holes_counted, product,
        without_the_first, only_last, backwards, strides_added, rates_pile_up, last_stride_only, half_kernels, rate_added,
        sum_of_kernels, largest_kernel, strides_alone,
    ),
)  # fmt: skip

EXERCISES = (CONCAT_BACKWARD, RECURRENT_GRADIENT, ATROUS, FIELD)
