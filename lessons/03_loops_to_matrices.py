# %% [markdown]
# # 03 · From loops to matrices
#
# Lesson 02 ended with seven loops that compute a convolution. They are right, and so slow that
# nobody could train anything with them. This lesson makes them thousands of times faster, in
# four steps, and the numbers stay what they are. Not one multiplication is saved on the way;
# that comes afterwards, and is the smaller gain. At the end you know
#
# - where the time of the loops goes (not into multiplications),
# - how a convolution becomes *one* product of two matrices (**im2col**),
# - what that costs in memory, and how **strips** pay less,
# - how two multiplications of six can be saved (**Winograd**), and why that need not be
#   faster.
#
# You need lesson 02, and from school what a product of two matrices is: row times column.

# %%
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.visualize import style
from minifcn.visualize.board import Board, plain
from minifcn.visualize.im2col import pixel_colours

# %% [markdown]
# This is what today's lesson does to picture 12. On the left the picture (small), in the middle
# the matrix that it becomes: one column for each window of 3 × 3, one row for each of the nine
# cells of a window. A convolution is then a single row of numbers times that matrix.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12 = draw(options, 12)[0].mean(axis=2) / 255  # (90, 120): grey, 0 to 1
tiny = picture_12[::6, ::6]  # (15, 20)


def columns_of(x, KH, KW):
    """x (H, W) -> (KH·KW, windows): each window of KH x KW as a column."""
    OH, OW = x.shape[0] - KH + 1, x.shape[1] - KW + 1
    return np.stack(
        [x[kh : kh + OH, kw : kw + OW].ravel() for kh in range(KH) for kw in range(KW)]
    )


upright = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])  # finds edges that stand upright
matrix = columns_of(tiny, 3, 3)
edges = upright.ravel() @ matrix
print("picture:", tiny.shape, " matrix:", matrix.shape, " result:", edges.shape)
assert matrix.shape == (9, 13 * 18)
assert np.allclose(edges, F.conv2d(tiny[None, None], upright[None, None])[0].ravel())


# %% drawing
def grey(values, least, most, times=1):
    """Numbers from least (black) to most (white) as grey pixels."""
    shade = np.clip((values - least) / (most - least), 0, 1)
    pixels = (255 * shade[..., None] * np.ones(3)).astype(np.uint8)
    return pixels.repeat(times, 0).repeat(times, 1)


vis.show(
    vis.draw_pictures(
        [
            grey(tiny, 0, 1, 12),
            grey(matrix[:, :54], 0, 1, 3),
            grey(edges.reshape(13, 18), -2, 2, 12),
        ],
        ("picture 12, small", "its first 54 windows as columns", "upright edges"),
        height=3.4,
    ),
    "strip",
    "Picture 12, the first of its 234 windows as columns of nine numbers, and what one row "
    "of numbers times the whole matrix gives. On the right grey is 0.",
)

# %% [markdown]
# ## Where does the time go?
#
# Here are the loops, for a small layer: 8 channels of 34 × 34, 8 filters of 3 × 3.

# %%
rng = np.random.default_rng(3)
x = rng.normal(size=(1, 8, 34, 34))  # (N, C, H, W)
weight = rng.normal(size=(8, 8, 3, 3))  # (O, C, KH, KW)


def loops(x, weight):
    """The definition, as in lesson 02: no padding, stride 1."""
    (N, C, H, W), (O, _, KH, KW) = x.shape, weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, O, OH, OW))
    for n in range(N):
        for o in range(O):
            for oh in range(OH):
                for ow in range(OW):
                    for c in range(C):
                        for kh in range(KH):
                            for kw in range(KW):
                                y[n, o, oh, ow] += (
                                    x[n, c, oh + kh, ow + kw] * weight[o, c, kh, kw]
                                )
    return y


right = loops(x, weight)
count = right.size * weight[0].size
print(f"{right.size:,} results of {weight[0].size} products: {count:,} multiplications")
assert count == 589_824
assert np.allclose(right, F.conv2d(x, weight)[0])

