# %% [markdown]
# # 11 · Skips and coordinates
#
# 5, 9, 19, 27, 31. These five numbers are in every program for fully convolutional networks
# (FCNs) since 2015. Rows and columns are cut off there, so many of them, and nobody says why.
# Change the padding, and all five are wrong. In this lesson they fall out of twenty lines of
# fractions. What needs them is a **skip**, a shortcut that carries fine detail past the coarse
# middle of a network; then we ask what it is good for. At the end you can
#
# - say for each pixel of a feature map *where in the picture it looks*, and how much it sees,
# - derive the crop wherever two feature maps are added, for any network,
# - recognise an output that is off by one, and say when that hurts and when it hides,
# - and tell what FCN-32s, 16s and 8s mean, and what skips buy.
#
# You need lesson 02 (windows, stride, padding) and lesson 10 (deconvolution). The gradient of
# lesson 04 turns up once, mean IU (lesson 01) several times.

# %%
from fractions import Fraction

import numpy as np

from minifcn import visualize as vis
from minifcn.anatomy import coordinates
from minifcn.course.exercises.lesson_11 import best_possible, in_squares
from minifcn.course.small_fcn import SmallFCN, pictures, predict, scaled, train
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_PALETTE, ShapesOptions, draw
from minifcn.layers import initializers
from minifcn.models import build
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board

# %% [markdown]
# ## One answer for 32 by 32 pixels
#
# On its way through a network a picture gets smaller: each **pooling** makes one number of 2
# by 2, and what comes out of a layer, a smaller picture of numbers, is called a **feature map**.
# After five poolings one number stands for a square of 32 by 32 pixels; so many pixels are
# the **stride** of that feature map.
#
# Suppose the network does everything right, but says only *one class for each square*. How
# good can it be? Take the true mask of picture 12, give each square its most frequent label,
# and compare with the truth.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, truth = draw(options, 12)
print("stride   best mean IU with one class a square")
for stride in (32, 16, 8, 4):
    print(f"{stride:6} {best_possible(truth, stride):9.2f}")
assert best_possible(truth, 32) < 0.5
assert best_possible(truth, 32) < best_possible(truth, 16) < best_possible(truth, 8) < 0.9
assert best_possible(truth, 1) == 1

# %% drawing
vis.show(
    vis.draw_pictures(
        [
            SHAPES_PALETTE[truth],
            *(SHAPES_PALETTE[in_squares(truth, s)] for s in (32, 16, 8)),
        ],
        ("the truth", "squares of 32", "squares of 16", "squares of 8"),
        height=4.5,
    ),
    "staircase",
    "Picture 12: its true mask, and the best answers with one class for each square of 32, "
    "16 and 8 pixels. At 32 the star is lost; at 8 all shapes are there, without outlines.",
)

# %% [markdown]
# That is what the names say. **FCN-32s** makes its answer from a feature map of stride 32, and
# enlarges it. (With a deconvolution, which interpolates, it does somewhat better than squares; but
# detail that is lost stays lost.) **FCN-16s** also looks at an earlier feature map, of stride
# 16, and **FCN-8s** at one of stride 8. An earlier map knows less of *what* there is, but more
# exactly *where*. The way from there is called a **skip**, because it skips the layers between:
#
#     fine map  ──────────────────────────────────────── scores ──┐
#     fine map → more layers → coarse map → scores → enlarged  ── + → ...
#
# The scores of both are added, pixel by pixel. And here the trouble begins: *which pixel of the
# one belongs to which pixel of the other?*
#
# ## Every pixel has an address
#
# Give the pixels of the picture their numbers as addresses: along one row they lie at 0, 1, 2,
# ... A pooling of 2 with stride 2 makes one number of the pixels 0 and 1, the next of 2 and 3.
#
# **Predict.** At which address does the first number of the pooling lie? And the first one after
# a second, and after a third pooling?
#
# <details><summary>Answer</summary>
#
# In the middle between 0 and 1, that is at 1/2; the next at 2 + 1/2, and so on. The second
# pooling's first number is made of those at 1/2 and 2 + 1/2: it lies at 3/2. The third's lies
# between 3/2 and 4 + 3/2, at 7/2. Half pixels! A feature map does not lie *on* the picture's
# pixels but between them. This is where all confusion comes from.
#
# </details>

