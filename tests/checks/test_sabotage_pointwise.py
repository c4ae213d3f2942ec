"""Wrong backwards of ReLU, batch norm and dropout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import functional as F
from support.sabotage import Sabotage, mutants_of, only, per_channel

RNG = np.random.default_rng(42)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


RELU_X = normal(2, 3, 4, 4)
RELU = Sabotage(F.relu, {"x": RELU_X}, {}, {
    "zero": lambda dy, cache: np.zeros_like(dy),
    "the mask forgotten": lambda dy, cache: dy.copy(),
    "the mask turned round": lambda dy, cache: dy * (RELU_X <= 0),
    "the mask of y >= 0": lambda dy, cache: dy * (np.maximum(RELU_X, 0) >= 0),
    "the mask of dy": lambda dy, cache: np.maximum(dy, 0),
    "both masks (guided backpropagation)": lambda dy, cache: np.maximum(dy, 0) * (RELU_X > 0),
    "the mask of x > 1 (a threshold left over)": lambda dy, cache: dy * (RELU_X > 1),
    "the mask transposed": lambda dy, cache: dy * (RELU_X.swapaxes(2, 3) > 0),
    "the mask one channel off": lambda dy, cache: dy * np.roll(RELU_X > 0, 1, axis=1),
    "leaky": lambda dy, cache: dy * np.where(RELU_X > 0, 1, 0.01),
    "times y": lambda dy, cache: dy * np.maximum(RELU_X, 0),
    "wrong sign": lambda dy, cache: -dy * (RELU_X > 0),
})  # fmt: skip

BN_X, BN_WEIGHT, BN_BIAS = 1 + 2 * normal(2, 3, 4, 5), normal(3), normal(3)
BN_RUNNING = {"running_mean": normal(3), "running_var": RNG.uniform(0.5, 2, 3)}
AXES, M = (0, 2, 3), 40


def batch_norm_dx(mean_term=True, variance_term=True, count=M, axes=AXES, weight=True, scale=None, centred=True):
    """Batch norm's dx, with something wrong in it."""

    def mutant(dy, cache):
        mean, var = BN_X.mean(axis=AXES, keepdims=True), BN_X.var(axis=AXES, keepdims=True)
        inv_std = 1 / np.sqrt(var + 1e-5)
        x_hat = (BN_X - (mean if centred else 0)) * inv_std
        dx = dy.copy()
        if mean_term:
            dx = dx - dy.sum(axis=axes, keepdims=True) / count
        if variance_term:
            dx = dx - x_hat * (dy * x_hat).sum(axis=axes, keepdims=True) / count
        dx = dx * (inv_std if scale is None else scale(var)) * (per_channel(BN_WEIGHT) if weight else 1)
        return dx, *F.batch_norm_backward(dy, cache)[1:]

    return mutant


def test_the_formula_that_the_batch_norm_mutants_vary_is_right():
    y, cache = F.batch_norm(BN_X, None, None, BN_WEIGHT, BN_BIAS, training=True)
    dy = normal(*y.shape)
    np.testing.assert_allclose(batch_norm_dx()(dy, cache)[0], F.batch_norm_backward(dy, cache)[0], rtol=1e-9, atol=1e-12)


def of_batch_norm(place: int, change: Callable) -> Callable:
    return only(place, F.batch_norm_backward, change)


BATCH_NORM = Sabotage(
    F.batch_norm, {"x": BN_X, **BN_RUNNING, "weight": BN_WEIGHT, "bias": BN_BIAS}, {"training": True}, {
    "dx is zero": of_batch_norm(0, np.zeros_like),
    "dx has the wrong sign": of_batch_norm(0, np.negative),
    "both mean terms dropped": batch_norm_dx(mean_term=False, variance_term=False),
    "mean(dy) dropped": batch_norm_dx(mean_term=False),
    "the variance's term dropped": batch_norm_dx(variance_term=False),
    "a lost 1/M: sums for means": batch_norm_dx(count=1),
    "M - 1 for M": batch_norm_dx(count=M - 1),
    "a lost 1/N: means over pixels only": batch_norm_dx(count=M / 2),
    "means of each picture": batch_norm_dx(axes=(2, 3), count=M / 2),
    "weight forgotten": batch_norm_dx(weight=False),
    "variance for standard deviation": batch_norm_dx(scale=lambda var: 1 / (var + 1e-5)),
    "scale forgotten": batch_norm_dx(scale=lambda var: 1),
    "scale of the running variance (stale)": batch_norm_dx(scale=lambda var: per_channel(BN_RUNNING["running_var"]) ** -0.5),
    "x not centred": batch_norm_dx(centred=False),
    "dweight from x, not x-hat": lambda dy, cache: (
        F.batch_norm_backward(dy, cache)[0], (dy * BN_X).sum(axis=AXES), dy.sum(axis=AXES)),
    "dweight averaged": of_batch_norm(1, lambda dweight: dweight / M),
    "dweight times weight": of_batch_norm(1, lambda dweight: dweight * BN_WEIGHT),
    "dweight is zero": of_batch_norm(1, np.zeros_like),
    "dbias averaged": of_batch_norm(2, lambda dbias: dbias / M),
    "dbias times weight": of_batch_norm(2, lambda dbias: dbias * BN_WEIGHT),
    "dweight and dbias exchanged": lambda dy, cache: tuple(F.batch_norm_backward(dy, cache)[i] for i in (0, 2, 1)),
})  # fmt: skip