# %% [markdown]
# **Predict.** This takes about a quarter of a second. A processor multiplies some ten billion
# numbers in a second. What would 589,824 multiplications alone take, and where does the rest
# go?
#
# <details><summary>Answer</summary>
#
# 60 millionths of a second: four thousand times less. The rest goes into what Python does
# around each multiplication: seven loop variables, four indices to check for each array, three
# numbers taken out of arrays and one put back, each wrapped into an object. The cure is
# therefore not to multiply less. It is to hand NumPy *many* numbers at a time.
#
# </details>

# %%
ideal = count / 10e9  # seconds
print(f"{1e6 * ideal:.0f} millionths of a second")
print(f"a quarter of a second is {0.25 / ideal:,.0f} times that")
assert 4000 < 0.25 / ideal < 4500

# %% [markdown]
# ## First step: a window at a time
#
# The three innermost loops multiply a window with a filter and add up. NumPy does that in one
# go. Python is now asked once for each *result*, not once for each product.


# %%
def windows(x, weight):
    (N, _, H, W), (O, _, KH, KW) = x.shape, weight.shape
    y = np.zeros((N, O, H - KH + 1, W - KW + 1))
    for n, o, oh, ow in np.ndindex(y.shape):
        y[n, o, oh, ow] = np.sum(x[n, :, oh : oh + KH, ow : ow + KW] * weight[o])
    return y


assert np.allclose(windows(x, weight), right)
print(f"asked {right.size:,} times instead of {count:,} times")

# %% [markdown]
# ## Second step: a kernel cell at a time
#
# Turn it around. Take *one* cell of the kernel, (kh, kw). Every result needs the pixel that
# lies kh rows below and kw columns right of its own corner. All these pixels together are the
# picture, shifted. So the whole convolution is nine shifted pictures, each multiplied by the
# weights of one cell, and added.


# %%
def taps(x, weight):
    (N, _, H, W), (O, _, KH, KW) = x.shape, weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, O, OH, OW))
    for kh in range(KH):
        for kw in range(KW):
            shifted = x[:, :, kh : kh + OH, kw : kw + OW]  # (N, C, OH, OW)
            y += np.einsum("oc,nchw->nohw", weight[:, :, kh, kw], shifted)
    return y


assert np.allclose(taps(x, weight), right)
print("asked 9 times")

# %% [markdown]
# (`np.einsum("oc,nchw->nohw", a, b)` multiplies what has the same letters and adds up over
# letters that are gone on the right, here c: "for each filter, add up over the channels".)
#
# ## Third step: one matrix
#
# Nine shifted pictures: write them *below each other*, and nine products with nine sums become
# one product of two matrices. That is **im2col**, "image to columns". On a small picture, each
# pixel with a name:

# %% drawing
letters = np.arange(12.0).reshape(3, 4)
vis.show(
    vis.draw_im2col(letters, 2, step=1, letters=True),
    "im2col",
    "A picture of 3 × 4 and its six windows of 2 × 2. Each window is a column; the second "
    "one is framed on both sides. Every row of the matrix is the picture, shifted.",
)

# %% [markdown]
# Look along a *row* of the matrix: a b c, e f g are the picture's own rows, without the last
# column. The next row is the same, one pixel to the right. These are the shifted pictures of
# the second step. Look down a *column*, and you see one window, as in the first step. Both are
# in the same numbers.
#
# **Predict.** The X of lesson 02 has 9 × 9 = 81 pixels. With windows of 3 × 3, how many numbers
# does its matrix hold?
#
# <details><summary>Answer</summary>
#
# 7 × 7 = 49 windows with nine numbers each: 441. Each pixel inside is in nine windows, so it is
# written down nine times; those at the edge less often. That makes 5.4 copies on average.
#
# </details>

# %%
letter_x = -np.ones((9, 9))
for i in range(1, 8):
    letter_x[i, i] = letter_x[i, 8 - i] = 1
x_columns = columns_of(letter_x, 3, 3)
print("columns:", x_columns.shape, " numbers:", x_columns.size, f" copies: {441 / 81:.1f}")
assert x_columns.shape == (9, 49)
assert abs(x_columns.size / letter_x.size - 5.4) < 0.05

stroke = np.array([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]])  # lesson 02's kernel
response = stroke.ravel() @ x_columns
print("the response, as 7 x 7:\n", response.reshape(7, 7).astype(int))
assert response.reshape(7, 7)[0, 0] == 7  # as in lesson 02
assert response.max() == 9

