# %% [markdown]
# # 05 · A check that can fail
#
# A detective story in four acts. In each act a check says "the gradient is right", and it is not, or "wrong", and it is
# right. Who lied? The step, the number format, the dy, the corner. In the end you write a check of your own, and we try it on
# ten forged gradients. At the end you know
#
# - how small a nudge should be, and why smaller is not better,
# - why a test with a dy of all ones is blind, and what a random dy sees,
# - how to check four hundred numbers with two runs of the forward,
# - what a measurement says at a corner, and who is right there,
# - and why "it trains" proves nothing.
#
# You need lesson 04: dy, dx, and measuring a gradient by nudging. Some layers turn up that have lessons of their own later;
# all that you need of them is said here.

# %%
import inspect

import numpy as np

import minifcn
from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.course import forgeries
from minifcn.course.exercises.lesson_05 import numeric_gradient, passes, relative_error
from minifcn.course.forgeries import FORGED, REAL, SHAPE
from minifcn.course.small_fcn import SmallFCN, measure, pictures, train
from minifcn.data.shapes import ShapesOptions, draw
from minifcn.layers import MaxPool2d
from minifcn.training import Adam
from minifcn.visualize import style

# %% [markdown]
# (`numeric_gradient`, `relative_error` and `passes` are borrowed from the library's answers. You write your own in the
# exercises.)
#
# ## One of these is forged
#
# Picture 12 of lesson 01 goes through a convolution that answers to edges, and two backwards send a gradient back to it: the
# library's, and a forged one that reads dy from its end. We try them on two different dy.

# %% drawing
options = ShapesOptions(height=(90, 90), width=(120, 120), objects=(3, 3), size=(40, 55))
image, _ = draw(options, 12)
brightness = image.mean(axis=2)[None, None] / 255  # (1, 1, 90, 120)
edge = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
answer, cache = F.conv2d(brightness, edge)


def pixels(values):
    """Numbers (H, W) as colours: orange above zero, blue below, white at zero."""
    strength = np.clip(np.abs(values) / np.abs(values).max(), 0, 1)[..., None]
    below = (values < 0)[..., None]
    return (255 - strength * np.where(below, [255, 141, 77], [0, 90, 255])).astype(np.uint8)


board = vis.Board(10.2, 16.8, cell=0.3)
board.picture(image, 0.8, 0, 4, "picture 12")
for row, (name, some_dy) in enumerate((("dy = y", answer), ("dy = 1", 0 * answer + 1))):
    for column, used in enumerate((some_dy, some_dy[..., ::-1, ::-1])):
        gradient = F.conv2d_backward(used, cache)[0][0, 0]
        title = f"{name}, {('library', 'forged')[column]}"
        board.picture(pixels(gradient), 0.8 + 5.3 * row, 5.7 * (column + 1), 4, title)
vis.show(
    board.figure,
    "picture_12",
    "Picture 12 and four gradients of it. With dy = y the forged one stands on its head. "
    "With dy = 1 everywhere the two are the same: blue at the left rim, orange at the "
    "right one, white inside.",
)
real, forged = (F.conv2d_backward(d, cache)[0] for d in (answer, answer[..., ::-1, ::-1]))
assert np.abs(real - forged).max() > 1
ones = np.ones_like(answer)
real, forged = (F.conv2d_backward(d, cache)[0] for d in (ones, ones[..., ::-1, ::-1]))
assert np.array_equal(real, forged)

# %% [markdown]
# So there are questions to which a liar and an honest witness give the same answer. This lesson is about asking the others.
#
# ## Act one: the step
#
# A **slope** says how fast f(x) changes with x. Measuring it means nudging x by a small step h. There are two ways:
#
#     one-sided    (f(x + h) − f(x)) / h
#     both sides   (f(x + h) − f(x − h)) / (2·h)
#
# Take a function whose slope is known from school, sin, at x = 1. Its slope there is cos(1).

