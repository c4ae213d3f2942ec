# %% [markdown]
# # 08 · Softmax cross-entropy with void
#
# A network has looked at a picture and said, for every pixel, how much it believes in each
# class. Now somebody has to mark its answer: *one number* that says how wrong it is (the
# **loss**), and for every number it said, *which way to push it* (the **gradient**). This
# lesson is about that marking. It begins with one pixel and three numbers, and ends with two
# networks of which one was marked wrongly, and shows it. At the end you know
#
# - how scores become probabilities (**softmax**), and why nobody computes that as it is
#   written,
# - what the loss of a pixel is (**cross-entropy**), and its gradient, which you can do in
#   your head,
# - what is done with **void** pixels, those that nobody could label, and what happens to a
#   network when that is done wrongly,
# - why one person trains with a rate of 0.00002 and another with 0.0000000001, and both are
#   right,
# - what class weights can do, and when they do nothing.
#
# You need lesson 01 (labels, void, mean IU) and the beginning of lesson 04 (what a gradient
# is, and how to measure one by nudging).

# %%
import numpy as np

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.course.small_fcn import SmallFCN, pictures, predict, scaled, train
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_PALETTE, ShapesOptions, draw
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board, signed_colours

# %% [markdown]
# ## What a network says
#
# We borrow a small network from lesson 13. For now the network is a black box with 62,639
# adjustable numbers, its **weights**. It takes a picture and gives **scores**: for every pixel
# one number for each of the five classes. A higher score means "I believe more in this class".
# Scores can be any numbers, also negative ones. (The next cell lets the box practise, with
# the very loss that this lesson is about. That takes a few seconds; how it is done is said in
# lesson 13.)

# %%
STEPS = 80


def trained(labels, steps=STEPS):
    """A network that has practised with these labels for so many steps."""
    net = SmallFCN()
    adam = Adam(net.parameters(), lr=0.01)
    losses = train(net, x, labels, adam, steps, schedule=lambda step: poly(step, steps))
    return net, losses


x, labels = pictures(0, 200)  # 200 pictures of 48 x 64 pixels, and their labels
net, losses = trained(labels)
beginner, _ = trained(labels, steps=20)

options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, truth = draw(options, 12)  # picture 12 of lesson 01
x12 = scaled(image[None])
scores = net.eval()(x12)
print("picture:", x12.shape, " scores:", scores.shape)
print("the five scores of the pixel in row 30, column 30:", scores[0, :, 30, 30].round(1))
assert scores.shape == (1, 5, 90, 120)  # five numbers for each pixel

# %% [markdown]
# Here is what this lesson does to picture 12: it puts a number on every pixel that says how
# wrong the network is there.

# %%
loss_map, _ = F.cross_entropy(scores, truth[None], reduction="none")  # one number a pixel
answer = scores.argmax(axis=1)[0]  # the class with the highest score, for each pixel
void = truth == VOID
assert (loss_map[0][void] == 0).all()  # where there is no truth, nothing is wrong
assert (answer == truth)[~void].mean() > 0.98


# %% drawing
def grey(values, most):
    """Amounts (H, W) as grey pixels: 0 is white, `most` and above black."""
    amount = np.clip(values / most, 0, 1)
    return (255 * (1 - amount)[..., None] * np.ones(3)).astype(np.uint8)


vis.show(
    vis.draw_pictures(
        [image, SHAPES_PALETTE[truth], SHAPES_PALETTE[answer], grey(loss_map[0], 1.0)],
        ("picture 12", "truth", "the network's answer", "loss: dark is wrong"),
        height=4.5,
    ),
    "strip",
    "Picture 12 and what this lesson computes. On the right the loss of each pixel: white "
    "is 0, black is 1 and more. The network is nearly right everywhere; what little is "
    "wrong lies along the outlines.",
)

# %% [markdown]
# ## One pixel, three scores
#
# Take a single pixel and only three classes: sky, tree and road. The network gives it the
# scores 2, 1 and 0. In truth it is sky. How good is that?
#
# The scores alone do not say. Is 2 much? We want numbers that we can judge: **probabilities**,
# which are all above 0 and add up to 1. Two steps lead there:
#
# 1. Take the exponential of each score, exp(s), that is 2.718...^s. It is positive, whatever
#    s is, and each further point in the score makes it 2.718 times as large.
# 2. Divide by their sum, so that the results add up to 1.
#
# To take the exponential of each score and divide by the sum of all, these two steps together,
# is called **softmax**.

