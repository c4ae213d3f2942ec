"""What every layer promises beyond its mathematics: gradients add up, caches are a stack, state moves as in PyTorch."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from numpy.random import RandomState

import minifcn
from minifcn import layers as L
from minifcn.checks import tie_free
from minifcn.layers import initializers


def small_net() -> L.Sequential:
    rng = np.random.default_rng(0)
    return L.Sequential(
        L.Conv2d(3, 4, 3, padding=1, rng=rng), L.BatchNorm2d(4), L.ReLU(), L.MaxPool2d(2), L.Dropout(0.4),
        L.ConvTranspose2d(4, 2, 2, stride=2, rng=rng),
    )  # fmt: skip


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 3, 6, 8)).astype("f")


EVERY = {
    "Conv2d": (L.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=1), {}),
    "Conv2d with groups": (L.Conv2d(3, 6, 3, groups=3, bias=False), {}),
    "ConvTranspose2d": (L.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), {}),
    "MaxPool2d": (L.MaxPool2d(3, 2, padding=1), {}),
    "AvgPool2d": (L.AvgPool2d(3, 2, padding=1, count_include_pad=False), {}),
    "AdaptiveAvgPool2d": (L.AdaptiveAvgPool2d((2, 3)), {}),
    "Flatten": (L.Flatten(), {}),
    "Linear": (L.Linear(8, 5), {}),
    "LocalResponseNorm": (L.LocalResponseNorm(3, alpha=0.5), {}),
    "ReLU": (L.ReLU(), {}),
    "ReLU in place": (L.ReLU(inplace=True), {}),
    "BatchNorm2d": (L.BatchNorm2d(3), {}),
    "BatchNorm2d in evaluation": (L.BatchNorm2d(3).eval(), {}),
    "Dropout": (L.Dropout(0.3), {}),
    "Dropout in evaluation": (L.Dropout(0.3).eval(), {}),
    "Upsample": (L.Upsample(scale_factor=2), {}),
    "Upsample bilinear": (L.Upsample((9, 5), mode="bilinear"), {}),
    "Upsample to a size that it is told": (L.Upsample(mode="bilinear"), {"size": (9, 5)}),
    "CrossEntropyLoss": (L.CrossEntropyLoss(np.array([1.0, 2.0, 0.5])), {"labels": np.arange(96).reshape(2, 6, 8) % 3}),
    "Sequential": (small_net(), {}),
}


@pytest.mark.parametrize("name", EVERY)
def test_gradients_of_every_layer(name):
    layer, inputs = EVERY[name]
    report = minifcn.gradcheck(layer, tie_free((2, 3, 6, 8)), **inputs)
    assert report, str(report)


# ------------------------------------------------------------------------------------------------- caches and gradients


def test_a_layer_used_three_times_in_one_pass(rng):
    """Backward takes the uses back in reverse order, and the parameters' gradients add up."""

    class Thrice(L.Layer):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = L.Conv2d(2, 2, 3, padding=1), L.ReLU()

        def forward(self, x):
            for _ in range(3):
                x = x + self.relu(self.conv(x))
            return x

        def backward(self, dy):
            for _ in range(3):
                dy = dy + self.conv.backward(self.relu.backward(dy))
            return dy

    report = minifcn.gradcheck(Thrice(), rng.standard_normal((1, 2, 5, 4)))
    assert report, str(report)


def test_two_forwards_then_two_backwards(x):
    net = small_net().eval()
    dy = np.ones_like(net(x))
    net.backward(dy)
    once = {key: parameter.grad.copy() for key, parameter in net.named_parameters()}
    net.zero_grad()
    net(x)
    net(2 * x)
    net.backward(0 * dy)
    net.backward(dy)
    for key, parameter in net.named_parameters():
        np.testing.assert_array_equal(parameter.grad, once[key])


