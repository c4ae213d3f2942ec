# %% [markdown]
# # 10 · Deconvolution
#
# A **fully convolutional network** (FCN) gives a class to every pixel of a picture. On its way through the network the picture
# gets smaller and smaller: five times, a *pooling* makes one number of each 2 by 2, and after that every remaining number
# stands for a square of 32 by 32 pixels. So at the end something has to make the picture large again, and it should *learn*
# how to do that. This something is called **deconvolution** or, more correctly, **transposed convolution**. At the end of
# this lesson you can
#
# - compute one by hand in two ways, by stamping and by inserting zeros,
# - tell what stride, padding and output_padding do to its size,
# - say what exactly is transposed in it, and test it with one line,
# - know where the checkerboard patterns come from, and what does and does not cure them,
# - explain why nobody computes it the way it is defined.
#
# You need lesson 02 (windows, kernels, stride, padding). The gradients of lesson 04 turn up once, in passing.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.kernels.convolution.im2col import col2im
from minifcn.layers import ConvTranspose2d
from minifcn.layers.initializers import bilinear
from minifcn.training import SGD

# %% [markdown]
# This is what five poolings leave of picture 12 of lesson 01.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12 = draw(options, 12)[0].mean(axis=2) / 255  # (90, 120): grey, 0 to 1
stages = [picture_12[None, None]]
for _ in range(5):
    stages.append(F.avg_pool2d(stages[-1], 2, ceil_mode=True)[0])
print([stage.shape[2:] for stage in stages])
assert stages[-1].shape[2:] == (3, 4)

# %% drawing


def grey(picture):
    """Numbers from 0 to 1 as grey pixels."""
    return (255 * np.clip(picture, 0, 1)[..., None] * np.ones(3)).astype(np.uint8)


vis.show(
    vis.draw_pictures(
        [grey(stage[0, 0]) for stage in stages],
        [f"{stage.shape[2]} x {stage.shape[3]}" for stage in stages],
        height=3,
    ),
    "strip",
    "Picture 12, pooled five times. From the twelve numbers at the right a network has to "
    "say what is where, in a picture as large as the one at the left.",
)

# %% [markdown]
# ## Larger, but without learning
#
# The simplest ways to double a picture have nothing to learn. *Nearest neighbour* repeats each pixel. *Bilinear
# interpolation* mixes neighbours. Whatever is in the picture, they do the same.

# %%
tiny = np.array([[1.0, 4, 2], [3, 2, 0]])
nearest, _ = F.interpolate(tiny[None, None], scale_factor=2, mode="nearest")
smooth, _ = F.interpolate(tiny[None, None], scale_factor=2, mode="bilinear")
assert nearest.shape == smooth.shape == (1, 1, 4, 6)
assert np.array_equal(nearest[0, 0, :2, :2], np.full((2, 2), 1.0))

# %% drawing
board = vis.Board(5, 18)
tables = (
    (0, "picture", tiny),
    (4.5, "nearest", nearest[0, 0]),
    (12, "bilinear", smooth[0, 0]),
)
for column, title, values in tables:
    board.grid(values, 1, column, title=title)
vis.show(
    board.figure,
    "no_learning",
    "A 2 by 3 picture made 4 by 6: by repeating pixels, and by mixing neighbours.",
)

# %% [markdown]
# ## First way: stamps
#
# A convolution looks at a window and makes *one number* of it. Turn this around: take one number, and make a *window* of it.
#
# Think of the kernel as a rubber stamp. For each pixel of the input, ink the stamp with the pixel's value (multiply the
# kernel by it) and press it onto the output. For the next pixel move on by the **stride**. Where two stamps overlap, the
# numbers add up. That is a deconvolution.
#
# Here is one with stride 2: a picture of 2 by 3, a kernel of 3 by 3.

# %%
x = np.array([[1.0, 2, -1], [3, 4, 2]])
weight = np.array([[1.0, 0, -1], [2, 1, 0], [0, 1, 3]])
stamped = np.zeros((5, 7))
for h in range(2):
    for w in range(3):
        stamped[2 * h : 2 * h + 3, 2 * w : 2 * w + 3] += x[h, w] * weight
print(stamped)
assert np.array_equal(stamped[0, :2], [1, 0])  # the first stamp's corner, alone

# %% drawing
vis.show(
    vis.interactive("stamp", x, weight, stride=2),
    "stamps",
    "Stride 2. Each pixel of x stamps the kernel, times its value, two pixels further on "
    "(dark red frames); y is the sum of the six. In the page of `minifcn lesson open 10`, "
    "point at a pixel of x to see its stamp, or at a number of y to see what adds up.",
)

# %% [markdown]
# The library calls it `conv_transpose2d`, as other libraries do. Like every convolution there it wants four axes, (N, C, H,
# W); we write a small helper for one picture with one channel.


# %%
def deconvolve(x, weight, **options):
    """The library's transposed convolution, for (H, W) and (KH, KW) -> (OH, OW)."""
    return F.conv_transpose2d(x[None, None], weight[None, None], **options)[0][0, 0]


y = deconvolve(x, weight, stride=2)
assert np.allclose(stamped, y)

