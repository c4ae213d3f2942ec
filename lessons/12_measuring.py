# %% [markdown]
# # 12 · Measuring
#
# One network, one set of pictures, one set of answers: and five honest people who compute its
# "mean IU" and get 0.49, 0.67, 0.89, 0.94 and 0.98. None of them has made a slip of the pen. In
# this lesson you find out who is right, and afterwards you will read every table of results with
# raised eyebrows. At the end you know
#
# - the table of which everything is read, the **confusion matrix**,
# - four measures that are read from it, and what each one overlooks,
# - why a mean over pictures or over batches tells something else than a mean over pixels,
# - what Dice is, and how to turn it into IU in your head,
# - and what to ask of a table in a paper: over which classes, which pixels, compared to what?
#
# You need lesson 01 (void, pixel accuracy, IU, the lazy predictor). Two trained networks are
# borrowed from lesson 13; here it only matters what they answer.

# %%
import time

import numpy as np

from minifcn import visualize as vis
from minifcn.course.small_fcn import SmallFCN, pictures, predict, scaled, train
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_PALETTE, ShapesOptions, draw
from minifcn.layers import no_grad
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly

# %% [markdown]
# ## Who is good?
#
# Two networks, a beginner that has trained for 20 steps, and an expert that has trained for 80.
# Both look at picture 12 of lesson 01. In the last two pictures every wrong pixel is white.


# %%
def trained(steps):
    """The small network of lesson 13 after so many steps."""
    net = SmallFCN()
    adam = Adam(net.parameters(), lr=0.01)
    train(net, *pictures(0, 200), adam, steps, schedule=lambda step: poly(step, steps))
    return net


beginner, expert = trained(20), trained(80)
x, labels = pictures(1000, 40)  # 40 pictures that neither has seen
answers = {"beginner": predict(beginner, x), "expert": predict(expert, x)}

options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12, truth_12 = draw(options, 12)
says = {"beginner": beginner, "expert": expert}
says = {name: predict(net, scaled(picture_12[None]))[0] for name, net in says.items()}
wrong = {name: (answer != truth_12) & (truth_12 != VOID) for name, answer in says.items()}
for name in says:
    print(f"{name}: {wrong[name].sum()} of {(truth_12 != VOID).sum()} pixels are wrong")
assert wrong["expert"].sum() < wrong["beginner"].sum() / 5

# %% drawing
vis.show(
    vis.draw_pictures(
        [
            picture_12,
            *(SHAPES_PALETTE[answer] for answer in says.values()),
            *(
                np.repeat(255 * one[..., None], 3, axis=2).astype(np.uint8)
                for one in wrong.values()
            ),
        ],
        ("picture 12", "beginner", "expert", "wrong: beginner", "wrong: expert"),
        height=4.4,
    ),
    "strip",
    "Picture 12, the answers of two networks, and in white where they are wrong. How do "
    "you put the last two pictures into one number each?",
)

# %% [markdown]
# ## One table
#
# Everything begins with a table of counts: a row for each class in truth, a column for each class
# in the prediction. In row 1, column 0 stands how many pixels *are* circle and were *called*
# background. To see every number, take three classes and a hundred pixels.

# %%
counts = np.array([[50, 3, 2], [4, 20, 1], [6, 0, 14]])
matrix = ConfusionMatrix(3, counts=counts)
truth, called, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
print("pixels of each class in truth:     ", truth.tolist())
print("pixels of each class as predicted: ", called.tolist())
print("right ones:                        ", right.tolist())
assert counts.sum() == 100
assert truth.tolist() == [55, 25, 20]
assert called.tolist() == [60, 23, 17]
assert right.tolist() == [50, 20, 14]

# %% drawing
names = ("background", "circle", "square")
board = vis.Board(6.2, 27, cell=0.42)
for left, title in (
    (3.6, "right: the diagonal"),
    (12.2, "a row: truth"),
    (20.8, "a column: called"),
):
    board.grid(counts, 2, left, title="", colours=np.ones((3, 3, 3)), size=0.42)
    board.write(title, 0.6, left, align="left", weight="bold")
