# %% [markdown]
# # 16 · U-Net, recurrence, atrous
#
# An FCN shrinks its maps until they see enough, and then has to find its way back to full size. There are other roads.
# **U-Net** carries the fine maps along and goes back step by step. A **recurrent** layer looks at the same map again
# and again. An **atrous** convolution never shrinks at all: it reaches far with holes between its taps. In this lesson
# all three are built, get as many weights and as many steps as our FCN, and are compared; and then we find out what
# such a comparison is worth. At the end you know
#
# - what concatenation gives the layers behind it, and how its gradient goes back,
# - how a layer that is used three times learns, and why its batch norm is in trouble,
# - how far an atrous convolution reaches, what falls through its holes, and when it is a 1x1,
# - how many weights the famous networks have, to the last one,
# - how one line that nobody mentions can decide which network "is better".
#
# You need lesson 11 (skips), lesson 07 (batch norm) and lesson 13 (training).

# %%
import numpy as np

from minifcn import functional as F
from minifcn import models
from minifcn import visualize as vis
from minifcn.anatomy import ledger
from minifcn.course.small_fcn import SmallFCN, measure, pictures, predict, scaled, train
from minifcn.data.shapes import SHAPES_PALETTE, ShapesOptions, draw
from minifcn.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
    no_grad,
)
from minifcn.models.fcn import bilinear_layer, score_layer
from minifcn.models.r2unet import RRCNN, Recurrent
from minifcn.training import Adam, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board

# %% [markdown]
# ## The U
#
# Down: convolution and pooling, as everywhere. Up: a deconvolution with stride 2, and then *the map of that size from
# the way down is laid on top of it*, channel behind channel. A convolution looks at both together. FCN *adds* what a
# skip says, and what it says are finished scores; U-Net *concatenates*, and leaves it to the next convolution what to
# make of it.


# %%
def block(C, O, rng, rate=1):
    """3x3 convolution, batch norm, ReLU; the size stays."""
    conv = Conv2d(C, O, 3, padding=rate, dilation=rate, rng=rng)
    return Sequential(conv=conv, norm=BatchNorm2d(O), relu=ReLU())


# %% [markdown]
# Two poolings, so a U of three levels. Read `backward` upwards beside `forward`.


# %%
class SmallU(Layer):
    """x (N, 3, H, W) -> scores (N, 5, H, W); H and W are multiples of 4."""

    def __init__(self, channels=(16, 32, 64)):
        super().__init__()
        c1, c2, c3 = channels
        rng = np.random.default_rng(0)
        self.enc1, self.pool1 = block(3, c1, rng), MaxPool2d(2)
        self.enc2, self.pool2 = block(c1, c2, rng), MaxPool2d(2)
        self.enc3 = block(c2, c3, rng)
        self.up2, self.cat2 = ConvTranspose2d(c3, c2, 2, stride=2, rng=rng), Concat()
        self.dec2 = block(2 * c2, c2, rng)
        self.up1, self.cat1 = ConvTranspose2d(c2, c1, 2, stride=2, rng=rng), Concat()
        self.dec1 = block(2 * c1, c1, rng)
        self.score = score_layer(c1, 5)
        self.to("float64")

    def forward(self, x):
        x1 = self.enc1(x)  # (N, 16, H, W)
        x2 = self.enc2(self.pool1(x1))  # (N, 32, H/2, W/2)
        y = self.enc3(self.pool2(x2))  # (N, 64, H/4, W/4)
        y = self.dec2(self.cat2(x2, self.up2(y)))  # (N, 64, ...) -> (N, 32, H/2, W/2)
        y = self.dec1(self.cat1(x1, self.up1(y)))  # (N, 32, ...) -> (N, 16, H, W)
        return self.score(y)

    def backward(self, dy):
        dy = self.dec1.backward(self.score.backward(dy))
        dx1, dy = self.cat1.backward(dy)
        dy = self.dec2.backward(self.up1.backward(dy))
        dx2, dy = self.cat2.backward(dy)
        dy = self.enc3.backward(self.up2.backward(dy))
        dx2 += self.pool2.backward(dy)  # x2 went two ways: both gradients are added
        dx1 += self.pool1.backward(self.enc2.backward(dx2))
        return self.enc1.backward(dx1)