# %%
s = np.array([2.0, 1.0, 0.0])
sky, tree, road = 0, 1, 2
e = np.exp(s)
p = e / e.sum()
print("scores       ", s)
print("exp          ", e.round(3), " their sum:", e.sum().round(3))
print("probabilities", p.round(3), " their sum:", p.sum().round(3))
assert np.allclose(p, [0.665, 0.245, 0.090], atol=5e-4)
assert np.isclose(p.sum(), 1)
assert np.isclose(p[sky] / p[tree], np.exp(1))  # one point more: 2.718 times as likely

# %% drawing
CLASSES = ("sky", "tree", "road")


def panel(board, column, title, values, unit, text="{:.2f}", names=5.6):
    """Three upright bars on a ground line, names in row `names`; bars below 0 hang."""
    board.write(title, 0.1, column, align="left", weight="bold", size=0.36)
    for i, (name, value) in enumerate(zip(CLASSES, values, strict=True)):
        left, height = column + 1.5 * i, abs(value) * unit
        top = 5 - height if value > 0 else 5
        board.frame(top, left, height, 1, width_points=0, fill=style.BLUE)
        number = text.format(value).replace("-", "−")
        board.write(number, top - 0.35 if value >= 0 else 5.35 + height, left + 0.5, 0.3)
        board.write(name, names, left + 0.5, size=0.32)
    board.frame(5, column - 0.2, 0, 4.4, width_points=1.2)


board = Board(6, 17.5)
panel(board, 0, "scores", s, 1.9, "{:.0f}")
panel(board, 6.5, "exp(scores)", e, 3.8 / e.max())
panel(board, 13, "probabilities", p, 3.8)
vis.show(
    board.figure,
    "softmax",
    "From scores to probabilities: first exp, which makes them positive, then division by "
    "the sum, which makes them add up to 1.",
)

# %% [markdown]
# ## How wrong is that? The loss
#
# The truth is sky, and the network gives sky a probability of 0.665. Perfect would be 1; then
# the loss shall be 0. The smaller the probability of the truth, the larger the loss, without
# bound: somebody who says "impossible" of what then happens is infinitely wrong. The function
# that does this is minus the logarithm:
#
#     loss = −log(p[truth])
#
# This loss, minus the logarithm of the probability of the true class, is called
# **cross-entropy**. (log is the natural logarithm, the reverse of exp.)

# %%
loss = -np.log(p[sky])
print(f"p of the truth {p[sky]:.3f}, loss {loss:.3f}")
assert abs(loss - 0.408) < 5e-4

# %% drawing
chances = np.array([1.0, 0.9, 0.665, 0.5, 0.1, 0.01])
vis.show(
    vis.draw_bars(
        [f"p = {chance:g}" for chance in chances],
        np.abs(np.log(chances)),
        "loss, if the truth was given the probability p",
        "{:.2f}",
    ),
    "surprise",
    "The loss of one pixel. Certain and right costs nothing; ten times less likely always "
    "costs 2.3 more: from 1 to 0.1, and from 0.1 to 0.01.",
)

# %% [markdown]
# **Predict.** You know nothing at all about a pixel, and give all five classes the same score,
# 0. What is the loss? And does it depend on which class is the truth?
#
# <details><summary>Answer</summary>
#
# Equal scores give equal probabilities, 1/5 each, whichever is the truth. So the loss is
# −log(1/5) = log(5) = 1.609. With VOC's 21 classes it is log(21) = 3.045. Remember these:
# a network that has not learnt anything yet must begin there. If the first loss that your
# program prints is another number, something is wrong before the training has begun.
#
# </details>

# %%
zeros = np.zeros((1, 5, 1, 1))
for label in range(5):
    first, _ = F.cross_entropy(zeros, np.full((1, 1, 1), label))
    assert np.isclose(first, np.log(5))
print(f"5 classes: {np.log(5):.4f}   21 classes: {np.log(21):.4f}")
print(f"the first loss of our network: {losses[0]:.4f}")
assert abs(losses[0] - 1.6094) < 1e-4
assert abs(np.log(21) - 3.0445) < 1e-4

# %% [markdown]
# ## Which way to push? The gradient
#
# The gradient has one number for each score: how fast the loss grows when this score grows.
#
# **Predict.** Scores 2, 1, 0, and the truth is sky. Which of these four pictures shows the
# gradient of the loss? (An arrow up: more of this score makes the loss larger.)


