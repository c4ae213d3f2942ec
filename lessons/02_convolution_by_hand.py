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
import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.layers import Conv2d

# %% [markdown]
# This is what convolutions make of picture 12 of lesson 01. When you have finished, you can compute every number of the strip.

# %% drawing
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12 = draw(options, 12)[0].mean(axis=2) / 255  # (90, 120): grey, 0 to 1
blur = np.full((5, 5), 1 / 25)
upright = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
stroke = 2 * np.eye(5) - np.eye(5, k=2) - np.eye(5, k=-2)  # bright, dark on both sides
small_pictures = {
    name: F.conv2d(picture_12[None, None], one[None, None])[0][0, 0]
    for name, one in (
        ("blur", blur),
        ("upright edges", upright),
        ("strokes", stroke - stroke.mean()),
    )
}
assert small_pictures["blur"].shape == (86, 116)
assert small_pictures["upright edges"].shape == (88, 118)


def grey(values, least, most):
    """Numbers from least (black) to most (white) as grey pixels."""
    shade = np.clip((values - least) / (most - least), 0, 1)
    return (255 * shade[..., None] * np.ones(3)).astype(np.uint8)


def grey_around_0(values):
    most = np.abs(values).max()
    return grey(values, -most, most)


strip = [grey(picture_12, 0, 1), grey(small_pictures["blur"], 0, 1)]
strip += [grey_around_0(small_pictures[name]) for name in ("upright edges", "strokes")]
vis.show(
    vis.draw_pictures(strip, ("picture 12", *small_pictures), height=3),
    "strip",
    "Picture 12 and three convolutions of it: one makes it soft, one finds edges that "
    "stand upright, one finds strokes that go down to the right. In these two grey is 0.",
)

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
print("shape:", x.shape, " pixels with ink:", int((x == 1).sum()))
assert x.shape == (9, 9)
assert (x == 1).sum() == 13  # two strokes of 7 pixels that share the one in the middle

# %% drawing
vis.show(
    vis.draw_table(x, "x"),
    "picture",
    "The letter X as 9 x 9 numbers. Orange cells are +1 (ink), blue cells −1 (paper).",
)

# %% [markdown]
# ## A kernel is a small picture of what we look for
#
# The X has two kinds of strokes. Let us look for the one that goes down to the right. A tiny picture of such a stroke, 3 by
# 3, is our **kernel** (also called *filter*): the pattern that we will hold against every place of the picture.
#
# ## One window, one number
#
# Lay the kernel on the top left corner of x. The piece of x below the kernel is called a **window**. How well do the two agree?
# Multiply them cell by cell. Where both say ink, 1 · 1 = 1. Where both say paper, (−1) · (−1) = 1 as well. Where they
# disagree, 1 · (−1) = −1. So each cell votes +1 for "agree" or −1 for "disagree", and the sum counts the votes.

# %%
kernel = np.array([
    [1.0, -1.0, -1.0],
    [-1.0, 1.0, -1.0],
    [-1.0, -1.0, 1.0],
])  # fmt: skip
window = x[0:3, 0:3]
products = window * kernel

# %% [markdown]
# **Predict.** The first window has its corner on the paper outside of the X. How many of the nine cells agree with the kernel,
# and what is the sum?
#
# <details><summary>Answer</summary>
#
# Eight agree and one does not, the corner: the kernel wants ink there, and the stroke begins one pixel later. 8 − 1 = 7.
#
# </details>

# %%
print("sum of the products:", products.sum())
assert (products == 1).sum() == 8
assert products[0, 0] == -1
assert products.sum() == 7

# %% drawing
board = vis.Board(4, 13.5)
parts = (
    (0, "×", "window", window),
    (5, "=", "kernel", kernel),
    (10, "", "products", products),
)
for column, sign, title, values in parts:
    board.grid(values, 1, column, title=title)
    board.write(sign, 2.5, column + 4, size=0.8)
vis.show(
    board.figure,
    "window",
    "The window at the top left, times the kernel, cell by cell. Eight cells agree (+1), "
    "one does not (−1): the stroke's first pixel is missing in the corner of the window.",
)

