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
#
# Three things come back in every lesson. **Predict.** asks you something before the next piece of code answers it: say your
# answer aloud or write it down, then unfold ours. **Break it.** takes one thing away and shows what goes wrong then, so that
# you know the illness when you meet it. And every claim is followed by an `assert`, a line that stops the lesson if the claim
# is false.

# %%
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from minifcn import visualize as vis
from minifcn.data.palette import VOC_CLASSES, VOC_PALETTE, VOID, decode_mask, save_mask
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, ShapesOptions, draw
from minifcn.training.metrics import ConfusionMatrix
from minifcn.visualize.style import FRAME, contrast

# %% [markdown]
# ## One answer for every pixel
#
# The library can draw a small set of pictures by itself, so that nothing needs to be downloaded: circles, squares, triangles
# and stars on busy grounds. With each picture comes the right answer. Picture number 12 of this set goes with us through the
# whole course.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, labels = draw(options, 12)
print("picture:", image.shape, image.dtype)
print("labels: ", labels.shape, labels.dtype)
assert image.shape == (90, 120, 3)
assert labels.shape == image.shape[:2]  # one label for each pixel

# %% drawing
vis.show(
    vis.draw_labels(image, labels, SHAPES_CLASSES, SHAPES_PALETTE),
    "answer",
    "Left: picture 12. Right: the answer we want, one class for each pixel, shown in "
    "colours. The grey lines around the shapes are called void; we come to them.",
)

# %% [markdown]
# The answer is an array of whole numbers, as tall and as wide as the picture. Each number is a **label**: 0 is background, 1
# circle, 2 square, 3 triangle, 4 star. The array of all labels of a picture is called its **mask**. Look closely:

# %%
present = np.unique(labels).tolist()
print("labels in this mask:", present)
assert present == [0, 2, 3, 4, VOID]  # there is no circle in picture 12

# %% drawing
vis.show(
    vis.draw_zoom(labels, SHAPES_PALETTE, row=33, column=36, size=10),
    "zoom",
    "A square of 10 by 10 pixels of the mask (the red frame), enlarged. The colours are "
    "for us; what is stored is the numbers.",
)

# %% [markdown]
# ## Four questions about a picture
#
# "What is in this picture?" can be meant in several ways. A lecture on the subject puts four of them side by side. Take a
# picture with two squares and a star, and let us give all four answers. For the last one we need to know which square is
# which; here they stand one beside the other, so a column between them tells them apart.

# %%
scene, semantic = draw(options, 21)
empty = [c for c in range(40, 120) if not (semantic[:, c] == 2).any()]  # no square here
between = next(c for c in empty if (semantic[:, :c] == 2).any())
instances = np.where(semantic == VOID, 0, semantic)  # 4: the star, 2: the first square
instances[:, between:][instances[:, between:] == 2] = 1  # 1: the second square


def box_of(pixels):
    """The smallest box around the True of pixels (H, W): top, left, bottom, right."""
    rows, columns = np.nonzero(pixels)
    return [int(n) for n in (rows.min(), columns.min(), rows.max(), columns.max())]


boxes = {number: box_of(instances == number) for number in (4, 2, 1)}
print("classes:", [SHAPES_CLASSES[c] for c in np.unique(semantic) if 0 < c < VOID])
print("boxes (top, left, bottom, right):", list(boxes.values()))
print("labels of pixels:", np.unique(semantic).tolist())
print("numbers of objects:", np.unique(instances).tolist())
assert set(np.unique(semantic)) - {0, VOID} == {2, 4}  # the squares cannot be told apart
assert set(np.unique(instances)) - {0} == {1, 2, 4}  # three objects
assert boxes[2][3] < between < boxes[1][1]

# %% drawing
SCALE = 3


