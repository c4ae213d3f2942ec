# %% [markdown]
# # 04 · Backward through a convolution
#
# A network learns by asking, of every single number in it: *if this number were a little larger, would the result be better
# or worse, and by how much?* Going forward, a convolution computes its output. Going **backward**, a convolution computes
# how fast the result changes with each of its numbers: that answers the question.
# In this lesson you answer it with pencil and paper, for a convolution so small that all of it fits on one page, and then
# find the same numbers in the library. At the end you know
#
# - what `dx`, `dweight` and `dbias` are, and how to get each by hand,
# - why backward is itself a convolution, with the kernel turned by half a turn,
# - how the same is done with matrices (im2col), and why col2im does not undo im2col,
# - how to check a gradient without believing anybody, and how a check can be blind.
#
# You need lesson 02: windows, kernels, stride, padding, and the letters N, C, O, H, W.

# %%
import numpy as np

import minifcn
from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.kernels.convolution.im2col import col2im, im2col
from minifcn.layers import Conv2d

# %% [markdown]
# Picture 12 of lesson 01 goes with us. What backward does to it, in one strip: a convolution with stride 2 makes it half as
# large, and backward says how much each of its pixels counted. By the end you can compute every number of this strip.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12 = draw(options, 12)[0].mean(axis=2) / 255  # (90, 120): grey, 0 to 1
edge = np.array([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])  # light above dark
seen, cache = F.conv2d(picture_12[None, None], edge[None, None], stride=2)  # (1, 1, 44, 59)
counted, _, _ = F.conv2d_backward(seen, cache)  # (1, 1, 90, 120)
print(
    "picture", picture_12.shape, " forward", seen.shape[2:], " backward", counted.shape[2:]
)
assert counted.shape[2:] == picture_12.shape
assert seen.shape[2:] == (44, 59)

# %% drawing


def grey(values):
    """Numbers as grey pixels; the largest size is black or white, 0 is in the middle."""
    return (127.5 * (1 + values / np.abs(values).max())[..., None] * np.ones(3)).astype(
        np.uint8
    )


vis.show(
    vis.draw_pictures(
        [grey(2 * picture_12 - 1), grey(seen[0, 0]), grey(counted[0, 0])],
        ("picture 12", "forward, stride 2", "backward"),
        height=4.5,
    ),
    "strip",
    "Picture 12; its edges, half as large; and the gradient of each of its pixels, where "
    "those edges are to become stronger. Grey is 0.",
)

# %% [markdown]
# ## The smallest convolution that has everything
#
# A picture of 3 by 4, a kernel of 2 by 2, no padding, stride 1. The output is 2 by 3. (Neither is square, on purpose: with
# square ones, wrong formulas can look right. We will see one.)

# %%
x = np.array([[1.0, 2, 0, 1], [0, 1, 3, 2], [2, 1, 1, 0]])
weight = np.array([[2.0, -1], [1, 3]])
bias = np.array([0.5])


def convolve(x, weight, bias):
    """By the library, for one channel and filter: (H, W), (KH, KW), (1,) -> (OH, OW)."""
    return F.conv2d(x[None, None], weight[None, None], bias)[0][0, 0]


y = convolve(x, weight, bias)
print(y)
assert y.shape == (2, 3)
assert np.isclose(y[0, 0], 1 * 2 + 2 * -1 + 0 * 1 + 1 * 3 + 0.5)

# %% drawing
board = vis.Board(4, 13.5)
for column, title, values in ((0, "x", x), (5.75, "kernel", weight), (9.5, "y", y)):
    board.grid(values, 1, column, title=title)
vis.show(
    board.figure,
    "forward",
    "The whole forward pass: x, the kernel, and y (which includes the bias, 0.5).",
)

# %% [markdown]
# ## The loss, and what "gradient" means
#
# At its very end a training network computes one number, the **loss**, which says how bad its answer is. Everything between
# our y and the loss does not matter here. All that matters is this: the layers after us tell us, for each number of y, *how
# fast the loss changes when that number grows*. This is the **gradient** of the loss with respect to y. The library calls it
# `dy`. It has y's shape: one number for each number of y.
#
# Say they told us this:

# %%
dy = np.array([[1.0, -2, 4], [3, 5, -1]])

# %% [markdown]
# For example dy[0, 1] = −2 says: push y[0, 1] up a little, and the loss goes *down*, twice as fast. To have a loss that
# behaves in exactly this way, take the sum of y · dy. Check it: nudge each number of y by 0.001 and watch.