for i, name in enumerate(names):
    board.write(name, 2.5 + i, 0, align="left", size=0.36)
    board.frame(2 + i, 3.6 + i, 1, 1, "#9e0b0f")
board.frame(3, 12.2, 1, 3, "#9e0b0f")
board.frame(2, 21.8, 3, 1, "#9e0b0f")
board.write("25 pixels are circle", 5.7, 12.2, align="left", size=0.36)
board.write("23 are called circle", 5.7, 20.8, align="left", size=0.36)
vis.show(
    board.figure,
    "table",
    "The same table three times; rows are the truth. Red frames: what is right "
    "(diagonal), all pixels that are circle (a row), all that are called circle (a "
    "column).",
)

# %% [markdown]
# ## Four measures
#
# **Pixel accuracy**: the diagonal, divided by everything.
#
# **Mean accuracy**: for each class the share of its pixels that were found, diagonal by row; then
# the mean over the classes.
#
# **Mean IU**: for each class diagonal by (row + column − diagonal), that is both / either; then the
# mean over the classes.
#
# **Frequency weighted IU**: the same IUs, but each class counts as much as it has pixels.
#
# **Predict.** For the table above: which one is the largest, and which the smallest?
#
# <details><summary>Answer</summary>
#
# Pixel accuracy is the largest, 0.840, because the largest class is the one that is found best.
# Mean IU is the smallest, 0.697: it counts the small classes as much as the large one, and it
# punishes both kinds of mistake, what was missed and what was called wrongly.
#
# </details>

# %%
accuracy = right / truth
iu = right / (truth + called - right)
measures = {
    "pixel accuracy": right.sum() / counts.sum(),
    "mean accuracy": accuracy.mean(),
    "mean IU": iu.mean(),
    "f.w. IU": (truth * iu).sum() / truth.sum(),
}
print("IU of each class:", iu.round(3).tolist())
for name, value in measures.items():
    print(f"{name:15} {value:.3f}")
assert np.allclose(list(measures.values()), [0.840, 0.803, 0.697, 0.723], atol=5e-4)
assert np.allclose(iu, [0.769, 0.714, 0.609], atol=5e-4)
library = list(matrix.measures().values())
assert np.allclose(list(measures.values()), library)

# %% [markdown]
# ## What does IU like?
#
# **Predict.** Four predictions for the same rectangle of 6 by 8 pixels: (a) moved by one pixel,
# (b) too thin, by one pixel on each side, (c) too fat, by one pixel on each side, (d) with a
# hole. Which of these four pictures has the highest IU? Which one the lowest?
#
# <details><summary>Answer</summary>
#
# a has the highest, 0.78, and b the lowest, 0.50, although c has more wrong pixels (32) than b
# (24). IU divides by the union: what is called too much makes the union larger as well, what is
# missed does not. So for IU too fat is better than too thin by the same border.
#
# </details>

# %%
rectangle = np.zeros((10, 12), bool)
rectangle[2:8, 2:10] = True
guesses = {name: np.zeros_like(rectangle) for name in "abcd"}
guesses["a"][2:8, 3:11] = True
guesses["b"][3:7, 3:9] = True
guesses["c"][1:9, 1:11] = True
guesses["d"][2:8, 2:10] = True
guesses["d"][3:6, 4:8] = False
ius = {}
for name, guess in guesses.items():
    ius[name] = (guess & rectangle).sum() / (guess | rectangle).sum()
    print(f"{name}: {(guess != rectangle).sum():2} wrong pixels, IU {ius[name]:.2f}")
assert [round(iu, 2) for iu in ius.values()] == [0.78, 0.5, 0.6, 0.75]
assert (guesses["c"] != rectangle).sum() > (guesses["b"] != rectangle).sum()
assert ius["c"] > ius["b"]

# %% drawing
board = vis.Board(12, 51, cell=0.2)
for i, (name, guess) in enumerate(guesses.items()):
    colours = np.ones((10, 12, 3))
    colours[guess & rectangle] = (0.45, 0.75, 0.6)
    colours[guess & ~rectangle] = (0.97, 0.75, 0.36)
    colours[~guess & rectangle] = (0.52, 0.74, 0.89)
    board.grid(guess, 2, 13 * i, colours=colours, text="")
    board.write(name, 0.9, 13 * i, size=0.9, align="left", weight="bold")
    board.frame(4, 13 * i + 2, 6, 8, "#9e0b0f")