def with_boxes(numbers):
    """The picture with a dark red box, on a white one, around each of these objects."""
    large = Image.fromarray(scene).resize(
        (120 * SCALE, 90 * SCALE), Image.Resampling.NEAREST
    )
    pen = ImageDraw.Draw(large)
    for top, left, bottom, right in (boxes[number] for number in numbers):
        box = [left * SCALE, top * SCALE, (right + 1) * SCALE, (bottom + 1) * SCALE]
        pen.rectangle(box, outline="white", width=7)
        pen.rectangle(box, outline=FRAME, width=3)
    return np.asarray(large)


objects = SHAPES_PALETTE.copy()
objects[[1, 2]] = SHAPES_PALETTE[[3, 1]]  # three colours for three objects
pictures = [
    with_boxes([2]),
    with_boxes([4, 2, 1]),
    vis.blend(scene, semantic, SHAPES_PALETTE, alpha=0.85),
    vis.blend(scene, instances, objects, alpha=0.85),
]
titles = ("one object: square", "detection", "semantic", "instances")
vis.show(
    vis.draw_pictures(pictures, titles, height=4.5),
    "four_questions",
    "Four answers for one picture. Classification with localization: one object, its class "
    "and its box. Detection: a box and a class for every object. Semantic segmentation: "
    "the class of every pixel; both squares look alike. Instance segmentation: also which "
    "object a pixel belongs to.",
)

# %% [markdown]
# - **Classification with localization**: what is the main thing in the picture, and in which box does it lie?
# - **Detection**: a box around *each* object, with its class: three boxes.
# - **Semantic segmentation**: the class of each pixel. It does not say how many squares there are.
# - **Instance segmentation**: the class of each pixel *and* which object it belongs to.
#
# This course is about the third one. It has one blind spot, which is best seen where two squares touch: they become one blob.

# %%
touching = np.zeros((7, 12), int)
touching[1:5, 1:6] = 1  # the first square
touching[2:6, 6:10] = 2  # the second square
blob = np.where(touching > 0, 2, 0)  # both are squares: label 2
print("as instances:", np.unique(touching), " as classes:", np.unique(blob))
assert len(np.unique(touching)) == 3  # background, first square, second square
assert len(np.unique(blob)) == 2  # background and square
assert (blob[1:5, 5] == blob[1:5, 4]).all()  # nothing marks the line where they meet

# %% drawing
tones = np.array([[1.0, 1.0, 1.0], [0.52, 0.74, 0.89], [0.97, 0.75, 0.36]])
board = vis.Board(8, 25.5)
board.grid(blob, 1, 0, title="semantic segmentation", colours=tones[np.minimum(blob, 1)])
board.grid(touching, 1, 13.5, title="instance segmentation", colours=tones[touching])
vis.show(
    board.figure,
    "instances",
    "Two squares that touch. Semantic segmentation says of each pixel only that it is "
    "square (2); instance segmentation also says which square (1 or 2).",
)

# %% [markdown]
# ## Colours are only for looking
#
# PASCAL VOC is the data set on which this field grew up: photographs with 20 classes of things, and background. VOC's masks are
# coloured by a fixed table, the **palette**: label 1 (aeroplane) is dark red, label 15 (person) pink.

# %%
assert len(VOC_CLASSES) == 21
assert VOC_PALETTE[1].tolist() == [128, 0, 0]
assert VOC_PALETTE[15].tolist() == [192, 128, 128]
print(
    f"label 4 on black: contrast {contrast(VOC_PALETTE[4] / 255, VOC_PALETTE[0] / 255):.1f}"
)
assert contrast(VOC_PALETTE[4] / 255, VOC_PALETTE[0] / 255) < 1.5  # a web page must have 3
assert all(contrast(SHAPES_PALETTE[c] / 255, (0, 0, 0)) > 3 for c in (1, 2, 3, 4))

# %% drawing
vis.show(
    vis.draw_palette(VOC_CLASSES, VOC_PALETTE),
    "palette",
    "The labels of PASCAL VOC, with names and colours. Several are hard to tell apart, "
    "for some of us more than for others, and some drown in the black of the background. "
    "The numbers do not. So this course shows its own shapes in other, lighter colours.",
)