# %% [markdown]
# **Predict.** Both ways are only exact for an infinitely small h. With which of h = 0.01, 0.00001 and 0.0000000001 will you
# come closest to cos(1)?
#
# <details><summary>Answer</summary>
#
# With the one in the middle, on both sides: it is wrong in the 11th digit. The smallest step, a hundred thousand times
# smaller, is wrong in the 8th.
#
# </details>

# %%
truth = np.cos(1.0)
print("h        one-sided   both sides")
errors = {}
for h in (1e-2, 1e-5, 1e-8, 1e-9, 1e-10):
    one_sided = (np.sin(1 + h) - np.sin(1)) / h
    both_sides = (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)
    errors[h] = abs(one_sided - truth), abs(both_sides - truth)
    print(f"{h:.0e}  {errors[h][0]:10.0e}  {errors[h][1]:10.0e}")
assert np.isclose(errors[1e-2][1], 9e-6, rtol=0.02)
assert errors[1e-5][1] < 2e-11
assert errors[1e-8][0] == min(one for one, _ in errors.values()) > 1e-9
assert errors[1e-10][1] > 1000 * errors[1e-5][1]

# %% [markdown]
# Two errors pull in opposite directions.
#
# - **The curve.** Between x − h and x + h the function bends. One-sided, this error shrinks with h; on both sides most of it
#   cancels, and it shrinks with h·h.
# - **Rounding.** A computer keeps about 16 digits of each number. f(x + h) and f(x − h) agree in nearly all of them, so their
#   difference consists of the last few digits, those that are rounded. Then it is divided by a tiny h, which blows up the
#   rounding error: it *grows* as h shrinks.

# %% drawing
steps = 10.0 ** -np.linspace(1, 12, 89)
curves = []
for dtype, name in ((np.float64, "float64"), (np.float32, "float32")):
    one, h = dtype(1), steps.astype(dtype)
    above, here, below = np.sin(one + h), np.sin(one), np.sin(one - h)
    slopes = (
        ((above - here) / h, f"{name}, one-sided"),
        ((above - below) / (2 * h), f"{name}, both sides"),
    )
    for slope, label in slopes:
        curves.append((label, np.abs(slope.astype(float) - truth)))
with style.look():
    figure = style.figure(7.4, 4.2)
    axes = figure.add_subplot()
    for i, (label, error) in enumerate(curves):
        line = {
            "color": style.COLOURS[i],
            "linestyle": style.DASHES[i],
            "marker": style.MARKERS[i],
        }
        axes.loglog(steps, np.maximum(error, 1e-16), label=label, markevery=8, **line)
    axes.set_ylim(1e-13, 10)
    axes.set_xlabel("h")
    axes.set_title("error of the measured slope")
    axes.legend(loc="lower right")
vis.show(
    figure,
    "the_v",
    "The error of the slope against the step, both axes in powers of ten. To the right "
    "of each V the curve is at fault, to the left rounding. The deepest V is that of "
    "float64 on both sides, near h = 0.00001. The two lines of float32, green and pink, "
    "turn up early.",
)
by_label = dict(curves)
assert steps[by_label["float64, both sides"].argmin()] < 1e-4
assert np.median(by_label["float64, both sides"]) < np.median(
    by_label["float64, one-sided"]
)

# %% [markdown]
# So: **both sides, h about 0.00001.** The first liar was the step.
#
# ## Act two: the number format
#
# The green and the pink line of the picture are in **float32**, the format in which networks usually compute. It keeps 7
# digits, not 16. The difference of two nearly equal numbers has next to nothing left.
#
# **Break it.** Measure in float32. The symptom: *a right gradient looks wrong*, with the h of act one in the 3rd digit, with
# the best h in the 5th. People then raise the tolerance until the check passes, and from then on everything passes.

# %%
one = np.float32(1)
errors32 = {}
for power in range(1, 9):
    h = np.float32(10.0**-power)
    slope = (np.sin(one + h) - np.sin(one - h)) / (2 * h)
    errors32[power] = abs(float(slope) - truth)
    print(f"h = 1e-{power}: error {errors32[power]:.0e}")
assert min(errors32.values()) > 0.9e-5  # no power of ten does better
assert np.isclose(errors32[5], 9e-4, rtol=0.05)
assert np.isclose(errors32[6], 4e-3, rtol=0.05)

