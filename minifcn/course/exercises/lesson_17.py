"""Exercises of lesson 17: TF32, and three kernels, launched under schedules that the reader does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.course import simulator
from minifcn.course.exercises import Exercise

BLOCK = 32

# -------------------------------------------------------------------------------------------------------------- tf32


def tf32(x):
    """x, an array of float32, rounded to 10 bits behind the leading one; halves away from zero."""
    return _rounded(x, 13)


def _rounded(x, lost):
    """Without the last so many of the 23 bits behind the point."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << (lost - 1))) & np.uint32(0xFFFFFFFF << lost & 0xFFFFFFFF)).view(np.float32)


def cut_off(right, x):
    """The last 13 bits are cut off; round: add half of the last bit that stays before you cut."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFFE000)).view(np.float32)


def eleven_bits(right, x):
    """You keep 11 bits behind the leading one; TF32 keeps 10."""
    return _rounded(x, 12)


def nine_bits(right, x):
    """You keep 9 bits behind the leading one; TF32 keeps 10."""
    return _rounded(x, 14)


def bfloat16(right, x):
    """You keep 7 bits: that is bfloat16. TF32 keeps 10."""
    return _rounded(x, 16)


def thirteen_kept(right, x):
    """You keep 13 bits and drop 10; it is the other way round."""
    return _rounded(x, 10)


def towards_plus(right, x):
    """Halves and negative numbers are rounded upwards; a negative half goes away from zero, down."""
    x = np.asarray(x, np.float64)
    step = 2.0 ** (np.floor(np.log2(np.abs(np.where(x == 0, 1, x)))) - 10)
    return np.floor(x / step + 0.5) * step


def halves_to_even(right, x):
    """Halves go to the even neighbour; here they go away from zero, as in the lesson."""
    x = np.asarray(x, np.float64)
    step = 2.0 ** (np.floor(np.log2(np.abs(np.where(x == 0, 1, x)))) - 10)
    return np.round(x / step) * step


def fixed_point(right, x):
    """You round to a multiple of 2⁻¹⁰, whatever the size of x; the 10 bits begin behind its own leading one."""
    return np.round(np.asarray(x, np.float64) * 1024) / 1024


def float16(right, x):
    """That is float16: as many digits, but numbers below 6e-5 lose them, and 65,520 is infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(x, np.float32).astype(np.float16)


def sign_lost(right, x):
    """The sign is lost: rounding leaves it as it is."""
    return np.abs(right(x))


def _tf32_cases() -> list[tuple]:
    rng = np.random.default_rng(170)
    return [
        (np.array([1 / 3, 2047, 2049], np.float32),),
        (np.array([-1 / 3, 0, -4.5, 0.1], np.float32),),
        (np.array([2051, -2049, -2051, 1 + 2**-11, 3e-7], np.float32),),
        (rng.normal(0, 100, (3, 4)).astype(np.float32),),
        (np.array([1e-6, 7.77e-6, 98765.4, 123456.7], np.float32),),
    ]


