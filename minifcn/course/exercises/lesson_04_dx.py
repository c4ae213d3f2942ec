"""Exercises of lesson 04, the ladder to dx: without padding, with it, with a stride, with rows that no window reaches."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

# ---------------------------------------------------------------------------------------------------------- dx_plain


def dx_plain(dy, weight):
    """dx of a convolution with stride 1 and no padding: dy (N, O, OH, OW), weight (O, C, KH, KW) -> (N, C, H, W).

    Every window is as large as the kernel, so H = OH + KH − 1 and W = OW + KW − 1.
    """
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    return input_gradient(dy, weight, OH + KH - 1, OW + KW - 1, 1, 0)


def plain_turned(right, dy, weight):
    """Equal after flipping the kernel: y[oh, ow] used x[oh + kh, ow + kw] · weight[kh, kw]; do not turn it on the way back."""
    return right(dy, weight[:, :, ::-1, ::-1])


def plain_overwritten(right, dy, weight):
    """Windows that overlap overwrite each other: a pixel collects the sum of all its shares, so add (+=) and do not assign."""
    OH, OW = dy.shape[2:]
    return overwritten(input_gradient, dy, weight, OH + weight.shape[2] - 1, OW + weight.shape[3] - 1, 1, 0)


def plain_averaged(right, dy, weight):
    """You divide by the number of windows that a pixel lies in; only add: each share is part of the gradient."""
    return right(dy, weight) / (right(np.ones_like(dy), np.ones_like(weight)) / len(weight))


def plain_first_filter(right, dy, weight):
    """Only filter 0 is in it: every filter used the pixel, so add up over all O of them."""
    return right(dy[:, :1], weight[:1])


def plain_last_filter(right, dy, weight):
    """Only the last filter is in it: each overwrites the one before; add them up (+=)."""
    return right(dy[:, -1:], weight[-1:])


def plain_as_large_as_dy(right, dy, weight):
    """Your dx is as large as dy; x was larger: the kernel lay at OH places, so x has OH + KH − 1 rows."""
    return right(dy, weight)[:, :, : dy.shape[2], : dy.shape[3]]


def plain_forward_again(right, dy, weight):
    """You slide the kernel over dy without zeros around: put KH − 1 rows and KW − 1 columns of them on each side first."""
    KH, KW = weight.shape[2:]
    return right(dy, weight)[:, :, KH - 1 : 1 - KH or None, KW - 1 : 1 - KW or None]


def _plain_cases() -> list[tuple]:
    rng = np.random.default_rng(43)
    return [
        (rng.normal(size=(N, O, OH, OW)), rng.normal(size=(O, C, KH, KW)))
        for N, C, O, (OH, OW), (KH, KW) in (
            (1, 1, 1, (2, 3), (2, 2)), (1, 1, 2, (3, 4), (2, 3)), (2, 3, 2, (4, 3), (3, 2)), (2, 2, 3, (5, 4), (3, 3)),
        )
    ]  # fmt: skip


DX_PLAIN = Exercise(
    dx_plain,
    _plain_cases(),
    (
        plain_turned, plain_overwritten, plain_averaged, plain_first_filter, plain_last_filter, plain_as_large_as_dy,
        plain_forward_again,
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- dx_padded


def dx_padded(dy, weight, padding):
    """dx of a convolution with stride 1 and `padding` zeros around x: (N, C, OH + KH − 1 − 2·padding, and so the width)."""
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    return input_gradient(dy, weight, OH + KH - 1 - 2 * padding, OW + KW - 1 - 2 * padding, 1, padding)


def padded_kept(right, dy, weight, padding):
    """The padding is still around dx: cut `padding` rows and columns off each side, for nobody asked for their gradient."""
    return right(dy, weight, 0)


def padded_cut_at_the_end(right, dy, weight, padding):
    """All is cut off at the bottom and the right: half of it, `padding` rows and columns, belongs to each side."""
    full = right(dy, weight, 0)
    return full[:, :, : full.shape[2] - 2 * padding, : full.shape[3] - 2 * padding]


def padded_cut_once(right, dy, weight, padding):
    """Padding is cut off at the top and the left only: cut the same at the bottom and the right."""
    return right(dy, weight, 0)[:, :, padding:, padding:]


def padded_set_to_zero(right, dy, weight, padding):
    """You set the border to 0 and keep it: the padding was never part of x, so cut it off."""
    return np.pad(right(dy, weight, padding), ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def padded_once_more(right, dy, weight, padding):
    """You put `padding` rows and columns of zeros around; backward takes them off, for the forward put them there."""
    return np.pad(right(dy, weight, 0), ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def padded_turned(right, dy, weight, padding):
    """Equal after flipping the kernel: y[oh, ow] used x[oh + kh, ow + kw] · weight[kh, kw]; do not turn it on the way back."""
    return right(dy, weight[:, :, ::-1, ::-1], padding)


def _padded_cases() -> list[tuple]:
    rng = np.random.default_rng(44)
    return [
        (rng.normal(size=(N, O, OH, OW)), rng.normal(size=(O, C, KH, KW)), padding)
        for N, C, O, (OH, OW), (KH, KW), padding in (
            (1, 1, 1, (2, 3), (2, 2), 0), (1, 1, 2, (4, 5), (3, 2), 1), (2, 3, 2, (5, 4), (3, 3), 1),
            (2, 2, 3, (7, 6), (3, 4), 2),
        )
    ]  # fmt: skip


DX_PADDED = Exercise(
    dx_padded,
    _padded_cases(),
    (padded_kept, padded_cut_at_the_end, padded_cut_once, padded_set_to_zero, padded_once_more, padded_turned),
)

# -------------------------------------------------------------------------------------------------------- dx_strided


def dx_strided(dy, weight, stride):
    """dx of a convolution with a stride and no padding, whose last window ends with x: H = (OH − 1)·stride + KH, and so W."""
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    return input_gradient(dy, weight, (OH - 1) * stride + KH, (OW - 1) * stride + KW, stride, 0)


def strided_one_apart(right, dy, weight, stride):
    """The shares lie one pixel apart, in an array of the right size: y[oh, ow] used x from row oh · stride on."""
    full = np.zeros(right(dy, weight, stride).shape)
    near = right(dy, weight, 1)
    full[:, :, : near.shape[2], : near.shape[3]] = near
    return full


def strided_left_out(right, dy, weight, stride):
    """Equal for stride 1: you left the stride out, and dx is too small; y[oh, ow] used x from row oh · stride on."""
    return right(dy, weight, 1)


def strided_size(right, dy, weight, stride):
    """Rows and columns of zeros too many: H is (OH − 1)·stride + KH, for there are OH windows but OH − 1 steps between them."""
    room = ((0, 0), (0, 0), (0, stride - 1), (0, stride - 1))
    return np.pad(right(dy, weight, stride), room)


def strided_overwritten(right, dy, weight, stride):
    """Windows that overlap overwrite each other: a pixel collects the sum of all its shares, so add (+=) and do not assign."""
    H, W = right(dy, weight, stride).shape[2:]
    return overwritten(input_gradient, dy, weight, H, W, stride, 0)


def strided_repeated(right, dy, weight, stride):
    """You repeat dy between its pixels; put zeros there: rows that the stride skipped gave no output, and get no gradient."""
    OH, OW = dy.shape[2:]
    repeated = dy.repeat(stride, axis=2).repeat(stride, axis=3)
    return right(repeated[:, :, : (OH - 1) * stride + 1, : (OW - 1) * stride + 1], weight, 1)


def strided_turned(right, dy, weight, stride):
    """Equal after flipping the kernel: x[oh·S + kh, ow·S + kw] met weight[kh, kw]; do not turn it on the way back."""
    return right(dy, weight[:, :, ::-1, ::-1], stride)


def _strided_cases() -> list[tuple]:
    rng = np.random.default_rng(45)
    return [
        (rng.normal(size=(N, O, OH, OW)), rng.normal(size=(O, C, KH, KW)), stride)
        for N, C, O, (OH, OW), (KH, KW), stride in (
            (1, 1, 1, (2, 3), (2, 2), 1), (1, 1, 1, (3, 2), (3, 2), 2), (2, 3, 2, (4, 3), (3, 3), 2),
            (2, 2, 2, (3, 4), (2, 4), 3),
        )
    ]  # fmt: skip


DX_STRIDED = Exercise(
    dx_strided,
    _strided_cases(),
    (strided_one_apart, strided_left_out, strided_size, strided_overwritten, strided_repeated, strided_turned),
)

# ---------------------------------------------------------------------------------------------------- input_gradient


def input_gradient(dy, weight, H, W, stride, padding):
    """dx (N, C, H, W) of a convolution with weight (O, C, KH, KW), whose output had the gradient dy (N, O, OH, OW)."""
    x = np.zeros((dy.shape[0], weight.shape[1], H, W))
    return F.conv2d_backward(dy, F.conv2d(x, weight, stride=stride, padding=padding)[1])[0]


def kernel_not_flipped(right, dy, weight, H, W, stride, padding):
    """Equal after flipping the kernel: it slides over dy turned by half a turn, and yours is turned the wrong way round."""
    return right(dy, weight[:, :, ::-1, ::-1], H, W, stride, padding)


def overwritten(right, dy, weight, H, W, stride, padding):
    """Windows that overlap overwrite each other: a pixel collects the sum of all its shares, so add (+=) and do not assign."""
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    padded = np.zeros((len(dy), weight.shape[1], H + 2 * padding, W + 2 * padding))
    for oh, ow in np.ndindex(OH, OW):
        share = np.einsum("no,ockl->nckl", dy[:, :, oh, ow], weight)
        padded[:, :, oh * stride : oh * stride + KH, ow * stride : ow * stride + KW] = share
    return padded[:, :, padding : padding + H, padding : padding + W]


def averaged(right, dy, weight, H, W, stride, padding):
    """You divide by the number of windows that a pixel lies in: col2im is the adjoint of im2col, not its inverse; only add."""
    ones = np.ones_like(weight)
    counts = right(np.ones_like(dy), ones, H, W, stride, padding) / weight.shape[0]
    return right(dy, weight, H, W, stride, padding) / np.maximum(counts, 1)


def crop_forgotten(right, dy, weight, H, W, stride, padding):
    """The padding is still around dx: cut `padding` rows and columns off each side, for nobody asked for their gradient."""
    return right(dy, weight, H + 2 * padding, W + 2 * padding, stride, 0)


def crop_at_one_side(right, dy, weight, H, W, stride, padding):
    """Shifted: you cut the padding off at the bottom and the right only; dx begins `padding` rows and columns further in."""
    return right(dy, weight, H + 2 * padding, W + 2 * padding, stride, 0)[:, :, :H, :W]


def first_filter_only(right, dy, weight, H, W, stride, padding):
    """Only filter 0 is in it: every filter used the pixel, so add up over all O of them."""
    return right(dy[:, :1], weight[:1], H, W, stride, padding)


def last_filter_only(right, dy, weight, H, W, stride, padding):
    """Only the last filter is in it: each overwrites the one before; add them up (+=)."""
    return right(dy[:, -1:], weight[-1:], H, W, stride, padding)


def averaged_filters(right, dy, weight, H, W, stride, padding):
    """You average over the filters; add them up."""
    return right(dy, weight, H, W, stride, padding) / weight.shape[0]


def stride_left_out(right, dy, weight, H, W, stride, padding):
    """Equal for stride 1: y[oh, ow] used x from row oh * stride on, so its shares go there; you left the stride out."""
    OH, OW = dy.shape[2:]
    KH, KW = weight.shape[2:]
    small = right(dy, weight, OH - 1 + KH, OW - 1 + KW, 1, 0)
    padded = np.zeros((*small.shape[:2], H + 2 * padding, W + 2 * padding))
    padded[:, :, : small.shape[2], : small.shape[3]] = small
    return padded[:, :, padding : padding + H, padding : padding + W]


def leftover_rows_forgotten(right, dy, weight, H, W, stride, padding):
    """The last rows and columns that no window reaches are missing: dx is (N, C, H, W), and there it is 0."""
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    reached = [(n - 1) * stride + k - 2 * padding for n, k in ((OH, KH), (OW, KW))]
    return right(dy, weight, H, W, stride, padding)[:, :, : min(H, reached[0]), : min(W, reached[1])]


def leftover_rows_at_the_top(right, dy, weight, H, W, stride, padding):
    """Shifted where the last step does not fit: rows that no window reaches lie at the bottom and the right, and are 0."""
    (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
    left = [(n - ((m - 1) * stride + k - 2 * padding)) for n, m, k in ((H, OH, KH), (W, OW, KW))]
    return np.roll(right(dy, weight, H, W, stride, padding), [max(0, gap) for gap in left], axis=(2, 3))


def _input_cases() -> list[tuple]:
    rng = np.random.default_rng(42)
    cases = []
    for (N, C, H, W), O, (KH, KW), stride, padding in (
        ((1, 1, 3, 3), 1, (2, 2), 1, 0),
        ((1, 1, 5, 4), 2, (3, 3), 1, 0),
        ((2, 3, 5, 6), 2, (3, 2), 1, 0),
        ((2, 3, 5, 6), 2, (3, 3), 1, 1),
        ((2, 2, 7, 9), 3, (3, 3), 2, 0),
        ((2, 2, 7, 9), 3, (3, 3), 2, 1),
        ((2, 2, 8, 6), 3, (3, 3), 2, 0),
        ((1, 2, 6, 8), 3, (3, 2), 3, 1),
    ):
        OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
        cases.append((rng.normal(size=(N, O, OH, OW)), rng.normal(size=(O, C, KH, KW)), H, W, stride, padding))
    return cases


INPUT_GRADIENT = Exercise(
    input_gradient,
    _input_cases(),
    (
        kernel_not_flipped, overwritten, averaged, crop_forgotten, crop_at_one_side, first_filter_only, last_filter_only,
        averaged_filters, stride_left_out, leftover_rows_forgotten, leftover_rows_at_the_top,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- window_counts


def window_counts(H, W, K, stride, padding):
    """In how many windows of a K by K kernel each pixel lies: an array (H, W). Padding is not part of the picture."""
    size = [(n + 2 * padding - K) // stride + 1 for n in (H, W)]
    return input_gradient(np.ones((1, 1, *size)), np.ones((1, 1, K, K)), H, W, stride, padding)[0, 0]


def all_the_same(right, H, W, K, stride, padding):
    """You say K·K for every pixel; that many windows hold a pixel far from the border, with stride 1: count them."""
    return np.full((H, W), K * K)


def counted_outputs(right, H, W, K, stride, padding):
    """These are as many numbers as there are windows; count for each *pixel* in how many windows it lies: (H, W)."""
    return np.full([(n + 2 * padding - K) // stride + 1 for n in (H, W)], K * K)


def no_border(right, H, W, K, stride, padding):
    """Padding is left out: with it there are windows that begin before the picture does."""
    return right(H, W, K, stride, 0)


def one_step(right, H, W, K, stride, padding):
    """Stride is left out: windows begin at every stride-th row and column only."""
    return right(H, W, K, 1, padding)


def border_kept(right, H, W, K, stride, padding):
    """The padding is still around it: cut it off, the result is (H, W)."""
    return right(H + 2 * padding, W + 2 * padding, K, stride, 0)


def whether(right, H, W, K, stride, padding):
    """This says *whether* a window holds the pixel; count how many do (+= 1)."""
    return right(H, W, K, stride, padding) > 0


def hanging_over(right, H, W, K, stride, padding):
    """Windows that hang over the edge are counted, too: where the last step does not fit there is no window."""
    return right(H + K - 1, W + K - 1, K, stride, padding)[:H, :W]


WINDOW_COUNTS = Exercise(
    window_counts,
    [(3, 4, 2, 1, 0), (5, 7, 3, 1, 0), (4, 6, 3, 1, 1), (5, 7, 3, 2, 0), (8, 6, 3, 2, 1), (7, 9, 2, 3, 0), (6, 8, 5, 2, 2)],
    (all_the_same, counted_outputs, no_border, one_step, border_kept, whether, hanging_over),
    step="stretch",
)

DX = (DX_PLAIN, DX_PADDED, DX_STRIDED, INPUT_GRADIENT, WINDOW_COUNTS)