vis.show(
    board.figure,
    "four_guesses",
    "The truth is framed in red. Green: found. Blue, inside of the frame: missed. "
    "Orange, outside of it: called wrongly.",
)

# %% [markdown]
# ## Two pictures, two opinions
#
# Two pictures of 100 pixels: in the first a small star of 4 pixels, in the second a large one
# of 50. Network A finds the large one perfectly and misses the small one. Network B finds the
# small one perfectly, and of the large one only 30 pixels.
#
# **Predict.** Which network is better?
#
# <details><summary>Answer</summary>
#
# It depends on who adds up. *All pixels in one table*: A has 0.950, B 0.755. *A mean IU for each
# picture, and the mean of these*: A has 0.740, B 0.829. The order turns over. The first asks "how
# good is it on all pixels", the second "how good is it on a picture, be its star large or small".
# Both are good questions. They are different ones, and whoever prints a number must say which.
#
# </details>

# %%
star = np.zeros((2, 100), int)
star[0, :4] = star[1, :50] = 1
a, b = star.copy(), star.copy()
a[0] = 0  # misses the small one
b[1, 30:] = 0  # misses 20 of the large one


def mean_iu(labels, predictions, classes=2):
    """All pixels in one table."""
    table = ConfusionMatrix(classes)
    table.update(labels, predictions)
    return table.mean_iu()


pooled = {name: mean_iu(star, guess) for name, guess in (("A", a), ("B", b))}
single = {
    name: np.mean([mean_iu(truth, one) for truth, one in zip(star, guess, strict=True)])
    for name, guess in (("A", a), ("B", b))
}
for name in "AB":
    print(f"{name}: one table {pooled[name]:.3f}, mean over pictures {single[name]:.3f}")
assert np.allclose([pooled["A"], pooled["B"]], [0.950, 0.755], atol=5e-4)
assert np.allclose([single["A"], single["B"]], [0.740, 0.829], atol=5e-4)
assert pooled["A"] > pooled["B"]
assert single["A"] < single["B"]

# %% drawing
board = vis.Board(11.5, 71, cell=0.16)
shades = np.array([[1, 1, 1], [0.36, 0.42, 0.75], [0.85, 0.2, 0.2]])  # none, star, missed
shown = {"truth": star, "A": np.where(star == a, a, 2), "B": np.where(star == b, b, 2)}
for i, (title, values) in enumerate(shown.items()):
    for j, one in enumerate(values):
        square = one.reshape(10, 10)
        board.grid(square, 1.5, 25 * i + 11 * j, colours=shades[square], text="")
    board.write(title, 0.5, 25 * i, size=1.1, align="left", weight="bold")
vis.show(
    board.figure,
    "two_networks",
    "Two pictures: star pixels are dark blue, missed ones red. A misses a whole star, a "
    "small one; B misses more pixels, of a large one.",
)

# %% [markdown]
# ## The liar
#
# Now the five people of the beginning. All have the expert's answers to 40 pictures, and every
# one writes an evaluation as it is written every day: take the pictures in *batches*, for a
# network wants batches anyway; compute the mean IU of each batch; take the mean. They differ in
# their batch size, and in what they do with a class that is in a batch neither in truth nor in
# the prediction: it has 0 pixels of 0. Some leave it out. Some count it as 0.
#
# **Predict.** A picture has one or two of the four shapes. The true mean IU of the expert
# is 0.977. What does somebody get who looks at one picture at a time, and counts absent
# classes as 0?
#
# <details><summary>Answer</summary>
#
# 0.490: half. In a picture with one shape, three of five classes are absent and count as 0, so the
# best possible answer gets 2/5. This script measures how many classes there are in a picture.
#
# </details>


