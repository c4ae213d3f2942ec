# %% [markdown]
# # 13 · Training a full FCN
#
# This is the summit. Everything so far, convolution, ReLU, pooling, batch norm, loss, skips and
# deconvolution, is put together into one network, and it is trained while you read. Then it is
# made to fail in six ways, so that you learn to read a failing run. And at the very end, when all
# is well, comes a shock. At the end you know
#
# - the four lines that every training loop in the world consists of,
# - what SGD and Adam do with a gradient, and what the rate is good for,
# - which three things to try *before* the long run, in less than three seconds,
# - how to tell a sleeping run from an exploding one and from one that learns nonsense,
# - and why a mean IU of 0.98 does not mean that the network knows what a star is.
#
# You need lesson 01 (labels, void, mean IU), lesson 02 (convolution) and what a gradient is
# (lesson 04). Deconvolution is lesson 10; the loss, cross-entropy, is lesson 08.

# %%
from dataclasses import replace
from itertools import pairwise

import numpy as np

from minifcn import visualize as vis
from minifcn.course.small_fcn import (
    SMALL,
    SmallFCN,
    batches,
    measure,
    pictures,
    predict,
    scaled,
)
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, ShapesOptions, draw
from minifcn.functional import relu
from minifcn.layers import CrossEntropyLoss, Parameter
from minifcn.training import SGD, Adam
from minifcn.training.schedules import poly
from minifcn.visualize.maps import maps_of

# %% [markdown]
# ## Picture 12, unsolved
#
# Since lesson 01 a picture has been waiting for us: a star, a square and a triangle. Here it is
# again, with the answer we want, and with the answer of a network whose numbers nobody has
# trained yet.

# %%
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
picture_12, truth_12 = draw(options, 12)
net = SmallFCN()
before = predict(net, scaled(picture_12[None]))[0]
print("classes in the truth: ", np.unique(truth_12).tolist())
print("classes in the answer:", np.unique(before).tolist())
assert before.shape == truth_12.shape
assert (before == 0).all()  # background, everywhere

# %% drawing
vis.show(
    vis.draw_pictures(
        [picture_12, SHAPES_PALETTE[truth_12], SHAPES_PALETTE[before]],
        ("picture 12", "the truth", "what our network says"),
    ),
    "strip",
    "Picture 12, its mask, and the answer of an untrained network: all black, which is the "
    "background. At the end of this lesson the third picture is to look like the second.",
)

# %% [markdown]
# ## The whole network
#
# Here is everything, from the picture at the top left to the scores at the top right.
#
# - Down the stairs: a **convolution** looks at windows of 3 by 3, then **batch norm** brings its
#   numbers to a sensible size (mean 0, spread 1, each channel by itself) and **ReLU** sets the
#   negative ones to zero. Then a **pooling** halves the picture. Four times, the last time
#   without pooling.
# - At the bottom, every number knows about a large piece of the picture, but there are only 6
#   by 8 of them. A 1 by 1 convolution makes of them a **score** for each of the five classes.
# - Up the stairs: a **deconvolution** doubles the size. Beside it, at each landing, scores of
#   the finer map come over the bridge (a **skip**) and are added.

# %%
small, _ = pictures(0, 1)
stairs = ("relu1", "pool1", "relu2", "pool2", "relu3", "pool3", "relu4", "score4", "crop")
shapes = {name: maps.shape for name, maps in maps_of(net, small, stairs).items()}
for name, shape in shapes.items():
    print(f"{name:7} {shape[0]:3} maps of {shape[1]:2} x {shape[2]:2}")
assert shapes["relu1"] == (16, 48, 64)
assert shapes["relu4"] == (64, 6, 8)
assert shapes["crop"] == (5, 48, 64)  # five scores for each pixel

