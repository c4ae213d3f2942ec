# %% [markdown]
# # 02 · Convolution by hand
#
# A convolution is the one operation that a network for pictures does most of the time. In this lesson you do it with pencil
# and paper first, and then let the library do it and compare. At the end you know
#
# - what one number of a convolution's output means,
# - how large the output is, and what *stride* and *padding* do to it,
# - how colour pictures and many filters fit in,
# - what the seven loops are that every fast convolution has to agree with,
# - and why everybody says "convolution" for something that mathematicians call *correlation*.
#
# You need a little Python and NumPy: what an array is, and that `x[2:5, 0:3]` cuts out rows 2 to 4 and columns 0 to 2.

# %%
import inspect

import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.kernels.convolution import loops
from minifcn.layers import Conv2d

# %% [markdown]
# ## A picture is a table of numbers
#
# Here is a very small picture of the letter X, 9 pixels tall and 9 wide. Each pixel is one number: 1 where there is ink, −1
# where there is paper. It comes from a lecture on fully convolutional networks (a deck of slides); we will compute all that
# the lecture shows.

# %%
x = -np.ones((9, 9))
for i in range(1, 8):
    x[i, i] = 1  # the stroke that goes down to the right
    x[i, 8 - i] = 1  # the stroke that goes down to the left

vis.show(
    vis.draw_table(x, "x"),
    "picture",
    "The letter X as 9 x 9 numbers. Orange cells are +1 (ink), blue cells −1 (paper).",
)
print("shape:", x.shape, " pixels with ink:", int((x == 1).sum()))
assert x.shape == (9, 9)
assert (x == 1).sum() == 13  # two strokes of 7 pixels that share the one in the middle

# %% [markdown]
# ## A kernel is a small picture of what we look for
#
# The X has two kinds of strokes. Let us look for the one that goes down to the right. A tiny picture of such a stroke, 3 by
# 3, is our **kernel** (also called *filter*): the pattern that we will hold against every place of the picture.

# %%
kernel = np.array([
    [1.0, -1.0, -1.0],
    [-1.0, 1.0, -1.0],
    [-1.0, -1.0, 1.0],
])  # fmt: skip
vis.show(
    vis.draw_table(kernel, "kernel"),
    "kernel",
    "The kernel: a stroke that goes down to the right, 3 by 3.",
)

# %% [markdown]
# ## One window, one number
#
# Lay the kernel on the top left corner of x. The piece of x below it is called a **window**. How well do the two agree?
# Multiply them cell by cell. Where both say ink, 1 · 1 = 1. Where both say paper, (−1) · (−1) = 1 as well. Where they
# disagree, 1 · (−1) = −1. So each cell votes +1 for "agree" or −1 for "disagree", and the sum counts the votes.

# %%
window = x[0:3, 0:3]
products = window * kernel

board = vis.Board(4, 13.5)
for column, sign, title, values in (
    (0, "×", "window", window),
    (5, "=", "kernel", kernel),
    (10, "", "products", products),
):
    board.grid(values, 1, column, title=title)
    board.write(sign, 2.5, column + 4, size=0.8)
vis.show(
    board.figure,
    "window",
    "The window at the top left, times the kernel, cell by cell. Eight cells agree (+1), one does not (−1): the stroke's first "
    "pixel is missing in the corner of the window.",
)
print("sum of the products:", products.sum())
assert (products == 1).sum() == 8
assert products.sum() == 7

# %% [markdown]
# Eight cells agree and one does not: 8 − 1 = 7. The lecture divides this by 9, the number of cells, so that a perfect match
# gives 1, and writes 0.77.

# %%
print(products.sum() / 9)
assert abs(products.sum() / 9 - 7 / 9) < 1e-12

# %% [markdown]
# ## Slide it over the whole picture
#
# Now do the same everywhere. Move the window one pixel to the right, multiply, add up, write the number down; at the end of
# the row go back to the left and one pixel down. That is all a convolution does.

# %%
vis.show(
    vis.animate_sliding(x, kernel / 9, text="{:.2f}"),
    "sliding",
    "The window (red frame) visits all places of x, row by row. Each place gives one number of y.",
)
vis.show(
    vis.draw_sliding(x, kernel / 9, step=8, text="{:.2f}"),
    "perfect_match",
    "Stopped at the second row, second column: the window holds just the stroke that the kernel shows, all nine cells agree, "
    "and y is 1.00, the greatest number it can be.",
)
assert (x[1:4, 1:4] * kernel).sum() / 9 == 1