# %% [markdown]
# **Predict.** Look at the number in the very middle between the first four pixels, y[2, 2]. How many stamps reach it, and how
# large is it?
#
# <details><summary>Answer</summary>
#
# Four, each with another of its corners: the lower right one of the first stamp, 1 · 3; the lower left of the second, 2 · 0;
# the upper right of the one below the first, 3 · (−1); the upper left of the last, 4 · 1. Together 3 + 0 − 3 + 4 = 4.
#
# </details>

# %%
assert 1 * 3 + 2 * 0 + 3 * -1 + 4 * 1 == 4
assert np.isclose(y[2, 2], 4)
print("y[2, 2] =", y[2, 2])

# %% [markdown]
# **Break it.** Press the stamps on with `=` instead of `+=`. The symptom: *right inside each stamp, seams where stamps
# overlap*, for there the last stamp has wiped out the others. With stride 3 or more a 3 by 3 kernel has no overlaps, and nobody
# would notice.

# %%
overwritten = np.zeros((5, 7))
apart = np.zeros((6, 9))
for h in range(2):
    for w in range(3):
        overwritten[2 * h : 2 * h + 3, 2 * w : 2 * w + 3] = x[h, w] * weight
        apart[3 * h : 3 * h + 3, 3 * w : 3 * w + 3] = x[h, w] * weight
wrong = overwritten != y
print("wrong places, stride 2:\n", wrong.astype(int))
assert wrong[2].any()
assert wrong[:, 2].any()
assert not wrong[np.ix_([0, 1, 3, 4], [0, 1, 3, 5, 6])].any()  # where one stamp lies alone
assert np.array_equal(apart, deconvolve(x, weight, stride=3))  # stride 3 hides it

# %% [markdown]
# ## Second way: zeros, then an ordinary convolution
#
# The lecture that this lesson follows gives the procedure in two steps:
#
# 1. Put zeros between the pixels: with stride 2 one zero, with stride S as many as S − 1.
# 2. Do an ordinary convolution with stride 1.
#
# For the second step lay a border of zeros around, one less than the kernel is wide, and turn the kernel by half a turn. (The
# turn is the one of lesson 02: a sliding kernel leaves a turned copy of itself around a pixel. Turn it first, and the copy is
# upright, like our stamps.)

# %%
stretched = np.zeros((7, 9))  # 1 zero between, 2 zeros on each side
stretched[2:5:2, 2:7:2] = x
by_hand, _ = F.conv2d(stretched[None, None], weight[None, None, ::-1, ::-1])
assert np.allclose(by_hand[0, 0], y)

with kernels.using("zero_insertion"):  # the definition in the library: just these two steps
    defined = deconvolve(x, weight, stride=2)
print(defined)
assert np.allclose(defined, y)

# %% drawing
vis.show(
    vis.animate_zero_insertion(x, weight, stride=2),
    "stride_2_moving",
    "The same deconvolution as zero insertion. The pixels move apart, zeros fill the gaps, "
    "zeros surround them, and the flipped kernel slides over all of it.",
)
vis.show(
    vis.draw_zero_insertion(x, weight, stride=2, step=16),
    "stride_2_middle",
    "Stopped at y[2, 2]: the window holds four pixels in its corners. "
    "1 · 3 + 2 · 0 + 3 · (−1) + 4 · 1 = 4, as before.",
)

# %% [markdown]
# ## The lecture's examples
#
# The lecture shows four moving pictures of grey squares, without numbers: stride 2 without padding, as above; stride 1 without
# padding; and two of stride 2 with padding, which make 5 by 5 and 6 by 6 of 3 by 3. We fill in numbers.
#
# **Stride 1, no padding.** There is nothing to insert; only the border of zeros remains.

# %%
y1 = deconvolve(x, weight)
shares = 1 * weight[1, 1] + 2 * weight[1, 0] + 3 * weight[0, 1] + 4 * weight[0, 0]
print(y1)
assert y1.shape == (4, 5)
assert np.isclose(y1[1, 1], shares)  # four pixels are in that window

# %% drawing
vis.show(
    vis.draw_zero_insertion(x, weight, stride=1, step=6),
    "stride_1",
    "Stride 1: 2 by 3 becomes 4 by 5. There are no zeros between the pixels, so "
    "neighbouring stamps overlap a lot.",
)

# %% [markdown]
# **Stride 2, padding 1.** Padding has the opposite effect here: it makes the output *smaller*. It was the forward
# convolution's padding that nobody asks back: P rows and columns are cut off each side of the output. In the picture the
# border of zeros gets thinner by P instead, which comes to the same.

# %%
x3 = np.arange(1.0, 10).reshape(3, 3)
y_padded = deconvolve(x3, weight, stride=2, padding=1)
y_full = deconvolve(x3, weight, stride=2)
print("without padding:", y_full.shape, " with padding 1:", y_padded.shape)
assert y_full.shape == (7, 7)
assert y_padded.shape == (5, 5)
assert np.allclose(y_padded, y_full[1:-1, 1:-1])  # one row and column less on each side

# %% drawing
vis.show(
    vis.draw_zero_insertion(x3, weight, stride=2, padding=1, step=6),
    "stride_2_padding_1",
    "Stride 2, padding 1: 3 by 3 becomes 5 by 5. The border of zeros is only one wide.",
)

