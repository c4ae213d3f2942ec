# %% [markdown]
# # 15 · Standing on shoulders
#
# Somebody has to paint the masks. For one street scene that takes an hour and a half; saying "there is a bus in it"
# takes a second. So there are always many pictures with a *word*, and few with a *mask*. You have four masks. Four! But
# you have three hundred pictures with one word each. In this lesson a network learns to see from the words, and then to
# draw from the masks. At the end you know
#
# - how weights go from one network into another, and what must be said about those that do not,
# - what it means to **freeze** a layer, and what that saves,
# - when a borrowed layer should go on learning, and when it should be left alone,
# - why borrowed weights want the pictures that they grew up with,
# - how FCN-32s, 16s and 8s stand on each other's shoulders.
#
# You need lesson 09 (classifier to FCN), lesson 11 (skips) and lesson 13 (training). Nothing is downloaded: the lesson
# makes its own giant.

# %%
import os
from dataclasses import replace

import numpy as np

from minifcn import functional as F
from minifcn import models
from minifcn import visualize as vis
from minifcn.anatomy import ledger
from minifcn.course.small_fcn import (
    SMALL,
    SmallFCN,
    measure,
    pictures,
    predict,
    scaled,
    train,
)
from minifcn.data.shapes import SHAPES_PALETTE, ShapesOptions, draw
from minifcn.layers import AdaptiveAvgPool2d, Conv2d, Sequential
from minifcn.training import Adam
from minifcn.training.groups import freeze
from minifcn.training.schedules import poly
from minifcn.visualize import style
from minifcn.visualize.board import Board
from minifcn.weights import files as weight_files
from minifcn.weights.transplant import transplant

# %% [markdown]
# ## Three hundred words
#
# A classifier: the **trunk** of lesson 13's network, which is everything before its scores (four convolutions with
# batch norm, ReLU and pooling); then the average of each map; then a 1x1 convolution to five scores. It says one word
# about one picture.


# %%
def classifier(seed):
    """The trunk of lesson 13's network, the mean of each of its maps, five scores."""
    trunk = {
        name: layer
        for name, layer in SmallFCN(seed=seed).children()
        if name.startswith(("conv", "norm", "relu", "pool"))
    }
    rng = np.random.default_rng(seed)
    return Sequential(
        **trunk, mean=AdaptiveAvgPool2d(1), answer=Conv2d(64, 5, 1, rng=rng)
    ).to("float64")


one_shape = replace(SMALL, objects=(1, 1))


def with_words(first, count):
    """Pictures of a single shape, and the word for each, (count, 1, 1): its class."""
    x, labels = pictures(first, count, one_shape)
    words = [np.setdiff1d(mask, (0, 255))[0] for mask in labels]
    return x, np.array(words, np.uint8).reshape(-1, 1, 1)


word_x, words = with_words(5000, 300)
giant = classifier(seed=7)
first_filters = giant.conv1.weight.data.copy()
adam = Adam(giant.parameters(), lr=0.01)
losses = train(giant, word_x, words, adam, 100, batch=16)
new_x, new_words = with_words(9000, 100)
right = float(np.mean(predict(giant, new_x) == new_words))
print(
    f"loss {losses[0]:.2f} -> {losses[-1]:.2f}; right about {right:.0%} of 100 new pictures"
)
assert right >= 0.95
assert words.size == 300

# %% [markdown]
# Here is what the practice did to the sixteen filters of the first layer, each 3 by 3 pixels of red, green and blue.


# %% drawing
def filters(weight):
    """(16, 3, 3, 3) as a picture of 2 rows of 8 filters; grey is 0."""
    paper = np.full((2 * 4 + 1, 8 * 4 + 1, 3), 255, np.uint8)
    for k, one in enumerate(weight):
        row, column = 1 + k // 8 * 4, 1 + k % 8 * 4
        grey = 127.5 + 127.5 * one.transpose(1, 2, 0) / np.abs(weight).max()
        paper[row : row + 3, column : column + 3] = grey
    return paper