# %% drawing
def arrows(board, column, title, values, unit=4.2, text="{:+.2f}"):
    """An arrow for each class, up for positive numbers, down for negative ones."""
    board.write(title, 0, column, align="left", weight="bold")
    board.frame(3.6, column - 0.2, 0, 4.4, width_points=1.2)
    for i, (name, value) in enumerate(zip(CLASSES, values, strict=True)):
        middle = column + 1.5 * i + 0.5
        if value:
            board.arrow((3.6, middle), (3.6 - value * unit, middle), style.INK)
        number = text.format(value).replace("-", "−")
        board.write(number, 4 if value > 0 else 3.2, middle, size=0.28)
        board.write(name, 6.3, middle, size=0.32)


one_hot = np.array([1.0, 0.0, 0.0])  # 1 at the truth, 0 elsewhere
four = (("A", p), ("B", one_hot - p), ("C", p - one_hot), ("D", (-0.408, 0, 0)))
board = Board(6.6, 23.5)
for i, (letter, values) in enumerate(four):
    arrows(board, 6.3 * i, letter, values)
vis.show(
    board.figure,
    "which_gradient",
    "Four candidates for the gradient of the loss. Only one of them is right.",
)
assert sum(np.isclose(sum(values), 0) for _, values in four) == 2  # a first hint

# %% [markdown]
# <details><summary>Answer</summary>
#
# C. More score for the truth makes the loss smaller, so its arrow must point down: that
# excludes A and B. More score for a wrong class takes probability away from the truth, so the
# other arrows cannot be zero: that excludes D. And one more thing: if *all* scores grow by
# the same amount, no probability changes, so the three arrows must add up to zero.
#
# </details>
#
# Do not believe it; measure. As in lesson 04 we nudge each score a little up and down.


# %%
def loss_of(s, label):
    """The loss of one pixel, as it was explained."""
    e = np.exp(s)
    return -np.log(e[label] / e.sum())


measured = np.zeros(3)
for k in range(3):
    nudge = np.zeros(3)
    nudge[k] = 1e-5
    measured[k] = (loss_of(s + nudge, sky) - loss_of(s - nudge, sky)) / 2e-5
print("measured:       ", measured.round(3))
print("p minus one-hot:", (p - [1, 0, 0]).round(3))
assert np.allclose(measured, p - [1, 0, 0], atol=1e-9)
assert np.allclose(measured, [-0.335, 0.245, 0.090], atol=5e-4)
assert abs(measured.sum()) < 1e-9

# %% [markdown]
# The gradient is the probabilities, minus 1 at the truth. Written with a **one-hot** list, 1
# at the truth and 0 elsewhere (here 1, 0, 0):
#
#     dscores = p − one-hot(truth)
#
# You can do that in your head. It also says something nice: each class gets exactly the
# probability that it should not have had, and the truth is pushed up by all of it together.
#
# Why is it so? Write the loss without the fraction: −log(exp(s[t]) / sum) = log(sum) − s[t],
# where t is the truth and sum is that of all exponentials. Now let s[k] grow. The second part
# falls as fast as s[k] grows if k = t, and does not move otherwise: that is the −1 of the
# one-hot. The first part, log(sum), grows by exp(s[k]) / sum: and that is p[k].

# %% drawing
board = Board(9.2, 24)
panel(board, 0, "scores", s, 1.9, "{:.0f}", 9)
panel(board, 6.5, "probabilities p", p, 3, "{:.2f}", 9)
panel(board, 13, "minus one-hot", [-1, 0, 0], 3, "{:.0f}", 9)
panel(board, 19.5, "= gradient", p - [1, 0, 0], 3, "{:+.2f}", 9)
vis.show(
    board.figure,
    "gradient",
    "From the scores to the gradient. What the truth, sky, lacks is what tree and road "
    "have too much: the three numbers on the right add up to zero.",
)
assert abs((p - [1, 0, 0]).sum()) < 1e-12

# %% [markdown]
# ## Nobody computes it as it is written
#
# Adding the same number to all scores changes nothing: every exp becomes the same factor
# larger, and their sum as well.


# %%
def naive_softmax(s):
    return np.exp(s) / np.exp(s).sum()


for shift in (-5, 3.7, 100):
    assert np.allclose(naive_softmax(s + shift), p)
print("scores 2, 1, 0:      ", naive_softmax(s).round(3))
print("scores 102, 101, 100:", naive_softmax(s + 100).round(3))

