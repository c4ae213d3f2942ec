# %% [markdown]
# # 17 · On the GPU
#
# A processor is a clever clerk, or a few of them. A GPU is ten thousand forgetful clerks who all do the same thing at
# the same time, and who must not touch the same cell. What they do is written in a language of their own, CUDA C; how
# one *thinks* for them can be learnt in Python. In this lesson you write for them with a simulator that runs your
# program in any order, counts what it reads, and tells when two clerks are in each other's way. Then you read the
# library's CUDA C, which is the same text. No GPU is needed. At the end you know
#
# - what a thread, a block and a grid are, and why every kernel begins with the same two lines,
# - what a race is, why one run that comes out right proves nothing, and two cures,
# - what a tile is for, and why a warp should read along a row,
# - what TF32 rounds away,
# - which of our layers wait for arithmetic, and which for memory.
#
# You need lesson 03 (im2col), lesson 06 (ReLU) and lesson 10 (stamps).

# %%
import inspect

import numpy as np

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.backend import get_xp
from minifcn.course.simulator import SCHEDULES, Deadlock, OutOfBounds, launch
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.kernels.cuda import launch as cuda
from minifcn.visualize import style
from minifcn.visualize.board import Board, amount_colours

# %% [markdown]
# ## The same line on both
#
# Most of this library does not know where it runs. CuPy has NumPy's functions for arrays that lie on a GPU, and
# `get_xp` says which of the two an array belongs to. The line behind it is the same.


# %%
def softmax(x):
    xp = get_xp(x)  # numpy here, cupy on a GPU
    e = xp.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


x = np.random.default_rng(17).normal(size=(2, 5, 3, 4))
print(get_xp(x).__name__)
assert get_xp(x) is np
assert np.allclose(softmax(x), F.softmax(x))

# %% [markdown]
# For what is slow in such lines, somebody writes a **kernel**: what *one* clerk does (the word has nothing to do with
# the kernel of a convolution). The clerks are **threads**. Threads stand in **blocks** of equal size, the blocks make a
# **grid**, and a thread knows three numbers: its block, its place in it, and how large a block is. From them it works
# out which number is *its* number.
#
# The backward of ReLU, for the simulator (`minifcn.course.simulator`):


# %%
def relu_backward(t, dy, y, dx):
    i = t.block * t.size + t.thread
    if i < dx.size:
        dx[i] = dy[i] if y[i] > 0 else 0.0


rng = np.random.default_rng(0)
dy, y = rng.normal(size=1000), rng.normal(size=1000)
dx = np.zeros(1000)
launch(relu_backward, 4, 256, dy, y, dx)
print("right:", np.array_equal(dx, np.where(y > 0, dy, 0)))
assert np.array_equal(dx, np.where(y > 0, dy, 0))

