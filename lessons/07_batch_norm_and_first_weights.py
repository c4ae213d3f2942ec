# %% [markdown]
# # 07 · Batch norm and initialisation
#
# Put fifteen convolutions behind each other, with weights drawn at random, and send a picture
# through. What comes out? Mostly nothing: numbers so small that no picture can be told from
# another. Or numbers so large that they are useless as well. There are two rescues. One is
# **initialisation**: to draw the first weights so that the signal survives. The other is to
# repair the signal on the way (**batch norm**). The second one has a price: its gradient is
# the one that most people get wrong, and it behaves differently in training and afterwards.
# At the end you know
#
# - why signals vanish or explode, and which first weights keep them alive,
# - what batch norm does, forward and backward, and three ways to its gradient that agree,
# - what its **running statistics** are for, and how one forgotten line spoils them,
# - what it gains for a real network.
#
# You need lesson 02 (convolution), lesson 04 (what a gradient is and how to check one) and the
# first half of lesson 06 (ReLU).

# %%
import copy

import numpy as np

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.course.small_fcn import SmallFCN, measure, pictures, scaled, train
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.layers import no_grad
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board

# %% [markdown]
# This is what today's layer does to picture 12: it takes each of the three colours for itself,
# subtracts its mean over the picture, and divides by how much it varies. What was a dim or a
# tinted picture is then none any more.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12 = draw(options, 12)[0]
dim = (picture_12 * (0.35, 0.3, 0.2) + (10, 30, 60)).astype(np.uint8)  # dark and bluish


def normalised(image):
    """Each colour with mean 0 and standard deviation 1."""
    x = scaled(image[None])  # (1, 3, H, W)
    y, _ = F.batch_norm(x, np.zeros(3), np.ones(3), training=True)
    return y[0]


bright, dark = normalised(picture_12), normalised(dim)
print(
    "means:",
    np.abs(dark.mean(axis=(1, 2))).round(6),
    " deviations:",
    dark.std(axis=(1, 2)).round(3),
)
assert np.allclose(dark.mean(axis=(1, 2)), 0, atol=1e-9)
assert np.allclose(dark.std(axis=(1, 2)), 1, atol=1e-3)
assert np.abs(bright - dark).mean() < 0.05  # the two can hardly be told apart any more


# %% drawing
def as_picture(y):
    """Numbers (3, H, W) around 0 as colours: −2 is 0 and 2 is 255."""
    return np.clip(255 * (y.transpose(1, 2, 0) + 2) / 4, 0, 255).astype(np.uint8)


vis.show(
    vis.draw_pictures(
        [picture_12, as_picture(bright), dim, as_picture(dark)],
        ("picture 12", "normalised", "dim and bluish", "normalised"),
        height=4.5,
    ),
    "strip",
    "Picture 12 and a dim, bluish copy of it, each beside what the layer makes of it. The "
    "two results look the same.",
)

# %% [markdown]
# ## Fifteen layers deep
#
# A layer here is a convolution of 3 × 3 from 64 channels to 64 and a ReLU. We send noise
# through, numbers with a standard deviation of 1, and look at the standard deviation of what
# comes out of each layer. The weights are drawn in five ways.

# %%
FAN_IN = 64 * 9  # numbers that one result is made of
WAYS = {
    "normal, 0.01": lambda rng, shape: rng.normal(0, 0.01, shape),
    "even, ±0.05": lambda rng, shape: rng.uniform(-0.05, 0.05, shape),
    "Xavier": lambda rng, shape: rng.normal(0, np.sqrt(1 / FAN_IN), shape),
    "He": lambda rng, shape: rng.normal(0, np.sqrt(2 / FAN_IN), shape),
    "normal, 0.1": lambda rng, shape: rng.normal(0, 0.1, shape),
}