# %% [markdown]
# **Break it.** Scores 1002, 1001, 1000: the same differences, so the same probabilities. But
# exp(1002) is a number with 436 digits, and a computer's numbers end at about 308. The
# symptom: **nan** ("not a number"), from which a network never recovers, since everything
# that nan touches becomes nan.

# %%
with np.errstate(all="ignore"):  # NumPy would warn; we know
    broken = naive_softmax(s + 1000)
print("as it is written:", broken)
assert np.isnan(broken).all()

# %% [markdown]
# The cure is the fact that we have just seen: adding a number to all scores changes nothing,
# so *subtract the largest score* first. Then the largest is 0, its exp is 1, and nothing can
# overflow. This is what the library does.


# %%
def softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


print("largest subtracted:", softmax(s + 1000).round(3))
library = F.softmax((s + 1000).reshape(1, 3, 1, 1)).ravel()
assert np.allclose(softmax(s + 1000), p)
assert np.allclose(library, p)

# %% [markdown]
# ## A whole picture, and void
#
# A picture has many pixels, each with scores and a loss of its own. The loss of the picture
# is the *mean* over its pixels. But some pixels are **void**, label 255: nobody could say
# what they are (lesson 01). What should they count?
#
# Nothing. We leave void pixels out of the sum, *and out of the count* by which it is divided.
# Two pixels, three classes, all scores 0: the first pixel is tree (label 1), the second void.
#
# **Predict.** The loss? And the gradient: three numbers for the first pixel, three for the
# second?
#
# <details><summary>Answer</summary>
#
# The second pixel does not exist for the loss, so it is that of the first alone: log(3) =
# 1.0986. The first pixel's gradient is 1/3, 1/3 − 1, 1/3. The second pixel's is 0, 0, 0: no
# matter what the network says there, it is not pushed anywhere.
#
# </details>

# %%
two = np.zeros((1, 3, 1, 2))  # (N, C, H, W): one picture, three classes, two pixels
marks = np.array([[[1, VOID]]])  # (N, H, W)
loss_two, cache = F.cross_entropy(two, marks)
dscores = F.cross_entropy_backward(1.0, cache)  # 1.0: the loss grows as fast as itself
print(f"loss {loss_two:.4f}")
print("gradient, a column for each pixel:\n", dscores[0, :, 0].round(3))
assert np.isclose(loss_two, np.log(3))
assert abs(loss_two - 1.0986) < 5e-5
assert np.allclose(dscores[0, :, 0, 0], [1 / 3, -2 / 3, 1 / 3])
assert (dscores[0, :, 0, 1] == 0).all()

# %% [markdown]
# **Break it.** Many programs read void as class 0, the background, since "it has to be
# something". The symptom: the first pixel now learns at *half the speed*, for the mean is over two
# pixels; and the second is **pushed towards class 0**, although nobody ever said that it is.

# %%
_, cache = F.cross_entropy(two, np.where(marks == VOID, 0, marks))
wrong = F.cross_entropy_backward(1.0, cache)
print("void counted as class 0:\n", wrong[0, :, 0].round(3))
assert np.allclose(wrong[0, :, 0, 0], dscores[0, :, 0, 0] / 2)
assert wrong[0, 0, 0, 1] < 0  # more of class 0, please
assert not np.allclose(wrong, dscores)

# %% drawing
board = Board(4.8, 16)
for column, title, values in (
    (0, "void left out", dscores[0, :, 0]),
    (9, "void as class 0", wrong[0, :, 0]),
):
    board.write(title, 0, column, align="left", weight="bold")
    for j, name in enumerate(("tree", "void")):
        board.write(name, 1.1, column + 3 + 2.2 * j, size=0.34)
        for i in range(3):
            value = values[i, j]
            text = f"{value:+.2f}".replace("-", "−") if value else "0"
            colours = signed_colours(np.array([[value]]), 0.8)
            cell = np.array([[value]])
            board.grid(cell, 1.7 + i, column + 2.5 + 2.2 * j, colours=colours, text=text)
    for i in range(3):
        board.write(f"class {i}", 2.2 + i, column, align="left", size=0.34)
vis.show(
    board.figure,
    "void_pixel",
    "The gradient of two pixels. Left: the void pixel is pushed nowhere. Right: counted as "
    "class 0 it is pushed, and the pixel that has a label only gets half of its push.",
)