# %%
def loss_of(y):
    return (y * dy).sum()


for place in np.ndindex(2, 3):
    nudged = y.copy()
    nudged[place] += 0.001
    change = (loss_of(nudged) - loss_of(y)) / 0.001
    print(f"y{list(place)} up a little: the loss changes {change:+.3f} times as much")
    assert abs(change - dy[place]) < 1e-9

# %% [markdown]
# The question of this lesson: we know how the loss feels about y. How does it feel about *x*, about the *kernel* and about
# the **bias**? These gradients are called dx, dweight and dbias. Each has the shape of the thing it belongs to.
#
# ## Measure first
#
# There is a slow, sure way to find out: nudge one number, run everything forward again, and look at the loss. Do that for
# every number, one at a time. We will compare everything that follows with these measurements.


# %%
def measure(array, forward, h=0.001):
    """How fast forward() changes with each number of array: nudge it up and down by h."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        keep = array[place]
        array[place] = keep + h
        up = forward()
        array[place] = keep - h
        down = forward()
        array[place] = keep
        gradient[place] = (up - down) / (2 * h)
    return gradient


def loss():
    return loss_of(convolve(x, weight, bias))


measured_dx = measure(x, loss)
measured_dweight = measure(weight, loss)
measured_dbias = measure(bias, loss)
print("dx, measured:\n", measured_dx.round(6))
print("dweight, measured:\n", measured_dweight.round(6))
print("dbias, measured:", measured_dbias.round(6))
assert measured_dx.shape == x.shape
assert measured_dweight.shape == weight.shape

# %% [markdown]
# 12 + 4 + 1 numbers, each with two runs of the whole forward pass. A real network has a hundred million numbers, so nobody
# trains this way. We want all gradients in one go.
#
# ## Follow one pixel
#
# Take x[1, 1]. It lies in four windows, so it helps to make four of the six outputs, each time under another weight of the
# kernel.

# %%
lies_in = [
    (oh, ow)
    for oh in range(2)
    for ow in range(3)
    if oh <= 1 <= oh + 1 and ow <= 1 <= ow + 1
]
print("windows that hold x[1, 1]:", lies_in)
assert len(lies_in) == 4

# %% drawing
vis.show(
    vis.draw_reach(x, weight, (1, 1)),
    "reach",
    "Where x[1, 1] goes. In each row the dark red frame is one window; the shaded weight "
    "is the one that x[1, 1] meets in it; the shaded cell of y takes the product. Watch "
    "the shaded weight: it moves the opposite way to the window.",
)

# %% [markdown]
# Now push x[1, 1] up by a little. Then
#
# - y[0, 0] goes up 3 times as much (the weight it meets is 3), and the loss follows y[0, 0] with dy[0, 0] = 1: together 3 · 1;
# - y[0, 1] goes up 1 times as much, and the loss follows with −2: together 1 · (−2);
# - y[1, 0] goes up −1 times as much, the loss follows with 3: (−1) · 3;
# - y[1, 1] goes up 2 times as much, the loss follows with 5: 2 · 5.
#
# **Predict.** The loss feels all four. So what is dx[1, 1]? And what is dx[0, 0], in the corner?
#
# <details><summary>Answer</summary>
#
# Add them up: 3 − 2 − 3 + 10 = 8. The corner lies in one window only, the first, under the weight 2: dx[0, 0] = 2 · 1 = 2. This
# multiplying along each way and adding over all ways is called the **chain rule**, and it is all there is to backward.
#
# </details>

# %%
by_hand = 3 * 1 + 1 * -2 + -1 * 3 + 2 * 5
print("by hand:", by_hand, " measured:", measured_dx[1, 1].round(6))
assert by_hand == 8
assert abs(measured_dx[1, 1] - 8) < 1e-9
assert abs(measured_dx[0, 0] - 2 * 1) < 1e-9

# %% [markdown]
# ## One list, read three ways
#
# The whole convolution is 24 products: 6 outputs, each the sum of 4. Write them all down, one a line. A product multiplies
# one x with one weight and goes into one y.

# %%
ledger = [
    (oh, ow, oh + kh, ow + kw, kh, kw)
    for oh in range(2)
    for ow in range(3)
    for kh in range(2)
    for kw in range(2)
]
for oh, ow, h, w, kh, kw in ledger:
    print(f"y[{oh},{ow}] += x[{h},{w}] * weight[{kh},{kw}]")
assert len(ledger) == 24

# %% [markdown]
# This one list answers everything:
#
# - **Forward.** Add the products up *by y*: that is y (without the bias).
# - **dx.** If x grows by a little, its product grows weight times as much, and the loss dy times that. So each line gives
#   `dy * weight` to its x. Add up *by x*.
# - **dweight.** In the same way each line gives `dy * x` to its weight. Add up *by weight*.

# %%
forward, dx, dweight = np.zeros((2, 3)), np.zeros((3, 4)), np.zeros((2, 2))
for oh, ow, h, w, kh, kw in ledger:
    forward[oh, ow] += x[h, w] * weight[kh, kw]
    dx[h, w] += dy[oh, ow] * weight[kh, kw]
    dweight[kh, kw] += dy[oh, ow] * x[h, w]

print("dx:\n", dx)
print("dweight:\n", dweight)
assert np.allclose(forward + bias, y)
assert np.allclose(dx, measured_dx)
assert np.allclose(dweight, measured_dweight)

# %% [markdown]
# **Predict.** And the bias? It is added to every output once. What is dbias?
#
# <details><summary>Answer</summary>
#
# Push the bias up, and all six outputs go up as much. So dbias is simply the sum of all dy: 1 − 2 + 4 + 3 + 5 − 1 = 10.
#
# </details>

# %%
dbias = dy.sum()
print("dbias:", dbias)
assert dbias == 1 - 2 + 4 + 3 + 5 - 1 == 10
assert np.allclose(dbias, measured_dbias)

# %% [markdown]
# The library's definition is this list: `minifcn/kernels/convolution/loops.py` runs through the same products three times,
# once for each of the three. And this is how you ask for all gradients: the forward gives a *cache*, what backward will need,
# and backward takes dy and that cache. (`kernels.using("loops")` makes the library compute by the definition, as in lesson 02.)

# %%
y4, cache = F.conv2d(x[None, None], weight[None, None], bias)  # (1, 1, 2, 3)
dx4, dweight4, dbias4 = F.conv2d_backward(dy[None, None], cache)
print("dx:\n", dx4[0, 0])
assert np.allclose(dx4[0, 0], dx)
assert np.allclose(dweight4[0, 0], dweight)
assert np.allclose(dbias4, dbias)

with kernels.using("loops"):
    dx_loops, dweight_loops, _ = F.conv2d_backward(dy[None, None], cache)
assert np.allclose(dx_loops, dx4)
assert np.allclose(dweight_loops, dweight4)

# %% [markdown]
# ## dx is a convolution, with the kernel turned
#
# Look again at the picture of the four windows: as the window moves right and down, the weight that x[1, 1] meets moves left
# and up. So, seen from x[1, 1], the four dy lie around it in their natural order and the weights in the reverse order, last
# one first. That is a sliding kernel again! Slide the *flipped* kernel (turned by half a turn) over dy; since a corner of x
# only lies in one window, dy needs a border of zeros, KH − 1 wide.

# %%
padded_dy = np.pad(dy, 1)  # (4, 5): one zero all around, because KH − 1 = 1
as_convolution = convolve(padded_dy, weight[::-1, ::-1], np.zeros(1))
print(as_convolution)
assert np.isclose(as_convolution[1, 1], 8)
assert np.allclose(as_convolution, dx)

# %% drawing
vis.show(
    vis.animate_zero_insertion(dy, weight, names=("dy", "dx")),
    "dx_moving",
    "dx, step by step: dy gets a border of zeros, and the flipped kernel slides over it.",
)
vis.show(
    vis.draw_zero_insertion(dy, weight, step=5, names=("dy", "dx")),
    "dx_middle",
    "Stopped at dx[1, 1]. The window (dark red) holds four dy; times the flipped kernel "
    "they are 3 · 1, 1 · (−2), (−1) · 3 and 2 · 5 again, and their sum is 8.",
)

# %% [markdown]
# This is also the reason for the turned kernel at the end of lesson 02: backward of a correlation is a convolution in the
# mathematician's sense.
#
# ## dweight is a convolution too, with dy as the kernel
#
# Each weight is used at six places: weight[0, 0] met the upper left 2 by 3 piece of x, and each product went to another y. So
# dweight[0, 0] is this piece of x times dy, added up; and the next weight uses the piece one pixel to the right. That is dy,
# sliding over x.

# %%
as_correlation = convolve(x, dy, np.zeros(1))
print(as_correlation)
assert np.allclose(as_correlation, dweight)

# %% drawing
vis.show(
    vis.draw_sliding(x, dy, step=1, names=("x", "dy", "dweight")),
    "dweight",
    "dy slides over x as if it were a kernel, and each place gives the gradient of one "
    "weight. Here the second: the frame lies on the pixels that weight[0, 1] met.",
)

# %% [markdown]
# ## More pictures, channels and filters: more sums
#
# Nothing new happens with several of each; there are only more lines in the list. Something that is used more often collects
# more:
#
# - a weight is used for *every picture*, so dweight adds up over the batch, and so does dbias;
# - a pixel is used by *every filter*, so dx adds up over the filters.

# %%
rng = np.random.default_rng(4)
many = rng.normal(size=(2, 3, 6, 5))  # N = 2 pictures, C = 3 channels
filters = rng.normal(size=(4, 3, 3, 2))  # O = 4 filters of 3 x 2
out, cache = F.conv2d(many, filters, padding=1)  # (2, 4, 6, 6)
dout = rng.normal(size=out.shape)
dmany, dfilters, _ = F.conv2d_backward(dout, cache)

picture_by_picture = np.zeros_like(filters)
for n in range(2):
    _, cache = F.conv2d(many[[n]], filters, padding=1)
    picture_by_picture += F.conv2d_backward(dout[[n]], cache)[1]
filter_by_filter = np.zeros_like(many)
for o in range(4):
    _, cache = F.conv2d(many, filters[[o]], padding=1)
    filter_by_filter += F.conv2d_backward(dout[:, [o]], cache)[0]
print("dweight against the sum over pictures:", np.abs(dfilters - picture_by_picture).max())
print("dx against the sum over the filters:", np.abs(dmany - filter_by_filter).max())
assert np.allclose(dfilters, picture_by_picture, rtol=0, atol=1e-12)
assert np.allclose(dmany, filter_by_filter, rtol=0, atol=1e-12)

# %% [markdown]
# ## A ladder to every dx
#
# So far dx is "zeros around, flipped kernel". Three rungs more, and it works for every convolution. Each is checked against the
# library, on a picture and a kernel that are not square.
#
# **Rung 1: stride 1, no padding.** KH − 1 rows of zeros above and below, KW − 1 columns left and right.

# %%
kernel = rng.normal(size=(3, 2))  # KH = 3, KW = 2


def full(dy, kernel):
    """The flipped kernel over dy with zeros around: (OH, OW) -> (OH + KH − 1, ...)."""
    KH, KW = kernel.shape
    around = np.pad(dy, ((KH - 1, KH - 1), (KW - 1, KW - 1)))
    return convolve(around, kernel[::-1, ::-1], np.zeros(1))


def backward_of(shape, dy, **options):
    """The library's dx for a picture of this shape."""
    _, cache = F.conv2d(np.zeros((1, 1, *shape)), kernel[None, None], **options)
    return F.conv2d_backward(dy[None, None], cache)[0][0, 0]