# %% drawing
board = vis.Board(12.4, 33)
sizes = [(48, 64), (24, 32), (12, 16), (6, 8)]
corners = [(1 + 3.4 * i, 4.2 * i, 28 - 3.3 * i) for i in range(4)]  # row, left, right
stairs = zip(sizes, (16, 32, 64, 64), corners, strict=True)
for i, ((H, W), channels, (row, left, right)) in enumerate(stairs):
    tall, wide, middle = H / 20, W / 20, row + H / 40
    board.frame(row, left, tall, wide, fill="#cfe3f1", width_points=1.2)
    board.write(f"{channels} maps\n{H} × {W}", middle, left + wide + 1.2, size=0.34)
    board.frame(row, right, tall, wide, fill="#f9dfb0", width_points=1.2)
    board.write(f"5 scores\n{H} × {W}", middle, right + wide + 1.3, size=0.34)
    if i:
        above, (higher, left_above, right_above) = sizes[i - 1], corners[i - 1]
        bottom = higher + above[0] / 20
        board.arrow((bottom + 0.1, left_above + above[1] / 20), (row - 0.15, left + 0.2))
        board.write("pool", (bottom + row) / 2 + 0.5, left - 1.9, size=0.34)
        board.arrow((row - 0.15, right + wide / 2), (bottom + 0.15, right_above + 0.1))
        board.write("up", (bottom + row) / 2 + 0.2, right + 2.7, size=0.34)
        board.arrow((middle, left + wide + 2.5), (middle, right - 0.3), "#9e0b0f")
        bridge = "" if i == 3 else f"skip: scores of pool{i}"
        board.write(bridge, middle - 0.5, (left + right) / 2 + 1.2, size=0.34)
vis.show(
    board.figure,
    "staircase",
    "The network as a staircase: blue boxes are feature maps on the way down, orange "
    "boxes are scores on the way up, red arrows are 1 by 1 convolutions from maps to "
    "scores.",
)

# %% [markdown]
# **Predict.** All numbers that can be learned: how many are they, and in which layer are most
# of them? (A convolution from C to O channels has O·C·3·3 weights and O biases.)
#
# <details><summary>Answer</summary>
#
# 62,639 in all, and more than half of them, 36,928, are in the last convolution, from 64 to 64
# channels, which works on the smallest map. The three deconvolutions together have 1,200.
#
# </details>

# %%
counts = {name: parameter.data.size for name, parameter in net.named_parameters()}
last = counts["conv4.weight"] + counts["conv4.bias"]
ups = sum(count for name, count in counts.items() if name.startswith("up"))
print(f"{sum(counts.values()):,} in all, {last:,} in conv4, {ups:,} in the deconvolutions")
assert sum(counts.values()) == 62_639
assert last == 64 * 64 * 3 * 3 + 64 == 36_928
assert ups == 3 * 5 * 5 * 4 * 4

# %% [markdown]
# ## Pictures to learn from, and pictures to be examined with
#
# There are 200 pictures to learn from, the **training** pictures, and 40 others that the network
# never sees while it learns, the **validation** pictures. Only the second kind tells whether it
# has understood anything. Beside every result stands the **floor**: what the lazy predictor
# of lesson 01 gets, who says "background" everywhere.

# %%
x, labels = pictures(0, 200)
x_val, labels_val = pictures(1000, 40)
lazy = measure(net, x_val, labels_val)  # our untrained network is that lazy
floor = lazy.mean_iu()
print("training:", x.shape, " validation:", x_val.shape)
print(f"floor: pixel accuracy {lazy.pixel_accuracy():.3f}, mean IU {floor:.3f}")
assert x.shape == (200, 3, 48, 64)
assert abs(lazy.pixel_accuracy() - 0.758) < 0.001
assert abs(floor - 0.152) < 0.001
assert np.isclose(floor, lazy.pixel_accuracy() / 5)  # one class of five is right

# %% [markdown]
# ## Before the long run, one: the first loss
#
# **Predict.** The network's score layers begin with zeros, so it gives each of the five classes
# the same score at every pixel. What is its loss before it has learned anything?
#
# <details><summary>Answer</summary>
#
# Equal scores are equal probabilities, 1/5 each. The loss of a pixel is minus the logarithm of
# the probability of the true class: −ln(1/5) = ln 5 = 1.6094. Whatever the picture, and
# whatever the labels.
#
# </details>

# %%
criterion = CrossEntropyLoss()
first_loss = float(criterion(net(x[:8]), labels[:8]))
print(f"first loss {first_loss:.4f}, ln 5 = {np.log(5):.4f}")
assert abs(first_loss - np.log(5)) < 1e-4

# %% [markdown]
# This costs nothing, and finds a surprising number of mistakes: a first loss of 30 says that the
# scores are far too large, one of 3.04 = ln 21 that the network thinks it has 21 classes.
#
# ## Before the long run, two: overfit one picture
#
# Now the loop. Every training loop in the world consists of these four lines:
#
# 1. **forward**: let the network look at the pictures, and compute the loss;
# 2. **forget**: set the gradients of the step before back to zero;
# 3. **backward**: compute how each of the 62,639 numbers should change;
# 4. **step**: change each weight a little, against its gradient.
#
# Someone must decide what "a little" is. That someone is called the **optimizer**; ours is Adam,
# and we look into it soon.