# %% [markdown]
# The lecture divides this by 9, the number of cells, so that a perfect match gives 1, and writes 0.77.

# %%
print(products.sum() / 9)
assert abs(products.sum() / 9 - 7 / 9) < 1e-12

# %% [markdown]
# ## Slide it over the whole picture
#
# Now do the same everywhere. Move the window one pixel to the right, multiply, add up, write the number down; at the end of
# the row go back to the left and one pixel down. That is all a convolution does.

# %%
assert (x[1:4, 1:4] * kernel).sum() == 9  # one to the right and one down: a perfect match
assert (x[1:4, 1:4] * kernel).sum() / 9 == 1

# %% drawing
vis.show(
    vis.animate_sliding(x, kernel / 9, text="{:.2f}"),
    "sliding",
    "The window (dark red frame) visits all places of x, row by row. Each place gives one "
    "number of y, here divided by 9.",
)
vis.show(
    vis.interactive("window", x, kernel, start=(1, 1)),
    "perfect_match",
    "The votes, before dividing. At the second row, second column the window holds just "
    "the stroke that the kernel shows, and all nine cells agree. In the page that `minifcn "
    "lesson open 2` shows, point at any number of y to see the window that gives it.",
)

# %% [markdown]
# The library does the same with one call. It always works on a whole *batch* of pictures at once, each with several
# *channels* (such as red, green and blue), so it wants arrays with four axes. We have one picture with one channel, and
# `x[None, None]` puts two axes of length 1 in front. What they mean comes in a moment.

# %%
y, _ = F.conv2d(x[None, None], kernel[None, None] / 9)  # (1, 1, 7, 7); the rest: lesson 04
table = y[0, 0]  # (7, 7)
for row in table:
    print("  ".join(f"{number:5.2f}" for number in row))
assert table.shape == (7, 7)
assert np.isclose(table[0, 0], 7 / 9)

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
matches = np.argwhere(np.isclose(table, 1))
print("places where all nine cells agree:", matches.tolist())
assert matches.tolist() == [[1, 1], [2, 2], [4, 4], [5, 5]]
assert np.isclose(table[3, 3], 5 / 9)
other_stroke = [table[1, 5], table[2, 4], table[4, 2], table[5, 1]]
assert np.abs(other_stroke).max() < 0.2

# %% drawing
vis.show(
    vis.draw_table(table, "y"),
    "response",
    "The map y, 7 by 7. The strongest orange runs down to the right, where the picture has "
    "the stroke that the kernel shows. In the very middle the two strokes cross, and the "
    "match is only 0.56.",
)

# %% [markdown]
# **Predict.** Look at row 0, column 3 of the map. The window there, rows 0 to 2 and columns 3 to 5 of x, is *blank paper*: no
# ink at all. Why does it get 0.33, more than most of the other stroke?
#
# <details><summary>Answer</summary>
#
# Because paper agrees with paper. The kernel has six cells of paper and three of ink; blank paper agrees with the six and
# disagrees with the three: (6 − 3) / 9 = 0.33. Our kernel does not only look for a stroke, it also likes emptiness.
#
# </details>

# %%
blank = x[0:3, 3:6]
print(
    "blank paper:", table[0, 3].round(2), " cells that agree:", int((blank == kernel).sum())
)
assert (blank == -1).all()
assert (blank == kernel).sum() == 6
assert np.isclose(table[0, 3], (6 - 3) / 9)

# %% [markdown]
# Write 0 instead of −1 for paper, in the picture, and the vote of blank paper vanishes: 0 times anything is 0.

# %%
ink_only = np.where(x == 1, 1.0, 0.0)
ink_map = F.conv2d(ink_only[None, None], kernel[None, None] / 9)[0][0, 0]
print("row 0 of the map now:", ink_map[0].round(2))
assert ink_map[0, 3] == 0

# %% [markdown]
# **Break it.** Real pictures do not come with −1 for paper. Make the whole picture brighter by 2, as if somebody had opened the
# curtains. The symptom: *every number of the map moves by the same amount, and the best match is no longer 1.* The amount is 2
# times the sum of the kernel's weights. So take their mean off the kernel first: weights that **sum up to 0** do not answer to
# blank paper at all, whatever its brightness.