# %%
addresses = np.arange(48.0)  # of the picture's pixels
first = []
for name in ("pool1", "pool2", "pool3"):
    addresses = (addresses[0::2] + addresses[1::2]) / 2  # of two, the middle
    first.append(addresses[0])
    print(f"{name}: {addresses[:4]} ... {addresses[1] - addresses[0]:g} apart")
assert first == [1 / 2, 3 / 2, 7 / 2]

# %% drawing
board = Board(8.2, 30)
board.write("picture", 0.5, 0, align="left", size=0.36)
board.grid(np.arange(24)[None], 0, 5.5, colours=(1, 1, 1), size=0.3)
for row, (stride, offset) in enumerate([(2, 0.5), (4, 1.5), (8, 3.5)], start=1):
    top = 2.3 * row
    board.write(f"pool{row}", top + 0.5, 0, align="left", size=0.36)
    board.write(f"{stride}·i + {2 * offset:g}/2", top + 1.3, 0, align="left", size=0.3)
    for i in range(24 // stride):
        middle = 5.5 + stride * i + offset + 0.5  # a cell's middle is half a cell further
        left, width = middle - stride / 2 + 0.1, stride - 0.2
        board.frame(top, left, 1, width, fill="#dbeaf5", width_points=0.8)
        board.frame(top + 0.4, middle - 0.1, 0.2, 0.2, fill=style.INK)
        board.write(str(i), top + 0.5, middle + 0.45, size=0.3)
        board.frame(top - 1.2, middle, 1.5, 0, width_points=0.5)
vis.show(
    board.figure,
    "rulers",
    "One row of the picture and the feature maps under it, drawn to scale. A black square "
    "is where a number lies: always on the line between two pixels, never on a pixel.",
)

# %% [markdown]
# ## Three numbers for a layer
#
# Now in general. A layer with a window (a convolution or a pooling) with kernel K, stride S and
# padding P: the window of its output i begins at S·i − P and is K long, so its middle is (K − 1)/2
# further on:
#
#     output i looks at   S·i + (K − 1)/2 − P
#
# Here (K − 1)/2 − P, the place where output 0 looks, is called the **offset**, and K, the number
# of pixels that an output sees, its **field**. That is all that we need: (stride, offset,
# field). We use fractions, so
# that nothing is rounded and `==` means equal.


# %%
def conv(K, S=1, P=0):
    """A convolution or a pooling: (stride, offset, field)."""
    return Fraction(S), Fraction(K - 1, 2) - P, Fraction(K)


for name, layer in (("pool 2, stride 2", conv(2, 2)), ("conv 3, padding 1", conv(3, 1, 1))):
    print(f"{name:18} stride {layer[0]}, offset {layer[1]}, field {layer[2]}")
assert conv(2, 2) == (2, Fraction(1, 2), 2)
assert conv(3, 1, 1)[1] == 0  # padding 1 keeps a 3 x 3 convolution where it was

# %% [markdown]
# And two layers, one after the other? The second one's output i looks at pixel j = S·i + offset
# of the first one's output, and that pixel looks at s·j + o in the picture. Put the one into
# the other:
#
#     s·(S·i + offset) + o  =  (s·S)·i  +  (s·offset + o)
#
# Strides multiply. The second offset counts in pixels of the *first* map, so it is multiplied by
# the stride so far before it is added. In the same way each further pixel of the second
# window adds s pixels to the field: f + s·(K − 1).


# %%
def then(a, b):
    """Layer b behind everything that a stands for."""
    return a[0] * b[0], a[0] * b[1] + a[1], a[2] + a[0] * (b[2] - 1)


place, places = conv(1), {}
for k in (1, 2, 3, 4):  # the convolutions and poolings of the small network of lesson 13
    place = then(place, conv(3, 1, 1))
    if k < 4:
        place = places[f"pool{k}"] = then(place, conv(2, 2))
places["conv4"] = place
for name, (s, o, f) in places.items():
    print(f"{name}: stride {s}, offset {o}, field {f}")
offsets = [places[f"pool{k}"][1] for k in (1, 2, 3)]
assert offsets == [Fraction(1, 2), Fraction(3, 2), Fraction(7, 2)]
assert places["conv4"] == (8, Fraction(7, 2), 38)

# %% [markdown]
# **Break it.** The most popular mistake: to add the offsets as they are, without multiplying
# by the stride so far. The symptom: all offsets are a little too small, and *nothing crashes*. Three
# poolings would lie at 3/2 instead of 7/2: an answer that is shifted by two pixels.

# %%
careless = sum(conv(2, 2)[1] for _ in range(3))
print("added up as they are:", careless, " right:", places["pool3"][1])
assert careless == Fraction(3, 2)
assert places["pool3"][1] - careless == 2  # pixels

# %% [markdown]
# ## A deconvolution is the same map, read backwards
#
# A deconvolution goes from the coarse map to the fine one (lesson 10). The convolution with the
# same K, S, P looks from coarse pixel i at the fine address j = S·i + offset. Solve that for
# i: fine pixel j lies at (j − offset)/S of the coarse map. So its stride is 1/S, and its offset
# is −offset/S. Of its input an output pixel meets every S-th weight only, so K/S numbers, rounded
# up: that is its field. (Behind *several* deconvolutions this is a little too small, since
# their windows do not lie evenly around their pixel. We shall see a case.)


# %%
def deconv(K, S=1, P=0):
    """A deconvolution: the convolution's map solved for the other side."""
    stride, offset, _ = conv(K, S, P)
    return 1 / stride, -offset / stride, Fraction(-(-K // S))  # -(-a // b) rounds up


print("kernel 4, stride 2:", *deconv(4, 2))
for K, S, P in ((4, 2, 0), (3, 2, 1), (64, 32, 0), (5, 3, 2)):
    there_and_back = then(conv(K, S, P), deconv(K, S, P))
    assert there_and_back[:2] == (1, 0)  # at the picture's own pixels again
assert deconv(4, 2)[:2] == (Fraction(1, 2), Fraction(-3, 4))

# %% [markdown]
# ## The crop
#
# Two feature maps a and b shall be added. Both must have the same stride. Pixel 0 of a lies at
# a's offset, pixel 0 of b at b's. How many pixels must be left out at the start of a, so that
# what is then its first pixel lies where b's first lies? The way from the one to the other,
# measured in pixels of the map:
#
#     crop = (offset of b − offset of a) / stride
#
# The small network adds twice and cuts to the picture once. Compute all three:


# %%
def crop(a, b):
    """How many pixels to cut off at the start of a."""
    assert a[0] == b[0], "only maps of one stride can be added"
    return (b[1] - a[1]) / a[0]


picture = conv(1)  # the picture itself: stride 1, offset 0
up = then(places["conv4"], deconv(4, 2))  # enlarged from stride 8 to 4
crops = [crop(up, places["pool2"])]
up = then(then(up, conv(1, 1, -crops[0])), deconv(4, 2))  # cut, enlarged from 4 to 2
crops.append(crop(up, places["pool1"]))
up = then(then(up, conv(1, 1, -crops[1])), deconv(4, 2))  # cut, enlarged from 2 to 1
crops.append(crop(up, picture))
print("crops of the small network:", *crops)
assert crops == [1, 1, 1]
derived = coordinates(SmallFCN(), (1, 3, 48, 64)).crops  # the library's
assert list(derived.values()) == crops

# %% [markdown]
# (To cut c pixels off at the start is a window of 1 with padding −c: output i looks at i + c.
# That is why `conv(1, 1, -c)` stands there.)
#
# ## 5, 9, 19, 27, 31
#
# Now the real one. FCN is built on a network called VGG16: thirteen 3 by 3 convolutions with
# padding 1 and five poolings, then a 7 by 7 convolution without padding (called fc6), and the
# scores. The authors gave the very first convolution a padding of **100**. "padding100?
# 192x192", somebody has noted on a slide about it, and that is the reason: behind five
# poolings a picture of 192 by 192 is 6 by 6, and a window of 7 by 7 does not fit. With the
# padding it fits for every picture, and everything begins 99 pixels further to the upper left.


# %%
def vgg(padding=100):
    """Where the pixels of each pooling and of fc6 lie."""
    place, places = conv(1), {}
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for k in range(convolutions):
            first = stage == 1 and k == 0
            place = then(place, conv(3, 1, padding if first else 1))
        place = places[f"pool{stage}"] = then(place, conv(2, 2))
    places["fc6"] = then(place, conv(7))
    return places


table = vgg()
for name, (s, o, f) in table.items():
    print(f"{name:6} stride {s!s:3} offset {o!s:7} field {f}")
assert [table[f"pool{k}"][1] * 2 for k in range(1, 6)] == [-197, -195, -191, -183, -167]
assert [table[f"pool{k}"][2] for k in range(1, 6)] == [6, 16, 44, 100, 212]
assert table["fc6"] == (32, Fraction(25, 2), 404)
assert 192 / 2**5 == 6

# %% [markdown]
# One pixel of fc6 sees 404 by 404 pixels. FCN-32s enlarges it with a deconvolution of kernel 64
# and stride 32, FCN-16s first by 2, adds pool4, then by 16; FCN-8s by 2, by 2 again, adding
# pool4 and pool3, then by 8. Because of the large padding pool4 and pool3 begin *earlier* here
# than what comes from fc6, so they are the ones that are cut. (In the small network it was
# the enlarged one.) Here are the crops:


# %%
def fcn_crops(places):
    """The five numbers, from where pool3, pool4 and fc6 lie."""
    twice = then(places["fc6"], deconv(4, 2))  # stride 16
    again = then(twice, deconv(4, 2))  # stride 8
    return {
        "pool4": crop(places["pool4"], twice),
        "pool3": crop(places["pool3"], again),
        "32s": crop(then(places["fc6"], deconv(64, 32)), conv(1)),
        "16s": crop(then(twice, deconv(32, 16)), conv(1)),
        "8s": crop(then(again, deconv(16, 8)), conv(1)),
    }


five = fcn_crops(table)
print({name: int(number) for name, number in five.items()})
assert list(five.values()) == [5, 9, 19, 27, 31]

# %% [markdown]
# Five numbers, and none of them was guessed. The library derives them in the same way when it
# builds a network, AlexNet's 18 too; `minifcn coordinates fcn8s` prints the table for every
# layer.

# %%
with initializers.blank():  # no weights: we only look
    for name, last in (("fcn32s", 19), ("fcn16s", 27), ("fcn8s", 31), ("fcn-alexnet", 18)):
        derived = coordinates(build(name), (1, 3, 375, 500)).crops
        print(f"{name:12}", list(derived.values()))
        assert derived["crop"] == last

# %% [markdown]
# **Predict.** Halve the padding, from 100 to 50. What will the crop of FCN-32s be: about half, 9?
# Still 19? −31? Or 69?
#
# <details><summary>Answer</summary>
#
# −31. Everything lies 50 pixels further to the lower right, also the enlarged scores: they
# begin at 31 instead of −19. The first 31 rows of the picture have no score at all. There is
# no crop that mends that; one would have to *add* 31 rows. For FCN-32s the crop is the padding
# minus 81, and below 81 there is none.
#
# </details>

# %%
for padding in (100, 81, 50):
    print(f"padding {padding:3}: crop {fcn_crops(vgg(padding))['32s']}")
    assert fcn_crops(vgg(padding))["32s"] == padding - 81
assert fcn_crops(vgg(50))["32s"] == -31

# %% [markdown]
# **So much for:** "The crop of 19 is a number that one has to know."
#
# ## Does it always fit?
#
# A crop says where to begin. Is there enough left at the other end? That depends on how a pooling
# treats an odd number of rows: *rounding up* it makes a last window that hangs over the edge,
# *rounding down* it forgets the last row. Try FCN-32s with all heights from 1 to 1,099.


# %%
def is_enough(height, up):
    """Whether FCN-32s has a score for each row of a picture of this height."""
    rows = height + 2 * 100 - 2  # behind the first convolution
    for _ in range(5):
        rows = -(-rows // 2) if up else rows // 2
    rows -= 6  # the 7 x 7 convolution
    return rows >= 1 and (rows - 1) * 32 + 64 - 19 >= height


for up, said in ((True, "rounding up"), (False, "rounding down")):
    broken = sum(not is_enough(height, up) for height in range(1, 1100))
    print(f"{said}: {broken} of 1,099 heights have rows without a score")
    assert broken == (0 if up else 421)

# %% [markdown]
# Such bugs are found late: a program that was tried with pictures of 224 rows runs for months,
# until somebody shows it one of 240.

# %%
assert is_enough(224, up=False)
assert not is_enough(240, up=False)

# %% [markdown]
# ## What a wrong crop looks like
#
# Take a picture of a white disc, and ask at each address of two maps whether it lies in the
# disc: on the one hand pool4, on the other what comes enlarged from fc6. Both have stride 16, and
# they must be added with crop 5.
#
# **Predict.** Here are four sums. White: both say disc; black: neither; grey: only one of them.
# Which of these four pictures is the one with crop 5?


# %%
def in_disc(place, count_rows=26, count_columns=34):
    """At the addresses of a map: 1 where they lie in a disc, 0 elsewhere."""
    rows, columns = (float(place[0]) * np.arange(n) for n in (count_rows, count_columns))
    offset = float(place[1])
    return np.hypot(rows[:, None] + offset - 190, columns + offset - 250) < 130


coarse = in_disc(then(table["fc6"], deconv(4, 2)))
fine = in_disc(table["pool4"], 40, 48)
sums = {}
for c in (4, 5, 6, 7):
    sums[c] = coarse.astype(int) + fine[c : c + 26, c : c + 34]
    assert set(np.unique(sums[c]).tolist()) <= {0, 1, 2}

# %% drawing
shades = np.array([0, 150, 255], np.uint8)
vis.show(
    vis.draw_pictures(
        [np.repeat(shades[sums[c]][..., None], 3, axis=2) for c in (7, 4, 5, 6)],
        ("A", "B", "C", "D"),
        height=4.5,
    ),
    "which_crop",
    "Two feature maps of a disc, added with four crops. Grey pixels are those on which the "
    "two do not agree.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# C. It has no grey pixel at all: after cutting five, both maps look at exactly the same
# addresses. A is crop 7, B crop 4, D crop 6. The symptom of a wrong crop is a **ghost edge**:
# a grey rim where things begin and where they end, and nowhere else.
#
# </details>

# %%
for c, both in sums.items():
    print(f"crop {c}: {(both == 1).sum():3} pixels on which they do not agree")
assert (sums[5] != 1).all()
assert all((sums[c] == 1).sum() > 20 for c in (4, 6, 7))

# %% [markdown]
# ## How much does a pixel really see?
#
# The field is the square that can have any influence. Not all of it counts alike. Take ten
# 3 by 3 convolutions whose weights are all 1/9, so that each takes a mean. Their field is 21
# by 21.

# %%
place = conv(1)
for _ in range(10):
    place = then(place, conv(3, 1, 1))
influence = np.ones(1)
for _ in range(10):
    influence = np.convolve(influence, np.ones(3) / 3)  # along one direction
influence = np.outer(influence, influence)  # (21, 21): how much each pixel counts
middle = influence[5:16, 5:16].sum() / influence.sum()
corner = influence[0, 0] / influence[10, 10]
print(f"field {place[2]}; the middle 11 x 11 has {middle:.0%} of the weight")
print(f"a corner counts {corner:.1e} times as much as the centre")
assert influence.shape == (21, 21)
assert place[2] == 21
assert abs(middle - 0.94) < 0.005
assert 1e-8 < corner < 1.5e-8

# %% [markdown]
# A network's own influence can be measured: the gradient (lesson 04) says how much one number of
# the output changes with each pixel of the picture. For that we need a trained network. So train
# two small ones, one as it is, one without skips. (Lesson 13 explains the training; the twin
# enlarges its scores of stride 8 by one deconvolution of kernel 16 and stride 8.)

# %%
x, labels = pictures(0, 200)
new, new_labels = pictures(1000, 40)


def trained(net, steps=80):
    """The network after so many steps on 200 pictures."""
    adam = Adam(net.parameters(), lr=0.01)
    train(net, x, labels, adam, steps, schedule=lambda step: poly(step, steps))
    return net


net, plain = trained(SmallFCN()), trained(SmallFCN(skips=False))

x12 = scaled(image[None])
net.needs_dx = True  # training does not need the picture's gradient; we do
scores = net.eval()(x12)
one = np.zeros_like(scores)
one[0, 4, 30, 30] = 1  # the score for star, in row 30, column 30
gradient = np.abs(net.backward(one)[0]).sum(axis=0)  # (90, 120), over the colours
seen = np.argwhere(gradient > 0)
size = seen.max(axis=0) - seen.min(axis=0) + 1
inner = gradient[30 - 13 : 30 + 13, 30 - 13 : 30 + 13].sum() / gradient.sum()
print("seen by this output:", size, "pixels;", f"the middle 26 x 26 has {inner:.0%} of it")

reached = {30}  # the rows that reach row 30, from the output back to conv4
for _ in range(3):  # deconvolutions of kernel 4 and stride 2, one row cut off behind each
    reached = {i for row in reached for i in range(60) if 0 <= row + 1 - 2 * i < 4}
field = places["conv4"][2] + (max(reached) - min(reached)) * places["conv4"][0]
print("rows of conv4 that reach it:", sorted(reached), " so it can see", field, "pixels")
assert size.tolist() == [field, field] == [54, 54]
assert inner > 0.9

# %% drawing
heat = np.clip(gradient / gradient.max() * 4, 0, 1) ** 0.5
heat = (255 * (1 - heat)[..., None] * np.ones(3)).astype(np.uint8)
board = Board(8.5, 23)
for column, pixels, title in ((0, image, "picture 12"), (11.5, heat, "influence")):
    width = board.picture(pixels, 1, column, 8, title)
    cell = width / 120  # of a pixel, in cells of the board
    top, left = seen.min(axis=0)
    board.frame(1 + top * cell, column + left * cell, size[0] * cell, size[1] * cell)
    board.frame(1 + 29 * cell, column + 29 * cell, 3 * cell, 3 * cell)
vis.show(
    board.figure,
    "influence",
    "What one output pixel (small black square) looks at. The large black frame holds all "
    "pixels that have any influence; the darker a pixel on the right, the more it counts.",
)

# %% [markdown]
# It can see 54 pixels: one number of conv4 sees 38, and three of them reach this output, the outer
# two 16 pixels apart. (Adding up the layers' fields would give 52: the case that was promised.) But
# nearly all of the influence comes from the middle, half as wide.

# %% [markdown]
# ## What do skips buy?
#
# **Predict.** Both networks have had the same pictures and the same 80 steps. Where will the one
# without skips make most of its mistakes?
#
# <details><summary>Answer</summary>
#
# Along the outlines: a score for each 8th pixel cannot follow them. With skips nearly all
# mistakes are there as well, but there are twelve times fewer.
#
# </details>


# %%
def near(mask, reach=2):
    """The pixels at most `reach` rows and columns away from a pixel of the mask."""
    H, W = mask.shape
    wide = np.pad(mask, reach)
    found = np.zeros((H, W), bool)
    for row, column in np.ndindex(2 * reach + 1, 2 * reach + 1):
        found |= wide[row : row + H, column : column + W]
    return found


def class_ius(labels, predictions):
    matrix = ConfusionMatrix(5)
    matrix.update(labels, predictions)
    return matrix.per_class_iu()


def mean_iu(labels, predictions):
    return np.nanmean(class_ius(labels, predictions))


outline = np.stack([near(mask == VOID) for mask in new_labels])  # within 2 pixels of void
edges_only = np.where(outline, new_labels, VOID)
answers = {"with skips": predict(net, new), "without": predict(plain, new)}
wrong = {}
print("            mean IU   near outlines   wrong pixels   of these near outlines")
for name, said in answers.items():
    bad = (said != new_labels) & (new_labels != VOID)
    whole, edges = mean_iu(new_labels, said), mean_iu(edges_only, said)
    wrong[name] = bad.sum(), (bad & outline).sum() / bad.sum()
    print(f"{name:10} {whole:8.2f} {edges:15.2f} {bad.sum():14,} {wrong[name][1]:20.0%}")
assert abs(mean_iu(new_labels, answers["with skips"]) - 0.977) < 0.02
assert abs(mean_iu(new_labels, answers["without"]) - 0.739) < 0.02
assert abs(mean_iu(edges_only, answers["with skips"]) - 0.946) < 0.02
assert abs(mean_iu(edges_only, answers["without"]) - 0.612) < 0.02
assert wrong["without"][0] > 10 * wrong["with skips"][0]

# %% drawing
shown = 7
pixels = ((new[shown].transpose(1, 2, 0) + 1) * 128).clip(0, 255).astype(np.uint8)
truth_shown = SHAPES_PALETTE[new_labels[shown]]
vis.show(
    vis.draw_pictures(
        [pixels, truth_shown, *(SHAPES_PALETTE[said[shown]] for said in answers.values())],
        ("picture", "truth", "with skips", "without"),
        height=4.5,
    ),
    "skips",
    "A new picture, its truth, and the two answers. Without skips the shapes melt into "
    "each other, and pieces of them are lost.",
)
assert (answers["without"][shown] != answers["with skips"][shown]).any()

# %% [markdown]
# Two thirds of the mistakes without skips lie near outlines, which are less than a quarter of the
# pixels. The last third are pieces of shapes with a wrong class: in 80 steps this network has also
# learnt less. (A likely reason: with skips the first layers hear from the loss by a shorter way.)
# And one network is only one network. Train the one without skips from other first weights:

# %%
other = predict(trained(SmallFCN(skips=False, seed=1)), new)
first_draw, second_draw = (mean_iu(new_labels, p) for p in (answers["without"], other))
print(f"without skips, two draws of first weights: {first_draw:.2f} and {second_draw:.2f}")
assert abs(second_draw - first_draw) > 0.1  # that much is luck
assert max(first_draw, second_draw) < 0.9 < mean_iu(new_labels, answers["with skips"])
assert 0.6 < wrong["without"][1] < 0.75
assert outline[new_labels != VOID].mean() < 0.25

# %% [markdown]
# So "skips are worth 0.24 of mean IU" would be too bold; "worth more than 0.1, mostly at the
# outlines" is what we have seen.
#
# ## Off by one: when it hurts and when it hides
#
# **Break it.** Take the trained network and move its final crop by 1, 2 and 4 pixels. The symptom:
# the IU of *every* class falls, little at 1, a lot at 4. Nothing looks wrong but that it is moved.

# %%
right = answers["with skips"]
shifted_iu = {0: mean_iu(new_labels, right)}
for k in (1, 2, 4):
    moved = np.pad(right, ((0, 0), (0, k), (0, k)), mode="edge")[:, k:, k:]
    shifted_iu[k] = mean_iu(new_labels, moved)
    assert (class_ius(new_labels, moved) < class_ius(new_labels, right) - 0.002 * k).all()
print({k: round(value, 2) for k, value in shifted_iu.items()})
for k, measured in ((0, 0.977), (1, 0.949), (2, 0.857), (4, 0.653)):
    assert abs(shifted_iu[k] - measured) < 0.02

# %% [markdown]
# **Predict.** Now build the network with a final crop of 2 instead of 1 *before* it is trained. Does
# it end much worse than one that is built right?
#
# <details><summary>Answer</summary>
#
# Hardly: after 40 steps 0.92 against 0.93. Its weights can learn to look one pixel to the side, and
# do. So a number like mean IU does not show that the network is built wrongly; a table of
# coordinates does, at once and without training.
#
# </details>

# %%
ok, off = SmallFCN(), SmallFCN()
off.crop.offset += 1
ok_iu, off_iu = (mean_iu(new_labels, predict(trained(n, 40), new)) for n in (ok, off))
print(f"built right {ok_iu:.2f}, built off by one {off_iu:.2f}")
assert abs(ok_iu - 0.933) < 0.02
assert abs(off_iu - 0.925) < 0.02

table_ok, table_off = (coordinates(n, (1, 3, 48, 64)) for n in (ok, off))
print(str(table_off).splitlines()[-1])
assert table_ok.aligned
assert not table_off.aligned

# %% [markdown]
# ## To think about
#
# A convolution of kernel 4, stride 1 and padding 1, or 2: where does it put its pixels?
#
# <details><summary>Answer</summary>
#
# At i + 1/2 and at i − 1/2. An even kernel without stride always moves everything by half a pixel,
# and no crop can mend that. It is one reason why kernels are 3, 5 or 7.
#
# </details>

# %%
assert conv(4, 1, 1)[1] == Fraction(1, 2)
assert conv(4, 1, 2)[1] == Fraction(-1, 2)

# %% [markdown]
# FCN-8s adds pool3, and pool2 exists as well, of stride 4. Which crop would it need?
#
# <details><summary>Answer</summary>
#
# Enlarge once more by 2: pool2 begins at −195/2 and the enlarged scores at −59/2; that is 68
# pixels of the picture, and 17 of stride 4.
#
# </details>

# %%
again = then(then(table["fc6"], deconv(4, 2)), deconv(4, 2))
assert crop(table["pool2"], then(again, deconv(4, 2))) == 17

# %% [markdown]
# A deconvolution with kernel 3 and stride 2 follows a pooling. Can its result be cut so that it
# lies on the picture's pixels? And with padding 1?
#
# <details><summary>Answer</summary>
#
# Never. It begins at 1/2 − 2·(1/2) = −1/2, half a pixel off, and padding only changes that by whole
# pixels. A kernel of 4 begins at −1: cut one off, and it fits. This is the second reason (after
# checkerboards, lesson 10) for kernels of twice the stride.
#
# </details>

# %%
for P in (0, 1):
    assert crop(then(conv(2, 2), deconv(3, 2, P)), conv(1)).denominator == 2
assert crop(then(conv(2, 2), deconv(4, 2)), conv(1)) == 1

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 11 mine.py
#
# A map is (stride, offset, field); fractions or floats, as you like.
#
# **Warm-up.** `address(i, K, S, P)`: where in its input does output i of a convolution look?
#
# **Main.** `compose(layers)`: the map of a whole row of layers, each ("conv", K, S, P) or
# ("deconv", K, S, P). The field of a deconvolution is K / S, rounded up.
#
# **Main.** `crop(a, b)`: how many pixels to leave out at the start of map a, so that it begins
# where map b begins. Both have one stride. Where no whole number does it, return the fraction
# (1/2: no crop can mend it).
#
# **Stretch.** `best_possible(mask, stride)`: the mean IU of the best answer with one class for
# each square of stride by stride pixels: its most frequent label, void not counted; of equally
# frequent ones the smaller; 0 where all is void. At the right and the bottom squares may be
# smaller. Classes that are in neither mask nor answer are left out of the mean, void pixels
# (255) too.

# %% [markdown]
# ## On one page

# %% drawing
down = then(then(conv(1), conv(3, 1, 1)), conv(2, 2))
back = then(down, deconv(4, 2))
assert down[:2] == (2, Fraction(1, 2))
assert back[:2] == (1, -1)
assert crop(back, conv(1)) == 1

board = Board(5.4, 25)
for row, title, stride, offset, count in (
    (0, "picture", 1, 0, 12),
    (2.2, "pooled", 2, 0.5, 6),
    (4.4, "enlarged", 1, -1, 14),
):
    board.write(title, row + 0.5, 0, align="left", size=0.36)
    for i in range(count):
        left = 6.5 + stride * i + offset - (stride - 1) / 2
        cut = title == "enlarged" and not 0 <= i - 1 < 12
        fill = style.PADDING if cut else "#dbeaf5"
        board.frame(row, left, 1, stride, fill=fill, width_points=0.8)
        board.write(str(i), row + 0.5, left + stride / 2, size=0.32)
board.write("offset 0", 0.5, 21, align="left", size=0.36)
board.write("offset 1/2", 2.7, 21, align="left", size=0.36)
board.write("offset −1: cut 1", 4.9, 21, align="left", size=0.36)
vis.show(
    board.figure,
    "one_page",
    "A picture, pooled by 2, and enlarged again by a deconvolution (kernel 4, stride 2), "
    "all drawn where they lie. The grey pixels stick out: the crop is 1 on each side.",
)

# %% [markdown]
#     output i of a layer looks at   S·i + (K − 1)/2 − P
#     one layer behind another       (s·S,  s·offset + o,  f + s·(K − 1))
#     a deconvolution                (1/S,  −offset/S)
#     crop                           (offset of b − offset of a) / stride
#     FCN on VGG16, padding 100      5, 9, 19, 27, 31
#
# Every pixel of a feature map has an address in the picture, and often it is a half. Maps that
# are added must begin at one address: the crop is the way between their offsets, in their
# own pixels. Skips bring back the outlines that a coarse map has lost.
#
# **What you now own:** `address`, `compose`, `crop` and `best_possible` in your `mine.py`.
