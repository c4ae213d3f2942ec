"""Exercises of lesson 06: ReLU's gradient, max-pooling, its switches, and unpooling."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

# ----------------------------------------------------------------------------------------------------- relu_backward


def relu_backward(dy, x):
    """dx of y = max(x, 0), of x's shape: dy where x is above 0, and 0 where it is not (at exactly 0, too)."""
    return F.relu_backward(dy, F.relu(x)[1])


def at_zero_too(right, dy, x):
    """Equal but where x is exactly 0: there the gradient is 0, as in every library, so ask for x > 0 and not for x >= 0."""
    return np.where(x == 0, dy, right(dy, x))


def mask_of_dy(right, dy, x):
    """It is dy that you cut off below 0, not x: a gradient may well be negative; ask where *x* is above 0."""
    return np.maximum(dy, 0)


def both_masks(right, dy, x):
    """Right where dy is positive, but negative gradients are lost: only x decides what passes, dy may have any sign."""
    return np.maximum(right(dy, x), 0)


def times_x(right, dy, x):
    """You multiply by x: where x is above 0, y grows exactly as fast as x, so the factor is 1 and dx is dy itself."""
    return right(dy, x) * x


def leaky(right, dy, x):
    """A hundredth of dy comes through where x is below 0: that is the *leaky* ReLU; in this one nothing does."""
    return np.where(x > 0, dy, 0.01 * dy)


def mask_alone(right, dy, x):
    """This is the mask, ones and zeros; multiply dy by it: the loss does not follow every y equally fast."""
    return right(np.ones_like(dy), x)


def passes_everything(right, dy, x):
    """All of dy comes through: where x is not above 0, y stays 0 whatever x does, so dx is 0 there."""
    return dy.copy()


def opposite_mask(right, dy, x):
    """It is the wrong half that passes: dy where x is above 0, 0 elsewhere, and you have it the other way round."""
    return np.where(x < 0, dy, 0)


def forward_again(right, dy, x):
    """This is max(x, 0), the forward once more; backward returns dy where x is above 0."""
    return np.maximum(x, 0)


def sign_turned(right, dy, x):
    """Where x is below 0 you return minus dy: that is the gradient of |x|; ReLU is flat there, so it is 0."""
    return np.where(x > 0, dy, -dy)


def _relu_cases() -> list[tuple]:
    rng = np.random.default_rng(60)
    x = np.array([-2.0, 0.0, 3.0, 0.5, -1.0, 0.0, 4.0, 1.0, -3.0, 0.0, 2.0, -0.5]).reshape(1, 1, 3, 4)
    dy = np.array([1.0, -2.0, -3.0, 4.0, 5.0, 6.0, -1.0, 2.0, 3.0, -4.0, 0.5, -6.0]).reshape(1, 1, 3, 4)
    return [(dy, x), *(tuple(rng.normal(size=(2, *shape))) for shape in ((1, 2, 4, 5), (2, 3, 4, 5)))]


