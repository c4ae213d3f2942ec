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
# - say what exactly is transposed in it, and prove it with one line,
# - explain why nobody computes it the way it is defined,
# - and know where the checkerboard patterns come from, and what a bilinear kernel is.
#
# You need lesson 02 (windows, kernels, stride, padding). The gradients of lesson 04 turn up once, in passing.

# %%
import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.kernels.convolution.im2col import col2im
from minifcn.layers import ConvTranspose2d
from minifcn.layers.initializers import bilinear
from minifcn.training import SGD

# %% [markdown]
# ## Larger, but without learning
#
# The simplest ways to double a picture have nothing to learn. *Nearest neighbour* repeats each pixel. *Bilinear
# interpolation* mixes neighbours. Whatever is in the picture, they do the same.

# %%
tiny = np.array([[1.0, 4], [3, 2]])
nearest, _ = F.interpolate(tiny[None, None], scale_factor=2, mode="nearest")
smooth, _ = F.interpolate(tiny[None, None], scale_factor=2, mode="bilinear")

board = vis.Board(5, 13)
for column, title, values in (
    (0, "picture", tiny),
    (3.5, "nearest", nearest[0, 0]),
    (9, "bilinear", smooth[0, 0]),
):
    board.grid(values, 1, column, title=title)
vis.show(
    board.figure,
    "no_learning",
    "A 2 by 2 picture made 4 by 4: by repeating pixels, and by mixing neighbours.",
)
assert nearest.shape == smooth.shape == (1, 1, 4, 4)
assert np.array_equal(nearest[0, 0, :2, :2], np.full((2, 2), 1.0))

# %% [markdown]
# ## First way: stamps
#
# A convolution looks at a window and makes *one number* of it. Turn this around: take one number, and make a *window* of it.
#
# Think of the kernel as a rubber stamp. For each pixel of the input, ink the stamp with the pixel's value (multiply the
# kernel by it) and press it onto the output. For the next pixel move on by the **stride**. Where two stamps overlap, the
# numbers add up. That is a deconvolution.
#
# Here is one with stride 2: a picture of 2 by 2, a kernel of 3 by 3.

# %%
x = np.array([[1.0, 2], [3, 4]])
weight = np.array([[1.0, 0, -1], [2, 1, 0], [0, 1, 3]])
vis.show(
    vis.draw_stamps(x, weight, stride=2),
    "stamps",
    "Stride 2. Each pixel of x stamps the kernel, times its value, two pixels further on (black frames). The last table is the "
    "sum of the four. In its middle row and middle column stamps overlap.",
)

# %% [markdown]
# The library calls it `conv_transpose2d`, as other libraries do. Like every convolution there it wants four axes, (N, C, H,
# W); we write a small helper for one picture with one channel.


# %%
def deconvolve(x, weight, **options):
    """The library's transposed convolution, for (H, W) and (KH, KW) -> (OH, OW)."""
    return F.conv_transpose2d(x[None, None], weight[None, None], **options)[0][0, 0]


y = deconvolve(x, weight, stride=2)
print(y)

stamped = np.zeros((5, 5))
for h in range(2):
    for w in range(2):
        stamped[2 * h : 2 * h + 3, 2 * w : 2 * w + 3] += x[h, w] * weight
assert np.allclose(stamped, y)

# %% [markdown]
# Look at the number in the very middle, y[2, 2]. All four stamps reach it, each with another of its corners: the lower right
# one of the first stamp, 1 · 3; the lower left of the second, 2 · 0; the upper right of the third, 3 · (−1); the upper left
# of the fourth, 4 · 1.

# %%
assert 1 * 3 + 2 * 0 + 3 * -1 + 4 * 1 == 4
assert np.isclose(y[2, 2], 4)

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
vis.show(
    vis.animate_zero_insertion(x, weight, stride=2),
    "stride_2_moving",
    "The same deconvolution as zero insertion. The pixels move apart, zeros fill the gaps, zeros surround them, and the "
    "flipped kernel slides over all of it.",
)
vis.show(
    vis.draw_zero_insertion(x, weight, stride=2, step=12),
    "stride_2_middle",
    "Stopped in the middle: the window holds all four pixels in its corners. 1 · 3 + 2 · 0 + 3 · (−1) + 4 · 1 = 4, as before.",
)

