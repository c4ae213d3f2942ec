"""Exercises of lesson 05: an error that means something, numeric gradients, and a check that forged backwards cannot pass."""

from __future__ import annotations

import numpy as np

from minifcn.checks.numeric import Slopes
from minifcn.course.exercises import Exercise
from minifcn.course.forgeries import FORGED, REAL, SHAPE, convolve, convolve_backward, nothing_comes_back

# ---------------------------------------------------------------------------------------------------- relative_error


def relative_error(mine, measured):
    """The largest difference of two arrays of one shape, in units of the largest number (without signs) in either.

    Where all numbers of both are 0 there is no difference: return 0.
    """
    largest = max(np.abs(mine).max(), np.abs(measured).max())
    return np.abs(mine - measured).max() / largest if largest else 0.0


def zero_by_zero(right, mine, measured):
    """Equal but for two arrays of zeros: 0/0 is no number, and a right gradient of zeros would be rejected; return 0."""
    return right(mine, measured) if mine.any() or measured.any() else np.nan


def mean_difference(right, mine, measured):
    """You take the *mean* of the differences: one wrong number among many right ones disappears in it; take the largest."""
    return _in_units(right, mine, measured, np.abs(mine - measured).mean())


def element_by_element(right, mine, measured):
    """You divide each difference by its own number: where a gradient is nearly 0, rounding alone then looks like an error.

    Divide the largest difference by the largest number of all.
    """
    return np.nan_to_num(np.abs(mine - measured) / np.abs(measured)).max()


def not_divided(right, mine, measured):
    """This is the absolute error: whether 0.001 is much depends on how large the gradients are, so divide by the largest."""
    return np.abs(mine - measured).max()


def without_abs(right, mine, measured):
    """A difference below 0 counts as none: take np.abs before the maximum, for a gradient may be wrong downwards too."""
    return _in_units(right, mine, measured, (mine - measured).max())


def by_the_measured_alone(right, mine, measured):
    """You divide by the largest of `measured` alone: where that is 0, or smaller than yours, it is no measure; use both."""
    return _in_units(right, mine, measured, np.abs(mine - measured).max(), np.abs(measured).max())


def by_mine_alone(right, mine, measured):
    """You divide by the largest of `mine` alone: a backward that returns zeros would divide by 0; look into both arrays."""
    return _in_units(right, mine, measured, np.abs(mine - measured).max(), np.abs(mine).max())


def by_the_sum(right, mine, measured):
    """You divide by the sum of the two largest numbers, which halves the error; divide by the larger of the two."""
    size = np.abs(mine).max() + np.abs(measured).max()
    return np.abs(mine - measured).max() / size if size else 0.0


def by_the_largest_with_sign(right, mine, measured):
    """The largest number is looked for with its sign, so -5 counts as less than 1: take np.abs first, then the maximum."""
    return _in_units(right, mine, measured, np.abs(mine - measured).max(), max(mine.max(), measured.max()))


def something_added_below(right, mine, measured):
    """What you add below the line (1e-8, against 0/0) hides errors of small gradients; treat "all zero" by itself instead."""
    return np.abs(mine - measured).max() / (max(np.abs(mine).max(), np.abs(measured).max()) + 1e-8)


def lengths(right, mine, measured):
    """You compare the lengths of the arrays (roots of sums of squares): one wrong number among many is watered down."""
    return np.linalg.norm(mine - measured) / (np.linalg.norm(measured) or 1)


def _in_units(right, mine, measured, difference, size=None):
    size = max(np.abs(mine).max(), np.abs(measured).max()) if size is None else size
    return difference / size if size else 0.0