def deviations(way, layers=15, repair=False):
    """The standard deviation behind each of so many layers; and what came out at last."""
    rng, found = np.random.default_rng(0), []
    x = rng.normal(size=(1, 64, 24, 24))
    for _ in range(layers):
        x, _ = F.conv2d(x, way(rng, (64, 64, 3, 3)), padding=1)
        if repair:
            x, _ = F.batch_norm(x, np.zeros(64), np.ones(64), training=True)
        x, _ = F.relu(x)
        found.append(x.std())
    return np.array(found), x


# %% [markdown]
# **Predict.** Weights of about 0.01 are small, but not tiny. Behind one layer the deviation is
# 0.14. What is it behind fifteen?
#
# <details><summary>Answer</summary>
#
# Each layer multiplies the deviation by about the same factor. So behind fifteen it is not 15
# times smaller: it is the factor to the power of 15, and that is about 0.000000000003.
#
# </details>

# %%
depth = {name: deviations(way)[0] for name, way in WAYS.items()}
print("layer            1        5       10       15")
for name, found in depth.items():
    print(f"{name:13}", *(f"{found[k - 1]:8.1e}" for k in (1, 5, 10, 15)))
assert abs(depth["normal, 0.01"][0] - 0.14) < 0.01
assert depth["normal, 0.01"][14] < 1e-10
assert 1e-6 < depth["even, ±0.05"][14] < 1e-4
assert depth["normal, 0.1"][14] > 1000
assert 0.3 < depth["He"].min() < depth["He"].max() < 2

# %% drawing
board = Board(13.2, 29)
marks = (style.BLUE, style.GREEN, style.PURPLE, style.FRAME, style.INK)
bottom, top = -12, 4  # powers of ten
board.write("standard deviation behind each layer", 0.2, 0, align="left", weight="bold")
for power in range(bottom, top + 1, 4):
    row = 1.4 + 10.4 * (top - power) / (top - bottom)
    board.write(f"10^{power}".replace("-", "−"), row, 1, size=0.34)
    board.frame(row, 2, 0, 20, style.RULE, width_points=0.8)
for (name, found), colour in zip(depth.items(), marks, strict=True):
    for k, value in enumerate(found):
        row = 1.4 + 10.4 * (top - np.log10(max(value, 10.0**bottom))) / (top - bottom)
        board.frame(
            row - 0.13, 2.6 + 1.3 * k, 0.26, 0.26, colour, width_points=0, fill=colour
        )
    board.write(name, row, 22.6, align="left", size=0.36, colour=colour)
for k in (1, 5, 10, 15):
    board.write(str(k), 12.6, 2.73 + 1.3 * (k - 1), size=0.34)
vis.show(
    board.figure,
    "depth",
    "How strong the signal is behind 1 to 15 layers, for five ways to draw the weights. "
    "One line upwards is ten thousand times as much.",
)

# %% [markdown]
# ## Start right
#
# Where does the factor come from? One result of a convolution is a sum of 64 · 9 = 576 products;
# that number is the layer's **fan-in**. If the inputs and the weights have mean 0 and do not know
# of each other, the *variance* (the square of the standard deviation) of the sum is 576 times the
# variance of a weight, times the mean *square* of an input. To keep the signal we want
#
#     variance of a weight = 1 / fan-in
#
# That is Xavier Glorot's recipe. But look at the picture: it vanishes, too, only more slowly. For
# behind a ReLU half of the inputs are 0, so their mean square is half of what it was. Kaiming He's
# recipe gives that half back:
#
#     variance of a weight = 2 / fan-in
#
# **Predict.** A network without ReLU: which of the two keeps the signal, and what does the other
# one do?
#
# <details><summary>Answer</summary>
#
# Xavier's keeps it. He's doubles the variance in every layer: behind fifteen it is 2^15, about
# 30,000 times as large, and the standard deviation about 180 times.
#
# </details>


# %%
def without_relu(variance):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 64))
    for _ in range(15):
        x = x @ rng.normal(0, np.sqrt(variance), (64, 64))
    return x.std()


