# %% [markdown]
# # 04 · Backward through a convolution
#
# A network learns by asking, of every single number in it: *if this number were a little larger, would the result be better
# or worse, and by how much?* Going forward, a convolution computes its output. Going **backward**, it answers that question.
# In this lesson you answer it with pencil and paper, for a convolution so small that all of it fits on one page, and then
# find the same numbers in the library. At the end you know
#
# - what `dx`, `dweight` and `dbias` are, and how to get each by hand,
# - why backward is itself a convolution, with the kernel turned by half a turn,
# - how the same is done with matrices (im2col), and why col2im does not undo im2col,
# - how to check a gradient without believing anybody.
#
# You need lesson 02: windows, kernels, stride, padding, and the letters N, C, O, H, W.

# %%
import numpy as np

import minifcn
from minifcn import functional as F
from minifcn import kernels
from minifcn import visualize as vis
from minifcn.kernels.convolution.im2col import col2im, im2col
from minifcn.layers import Conv2d

# %% [markdown]
# ## The smallest convolution that has everything
#
# A picture of 3 by 3, a kernel of 2 by 2, no padding, stride 1. The output is 2 by 2.

# %%
x = np.array([[1.0, 2, 0], [0, 1, 3], [2, 1, 1]])
weight = np.array([[2.0, -1], [1, 3]])
bias = np.array([0.5])


def convolve(x, weight, bias):
    """The library's convolution, for one picture of one channel and one filter: (H, W), (KH, KW), (1,) -> (OH, OW)."""
    return F.conv2d(x[None, None], weight[None, None], bias)[0][0, 0]


y = convolve(x, weight, bias)
board = vis.Board(4, 11.5)
for column, title, values in ((0, "x", x), (4.75, "kernel", weight), (8.5, "y", y)):
    board.grid(values, 1, column, title=title)
vis.show(board.figure, "forward", "The whole forward pass: x, the kernel, and y (which includes the bias, 0.5).")
print(y)
assert np.isclose(y[0, 0], 1 * 2 + 2 * -1 + 0 * 1 + 1 * 3 + 0.5)

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
dy = np.array([[1.0, -2], [3, 5]])

# %% [markdown]
# For example dy[0, 1] = −2 says: push y[0, 1] up a little, and the loss goes *down*, twice as fast. To have a loss that
# behaves in exactly this way, take the sum of y · dy. Check it: nudge each number of y by 0.001 and watch.


# %%
def loss_of(y):
    return (y * dy).sum()


for place in np.ndindex(2, 2):
    nudged = y.copy()
    nudged[place] += 0.001
    change = (loss_of(nudged) - loss_of(y)) / 0.001
    print(f"y{list(place)} a little larger: the loss changes {change:+.3f} times as much; dy there is {dy[place]:+.0f}")
    assert abs(change - dy[place]) < 1e-9

# %% [markdown]
# The question of this lesson: we know how the loss feels about y. How does it feel about **x**, about the **kernel** and about
# the **bias**? These gradients are called dx, dweight and dbias. Each has the shape of the thing it belongs to.
#
# ## Measure first
#
# There is a slow, sure way to find out: nudge one number, run everything forward again, and look at the loss. Do that for
# every number, one at a time. We will compare everything that follows with these measurements.


# %%
def measure(array, forward, h=0.001):
    """How fast forward() changes with each number of `array`, measured by nudging it up and down by h."""
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
# 9 + 4 + 1 numbers, each with two runs of the whole forward pass. A real network has a hundred million numbers, so nobody
# trains this way. We want all gradients in one go.
#
# ## Follow one pixel
#
# Take the pixel in the middle, x[1, 1]. It lies in four windows, so it helps to make all four outputs, each time under
# another weight of the kernel.

# %%
vis.show(
    vis.draw_reach(x, weight, (1, 1)),
    "reach",
    "Where x[1, 1] (blue) goes. In each row the red frame is one window; the orange weight is the one that x[1, 1] meets in "
    "it; the green cell is the output that takes the product. Watch the orange cell: it moves the opposite way to the window.",
)