# %% [markdown]
# (The colours look arbitrary but follow a rule: the label's binary digits are dealt out in turn to red, green and blue. 15 is
# 01111 in binary. Its lowest digit makes red 128, the next makes green 128, the next makes blue 128, and the fourth adds 64 to
# red: 192, 128, 128.)
#
# A mask is stored as a PNG file of **mode P**, "P" for palette: the file holds the *labels*, and beside them the palette, so
# that a picture viewer knows which colours to show. That is handy and dangerous. Write our mask into such a file (here in
# memory) and read it again, as what it is.

# %%
file = io.BytesIO()
save_mask(file, labels)  # with VOC's palette: that is what a mask of VOC looks like inside
stored = Image.open(file)
as_labels = np.asarray(stored)
print("mode:", stored.mode, " as labels:", np.unique(as_labels).tolist())
assert stored.mode == "P"
assert np.array_equal(as_labels, labels)

# %% [markdown]
# **Predict.** Somebody opens the same file as a colour picture, `stored.convert("RGB")`, and takes the first channel, red, for
# the labels. In VOC's palette a square is (0, 128, 0), a triangle (128, 128, 0) and a star (0, 0, 128); void is (224, 224,
# 192). Which of these four pictures do they get?

# %% drawing
red_of = VOC_PALETTE[:, 0]
candidates = [
    labels,
    np.where(labels == 3, 3, 0),
    np.where(labels == VOID, VOID, np.where(labels == 3, 3, 0)),
    np.where(np.isin(labels, (2, 4, VOID)), labels, 0),
]
vis.show(
    vis.draw_pictures([SHAPES_PALETTE[c] for c in candidates], "ABCD", height=4.6),
    "which_mask",
    "A: nothing is lost. B: only the triangle is left. C: the triangle and the outlines "
    "are left. D: the square, the star and the outlines are left.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# C. Square and star have no red at all, so both become 0, and 0 is background: two of three objects vanish without a word. The
# triangle becomes class 128, which does not exist, and void becomes 224, which is no longer void.
#
# </details>
#
# **Break it.** So read the mask by its red channel. The symptom to remember: *classes vanish, and numbers turn up that no
# class has.*

# %%
as_colours = np.asarray(stored.convert("RGB"))
by_red = as_colours[..., 0]
for label in (2, 4, 3, VOID):
    name = "void" if label == VOID else SHAPES_CLASSES[label]
    print(f"{name:9} {label:3} is read as {np.unique(by_red[labels == label]).tolist()}")
assert (by_red[labels == 2] == 0).all()  # every square is background now
assert (by_red[labels == 4] == 0).all()  # and every star
assert (by_red[labels == 3] == 128).all()  # a class that does not exist
assert np.array_equal(by_red > 0, candidates[2] > 0)  # picture C

# %% [markdown]
# People have trained for days on that. `decode_mask` reads both kinds of file: mode P by its labels, RGB by looking each colour
# up in the palette; and it refuses a colour that is not there.

# %%
assert np.array_equal(decode_mask(Image.open(file)), labels)
assert np.array_equal(decode_mask(Image.fromarray(as_colours)), labels)

smeared = Image.fromarray(as_colours).resize((60, 45), Image.Resampling.BILINEAR)
try:  # resizing smoothly is a popular mistake: it mixes colours
    decode_mask(smeared, name="smeared.png")
    refused = ""
except ValueError as error:
    refused = str(error)
print(refused.replace("; ", ";\n").replace(" (", "\n("))
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
#
# **Predict.** Each picture has one to three shapes, about half as tall as the picture. Which share of the labelled pixels is
# background: a fifth, a third, a half, two thirds?
#
# <details><summary>Answer</summary>
#
# A little more than two thirds. Shapes look larger than they are: a star that is 40 pixels tall covers only about two
# fifths of its 40 by 40 box.
#
# </details>

# %%
masks = [draw(ShapesOptions(), index)[1] for index in range(60)]
counts = np.array([sum(int((mask == c).sum()) for mask in masks) for c in range(5)])
shares = counts / counts.sum()
for name, count, share in zip(SHAPES_CLASSES, counts.tolist(), shares, strict=True):
    print(f"{name:10} {count:7,} pixels {share:6.1%}")
assert 2 / 3 < shares[0] < 0.7
assert shares[0] > shares[1:].sum()  # more than all the others together
assert shares[4] == shares.min()

# %% drawing
vis.show(
    vis.draw_bars(SHAPES_CLASSES, shares, "share of the labelled pixels"),
    "imbalance",
    "The share of each class in sixty pictures. Background alone has more than all the "
    "others together, and stars have least.",
)

# %% [markdown]
# Most pixels belong to few classes. This is called **class imbalance**, and it is always so: in photographs, sky, road and wall
# are large, and the things that we care about are small. In PASCAL VOC 2012 about 73 pixels of 100 are background (73.36 % of
# the labelled pixels of its segmentation set; that number is known from the data set itself, and cannot be checked here,
# without a download).
#
# ## How good is an answer? First measure: pixel accuracy
#
# The obvious way to mark an answer: which share of the pixels is right? Leave void out, count the pixels where prediction and
# truth agree, divide by all. This is **pixel accuracy**.
#
# Now meet the laziest predictor in the world. It does not look at the picture. It says "background", everywhere.
#
# **Predict.** You have just seen the bar chart. What is the lazy predictor's pixel accuracy on these sixty pictures?
#
# <details><summary>Answer</summary>
#
# Exactly the share of the background, 0.689: it is right where there is background, and wrong everywhere else.
#
# </details>

# %%
lazy = [np.zeros_like(mask) for mask in masks]
hits = [
    ((guess == mask) & (mask != VOID)).sum()
    for guess, mask in zip(lazy, masks, strict=True)
]
accuracy = int(sum(hits)) / counts.sum()
print(f"pixel accuracy of 'background everywhere': {accuracy:.3f}")
assert accuracy == shares[0]
assert round(accuracy, 3) == 0.689

# %% [markdown]
# It has found nothing at all, and most of its pixels are right! On VOC it would reach 0.73. So pixel accuracy alone does not
# tell whether a network has learnt anything. We need a measure that asks about *each class*.
#
# ## Second measure: IU
#
# Take one class, say star. Some pixels are star in truth, some are star in the prediction. How well do the two sets agree?
# Divide the number of pixels that are in *both* sets by the number that are in *at least one*. This is **IU**, intersection
# over union (also written IoU, also called Jaccard index). Here is a toy, two rectangles on a small board:

# %%
truth = np.zeros((8, 9), bool)
truth[1:5, 1:6] = True
prediction = np.zeros((8, 9), bool)
prediction[3:7, 2:7] = True
both, either = int((truth & prediction).sum()), int((truth | prediction).sum())

# %% [markdown]
# **Predict.** Both sets have 20 pixels, and they share 8 of them. How large is IU?
#
# <details><summary>Answer</summary>
#
# Not 8 / 20 = 0.4. The union has 20 + 20 − 8 = 32 pixels, for those in both would be counted twice: IU = 8 / 32 = 0.25. IU is
# a strict measure: sets that share two fifths of their pixels get a quarter.
#
# </details>

# %%
print(f"intersection {both}, union {either}, IU {both / either:.2f}")
assert truth.sum() == prediction.sum() == 20
assert both == 8
assert either == 20 + 20 - 8
assert both / either == 0.25

# %% drawing
vis.show(
    vis.interactive("overlap", truth, prediction),
    "iu",
    "Pixels of one class: T in the truth alone, P in the prediction alone, B in both. "
    "Intersection: the B. Union: all letters. In the page of `minifcn lesson open 1`, drag "
    "the prediction, or move it with the arrow keys, and watch its IU.",
)

# %% [markdown]
# IU is 1 when the sets are equal, 0 when they have nothing in common, and it punishes both mistakes, missing pixels (T) and
# wrong extra pixels (P). Compute the IU of each class and take the mean over the classes: **mean IU**. In it a small class
# counts as much as a large one.
#
# The library collects all it needs in one table, the **confusion matrix**: a row for each class in truth, a column for each
# class in the prediction, and in each cell the number of pixels. Here for the toy, with 0 for outside and 1 for inside.

# %%
matrix = ConfusionMatrix(num_classes=2)
matrix.update(truth.astype(np.uint8), prediction.astype(np.uint8))
print(matrix.counts)
print("IU:", matrix.per_class_iu().round(3), " mean IU:", round(matrix.mean_iu(), 3))
assert matrix.counts.tolist() == [[40, 12], [12, 8]]  # outside and right, P; T, B
assert matrix.per_class_iu()[1] == 0.25
assert matrix.per_class_iu()[0] == 40 / (40 + 12 + 12)
assert matrix.pixel_accuracy() == (40 + 8) / 72

# %% [markdown]
# And the lazy predictor? For background its intersection is all true background, and its union is everything; so IU =
# pixel accuracy. For each of the other four classes the intersection is empty: 0. The mean over five classes is a fifth of the
# pixel accuracy.


# %%
def marked(predictions, truths=masks):
    """The confusion matrix of all pictures together."""
    matrix = ConfusionMatrix(num_classes=5)
    for mask, guess in zip(truths, predictions, strict=True):
        matrix.update(mask, guess)
    return matrix


lazy_matrix = marked(lazy)
print("IU of each class:", lazy_matrix.per_class_iu().round(3))
print(f"pixel accuracy {lazy_matrix.pixel_accuracy():.3f}")
print(f"mean IU        {lazy_matrix.mean_iu():.3f}")
assert lazy_matrix.per_class_iu()[1:].tolist() == [0, 0, 0, 0]
assert np.isclose(lazy_matrix.mean_iu(), lazy_matrix.pixel_accuracy() / 5)

# %% [markdown]
# On PASCAL VOC the same sum: pixel accuracy 0.734, twenty classes with 0, and so a mean IU of 0.734 / 21 = 0.035, or 3.5 %. The
# first line of every results table should be this predictor. A network that does not beat it has learnt nothing, whatever its
# pixel accuracy.
#
# It also finds slips. One of the lectures that this course follows reports "mIOU: 0.322%". The predictor
# that sees nothing has 3.5 %. So either the per cent sign is wrong (0.322 would be a decent network), or theirs is ten times
# worse than none.

# %%
background_of_voc = 0.7336  # from the data set; the rest is arithmetic
floor = background_of_voc / len(VOC_CLASSES)
print(f"the floor on VOC: {floor:.3f}; 0.322 % is {floor / 0.00322:.0f} times less")
assert round(floor, 3) == 0.035
assert 0.00322 < floor / 10 < floor < 0.322

# %% [markdown]
# ## Where the two measures disagree
#
# One more predictor. This one has found every shape and knows what each is, but it paints them all ten pixels too fat. Where
# two shapes touch, neither eats the other: they grow into the background only.


# %%
def too_fat(mask, pixels=10):
    """Every shape grows to all sides, into the background only; there is no void."""
    shapes = np.where(mask == VOID, 0, mask)
    grown = Image.fromarray(shapes).filter(ImageFilter.MaxFilter(2 * pixels + 1))
    return np.where(shapes > 0, shapes, np.asarray(grown))


fat = [too_fat(mask) for mask in masks]
fat_matrix = marked(fat)
missed = [fat_matrix.counts[c].sum() - fat_matrix.counts[c, c] for c in (1, 2, 3, 4)]
print("pixels of shapes that it misses:", [int(number) for number in missed])
assert missed == [0, 0, 0, 0]  # it has found every pixel of every shape

# %% drawing
example = 8
colours = [SHAPES_PALETTE[kind[example]] for kind in (masks, lazy, fat)]
vis.show(
    vis.draw_pictures(
        colours, ("truth", "background everywhere", "all found, all too fat"), height=5.5
    ),
    "two_predictors",
    "One mask of the sixty and two predictions for it. Which one would you rather have?",
)

# %% [markdown]
# **Predict.** Which of the two has the higher pixel accuracy, and which the higher mean IU?
#
# <details><summary>Answer</summary>
#
# Pixel accuracy prefers the predictor that sees nothing, 0.689 against 0.658. Mean IU gives the other one more than three times
# as much: 0.477 against 0.138.
#
# </details>

# %%
print("                        pixel accuracy   mean IU")
for name, one in (
    ("background everywhere", lazy_matrix),
    ("all found, all too fat", fat_matrix),
):
    print(f"{name:22} {one.pixel_accuracy():15.3f} {one.mean_iu():9.3f}")
assert round(fat_matrix.pixel_accuracy(), 3) == 0.658
assert round(fat_matrix.mean_iu(), 3) == 0.477
assert fat_matrix.pixel_accuracy() < lazy_matrix.pixel_accuracy()
assert fat_matrix.mean_iu() > 3 * lazy_matrix.mean_iu()

# %% [markdown]
# **Break it.** Count void as background, as many evaluation scripts do by accident. Take a predictor that is *perfect*: it is
# right wherever somebody knows the answer, and on the outlines it says the nearest shape. The symptom: *a perfect answer does
# not get 1, and small classes lose most*, for they are mostly outline.

# %%
perfect = [too_fat(mask, pixels=1) for mask in masks]
right_way = marked(perfect)
void_counts = marked(perfect, [np.where(mask == VOID, 0, mask) for mask in masks])
print(f"void left out:          mean IU {right_way.mean_iu():.3f}")
print(f"void counted as class 0: mean IU {void_counts.mean_iu():.3f}")
print("IU of each class then:", void_counts.per_class_iu().round(3))
assert right_way.mean_iu() == 1
assert 0.83 < void_counts.mean_iu() < 0.86
assert void_counts.per_class_iu()[4] == void_counts.per_class_iu().min()  # the star

# %% [markdown]
# And what if a network says "circle" on void pixels only, in a picture without a circle? Nothing. Those pixels are not looked
# at, so the class is neither in the truth nor in the prediction, has no IU (NaN, "not a number"), and is left out of the mean.

# %%
only_on_void = np.where(
    labels == VOID, 1, labels
)  # "circle" on every outline of picture 12
one_picture = marked([only_on_void], [labels])
print("IU of each class:", one_picture.per_class_iu(), " mean IU:", one_picture.mean_iu())
assert np.isnan(one_picture.per_class_iu()[1])
assert one_picture.mean_iu() == 1

# %% [markdown]
# Lesson 12 has more measures and more traps. For now: **look at mean IU, print the lazy predictor beside it, and never count
# void.**
#
# **So much for:** "Nearly all pixels are right, so the answer is good."
#
# ## To think about
#
# **1.** A network is perfect on the sixty pictures, but for one thing: it has never seen a star, and says background where one
# is. Can it reach a mean IU of 0.8?
#
# <details><summary>Answer</summary>
#
# No. Four classes of five could give 0.8, but the pixels of the stars have to go somewhere, and wherever they go they spoil the
# IU of another class. Here they go to the background: 0.785.
#
# </details>

# %%
no_star = marked([np.where(guess == 4, 0, guess) for guess in perfect])
print("IU:", no_star.per_class_iu().round(3), " mean IU:", round(no_star.mean_iu(), 3))
assert no_star.per_class_iu()[4] == 0
assert no_star.per_class_iu()[0] < 1
assert 0.78 < no_star.mean_iu() < 0.8

# %% [markdown]
# **2.** Why is a class that is neither in the truth nor in the prediction left out of the mean? What would happen if it counted
# as 0? As 1?
#
# <details><summary>Answer</summary>
#
# As 0, a perfect answer for picture 12, which has no circle, would get 0.8. As 1, the lazy predictor would get a present for
# every class that happens not to be there: on picture 12 its mean IU would rise from 0.17 to 0.34.
#
# </details>

# %%
perfect_12 = marked([np.where(labels == VOID, 0, labels)], [labels]).per_class_iu()
lazy_12 = marked([np.zeros_like(labels)], [labels]).per_class_iu()
as_0, as_1 = np.nan_to_num(perfect_12, nan=0), np.nan_to_num(lazy_12, nan=1)
print(f"perfect, absent as 0: {as_0.mean():.2f}")
print(f"lazy, absent left out: {np.nanmean(lazy_12):.2f}, absent as 1: {as_1.mean():.2f}")
assert np.isclose(as_0.mean(), 0.8)
assert as_1.mean() > 1.9 * np.nanmean(lazy_12)

# %% [markdown]
# ## Exercises
#
# Write the functions into one file, say `mine.py`, and let the library look at it:
#
#     minifcn lesson check 1 mine.py
#
# It tells you not only whether your numbers are right, but which mistake makes them wrong. Keep the file: it grows through the
# course, and in the end its functions are a network.
#
# **Warm-up.** `pixel_accuracy(labels, predictions)`: the share of pixels that are predicted right, of two arrays (H, W). Pixels
# whose *label* is void, 255, do not count. Return one number.
#
# **Main.** `class_counts(labels, num_classes)`: labels is a mask, (H, W), with labels 0 to num_classes − 1, and void. Return an
# array of shape (num_classes,): how many pixels each class has. Void is not counted.
#
# **Main.** `mean_iu(labels, predictions, num_classes)`: two arrays (H, W). Pixels whose label is void do not count. Classes
# that are neither in the labels nor in the predictions are left out of the mean. Return one number.
#
# **Stretch** (not needed to go on). `best_constant(labels, num_classes)`: the lazy predictor that says one class everywhere,
# the class with the most pixels in labels. Return three things: that class, its pixel accuracy, its mean IU.
#
# `minifcn lesson quiz 1` asks a few questions about the same; its wrong answers are mistakes that people make.
#
# ## On one page

# %% drawing
measures = [
    f"{name}\naccuracy {one.pixel_accuracy():.2f}, mean IU {one.mean_iu():.2f}"
    for name, one in (("sees nothing", lazy_matrix), ("all too fat", fat_matrix))
]
board = vis.Board(7.3, 27)
for column, words, kind in (
    (0, "truth", masks),
    (9, measures[0], lazy),
    (18, measures[1], fat),
):
    board.picture(SHAPES_PALETTE[kind[example]], 1.9, column, 5.2)
    board.write(words, 0.9, column, align="left", size=0.42)
vis.show(
    board.figure,
    "one_page",
    "A mask, the predictor that sees nothing, and one that finds all and paints it fat, "
    "with both measures over sixty pictures: they rank them the other way round.",
)
assert measures[0].endswith("accuracy 0.69, mean IU 0.14")
assert measures[1].endswith("accuracy 0.66, mean IU 0.48")

# %% [markdown]
#     pixel accuracy  =  right pixels / labelled pixels
#     IU of a class   =  pixels in both / pixels in at least one
#     mean IU         =  mean of IU over the classes that occur
#     lazy floor      =  share of the background / number of classes
#
# A mask holds one label for each pixel; its colours are only for looking. Void is not a class: it neither teaches nor counts.
# Pixel accuracy flatters whoever says "background"; mean IU does not.
#
# **What you now own:** in `mine.py`, `pixel_accuracy`, `class_counts` and `mean_iu`.