# %% drawing
board = Board(11.2, 31)
ink = np.where(
    x_columns[..., None] > 0, style.tint(style.BLUE, 0.75), style.tint(style.BLUE, 0.1)
)
small = 31 / 49
board.write("the X as columns: 9 × 49, dark is ink", 0.1, 0, align="left", weight="bold")
for i in range(9):
    for j in range(49):
        colour = tuple(ink[i, j])
        board.frame(
            0.7 + i * 0.5, j * small, 0.5, small, colour, width_points=0.3, fill=colour
        )
strength = np.clip(response / 9, 0, 1)
board.write("the kernel's row times each column", 6.4, 0, align="left", weight="bold")
for j in range(49):
    height = 3.4 * strength[j]
    board.frame(
        10.6 - height,
        j * small + 0.08,
        height,
        small - 0.16,
        width_points=0,
        fill=style.BLUE,
    )
board.frame(10.6, 0, 0, 31, width_points=1.2)
vis.show(
    board.figure,
    "x_columns",
    "Above the 49 windows of the X as columns. Below, for each column, what the kernel's "
    "row gives with it: the tallest bars are the places where the stroke lies.",
)
assert (strength == 1).sum() == (response == 9).sum()

# %% [markdown]
# And with channels and filters: the nine rows become C · 9 rows, the kernel's one row becomes
# O rows, one for each filter. A product of two matrices is what computers have been made for,
# more than for anything else; libraries for it are fifty years old.


# %%
def im2col(x, KH, KW):
    """x (N, C, H, W) -> (N, C·KH·KW, OH·OW): rows by channel, kernel row, kernel column."""
    N, C, H, W = x.shape
    OH, OW = H - KH + 1, W - KW + 1
    columns = np.empty((N, C, KH, KW, OH, OW), x.dtype)
    for kh in range(KH):
        for kw in range(KW):
            columns[:, :, kh, kw] = x[:, :, kh : kh + OH, kw : kw + OW]
    return columns.reshape(N, C * KH * KW, OH * OW)


def as_matrices(x, weight):
    (N, C, H, W), (O, _, KH, KW) = x.shape, weight.shape
    y = weight.reshape(O, C * KH * KW) @ im2col(x, KH, KW)  # (N, O, OH·OW)
    return y.reshape(N, O, H - KH + 1, W - KW + 1)


assert np.allclose(as_matrices(x, weight), right)
print(im2col(x, 3, 3).shape, "and then one product")
assert im2col(x, 3, 3).shape == (1, 72, 1024)

# %% [markdown]
# **Predict.** Which of these four pictures shows the times of loops, windows, taps and im2col?
# (Each step to the right is ten times as long.)

# %% drawing
TIMES = {"loops": 274, "windows": 22, "taps": 0.084, "im2col": 0.031}  # milliseconds
CANDIDATES = {
    "A": (274, 137, 68, 34),
    "B": (274, 22, 0.084, 0.031),
    "C": (274, 250, 230, 0.031),
    "D": (274, 22, 19, 17),
}
board = Board(5.6, 46)
for k, (letter, times) in enumerate(CANDIDATES.items()):
    left = 12 * k
    board.write(letter, 0.1, left, align="left", weight="bold")
    for i, (name, time) in enumerate(zip(TIMES, times, strict=True)):
        length = 1.5 * np.log10(time / 0.01)
        board.write(name, 1.1 + 1.1 * i, left, align="left", size=0.34)
        board.frame(
            0.75 + 1.1 * i,
            left + 3,
            0.7,
            length,
            style.BLUE,
            width_points=0,
            fill=style.BLUE,
        )
vis.show(
    board.figure,
    "which_ladder",
    "Four candidates for the times of the same layer, each bar on a scale on which one "
    "step is ten times as long.",
)
assert tuple(TIMES.values()) == CANDIDATES["B"]

# %% [markdown]
# <details><summary>Answer</summary>
#
# B. On one computer (two cores, 2026): loops 274 milliseconds, windows 22, taps 0.084, im2col
# 0.031. The window saves ten of the 72 questions in Python; the tap saves thousands, for it
# asks nine times in all; im2col asks once. Nine thousand times faster, with the very same
# multiplications. Your computer has other times, and the same picture.
#
# </details>