xavier, he = without_relu(1 / 64), without_relu(2 / 64)
print(f"without ReLU, behind 15 layers: Xavier {xavier:.2f}, He {he:.0f}")
assert 0.4 < xavier < 1.6
assert np.isclose(he / xavier, np.sqrt(2.0**15))
assert depth["Xavier"][12] < 0.02 < 0.5 < depth["He"][12]  # with ReLU, behind layer 13

# %% [markdown]
# (A report on segmentation of streets says: "uniform initialisation: the weight will vanish quickly
# ... Xavier can eliminate the problem". Half right. It is not the weights that vanish but what
# comes out of the layers; and behind ReLUs Xavier's signal vanishes as well, to a hundredth in
# thirteen layers, while He's does not.)
#
# ## Or repair it on the way
#
# The other rescue does not care how the weights were drawn. Behind each convolution, take each
# channel, over all pictures of the batch and all pixels; subtract its mean, and divide by its
# standard deviation. That is **batch norm**, or its first half. Whatever came in, mean 0 and
# deviation 1 go out.

# %%
repaired = {name: deviations(way, repair=True)[0] for name, way in WAYS.items()}
for name, found in repaired.items():
    print(f"{name:13} behind 15 layers {found[14]:.2f}")
assert all(0.5 < found[14] < 0.7 for found in repaired.values())  # of ReLU(noise): 0.58

# %% [markdown]
# With four numbers, so that we can see them: 1, 3, 5, 7. A small number **eps** is added under the
# root, so that nobody divides by 0; here it is too small to be seen.

# %%
EPS = 1e-5
x = np.array([1.0, 3, 5, 7])
mean = x.mean()
variance = ((x - mean) ** 2).mean()
x_hat = (x - mean) / np.sqrt(variance + EPS)
print(f"mean {mean}, variance {variance}, normalised {x_hat.round(3)}")
assert (mean, variance) == (4, 5)
assert np.allclose(x_hat, [-1.342, -0.447, 0.447, 1.342], atol=5e-4)

library, _ = F.batch_norm(x.reshape(4, 1, 1, 1), np.zeros(1), np.ones(1), training=True)
assert np.allclose(library.ravel(), x_hat)

# %% [markdown]
# **Predict.** Which of these four batches of numbers gives another result than 1, 3, 5, 7?
#
#     A  101  103  105  107          B  2  6  10  14
#     C    1    3    5    8          D  −1  −0.5  0  0.5
#
# <details><summary>Answer</summary>
#
# C. Adding a constant changes nothing, for the mean goes along (A). A positive factor changes
# nothing, for the deviation goes along (B). D is both: half of it, minus 1.5. In C one number moved
# alone. So a convolution in front of a batch norm needs no bias: it would be taken away again.
#
# </details>

# %%
batches = {"A": x + 100, "B": 2 * x, "C": np.array([1.0, 3, 5, 8]), "D": x / 2 - 1.5}
same = {
    letter: bool(np.allclose((b - b.mean()) / b.std(), (x - 4) / np.sqrt(5)))
    for letter, b in batches.items()
}
print(same)
assert same == {"A": True, "B": True, "C": False, "D": True}

# %% [markdown]
# The second half of the layer: what if deviation 1 and mean 0 are not what the next layer wants?
# Each channel has two weights that are learnt, a factor `weight` (1 at the start) and an addend
# `bias` (0 at the start):
#
#     y = weight · x_hat + bias
#
# ## Backward: the gradient that goes wrong
#
# The loss says how it changes with each y: that is dy. How does it change with each x?
#
# **Predict.** Take dy = 1, 0, 0, 0: only the first result counts. In x = 1, 3, 5, 7, which of the four
# x influence it?
#
# <details><summary>Answer</summary>
#
# All of them. The first one directly. The others change the mean and the variance, by which the
# first one is shifted and divided. Who computes dx = dy / deviation has forgotten both.
#
# </details>
#
# As in lesson 04, we take the forward in small steps and go back step by step.

