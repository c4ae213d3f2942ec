# %% [markdown]
# # 14 · Data
#
# A network never has enough pictures. So one makes more pictures of those that there are:
# mirrored, cut, turned. That is **augmentation**, and each kind of it is a statement about the world: "this change does
# not change the answer". Make a true statement, and the network learns it for nothing. Make a
# false one, and the network believes it. This lesson is also about the mask, which has to go
# along with its picture, pixel for pixel, and about what happens where it does not. At the end
# you know
#
# - why a mask is never smoothed, and what smoothing puts into it,
# - what to write where a turned picture has no pixels,
# - which mirror images are lies, and what they cost,
# - how pictures of different sizes become one batch,
# - how one report lost a quarter of its mean IU with a harmless flip.
#
# You need lesson 01 (masks, void, mean IU) and lesson 13 (training). The networks here are
# lesson 13's.

# %%
import numpy as np
from PIL import Image

from minifcn import visualize as vis
from minifcn.course.small_fcn import SmallFCN, pictures, predict, train
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, ShapesOptions, draw
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST

# %% [markdown]
# ## A picture and its mask
#
# Picture 12, and what today's changes make of it. Whatever is done to the picture is done to
# its mask: mirrored with it, cut at the same place, turned by the same angle.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, mask = draw(options, 12)


def turned(array, degrees, how, fill):
    return np.asarray(Image.fromarray(array).rotate(degrees, how, fillcolor=fill))


GREY = (124, 116, 104)  # the mean colour of many photographs
changed = {
    "mirrored": (image[:, ::-1], mask[:, ::-1]),
    "cut": (image[20:80, 10:90], mask[20:80, 10:90]),
    "turned by 10°": (turned(image, 10, BILINEAR, GREY), turned(mask, 10, NEAREST, VOID)),
}
print({name: picture.shape[:2] for name, (picture, _) in changed.items()})
assert all(picture.shape[:2] == labels.shape for picture, labels in changed.values())

# %% drawing
shown, titles = [image, SHAPES_PALETTE[mask]], ["picture 12", "its mask"]
for name, (picture, labels) in changed.items():
    shown += [picture, SHAPES_PALETTE[labels]]
    titles += [name, ""]
vis.show(
    vis.draw_pictures(shown, titles, height=3.2),
    "strip",
    "Picture 12 with its mask, mirrored, cut and turned: always both. The grey in the "
    "masks is void.",
)

# %% [markdown]
# ## A mask is not a picture
#
# Between a dark and a bright pixel there is a middle brightness, so pictures may be smoothed:
# when one is turned, a new pixel is a mixture of its old neighbours (**bilinear**). A mask
# holds *names* that look like numbers. Between square (2) and star (4) there is nothing.
#
# **Predict.** The mask of picture 12 holds five labels: 0, 2, 3, 4, and 255 for void. It is turned
# by one single degree, bilinearly. How many different labels does it hold then?
#
# <details><summary>Answer</summary>
#
# 252. Between 0 and 255 there is everything. Nearly a thousand pixels carry a label that was not in
# the mask before.
#
# </details>

# %%
smooth = turned(mask, 1, BILINEAR, VOID)
strange = ~np.isin(smooth, np.unique(mask))
print("before:", np.unique(mask).tolist(), " after:", len(np.unique(smooth)), "labels,")
print(int(strange.sum()), "pixels with a label that was not there")
assert np.unique(mask).tolist() == [0, 2, 3, 4, 255]
assert 240 < len(np.unique(smooth)) <= 256
assert strange.sum() > 900

# %% [markdown]
# "Then void must go first", somebody thinks, writes background where void was, and halves the mask,
# smoothly.
#
# **Break it.** The symptom: **a class that the picture does not have**. Between background (0) and
# square (2) lies 1, and 1 is *circle*: a thin rim of circle runs around the shapes, and no program
# complains, since every label is allowed.

