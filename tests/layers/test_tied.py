"""Parameters and layers that stand in several places: each is one, whoever walks."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minifcn
from minifcn import layers as L
from minifcn.anatomy import ledger
from minifcn.training import SGD, Adam
from minifcn.training.gradients import clip_grad_norm

X = np.random.default_rng(1).standard_normal((1, 2, 6, 5)).astype("f")


def one_layer() -> L.Sequential:
    """A layer under two names."""
    conv = L.Conv2d(2, 2, 3, padding=1, rng=np.random.default_rng(0))
    return L.Sequential(conv, L.ReLU(), conv)


def one_weight() -> L.Sequential:
    """Two layers with one weight, each with a bias of its own."""
    first, second = (L.Conv2d(2, 2, 3, padding=1, rng=np.random.default_rng(seed)) for seed in (0, 1))
    second.weight = first.weight
    return L.Sequential(first, L.ReLU(), second)


def shared_bn() -> L.Sequential:
    """Batch norms of two time steps: one weight and bias, each its own statistics."""
    first, second = L.BatchNorm2d(2), L.BatchNorm2d(2)
    second.weight, second.bias = first.weight, first.bias
    return L.Sequential(first, L.ReLU(), second)


NETS = {"one layer": one_layer, "one weight": one_weight, "batch norms of two steps": shared_bn}
UNTIED = {"one layer": ["0.weight", "0.bias"], "one weight": ["0.weight", "0.bias", "2.bias"],
          "batch norms of two steps": ["0.weight", "0.bias"]}  # fmt: skip
KEYS = {"one layer": ["0.weight", "0.bias", "2.weight", "2.bias"], "one weight": ["0.weight", "0.bias", "2.weight", "2.bias"],
        "batch norms of two steps": ["0.weight", "0.bias", "2.weight", "2.bias", "0.running_mean", "0.running_var",
                                     "2.running_mean", "2.running_var"]}  # fmt: skip


@pytest.fixture(params=NETS)
def name(request):
    return request.param


@pytest.fixture
def net(name):
    return NETS[name]()


def untied(net: L.Sequential) -> L.Sequential:
    """The same numbers, each in a place of its own."""
    return L.Sequential(*(copy.deepcopy(layer) for layer in net))


def test_each_parameter_is_found_once_under_its_first_key(name, net):
    assert [key for key, _ in net.named_parameters()] == UNTIED[name]
    assert len(list(net.parameters())) == len({id(parameter) for parameter in net.parameters()}) == len(UNTIED[name])
    assert [key for key, _ in net.named_parameters(remove_duplicate=False)] == KEYS[name][:4]


def test_state_dicts_hold_every_key(name, net):
    state = net.state_dict()
    assert list(state) == KEYS[name]
    assert state["0.weight"] is state["2.weight"]
    other = NETS[name]()
    for parameter in other.parameters():
        parameter.data += 1
    other.load_state_dict({key: array.copy() for key, array in state.items()})
    assert other[0].weight is other[2].weight
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[key])
    with pytest.raises(ValueError, match=r"missing: 2\.bias"):
        other.load_state_dict({key: array for key, array in state.items() if key != "2.bias"})


def test_gradients_of_both_uses_add_up(net):
    apart = untied(net)
    dy = np.random.default_rng(2).standard_normal(X.shape).astype("f")
    for network in (net, apart):
        network(X)
        network.backward(dy.copy())
    sums = apart[0].weight.grad + apart[2].weight.grad
    np.testing.assert_allclose(net[0].weight.grad, sums, rtol=1e-4, atol=1e-5)
    net.zero_grad()
    assert net[2].weight.grad is None


def test_gradcheck_moves_both_uses_at_once(name, net):
    report = minifcn.gradcheck(net, X)
    assert report, str(report)
    assert [row.name for row in report.rows] == ["x", *UNTIED[name]]


@pytest.mark.parametrize("optimizer", [lambda p: SGD(p, lr=0.1, momentum=0.9), lambda p: Adam(p, lr=0.1)], ids=["SGD", "Adam"])
def test_an_optimizer_moves_each_once(net, optimizer):
    step = optimizer(net.parameters())
    before = net[2].weight.data.copy()
    net.backward(net(X))
    step.step()
    moved = net[2].weight.data - before
    assert np.abs(moved).max() > 0
    alone = L.Parameter(before.copy())
    alone.grad = net[0].weight.grad.copy()
    optimizer([alone]).step()
    np.testing.assert_array_equal(net[0].weight.data, alone.data)
    assert net[0].weight is net[2].weight


def test_groups_hold_each_once(net):
    everything = list(net.parameters())
    SGD([{"params": everything[:1]}, {"params": everything[1:], "lr": 0.5}], lr=0.1)
    with pytest.raises(ValueError, match="twice"):
        SGD([{"params": everything}, {"params": [net[2].weight]}], lr=0.1)


def test_clipping_counts_each_once(net):
    net.backward(net(X))
    squares = sum(float((parameter.grad.astype("d") ** 2).sum()) for parameter in net.parameters())
    before = net[2].weight.grad.copy()
    norm = clip_grad_norm(net.parameters(), squares**0.5 / 2)
    assert float(norm) == pytest.approx(squares**0.5, rel=1e-5)
    np.testing.assert_allclose(net[2].weight.grad, before / 2, rtol=1e-4)


def test_counting_counts_each_once(name, net):
    assert sum(parameter.size for parameter in net.parameters()) == {"one layer": 38, "one weight": 40}.get(name, 4)


def test_freezing_one_freezes_the_other(net):
    net[0].requires_grad_(False)
    assert not net[2].weight.requires_grad
    net.backward(net(X))
    assert net[0].weight.grad is None


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_converting_keeps_them_one(net, dtype):
    net.backward(net(X))
    net.to(dtype)
    assert net[0].weight is net[2].weight
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype(dtype)}
    assert net[0].weight.grad.dtype == np.dtype(dtype)
    assert net(X.astype(dtype)).dtype == np.dtype(dtype)


def test_arrays_that_are_shared_stay_shared_when_converted():
    """Of two Parameters, and of statistics: an array in two places is one array afterwards."""
    net = L.Sequential(L.BatchNorm2d(2), L.BatchNorm2d(2))
    net[1].running_mean = net[0].running_mean
    net[1].weight.data = net[0].weight.data
    net.to("float64")
    assert net[1].running_mean is net[0].running_mean
    assert net[1].weight.data is net[0].weight.data
    assert net[1].running_var is not net[0].running_var
    assert net[0].running_mean.dtype == np.float64


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"])
def test_copies_are_tied_as_well(net, copied):
    other = copied(net)
    assert other[0].weight is other[2].weight
    assert other[0].weight is not net[0].weight


def test_pytorchs_counters_are_passed_over(net):
    state = {**net.state_dict(), "0.num_batches_tracked": np.array(7), "2.num_batches_tracked": np.array(7)}
    net.load_state_dict(state)
    with pytest.raises(ValueError, match=r"unexpected: 0\.batches_tracked"):
        net.load_state_dict({**net.state_dict(), "0.batches_tracked": np.array(7)})


def test_a_layer_that_counts_batches_itself_gets_its_own():
    class Counting(L.BatchNorm2d):
        buffers = (*L.BatchNorm2d.buffers, "num_batches_tracked")

        def __init__(self):
            super().__init__(2)
            self.num_batches_tracked = np.zeros(1)

    layer = Counting()
    layer.load_state_dict({**layer.state_dict(), "num_batches_tracked": np.array([7.0])})
    assert layer.num_batches_tracked.tolist() == [7]
    with pytest.raises(ValueError, match="missing: num_batches_tracked"):
        layer.load_state_dict(L.BatchNorm2d(2).state_dict())


def test_the_ledger_counts_each_once():
    assert ledger(one_layer(), (1, 2, 6, 5)).parameters == 38