def test_backward_adds_and_zero_grad_forgets(x):
    net = small_net().eval()
    for times in (1, 2, 3):
        dx = net.backward(np.ones_like(net(x)))
        if times == 1:
            first = {key: parameter.grad.copy() for key, parameter in net.named_parameters()}
        for key, parameter in net.named_parameters():
            np.testing.assert_allclose(parameter.grad, times * first[key], rtol=1e-5)
    assert dx.shape == x.shape
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_backward_without_forward_is_refused(x):
    net = small_net()
    with pytest.raises(RuntimeError, match=r"ConvTranspose2d.backward\(\) has no forward to take back"):
        net.backward(x)
    net(x)
    net.forget()
    with pytest.raises(RuntimeError, match="no forward"):
        net.backward(x)


def test_no_grad_keeps_nothing_and_belongs_to_its_thread(x):
    net = small_net()
    inside = {}
    with minifcn.no_grad():
        net(x)
        with minifcn.no_grad():
            net(x)
        net(x)
        thread = threading.Thread(target=lambda: inside.setdefault("y", net(x)))
        thread.start()
        thread.join()
    net.backward(np.ones_like(inside["y"]))  # only the other thread's forward was kept
    with pytest.raises(RuntimeError, match="no forward"):
        net.backward(np.ones_like(inside["y"]))


def test_memory_is_freed_while_backward_walks(x):
    net = L.Sequential(L.ReLU(), L.ReLU())
    y = net(x)
    kept = weakref.ref(net[1].kept()[-1])
    dy = net[1].backward(np.ones_like(y))
    del y
    gc.collect()
    assert kept() is None
    net[0].backward(dy)
    assert not any(layer._stack for _, layer in net.named_layers())


def test_frozen_parameters_get_no_gradient(x):
    net = small_net().eval()
    net[0].weight.requires_grad = False
    net[1].requires_grad_(False)
    net.backward(np.ones_like(net(x)))
    with_gradient = [key for key, parameter in net.named_parameters() if parameter.grad is not None]
    assert with_gradient == ["0.bias", "5.weight", "5.bias"]


def test_a_first_layer_needs_no_dx(x):
    conv = L.Conv2d(3, 2, 3)
    conv.needs_dx = False
    assert conv.backward(np.ones_like(conv(x))) is None
    assert conv.weight.grad is not None


# ---------------------------------------------------------------------------------------------------------------- modes


def test_train_and_eval_reach_every_layer(x):
    net = small_net()
    assert net.eval() is net
    assert not any(layer.training for _, layer in net.named_layers())
    np.testing.assert_array_equal(net(x), net(x))
    assert net.train()[4].training
    assert not np.array_equal(net(x), net(x))
    mean = net[1].running_mean.copy()
    net(x)
    assert not np.array_equal(net[1].running_mean, mean)


def test_reseed_repeats_dropout_and_gives_each_layer_its_own(rng):
    x = np.ones((1, 2, 16, 16), np.float32)
    net = L.Sequential(L.Dropout(0.5), L.Dropout(0.5))
    net.reseed((3, 14))
    first = net(x)
    assert not np.array_equal(net(x), first)
    net.reseed((3, 14))
    np.testing.assert_array_equal(net(x), first)
    net.reseed((3, 15))
    assert not np.array_equal(net(x), first)
    net.reseed(3)
    assert not np.array_equal(net[0](x), net[1](x))


# ---------------------------------------------------------------------------------------------------------------- state


def test_keys_are_pytorchs():
    net = L.Sequential(conv1=L.Conv2d(3, 2, 1), inner=L.Sequential(L.BatchNorm2d(2), L.Conv2d(2, 2, 1, bias=False)))
    assert list(net.state_dict()) == [
        "conv1.weight", "conv1.bias", "inner.0.weight", "inner.0.bias", "inner.1.weight",
        "inner.0.running_mean", "inner.0.running_var",
    ]  # fmt: skip
    assert [key for key, _ in net.named_layers()] == ["", "conv1", "inner", "inner.0", "inner.1"]
    assert [key for key, _ in net.named_buffers()] == ["inner.0.running_mean", "inner.0.running_var"]
    assert len(list(net.parameters())) == 5