# %%
def weights_of(net):
    return sum(weight.data.size for weight in net.parameters())


print(f"{weights_of(SmallU()):,} weights; our FCN has {weights_of(SmallFCN()):,}")
assert weights_of(SmallU()) == 57365
assert weights_of(SmallFCN()) == 62639

# %% drawing
board = Board(12.5, 27)
DOWN, UP, SKIP = style.tint(style.BLUE, 0.45), style.tint(style.GREEN, 0.45), style.INK
levels = (("H × W", 16), ("H/2 × W/2", 32), ("H/4 × W/4", 64))
for k, (size, channels) in enumerate(levels[:2]):
    row, height = 0.6 + 4.2 * k, 2.6 - 0.7 * k
    board.frame(row, 1 + 3 * k, height, 2.2, SKIP, width_points=1.0, fill=DOWN)
    board.write(str(channels), row + height / 2, 2.1 + 3 * k)
    for j, (fill, what) in enumerate(((DOWN, channels), (UP, channels))):
        column = 17.4 - 3 * k + 2.2 * j
        board.frame(row, column, height, 2.2, SKIP, width_points=1.0, fill=fill)
        board.write(str(what), row + height / 2, column + 1.1)
    board.frame(row, 24.2 - 3 * k, height, 2.2, SKIP, width_points=1.0, fill=UP)
    board.write(str(channels), row + height / 2, 25.3 - 3 * k)
    board.frame(row + height / 2, 3.5 + 3 * k, 0.02, 13.6 - 6 * k, SKIP, width_points=1.0)
    board.write("copied →", row + height / 2 - 0.5, 10.5, size=0.4)
    board.write(size, row + height + 0.5, 1 + 3 * k, align="left", size=0.36)
board.frame(9.2, 12.4, 1.4, 2.2, SKIP, width_points=1.0, fill=DOWN)
board.write("64", 9.9, 13.5)
board.write("H/4 × W/4", 11.2, 12.4, align="left", size=0.36)
vis.show(
    board.figure,
    "u",
    "The small U with its channels: the way down in blue, the way up in green. At two "
    "sizes, what was copied lies beside what comes up, and one convolution sees both.",
)

# %% [markdown]
# **Predict.** The output of a concatenation of 2 and 3 channels has 5. What is its backward, given dy with 5 channels?
#
# <details><summary>Answer</summary>
#
# A cut: the first 2 channels of dy go one way, the last 3 the other. Nothing is added and nothing is scaled. (For an
# *addition*, all of dy goes both ways.)
#
# </details>

# %%
rng = np.random.default_rng(16)
a, b = rng.normal(size=(2, 2, 3, 4)), rng.normal(size=(2, 3, 3, 4))
cat = Concat()
y = cat(a, b)
dy = rng.normal(size=y.shape)
da, db = cat.backward(dy)
print(y.shape, "->", da.shape, db.shape)
assert np.array_equal(da, dy[:, :2])
assert np.array_equal(db, dy[:, 2:])
assert np.isclose((y * dy).sum(), (a * da).sum() + (b * db).sum())  # the adjoint, lesson 04

# %% [markdown]
# ## The same layer again
#
# One 3x3 convolution sees 3 pixels. Applied to its own output it sees 5, then 7, and it costs *no new weights*: it is
# the same one. A **recurrent** convolution does that with its input added each time, so that it cannot forget what it
# was looking at: h0 = f(x), then h1 = f(x + h0), h2 = f(x + h1) and so on, f being convolution, batch norm and ReLU.
#
# **Predict.** A single number instead of a map, a weight instead of a convolution: h0 = w x, h1 = w (x + h0). What is
# the derivative of h1 with respect to w, for x = 2 and w = 3?
#
# <details><summary>Answer</summary>
#
# h1 = w x + w² x, so it is x + 2 w x = 14. The weight was used twice, and each use has its part: the second use saw x +
# h0 = 8; the first saw x = 2, and what it said went through the second, times w = 3: 6. Together 14. **The gradient of
# a shared weight is the sum over its uses.**
#
# </details>