# %% [markdown]
# Now push x[1, 1] up by a little. Then
#
# - y[0, 0] goes up 3 times as much (the weight it meets is 3), and the loss follows y[0, 0] with dy[0, 0] = 1: together 3 · 1;
# - y[0, 1] goes up 1 times as much, and the loss follows with −2: together 1 · (−2);
# - y[1, 0] goes up −1 times as much, the loss follows with 3: (−1) · 3;
# - y[1, 1] goes up 2 times as much, the loss follows with 5: 2 · 5.
#
# The loss feels all four, so add them up. This multiplying along the way and adding over all ways is called the **chain
# rule**, and it is all there is to backward.

# %%
by_hand = 3 * 1 + 1 * -2 + -1 * 3 + 2 * 5
print("by hand:", by_hand, " measured:", measured_dx[1, 1].round(6))
assert by_hand == 8
assert abs(measured_dx[1, 1] - 8) < 1e-9

# %% [markdown]
# ## One list, read three ways
#
# The whole convolution is 16 products: 4 outputs, each the sum of 4. Write them all down, one a line. A product multiplies
# one x with one weight and goes into one y.

# %%
ledger = [(oh, ow, oh + kh, ow + kw, kh, kw) for oh in range(2) for ow in range(2) for kh in range(2) for kw in range(2)]
for oh, ow, h, w, kh, kw in ledger:
    print(f"y[{oh},{ow}] += x[{h},{w}] * weight[{kh},{kw}]")
assert len(ledger) == 16

# %% [markdown]
# This one list answers everything:
#
# - **Forward.** Add the products up *by y*: that is y (without the bias).
# - **dx.** If x grows by a little, its product grows weight times as much, and the loss dy times that. So each line gives
#   `dy * weight` to its x. Add up *by x*.
# - **dweight.** In the same way each line gives `dy * x` to its weight. Add up *by weight*.

# %%
forward, dx, dweight = np.zeros((2, 2)), np.zeros((3, 3)), np.zeros((2, 2))
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
# And the bias? It is added to every output once. Push it up, and all four outputs go up as much. So dbias is simply the sum
# of all dy.

# %%
dbias = dy.sum()
print("dbias:", dbias)
assert dbias == 1 - 2 + 3 + 5 == 7
assert np.allclose(dbias, measured_dbias)

# %% [markdown]
# The library's definition is this list: `minifcn/kernels/convolution/loops.py` runs through the same products three times,
# once for each of the three. And this is how you ask for all gradients: the forward gives a *cache*, what backward will need,
# and backward takes dy and that cache.

# %%
y4, cache = F.conv2d(x[None, None], weight[None, None], bias)  # (1, 1, 2, 2)
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
vis.show(
    vis.animate_zero_insertion(dy, weight, names=("dy", "dx")),
    "dx_moving",
    "dx, step by step: dy gets a border of zeros, and the flipped kernel slides over it.",
)
vis.show(
    vis.draw_zero_insertion(dy, weight, step=4, names=("dy", "dx")),
    "dx_middle",
    "Stopped in the middle. The window holds all four dy; times the flipped kernel they are 3 · 1, 1 · (−2), (−1) · 3 and "
    "2 · 5 again, and their sum is dx[1, 1] = 8.",
)
padded_dy = np.pad(dy, 1)  # (4, 4): one zero all around, because KH − 1 = 1
as_convolution = convolve(padded_dy, weight[::-1, ::-1], np.zeros(1))
print(as_convolution)
assert np.isclose(as_convolution[1, 1], 8)
assert np.allclose(as_convolution, dx)

# %% [markdown]
# This is also the reason for the turned kernel at the end of lesson 02: backward of a correlation is a convolution in the
# mathematician's sense.
#
# ## dweight is a convolution too, with dy as the kernel
#
# Each weight is used at four places: weight[0, 0] met x[0, 0], x[0, 1], x[1, 0] and x[1, 1], and the products went to y[0, 0],
# y[0, 1], y[1, 0] and y[1, 1]. So dweight[0, 0] is this 2 by 2 piece of x times dy, added up; and the next weight uses the
# piece one pixel to the right. That is dy, sliding over x.