vis.show(
    vis.draw_pictures(
        [filters(first_filters), filters(giant.conv1.weight.data)],
        ("before", "after 100 steps"),
        height=4,
    ),
    "filters",
    "The filters of the first layer before and after the practice: most have changed a "
    "little, and none was told what to become.",
)

# %% [markdown]
# ## The transplant
#
# Now an FCN for masks. Its trunk has the classifier's layers under the classifier's names, and that is what counts:
# `transplant` copies every array whose *name* and *shape* are those of an array of the source, and reports what became
# of every single one.
#
# **Predict.** The FCN has 33 arrays of weights and statistics: the trunk's, three scores, three deconvolutions. Which
# of them find nothing in the classifier?
#
# <details><summary>Answer</summary>
#
# The scores (three weights, three biases) and the deconvolutions (three weights): nine. Of the classifier, its last
# layer goes nowhere: it answered another question.
#
# </details>

# %%
net = SmallFCN()
report = transplant(net, giant.state_dict(), may_stay=("score", "up"))
print(report)
assert len(report.copied) == 24
assert len(report.unfilled) == 9
assert report.skipped == ["answer.weight", "answer.bias"]
assert np.array_equal(net.conv3.weight.data, giant.conv3.weight.data)

# %% drawing
COPIED, OWN = style.tint(style.BLUE, 0.45), style.PAPER
trunk_names = [f"{kind}{k}" for k in range(1, 5) for kind in ("conv", "norm")]
board = Board(7.2, 29)
for row, title, rest in (
    (0.6, "classifier", ["mean", "answer"]),
    (4.2, "FCN", ["score", "up"]),
):
    board.write(title, row + 0.6, 0, align="left", weight="bold")
    for place, name in enumerate(trunk_names + rest):
        column = 4.6 + place * 2.45
        board.frame(
            row, column, 1.2, 2.05, style.INK, width_points=1.0,
            fill=COPIED if name in trunk_names else OWN,
        )  # fmt: skip
        board.write(name, row + 0.6, column + 1.02, size=0.36)
board.write("blue: copied, array by array", 3.0, 4.6, align="left", size=0.4)
board.write("white: begins anew", 6.4, 4.6, align="left", size=0.4)
vis.show(
    board.figure,
    "transplant",
    "The two networks. Layers in blue have the same names and shapes, and are copied; what "
    "is white is the network's own.",
)

# %% [markdown]
# Why must one say what *may stay* as it was (`score`, `up`)? Because everything else must not. Here a layer of the
# source has been given another name, as happens when a file comes from another program.

# %%
renamed = {name.replace("conv3", "third"): w for name, w in giant.state_dict().items()}
try:
    transplant(SmallFCN(), renamed, may_stay=("score", "up"))
    refused = ""
except ValueError as error:
    refused = str(error)
print(refused)
assert "conv3.weight" in refused
assert "2 arrays of the network find no weights" in refused

# %% [markdown]
# ## Four masks, four ways
#
# Four pictures with masks, 40 steps. Which way is the best?
#
#     from scratch   nothing is borrowed
#     frozen         the trunk is borrowed and frozen: only scores and deconvolutions learn
#     fine-tuned     the trunk is borrowed and learns on, like everything else
#     in stages      20 steps frozen, then 20 with all convolutions, at a fifth of the rate
#
# **Predict.** Which of these four is best, and which is worst? Most people say that fine-tuning must be better than
# freezing: it may do everything that the other may, and more.
#
# <details><summary>Answer</summary>
#
# Worst is to begin from scratch. But frozen beats fine-tuned: four pictures do not say enough to correct a trunk that
# has learnt from three hundred, and a network that may do more may also do more damage. Stages lie near frozen.
#
# </details>