# %% [markdown]
# So: *check in float64*, even if you train in float32. The formulas are the same, and a wrong formula is wrong in both.
#
# ## Act three: a dy of all ones
#
# To check a backward we need a dy, and the easiest dy is 1 everywhere: then "the loss" is simply the sum of y. Many tests do
# just that. Take a convolution as in lesson 04, and four backwards: the library's; one that flips dy; one that flips the
# kernel; and one that flips both.

# %%
x = np.array([[1.0, 2, 0, 1], [0, 1, 3, 2], [2, 1, 1, 0]])[None, None]
weight = np.array([[2.0, -1], [1, 3]])[None, None]
flipped = weight[..., ::-1, ::-1]
ones, random_dy = np.ones((1, 1, 2, 3)), np.array([[1.0, -2, 3], [0, 2, -1]])[None, None]


def gradients(dy):
    """dx by the library, with dy, with the kernel, with both flipped: four (3, 4)."""
    return [
        F.conv2d_backward(d, F.conv2d(x, w)[1])[0][0, 0]
        for w, d in [(w, d) for w in (weight, flipped) for d in (dy, dy[..., ::-1, ::-1])]
    ]


# %% drawing
board = vis.Board(5, 20)
for place, table in enumerate(gradients(ones)):
    board.grid(table, 1.2, 5.2 * place, title="ABCD"[place], scale=5)
vis.show(
    board.figure,
    "which_is_right",
    "Four dx for a dy of all ones. One is the library's, one flipped dy, one flipped the "
    "kernel, one flipped both.",
)

# %% [markdown]
# **Predict.** Which of these four pictures is the library's dx?
#
# <details><summary>Answer</summary>
#
# A. But you could not know: B is the same picture. All ones, flipped, are still all ones. So the check "dy = 1" passes a
# backward that flips dy, with a difference of exactly 0. It does see a flipped kernel (C and D).
#
# </details>

# %%
library, flipped_dy, flipped_kernel, _ = gradients(ones)
print("dy = 1:      dy flipped", np.abs(library - flipped_dy).max(), end="")
print("   kernel flipped", np.abs(library - flipped_kernel).max())
assert np.array_equal(library, flipped_dy)
assert np.abs(library - flipped_kernel).max() == 3
library, flipped_dy, flipped_kernel, _ = gradients(random_dy)
print("dy at random: dy flipped", np.abs(library - flipped_dy).max(), end="")
print("  kernel flipped", np.abs(library - flipped_kernel).max())
assert np.abs(library - flipped_dy).max() == 17
assert np.abs(library - flipped_kernel).max() == 6

# %% drawing
board = vis.Board(5, 15)
titles = ("library", "dy flipped", "kernel flipped")
for place, table in enumerate(gradients(random_dy)[:3]):
    board.grid(table, 1.2, 5.2 * place, title=titles[place])
vis.show(
    board.figure,
    "random_dy",
    "The same, for a dy with six different numbers in it: now no two of the gradients are "
    "alike.",
)

# %% [markdown]
# It can be worse. A **batch norm** (lesson 07) makes every channel have mean 0 and spread 1: it subtracts the channel's mean
# and divides by its spread. All that matters here: *the sum of its y is always 0*, whatever x is.

# %% [markdown]
# **Predict.** With dy = 1 the loss is the sum of y. What is dx?
#
# <details><summary>Answer</summary>
#
# 0 everywhere. The sum of y is 0 and stays 0, so the loss does not depend on x at all. Up to rounding, that is what the
# library says. A backward that *always* returns 0, without computing anything, passes this check.
#
# </details>

# %%
rng = np.random.default_rng(5)
x = rng.normal(size=SHAPE)  # (2, 2, 5, 20)
normalise, normalise_backward = REAL[1]
dx_ones = normalise_backward(np.ones(SHAPE), x)
dx_random = normalise_backward(rng.normal(size=SHAPE), x)
print(f"sum of y: {normalise(x).sum():.0e}")
print(f"largest number in dx: {np.abs(dx_ones).max():.0e} for dy = 1", end="")
print(f", {np.abs(dx_random).max():.1f} for a random dy")
assert np.abs(dx_ones).max() < 1e-14
assert np.abs(dx_random).max() > 1