# %% [markdown]
# ## On picture 12
#
# **Predict.** A network that has practised for a short time marks picture 12. Where is its loss
# largest: inside the shapes, on the background, or along the outlines? And the network that
# has practised four times as long?
#
# <details><summary>Answer</summary>
#
# For both along the outlines, and the more so the longer it has practised: inside a shape
# all pixels around say the same, at its edge one pixel decides. But right *on* the outline,
# where the void pixels are, the loss is exactly 0.
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


outline = near(void) & ~void
inside = ~near(void)
beginner_scores = beginner.eval()(x12)
early, early_cache = F.cross_entropy(beginner_scores, truth[None], reduction="none")
for name, losses_12 in (("20 steps", early[0]), ("80 steps", loss_map[0])):
    edge, rest = losses_12[outline].mean(), losses_12[inside].mean()
    print(f"{name}: mean loss near outlines {edge:.3f}, elsewhere {rest:.3f}")
    assert edge > 5 * rest
assert loss_map[0][outline].mean() > 20 * loss_map[0][inside].mean()

# %% [markdown]
# And the gradient? Here is how hard each pixel is pushed: the three, or here five, numbers of
# its gradient without their signs, added up.

# %%
pushes = F.cross_entropy_backward(np.ones((1, 90, 120)), early_cache)  # (1, 5, 90, 120)
push = np.abs(pushes).sum(axis=1)[0]
print("pixels not pushed at all:", int((push == 0).sum()), " void:", int(void.sum()))
assert (push[void] == 0).all()  # exactly zero, not nearly
assert (push[~void] > 0).all()
assert np.allclose(pushes.sum(axis=1), 0)  # over the classes every pixel's pushes cancel

# %% drawing
vis.show(
    vis.draw_pictures(
        [grey(early[0], 1.5), grey(loss_map[0], 1.5), grey(push**0.5, 1.4)],
        ("loss after 20 steps", "loss after 80 steps", "push after 20 steps"),
        height=6,
    ),
    "loss_map",
    "Darker is more. Left and middle: what is wrong moves to the outlines. Right: how hard "
    "each pixel is pushed. The white bands around the shapes are the void pixels: 0.",
)

# %% [markdown]
# ## Sum or mean: the rate that looks like a mistake
#
# On the internet people ask: "My loss is 570,000, is that a bug?" The authors of FCN did not
# take the mean over the pixels but their *sum*. A picture of VOC has 375 x 500 pixels and 21
# classes, and a network that knows nothing has log(21) on each:

# %%
pixels = 375 * 500
print(f"{pixels:,} pixels · {np.log(21):.4f} = {pixels * np.log(21):,.0f}")
assert round(pixels * np.log(21)) == 570_848

# %% [markdown]
# Nothing is wrong with that. In training each weight takes a step against its gradient: it
# changes by minus **rate** times gradient, where the rate is a small number that one chooses.
# The sum's gradient is 187,500 times that of the mean, so its rate must be so much smaller.
#
# **Predict.** The authors' files say rate 0.0000000001, that is 1e-10. Somebody rebuilds their
# network with a mean loss and takes the same rate. What happens, and which rate should it be?
#
# <details><summary>Answer</summary>
#
# The steps are 187,500 times too small: nothing seems to happen, for days. The same steps
# come with the rate 1e-10 · 187,500 = 1.875e-5.
#
# </details>

# %%
rng = np.random.default_rng(8)
some, some_labels = rng.normal(size=(1, 21, 15, 20)), rng.integers(0, 21, (1, 15, 20))
gradients = {}
for reduction in ("sum", "mean"):
    _, cache = F.cross_entropy(some, some_labels, reduction=reduction)
    gradients[reduction] = F.cross_entropy_backward(1.0, cache)
assert np.allclose(gradients["sum"], 15 * 20 * gradients["mean"])

rate_of_mean = 1e-10 * pixels
print(f"rate of the mean: {rate_of_mean:.3e}")
assert np.isclose(rate_of_mean, 1.875e-5)

# %% [markdown]
# ## Two networks
#
# Now the experiment. A network is trained as above: void left out. Its twin begins with the
# same weights and sees the same pictures in the same order; only, its void pixels are
# labelled background. Both are then asked about 40 new pictures.
#
# **Predict.** We mark both on the *labelled* pixels only. More than a tenth of the twin's
# lessons was about pixels that do not count now. Does it matter? Where?
#
# <details><summary>Answer</summary>
#
# It matters. Mean IU falls from about 0.98 to about 0.95, and within two pixels of the void
# lines from about 0.95 to about 0.87. The twin was told, along every outline of every shape,
# "this is background", half of the time against what is to be seen. So it has learnt to paint
# its shapes too thin.
#
# </details>