# %%
def practised(way, x, labels, steps, lr=0.01):
    """A network after so many steps on these masks, in one of the four ways."""
    net = SmallFCN()
    if way != "from scratch":
        transplant(net, giant.state_dict(), may_stay=("score", "up"))

    def stage(steps, lr):
        learns = [weights for weights in net.parameters() if weights.requires_grad]
        batch = min(8, len(x))
        schedule = lambda step: poly(step, steps)  # noqa: E731
        train(net, x, labels, Adam(learns, lr=lr), steps, batch=batch, schedule=schedule)

    if way == "frozen":
        freeze(net, ["conv*", "norm*"])
    elif way == "in stages":
        freeze(net, ["conv*", "norm*"])
        stage(steps // 2, lr)
        net.freeze(False)
        freeze(net, ["norm*"])
        lr, steps = lr / 5, steps // 2
    stage(steps, lr)
    return net


test_x, test_labels = pictures(1000, 40)
ways = ("from scratch", "frozen", "fine-tuned", "in stages")
draws, first_of = {}, {}
for way in ways:
    nets = [practised(way, *pictures(first, 4), steps=40) for first in (2000, 2100, 2200)]
    draws[way] = np.array([measure(net, test_x, test_labels).mean_iu() for net in nets])
    first_of[way] = nets[0]
    each = " ".join(f"{iu:.2f}" for iu in draws[way])
    print(f"{way:13} {each}   mean {draws[way].mean():.2f}")
assert (draws["frozen"] > draws["from scratch"]).all()
assert draws["frozen"].mean() > draws["fine-tuned"].mean() + 0.03
assert abs(draws["in stages"].mean() - draws["frozen"].mean()) < 0.03

# %% drawing
vis.show(
    vis.draw_bars(ways, np.array([draws[way].mean() for way in ways]), "mean IU", "{:.2f}"),
    "four_masks",
    "Four masks, 40 steps, the mean over three draws of four: from scratch, frozen, "
    "fine-tuned, in stages.",
)

# %% [markdown]
# Three columns, since one draw of four pictures proves nothing. Look down the third one: there, even from scratch is
# better than fine-tuned. From one column *anything* can be claimed, and in papers it is. What is safe to say is what
# holds in every column, or what is larger than the columns differ.

# %%
spread = max(iu.max() - iu.min() for iu in draws.values())
gain = draws["frozen"] - draws["from scratch"]
print(f"columns differ by up to {spread:.2f}; frozen gains {np.round(gain, 2).tolist()}")
assert draws["from scratch"][2] > draws["fine-tuned"][2]
assert spread > 0.1
assert gain.min() > 0

# %% [markdown]
# ## What freezing saves
#
# To **freeze** a layer is to leave its weights as they are while others learn. A frozen layer needs no gradient of its
# weights, and where everything before it is frozen too, no gradient of its input. So it need not remember what it saw.
#
# **Predict.** With the whole trunk frozen, which share of the arrays kept for the way back is left: three quarters, a
# half, a quarter, or less?
#
# <details><summary>Answer</summary>
#
# Less: a twelfth here. What is wide and long is at the beginning of the network, and the beginning is frozen. A step is
# shorter, too.
#
# </details>

# %%
free, frozen = SmallFCN(), SmallFCN()
names = freeze(frozen, ["conv*", "norm*"])
kept = [ledger(net.train(), (4, 3, 48, 64)).kept_bytes for net in (free, frozen)]
all_of_it, with_frozen = (f"{size / 1e6:.1f} MB" for size in kept)
print(f"kept for the way back: {all_of_it}, with the trunk frozen {with_frozen}")
frozen.backward(np.random.default_rng(0).normal(size=frozen(test_x[:4]).shape))
weights = dict(frozen.named_parameters())
print("gradients in frozen layers:", sum(weights[name].grad is not None for name in names))
assert kept[1] < 0.2 * kept[0]
assert all(weights[name].grad is None for name in names)
assert frozen.score4.weight.grad is not None

# %% [markdown]
# A frozen batch norm also stays in evaluation: it uses, and keeps, the statistics that it came with. Four pictures have
# no statistics to speak of (lesson 07).
#
# ## When there is more
#
# Now 64 masks instead of four.
#
# **Predict.** Which of the first three ways wins?
#
# <details><summary>Answer</summary>
#
# Fine-tuning. Sixty-four masks know better than words what a good trunk is *for masks*, and may say so. Frozen is held
# back by what it cannot change: even from scratch is better now.
#
# </details>

# %%
more = pictures(2000, 64)
with_more = {}
for way in ways[:3]:
    net = practised(way, *more, steps=40)
    with_more[way] = measure(net, test_x, test_labels).mean_iu()
    print(f"{way:13} {with_more[way]:.2f}")
tuned = net
assert with_more["fine-tuned"] > with_more["frozen"] + 0.01
assert with_more["fine-tuned"] > with_more["from scratch"] + 0.01
assert with_more["from scratch"] > with_more["frozen"]

# %% drawing
how_many = (4, 64)
vis.show(
    vis.draw_lines(
        {
            "mean IU": {
                way: (how_many, (draws[way].mean(), with_more[way])) for way in ways[:3]
            }
        },
        low=0.4, high=1.0, across="masks", size=(6, 10),
    ),
    "more_masks",
    "Few masks: leave the trunk alone. More masks: let it learn on. The lines cross.",
)  # fmt: skip

# %% [markdown]
# And here is picture 12, by three of our networks. Its shapes overlap, which none of the words and masks had prepared
# them for.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image12, truth12 = draw(options, 12)
x12 = scaled(image12[None, ::2, ::2])
three = {
    "scratch, 4 masks": first_of["from scratch"],
    "frozen, 4 masks": first_of["frozen"],
    "fine-tuned, 64 masks": tuned,
}
said12 = {name: predict(net, x12)[0] for name, net in three.items()}
iu12 = {
    name: measure(net, x12, truth12[None, ::2, ::2]).mean_iu()
    for name, net in three.items()
}
print({name: f"mean IU {iu:.2f}" for name, iu in iu12.items()})
assert iu12["fine-tuned, 64 masks"] > max(iu12["frozen, 4 masks"], iu12["scratch, 4 masks"])

# %% drawing
vis.show(
    vis.draw_pictures(
        [
            image12,
            SHAPES_PALETTE[truth12],
            *(SHAPES_PALETTE[said] for said in said12.values()),
        ],
        ("picture 12", "truth", *said12),
        height=5,
    ),
    "strip",
    "Picture 12, its mask, and what three networks say.",
)

# %% [markdown]
# So "fine-tuning always beats freezing" is false, and so is its opposite. It depends on who knows more: those who
# trained the trunk, or your masks. That is why one looks (a validation set, lesson 13), or goes in stages.
#
# **So much for:** "Fine-tuning always beats freezing."
#
# ## The pictures that it grew up with
#
# Our networks see pictures as numbers from -1 to 1, red first. Others see 0 to 1, or 0 to 255, or blue first (the first
# great library for networks read files that way, and many weights still want it). The file says nothing about that.
#
# **Break it.** Give the fine-tuned network the same pictures in another convention. The symptom: **nothing fails**. All
# shapes are right, all numbers are finite, and the masks are rubbish.

# %%
conventions = {
    "-1 to 1, red first": test_x,
    "0 to 1, red first": (test_x + 1) / 2,
    "-1 to 1, blue first": np.ascontiguousarray(test_x[:, ::-1]),
    "0 to 255, red first": (test_x + 1) * 128,
}
fed = {name: measure(tuned, x, test_labels).mean_iu() for name, x in conventions.items()}
for name, iu in fed.items():
    print(f"{name:20} mean IU {iu:.2f}")
assert fed["-1 to 1, red first"] > 0.85
assert max(iu for name, iu in fed.items() if name != "-1 to 1, red first") < 0.6

# %% drawing
vis.show(
    vis.draw_pictures(
        [SHAPES_PALETTE[test_labels[0]]]
        + [SHAPES_PALETTE[predict(tuned, x[:1])[0]] for x in conventions.values()],
        ("truth", "as trained", "0 to 1", "blue first", "0 to 255"),
        height=4,
    ),
    "conventions",
    "One picture fed in four conventions to one network.",
)

# %% [markdown]
# A convention is a line of arithmetic, and a convolution is arithmetic too; so one can be *folded* into the other. Let
# the weights want (z / 255 - mean) / std, with z the pixel, red first, and let our pictures be u = z - m, blue first.
# Then z = u + m, and
#
#     W · ((u + m) / 255 - mean) / std + b  =  W / (255 std) · u  +  (b + sum W (m / 255 - mean) / std)
#
# with the channels of the new W in reverse order, since u is blue first. No pixel is touched any more.
#
# **Predict.** A network with padding of 1 gets the folded weights. Where in the picture does its first layer still say
# something else?
#
# <details><summary>Answer</summary>
#
# In the outermost ring of pixels. The padding is a row of zeros *after* the arithmetic in the one network, and before
# it in the other: there 0 means the grey (104, 117, 123), and here it means the mean colour.
#
# </details>

# %%
mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
m = np.array([123.0, 117.0, 104.0])  # of red, green, blue
rng = np.random.default_rng(15)
weight, bias = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)