# %%
w_, x_ = 3.0, 2.0
uses = (x_ + w_ * x_, w_ * x_)
by_nudging = ((w_ + 1e-6) * (x_ + (w_ + 1e-6) * x_) - w_ * (x_ + w_ * x_)) / 1e-6
print("the second use:", uses[0], " the first:", uses[1], f" by nudging: {by_nudging:.3f}")
assert sum(uses) == 14
assert abs(by_nudging - 14) < 1e-4

# %% [markdown]
# With a real layer, the same: `backward` is called as often as `forward` was, the last use first, and each call *adds*
# to the weight's gradient.

# %%
conv = Conv2d(2, 2, 3, padding=1, bias=False, rng=rng).to("float64")
x = rng.normal(size=(1, 2, 5, 7))
dh = rng.normal(size=x.shape)


def again(x):
    return conv(x + conv(x))


again(x)
dsum = conv.backward(dh)  # the second use
conv.backward(dsum)  # the first use, through h
nudge = rng.normal(size=conv.weight.shape)
found = (conv.weight.grad * nudge).sum()
with no_grad():
    conv.weight.data += 1e-6 * nudge
    more = (again(x) * dh).sum()
    conv.weight.data -= 2e-6 * nudge
    less = (again(x) * dh).sum()
print(f"{found:.6f}, by nudging {(more - less) / 2e-6:.6f}")
assert abs(found - (more - less) / 2e-6) < 1e-6

# %% [markdown]
# **Break it.** Keep only the gradient of the last use. The symptom: **a gradient check fails, and training does not**:
# the direction is still roughly right, so the loss falls, only worse. Nobody notices without the check.

# %%
first_grad = conv.weight.grad.copy()
conv.weight.grad = None
again(x)
conv.backward(dh)
last_only = (conv.weight.grad * nudge).sum()
angle = (first_grad * conv.weight.grad).sum() / (
    np.linalg.norm(first_grad) * np.linalg.norm(conv.weight.grad)
)
print(f"{last_only:.3f} instead of {found:.3f}; cosine of the two gradients {angle:.2f}")
assert abs(last_only - found) > 0.1
assert angle > 0.4

# %% drawing
board = Board(5.4, 25)
for k, (name, seen) in enumerate((("x", ""), ("h0", "f"), ("h1", "f"), ("h2", "f"))):
    column = 1 + 7 * k
    board.frame(1.2, column, 1.4, 1.8, style.INK, width_points=1.0)
    board.write(name, 1.9, column + 0.9)
    if k:
        board.frame(1.2, column - 3.6, 1.4, 1.8, width_points=1.0, fill=DOWN)
        board.write(seen, 1.9, column - 2.7)
        board.write("→", 1.9, column - 4.4)
        board.write("→", 1.9, column - 0.9)
        if k > 1:
            board.write("+ x", 3.4, column - 4.6, size=0.4)
board.write(
    "f: one convolution, the same weights each time", 4.6, 1, align="left", size=0.4
)
vis.show(
    board.figure,
    "unrolled",
    "A recurrent convolution, unrolled: three uses of one f, drawn in blue.",
)

# %% [markdown]
# ## What recurrence does to batch norm
#
# Batch norm remembers the mean and the variance of its input for later (lesson 07). But here its input is one thing at
# the first use and another at the second, where x has been added. What is it to remember? If it has *one* memory, it
# remembers a mixture that fits no use. The library's recurrent layer has one memory for each use, and shared weights.
#
# Two networks of recurrent layers, trained with one picture a step, 60 steps. In training, batch norm uses no memory:
# so the two train exactly alike.
#
# **Predict.** What happens to their mean IU when they are evaluated with what they remember?
#
# <details><summary>Answer</summary>
#
# Both fall, since one picture a step makes bad statistics. The one with a shared memory falls about twice as far. This
# is a gap, not a collapse; and larger batches make it smaller.
#
# </details>


# %%
def recurrent(steps, channels=(12, 24, 48), shared=False):
    """Three recurrent blocks with poolings between them, scores, one deconvolution by 4."""
    c1, c2, c3 = channels
    rng = np.random.default_rng(0)
    net = Sequential(
        rec1=RRCNN(3, c1, steps, rng), pool1=MaxPool2d(2),
        rec2=RRCNN(c1, c2, steps, rng), pool2=MaxPool2d(2),
        rec3=RRCNN(c2, c3, steps, rng),
        score=score_layer(c3, 5), up=ConvTranspose2d(5, 5, 8, 4, 2, bias=False),
    )  # fmt: skip
    net.up.weight.data[...] = bilinear_layer(5, 8, 4, learn=True).weight.data
    for _, layer in net.named_layers():
        if shared and isinstance(layer, Recurrent):
            layer.bns = Sequential(*[layer.bns[0]] * (steps + 1))  # one memory for all uses
    return net.to("float64")