# %%
def mean_of_batches(labels, predictions, size, absent):
    """The mean of the batches' mean IU; an absent class is left out or counts as 0."""
    means = []
    for start in range(0, len(labels), size):
        table = ConfusionMatrix(5)
        table.update(labels[start : start + size], predictions[start : start + size])
        ius = table.per_class_iu()  # nan for a class that is absent
        means.append(np.nanmean(ius) if absent == "left out" else np.nan_to_num(ius).mean())
    return float(np.mean(means))


sizes = (1, 2, 4, 8, 40)
lies = {
    absent: [mean_of_batches(labels, answers["expert"], size, absent) for size in sizes]
    for absent in ("left out", "counts as 0")
}
print("pictures in a batch      ", "".join(f"{size:7}" for size in sizes))
for absent, values in lies.items():
    print(f"absent class {absent:12}", "".join(f"{value:7.3f}" for value in values))
true = mean_iu(labels, answers["expert"], 5)
assert np.allclose(lies["left out"], [0.941, 0.928, 0.947, 0.975, 0.977], rtol=0.01)
assert np.allclose(lies["counts as 0"], [0.490, 0.674, 0.893, 0.975, 0.977], rtol=0.01)
assert lies["left out"][-1] == lies["counts as 0"][-1] == true  # one batch is one table

# %% drawing
doublings = np.log2(sizes)
vis.show(
    vis.draw_lines(
        {"mean of the batches' mean IU": {name: (doublings, lies[name]) for name in lies}},
        across="doublings of the batch: at 0 one picture, at 3 eight",
        high=1.05,
        level=("one table", true),
        size=(6, 13),
    ),
    "liar",
    "The same answers, measured ten times. Only with all 40 pictures in one batch do "
    "both curves come to what one table says (dashed).",
)

# %% [markdown]
# Note that the first curve is not even a curve of "less and less wrong": it goes down before it
# goes up. And do not believe that the lie is always on the modest side.
#
# **Break it.** Measure the beginner picture by picture. Symptom: now the mean over pictures is
# *larger* than the truth. A class that it finds badly (the circle, with an IU of about 0.4)
# spoils only the pictures in which it is.

# %%
beginner_true = mean_iu(labels, answers["beginner"], 5)
beginner_single = mean_of_batches(labels, answers["beginner"], 1, "left out")
print(f"beginner: one table {beginner_true:.3f}, mean over pictures {beginner_single:.3f}")
assert np.allclose([beginner_true, beginner_single], [0.635, 0.659], rtol=0.01)
assert beginner_single > beginner_true  # flattered
assert lies["left out"][0] < true  # the expert is not

# %% [markdown]
# **The cure** is one line: fill *one* table, and divide once, at the end. Then neither the size
# of the batches nor the order of the pictures can matter, for a sum does not care about either.

# %%
order = np.random.default_rng(12).permutation(40)
for size in (1, 2, 3, 7, 16, 40):
    table = ConfusionMatrix(5)
    for start in range(0, 40, size):
        chosen = order[start : start + size]
        table.update(labels[chosen], answers["expert"][chosen])
    assert table.mean_iu() == true  # to the last digit
print(f"six batch sizes, shuffled: {true:.3f} each time")

# %% [markdown]
# **Break it.** Count void as background. Symptom: the expert loses almost a fifth of its mean IU,
# without a single answer having changed. At an outline it *must* choose a shape or the
# background, and now half of these choices are called wrong.

# %%
with_void = mean_iu(np.where(labels == VOID, 0, labels), answers["expert"], 5)
print(f"void left out {true:.3f}, void as background {with_void:.3f}")
assert with_void < true - 0.15

# %% [markdown]
# **So much for:** "How the pictures are batched cannot change the mean IU."
#
# ## Dice, the cousin
#
# In medicine people use **Dice**: twice both, divided by truth + called. It is never smaller than
# IU, so a paper with Dice looks better than one with IU. But they say the same: if D is the Dice
# score of a class, then its IU is D / (2 − D).
#
# **Predict.** Somebody reports a Dice score of 0.8. What is the IU?
#
# <details><summary>Answer</summary>
#
# 0.8 / 1.2 = 0.667.
#
# </details>

