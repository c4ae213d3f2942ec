# %% [markdown]
# # 01 · Pixels and classes
#
# Give a computer a photograph and ask: *what is where?* Not "there is a cat", but for every single pixel: this one is cat,
# that one is sofa, that one is background. This is called **semantic segmentation**, and everything in this course serves it.
# In this lesson there is no network yet. We look at the question, at the answers as files, and at how answers are marked.
# At the end you know
#
# - what a mask is, and why it must not be read as a colour picture,
# - what *void* is and why it is not a class,
# - why an answer can be right for most pixels and still be worthless,
# - and two measures, *pixel accuracy* and *mean IU*, of which one notices that.
#
# You need a little Python and NumPy: what an array is, and that `labels == 3` gives an array of True and False.

# %%
import io

import numpy as np
from PIL import Image, ImageFilter

from minifcn import visualize as vis
from minifcn.data.palette import VOC_CLASSES, VOC_PALETTE, VOID, decode_mask, save_mask
from minifcn.data.shapes import SHAPES_CLASSES, ShapesOptions, draw
from minifcn.training.metrics import ConfusionMatrix

# %% [markdown]
# ## One answer for every pixel
#
# The library can draw a small set of pictures by itself, so that nothing needs to be downloaded: circles, squares, triangles
# and stars on busy grounds. With each picture comes the right answer.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, labels = draw(options, 12)
vis.show(
    vis.draw_labels(image, labels, SHAPES_CLASSES, VOC_PALETTE),
    "answer",
    "Left: the picture. Right: the answer we want, one class for each pixel, shown in colours. The pale lines around the "
    "shapes are called void; we come to them.",
)
print("picture:", image.shape, image.dtype)
print("labels: ", labels.shape, labels.dtype)
assert image.shape == (90, 120, 3)
assert labels.shape == image.shape[:2]  # one label for each pixel

# %% [markdown]
# The answer is an array of whole numbers, as tall and as wide as the picture. Each number is a **label**: 0 is background, 1
# circle, 2 square, and so on. The array of all labels of a picture is called its **mask**. Look closely:

# %%
vis.show(
    vis.draw_zoom(labels, VOC_PALETTE, row=33, column=36, size=10),
    "zoom",
    "A square of 10 by 10 pixels of the mask, enlarged. The colours are for us; what is stored is the numbers.",
)
present = np.unique(labels).tolist()
print("labels in this mask:", present)
assert set(present) <= {0, 1, 2, 3, 4, VOID}

# %% [markdown]
# ## Four questions about a picture
#
# "What is in this picture?" can be meant in several ways. To see the difference, take a very small picture with two squares
# that touch each other.

# %%
instances = np.zeros((7, 12), int)
instances[1:5, 1:6] = 1  # the first square
instances[2:6, 6:10] = 2  # the second square
semantic = np.where(instances > 0, 2, 0)  # both are squares: label 2

tones = np.array([[1.0, 1.0, 1.0], [0.52, 0.74, 0.89], [0.97, 0.75, 0.36]])
board = vis.Board(8, 25.5)
board.grid(semantic, 1, 0, title="semantic segmentation", colours=tones[np.minimum(semantic, 1)])
board.grid(instances, 1, 13.5, title="instance segmentation", colours=tones[instances])
vis.show(
    board.figure,
    "instances",
    "Two squares that touch. Semantic segmentation says of each pixel only that it is square (2); instance segmentation also "
    "says which square (1 or 2).",
)

# %% [markdown]
# - **Classification**: which classes are in the picture? One answer for all: {square}.
# - **Detection**: a box around each object, with its class: two boxes.
# - **Semantic segmentation**: the class of each pixel. Where two squares touch, they become one blob: it does not say how many
#   squares there are.
# - **Instance segmentation**: the class of each pixel *and* which object it belongs to.

# %%
classes = sorted(set(semantic.ravel().tolist()) - {0})
boxes = [(np.argwhere(instances == i).min(axis=0).tolist(), np.argwhere(instances == i).max(axis=0).tolist()) for i in (1, 2)]
print("classification:", [SHAPES_CLASSES[c] for c in classes])
print("detection: boxes from (row, column) to (row, column)", boxes)
assert len(np.unique(semantic)) == 2  # background and square: the two squares cannot be told apart
assert len(np.unique(instances)) == 3  # background, first square, second square
assert len(boxes) == 2

# %% [markdown]
# This course is about the third one.
#
# ## Colours are only for looking
#
# PASCAL VOC is the data set on which this field grew up: photographs with 20 classes of things, and background. Its masks are
# coloured by a fixed table, the **palette**: label 1 (aeroplane) is dark red, label 15 (person) pink.

# %%
vis.show(
    vis.draw_palette(VOC_CLASSES, VOC_PALETTE),
    "palette",
    "The labels of PASCAL VOC with their names and colours. Several colours are hard to tell apart, for some of us more than "
    "for others. The numbers are not.",
)
assert len(VOC_CLASSES) == 21
assert VOC_PALETTE[15].tolist() == [192, 128, 128]