# %% [markdown]
# So: **draw dy at random.** A wrong backward that is right for a random dy would have to be very lucky.
#
# (And draw it *afresh*. If x comes from `default_rng(0)` and dy from `default_rng(0)` as well, dy is x. For a batch norm this
# is once more a blind spot: its dx is 0 for dy = x.)

# %%
same_numbers = np.random.default_rng(0).normal(size=SHAPE)
again = np.random.default_rng(0).normal(size=SHAPE)
assert np.array_equal(same_numbers, again)
assert np.abs(normalise_backward(again, same_numbers)).max() < 1e-10

# %% [markdown]
# ## Four hundred numbers, two runs
#
# x has 400 numbers here. Nudging each of them costs 800 runs of the forward; for the millions of a real layer nobody does
# that. A popular way out is to nudge a few, picked at random.
#
# **Break it.** Our first forger copies the library's dx and halves *one* of the 400 numbers. Nudge one number, picked at
# random. The symptom: *the check passes 399 times of 400*.

# %%
convolve, convolve_backward = REAL[0]
one_wrong = forgeries.one_element_wrong
dy = rng.normal(size=convolve(x).shape)
wrong = convolve_backward(dy, x) != one_wrong(dy, x)
print("wrong numbers:", wrong.sum(), "of", wrong.size)
print("chance that one probe misses it:", 1 - wrong.mean())
assert wrong.sum() == 1
assert 1 - wrong.mean() == 399 / 400

# %% [markdown]
# Better: nudge *all* numbers at once, each by its own random amount. Draw a random array v of x's shape, a **direction**, and
# move x along it:
#
#     measured = sum((f(x + h·v) − f(x − h·v)) · dy) / (2·h)
#
# What should this be, if dx is right? x[i] moves by v[i] for each unit of h, and the loss follows each x[i] with dx[i]. The
# chain rule adds up over all ways:
#
#     told = sum(dx · v)
#
# Two runs of the forward, one number to compare, and every number of dx has its say in it.

# %%
v = rng.normal(size=x.shape)
h = 1e-5
measured = ((convolve(x + h * v) - convolve(x - h * v)) * dy).sum() / (2 * h)
told = (convolve_backward(dy, x) * v).sum()
told_by_forger = (one_wrong(dy, x) * v).sum()
print(f"measured  {measured:.8f}\nlibrary   {told:.8f}\nforged    {told_by_forger:.8f}")
assert abs(told - measured) < 1e-6
assert abs(told_by_forger - measured) > 1e-2

# %% [markdown]
# ## How much is a difference of 0.001?
#
# Much, if the gradients are about 0.001 large. And they are: a loss is usually a *mean* over all pixels, so for one
# photograph of 375 by 500 each dy is about 1 / 187,500.
#
# **Break it.** Compare with a fixed tolerance of 0.001. The symptom: *minus the gradient passes.* (Zero passes, too, and so
# does anything else that is small.)

# %%
small_dy = dy / 187_500
small_dx = convolve_backward(small_dy, x)
print(f"largest number in dx: {np.abs(small_dx).max():.0e}")
print(f"largest difference from minus dx: {np.abs(small_dx - -small_dx).max():.0e}")
print("relative error of minus dx:", relative_error(-small_dx, small_dx))
assert np.abs(small_dx - -small_dx).max() < 1e-3
assert relative_error(-small_dx, small_dx) == 2
assert relative_error(np.zeros(3), np.zeros(3)) == 0

# %% [markdown]
# So: *compare relatively*, the largest difference in units of the largest number. Only the case that all numbers are 0
# needs a word of its own, because 0/0 is no number. In float64, on both sides, a right gradient agrees to 0.00000001 or so;
# 0.000001 is a tolerance that nothing wrong comes near.
#
# ## Act four: the corner
#
# Now a check that says "wrong" although the gradient is right. ReLU is the layer y = max(x, 0) (lesson 06): flat below 0,
# rising above, with a corner at 0. Its slope at x = 0.0000001, just right of the corner, is 1.

