"""Exercises of lesson 07: the first weights, batch norm forward and backward, and its running variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

# ------------------------------------------------------------------------------------------------------- initial_std


def initial_std(shape, kind):
    """The standard deviation of first weights of shape (O, C, KH, KW): kind "xavier" (variance 1/fan-in) or "he" (2/fan-in)."""
    return float(np.sqrt(_gain(kind) / _fan_in(shape)))


def _gain(kind):
    return {"xavier": 1, "he": 2}[kind]


def _fan_in(shape):
    return int(np.prod(shape[1:]))


def channels_only(right, shape, kind):
    """The fan-in is how many numbers one result is made of: C · KH · KW, not C alone."""
    return np.sqrt(_gain(kind) / shape[1])


def fan_out(right, shape, kind):
    """You count by the filters, O · KH · KW (the fan-*out*); one result is made of C · KH · KW numbers."""
    return np.sqrt(_gain(kind) / (shape[0] * shape[2] * shape[3]))


def variance(right, shape, kind):
    """This is the variance; its root is asked for."""
    return _gain(kind) / _fan_in(shape)


def both_ways(right, shape, kind):
    """You divide by the mean of fan-in and fan-out, another recipe of Glorot's; here it is the fan-in alone."""
    outputs = shape[0] * shape[2] * shape[3]
    return np.sqrt(2 * _gain(kind) / (_fan_in(shape) + outputs))


def always_he(right, shape, kind):
    """The 2 belongs to "he" alone, for behind a ReLU half of the signal is gone."""
    return np.sqrt(2 / _fan_in(shape))


def always_xavier(right, shape, kind):
    """The 2 of "he" is missing: behind a ReLU half of the signal is gone, so the variance is 2 / fan-in."""
    return np.sqrt(1 / _fan_in(shape))


def two_outside_the_root(right, shape, kind):
    """The 2 is outside of the root: it is the *variance* that is doubled."""
    return _gain(kind) / np.sqrt(_fan_in(shape))


def all_weights(right, shape, kind):
    """You count all weights of the layer; one result is made of those of one filter."""
    return np.sqrt(_gain(kind) / np.prod(shape))


def kinds_exchanged(right, shape, kind):
    """The two kinds are exchanged: "he" has the 2, since it is for layers with a ReLU."""
    return right(shape, {"he": "xavier", "xavier": "he"}[kind])


def window_alone(right, shape, kind):
    """The channels are missing: one result is made of C · KH · KW numbers."""
    return np.sqrt(_gain(kind) / (shape[2] * shape[3]))


def one_side(right, shape, kind):
    """A kernel has KH · KW cells; one of its sides is missing."""
    return np.sqrt(_gain(kind) / (shape[1] * shape[2]))


def two_below(right, shape, kind):
    """The 2 is below the line: it is 2 / fan-in, not 1 / (2 · fan-in)."""
    return np.sqrt(1 / (_gain(kind) * _fan_in(shape)))


def multiplied(right, shape, kind):
    """You multiply by the fan-in; divide by it: the more numbers are added up, the smaller each must be."""
    return np.sqrt(_gain(kind) * _fan_in(shape))


def limit_of_an_even_draw(right, shape, kind):
    """This is the limit of an even draw, which is √3 times its standard deviation; the deviation itself is asked for."""
    return np.sqrt(3 * _gain(kind) / _fan_in(shape))


INITIAL_STD = Exercise(
    initial_std,
    [
        ((64, 64, 3, 3), "xavier"), ((64, 32, 3, 5), "he"), ((10, 3, 7, 7), "xavier"), ((5, 8, 1, 1), "he"),
        ((2, 6, 1, 4), "xavier"),
    ],
    (
        channels_only, fan_out, variance, both_ways, always_he, always_xavier, two_outside_the_root, all_weights,
        kinds_exchanged, window_alone, one_side, two_below, multiplied, limit_of_an_even_draw,
    ),
    step="warm-up",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------- batch_norm


def batch_norm(x, weight, bias, eps):
    """Batch norm in training: x (N, C, H, W), weight and bias (C,); each channel over all pictures and pixels."""
    return _norm(x, weight, bias, eps)


def _norm(x, weight, bias, eps, axes=(0, 2, 3), ddof=0, outside=False):
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True, ddof=ddof)
    divisor = np.sqrt(var) + eps if outside else np.sqrt(var + eps)
    return (x - mean) / divisor * weight[:, None, None] + bias[:, None, None]


def unbiased(right, x, weight, bias, eps):
    """You divide the squares by M − 1; the batch is normalised by M (the running variance has M − 1)."""
    return _norm(x, weight, bias, eps, ddof=1)


def for_each_pixel(right, x, weight, bias, eps):
    """Your statistics are for each pixel, over the batch alone; they are for each *channel*, over pictures and pixels."""
    return _norm(x, weight, bias, eps, axes=(0,))


def for_each_picture(right, x, weight, bias, eps):
    """Your statistics are for each picture (that is instance norm); take all pictures of the batch together."""
    return _norm(x, weight, bias, eps, axes=(2, 3))


