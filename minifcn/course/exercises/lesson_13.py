"""Exercises of lesson 13: the loss to begin with, a falling rate, and the steps of SGD and Adam."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise
from minifcn.layers import Parameter
from minifcn.training import SGD, Adam, schedules

# -------------------------------------------------------------------------------------------------------- first_loss


def first_loss(classes):
    """The loss of a network that gives each of so many classes the same score: one number."""
    return F.cross_entropy(np.zeros((1, classes, 1, 1)), np.zeros((1, 1, 1), np.uint8))[0]


def base_two(right, classes):
    """This is the logarithm to base 2; cross-entropy takes the natural one: np.log."""
    return right(classes) / np.log(2)


def base_ten(right, classes):
    """This is the logarithm to base 10; cross-entropy takes the natural one: np.log."""
    return right(classes) / np.log(10)


def the_probability(right, classes):
    """This is the probability of each class, 1 / classes; the loss is minus its logarithm."""
    return np.exp(-right(classes))


def minus_forgotten(right, classes):
    """The sign is turned: the logarithm of a probability is negative, and the loss is minus that logarithm."""
    return -right(classes)


def times_the_probability(right, classes):
    """The logarithm is multiplied by the probability 1 / classes; the loss of a pixel is minus the logarithm alone."""
    return right(classes) / classes


def of_being_wrong(right, classes):
    """This is minus the logarithm of the probability of *another* class, 1 − 1 / classes; take that of the true class."""
    return -np.log(1 - np.exp(-right(classes)))


def share_of_wrong(right, classes):
    """This is the probability of being wrong, 1 − 1 / classes; the loss is minus the logarithm of that of being right."""
    return 1 - np.exp(-right(classes))


FIRST_LOSS = Exercise(
    first_loss,
    [(5,), (2,), (21,), (27,), (10,)],
    (
        base_two, base_ten, the_probability, minus_forgotten, times_the_probability, of_being_wrong, share_of_wrong,
    ),
    step="warm-up",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------------- poly


def poly(i, n, power):
    """The factor on the rate at step i (from 0) of n steps: 1 at the first step, down to 0 after the last, as a power."""
    return schedules.poly(i, n, power)


def power_inside(right, i, n, power):
    """The power is on i / n alone; raise the whole of 1 − i / n to it."""
    return 1 - (i / n) ** power


def no_power(right, i, n, power):
    """The power is left out: this is the straight line 1 − i / n."""
    return right(i, n, 1)


def times_power(right, i, n, power):
    """You multiply by the power; raise to it: (1 − i / n) ** power."""
    return right(i, n, 1) * power


def one_over_power(right, i, n, power):
    """This is the root and not the power: the exponent is power, not 1 / power."""
    return right(i, n, 1 / power)


def counted_from_one(right, i, n, power):
    """One step ahead: at step 0 the factor is 1, for steps are counted from 0."""
    return (1 - (i + 1) / n) ** power


def last_step_is_zero(right, i, n, power):
    """You divide by n − 1, so that the last step has the factor 0 and is lost; divide by n."""
    return (1 - i / (n - 1)) ** power


def rising(right, i, n, power):
    """The factor grows from 0 to 1: take it of what is left, 1 − i / n."""
    return right(n - i, n, power)


def whole_numbers(right, i, n, power):
    """You divide in whole numbers (//), which gives 0 until the end: write i / n."""
    return right(0, n, power)


def what_is_left(right, i, n, power):
    """This is how many steps are left, raised to the power; divide them by n first: the factor begins with 1."""
    return right(i, n, power) * n**power


POLY = Exercise(
    poly,
    [(0, 10, 1.0), (5, 10, 1.0), (3, 10, 0.9), (7, 40, 2.0), (39, 40, 0.5), (0, 150, 0.9)],
    (
        power_inside, no_power, times_power, one_over_power, counted_from_one, last_step_is_zero, rising, whole_numbers,
        what_is_left,
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- sgd_step


def sgd_step(w, g, v, rate, momentum, decay):
    """One step of SGD. Weights w, gradient g and velocity v have one shape; returns the new w and the new v, in this order.

    The gradient plus decay·w goes into the velocity, which keeps `momentum` of what it was; w moves by −rate times the new v.
    """
    parameter = Parameter(np.array(w))
    parameter.grad = np.array(g)
    optimizer = SGD([parameter], lr=rate, momentum=momentum, weight_decay=decay)
    optimizer.state["0"] = {"step": 1, "momentum_buffer": np.array(v)}
    optimizer.step()
    return parameter.data, optimizer.state["0"]["momentum_buffer"]


def rate_in_the_velocity(right, w, g, v, rate, momentum, decay):
    """The rate is in your velocity (v = momentum·v − rate·g, as in Caffe); here v holds gradients: w − rate·v comes last."""
    v = momentum * v - rate * (g + decay * w)
    return w + v, v


def rate_in_the_velocity_sign(right, w, g, v, rate, momentum, decay):
    """The rate is in your velocity (v = momentum·v + rate·g); here v holds gradients alone, and w − rate·v comes last."""
    v = momentum * v + rate * (g + decay * w)
    return w - v, v


def old_velocity(right, w, g, v, rate, momentum, decay):
    """The weights move by the *old* velocity: compute the new v first, then w."""
    return w - rate * v, right(w, g, v, rate, momentum, decay)[1]


def uphill(right, w, g, v, rate, momentum, decay):
    """You go uphill: the gradient points to where the loss grows, so subtract."""
    new_v = right(w, g, v, rate, momentum, decay)[1]
    return w + rate * new_v, new_v


def decay_of_the_velocity(right, w, g, v, rate, momentum, decay):
    """The decay pulls at v; it pulls at the weights: g + decay·w."""
    new_v = momentum * v + g + decay * v
    return w - rate * new_v, new_v


def decay_forgotten(right, w, g, v, rate, momentum, decay):
    """The decay is left out: what goes into the velocity is g + decay·w."""
    return right(w, g, v, rate, momentum, 0.0)


def decay_pushes(right, w, g, v, rate, momentum, decay):
    """The decay has the wrong sign: it makes weights smaller, so it is g + decay·w that is gone against."""
    return right(w, g - 2 * decay * w, v, rate, momentum, decay)


def decay_beside(right, w, g, v, rate, momentum, decay):
    """The decay does not pass through the velocity (as in AdamW); here it is added to the gradient before anything else."""
    new_v = momentum * v + g
    return w - rate * (new_v + decay * w), new_v


def momentum_forgotten(right, w, g, v, rate, momentum, decay):
    """The momentum is left out: the new v is momentum times the old one, plus the gradient."""
    return right(w, g, np.zeros_like(v), rate, momentum, decay)


def all_of_the_velocity(right, w, g, v, rate, momentum, decay):
    """All of the old v is kept; keep momentum times it."""
    return right(w, g, v / momentum if momentum else v, rate, momentum, decay)


def averaged(right, w, g, v, rate, momentum, decay):
    """You average: momentum·v + (1 − momentum)·g. Here the gradient goes in whole."""
    new_v = momentum * v + (1 - momentum) * (g + decay * w)
    return w - rate * new_v, new_v


def nesterov(right, w, g, v, rate, momentum, decay):
    """This is Nesterov's momentum, which looks one step ahead; here w moves by rate times the new v and no more."""
    new_v = right(w, g, v, rate, momentum, decay)[1]
    return w - rate * (g + decay * w + momentum * new_v), new_v


def velocity_first(right, w, g, v, rate, momentum, decay):
    """The two are exchanged: return the weights first, then the velocity."""
    return right(w, g, v, rate, momentum, decay)[::-1]


def velocity_not_returned(right, w, g, v, rate, momentum, decay):
    """The weights are right, but the velocity that you return is the old one: the next step needs the new v."""
    return right(w, g, v, rate, momentum, decay)[0], v


def momentum_of_the_sum(right, w, g, v, rate, momentum, decay):
    """The momentum is on the whole sum: it shrinks the old v alone, and g + decay·w goes in whole."""
    new_v = momentum * (v + g + decay * w)
    return w - rate * new_v, new_v


def momentum_of_the_gradient(right, w, g, v, rate, momentum, decay):
    """The momentum is on the gradient; it belongs to the old v, of which it says how much is kept."""
    new_v = v + momentum * (g + decay * w)
    return w - rate * new_v, new_v


def the_step_alone(right, w, g, v, rate, momentum, decay):
    """This is the step, −rate·v, and not where it leads: return w − rate·v."""
    moved, new_v = right(w, g, v, rate, momentum, decay)
    return moved - w, new_v


def _sgd_cases() -> list[tuple]:
    rng = np.random.default_rng(130)
    shapes = [((1,), 0.1, 0.9, 0.0), ((3,), 0.1, 0.5, 0.0), ((2, 3), 0.2, 0.9, 0.1), ((4, 2, 3, 1), 0.05, 0.7, 0.3)]
    return [(*rng.normal(size=(3, *shape)), *options) for shape, *options in shapes]


SGD_STEP = Exercise(
    sgd_step,
    _sgd_cases(),
    (
        rate_in_the_velocity, rate_in_the_velocity_sign, old_velocity, uphill, decay_of_the_velocity, decay_forgotten,
        decay_pushes, decay_beside, momentum_forgotten, all_of_the_velocity, averaged, nesterov, velocity_first,
        velocity_not_returned, momentum_of_the_sum, momentum_of_the_gradient, the_step_alone,
    ),
    parts=("w", "v"),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- adam_step

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def adam_step(w, g, m, v, t, rate):
    """Step t of Adam, t = 1, 2, 3 ..., with β₁ = 0.9, β₂ = 0.999, ε = 1e-8. Returns the new w, m and v, in this order.

    m is the running average of the gradients, v that of their squares; both are corrected for having begun at 0.
    """
    parameter = Parameter(np.array(w))
    parameter.grad = np.array(g)
    optimizer = Adam([parameter], lr=rate, betas=(BETA1, BETA2), eps=EPS)
    optimizer.state["0"] = {"step": t - 1, "exp_avg": np.array(m), "exp_avg_sq": np.array(v)}
    optimizer.step()
    state = optimizer.state["0"]
    return parameter.data, state["exp_avg"], state["exp_avg_sq"]


def _moved(w, m, v, rate):
    """The step itself, by averages that are corrected or not."""
    return w - rate * m / (np.sqrt(v) + EPS)


def never_corrected(right, w, g, m, v, t, rate):
    """Neither average is corrected: divide m by 1 − 0.9ᵗ and v by 1 − 0.999ᵗ, for both began at 0."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, m, v, rate), m, v


def only_m_corrected(right, w, g, m, v, t, rate):
    """Only m is corrected: divide v by 1 − 0.999ᵗ too, before the root."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, m / (1 - BETA1**t), v, rate), m, v


def only_v_corrected(right, w, g, m, v, t, rate):
    """Only v is corrected: divide m by 1 − 0.9ᵗ too."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, m, v / (1 - BETA2**t), rate), m, v


def corrected_ones_kept(right, w, g, m, v, t, rate):
    """You return the corrected averages; they are for this step alone. Return m and v as they are averaged."""
    w, m, v = right(w, g, m, v, t, rate)
    return w, m / (1 - BETA1**t), v / (1 - BETA2**t)


def counted_ahead(right, w, g, m, v, t, rate):
    """You correct as if one more step had been made: the powers are t, and the first step has t = 1."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, m / (1 - BETA1 ** (t + 1)), v / (1 - BETA2 ** (t + 1)), rate), m, v


def counted_from_zero(right, w, g, m, v, t, rate):
    """You correct as if one step less had been made (dividing by 0 in the first): the powers are t, which begins with 1."""
    _, m, v = right(w, g, m, v, t, rate)
    with np.errstate(all="ignore"):
        return _moved(w, m / (1 - BETA1 ** (t - 1)), v / (1 - BETA2 ** (t - 1)), rate), m, v


def eps_inside(right, w, g, m, v, t, rate):
    """The ε is under the root, where it is as large as 1e-4: add it to the root, √v̂ + ε."""
    _, m, v = right(w, g, m, v, t, rate)
    return w - rate * m / (1 - BETA1**t) / np.sqrt(v / (1 - BETA2**t) + EPS), m, v


def gradients_not_squared(right, w, g, m, v, t, rate):
    """Your v averages the gradients themselves; it must average their squares, g·g."""
    new_m, new_v = right(w, g, m, v, t, rate)[1], BETA2 * v + (1 - BETA2) * g
    with np.errstate(all="ignore"):
        return _moved(w, new_m / (1 - BETA1**t), new_v / (1 - BETA2**t), rate), new_m, new_v


def square_of_m(right, w, g, m, v, t, rate):
    """Your v averages the squares of m; it must average the squares of the gradient, g·g."""
    new_m = right(w, g, m, v, t, rate)[1]
    new_v = BETA2 * v + (1 - BETA2) * new_m**2
    return _moved(w, new_m / (1 - BETA1**t), new_v / (1 - BETA2**t), rate), new_m, new_v


def no_root(right, w, g, m, v, t, rate):
    """The root is missing: divide by √v̂ + ε."""
    _, m, v = right(w, g, m, v, t, rate)
    return w - rate * m / (1 - BETA1**t) / (v / (1 - BETA2**t) + EPS), m, v


def one_beta_for_both(right, w, g, m, v, t, rate):
    """Both averages have β = 0.9; that of the squares has 0.999."""
    new_m, new_v = right(w, g, m, v, t, rate)[1], BETA1 * v + (1 - BETA1) * g * g
    return _moved(w, new_m / (1 - BETA1**t), new_v / (1 - BETA1**t), rate), new_m, new_v


def betas_exchanged(right, w, g, m, v, t, rate):
    """The two β are exchanged: 0.9 belongs to the gradients, 0.999 to their squares."""
    new_m, new_v = BETA2 * m + (1 - BETA2) * g, BETA1 * v + (1 - BETA1) * g * g
    return _moved(w, new_m / (1 - BETA2**t), new_v / (1 - BETA1**t), rate), new_m, new_v


def weights_of_an_average_exchanged(right, w, g, m, v, t, rate):
    """The shares are exchanged: an average keeps β of what it was and takes 1 − β of the new."""
    new_m, new_v = (1 - BETA1) * m + BETA1 * g, (1 - BETA2) * v + BETA2 * g * g
    return _moved(w, new_m / (1 - BETA1**t), new_v / (1 - BETA2**t), rate), new_m, new_v


def not_averaged(right, w, g, m, v, t, rate):
    """The new gradient goes in whole; it goes in times 1 − β, so that m and v are averages."""
    new_m, new_v = BETA1 * m + g, BETA2 * v + g * g
    return _moved(w, new_m / (1 - BETA1**t), new_v / (1 - BETA2**t), rate), new_m, new_v


def gradient_for_m(right, w, g, m, v, t, rate):
    """The weights move by the gradient itself, divided by √v̂; it must move by the average m, corrected."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, g, v / (1 - BETA2**t), rate), m, v


def uphill_by_adam(right, w, g, m, v, t, rate):
    """You go uphill: subtract the step from w."""
    moved, m, v = right(w, g, m, v, t, rate)
    return 2 * w - moved, m, v


def old_averages(right, w, g, m, v, t, rate):
    """The weights are right, but the averages that you return are the old ones: the next step needs the new m and v."""
    return right(w, g, m, v, t, rate)[0], m, v


def corrected_behind_the_root(right, w, g, m, v, t, rate):
    """The root is taken before the correction: divide v by 1 − 0.999ᵗ first, then take the root."""
    _, m, v = right(w, g, m, v, t, rate)
    return w - rate * m / (1 - BETA1**t) / (np.sqrt(v) / (1 - BETA2**t) + EPS), m, v


def correction_multiplied(right, w, g, m, v, t, rate):
    """You multiply by 1 − βᵗ; averages that began at 0 are too *small*, so divide by it."""
    _, m, v = right(w, g, m, v, t, rate)
    return _moved(w, m * (1 - BETA1**t), v * (1 - BETA2**t), rate), m, v


def the_step_of_adam_alone(right, w, g, m, v, t, rate):
    """This is the step, and not where it leads: subtract it from w."""
    moved, m, v = right(w, g, m, v, t, rate)
    return w - moved, m, v


def _adam_cases() -> list[tuple]:
    """The third has gradients so small that ε shows, and weights near 0 beside which the step is not lost."""
    rng = np.random.default_rng(131)

    def case(shape, t, scale, rate):
        w, g, m = rng.normal(size=(3, *shape))
        past = float(t > 1)  # at the first step both averages are 0
        return rate * w, scale * g, past * scale * m / 2, past * scale**2 * rng.uniform(0.001, 0.01, shape), t, rate

    return [case((1,), 1, 1.0, 0.1), case((3,), 2, 1.0, 0.1), case((2, 3), 5, 1e-5, 0.01), case((2, 1, 3, 2), 40, 2.0, 0.02)]


ADAM_STEP = Exercise(
    adam_step,
    _adam_cases(),
    (
        never_corrected, only_m_corrected, only_v_corrected, corrected_ones_kept, counted_ahead, counted_from_zero, eps_inside,
        gradients_not_squared, square_of_m, no_root, one_beta_for_both, betas_exchanged, weights_of_an_average_exchanged,
        not_averaged, gradient_for_m, uphill_by_adam, old_averages, corrected_behind_the_root, correction_multiplied,
        the_step_of_adam_alone,
    ),
    step="stretch",
    parts=("w", "m", "v"),
)  # fmt: skip

EXERCISES = (FIRST_LOSS, POLY, SGD_STEP, ADAM_STEP)