# %%
without_void = np.where(mask == VOID, 0, mask).astype(np.uint8)
halved = np.asarray(Image.fromarray(without_void).resize((60, 45), BILINEAR))
right = np.asarray(Image.fromarray(mask).resize((60, 45), NEAREST))
print("circle pixels:", int((mask == 1).sum()), "->", int((halved == 1).sum()))
print("by the nearest pixel:", np.unique(right).tolist())
assert (mask == 1).sum() == 0
assert (halved == 1).sum() > 80
assert set(np.unique(right)) <= set(np.unique(mask))

# %% drawing
vis.show(
    vis.draw_pictures(
        [SHAPES_PALETTE[halved[:34, :40]], SHAPES_PALETTE[right[:34, :40]]],
        ("halved smoothly", "halved by the nearest pixel"),
        height=8,
    ),
    "rim",
    "A part of the halved mask, enlarged. On the left there is a thin blue rim, circle, "
    "around shapes that are none; on the right there is none.",
)

# %% [markdown]
# So masks are changed by the **nearest** pixel, always: each new pixel takes the label of one old one.
# That has a price, which is small: edges become jagged by half a pixel.

# %%
there_and_back = turned(turned(mask, 1, NEAREST, VOID), -1, NEAREST, VOID)
lost = (there_and_back != mask).mean()
print(f"turned by one degree and back: {lost:.1%} of the labels are others")
assert 0.005 < lost < 0.015

# %% [markdown]
# ## Where there are no pixels
#
# A turned picture has corners of which nobody knows what they show. In the picture they are filled
# with a grey (lesson 15 says which). And in the mask?
#
# **Predict.** In this library the corners of the mask become void. Somebody fills them with 0 instead,
# as most functions do when nothing is said. What does the network learn from that, and how many
# pixels are it when picture 12 is turned by 10 degrees?
#
# <details><summary>Answer</summary>
#
# 0 is background: it learns that plain grey triangles are background. That is not even wrong, only
# useless; but they are counted, in the loss and in the measures, as pixels that are easy to get right.
# 836 of 10,800 here.
#
# </details>

# %%
for degrees in (1, 10):
    known = turned(mask, degrees, NEAREST, VOID)
    said = turned(mask, degrees, NEAREST, 0)
    invented = int(((said == 0) & (known == VOID)).sum())
    print(f"{degrees:2} degrees: {invented} pixels of invented background")
assert invented == 836

# %% [markdown]
# ## Left and right hands
#
# Mirror images double the pictures for nothing. Is that always true? Here are two classes that differ
# in nothing but that: an L, and its mirror image.


# %%
def hands(count, seed):
    """Pictures (count, 1, 32, 32) with one L or its mirror image, and labels 0, 1, 2."""
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(0, 0.1, (count, 1, 32, 32)), np.zeros((count, 32, 32), np.uint8)
    for n in range(count):
        size = int(rng.integers(16, 21))
        top, left = (int(v) for v in rng.integers(1, 31 - size, 2))
        ink = np.zeros((32, 32), bool)
        ink[top : top + size, left : left + 5] = True
        ink[top + size - 5 : top + size, left : left + size - 4] = True
        which = 1 + int(rng.integers(2))
        labels[n][ink if which == 1 else ink[:, ::-1]] = which
        x[n, 0] += labels[n] > 0
    return x, labels


hand_x, hand_labels = hands(200, 0)
new_x, new_labels = hands(60, 1)
print(hand_x.shape, np.unique(hand_labels))
assert np.unique(hand_labels).tolist() == [0, 1, 2]

# %% [markdown]
# **Predict.** Four networks are trained alike on these pictures, 80 steps each. Which of these four
# is the worst on new ones?
#
#     A  the pictures as they are
#     B  half of them mirrored, each with its label kept
#     C  all of them mirrored, with their labels kept
#     D  half of them mirrored, and L and mirrored L exchanged in their masks
#
# <details><summary>Answer</summary>
#
# C is worst: every L it has seen was called a mirrored L, so it learns exactly the wrong thing and calls
# all of them by the other's name. B has heard both names for both things, and guesses. A and D are right:
# D's statement is true, for the mirror image of an L *is* a mirrored L.
#
# </details>