# %% [markdown]
# This is the *definition* in the library. It keeps a kernel that does just these two steps, and you can ask for it by name.

# %%
with kernels.using("zero_insertion"):
    defined = deconvolve(x, weight, stride=2)
print(defined)
assert np.allclose(defined, y)

stretched = np.zeros((7, 7))  # 2 pixels, 1 zero between, 2 zeros on each side
stretched[2:5:2, 2:5:2] = x
by_hand, _ = F.conv2d(stretched[None, None], weight[None, None, ::-1, ::-1])
assert np.allclose(by_hand[0, 0], y)

# %% [markdown]
# ## The lecture's examples
#
# The lecture shows four moving pictures of grey squares, without numbers: stride 2 without padding, which is the one above;
# stride 1 without padding; and two of stride 2 with padding. We fill in numbers.
#
# **Stride 1, no padding.** There is nothing to insert; only the border of zeros remains.

# %%
vis.show(
    vis.draw_zero_insertion(x, weight, stride=1, step=5),
    "stride_1",
    "Stride 1: 2 by 2 becomes 4 by 4. There are no zeros between the pixels, so neighbouring stamps overlap a lot.",
)
y1 = deconvolve(x, weight)
assert y1.shape == (4, 4)
shares = (
    1 * weight[1, 1] + 2 * weight[1, 0] + 3 * weight[0, 1] + 4 * weight[0, 0]
)  # all four pixels are in that window
assert np.isclose(y1[1, 1], shares)

# %% [markdown]
# **Stride 2, padding 1.** Padding has the opposite effect here: it makes the output *smaller*. It was the forward
# convolution's padding that nobody asks back: P rows and columns are cut off each side of the output. In the picture the
# border of zeros gets thinner by P instead, which comes to the same.

# %%
x3 = np.arange(1.0, 10).reshape(3, 3)
vis.show(
    vis.draw_zero_insertion(x3, weight, stride=2, padding=1, step=6),
    "stride_2_padding_1",
    "Stride 2, padding 1: 3 by 3 becomes 5 by 5. The border of zeros is only one wide.",
)
y_padded = deconvolve(x3, weight, stride=2, padding=1)
y_full = deconvolve(x3, weight, stride=2)
print("without padding:", y_full.shape, " with padding 1:", y_padded.shape)
assert y_full.shape == (7, 7)
assert y_padded.shape == (5, 5)
assert np.allclose(y_padded, y_full[1:-1, 1:-1])  # one row and column less on each side

# %% [markdown]
# **Stride 2, padding 1, output_padding 1.** The lecture's last picture turns 3 by 3 into 6 by 6. To see why this needs an
# option of its own, go the other way. An ordinary convolution of 3 by 3, stride 2, padding 1, makes 3 rows out of 5. But it
# makes 3 rows out of 6 as well: its last step does not fit any more.

# %%
for height in (5, 6):
    small, _ = F.conv2d(
        np.zeros((1, 1, height, height)), weight[None, None], stride=2, padding=1
    )
    print(f"{height} rows become {small.shape[2]}")
    assert small.shape[2] == 3

# %% [markdown]
# So if you want to go back from 3 rows, back to which? **output_padding** says how many rows to add to the smaller answer: 0
# gives 5, 1 gives 6. In spite of its name it does not add zeros. The additional row at the bottom and column at the right
# are those that padding would have cut off.