# %%
optimizer = Adam(net.parameters(), lr=0.01)
net.train()  # batch norm measures mean and spread of what comes
one_picture = []
for _ in range(40):
    loss = criterion(net(x[:1]), labels[:1])  # 1. forward
    optimizer.zero_grad()  # 2. forget
    net.backward(criterion.backward())  # 3. backward
    optimizer.step()  # 4. step
    one_picture.append(float(loss))
print("losses:", " ".join(f"{loss:.4f}" for loss in one_picture[::8]), f"... {loss:.4f}")
assert one_picture[-1] < 1e-3 < one_picture[0]

# %% [markdown]
# **Predict.** The network has seen one picture, 40 times, and nothing else. What is its mean IU
# on this picture? And on the 40 validation pictures?
#
# <details><summary>Answer</summary>
#
# On this picture 1.0: every labelled pixel is right. On the others 0.162, which is hardly more
# than the floor. It has learned the picture by heart. That is called **overfitting**, and here
# it is exactly what we want: it proves that loss, backward and step work together. If a network
# cannot even learn one picture by heart, something is broken, and no long run will mend it.
#
# </details>

# %%
at_home = measure(net, x[:1], labels[:1]).mean_iu()
abroad = measure(net, x_val, labels_val).mean_iu()
print(
    f"mean IU: {at_home:.3f} on its picture, {abroad:.3f} on the others, floor {floor:.3f}"
)
assert at_home == 1.0
assert abs(abroad - 0.162) < 0.02

# %% [markdown]
# ## What is a step?
#
# Leave pictures for a moment, and train a network with a single number w, whose loss is w²/2.
# Its gradient is w itself: the further from 0, the steeper. We begin at w = 4. The simplest rule
# is: go against the gradient, `w = w − rate · gradient`. This is **SGD**, stochastic gradient
# descent ("stochastic" because the pictures are drawn at random, which we do not do here).


# %%
def walk(optimizer_of, steps):
    """The way of one number w from 4, each step against the gradient of w²/2."""
    w = Parameter(np.array([4.0]))
    optimizer = optimizer_of([w])
    places = [4.0]
    for _ in range(steps):
        w.grad = w.data.copy()  # the gradient of w²/2 is w
        optimizer.step()
        places.append(float(w.data[0]))
    return places


slow = walk(lambda w: SGD(w, lr=0.1), 3)
print("rate 0.1:", np.round(slow, 3).tolist())
assert np.allclose(slow, [4, 3.6, 3.24, 2.916])

# %% [markdown]
# Each step takes a tenth of the way. **Momentum** makes the number heavy: a velocity v remembers
# nine tenths of what it was, the gradient is added to it, and w moves by the velocity:
# `v = 0.9·v + gradient`, `w = w − rate · v`.
#
# **Predict.** Which of the four pictures below is momentum, which is rate 0.1 without it, which
# is rate 1, and which is rate 2.1?
#
# <details><summary>Answer</summary>
#
# a is rate 1: it jumps to the bottom at once (that is luck; no real loss is so simple). b is
# momentum: it is fast, shoots past the bottom, comes back, like a ball in a bowl. c is rate 2.1:
# each jump goes further out than the last. d is rate 0.1: safe and slow.
#
# </details>

# %%
ways = {
    "a": walk(lambda w: SGD(w, lr=1.0), 20),
    "b": walk(lambda w: SGD(w, lr=0.1, momentum=0.9), 20),
    "c": walk(lambda w: SGD(w, lr=2.1), 20),
    "d": walk(lambda w: SGD(w, lr=0.1), 20),
}
assert np.allclose(ways["b"][:7], [4, 3.6, 2.88, 1.944, 0.907, -0.117, -1.026], atol=1e-3)
assert ways["a"][1] == 0  # a rate of 1 is a perfect jump, for this loss
assert all(abs(after) < abs(now) for now, after in pairwise(ways["d"]))

# %% drawing
vis.show(
    vis.draw_lines(
        {name: {"w": way} for name, way in ways.items()},
        low=-6,
        high=6,
        columns=4,
        size=(5, 5.5),
    ),
    "four_ways",
    "Four ways of w from 4, twenty steps each. The bottom of the valley is at 0.",
)

# %% [markdown]
# **Break it.** A rate that is too large does not learn *faster*: it does not learn. Symptom: the
# loss grows, from step to step, without end.