# %%
def trained(x, labels, classes, steps):
    net = SmallFCN(classes, in_channels=x.shape[1])
    adam = Adam(net.parameters(), lr=0.01)
    train(net, x, labels, adam, steps, schedule=lambda step: poly(step, steps))
    return net


def measured(net, x, labels, classes):
    matrix = ConfusionMatrix(classes)
    matrix.update(labels, predict(net, x))
    return matrix


def flipped(x, labels, which):
    """The pictures `which` mirrored, with their masks."""
    x, labels = x.copy(), labels.copy()
    x[which], labels[which] = x[which][..., ::-1], labels[which][..., ::-1]
    return x, labels


half = np.random.default_rng(5).random(200) < 0.5
every = np.ones(200, bool)
exchanged_x, exchanged = flipped(hand_x, hand_labels, half)
exchanged[half] = np.array([0, 2, 1], np.uint8)[exchanged[half]]
ways = {
    "A": (hand_x, hand_labels),
    "B": flipped(hand_x, hand_labels, half),
    "C": flipped(hand_x, hand_labels, every),
    "D": (exchanged_x, exchanged),
}
hand_nets = {name: trained(*way, classes=3, steps=80) for name, way in ways.items()}
hand_iu = {
    name: measured(net, new_x, new_labels, 3).mean_iu() for name, net in hand_nets.items()
}
print({name: f"{iu:.2f}" for name, iu in hand_iu.items()})
assert hand_iu["A"] > 0.9
assert hand_iu["D"] > 0.9
assert hand_iu["B"] < 0.7
assert hand_iu["C"] < 0.4

# %% drawing
HAND_COLOURS = np.zeros((256, 3), np.uint8)
HAND_COLOURS[1], HAND_COLOURS[2] = (47, 134, 214), (255, 233, 150)
n = int(np.argmax((new_labels == 1).any(axis=(1, 2))))
answers = [HAND_COLOURS[predict(net, new_x[n : n + 1])[0]] for net in hand_nets.values()]
vis.show(
    vis.draw_pictures(
        [HAND_COLOURS[new_labels[n]], *answers],
        (
            "truth: an L",
            "A: as they are",
            "B: half mirrored",
            "C: all mirrored",
            "D: names too",
        ),
        height=4.5,
    ),
    "hands",
    "A new L, in blue, and what the four networks say. Yellow means a mirrored L.",
)

# %% [markdown]
# Nobody would mirror letters? Traffic signs, cars that drive on the left, the heart in an X-ray: the
# question is always the same. *Is the mirror image a picture that could have been taken, and would its
# mask be the mirrored mask?*
#
# **So much for:** "Augmentation cannot hurt."
#
# ## Where it is harmless
#
# Our shapes have no left and right. Three networks again, 40 steps each, on lesson 13's pictures: as they
# are; all mirrored; and half of the *pictures* mirrored while their masks are not, as happens when the two
# are changed by two functions that draw their random numbers apart.
#
# **Predict.** What does each of the two changes do to the mean IU of 0.93?
#
# <details><summary>Answer</summary>
#
# Mirrored with their masks: nothing (0.93). With masks that stay behind: it falls to about 0.7. The network
# still learns colours and shapes, since half of the pictures are right, and paints everything that is not in
# the middle doubtfully.
#
# </details>

# %%
x, labels = pictures(0, 200)
shapes_new, shapes_labels = pictures(1000, 40)
mirrored_x, mirrored_labels = flipped(x, labels, every)
torn_x, _ = flipped(x, labels, half)
plans = {
    "as they are": (x, labels),
    "all mirrored": (mirrored_x, mirrored_labels),
    "mask left behind": (torn_x, labels),
}
shapes_iu = {}
for name, plan in plans.items():
    net = trained(*plan, classes=5, steps=40)
    shapes_iu[name] = measured(net, shapes_new, shapes_labels, 5).mean_iu()
    print(f"{name:18} mean IU {shapes_iu[name]:.2f}")
