"""Watchers: told of each elementary layer once, in order, forward and backward, whatever else happens."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import layers as L
from minifcn import models, no_grad

X = np.random.default_rng(1).standard_normal((1, 2, 6, 5)).astype("f")


class Notes(L.Watcher):
    """Writes down all that it is told."""

    def __init__(self):
        self.begun, self.forwards, self.backwards = [], [], []

    def begin(self, layer):
        self.begun.append(layer)

    def forward(self, layer, inputs, outputs):
        self.forwards.append((layer, inputs, outputs))

    def backward(self, layer, dys, dxs):
        self.backwards.append((layer, dys, dxs))

    @property
    def layers(self) -> tuple[list[L.Layer], list[L.Layer]]:
        return [layer for layer, *_ in self.forwards], [layer for layer, *_ in self.backwards]


def net() -> L.Sequential:
    inner = L.Sequential(L.Conv2d(2, 2, 3, padding=1), L.ReLU(inplace=True))
    return L.Sequential(inner, L.MaxPool2d(2), L.Sequential(L.Sequential(L.BatchNorm2d(2))), L.Identity())


def leaves(network: L.Layer) -> list[L.Layer]:
    return [layer for _, layer in network.named_layers() if layer.is_leaf()]


def test_each_leaf_once_in_order_both_ways():
    network, notes = net(), Notes()
    with L.watching(notes):
        y = network(X)
        dx = network.backward(np.ones_like(y))
    assert notes.layers == (leaves(network), leaves(network)[::-1])
    assert notes.begun == leaves(network) + leaves(network)[::-1]
    outputs = [output for *_, output in notes.forwards]
    assert notes.forwards[0][1] == (X,)
    for (_, (x,), _), before in zip(notes.forwards[1:], outputs, strict=False):
        assert x is before
    assert outputs[-1] is y
    assert notes.backwards[-1][2] is dx


def test_the_numbers_are_the_same_and_nobody_is_told_afterwards():
    network, notes = net(), Notes()
    y, dy = network(X), np.ones((1, 2, 3, 2), "f")
    dx = network.backward(dy.copy())
    with L.watching(notes):
        np.testing.assert_array_equal(network(X), y)
        np.testing.assert_array_equal(network.backward(dy.copy()), dx)
    told = len(notes.forwards) + len(notes.backwards)
    network(X)
    network.backward(dy)
    assert len(notes.forwards) + len(notes.backwards) == told


def test_a_layer_by_itself_is_told_too():
    relu, notes = L.ReLU(), Notes()
    with L.watching(notes):
        relu.backward(relu(X))
    assert notes.layers == ([relu], [relu])


def test_several_watchers_are_told_each():
    network, first, second = net(), Notes(), Notes()
    with L.watching(first):
        y = network(X)
        with L.watching(second):
            network.backward(y)
        network.backward(network(X))
    assert first.layers == (leaves(network) * 2, leaves(network)[::-1] * 2)
    assert second.layers == ([], leaves(network)[::-1])


def test_super_chains_are_one_step():
    class Halved(L.ReLU):
        def forward(self, x):
            return super().forward(x) / 2

        def backward(self, dy):
            return super().backward(dy / 2)

    class Quartered(Halved):
        def backward(self, dy):
            return super().backward(dy) / 2

    class Inherited(Quartered):
        pass

    layer, notes = Inherited(), Notes()
    with L.watching(notes):
        layer.backward(layer(X))
    assert notes.layers == ([layer], [layer])
    assert len(notes.begun) == 2


def test_layers_that_a_leaf_calls_for_itself_are_its_own_business():
    """A leaf that uses another layer without owning it."""
    helper = L.ReLU()

    class Borrower(L.Layer):
        def forward(self, x):
            return helper(x)

        def backward(self, dy):
            return helper.backward(dy)

    layer, notes = Borrower(), Notes()
    with L.watching(notes):
        layer.backward(layer(X))
    assert notes.layers == ([layer], [layer])


def test_layers_with_several_inputs_and_outputs():
    layer, add, notes = L.MaxPool2d(2, return_indices=True), L.Add(), Notes()
    with L.watching(notes):
        y, indices = layer(X)
        add(y, y)
        das = add.backward(np.ones_like(y))
    assert notes.forwards[0][2] == (y, indices)
    assert notes.forwards[1][1] == (y, y)
    assert notes.backwards[0][2] == das


def test_watched_layers_run_one_by_one():
    """Convolutions run by themselves, not in one pass with their ReLU, so that each step has an output."""
    network = models.build("unet", 3, width=1 / 64, in_channels=2)
    notes = Notes()
    with L.watching(notes), no_grad():
        network(np.zeros((1, 2, 16, 16), "f"))
    assert len(notes.forwards) == len(leaves(network))
    for layer, (x,), y in (step for step in notes.forwards if isinstance(step[0], L.ReLU)):
        assert layer.inplace
        assert x is y


def test_where_nothing_is_asked_for_the_backward_is_told_with_none():
    network, notes = L.Sequential(L.PadTo(4), L.Conv2d(2, 2, 3)), Notes()
    network.needs_dx = False
    with L.watching(notes):
        network.backward(network(X))
    assert notes.layers == ([*network], [*network][::-1])
    assert notes.backwards[-1][1:] == ((None,), None)


def test_a_spy_is_told_of_once():
    network, notes = net(), Notes()
    pool = network[1]
    forward, backward = pool.forward, pool.backward
    pool.forward, pool.backward = lambda x: forward(x), lambda dy: backward(dy)
    with L.watching(notes):
        network.backward(network(X))
    assert notes.layers == (leaves(network), leaves(network)[::-1])


class Stop(Exception):
    pass


@pytest.mark.parametrize("moment", ["begin", "forward", "backward"])
def test_what_a_watcher_raises_ends_the_pass_and_the_watching(moment):
    network, calm = net(), Notes()

    def stop(*_):
        raise Stop

    angry = type("Angry", (L.Watcher,), {moment: stop})()
    y = network(X)
    with pytest.raises(Stop), L.watching(angry), L.watching(calm):
        network.backward(y) if moment == "backward" else network(X)
    calm.forwards.clear()
    network.forget()
    network(X)
    assert calm.forwards == []


def test_what_a_layer_raises_leaves_the_watchers_watching():
    class Broken(L.Layer):
        def forward(self, x):
            raise Stop

    broken, relu, notes = Broken(), L.ReLU(), Notes()
    with L.watching(notes):
        with pytest.raises(Stop):
            L.Sequential(relu, broken)(X)
        relu(X)
    assert notes.layers == ([relu, relu], [])
    assert notes.begun == [relu, broken, relu]


def test_a_thread_is_watched_only_by_its_own():
    mine, others, network = Notes(), Notes(), net()

    def elsewhere():
        other = net()
        other(X)
        with L.watching(others):
            other(X)

    with L.watching(mine):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        network(X)
    assert mine.layers == (leaves(network), [])
    assert len(others.forwards) == 5


def test_a_function_is_nobodys_step():
    notes = Notes()
    with L.watching(notes):
        F.relu(X)
    assert notes.begun == []
