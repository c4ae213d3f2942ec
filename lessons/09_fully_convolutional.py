# %% [markdown]
# # 09 · From classifier to fully convolutional
#
# A **classifier** looks at a picture and says one thing: "circle". It can only look at
# pictures of *one* size. We want something that looks at pictures of *any* size and says what
# is *where*. The step from one to the other is the smallest of the whole course: not one
# number is changed. One table of weights is written down in another shape, and that is all.
# At the end you know
#
# - what a **fully connected** layer is, and why it wants pictures of one size,
# - how it becomes a convolution, and in which order its numbers must be read,
# - that the new network's answers are *exactly* those of the old one, slid over the picture,
# - why that is many times cheaper than sliding, and what happens at the edges,
# - where most of the weights of a famous network sit.
#
# You need lesson 02 (convolution), the first half of lesson 06 (ReLU and max-pool) and, for
# one sentence, lesson 08 (scores).

# %%
import numpy as np

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.course.small_fcn import pictures, scaled
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, ShapesOptions, draw
from minifcn.layers import (
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    Identity,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    no_grad,
)
from minifcn.training import Adam
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board, amount_colours

# %% [markdown]
# ## A classifier of small squares
#
# Here is a classifier that we shall take apart. It looks at a square of 24 by 24 pixels and
# says what is *in the middle* of it: background, circle, square, triangle or star. It has
# practised on 2000 such squares, cut out of the pictures of lesson 01. (How practising is
# done is said in lesson 13. The next cell does it, and takes a few seconds.)

# %%
SIDE = 24


def squares(x, labels, each, rng):
    """`each` squares of every class: cut out around pixels that have that class."""
    middle = labels[:, SIDE // 2 : -SIDE // 2 + 1, SIDE // 2 : -SIDE // 2 + 1]
    cut, classes = [], []
    for c in range(5):
        places = np.argwhere(middle == c)
        for n, row, column in rng.choice(places, each, replace=False):
            cut.append(x[n, :, row : row + SIDE, column : column + SIDE])
            classes.append(c)
    return np.stack(cut), np.array(classes)


rng = np.random.default_rng(9)
x, labels = pictures(0, 200)
known, known_classes = squares(x, labels, 400, rng)
classifier = Sequential(
    conv1=Conv2d(3, 16, 5, rng=rng), relu1=ReLU(), pool1=MaxPool2d(2),
    conv2=Conv2d(16, 32, 3, rng=rng), relu2=ReLU(), pool2=MaxPool2d(2),
    flatten=Flatten(), fc=Linear(512, 5, rng=rng),
).to("float64")  # fmt: skip

adam, criterion = Adam(classifier.parameters(), lr=2e-3), CrossEntropyLoss()
for step in range(150):
    some = rng.choice(len(known), 64)
    adam.scale_lr(poly(step, 150))
    adam.zero_grad()
    criterion(classifier(known[some]), known_classes[some])
    classifier.backward(criterion.backward())
    adam.step()

new, new_labels = pictures(1000, 40)
asked, truth = squares(new, new_labels, 100, rng)
with no_grad():
    said = classifier.eval()(asked).argmax(axis=1)
print(f"right about {np.mean(said == truth):.0%} of 500 squares that it has never seen")
assert np.mean(said == truth) > 0.85
assert known.shape == (2000, 3, SIDE, SIDE)

# %% [markdown]
# And here is where we are going: the same weights, without any further practice, on the whole
# of picture 12 at once. For every place there is now one score a class. (You will make this
# picture yourself in a moment.)

# %%
image, truth12 = draw(
    ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55)), 12
)
x12 = scaled(image[None])


def slid(fc):
    """The classifier with another last layer and without flattening: two lines differ."""
    sliding = Sequential(**dict(classifier.children()))
    sliding.flatten, sliding.fc = Identity(), fc
    return sliding.eval()


kernel = Conv2d(32, 5, 4).to("float64")
kernel.weight.data[...] = classifier.fc.weight.data.reshape(5, 32, 4, 4)
kernel.bias.data[...] = classifier.fc.bias.data
with no_grad():
    heat = slid(kernel)(x12)[0]  # (5, h, w)
print("picture:", x12.shape, " scores:", heat.shape)
assert heat.shape == (5, 17, 25)


