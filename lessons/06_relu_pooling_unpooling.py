# %% [markdown]
# # 06 · ReLU, max-pool, unpooling
#
# Three layers without a single weight. They learn nothing, and yet they decide what survives: one throws away what is below
# zero, the next two thirds of all numbers, and the third is asked to bring them back. It can, better than any interpolation,
# because pooling remembered not only *how much* but also *where*. At the end you know
#
# - what ReLU and max-pooling do, forward and backward,
# - what a *switch* is, what happens when two numbers are equal, and what happens at the edge,
# - how unpooling, nearest neighbour and bilinear interpolation make a picture large again, and what each of them invents,
# - why none of the three can learn,
# - and what pooling does *not* do, although many books say so.
#
# You need lesson 02 (windows, and the map y of the letter X) and the first half of lesson 04 (what dy and dx are).

# %%
import numpy as np

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.data.shapes import SHAPES_CLASSES, ShapesOptions, draw
from minifcn.layers import Conv2d, MaxPool2d, MaxUnpool2d, ReLU, Upsample

RED, GREEN = "#9e0b0f", np.array([0.66, 0.88, 0.76])  # of frames, and of cells that won

# %% [markdown]
# ## Picture 12, before and after
#
# This is what the lesson is about, on picture 12 of lesson 01. A convolution looks for left edges: places where the picture
# gets brighter from left to right. Then come our three layers.

# %% drawing
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, labels = draw(options, 12)
brightness = image.mean(axis=2)[None, None] / 255  # (1, 1, 90, 120)
left_edge = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]

edges, _ = F.conv2d(np.pad(brightness, [(0, 0), (0, 0), (1, 1), (1, 1)], "edge"), left_edge)
kept, _ = F.relu(edges)
small, cache = F.max_pool2d(kept, 2)
back, _ = F.max_unpool2d(small, F.max_pool2d_indices(cache), (90, 120))


def pixels(values, scale=1.0):
    """Numbers (H, W) as colours: orange above zero, blue below, white at zero."""
    above = np.clip(values / scale, 0, 1)[..., None]
    below = np.clip(-values / scale, 0, 1)[..., None]
    return (255 - above * [0, 90, 255] - below * [255, 141, 77]).astype(np.uint8)