def _error_cases() -> list[tuple]:
    rng = np.random.default_rng(50)
    measured = rng.normal(size=(4, 5))
    one_wrong, low = measured.copy(), measured.copy()
    one_wrong[2, 3] += 0.5
    low[1, 1] -= 0.7
    tiny = 1e-9 * rng.normal(size=(3, 4))
    return [
        (np.array([1.0, -5.0, 3.0]), np.array([1.0, -4.0, 3.0])),
        (one_wrong, measured), (low, measured), (1.5 * tiny, tiny),
        (np.zeros((2, 3)), np.zeros((2, 3))), (np.zeros(6), np.arange(6.0)), (np.arange(6.0), np.zeros(6)),
        (np.array([2.0, 1e-9]), np.array([2.0, 2e-9])),
    ]  # fmt: skip


RELATIVE_ERROR = Exercise(
    relative_error,
    _error_cases(),
    (
        zero_by_zero, mean_difference, element_by_element, not_divided, without_abs, by_the_measured_alone, by_mine_alone,
        by_the_sum, by_the_largest_with_sign, something_added_below, lengths,
    ),
    step="warm-up",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------- numeric_gradient


def numeric_gradient(f, x, h):
    """How fast f(x), one number, changes with each number of the array x: (f with it h larger − f with it h smaller) / (2·h).

    The result has x's shape. x may hold whole numbers, and must be unchanged in the end.
    """
    x = np.array(x, np.float64)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        gradient[place] = (_nudged(f, x, place, h) - _nudged(f, x, place, -h)) / (2 * h)
    return gradient


def one_sided(right, f, x, h):
    """You nudge upwards alone, (f(x + h) − f(x)) / h: its error falls with h, that of both sides with h·h; nudge both ways."""
    return _each(x, lambda x, place: (_nudged(f, x, place, h) - f(x)) / h)


def one_sided_below(right, f, x, h):
    """You nudge downwards alone, (f(x) − f(x − h)) / h: its error falls with h, that of both sides with h·h; nudge both."""
    return _each(x, lambda x, place: (f(x) - _nudged(f, x, place, -h)) / h)


def divided_by_h(right, f, x, h):
    """Twice too large: from x − h to x + h it is 2·h, so divide by 2·h."""
    return 2 * right(f, x, h)


def not_divided_by_h(right, f, x, h):
    """The division is missing: a slope is the change of f divided by the change of x, which is 2·h."""
    return 2 * h * right(f, x, h)


def divided_then_multiplied(right, f, x, h):
    """Mind the brackets: a / 2 * h divides by 2 and then *multiplies* by h; write a / (2 * h)."""
    return h * h * right(f, x, h)


def never_put_back(right, f, x, h):
    """A nudged number is not put back before the next one is nudged, so the nudges pile up: restore x[place] each time."""
    x = np.array(x, np.float64)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        gradient[place] = (_nudged(f, x, place, h) - _nudged(f, x, place, -h)) / (2 * h)
        x[place] -= h
    return gradient


def whole_numbers(right, f, x, h):
    """Right for fractions, wrong where x holds whole numbers: an array of those cannot be nudged by h, it cuts the rest off.

    Copy it as np.array(x, float).
    """
    if x.dtype.kind == "f":
        return right(f, x, h)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place], down[place] = up[place] + h, down[place] - h
        gradient[place] = (f(up) - f(down)) / (2 * h)
    return gradient


def in_float32(right, f, x, h):
    """Right to three digits or so: you measure in float32, which rounds in the 7th digit, and dividing by h blows that up."""
    x = np.asarray(x, np.float32)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += h
        down[place] -= h
        gradient[place] = (f(up) - f(down)) / (2 * h)
    return gradient


def rows_at_once(right, f, x, h):
    """Each row is nudged as a whole (range(len(x)) runs along the first axis alone); go through all places: np.ndindex.

    And `keep = x[row]` keeps nothing: a row is a view of x, which changes with it.
    """
    if x.ndim == 1:
        return right(f, x, h)
    x = np.array(x, np.float64)
    gradient = np.zeros(x.shape)
    for row in range(len(x)):
        gradient[row] = (_nudged(f, x, row, h) - f(x)) / (2 * h)
    return gradient