# %% drawing
def enlarged(values, times=3):
    """Amounts (h, w) from 0 to 1 as pixels, dark is much."""
    colours = (255 * amount_colours(np.clip(values, 0, 1), 1)).astype(np.uint8)
    return colours.repeat(times, 0).repeat(times, 1)


p12 = F.softmax(heat[None])[0]
vis.show(
    vis.draw_pictures(
        [image, SHAPES_PALETTE[truth12], *(enlarged(p12[c]) for c in (2, 3, 4))],
        ("picture 12", "truth", *(SHAPES_CLASSES[c] for c in (2, 3, 4))),
        height=4.5,
    ),
    "strip",
    "Picture 12, and what the classifier of small squares says everywhere: how probable "
    "a square, a triangle and a star are. White is 0, the darkest blue is 1.",
)

# %% [markdown]
# ## What a fully connected layer is
#
# Take a much smaller classifier, with whole numbers, so that we can see everything:
#
#     picture 6 × 6 → convolution 3 × 3, 4 filters → ReLU → max-pool 2 → 4 maps of 2 × 2
#
# Those 4 · 2 · 2 = 16 numbers are written one after the other, channel by channel and row by
# row; that is called **flattening**. Then each of three classes has a list of 16 weights, and
# its score is the sum of weight times number. Every output is connected with every input, so
# the layer is called **fully connected** (fc).

# %%
rng = np.random.default_rng(90)
conv = rng.integers(-2, 3, (4, 1, 3, 3)).astype(float)  # (filters, channels, 3, 3)
fc = rng.integers(-3, 4, (3, 16)).astype(float)  # (classes, inputs)


def features(x, padding=0):
    """(1, 1, H, W) -> the four maps behind the pooling."""
    y, _ = F.conv2d(x, conv, padding=padding)
    return F.max_pool2d(F.relu(y)[0], 2)[0]


def classify(x):
    """(1, 1, 6, 6) -> three scores."""
    return fc @ features(x).ravel()


small = rng.integers(-3, 4, (1, 1, 6, 6)).astype(float)
print("behind the pooling:", features(small).shape, " scores:", classify(small))
assert features(small).shape == (1, 4, 2, 2)
assert classify(small).shape == (3,)

# %% [markdown]
# **Predict.** What does this classifier say about a picture of 10 × 10?
#
# <details><summary>Answer</summary>
#
# Nothing: it stops with an error. Behind the pooling there are now 4 maps of 4 × 4, that is
# 64 numbers, and each class has a list of just 16 weights. The convolution and the pooling do
# not mind; the list does.
#
# </details>

# %%
large = rng.integers(-3, 4, (1, 1, 10, 10)).astype(float)
try:
    classify(large)
    stopped = False
except ValueError as error:
    stopped = True
    print("ValueError:", str(error)[:60], "...")
print("numbers behind the pooling:", features(large).size)
assert stopped
assert features(large).size == 64

# %% [markdown]
# ## The same numbers, folded
#
# A class's 16 weights belong to 4 maps of 2 × 2. So write them that way: fold the row of 16
# into 4 squares of 2 × 2. What is that? Something with one square for each input channel: a
# **kernel** of a convolution, as in lesson 02.

# %%
folded = fc.reshape(3, 4, 2, 2)  # (classes, channels, 2, 2)
print("class 0 as a row: ", fc[0].astype(int))
print("its four squares:", [square.astype(int).tolist() for square in folded[0]])
assert (folded.ravel() == fc.ravel()).all()  # not one number is changed or moved
assert folded[0, 1, 0, 1] == fc[0, 5]  # channel 1, row 0, column 1: 1·4 + 0·2 + 1