def column(values):
    return values[:, None, None]


def fold(weight, bias, mean, std, m):
    """Weights for (z / 255 - mean) / std, red first -> weights for z - m, blue first."""
    each = weight / column(255 * std)
    more = (weight * column((m / 255 - mean) / std)).sum(axis=(1, 2, 3))
    return each[:, ::-1], bias + more


z = image12.transpose(2, 0, 1)[None].astype(float)  # (1, 3, H, W), red first
wanted, _ = F.conv2d((z / 255 - column(mean)) / column(std), weight, bias, padding=1)
ours = (z - column(m))[:, ::-1]
got, _ = F.conv2d(ours, *fold(weight, bias, mean, std, m), padding=1)
off = np.abs(got - wanted)
print(f"inside: {off[..., 1:-1, 1:-1].max():.0e}   in the outermost ring: {off.max():.2f}")
assert off[..., 1:-1, 1:-1].max() < 1e-10
assert off.max() > 1e-3

# %% [markdown]
# **Break it.** Forget that the channels must be turned round. The symptom: **right on everything grey, wrong on
# everything coloured**. A test on a grey picture would have passed.

# %%
unturned = fold(weight, bias, mean, std, m)[0][:, ::-1], fold(weight, bias, mean, std, m)[1]
grey = np.full_like(z, 90) - column(m)
coloured, _ = F.conv2d(ours, *unturned)
plain_grey = np.full_like(z, 90)
by_hand, _ = F.conv2d((plain_grey / 255 - column(mean)) / column(std), weight, bias)
said_grey, _ = F.conv2d(grey, *unturned)  # red first, as the unturned weights want it
print(f"coloured: off by up to {np.abs(coloured - wanted[..., 1:-1, 1:-1]).max():.1f}")
assert np.abs(coloured - wanted[..., 1:-1, 1:-1]).max() > 1
assert np.allclose(said_grey, by_hand)