assert abs(shapes_iu["as they are"] - 0.933) < 0.02
assert abs(shapes_iu["all mirrored"] - 0.934) < 0.02
assert shapes_iu["mask left behind"] < 0.8

# %% drawing
vis.show(
    vis.draw_bars(list(shapes_iu), np.array(list(shapes_iu.values())), "mean IU", "{:.2f}"),
    "shapes",
    "Mirrored with their masks, pictures of shapes teach as much as before; with masks "
    "that are left behind they do not.",
)

# %% [markdown]
# ## A report, and what went wrong
#
# A report on segmenting Indian streets tries two augmentations, mirror images and turning by one degree.
# Its table:
#
# | | pixel accuracy | mean IU |
# |---|---|---|
# | as they are | 0.7944 | 0.3371 |
# | mirrored | 0.7546 | 0.2532 |
# | turned by 1 degree | 0.8041 | 0.3533 |
#
# A quarter of the mean IU lost by mirroring! India drives on the left, so mirrored streets are a little
# false; but turning by one degree is a change that one can hardly see, and is said to gain. The report itself
# says why, in its discussion: "we accidentally crop too much data ..., and we also forgot to include
# unaugmented data during training". They had replaced their pictures by mirrored pieces of them, and
# compared that with whole pictures.
#
# **Predict.** Their pictures have 1920 × 1080 pixels. Which share of a picture does a crop of 256 × 256 show?
#
# <details><summary>Answer</summary>
#
# 3.2 %: 65,536 of 2,073,600 pixels. A network that is trained on such pieces has never seen a street.
#
# </details>

# %%
share = 256 * 256 / (1920 * 1080)
print(f"{share:.1%} of the picture")
assert abs(share - 0.0316) < 0.0005
assert abs(1 - 0.2532 / 0.3371 - 0.25) < 0.005  # a quarter was lost

# %% drawing
board = Board(6.6, 10.6)
board.frame(
    0.6, 0, 5.4, 9.6, style.INK, width_points=1.2, fill=style.tint(style.BLUE, 0.12)
)
board.frame(2.6, 3.6, 1.28, 1.28, style.FRAME, fill=style.tint(style.BLUE, 0.5))
board.write("1920 × 1080", 0.2, 0, align="left", size=0.36)
board.write("256 × 256", 4.3, 4.2, size=0.34)
vis.show(
    board.figure,
    "crop",
    "What a crop of 256 × 256, the dark red square, leaves of a street of 1920 × 1080.",
)

# %% [markdown]
# Two lessons from that. Change *one* thing at a time, or the table says nothing. And keep the originals beside
# what is made from them (`minifcn train --originals` does), for a network that has only seen changed pictures
# has learnt the changed world.
#
# ## One batch of many sizes
#
# Pictures of a data set have different sizes; a batch is one array. What fits? Make it as large as the largest;
# put each picture into the top left corner; fill the rest with 0 in the pictures (which is the mean colour, once
# the mean has been subtracted) and with *void* in the masks.


# %%
def collate(images, labels):
    """images [(C, H, W)], labels [(H, W)] of different sizes -> one array each."""
    H, W = (max(side) for side in zip(*(one.shape for one in labels), strict=True))
    x = np.zeros((len(images), images[0].shape[0], H, W))
    y = np.full((len(labels), H, W), VOID, np.uint8)
    for n, (picture, marks) in enumerate(zip(images, labels, strict=True)):
        h, w = marks.shape
        x[n, :, :h, :w], y[n, :h, :w] = picture, marks
    return x, y


small, tall = np.ones((3, 2, 4)), np.ones((3, 5, 3))
batch, marks = collate(
    [small, tall], [np.zeros((2, 4), np.uint8), np.ones((5, 3), np.uint8)]
)
print(batch.shape, marks.shape, " void:", int((marks == VOID).sum()), "of", marks.size)
assert batch.shape == (2, 3, 5, 4)
assert (marks == VOID).sum() == 2 * 20 - 8 - 15
assert (marks[0, :2] == 0).all()
assert (marks[0, 2:] == VOID).all()

