"""Wrong backwards of what classifiers add: fully connected layers and local response normalisation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import functional as F
from support.sabotage import Sabotage, first_picture_only, flip, mutants_of, only, other_dy

RNG = np.random.default_rng(44)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


ROWS, WEIGHT, BIAS = normal(3, 4), normal(4, 4), normal(4)  # a square weight: its transpose has the right shape


def of_linear(place: int, change: Callable) -> Callable:
    return only(place, F.linear_backward, change)


LINEAR = Sabotage(F.linear, {"x": ROWS, "weight": WEIGHT, "bias": BIAS}, {}, {
    "dx by the transposed weight": lambda dy, cache: (dy @ WEIGHT.T, *F.linear_backward(dy, cache)[1:]),
    "dx is zero": of_linear(0, np.zeros_like),
    "dx with the wrong sign": of_linear(0, np.negative),
    "dx of the first row only": of_linear(0, first_picture_only),
    "dx of dy turned round": other_dy(0, F.linear_backward, lambda dy: dy[:, ::-1]),
    "dweight transposed": of_linear(1, np.transpose),
    "dweight averaged over the rows": of_linear(1, lambda dweight: dweight / 3),
    "dweight of the first row only": lambda dy, cache: (
        F.linear_backward(dy, cache)[0], np.outer(dy[0], ROWS[0]), dy.sum(axis=0)),
    "dweight with the weight's own values (a decay left in)": of_linear(1, lambda dweight: dweight + 0.01 * WEIGHT),
    "dbias averaged": of_linear(2, lambda dbias: dbias / 3),
    "dbias of the first row only": lambda dy, cache: (*F.linear_backward(dy, cache)[:2], dy[0].copy()),
    "dbias summed over the outputs": of_linear(2, lambda dbias: np.full(4, dbias.sum())),
})  # fmt: skip

SIZE, ALPHA, BETA, K = 4, 0.5, 0.75, 1.5  # an even window: which side is longer can be mixed up
LRN_X = normal(2, 7, 3, 4)


def neighbours(values: np.ndarray, below: int = 2, above: int = 1) -> np.ndarray:
    """Of each channel c the sum over c − below ... c + above."""
    padded = np.pad(values, ((0, 0), (below, above), (0, 0), (0, 0)))
    return sum(padded[:, step : step + values.shape[1]] for step in range(below + above + 1))


S = K + ALPHA / SIZE * neighbours(LRN_X**2)


def lrn_dx(factor=2 * ALPHA * BETA / SIZE, below=1, above=2, share=-BETA - 1, direct=-BETA, sign=-1, times_x=True, of_x=True):
    """Local response normalisation's dx, with something wrong in it."""

    def mutant(dy, cache):
        through = neighbours(dy * (LRN_X if of_x else 1) * S**share, below, above)
        return dy * S**direct + sign * factor * (LRN_X if times_x else 1) * through

    return mutant


def of_lrn(change: Callable) -> Callable:
    return lambda dy, cache: change(F.local_response_norm_backward(dy, cache))


LRN = Sabotage(F.local_response_norm, {"x": LRN_X}, {"size": SIZE, "alpha": ALPHA, "beta": BETA, "k": K}, {
    "the direct path only": lrn_dx(factor=0),
    "the window not mirrored": lrn_dx(below=2, above=1),
    "a window of one channel": lrn_dx(below=0, above=0),
    "the 2 of the square lost": lrn_dx(factor=ALPHA * BETA / SIZE),
    "alpha not divided by the size": lrn_dx(factor=2 * ALPHA * BETA),
    "beta lost": lrn_dx(factor=2 * ALPHA / SIZE),
    "s to the power of -beta in the neighbours": lrn_dx(share=-BETA),
    "s to the power of beta": lrn_dx(direct=BETA),
    "the neighbours' share added": lrn_dx(sign=1),
    "x forgotten outside": lrn_dx(times_x=False),
    "x forgotten inside": lrn_dx(of_x=False),
    "s a constant 1": lambda dy, cache: dy.copy(),
    "zero": of_lrn(np.zeros_like),
    "wrong sign": of_lrn(np.negative),
    "one channel off": of_lrn(lambda dx: np.roll(dx, 1, axis=1)),
    "dy flipped": lambda dy, cache: F.local_response_norm_backward(flip(dy), cache),
    "along the rows instead of the channels": lambda dy, cache: F.local_response_norm_backward(
        np.ascontiguousarray(dy.swapaxes(1, 2)),
        F.local_response_norm(np.ascontiguousarray(LRN_X.swapaxes(1, 2)), SIZE, ALPHA, BETA, K)[1]).swapaxes(1, 2),
})  # fmt: skip

SABOTAGES = {"linear": LINEAR, "local_response_norm": LRN}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)


def test_the_formula_that_the_mutants_vary_is_right():
    y, cache = F.local_response_norm(LRN_X, SIZE, ALPHA, BETA, K)
    np.testing.assert_allclose(y, LRN_X * S**-BETA, rtol=1e-12)
    dy = normal(*y.shape)
    np.testing.assert_allclose(lrn_dx()(dy, cache), F.local_response_norm_backward(dy, cache), rtol=1e-10, atol=1e-13)