# %%
vis.show(
    vis.draw_zero_insertion(x3, weight, stride=2, padding=1, output_padding=1, step=7),
    "output_padding",
    "Stride 2, padding 1, output_padding 1: 3 by 3 becomes 6 by 6. At the bottom and at the right there is one more line of "
    "zeros, and so the kernel takes one more step.",
)
y_six = deconvolve(x3, weight, stride=2, padding=1, output_padding=1)
print(y_six)
assert y_six.shape == (6, 6)
assert np.allclose(y_six, y_full[1:, 1:])  # cut at the top and left only
assert np.allclose(y_six[:5, :5], y_padded)
assert (y_six[5] != 0).any()  # the additional row is no row of zeros

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
for H in range(1, 6):
    for K in range(1, 5):
        for S in range(1, 4):
            for P in range(0, 2):
                for extra in range(0, S):
                    OH = (H - 1) * S + K - 2 * P + extra
                    if OH < 1 or OH + 2 * P < K:
                        continue
                    kernel = np.zeros((K, K))
                    large = deconvolve(
                        np.zeros((H, H)), kernel, stride=S, padding=P, output_padding=extra
                    )
                    assert large.shape == (OH, OH)
                    back, _ = F.conv2d(
                        large[None, None], kernel[None, None], stride=S, padding=P
                    )
                    assert back.shape[2] == H
                    compared += 1
print("sizes compared:", compared)
assert compared > 200

# %% [markdown]
# ## What is transposed?
#
# A convolution takes a list of numbers (all pixels of x, row by row) and makes a list of sums, in which every number is
# multiplied by a fixed weight. Any such thing can be written as a **matrix**: a table with one row for each output and one
# column for each input; the entry says with which weight that input goes into that output.
#
# To find the matrix of a convolution, feed it one pixel at a time: a picture that is 1 at one place and 0 elsewhere gives one
# column. Take a picture of 4 by 4 and a kernel of 3 by 3 with the weights 1 to 9, so that you can recognise them.

# %%
numbers = np.arange(1.0, 10).reshape(3, 3)
one_pixel_each = np.eye(16).reshape(16, 1, 4, 4)  # 16 pictures, each with a single 1
M = (
    F.conv2d(one_pixel_each, numbers[None, None])[0].reshape(16, 4).T
)  # (4, 16): 4 outputs, 16 inputs
vis.show(
    vis.draw_matrices(M, titles=("M: a convolution as a matrix",), cell=0.44),
    "matrix",
    "One row for each of the 4 outputs, one column for each of the 16 pixels. Each row is the kernel, 1 to 9, laid over the "
    "pixels of its window; a dot is a zero. The next output's window lies one pixel further on.",
)
picture = np.random.default_rng(10).normal(size=(4, 4))
direct, _ = F.conv2d(picture[None, None], numbers[None, None])
print(
    "convolution and matrix differ by",
    np.abs((M @ picture.ravel()).reshape(2, 2) - direct[0, 0]).max(),
)
assert np.allclose((M @ picture.ravel()).reshape(2, 2), direct[0, 0], rtol=0, atol=1e-12)

# %% [markdown]
# To **transpose** a matrix is to make its rows columns. M turns 16 numbers into 4; M transposed, `M.T`, turns 4 numbers into
# 16. And M transposed is exactly the deconvolution with the same kernel. Column by column it holds our stamps.

# %%
stamps = [column.reshape(4, 4) for column in M]
vis.show(
    vis.draw_matrices(
        M.T, *stamps, titles=("M.T", "column 0", "column 1", "column 2", "column 3")
    ),
    "transposed",
    "M transposed: one column for each of 4 pixels. Fold a column back into 4 by 4, and you see the stamp of that pixel.",
)
four = np.array([[1.0, 2], [3, 4]])
through_matrix = (M.T @ four.ravel()).reshape(4, 4)
print(through_matrix)
assert np.allclose(through_matrix, deconvolve(four, numbers))

# %% [markdown]
# So a transposed convolution is the transpose, not the inverse. It does *not* undo a convolution ("deconvolution" is an
# unlucky name): going there and back does not return the picture.

# %%
there_and_back = (M.T @ M @ picture.ravel()).reshape(4, 4)
print("difference after there and back:", np.abs(there_and_back - picture).max().round(1))
assert not np.allclose(there_and_back, picture)