# %%
asked = {"loops": count, "windows": right.size, "taps": 9, "im2col": 1}
print("how often Python is asked:", asked)
assert TIMES["loops"] / TIMES["im2col"] > 100
assert asked["loops"] // asked["windows"] == 72
agree = [np.abs(way(x, weight) - right).max() for way in (windows, taps, as_matrices)]
assert max(agree) < 1e-12

# %% [markdown]
# **So much for:** "To copy every number nine times can only be slower."
#
# ## The order of rows
#
# The weights (O, C, KH, KW) become a matrix by `reshape`, which moves nothing: rows of
# C · KH · KW numbers, channel by channel. The rows of im2col must come in the same order.
#
# **Break it.** Build the columns as (windows, numbers), which is just as natural, and bring them
# into the wanted shape with `reshape` instead of a transposition. The symptom: **the shapes fit,
# no error, and the numbers are nonsense**. A reshape reads the numbers in the order in which they
# lie and only cuts them into other rows; it never turns a table around.

# %%
tall = im2col(x, 3, 3).transpose(0, 2, 1)  # (1, 1024, 72): a window in each row
flat = weight.reshape(8, 72)
turned_around = flat @ tall.transpose(0, 2, 1)
only_cut = flat @ np.ascontiguousarray(tall).reshape(1, 72, 1024)
print("transposed:", np.allclose(turned_around.ravel(), right.ravel()))
print("reshaped:  ", np.allclose(only_cut.ravel(), right.ravel()), only_cut.shape)
assert np.allclose(turned_around.ravel(), right.ravel())
assert only_cut.shape == turned_around.shape
assert not np.allclose(only_cut, turned_around, atol=1)

# %% [markdown]
# ## Another matrix for the same thing
#
# One can also leave the picture as it is, a column of 81 numbers, and write the *kernel* as a
# large matrix, with a row for each of the 49 results. (Lesson 10 needs it.)
#
# **Predict.** How many numbers does that matrix have, and how many of them are not 0?
#
# <details><summary>Answer</summary>
#
# 49 · 81 = 3,969, and only 49 · 9 = 441 of them are not 0. For a real layer it would be
# hopeless: nearly all of it is zeros.
#
# </details>

# %%
dense = np.zeros((49, 81))
for row, (oh, ow) in enumerate(np.ndindex(7, 7)):
    for kh, kw in np.ndindex(3, 3):
        dense[row, 9 * (oh + kh) + ow + kw] = stroke[kh, kw]
print("numbers:", dense.size, " not zero:", np.count_nonzero(dense))
assert (dense.size, np.count_nonzero(dense)) == (3969, 441)
assert np.array_equal(dense @ letter_x.ravel(), response)

# %% drawing
vis.show(
    vis.draw_pictures([grey(-dense, -1, 1, 6)], ("49 × 81, grey is 0",), height=9),
    "dense",
    "The kernel as a matrix of 49 × 81: a row for each result, a column for each pixel. "
    "Black is 1, white is −1, and grey, which is most of it, is 0.",
)

# %% [markdown]
# ## What it costs
#
# im2col copies: every pixel up to nine times. For small layers nobody minds.
#
# **Predict.** The second layer of VGG16 (lesson 09) has 64 channels on a picture of 375 × 500, with
# numbers of 4 bytes. How much memory do its columns take, and how much its weights?
#
# <details><summary>Answer</summary>
#
# 64 · 9 · 375 · 500 · 4 bytes = 432 MB, for one picture and one of sixteen layers. Its weights take
# 0.15 MB. (A report of students on FCN has a section "The problem with the method", and it says:
# "The checkpoint was so heavy that CUDA ran out of memory." It is seldom the weights.)
#
# </details>


# %%
def column_bytes(H, W, C=64, padding=1):
    """Of the columns of a 3 x 3 convolution with this padding."""
    return C * 9 * (H + 2 * (padding - 1)) * (W + 2 * (padding - 1)) * 4