# %%
table = ConfusionMatrix(5)
table.update(labels, answers["beginner"])
both = np.diag(table.counts)
dice = 2 * both / (table.counts.sum(axis=0) + table.counts.sum(axis=1))
print(
    "beginner: Dice", dice.round(2).tolist(), " IU", table.per_class_iu().round(2).tolist()
)
assert np.allclose(dice / (2 - dice), table.per_class_iu())
assert np.isclose(0.8 / (2 - 0.8), 2 / 3)
assert dice.mean() > table.mean_iu() + 0.1  # the same answers, a better looking number

# %% drawing
scores = np.linspace(0, 1, 41)
vis.show(
    vis.draw_lines(
        {
            "IU for each Dice score": {
                "IU": (scores, scores / (2 - scores)),
                "Dice": (scores, scores),
            }
        },
        across="Dice",
        size=(6, 9),
    ),
    "dice",
    "The IU that belongs to a Dice score, below the diagonal: they agree at 0 and 1, and "
    "differ most in between.",
)

# %% [markdown]
# ## Where are the mistakes?
#
# A number for all pixels hides *where* a network fails. So measure twice: near the outlines,
# within two pixels of void, and everywhere else.


# %%
def near(mask, steps):
    """The mask (N, H, W), grown by so many pixels to all sides."""
    grown = np.pad(mask, ((0, 0), (steps, steps), (steps, steps)))
    H, W = mask.shape[1:]
    window = range(2 * steps + 1)
    return np.any([grown[:, i : i + H, j : j + W] for i in window for j in window], axis=0)


band = near(labels == VOID, 2)
inside, outside = (
    mean_iu(labels[part], answers["expert"][part], 5) for part in (band, ~band)
)
share = (band & (labels != VOID)).sum() / (labels != VOID).sum()
print(f"near outlines ({share:.0%} of the pixels) {inside:.3f}, elsewhere {outside:.3f}")
assert abs(inside - 0.946) < 0.01
assert outside > 0.99

# %% drawing
shown = 5
photo = np.round((x[shown].transpose(1, 2, 0) + 1) * 128).astype(np.uint8)
band_picture = np.where(
    (band & (labels != VOID))[shown][..., None], 255, SHAPES_PALETTE[labels[shown]]
)
missed = (answers["expert"][shown] != labels[shown]) & (labels[shown] != VOID)
vis.show(
    vis.draw_pictures(
        [
            photo,
            band_picture.astype(np.uint8),
            np.repeat(255 * missed[..., None], 3, 2).astype(np.uint8),
        ],
        ("picture", "within two pixels of void", "wrong"),
    ),
    "band",
    "White in the middle: the band along the outlines in which we measure separately. "
    "White on the right: the expert's mistakes, all of them in that band.",
)
assert (missed <= band[shown]).all()

# %% [markdown]
# ## What is a point worth?
#
# "We improve mean IU by one point", from 0.97 to 0.98. How many pixels is that? In the mean of five
# classes one point is *five* points of a single class. Of the star, our rarest class, that is a few
# hundred pixels, in 40 pictures.

# %%
table = ConfusionMatrix(5)
table.update(labels, answers["expert"])
stars = int(table.counts[4].sum())
point = 0.05 * stars
print(
    f"{stars:,} star pixels; one point of mean IU: {point:.0f} of {table.counts.sum():,},"
)
print(f"or {100 * point / table.counts.sum():.2f} points of pixel accuracy")
assert 200 < point < 250
assert point / table.counts.sum() < 0.0025

# %% [markdown]
# With the 21 classes of PASCAL VOC it is 21 points of one class. This is why, in the table of the
# FCN paper, the step from FCN-32s to FCN-16s is three points of mean IU and less than one of
# pixel accuracy, and why the last step, 62.4 to 62.7, should not impress anybody by itself.

# %%
print(
    "        ",
    "".join(f"{name:>12}" for name in ("pixel acc.", "mean acc.", "mean IU", "f.w. IU")),
)
table_2 = {
    "FCN-32s": (89.1, 73.3, 59.4, 81.4),
    "FCN-16s": (90.0, 75.7, 62.4, 83.0),
    "FCN-8s": (90.3, 75.9, 62.7, 83.2),
}
for name, row in table_2.items():
    print(f"{name:8}", "".join(f"{value:12}" for value in row))
