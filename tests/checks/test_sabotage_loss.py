"""Wrong backwards of the softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import functional as F
from support.sabotage import Sabotage, mutants_of, per_channel

RNG = np.random.default_rng(42)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


SCORES, LABELS, CLASS_WEIGHT = normal(2, 4, 3, 3), RNG.integers(0, 4, (2, 3, 3)), RNG.uniform(0.2, 2, 4)
LABELS[0, 0] = LABELS[1, 2, 1] = 255
COUNTED = LABELS != 255


def loss_gradient(void=True, weighted=True, one_hot=True, shift=0, divisor=None, smoothing=0.1, axis=1) -> Callable:
    """Cross-entropy's dscores, with something wrong in it."""

    def mutant(dloss, cache):
        p = np.exp(SCORES - np.log(np.exp(SCORES).sum(axis=axis, keepdims=True)))
        labels = np.where(COUNTED, LABELS, 0)
        target = np.eye(4)[(labels + shift) % 4].transpose(0, 3, 1, 2) * one_hot * (1 - smoothing)
        target = target * CLASS_WEIGHT[labels][:, None] if weighted else target
        target = target + smoothing / 4 * (per_channel(CLASS_WEIGHT) if weighted else 1)
        total = target.sum(axis=1, keepdims=True) if one_hot else CLASS_WEIGHT[labels][:, None]
        dscores = total * p - target
        dscores = dscores * COUNTED[:, None] if void else dscores
        return dscores * dloss / ((CLASS_WEIGHT[labels] * COUNTED).sum() if divisor is None else divisor)

    return mutant


def test_the_formula_that_the_loss_mutants_vary_is_right():
    _, cache = F.cross_entropy(SCORES, LABELS, CLASS_WEIGHT, label_smoothing=0.1)
    np.testing.assert_allclose(loss_gradient()(0.7, cache), F.cross_entropy_backward(0.7, cache), rtol=1e-10, atol=1e-14)


LOSS = Sabotage(
    F.cross_entropy, {"scores": SCORES, "labels": LABELS}, {"weight": CLASS_WEIGHT, "label_smoothing": 0.1}, {
    "zero": lambda dloss, cache: np.zeros_like(SCORES),
    "wrong sign": lambda dloss, cache: -loss_gradient()(dloss, cache),
    "void forgotten": loss_gradient(void=False),
    "void set to background, and counted": loss_gradient(void=False, divisor=CLASS_WEIGHT[np.where(COUNTED, LABELS, 0)].sum()),
    "class weights forgotten": loss_gradient(weighted=False),
    "the one-hot forgotten": loss_gradient(one_hot=False),
    "the next class": loss_gradient(shift=1),
    "label smoothing forgotten": loss_gradient(smoothing=0.0),
    "a lost 1/N: not divided": loss_gradient(divisor=1),
    "divided by the batch": loss_gradient(divisor=2),
    "divided by all pixels, void too": loss_gradient(divisor=18),
    "divided by pixels, not weights": loss_gradient(divisor=COUNTED.sum()),
    "softmax over rows": loss_gradient(axis=2),
    "dloss forgotten": lambda dloss, cache: loss_gradient()(1.0, cache),
    "pixels transposed": lambda dloss, cache: loss_gradient()(dloss, cache).swapaxes(2, 3),
    "probabilities, not gradients": lambda dloss, cache: F.softmax(SCORES),
})  # fmt: skip


LOSS_NONE = Sabotage(F.cross_entropy, {"scores": SCORES, "labels": LABELS}, {"reduction": "none"}, {
    "void forgotten": lambda dloss, cache: (
        F.softmax(SCORES) - np.eye(4)[np.where(COUNTED, LABELS, 0)].transpose(0, 3, 1, 2)) * dloss[:, None],
    "averaged after all": lambda dloss, cache: F.cross_entropy_backward(dloss, cache) / COUNTED.sum(),
    "dloss summed": lambda dloss, cache: F.cross_entropy_backward(np.full_like(dloss, dloss.sum()), cache),
    "dloss averaged": lambda dloss, cache: F.cross_entropy_backward(np.full_like(dloss, dloss.mean()), cache),
    "dloss of the other picture": lambda dloss, cache: F.cross_entropy_backward(dloss[::-1], cache),
    "dloss transposed": lambda dloss, cache: F.cross_entropy_backward(dloss.swapaxes(1, 2), cache),
})  # fmt: skip


SABOTAGES = {"cross_entropy": LOSS, "cross_entropy of each pixel": LOSS_NONE}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)
