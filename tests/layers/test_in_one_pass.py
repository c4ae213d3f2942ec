"""A convolution and the ReLU behind it, computed in one pass: the same numbers, and nothing that anybody could notice."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import layers as L
from minifcn import models, no_grad
from minifcn.layers import containers

rng = np.random.default_rng(11)
X, DY = rng.standard_normal((2, 3, 9, 7)), rng.standard_normal((2, 4, 9, 7))


def row(inplace=True) -> list[L.Layer]:
    layers = [L.Conv2d(3, 5, 3, padding=1, rng=np.random.default_rng(0)), L.ReLU(inplace), L.Conv2d(5, 4, 1, bias=False),
              L.ReLU(inplace), L.ReLU(inplace)]  # fmt: skip
    layers[2].weight.data = np.random.default_rng(1).standard_normal(layers[2].weight.shape)
    for layer in layers:
        layer.to("float64")
    layers[0].bias.data += 0.3
    return layers


@pytest.fixture
def fused(monkeypatch):
    """The convolutions that were computed together with a ReLU."""
    seen, right = [], L.Conv2d.forward_relu
    monkeypatch.setattr(L.Conv2d, "forward_relu", lambda self, x, relu: seen.append(self) or right(self, x, relu))
    return seen


def test_forward_and_backward_are_those_of_the_two_layers(fused):
    one_by_one, together = row(), row()
    y = X
    for layer in one_by_one:
        y = layer(y)
    np.testing.assert_array_equal(containers.forward_through(together, X), y)
    assert fused == [together[0], together[2]]
    dx, dx_together = DY.copy(), DY.copy()
    for layer in reversed(one_by_one):
        dx = layer.backward(dx)
    for layer in reversed(together):
        dx_together = layer.backward(dx_together)
    np.testing.assert_array_equal(dx_together, dx)
    for mine, yours in zip(together, one_by_one, strict=True):
        for parameter, other in zip(mine.parameters(), yours.parameters(), strict=True):
            np.testing.assert_array_equal(parameter.grad, other.grad)
        assert not mine._stack


def test_caches_are_those_of_conv2d_and_relu():
    weight = rng.standard_normal((4, 3, 3, 3))
    y, (cache, mask) = F.conv2d_relu(X, weight, None, stride=(2, 1), padding=1)
    plain, expected = F.conv2d(X, weight, None, stride=(2, 1), padding=1)
    np.testing.assert_array_equal(y, np.maximum(plain, 0))
    assert y.min() == 0 < y.max()
    assert mask is y
    assert cache[2:] == expected[2:]


def test_a_relu_that_keeps_its_input_runs_by_itself(fused):
    layers = row(inplace=False)
    net = L.Sequential(*layers)
    y = net(X)
    assert fused == []
    np.testing.assert_array_equal(y, containers.forward_through(row(), X))


@pytest.mark.parametrize("place", [0, 1])
def test_who_watches_a_layer_sees_it_run(fused, place):
    net, seen = L.Sequential(*row()), []
    layer = net[place]
    forward = layer.forward
    layer.forward = lambda x: seen.append(forward(x)) or seen[-1]
    net(X)
    assert len(seen) == 1
    assert fused == [net[2]]


def test_without_gradients_nothing_is_kept(fused):
    net = L.Sequential(*row())
    with no_grad():
        net(X)
    assert len(fused) == 2
    assert not any(layer._stack for layer in net)


def test_the_networks_do_so(fused):
    net = models.build("fcn8s", 3, width=1 / 64)
    net(np.zeros((1, 3, 8, 8), np.float32))
    assert len(fused) == 15
    assert [layer for layer in fused if not isinstance(layer, L.Conv2d)] == []


@pytest.mark.parametrize(
    "options",
    [{"kernel_size": 2, "ceil_mode": True}, {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1, "dilation": (2, 1)},
     {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}],
)  # fmt: skip
def test_a_pooling_that_nobody_takes_back_remembers_nothing(options):
    """The same values, NaN and minus infinity among them, and no switches."""
    x = np.round(np.random.default_rng(3).standard_normal((2, 5, 13, 10)) * 2).astype(np.float32)
    x[0, 1, 4, 5], x[1, 2, :6, :6] = np.nan, -np.inf
    layer = L.MaxPool2d(**options)
    kept = layer(x)
    layer.forget()
    with no_grad():
        np.testing.assert_array_equal(layer(x), kept)
        assert not layer.kept()