# %% [markdown]
# ## In stages: 32s, 16s, 8s
#
# The networks of lesson 11 were trained on each other's shoulders. FCN-32s takes a classifier's weights, 16s those of
# the trained 32s, 8s those of 16s. What is new each time starts at zero (the scores of a skip) or as interpolation (a
# deconvolution), so that at first nothing changes.
#
# **Predict.** What does 16s not find in 32s?
#
# <details><summary>Answer</summary>
#
# The scores of pool4 (weight and bias), and its two deconvolutions: by 2 and by 16 where 32s has one by 32. Four
# arrays.
#
# </details>

# %%
staged = {
    name: models.build(name, num_classes=5, width=1 / 32)
    for name in ("fcn32s", "fcn16s", "fcn8s")
}
new_in = {}
for lower, upper in (("fcn32s", "fcn16s"), ("fcn16s", "fcn8s")):
    fresh = models.entry(upper).fresh
    report = transplant(staged[upper], staged[lower].state_dict(), may_stay=fresh)
    new_in[upper] = sorted({name.split(".")[0] for name in report.unfilled})
    print(f"{upper}: {len(report.copied)} arrays copied, new: {', '.join(new_in[upper])}")
assert new_in["fcn16s"] == ["score_pool4", "upscore16", "upscore2"]
assert new_in["fcn8s"] == ["score_pool3", "upscore8", "upscore_pool4"]