BATCH_NORM_EVAL = Sabotage(F.batch_norm, {"x": BN_X, **BN_RUNNING, "weight": BN_WEIGHT, "bias": BN_BIAS}, {}, {
    "training's formula": batch_norm_dx(),
    "dx is zero": of_batch_norm(0, np.zeros_like),
    "dx is dy": lambda dy, cache: (dy.copy(), *F.batch_norm_backward(dy, cache)[1:]),
    "scale of the batch": batch_norm_dx(mean_term=False, variance_term=False),
    "weight forgotten": lambda dy, cache: (
        dy / np.sqrt(per_channel(BN_RUNNING["running_var"]) + 1e-5), *F.batch_norm_backward(dy, cache)[1:]),
    "dweight from the batch's x-hat": lambda dy, cache: (
        F.batch_norm_backward(dy, cache)[0],
        F.batch_norm_backward(dy, F.batch_norm(BN_X, None, None, BN_WEIGHT, BN_BIAS, training=True)[1])[1], dy.sum(axis=AXES)),
})  # fmt: skip

DROP_X, P = normal(2, 3, 4, 4), 0.4


def kept(cache):
    return F.dropout_backward(np.ones(DROP_X.shape), cache) > 0


DROPOUT = Sabotage(F.dropout, {"x": DROP_X}, {"p": P}, {
    "zero": lambda dy, cache: np.zeros_like(dy),
    "the mask forgotten": lambda dy, cache: dy.copy(),
    "the mask forgotten, scaled": lambda dy, cache: dy / (1 - P),
    "the scale forgotten": lambda dy, cache: dy * kept(cache),
    "the scale twice": lambda dy, cache: dy * kept(cache) / (1 - P) ** 2,
    "1/p for 1/(1 - p)": lambda dy, cache: dy * kept(cache) / P,
    "multiplied by 1 - p": lambda dy, cache: dy * kept(cache) * (1 - P),
    "the mask turned round": lambda dy, cache: dy * ~kept(cache) / (1 - P),
    "a new mask": lambda dy, cache: F.dropout(dy, P, rng=np.random.default_rng(99))[0],
    "the mask of one channel": lambda dy, cache: dy * kept(cache)[:, :1] / (1 - P),
    "the mask transposed": lambda dy, cache: dy * kept(cache).swapaxes(2, 3) / (1 - P),
})  # fmt: skip


SABOTAGES = {
    "relu": RELU, "batch_norm": BATCH_NORM, "batch_norm in evaluation": BATCH_NORM_EVAL, "dropout": DROPOUT,
}  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)


def test_a_replaced_backward_in_the_package_is_found_too(monkeypatch):
    """Layers call ``functional.relu_backward``; somebody who replaces that one must see the check fail as well."""
    monkeypatch.setattr(F, "relu_backward", RELU.mutants["the mask forgotten"])
    assert not RELU.check()


def test_an_output_gradient_of_ones_would_be_blind():
    """Why dy is random: with ones, batch norm's dx is zero, so a backward that returns zero is right along every direction.

    x̂ sums to zero whatever x is, and so does any change of it.
    """
    y, cache = F.batch_norm(BN_X, None, None, BN_WEIGHT, BN_BIAS, training=True)
    v, h = normal(*BN_X.shape), 1e-4
    for dy, blind in ((np.ones_like(y), True), (normal(*y.shape), False)):
        above, below = (
            (F.batch_norm(BN_X + step * v, None, None, BN_WEIGHT, BN_BIAS, training=True)[0] * dy).sum() for step in (h, -h)
        )
        numeric = (above - below) / (2 * h)
        of_zero = 0.0
        assert (abs(numeric - of_zero) < 1e-8) == blind
        assert abs(numeric - (F.batch_norm_backward(dy, cache)[0] * v).sum()) < 1e-6