# %% [markdown]
# (The colours look arbitrary but follow a rule: the label's binary digits are dealt out in turn to red, green and blue. 15 is
# 01111 in binary. Its lowest digit makes red 128, the next makes green 128, the next makes blue 128, and the fourth adds 64 to
# red: 192, 128, 128.)
#
# A mask is stored as a PNG file of **mode P**, "P" for palette: the file holds the *labels*, and beside them the palette, so
# that a picture viewer knows which colours to show. That is handy and dangerous. Write our mask into such a file (here in
# memory) and read it again, once as what it is, once as a colour picture.

# %%
file = io.BytesIO()
save_mask(file, labels)
stored = Image.open(file)
as_labels = np.asarray(stored)
as_colours = np.asarray(stored.convert("RGB"))
print("mode:", stored.mode, " as labels:", np.unique(as_labels).tolist())
print("its red channel, after convert('RGB'):", np.unique(as_colours[..., 0]).tolist())
assert stored.mode == "P"
assert np.array_equal(as_labels, labels)
assert not np.array_equal(as_colours[..., 0], labels)

# %% [markdown]
# Read as RGB, a circle is no longer 1 but (128, 0, 0), and a program that takes the first channel for the label sees class 128.
# People have trained for days on that. `decode_mask` reads both kinds of file: mode P by its labels, RGB by looking each colour
# up in the palette; and it refuses a colour that is not there.

# %%
assert np.array_equal(decode_mask(Image.open(file)), labels)
assert np.array_equal(decode_mask(Image.fromarray(as_colours)), labels)

smeared = Image.fromarray(as_colours).resize((60, 45), Image.Resampling.BILINEAR)  # a popular mistake: colours get mixed
try:
    decode_mask(smeared, name="smeared.png")
    refused = ""
except ValueError as error:
    refused = str(error)
print(refused)
assert "outside the palette" in refused

# %% [markdown]
# ## Void: pixels without an answer
#
# Where exactly does the star end? On its outline a pixel is half star, half ground; whoever drew the mask could not decide,
# and should not have to. Such pixels get the label 255, **void**. It is not a class. It means "nobody knows, do not ask":
# void pixels teach a network nothing, and are not counted when its answer is marked.

# %%
void = labels == VOID
print(f"void: {void.sum()} of {labels.size} pixels, {void.mean():.0%}")
assert 0.05 < void.mean() < 0.2
assert VOID == 255
assert len(VOC_CLASSES) < VOID  # it cannot be mistaken for a class

# %% [markdown]
# ## Most pixels are background
#
# Now take sixty pictures, and count how many pixels have each label.

# %%
masks = [draw(ShapesOptions(), index)[1] for index in range(60)]
counts = np.array([sum(int((mask == c).sum()) for mask in masks) for c in range(5)])
shares = counts / counts.sum()
vis.show(
    vis.draw_bars(SHAPES_CLASSES, shares, "share of the labelled pixels"),
    "imbalance",
    "The share of each class in sixty pictures. Background alone has more than all the others together.",
)
for name, count in zip(SHAPES_CLASSES, counts.tolist(), strict=True):
    print(f"{name:10} {count:7,} pixels")
assert shares[0] > 0.5
assert shares.argmax() == 0

# %% [markdown]
# This is called **class imbalance**, and it is always so: in photographs, sky, road and wall are large, and the things that
# we care about are small. In PASCAL VOC about 73 pixels of 100 are background. Remember this number.
#
# ## How good is an answer? First measure: pixel accuracy
#
# The obvious way to mark an answer: which share of the pixels is right? Leave void out, count the pixels where prediction and
# truth agree, divide by all. This is **pixel accuracy**.
#
# Now meet the laziest predictor in the world. It does not look at the picture. It says "background", everywhere.

# %%
lazy = [np.zeros_like(mask) for mask in masks]
right = sum(int(((guess == mask) & (mask != VOID)).sum()) for guess, mask in zip(lazy, masks, strict=True))
accuracy = right / counts.sum()
print(f"pixel accuracy of 'background everywhere': {accuracy:.3f}")
assert accuracy == shares[0]  # it is right exactly where there is background
assert accuracy > 0.5

# %% [markdown]
# It has found nothing at all, and most of its pixels are right! On VOC it would reach 0.73. So pixel accuracy alone does not
# tell whether a network has learnt anything. We need a measure that asks about *each class*.
#
# ## Second measure: IU
#
# Take one class, say star. Some pixels are star in truth, some are star in the prediction. How well do the two sets agree?

# %%
truth = np.zeros((8, 8), bool)
truth[1:5, 1:6] = True
prediction = np.zeros((8, 8), bool)
prediction[3:7, 2:7] = True
vis.show(
    vis.draw_agreement(truth, prediction),
    "iu",
    "Pixels of one class: T in the truth alone, P in the prediction alone, B in both. Intersection: the B. Union: all letters.",
)
both, either = (truth & prediction).sum(), (truth | prediction).sum()
print(f"intersection {both}, union {either}, IU {both / either:.2f}")
assert truth.sum() == prediction.sum() == 20
assert both == 8
assert either == 20 + 20 - 8 == 32  # those in both would be counted twice
assert both / either == 0.25