def test_state_goes_from_one_net_to_another(x):
    one, other = small_net(), small_net()
    for parameter in one.parameters():
        parameter.data += 1
    one(x)
    arrays = other.state_dict()
    other.load_state_dict({key: array.astype("float64") for key, array in one.state_dict().items()})
    for key, array in other.state_dict().items():
        assert array is arrays[key]  # copied into place: optimizers and views stay valid
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, one.state_dict()[key])
    np.testing.assert_array_equal(one.eval()(x), other.eval()(x))


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_a_state_that_does_not_fit_changes_nothing(change):
    net = small_net()
    before = {key: array.copy() for key, array in net.state_dict().items()}
    state = {key: array + 1 for key, array in before.items()}
    if change == "missing":
        del state["5.bias"]
    elif change == "unexpected":
        state["6.weight"] = np.ones(3)
    else:
        state["5.weight"] = np.ones((4, 2, 3, 3))
    words = {"missing": "missing: 5.bias", "unexpected": "unexpected: 6.weight", "shape": r"5.weight \(4, 2, 3, 3\) for"}
    with pytest.raises(ValueError, match=words[change]):
        net.load_state_dict(state)
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
    if change != "shape":
        net.load_state_dict(state, strict=False)
        np.testing.assert_array_equal(net[0].weight.data, before["0.weight"] + 1)


def test_to_converts_everything(x):
    net = small_net()
    net.backward(np.ones_like(net(x)))
    assert net.to("float64") is net
    assert {array.dtype for array in net.state_dict().values()} == {np.dtype("float64")}
    assert all(parameter.grad.dtype == np.float64 for parameter in net.parameters())
    assert net(x.astype("float64")).dtype == np.float64
    assert net.to(np.float32)(x).dtype == np.float32
    assert net.to("cpu")(x).dtype == np.float32
    for wrong in ("int8", "gpu", "complex64"):
        with pytest.raises(ValueError, match="give a device, 'cpu' or 'cuda', or a floating dtype"):
            net.to(wrong)


def test_the_class_weights_of_a_loss_follow_the_scores_dtype(rng):
    criterion = L.CrossEntropyLoss(weight=np.array([1.0, 2.0]))
    scores, labels = rng.standard_normal((1, 2, 3, 3)).astype("f"), np.zeros((1, 3, 3), np.uint8)
    assert criterion(scores, labels).dtype == np.float32
    assert criterion.backward().dtype == np.float32


# --------------------------------------------------------------------------------------------------- making and showing


def test_sequential_is_a_list_of_layers():
    net = small_net()
    assert len(net) == 6
    assert isinstance(net[-1], L.ConvTranspose2d)
    assert [type(layer) for layer in net[1:3]] == [L.BatchNorm2d, L.ReLU]
    assert net[1:3][0] is net[1]
    with pytest.raises(TypeError, match="1 is a int, not a Layer"):
        L.Sequential(L.ReLU(), 3)


def test_repr_says_what_a_reader_would_type():
    text = repr(L.Sequential(L.Conv2d(6, 4, 3, stride=2, groups=2, bias=False), L.MaxPool2d(2, ceil_mode=True), L.Dropout(0.1)))
    assert "(0): Conv2d(6, 4, 3, stride=2, groups=2, bias=False)" in text
    assert "(1): MaxPool2d(2, stride=2, ceil_mode=True)" in text
    assert "(2): Dropout(p=0.1)" in text
    assert repr(L.Parameter(np.zeros((2, 3)), requires_grad=False)) == "Parameter(2×3, float64, frozen)"