def draw_scores(net):
    """First weights of the scores at random, instead of zero."""
    rng = np.random.default_rng(3)
    for name, layer in net.named_layers():
        if name.startswith("score"):
            O, C = layer.weight.shape[:2]
            layer.weight.data[...] = Conv2d(C, O, 1, rng=rng).weight.data
    return net


# %%
def learn(net, steps, batch=8):
    schedule = lambda step: poly(step, steps)  # noqa: E731
    adam = Adam(net.parameters(), lr=0.01)
    return train(net, known_x, known_labels, adam, steps, batch=batch, schedule=schedule)


def by_the_picture(net):
    """Mean IU with the statistics of each picture itself, as in training."""
    matrix = ConfusionMatrix(5)
    with no_grad():
        for picture, labels in zip(new_x[:, None], new_labels[:, None], strict=True):
            matrix.update(labels, net.train()(picture).argmax(axis=1).astype(np.uint8))
    return matrix.mean_iu()


known_x, known_labels = pictures(0, 200)
new_x, new_labels = pictures(1000, 40)
remembered, itself = {}, {}
for name in ("shared", "one each"):
    net = draw_scores(recurrent(2, shared=name == "shared"))
    learn(net, 60, batch=1)
    remembered[name] = measure(net, new_x, new_labels).mean_iu()
    itself[name] = by_the_picture(net)
    print(f"{name:9} own statistics {itself[name]:.2f}, remembered {remembered[name]:.2f}")
assert np.isclose(itself["shared"], itself["one each"])
assert (
    itself["shared"] - remembered["shared"]
    > itself["one each"] - remembered["one each"] + 0.08
)
assert remembered["one each"] > 0.5

# %% drawing
vis.show(
    vis.draw_bars(
        ("own statistics", "one memory each", "one shared memory"),
        np.array([itself["shared"], remembered["one each"], remembered["shared"]]),
        "mean IU", "{:.2f}",
    ),
    "memory",
    "The same weights, evaluated with the statistics of each picture, and with what batch "
    "norm remembers.",
)  # fmt: skip

# %% [markdown]
# ## Holes
#
# An **atrous** (dilated) convolution of rate r leaves r - 1 pixels out between its taps: 3x3 with rate 2 reaches 5
# pixels and still has nine weights. Three of them one behind the other reach further. But what do they *touch*? We feed
# in a single bright pixel, and look where it has been seen.
#
# **Predict.** Three 3x3 convolutions of ones. Which of these four combinations of rates touches the fewest pixels of
# the square that it reaches?
#
#     A  1, 1, 1      B  2, 2, 2      C  1, 2, 3      D  1, 2, 5
#
# <details><summary>Answer</summary>
#
# B: it reaches 13 × 13, and touches 49 of the 169 pixels, those in even rows and columns. Every tap of every layer
# lands on even places, so the odd ones are never seen: a grid with holes. C reaches the same square with the same
# weights and touches all.
#
# </details>


# %%
def touched(rates):
    """What three 3x3 convolutions of ones make of a single bright pixel: (31, 31)."""
    x = np.zeros((1, 1, 31, 31))
    x[0, 0, 15, 15] = 1
    for rate in rates:
        x, _ = F.conv2d(x, np.ones((1, 1, 3, 3)), padding=rate, dilation=rate)
    return x[0, 0]


counts = {}
for rates in ((1, 1, 1), (2, 2, 2), (1, 2, 3), (1, 2, 5)):
    rows = np.flatnonzero(touched(rates).any(axis=1))
    side = int(rows.max() - rows.min() + 1)
    counts[rates] = side, int((touched(rates) > 0).sum())
    print(
        f"rates {rates}: reaches {side} x {side}, touches {counts[rates][1]} of {side**2}"
    )
