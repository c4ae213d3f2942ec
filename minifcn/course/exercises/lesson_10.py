"""Exercises of lesson 10: sizes, zeros between the pixels, transposed convolution, the bilinear kernel, phases."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise
from minifcn.layers import initializers

# ------------------------------------------------------------------------------------------------------- deconv_size


def deconv_size(H, K, S, P, output_padding):
    """The height of the output of a deconvolution: input height H, kernel height K, stride S, padding P, output_padding."""
    return F.conv_transpose2d(np.zeros((1, 1, H, 1)), np.zeros((1, 1, K, 1)), None, (S, 1), (P, 0), (output_padding, 0))[
        0
    ].shape[2]


def of_a_convolution(right, H, K, S, P, output_padding):
    """This is the size after a *convolution*; a deconvolution enlarges: (H − 1)·S + K − 2·P + output_padding."""
    return (H + 2 * P - K) // S + 1


def times_stride(right, H, K, S, P, output_padding):
    """You begin with H·S; there are H stamps but H − 1 steps between them, so begin with (H − 1)·S."""
    return right(H, K, S, P, output_padding) + S


def padding_grows(right, H, K, S, P, output_padding):
    """Padding is added; in a deconvolution it is cut off: minus 2·P."""
    return right(H, K, S, 0, output_padding) + 2 * P


def padding_once(right, H, K, S, P, output_padding):
    """Padding is cut off once; it is cut off at both sides: minus 2·P."""
    return right(H, K, S, P, output_padding) + P


def extra_on_both_sides(right, H, K, S, P, output_padding):
    """The output_padding is added twice; its rows come at the bottom only."""
    return right(H, K, S, P, output_padding) + output_padding


def no_extra(right, H, K, S, P, output_padding):
    """The output_padding is left out: add it."""
    return right(H, K, S, P, 0)


def one_more(right, H, K, S, P, output_padding):
    """Always one too many: the + 1 belongs to a convolution's size; the last stamp is K tall already."""
    return right(H, K, S, P, output_padding) + 1


def kernel_missing(right, H, K, S, P, output_padding):
    """The kernel is not in it: the last stamp begins at (H − 1)·S and is K rows tall."""
    return right(H, K, S, P, output_padding) - K


DECONV_SIZE = Exercise(
    deconv_size,
    [(2, 3, 1, 0, 0), (3, 2, 2, 0, 0), (4, 3, 2, 1, 0), (4, 3, 2, 1, 1), (5, 4, 2, 1, 0), (16, 64, 32, 16, 0), (6, 5, 3, 1, 2)],
    (of_a_convolution, times_stride, padding_grows, padding_once, extra_on_both_sides, no_extra, one_more, kernel_missing),
    step="warm-up",
)

# ------------------------------------------------------------------------------------------------------ insert_zeros


def insert_zeros(x, stride):
    """Step 1 of a deconvolution: x (N, C, H, W) with stride − 1 zeros between neighbours, none around the picture.

    The result is (N, C, (H − 1)·stride + 1, (W − 1)·stride + 1).
    """
    dot = np.ones((x.shape[1], 1, 1, 1))  # a deconvolution with a kernel of 1 x 1 does nothing but spread the pixels
    return F.conv_transpose2d(x, dot, stride=stride, groups=x.shape[1])[0]


def zeros_after_the_last(right, x, stride):
    """There are zeros after the last row and column too; they belong between pixels, so the size is (H − 1)·stride + 1."""
    return np.pad(right(x, stride), ((0, 0), (0, 0), (0, stride - 1), (0, stride - 1)))


def zeros_before_the_first(right, x, stride):
    """There are zeros before the first row and column; they belong between pixels, so x[0, 0] stays in the corner."""
    return np.pad(right(x, stride), ((0, 0), (0, 0), (stride - 1, 0), (stride - 1, 0)))


def one_zero_too_many(right, x, stride):
    """One zero too many in each gap: with stride S neighbours end up S apart, which leaves room for S − 1 zeros."""
    return right(x, stride + 1)


