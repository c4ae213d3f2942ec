"""A trunk with taps: what is read on the way, and how the gradients of what was read come together."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn import layers as L

X = np.random.default_rng(1).standard_normal((1, 2, 9, 8))


def conv(seed: int) -> L.Conv2d:
    layer = L.Conv2d(2, 2, 3, padding=1, rng=np.random.default_rng(seed))
    layer.bias.data[...] = 0.1
    return layer


class Net(L.Layer):
    """Four layers, read behind those that a subclass says; the scores are what was read, cut to one size and added."""

    trunk: L.Trunk

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1, self.conv2, self.relu2 = conv(1), L.ReLU(inplace=True), conv(2), L.ReLU(inplace=True)
        self.scale = L.Scale(2.0)  # behind the trunk
        self.add = L.Add()

    def forward(self, x):
        first, *others = self.trunk(x)
        y = self.scale(first)
        for other in others:
            y = self.add(y, other)
        return y

    def backward(self, dy):
        douts = []
        for _ in self.trunk.stops[1:]:
            dy, dother = self.add.backward(dy)
            douts.append(dother)
        return self.trunk.backward(self.scale.backward(dy), *reversed(douts))


def net(*taps: str) -> Net:
    return type("Tapped", (Net,), {"trunk": L.Trunk(*taps)})().to("float64")


TAPS = [("relu2",), ("relu1",), ("relu1", "relu2"), ("relu1", "conv2"), ("relu1", "relu1", "relu2"), ("conv1",)]


@pytest.mark.parametrize("taps", [taps for taps in TAPS if taps != ("relu1", "conv2")])
def test_gradients_come_back_from_every_tap(taps):
    report = minifcn.gradcheck(net(*taps), X)
    used = {key.split(".")[0] for key in ("conv1.weight", "conv2.weight")} if "relu2" in taps else {"conv1"}
    rows = [row for row in report.rows if row.name == "x" or row.name.split(".")[0] in used]
    assert all(row.passed for row in rows), str(report)


@pytest.mark.parametrize("taps", TAPS)
def test_what_is_read_is_what_the_layers_give(taps):
    network = net(*taps)
    x, behind = X, {}
    for name in ("conv1", "relu1", "conv2", "relu2"):
        x = getattr(network, name)(x)
        behind[name] = x.copy()
    network.forget()
    for tap, y in zip(taps, network.trunk(X), strict=True):
        np.testing.assert_array_equal(y, behind[tap])


def test_after_the_last_tap_nothing_runs():
    network, told = net("relu1"), []

    class Watcher(L.Watcher):
        def forward(self, layer, inputs, outputs):
            told.append(layer)

    with L.watching(Watcher()):
        network.trunk(X)
    assert told == [network.conv1, network.relu1]


def test_what_the_next_layer_writes_over_cannot_be_read():
    """An in-place ReLU behind a tap would change what was read."""
    with pytest.raises(ValueError, match="Tapped: relu1 writes over what is read behind conv1"):
        net("conv1", "relu2")(X)
    with pytest.raises(ValueError, match="relu2 writes over what is read behind conv2"):
        net("conv2", "relu2")(X)


@pytest.mark.parametrize(
    "hidden",
    [
        lambda: L.Sequential(L.ReLU(inplace=True), conv(3)),
        lambda: L.Sequential(L.Sequential(), L.Identity(), L.ReLU(inplace=True)),
        lambda: L.Sequential(), L.Identity, L.Dropout, lambda: L.PadTo(1),
    ],
)  # fmt: skip
def test_nor_what_an_in_place_relu_further_on_writes_over(hidden):
    """What hands its input on, or holds layers in a row, stands between the tap and the ReLU."""
    network = net("conv1", "relu2")
    network.relu1 = hidden()
    network.conv2 = L.ReLU(inplace=True)
    with pytest.raises(ValueError, match=r"Tapped: (relu1\.\w|conv2) writes over what is read behind conv1"):
        network(X)
    network.relu1 = L.Sequential(L.ReLU(), L.ReLU(inplace=True))  # which writes over an array of its own
    network(X)


def test_taps_that_do_not_exist_or_stand_in_another_order_are_refused():
    with pytest.raises(ValueError, match="Tapped has no layer 'pool3' to be read behind; it has conv1, relu1"):
        net("pool3")(X)
    with pytest.raises(ValueError, match="the taps relu2, relu1 do not stand in the order of the layers"):
        net("relu2", "relu1")(X)


def test_a_frozen_start_keeps_nothing_and_the_rest_learns_as_before():
    network = net("relu1", "relu2")
    network.trunk.needs_dx = False
    dy = np.random.default_rng(2).standard_normal(X.shape)
    network(X)
    assert network.backward(dy.copy()) is None
    expected = network.conv2.weight.grad
    network.zero_grad()
    network.conv1.freeze()
    y = network(X)
    assert not network.conv1.kept()
    assert not network.relu1.kept()
    assert network.backward(dy.copy()) is None
    np.testing.assert_array_equal(network.conv2.weight.grad, expected)
    assert network.conv1.weight.grad is None
    assert not any(layer.kept() for _, layer in network.named_layers())
    network.freeze()
    np.testing.assert_array_equal(network(X), y)
    assert network.backward(dy.copy()) is None
    assert not any(layer.kept() for _, layer in network.named_layers())


def test_a_frozen_start_is_kept_where_the_pictures_gradient_is_wanted():
    network = net("relu1", "relu2")
    network(X)
    dx = network.backward(np.ones_like(X))
    network.freeze()
    network(X)
    np.testing.assert_array_equal(network.backward(np.ones_like(X)), dx)


def test_a_trunk_that_begins_with_a_pad_computes_no_gradient_of_the_picture(monkeypatch):
    class Padded(L.Layer):
        trunk = L.Trunk("conv")

        def __init__(self):
            super().__init__()
            self.pad, self.conv = L.PadTo(4), conv(1)
            self.trunk.needs_dx = False

        def forward(self, x):
            return self.trunk(x)[0]

        def backward(self, dy):
            return self.trunk.backward(dy)

    network = Padded()
    assert not network.conv.needs_dx
    assert network.backward(network(X.astype("f"))) is None
    assert network.conv.weight.grad is not None
    assert not any(layer.kept() for _, layer in network.named_layers())


def test_two_passes_through_a_trunk_come_back_in_reverse():
    network = net("relu1", "relu2")
    dy = np.ones_like(X)
    expected = []
    for x in (X, -X):
        network(x)
        expected.append(network.backward(dy.copy()))
    network(X), network(-X)
    np.testing.assert_array_equal(network.backward(dy.copy()), expected[1])
    np.testing.assert_array_equal(network.backward(dy.copy()), expected[0])


def test_a_convolution_and_its_relu_run_in_one_pass(monkeypatch):
    fused, right = [], L.Conv2d.forward_relu
    monkeypatch.setattr(L.Conv2d, "forward_relu", lambda self, x, relu: fused.append(self) or right(self, x, relu))
    network = net("relu1", "relu2")
    network(X)
    assert fused == [network.conv1, network.conv2]


def test_none_stands_for_a_tap_that_nobody_used():
    """As the auxiliary head's in evaluation: the gradients are those of the last tap alone."""
    tapped, alone, dy = net("relu1", "relu2"), net("relu2"), np.ones_like(X)
    tapped.trunk(X)
    alone.trunk(X)
    np.testing.assert_array_equal(tapped.trunk.backward(None, dy.copy()), alone.trunk.backward(dy.copy()))
    for (key, parameter), other in zip(tapped.named_parameters(), alone.parameters(), strict=True):
        np.testing.assert_array_equal(parameter.grad, other.grad, err_msg=key)