assert counts[1, 1, 1] == (7, 49)
assert counts[2, 2, 2] == (13, 49)
assert counts[1, 2, 3] == (13, 169)
assert counts[1, 2, 5] == (17, 289)

# %% drawing
shown = [
    (touched(rates)[6:25, 6:25] > 0).astype(int)
    for rates in ((2, 2, 2), (1, 2, 3), (1, 2, 5))
]
board = Board(21, 64, cell=0.2)
for k, (title, grid) in enumerate(
    zip(("rates 2, 2, 2", "1, 2, 3", "1, 2, 5"), shown, strict=True)
):
    colours = np.where(grid[..., None] > 0, np.array([0.0, 0.45, 0.7]), 1.0)
    for row in range(19):
        for column in range(19):
            board.frame(
                1.6 + row, 21.5 * k + column, 1, 1, style.RULE, width_points=0.5,
                fill=tuple(colours[row, column]),
            )  # fmt: skip
    board.write(title, 0.7, 21.5 * k, align="left", size=0.8, weight="bold")
vis.show(
    board.figure,
    "holes",
    "Where one pixel has been seen by three atrous convolutions, in blue: a grid with "
    "holes, and two without.",
)

# %% [markdown]
# The other danger is a small map. DeepLab puts atrous convolutions of rates up to 36 side by side, on maps of about 65
# x 65.
#
# **Predict.** On a map of 8 x 8, at the pixel (4, 4): how many of its nine taps lie inside at rates 1, 2, 4, 6 and 12?
#
# <details><summary>Answer</summary>
#
# 9, 9, 4, 1, 1. From rate 8 on only the middle tap ever sees anything: "3x3 with rate 12" is a 1x1 convolution there,
# at nine times the price.
#
# </details>

# %%
inside = {}
for rate in (1, 2, 4, 6, 12):
    taps = 4 + rate * np.array([-1, 0, 1])
    inside[rate] = int(((taps >= 0) & (taps < 8)).sum() ** 2)
print(inside)
assert list(inside.values()) == [9, 9, 4, 1, 1]

# %% [markdown]
# ## The comparison
#
# Now the tournament. Four networks, about 60,000 weights each, the same 200 pictures, 40 steps of 4, the same optimizer
# and the same rate. All their scores start at zero, as the FCN paper does it.


# %%
def atrous(rates=(1, 1, 2, 4)):
    """Four convolutions, one pooling behind the first; scores, one deconvolution by 2."""
    rng = np.random.default_rng(0)
    channels = (3, 16, 32, 64, 64)
    row = {
        f"block{k}": block(channels[k], channels[k + 1], rng, rate)
        for k, rate in enumerate(rates)
    }
    first = row.pop("block0")
    up = ConvTranspose2d(5, 5, 4, 2, 1, bias=False)
    up.weight.data[...] = bilinear_layer(5, 4, 2, learn=True).weight.data
    net = Sequential(
        block0=first, pool=MaxPool2d(2), **row, score=score_layer(64, 5), up=up
    )
    return net.to("float64")


STEPS = 40
roads = {
    "FCN": SmallFCN,
    "U": SmallU,
    "recurrent": lambda: recurrent(1),
    "atrous": atrous,
}
from_zero = {}
for name, road in roads.items():
    net = road()
    million = ledger(net, (1, 3, 48, 64)).macs / 1e6
    learn(net, STEPS, batch=4)
    from_zero[name] = measure(net, new_x, new_labels).mean_iu()
    about = f"{weights_of(net):,} weights, {million:2.0f} M multiply-adds"
    print(f"{name:10}{about}: {from_zero[name]:.2f}")
assert from_zero["FCN"] > 0.85
assert from_zero["U"] < 0.2
assert from_zero["U"] < from_zero["atrous"] < 0.6

# %% [markdown]
# The U has learnt nothing: 0.15 is what one gets for "everything is background". So "U-Net is worse"? A report on
# Indian streets has such a table: its baseline 0.3371, its U-Net 0.2577 (batch of 1, 20 epochs, still rising at the
# end).
#
# **Break it.** Change one line that no table mentions: let the scores start at small random weights, in the same U. The
# symptom of the old line: **the ranking turns round**.