def diagonal_alone(right, f, x, h):
    """Only the places [i, i] are there, the others are 0: a number in a 2-D array has two indices; use np.ndindex(x.shape)."""
    gradient, places = np.zeros(x.shape), tuple([*range(min(x.shape))] for _ in x.shape)
    gradient[places] = right(f, x, h)[places]
    return gradient


def all_at_once(right, f, x, h):
    """All numbers are nudged together, so each place has the sum of all slopes: nudge one number at a time."""
    return np.full(x.shape, right(f, x, h).sum())


def downhill(right, f, x, h):
    """The sign is turned: up minus down, not down minus up."""
    return -right(f, x, h)


def relative_nudge(right, f, x, h):
    """You nudge by h times the number itself, but divide by 2·h, so each slope is multiplied by its x: nudge by h alone."""
    return _each(x, lambda x, place: (_nudged(f, x, place, h * x[place]) - _nudged(f, x, place, -h * x[place])) / (2 * h))


def added_up(right, f, x, h):
    """You return the sum of all slopes; each belongs to a number of its own, so return an array of x's shape."""
    return right(f, x, h).sum()


def _nudged(f, x, place, by):
    """f of x with x[place] changed."""
    x = x.copy()
    x[place] += by
    return f(x)


def _each(x, slope):
    x = np.array(x, np.float64)
    return np.array([slope(x, place) for place in np.ndindex(x.shape)]).reshape(x.shape)


def sum_of_cubes(x):
    return (x**3).sum()


def sum_of_squares_squared(x):
    return (x**2).sum() ** 2


def sum_of_sines_squared(x):
    return np.sin(np.arange(1, x.size + 1) * x.ravel()).sum() ** 2


def loss_of_a_convolution(x):
    return (convolve(x.reshape(1, 2, 2, 3)) ** 3).sum()


def _gradient_cases() -> list[tuple]:
    rng = np.random.default_rng(51)
    return [
        (sum_of_cubes, np.array([1.0, -2.0, 0.5]), 0.001), (sum_of_squares_squared, rng.normal(size=4), 0.001),
        (sum_of_sines_squared, rng.normal(size=(2, 3)), 0.001), (sum_of_squares_squared, np.array([[3, -1], [2, 4]]), 0.001),
        (loss_of_a_convolution, rng.normal(size=(2, 2, 3)), 0.0001),
    ]  # fmt: skip