# %% [markdown]
# ## One line that proves it
#
# Multiply two arrays of the same shape number by number and add up: this is called their **inner product**, written ⟨a, b⟩.
# For every matrix, ⟨M x, y⟩ = ⟨x, M.T y⟩: both sides add the same products, x times entry times y. So for every picture x and
# every y of the output's shape
#
#     ⟨convolution(x), y⟩ = ⟨x, deconvolution(y)⟩
#
# and if this holds for random x and y, the deconvolution is right: there is no other operation for which it does. Try it
# with channels, several pictures, strides, paddings, kernels that are not square.

# %%
rng = np.random.default_rng(0)


def inner(a, b):
    return (a * b).sum()


worst = 0.0
for stride in (1, 2, 3):
    for padding in (0, 1):
        for KH, KW in ((3, 3), (4, 4), (2, 5)):
            a = rng.normal(size=(2, 3, 9, 11))
            kernel = rng.normal(size=(4, 3, KH, KW))
            forward, _ = F.conv2d(a, kernel, stride=stride, padding=padding)
            b = rng.normal(size=forward.shape)
            extra = tuple(
                (n + 2 * padding - k) % stride for n, k in ((9, KH), (11, KW))
            )  # what the last step left over
            backward, _ = F.conv_transpose2d(
                b, kernel, stride=stride, padding=padding, output_padding=extra
            )
            left, right = inner(forward, b), inner(a, backward)
            worst = max(worst, abs(left - right) / np.abs(forward * b).sum())
print(f"18 random cases, greatest relative difference {worst:.0e}")
assert worst < 1e-12

# %% [markdown]
# In lesson 04 the gradient dx of a convolution passed the same test. It is the same operation: *the forward of a deconvolution
# is the backward of a convolution*, and the library computes both with the same code.

# %%
a = rng.normal(size=(1, 1, 5, 5))
_, cache = F.conv2d(a, weight[None, None], stride=2)
dy = np.array([[1.0, 2], [3, 4]])
dx, _, _ = F.conv2d_backward(dy[None, None], cache)
assert np.allclose(dx[0, 0], deconvolve(dy, weight, stride=2))

# %% [markdown]
# ## Four roads, one answer
#
# We have stamps (adding into overlapping windows, which is col2im of lesson 04), zero insertion, and the transposed matrix;
# the library's default uses a fourth one, *phases*, which comes next. On a random example, with stride and padding:

# %%
b = rng.normal(size=(4, 5))
kernel = rng.normal(size=(4, 4))
options = {"stride": 2, "padding": 1}
geometry = kernels.Geometry.of(
    (1, 1, 8, 10), (1, 1, 4, 4), stride=2, padding=1
)  # the convolution from 8 x 10 to 4 x 5

columns = kernel.reshape(16, 1) @ b.reshape(
    1, 20
)  # (KH·KW, H·W): every pixel times every weight
M = (
    F.conv2d(np.eye(80).reshape(80, 1, 8, 10), kernel[None, None], **options)[0]
    .reshape(80, 20)
    .T
)  # (20, 80)
roads = {
    "stamps": col2im(columns[None], geometry)[0],
    "transposed matrix": (M.T @ b.ravel()).reshape(8, 10),
}
for rung in ("zero_insertion", "phases"):
    with kernels.using(rung):
        roads[rung] = deconvolve(b, kernel, **options)

reference = deconvolve(b, kernel, **options)
for name, result in roads.items():
    print(f"{name:18} differs from the default by {np.abs(result - reference).max():.0e}")
    assert np.allclose(result, reference, rtol=0, atol=1e-12)

# %% [markdown]
# ## Never multiply by a zero that you put there yourself
#
# Zero insertion is a fine definition, but a bad way to compute. With stride 2, three quarters of the numbers under the sliding
# kernel are zeros that we inserted. FCN-32s, the simplest FCN, makes the picture large again in one step of stride 32: there
# it is 1023 of every 1024.
#
# So look which weights ever meet a pixel. Take the output's pixel (0, 0), then (0, 2), then (2, 0): the pixels of x lie under
# the *same* weights each time, because moving by the stride moves from one pixel to the next. The output's pixels fall into
# S · S groups, called **phases**, by the remainders of their row and column; and each phase has its own few weights, a small
# kernel cut out of the large one. Convolve x with each of the small kernels, no zeros anywhere, and put the results together
# like the squares of a chessboard.