# %% [markdown]
# **Predict.** Measure it there on both sides, with h = 0.00001. What will you get: 1, 0 or something else?
#
# <details><summary>Answer</summary>
#
# 0.505. The left measuring point lies on the flat side, beyond the corner. The measurement is the slope of the straight line
# through both points, and that line cuts the corner.
#
# </details>

# %%
near, h = 1e-7, 1e-5
measured = (max(near + h, 0) - max(near - h, 0)) / (2 * h)
print("measured:", measured, "  true slope: 1")
assert np.isclose(measured, 0.505)

# %% drawing
with style.look():
    figure = style.figure(6.4, 3.2)
    axes = figure.add_subplot()
    at = np.linspace(-2, 2, 201)
    axes.plot(at, np.maximum(at, 0), color=style.BLUE, label="max(x, 0)")
    ends = np.array([near - h, near + h]) * 1e5
    line = {"color": style.INK, "linestyle": "--", "marker": "o", "markersize": 7}
    axes.plot(ends, np.maximum(ends, 0), label="what is measured, slope 0.505", **line)
    axes.set_xlabel("x, in units of 0.00001")
    axes.legend(loc="upper left")
vis.show(
    figure,
    "corner",
    "ReLU's corner through a magnifying glass (blue). The two measuring points, black, lie "
    "on either side of it, and the dashed line through them has neither slope.",
)

# %% [markdown]
# Max-pooling (the largest number of each window, lesson 06) has such corners where two numbers are equal. In the window [[2,
# 2], [1, 0]] the first 2 wins and gets all of the gradient. Nudge it, and the loss rises; push it *down*, and nothing
# happens, for the second 2 takes over. On both sides together that is one half.

# %%
window = np.array([[2.0, 2], [1, 0]])[None, None]
_, cache = F.max_pool2d(window, 2)
told = F.max_pool2d_backward(np.ones((1, 1, 1, 1)), cache)[0, 0]
measured = numeric_gradient(lambda x: F.max_pool2d(x, 2)[0].sum(), window, 1e-5)[0, 0]
print("backward:\n", told, "\nmeasured:\n", measured.round(6))
assert told.tolist() == [[1, 0], [0, 0]]
assert np.allclose(measured, [[0.5, 0.5], [0, 0]])

# %% [markdown]
# Nobody lied. At a corner there is no slope; the library picks one side's and the measurement the mean of both. So: **stay
# away from corners.** Random numbers rarely meet one. And the library's own check measures each side by itself, and says
# where it found a corner (a *kink*, in its words), instead of "wrong":

# %%
report = minifcn.gradcheck(F.max_pool2d, window, kernel_size=2)
print(report)
assert report.passed
assert "kink" in str(report)

# %% [markdown]
# ## The line-up
#
# Ten forged backwards, all in the library's file `minifcn/course/forgeries.py`. Here are three of them.

# %%
for forger in (
    forgeries.nothing_comes_back,
    forgeries.dy_flipped,
    forgeries.cut_off_at_one_side,
):
    print(inspect.getsource(forger))
assert len(FORGED) == 10

# %% [markdown]
# And four checks, each as you can find it in somebody's tests:


# %%
def with_ones(forward, backward, x):
    """dy = 1, every number of x nudged; `np.allclose` with its default tolerances."""
    dy = np.ones_like(forward(x))
    measured = numeric_gradient(lambda x: (forward(x) * dy).sum(), x, 1e-5)
    return np.allclose(backward(dy, x), measured)


def one_number(forward, backward, x):
    """A random dy, one number of x nudged."""
    rng = np.random.default_rng(7)
    dy, place = rng.normal(size=forward(x).shape), tuple(rng.integers(x.shape))
    step = np.zeros(x.shape)
    step[place] = 1e-5
    measured = ((forward(x + step) - forward(x - step)) * dy).sum() / 2e-5
    return bool(np.isclose(backward(dy, x)[place], measured, rtol=1e-6))