# %% [markdown]
# **Stride 2, padding 1, output_padding 1.** The lecture's last picture turns 3 by 3 into 6 by 6. To see why this needs an
# option of its own, go the other way. An ordinary convolution of 3 by 3, stride 2, padding 1, makes 3 rows out of 5. But it
# makes 3 rows out of 6 as well: its last step does not fit any more.

# %%
for height in (5, 6):
    small, _ = F.conv2d(
        np.zeros((1, 1, height, 5)), weight[None, None], stride=2, padding=1
    )
    print(f"{height} rows become {small.shape[2]}")
    assert small.shape[2] == 3

# %% [markdown]
# So if you want to go back from 3 rows, back to which? **output_padding** says how many rows to add to the smaller answer: 0
# gives 5, 1 gives 6.
#
# **Predict.** It is called output *padding*. What is in the additional row at the bottom: zeros, copies of the row above, or
# something else?
#
# <details><summary>Answer</summary>
#
# Something else, in spite of its name: the row (and the column at the right) that padding would have cut off.
#
# </details>

# %%
y_six = deconvolve(x3, weight, stride=2, padding=1, output_padding=1)
print(y_six)
assert y_six.shape == (6, 6)
assert np.allclose(y_six, y_full[1:, 1:])  # cut at the top and left only
assert np.allclose(y_six[:5, :5], y_padded)
assert (y_six[5] != 0).any()  # the additional row is no row of zeros
assert not np.array_equal(y_six[5], y_six[4])  # and no copy

# %% drawing
vis.show(
    vis.draw_zero_insertion(x3, weight, stride=2, padding=1, output_padding=1),
    "output_padding",
    "Stride 2, padding 1, output_padding 1: 3 by 3 becomes 6 by 6, here at its last step. "
    "The dashed frames mark the additional line of zeros at the bottom and at the right, "
    "and the row and column of y that it gives.",
)

# %% [markdown]
# ## How large is the answer?
#
# Count stamps. H pixels give H stamps, each S further on; the first one's top is at 0, so the last one's is at (H − 1)·S, and
# it is KH tall. Then cut P off both ends, and add output_padding:
#
#     OH = (H − 1)·S + KH − 2·P + output_padding
#
# Ask the library for many sizes, and ask also whether an ordinary convolution with the same options leads back to H.

# %%
compared = 0
for H, K, S, P in np.ndindex(6, 5, 4, 2):
    for extra in range(S):
        OH = (H - 1) * S + K - 2 * P + extra
        if H < 1 or K < 1 or OH < 1 or OH + 2 * P < K:
            continue
        kernel, options_here = np.zeros((K, 1)), {"stride": (S, 1), "padding": (P, 0)}
        large = deconvolve(
            np.zeros((H, 2)), kernel, output_padding=(extra, 0), **options_here
        )
        assert large.shape == (OH, 2)
        back, _ = F.conv2d(large[None, None], kernel[None, None], **options_here)
        assert back.shape[2] == H
        compared += 1
print("sizes compared:", compared)
assert compared > 200

# %% [markdown]
# **Predict.** Networks want to enlarge by exactly S. With a kernel of 2·S and no output_padding, which padding does it?
#
# <details><summary>Answer</summary>
#
# Put KH = 2·S into the formula: (H − 1)·S + 2·S − 2·P = H·S needs 2·P = S. So P = S / 2, for every even S. This is the rule
# that every user of deconvolutions needs: **kernel twice the stride, padding half the stride**.
#
# </details>