def over_channels_too(right, x, weight, bias, eps):
    """Your mean and variance are over everything; each channel has its own."""
    return _norm(x, weight, bias, eps, axes=(0, 1, 2, 3))


def over_channels_of_a_picture(right, x, weight, bias, eps):
    """Your statistics are for each picture over its channels (that is layer norm); here for each channel over the batch."""
    return _norm(x, weight, bias, eps, axes=(1, 2, 3))


def eps_outside(right, x, weight, bias, eps):
    """The eps is outside of the root: √(variance + eps)."""
    return _norm(x, weight, bias, eps, outside=True)


def by_the_variance(right, x, weight, bias, eps):
    """You divide by the variance; divide by its root."""
    mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return (x - mean) / (var + eps) * weight[:, None, None] + bias[:, None, None]


def weight_and_bias_forgotten(right, x, weight, bias, eps):
    """The learnt factor and addend are missing: y = weight · x_hat + bias."""
    return right(x, np.ones_like(weight), np.zeros_like(bias), eps)


def bias_times_weight(right, x, weight, bias, eps):
    """The bias is added before the weight is multiplied: y = weight · x_hat + bias."""
    return right(x, weight, weight * bias, eps)


def weight_before(right, x, weight, bias, eps):
    """You multiply by the weight before normalising, which takes it away again; normalise first."""
    return _norm(x * weight[:, None, None], np.ones_like(weight), bias, eps)


def mean_stays(right, x, weight, bias, eps):
    """The mean is not subtracted."""
    return x / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + eps) * weight[:, None, None] + bias[:, None, None]


_NORM_SHAPES = ((4, 1, 1, 1), (2, 3, 4, 5), (3, 2, 3, 1), (1, 4, 5, 3))


def _norm_cases() -> list[tuple]:
    rng = np.random.default_rng(70)
    cases = []
    for place, shape in enumerate(_NORM_SHAPES):
        x = rng.normal(size=shape) * rng.uniform(0.5, 3, shape[1])[:, None, None] + rng.normal(size=(shape[1], 1, 1))
        cases.append((x, rng.normal(size=shape[1]), rng.normal(size=shape[1]), (1e-5, 0.1, 1e-3, 0.5)[place]))
    return cases