def fixed_tolerance(forward, backward, x):
    """A random dy of a mean over a photograph; 0.001 is good enough."""
    dy = np.random.default_rng(7).normal(size=forward(x).shape) / 187_500
    measured = numeric_gradient(lambda x: (forward(x) * dy).sum(), x, 1e-5)
    return np.abs(backward(dy, x) - measured).max() < 1e-3


def ours(forward, backward, x):
    """A random dy and a random direction, compared relatively."""
    return passes(forward, backward, x, seed=5)


# %% [markdown]
# **Predict.** Each check looks at all ten. How many does each of them let go?
#
# <details><summary>Answer</summary>
#
# All ones: two, the two of act three. One number: two, the single wrong element, and the forgotten mask of ReLU, which it
# happened to probe where the mask is open. The fixed tolerance: all ten. Ours: none. And all four checks pass the three
# real ones, so no check was simply strict.
#
# </details>

# %%
checks = (with_ones, one_number, fixed_tolerance, ours)
let_go = np.array([[check(*pair, x) for check in checks] for pair in FORGED])  # (10, 4)
for check, count in zip(checks, let_go.sum(axis=0).tolist(), strict=True):
    print(f"{check.__name__:16} lets {count:2} of 10 go")
assert let_go.sum(axis=0).tolist() == [2, 2, 10, 0]
assert all(check(*pair, x) for check in checks for pair in REAL)

# %% drawing
board = vis.Board(11.2, 22.5)
titles = ("all ones", "one number", "fixed tolerance", "ours")
for column, title in enumerate(titles):
    board.write(title, 0.5, 8.3 + 4 * column, size=0.42, weight="bold")
for row, (_, forger) in enumerate(FORGED):
    board.write(forger.__name__.replace("_", " "), 1.55 + row, 0, align="left", size=0.42)
    for column in range(4):
        passed = let_go[row, column]
        fill, ink = ("#b5302a", style.PAPER) if passed else ("#a8dfc0", style.INK)
        words, weight_ = ("let go", "bold") if passed else ("caught", "normal")
        at = 6.5 + 4 * column
        board.frame(1.1 + row, at, 0.9, 3.7, style.RULE, width_points=0.8, fill=fill)
        board.write(words, 1.55 + row, at + 1.85, size=0.4, colour=ink, weight=weight_)
vis.show(
    board.figure,
    "line_up",
    "The line-up: ten forged backwards and four checks. Red and in bold: let go. Green: "
    "caught.",
)

# %% [markdown]
# ## A wrong formula that no check can find
#
# Lesson 04 does a convolution with matrices: `columns` holds one window in each column, the kernel is one `row`, and then
# `drow = dy @ columns.T`. For a picture of 3 by 3 and a kernel of 2 by 2, `columns` is 4 by 4, so somebody who forgets the
# `.T` gets no error. And no wrong number either! Not for any picture, any kernel, any dy: all checks of this lesson pass. The
# shape is to blame: for it, and for all like it, columns equals its own transpose.


# %%
def windows_as_columns(x, KH, KW):
    """im2col of one picture (H, W), stride 1: (KH·KW, number of windows)."""
    H, W = x.shape
    places = [(oh, ow) for oh in range(H - KH + 1) for ow in range(W - KW + 1)]
    return np.array([x[oh : oh + KH, ow : ow + KW].ravel() for oh, ow in places]).T


square = windows_as_columns(rng.normal(size=(3, 3)), 2, 2)
print("3 x 3, kernel 2 x 2: equal to its transpose?", np.array_equal(square, square.T))
assert square.shape == (4, 4)
assert np.array_equal(square, square.T)

# %% [markdown]
# Change the shape. With a picture of 4 by 4 and a kernel of 2 by 3 there are 6 windows of 6 numbers: `columns` is square, the
# forgotten `.T` still raises no error, but now it counts. Measure dweight in this shape, and the forger is caught at once.