gain = np.subtract(table_2["FCN-16s"], table_2["FCN-32s"]).round(1)
assert gain[2] == 3.0
assert gain[0] < 1
for pixel, mean, unweighted, weighted in table_2.values():
    assert pixel > weighted > mean > unweighted  # always in this order

# %% [markdown]
# ## Three tables, with raised eyebrows
#
# **"mIOU: 0.322%".** So say the slides of a course about their network, on 21 classes. The lazy
# predictor of lesson 01, background everywhere, has 3.5 %. So either the network is ten times
# worse than somebody who does not look, or the per cent sign is one too many.

# %%
lazy_voc = 0.734 / 21  # lesson 01: 73.4 of 100 pixels of PASCAL VOC are background
print(f"lazy predictor {lazy_voc:.1%}, reported 0.322%")
assert lazy_voc > 10 * 0.00322

# %% [markdown]
# **J = (G ∩ E) / (G ∪ E).** So defines a report its measure, the Jaccard coefficient, which is IU
# under its older name. But G ∩ E is a *set* of pixels, and sets cannot be divided; what is meant
# is how many pixels they have, |G ∩ E| / |G ∪ E|. Then it averages over the classes of a picture.
# We have seen what that means: for our expert 0.941, and in one table 0.977. Its number cannot be
# compared with those of the FCN paper.

# %%
print(f"J of a picture, averaged: {lies['left out'][0]:.3f}; one table: {true:.3f}")
assert true - lies["left out"][0] > 0.03

# %% [markdown]
# **Pixel accuracy 0.3696, mean IU 0.0976.** A row in a report about roads in India, with 27
# classes, of a network that its authors call a failure. Is it one? Its report says how many
# pixels there are of each class; the most frequent one, road, has 2.2 of 8.3 billion. Whoever
# says "road" everywhere has a pixel accuracy of 0.264 and a mean IU of 0.0098. So the network is
# ten times above the floor. It has learned something, and the floor belongs in the table.

# %%
road, all_pixels, classes = 2_198_453_584, 8_333_798_400, 27
share = road / all_pixels
print(f"road everywhere: pixel accuracy {share:.3f}, mean IU {share / classes:.4f}")
assert round(share, 3) == 0.264
assert round(share / classes, 4) == 0.0098
assert 0.0976 / (share / classes) > 9

# %% [markdown]
# ## And how long does it take?
#
# The FCN paper's third table is the one that made it famous. On the test sets of PASCAL VOC 2011
# and 2012:
#
# | | mean IU 2011 | mean IU 2012 | time for a picture |
# |---|---|---|---|
# | R-CNN | 47.9 | | |
# | SDS | 52.6 | 51.6 | about 50 s |
# | FCN-8s | 62.7 | 62.2 | about 175 ms |
#
# R-CNN and SDS cut about two thousand pieces out of the picture and look at each. An FCN looks
# once. The abstract says "20 % relative improvement": check that. Then measure ours, on a picture
# of 375 by 500, the usual size in that set. (The full FCN-8s of this library, 134 million
# numbers, needs about 8 seconds for a picture on two busy processor cores; its authors had a
# graphics card. Our small network needs about
# 0.1 seconds there. Yours will differ: print `seconds`.)

# %%
net = SmallFCN(dtype="float32").eval()
large = np.zeros((1, 3, 375, 500), np.float32)
with no_grad():
    net(large)  # once to warm up
    began = time.perf_counter()
    net(large)
    seconds = time.perf_counter() - began
print(f"relative improvement: 2011 {62.7 / 52.6 - 1:.0%}, 2012 {62.2 / 51.6 - 1:.0%}")
print(f"speed-up: {50 / 0.175:.0f} times")
print("our small network on a picture of 375 x 500: less than 50 s?", seconds < 50)
assert abs(62.7 / 52.6 - 1.2) < 0.01
assert abs(62.2 / 51.6 - 1.2) < 0.01
assert 280 < 50 / 0.175 < 290
assert seconds < 50