board = vis.Board(10.2, 16.8, cell=0.3)
board.picture(image, 0.8, 0, 4, "picture 12")
titles = ("its edges", "ReLU", "max-pool", "unpool")
for i, one in enumerate((edges, kept, small, back), start=1):
    board.picture(pixels(one[0, 0]), 0.8 + 5.3 * (i // 3), 5.7 * (i % 3), 4, titles[i - 1])
vis.show(
    board.figure,
    "picture_12",
    "Picture 12; its edges, orange where it gets brighter to the right, blue where it gets "
    "darker; after ReLU the orange ones alone; pooled to half the height and width (drawn "
    "at the same size); put back: the edges stand where they stood, with gaps.",
)

# %% [markdown]
# ## Back to the X
#
# Lesson 02 made a map y of the letter X, 7 by 7. Each number says how well the stroke "down to the right" fits at that place:
# 1 fits perfectly, below 0 more cells disagree than agree. We take it as it is. (We divide the votes by 9 *after* adding them
# up, because whole numbers are added without rounding. You will see why that matters.)

# %%
letter = -np.ones((9, 9))
for i in range(1, 8):
    letter[i, i] = letter[i, 8 - i] = 1
stroke = np.array([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]])

votes, _ = F.conv2d(letter[None, None], stroke[None, None])
x = votes / 9  # (1, 1, 7, 7)
vis.show(
    vis.draw_table(x[0, 0], "x"),
    "x",
    "The map of lesson 02. It is the input of this lesson, so from now on it is called x.",
)
assert x.shape == (1, 1, 7, 7)
assert np.isclose(x[0, 0, 1, 1], 1)

# %% [markdown]
# ## ReLU: nothing below zero
#
# "The stroke fits worse than not at all" is no useful answer: whether it fits badly or very badly, the stroke is not there.
# So replace every number below 0 by 0 and leave the others alone. This is all that a **ReLU** (*rectified linear unit*) does:
#
#     y = max(x, 0)

# %% [markdown]
# **Predict.** Count the blue cells of the picture above: how many of the 49 numbers become 0?
#
# <details><summary>Answer</summary>
#
# 20, two of every five. No number was 0 before: nine votes of +1 or −1 add up to an odd number.
#
# </details>

# %%
y, _ = F.relu(x)
print("zeros before:", (x == 0).sum(), " zeros after:", (y == 0).sum(), "of", y.size)
assert (x == 0).sum() == 0
assert (y == 0).sum() == 20 == (x < 0).sum()
assert np.array_equal(y[x > 0], x[x > 0])  # the others are as they were

# %% [markdown]
# ## ReLU, backward
#
# Lesson 04's question again: if a number of x grows by a little, how does the loss change? Where x is above 0, y grows by the
# same amount, and the loss follows as dy says. Where x is below 0, y stays 0 whatever x does; the loss notices nothing:
#
#     dx = dy where x > 0,  else 0
#
# A gate for each number, open or shut. Ask the library, and then measure by nudging, as in lesson 04.

# %%
few = np.array([-2.0, 0.5, 3.0, -0.1])
dy = np.array([10.0, -7.0, 4.0, 1.0])
_, cache = F.relu(few)
dx = F.relu_backward(dy, cache)

measured = np.zeros(4)
for i in range(4):
    up, down = few.copy(), few.copy()
    up[i] += 0.001
    down[i] -= 0.001
    measured[i] = ((F.relu(up)[0] - F.relu(down)[0]) * dy).sum() / 0.002
print("x       ", few)
print("dy      ", dy)
print("dx      ", dx)
print("measured", measured.round(6))
assert dx.tolist() == [0, -7, 4, 0]
assert np.allclose(dx, measured)

# %% [markdown]
# What if x is *exactly* 0? There y has a corner: to the right it rises, to the left it is flat, and there is no one answer.
# Every library says 0, and so does this one. (Lesson 05 looks at such corners through a magnifying glass.)

# %%
at_the_corner = F.relu_backward(np.ones(1), F.relu(np.zeros(1))[1])
print("dx where x is exactly 0:", at_the_corner[0])
assert at_the_corner[0] == 0

# %% [markdown]
# **Break it.** Look at the words "where x > 0". A popular slip is to ask where **dy** is above 0, because the code of the
# forward, `np.maximum(..., 0)`, is still in the fingers. The symptom: *no gradient is ever negative*, so nothing before this
# ReLU is ever told to grow smaller.

# %%
broken = np.maximum(dy, 0)
print("right :", dx)
print("broken:", broken)
assert (dx < 0).any()
assert not (broken < 0).any()
assert not np.allclose(broken, measured)

# %% [markdown]
# ## What a ReLU has to remember
#
# Backward needs to know where x was above 0. Must the layer keep x for that?

# %% [markdown]
# **Predict.** After the forward x is thrown away, only y is left. Can backward still be computed?
#
# <details><summary>Answer</summary>
#
# Yes. y is above 0 exactly where x was. And y is kept anyway, because the layer after needs it as *its* x. So a ReLU costs no
# memory at all.
#
# </details>

# %%
y, cache = F.relu(x)
print("the cache is y itself:", cache is y)
assert cache is y
assert np.array_equal(y > 0, x > 0)

# %% [markdown]
# ## Max-pooling: the best of each window
#
# A network wants to know *that* there is a stroke, and roughly where; the exact pixel matters less. **Max-pooling** cuts the
# map into windows, 2 by 2, side by side, and keeps only the largest number of each. The kernel is 2 and so is the stride,
# unless one asks for another; so the windows do not overlap. There are no weights.
#
# Seven rows do not divide by two. The last window hangs over the edge, and what lies outside takes no part in it. This is
# called *rounding up* (in the library `ceil_mode=True`), and 7 rows become 4.

# %%
y, _ = F.relu(x)
pooled, pool_cache = F.max_pool2d(y, 2, ceil_mode=True)  # (1, 1, 4, 4)
switches = F.max_pool2d_indices(pool_cache)  # (1, 1, 4, 4); explained below

# %% drawing
won = np.isin(np.arange(49).reshape(7, 7), switches)
board = vis.Board(9.2, 22.5)
board.grid(x[0, 0], 1, 0, title="x")
board.grid(y[0, 0], 1, 8.5, title="after ReLU", colours=np.where(won[..., None], GREEN, 1))
for i, j in np.ndindex(4, 4):
    board.frame(1 + 2 * i, 8.5 + 2 * j, 2, 2, RED)
board.grid(pooled[0, 0], 2.5, 18.5, title="after max-pool", colours=GREEN)
vis.show(
    board.figure,
    "relu_and_pool",
    "The X goes through ReLU and max-pooling. Dark red frames: the sixteen windows; those "
    "on the right and at the bottom hang over the edge. Green: the number that won its "
    "window.",
)
print(pooled[0, 0].round(2))
assert pooled.shape == (1, 1, 4, 4)
by_hand = [[9, 3, 5, 3], [3, 9, 3, 5], [5, 3, 9, 1], [3, 5, 1, 7]]  # ninths
assert np.allclose(pooled[0, 0] * 9, by_hand)

# %% [markdown]
# The stroke is still there, down the diagonal of the small table. 33 of the 49 numbers are gone: two thirds.
#
# Take the formula of lesson 02 for the size, with `//` once rounding down and once up:
#
#     OH = (H − K) // S + 1            rounding down: windows that fit
#     OH = −(−(H − K) // S) + 1        rounding up: one more may hang over the edge
#
# (`-(-a // b)` is a / b rounded up: the division rounds down, and the two signs turn it around.) Ask the library for many
# sizes whether this is so.

# %%
compared = 0
for H in range(3, 12):
    for K in range(1, 4):
        for S in range(1, K + 1):
            picture = np.zeros((1, 1, H, 5))
            floor = F.max_pool2d(picture, K, S)[0].shape[2]
            ceil = F.max_pool2d(picture, K, S, ceil_mode=True)[0].shape[2]
            assert floor == (H - K) // S + 1
            assert ceil == -(-(H - K) // S) + 1
            compared += 1
print("sizes compared:", compared)
assert compared == 9 * 6

# %% [markdown]
# **Break it.** Leave `ceil_mode` out, and windows that do not fit are dropped. Nothing fails. The symptom: *the map ends
# early*; what stood in the last row and column, among it the X's right foot with 0.78, has vanished without a word.

# %%
down, _ = F.max_pool2d(y, 2)  # (1, 1, 3, 3)
foot = y[0, 0, 6, 6]
print(down[0, 0].round(2))
for rounded, small in (("up", pooled), ("down", down)):
    there = np.isclose(small, foot).any()
    print(f"rounded {rounded}: is the foot, {foot:.2f}, there? {there}")
assert np.array_equal(down, pooled[:, :, :3, :3])
assert np.isclose(foot, 7 / 9)
assert np.isclose(pooled, foot).any()
assert not np.isclose(down, foot).any()

# %% [markdown]
# And what lies outside, beyond the edge? It must never win, so it counts as minus infinity.
#
# **Break it.** Fill it with zeros, as a convolution does. For our map, where nothing is below 0, you will never notice. Give
# it numbers below 0, and the symptom shows: *a bright rim*, where 0 beats everything that is really there.

# %%
cold = -1 - np.arange(15.0).reshape(1, 1, 3, 5)  # −1 to −15
right, _ = F.max_pool2d(cold, 2, ceil_mode=True)
rim, _ = F.max_pool2d(np.pad(cold, ((0, 0), (0, 0), (0, 1), (0, 1))), 2)
print("right:\n", right[0, 0])
print("padded with zeros:\n", rim[0, 0])
assert right.max() == -1
assert rim.max() == 0
assert (rim != right).sum() == 4  # the last row and the last column

# %% [markdown]
# ## First ReLU, or first the pool?
#
# **Predict.** Networks do ReLU and then max-pool. What changes if you exchange the two?
#
# <details><summary>Answer</summary>
#
# Nothing. Setting negative numbers to 0 never changes which of two numbers is larger (it can only make them equal), so "the
# largest, then at least 0" is "each at least 0, then the largest". Pooling first leaves only a quarter of the work for ReLU.
#
# </details>

# %%
relu_first, _ = F.max_pool2d(F.relu(x)[0], 2, ceil_mode=True)
pool_first, _ = F.relu(F.max_pool2d(x, 2, ceil_mode=True)[0])
print("equal:", np.array_equal(relu_first, pool_first))
print("numbers that ReLU looks at:", x.size, "or", pool_first.size)
assert np.array_equal(relu_first, pool_first)

# %% [markdown]
# ## Switches: where it came from
#
# While it looks for the largest number of a window, a pooling can also write down *where* it stood. This note is called a
# **switch**. Number the cells of the 7 by 7 map row by row, from 0 to 48: cell (row, column) has the number 7 · row + column.
# These are our switches.

# %% drawing
places = np.arange(49).reshape(7, 7)
board = vis.Board(10, 15)
board.grid(switches[0, 0], 4, 0, title="switches", colours=GREEN)
board.frame(4, 0, 1, 4, RED)
board.write("the first row of switches", 0.55, 8, align="left", weight="bold")
board.grid(places, 3, 8, colours=np.where(won[..., None], GREEN, 1))
for j in range(4):
    row, column = divmod(int(switches[0, 0, 0, j]), 7)
    at = 8 + [0.4, 2.9, 4.1, 6.0][j]
    board.grid(switches[0, 0, :1, j : j + 1], 1, at, colours=GREEN, size=0.36)
    board.arrow((2, at + 0.5), (3 + row, 8.5 + column - 0.3 * (row > 0)), RED)
    board.frame(3 + row, 8 + column, 1, 1, RED)
vis.show(
    board.figure,
    "switches",
    "Left: the sixteen switches. Right: the 49 places, those that won in green. Dark red "
    "arrows lead from the first row of switches to the places that they name.",
)
print(switches[0, 0])
by_eye = [[8, 3, 4, 6], [21, 16, 26, 20], [28, 38, 32, 34], [42, 44, 46, 48]]
assert switches[0, 0].tolist() == by_eye
assert np.array_equal(y.reshape(1, 1, 49)[0, 0, switches[0, 0]], pooled[0, 0])

# %% [markdown]
# The second switch of the second row is 16. 16 = 7 · 2 + 2, so it is place (2, 2), where the stroke fits perfectly.
#
# ## A tie
#
# Look at the third window of the third row, rows 4 and 5, columns 4 and 5. The stroke fits *twice* in it, at (4, 4) and at
# (5, 5), both times perfectly.

# %% [markdown]
# **Predict.** Two numbers of a window are equal, and both are the largest. What does the switch say?
#
# <details><summary>Answer</summary>
#
# One of the two: the first, row by row. A switch has room for one place. The other match is forgotten, although it is just as
# good. (All the numbers that we pool are ninths made of whole numbers, so equal is really equal. Had we rounded on the way,
# a difference in the last digit, meaning nothing, would decide.)
#
# </details>

# %%
window = y[0, 0, 4:6, 4:6]
print(window)
print("switch:", switches[0, 0, 2, 2], "= 7 · 4 + 4")
assert window[0, 0] == window[1, 1] == 1
assert switches[0, 0, 2, 2] == 7 * 4 + 4

tied = []
for i, j in np.ndindex(4, 4):
    window = y[0, 0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
    if (window == window.max()).sum() > 1:
        tied.append((i, j))
print("windows with a tie:", tied)
assert len(tied) == 3

# %% [markdown]
# ## Max-pool, backward
#
# Which numbers of its input does a pooling's output depend on? On the winners. Push a winner up a little, and its output goes
# up as much. Push any other number, and nothing happens, because it still loses. So backward sends each dy to the place that
# its switch names, and 0 to all others.

# %%
dpooled = np.arange(1.0, 17).reshape(1, 1, 4, 4)  # any gradient: 1 to 16
dy_map = F.max_pool2d_backward(dpooled, pool_cache)  # (1, 1, 7, 7)

# %% drawing
board = vis.Board(8, 15)
board.grid(dpooled[0, 0], 2.5, 0, title="dy of the pool", colours=GREEN)
board.arrow((4.5, 4.4), (4.5, 7.1))
board.grid(dy_map[0, 0], 1, 7.5, title="its dx", colours=np.where(won[..., None], GREEN, 1))
vis.show(
    board.figure,
    "gradient_flow",
    "Backward through max-pooling: sixteen numbers arrive and land on sixteen of 49 places "
    "(green), those that had won. The other 33 get no gradient: in this step they learn "
    "nothing.",
)
print("places with a gradient:", (dy_map != 0).sum(), "of", dy_map.size)
assert (dy_map != 0).sum() == 16
assert dy_map[0, 0, 4, 4] == 11  # the first of the two equal matches gets it all
assert dy_map[0, 0, 5, 5] == 0  # the second gets nothing

# %% [markdown]
# So the gradient of a tie is *not* shared. What would a measurement by nudging say about (4, 4) and (5, 5)? Something else,
# and it would not be wrong either. That is a story for lesson 05.
#
# ## Unpooling: put them back
#
# A *fully convolutional network* (FCN) gives a class to every pixel. On its way through the network the picture gets smaller
# and smaller, and in the end it must be large again. **Unpooling** takes the small table and the switches, and puts every
# number back where it came from. On all other places it puts 0.
#
# Without switches, there is *nearest neighbour*, which repeats each number over its whole window, and *bilinear
# interpolation*, which mixes neighbours in a smooth way.

# %%
unpooled, unpool_cache = F.max_unpool2d(pooled, switches, (7, 7))
nearest, _ = F.interpolate(pooled, size=(7, 7), mode="nearest")
bilinear, _ = F.interpolate(pooled, size=(7, 7), mode="bilinear")

# %% drawing
board = vis.Board(17, 16)
for place, table in enumerate((bilinear, unpooled, y, nearest)):
    at = 1 + place // 2 * 8.5, place % 2 * 8.5
    board.grid(table[0, 0], *at, title="ABCD"[place], scale=1)
vis.show(
    board.figure,
    "which_is_which",
    "Four maps. One went into the pooling; three were made of what came out of it.",
)

# %% [markdown]
# **Predict.** Which of these four pictures is the original, which is unpooling, which nearest neighbour, and which bilinear?
# And which of the three is closest to the original?
#
# <details><summary>Answer</summary>
#
# C is the original. B is unpooling: at most one number in each window, the rest 0. D is nearest neighbour: windows of equal
# numbers. A is bilinear: everything is smeared, hardly a number is still the same. Unpooling is closest by far: what it puts
# somewhere is right, and the zeros that it puts elsewhere are right wherever ReLU had made one.
#
# </details>

# %%
print("              mean squared difference   places exactly right")
results = {}
for name, guess in (("unpooling", unpooled), ("nearest", nearest), ("bilinear", bilinear)):
    error, exact = ((guess - y) ** 2).mean(), int(np.isclose(guess, y).sum())
    results[name] = (round(float(error), 3), exact)
    print(f"{name:10} {error:20.3f} {exact:18} of 49")
assert results == {"unpooling": (0.050, 36), "nearest": (0.185, 19), "bilinear": (0.145, 5)}

# %% [markdown]
# **Break it.** Throw the switches away, and put each number into the top left corner of its window instead. The symptom: *it
# looks like unpooling, but things have moved*, up and to the left, by up to one pixel. The error grows by two fifths; five of
# the sixteen numbers are in the wrong place.

# %%
no_switches = np.zeros((1, 1, 8, 8))
no_switches[:, :, ::2, ::2] = pooled
no_switches = no_switches[:, :, :7, :7]
moved = ((no_switches - y) ** 2).mean()
at_home = int(np.isclose(no_switches, y)[no_switches > 0].sum())
print(f"with switches {results['unpooling'][0]:.3f}, without {moved:.3f}")
print("numbers in their place:", at_home, "of 16")
assert moved > 1.4 * results["unpooling"][0]
assert at_home == 16 - 5
assert np.isclose(unpooled, y)[unpooled > 0].sum() == 16

# %% [markdown]
# ## Two layers, mirror images
#
# Look at the last pictures again. *Backward of the pool* puts numbers at the places of the switches: it scatters. *Forward of
# unpooling* does the same. And backward of unpooling? Each number went to one place, and its gradient waits there: it is
# fetched from that place, it gathers, as the pooling does in its forward. So with the switches held fixed the two layers are
# each other's backward. Lesson 04 has a test for this, without any nudging:
#
#     sum(unpool(a) · b) = sum(a · unpool's backward(b))      for any a, b

# %%
rng = np.random.default_rng(6)
a, b = rng.normal(size=(1, 1, 4, 4)), rng.normal(size=(1, 1, 7, 7))
scattered, cache = F.max_unpool2d(a, switches, (7, 7))
gathered = F.max_unpool2d_backward(b, cache)
left, right_side = (scattered * b).sum(), (a * gathered).sum()
print(f"left {left:.12f}\nright {right_side:.12f}")
assert abs(left - right_side) < 1e-12
assert np.array_equal(scattered, F.max_pool2d_backward(a, pool_cache))

# %% [markdown]
# ## They do not learn
#
# A lecture that this course follows (a deck of slides) shows nearest neighbour, bilinear interpolation and unpooling, asks
# what is wrong with them, and answers: "They do not learn from data". In another lecture the printout of a whole network has
# a line `MaxPool2d-5 [-1, 64, 112, 112] 0`: 64 channels of 112 by 112, made of 224 by 224, with 0 parameters. Ask the library
# how many numbers there are in each layer that training could change.

# %%
layers = [
    ReLU(),
    MaxPool2d(2),
    MaxUnpool2d(2),
    Upsample(scale_factor=2),
    Upsample(scale_factor=2, mode="bilinear"),
    Conv2d(1, 2, kernel_size=3),
]
for layer in layers:
    count = sum(parameter.size for parameter in layer.parameters())
    print(f"{count:3} parameters: {layer}")
assert F.max_pool2d(np.zeros((1, 1, 224, 224)), 2)[0].shape[2:] == (112, 112)
assert all(list(layer.parameters()) == [] for layer in layers[:-1])
assert sum(parameter.size for parameter in layers[-1].parameters()) == 2 * 1 * 3 * 3 + 2

# %% [markdown]
# Whatever the pictures are, these layers do the same. The way up that *can* learn is the deconvolution of lesson 10.
#
# ## What pooling does not do
#
# "Pooling makes a network indifferent to shifts": many books say so. Take one bright pixel in a row of eight, and pool by
# two.

# %%
print("bright pixel at   pooled")
codes = []
for place in range(8):
    row = np.zeros((1, 1, 1, 8))
    row[..., place] = 1
    code = F.max_pool2d(row, (1, 2))[0].ravel().astype(int).tolist()
    codes.append(code)
    print(f"{place:9}         {code}")
assert codes[2] == codes[3]  # this shift is not noticed
assert codes[3] != codes[4]  # this one is

# %% [markdown]
# From 2 to 3 nothing changes; from 3 to 4 everything does. Half of all shifts by one pixel are noticed. And a shift by two?

# %% [markdown]
# **Predict.** Lay the map of the X on a wider paper, 8 by 10, and move it to the right by 1 pixel, then by 2. How many of the
# 20 pooled numbers change?
#
# <details><summary>Answer</summary>
#
# By 1: six. By 2: all twenty. But those after the shift by 2 are the old ones, moved on by exactly one cell: not one of them
# is new. So pooling is not *indifferent* to shifts. It *goes along* with shifts by a multiple of its stride, and a shift in
# between disturbs it.
#
# </details>

# %%
paper = np.zeros((1, 1, 8, 10))
paper[..., :7, :7] = y
before, _ = F.max_pool2d(paper, 2)  # (1, 1, 4, 5)
after = {shift: F.max_pool2d(np.roll(paper, shift, axis=3), 2)[0] for shift in (1, 2)}
for shift, numbers in after.items():
    changed = (numbers != before).sum()
    print(f"shifted by {shift}: {changed} of {before.size} numbers change")
assert (after[1] != before).sum() == 6
assert (after[2] != before).sum() == 20
assert np.array_equal(after[2][..., 1:], before[..., :-1])  # the old ones, one cell on

# %% [markdown]
# **So much for:** "Pooling makes a network blind to small shifts."
#
# ## Five times in a row: where did the star go?
#
# The networks of the paper that gave FCNs their name pool five times. 90 by 120 pixels become 45 by 60, then 23 by 30, 12 by
# 15, 6 by 8, 3 by 4. We do it to picture 12, and with it to the set of its star pixels: 1 for star, 0 for the rest.

# %%
star = (labels == SHAPES_CLASSES.index("star")).astype(float)[None, None]
colours = image.transpose(2, 0, 1)[None].astype(float)  # (1, 3, 90, 120)
levels = [(colours, star)]
for _ in range(5):
    colours, _ = F.max_pool2d(colours, 2, ceil_mode=True)
    star, _ = F.max_pool2d(star, 2, ceil_mode=True)
    levels.append((colours, star))
for _, star in levels:
    H, W = star.shape[2:]
    cells = f"{int(star.sum()):3} of {H * W:5} cells"
    print(f"{H:2} x {W:3}: star in {cells}, {star.mean():5.1%}")
sizes = [star.shape[2:] for _, star in levels]
assert sizes == [(90, 120), (45, 60), (23, 30), (12, 15), (6, 8), (3, 4)]
assert [int(star.sum()) for _, star in levels] == [603, 173, 54, 20, 9, 4]

# %% drawing
board = vis.Board(10.3, 22.5, cell=0.3)
for i, times in enumerate((0, 2, 4, 5)):
    colours, star = levels[times]
    top = colours[0].transpose(1, 2, 0).astype(np.uint8)  # (H, W, 3)
    board.picture(top, 0.8, 5.7 * i, 4, f"pooled {times} times" if times else "picture 12")
    board.picture(pixels(star[0, 0]), 6.1, 5.7 * i, 4, "" if times else "its star")
vis.show(
    board.figure,
    "five_pools",
    "Top: picture 12, pooled, drawn at one size. (It gets pale, for each of its three "
    "channels is pooled by itself.) Bottom: the set of star pixels, orange, pooled "
    "along. In the end it is a block of four cells: a third of the picture.",
)
assert round(levels[0][1].mean(), 2) == 0.06
assert round(levels[5][1].mean(), 2) == 0.33

# %% [markdown]
# "There is a star, up to here" survives. Its points, its outline and its size do not. This is the bill that the second half
# of an FCN has to pay: lesson 10 (deconvolution) learns to draw outlines again, and lesson 11 (skips) goes and fetches them
# from before the poolings.
#
# ## To think about
#
# What does a pooling have to remember for its backward? For the 49 numbers of x, with 8 bytes each, that would be 392 bytes.
# The library needs 16. How?
#
# <details><summary>Answer</summary>
#
# It does not keep x, only the switch of each window, and not even as a place in the map: one byte says *which of the window's
# four cells* won. The place follows from the window's number.
#
# </details>

# %%
kept = pool_cache[0]  # (1, 1, 4, 4)
print(kept[0, 0], kept.nbytes, "bytes")
assert kept.nbytes == 16
assert kept.max() <= 3

# %% [markdown]
# Pool a map twice, 2 by 2 each time, or once, 4 by 4. Is there a difference? And for the *mean* in place of the maximum?
#
# <details><summary>Answer</summary>
#
# None: the largest of four largest is the largest of sixteen. And the mean of four means (of equally many numbers) is the
# mean of sixteen. The difference is in between: a network does convolutions there.
#
# </details>

# %%
twice, _ = F.max_pool2d(F.max_pool2d(paper, 2)[0], 2)
once, _ = F.max_pool2d(paper, 4)
assert np.array_equal(twice[..., :2], once)
means, _ = F.avg_pool2d(F.avg_pool2d(paper, 2)[0], 2)
assert np.allclose(means[..., :2], F.avg_pool2d(paper, 4)[0])

# %% [markdown]
# ReLU can kill. If a filter's bias falls so low that x is below 0 at every place of every picture, what is its gradient, and
# what will the next training step do about it?
#
# <details><summary>Answer</summary>
#
# The gradient is 0 everywhere, so the next step changes nothing, nor does the one after. The filter is dead, and it will stay
# dead. Lesson 07 shows how to begin so that this is rare.
#
# </details>

# %%
filter_ = Conv2d(1, 1, kernel_size=3, rng=rng).to("float64")
filter_.bias.data[:] = -100
relu = ReLU()
relu(filter_(letter[None, None]))
filter_.backward(relu.backward(rng.normal(size=(1, 1, 7, 7))))
assert not filter_.weight.grad.any()
assert not filter_.bias.grad.any()

# %% [markdown]
# ## Exercises
#
# Write the functions into `mine.py`, where those of the earlier lessons are, and have them looked at:
#
#     minifcn lesson check 6 mine.py
#
# x and y are (N, C, H, W) and (N, C, OH, OW); only NumPy, please.
#
# **Warm-up, one line.** `relu_backward(dy, x)`: dx of y = max(x, 0). At exactly 0 it is 0. Do not write into dy.
#
# **Main.** `max_pool(x, kernel, stride, ceil_mode)`: windows of kernel by kernel, stride at most kernel. Without ceil_mode
# only windows that fit; with it one more may hang over the edge where a row or column would else be lost.
#
# **Main.** `switches(x, kernel, stride)`: where each maximum came from, as row · W + column in the plane of x; only windows
# that fit. Of equal numbers the first wins, row by row.
#
# **Stretch.** `max_unpool(y, switches, H, W)`: y back at its switches, 0 elsewhere, of shape (N, C, H, W). Windows may
# overlap; then two of them can name one place, and both bring the same number.
#
# ## On one page

# %% drawing
board = vis.Board(8.2, 26.5)
for column, title, values, colour in (
    (0, "x", x, None),
    (8.5, "pool(relu(x))", pooled, GREEN),
    (14, "switches", switches, GREEN),
    (19.5, "unpooled", unpooled, np.where(won[..., None], GREEN, 1)),
):
    tall = values.shape[2]
    board.grid(values[0, 0], 1 + (7 - tall) / 2, column, title=title, colours=colour)
for column in (7.2, 12.7, 18.2):
    board.arrow((4.5, column), (4.5, column + 1.1))
vis.show(
    board.figure,
    "card",
    "The X, what ReLU and pooling keep of it, where that came from, and put back.",
)
assert np.array_equal(np.sort(unpooled[unpooled > 0]), np.sort(pooled, axis=None))

# %% [markdown]
#     y  = max(x, 0)                       dx = dy where x > 0, else 0
#     y  = largest of each window          dx = dy at the switches, else 0
#     OH = −(−(H − K) // S) + 1            rounding up
#     switch = row · W + column            of the first largest
#     pool(relu(x)) = relu(pool(x))
#
# ReLU shuts what is below zero, forward and backward. Max-pooling keeps the best of each window, its switch says where that
# was, and only the winners get a gradient. Unpooling puts them back; none of the three has anything to learn.
#
# **What you now own:** `relu_backward`, `max_pool`, `switches` and `max_unpool` in `mine.py`. With `conv2d` and its gradients
# from lessons 02 and 04, half of an FCN is yours.