# %%
vis.show(
    vis.draw_sliding(x, dy, step=1, names=("x", "dy", "dweight")),
    "dweight",
    "dy slides over x as if it were a kernel, and each place gives the gradient of one weight. Here the second: the frame lies "
    "on the pixels that weight[0, 1] met.",
)
as_correlation = convolve(x, dy, np.zeros(1))
print(as_correlation)
assert np.allclose(as_correlation, dweight)

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
print("dweight of the batch against the sum over its pictures:", np.abs(dfilters - picture_by_picture).max())
print("dx against the sum over the filters:", np.abs(dmany - filter_by_filter).max())
assert np.allclose(dfilters, picture_by_picture, rtol=0, atol=1e-12)
assert np.allclose(dmany, filter_by_filter, rtol=0, atol=1e-12)

# %% [markdown]
# ## Stride: zeros between the dy
#
# With stride 2 the windows lie two pixels apart, so seen from x the dy lie two pixels apart as well, with nothing between
# them. Put zeros there, and everything goes on as before. (Lesson 10 is about this picture: the same operation, used to make
# pictures larger.)

# %%
vis.show(
    vis.draw_zero_insertion(dy, weight, stride=2, names=("dy", "dx")),
    "dx_stride",
    "dx of a convolution with stride 2: dark grey zeros between the dy, pale ones around them, then the flipped kernel slides. "
    "dx is 4 by 4, the size of the picture that went in.",
)
wide = rng.normal(size=(1, 1, 4, 4))
_, cache = F.conv2d(wide, weight[None, None], stride=2)
dwide, _, _ = F.conv2d_backward(dy[None, None], cache)
stretched = np.zeros((5, 5))
stretched[1:4:2, 1:4:2] = dy  # one zero between, one around
assert np.allclose(dwide[0, 0], convolve(stretched, weight[::-1, ::-1], np.zeros(1)))

# %% [markdown]
# ## The same with matrices
#
# Loops are slow. The usual trick, **im2col** ("image to columns"), copies every window into one column of a matrix. Then the
# whole convolution is one product of two matrices, which computers are extremely good at. (Lesson 03 is about this; here we
# only need what it does.)

# %%
vis.show(
    vis.draw_im2col(x, 2, step=1),
    "im2col",
    "Every window of x becomes a column. A pixel keeps its colour: look for the 1 in the middle of x. It lies in four windows, "
    "so it appears four times. Framed: window number 1.",
)
geometry = kernels.Geometry.of((1, 1, 3, 3), (1, 1, 2, 2))
columns = im2col(x[None], geometry)[0]  # (KH·KW, OH·OW) = (4, 4)
row = weight.reshape(1, 4)  # (O, C·KH·KW): the kernel, written as one row
product = row @ columns + bias  # (O, OH·OW) = (1, 4)
assert np.array_equal(columns[:, 1], x[0:2, 1:3].ravel())
assert np.allclose(product.reshape(2, 2), y)

# %% [markdown]
# Backward of a matrix product is two matrix products. Look at the shapes: dy is (1, 4) here, like the product. `drow` must be
# (1, 4) like `row`, and `dcolumns` must be (4, 4) like `columns`. There is only one way to fit them together, and the chain
# rule says that it is the right one:
#
#     product  = row @ columns
#     drow     = dy @ columns.T
#     dcolumns = row.T @ dy

# %%
dproduct = dy.reshape(1, 4)
drow = dproduct @ columns.T  # (1, 4) = (1, 4) @ (4, 4)
dcolumns = row.T @ dproduct  # (4, 4) = (4, 1) @ (1, 4)

# %% [markdown]
# One step is left: from dcolumns to dx. A pixel was copied into several columns, so its gradient is the sum over all its
# copies. Adding everything back to where it came from is called **col2im**.

# %%
dx_matrix = col2im(dcolumns, geometry)[0]  # (3, 3)

# %% [markdown]
# Now check *every* intermediate result, not only the last: where a chain of steps goes wrong, this shows the first link that
# broke. For each array we nudge its numbers one by one, as we did at the beginning, and compare.


# %%
def compare(name, mine, measured):
    """One line: equal to the last bit? equal up to the error of measuring? and the greatest difference."""
    difference = np.abs(mine - measured).max()
    exact, close = str(np.array_equal(mine, measured)), str(np.allclose(mine, measured, rtol=0, atol=1e-8))
    print(f"{name:9} exact: {exact:5}  close: {close:5}  greatest difference: {difference:.0e}")
    assert close == "True"