dy1 = rng.normal(size=(4, 6))
assert full(dy1, kernel).shape == (6, 7)
assert np.allclose(full(dy1, kernel), backward_of((6, 7), dy1))

# %% [markdown]
# **Rung 2: padding.** The forward put P rows and columns of zeros around x. Backward computes their gradient as well, and then
# cuts them off: nobody asked for it.

# %%
P = 1
dy2 = rng.normal(size=(6, 8))
padded_dx = full(dy2, kernel)  # (8, 9): of the padded picture
assert np.allclose(padded_dx[P:-P, P:-P], backward_of((6, 7), dy2, padding=P))

# %% [markdown]
# **Rung 3: stride.** With stride 2 the windows lie two pixels apart, so seen from x the dy lie two pixels apart as well, with
# nothing between them. Put zeros there, and everything goes on as before. (Lesson 10 is about this picture: the same
# operation, used to make pictures larger.)

# %%
S = 2
dy3 = rng.normal(size=(3, 4))
apart = np.zeros((3 * S - 1, 4 * S - 1))  # (5, 7): S − 1 zeros between neighbours
apart[::S, ::S] = dy3
assert np.allclose(full(apart, kernel), backward_of((7, 8), dy3, stride=S))

# %% drawing
vis.show(
    vis.draw_zero_insertion(dy, weight, stride=2, names=("dy", "dx")),
    "dx_stride",
    "dx of a convolution with stride 2: dark grey zeros between the dy, pale ones around "
    "them, then the flipped kernel slides. dx is 4 by 6, the size of the picture.",
)