# %% drawing
board = Board(6.5, 21)
numbers = np.arange(25).reshape(5, 5)
board.grid(numbers // 8, 1.2, 0, title="5 x 5 numbers: which block", colours=None)
board.grid(numbers % 8, 1.2, 8, title="which thread in it", colours=None)
board.write("blocks of 8 threads:", 2.0, 14.4, align="left", size=0.38)
board.write("4 blocks, 32 threads,", 3.0, 14.4, align="left", size=0.38)
board.write("7 of them idle", 4.0, 14.4, align="left", size=0.38)
assert (numbers // 8).max() + 1 == 4
assert 4 * 8 - 25 == 7
vis.show(
    board.figure,
    "grid",
    "Twenty-five numbers shared out to blocks of eight threads.",
)

# %% [markdown]
# Why `if i < dx.size`? There are always whole blocks.
#
# **Predict.** 1,000 numbers, blocks of 256: how many blocks, how many threads, how many of them idle?
#
# <details><summary>Answer</summary>
#
# 4 blocks (3 would be 768 threads), 1,024 threads, 24 idle ones.
#
# </details>
#
# **Break it.** Leave the guard away. The symptom on a GPU: *none*, often. A thread writes behind the array, into
# whatever lies there: another array of yours. The simulator says who it was.


# %%
def without_guard(t, dy, y, dx):
    i = t.block * t.size + t.thread
    dx[i] = dy[i] if y[i] > 0 else 0.0


try:
    launch(without_guard, 4, 256, dy, y, dx)
    said = ""
except OutOfBounds as error:
    said = str(error)
print(said)
assert said == "block 3, thread 232 uses number 1000 of an array of 1000"
assert 4 * 256 - 1000 == 24

# %% [markdown]
# And here is the library's own kernel. Read it beside yours: `blockIdx.x` is the block, `blockDim.x` the size,
# `threadIdx.x` the thread.

# %%
source = (cuda.FOLDER / "relu.cu").read_text(encoding="utf-8")
print(source[source.index('extern "C"') :])
assert "i < total" in source
assert "y[i] > REAL(0) ? dy[i] : REAL(0)" in source

# %% [markdown]
# ## A race
#
# Lesson 10 made pictures larger with stamps: each pixel prints the kernel, times its value, and where stamps overlap,
# they add up. It is natural to give each *pixel* a thread. Four pixels, four threads, a 3x3 stamp, stride 2:


# %%
def stamps(t, x, weight, y):
    row, column = divmod(t.thread, 2)
    for a in range(3):
        for b in range(3):
            place = (2 * row + a) * 5 + 2 * column + b
            y[place] = y[place] + x[t.thread] * weight[3 * a + b]


pixels = np.array([[1.0, 2], [3, 4]])
stamp = np.array([[1.0, 0, -1], [2, 1, 0], [0, 1, 3]])
large = np.zeros((5, 5))
launch(stamps, 1, 4, pixels, stamp, large)
print(large)
right, _ = F.conv_transpose2d(pixels[None, None], stamp[None, None], stride=2)
assert np.array_equal(large, right[0, 0])
assert large.sum() == pixels.sum() * stamp.sum() == 70

# %% [markdown]
# Right! In this order. But who says in which order ten thousand clerks work?
#
# **Predict.** The same kernel under five schedules: one thread after the other; the last one first; shuffled; by turns;
# and *all read, and then all write*. Which of these four or five goes wrong?
#
# <details><summary>Answer</summary>
#
# Only the last. There each thread reads a cell, adds its part, and writes it back, and has not seen what another one
# has added in the meantime: one of the two parts is lost. On a GPU that is the usual case.
#
# </details>

# %%
sums = {}
for schedule in SCHEDULES:
    large = np.zeros((5, 5))
    run = launch(stamps, 1, 4, pixels, stamp, large, schedule=schedule)
    wrong = large != right[0, 0]
    sums[schedule] = large.sum()
    print(
        f"{schedule:24} sum {large.sum():3.0f}, wrong {wrong.sum()}, races {len(run.races)}"
    )
assert [sums[name] for name in SCHEDULES] == [70, 70, 70, 53, 70]
assert len(run.races) == 9
late = np.zeros((5, 5))
launch(stamps, 1, 4, pixels, stamp, late, schedule="all read, then all write")
assert (late != right[0, 0]).sum() == 5
assert late[2, 2] == right[0, 0, 2, 2] == 4  # the middle is right, by luck

# %% drawing
board = Board(7.2, 22)
values = right[0, 0].astype(int)
board.grid(values, 1.2, 0, title="right")
board.grid(late.astype(int), 1.2, 8, title="all read, then all write")
for row, column in np.argwhere(late != right[0, 0]):
    board.frame(1.2 + row, 8 + column, 1, 1, style.FRAME)
board.write("dark red: a part is lost", 6.8, 8, align="left", size=0.38)
vis.show(
    board.figure,
    "race",
    "The stamps of four threads, in order and all at once. The cells in dark red have lost "
    "a part.",
)

# %% [markdown]
# A **race**: two threads use one cell, at least one of them writes, and nothing keeps them apart. There were nine such
# cells under *every* schedule, and five wrong numbers under one. The middle cell, where all four stamps meet, came out
# right by luck. So "it gave the right answer once" says nothing; one must look for the race, not for the wrong number.
# Here is what happens in one cell:
#
# | time | thread 0 | thread 1 | the cell |
# |---|---|---|---|
# | 1 | reads 0 | | 0 |
# | 2 | | reads 0 | 0 |
# | 3 | adds -1 | | 0 |
# | 4 | | adds 2 | 0 |
# | 5 | writes -1 | | -1 |
# | 6 | | writes 2 | 2, and 1 would be right |
#
# **Cure 1, atomics.** The hardware can read, add and write in one piece. It is right under every schedule; but the
# *order* of the additions is open, and with floating numbers another order has other last digits.


# %%
def stamps_with_atomics(t, x, weight, y):
    row, column = divmod(t.thread, 2)
    for a in range(3):
        for b in range(3):
            place = (2 * row + a) * 5 + 2 * column + b
            t.atomic_add(y, place, x[t.thread] * weight[3 * a + b])


for schedule in SCHEDULES:
    large = np.zeros((5, 5))
    run = launch(stamps_with_atomics, 1, 4, pixels, stamp, large, schedule=schedule)
    assert np.array_equal(large, right[0, 0])
    assert run.races == []
third, hundred = np.float32(1 / 3), np.float32(100)
print("another order:", (third + hundred) - hundred, "and", third + (hundred - hundred))
assert (third + hundred) - hundred != third + (hundred - hundred)

# %% [markdown]
# **Cure 2, gather.** Give each *output* a thread, and let it look for the pixels that print on it. Now every cell has
# one writer. No race, no atomics, one order, the same bits every time. This is how all kernels of this library work.


# %%
def gathered(t, x, weight, y):
    if t.thread >= 25:
        return
    row, column = divmod(t.thread, 5)
    total = 0.0
    for a in range(3):
        for b in range(3):
            down, across = row - a, column - b
            if down % 2 == 0 and across % 2 == 0 and 0 <= down < 4 and 0 <= across < 4:
                total += x[down // 2 * 2 + across // 2] * weight[3 * a + b]
    y[t.thread] = total


for schedule in SCHEDULES:
    large = np.zeros((5, 5))
    run = launch(gathered, 1, 32, pixels, stamp, large, schedule=schedule)
    print(
        f"{schedule:24} right: {np.array_equal(large, right[0, 0])}, races {len(run.races)}"
    )
    assert np.array_equal(large, right[0, 0])
    assert run.races == []

# %% [markdown]
# **So much for:** "It gave the right answer once, so there is no race."
#
# ## Reading less
#
# A convolution with one thread an output reads nine numbers for each: 256 outputs, 2,304 reads of x. But neighbours
# read nearly the same. A block can fetch the piece that it needs *once*, into memory that its threads share (a
# **tile**), wait until all of it is there, and read from the tile. To wait for one another is `__syncthreads()` in
# CUDA, and `yield` here.
#
# **Predict.** A block makes 16 x 16 outputs of a 3x3 convolution. How large is its tile, and how many times fewer reads
# is that?
#
# <details><summary>Answer</summary>
#
# 18 x 18 = 324 numbers, 7.1 times fewer than 2,304. (A single pixel more on each side is enough.)
#
# </details>


# %%
def naive(t, x, weight, y):
    row, column = divmod(t.thread, 16)
    total = 0.0
    for a in range(3):
        for b in range(3):
            total += x[(row + a) * 18 + column + b] * weight[3 * a + b]
    y[t.thread] = total


def tiled(t, x, weight, y):
    tile = t.shared("tile", 18 * 18)
    for k in range(t.thread, 18 * 18, t.size):
        tile[k] = x[k]
    yield  # until every thread of the block has put its numbers there
    row, column = divmod(t.thread, 16)
    total = 0.0
    for a in range(3):
        for b in range(3):
            total += tile[(row + a) * 18 + column + b] * weight[3 * a + b]
    y[t.thread] = total


image, _ = draw(
    ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55)), 12
)
patch = image[30:48, 20:38, 1] / 255.0  # 18 x 18 of picture 12
reads = {}
for kernel in (naive, tiled):
    out = np.zeros((16, 16))
    run = launch(kernel, 1, 256, patch, stamp, out)
    reads[kernel.__name__] = run.reads[0]
    print(f"{kernel.__name__}: {run.reads[0]} reads of x, races {len(run.races)}")
    correlated, _ = F.conv2d(patch[None, None], stamp[None, None])
    assert np.allclose(out, correlated[0, 0])
assert reads == {"naive": 2304, "tiled": 324}

# %% drawing
seen = np.zeros((18, 18))
for a in range(3):
    for b in range(3):
        seen[a : a + 16, b : b + 16] += 1
board = Board(20.5, 42, cell=0.22)
for k, (title, counts) in enumerate((("naive", seen), ("tile", np.ones((18, 18))))):
    colours = amount_colours(counts, 9)
    for row in range(18):
        for column in range(18):
            board.frame(
                1.6 + row, 21 * k + column, 1, 1, style.RULE, width_points=0.4,
                fill=tuple(colours[row, column]),
            )  # fmt: skip
    board.write(f"{title}: {int(counts.sum())} reads", 0.7, 21 * k, align="left", size=0.8)
assert seen.sum() == 2304
vis.show(
    board.figure,
    "tile",
    "How often each of the 18 x 18 numbers is fetched, naively and with a tile; the "
    "darkest blue is nine times.",
)

# %% [markdown]
# **Break it.** Forget the `yield`. The symptom: **numbers that nobody wrote**: threads read the tile before it is full.
# And put it into an `if`, so that not all threads come to it: those that do wait for ever.

# %%
without_waiting = inspect.getsource(tiled).replace("    yield  #", "    pass  #")
space = {}
exec(without_waiting, space)
outcomes = []
for schedule in SCHEDULES:
    out = np.zeros((16, 16))
    run = launch(space["tiled"], 1, 256, patch, stamp, out, schedule=schedule)
    outcomes.append(bool(np.allclose(out, correlated[0, 0])))
print("right:", dict(zip(SCHEDULES, outcomes, strict=True)), " races:", len(run.races))
assert not any(outcomes)
assert len(run.races) > 0


def some_wait(t, x):
    if t.thread < 10:
        yield
    x[t.thread] = 1.0


try:
    launch(some_wait, 1, 256, np.zeros(256))
    stuck = ""
except Deadlock as error:
    stuck = str(error)
print(stuck)
assert stuck == "10 threads of block 0 wait for 246 that have ended"

# %% [markdown]
# ## Reading together
#
# Threads do not read one by one either. A **warp** is 32 threads that read at the same moment, and memory comes in
# lines of 128 bytes: 32 numbers of float32.
#
# **Predict.** A warp reads 32 numbers side by side in a row of a picture 500 wide: how many lines are fetched? And 32
# numbers one below the other?
#
# <details><summary>Answer</summary>
#
# One (or two, where the row does not begin on a line), and 32: for each number a line of 128 bytes, of which 124 are
# thrown away. So neighbouring threads should work on neighbouring columns.
#
# </details>

# %%
across = np.arange(32) * 4 // 128
down = np.arange(32) * 500 * 4 // 128
print("along a row:", len(np.unique(across)), " down a column:", len(np.unique(down)))
assert len(np.unique(across)) == 1
assert len(np.unique(down)) == 32

# %% drawing
board = Board(10.4, 33)
for k, (title, step) in enumerate((("along a row", (0, 1)), ("down a column", (1, 0)))):
    board.write(title, 0.6, 17 * k, align="left", weight="bold")
    for row in range(8):
        fetched = row == 0 or bool(step[0])
        colour = style.tint(style.BLUE, 0.35) if fetched else style.PAPER
        board.frame(1.2 + row, 17 * k, 0.9, 15.5, style.RULE, width_points=0.8, fill=colour)
    for j in range(8):
        row, column = 1.2 + step[0] * j, 17 * k + 0.2 + step[1] * j
        board.frame(
            row + 0.1, column, 0.7, 0.7, style.INK, width_points=0.8, fill=style.BLUE
        )
board.write("light blue: lines that are fetched", 9.9, 0, align="left", size=0.4)
vis.show(
    board.figure,
    "coalescing",
    "Eight threads of a warp read eight numbers (dark blue): from one line of memory, or "
    "from eight.",
)

# %% [markdown]
# ## Fewer digits
#
# Since 2020 NVIDIA's GPUs have units that multiply small matrices in one go. They are ten times as fast as ordinary
# arithmetic, and they look at 10 of a number's 23 bits behind the point: **TF32**. What they *add* up is float32.


# %%
def tf32(x):
    """Rounded to 10 bits behind the leading one, halves away from zero."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


print(tf32(1 / 3), tf32(2047), tf32(2049), tf32(np.float32([-1 / 3, 1e-3])))
assert abs(tf32(1 / 3) - 0.33325195) < 1e-8
assert abs(tf32(1 / 3) * 3 - 1) <= 2**-11
assert (tf32(2047), tf32(2049)) == (2047, 2050)

# %% [markdown]
# **Predict.** How wrong does a product of two 256 x 256 matrices become?
#
# <details><summary>Answer</summary>
#
# By 3 parts in 10,000 of its largest number, where float32 is off by less than one in a million. Training does not
# mind: the noise of a batch is far greater. Gradient checks do. With three such products (write each number as a
# rounded one and a rest) one gets float32's digits back, and is still faster.
#
# </details>

# %%
rng = np.random.default_rng(0)
A, B = rng.normal(size=(2, 256, 256)).astype(np.float32)
exact = A.astype(np.float64) @ B.astype(np.float64)


def off(product):
    return float(np.abs(product - exact).max() / np.abs(exact).max())


A_rest, B_rest = tf32(A - tf32(A)), tf32(B - tf32(B))
three = tf32(A) @ tf32(B) + (tf32(A) @ B_rest + A_rest @ tf32(B))
errors = {"float32": off(A @ B), "TF32": off(tf32(A) @ tf32(B)), "three TF32": off(three)}
print({name: f"{error:.0e}" for name, error in errors.items()})
assert 1e-4 < errors["TF32"] < 6e-4
assert errors["float32"] < 2e-6
assert errors["three TF32"] < 3e-6

# %% drawing
board = Board(7.4, 28)
for k, (name, bits) in enumerate(
    (("float32", 23), ("TF32", 10), ("float16", 10), ("bfloat16", 7))
):
    row = 0.8 + 1.5 * k
    board.write(name, row + 0.5, 0, align="left", weight="bold")
    exponent = 5 if name == "float16" else 8
    board.frame(row, 4, 1, 0.6, style.INK, width_points=0.8, fill=style.PADDING)
    board.frame(
        row, 4.6, 1, 0.6 * exponent, style.INK, False, 0.8, style.tint(style.GREEN, 0.45)
    )
    board.frame(
        row, 4.6 + 0.6 * exponent, 1, 0.6 * bits, style.INK, width_points=0.8,
        fill=style.tint(style.BLUE, 0.45),
    )  # fmt: skip
    board.write(
        f"{exponent} + {bits} bits",
        row + 0.5,
        5.4 + 0.6 * (exponent + bits),
        align="left",
        size=0.36,
    )
vis.show(
    board.figure,
    "bits",
    "Four kinds of numbers: the sign, how large it is (green), and its digits (blue).",
)

# %% [markdown]
# ## What a layer waits for
#
# A GPU does many multiply-adds in the time that it takes to fetch one byte: an H100, by its data sheet, about 10 in
# float32 and about 70 in TF32. A layer that does fewer per byte waits for memory, whatever one does to its arithmetic.


# %%
def products_a_byte(C, O, K, H, W):
    """Of a KxK convolution: each array is read or written once, 4 bytes a number."""
    return C * O * K * K * H * W / (4 * (C * H * W + O * H * W + C * O * K * K))


amounts = {
    "ReLU": 1 / 8,  # one comparison; a number read, one written
    "conv1_1, 3 -> 64": products_a_byte(3, 64, 3, 573, 698),
    "score, 4096 -> 21": products_a_byte(4096, 21, 1, 12, 16),
    "conv1_2, 64 -> 64": products_a_byte(64, 64, 3, 573, 698),
    "fc6, 7x7": products_a_byte(512, 4096, 7, 12, 16),
    "conv3_2, 256 -> 256": products_a_byte(256, 256, 3, 144, 175),
}
for name, amount in amounts.items():
    print(f"{name:20} {amount:6.1f} multiply-adds a byte")
assert amounts["ReLU"] < amounts["conv1_1, 3 -> 64"] < 10 < amounts["conv1_2, 64 -> 64"]
assert amounts["fc6, 7x7"] < 70 < amounts["conv3_2, 256 -> 256"]

# %% drawing
board = Board(8.6, 29)
board.write(
    "multiply-adds a byte, on a scale of powers of ten",
    0.5,
    0,
    align="left",
    weight="bold",
)
place = lambda amount: 9 + 5 * (np.log10(amount) + 1)  # noqa: E731
for k, (name, amount) in enumerate(amounts.items()):
    board.write(name, 1.9 + k, 0, align="left", size=0.36)
    board.frame(
        1.5 + k, 9, 0.8, place(amount) - 9, style.BLUE, width_points=0, fill=style.BLUE
    )
for amount, name in ((10, "float32"), (70, "TF32")):
    board.frame(1.2, place(amount), 6.4, 0.05, style.FRAME)
    board.write(name, 8.1, place(amount), size=0.36)
vis.show(
    board.figure,
    "roofline",
    "Layers of FCN-8s on a picture of 375 x 500. What ends left of a dark red line waits "
    "for memory.",
)

# %% [markdown]
# So ReLU should never be a kernel of its own where it can be the last line of another one: this library writes it into
# the convolution before it. And fc6, with the most weights of all, waits for its weights.
#
# What came out on a real one (an H100, FCN-8s at full width, 375 x 500, the README has the table): a training step
# takes 11.8 ms at batch 1, and PyTorch's 12.4; at batch 4 it takes 31.7, and PyTorch's 28.7. A student's report on the
# same network: "The checkpoint was so heavy that CUDA ran out of memory." Another needed 11 GB of a GTX 1080 Ti for
# batches of one.
#
# ## To think about
#
# Two threads write the *same* value into the same cell. Is that a race?
#
# <details><summary>Answer</summary>
#
# By the rules, yes, and the simulator says so. On today's GPUs the cell then holds that value. But a compiler may rely
# on there being no races, and the next change of the program makes the values differ.
#
# </details>


# %%
def same_value(t, x):
    x[0] = 7.0


run = launch(same_value, 1, 2, np.zeros(1))
print(run.races)
assert run.races == [(0, 0)]

# %% [markdown]
# A sum over a million numbers with one thread a number: each thread adds its number to one cell, atomically. What is
# wrong with that?
#
# <details><summary>Answer</summary>
#
# Nothing but the time: all wait for one cell, one after the other. And in float32 the sum loses digits, for once it is
# large, small numbers vanish beside it. Sums of pairs, then of pairs of pairs, cure both.
#
# </details>

# %%
tenths = np.full(2**20, 0.1, np.float32)
one_by_one = np.cumsum(tenths)[-1]
pairs = tenths
while pairs.size > 1:
    pairs = pairs[0::2] + pairs[1::2]
print(one_by_one, pairs[0], "should be", 2**20 * 0.1)
assert abs(one_by_one - 104857.6) > 100 * abs(pairs[0] - 104857.6)

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 17 mine.py
#
# The first argument of three of them is `launch`. Write a kernel inside of your function, make the array that it fills,
# and call `launch(kernel, blocks, size, *arrays)` with as many blocks as you need. `launch` runs your kernel under a
# schedule that you do not know. Inside of the kernel, arrays are indexed flat.
#
# **Warm-up.** `tf32(x)`: an array of float32 rounded to 10 bits, as in the lesson.
#
# **Main.** `relu_backward_kernel(launch, dy, y)`: dx of the shape of dy.
#
# **Main.** `im2col_kernel(launch, x, K)`: x (H, W) -> (K · K, OH · OW), as in lesson 03, stride 1, without padding; one
# thread a number.
#
# **Stretch.** `col2im_kernel(launch, columns, H, W, K)`: its adjoint, (K · K, OH · OW) -> (H, W): each number is added
# where it came from.

# %% [markdown]
# ## On one page

# %% drawing
board = Board(7.2, 22)
board.grid(right[0, 0].astype(int), 1.2, 0, title="one writer a cell")
board.grid(late.astype(int), 1.2, 8, title="a race")
for row, column in np.argwhere(late != right[0, 0]):
    board.frame(1.2 + row, 8 + column, 1, 1, style.FRAME)
vis.show(
    board.figure,
    "one_page",
    "The whole lesson: what threads write apart is right under every schedule; where they "
    "meet, parts are lost (dark red).",
)

# %% [markdown]
#     i = block · size + thread;  if i < n
#     race: two threads, one cell, at least one writes, nothing between them
#     scatter needs atomics; gather has one writer a cell
#     tile: (16 + 2)² reads instead of 16² · 9
#     TF32: 10 bits, off by at most 2⁻¹¹
#
# A kernel says what one thread does, and must be right in every order. Where each output gathers what it needs, there
# is no race and the same bits come out every time. Most layers wait for memory, so the art is to read less, together,
# and once.
#
# **What you now own:** `tf32`, `relu_backward_kernel`, `im2col_kernel` and `col2im_kernel` in your `mine.py`.