# %%
picture, kernel = rng.normal(size=(4, 4)), rng.normal(size=(1, 6))
columns, dy6 = windows_as_columns(picture, 2, 3), rng.normal(size=(1, 6))
measured = numeric_gradient(lambda row: (row @ columns * dy6).sum(), kernel, 1e-5)
print(f"error with .T    {relative_error(dy6 @ columns.T, measured):.0e}")
print(f"error without .T {relative_error(dy6 @ columns, measured):.1f}")
assert columns.shape == (6, 6)
assert relative_error(dy6 @ columns.T, measured) < 1e-8
assert relative_error(dy6 @ columns, measured) > 0.1

# %% [markdown]
# So: **no special shapes.** Height other than width, a kernel that is not square, input channels other than output channels,
# more than one picture, a stride that leaves something over.
#
# ## The library's check
#
# `minifcn.gradcheck` does all this: float64, both sides, two step sizes, a random dy, random directions, corners. Where
# something disagrees it measures number by number, and says what the wrong gradient looks like. (On the command line,
# `minifcn gradcheck` checks every layer of the library; where PyTorch is installed, against PyTorch, too.)

# %%
for forger in (forgeries.divided_by_the_batch, forgeries.cut_off_at_one_side):
    report = minifcn.gradcheck(lambda x: (convolve(x), x), x, backward=forger)
    assert not report.passed
    assert report.rows[0].words
    print(f"{forger.__name__}: {report.rows[0].verdict}\n    {report.rows[0].words[0]}")
assert minifcn.gradcheck(lambda x: (convolve(x), x), x, backward=convolve_backward).passed

# %% [markdown]
# ## "It trains, so the gradient is right"
#
# The most popular check of all. Let us see what it is worth. We take the small network that lesson 13 builds: it finds
# circles, squares, triangles and stars in pictures, and has three max-poolings. In a copy of it, their backward is forged: it
# sends every gradient to the *top left* corner of its window, whoever won. About three of four gradients go to the wrong
# place, in each of the three layers. (How a network is trained is a story for lesson 13; here it is one call.)


# %%
class CornerPool(MaxPool2d):
    """Max-pooling with a wrong backward: all goes to the top left of the window."""

    def backward(self, dy):
        switches, windows = self._pop()
        return F.max_pool2d_backward(dy, (np.zeros_like(switches), windows))


def trained(pool):
    """The mean IU on 40 unseen pictures of a network with such poolings, after 80 steps."""
    net = SmallFCN(seed=0)
    for k in (1, 2, 3):
        setattr(net, f"pool{k}", pool(2, ceil_mode=True))
    optimizer = Adam(net.parameters(), lr=1e-2)
    train(
        net, *pictures(0, 200), optimizer, 80, schedule=lambda step: (1 - step / 80) ** 0.9
    )
    return measure(net, *pictures(1000, 40)).mean_iu()


# %% [markdown]
# **Predict.** The right network reaches a mean IU of 0.977. (1 is perfect; the lazy predictor of lesson 01 gets 0.15 here.)
# And the forged one?
#
# <details><summary>Answer</summary>
#
# 0.974. You would not even look twice.
#
# </details>

# %%
right, corner = trained(MaxPool2d), trained(CornerPool)
print(f"mean IU with the right backward {right:.3f}, with the forged one {corner:.3f}")
assert abs(right - 0.977) < 0.01
assert abs(corner - 0.974) < 0.01

# %% [markdown]
# A wrong gradient that points *roughly* downhill still goes down. Training forgives a great deal, and punishes it later: on
# harder data, with more layers, at a higher rate, when nobody suspects the pooling any more. The check needs a thousandth of
# a second.

# %%
layer = CornerPool(2, ceil_mode=True)
report = minifcn.gradcheck(layer, rng.normal(size=(2, 3, 5, 6)))
print(report)
assert not report.passed

# %% [markdown]
# **So much for:** "It trains, so the gradient is right."
#
# ## To think about
#
# A gradient check passes. Is the layer right?
#
# <details><summary>Answer</summary>
#
# No. It says that backward fits forward, and nothing about whether forward does what it should. A convolution that flips its
# kernel in both passes every check of this lesson. For the forward you need another witness: numbers done by hand (lesson
# 02), a slow and plain version, or another library.
#
# </details>