plain_picture = column_bytes(375, 500)
as_in_fcn = column_bytes(375, 500, padding=100)  # the first layer of FCN pads by 100
square_picture = column_bytes(500, 500, padding=100)
print(f"{plain_picture:,} bytes; padded by 100 {as_in_fcn:,}; 500 x 500 {square_picture:,}")
print(f"weights: {64 * 64 * 9 * 4:,} bytes")
assert plain_picture == 432_000_000
assert (as_in_fcn, square_picture) == (921_494_016, 1_122_518_016)
assert 64 * 64 * 9 * 4 == 147_456

# %% drawing
vis.show(
    vis.draw_bars(
        ["weights", "picture 375 x 500", "padded by 100", "500 x 500, padded"],
        np.array([147_456, plain_picture, as_in_fcn, square_picture]) / 1e6,
        "megabytes for the second layer of VGG16: weights, and columns",
        "{:,.1f}",
    ),
    "memory",
    "What im2col's columns take for one picture, beside the weights of the same layer.",
)

# %% [markdown]
# ## Fourth step: strips
#
# Nobody needs all columns at once. A few rows of results at a time are enough: make the columns
# of this **strip**, multiply, write the results, and use the same memory for the next strip.


# %%
def strips(x, weight, rows=8):
    (N, _, H, W), (O, _, KH, KW) = x.shape, weight.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.empty((N, O, OH, OW))
    for top in range(0, OH, rows):
        part = x[:, :, top : min(top + rows, OH) + KH - 1]  # the rows that the strip reads
        y[:, :, top : top + rows] = as_matrices(part, weight)
    return y


assert np.allclose(strips(x, weight), right)
assert np.allclose(strips(x, weight, rows=5), right)

# %% [markdown]
# **Predict.** The picture's sides are doubled. What becomes of the memory that im2col needs beside
# picture and result, and of what strips need?
#
# <details><summary>Answer</summary>
#
# im2col: four times as much, for there are four times as many windows. Strips (of so many bytes
# rather than of so many rows, as the library makes them): the same.
#
# </details>


# %%
def scratch(name, side):
    """Bytes that a kernel of the library needs beside picture and result, on one thread."""
    a = np.ones((1, 32, side, side), np.float32)
    w = np.ones((32, 32, 3, 3), np.float32)

    def convolve(kernel):
        with kernels.using(kernel):
            return F.conv2d(a, w, padding=1)[0]

    # The library keeps a thread's memory for next time; of a new thread it has none
    with ThreadPoolExecutor(1) as new_thread:
        tracemalloc.start()
        y = new_thread.submit(convolve, name).result()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak - y.nbytes


threads = kernels.get_num_threads()
kernels.set_num_threads(1)
sides = 256, 512
used = {name: [scratch(name, side) for side in sides] for name in ("im2col", "strips")}
kernels.set_num_threads(threads)
print({name: [f"{bytes / 1e6:.0f} MB" for bytes in two] for name, two in used.items()})
assert 83e6 < used["im2col"][0] < 85e6
assert 3.9 < used["im2col"][1] / used["im2col"][0] < 4.1
assert max(used["strips"]) < 8e6
assert used["strips"][1] < 1.1 * used["strips"][0]

# %% [markdown]
# Strips have a second gain. A processor has a small, fast memory of its own (its **cache**), and
# columns that fit into it never travel to the slow one and back. The library's strips are cut so
# that they fit.
#
# ## Fewer multiplications: Winograd
#
# So far every multiplication was made. Can some be saved? Take the smallest case: a row of four
# pixels d and three weights g, which give two results:
#
#     y0 = d0·g0 + d1·g1 + d2·g2
#     y1 = d1·g0 + d2·g1 + d3·g2
#
# Six multiplications. Shmuel Winograd found in 1980 that four are enough:
#
#     m1 = (d0 − d2)·g0                    m2 = (d1 + d2)·(g0 + g1 + g2)/2
#     m4 = (d1 − d3)·g2                    m3 = (d2 − d1)·(g0 − g1 + g2)/2
#
#     y0 = m1 + m2 + m3                    y1 = m2 − m3 − m4
#
# What is done to g is done once for the whole picture, so it does not count.