# %%
dy = np.array([1.0, 0, 0, 0])
M = len(x)

centred = x - mean  # 1
squares = centred**2  # 2
var = squares.sum() / M  # 3
deviation = np.sqrt(var + EPS)  # 4
inverse = 1 / deviation  # 5
y = centred * inverse  # 6

dcentred = dy * inverse  # of 6, the first road
dinverse = (dy * centred).sum()  # of 6, the second road
ddeviation = dinverse * (-1 / deviation**2)  # of 5
dvar = ddeviation / (2 * deviation)  # of 4
dsquares = np.full(M, dvar / M)  # of 3: every square has its share
dcentred = dcentred + dsquares * 2 * centred  # of 2: the two roads meet
dx_steps = dcentred - dcentred.mean()  # of 1: x itself, and the mean that it is part of
print("dx:", dx_steps.round(3))
assert np.allclose(dx_steps, [0.134, -0.179, -0.045, 0.089], atol=5e-4)

# %% [markdown]
# Put together and made shorter, all these steps are one line:
#
#     dx = weight / deviation · (dy − mean of dy − x_hat · mean of (dy · x_hat))
#
# In words: take from dy its mean, and take from it what goes along with x_hat. What is left cannot
# be undone by the shift and the division, and only that reaches x.

# %%
dx_formula = (dy - dy.mean() - x_hat * (dy * x_hat).mean()) / deviation
column = x.reshape(4, 1, 1, 1)
_, cache = F.batch_norm(column, np.zeros(1), np.ones(1), np.ones(1), np.zeros(1), True)
dx_library, dweight, dbias = F.batch_norm_backward(dy.reshape(4, 1, 1, 1), cache)
print("formula:", dx_formula.round(3), " library:", dx_library.ravel().round(3))
assert np.allclose(dx_formula, dx_steps, rtol=0, atol=1e-12)
assert np.allclose(dx_library.ravel(), dx_steps, rtol=0, atol=1e-12)
assert np.isclose(dweight[0], (dy * x_hat).sum())
assert np.isclose(dbias[0], dy.sum())

measured = np.zeros(M)
for k in range(M):
    nudged = [(x + h * np.eye(M)[k]) for h in (1e-5, -1e-5)]
    up, down = (((b - b.mean()) / np.sqrt(b.var() + EPS) * dy).sum() for b in nudged)
    measured[k] = (up - down) / 2e-5
assert np.allclose(measured, dx_formula, atol=1e-8)


# %% drawing
def arrows(board, row, title, values, colour, unit=2.2):
    """An arrow for each of the four numbers, up for positive ones, and the number."""
    board.write(title, row - 0.2, 0, align="left", size=0.36)
    board.frame(row, 8.4, 0, 14, style.RULE, width_points=1)
    for k, value in enumerate(values):
        place = 9.6 + 3.6 * k
        if abs(value) > 1e-9:
            board.arrow((row, place), (row - value * unit, place), colour)
        board.write(f"{value:+.2f}".replace("-", "−"), row - 0.4, place + 1.2, size=0.34)


along = x_hat * (dy * x_hat).mean()
board = Board(12, 23.5)
arrows(board, 2.6, "dy", dy, style.INK)
arrows(board, 5.2, "minus its mean", -np.full(4, dy.mean()), style.INK)
arrows(board, 8, "minus what goes along x_hat", -along, style.INK)
arrows(board, 11, "what is left", dy - dy.mean() - along, style.FRAME)
vis.show(
    board.figure,
    "left_over",
    "From dy (above) its mean is taken, and the part along x_hat. The red arrows are what "
    "is left; divided by the deviation they are dx.",
)
assert np.isclose((dy - dy.mean() - along).sum(), 0)