# %%
def mirrored(x):
    """A wrong convolution: its kernel is turned."""
    return F.conv2d(x, np.arange(18.0).reshape(1, 2, 3, 3)[..., ::-1, ::-1])


assert minifcn.gradcheck(
    mirrored, x, backward=lambda dy, cache: F.conv2d_backward(dy, cache)[0]
)

# %% [markdown]
# *Dropout* is a layer that sets random numbers to 0, others at each call. What happens if you check its gradient?
#
# <details><summary>Answer</summary>
#
# f(x + h) and f(x − h) are then two different functions, and their difference has nothing to do with a slope. A check needs a
# forward that repeats itself: give it the same random numbers each time. The library's check notices, and says so.
#
# </details>

# %%
try:
    minifcn.gradcheck(
        lambda x: (x * (rng.random(x.shape) < 0.5), x), x, backward=lambda dy, x: dy
    )
    refused = ""
except ValueError as error:
    refused = str(error)
print(refused)
assert "another output each time" in refused

# %% [markdown]
# A direction is one number for 400. Could a wrong dx not pass by accident?
#
# <details><summary>Answer</summary>
#
# If dx is off by e, the check is off by sum(e · v), and that is 0 only if the random v happens to be at right angles to e. It
# is possible, as it is possible that a coin falls on its edge. Draw a second v, and it is impossible twice.
#
# </details>

# %%
e = convolve_backward(dy, x) - one_wrong(dy, x)
missed = [
    abs((e * np.random.default_rng(k).normal(size=e.shape)).sum()) < 1e-6
    for k in range(1000)
]
print("missed by", sum(missed), "of 1000 directions")
assert sum(missed) == 0

# %% [markdown]
# ## Exercises
#
# Write the functions into `mine.py` and have them looked at:
#
#     minifcn lesson check 5 mine.py
#
# **Warm-up, two lines.** `relative_error(mine, measured)`: the largest difference of two arrays, divided by the largest
# number (without sign) in either of them; 0 where both hold nothing but zeros.
#
# **Main.** `numeric_gradient(f, x, h)`: the measured gradient of f, which takes an array and returns one number; on both
# sides, (f with it h larger − f with it h smaller) / (2·h), for each number of x. x may hold whole numbers; leave it as it
# was.
#
# **Main.** `passes(forward, backward, x, seed)`: your own check, True or False. y = forward(x) and dx = backward(dy, x) are
# functions, x is an array of float64. It is tried on seven real pairs, which it must accept, and on thirteen forged ones,
# which it must reject; the ten of the line-up are among them. Careful: x was drawn from `default_rng(seed)`.
#
# ## On one page

# %% drawing
caught = 10 - let_go.sum(axis=0)
board = vis.Board(5.1, 22)
board.write(
    "of ten forged backwards each check catches", 0.4, 0, align="left", weight="bold"
)
for row, (title, count) in enumerate(zip(titles, caught.tolist(), strict=True)):
    board.write(title, 1.5 + row, 0, align="left", size=0.42)
    board.frame(
        1.1 + row, 6, 0.8, 1.5 * count, style.GREEN, width_points=0, fill=style.GREEN
    )
    board.write(str(count), 1.5 + row, 6.5 + 1.5 * count, size=0.42)
vis.show(
    board.figure,
    "card",
    "Four checks, and how many of ten forged backwards each of them catches.",
)

# %% [markdown]
#     measured = sum((f(x + h·v) − f(x − h·v)) · dy) / (2·h)       float64, h about 0.00001
#     told     = sum(dx · v)
#     error    = |told − measured| / max(|told|, |measured|)       0 where both are 0
#
# A check compares what backward tells with what nudging measures. It can fail only if dy and the direction are random, the
# comparison is relative, and the shape is not special. It says that backward fits forward, and no more.
#
# **What you now own:** `relative_error`, `numeric_gradient` and `passes` in `mine.py`. From here on, no gradient needs to be
# believed, and your own least of all.