# %% drawing
board = Board(7.6, 30)
stages = (
    ("classifier", "trunk, fc6, fc7", "its own answer"),
    ("FCN-32s", "trunk, fc6, fc7", "score_fr, upscore"),
    ("FCN-16s", "all but upscore", "score_pool4, upscore2, upscore16"),
    ("FCN-8s", "all but upscore16", "score_pool3, upscore_pool4, upscore8"),
)
for k, (name, taken, new) in enumerate(stages):
    row = 0.4 + 1.8 * k
    board.write(name, row + 0.6, 0, align="left", weight="bold")
    board.frame(row, 5.5, 1.2, 7.5 + k, style.INK, width_points=1.0, fill=COPIED)
    board.write(
        taken if k else "learnt from words", row + 0.6, 6.0, align="left", size=0.38
    )
    board.frame(row, 13 + k, 1.2, 12.5, style.INK, width_points=1.0)
    board.write(new, row + 0.6, 13.5 + k, align="left", size=0.38)
vis.show(
    board.figure,
    "stages",
    "Each stage takes over what is blue from the one above it; what is white begins anew.",
)

# %% [markdown]
# The paper's table, for VGG16 on PASCAL VOC 2011:
#
# | | from | learning rate | mean IU |
# |---|---|---|---|
# | FCN-32s | VGG16 | 1e-10 | 63.6 |
# | FCN-16s | FCN-32s | 1e-12 | 65.0 |
# | FCN-8s | FCN-16s | 1e-14 | 65.5 |
# | FCN-8s, at once | VGG16 | 1e-10 | 65.4 |
#
# A hundred times less with each stage: what is borrowed is nearly finished, and only what is new has to move. (These
# tiny numbers belong to a loss that is *summed* over 187,500 pixels, lesson 08.) The last row came two years later:
# with the skips scaled well, one stage does the same. The stages had been a crutch.
#
# Others stood on shoulders, too. A student report trained 32s for 48 hours from scratch and from VGG16, and 16s for
# another 36 hours from scratch and from that 32s. Another, on Indian streets, reached a mean IU of 0.3533 with its own
# networks at the best; somebody else's network, frozen except for its classifier, had 0.4370 after only seven epochs.

# %%
assert 1e-10 / 1e-12 == 100
assert round(0.4370 / 0.3533, 2) == 1.24

# %% [markdown]
# ## With real weights, if you have some
#
# The cell below needs a file with the weights of SqueezeNet 1.1 for ImageNet, 5 MB. You give it by
#
#     minifcn lesson run 15 --weights squeezenet_v1.1.npz
#
# (or in the environment as MINIFCN_WEIGHTS). It counts what is in the file, puts all of it but the classifier into an
# FCN, and draws the 64 filters of the first layer. You will see edges and spots of colour: 1.3 million photographs and
# a word for each have made them. Its pictures are blue first, minus (104, 117, 123).

# %%
path = os.environ.get("MINIFCN_WEIGHTS", "")
real = weight_files.read(path) if path else {}
if real:
    print(f"{len(real)} arrays, {sum(array.size for array in real.values()):,} numbers")
    fcn = models.build("fcn-squeezenet", num_classes=21)
    print(models.adopt(fcn, real))
    assert all(np.isfinite(array).all() for array in real.values())