# %%
bright = F.conv2d((x + 2)[None, None], kernel[None, None] / 9)[0][0, 0]
print(
    "moved by", np.unique((bright - table).round(6)), " best match", bright.max().round(2)
)
assert np.allclose(bright - table, 2 * kernel.sum() / 9)
assert bright.max() < 0.5  # the perfect match is lost

balanced = (kernel - kernel.mean())[None, None] / 9
maps = [F.conv2d((x + c)[None, None], balanced)[0][0, 0] for c in (0, 2, 100)]
print("balanced kernel, blank paper:", np.abs([one[0, 3] for one in maps]).round(9))
assert np.allclose(maps[0], maps[1])
assert np.allclose(maps[0], maps[2])
assert abs(maps[0][0, 3]) < 1e-12
assert np.argwhere(np.isclose(maps[0], maps[0].max())).tolist() == matches.tolist()

# %% [markdown]
# ## How large is the answer?
#
# x has 9 rows, but y has only 7. Why? The window is 3 rows tall. Its top row can lie on row 0, 1, 2, ... of x, but not on row
# 7: there its bottom row would be row 9, and x ends with row 8. Count the places where it fits.

# %%
places = [top for top in range(9) if top + 3 <= 9]
print("possible tops of the window:", places)
assert len(places) == 9 - 3 + 1 == 7 == table.shape[0]

# %% drawing
board = vis.Board(10.4, 14)
board.write("rows of x", 0.4, 0, align="left", size=0.36)
board.grid(np.arange(9)[:, None], 1, 0.8, colours=(1, 1, 1))
for k, (top, said) in enumerate(
    [(0, "first place:\ntop at 0"), (1, "second:\ntop at 1"), (6, "last:\ntop at 6")]
):
    board.frame(1 + top, 3 + 3.8 * k, 3, 1, fill="#f7c05c")
    board.write(said, 2.5 + top, 4.2 + 3.8 * k, align="left", size=0.36)
vis.show(
    board.figure,
    "ruler",
    "The rows of x as a ruler, and the window, 3 rows tall, at its first, second and last "
    "place. Its top goes from 0 to 9 − 3 = 6, and 0 to 6 are seven places.",
)

# %% [markdown]
# From here on we use short names, the same in the whole course and in the whole library. H is the height of the input and KH
# the height of the kernel; OH is the height of the output. The top of the window goes from 0 to H − KH, so there are
#
#     OH = H − KH + 1
#
# places. The same holds for the widths W, KW and OW.
#
# **Break it.** Forget the + 1. A fence with 6 gaps has 7 posts, and the symptom of losing one: *no error, a map that is one row
# and one column too small, and whatever was found in the last ones is gone.* Here it is the stroke's end in the corner, 0.78.

# %%
OH = OW = 9 - 3  # the + 1 is missing
short = np.array(
    [[(x[i : i + 3, j : j + 3] * kernel).sum() / 9 for j in range(OW)] for i in range(OH)]
)
lost = table[6, 6]
print("shape", short.shape, " lost in the corner:", lost.round(2))
assert short.shape == (6, 6)
assert np.allclose(short, table[:6, :6])  # all that is there is right
assert np.isclose(lost, 7 / 9)

# %% [markdown]
# ## Stride: take bigger steps
#
# Instead of moving by one pixel each time, the window may move by two, or by S. This S is called the **stride**. The output
# gets smaller: that is how a network makes its pictures smaller on the way.

# %%
ramp = np.arange(63.0).reshape(7, 9)
ones = np.ones((3, 3))
strided, _ = F.conv2d(ramp[None, None], ones[None, None], stride=2)
print(strided[0, 0])
assert strided.shape == (1, 1, 3, 4)
assert np.isclose(strided[0, 0, 0, 1], ramp[0:3, 2:5].sum())  # begins at column 2

# %% drawing
vis.show(
    vis.draw_sliding(ramp, ones, stride=2, step=1),
    "stride",
    "Stride 2: the second window begins two columns to the right of the first, and the "
    "output is only 3 by 4.",
)