# %%
u = draw_scores(SmallU())
learn(u, STEPS, batch=4)
from_random = {"U": measure(u, new_x, new_labels).mean_iu()}
print(f"U: from zero {from_zero['U']:.2f}, from random scores {from_random['U']:.2f}")
assert from_random["U"] > 0.95
assert from_random["U"] > from_zero["FCN"] + 0.03

# %% drawing
board = Board(11.6, 22)
board.write("mean IU after 40 steps", 0.6, 0, align="left", weight="bold")
row = 1.4
for name in roads:
    for start, values in (("from zero", from_zero), ("random scores", from_random)):
        if name in values:
            board.write(f"{name}, {start}", row + 0.6, 0, align="left", size=0.38)
            fill = style.BLUE if start == "from zero" else style.GREEN
            board.frame(
                row + 0.2, 8, 0.9, 11 * values[name], fill, width_points=0, fill=fill
            )
            board.write(
                f"{values[name]:.2f}", row + 0.65, 8.3 + 11 * values[name], align="left"
            )
            row += 1.5
    row += 0.6
vis.show(
    board.figure,
    "tournament",
    "One line decides: scores that start at zero (blue), and at random (green).",
)

# %% [markdown]
# Why? The gradient of everything *before* the scores goes through the scores' weights. While these are zero, it is
# zero: in the first step nothing but the scores themselves learns, and for many steps after it everything else learns
# slowly. The FCN gets over that, since it has three scores close to what they need. In the U there is one, at the end
# of everything. (On top of a borrowed trunk, lesson 15, zero is right: there the gradients *should* wait. The atrous
# network gains from the same line as the U: try it.)

# %%
shares = {}
for name, net in (("zero", SmallU()), ("random", draw_scores(SmallU()))):
    learn(net, 1)
    shares[name] = max(float(np.abs(w.grad).max()) for w in net.enc3.parameters())
    print(f"scores from {name}: largest gradient in the middle of the U {shares[name]:.1e}")
assert shares["zero"] == 0
assert shares["random"] > 0

# %% [markdown]
# So it was not a fair comparison; and with random scores it is not fair either, only in another way: the U needs four
# times the multiplications of the FCN, and the rate was found for the FCN. *A table compares protocols.* What one may
# say: "with this protocol". And here is picture 12, by the U from random scores.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image12, truth12 = draw(options, 12)
x12 = scaled(image12[None, :88:2, ::2])
said12 = predict(u, x12)[0]
iu12 = measure(u, x12, truth12[None, :88:2, ::2]).mean_iu()
print(f"mean IU {iu12:.2f}")
assert iu12 > 0.6

# %% drawing
vis.show(
    vis.draw_pictures(
        [image12, SHAPES_PALETTE[truth12], SHAPES_PALETTE[said12]],
        ("picture 12", "truth", "the U"),
        height=5,
    ),
    "strip",
    "Picture 12, its mask, and what the small U says: outlines are sharp, since it has "
    "carried them along.",
)

# %% [markdown]
# **So much for:** "U-Net lost in the table, so it is worse."
#
# ## To the last weight
#
# Famous networks, counted. U-Net for 21 classes: 31,033,045 weights. R2U-Net, the same with recurrent layers (t = 2):
# 39,092,693, and three uses of each cost nothing.
#
# A set of slides prints the table of an **encoder-decoder**: VGG16's thirteen convolutions, then five times
# [deconvolution 2x2 with stride 2 and bias, batch norm], then 1x1 to 21 classes. Here is its second half, rebuilt line
# by line.

# %%
unet = models.build("unet", num_classes=21)
r2unet = models.build("r2unet", num_classes=21, steps=2)
print(f"U-Net {weights_of(unet):,}, R2U-Net {weights_of(r2unet):,}")
assert weights_of(unet) == 31_033_045
assert weights_of(r2unet) == 39_092_693

lines, size = [], 7
for C, O in ((512, 512), (512, 256), (256, 128), (128, 64), (64, 32)):
    size *= 2
    lines += [(f"deconvolution {C} -> {O}", size, C * O * 2 * 2 + O)]
    lines += [("batch norm", size, 2 * O)]
lines += [("1x1 convolution 32 -> 21", size, 32 * 21 + 21)]
for name, size, count in lines:
    print(f"{name:26} {size:3} x {size:3} {count:10,}")