# %%
for S in (2, 8, 32):
    large = deconvolve(np.zeros((3, 4)), np.zeros((2 * S, 2 * S)), stride=S, padding=S // 2)
    print(
        f"stride {S:2}, kernel {2 * S:2}, padding {S // 2:2}: 3 by 4 becomes {large.shape}"
    )
    assert large.shape == (3 * S, 4 * S)

# %% [markdown]
# ## What is transposed?
#
# A convolution takes a list of numbers (all pixels of x, row by row) and makes a list of sums, in which every number is
# multiplied by a fixed weight. Any such thing can be written as a **matrix**: a table with one row for each output and one
# column for each input; the entry says with which weight that input goes into that output.
#
# To find the matrix of a convolution, feed it one pixel at a time: a picture that is 1 at one place and 0 elsewhere gives one
# column. Take a picture of 3 by 4 and a kernel of 2 by 2 with the weights 1 to 4, so that you can recognise them.

# %%
numbers = np.array([[1.0, 2], [3, 4]])
one_pixel_each = np.eye(12).reshape(12, 1, 3, 4)  # 12 pictures, each with a single 1
M = F.conv2d(one_pixel_each, numbers[None, None])[0].reshape(12, 6).T  # (6, 12)
picture = np.random.default_rng(10).normal(size=(3, 4))
direct = F.conv2d(picture[None, None], numbers[None, None])[0][0, 0]  # (2, 3)
print("difference:", np.abs((M @ picture.ravel()).reshape(2, 3) - direct).max())
assert np.allclose((M @ picture.ravel()).reshape(2, 3), direct, rtol=0, atol=1e-12)

# %% drawing
pixels = [f"{h},{w}" for h in range(3) for w in range(4)]
outputs = [f"{h},{w}" for h in range(2) for w in range(3)]
vis.show(
    vis.draw_matrices(
        M, titles=("M: a convolution as a matrix",), rows=outputs, columns=pixels, cell=0.44
    ),
    "matrix",
    "One row for each of the 6 outputs, one column for each of the 12 pixels (row, "
    "column). Each row is the kernel, 1 to 4, laid over the pixels of its window; a dot is "
    "a zero.",
)

# %% [markdown]
# To **transpose** a matrix is to make its rows columns. M turns 12 numbers into 6; M transposed, `M.T`, turns 6 numbers into
# 12. And M transposed is exactly the deconvolution with the same kernel. Column by column it holds our stamps.

# %%
six = np.array([[1.0, 2, 5], [3, 4, -1]])
through_matrix = (M.T @ six.ravel()).reshape(3, 4)
print(through_matrix)
assert np.allclose(through_matrix, deconvolve(six, numbers))
assert np.array_equal(M[5].reshape(3, 4)[1:, 2:], numbers)  # the last output's stamp

# %% drawing
stamps = [M[o].reshape(3, 4) for o in (0, 1, 5)]
vis.show(
    vis.draw_matrices(
        M.T,
        *stamps,
        titles=("M.T", "column 0", "column 1", "column 5"),
        rows=pixels,
        columns=outputs,
    ),
    "transposed",
    "M transposed: a column for each of 6 pixels. Fold a column back into 3 by 4 (right: "
    "the first, the second and the last), and you see the stamp of that pixel.",
)

# %% [markdown]
# **Predict.** A convolution makes 6 numbers of 12, and the deconvolution with the same kernel makes 12 of 6 again. Do you get
# your picture back?
#
# <details><summary>Answer</summary>
#
# No. It is the transpose, not the inverse, and six numbers cannot hold what was in twelve. "Deconvolution" is an unlucky name.
#
# </details>

# %%
there_and_back = (M.T @ M @ picture.ravel()).reshape(3, 4)
print("difference after there and back:", np.abs(there_and_back - picture).max().round(1))
assert np.abs(there_and_back - picture).max() > 1

# %% [markdown]
# **So much for:** "A deconvolution undoes a convolution."
#
# ## One line that tests it
#
# Multiply two arrays of the same shape number by number and add up: this is called their **inner product**, written ⟨a, b⟩.
# For every matrix, ⟨M x, y⟩ = ⟨x, M.T y⟩: both sides add the same products, x times entry times y. So for every picture x and
# every y of the output's shape
#
#     ⟨convolution(x), y⟩ = ⟨x, deconvolution(y)⟩
#
# One random pair of x and y proves nothing by itself; but a *wrong* operation that multiplies by fixed numbers and adds agrees
# on a pair only if the pair happens to lie in one thin sheet of all possible pairs, and a random pair does so with probability
# zero. So one line tests it, as sharply as one can wish. Try it with channels, several pictures, strides, paddings, kernels
# that are not square.

# %%
rng = np.random.default_rng(0)


def inner(a, b):
    return (a * b).sum()


def relative(deconvolution, stride, padding, KH, KW):
    """How far the two sides are apart, for a random pair."""
    a, kernel = rng.normal(size=(2, 3, 9, 11)), rng.normal(size=(4, 3, KH, KW))
    forward, _ = F.conv2d(a, kernel, stride=stride, padding=padding)
    b = rng.normal(size=forward.shape)
    extra = tuple(
        (n + 2 * padding - k) % stride for n, k in ((9, KH), (11, KW))
    )  # left over
    options = {"stride": stride, "padding": padding, "output_padding": extra}
    backward, _ = deconvolution(b, kernel, **options)
    return abs(inner(forward, b) - inner(a, backward)) / np.abs(forward * b).sum()


def not_turned(b, kernel, **options):
    """A wrong deconvolution: its stamps are turned by half a turn."""
    return F.conv_transpose2d(b, kernel[:, :, ::-1, ::-1], **options)


cases = [(s, p, *k) for s in (1, 2, 3) for p in (0, 1) for k in ((3, 3), (4, 4), (2, 5))]
worst = max(relative(F.conv_transpose2d, *case) for case in cases)
least = min(relative(not_turned, *case) for case in cases)
print(
    f"{len(cases)} random cases: right, at most {worst:.0e}; turned, at least {least:.0e}"
)
assert worst < 1e-12
assert least > 1e-5

# %% [markdown]
# In lesson 04 col2im passed the same test. And the gradient dx of a convolution, with dy in, gives the very same numbers: *the
# forward of a deconvolution is the backward of a convolution*, and the library computes both with the same code.

# %%
a = rng.normal(size=(1, 1, 5, 7))
_, cache = F.conv2d(a, weight[None, None], stride=2)
dx, _, _ = F.conv2d_backward(x[None, None], cache)
assert np.allclose(dx[0, 0], deconvolve(x, weight, stride=2))

# %% [markdown]
# ## Checkerboards
#
# Feed a deconvolution a picture that is 1 everywhere, with a kernel that is 1 everywhere. What comes out counts how many stamps
# lie on each pixel.

# %%
three = vis.overlap_counts((4, 5), kernel_size=3, stride=2)
four = vis.overlap_counts((4, 5), kernel_size=4, stride=2)
print(
    "inside, kernel 3:",
    np.unique(three[2:-2, 2:-2]),
    " kernel 4:",
    np.unique(four[2:-2, 2:-2]),
)
assert np.unique(three[2:-2, 2:-2]).tolist() == [1, 2, 4]
assert (four[2:-2, 2:-2] == 4).all()

# %% drawing
vis.show(
    vis.draw_counts(
        three, four, titles=("kernel 3, stride 2", "kernel 4, stride 2"), cell=0.36
    ),
    "checkerboard",
    "How many stamps lie on each output pixel. Kernel 3, stride 2: the overlaps make a "
    "pattern of 1, 2 and 4. Kernel 4, stride 2: inside, every pixel gets exactly 4.",
)

# %% [markdown]
# With kernel 3 and stride 2 a smooth surface comes out with a **checkerboard** pattern, unless the network learns weights that
# cancel it. Half of the cure is a kernel whose size is a multiple of the stride: then every pixel inside lies under equally
# many stamps. (That is why FCNs use 4 with 2, 16 with 8, 64 with 32.)

# %%
for K, S in ((2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (16, 8), (64, 32)):
    counts = vis.overlap_counts(8, kernel_size=K, stride=S)
    inside = counts[K:-K, K:-K]
    least, most = inside.min(), inside.max()
    print(f"kernel {K:2}, stride {S:2}: {least} to {most} stamps on a pixel inside")
    assert (least == most) == (K % S == 0)

# %% [markdown]
# **Predict.** Only half of the cure. Take a picture that is 1 everywhere and a kernel of *random* numbers, 4 by 4, with stride
# 2: every pixel inside lies under four stamps. Which of these four pictures comes out?

# %%
random_kernel = np.random.default_rng(0).normal(size=(4, 4))
constant = np.ones((5, 7))
inside = deconvolve(constant, random_kernel, stride=2)[4:-4, 4:-4]  # (4, 8)
level = np.full(inside.shape, random_kernel.sum() / 4)
stripes = np.where(np.arange(8) % 2, -1.0, 1.0) * np.ones((4, 1))
noise = np.random.default_rng(1).normal(size=inside.shape)
choices = [level, stripes, inside, noise]
assert [choice.shape for choice in choices] == [(4, 8)] * 4

# %% drawing
board = vis.Board(11, 18)
for k, values in enumerate(choices):
    row, column = 1 + 5.3 * (k // 2), 9.5 * (k % 2)
    board.grid(values, row, column, title="ABCD"[k], text="{:.1f}", scale=2.8)
vis.show(
    board.figure,
    "which_picture",
    "Four candidates: one value everywhere, two values in stripes, four values in a "
    "pattern of 2 by 2, no pattern at all.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# C. The counts are even, the *weights* need not be. A pixel in an even row and an even column only ever meets the four weights
# in even rows and columns of the kernel; its neighbour to the right meets four others. There are four such groups, called
# **phases**, each has a sum of its own, and the constant 1 becomes four values: −0.56, −1.25, −2.80 and 0.36.
#
# </details>
#
# **Break it.** So the rule that one reads everywhere, "a kernel that is a multiple of the stride cures checkerboards", is half
# true. The symptom: *the same pattern of S by S again and again, on a surface that should be flat, in spite of even counts.*

# %%
sums = [random_kernel[r::2, c::2].sum() for r in (0, 1) for c in (0, 1)]
print("sums of the four phases:", np.round(sums, 2))
assert np.allclose(sums, [-0.56, -1.25, -2.80, 0.36], atol=0.005)
assert np.allclose(inside, np.tile(np.reshape(sums, (2, 2)), (2, 4)))
assert np.ptp(inside) > 3  # flat it is not

# %% [markdown]
# What a flat surface needs is **even counts and phases with equal sums**. The kernel of the next section has them. Others make
# sure by first repeating pixels and then doing an ordinary convolution ("resize, then convolve"): then each output pixel meets
# all the weights, and a constant stays constant whatever they are.

# %%
repeated, _ = F.interpolate(constant[None, None], scale_factor=2, mode="nearest")
resized, _ = F.conv2d(repeated, random_kernel[None, None])
print("resize, then convolve: spread", np.ptp(resized).round(12))
assert np.ptp(resized) < 1e-12

# %% [markdown]
# ## The bilinear kernel
#
# Which weights should a deconvolution start with? FCN starts with those that do bilinear interpolation: it makes the picture
# larger in a sensible way from the first moment on, and can learn something better from there. The kernel is a tent: highest
# in the middle, falling off to all sides. For size 4 (stride 2) one row of it is 0.25, 0.75, 0.75, 0.25, and the kernel is this
# row times itself as a column.

# %%
tent = bilinear(1, 4)[0, 0].astype(float)
big_tent = bilinear(1, 16)[0, 0].astype(float)
ramp = np.array([0.25, 0.75, 0.75, 0.25])
phase_sums = [tent[r::2, c::2].sum() for r in (0, 1) for c in (0, 1)]
print("sums of its phases:", np.round(phase_sums, 3))
assert np.allclose(tent, np.outer(ramp, ramp))
assert np.allclose(phase_sums, 1)  # equal: no checkerboard
assert np.allclose([big_tent[r::8, c::8].sum() for r, c in np.ndindex(8, 8)], 1)

# %% drawing
board = vis.Board(8, 15)
board.grid(tent, 1.5, 0, title="size 4, stride 2")
board.picture(grey(1 - 0.75 * big_tent), 1, 7, 7, "size 16, stride 8")
vis.show(
    board.figure,
    "tent",
    "The bilinear kernel of size 4 in numbers, and that of size 16 as a picture (darker is "
    "more).",
)

# %% [markdown]
# Does it interpolate? The tents of neighbouring pixels overlap so that their heights add up to 1 everywhere inside. So a
# constant picture stays constant, and it agrees with real bilinear interpolation. At the border a neighbour is missing, and
# the result fades: in an FCN that part is cut off.

# %%
faded = deconvolve(np.ones((5, 6)), tent, stride=2, padding=1)
assert faded.shape == (10, 12)
assert np.allclose(faded[1:-1, 1:-1], 1)  # constant inside
assert np.isclose(faded[0, 0], 0.75**2)  # faded in the corner

anything = rng.normal(size=(5, 6))
interpolated = F.interpolate(anything[None, None], scale_factor=2, mode="bilinear")[0][0, 0]
enlarged = deconvolve(anything, tent, stride=2, padding=1)
difference = np.abs(enlarged - interpolated)[1:-1, 1:-1].max()
print("difference from bilinear interpolation, inside:", difference)
assert difference < 1e-12

# %% [markdown]
# See three kernels at work on one picture, a ring.

# %%
rows, cols = np.mgrid[:18, :22]
ring = np.exp(-((np.hypot(rows - 8.5, cols - 10.5) - 6) ** 2) / 4)  # 1 on a circle
ones3 = np.full((3, 3), 4 / 9)  # a pixel gets 9/4 stamps on average: keeps the brightness
doubled = {
    "3 x 3, all equal": deconvolve(ring, ones3, stride=2, padding=1, output_padding=1),
    "2 x 2 of ones": deconvolve(ring, np.ones((2, 2)), stride=2),
    "4 x 4 bilinear": deconvolve(ring, tent, stride=2, padding=1),
}
flat = deconvolve(np.ones((8, 9)), ones3, stride=2, padding=1, output_padding=1)[2:-2, 2:-2]
print("3 x 3 on a flat surface:", flat.min().round(2), "to", flat.max().round(2))
assert all(picture.shape == (36, 44) for picture in doubled.values())
assert np.isclose(flat.min(), 4 / 9)
assert np.isclose(flat.max(), 16 / 9)

# %% drawing
vis.show(
    vis.draw_pictures(
        [grey(1 - ring), *(grey(1 - picture) for picture in doubled.values())],
        ("18 x 22", *doubled),
        height=4.5,
    ),
    "ring",
    "A ring, doubled by three deconvolutions of stride 2. Kernel 3 prints its checkerboard "
    "on it; 2 by 2 of ones repeats pixels (nearest); the bilinear kernel is smooth.",
)

# %% [markdown]
# ## And now it learns
#
# Nearest neighbour and bilinear interpolation cannot learn from data; a deconvolution can. Let us see it once. Take random
# smooth pictures, make them half as large (each pixel the mean of 2 by 2), and ask a deconvolution to get the originals
# back. It starts as bilinear interpolation. Its loss is the mean squared difference; the gradient of that with respect to y
# is 2 · (y − original) / (number of pixels). Backward and the optimizer `SGD` (a step against the gradient, lesson 13) do the
# rest.


# %%
def learn(layer, small, large, rate, steps=100):
    """Teaches the layer to make `large` of `small`; the loss before each step."""
    optimizer = SGD(layer.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(steps):
        out = layer(small)
        losses.append(((out - large) ** 2).mean())
        layer.zero_grad()
        layer.backward(2 * (out - large) / out.size)
        optimizer.step()
    return losses


white = rng.normal(size=(16, 1, 36, 40))
hill = np.hanning(7)[1:-1]
waves = F.conv2d(white, np.outer(hill, hill)[None, None] / 4)[0]  # (16, 1, 32, 36), smooth
halves, _ = F.avg_pool2d(waves, 2)  # (16, 1, 16, 18)

layer = ConvTranspose2d(1, 1, kernel_size=4, stride=2, padding=1, bias=False).to("float64")
layer.weight.data[:] = bilinear(1, 4)
losses = learn(layer, halves, waves, rate=0.2)
learned = layer.weight.data[0, 0]
print(f"bilinear, at the start:   {losses[0]:.5f}")
print(f"learned, after 100 steps: {losses[-1]:.5f}")
print(learned.round(3))
assert losses[-1] < 0.75 * losses[0]
assert learned[1:3, 1:3].min() > tent.max()
assert learned.sum() > 1.1 * tent.sum()

# %% drawing
board = vis.Board(5, 10)
for column, title, values in ((0, "bilinear", tent), (5.5, "learned", learned)):
    board.grid(values, 1, column, title=title, scale=learned.max())  # one scale for both
vis.show(
    board.figure,
    "learned",
    "The kernel before and after learning. All four weights in the middle have grown: "
    "taking means had flattened the waves, and the learned kernel makes up for it.",
)

# %% [markdown]
# And picture 12? An FCN of stride 8 has one number for each 8 by 8 pixels. Take its mask, shape or not, at an eighth of the
# size (the share of shape in each 8 by 8), and make it large again: by nearest neighbour, by the bilinear kernel of size 16,
# and by a kernel of that size that has learned on twenty *other* masks.


# %%
def shape_or_not(index):
    """1 where a shape is, else 0: (1, 88, 120)."""
    labels = draw(options, index)[1][1:89]
    return ((labels > 0) & (labels < 255)).astype(float)[None]


others = np.stack([shape_or_not(index) for index in range(20, 40)])  # (20, 1, 88, 120)
mask_12 = shape_or_not(12)[None]
coarse = F.avg_pool2d(mask_12, 8)[0]  # (1, 1, 11, 15)
layer = ConvTranspose2d(1, 1, kernel_size=16, stride=8, padding=4, bias=False).to("float64")
layer.weight.data[:] = bilinear(1, 16)
large = {
    "nearest": F.interpolate(coarse, scale_factor=8, mode="nearest")[0],
    "bilinear": layer(coarse),
}
learn(layer, F.avg_pool2d(others, 8)[0], others, rate=5.0)
large["learned"] = layer(coarse)
errors = {name: ((one - mask_12) ** 2).mean() for name, one in large.items()}
for name, error in errors.items():
    print(f"{name:9} mean squared difference {error:.4f}")
assert errors["bilinear"] < 0.9 * errors["nearest"]
assert errors["learned"] < 0.97 * errors["bilinear"]

# %% drawing
vis.show(
    vis.draw_pictures(
        [grey(one[0, 0]) for one in (mask_12, coarse, *large.values())],
        ("the mask", "1/8", *large),
        height=3.5,
    ),
    "picture_12",
    "The mask of picture 12 at an eighth of its size, enlarged in three ways. The learned "
    "kernel is a little nearer to the truth than the bilinear one, but none brings the "
    "star's corners back: for that a network needs skips (lesson 11).",
)

# %% [markdown]
# ## Never multiply by a zero that you put there yourself
#
# Zero insertion is a fine definition, but a bad way to compute. With stride 2, three quarters of the numbers under the sliding
# kernel are zeros that we inserted.
#
# **Predict.** FCN-32s, the simplest FCN, makes the picture large again in one step of stride 32. Which share of the numbers
# under its kernel are inserted zeros?
#
# <details><summary>Answer</summary>
#
# Of each 32 by 32 numbers only one is a pixel: 1023 of every 1024 are zeros.
#
# </details>
#
# So use the phases. The pixels of y that lie S apart meet the *same* weights of the kernel, a small kernel cut out of the large
# one. Convolve x with each of the S · S small kernels, no zeros anywhere, and put the results together like the squares of a
# chessboard. Do one phase by hand: rows 0, 2, 4 and columns 0, 2, 4, 6 of y come from the weights at even rows and columns.

# %%
wide = np.zeros((32 * 3, 32 * 4))
wide[::32, ::32] = 1  # where the pixels are
assert wide.mean() == 1 / 1024

small_kernel = weight[0::2, 0::2]
phase_a = deconvolve(x, small_kernel)  # stride 1: (2, 3) and (2, 2) -> (3, 4)
print(phase_a)
assert np.allclose(phase_a, y[0::2, 0::2])
assert np.allclose(deconvolve(x, weight[1::2, 1::2]), y[1::2, 1::2])  # a single weight

# %% drawing
vis.show(
    vis.draw_phases(weight, (5, 7)),
    "phases",
    "Stride 2. The kernel's nine weights fall into four small kernels a, b, c, d, and each "
    "pixel of y uses just one of them. Together they have nine weights: nothing is left "
    "out and nothing is done twice.",
)

# %% [markdown]
# ## Four roads, one answer
#
# We have stamps (adding into overlapping windows, which is col2im of lesson 04), zero insertion, the transposed matrix and the
# phases, which are the library's own way. On a random example, with stride and padding:

# %%
b, kernel = rng.normal(size=(4, 5)), rng.normal(size=(4, 4))
sizes = {"stride": 2, "padding": 1}
geometry = kernels.Geometry.of((1, 1, 8, 10), (1, 1, 4, 4), **sizes)  # 8 x 10 to 4 x 5

columns = kernel.reshape(16, 1) @ b.reshape(1, 20)  # every pixel times every weight
one_each = np.eye(80).reshape(80, 1, 8, 10)
M = F.conv2d(one_each, kernel[None, None], **sizes)[0].reshape(80, 20).T  # (20, 80)
roads = {"stamps": col2im(columns[None], geometry)[0]}
roads["transposed matrix"] = (M.T @ b.ravel()).reshape(8, 10)
for rung in ("zero_insertion", "phases"):
    with kernels.using(rung):
        roads[rung] = deconvolve(b, kernel, **sizes)

for name, result in roads.items():
    difference = np.abs(result - roads["zero_insertion"]).max()
    print(f"{name:18} differs from the definition by {difference:.0e}")
    assert difference < 1e-12

# %% [markdown]
# ### For the curious: how much does it save?
#
# You can skip this box. Count multiplications for the last layer of FCN-32s: 21 classes, a kernel of 64 by 64, stride 32, an
# input of 12 by 16 (a photograph of 375 by 500 on its way back up). `Geometry.macs` counts the multiplications of a
# convolution. And for comparison the whole rest of the network: thirteen convolutions of 3 by 3, the first with a padding of
# 100, five poolings that halve the picture (rounding up), and three layers that FCN calls fc6, fc7 and score (lesson 09).

# %%
last = kernels.Geometry.of((1, 21, 416, 544), (21, 21, 64, 64), stride=32)
with_zeros = 416 * 544 * 21 * 21 * 64 * 64  # every output pixel, every weight
without = 12 * 16 * 21 * 21 * 64 * 64  # every *input* pixel, every weight
assert (last.OH, last.OW) == (12, 16)
assert without == last.macs

rest, channels, (height, width) = 0, 3, (375 + 2 * 99, 500 + 2 * 99)
for outputs_here, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
    for _ in range(convolutions):
        here = (1, channels, height, width)
        rest += kernels.Geometry.of(here, (outputs_here, channels, 3, 3), padding=1).macs
        channels = outputs_here
    height, width = -(-height // 2), -(-width // 2)  # a pooling, rounded up
for outputs_here, size in ((4096, 7), (4096, 1), (21, 1)):
    here = (1, channels, height, width)
    step = kernels.Geometry.of(here, (outputs_here, channels, size, size))
    rest, channels, height, width = rest + step.macs, outputs_here, step.OH, step.OW

print(f"zero insertion      {with_zeros / 1e9:6.1f} billion multiplications")
print(f"phases              {without / 1e9:6.1f} billion")
print(f"the rest of FCN-32s {rest / 1e9:6.1f} billion, down to {height} by {width}")
assert (round(with_zeros / 1e9), round(rest / 1e9), height, width) == (409, 146, 12, 16)
assert (
    with_zeros / without > 1024
)  # a little more: at the border there are still more zeros
assert with_zeros > 2.5 * rest  # naively, the last layer costs more than all the others

# %% [markdown]
# ## To think about
#
# **1.** A deconvolution with stride 1 is itself an ordinary convolution. With which kernel and which padding?
#
# <details><summary>Answer</summary>
#
# There are no zeros to insert, so only step 2 is left: the flipped kernel, with a padding of K − 1.
#
# </details>

# %%
as_convolution, _ = F.conv2d(x[None, None], weight[None, None, ::-1, ::-1], padding=2)
assert np.allclose(as_convolution[0, 0], deconvolve(x, weight))

# %% [markdown]
# **2.** Kernel 2, stride 2: how do stamps, zeros and phases look then? (Encoder-decoder networks use it a lot.)
#
# <details><summary>Answer</summary>
#
# The stamps lie side by side and never overlap; each phase is one single weight; so each output pixel is one pixel times one
# weight. Equal counts are sure, equal sums are not: four weights that differ print a pattern of 2 by 2.
#
# </details>

# %%
tiles = deconvolve(x, numbers, stride=2)
assert np.array_equal(tiles, np.kron(x, numbers))  # every pixel times the whole kernel
assert (vis.overlap_counts((2, 3), kernel_size=2, stride=2) == 1).all()

# %% [markdown]
# ## Exercises
#
# Write the functions into your `mine.py` and have it looked at:
#
#     minifcn lesson check 10 mine.py
#
# x is (N, C, H, W); strides and paddings are whole numbers. Only NumPy, please.
#
# **Warm-up.** `deconv_size(H, K, S, P, output_padding)`: the height of the output.
#
# **Main.** `insert_zeros(x, stride)`: step 1 of the procedure, stride − 1 zeros between neighbours and none around. The result
# is (N, C, (H − 1)·stride + 1, (W − 1)·stride + 1).
#
# **Main.** `conv_transpose2d(x, weight, stride, padding, output_padding)`: the whole deconvolution, without bias. weight is (C,
# O, KH, KW), input channels first; return (N, O, OH, OW). By stamps or by zeros, as you like.
#
# **Main.** `bilinear_kernel(size)`: the tent, of shape (size, size), for even *and* odd sizes. With f = (size + 1) // 2 the
# kernel is w[i, j] = (1 − |i − c| / f) · (1 − |j − c| / f), where c, the middle, is f − 1 if size is odd and f − 0.5 if it is
# even.
#
# **Stretch** (not needed to go on). `phase_sums(kernel, stride)`: for a kernel (KH, KW), the sum of each phase; result[a, b]
# adds up kernel[a::stride, b::stride]. Where they differ, expect a checkerboard.
#
# `minifcn lesson quiz 10` asks a few questions about the same; its wrong answers are mistakes that people make.
#
# ## On one page

# %% drawing
vis.show(
    vis.draw_zero_insertion(x, weight, stride=2, step=16),
    "one_page",
    "Zeros between the pixels (grey), zeros around them, the flipped kernel over all of "
    "it: y[2, 2] is the sum of four corners. Stamping x[h, w] · kernel at (2·h, 2·w) gives "
    "the same.",
)
assert y[2, 2] == 4

# %% [markdown]
#     stamps      y[h·S + kh − P, w·S + kw − P] += x[h, w] · weight[kh, kw]
#     size        OH = (H − 1)·S + KH − 2·P + output_padding
#     exactly S   KH = 2·S,  P = S / 2
#     transpose   ⟨convolution(x), y⟩ = ⟨x, deconvolution(y)⟩
#     flat        KH a multiple of S, and all phases with equal sums
#
# A deconvolution is the backward of a convolution, used forwards; it enlarges, and it can learn how. It does not undo a
# convolution. Nobody computes it with the zeros that define it: each phase is a small convolution of its own.
#
# **What you now own:** in `mine.py`, `deconv_size`, `insert_zeros`, `conv_transpose2d` and `bilinear_kernel`.