# %%
print("rate 2.1:", np.round(ways["c"][:4], 2).tolist())
losses_c = [w**2 / 2 for w in ways["c"]]
assert np.allclose(ways["c"][1:4], [-4.4, 4.84, -5.324])
assert all(after > now for now, after in pairwise(losses_c))  # it explodes
losses_d = [w**2 / 2 for w in ways["d"]]
assert all(after < now for now, after in pairwise(losses_d))  # the small rate does not

# %% [markdown]
# ## Adam: every number gets its own rate
#
# In a network some gradients are a thousand times larger than others. One rate for all is too
# large for these and too small for those. **Adam** keeps two running averages for every number:
# m of its gradients, v of their *squares*. The step is `rate · m / √v`. If a gradient is always
# g, then m is g and √v is |g|, and the step is the rate, whatever g is.
#
# (Both averages begin at 0 and are too small at first. Adam knows by how much, and divides m by
# 1 − 0.9ᵗ and v by 1 − 0.999ᵗ in step t. And a tiny ε = 0.00000001 is added below, against
# division by zero.)
#
# **Predict.** How far does the first step go with a rate of 0.01, if the gradient is 0.000001?
# If it is 1000?
#
# <details><summary>Answer</summary>
#
# 0.0099 and 0.0100. The first step is the rate. Only the ε is noticed by the smaller one.
#
# </details>

# %%
first_steps = {}
for g in (1e-6, 1e-3, 1.0, 1e3):
    w = Parameter(np.array([0.0]))
    w.grad = np.array([g])
    Adam([w], lr=0.01).step()
    first_steps[g] = -float(w.data[0])
    print(f"gradient {g:8g}: first step {first_steps[g]:.4f}")
assert abs(first_steps[1e-6] - 0.0099) < 1e-4
assert abs(first_steps[1e3] - 0.0100) < 1e-6

# %% [markdown]
# ## Before the long run, three: ten numbers
#
# Back to the network. "Am I right?" is a question that can be answered in half a second, if
# somebody has written down the first ten losses of a right run. Here they are. Whoever rebuilds
# this network, from the same first weights, on the same pictures, gets these numbers. In step
# 1 everything must be right for the second number, and so on.
#
# In each step eight pictures are drawn at random: a **batch**.


# %%
def train(
    net, optimizer, steps, labels, rate_at=lambda step: 1.0, criterion=None, forget=True
):
    """The four lines, so many times. Returns the losses."""
    criterion = criterion or CrossEntropyLoss()
    losses = []
    net.train()
    for step, chosen in enumerate(batches(len(x), 8, steps)):
        optimizer.scale_lr(rate_at(step))
        losses.append(float(criterion(net(x[chosen]), labels[chosen])))
        if forget:
            optimizer.zero_grad()
        net.backward(criterion.backward())
        optimizer.step()
    return losses


EXPECTED = [1.6094, 1.2232, 0.9348, 0.7046, 0.5455, 0.4240, 0.4734, 0.5061, 0.3615, 0.3683]
net = SmallFCN()
ten = train(net, Adam(net.parameters(), lr=0.01), 10, labels)
for wanted, found in zip(EXPECTED, ten, strict=True):
    print(f"expected {wanted:.4f}   found {found:.4f}")
assert np.allclose(ten, EXPECTED, rtol=0.02, atol=0)

# %% [markdown]
# ## The run
#
# Now the long run: 150 steps. Near the end we want to settle, so the rate falls from step to
# step, along (1 − step/steps) to the power 0.9. This curve is called **poly**.
#
# **Predict.** What will the mean IU on the validation pictures be after 5 steps, 10, 20, 40, and
# 150? The floor is 0.152.
#
# <details><summary>Answer</summary>
#
# 0.152, which is the floor: in five steps the loss has halved, and yet not one pixel is called
# anything but background. Then 0.41, 0.64, 0.93, and 0.986 in the end. First of all a network
# learns that most is background; the loss notices that, mean IU does not.
#
# </details>


# %%
def trained(steps, labels=labels):
    """A network after so many steps, and its losses."""
    net = SmallFCN()
    optimizer = Adam(net.parameters(), lr=0.01)
    return net, train(net, optimizer, steps, labels, rate_at=lambda step: poly(step, steps))


lengths = (5, 10, 20, 40, 150)
nets, histories, ious = {}, {}, {}
for steps in lengths:
    nets[steps], histories[steps] = trained(steps)
    ious[steps] = measure(nets[steps], x_val, labels_val).mean_iu()
    print(f"after {steps:3} steps: mean IU {ious[steps]:.3f}")
found = [ious[steps] for steps in lengths]
assert np.allclose(found, [0.152, 0.407, 0.635, 0.933, 0.986], rtol=0.02)