# %%
new, new_labels = pictures(1000, 40)
twin, twin_losses = trained(np.where(labels == VOID, 0, labels))
answers, twin_answers = predict(net, new), predict(twin, new)


def mean_iu(labels, predictions):
    matrix = ConfusionMatrix(5)
    matrix.update(labels, predictions)
    return matrix.mean_iu()


void_line = new_labels == VOID
near_void = np.stack([near(mask) for mask in void_line])
edges_only = np.where(near_void, new_labels, VOID)  # everything else does not count
print(f"void: {void_line.mean():.1%} of the pixels")
print("                    mean IU   near outlines")
for name, said in (("void left out", answers), ("void as background", twin_answers)):
    print(f"{name:19} {mean_iu(new_labels, said):7.2f} {mean_iu(edges_only, said):12.2f}")
assert abs(mean_iu(new_labels, answers) - 0.977) < 0.02
assert abs(mean_iu(new_labels, twin_answers) - 0.949) < 0.02
assert abs(mean_iu(edges_only, answers) - 0.946) < 0.02
assert abs(mean_iu(edges_only, twin_answers) - 0.876) < 0.02

# %% [markdown]
# What do they say on the void pixels themselves? Nobody marks that, but it shows what they
# were taught.

# %%
share = (answers[void_line] == 0).mean()
twin_share = (twin_answers[void_line] == 0).mean()
print(f"of the void pixels, called background: {share:.0%}, by the twin {twin_share:.0%}")
assert 0.3 < share < 0.7  # an honest guess: half of an outline lies outside
assert twin_share > 0.75  # it learnt that outlines are background

# %% drawing
shown = 4
apart = answers[shown] != twin_answers[shown]
picture = ((new[shown].transpose(1, 2, 0) + 1) * 128).clip(0, 255).astype(np.uint8)
vis.show(
    vis.draw_pictures(
        [
            picture,
            SHAPES_PALETTE[answers[shown]],
            SHAPES_PALETTE[twin_answers[shown]],
            grey(apart.astype(float), 1),
        ],
        ("picture", "void left out", "void as background", "they differ"),
        height=4.5,
    ),
    "twins",
    "A new picture and what the two networks say. The second paints its shapes thinner: "
    "on the right in black all pixels where the two differ, a ring around each shape.",
)
assert apart.any()

# %% [markdown]
# And if the twin's maker also counts void as background when *marking*? Then a network that
# does the right thing looks bad, and the twin still does not look good:

# %%
as_background = np.where(new_labels == VOID, 0, new_labels)
fooled, fooled_twin = mean_iu(as_background, answers), mean_iu(as_background, twin_answers)
print(f"marked with void as background: {fooled:.2f}, the twin {fooled_twin:.2f}")
assert abs(fooled_twin - 0.873) < 0.02
assert fooled < fooled_twin  # the wrong exam prefers the wrong pupil

# %% [markdown]
# "Ignoring void throws information away", some say. It is the other way round: the label says
# that there *is* no information, and to put a class there invents some.
#
# **So much for:** "To ignore void is to throw information away."
#
# ## Class weights
#
# Most pixels are background or road or sky, so most of the loss is about them. One can give
# each class a **weight**: a pixel's loss is multiplied by the weight of its true class, and
# the mean divides by the sum of these weights:
#
#     loss = sum of weight[label] · (−log p[label])  /  sum of weight[label]
#
# With all weights 1 this is the mean that we had. Multiply all weights by ten, and nothing
# changes.

# %%
some_labels[0, :2] = VOID
plain, _ = F.cross_entropy(some, some_labels)
ones, _ = F.cross_entropy(some, some_labels, weight=np.ones(21))
tens, _ = F.cross_entropy(some, some_labels, weight=np.full(21, 10.0))
assert np.isclose(plain, ones)
assert np.isclose(plain, tens)

# %% [markdown]
# **Break it.** Divide by the *number of pixels* instead of the sum of their weights. The
# symptom: the loss, and with it every step of the training, is **ten times as large**, though
# weights of ten for all classes prefer none of them.

# %%
each, _ = F.cross_entropy(some, some_labels, weight=np.full(21, 10.0), reduction="none")
by_count = each.sum() / (some_labels != VOID).sum()
print(f"by the weights' sum {tens:.3f}, by the number of pixels {by_count:.3f}")
assert np.isclose(by_count, 10 * plain)