RELU_BACKWARD = Exercise(
    relu_backward,
    _relu_cases(),
    (
        at_zero_too, mask_of_dy, both_masks, times_x, leaky, mask_alone, passes_everything, opposite_mask, forward_again,
        sign_turned,
    ),
    step="warm-up",
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- max_pool


def max_pool(x, kernel, stride, ceil_mode):
    """The largest number of each window: x (N, C, H, W), two whole numbers, True or False -> y (N, C, OH, OW).

    Windows are kernel x kernel and begin at every stride-th row and column; stride is at most kernel. Without ceil_mode only
    windows that fit count, with it one more may hang over the edge where rows or columns would else be lost; what lies
    outside the picture takes no part.
    """
    return F.max_pool2d(x, kernel, stride, ceil_mode=bool(ceil_mode))[0]


def always_floor(right, x, kernel, stride, ceil_mode):
    """Equal without ceil_mode: you always round down; with it a window may hang over the edge, so that no row is lost."""
    return right(x, kernel, stride, False)


def always_ceil(right, x, kernel, stride, ceil_mode):
    """Equal with ceil_mode: you always round up; without it, a window that does not fit into the picture is left out."""
    return right(x, kernel, stride, True)


def ceil_without_the_kernel(right, x, kernel, stride, ceil_mode):
    """Too many windows with ceil_mode: count those after the first, (H - kernel) / stride rounded up, and add 1.

    You begin one at every stride-th row of the picture; when windows overlap, the last rows are covered already.
    """
    if not ceil_mode:
        return right(x, kernel, stride, ceil_mode)
    H, W = x.shape[2:]
    room = (-(-H // stride) - 1) * stride + kernel - H, (-(-W // stride) - 1) * stride + kernel - W
    return right(np.pad(x, ((0, 0), (0, 0), (0, room[0]), (0, room[1])), constant_values=-np.inf), kernel, stride, False)


def outside_is_zero(right, x, kernel, stride, ceil_mode):
    """Wrong where a hanging window holds negative numbers only: you fill its outside with 0, which then wins.

    Take the largest of what lies inside (or fill with minus infinity, which never wins).
    """
    y = right(x, kernel, stride, ceil_mode)
    rows, columns = (np.arange(n) * stride + kernel > size for n, size in zip(y.shape[2:], x.shape[2:], strict=True))
    return np.where(rows[:, None] | columns, np.maximum(y, 0), y)


def begins_at_zero(right, x, kernel, stride, ceil_mode):
    """Wrong for negative numbers: your maximum begins at 0, so no window can be below it; begin with minus infinity."""
    return np.maximum(right(x, kernel, stride, ceil_mode), 0)


def pulled_back(right, x, kernel, stride, ceil_mode):
    """The last window is pulled back until it fits; it begins where its turn is, and what hangs over takes no part."""
    y = right(x, kernel, stride, ceil_mode).copy()
    H, W = x.shape[2:]
    for i, j in np.ndindex(y.shape[2:]):
        top, left = min(i * stride, H - kernel), min(j * stride, W - kernel)
        y[:, :, i, j] = x[:, :, top : top + kernel, left : left + kernel].max(axis=(2, 3))
    return y


def stride_one(right, x, kernel, stride, ceil_mode):
    """Equal for stride 1: you take every window; only those that begin at a multiple of `stride` count."""
    return right(x, kernel, 1, ceil_mode)


def stride_in_the_size_only_of_pool(right, x, kernel, stride, ceil_mode):
    """The output has the right size, but its windows lie one pixel apart: window i begins at row i * stride, not i."""
    OH, OW = right(x, kernel, stride, ceil_mode).shape[2:]
    return right(x, kernel, 1, False)[:, :, :OH, :OW]


def stride_is_the_kernel(right, x, kernel, stride, ceil_mode):
    """Equal where stride and kernel are the same: your windows never overlap; begin one at every `stride`-th row."""
    return right(x, kernel, kernel, ceil_mode)


def average(right, x, kernel, stride, ceil_mode):
    """You take the mean of each window: that is average pooling; max-pooling takes the largest number alone."""
    return F.avg_pool2d(x, kernel, stride, ceil_mode=bool(ceil_mode), count_include_pad=False)[0]


def smallest(right, x, kernel, stride, ceil_mode):
    """You take the smallest number of each window; take the largest."""
    return -right(-x, kernel, stride, ceil_mode)


def without_signs(right, x, kernel, stride, ceil_mode):
    """You compare without the sign: the largest of -5 and 3 is 3; take the maximum, not the greatest magnitude."""
    return right(np.abs(x), kernel, stride, ceil_mode)


def over_the_channels(right, x, kernel, stride, ceil_mode):
    """The maximum goes over the channels as well: each channel is pooled by itself, along the last two axes only."""
    return np.broadcast_to(
        right(x, kernel, stride, ceil_mode).max(axis=1, keepdims=True), right(x, kernel, stride, ceil_mode).shape
    )


def over_the_batch(right, x, kernel, stride, ceil_mode):
    """The maximum goes over all pictures and channels: each is pooled by itself, along the last two axes only."""
    y = right(x, kernel, stride, ceil_mode)
    return np.broadcast_to(y.max(axis=(0, 1)), y.shape)


def first_of_the_window(right, x, kernel, stride, ceil_mode):
    """You take the top left number of each window, whatever it is; take the largest of all in it."""
    OH, OW = right(x, kernel, stride, ceil_mode).shape[2:]
    return x[:, :, ::stride, ::stride][:, :, :OH, :OW].copy()


def _pool_cases() -> list[tuple]:
    rng = np.random.default_rng(61)
    options = (
        ((1, 1, 4, 6), 2, 2, False), ((2, 3, 4, 6), 2, 2, False), ((2, 3, 5, 7), 2, 2, False), ((2, 3, 5, 7), 2, 2, True),
        ((1, 2, 7, 9), 3, 2, False), ((2, 2, 8, 6), 3, 2, True), ((1, 2, 6, 5), 3, 1, True),
    )  # fmt: skip
    cases = [(rng.normal(size=shape), kernel, stride, ceil_mode) for shape, kernel, stride, ceil_mode in options]
    return [*cases, (-1 - rng.random((1, 2, 5, 3)), 2, 2, True)]  # all of it below zero


MAX_POOL = Exercise(
    max_pool,
    _pool_cases(),
    (
        always_floor, always_ceil, ceil_without_the_kernel, outside_is_zero, begins_at_zero, pulled_back, stride_one,
        stride_in_the_size_only_of_pool, stride_is_the_kernel, average, smallest, without_signs, over_the_channels,
        over_the_batch, first_of_the_window,
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- switches


def switches(x, kernel, stride):
    """Where each maximum came from: x (N, C, H, W) -> whole numbers (N, C, OH, OW), row * W + column in x's own plane.

    Only windows that fit into the picture; of equal numbers the first wins, row by row.
    """
    return F.max_pool2d_indices(F.max_pool2d(x, kernel, stride)[1])


def inside_the_window(right, x, kernel, stride):
    """This is the place inside the window, 0 to kernel * kernel - 1; the window's own top row and left column are missing.

    With row, column = divmod(place, kernel) it is (oh * stride + row) * W + ow * stride + column.
    """
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    OH, OW = rows.shape[2:]
    return (rows - np.arange(OH)[:, None] * stride) * kernel + columns - np.arange(OW) * stride


def last_of_the_tied(right, x, kernel, stride):
    """Equal but for ties: of equal numbers the *first* wins, and you take the last (is there a >= that should be a >?)."""
    H, W = x.shape[2:]
    turned = x[:, :, : (H - kernel) // stride * stride + kernel, : (W - kernel) // stride * stride + kernel]
    h, w = turned.shape[2:]
    rows, columns = np.divmod(right(turned[:, :, ::-1, ::-1], kernel, stride)[:, :, ::-1, ::-1], w)
    return (h - 1 - rows) * W + w - 1 - columns


def first_column_of_the_tied(right, x, kernel, stride):
    """Equal but for ties: of equal numbers the first *row by row* wins, and you go through the window column by column."""
    H = x.shape[2]
    columns, rows = np.divmod(right(x.swapaxes(2, 3), kernel, stride).swapaxes(2, 3), H)
    return rows * x.shape[3] + columns


def searched_in_the_whole_picture(right, x, kernel, stride):
    """Right unless the same number stands elsewhere in the picture: you look for the maximum's value in all of x.

    A switch must point into its own window: look for the place there.
    """
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    places = np.zeros(rows.shape, int)
    for n, c, i, j in np.ndindex(rows.shape):
        places[n, c, i, j] = (x[n, c] == x[n, c, rows[n, c, i, j], columns[n, c, i, j]]).argmax()
    return places


def flat_over_the_batch(right, x, kernel, stride):
    """Right for the first channel of the first picture: a switch counts within its own plane, 0 to H * W - 1, each anew."""
    N, C, H, W = x.shape
    return right(x, kernel, stride) + (np.arange(N * C) * H * W).reshape(N, C, 1, 1)


def width_of_the_output(right, x, kernel, stride):
    """You multiply the row by the output's width; x's rows are W long, so the flat place is row * W + column."""
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    return rows * rows.shape[3] + columns


def height_for_width(right, x, kernel, stride):
    """You multiply the row by H, the number of rows; one row is W long, so the flat place is row * W + column."""
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    return rows * x.shape[2] + columns


def row_and_column_exchanged(right, x, kernel, stride):
    """Row and column are exchanged: the flat place is row * W + column, row by row, and yours goes column by column."""
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    return columns * x.shape[2] + rows


def windows_side_by_side(right, x, kernel, stride):
    """Equal where stride and kernel are the same: window oh begins at row oh * stride, and you add oh * kernel."""
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    rows = rows + np.arange(rows.shape[2])[:, None] * (kernel - stride)
    return rows * x.shape[3] + columns + np.arange(rows.shape[3]) * (kernel - stride)


def windows_one_apart(right, x, kernel, stride):
    """Equal for stride 1: window oh begins at row oh * stride, and you add oh alone (the same for columns)."""
    rows, columns = _rows_and_columns(right, x, kernel, stride)
    rows = rows + np.arange(rows.shape[2])[:, None] * (1 - stride)
    return rows * x.shape[3] + columns + np.arange(rows.shape[3]) * (1 - stride)


def from_one(right, x, kernel, stride):
    """Always one too many: places are counted from 0, so that x[n, c].ravel()[switch] is the maximum."""
    return right(x, kernel, stride) + 1


def greatest_magnitude(right, x, kernel, stride):
    """You look for the greatest magnitude; a switch points to the largest number, and 3 is larger than -5."""
    return right(np.abs(x), kernel, stride)


def the_maxima(right, x, kernel, stride):
    """These are the maxima themselves; a switch is the place where one stands: row * W + column."""
    return F.max_pool2d(x, kernel, stride)[0]


def _rows_and_columns(right, x, kernel, stride):
    return np.divmod(np.asarray(right(x, kernel, stride), int), x.shape[3])


def _switch_cases() -> list[tuple]:
    rng = np.random.default_rng(62)
    cases = [(rng.normal(size=shape), kernel, stride) for shape, kernel, stride in (
        ((1, 1, 4, 6), 2, 2), ((2, 3, 4, 6), 2, 2), ((1, 2, 5, 8), 3, 2), ((2, 2, 7, 5), 2, 1), ((1, 2, 5, 7), 2, 2),
    )]  # fmt: skip
    tied = rng.integers(0, 3, (1, 2, 6, 8)).astype(float)
    return [*cases, (tied, 2, 2)]


SWITCHES = Exercise(
    switches,
    _switch_cases(),
    (
        inside_the_window, last_of_the_tied, first_column_of_the_tied, searched_in_the_whole_picture, flat_over_the_batch,
        width_of_the_output, height_for_width, row_and_column_exchanged, windows_side_by_side, windows_one_apart, from_one,
        greatest_magnitude, the_maxima,
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------- max_unpool


def max_unpool(y, switches, H, W):
    """Puts y (N, C, OH, OW) back where its maxima came from: (N, C, H, W), y at its switches (row * W + column), else 0.

    Where windows overlap, two of them may point to one place; both then bring the same number, which stands there once.
    """
    return F.max_unpool2d(y, switches, (H, W))[0]


def added_up(right, y, switches, H, W):
    """Where two overlapping windows had the same winner you add the two up; it is one number, so assign (=), not +=."""
    N, C = y.shape[:2]
    x = np.zeros((N, C, H * W))
    for n, c in np.ndindex(N, C):
        np.add.at(x[n, c], switches[n, c].ravel(), y[n, c].ravel())
    return x.reshape(N, C, H, W)


def nearest_neighbour(right, y, switches, H, W):
    """Each number is repeated: that is nearest-neighbour upsampling; put it to one place, its switch, and 0 elsewhere."""
    return y.repeat(2, axis=2).repeat(2, axis=3)[:, :, :H, :W]


def top_left(right, y, switches, H, W):
    """The switches are not used: each number goes to the top left of its window; it belongs where switches points to."""
    x = np.zeros((*y.shape[:2], H, W))
    OH, OW = min(y.shape[2], (H + 1) // 2), min(y.shape[3], (W + 1) // 2)
    x[:, :, : 2 * OH : 2, : 2 * OW : 2] = y[:, :, :OH, :OW]
    return x


def filled_with_the_mean(right, y, switches, H, W):
    """Between the maxima stands their mean; nothing is known about those places, and unpooling puts 0 there."""
    hit = right(np.ones_like(y), switches, H, W) != 0
    return np.where(hit, right(y, switches, H, W), y.mean())


def filled_with_the_least(right, y, switches, H, W):
    """Between the maxima stands the smallest of them; nothing is known about those places, and unpooling puts 0 there."""
    hit = right(np.ones_like(y), switches, H, W) > 0
    return np.where(hit, right(y, switches, H, W), y.min())


def twice_the_size(right, y, switches, H, W):
    """The result is twice as large as y, whatever H and W say: rounding may have cost a row, so H and W are given."""
    x, (OH, OW) = right(y, switches, H, W), y.shape[2:]
    grown = np.zeros((*x.shape[:2], max(H, 2 * OH), max(W, 2 * OW)))
    grown[:, :, :H, :W] = x
    return grown[:, :, : 2 * OH, : 2 * OW]


def transposed_planes(right, y, switches, H, W):
    """Rows and columns are exchanged in the result: row = switch // W, column = switch % W, and then x[row, column]."""
    return right(y, switches, H, W).swapaxes(2, 3)


def decoded_with_the_height(right, y, switches, H, W):
    """You divide by H to get the row; a row is W long: row, column = divmod(switch, W)."""
    rows, columns = switches // H, switches % H
    x = np.zeros((*y.shape[:2], H, W))
    for n, c, i, j in np.ndindex(y.shape):
        x[n, c, rows[n, c, i, j] % H, columns[n, c, i, j] % W] = y[n, c, i, j]
    return x


def one_plane_for_all(right, y, switches, H, W):
    """Everything lands in the first plane: a switch counts within its own picture and channel; treat each by itself."""
    N, C = y.shape[:2]
    x = np.zeros(N * C * H * W)
    x[switches.ravel()] = y.ravel()
    return x.reshape(N, C, H, W)


def switches_of_the_first(right, y, switches, H, W):
    """All planes use the switches of the first one; each picture and each channel has switches of its own."""
    return right(y, np.broadcast_to(switches[:1, :1], switches.shape), H, W)


def _unpool_cases() -> list[tuple]:
    rng = np.random.default_rng(63)
    cases = []
    for shape, kernel, stride, ceil_mode in (
        ((1, 1, 4, 6), 2, 2, False), ((2, 3, 4, 6), 2, 2, False), ((2, 2, 5, 7), 2, 2, True), ((1, 2, 7, 9), 2, 2, False),
        ((2, 2, 7, 5), 3, 2, False),
    ):  # fmt: skip
        y, cache = F.max_pool2d(rng.normal(size=shape), kernel, stride, ceil_mode=ceil_mode)
        cases.append((y, F.max_pool2d_indices(cache), *shape[2:]))
    return cases


MAX_UNPOOL = Exercise(
    max_unpool,
    _unpool_cases(),
    (
        added_up, nearest_neighbour, top_left, filled_with_the_mean, filled_with_the_least, twice_the_size, transposed_planes,
        decoded_with_the_height, one_plane_for_all, switches_of_the_first,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (RELU_BACKWARD, MAX_POOL, SWITCHES, MAX_UNPOOL)