# %%
vis.show(
    vis.draw_phases(weight, (5, 5)),
    "phases",
    "Stride 2. The kernel's nine weights fall into four small kernels a, b, c, d, and each output pixel uses just one of them. "
    "Together they have nine weights: nothing is left out and nothing is done twice.",
)

# %% [markdown]
# Do one phase by hand: rows 0, 2, 4 and columns 0, 2, 4 of the output come from the small kernel a, the weights at even rows
# and columns.

# %%
small_kernel = weight[0::2, 0::2]
phase_a = deconvolve(x, small_kernel)  # stride 1: (2, 2) and (2, 2) -> (3, 3)
print(phase_a)
assert np.allclose(phase_a, y[0::2, 0::2])
assert np.allclose(
    deconvolve(x, weight[1::2, 1::2]), y[1::2, 1::2]
)  # phase d, a single weight

# %% [markdown]
# How much does it save? Count multiplications for the last layer of FCN-32s: 21 classes, a kernel of 64 by 64, stride 32, an
# input of 12 by 16 (a photograph of 375 by 500 on its way back up).

# %%
large = kernels.Geometry.of((1, 21, 416, 544), (21, 21, 64, 64), stride=32)
assert (large.OH, large.OW) == (12, 16)
with_zeros = 416 * 544 * 21 * 21 * 64 * 64  # every output pixel, every weight
without = 12 * 16 * 21 * 21 * 64 * 64  # every *input* pixel, every weight
print(f"zero insertion {with_zeros / 1e9:6.2f} billion multiplications")
print(f"phases         {without / 1e9:6.2f} billion")
assert round(with_zeros / 1e9) == 409
assert without == large.macs
assert with_zeros / without > 1 / (
    1 - 1023 / 1024
)  # a little more than 1024: at the border there are still more zeros

# %% [markdown]
# And the whole rest of the network, for comparison? Its layers are those of VGG16: thirteen convolutions of 3 by 3, the first
# with a padding of 100, five poolings that halve the picture (rounding up), and then three layers that FCN calls fc6, fc7 and
# score. (Lesson 09 tells where they come from.)