# %% [markdown]
# ## Padding: a border of zeros
#
# The pixels at the border of x lie in fewer windows than those inside, and the output shrinks with every convolution. To stop
# both, lay a border of zeros around x, P pixels wide on each side. This is called **padding**. With a 3 by 3 kernel and P = 1
# the output has the size of the input.

# %%
small = np.arange(1.0, 21).reshape(4, 5)
padded, _ = F.conv2d(small[None, None], ones[None, None], padding=1)
print(padded[0, 0])
assert padded.shape == (1, 1, 4, 5)
assert np.isclose(padded[0, 0, 0, 0], 1 + 2 + 6 + 7)  # the other five cells are padding

# %% drawing
vis.show(
    vis.draw_sliding(small, ones, padding=1, step=0),
    "padding",
    "A 4 by 5 picture with one ring of zeros (grey). The first window hangs over the edge, "
    "and the output is 4 by 5 again.",
)

# %% [markdown]
# Put the two together. With padding the input is H + 2·P rows tall (P above and P below). The window's top goes from 0 in
# steps of S, as long as it fits: (H + 2·P − KH) // S steps, where `//` divides and drops the remainder, and one more place
# than there are steps:
#
#     OH = (H + 2·P − KH) // S + 1
#
# **Predict.** A famous network, AlexNet, begins like this: a picture of 227 by 227, a kernel of 11 by 11 with stride 4, no
# padding; then windows of 3 by 3 with stride 2, twice, with convolutions between them that keep the size. (A lecture of the
# course follows this chain.) How tall are the three maps?
#
# <details><summary>Answer</summary>
#
# (227 − 11) // 4 + 1 = 55; (55 − 3) // 2 + 1 = 27; (27 − 3) // 2 + 1 = 13.
#
# </details>

# %%
first = (227 - 11) // 4 + 1
second = (first - 3) // 2 + 1
third = (second - 3) // 2 + 1
print("227 →", first, "→", second, "→", third)
sizes = [
    F.conv2d(np.zeros((1, 1, 227, 11)), np.zeros((1, 1, 11, 11)), stride=4)[0].shape[2]
]
for _ in range(2):
    sizes.append(F.max_pool2d(np.zeros((1, 1, sizes[-1], 3)), 3, stride=2)[0].shape[2])
assert sizes == [first, second, third]
assert (first, second, third) == (55, 27, 13)

# %% [markdown]
# A formula like this is easy to get wrong by one. So let us ask the library for many sizes, and compare each time.

# %%
compared = 0
for H, K, S, P in np.ndindex(12, 4, 4, 3):
    if H < 3 or K < 1 or S < 1:
        continue
    tall, narrow = np.zeros((1, 1, H, 5)), np.zeros((1, 1, K, 2))
    out, _ = F.conv2d(tall, narrow, stride=(S, 1), padding=(P, 0))
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
    [[156, 155, 156, 158, 158], [153, 154, 157, 159, 159], [149, 151, 155, 158, 159],
     [146, 146, 149, 153, 158], [145, 143, 143, 148, 158]],
    [[167, 166, 167, 169, 169], [164, 165, 168, 170, 170], [160, 162, 166, 169, 170],
     [156, 156, 159, 163, 168], [155, 153, 153, 158, 168]],
    [[163, 162, 163, 165, 165], [160, 161, 164, 166, 166], [156, 158, 162, 165, 166],
     [155, 155, 158, 162, 167], [154, 152, 152, 157, 167]],
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
corner = np.pad(photo, ((0, 0), (1, 1), (1, 1)))[:, 0:3, 0:3]  # (3, 3, 3): the first window
sums = (corner * kernels_rgb).sum(axis=(1, 2))  # (3,): one sum a channel
print("sum of each channel:", sums, " all with the bias:", sums.sum() + bias)
assert sums.tolist() == [308, -498, 164]
assert 308 - 498 + 164 + 1 == -25 == sums.sum() + bias