else:
    print("no weights were given")

# %% drawing
if real:
    first = next(w for w in real.values() if w.ndim == 4 and w.shape[1] == 3)
    paper = np.full((8 * 4 + 1, 8 * 4 + 1, 3), 255, np.uint8)
    for k, one in enumerate(first[:, ::-1]):  # blue first
        row, column = 1 + k // 8 * 4, 1 + k % 8 * 4
        tones = 127.5 + 127.5 * one.transpose(1, 2, 0) / np.abs(one).max()
        paper[row : row + 3, column : column + 3] = tones
    vis.show(vis.draw_pictures([paper], height=12), "real", "The first layer's filters.")

# %% [markdown]
# ## To think about
#
# Somebody copies weights by *position*, the first array into the first, the second into the second. When does that go
# wrong without a word?
#
# <details><summary>Answer</summary>
#
# Where two arrays have one shape and another order. A batch norm has four arrays of the same shape: exchanged, they are
# all accepted, and all wrong.
#
# </details>

# %%
shapes = {
    name: net.state_dict()[name].shape for name in net.state_dict() if "norm2" in name
}
print(shapes)
assert len(set(shapes.values())) == 1
assert len(shapes) == 4

# %% [markdown]
# The new layers start at zero scores. Why is that better than small random numbers, on top of a good trunk?
#
# <details><summary>Answer</summary>
#
# With scores of zero all classes are equally probable, the loss is ln 5, and the first gradients are honest. Random
# scores are wrong opinions, and their gradients would go down into the good trunk before they have become better.
#
# </details>

# %%
fresh_net = SmallFCN()
transplant(fresh_net, giant.state_dict(), may_stay=("score", "up"))
assert np.abs(fresh_net.eval()(test_x[:2])).max() == 0

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 15 mine.py
#
# **Warm-up.** `rates(names, lr, frozen)`: who learns at which rate, as a dict {name: rate}. Names are like
# "conv1.weight" and "score4.bias"; `frozen` is a list of layers like ["conv1", "norm1"]. A frozen layer's rate is 0. A
# bias learns at twice the rate, and a layer whose name begins with "score" at ten times the rate (its bias at twenty
# times).
#
# **Main.** `fold(weight, bias, mean, std, m)`: as in the lesson, the pair of new weights and new bias. The weight is
# (O, 3, KH, KW); mean, std and m are (3,), red first.
#
# **Stretch.** `transplant(mine, source)`: two dicts {name: array}. The result is a dict of all names of `mine`: the
# source's array where name and shape agree; the source's array in mine's *shape* where the source has that name as a
# matrix (O, rest) with as many rows and as many numbers (a fully connected layer becomes a convolution, lesson 09);
# else mine.

# %% [markdown]
# ## On one page

# %% drawing
vis.show(
    vis.draw_lines(
        {
            "mean IU": {
                way: (how_many, (draws[way].mean(), with_more[way])) for way in ways[:3]
            }
        },
        low=0.4, high=1.0, across="masks", size=(6, 10),
    ),
    "one_page",
    "The whole lesson: with few masks the borrowed trunk is best left alone, with many it "
    "is best allowed to learn.",
)  # fmt: skip

# %% [markdown]
#     copied: same name and same shape; everything else is said aloud
#     frozen: no gradient, nothing kept, batch norm in evaluation
#     few masks: frozen    more: stages    many: all of it
#     new W = W / (255 std), channels reversed    new b = b + sum W (m / 255 - mean) / std
#
# Words are cheap and masks are dear, so a network first learns to see from words. What is borrowed is copied by name,
# checked, and fed with the pictures that it grew up with. Whether it should learn on depends on how much your masks can
# teach it, and one draw does not tell.
#
# **What you now own:** `rates`, `fold` and `transplant` in your `mine.py`.