# %% [markdown]
# **IU** is intersection over union (also written IoU, also called Jaccard index): the pixels in both sets, divided by the
# pixels in at least one. It is 1 when the sets are equal, 0 when they have nothing in common, and it punishes both mistakes,
# missing pixels (T) and wrong extra pixels (P). Now compute it for each class and take the mean over the classes: **mean
# IU**. In it a small class counts as much as a large one.
#
# The library collects all it needs in one table, the **confusion matrix**: a row for each class in truth, a column for each
# class in the prediction, and in each cell the number of pixels. Here for the toy, with 0 for outside and 1 for inside.

# %%
matrix = ConfusionMatrix(num_classes=2)
matrix.update(truth.astype(np.uint8), prediction.astype(np.uint8))
print(matrix.counts)
print("IU of each class:", matrix.per_class_iu().round(3), " mean IU:", round(matrix.mean_iu(), 3))
assert matrix.counts.tolist() == [[32, 12], [12, 8]]  # outside and right 32, P 12, T 12, B 8
assert matrix.per_class_iu()[1] == 0.25
assert matrix.per_class_iu()[0] == 32 / (32 + 12 + 12)
assert matrix.pixel_accuracy() == (32 + 8) / 64

# %% [markdown]
# And the lazy predictor? For background its intersection is all true background, and its union is everything; so IU =
# pixel accuracy. For each of the other four classes the intersection is empty: 0. The mean over five classes is a fifth of the
# pixel accuracy.

# %%
lazy_matrix = ConfusionMatrix(num_classes=5)
for mask, guess in zip(masks, lazy, strict=True):
    lazy_matrix.update(mask, guess)
print("IU of each class:", lazy_matrix.per_class_iu().round(3))
print(f"pixel accuracy {lazy_matrix.pixel_accuracy():.3f}   mean IU {lazy_matrix.mean_iu():.3f}")
assert lazy_matrix.per_class_iu()[1:].tolist() == [0, 0, 0, 0]
assert np.isclose(lazy_matrix.mean_iu(), lazy_matrix.pixel_accuracy() / 5)

# %% [markdown]
# On PASCAL VOC the same sum: pixel accuracy 0.734, twenty classes with 0, and so a mean IU of 0.734 / 21 = 0.035. The first
# line of every results table should be this predictor. A network that does not beat it has learnt nothing, whatever its pixel
# accuracy.

# %%
assert round(0.734 / 21, 3) == 0.035

# %% [markdown]
# ## Where the two measures disagree
#
# One more predictor. This one has found every shape and knows what each is, but it paints them all nine pixels too fat.


# %%
def too_fat(mask):
    """Every shape grows by 9 pixels to all sides; a prediction has no void."""
    shapes = Image.fromarray(np.where(mask == VOID, 0, mask))
    return np.asarray(shapes.filter(ImageFilter.MaxFilter(2 * 9 + 1)))


fat = [too_fat(mask) for mask in masks]
fat_matrix = ConfusionMatrix(num_classes=5)
for mask, guess in zip(masks, fat, strict=True):
    fat_matrix.update(mask, guess)

example = 8
vis.show(
    vis.draw_pictures(
        [VOC_PALETTE[masks[example]], VOC_PALETTE[lazy[example]], VOC_PALETTE[fat[example]]],
        ("truth", "background everywhere", "all found, all too fat"),
        height=5.5,
    ),
    "two_predictors",
    "One mask of the sixty and two predictions for it. Which one would you rather have?",
)
print("                        pixel accuracy   mean IU")
for name, one in (("background everywhere", lazy_matrix), ("all found, all too fat", fat_matrix)):
    print(f"{name:22} {one.pixel_accuracy():15.3f} {one.mean_iu():9.3f}")
assert fat_matrix.pixel_accuracy() < lazy_matrix.pixel_accuracy()
assert fat_matrix.mean_iu() > 3 * lazy_matrix.mean_iu()

# %% [markdown]
# Pixel accuracy prefers the predictor that sees nothing. Mean IU gives the other one more than three times as much.
#
# Lesson 12 has more measures and more traps. For now: **look at mean IU, print the lazy predictor beside it, and never count
# void.**
#
# ## Exercises
#
# Write both functions into one file, say `mine.py`, and let the library look at it:
#
#     minifcn lesson check 1 mine.py
#
# It tells you not only whether your numbers are right, but which mistake makes them wrong.
#
# **1.** `class_counts(labels, num_classes)`: labels is a mask, (H, W), with labels 0 to num_classes − 1 and void, 255. Return
# an array of shape (num_classes,): how many pixels each class has. Void is not counted.
#
# **2.** `mean_iu(labels, predictions, num_classes)`: two arrays (H, W). Pixels whose *label* is void do not count. Classes that
# are neither in the labels nor in the predictions are left out of the mean. Return one number.
#
# To think about:
#
# - A network predicts circles very well but has never seen a star. What is the highest mean IU that it can reach on the shapes?
# - Why is a class that is in neither picture left out of the mean? What would happen if it counted as 0? As 1?