# %% [markdown]
# The library does the same with one call. It always works on a whole *batch* of pictures at once, each with several
# *channels* (such as red, green and blue), so it wants arrays with four axes. We have one picture with one channel, and
# `x[None, None]` puts two axes of length 1 in front. What they mean comes in a moment.

# %%
y, _ = F.conv2d(
    x[None, None], kernel[None, None] / 9
)  # (1, 1, 7, 7); the second result is for lesson 04
table = y[0, 0]  # (7, 7)
for row in table:
    print("  ".join(f"{number:5.2f}" for number in row))

# %% [markdown]
# The lecture prints this very table, with one difference: it writes 0.77 where we write 0.78. Seven ninths is 0.7777..., and
# the lecture *cuts* the digits off after the second, while we *round*. Cut ours in the same way, and all 49 numbers agree.

# %%
lecture = np.array([
    [0.77, -0.11, 0.11, 0.33, 0.55, -0.11, 0.33],
    [-0.11, 1.00, -0.11, 0.33, -0.11, 0.11, -0.11],
    [0.11, -0.11, 1.00, -0.33, 0.11, -0.11, 0.55],
    [0.33, 0.33, -0.33, 0.55, -0.33, 0.33, 0.33],
    [0.55, -0.11, 0.11, -0.33, 1.00, -0.11, 0.11],
    [-0.11, 0.11, -0.11, 0.33, -0.11, 1.00, -0.11],
    [0.33, -0.11, 0.55, 0.33, 0.11, -0.11, 0.77],
])  # fmt: skip
cut = np.trunc(table * 100 + 1e-9 * np.sign(table)) / 100
print("greatest difference from the lecture's table:", np.abs(cut - lecture).max())
assert np.array_equal(cut, lecture)

# %% [markdown]
# ## Read the answer
#
# y is a map: "how much does the picture look like the kernel, here?" The perfect matches, 1.00, lie exactly along the stroke
# that goes down to the right. The other stroke, which goes down to the *left*, gives small numbers: it is not what we asked
# for.

# %%
vis.show(
    vis.draw_table(table, "y"),
    "response",
    "The map y, 7 by 7. The strongest orange runs down to the right, where the picture has the stroke that the kernel shows. "
    "In the very middle the two strokes cross, and the match is only 0.56.",
)
matches = np.argwhere(np.isclose(table, 1))
print("places where all nine cells agree:", matches.tolist())
assert matches.tolist() == [[1, 1], [2, 2], [4, 4], [5, 5]]
assert np.isclose(table[3, 3], 5 / 9)
assert (
    np.abs([table[1, 5], table[2, 4], table[4, 2], table[5, 1]]).max() < 0.2
)  # on the other stroke

# %% [markdown]
# ## How large is the answer?
#
# x has 9 rows, but y has only 7. Why? The window is 3 rows tall. Its top row can lie on row 0, 1, 2, ... of x, but not on row
# 7: there its bottom row would be row 9, and x ends with row 8. Count the places where it fits.

# %%
board = vis.Board(4.8, 14.5)
board.grid(np.arange(9)[None], 0, 0, colours=(1, 1, 1))
board.write("the 9 rows of x", 0.5, 9.4, align="left", size=0.36)
for line, (top, said) in enumerate(
    [
        (0, "first place: top at 0"),
        (1, "second place: top at 1"),
        (6, "last place: top at 6"),
    ]
):
    board.frame(1.5 + line * 1.2, top, 0.8, 3, fill="#f7c05c")
    board.write(said, 1.9 + line * 1.2, 9.4, align="left", size=0.36)
vis.show(
    board.figure,
    "ruler",
    "The rows of x laid out as a ruler, and the window (3 long) at its first, second and last place. Its top goes from 0 to "
    "9 − 3 = 6, and 0 to 6 are seven places.",
)
assert len(range(0, 9 - 3 + 1)) == 7 == table.shape[0]

# %% [markdown]
# From here on we use short names, the same in the whole course and in the whole library. H is the height of the input and KH
# the height of the kernel; OH is the height of the output. The top of the window goes from 0 to H − KH, so there are
#
#     OH = H − KH + 1
#
# places. Do not forget the + 1: a fence with 6 gaps has 7 posts. The same holds for the widths W, KW and OW.
#
# ## Stride: take bigger steps
#
# Instead of moving by one pixel each time, the window may move by two, or by S. This S is called the **stride**. The output
# gets smaller: that is how a network makes its pictures smaller on the way.