# %% [markdown]
# Two things follow at once, and are good checks for anybody's code: the four numbers of dx add up
# to 0 (moving all x together changes nothing), and so do their products with x_hat (stretching all
# x changes nothing).

# %%
assert abs(dx_formula.sum()) < 1e-12
assert abs((dx_formula * x_hat).sum()) < 1e-5  # not quite 0, because of eps
ones, _, _ = F.batch_norm_backward(np.ones((4, 1, 1, 1)), cache)
print("dy all ones:", ones.ravel().round(6))
assert np.allclose(ones, 0, atol=1e-9)

# %% [markdown]
# **Break it.** Test a batch norm's backward with dy = 1, 1, 1, 1, as is often done. The symptom: a
# backward that **returns zeros, whatever it is given, passes**. (Lesson 05 had nine more of these.)


# %%
def lazy_backward(dy):
    return np.zeros_like(dy)


def right_backward(dy):
    return (dy - dy.mean() - x_hat * (dy * x_hat).mean()) / deviation


for name, given in (("all ones", np.ones(4)), ("random", np.array([0.3, -1.2, 0.7, 0.4]))):
    passes = np.allclose(lazy_backward(given), right_backward(given), atol=1e-9)
    print(f"dy {name}: the lazy backward {'passes' if passes else 'fails'}")
assert np.allclose(lazy_backward(np.ones(4)), right_backward(np.ones(4)), atol=1e-9)
assert not np.allclose(lazy_backward(given), right_backward(given), atol=0.1)

# %% [markdown]
# ## Two modes
#
# In training a picture's result depends on the other pictures of its batch: they are in the mean.
# When the network is used, that must not be. One picture is to be answered, and its answer must not
# depend on who asks beside it. So during training the layer keeps **running statistics**, means of
# the means and variances that it has seen, and uses those afterwards. After each batch
#
#     running = (1 − momentum) · running + momentum · of this batch         momentum: 0.1
#
# (Other libraries call 0.9 what is 0.1 here. Into the running variance goes the batch's variance
# divided by M − 1 instead of M, as statisticians do.)
#
# **Predict.** The running mean begins at 0 and every batch has the mean 1. Where is it after 10 batches?
#
# <details><summary>Answer</summary>
#
# What is missing to 1 shrinks to 0.9 of itself with each batch. After 10 there is 0.9^10 = 35 %
# missing: it stands at 0.65. After 44 batches 99 % are there. A network that has seen ten batches and
# is then evaluated has statistics of which a third still are the 0 and 1 of the beginning.
#
# </details>

# %%
running_mean, running_var = np.zeros(1), np.ones(1)
batch = np.array([0.0, 0, 2, 2]).reshape(4, 1, 1, 1)  # mean 1, variance 1, by M − 1: 4/3
progress = []
for _ in range(44):
    F.batch_norm(batch, running_mean, running_var, training=True)
    progress.append(running_mean[0])
print(
    f"after 10 batches {progress[9]:.2f}, after 44 {progress[43]:.2f};",
    f"variance {running_var[0]:.3f}",
)
assert abs(progress[9] - 0.65) < 0.005
assert progress[42] < 0.99 < progress[43]
assert abs(running_var[0] - (4 / 3 - 0.9**44 / 3)) < 1e-12

# %% drawing
board = Board(6.4, 26)
board.write(
    "the running mean after 1 to 44 batches of mean 1", 0.2, 0, align="left", weight="bold"
)
for k, value in enumerate(progress):
    height = 4.4 * value
    colour = style.FRAME if k == 9 else style.BLUE
    board.frame(
        5.6 - height, 0.2 + 0.57 * k, height, 0.4, colour, width_points=0, fill=colour
    )
board.frame(1.2, 0, 0, 25.4, style.RULE, width_points=1)
board.write("1", 1.2, 25.8, size=0.34)
board.frame(5.6, 0, 0, 25.4, width_points=1.2)
vis.show(
    board.figure,
    "running",
    "The running mean catches up with 1. The red bar is the tenth batch.",
)