# %% [markdown]
# **Break it.** Fill the masks with 0 as well; it looks so natural. The symptom: **a batch teaches something else than
# its pictures do**. The same two masks, of which one is nothing but class 1, now hold more background than anything
# else, and how much depends on who happens to be in the same batch.

# %%
filled_with_0 = np.where(marks == VOID, 0, marks)
alone = {"0": int((marks == 0).sum()), "1": int((marks == 1).sum())}
together = {"0": int((filled_with_0 == 0).sum()), "1": int((filled_with_0 == 1).sum())}
print("pixels by class, void left out:", alone, " filled with 0:", together)
assert alone == {"0": 8, "1": 15}
assert together["0"] > together["1"]

# %% [markdown]
# ## To think about
#
# A picture is made darker by half. Is that a true statement? What must be done with the mask?
#
# <details><summary>Answer</summary>
#
# True for most things: a dark street is a street. It is false where brightness *is* the class, as in day and night. The
# mask stays as it is: only changes of *place* move labels.
#
# </details>

# %%
darker = (image * 0.5).astype(np.uint8)
assert darker.shape[:2] == mask.shape
assert abs(darker.mean() / image.mean() - 0.5) < 0.01

# %% [markdown]
# A random crop is taken so that it shows nothing but background. Should such crops be thrown away?
#
# <details><summary>Answer</summary>
#
# No: then the network would never see a place without an object, and would expect one everywhere. What may be thrown away is
# a crop that is void throughout; it teaches nothing.
#
# </details>

# %%
corner = mask[75:, 70:]
print("a corner of picture 12 holds", [SHAPES_CLASSES[c] for c in np.unique(corner)])
assert np.unique(corner).tolist() == [0]

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 14 mine.py
#
# An image is (H, W, 3) uint8, labels are (H, W) uint8 with 255 for void.
#
# **Warm-up.** `flip(image, labels)`: both mirrored left to right, as a tuple.
#
# **Main.** `crop_both(image, labels, top, left, height, width)`: the window that begins at row `top`
# and column `left`. Both may be negative, and the window may reach beyond the picture: outside of it the
# image is 0 and the labels are void.
#
# **Stretch.** `collate(images, labels)`: lists of images (H, W, 3) and labels of different sizes as arrays (N, H, W, 3) and
# (N, H, W), as in the lesson.

# %% [markdown]
# ## On one page

# %% drawing
page = np.array([[0, 0, 2, 2], [0, 2, 2, 2], [0, 0, 2, 0]], np.uint8)
double = (8, 6)
smoothed = np.asarray(Image.fromarray(page).resize(double, BILINEAR))
nearest = np.asarray(Image.fromarray(page).resize(double, NEAREST))
assert (smoothed == 1).any()
assert not (nearest == 1).any()
board = Board(8, 28)
for column, title, values in (
    (0, "a mask", page),
    (7, "nearest", nearest),
    (18, "bilinear", smoothed),
):
    board.grid(values, 1.2, column, title=title, colours=SHAPES_PALETTE[values] / 255)
vis.show(
    board.figure,
    "one_page",
    "The whole lesson: a mask of background (0) and square (2), made larger by the nearest "
    "pixel, and smoothly: the 1 is circle.",
)

# %% [markdown]
#     picture: bilinear        mask: nearest
#     outside of the picture: mean colour, and void
#     mirror the picture, mirror the mask; and its names, where they have a side
#     a batch: as large as the largest, filled with 0 and void
#
# An augmentation says that a change does not change the answer, and the network believes it. Picture and mask change
# together, and a mask is never smoothed. What nobody knows is void, in turned corners and in filled batches alike.
#
# **What you now own:** `flip`, `crop_both` and `collate` in your `mine.py`.