# %%
def winograd(d, g):
    """d (4,), g (3,) -> the two results, and the four products."""
    m1 = (d[0] - d[2]) * g[0]
    m2 = (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2
    m3 = (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2
    m4 = (d[1] - d[3]) * g[2]
    return np.array([m1 + m2 + m3, m2 - m3 - m4]), (m1, m2, m3, m4)


d, g = np.array([1.0, 2, 0, 3]), np.array([2.0, -1, 1])
results, products = winograd(d, g)
print("products:", products, " results:", results)
assert products == (2, 2, -4, -1)
assert np.array_equal(results, np.correlate(d, g))
assert np.array_equal(results, [0, 7])

# %% drawing
board = Board(6.4, 25)
board.write("the definition: six products", 0.3, 0, align="left", weight="bold")
board.grid(d[None], 1.2, 0, title="d", size=0.4)
for row in range(2):
    board.grid((d[row : row + 3] * g)[None], 3.2 + 1.5 * row, 0, size=0.4)
    board.write(
        f"adds up to {results[row]:.0f}", 3.7 + 1.5 * row, 3.6, align="left", size=0.36
    )
board.write("Winograd: four products", 0.3, 13, align="left", weight="bold")
board.grid(g[None], 1.2, 13, title="g", size=0.4)
board.grid(np.array([products]), 3.2, 13, title="m1 to m4", size=0.4)
board.write("m1 + m2 + m3 = 0", 5.1, 13, align="left", size=0.36)
board.write("m2 − m3 − m4 = 7", 5.9, 13, align="left", size=0.36)
vis.show(
    board.figure,
    "winograd",
    "The same two results, on the left from six products of pixels and weights, on the "
    "right from four products of sums.",
)

# %% [markdown]
# **Break it.** In m2 and m3 there is a division by 2. Leave it away. The symptom: the two
# **results are wrong, but only sometimes**: where d1 and d2 are both 0, nothing is seen. A
# check on a picture of zeros, or of a single ink pixel, would pass.


# %%
def without_half(d, g):
    m1, m4 = (d[0] - d[2]) * g[0], (d[1] - d[3]) * g[2]
    m2, m3 = (d[1] + d[2]) * (g[0] + g[1] + g[2]), (d[2] - d[1]) * (g[0] - g[1] + g[2])
    return np.array([m1 + m2 + m3, m2 - m3 - m4])


lucky = np.array([5.0, 0, 0, -2])
print(
    "wrong:",
    without_half(d, g),
    " and lucky:",
    without_half(lucky, g),
    np.correlate(lucky, g),
)
assert not np.allclose(without_half(d, g), np.correlate(d, g))
assert np.array_equal(without_half(lucky, g), np.correlate(lucky, g))

# %% [markdown]
# For pictures it is done in both directions: 2 × 2 results of a 3 × 3 kernel take 4 · 4 = 16
# products instead of 4 · 9 = 36, and 4 × 4 results 36 instead of 144.

# %%
savings = {m: m * m * 9 / (m + 2) ** 2 for m in (2, 4)}
print("times fewer:", savings)
assert savings == {2: 2.25, 4: 4.0}

# %% [markdown]
# Four times fewer multiplications: four times as fast? For our little layer Winograd was
# *slower* than im2col: 0.14 milliseconds beside 0.06, on the same computer. All those sums before
# and behind are work as well, and with 8 channels there is little to save. For a layer of 256
# channels it wins. **Fewer multiplications are not faster**; they *may* be. And there is a price,
# which can be measured: sums of large numbers that nearly cancel lose digits.

# %%
x32, weight32 = x.astype(np.float32), weight.astype(np.float32)
errors = {}
for name in ("im2col", "winograd"):
    with kernels.using(name):
        y32, _ = F.conv2d(x32, weight32)
    errors[name] = np.abs(y32 - right).max()
print("Winograd's largest error is more than three times im2col's")
print(f"results have a standard deviation of {right.std():.1f}")
assert errors["im2col"] < 2e-5
assert 3 * errors["im2col"] < errors["winograd"] < 3e-4
assert 8 < right.std() < 9

# %% [markdown]
# ## To think about
#
# `np.lib.stride_tricks.sliding_window_view` gives all windows of a picture without copying
# anything. Why does im2col copy at all?
#
# <details><summary>Answer</summary>
#
# Because a product of matrices wants its numbers in rows that lie one behind the other. The view
# has the windows in it, but they overlap in memory; NumPy makes the copy when it multiplies, so
# "im2col copies nothing" only moves the copy to where one does not see it. And who *writes* into such
# a view changes several windows at once.
#
# </details>

# %%
board_of = np.arange(12.0).reshape(3, 4)
view = np.lib.stride_tricks.sliding_window_view(board_of, (2, 2), writeable=True)
view[0, 0, 0, 1] = 99.0
assert view[0, 1, 0, 0] == 99.0  # the neighbour's corner: the same number in memory
assert view.reshape(6, 4).base is not board_of  # a matrix of it is a copy

# %% [markdown]
# With stride 2 there are only a quarter of the windows. Which of the functions of this lesson need
# another line, and which one?
#
# <details><summary>Answer</summary>
#
# Only the slices: `x[:, :, kh : kh + 2·OH : 2, kw : kw + 2·OW : 2]` takes every second row and
# column, in taps and in im2col alike. Nothing else changes, since the matrix does not know where
# its windows come from.
#
# </details>


# %%
def strided_columns(x, KH, KW, S):
    N, C, H, W = x.shape
    OH, OW = (H - KH) // S + 1, (W - KW) // S + 1
    parts = [
        x[:, :, kh : kh + S * (OH - 1) + 1 : S, kw : kw + S * (OW - 1) + 1 : S]
        for kh in range(KH)
        for kw in range(KW)
    ]
    return np.stack(parts, axis=2).reshape(N, C * KH * KW, OH * OW)


halved = (weight.reshape(8, 72) @ strided_columns(x, 3, 3, 2)).reshape(1, 8, 16, 16)
assert np.allclose(halved, F.conv2d(x, weight, stride=2)[0])

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 3 mine.py
#
# **Warm-up.** `winograd_1d(d, g)`: the two results of four pixels d and three weights g, by four
# products.
#
# **Main.** `im2col(x, KH, KW, stride, padding)`: x (N, C, H, W), padded with zeros, as columns
# (N, C·KH·KW, OH·OW): rows by channel, kernel row, kernel column; windows row by row.
#
# **Main.** `conv2d_matrix(x, weight, bias, stride, padding)`: the convolution y (N, O, OH, OW) by
# one product of matrices, with weight (O, C, KH, KW) and bias (O,).

# %% [markdown]
# ## On one page

# %% drawing
page = np.array([[1.0, 2, 3], [4, 5, 6]])
page_columns = columns_of(page, 2, 2)
page_kernel = np.array([[1.0, 0], [-1, 2]])
assert np.array_equal(page_kernel.ravel() @ page_columns, [1 - 4 + 10, 2 - 5 + 12])
colours = pixel_colours(2, 3)
column_colours = np.stack([columns_of(colours[..., k], 2, 2) for k in range(3)], axis=-1)
board = Board(6, 24)
board.grid(page, 1.5, 0, title="x", colours=colours)
board.grid(
    page_kernel.reshape(1, 4), 2, 6, title="the kernel as a row", colours=plain((1, 4))
)
board.write("·", 2.5, 10.9, size=0.7)
board.grid(page_columns, 0.8, 12, title="windows as columns", colours=column_colours)
board.write("=", 2.5, 16.3, size=0.7)
board.grid(
    (page_kernel.ravel() @ page_columns)[None], 2, 18, title="y", colours=plain((1, 2))
)
vis.show(
    board.figure,
    "one_page",
    "The whole lesson: windows become columns, kernels become rows, and a convolution is a "
    "product of two matrices.",
)

# %% [markdown]
#     y (O, OH·OW) = weight (O, C·KH·KW) · columns (C·KH·KW, OH·OW)
#     bytes of the columns = C · KH · KW · OH · OW · 4
#     strips: the same, a few rows of results at a time
#     Winograd: (m + 2)² products for m × m results, instead of 9·m²
#
# The time of seven loops goes into asking Python half a million times, so hand NumPy a matrix
# and ask once. Its columns hold every pixel up to nine times, which costs memory; strips pay
# that only for a few rows at a time. Winograd saves multiplications, loses digits, and is
# faster only where there is enough to save.
#
# **What you now own:** `winograd_1d`, `im2col` and `conv2d_matrix` in your `mine.py`.