# %% [markdown]
# ## What it gains
#
# The small network of lesson 13, with and without batch norm, trained alike for 80 steps: the same
# pictures, the same rate, the same first weights.

# %%
known, known_labels = pictures(0, 200)
new, new_labels = pictures(1000, 40)


def trained(norm):
    net = SmallFCN(norm=norm)
    adam = Adam(net.parameters(), lr=0.01)
    train(net, known, known_labels, adam, 80, schedule=lambda step: poly(step, 80))
    return net


with_norm, without = trained(True), trained(False)
gain = {name: measure(net, new, new_labels).mean_iu() for name, net in
        (("with", with_norm), ("without", without))}  # fmt: skip
print(f"mean IU with batch norm {gain['with']:.2f}, without {gain['without']:.2f}")
assert abs(gain["with"] - 0.977) < 0.02
assert abs(gain["without"] - 0.864) < 0.03

# %% [markdown]
# **Break it.** Forget the one line that tells the network that training is over (`net.eval()`), and
# ask about the new pictures one at a time. Two symptoms. First: the answers are **much worse**, since
# each picture is now measured by its own mean and variance alone. Second, and this is the mean one:
# asking has **changed the network**. Its running statistics have moved, towards single pictures; and
# when somebody adds the forgotten line, it is still not what it was.

# %%
careless = copy.deepcopy(with_norm)
careless.train()
one_by_one = ConfusionMatrix(5)
with no_grad():
    for k in range(len(new)):
        said = careless(new[k : k + 1]).argmax(axis=1).astype(np.uint8)
        one_by_one.update(new_labels[k : k + 1], said)
afterwards = measure(careless.eval(), new, new_labels).mean_iu()
print(
    f"in training mode {one_by_one.mean_iu():.2f},",
    f"and in evaluation mode after that {afterwards:.2f}",
)
assert abs(one_by_one.mean_iu() - 0.856) < 0.03
assert one_by_one.mean_iu() < afterwards - 0.05
assert afterwards < gain["with"] - 0.01
moved = np.abs(careless.norm1.running_mean - with_norm.norm1.running_mean).max()
assert moved > 1e-3

# %% drawing
vis.show(
    vis.draw_bars(
        [
            "evaluation mode",
            "training mode, one by one",
            "evaluation mode after that",
            "no batch norm",
        ],
        np.array([gain["with"], one_by_one.mean_iu(), afterwards, gain["without"]]),
        "mean IU on 40 new pictures",
        "{:.2f}",
    ),
    "modes",
    "The same network four times: as it should be used, with the line forgotten, with the "
    "line added too late; and one that was trained without batch norm.",
)

# %% [markdown]
# "Batch norm makes the batch size irrelevant", one reads. It is the opposite: it is the one layer that
# knows about batches. With one picture a batch, its statistics are those of one picture; and where a
# channel is a single number, there is nothing to normalise:

# %%
try:
    F.batch_norm(np.ones((1, 2, 1, 1)), np.zeros(2), np.ones(2), training=True)
    refused = False
except ValueError as error:
    refused = True
    print("ValueError:", str(error)[:70], "...")
assert refused

# %% [markdown]
# **So much for:** "With batch norm it does not matter what else is in the batch."
#
# ## To think about
#
# All weights of a network are set to 0 at the start, biases too. Why does it never learn?
#
# <details><summary>Answer</summary>
#
# Every layer's result is 0, and what flows back is multiplied by weights that are 0: no gradient reaches
# any layer but the last. And if they were all equal to some other number, all filters of a layer would
# get the same gradient and stay equal for ever. The draw is not there to be *good*; it is there to make
# filters differ.
#
# </details>

