"""Wrong backwards of power-average pooling, and the layer as the rest of the house sees it."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import anatomy
from minifcn import functional as F
from minifcn import layers as L
from support.sabotage import Sabotage, flip, mutants_of

RNG = np.random.default_rng(47)
X = RNG.standard_normal((2, 3, 7, 8))


def right(dy, cache, p=None, y=None, x=None):
    """The right backward, with another power, output or input."""
    mine, of_y, of_p, taps, windows = cache
    return F.lp_pool2d_backward(dy, (mine if x is None else x, of_y if y is None else y, p or of_p, taps, windows))


LP = Sabotage(F.lp_pool2d, {"x": X}, {"norm_type": 4.0, "kernel_size": (3, 2), "stride": 2}, {
    "an average's": lambda dy, cache: F.avg_pool2d_backward(dy, cache[4]),
    "p off by one": lambda dy, cache: right(dy, cache, p=3.0),
    "the root's slope forgotten": lambda dy, cache: right(dy, cache, y=np.ones_like(cache[1])),
    "x's power forgotten": lambda dy, cache: right(dy, cache, x=np.ones_like(X)),
    "|x| for x": lambda dy, cache: right(dy, cache, x=abs(X)),
    "the mean's, not the sum's": lambda dy, cache: right(dy, cache) / 6,
    "times p": lambda dy, cache: 4 * right(dy, cache),
    "turned over": lambda dy, cache: flip(right(dy, cache)),
})  # fmt: skip
SABOTAGES = {"lp_pool2d": LP}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_wrong_backwards_are_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)


def test_an_empty_window_has_no_gradient():
    y, cache = F.lp_pool2d(np.zeros((1, 1, 4, 4)), 2.0, 2)
    assert not F.lp_pool2d_backward(np.ones_like(y), cache).any()


def test_what_it_costs_and_where_it_looks_is_known():
    """It keeps its input and its output, and halves the picture: nobody was told."""
    net = L.Sequential(L.Conv2d(3, 4, 3, padding=1), L.LPPool2d(2.0, 2), L.Conv2d(4, 2, 1))
    ledger = anatomy.ledger(net, (2, 3, 8, 12))
    assert [step.y.shape for step in ledger.steps] == [(2, 4, 8, 12), (2, 4, 4, 6), (2, 2, 4, 6)]
    conv, pool, _ = ledger.steps
    assert set(pool.kept) == {conv.y.storage, pool.y.storage}
    assert ledger.kept_bytes == 4 * (2 * 3 * 96 + 2 * 4 * 96 + 2 * 4 * 24)
    last = anatomy.coordinates(net, (2, 3, 8, 12)).places[-1]
    assert (last.rows.stride, last.rows.field) == (2, 4)
    with pytest.raises(ValueError, match=r"norm_type=0\.5 must be at least 1"):
        F.lp_pool2d(X, 0.5, 2)