# %%
ramp = np.arange(49.0).reshape(7, 7)
ones = np.ones((3, 3))
vis.show(
    vis.draw_sliding(ramp, ones, stride=2, step=1),
    "stride",
    "Stride 2: the second window begins two columns to the right of the first, and the output is only 3 by 3.",
)
strided, _ = F.conv2d(ramp[None, None], ones[None, None], stride=2)
print(strided[0, 0])
assert strided.shape == (1, 1, 3, 3)
assert np.isclose(
    strided[0, 0, 0, 1], ramp[0:3, 2:5].sum()
)  # the second window begins at column 2

# %% [markdown]
# ## Padding: a border of zeros
#
# The pixels at the border of x lie in fewer windows than those inside, and the output shrinks with every convolution. To stop
# both, lay a border of zeros around x, P pixels wide on each side. This is called **padding**. With a 3 by 3 kernel and P = 1
# the output has the size of the input.

# %%
small = np.arange(1.0, 17).reshape(4, 4)
vis.show(
    vis.draw_sliding(small, ones, padding=1, step=0),
    "padding",
    "A 4 by 4 picture with one ring of zeros (grey). The first window hangs over the edge, and the output is 4 by 4 again.",
)
padded, _ = F.conv2d(small[None, None], ones[None, None], padding=1)
print(padded[0, 0])
assert padded.shape == (1, 1, 4, 4)
assert np.isclose(
    padded[0, 0, 0, 0], 1 + 2 + 5 + 6
)  # the other five cells of the first window are padding

# %% [markdown]
# Put the two together. With padding the input is H + 2·P rows tall (P above and P below). The window's top goes from 0 in
# steps of S, as long as it fits: (H + 2·P − KH) // S steps, where `//` divides and drops the remainder, and one more place
# than there are steps:
#
#     OH = (H + 2·P − KH) // S + 1
#
# A formula like this is easy to get wrong by one. So let us ask the library for many sizes, and compare each time.

# %%
compared = 0
for H in range(3, 12):
    for K in range(1, 4):
        for S in range(1, 4):
            for P in range(0, 3):
                out, _ = F.conv2d(
                    np.zeros((1, 1, H, H)), np.zeros((1, 1, K, K)), stride=S, padding=P
                )
                assert out.shape[2] == (H + 2 * P - K) // S + 1
                compared += 1
print("sizes compared:", compared)
assert compared == 9 * 3 * 3 * 3

# %% [markdown]
# ## Colour: one kernel for each channel, one sum
#
# A colour picture has three **channels**: red, green and blue, each a table of its own. A kernel then has three tables too,
# one for each channel. Slide all three together; add up all the products of all channels, 27 of them; and add one more
# number, the **bias**, which is the same at every place. The result is still *one* number.
#
# The lecture shows the top left corner of a photograph, with a padding of 1. We only know the 5 by 5 pixels that it prints.

# %%
photo = np.array([
    [[156, 155, 156, 158, 158], [153, 154, 157, 159, 159], [149, 151, 155, 158, 159], [146, 146, 149, 153, 158],
     [145, 143, 143, 148, 158]],
    [[167, 166, 167, 169, 169], [164, 165, 168, 170, 170], [160, 162, 166, 169, 170], [156, 156, 159, 163, 168],
     [155, 153, 153, 158, 168]],
    [[163, 162, 163, 165, 165], [160, 161, 164, 166, 166], [156, 158, 162, 165, 166], [155, 155, 158, 162, 167],
     [154, 152, 152, 157, 167]],
], dtype=float)  # (3, 5, 5): channel, row, column  # fmt: skip
kernels_rgb = np.array([
    [[-1, -1, 1], [0, 1, -1], [0, 1, 1]],
    [[1, 0, 0], [1, -1, -1], [1, 0, -1]],
    [[0, 1, 1], [0, 1, 0], [1, -1, 1]],
], dtype=float)  # (3, 3, 3): one 3 x 3 kernel for each channel  # fmt: skip
bias = 1.0

# %% [markdown]
# The first window lies half on the padding. Compute each channel by itself first, as the lecture does.