TF32 = Exercise(
    tf32,
    _tf32_cases(),
    (
        cut_off, eleven_bits, nine_bits, bfloat16, thirteen_kept, towards_plus, halves_to_even, fixed_point, float16, sign_lost,
    ),
    step="warm-up",
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- launches


def _launcher(name: str, schedule: str) -> Callable[..., Any]:
    def launch(kernel, blocks, size, *arrays):
        if size > 1024:
            raise ValueError(f"a block has at most 1024 threads, not {size}: take more blocks")
        return simulator.launch(kernel, int(blocks), int(size), *arrays, schedule=schedule)

    launch.__name__ = launch.__qualname__ = name
    return launch


IN_ORDER = _launcher("one_after_the_other", "in order")
BACKWARDS = _launcher("the_last_one_first", "backwards")
AT_ONCE = _launcher("all_read_then_all_write", "all read, then all write")
SHUFFLED = _launcher("shuffled", "shuffled")


def _over(launch, count, kernel, *arrays, blocks=None):
    """A launch of one thread for each of so many numbers."""
    launch(kernel, -(-count // BLOCK) if blocks is None else blocks, BLOCK, *arrays)


# ----------------------------------------------------------------------------------------------------- relu_backward


def relu_backward_kernel(launch, dy, y):
    """dx of the shape of dy: dy where y > 0, else 0; one thread a number."""
    return _relu(launch, dy, y)


def _relu(launch, dy, y, index=None, rule=None, blocks=None):
    def kernel(t, dy, y, dx):
        i = t.block * t.size + t.thread if index is None else index(t)
        if i < dx.size:
            dx[i] = (rule or _passed)(dy[i], y[i])

    dx = np.zeros(dy.shape)
    _over(launch, dy.size, kernel, dy, y, dx, blocks=blocks)
    return dx


def _passed(dy, y):
    return dy if y > 0 else 0.0


def thread_alone(right, launch, dy, y):
    """Only the first numbers are done, of one block: the index is block · size + thread, in as many blocks as it takes."""
    return _relu(launch, dy, y, index=lambda t: t.thread)


def block_alone(right, launch, dy, y):
    """All threads of a block work on one number: the index is block · size + thread."""
    return _relu(launch, dy, y, index=lambda t: t.block)


def thread_times_block(right, launch, dy, y):
    """Block and thread are multiplied; the index is block · size + thread."""
    return _relu(launch, dy, y, index=lambda t: t.block * t.thread)


def block_plus_thread(right, launch, dy, y):
    """The block is not multiplied by its size; the index is block · size + thread."""
    return _relu(launch, dy, y, index=lambda t: t.block + t.thread)


def rounded_down(right, launch, dy, y):
    """The number of blocks is rounded down, and the last numbers have no thread: round up."""
    return _relu(launch, dy, y, blocks=dy.size // BLOCK)


def zero_passes(right, launch, dy, y):
    """Where y is 0 the gradient is 0; you let it through: y > 0, not y >= 0."""
    return _relu(launch, dy, y, rule=lambda dy, y: dy if y >= 0 else 0.0)


def turned_round(right, launch, dy, y):
    """The gradient passes where y is not positive; it is the other way round."""
    return _relu(launch, dy, y, rule=lambda dy, y: 0.0 if y > 0 else dy)


def sign_of_dy(right, launch, dy, y):
    """It is the sign of dy that you look at; y decides."""
    return _relu(launch, dy, y, rule=lambda dy, y: dy if dy > 0 else 0.0)


def forward(right, launch, dy, y):
    """That is ReLU itself, of y; its backward lets dy through."""
    return _relu(launch, dy, y, rule=lambda dy, y: y if y > 0 else 0.0)


def ones(right, launch, dy, y):
    """That is the derivative of ReLU, 1 or 0; it is still to be multiplied by dy."""
    return _relu(launch, dy, y, rule=lambda dy, y: 1.0 if y > 0 else 0.0)


def flat(right, launch, dy, y):
    """Your result is flat; it has the shape of dy."""
    return right(launch, dy, y).ravel()


def _relu_cases() -> list[tuple]:
    rng = np.random.default_rng(171)
    cases = []
    for launch, shape in ((IN_ORDER, (3, 5)), (BACKWARDS, (7, 11)), (AT_ONCE, (2, 3, 13)), (SHUFFLED, (129,))):
        y = np.maximum(rng.normal(size=shape), 0)
        y.flat[0], y.flat[1], y.flat[-1] = 0, 1.5, 0.5
        cases.append((launch, rng.normal(size=shape), y))
    return cases


RELU_BACKWARD = Exercise(
    relu_backward_kernel,
    _relu_cases(),
    (
        thread_alone, block_alone, thread_times_block, block_plus_thread, rounded_down, zero_passes, turned_round,
        sign_of_dy, forward, ones, flat,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------ im2col


def im2col_kernel(launch, x, K):
    """x (H, W) -> columns (K · K, OH · OW), OH = H - K + 1: row a · K + b holds x[i + a, j + b] for each window (i, j)."""
    return _im2col(launch, x, K)


def _im2col(launch, x, K, source=None, blocks=None):
    H, W = x.shape
    OH, OW = H - K + 1, W - K + 1

    def kernel(t, x, columns):
        n = t.block * t.size + t.thread
        if n >= columns.size:
            return
        tap, window = divmod(n, OH * OW)
        (a, b), (i, j) = divmod(tap, K), divmod(window, OW)
        columns[n] = x[(source or _at)(i, j, a, b, W, K)]

    columns = np.zeros((K * K, OH * OW))
    _over(launch, columns.size, kernel, x, columns, blocks=blocks)
    return columns


def _at(i, j, a, b, W, K):
    return (i + a) * W + j + b


def kernel_transposed(right, launch, x, K):
    """Rows and columns of the kernel are exchanged: row a · K + b of the matrix is the tap a rows down, b columns across."""
    return _im2col(launch, x, K, source=lambda i, j, a, b, W, K: (i + b) * W + j + a)


def kernel_turned(right, launch, x, K):
    """The taps come in reverse order: the first row of the matrix is the top left tap."""
    return _im2col(launch, x, K, source=lambda i, j, a, b, W, K: (i + K - 1 - a) * W + j + K - 1 - b)


def blocks_too_few(right, launch, x, K):
    """There are threads for the pixels only, and the matrix has K · K numbers for each window."""
    return _im2col(launch, x, K, blocks=-(-x.size // BLOCK))


def row_step_of_the_output(right, launch, x, K):
    """A row of x is W numbers long, and you step by the width of the output."""
    return _im2col(launch, x, K, source=lambda i, j, a, b, W, K: (i + a) * (W - K + 1) + j + b)


def windows_by_column(right, launch, x, K):
    """The windows are counted down the columns first; along the rows first, as everywhere."""
    H, W = x.shape
    columns = right(launch, x, K).reshape(K * K, H - K + 1, W - K + 1)
    return columns.transpose(0, 2, 1).reshape(K * K, -1)


def windows_as_rows(right, launch, x, K):
    """The matrix is transposed: one *column* a window, one row a tap."""
    return right(launch, x, K).T


def same_pixel(right, launch, x, K):
    """All taps of a window read its first pixel; tap (a, b) reads a rows down and b columns across."""
    return _im2col(launch, x, K, source=lambda i, j, a, b, W, K: i * W + j)


def apart(right, launch, x, K):
    """The windows lie side by side, K apart; at stride 1 they overlap."""
    H = len(x)

    def source(i, j, a, b, W, K):
        row, column = i * K + a, j * K + b
        return row * W + column if row < H and column < W else 0

    return _im2col(launch, x, K, source=source)


def _im2col_cases() -> list[tuple]:
    rng = np.random.default_rng(172)
    sizes = ((IN_ORDER, (3, 4), 2), (AT_ONCE, (5, 7), 3), (BACKWARDS, (6, 5), 2), (SHUFFLED, (4, 9), 4))
    return [(launch, rng.normal(size=size), K) for launch, size, K in sizes]


IM2COL = Exercise(
    im2col_kernel,
    _im2col_cases(),
    (
        kernel_transposed, kernel_turned, blocks_too_few, row_step_of_the_output, windows_by_column, windows_as_rows,
        same_pixel, apart,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------ col2im


def col2im_kernel(launch, columns, H, W, K):
    """columns (K · K, OH · OW) -> (H, W): the adjoint of im2col, each number added to the pixel that it came from."""
    return _col2im(launch, columns, H, W, K)


def _col2im(launch, columns, H, W, K, tap=lambda a, b, K: a * K + b, inside=None):
    OH, OW = H - K + 1, W - K + 1

    def kernel(t, columns, y):
        n = t.block * t.size + t.thread
        if n >= y.size:
            return
        row, column = divmod(n, W)
        total = 0.0
        for a in range(K):
            for b in range(K):
                i, j = row - a, column - b
                if 0 <= i < OH and 0 <= j < OW and (inside is None or inside(i, j)):
                    total += columns[tap(a, b, K) * OH * OW + i * OW + j]
        y[n] = total

    y = np.zeros((H, W))
    _over(launch, y.size, kernel, columns, y)
    return y


def race(right, launch, columns, H, W, K):
    """Two threads add to one pixel, and each has read it before the other has written: a part is lost. Give each *pixel* a
    thread that gathers, or use t.atomic_add."""
    OH, OW = H - K + 1, W - K + 1

    def kernel(t, columns, y):
        n = t.block * t.size + t.thread
        if n < columns.size:
            tap, window = divmod(n, OH * OW)
            place = (window // OW + tap // K) * W + window % OW + tap % K
            y[place] = y[place] + columns[n]

    y = np.zeros((H, W))
    _over(launch, columns.size, kernel, columns, y)
    return y


def overwritten(right, launch, columns, H, W, K):
    """A pixel keeps only one of the numbers that came from it; they are added."""
    OH, OW = H - K + 1, W - K + 1
    y = np.zeros((H, W))
    for n in range(columns.size):
        tap, window = divmod(n, OH * OW)
        y[window // OW + tap // K, window % OW + tap % K] = columns.flat[n]
    return y


def averaged(right, launch, columns, H, W, K):
    """The numbers of a pixel are averaged; the adjoint adds them."""
    return right(launch, columns, H, W, K) / right(launch, np.ones(columns.shape), H, W, K)


def taps_transposed(right, launch, columns, H, W, K):
    """Rows and columns of the kernel are exchanged: row a · K + b belongs to the tap a rows down and b columns across."""
    return _col2im(launch, columns, H, W, K, tap=lambda a, b, K: b * K + a)


def taps_turned(right, launch, columns, H, W, K):
    """The taps are taken in reverse order."""
    return _col2im(launch, columns, H, W, K, tap=lambda a, b, K: K * K - 1 - a * K - b)


def first_row_lost(right, launch, columns, H, W, K):
    """Windows in the first row or column are left out: i and j begin with 0."""
    return _col2im(launch, columns, H, W, K, inside=lambda i, j: i > 0 and j > 0)


def middle_tap(right, launch, columns, H, W, K):
    """Only the first row of the matrix is used; all K · K taps put their numbers back."""
    return _col2im(launch, columns * (np.arange(K * K) == 0)[:, None], H, W, K)


def _col2im_cases() -> list[tuple]:
    rng = np.random.default_rng(173)
    sizes = ((IN_ORDER, 3, 4, 2), (AT_ONCE, 5, 7, 3), (AT_ONCE, 4, 3, 2), (SHUFFLED, 4, 9, 4))
    return [(launch, rng.normal(size=(K * K, (H - K + 1) * (W - K + 1))), H, W, K) for launch, H, W, K in sizes]


COL2IM = Exercise(
    col2im_kernel,
    _col2im_cases(),
    (race, overwritten, averaged, taps_transposed, taps_turned, first_row_lost, middle_tap),
    step="stretch",
)

EXERCISES = (TF32, RELU_BACKWARD, IM2COL, COL2IM)