# %% drawing
board = vis.Board(14.4, 14)
for c, name in enumerate(("red", "green", "blue")):
    row = 0.9 + c * 4.3
    grey_border = np.where((corner[c] == 0)[..., None], 0.91, 1.0)  # padding in grey
    board.grid(corner[c], row, 0, title=f"window, {name}", colours=grey_border)
    board.write("×", row + 1.5, 4, size=0.8)
    board.grid(kernels_rgb[c], row, 5, title=f"kernel, {name}")
    words = f"adds up to  {sums[c]:.0f}".replace("-", "−")
    board.write(words, row + 1.5, 8.6, align="left", size=0.45)
board.write("308 − 498 + 164, and the bias, + 1  =  −25", 13.8, 0, align="left", size=0.5)
vis.show(
    board.figure,
    "rgb",
    "The first window of each colour (its grey cells are padding) times that colour's "
    "kernel. The three sums and the bias together are one number.",
)

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
both = np.stack([kernel, kernel[:, ::-1]])[:, None] / 9  # (2, 1, 3, 3): two kernels
y, _ = F.conv2d(x[None, None], both)  # (1, 2, 7, 7)
assert y.shape == (1, 2, 7, 7)
assert np.allclose(y[0, 1], y[0, 0][:, ::-1])  # the X is its own mirror image

# %% drawing
board = vis.Board(8, 15)
board.grid(y[0, 0], 1, 0, title="channel 0: down to the right")
board.grid(y[0, 1], 1, 8, title="channel 1: down to the left")
vis.show(
    board.figure,
    "two_filters",
    "Two kernels, two answers: each stroke lights up in the channel that asked for it.",
)

# %% [markdown]
# **Predict.** Now a real picture. The kernel [[1, 0, −1], [2, 0, −2], [1, 0, −1]] takes what is at the left of a pixel minus
# what is at its right. Which of these four is its answer to picture 12? (Grey is 0.)

# %%
sideways = F.conv2d(picture_12[None, None], upright.T[None, None])[0][0, 0]
answers = {
    "A": picture_12[1:-1, 1:-1] - picture_12.mean(),
    "B": sideways,
    "C": small_pictures["upright edges"],
    "D": small_pictures["upright edges"][:, ::-1],
}
assert [answer.shape for answer in answers.values()] == [(88, 118)] * 4