# %%
best = measure(nets[150], x_val, labels_val)
print(
    f"pixel accuracy {best.pixel_accuracy():.3f}, mean IU {best.mean_iu():.3f}, by class:"
)
for name, iu in zip(SHAPES_CLASSES, best.per_class_iu(), strict=True):
    print(f"  {name:10} {iu:.3f}")
assert best.pixel_accuracy() > 0.99
assert best.per_class_iu().min() > 0.95
losses = histories[150]
assert losses[4] < 0.5 * losses[0]  # after five steps the loss has more than halved ...
assert ious[5] == floor  # ... and mean IU has not moved

# %% drawing
curve = {"training": (range(150), losses)}
smooth = np.convolve(losses, np.ones(9) / 9, mode="valid")
curve["mean of nine"] = (np.arange(4, 4 + len(smooth)), smooth)
vis.show(
    vis.draw_lines(
        {
            "loss": curve,
            "mean IU, validation": {
                "mean IU": ((0, *lengths), (floor, *found)),
                "floor": ((0, 150), (floor, floor)),
            },
        },
        columns=2,
        size=(6, 9),
    ),
    "curves",
    "The loss of each step, which jumps because each batch is another one, and the mean "
    "IU after runs of 5 to 150 steps.",
)

# %% drawing
shown = 5
answers = [predict(one, x_val[shown : shown + 1])[0] for one in nets.values()]
photo = np.round((x_val[shown].transpose(1, 2, 0) + 1) * 128).astype(np.uint8)
vis.show(
    vis.draw_pictures(
        [
            photo,
            *(SHAPES_PALETTE[answer] for answer in answers),
            SHAPES_PALETTE[labels_val[shown]],
        ],
        ("picture", *(f"{steps} steps" for steps in lengths), "truth"),
        height=3.4,
    ),
    "learning",
    "One validation picture, the answers of five networks trained for longer and longer, "
    "and the truth. First there is nothing, then blots of the wrong class, then shapes.",
)

# %% [markdown]
# ## Picture 12, at last
#
# Picture 12 is larger than anything the network has seen: 90 by 120, not 48 by 64, and its shapes
# are almost twice as large. But all its layers are convolutions, poolings and deconvolutions,
# which slide over whatever they get. This is what "fully convolutional" means.
#
# **Predict.** Does it work?
#
# <details><summary>Answer</summary>
#
# 0.99, as good as on small pictures. And not only here: 40 pictures of 75 by 101, or pictures
# twice as large, give the same.
#
# </details>

# %%
net = nets[150]
after = predict(net, scaled(picture_12[None]))[0]
score_12 = measure(net, scaled(picture_12[None]), truth_12[None]).mean_iu()
print(f"mean IU on picture 12: {score_12:.3f}")
assert score_12 > 0.97

# %% drawing
vis.show(
    vis.draw_pictures(
        [picture_12, SHAPES_PALETTE[truth_12], SHAPES_PALETTE[after]],
        ("picture 12", "the truth", "what our network says"),
    ),
    "solved",
    "Picture 12, solved. In the truth the grey lines are void; a network has an answer "
    "for every pixel, so its picture has none.",
)

# %%
other_sizes = {
    "75 x 101": {"height": (75, 75), "width": (101, 101)},
    "twice as large": {"height": (96, 96), "width": (128, 128), "size": (48, 68)},
}
for name, size in other_sizes.items():
    other_x, other_labels = pictures(1000, 40, replace(SMALL, **size))
    other = measure(net, other_x, other_labels).mean_iu()
    print(f"{name:15} mean IU {other:.3f}")
    assert other > 0.97

# %% [markdown]
# ## The sick ward
#
# A run that fails rarely says why. It just has a bad number at the end. So here are six sick
# runs, with one thing wrong in each, and you are the doctor. All have the right network and the
# right pictures. Look at their losses *before* you look at their mean IU.
#
# **Break it.** Six times. Symptoms: one *sleeps*, two *explode* into numbers that are none
# (`nan`, "not a number", is what a computer answers to infinity minus infinity), one *jumps
# about*, one *drags*, and one looks quite healthy.


# %%
def patient(optimizer_of, steps=20, labels=labels, norm=True, **options):
    """A sick run: its losses and its mean IU."""
    net = SmallFCN(norm=norm)
    with np.errstate(all="ignore"):  # numbers that overflow are what we want to see
        losses = train(net, optimizer_of(net.parameters()), steps, labels, **options)
        return losses, measure(net, x_val, labels_val).mean_iu()