REFUSED = {
    "groups": (lambda: L.Conv2d(3, 4, 3, groups=2), ValueError, "groups=2 must divide in_channels=3"),
    "no channels": (lambda: L.ConvTranspose2d(0, 4, 3), ValueError, "in_channels=0"),
    "kernel size": (lambda: L.Conv2d(3, 4, 0), ValueError, "kernel_size must be at least 1"),
    "kernel size that is no integer": (lambda: L.Conv2d(3, 4, 1.5), TypeError, "kernel_size must be one integer"),
    "channels in words": (lambda: L.Conv2d("3", 8, 3), TypeError, "Conv2d: in_channels='3' must be an integer, not a str"),
    "channels with a point": (lambda: L.ConvTranspose2d(3, 8.0, 3), TypeError, "out_channels=8.0 must be an integer"),
    "channels that are true": (lambda: L.Conv2d(True, 8, 3), TypeError, "in_channels=True must be an integer, not a bool"),
    "groups with a point": (lambda: L.Conv2d(3, 3, 3, groups=3.0), TypeError, "groups=3.0 must be an integer"),
    "NumPy's old generator": (lambda: L.Conv2d(3, 8, 3, rng=RandomState()), TypeError, "rng is a RandomState; give a numpy"),
    "a seed for a generator": (lambda: L.Linear(3, 8, rng=0), TypeError, r"rng is a int; give .* numpy\.random\.default_rng"),
    "stride": (lambda: L.Conv2d(3, 8, 3, stride=0), ValueError, "stride must be at least 1, not 0"),
    "negative padding": (lambda: L.Conv2d(3, 8, 3, padding=-1), ValueError, "padding must be at least 0, not -1"),
    "padding in words": (lambda: L.Conv2d(3, 8, 3, padding="same"), TypeError, "pair of integers, not 'same'"),
    "dilation": (lambda: L.ConvTranspose2d(3, 8, 3, dilation=0), ValueError, "dilation must be at least 1, not 0"),
    "output padding": (lambda: L.ConvTranspose2d(3, 8, 3, output_padding=1), ValueError, "output_padding=1 must be smaller"),
    "max-pooling": (lambda: L.MaxPool2d(0), ValueError, "kernel_size must be at least 1, not 0"),
    "max-pooling: padding": (lambda: L.MaxPool2d(2, padding=2), ValueError, "MaxPool2d: padding=2 must be at most half of"),
    "max-unpooling": (lambda: L.MaxUnpool2d(2, stride=0), ValueError, "stride must be at least 1, not 0"),
    "average pooling": (lambda: L.AvgPool2d(0), ValueError, "kernel_size must be at least 1, not 0"),
    "power-average pooling": (lambda: L.LPPool2d(2, 3, stride=0), ValueError, "stride must be at least 1, not 0"),
    "adaptive pooling": (lambda: L.AdaptiveAvgPool2d("2"), TypeError, "output_size must be one integer or a pair"),
    "features in words": (lambda: L.Linear("3", 4), TypeError, "in_features='3' must be an integer"),
    "a list of layers": (
        lambda: L.Sequential([L.ReLU()]),
        TypeError,
        r"0 is a list, not a Layer: give .* Sequential\(\*layers",
    ),
    "layers by name": (lambda: L.Sequential({"a": L.ReLU()}), TypeError, r"0 is a dict, .* Sequential\(\*\*layers\)"),
    "reduction": (lambda: L.CrossEntropyLoss(reduction="avg"), ValueError, "'avg'; possible are mean, sum, none"),
    "label smoothing": (lambda: L.CrossEntropyLoss(label_smoothing=2), ValueError, "label_smoothing=2 must be from 0 to 1"),
    "smoothing in words": (
        lambda: L.CrossEntropyLoss(label_smoothing="0.1"),
        TypeError,
        "label_smoothing='0.1' must be a number",
    ),
    "a negative class weight": (lambda: L.CrossEntropyLoss([-1, 1]), ValueError, "weight is -1 for class 0; give each class a"),
    "class weights of NaN": (
        lambda: L.CrossEntropyLoss(np.array([1, np.nan, np.inf], "f")),
        ValueError,
        "nan for class 1, inf for class 2;",
    ),
    "no features": (lambda: L.Linear(0, 4), ValueError, "in_features=0 and out_features=4 must be at least 1"),
    "dropout": (lambda: L.Dropout(2), ValueError, "p=2 must be a probability"),
    "dropout in words": (lambda: L.Dropout("0.5"), TypeError, r"p='0\.5' must be a number from 0 .* to 1 .*, not a str"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_constructors_refuse_with_a_sentence(what):
    call, error, words = REFUSED[what]
    with pytest.raises(error, match=words):
        call()


def test_integers_of_numpy_are_welcome(x):
    two, three = np.int64(2), np.uint8(3)
    assert L.Conv2d(three, two, three, np.int32(1), np.int8(1), groups=np.int64(1))(x).shape == (2, 2, 6, 8)
    assert L.ConvTranspose2d(three, two, two, (two, two))(x).shape == (2, 2, 12, 16)


def test_he_keeps_the_size_of_activations():
    weight = initializers.he_normal((256, 64, 3, 3), np.random.default_rng(0))
    assert weight.dtype == np.float32
    assert weight.var() == pytest.approx(2 / (64 * 9), rel=0.02)
    assert initializers.he_normal((64, 256, 2, 2), np.random.default_rng(0), fan_in=256).var() == pytest.approx(
        2 / 256, rel=0.02
    )


def test_xavier_is_uniform_with_its_variance():
    weight = initializers.xavier_uniform((128, 64, 3, 3), np.random.default_rng(0))
    assert weight.var() == pytest.approx(2 / (9 * (128 + 64)), rel=0.02)
    assert np.abs(weight).max() <= np.sqrt(6 / (9 * (128 + 64)))


def test_one_seed_one_layer():
    one, two = (L.Conv2d(3, 4, 3, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.weight.data, two.weight.data)
    assert not np.array_equal(one.weight.data, L.Conv2d(3, 4, 3, rng=np.random.default_rng(6)).weight.data)
    assert not one.bias.data.any()


@pytest.mark.parametrize(("size", "row"), [(4, [0.25, 0.75, 0.75, 0.25]), (3, [0.5, 1, 0.5]), (2, [0.5, 0.5]), (1, [1.0])])
def test_bilinear_kernels(size, row):
    weight = initializers.bilinear(3, size)
    np.testing.assert_allclose(weight[1, 1], np.outer(row, row), rtol=1e-6)
    assert not weight[0, 1].any()
    assert not weight[2, 0].any()


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_a_bilinear_deconvolution_interpolates(factor, rng):
    """Kernel 2·factor, stride factor: cropped by half a stride, it is bilinear resizing, away from the border."""
    x = rng.standard_normal((1, 2, 4, 5)).astype("f")
    deconv = L.ConvTranspose2d(2, 2, 2 * factor, factor, bias=False)
    deconv.weight.data[...] = initializers.bilinear(2, 2 * factor)
    half = factor // 2
    y = deconv(x)[:, :, half:-half, half:-half]
    expected, _ = minifcn.functional.interpolate(x, scale_factor=factor)
    inside = (..., slice(half, -half), slice(half, -half))
    np.testing.assert_allclose(y[inside], expected[inside], rtol=1e-4, atol=1e-5)


def test_upsample_takes_one_size(rng):
    x = rng.standard_normal((1, 2, 4, 3))
    assert L.Upsample()(x, (7, 5)).shape == (1, 2, 7, 5)
    with pytest.raises(ValueError, match=r"called with size=\(7, 5\), but made with scale_factor=2; give one of the two"):
        L.Upsample(scale_factor=2)(x, (7, 5))
    with pytest.raises(ValueError, match="give size or scale_factor"):
        L.Upsample()(x)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"weight": [[1.0]], "bias": [0.0]}, r"arrays under texts, not 'weight': list, 'bias': list; .*numpy\.asarray"),
        ({"weight": None}, "'weight': NoneType"),
        ({1: np.ones(1)}, "1: ndarray"),
        ([("weight", np.ones((1, 1)))], r"a mapping \{key: array\}, .* got a list"),
    ],
)
def test_a_state_of_no_arrays_is_refused_in_a_sentence(state, said):
    with pytest.raises(TypeError, match=said):
        L.Linear(1, 1).load_state_dict(state)
