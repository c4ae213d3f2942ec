"""A convolution and the ReLU behind it, computed in one pass: the same numbers, and nothing that anybody could notice."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels, models, no_grad
from minifcn import layers as L
from minifcn.layers import containers
from minifcn.layers.watch import Watcher, watching

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


# ------------------------------------------------------------------------- a batch norm in evaluation, part of the weights


@pytest.fixture
def folded(monkeypatch):
    """The convolutions that were computed together with a batch norm, and whether with a ReLU."""
    seen, right = [], L.Conv2d.forward_normalised
    monkeypatch.setattr(
        L.Conv2d,
        "forward_normalised",
        lambda self, x, norm, relu: seen.append((self, relu is not None)) or right(self, x, norm, relu),
    )
    return seen


def normalised(bias=True, affine=True, relu=True, **options) -> L.Sequential:
    """A convolution 6 to 4, a batch norm that has seen something, perhaps a ReLU; in evaluation, float64."""
    draw = np.random.default_rng(5)
    norm = L.BatchNorm2d(4, eps=1e-3, affine=affine)
    net = L.Sequential(L.Conv2d(6, 4, (3, 2), bias=bias, rng=draw, **options), norm, *([L.ReLU(inplace=True)] if relu else []))
    net.to("float64")
    for parameter in net.parameters():
        parameter.data[...] = draw.standard_normal(parameter.shape)
    norm.running_mean[...], norm.running_var[...] = draw.standard_normal(4), draw.uniform(0.1, 5, 4)
    return net.eval()


X6 = np.random.default_rng(6).standard_normal((2, 6, 9, 7))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("options", [{"groups": 2, "padding": (1, 0)}, {"stride": (2, 1), "dilation": 2}])
def test_a_batch_norm_in_evaluation_is_a_matter_of_the_weights(folded, bias, affine, relu, options):
    net = normalised(bias, affine, relu, **options)
    y = X6
    for layer in net:
        y = layer(y)
    assert folded == []
    with no_grad():
        np.testing.assert_allclose(net(X6), y, rtol=0, atol=1e-12)
    assert folded == [(net[0], relu)]
    assert np.abs(y).max() > 1


def test_nothing_is_kept_and_no_weight_changes(folded):
    net = normalised()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    with no_grad():
        np.testing.assert_array_equal(net(X6), net(X6))
    assert len(folded) == 2
    assert not any(layer.kept() for layer in net)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_where_a_backward_may_follow_each_runs_by_itself(folded):
    net = normalised()
    dx = net.backward(np.ones_like(net(X6)))
    assert (folded, dx.shape) == ([], X6.shape)


def test_in_training_each_runs_by_itself_and_the_statistics_move(folded):
    net = normalised()
    net[1].training = True
    mean = net[1].running_mean.copy()
    with no_grad():
        y = net(X6)
    assert folded == []
    assert (net[1].running_mean != mean).all()
    assert abs(float(y.mean())) < 10


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_layer_with_a_forward_of_its_own_is_called(folded, place):
    net, seen = normalised(), []
    forward = net[place].forward
    net[place].forward = lambda x: seen.append(1) or forward(x)
    with no_grad():
        net(X6)
    assert seen == [1]
    assert folded == ([(net[0], False)] if place == 2 else [])


def test_who_watches_sees_all_three(folded):
    class Names(Watcher):
        def __init__(self):
            self.seen = []

        def forward(self, layer, inputs, outputs):
            self.seen.append(type(layer).__name__)

    names = Names()
    with no_grad(), watching(names):
        normalised()(X6)
    assert (folded, names.seen) == ([], ["Conv2d", "BatchNorm2d", "ReLU"])


@pytest.mark.parametrize("width", [5, 6])  # 6: as wide as what enters the convolution
def test_a_norm_of_another_width_says_so_as_ever(folded, width):
    net = L.Sequential(normalised()[0], L.BatchNorm2d(width).to("float64"))
    with no_grad(), pytest.raises(ValueError, match="4 channels"):
        net.eval()(X6)
    assert folded == []


MISFITS = {
    "no mean": lambda net: setattr(net[1], "running_mean", None),
    "no variance": lambda net: setattr(net[1], "running_var", None),
    "a mean for all": lambda net: setattr(net[1], "running_mean", np.ones(1)),
    "a weight for all": lambda net: setattr(net[1].weight, "data", np.ones(1)),
    "a shift for all": lambda net: setattr(net[1].bias, "data", np.ones(1)),
    "a bias for all": lambda net: setattr(net[0].bias, "data", np.ones(1)),
    "another type": lambda net: net[1].to("float32"),
    "a narrower convolution": lambda net: net[0].to("float32"),
    "another type, half": lambda net: net[1].to("float16"),
    "bytes in the other order": lambda net: net.to(np.dtype("f8").newbyteorder()),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_belong_together_gives_what_it_gives_with_gradients(folded, misfit, bias):
    """The same numbers, or the same sentence."""
    if misfit == "a bias for all" and not bias:
        return
    results = []
    for off in (False, True):
        net = normalised(bias)
        MISFITS[misfit](net)
        x = X6.astype(net[0].weight.data.dtype)
        try:
            with no_grad() if off else contextlib.nullcontext():
                results.append(net(x))
        except (TypeError, ValueError) as error:
            results.append(f"{type(error).__name__}: {error}")
    assert folded == []
    with_gradients, without = results
    np.testing.assert_array_equal(without, with_gradients)


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"])
def test_what_is_written_into_between_two_calls_counts(name):
    net = normalised()
    with no_grad():
        net(X6)
    net.state_dict()[name][...] *= 1.5
    y = X6
    for layer in net:
        y = layer(y)
    with no_grad():
        np.testing.assert_allclose(net(X6), y, rtol=0, atol=1e-12)


def test_a_norm_of_a_kind_of_its_own_is_called(folded):
    class Doubled(L.BatchNorm2d):
        def forward(self, x):
            return 2 * super().forward(x)

    net = normalised(relu=False)
    with no_grad():
        once = net(X6)
        net[1].__class__ = Doubled
        np.testing.assert_allclose(net(X6), 2 * once, rtol=0, atol=1e-12)
    assert len(folded) == 1


def test_weights_of_several_blocks_are_scaled_too():
    draw = np.random.default_rng(0)
    weight, scale = draw.standard_normal((600, 64, 3, 3)), draw.standard_normal(600)
    with kernels.scaled(weight, scale) as product:
        np.testing.assert_array_equal(product, weight * scale[:, None, None, None])


def test_half_numbers_have_too_few_digits_for_it(folded):
    net = normalised().to("float16")
    with no_grad():
        net(X6.astype(np.float16))
    assert folded == []


def test_residual_networks_do_so(folded):
    net = models.build("fcn-resnet50", 3, width=1 / 16).eval()
    x = rng.standard_normal((1, 3, 33, 40)).astype(np.float32)
    draw = np.random.default_rng(7)
    for name, array in net.state_dict().items():
        if "running" in name:
            array[...] = (
                draw.uniform(0.5, 1.5, array.shape) if name.endswith("var") else 0.3 * draw.standard_normal(array.shape)
            )
    one_by_one = net(x)
    assert folded == []
    assert one_by_one.std() > 0.1
    with no_grad():
        np.testing.assert_allclose(net(x), one_by_one, rtol=0, atol=1e-4 * np.abs(one_by_one).max())
    norms = [layer for _, layer in net.named_layers() if isinstance(layer, L.BatchNorm2d)]
    assert len(folded) == len(norms) > 50
    assert sum(relu for _, relu in folded) == 34  # two a block, the stem's and the head's


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


@pytest.mark.parametrize("place", [0, 1])
def test_a_layer_with_a_backward_of_its_own_is_called(place):
    net, seen = L.Sequential(L.Conv2d(3, 4, 3), L.ReLU(inplace=True)), []
    backward = net[place].backward
    net[place].backward = lambda dy: seen.append(1) or backward(dy)
    net.backward(np.ones_like(net(np.ones((1, 3, 5, 6), np.float32))))
    assert seen == [1]