NUMERIC_GRADIENT = Exercise(
    numeric_gradient,
    _gradient_cases(),
    (
        one_sided, one_sided_below, divided_by_h, not_divided_by_h, divided_then_multiplied, never_put_back, whole_numbers,
        in_float32, rows_at_once, diagonal_alone, all_at_once, downhill, relative_nudge, added_up,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------ passes


def passes(forward, backward, x, seed):
    """True where dx = backward(dy, x) is the gradient of y = forward(x), False where it is not.

    x is an array of float64, drawn from np.random.default_rng(seed). Draw what you need from a generator of your own.
    """
    dy, v = _dy_and_v(forward, x, seed)
    slope = Slopes(lambda x: (forward(x),), x, (dy,), tolerance=1e-6).along(v)
    return slope.agrees((backward(dy, x) * v).sum(), tolerance=1e-6 * abs(slope.value))


def dy_of_ones(right, forward, backward, x, seed):
    """Your dy is all ones: then a flipped dy is the same dy, and a batch norm's dx is 0. Draw dy at random."""
    return _agrees(forward, backward, x, np.ones(forward(x).shape), _draw(seed, x.shape))


def dy_of_ones_strictly(right, forward, backward, x, seed):
    """Your dy is all ones: a flipped dy passes, and a right batch norm does not, for its dx is then 0 and the rest rounding.

    Draw dy at random.
    """
    return _agrees(forward, backward, x, np.ones(forward(x).shape), _draw(seed, x.shape), noise=0)


def direction_of_ones(right, forward, backward, x, seed):
    """You move all numbers of x together: where y does not notice that (batch norm), dx = 0 passes. Move along random v."""
    return _agrees(forward, backward, x, _draw(seed, forward(x).shape), np.ones(x.shape))


def direction_of_ones_strictly(right, forward, backward, x, seed):
    """You move all numbers of x together: a batch norm does not notice, so you compare rounding errors. Move along random v."""
    return _agrees(forward, backward, x, _draw(seed, forward(x).shape), np.ones(x.shape), noise=0)


def x_of_zeros(right, forward, backward, x, seed):
    """You check at x = 0: products are 0 there and ReLU has its corner, so wrong passes and right does not. Use the x given."""
    return _agrees(forward, backward, np.zeros_like(x), *_dy_and_v(forward, x, seed))


def x_as_dy(right, forward, backward, x, seed):
    """Your first random numbers are x itself: it was drawn from default_rng(seed), too. Batch norm does not notice that.

    A batch norm's dx is 0 for dy = x, and its y does not change along x. Use another seed, such as seed + 1.
    """
    return _agrees(forward, backward, x, np.random.default_rng(seed).normal(size=forward(x).shape), _draw(seed, x.shape))


def x_as_dy_strictly(right, forward, backward, x, seed):
    """Your random numbers begin with x itself, for it was drawn from default_rng(seed), too: a right batch norm is rejected.

    Its dx is 0 for dy = x, and its y does not change along x. Use another seed, such as seed + 1.
    """
    return _agrees(
        forward, backward, x, np.random.default_rng(seed).normal(size=forward(x).shape), _draw(seed, x.shape), noise=0
    )


def absolute_tolerance(right, forward, backward, x, seed):
    """You compare with a fixed tolerance: gradients that are small as a whole pass, whatever they are. Compare relatively."""
    return _agrees(forward, backward, x, *_dy_and_v(forward, x, seed), relative=0, absolute=1e-3)


def zero_by_zero_rejected(right, forward, backward, x, seed):
    """A gradient that is 0, and rightly so, is rejected: 0/0 is no number. Treat the case that both are 0 by itself."""
    return _depends_on_x(forward, x) and right(forward, backward, x, seed)


def too_tolerant(right, forward, backward, x, seed):
    """Your tolerance is too wide: what is right to three digits passes. In float64 a right gradient agrees to 1e-8 or so."""
    return _agrees(forward, backward, x, *_dy_and_v(forward, x, seed), relative=0.01)


def too_tolerant_by_far(right, forward, backward, x, seed):
    """Your tolerance is so wide that one number of 400 may be half of what it should be. A right one agrees to 1e-8 or so."""
    return _agrees(forward, backward, x, *_dy_and_v(forward, x, seed), relative=0.1)


def one_number_probed(right, forward, backward, x, seed):
    """You nudge one number of 400: an error in another one is not seen. A random direction moves all of them at once."""
    return _agrees_at(x < 0, forward, backward, x, seed)


def one_number_probed_above_zero(right, forward, backward, x, seed):
    """You nudge one number of 400, and for ReLU one above 0, where its mask is open. A random direction moves all at once."""
    return _agrees_at(x > 0, forward, backward, x, seed)


def sign_ignored(right, forward, backward, x, seed):
    """Minus the gradient passes: you compare without signs (abs of each); take abs of the *difference*."""
    dy, v = _dy_and_v(forward, x, seed)
    return _agrees(forward, backward, x, dy, v) or _agrees(forward, lambda dy, x: -backward(dy, x), x, dy, v)


def turned_around(right, forward, backward, x, seed):
    """True and False are exchanged: return True where the gradient is right."""
    return not right(forward, backward, x, seed)


def never_says_no(right, forward, backward, x, seed):
    """Every gradient passes, the wrong ones as well: this check cannot fail. It must compare with a measurement."""
    return True


def never_says_yes(right, forward, backward, x, seed):
    """No gradient passes, but for one that is 0: h is too small, or you measure in float32, and rounding is all there is."""
    return not _depends_on_x(forward, x) and right(forward, backward, x, seed)


def step_too_large(right, forward, backward, x, seed):
    """Your h is so large that curves and corners lie within the step: a right batch norm and a right ReLU are rejected."""
    return _agrees(forward, backward, x, *_dy_and_v(forward, x, seed), h=0.1)


def one_sided_slope(right, forward, backward, x, seed):
    """You measure on one side, (f(x + h·v) − f(x)) / h: for a curved operation that is not exact enough. Nudge both ways."""
    dy, v = _dy_and_v(forward, x, seed)
    measured = ((forward(x + 1e-5 * v) - forward(x)) * dy).sum() / 1e-5
    told = (np.asarray(backward(dy, x), np.float64) * v).sum()
    return bool(abs(measured - told) <= 1e-6 * max(abs(measured), abs(told)) + 1e-12)


def _depends_on_x(forward, x):
    return bool((forward(x) != forward(np.flip(x))).any())


def _draw(seed, shape):
    return np.random.default_rng((seed, 1)).normal(size=shape)


def _dy_and_v(forward, x, seed):
    rng = np.random.default_rng((seed, 2))
    return rng.normal(size=forward(x).shape), rng.normal(size=x.shape)


def _agrees(forward, backward, x, dy, v, *, h=1e-5, relative=1e-6, absolute=0.0, noise=1e-10):
    """Whether two slopes of sum(forward(x) · dy) along v agree: as measured, and as backward's dx tells it.

    `noise` is what rounding, blown up by the division, may amount to, in units of the sum's terms.
    """
    measured = ((forward(x + h * v) - forward(x - h * v)) * dy).sum() / (2 * h)
    told = (np.asarray(backward(dy, x), np.float64) * v).sum()
    allowed = absolute + noise * np.abs(forward(x) * dy).sum()
    return bool(abs(measured - told) <= relative * max(abs(measured), abs(told)) + allowed)


def _agrees_at(where, forward, backward, x, seed):
    """Measured at one number alone, the first where `where` is true."""
    alone = np.zeros_like(x)
    alone.ravel()[where.ravel().argmax()] = 1
    return _agrees(forward, backward, x, _dy_and_v(forward, x, seed)[0], alone)


def whisper(x):
    """A convolution of which a millionth is left."""
    return 1e-6 * convolve(x)


def whisper_backward(dy, x):
    return 1e-6 * convolve_backward(dy, x)


def whisper_halved(dy, x):
    return 0.5e-6 * convolve_backward(dy, x)


def square(x):
    return x**2


def square_backward(dy, x):
    return 2 * x * dy


def square_without_its_two(dy, x):
    return x * dy


def centre(x):
    return x - x.mean()


def centre_backward(dy, x):
    return dy - dy.mean()


def forget(x):
    """0, whatever x is."""
    return 0 * x


def forget_backward(dy, x):
    return 0 * dy


def _passes_cases() -> list[tuple]:
    real = [*REAL, (whisper, whisper_backward), (square, square_backward), (centre, centre_backward), (forget, forget_backward)]
    forged = [*FORGED, (whisper, whisper_halved), (square, square_without_its_two), (centre, nothing_comes_back)]
    return [
        (forward, backward, np.random.default_rng(seed).normal(size=SHAPE), seed)
        for seed, (forward, backward) in enumerate([real[0], *forged, *real[1:]])
    ]


PASSES = Exercise(
    passes,
    _passes_cases(),
    (
        dy_of_ones, dy_of_ones_strictly, direction_of_ones, direction_of_ones_strictly, x_of_zeros, x_as_dy, x_as_dy_strictly,
        absolute_tolerance, zero_by_zero_rejected, too_tolerant,
        too_tolerant_by_far, one_number_probed, one_number_probed_above_zero, sign_ignored, turned_around, never_says_no,
        never_says_yes, step_too_large, one_sided_slope,
    ),
)  # fmt: skip

EXERCISES = (RELATIVE_ERROR, NUMERIC_GRADIENT, PASSES)