ward = {
    "A: Adam, rate 0.0001": patient(lambda w: Adam(w, lr=1e-4)),
    "B: SGD, rate 1": patient(lambda w: SGD(w, lr=1.0)),
    "C: Adam, rate 1": patient(lambda w: Adam(w, lr=1.0)),
    "D: summed loss": patient(
        lambda w: SGD(w, lr=0.01),
        6,
        norm=False,
        criterion=CrossEntropyLoss(reduction="sum"),
    ),
    "E: never forgets": patient(lambda w: Adam(w, lr=0.01), forget=False),
    "F: others' masks": patient(
        lambda w: Adam(w, lr=0.01), labels=np.roll(labels, -1, axis=0)
    ),
}
for name, (losses, iu) in ward.items():
    print(
        f"{name:21} mean IU {iu:.2f}, losses",
        " ".join(f"{loss:.3g}" for loss in losses[:4]),
    )
assert all(iu < 0.5 * ious[20] + 0.01 for _, iu in ward.values())  # all are far from well

# %% drawing
healthy = histories[20]
vis.show(
    vis.draw_lines(
        {name: {"sick": losses, "well": healthy} for name, (losses, _) in ward.items()},
        high=3,
        size=(4.5, 7.5),
        level=("ln 5", float(np.log(5))),
    ),
    "sick_ward",
    "Six sick runs beside a healthy one, which is dashed. A triangle at the upper edge: "
    "the loss is far above it. A cross: from here on it is nan.",
)

# %% [markdown]
# **A sleeps.** Its rate is a hundred times too small. The loss does fall, but it is still 1.5 when
# the healthy one is below 0.4. Symptom: a smooth line, almost level, close to the first loss.
# Cure: ten times the rate.
#
# **B explodes.** Its rate is too large. 1.6, 3.8, 1.7, 24, 3,500, and then `nan`, for ever: one
# nan spreads over everything that it touches. Cure: a tenth of the rate.
#
# **Predict.** A network whose weights are all nan is dead. What mean IU does it have?
#
# <details><summary>Answer</summary>
#
# Exactly the floor, 0.152. Of five scores that are all nan, `argmax` takes the first: class 0,
# background. A dead network is a perfectly lazy predictor. *So a mean IU at the floor has two
# causes: it never woke up, or it died. The loss tells them apart.*
#
# </details>

# %%
losses_a, iu_a = ward["A: Adam, rate 0.0001"]
losses_b, iu_b = ward["B: SGD, rate 1"]
print(f"A: last loss {losses_a[-1]:.2f}, mean IU {iu_a:.3f}")
print(f"B: last loss {losses_b[-1]:.2f}, mean IU {iu_b:.3f}")
assert abs(losses_a[-1] - 1.52) < 0.02
assert np.isnan(losses_b[-1])
assert iu_a == iu_b == floor

# %% [markdown]
# **C jumps about.** Adam with a rate of 1: every step moves every number by about 1, so nothing
# becomes infinite, but nothing settles either. Symptom: losses in the hundreds and thousands, up
# and down, and no nan.
#
# **D explodes at once.** Its loss is the *sum* over all pixels, not the mean. 8 pictures of 48 by
# 64 are about 21,000 labelled pixels, so all gradients are 21,000 times larger, with a rate that
# was made for the mean. (There is no batch norm in it, which would hide the disease for a while.)
# Symptom: the first loss is not ln 5 but 34,500.

# %%
losses_c, _ = ward["C: Adam, rate 1"]
losses_d, iu_d = ward["D: summed loss"]
pixels = losses_d[0] / np.log(5)
print(f"D: first loss {losses_d[0]:,.0f} = ln 5 · {pixels:,.0f} labelled pixels")
assert np.isfinite(losses_c).all()
assert max(losses_c) > 1000
assert abs(losses_d[0] - 34_533) < 1
assert abs(losses_d[1] - 2.7e7) < 0.02 * 2.7e7
assert np.isnan(losses_d[-1])
assert iu_d == floor

# %% [markdown]
# **E drags.** The line "forget" is missing, so every step goes along the sum of *all* gradients
# so far. It learns, but half as well: the worst kind of illness, for nobody calls a doctor.
# Symptom: it starts exactly like the healthy one, for two losses, and then falls behind.
#
# **F looks healthy.** Every picture has the mask of the *next* picture. The loss falls, from 1.61
# to about 0.74, and stays there. Symptom: a fine curve, and a mean IU at the floor. What did it
# learn? What can be known about a mask without seeing its picture: mostly background, and in the
# middle a little of everything. Cure: draw a picture with its mask, and look. Always.