def always_one_zero(right, x, stride):
    """Equal for stride 2: there is always one zero in each gap; it must be stride − 1 of them."""
    return right(x, 2) if stride > 1 else x


def repeated(right, x, stride):
    """The gaps hold copies of the pixels (that is "nearest neighbour" upsampling); they must be zeros."""
    return x.repeat(stride, axis=2).repeat(stride, axis=3)


def rows_only(right, x, stride):
    """There are zeros between rows, but none between columns: do both."""
    return right(x, stride)[:, :, :, ::stride]


def columns_only(right, x, stride):
    """There are zeros between columns, but none between rows: do both."""
    return right(x, stride)[:, :, ::stride]


def _zero_cases() -> list[tuple]:
    rng = np.random.default_rng(100)
    return [(rng.normal(size=shape), stride) for shape, stride in (
        ((1, 1, 2, 2), 2), ((1, 1, 3, 3), 1), ((2, 3, 3, 4), 2), ((2, 2, 2, 3), 3), ((1, 2, 4, 1), 4),
    )]  # fmt: skip


INSERT_ZEROS = Exercise(
    insert_zeros,
    _zero_cases(),
    (
        zeros_after_the_last, zeros_before_the_first, one_zero_too_many, always_one_zero, repeated, rows_only, columns_only,
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------------- conv_transpose2d


def conv_transpose2d(x, weight, stride, padding, output_padding):
    """Deconvolution: x (N, C, H, W), weight (C, O, KH, KW), three whole numbers -> y (N, O, OH, OW)."""
    return F.conv_transpose2d(x, weight, None, stride, padding, output_padding)[0]


def not_flipped(right, x, weight, stride, padding, output_padding):
    """Equal after flipping the kernel: with zero insertion the kernel slides turned by half a turn; stamping needs no turn."""
    return right(x, weight[:, :, ::-1, ::-1], stride, padding, output_padding)


def stamps_overwrite(right, x, weight, stride, padding, output_padding):
    """Stamps that overlap overwrite each other; they must be added (+=)."""
    H, W = x.shape[2:]
    KH, KW = weight.shape[2:]
    size = (H - 1) * stride + KH + output_padding, (W - 1) * stride + KW + output_padding
    full = np.zeros((len(x), weight.shape[1], *size))
    for h, w in np.ndindex(H, W):
        stamp = np.einsum("nc,cokl->nokl", x[:, :, h, w], weight)
        full[:, :, h * stride : h * stride + KH, w * stride : w * stride + KW] = stamp
    return full[:, :, padding : full.shape[2] - padding, padding : full.shape[3] - padding]


def padding_added(right, x, weight, stride, padding, output_padding):
    """Padding makes the output smaller here: it is the border that is cut off, `padding` rows and columns on each side."""
    full = right(x, weight, stride, 0, output_padding)
    return np.pad(full, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def padding_ignored(right, x, weight, stride, padding, output_padding):
    """Padding is left out: cut `padding` rows and columns off each side of the output."""
    return right(x, weight, stride, 0, output_padding)


def padding_cut_once(right, x, weight, stride, padding, output_padding):
    """Padding is cut off at the top and left only: cut the same at the bottom and right."""
    return right(x, weight, stride, 0, output_padding)[:, :, padding:, padding:]


def output_padding_ignored(right, x, weight, stride, padding, output_padding):
    """The output_padding is left out: the output has that many more rows at the bottom and columns at the right."""
    return right(x, weight, stride, padding, 0)


def output_padding_zero(right, x, weight, stride, padding, output_padding):
    """The extra rows and columns of output_padding are zeros; they are what padding would have cut off: cut less there."""
    plain = right(x, weight, stride, padding, 0)
    return np.pad(plain, ((0, 0), (0, 0), (0, output_padding), (0, output_padding)))


def output_padding_at_the_start(right, x, weight, stride, padding, output_padding):
    """The output_padding is at the wrong side: the extra rows and columns come at the bottom and the right."""
    room = right(x, weight, stride, 0, 0)
    H, W = room.shape[2:]
    grown = np.pad(room, ((0, 0), (0, 0), (output_padding, 0), (output_padding, 0)))
    return grown[:, :, padding : H + output_padding - padding, padding : W + output_padding - padding]


def unit_stride(right, x, weight, stride, padding, output_padding):
    """Equal for stride 1: neighbours of x must end up `stride` pixels apart in the output."""
    return right(x, weight, 1, padding, 0)


def stamps_one_apart(right, x, weight, stride, padding, output_padding):
    """The output has the right size, but the stamps lie one pixel apart: x[h, w] is stamped at row h * stride, not h."""
    near = right(x, weight, 1, 0, 0)
    full = np.zeros(right(x, weight, stride, 0, output_padding).shape)
    full[:, :, : near.shape[2], : near.shape[3]] = near
    return full[:, :, padding : full.shape[2] - padding, padding : full.shape[3] - padding]


def first_input_only(right, x, weight, stride, padding, output_padding):
    """Only input channel 0 is in it: add up over all C channels."""
    return right(x[:, :1], weight[:1], stride, padding, output_padding)


def filters_first(right, x, weight, stride, padding, output_padding):
    """The weight is read as (O, C, KH, KW); of a deconvolution it is (C, O, KH, KW), input channels first."""
    return right(x, weight.swapaxes(0, 1), stride, padding, output_padding)


def overlaps_averaged(right, x, weight, stride, padding, output_padding):
    """You divide by the number of stamps on each pixel; only add them: a deconvolution does not undo a convolution."""
    counts = right(np.ones_like(x), np.ones_like(weight), stride, padding, output_padding) / x.shape[1]
    return right(x, weight, stride, padding, output_padding) / np.maximum(counts, 1)


def _transpose_cases() -> list[tuple]:
    rng = np.random.default_rng(101)

    def case(N, C, H, W, O, KH, KW, stride, padding, output_padding):
        return rng.normal(size=(N, C, H, W)), rng.normal(size=(C, O, KH, KW)), stride, padding, output_padding

    return [
        case(1, 1, 2, 2, 1, 3, 3, 1, 0, 0),
        case(1, 1, 2, 2, 1, 3, 3, 2, 0, 0),
        case(2, 2, 3, 2, 2, 3, 3, 2, 0, 0),
        case(2, 3, 3, 4, 2, 3, 2, 2, 0, 0),
        case(1, 2, 3, 3, 2, 3, 3, 2, 1, 0),
        case(1, 2, 3, 3, 3, 3, 3, 2, 1, 1),
        case(2, 2, 3, 2, 3, 4, 4, 2, 1, 0),
        case(1, 1, 2, 3, 1, 5, 5, 3, 1, 2),
    ]


CONV_TRANSPOSE2D = Exercise(
    conv_transpose2d,
    _transpose_cases(),
    (
        not_flipped, stamps_overwrite, padding_added, padding_ignored, padding_cut_once, output_padding_ignored,
        output_padding_zero, output_padding_at_the_start, unit_stride, stamps_one_apart, first_input_only, filters_first,
        overlaps_averaged,
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------- bilinear_kernel


def bilinear_kernel(size):
    """The kernel (size, size) with which a deconvolution of stride size / 2 interpolates bilinearly."""
    return initializers.bilinear(1, size)[0, 0]


def _tent(size: int, centre: float, width: float) -> np.ndarray:
    ramp = np.maximum(0, 1 - np.abs(np.arange(size) - centre) / width)
    return np.outer(ramp, ramp)


def half_a_pixel_off(right, size):
    """Half a pixel off for even sizes: there the centre lies between two cells, at f − 0.5 (at f − 1 only for odd sizes)."""
    f = (size + 1) // 2
    return _tent(size, f - 1, f)


def normalised(right, size):
    """You divide by the sum; the kernel's peak is (nearly) 1, and its overlapping copies add up to 1, not each by itself."""
    return right(size) / right(size).sum()


def one_row_only(right, size):
    """This is the kernel of one dimension: multiply a column of these numbers with a row of them (np.outer)."""
    return _tent(size, *_middle(size))[:, 0] / _tent(size, *_middle(size))[0, 0] ** 0.5


def added_ramps(right, size):
    """The two directions are added or averaged; multiply them: w[i, j] = ramp[i] · ramp[j]."""
    ramp = one_row_only(right, size)
    return (ramp[:, None] + ramp) / 2


def from_zero(right, size):
    """The tent ends with 0, so its outer ring is wasted: its width is f = (size + 1) // 2, more than the way to the edge."""
    return _tent(size, (size - 1) / 2, (size - 1) / 2) if size > 1 else right(size)


def nearest(right, size):
    """All numbers are the same; such a kernel repeats pixels ("nearest neighbour"); bilinear falls off from the middle."""
    return np.ones((size, size))


def width_half_size(right, size):
    """Wrong for odd sizes: the width is f = (size + 1) // 2, rounded up; you divide by size / 2."""
    return _tent(size, (size - 1) / 2, size / 2)


def _middle(size: int) -> tuple[float, int]:
    f = (size + 1) // 2
    return (f - 1 if size % 2 else f - 0.5), f


BILINEAR_KERNEL = Exercise(
    bilinear_kernel,
    [(4,), (2,), (3,), (5,), (8,), (16,)],
    (half_a_pixel_off, normalised, one_row_only, added_ramps, from_zero, nearest, width_half_size),
)

# -------------------------------------------------------------------------------------------------------- phase_sums


def phase_sums(kernel, stride):
    """The sum of each phase of a kernel (KH, KW): result[a, b] adds up kernel[a::stride, b::stride]; (stride, stride).

    A deconvolution of this stride turns a constant picture into a checkerboard unless all of them are equal.
    """
    n = max(kernel.shape) // stride + 3  # so many ones that the middle of the answer knows nothing of the border
    y = F.conv_transpose2d(np.ones((1, 1, n, n)), kernel[None, None], stride=stride)[0][0, 0]
    top, left = (stride * -((1 - size) // stride) for size in kernel.shape)
    return y[top : top + stride, left : left + stride]


def averages(right, kernel, stride):
    """These are the means of the phases; add their weights up, for every one of them meets a pixel."""
    return right(kernel, stride) / right(np.ones_like(kernel), stride)


def how_many(right, kernel, stride):
    """This is how many weights each phase has; add the weights themselves up: even counts do not make even sums."""
    return right(np.ones_like(kernel), stride)


def blocks(right, kernel, stride):
    """You add up blocks of neighbours; the weights of a phase lie `stride` apart: kernel[a::stride, b::stride]."""
    rows, columns = (np.array_split(np.arange(n), stride) for n in kernel.shape)
    return np.array([[kernel[np.ix_(row, column)].sum() for column in columns] for row in rows])


def phases_transposed(right, kernel, stride):
    """Rows and columns of the result are exchanged: result[a, b] begins at row a and column b of the kernel."""
    return right(kernel, stride).T


def one_number_only(right, kernel, stride):
    """This is the sum of the whole kernel; each of the stride·stride phases has a sum of its own."""
    return kernel.sum()


def rows_alone(right, kernel, stride):
    """These are sums over rows alone: a phase has a first row *and* a first column, so the result is (stride, stride)."""
    return right(kernel, stride).sum(axis=1)


def from_the_end(right, kernel, stride):
    """The phases are in the opposite order: result[0, 0] is the phase of kernel[0, 0]."""
    return right(kernel, stride)[::-1, ::-1]


def _phase_cases() -> list[tuple]:
    rng = np.random.default_rng(102)
    return [
        (rng.normal(size=shape), stride) for shape, stride in (((2, 3), 1), ((3, 4), 2), ((4, 6), 2), ((7, 5), 3), ((5, 9), 4))
    ]


PHASE_SUMS = Exercise(
    phase_sums,
    _phase_cases(),
    (averages, how_many, blocks, phases_transposed, one_number_only, rows_alone, from_the_end),
    step="stretch",
)

EXERCISES = (DECONV_SIZE, INSERT_ZEROS, CONV_TRANSPOSE2D, BILINEAR_KERNEL, PHASE_SUMS)