compare("dproduct", dproduct, measure(product, lambda: loss_of(product.reshape(2, 2))))
compare("drow", drow, measure(row, lambda: loss_of((row @ columns + bias).reshape(2, 2))))
compare("dcolumns", dcolumns, measure(columns, lambda: loss_of((row @ columns + bias).reshape(2, 2))))
compare("dbias", dproduct.sum(axis=1), measure(bias, lambda: loss_of((row @ columns + bias).reshape(2, 2))))
compare("dx", dx_matrix, measure(x, lambda: loss_of((row @ im2col(x[None], geometry)[0] + bias).reshape(2, 2))))
compare("dweight", drow.reshape(2, 2), measured_dweight)

# %% [markdown]
# (The measured numbers carry rounding errors of about 1e-12, so "exact" is too much to ask of them. Our own two ways, the list
# of products and the matrices, add the same whole numbers, and do agree exactly.)

# %%
assert np.array_equal(dx_matrix, dx)
assert np.array_equal(drow.reshape(2, 2), dweight)

# %% [markdown]
# ## col2im does not undo im2col
#
# It looks as if col2im were im2col backwards: cut into columns, put back together. It is not. Put a picture of ones through
# both. Each pixel comes back once for *each window it lies in*:

# %%
ones = np.ones((1, 5, 5))
geometry5 = kernels.Geometry.of((1, 1, 5, 5), (1, 1, 3, 3))
there_and_back = col2im(im2col(ones, geometry5), geometry5)[0]
vis.show(
    vis.draw_counts(ones[0], there_and_back, titles=("before", "after im2col, col2im")),
    "overlap",
    "A picture of ones, 5 by 5, through im2col and col2im with a 3 by 3 kernel. The corners lie in one window each, the "
    "middle in nine, and the numbers that come back say so.",
)
print(there_and_back)
assert there_and_back[0, 0] == 1
assert there_and_back[2, 2] == 9
assert np.array_equal(there_and_back, vis.window_counts(5, kernel_size=3))

picture = rng.normal(size=(1, 5, 5))
again = col2im(im2col(picture, geometry5), geometry5)
assert np.allclose(again, picture * there_and_back)  # multiplied by the counts, not equal

# %% [markdown]
# What col2im really is has a name: it is the **adjoint** of im2col. That means: take any picture and any matrix of columns.
# Multiply the picture's columns with that matrix, number by number, and add up; or take the matrix back to a picture,
# multiply with the picture, and add up. Both give the same number:
#
#     sum(im2col(picture) · matrix)  =  sum(picture · col2im(matrix))
#
# Both sides are the same products in another order: each pixel times each number of the matrix that stands where a copy of it
# went. Backward is always the adjoint of forward, and that is why this test is so useful: it checks a backward without a
# single nudge.

# %%
matrix = rng.normal(size=im2col(picture, geometry5).shape)
left = (im2col(picture, geometry5) * matrix).sum()
right = (picture * col2im(matrix, geometry5)).sum()
print(f"left {left:.12f}\nright {right:.12f}")
assert abs(left - right) < 1e-12

# %% [markdown]
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
    print(f"after {times} backward: dx[1, 1] = {dx_layer[0, 0, 1, 1]:.0f}, gradient of the bias = {layer.bias.grad[0]:.0f}")
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
# ## Exercises
#
# Write the three functions into one file and have it looked at:
#
#     minifcn lesson check 4 mine.py
#
# x is (N, C, H, W), weight is (O, C, KH, KW), dy is (N, O, OH, OW); stride and padding are whole numbers. Only NumPy, please.
#
# **1.** `bias_gradient(dy)`: dbias, of shape (O,).
#
# **2.** `weight_gradient(x, dy, KH, KW, stride, padding)`: dweight, of shape (O, C, KH, KW).
#
# **3.** `input_gradient(dy, weight, H, W, stride, padding)`: dx, of shape (N, C, H, W). One way: take the list of products, and
# give each x its share. Another: zeros between, zeros around, flipped kernel.
#
# To think about:
#
# - The kernel of ones, 3 by 3, and dy all ones: which dx do you get, and in which picture of this lesson have you seen it?
# - Why is a dy of all ones a bad choice for *checking* dx? (Flip the kernel the wrong way and try. Lesson 05 has the answer.)