# %% drawing
tints = (style.BLUE, style.GREEN, style.PURPLE, style.SKY)
board = Board(6.6, 17.5)
row_colours = np.array([[style.tint(tints[i // 4], 0.35) for i in range(16)]])
board.grid(
    fc[:1], 0.8, 0, title="one row of the fully connected layer", colours=row_colours
)
for c in range(4):
    square = np.broadcast_to(style.tint(tints[c], 0.35), (2, 2, 3))
    board.grid(folded[0, c], 4.2, 4.6 * c, title=f"channel {c}", colours=square)
    board.arrow((2.0, 4 * c + 2), (3.2, 4.6 * c + 1))
vis.show(
    board.figure,
    "folded",
    "One row of 16 weights, folded into a kernel: four numbers for each of the four "
    "channels, two in a row. Nothing is computed.",
)

# %% [markdown]
# As a convolution the layer gives one number for each place where the kernel fits. On the
# 6 × 6 picture there is just one such place, and the result is what it was:

# %%
once, _ = F.conv2d(features(small), folded)
print("fully connected:", classify(small), " as a convolution:", once.ravel())
assert once.shape == (1, 3, 1, 1)
assert (once.ravel() == classify(small)).all()

# %% [markdown]
# ## Now it may be larger
#
# **Predict.** Behind the pooling of a 10 × 10 picture there are 4 × 4 numbers in each map. How
# many places are there for a kernel of 2 × 2, and so how many scores for each class?
#
# <details><summary>Answer</summary>
#
# 3 × 3: the kernel's corner can be in rows 0, 1, 2 and columns 0, 1, 2. So there are nine
# scores for each class. A map of scores like this is called a **heat map**.
#
# </details>

# %%
scores, _ = F.conv2d(features(large), folded)
print("scores:", scores.shape)
print("those of class 0:\n", scores[0, 0].astype(int))
assert scores.shape == (1, 3, 3, 3)

# %% [markdown]
# Nine scores of what? The pooling halves, so one step in the heat map is two pixels in the
# picture. Score (i, j) has to do with the 6 × 6 pixels that begin in row 2i and column 2j.
#
# **Predict.** Which of these four crops belongs to the score in row 1, column 2 of the heat
# map?

# %% drawing
candidates = {"A": (1, 2), "B": (2, 4), "C": (4, 2), "D": (2, 2)}
board = Board(11.2, 47)
for k, (letter, (top, left)) in enumerate(candidates.items()):
    board.grid(large[0, 0], 1, 12 * k, title=letter, size=0.3)
    board.frame(1 + top, 12 * k + left, 6, 6, colour=style.FRAME)
vis.show(
    board.figure,
    "which_crop",
    "The picture of 10 × 10 four times, each with a dark red frame of 6 × 6. One of the "
    "frames holds all that the score in row 1, column 2 has seen.",
)
assert len(set(candidates.values())) == 4

# %% [markdown]
# <details><summary>Answer</summary>
#
# B: the crop begins in row 2 · 1 = 2 and column 2 · 2 = 4.
#
# </details>
#
# Let us ask for more than that. We cut out all nine crops, give each of them to the *old*
# classifier, and compare its nine answers with the nine places of the heat map. Not "nearly
# equal": equal.

# %%
nine = np.empty((3, 3, 3))  # (classes, rows, columns)
for i in range(3):
    for j in range(3):
        crop = large[:, :, 2 * i : 2 * i + 6, 2 * j : 2 * j + 6]
        nine[:, i, j] = classify(crop)
print("equal at", int((nine == scores[0]).all(axis=0).sum()), "of 9 places")
assert np.array_equal(nine, scores[0])

# %% drawing
board = Board(11.2, 28)
board.grid(large[0, 0], 1, 0, title="the picture, and two of nine crops", size=0.3)
board.grid(scores[0, 0], 3.2, 22, title="scores of class 0")
for i, j, colour in ((0, 0, style.INK), (1, 2, style.FRAME)):
    board.frame(1 + 2 * i, 2 * j, 6, 6, colour=colour)
    board.frame(3.2 + i, 22 + j, 1, 1, colour=colour)
    board.arrow((4 + 2 * i, 2 * j + 6.1), (3.7 + i, 21.7))
vis.show(
    board.figure,
    "crops",
    "Each place of the heat map is the old classifier's answer for one crop: the black "
    "frame on the left is the black cell on the right, the red frame the red cell.",
)

# %% [markdown]
# That is what **fully convolutional** means: a network of nothing but layers that do the same
# at every place. It has no idea how large its picture is, and what it says about a place is
# what the classifier would have said about the crop.
#
# ## The order of the numbers
#
# There are many ways to write 16 numbers as 4 · 2 · 2, and only one undoes the flattening.
#
# **Break it.** Some libraries keep pictures as (H, W, C), the channels last, and so their lists
# of 16 run through the channels first. Fold our list in *their* order. The symptom: **no error,
# the right shape, and wrong scores everywhere**.

# %%
channels_last = fc.reshape(3, 2, 2, 4).transpose(0, 3, 1, 2)  # also (3, 4, 2, 2)
wrong, _ = F.conv2d(features(large), channels_last)
print("shape:", wrong.shape, " equal at", int((wrong == scores).all(axis=1).sum()), "of 9")
assert wrong.shape == scores.shape
assert not (wrong == scores).all(axis=1).any()

# %% [markdown]
# ## At the edges
#
# Our convolution had no padding. Most networks pad: around the picture they put zeros, so
# that the maps keep their size.
#
# **Predict.** Give the convolution padding 1. The classifier then takes crops of 4 × 4 (with
# the padding they are 6 × 6 again), and a picture of 8 × 8 gives the same nine scores. At how
# many of the nine places are the slid classifier and the network on the whole picture equal?
#
# <details><summary>Answer</summary>
#
# At none of them (but by luck). Every crop has four edges, and at each of them the classifier
# sees zeros. In the whole picture there are pixels at those places, except where the crop's
# edge is the picture's own; and a crop of 4 × 4 in a picture of 8 × 8 never has all four.
#
# </details>

# %%
padded = rng.integers(1, 5, (1, 1, 8, 8)).astype(float)
whole, _ = F.conv2d(features(padded, padding=1), folded)
equal = 0
for i in range(3):
    for j in range(3):
        crop = padded[:, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
        alone, _ = F.conv2d(features(crop, padding=1), folded)
        equal += np.array_equal(alone[0, :, 0, 0], whole[0, :, i, j])
print("scores:", whole.shape, " equal at", equal, "of 9 places")
assert whole.shape == (1, 3, 3, 3)
assert equal == 0

# %% [markdown]
# That does no harm: what the network sees at those places is the picture, and the picture is
# better than zeros. But "exactly the slid classifier" then holds far from the edges only.
# (The authors of FCN padded their pictures with 100 zeros once, at the very beginning. Lesson
# 11 says what for.)
#
# ## A real one, in five lines
#
# LeNet (1998) reads handwritten digits: pictures of 32 × 32, two convolutions, three fully
# connected layers, ten scores.

# %%
rng = np.random.default_rng(5)
lenet = Sequential(
    Conv2d(1, 6, 5, rng=rng), ReLU(), MaxPool2d(2),
    Conv2d(6, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten(),
    Linear(400, 120, rng=rng), ReLU(), Linear(120, 84, rng=rng), ReLU(),
    Linear(84, 10, rng=rng),
).to("float64")  # fmt: skip


def convolutional(layer, K):
    if not isinstance(layer, Linear):
        return Identity() if isinstance(layer, Flatten) else layer
    conv = Conv2d(layer.in_features // (K * K), layer.out_features, K).to("float64")
    conv.weight.data[...] = layer.weight.data.reshape(conv.weight.shape)
    conv.bias.data[...] = layer.bias.data
    return conv


sizes = {7: 5}  # the first fully connected layer saw maps of 5 x 5; the others 1 x 1
anywhere = Sequential(
    *(convolutional(layer, sizes.get(k, 1)) for k, layer in enumerate(lenet))
)
digit = rng.normal(size=(2, 1, 32, 32))
print(lenet(digit).shape, "->", anywhere(digit).shape)
assert np.allclose(anywhere(digit)[:, :, 0, 0], lenet(digit), rtol=0, atol=1e-12)

# %% [markdown]
# Only the first fully connected layer needs a kernel of the maps' size, 5 × 5. Those behind it
# see one place at a time: they become **1 × 1 convolutions**, the same fully connected layer at
# every place. And now any size from 32 on will do:

# %%
shapes = {}
for size in range(32, 71):
    shapes[size] = anywhere(rng.normal(size=(1, 1, size, size + 3))).shape[2:]
print({size: shape for size, shape in shapes.items() if size % 8 == 0})
assert shapes[32] == (1, 1)
assert all(shape[0] == (size - 32) // 4 + 1 for size, shape in shapes.items())

# %% [markdown]
# ## What it costs
#
# The heat map of picture 12 has 17 · 25 = 425 places. We could have had it from the old
# classifier, with 425 crops. But neighbouring crops share most of their pixels, and the
# network on the whole picture computes what they share once.
#
# **Predict.** How many times cheaper is once, roughly: 2 times, 15 times or 425 times?
#
# <details><summary>Answer</summary>
#
# 14 times (counting multiplications). Each pixel lies in up to (24 / 4)² = 36 of the crops, and
# its first convolution would be computed for each of them; less at the edges, and the last
# layer is not shared at all.
#
# </details>


# %%
def multiplications(H, W):
    """Of the classifier of small squares, on a picture of H x W, as a convolution."""
    h1, w1 = H - 4, W - 4  # conv1: 5 x 5, 3 -> 16
    h2, w2 = h1 // 2 - 2, w1 // 2 - 2  # conv2: 3 x 3, 16 -> 32
    h3, w3 = h2 // 2 - 3, w2 // 2 - 3  # fc as 4 x 4, 32 -> 5
    return h1 * w1 * 75 * 16 + h2 * w2 * 144 * 32 + h3 * w3 * 512 * 5


one_by_one, at_once = 425 * multiplications(24, 24), multiplications(90, 120)
print(f"{one_by_one:,} one by one, {at_once:,} at once: {one_by_one / at_once:.0f} times")
assert 13 < one_by_one / at_once < 15

with no_grad():
    corners = [(4 * i, 4 * j) for i, j in ((0, 0), (7, 11), (16, 24))]
    few = np.stack([x12[0, :, r : r + SIDE, c : c + SIDE] for r, c in corners])
    few_scores = classifier(few)
for (r, c), row in zip(corners, few_scores, strict=True):
    assert np.allclose(heat[:, r // 4, c // 4], row, rtol=0, atol=1e-9)

# %% drawing
vis.show(
    vis.draw_bars(
        ["425 crops", "at once"],
        np.array([one_by_one, at_once]) / 1e6,
        "millions of multiplications for the heat map of picture 12",
        "{:,.0f}",
    ),
    "cost",
    "The same 425 · 5 scores, crop by crop and at once.",
)

# %% [markdown]
# **So much for:** "To look everywhere costs as many times more as there are places."
#
# ## Where the weights sit
#
# The FCN of the paper is made from VGG, a family of classifiers for pictures of 224 × 224 with
# 1000 classes. Slides on FCN show its table: five columns A to E, from 11 to 19 layers with
# weights. "conv3-64" is a convolution with 3 × 3 kernels and 64 filters; behind each row comes
# a pooling; "FC-4096" is a fully connected layer.

# %%
STAGES = {  # kernel size and filters of the convolutions between two poolings
    "A": ["3-64", "3-128", "3-256 3-256", "3-512 3-512", "3-512 3-512"],
    "B": ["3-64 3-64", "3-128 3-128", "3-256 3-256", "3-512 3-512", "3-512 3-512"],
    "C": ["3-64 3-64", "3-128 3-128", "3-256 3-256 1-256",
          "3-512 3-512 1-512", "3-512 3-512 1-512"],
    "D": ["3-64 3-64", "3-128 3-128", "3-256 3-256 3-256",
          "3-512 3-512 3-512", "3-512 3-512 3-512"],
    "E": ["3-64 3-64", "3-128 3-128", "3-256 3-256 3-256 3-256",
          "3-512 3-512 3-512 3-512", "3-512 3-512 3-512 3-512"],
}  # fmt: skip


def convolutions(stages):
    """(kernel, inputs, outputs, poolings before it) of each convolution."""
    found, C = [], 3
    for pools, stage in enumerate(stages):
        for word in stage.split():
            K, O = map(int, word.split("-"))
            found.append((K, C, O, pools))
            C = O
    return found


weights, table = {}, {}
for column, stages in STAGES.items():
    in_convolutions = sum(K * K * C * O + O for K, C, O, _ in convolutions(stages))
    fully = [7 * 7 * 512 * 4096 + 4096, 4096 * 4096 + 4096, 4096 * 1000 + 1000]
    weights[column] = in_convolutions, sum(fully)
    table[column] = in_convolutions + sum(fully)
    print(
        f"{column}: {table[column]:,} weights, {in_convolutions:,} of them in convolutions"
    )
assert table == {
    "A": 132_863_336, "B": 133_047_848, "C": 133_638_952, "D": 138_357_544,
    "E": 143_667_240,
}  # fmt: skip

# %% [markdown]
# **Predict.** Column D is VGG16. Which share of its 138 million weights sits in its very first
# fully connected layer, which sees 512 maps of 7 × 7 and has 4096 outputs: 5 %, 30 % or 75 %?
#
# <details><summary>Answer</summary>
#
# 7 · 7 · 512 · 4096 = 102,760,448 weights: three quarters of all. (The slides print just this
# number. With one bias for each output it is 102,764,544.)
#
# </details>

# %%
first = 7 * 7 * 512 * 4096
print(f"{first:,} of {table['D']:,}: {first / table['D']:.0%}")
assert first == 102_760_448
assert first + 4096 == 102_764_544
assert 0.74 < first / table["D"] < 0.75

# %% drawing
board = Board(6.4, 26)
unit = 20 / max(table.values())
board.write("millions of weights", 0.2, 0, align="left", weight="bold")
for row, (column, (kept, dropped)) in enumerate(weights.items()):
    board.write(column, row + 1.4, 0.4, size=0.4)
    board.frame(
        row + 1.05, 1, 0.7, kept * unit, style.BLUE, width_points=0, fill=style.BLUE
    )
    rest = style.tint(style.BLUE, 0.25)
    left, length = 1 + kept * unit, dropped * unit
    board.frame(row + 1.05, left, 0.7, length, rest, width_points=0, fill=rest)
    text = f"{kept / 1e6:.1f} + {dropped / 1e6:.1f}"
    board.write(text, row + 1.4, 1.4 + (kept + dropped) * unit, align="left", size=0.36)
vis.show(
    board.figure,
    "vgg",
    "VGG's five columns: in dark blue the weights of the convolutions, in light blue those "
    "of the three fully connected layers. Five more layers cost next to nothing.",
)

# %% [markdown]
# And the cost of sliding it? On a picture of 500 × 500 (with padding 1 in all convolutions, and
# poolings that keep a last odd row, as in FCN) VGG16 as a convolution gives a heat map, and each
# of its places would be a crop of 224 × 224:


# %%
def cost(size):
    """Multiplications of VGG16 as a convolution on size x size, and the heat map's side."""
    total = 0
    for K, C, O, pools in convolutions(STAGES["D"]):
        side = -(-size // 2**pools)  # halved so often, rounded up
        total += side * side * K * K * C * O
    side = -(-size // 32) - 6  # behind five poolings, a kernel of 7 x 7
    return total + side * side * (first + 4096 * 4096 + 4096 * 1000), side


at_once, side = cost(500)
alone, one = cost(224)
print(f"{side}x{side} scores: {at_once / 1e9:,.1f} billion multiplications at once,")
one_by_one = side * side * alone
print(
    f"{one_by_one / 1e9:,.0f} billion one by one, {one_by_one / at_once:.0f} times as many"
)
assert (side, one) == (10, 1)
assert abs(at_once / 89.5e9 - 1) < 0.01
assert abs(100 * alone / 1547e9 - 1) < 0.01

# %% [markdown]
# ## The weights that nobody copied
#
# This is how the trick goes wrong in practice. A program builds the convolutional network,
# copies "all weights that have the same name and shape" from the classifier, and trains on.
# The fully connected layer has another shape now, so it is skipped, in silence.
#
# **Break it.** Leave the last layer of our classifier as it was made, random, and look at
# picture 12. The symptom: same shapes, no error, and the **heat map is noise**. On VOC this
# costs about half of the mean IU (30 instead of 63, say those who went through it).

# %%
fresh = Conv2d(32, 5, 4, rng=np.random.default_rng(0)).to("float64")
with no_grad():
    noise = slid(fresh)(x12)[0]
middles = truth12[12::4, 12::4][:17, :25]  # the truth in the middle of each crop
labelled = middles < 5
copied = (heat.argmax(axis=0) == middles)[labelled].mean()
forgotten = (noise.argmax(axis=0) == middles)[labelled].mean()
print(f"right in the middle of the crops: copied {copied:.0%}, forgotten {forgotten:.0%}")
assert noise.shape == heat.shape
assert copied > 0.75
assert forgotten < 0.45

# %% drawing
vis.show(
    vis.draw_pictures(
        [
            image,
            SHAPES_PALETTE[middles],
            SHAPES_PALETTE[heat.argmax(axis=0)],
            SHAPES_PALETTE[noise.argmax(axis=0)],
        ],
        ("picture 12", "truth, every 4th pixel", "weights copied", "last layer forgotten"),
        height=4.5,
    ),
    "forgotten",
    "The class with the highest score at each place. In the second picture one pixel in "
    "four of the truth, in the third the slid classifier, in the fourth the same without "
    "the weights of its last layer.",
)

# %% [markdown]
# Look once more at the third picture: it is already a segmentation, 17 × 25 for 90 × 120, made
# by a network that was never shown a segmentation. What is missing are the pixels in between.
# Lesson 10 puts them back.
#
# ## To think about
#
# A classifier takes the mean over each map before its last layer (**global pooling**), as
# newer ones do, instead of flattening. Can it be made fully convolutional, too?
#
# <details><summary>Answer</summary>
#
# Yes. The mean over the 4 × 4 of a map is a convolution with 16 weights of 1/16; on a larger
# map it slides. Or leave the mean out and put the last layer, as 1 × 1, on every place: that
# is another network than the slid classifier, and often a sharper one.
#
# </details>

# %%
maps = np.random.default_rng(1).normal(size=(1, 2, 4, 4))
window = np.zeros((2, 2, 4, 4))
window[[0, 1], [0, 1]] = 1 / 16
assert np.allclose(F.conv2d(maps, window)[0].ravel(), maps.mean(axis=(2, 3)).ravel())

# %% [markdown]
# Two heat maps of the same network, of a picture and of the picture moved by one pixel to the
# right. Are they the same, moved?
#
# <details><summary>Answer</summary>
#
# No. One step of the heat map is two pixels (the pooling's stride), so a move by *two* pixels
# moves it by one place exactly, and a move by one pixel shows the network pairs of pixels that
# it did not pool together before.
#
# </details>

# %%
wide = np.random.default_rng(2).integers(-3, 4, (1, 1, 10, 14)).astype(float)


def heat_of(x):
    return F.conv2d(features(x), folded)[0]


assert np.array_equal(heat_of(wide[..., 2:]), heat_of(wide)[..., 1:])
assert not np.array_equal(heat_of(wide[..., 1:-1])[..., :-1], heat_of(wide)[..., 1:-1])

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 9 mine.py
#
# **Warm-up.** `fc_to_conv(weight, C, KH, KW)`: the weights (O, C·KH·KW) of a fully connected
# layer that saw C maps of KH × KW, flattened as here, as a convolution's (O, C, KH, KW).
#
# **Main.** `parameters(table)`: the number of weights, biases included, of a network like VGG
# for pictures of 3 × 224 × 224. Its table is a list of ("conv", K, O), ("pool", 2, 0) and
# ("fc", 0, O): kernel size and outputs. Convolutions keep the size of their maps, a pooling
# halves it.
#
# **Stretch.** `scores_of_any_size(x, conv, fc)`: the heat map (K, h, w) of the classifier
# above for x (C, H, W): convolution with conv (O, C, 3, 3) without padding, ReLU, max-pool 2,
# and the fully connected fc (K, O·2·2), slid.

# %% [markdown]
# ## On one page

# %% drawing
board = Board(7.4, 30)
board.grid(large[0, 0, :6, :6], 1, 0, title="a crop", size=0.3)
board.grid(features(large[:, :, :6, :6])[0, 0], 3, 9, title="maps")
board.grid(fc[:1, :4], 1.2, 14, title="fc: a row ...", size=0.34)
board.grid(folded[0, 0], 4, 14, title="... folded", size=0.34)
board.grid(scores[0, 0], 2.4, 22, title="any size: a heat map", size=0.34)
board.arrow((4, 6.2), (4, 8.7))
board.arrow((2.4, 15), (3.0, 15))
board.arrow((4, 17), (4, 21.6))
vis.show(
    board.figure,
    "one_page",
    "The whole lesson: a row of a fully connected layer is a kernel, and slides.",
)
assert np.array_equal(folded[0, 0].ravel(), fc[0, :4])

# %% [markdown]
#     kernel = row.reshape(C, KH, KW)              as the maps were flattened
#     behind it: fully connected = 1 × 1           the same at every place
#     score (i, j) = classifier(crop at s·i, s·j)  s: the product of all strides
#     7 · 7 · 512 · 4096 = 102,760,448             three quarters of VGG16
#
# A fully connected layer is a convolution whose kernel is as large as what it sees. Written
# so, a classifier takes pictures of any size, and says at every place exactly what it would
# have said about the crop there. What neighbouring crops share is computed once, and the heat
# map is a coarse segmentation.
#
# **What you now own:** `fc_to_conv`, `parameters` and `scores_of_any_size` in your `mine.py`.