# %% [markdown]
# Which weights? A report on a data set of Indian streets (1920 x 1080 pixels) counts the
# pixels of each of its classes and takes
#
#     weight of a class = 1 − its share of all pixels
#
# so that a frequent class weighs less. Here are its 27 counts.

# %%
counts = np.array([
    2198453584, 519609102, 28929892, 126362539, 58804972, 59032134, 94293190, 2569952,
    101519794, 163659019, 105075839, 47400301, 30998126, 133835645, 135950687, 41339482,
    15989829, 104795610, 8062798, 450973, 94820222, 341805135, 557016609, 71159311,
    1465165566, 1823922767, 2775322,
])  # fmt: skip
weights = 1 - counts / counts.sum()
print("most frequent class / rarest class:", counts.max() // counts.min())
assert len(counts) == 27
assert counts.max() // counts.min() == 4874

# %% [markdown]
# **Predict.** The most frequent class, road, has nearly 4,900 times as many pixels as the
# rarest. How many times as much does a pixel of the rarest class weigh: 4,900, 70, or less than
# 2?
#
# <details><summary>Answer</summary>
#
# 1.36 times. Every share but road's is near 0, so every weight but road's is near 1; and
# road's own share is 0.26, so its weight is 0.74.
#
# </details>

# %%
factor = weights.max() / weights.min()
print(f"weights from {weights.min():.3f} to {weights.max():.5f}, a factor of {factor:.2f}")
assert abs(weights.min() - 0.736) < 5e-4
assert abs(weights.max() - 0.99995) < 5e-6
assert abs(factor - 1.36) < 5e-3

# %% drawing
shares = counts / counts.sum()
board = Board(9.5, 28)
for row, title, values in (
    (4, "share of the pixels, the largest 0.26", shares / shares.max()),
    (9, "weight, 1 − share, from 0.74 to 1.00", weights),
):
    board.write(title, row - 3.6, 0, align="left", weight="bold")
    for i, value in enumerate(values):
        height = 2.8 * value
        board.frame(row - height, i, height, 0.8, width_points=0, fill=style.BLUE)
    board.frame(row, -0.1, 0, 27, width_points=1.2)
vis.show(
    board.figure,
    "class_weights",
    "The 27 classes of the report: their shares above, their weights below. Most classes "
    "can hardly be seen above, and below all bars but a few are equally tall: such weights "
    "change nearly nothing.",
)

# %% [markdown]
# So it is no wonder that their "weighted loss" hardly changed their mean IU, from 0.3371 to
# 0.3444. (One run each: such a difference may as well be chance.) That does not show that weighting
# is useless; it shows that *these weights were nearly all the same*. A stronger recipe divides the
# median of the shares by each share: then the rarest class weighs 4,900 times as much as
# road. That may be too much: a few pixels, some of them labelled wrongly, then rule it all.
# The authors of FCN tried weighting, with three quarters of all pixels being background, and
# found it unnecessary.

# %%
median_weights = np.median(shares) / shares
print(f"median recipe: from {median_weights.min():.2f} to {median_weights.max():.0f}")
assert abs(median_weights.min() - 0.043) < 5e-4
assert abs(median_weights.max() - 210) < 1

# %% [markdown]
# A last look at these counts, since numbers in reports can be questioned. Add them up, and
# divide by the pixels of one picture:

# %%
total = int(counts.sum())
print(f"{total:,} pixels / (1920 · 1080) = {total / (1920 * 1080):,.6f} pictures")
assert total == 8_333_798_400
assert total == 4019 * 1920 * 1080  # to the last pixel

# %% [markdown]
# Exactly 4,019 pictures, to the last pixel. So *every* pixel was counted, also those that
# nobody labelled: they are in one of the 27. Probably it is the last one, but that is a guess;
# the report does not say. If so, void had become a class, with a weight of 0.9997.

# %%
print(f"weight of the last class: {weights[-1]:.4f}")
assert round(weights[-1], 4) == 0.9997

# %% [markdown]
# ## To think about
#
# A network is as wrong as can be: score 100 for tree, 0 for sky and road, and the truth is
# sky. The loss is about 100. How large is the gradient? What would it be if the loss were the
# squared distance from a target score?
#
# <details><summary>Answer</summary>
#
# −1 for sky, +1 for tree, 0 for road. p − one-hot lies between −1 and 1, so no pixel can ever
# push harder than that, however wrong it is. A squared distance has a gradient that grows
# with the distance: 200 here. One crazy pixel would throw the whole network about.
#
# </details>

# %%
worst = np.array([0.0, 100.0, 0.0])
assert np.isclose(-np.log(softmax(worst)[sky]), 100)
assert np.allclose(softmax(worst) - [1, 0, 0], [-1, 1, 0])

# %% [markdown]
# With only two classes, on which number alone does the result depend?
#
# <details><summary>Answer</summary>
#
# On the difference of the two scores, d = s[0] − s[1], since adding a number to both changes
# nothing: p[0] = 1 / (1 + exp(−d)). This function is called the *sigmoid*.
#
# </details>

# %%
for a, b in ((2.0, 1.0), (0.5, -3.0)):
    assert np.isclose(softmax(np.array([a, b]))[0], 1 / (1 + np.exp(-(a - b))))

# %% [markdown]
# A small piece cut out of a picture happens to be void everywhere. What should its loss be?
#
# <details><summary>Answer</summary>
#
# The mean of no numbers is 0/0, which is nan; some libraries return that, and the training is
# ruined. Ours returns 0 with a gradient of 0: such a piece teaches nothing, and does no harm.
#
# </details>

# %%
nothing, cache = F.cross_entropy(two, np.full((1, 1, 2), VOID))
assert nothing == 0
assert (F.cross_entropy_backward(1.0, cache) == 0).all()

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 8 mine.py
#
# scores are (N, C, H, W), labels (N, H, W) whole numbers, 0 to C − 1 or 255 for void, weight
# (C,). Only NumPy, please.
#
# **Warm-up.** `equal_rate(rate_of_sum, pixels)`: the rate with which a mean over so many
# pixels learns exactly as fast as their sum does with `rate_of_sum`.
#
# **Main.** `cross_entropy(scores, labels, weight)`: the weighted mean loss, one number. Void
# pixels do not count; where all pixels are void, the loss is 0. Scores may be as large as
# 1000.
#
# **Main.** `cross_entropy_gradient(scores, labels, weight)`: its gradient, of the scores'
# shape.
#
# **Stretch.** `class_weights(counts)`: the report's weights, 1 minus the share, for whole
# numbers counts (C,).

# %% [markdown]
# ## On one page

# %% drawing
page_scores = np.array([[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]])  # two pixels, the same scores
page_loss, cache = F.cross_entropy(page_scores.reshape(1, 3, 1, 2), np.array([[[0, VOID]]]))
page_gradient = F.cross_entropy_backward(1.0, cache).reshape(3, 2)
assert np.isclose(page_loss, loss)
assert np.allclose(page_gradient[:, 0], measured)

page_p = np.stack([softmax(column) for column in page_scores.T], axis=1)
board = Board(6.6, 25.5)
for row, j, title in ((0.6, 0, "a pixel that is sky"), (4.6, 1, "a void pixel")):
    board.write(title, row - 0.2, 0, align="left", weight="bold")
    for column, name, values in (
        (4.5, "scores", page_scores[:, j]),
        (10, "probabilities", page_p[:, j]),
        (15.5, "minus one-hot", np.array([-1, 0, 0]) if j == 0 else np.zeros(3)),
        (21, "gradient", page_gradient[:, j]),
    ):
        board.grid(values[None], row + 0.8, column, title=name, scale=2)
    board.write(("loss 0.41", "loss 0")[j], row + 1.3, 0, align="left", size=0.36)
vis.show(
    board.figure,
    "one_page",
    "The whole lesson for two pixels with the same scores (for sky, tree, road): above "
    "with the label sky, below void: no loss, no gradient, no place in the count.",
)

# %% [markdown]
#     p = exp(s − largest s) / sum of these        softmax
#     loss = −log p[truth]                         cross-entropy of one pixel
#     dscores = p − one-hot(truth)                 its gradient, which adds up to 0
#     mean = sum of w·loss / sum of w              over the pixels that are not void
#     first loss = log(number of classes)          of a network that knows nothing
#
# A network says scores; softmax makes probabilities of them, and the loss is minus the
# logarithm of what it gave the truth. The gradient is what each class has too much. Void
# pixels are left out of the sum, of the count and of the gradient, and a network that is
# told otherwise learns to paint its shapes too thin.
#
# **What you now own:** `equal_rate`, `cross_entropy`, `cross_entropy_gradient` and
# `class_weights` in your `mine.py`.