# %%
losses_e, iu_e = ward["E: never forgets"]
losses_f, iu_f = ward["F: others' masks"]
print(f"E: mean IU {iu_e:.2f}; the healthy run of this length has {ious[20]:.2f}")
print(f"F: last loss {losses_f[-1]:.2f}, mean IU {iu_f:.3f}")
assert np.allclose(losses_e[:2], EXPECTED[:2], rtol=1e-3)  # nothing to see at first
assert abs(losses_e[3] - EXPECTED[3]) > 0.05  # and then there is
assert abs(iu_e - 0.32) < 0.02
assert losses_f[-1] < 0.5 * np.log(5)  # a fine curve
assert iu_f < floor + 0.01

# %% [markdown]
# ## The shock
#
# The network has a mean IU of 0.986 on pictures that it has never seen. Surely it knows what a
# star is?
#
# Print picture 12 in grey. You still see a star, a square and a triangle.
#
# **Predict.** What is the mean IU of the network on the 40 validation pictures in grey?
#
# <details><summary>Answer</summary>
#
# 0.152: the floor, to the third digit. It sees nothing at all.
#
# </details>


# %%
def grey(x):
    """Pictures (N, 3, H, W) without colour: red, green and blue are all their mean."""
    return np.repeat(x.mean(axis=1, keepdims=True), 3, axis=1)


grey_12 = grey(scaled(picture_12[None]))
answer_grey = predict(net, grey_12)[0]
in_grey = measure(net, grey(x_val), labels_val).mean_iu()
print(f"mean IU in colour {best.mean_iu():.3f}, in grey {in_grey:.3f}, floor {floor:.3f}")
assert abs(in_grey - floor) < 0.001
assert (answer_grey == 0).mean() > 0.99

# %% drawing
photo = np.round((grey_12[0].transpose(1, 2, 0) + 1) * 128).clip(0, 255).astype(np.uint8)
vis.show(
    vis.draw_pictures(
        [photo, SHAPES_PALETTE[truth_12], SHAPES_PALETTE[answer_grey]],
        ("picture 12 in grey", "the truth", "what our network says"),
    ),
    "shock",
    "The same picture in grey. The shapes are still there; the network sees nothing.",
)

# %% [markdown]
# It has never looked at a shape. In our pictures circles are red or orange, squares yellow to
# green, triangles greenish blue, stars blue to violet: each class has colours of its own. Colour
# is the easiest way to tell them apart, and training takes the easiest way. Nobody had told it
# that we meant the *shape*. Three more experiments, to be sure.

# %%
exchanged = measure(net, x_val[:, ::-1].copy(), labels_val)  # red is blue and blue is red
any_hue = replace(SMALL, hue_overlap=1.0)  # any colour for any class
x_any, labels_any = pictures(1000, 40, any_hue)
any_colour = measure(net, x_any, labels_any).mean_iu()
print(f"red and blue exchanged: {exchanged.mean_iu():.3f}, of which background", end=" ")
print(f"{exchanged.per_class_iu()[0]:.2f} and circle {exchanged.per_class_iu()[1]:.2f}")
print(f"colours drawn at random: {any_colour:.3f}")
assert abs(exchanged.mean_iu() - 0.24) < 0.02
assert exchanged.per_class_iu()[0] > 0.95  # it knows where something is, but not what
assert exchanged.per_class_iu()[1:].max() < 0.15
assert abs(any_colour - 0.313) < 0.02

# %% [markdown]
# And if it learns from pictures in which colour says nothing? Then it has to look at shapes, and
# that is *much* harder: after as many steps as the other needed for 0.93, it has 0.28.

# %%
coloured_x, coloured_labels = x, labels
x, any_labels = pictures(0, 200, any_hue)
harder, _ = trained(40, any_labels)
hard = measure(harder, x_any, labels_any).mean_iu()
x = coloured_x
print(f"40 steps: {ious[40]:.2f} where colour tells, {hard:.2f} where only the shape does")
assert abs(hard - 0.284) < 0.02

# %% [markdown]
# **Remember this.** A high mean IU says: on pictures *like these* its answers are right. It does
# not say why. Whoever wants to know must change the pictures and look: in grey, turned, darker,
# in the rain.
#
# **So much for:** "A high mean IU means that it has understood."
#
# ## To think about
#
# All predictions of a network that is trained with masks of the next picture: which loss would
# the best possible network have? Is it 0?
#
# <details><summary>Answer</summary>
#
# No. It cannot know the mask, so the best it can do is to say, for every pixel, how *often* each
# class is there. The loss is then what is uncertain about a pixel if nobody has seen the picture
# (its entropy); it cannot be below that. Taken over the 200 masks, without looking at places, it
# is 0.85; our patient F has 0.74 in its last batch, for it also knows places: the corners are
# almost always background.
#
# </details>