# %% [markdown]
# **Rung 4: leftover rows.** Slide a window of 3 rows with stride 2 down a picture of *8* rows: it stands on rows 0, 2 and 4,
# and the last step would hang over the edge. Row 7 is in no window at all.
#
# **Predict.** What is dx in row 7?
#
# <details><summary>Answer</summary>
#
# Zero. Nudge a pixel there and no output notices. So add as many rows of zeros at the bottom as the last step left over,
# (H + 2·P − KH) % S of them, and columns at the right in the same way.
#
# </details>

# %%
left_over = (8 - 3) % S
with_rest = np.pad(full(apart, kernel), ((0, left_over), (0, (9 - 2) % S)))
print("rows left over:", left_over, " dx there:", backward_of((8, 9), dy3, stride=S)[7])
assert left_over == 1
assert (backward_of((8, 9), dy3, stride=S)[7] == 0).all()
assert np.allclose(with_rest, backward_of((8, 9), dy3, stride=S))

# %% [markdown]
# ## A chessboard in the gradient
#
# **Predict.** A 3 by 3 kernel of ones slides with stride 2 over a picture, and every dy is 1. Which of these four is dx?

# %%
ones3 = np.ones((1, 1, 3, 3))
_, cache = F.conv2d(np.zeros((1, 1, 7, 9)), ones3, stride=2)
board_dx = F.conv2d_backward(np.ones((1, 1, 3, 4)), cache)[0][0, 0]
choices = [
    np.full((7, 9), 9.0),
    vis.window_counts((7, 9), kernel_size=3),
    np.where(np.arange(9) % 2, 1, 2) * np.ones((7, 1)),
    board_dx,
]
assert [choice.shape for choice in choices] == [(7, 9)] * 4