# %% drawing
vis.show(
    vis.draw_pictures(
        [grey_around_0(a) for a in answers.values()], tuple(answers), height=3
    ),
    "which_edges",
    "Four candidates. A: the picture itself. B: edges that lie flat are strong. C and D: "
    "edges that stand upright are strong.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# C. Where left and right are alike, the answer is 0; flat edges have the same on both sides and vanish, upright ones stay. D is
# a mirror image: a convolution never moves things to the other side.
#
# </details>

# %%
flat_edge = np.repeat([[0.0], [0], [1], [1]], 5, axis=1)  # dark above light
standing = flat_edge.T
answer = {
    name: F.conv2d(edge[None, None], upright[None, None])[0]
    for name, edge in (("flat", flat_edge), ("standing", standing))
}
print({name: float(np.abs(values).max()) for name, values in answer.items()})
assert (answer["flat"] == 0).all()
assert np.abs(answer["standing"]).max() == 4
assert np.allclose(small_pictures["upright edges"], answers["C"])

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
# output row and column; and for each of these, over the input channels and the rows and columns of the kernel.


# %%
def plain_conv2d(x, weight, bias):
    """Stride 1, no padding: (N, C, H, W), (O, C, KH, KW), (O,) -> (N, O, OH, OW)."""
    N, C, H, W = x.shape
    O, _, KH, KW = weight.shape
    y = np.zeros((N, O, H - KH + 1, W - KW + 1))
    for n in range(N):
        for o in range(O):
            for oh in range(H - KH + 1):
                for ow in range(W - KW + 1):
                    y[n, o, oh, ow] = bias[o]
                    for c in range(C):
                        for kh in range(KH):
                            for kw in range(KW):
                                y[n, o, oh, ow] += (
                                    x[n, c, oh + kh, ow + kw] * weight[o, c, kh, kw]
                                )
    return y


rng = np.random.default_rng(2)
many = rng.normal(size=(2, 3, 6, 5))
filters, biases = rng.normal(size=(4, 3, 3, 2)), rng.normal(size=4)
ours, theirs = plain_conv2d(many, filters, biases), F.conv2d(many, filters, biases)[0]
print("shape:", ours.shape, " greatest difference:", f"{np.abs(ours - theirs).max():.0e}")
assert ours.shape == (2, 4, 4, 4)
assert np.allclose(ours, theirs, rtol=0, atol=1e-12)

# %% [markdown]
# The library contains these loops too, with stride, padding and two options more. They are slow, and they are the *definition*:
# every faster way to compute a convolution is tested against them. `kernels.using("loops")` makes the library compute with
# them.
#
# <details><summary>where to read them</summary>
#
# They are the file `minifcn/kernels/convolution/loops.py`. To see it, wherever it is installed:
#
#     python -c "import inspect; from minifcn.kernels.convolution import loops; print(inspect.getsource(loops))"
#
# In it, `DH` and `DW` are *dilation*, which spreads the kernel's cells apart, and `G` counts *groups*, which cut the channels
# into independent sets. Both are 1 in this lesson, and then those letters drop out.
#
# </details>

# %%
with kernels.using("loops"):
    slow, _ = F.conv2d(many, filters, biases, stride=2, padding=1)
fast, _ = F.conv2d(many, filters, biases, stride=2, padding=1)
print("greatest difference:", f"{np.abs(fast - slow).max():.0e}")
assert np.allclose(fast, slow, rtol=0, atol=1e-12)

# %% [markdown]
# How much work is it? One multiplication for each turn of the innermost loop, so multiply the lengths of all seven loops.
# Even for our tiny X and two filters that is 882. For one layer of a real network it is billions: the second layer of VGG16,
# a well-known network, has 64 input and 64 output channels; give it a photograph of 375 by 500 pixels. Lesson 03 is about
# doing them fast. (`Geometry` is the library's record of all these sizes; it takes the shapes of x and weight. Its `macs` are
# the multiplications, each with an addition: "multiply-accumulates".)

# %%
geometry = kernels.Geometry.of((1, 1, 9, 9), (2, 1, 3, 3))
print("our X:", geometry.macs, "multiplications")
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
assert np.array_equal(kernel[::-1, ::-1], kernel)

# %% [markdown]
# **Predict.** Take a kernel that does change, 1 to 9, and a picture with a single bright pixel. Our convolution (correlation)
# leaves a copy of the kernel around that pixel. Upright, or turned?
#
# <details><summary>Answer</summary>
#
# Turned by half a turn, 9 first. The first window that holds the bright pixel holds it in its *last* corner, under the 9. The
# mathematician turns her kernel so that the copy comes out upright.
#
# </details>

# %%
dot = np.zeros((5, 6))
dot[2, 3] = 1
numbers = np.arange(1.0, 10).reshape(3, 3)
correlation = F.conv2d(dot[None, None], numbers[None, None])[0][0, 0]
convolution = F.conv2d(dot[None, None], numbers[None, None, ::-1, ::-1])[0][0, 0]
print(correlation)
assert np.allclose(correlation[:, 1:], numbers[::-1, ::-1])
assert np.allclose(convolution[:, 1:], numbers)

# %% drawing
board = vis.Board(6, 22)
board.grid(dot, 1, 0, title="picture")
board.grid(numbers, 2, 7.5, title="kernel")
board.grid(correlation, 2, 12, title="correlation")
board.grid(convolution, 2, 17.5, title="convolution")
vis.show(
    board.figure,
    "turned",
    "One bright pixel seen through the kernel 1 to 9. Correlation, which networks use, "
    "gives the kernel turned by half a turn (9 first); convolution in the mathematical "
    "sense gives it as it is (1 first).",
)

# %% [markdown]
# Remember this half turn. It comes back in lesson 04, where we ask how each pixel has influenced the result, and in lesson
# 10, where a deconvolution makes a picture larger.
#
# **So much for:** "A convolution layer computes a convolution."
#
# ## A layer
#
# In a network, weight and bias belong to a **layer**, an object that keeps them and, later, learns them. It calls the same
# function.

# %%
layer = Conv2d(1, 2, kernel_size=3, rng=np.random.default_rng(0)).to("float64")
layer.weight.data[:] = both
layer.bias.data[:] = [0, 1]
y = layer(x[None, None])
print(layer)
assert np.allclose(y[0, 0], table)
assert np.allclose(y[0, 1], table[:, ::-1] + 1)  # the second filter's bias is 1

# %% [markdown]
# ## To think about
#
# **1.** Which 3 by 3 kernel gives back the picture unchanged, with padding 1? Which one moves it by one pixel to the left?
#
# <details><summary>Answer</summary>
#
# A single 1 in the middle; a single 1 to the right of the middle, for then every place gets what is at its right.
#
# </details>

# %%
same, left = np.zeros((2, 3, 3))
same[1, 1] = left[1, 2] = 1
unchanged, _ = F.conv2d(small[None, None], same[None, None], padding=1)
moved, _ = F.conv2d(small[None, None], left[None, None], padding=1)
assert np.array_equal(unchanged[0, 0], small)
assert np.array_equal(moved[0, 0, :, :-1], small[:, 1:])

# %% [markdown]
# **2.** Our kernels answer with large numbers where the picture looks like them. What does a kernel of nine ones, divided by 9,
# do to a photograph?
#
# <details><summary>Answer</summary>
#
# It replaces every pixel by the mean of its neighbourhood: the picture becomes soft, and what is flat stays as it is.
#
# </details>

# %%
soft, _ = F.conv2d(picture_12[None, None], ones[None, None] / 9)
flat = F.conv2d(np.full((1, 1, 5, 6), 0.3), ones[None, None] / 9)[0]
assert soft.std() < picture_12.std()
assert np.allclose(flat, 0.3)

# %% [markdown]
# ## Exercises
#
# Write the functions into your `mine.py` and let the library look at it:
#
#     minifcn lesson check 2 mine.py
#
# It does not only say right or wrong. If your numbers differ, it tries the usual mistakes and tells you which one you made.
#
# **Warm-up.** `one_window(x, kernel, row, column)`: one number of a convolution. x is (H, W), the kernel (KH, KW), and the
# window's top left cell is x[row, column]. Multiply cell by cell and add up.
#
# **Main.** `output_size(H, K, S, P)`: the height of the output, for an input of height H, a kernel of height K, stride S and
# padding P on both sides. All are whole numbers, and so is the answer.
#
# **Main.** `conv2d(x, weight, bias, stride, padding)`: x is (N, C, H, W), weight is (O, C, KH, KW), bias is (O,), stride and
# padding are whole numbers. Return y, (N, O, OH, OW). The seven loops are a beginning: add stride and padding. (Only NumPy,
# please: the library has the answer already.)
#
# **Stretch** (not needed to go on). `dilated(x, kernel, dilation)`: a kernel with gaps, whose neighbouring cells meet cells of
# x that are `dilation` apart. x is (H, W), no padding, stride 1; the result is (H − dilation·(KH − 1), W − dilation·(KW − 1)).
#
# `minifcn lesson quiz 2` asks a few questions about the same; its wrong answers are mistakes that people make.
#
# ## On one page

# %% drawing
vis.show(
    vis.draw_sliding(x, kernel, step=8),
    "one_page",
    "One window, one number: the framed window of x times the kernel, cell by cell, added "
    "up, is the framed number of y.",
)
assert np.isclose(table[1, 1] * 9, 9)

# %% [markdown]
#     one number     y[oh, ow] = bias + sum of x[c, oh·S + kh − P, ow·S + kw − P] · weight[c, kh, kw]
#     size           OH = (H + 2·P − KH) // S + 1
#     work           N · O · OH · OW · C · KH · KW multiplications
#     flat picture   answers 0 if the weights sum up to 0
#
# A convolution holds a small picture against every place of a large one and counts how well they agree. Every channel has a
# kernel of its own, and all channels go into one sum; every filter gives one output channel. What networks call convolution is
# correlation: the kernel is not turned.
#
# **What you now own:** in `mine.py`, `one_window`, `output_size` and `conv2d`.