# %%
shares = np.bincount(labels[labels != VOID], minlength=5) / (labels != VOID).sum()
entropy = -(shares * np.log(shares)).sum()
print(f"a loss of {entropy:.2f}, without looking at anything")
assert abs(entropy - 0.89) < 0.02
corner = labels[:, :4, :4]
assert (corner[corner != VOID] == 0).mean() > 0.9

# %% [markdown]
# SGD without momentum on w²/2: which rates lead to 0, and which is the fastest?
#
# <details><summary>Answer</summary>
#
# Each step multiplies w by 1 − rate. So it comes to 0 if |1 − rate| < 1, that is for rates
# between 0 and 2, and at once with rate 1. At 2 it swings between 4 and −4 for ever.
#
# </details>

# %%
assert np.allclose(walk(lambda w: SGD(w, lr=2.0), 4), [4, -4, 4, -4, 4])
assert abs(walk(lambda w: SGD(w, lr=1.9), 50)[-1]) < 0.1

# %% [markdown]
# ReLU, pooling and deconvolution slide over any picture. Is there anything in the network that
# would *not* work if a validation picture had only one pixel?
#
# <details><summary>Answer</summary>
#
# No. Poolings round up, so one pixel stays one pixel, and what a deconvolution makes too large is
# cropped. The answer is one score for each class.
#
# </details>

# %%
assert net.eval()(x_val[:1, :, :1, :1]).shape == (1, 5, 1, 1)
assert relu(np.array([-1.0, 2.0]))[0].tolist() == [0, 2]

# %% [markdown]
# ## Exercises
#
# Write the functions into your file and have it looked at:
#
#     minifcn lesson check 13 mine.py
#
# w, g, v and m are arrays of one shape, whatever it is; do not change them, return new ones.
#
# **Warm-up.** `first_loss(classes)`: the loss of a network that gives each class the same score.
#
# **Main.** `poly(i, n, power)`: the factor on the rate at step i (from 0) of n steps.
#
# **Main.** `sgd_step(w, g, v, rate, momentum, decay)`: one step of SGD; returns (w, v), the new
# weights and the new velocity. There is one thing more than above: the **decay** pulls weights
# towards 0. What goes into the velocity is not g but g + decay·w.
#
# **Stretch.** `adam_step(w, g, m, v, t, rate)`: step t (from 1) of Adam with 0.9, 0.999 and
# ε = 1e-8; returns (w, m, v).
#
# And then the certificate. If you have done the exercises of the lessons before this one, your
# `mine.py` holds a whole network. Train it:
#
#     minifcn lesson capstone mine.py
#
# Your functions take the library's places, one by one, each is checked and timed, and a small FCN
# is trained with all that are right.

# %% [markdown]
# ## On one page

# %% drawing
vis.show(
    vis.draw_lines(
        {
            "sleeps: larger rate": {
                "loss": ward["A: Adam, rate 0.0001"][0],
                "well": healthy,
            },
            "explodes: smaller rate": {"loss": ward["B: SGD, rate 1"][0], "well": healthy},
            "healthy, and learns nonsense": {
                "loss": ward["F: others' masks"][0],
                "well": healthy,
            },
        },
        high=3,
        size=(4.5, 7.5),
        level=("ln 5", float(np.log(5))),
    ),
    "one_page",
    "Three curves to know by heart, each beside a healthy one: asleep, exploded (the "
    "cross), and fine to look at, with the wrong masks.",
)
assert len(healthy) == 20

# %% [markdown]
#     loss = criterion(net(x), labels); zero_grad(); backward(); step()
#     first loss = ln(number of classes)
#     SGD:   v = momentum·v + g + decay·w       w = w − rate·v
#     Adam:  m, v = averages of g and of g·g    w = w − rate·m/(√v + ε), both corrected
#     poly:  rate · (1 − step/steps)^0.9
#
# Before the long run: look at the first loss, learn one picture by heart, compare the first
# losses with those of a right run. A mean IU at the floor means asleep, dead, or the wrong
# masks, and the loss tells which. A high mean IU means that the answers are right on pictures
# like these, and not that the network knows what we know.
#
# **What you now own:** `first_loss`, `poly`, `sgd_step` and `adam_step` in your `mine.py`.