# %% drawing
vis.show(
    vis.draw_counts(*choices, titles=("A", "B", "C", "D"), cell=0.3),
    "which_dx",
    "Four candidates for dx. The more, the darker.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# D. A pixel collects one share from every window that it lies in, and with stride 2 these are 1, 2 or 4: a chessboard. (B
# counts the windows of stride 1.) So a convolution with stride 2 sends four times as much gradient to some pixels as to their
# neighbours. Lesson 10 shows the same picture the other way round, in what a network draws.
#
# </details>

# %%
print(board_dx)
assert sorted(set(board_dx[1:-1, 1:-1].ravel().tolist())) == [1, 2, 4]
assert board_dx[2, 2] == 4
assert board_dx[1, 1] == 1
assert board_dx[2, 1] == board_dx[1, 2] == 2

# %% [markdown]
# ## The same with matrices
#
# Loops are slow. The usual trick, **im2col** ("image to columns"), copies every window into one column of a matrix. Then the
# whole convolution is one product of two matrices, which computers are extremely good at. (Lesson 03 is about this; here we
# only need what it does. `Geometry` is the library's record of sizes: shapes of picture and kernel, stride, padding.)

# %%
geometry = kernels.Geometry.of((1, 1, 3, 4), (1, 1, 2, 2))
columns = im2col(x[None], geometry)[0]  # (KH·KW, OH·OW) = (4, 6)
row = weight.reshape(1, 4)  # (O, C·KH·KW): the kernel, written as one row
product = row @ columns + bias  # (O, OH·OW) = (1, 6)
assert columns.shape == (4, 6)
assert np.array_equal(columns[:, 1], x[0:2, 1:3].ravel())
assert np.allclose(product.reshape(2, 3), y)

# %% drawing
vis.show(
    vis.draw_im2col(x, 2, step=1, letters=True),
    "im2col",
    "Every window of x becomes a column. The pixels are called a to l here; look for f. It "
    "lies in four windows, so it appears four times. Framed: window number 1.",
)

# %% [markdown]
# Backward of a matrix product is two matrix products. Look at the shapes: dy is (1, 6) here, like the product. `drow` must be
# (1, 4) like `row`, and `dcolumns` must be (4, 6) like `columns`. With these shapes there is one way to fit each together:
#
#     product  = row @ columns
#     drow     = dy @ columns.T        (1, 4) = (1, 6) @ (6, 4)
#     dcolumns = row.T @ dy            (4, 6) = (4, 1) @ (1, 6)
#
# That they fit does not make them right. What makes them right is the chain rule: `row[0, k]` meets `columns[k, o]` in the
# product number o, so its gradient is the sum over o of dy[o] · columns[k, o], and that is a row of dy @ columns.T.

# %%
dproduct = dy.reshape(1, 6)
drow = dproduct @ columns.T
dcolumns = row.T @ dproduct
assert drow.shape == row.shape
assert dcolumns.shape == columns.shape

# %% [markdown]
# One step is left: from dcolumns to dx. A pixel was copied into several columns, so its gradient is the sum over all its
# copies. Adding everything back to where it came from is called **col2im**. Then check *every* intermediate result, not only
# the last: where a chain of steps goes wrong, this shows the first link that broke. For each array we nudge its numbers one by
# one, as we did at the beginning, and compare.


# %%
def compare(name, mine, measured):
    """The greatest difference; it must be no more than the error of measuring."""
    difference = np.abs(mine - measured).max()
    print(f"{name:9} greatest difference {difference:.0e}")
    assert difference < 1e-8


def from_columns():
    return loss_of((row @ columns + bias).reshape(2, 3))


dx_matrix = col2im(dcolumns, geometry)[0]  # (3, 4)
compare("dproduct", dproduct, measure(product, lambda: loss_of(product.reshape(2, 3))))
compare("drow", drow, measure(row, from_columns))
compare("dcolumns", dcolumns, measure(columns, from_columns))
compare("dbias", dproduct.sum(axis=1), measure(bias, from_columns))
compare("dx", dx_matrix, measured_dx)
compare("dweight", drow.reshape(2, 2), measured_dweight)

# %% [markdown]
# (The measured numbers carry rounding errors. Our own two ways, the list of products and the matrices, add the same whole
# numbers, and agree to the last bit.)

# %%
assert np.array_equal(dx_matrix, dx)
assert np.array_equal(drow.reshape(2, 2), dweight)

# %% [markdown]
# **Break it.** Do the same with a *square* picture, 3 by 3, and forget the `.T`. The symptom to remember: *the shapes fit, the
# numbers agree, and the formula is wrong.* With a 2 by 2 kernel the output is 2 by 2 as well, `columns` is 4 by 4, and number
# (k, o) in it is the pixel k of window o: exchange the two, and it is the same pixel. The matrix is its own transpose, so
# nothing can tell the formulas apart. Change the picture, and the truth comes out.

# %%
square = np.array([[1.0, 2, 0], [0, 1, 3], [2, 1, 1]])
columns_of_square = im2col(square[None], kernels.Geometry.of((1, 1, 3, 3), (1, 1, 2, 2)))[0]
dy_square = np.array([[1.0, -2, 3, 5]])
right = dy_square @ columns_of_square.T
forgotten = dy_square @ columns_of_square
print(
    "with .T:",
    right[0],
    " without:",
    forgotten[0],
    " equal:",
    np.array_equal(right, forgotten),
)
assert np.array_equal(columns_of_square, columns_of_square.T)
assert np.array_equal(right, forgotten)  # the wrong formula passes

try:
    dproduct @ columns  # the same mistake with our 3 by 4 picture
    fits = True
except ValueError:
    fits = False
print(f"3 by 4 picture: {dproduct.shape} @ {columns.shape} fits: {fits}")
assert not fits

# %% [markdown]
# A second one fits the square's shapes too, `dy.T @ row` for dcolumns, and is simply wrong. Fitting shapes are a hint, not a
# proof, and a square example is no example.

# %%
row_of_dy = dy_square.T @ row  # (4, 1) @ (1, 4)
print("right:\n", row.T @ dy_square, "\nwrong, of the same shape:\n", row_of_dy)
assert row_of_dy.shape == (row.T @ dy_square).shape
assert not np.allclose(row_of_dy, row.T @ dy_square)

# %% [markdown]
# ## col2im does not undo im2col
#
# It looks as if col2im were im2col backwards: cut into columns, put back together.
#
# **Predict.** Put a picture of ones, 5 by 6, through im2col (3 by 3 kernel) and then through col2im. What comes back in a
# corner, and what in the middle?
#
# <details><summary>Answer</summary>
#
# Not ones. Each pixel comes back once for *each window it lies in*: 1 in the corners, 9 in the middle.
#
# </details>

# %%
ones = np.ones((1, 5, 6))
geometry5 = kernels.Geometry.of((1, 1, 5, 6), (1, 1, 3, 3))
there_and_back = col2im(im2col(ones, geometry5), geometry5)[0]
print(there_and_back)
assert there_and_back[0, 0] == there_and_back[4, 5] == 1
assert there_and_back[2, 2] == there_and_back[2, 3] == 9
assert np.array_equal(there_and_back, vis.window_counts((5, 6), kernel_size=3))

picture = rng.normal(size=(1, 5, 6))
again = col2im(im2col(picture, geometry5), geometry5)
assert np.allclose(again, picture * there_and_back)  # multiplied by the counts, not equal

# %% drawing
vis.show(
    vis.draw_counts(ones[0], there_and_back, titles=("before", "after im2col, col2im")),
    "overlap",
    "A picture of ones through im2col and col2im with a 3 by 3 kernel. The corners lie in "
    "one window each, the middle in nine, and the numbers that come back say so.",
)

# %% [markdown]
# What col2im really is has a name: it is the **adjoint** of im2col. That means: take any picture and any matrix of columns.
# Multiply the picture's columns with that matrix, number by number, and add up; or take the matrix back to a picture,
# multiply with the picture, and add up. Both give the same number:
#
#     sum(im2col(picture) · matrix)  =  sum(picture · col2im(matrix))
#
# Both sides are the same products in another order: each pixel times each number of the matrix that stands where a copy of it
# went. Backward is always the adjoint of forward (for an operation that only multiplies by fixed numbers and adds), and that is
# why this test is so useful: it checks a backward without a single nudge.

# %%
matrix = rng.normal(size=im2col(picture, geometry5).shape)
left = (im2col(picture, geometry5) * matrix).sum()
right = (picture * col2im(matrix, geometry5)).sum()
print(f"left {left:.12f}\nright {right:.12f}")
assert abs(left - right) < 1e-12

# %% [markdown]
# **So much for:** "col2im is im2col backwards, so it gives x back."
#
# ## In a network
#
# A layer keeps its cache itself. `forward` puts it aside, `backward` takes dy, returns dx for the layer before it, and *adds*
# the other two gradients to its parameters. It adds because a parameter may be used several times; setting them to nothing
# before the next step is a separate command, `zero_grad()`. Forgetting that is a popular mistake, so see it once.

# %%
layer = Conv2d(1, 1, kernel_size=2, rng=np.random.default_rng(0)).to("float64")
layer.weight.data[:] = weight
layer.bias.data[:] = bias
for times in (1, 2):
    layer(x[None, None])
    dx_layer = layer.backward(dy[None, None])
    print(f"after {times} backward: dx[1, 1] = {dx_layer[0, 0, 1, 1]:.0f}", end=", ")
    print(f"gradient of the bias = {layer.bias.grad[0]:.0f}")
    assert np.allclose(dx_layer[0, 0], dx)
    assert np.allclose(layer.weight.grad[0, 0], times * dweight)
    assert np.allclose(layer.bias.grad, times * dbias)
layer.zero_grad()
assert layer.weight.grad is None

# %% [markdown]
# ## Trust nobody
#
# The library has our measuring built in, in a faster and sharper form (lesson 05 explains it): `minifcn.gradcheck` compares
# any operation's backward with measurements. Try it on a convolution with everything: channels, stride, padding, a kernel that
# is not square.

# %%
report = minifcn.gradcheck(F.conv2d, many, filters, rng.normal(size=4), stride=2, padding=1)
print(report)
assert report.passed

# %% [markdown]
# **Break it.** A check is only as good as the dy it uses. Many people take a dy of all ones, because it is easy to type. Here
# is a backward that is wrong, it turns dy by half a turn before using it, under both. The symptom: *with ones the difference is
# exactly 0.0, and the mistake goes through.*


# %%
def wrong_backward(dy, cache):
    """A backward that confuses which end of dy is which."""
    return F.conv2d_backward(dy[:, :, ::-1, ::-1], cache)


_, cache = F.conv2d(many, filters, padding=1)
differences = {}
for name, dy_used in (("ones", np.ones(out.shape)), ("random", rng.normal(size=out.shape))):
    good, bad = F.conv2d_backward(dy_used, cache)[0], wrong_backward(dy_used, cache)[0]
    differences[name] = np.abs(good - bad).max()
    print(f"dy of {name:7} dx differs by {differences[name]:.1f}")
assert differences["ones"] == 0.0  # blind
assert differences["random"] > 1  # seen

# %% [markdown]
# Lesson 05 is about checks that can fail.
#
# ## To think about
#
# **1.** The kernel of ones, 3 by 3, stride 1, and dy all ones: which dx do you get, and in which picture of this lesson have
# you seen it?
#
# <details><summary>Answer</summary>
#
# Each pixel gets one share from each window that it lies in: the counts of the picture "after im2col, col2im".
#
# </details>

# %%
_, cache = F.conv2d(np.zeros((1, 1, 5, 6)), ones3)
assert np.array_equal(
    F.conv2d_backward(np.ones((1, 1, 3, 4)), cache)[0][0, 0], there_and_back
)

# %% [markdown]
# **2.** What does dx depend on: on x, on the weight, on the bias, on dy? And dweight?
#
# <details><summary>Answer</summary>
#
# dx on the weight and dy, dweight on x and dy: of a product, each factor's gradient is the other factor. The bias is in
# neither. So a frozen layer, whose weights do not learn, need not keep its x.
#
# </details>

# %%
_, cache_other = F.conv2d(
    rng.normal(size=many.shape), filters, rng.normal(size=4), padding=1
)
dx_other, dweight_other, _ = F.conv2d_backward(dout, cache_other)
assert np.allclose(dx_other, dmany)  # another x and another bias, the same dx
assert not np.allclose(dweight_other, dfilters)

# %% [markdown]
# ## Exercises
#
# Write the functions into your `mine.py` and have it looked at:
#
#     minifcn lesson check 4 mine.py
#
# x is (N, C, H, W), weight is (O, C, KH, KW), dy is (N, O, OH, OW); stride and padding are whole numbers. Only NumPy, please.
#
# **Warm-up.** `bias_gradient(dy)`: dbias, of shape (O,).
#
# **Main.** `weight_gradient(x, dy, KH, KW, stride, padding)`: dweight, of shape (O, C, KH, KW).
#
# The ladder to dx, a function a rung; each may call the one before:
#
# **Main.** `dx_plain(dy, weight)`: stride 1, no padding; dx is (N, C, OH + KH − 1, OW + KW − 1). One way: take the list of
# products, and give each x its share. Another: zeros around, flipped kernel.
#
# **Main.** `dx_padded(dy, weight, padding)`: stride 1, and the forward had put `padding` zeros around x.
#
# **Main.** `dx_strided(dy, weight, stride)`: no padding, and the last window ends where x ends.
#
# **Main.** `input_gradient(dy, weight, H, W, stride, padding)`: all of it, leftover rows and columns too; dx is (N, C, H, W).
#
# **Stretch** (not needed to go on). `window_counts(H, W, K, stride, padding)`: in how many windows of a K by K kernel each
# pixel of an H by W picture lies. Padding is not part of the picture.
#
# `minifcn lesson quiz 4` asks a few questions about the same; its wrong answers are mistakes that people make.
#
# ## On one page

# %% drawing
board = vis.Board(6.2, 25.5)
board.grid(x, 1.5, 0, title="x")
board.grid(weight, 1.5, 5, title="kernel")
board.grid(dy, 1.5, 8.5, title="dy")
for column, title, values in ((13.2, "dx", dx), (18.7, "dweight", dweight)):
    board.grid(values, 1.5, column, title=title)
board.grid(np.array([[dbias]]), 1.5, 22.5, title="dbias")
board.frame(2.5, 14.2, 1, 1, "#9e0b0f")
board.write("3·1 + 1·(−2) + (−1)·3 + 2·5 = 8", 5.2, 13.2, align="left", size=0.38)
vis.show(
    board.figure,
    "one_page",
    "All that a convolution is asked, and all that it answers. Framed: dx[1, 1], the sum "
    "over the four windows that hold x[1, 1].",
)
assert dx[1, 1] == 8

# %% [markdown]
#     product   y[oh, ow] += x[oh·S + kh − P, ow·S + kw − P] · weight[kh, kw]
#     dx        dy · weight, added up by x:    the flipped kernel over dy with zeros
#     dweight   dy · x, added up by weight:    dy over x, for all pictures
#     dbias     dy, added up
#     adjoint   sum(forward(x) · dy)  =  sum(x · backward(dy)),  without the bias
#
# A gradient has the shape of the thing that it belongs to. What was used several times collects the sum of its shares. Shapes
# that fit prove nothing: check with random numbers on arrays that are not square.
#
# **What you now own:** in `mine.py`, `bias_gradient`, `weight_gradient` and `input_gradient`, with the rungs
# that lead to it: a whole convolution's backward.