# %%
rng = np.random.default_rng(3)
picture = rng.normal(size=(1, 2, 6, 7))
for constant in (0.0, 0.3):
    first = np.full((3, 2, 3, 3), constant)
    hidden, cache1 = F.conv2d(picture, first)
    _, cache2 = F.conv2d(hidden, np.full((1, 3, 3, 3), constant))
    dhidden = F.conv2d_backward(rng.normal(size=(1, 1, 2, 3)), cache2)[0]
    dfirst = F.conv2d_backward(dhidden, cache1)[1]
    assert np.allclose(dfirst, dfirst[0])  # all three filters get the same gradient
    assert (np.abs(dfirst).max() > 0) == (constant > 0)

# %% [markdown]
# Batch norm in evaluation is, for each channel, a factor and an addend that no longer change. What can be
# done with it, when it stands behind a convolution?
#
# <details><summary>Answer</summary>
#
# It can be folded into the convolution: weights times the factor, bias times the factor plus the addend. The
# network computes the same, with one layer less. That is done where networks are used a lot.
#
# </details>

# %%
kernel, offset = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)
mu, sigma2, gamma, beta = (
    rng.normal(size=4),
    rng.uniform(0.5, 2, 4),
    rng.normal(size=4),
    rng.normal(size=4),
)
factor = gamma / np.sqrt(sigma2 + EPS)
before, _ = F.conv2d(picture, kernel, offset)
slow, _ = F.batch_norm(before, mu, sigma2, gamma, beta, training=False)
fast, _ = F.conv2d(
    picture, kernel * factor[:, None, None, None], (offset - mu) * factor + beta
)
assert np.allclose(slow, fast, rtol=0, atol=1e-12)

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 7 mine.py
#
# **Warm-up.** `initial_std(shape, kind)`: the standard deviation of the first weights of a convolution of
# shape (O, C, KH, KW), for kind "xavier" (variance 1 / fan-in) or "he" (2 / fan-in).
#
# **Main.** `batch_norm(x, weight, bias, eps)`: in training, x (N, C, H, W), weight and bias (C,).
#
# **Main.** `batch_norm_dx(dy, x, weight, eps)`: its gradient with respect to x.
#
# **Stretch.** `running(old, values, momentum)`: a channel's running variance after one more batch, whose
# numbers are values (M,); momentum as here, 0.1 by default.

# %% [markdown]
# ## On one page

# %% drawing
board = Board(7.2, 25)
for row, title, values in (
    (1.2, "x", x),
    (3.4, "x_hat: mean 0, deviation 1", x_hat),
    (5.6, "dx, if dy = 1, 0, 0, 0", dx_formula),
):
    board.grid(values[None], row, 9, size=0.28, scale=7 if row < 2 else 2)
    board.write(title, row + 0.5, 0, align="left", size=0.38)
board.write("mean 4, variance 5", 1.7, 14, align="left", size=0.36)
board.write("the same for x + 100 and for 2·x", 3.9, 14, align="left", size=0.36)
board.write("adds up to 0, and so does dx·x_hat", 6.1, 14, align="left", size=0.36)
vis.show(
    board.figure,
    "one_page",
    "The whole lesson for four numbers of one channel: what comes in, what goes out, and "
    "what comes back.",
)

# %% [markdown]
#     variance of the first weights = 2 / fan-in          behind ReLU (He)
#     y = weight · (x − mean) / √(variance + eps) + bias  each channel, over batch and pixels
#     dx = weight/√(variance + eps) · (dy − mean(dy) − x_hat·mean(dy·x_hat))
#     running = 0.9 · running + 0.1 · of this batch       used when training is over
#
# A signal that is multiplied by the same factor in every layer vanishes or explodes, unless the first
# weights make that factor 1. Batch norm repairs it in every layer, and its gradient must go through mean
# and variance as well. It has two modes, and asking in the wrong one gives bad answers and changes the
# network.
#
# **What you now own:** `initial_std`, `batch_norm`, `batch_norm_dx` and `running` in your `mine.py`.