# %%
corner = np.pad(photo, ((0, 0), (1, 1), (1, 1)))[
    :, 0:3, 0:3
]  # (3, 3, 3): the first window of each channel
sums = (corner * kernels_rgb).sum(axis=(1, 2))  # (3,): one sum a channel

board = vis.Board(13.2, 14)
for c, name in enumerate(("red", "green", "blue")):
    row = 0.9 + c * 4.3
    grey_border = np.where((corner[c] == 0)[..., None], 0.91, 1.0)  # padding in grey
    board.grid(corner[c], row, 0, title=f"window, {name}", colours=grey_border)
    board.write("×", row + 1.5, 4, size=0.8)
    board.grid(kernels_rgb[c], row, 5, title=f"kernel, {name}")
    board.write(
        f"adds up to  {sums[c]:.0f}".replace("-", "−"),
        row + 1.5,
        8.6,
        align="left",
        size=0.45,
    )
vis.show(
    board.figure,
    "rgb",
    "The first window of each colour (its grey cells are padding) times that colour's kernel. The three sums are 308, −498 "
    "and 164.",
)
print("sum of each channel:", sums, " all with the bias:", sums.sum() + bias)
assert sums.tolist() == [308, -498, 164]
assert 308 - 498 + 164 + 1 == -25 == sums.sum() + bias

# %% [markdown]
# And the library, in one call. Its first number is the −25 of the lecture. (The last row and column of what it gives here
# would see more of the photograph than the lecture prints, so we leave them out.)

# %%
y, _ = F.conv2d(photo[None], kernels_rgb[None], np.array([bias]), padding=1)  # (1, 1, 5, 5)
print(y[0, 0, :4, :4])
assert np.isclose(y[0, 0, 0, 0], -25)

# %% [markdown]
# ## Many filters at once
#
# One kernel answers one question. A network asks many questions about the same picture, so it has many kernels, and each
# gives its own table: each becomes one **output channel**. Ask our X for both strokes.

# %%
both = (
    np.stack([kernel, kernel[:, ::-1]])[:, None] / 9
)  # (2, 1, 3, 3): two kernels, each for one input channel
y, _ = F.conv2d(x[None, None], both)  # (1, 2, 7, 7)

board = vis.Board(8, 15)
board.grid(y[0, 0], 1, 0, title="channel 0: down to the right")
board.grid(y[0, 1], 1, 8, title="channel 1: down to the left")
vis.show(
    board.figure,
    "two_filters",
    "Two kernels, two answers: each stroke lights up in the channel that asked for it.",
)
assert y.shape == (1, 2, 7, 7)
assert np.allclose(
    y[0, 1], y[0, 0][:, ::-1]
)  # the X is its own mirror image, so the answers mirror each other

# %% [markdown]
# Now all four axes have a meaning, and a letter each. These letters are the same everywhere in the library:
#
# | array | axes | in words |
# |---|---|---|
# | x | (N, C, H, W) | N pictures, each with C channels of H rows and W columns |
# | weight | (O, C, KH, KW) | O filters, each with one kernel of KH by KW for each of the C input channels |
# | bias | (O,) | one number for each filter |
# | y | (N, O, OH, OW) | N answers, each with O channels of OH rows and OW columns |
#
# ## The seven loops
#
# Written down without any trick, a convolution is seven loops around one multiplication: for each picture, each filter, each
# output row and column; and for each of these, over the input channels and the rows and columns of the kernel. The library
# contains these loops. They are slow, and they are the *definition*: every faster way to compute a convolution is tested
# against them. This is its source:

# %%
print(inspect.getsource(loops.forward))
print(inspect.getsource(loops._products))

# %% [markdown]
# (`g.SH`, `g.PH` and `g.DH` are stride, padding and *dilation* along the height; dilation spreads the kernel's cells apart,
# and `g.G` counts *groups*, which cut the channels into independent sets. Both are 1 in this lesson, and then those letters
# drop out.)
#
# `kernels.using("loops")` makes the library compute with them. Do the loops and the default agree?

# %%
fast, _ = F.conv2d(x[None, None], both)
with kernels.using("loops"):
    slow, _ = F.conv2d(x[None, None], both)
print("greatest difference:", np.abs(fast - slow).max())
assert np.allclose(fast, slow, rtol=0, atol=1e-12)

