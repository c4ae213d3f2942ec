"""Changes to a network are made to a copy, and their effect is that of the network changed by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from minifcn import layers as L
from minifcn.checks.network import awake
from minifcn.explore import DropSkip, Nudge, SwitchOff, Trace, Turn


@pytest.fixture
def net() -> L.Layer:
    return awake("fcn8s").eval()


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.standard_normal((1, 3, 33, 47))


def scores(net, x) -> np.ndarray:
    with L.no_grad():
        return net(x)


def test_a_channel_switched_off(net, x):
    by_hand = copy.deepcopy(net)
    by_hand.conv2_1.weight.data[1] = 0
    by_hand.conv2_1.bias.data[1] = 0
    before = scores(net, x).copy()
    trace = Trace(net, x, changes=[SwitchOff("conv2_1", 1)])
    np.testing.assert_allclose(trace.scores, scores(by_hand, x), rtol=1e-12)
    assert not trace.maps("conv2_1")[1].any()
    assert np.abs(trace.scores - before).max() > 1e-9
    np.testing.assert_array_equal(scores(net, x), before)
    assert not trace.influence("conv2_1", 1, 3, 4).any()
    np.testing.assert_allclose(trace.gradient("input"), Trace(by_hand, x).gradient("input"), rtol=1e-10, atol=1e-18)
    terms, bias, value = trace.terms("conv2_1", 1, 3, 4)
    assert (len(terms), bias, value) == (0, 0, 0)


def test_a_kernel_turned_and_a_weight_nudged(net, x):
    by_hand = copy.deepcopy(net)
    kernel = by_hand.conv1_2.weight.data[0, 0].copy()
    by_hand.conv1_2.weight.data[0, 0] = kernel[::-1, ::-1]
    by_hand.score_fr.weight.data[2, 1, 0, 0] -= 0.25
    trace = Trace(net, x, changes=[Turn("conv1_2", 0, 0), Nudge("score_fr", (2, 1, 0, 0), -0.25)])
    np.testing.assert_allclose(trace.scores, scores(by_hand, x), rtol=1e-12)
    np.testing.assert_array_equal(net.conv1_2.weight.data[0, 0], kernel)


def test_a_skip_dropped(net, x):
    by_hand = copy.deepcopy(net)
    by_hand.score_pool3.weight.data[...] = 0
    by_hand.score_pool3.bias.data[...] = 0
    trace = Trace(net, x, changes=[DropSkip("join_pool3.add", 1)])
    np.testing.assert_allclose(trace.scores, scores(by_hand, x), rtol=1e-12)
    assert not trace.gradient("score_pool3").any()
    np.testing.assert_allclose(trace.gradient("input"), Trace(by_hand, x).gradient("input"), rtol=1e-10, atol=1e-18)


def test_two_changes_of_one_layer(net, x):
    trace = Trace(net, x, changes=[SwitchOff("conv3_1", 0), SwitchOff("conv3_1", 1)])
    assert not trace.maps("conv3_1")[:2].any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (SwitchOff("conv9", 0), "'conv9' is no elementary layer"), (SwitchOff("conv1_1", 99), "no channel 99"),
        (DropSkip("conv1_1", 1), "takes 1 inputs"), (DropSkip("join_pool3.add", 2), "no road 2"),
        (Turn("pool1", 0, 0), "pool1 has no kernels"), (Turn("conv1_1", 0, 3), "no place"),
        (Nudge("conv1_1", (0, 0, 3, 0), 1.0), "no place"),
        (Nudge("conv1_1", (0, 0, 0, 0), float("nan")), "nan cannot be added"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed(net, x, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Trace(net, x, changes=[change])