BATCH_NORM = Exercise(
    batch_norm,
    _norm_cases(),
    (
        unbiased, for_each_pixel, for_each_picture, over_channels_too, over_channels_of_a_picture, eps_outside, by_the_variance,
        weight_and_bias_forgotten, bias_times_weight, weight_before, mean_stays,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- batch_norm_dx


def batch_norm_dx(dy, x, weight, eps):
    """dx (N, C, H, W) of batch norm in training, for dy and x of that shape and weight (C,)."""
    C = len(weight)
    _, cache = F.batch_norm(x, np.zeros(C), np.ones(C), weight, np.zeros(C), True, eps=eps)
    return F.batch_norm_backward(dy, cache)[0]


def _dx(dy, x, weight, eps, mean=1.0, along=1.0, axes=(0, 2, 3), factor=True, whole_sum=False):
    """The formula, with one of its parts left out or taken over other axes."""
    average: Any = {"axis": axes, "keepdims": True}
    inv_std = 1 / np.sqrt(x.var(**average) + eps)
    x_hat = (x - x.mean(**average)) * inv_std
    take = np.sum if whole_sum else np.mean
    left = dy - mean * take(dy, **average) - along * x_hat * take(dy * x_hat, **average)
    return left * inv_std * (weight[:, None, None] if factor else 1)


def direct_road_only(right, dy, x, weight, eps):
    """This is dy / deviation alone: mean and variance depend on x as well, and take something from it."""
    return _dx(dy, x, weight, eps, mean=0, along=0)


def variance_forgotten(right, dy, x, weight, eps):
    """The road through the variance is missing: subtract x_hat · mean of (dy · x_hat) too."""
    return _dx(dy, x, weight, eps, along=0)


def mean_forgotten(right, dy, x, weight, eps):
    """The road through the mean is missing: subtract the mean of dy, too."""
    return _dx(dy, x, weight, eps, mean=0)


def sums_for_means(right, dy, x, weight, eps):
    """You subtract sums where means belong: divide by the number of values of a channel."""
    return _dx(dy, x, weight, eps, whole_sum=True)


def variance_added(right, dy, x, weight, eps):
    """The part along x_hat is added; subtract it."""
    return _dx(dy, x, weight, eps, along=-1)


def weight_forgotten(right, dy, x, weight, eps):
    """The weight is missing: y = weight · x_hat, so dx has it as a factor."""
    return _dx(dy, x, weight, eps, factor=False)


def all_channels_together(right, dy, x, weight, eps):
    """Your means run over the channels as well; each channel is normalised by itself, and so is its gradient."""
    return _dx(dy, x, weight, eps, axes=(0, 1, 2, 3))


def each_picture_alone(right, dy, x, weight, eps):
    """Your means are for each picture; they run over the whole batch."""
    return _dx(dy, x, weight, eps, axes=(2, 3))


def times_the_deviation(right, dy, x, weight, eps):
    """You multiply by the deviation; the forward divided by it, and so does the backward."""
    return right(dy, x, weight, eps) * (x.var(axis=(0, 2, 3), keepdims=True) + eps)


def x_hat_forgotten(right, dy, x, weight, eps):
    """The mean of (dy · x_hat) is subtracted as it is; each value loses its own share, x_hat times that mean."""
    average: Any = {"axis": (0, 2, 3), "keepdims": True}
    inv_std = 1 / np.sqrt(x.var(**average) + eps)
    x_hat = (x - x.mean(**average)) * inv_std
    return weight[:, None, None] * inv_std * (dy - dy.mean(**average) - (dy * x_hat).mean(**average))


def mean_added(right, dy, x, weight, eps):
    """The mean of dy is added; subtract it."""
    return _dx(dy, x, weight, eps, mean=-1)


def twice_along(right, dy, x, weight, eps):
    """The part along x_hat is subtracted twice (the 2 of the square is eaten by the ½ of the root)."""
    return _dx(dy, x, weight, eps, along=2)


def weight_times_dy(right, dy, x, weight, eps):
    """This is weight · dy alone: divide by the deviation, and subtract what goes through mean and variance."""
    return dy * weight[:, None, None]


def _dx_cases() -> list[tuple]:
    rng = np.random.default_rng(71)
    return [(rng.normal(size=x.shape), x, weight, eps) for x, weight, _, eps in _norm_cases()]


BATCH_NORM_DX = Exercise(
    batch_norm_dx,
    _dx_cases(),
    (
        direct_road_only, variance_forgotten, mean_forgotten, sums_for_means, variance_added, weight_forgotten,
        all_channels_together, each_picture_alone, times_the_deviation, x_hat_forgotten, mean_added, twice_along,
        weight_times_dy,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- running


def running(old, values, momentum):
    """The running variance of a channel after one more batch with these values (M,); the batch's variance is that by M − 1."""
    return (1 - momentum) * old + momentum * np.var(values, ddof=1)


def shares_exchanged(right, old, values, momentum):
    """The shares are exchanged (as other libraries count momentum): the new batch gets `momentum`, the old 1 − momentum."""
    return right(old, values, 1 - momentum)


def by_m(right, old, values, momentum):
    """Into the running variance goes the sum of squares by M − 1, not by M."""
    return (1 - momentum) * old + momentum * np.var(values)


def added_up(right, old, values, momentum):
    """The old one is kept whole; it loses what the new one gains: (1 − momentum) · old."""
    return old + momentum * np.var(values, ddof=1)


def deviation_for_variance(right, old, values, momentum):
    """You average standard deviations; the layer keeps variances."""
    return (1 - momentum) * old + momentum * np.std(values, ddof=1)


def mean_for_variance(right, old, values, momentum):
    """This averages the *mean* of the values; their variance is asked for."""
    return (1 - momentum) * old + momentum * np.mean(values)


def batch_alone(right, old, values, momentum):
    """This is the variance of the batch alone; it moves the old one by a share of `momentum`."""
    return np.var(values, ddof=1)


def old_unchanged(right, old, values, momentum):
    """The old one is returned: it must move towards that of the batch."""
    return old


def squares_alone(right, old, values, momentum):
    """The mean is not subtracted before squaring."""
    return (1 - momentum) * old + momentum * np.square(values).sum() / (len(values) - 1)


def new_one_whole(right, old, values, momentum):
    """The new one goes in whole; it goes in times `momentum`."""
    return (1 - momentum) * old + np.var(values, ddof=1)


def both_times_momentum(right, old, values, momentum):
    """Both are multiplied by `momentum`; the old one keeps 1 − momentum."""
    return momentum * (old + np.var(values, ddof=1))


def half_and_half(right, old, values, momentum):
    """This is the mean of the two; the new one gets `momentum`, the old one the rest."""
    return (old + np.var(values, ddof=1)) / 2


def subtracted(right, old, values, momentum):
    """The new one is subtracted; add it."""
    return (1 - momentum) * old - momentum * np.var(values, ddof=1)


def _running_cases() -> list[tuple]:
    rng = np.random.default_rng(72)
    return [
        (1.0, np.array([1.0, 3, 5, 7]), 0.1),
        (0.5, np.array([0.0, 0, 2, 2]), 0.25),
        *((float(rng.uniform(0.5, 4)), 2 * rng.normal(size=M) + 1, 0.1) for M in (2, 9, 30)),
    ]


RUNNING = Exercise(
    running,
    _running_cases(),
    (
        shares_exchanged, by_m, added_up, deviation_for_variance, mean_for_variance, batch_alone, old_unchanged, squares_alone,
        new_one_whole, both_times_momentum, half_and_half, subtracted,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (INITIAL_STD, BATCH_NORM, BATCH_NORM_DX, RUNNING)