# %%
total, channels, (height, width) = (
    0,
    3,
    (375 + 2 * 99, 500 + 2 * 99),
)  # padding 100, minus 1 for the 3 x 3 window
for outputs, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
    for _ in range(convolutions):
        total += kernels.Geometry.of(
            (1, channels, height, width), (outputs, channels, 3, 3), padding=1
        ).macs
        channels = outputs
    height, width = -(-height // 2), -(-width // 2)  # a pooling, rounded up
for outputs, size in ((4096, 7), (4096, 1), (21, 1)):
    layer = kernels.Geometry.of(
        (1, channels, height, width), (outputs, channels, size, size)
    )
    total, channels, height, width = total + layer.macs, outputs, layer.OH, layer.OW
print(f"the rest of FCN-32s {total / 1e9:.1f} billion, down to {height} by {width}")
assert (height, width) == (12, 16)
assert round(total / 1e9) == 146
assert with_zeros > 2.5 * total

# %% [markdown]
# Done naively, making the picture large again would cost nearly three times as much as everything else in the network.
#
# ## Checkerboards
#
# Feed a deconvolution a picture that is 1 everywhere, with a kernel that is 1 everywhere. What comes out counts how many stamps
# lie on each pixel.

# %%
three, four = (
    vis.overlap_counts(4, kernel_size=3, stride=2),
    vis.overlap_counts(4, kernel_size=4, stride=2),
)
vis.show(
    vis.draw_counts(
        three, four, titles=("kernel 3, stride 2", "kernel 4, stride 2"), cell=0.36
    ),
    "checkerboard",
    "How many stamps lie on each output pixel. Kernel 3, stride 2: the overlaps make a pattern of 1, 2 and 4. Kernel 4, stride "
    "2: inside, every pixel gets exactly 4.",
)
assert sorted(set(three[2:-2, 2:-2].ravel().tolist())) == [1, 2, 4]
assert (four[2:-2, 2:-2] == 4).all()

# %% [markdown]
# With kernel 3 and stride 2 a smooth surface comes out with a **checkerboard** pattern, unless the network learns weights that
# cancel it. The cure is simple: take a kernel whose size is a multiple of the stride. Then every phase has equally many
# weights, and every pixel inside lies under equally many stamps. (That is why FCNs use 4 with 2, 16 with 8, 64 with 32.)

# %%
for K, S in ((2, 2), (3, 2), (4, 2), (5, 2), (6, 3), (16, 8), (64, 32)):
    counts = vis.overlap_counts(8, kernel_size=K, stride=S)
    inside = counts[K:-K, K:-K]
    even = inside.min() == inside.max()
    print(
        f"kernel {K:2}, stride {S}: stamps on a pixel inside: {inside.min()} to {inside.max()}"
    )
    assert even == (K % S == 0)

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
board = vis.Board(8, 15)
board.grid(tent, 1.5, 0, title="size 4, stride 2")
board.picture(
    (255 * (1 - 0.75 * big_tent[..., None]) * np.ones(3)).astype(np.uint8),
    1,
    7,
    7,
    "size 16, stride 8",
)
vis.show(
    board.figure,
    "tent",
    "The bilinear kernel of size 4 in numbers, and that of size 16 as a picture (darker is more).",
)
ramp = np.array([0.25, 0.75, 0.75, 0.25])
assert np.allclose(tent, np.outer(ramp, ramp))

# %% [markdown]
# Does it interpolate? The tents of neighbouring pixels overlap so that their heights add up to 1 everywhere inside. So a
# constant picture stays constant, and it agrees with real bilinear interpolation. At the border a neighbour is missing, and
# the result fades: in an FCN that part is cut off.

# %%
constant = deconvolve(np.ones((6, 6)), tent, stride=2, padding=1)
assert constant.shape == (12, 12)
assert np.allclose(constant[1:-1, 1:-1], 1)  # constant inside
assert np.isclose(constant[0, 0], 0.75**2)  # faded in the corner

anything = rng.normal(size=(6, 6))
interpolated, _ = F.interpolate(anything[None, None], scale_factor=2, mode="bilinear")
enlarged = deconvolve(anything, tent, stride=2, padding=1)
print(
    "difference from bilinear interpolation, inside:",
    np.abs(enlarged - interpolated[0, 0])[1:-1, 1:-1].max(),
)
assert np.allclose(enlarged[1:-1, 1:-1], interpolated[0, 0, 1:-1, 1:-1])

# %% [markdown]
# See the three kernels at work on one picture, a ring.

# %%
rows, cols = np.mgrid[:20, :20]
ring = np.exp(
    -((np.hypot(rows - 9.5, cols - 9.5) - 6) ** 2) / 4
)  # 1 on a circle, falling off to both sides


def grey(picture):
    """Numbers from 0 to 1 as grey pixels; darker is more."""
    return (255 * (1 - np.clip(picture, 0, 1))[..., None] * np.ones(3)).astype(np.uint8)


ones3 = np.full(
    (3, 3), 4 / 9
)  # each output pixel gets 9/4 stamps on average, so this keeps the brightness
vis.show(
    vis.draw_pictures(
        [
            grey(ring),
            grey(deconvolve(ring, ones3, stride=2, padding=1, output_padding=1)),
            grey(deconvolve(ring, np.ones((2, 2)), stride=2)),
            grey(deconvolve(ring, tent, stride=2, padding=1)),
        ],
        ("20 x 20", "3 x 3 of equal weights", "2 x 2 of ones: nearest", "4 x 4 bilinear"),
        height=6,
    ),
    "ring",
    "A ring, doubled by three deconvolutions of stride 2. Kernel 3 prints its checkerboard on it; a 2 by 2 kernel of ones "
    "repeats pixels; the bilinear kernel is smooth.",
)
equal_weights = deconvolve(np.ones((8, 8)), ones3, stride=2, padding=1, output_padding=1)[
    2:-2, 2:-2
]
assert np.ptp(equal_weights) > 1  # not constant: 4/9 to 16/9
assert np.isclose(equal_weights.mean(), 1, atol=0.15)

# %% [markdown]
# ## And now it learns
#
# Nearest neighbour and bilinear interpolation cannot learn from data; a deconvolution can. Let us see it once. Take random
# smooth pictures, make them half as large (each pixel the mean of 2 by 2), and ask a deconvolution to get the originals
# back. It starts as bilinear interpolation. Its loss is the mean squared difference; the gradient of that with respect to y
# is 2 · (y − original) / (number of pixels). Backward and the optimizer `SGD` (a step against the gradient, lesson 13) do the
# rest.

# %%
white = rng.normal(size=(16, 1, 36, 36))
waves = F.conv2d(white, np.outer(np.hanning(7)[1:-1], np.hanning(7)[1:-1])[None, None] / 4)[
    0
]  # (16, 1, 32, 32), smooth
halves, _ = F.avg_pool2d(waves, 2)  # (16, 1, 16, 16)

layer = ConvTranspose2d(1, 1, kernel_size=4, stride=2, padding=1, bias=False).to("float64")
layer.weight.data[:] = bilinear(1, 4)
optimizer = SGD(layer.parameters(), lr=0.2, momentum=0.9)
losses = []
for _ in range(100):
    out = layer(halves)
    losses.append(((out - waves) ** 2).mean())
    layer.zero_grad()
    layer.backward(2 * (out - waves) / out.size)
    optimizer.step()

print(f"bilinear, at the start:  {losses[0]:.5f}")
print(f"learned, after 100 steps: {losses[-1]:.5f}")
print(layer.weight.data[0, 0].round(3))
assert losses[-1] < 0.75 * losses[0]

# %%
learned = layer.weight.data[0, 0]
board = vis.Board(5, 10)
for column, title, values in ((0, "bilinear", tent), (5.5, "learned", learned)):
    board.grid(
        values, 1, column, title=title, scale=learned.max()
    )  # one scale of colours for both
vis.show(
    board.figure,
    "learned",
    "The kernel before and after learning. All four weights in the middle have grown: taking means had flattened the waves of "
    "these pictures, and the learned kernel makes up for it.",
)
assert learned[1:3, 1:3].min() > tent.max()
assert learned.sum() > 1.1 * tent.sum()

# %% [markdown]
# ## Exercises
#
# Write the three functions into one file and have it looked at:
#
#     minifcn lesson check 10 mine.py
#
# x is (N, C, H, W); strides and paddings are whole numbers. Only NumPy, please.
#
# **1.** `insert_zeros(x, stride)`: step 1 of the procedure, stride − 1 zeros between neighbours and none around. The result is
# (N, C, (H − 1)·stride + 1, (W − 1)·stride + 1).
#
# **2.** `conv_transpose2d(x, weight, stride, padding, output_padding)`: the whole deconvolution, without bias. weight is (C, O,
# KH, KW), input channels first; return (N, O, OH, OW). By stamps or by zeros, as you like.
#
# **3.** `bilinear_kernel(size)`: the tent, of shape (size, size), for even *and* odd sizes. With f = (size + 1) // 2 the kernel
# is w[i, j] = (1 − |i − c| / f) · (1 − |j − c| / f), where c, the middle, is f − 1 if size is odd and f − 0.5 if it is even.
#
# To think about:
#
# - A deconvolution with stride 1 is itself an ordinary convolution. With which kernel and which padding?
# - Kernel 2, stride 2: how do stamps, zeros and phases look then? (Encoder-decoder networks use it a lot.)