# %% [markdown]
# How much work is it? One multiplication for each turn of the innermost loop, so multiply the lengths of all seven loops.
# Even for our tiny X and two filters that is 882. For one layer of a real network it is billions: the second layer of VGG16,
# a well-known network, has 64 input and 64 output channels; give it a photograph of 375 by 500 pixels. Lesson 03 is about
# doing them fast.

# %%
geometry = kernels.Geometry.of((1, 1, 9, 9), (2, 1, 3, 3))
print("our X:", 1 * 2 * 7 * 7 * 1 * 3 * 3, "multiplications")
assert geometry.macs == 1 * 2 * 7 * 7 * 1 * 3 * 3 == 882

layer_of_vgg = kernels.Geometry.of((1, 64, 375, 500), (64, 64, 3, 3), padding=1)
print(f"one layer of VGG16, one photograph: {layer_of_vgg.macs:,} multiplications")
assert layer_of_vgg.macs == 64 * 375 * 500 * 64 * 3 * 3 == 6_912_000_000

# %% [markdown]
# ## Correlation or convolution?
#
# In a mathematics book a *convolution* turns the kernel upside down and left to right before it slides. What we did, without
# turning, is called *correlation* there. Networks learn their kernels, and a turned kernel is as easy to learn as an unturned
# one, so nobody turns; but the name "convolution" has stuck.
#
# Our stroke kernel looks the same after such a half turn, so with it you cannot tell the two apart:

# %%
flipped = kernel[::-1, ::-1]
assert np.array_equal(flipped, kernel)

# %% [markdown]
# Take another one, and a picture with a single bright pixel. Correlation leaves a *turned* copy of the kernel around that
# pixel; the mathematician's convolution leaves an unturned one. That is what she turns it for.

# %%
dot = np.zeros((5, 5))
dot[2, 2] = 1
numbers = np.arange(1.0, 10).reshape(3, 3)

correlation, _ = F.conv2d(dot[None, None], numbers[None, None])
convolution, _ = F.conv2d(dot[None, None], numbers[None, None, ::-1, ::-1])

board = vis.Board(6, 19)
board.grid(dot, 1, 0, title="picture")
board.grid(numbers, 2, 6.5, title="kernel")
board.grid(correlation[0, 0], 2, 11, title="correlation")
board.grid(convolution[0, 0], 2, 15.5, title="convolution")
vis.show(
    board.figure,
    "turned",
    "One bright pixel seen through the kernel 1 to 9. Correlation, which networks use, gives the kernel turned by half a turn "
    "(9 first); convolution in the mathematical sense gives it as it is (1 first).",
)
assert np.allclose(correlation[0, 0], numbers[::-1, ::-1])
assert np.allclose(convolution[0, 0], numbers)

# %% [markdown]
# Remember this half turn. It comes back in lesson 04, where we ask how each pixel has influenced the result, and in lesson
# 10, where a deconvolution makes a picture larger.
#
# ## A layer
#
# In a network, weight and bias belong to a **layer**, an object that keeps them and, later, learns them. It calls the same
# function.

# %%
layer = Conv2d(
    in_channels=1, out_channels=2, kernel_size=3, rng=np.random.default_rng(0)
).to("float64")
layer.weight.data[:] = both
layer.bias.data[:] = [0, 1]
y = layer(x[None, None])
print(layer)
assert np.allclose(y[0, 0], table)
assert np.allclose(y[0, 1], table[:, ::-1] + 1)  # the second filter's bias is 1

# %% [markdown]
# ## Exercises
#
# Write both functions into one file, say `mine.py`, and let the library look at it:
#
#     minifcn lesson check 2 mine.py
#
# It does not only say right or wrong. If your numbers differ, it tries the usual mistakes and tells you which one you made.
#
# **1.** `output_size(H, K, S, P)`: the height of the output, for an input of height H, a kernel of height K, stride S and
# padding P on both sides. All are whole numbers, and so is the answer.
#
# **2.** `conv2d(x, weight, bias, stride, padding)`: x is (N, C, H, W), weight is (O, C, KH, KW), bias is (O,), stride and
# padding are whole numbers. Return y, (N, O, OH, OW). Loops are fine, the arrays are small. (Only NumPy, please: the library
# has the answer already.)
#
# To think about:
#
# - Which 3 by 3 kernel gives back the picture unchanged, with padding 1? Which one moves it by one pixel to the left?
# - All kernels of this lesson answer with large numbers where the picture looks like them. What does a kernel of nine ones
#   divided by 9 do to a photograph?