# %% [markdown]
# What a time says without the machine, the size of the picture and the size of the network:
# nothing.
#
# ## To think about
#
# Can the frequency weighted IU be larger than the pixel accuracy?
#
# <details><summary>Answer</summary>
#
# No. For each class IU = both / union, and the union is at least truth, so truth · IU ≤ both. Add
# up over the classes: the weighted IU is at most the diagonal's sum by all pixels.
#
# </details>

# %%
rng = np.random.default_rng(0)
for _ in range(200):
    some = ConfusionMatrix(4, counts=rng.integers(0, 50, (4, 4)) + 1).measures()
    assert some["frequency_weighted_iu"] <= some["pixel_accuracy"] + 1e-12

# %% [markdown]
# A class is in no label of the whole set, and a network calls three pixels by its name. What is
# its IU, and what does that do to the mean over 21 classes?
#
# <details><summary>Answer</summary>
#
# 0: both is 0 and the union is 3. The mean loses a whole twentieth, for three pixels. Had the
# network called none, the class would not count at all. So say which classes are in a mean.
#
# </details>

# %%
perfect = np.diag([10] * 20 + [0])
three = perfect.copy()
three[0, 0], three[0, 20] = 7, 3
assert ConfusionMatrix(21, counts=perfect).mean_iu() == 1
assert ConfusionMatrix(21, counts=three).per_class_iu()[20] == 0
assert ConfusionMatrix(21, counts=three).mean_iu() < 0.95

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 12 mine.py
#
# **Warm-up.** `iu_from_dice(dice)`: the IU of a class with this Dice score.
#
# **Main.** `confusion(labels, predictions, n)`: the confusion matrix, (n, n), of two arrays of
# one shape; void, 255 in the labels, does not count. Rows are the truth.
#
# **Main.** `measures(matrix)`: pixel accuracy, mean accuracy, mean IU and frequency weighted IU,
# in this order. A class without pixels is left out of a mean.
#
# **Stretch.** `evaluate(scores, labels, batch)`: the mean IU of pictures that are looked at
# `batch` at a time. scores are (N, C, H, W); the class of a pixel is the one with the highest
# score. It must not depend on `batch`.

# %% [markdown]
# ## On one page

# %% drawing
board = vis.Board(4.4, 24, cell=0.42)
board.grid(counts, 1, 4, colours=np.ones((3, 3, 3)), size=0.42)
for i, name in enumerate(names):
    board.write(name, 1.5 + i, 0, align="left", size=0.36)
board.frame(2, 4, 1, 3, "#9e0b0f")
board.frame(1, 5, 3, 1, "#9e0b0f", dashed=True)
said = (
    "circle: row 25, column 23, both 20",
    "accuracy 20/25 = 0.80",
    "IU 20/(25 + 23 − 20) = 0.71",
    "Dice 40/(25 + 23) = 0.83",
)
for i, line in enumerate(said):
    board.write(line, 1.1 + 0.8 * i, 9, align="left", size=0.4)
vis.show(
    board.figure,
    "one_page",
    "One table; rows are the truth, columns what was called. Framed: the row (solid) and "
    "the column (dashed) of circle, from which its accuracy, IU and Dice are read.",
)
assert iu[1] == 20 / 28
assert accuracy[1] == 0.8

# %% [markdown]
#     pixel accuracy = sum of the diagonal / sum of the table
#     mean accuracy  = mean over classes of  diagonal / row
#     mean IU        = mean over classes of  diagonal / (row + column − diagonal)
#     f.w. IU        = sum of  row · IU / sum of the table
#     IU = Dice / (2 − Dice)
#
# Fill one table with all labelled pixels of all pictures, and divide once, at the end. A mean of
# quotients depends on how the pictures are cut into batches, and on what is done with classes
# that are absent. Print the lazy predictor beside every result, and say which classes, which
# pixels and which machine.
#
# **What you now own:** `iu_from_dice`, `confusion`, `measures` and `evaluate` in your `mine.py`.