total = 14_714_688 + sum(count for _, _, count in lines)
print(f"with VGG16's convolutions: {total:,}")
assert [count for _, _, count in lines[:3]] == [1_049_088, 1_024, 524_544]
assert total == weights_of(models.build("encoder-decoder", num_classes=21)) == 16_463_253

# %% [markdown]
# It agrees to the last one. (Behind each batch norm, the slides' table has a line "UpSampling" that leaves the size as
# it is: it upsamples by 1. The deconvolution before it has done it already. Printing shapes is worth it.)
#
# ## To think about
#
# Is more context always better? Our atrous network works on maps of 24 x 32. What do the taps of a rate of 8, or of 16,
# look at there?
#
# <details><summary>Answer</summary>
#
# No. Of the taps of rate 8, a third look at padding; of rate 16, more than half. And the shapes are about thirty pixels
# large: what lies farther away than a thing is large says little about it. Reach is worth having up to the size of what
# one looks for.
#
# </details>

# %%
useful = {}
for rate in (1, 2, 4, 8, 16):
    ones = np.ones((1, 1, 24, 32))
    seen, _ = F.conv2d(ones, np.ones((1, 1, 3, 3)), padding=rate, dilation=rate)
    useful[rate] = float(seen.mean() / 9)
print({rate: f"{share:.0%}" for rate, share in useful.items()})
assert 0.6 < useful[8] < 0.7
assert useful[16] < 0.5

# %% [markdown]
# A recurrent network has used f three times and a plain one has three layers. Which has more weights, and which needs
# more memory in training?
#
# <details><summary>Answer</summary>
#
# The plain one has three times the weights. Memory is about the same: each use keeps its own input for the way back,
# whoever's weights it used.
#
# </details>

# %%
three_uses = Recurrent(8, 2, np.random.default_rng(0))
three_layers = Sequential(*[Recurrent(8, 0, np.random.default_rng(0)) for _ in range(3)])
kept = [ledger(net, (1, 8, 16, 24)).kept_bytes for net in (three_uses, three_layers)]
print(weights_of(three_uses), weights_of(three_layers), kept)
assert weights_of(three_layers) == 3 * weights_of(three_uses)
assert 0.6 < kept[0] / kept[1] < 1.6

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 16 mine.py
#
# **Warm-up.** `concat_backward(dy, C1)`: dy is (N, C1 + C2, H, W), of a concatenation whose first part had C1 channels.
# The pair of gradients.
#
# **Warm-up.** `recurrent_gradient(w, x)`: dh/dw of h = w (x + w x), for numbers.
#
# **Main.** `atrous(x, weight, rate)`: x (H, W), weight (KH, KW), no padding: the correlation whose taps are `rate`
# pixels apart.
#
# **Main.** `field(kernels, strides, rates)`: how many input pixels (one axis) an output of these layers sees, one
# behind the other. Lists of equal length, the first layer first.

# %% [markdown]
# ## On one page

# %% drawing
board = Board(9.4, 27)
for k, (name, text) in enumerate(
    (
        ("U", "the fine map is copied and laid beside the coarse one"),
        ("recurrent", "the same f again: h = f(x + h), gradients of all uses added"),
        ("atrous", "taps with holes: far, fine, and expensive"),
    )
):
    row = 0.8 + 2.9 * k
    board.frame(
        row, 0, 1.8, 5.6, style.INK, width_points=1.0, fill=style.tint(style.BLUE, 0.45)
    )
    board.write(name, row + 0.9, 2.8, weight="bold")
    board.write(text, row + 0.9, 6.4, align="left", size=0.4)
vis.show(board.figure, "one_page", "The whole lesson: three roads back to full size.")

# %% [markdown]
#     backward of a concatenation: cut dy apart
#     shared weight: dw = sum over its uses
#     reach of a layer: (K - 1) · rate · product of the strides before it, added up, plus 1
#     taps beyond the map see nothing: rate 12 on 8 x 8 is a 1x1
#
# U-Net lets the next convolution decide what to make of fine and coarse, recurrence makes a layer deep without new
# weights, and atrous convolutions see far without shrinking. What is used several times has several statistics, and
# several gradients to add. A table of networks compares protocols, down to how the last layer starts.
#
# **What you now own:** `concat_backward`, `recurrent_gradient`, `atrous` and `field` in your `mine.py`.
