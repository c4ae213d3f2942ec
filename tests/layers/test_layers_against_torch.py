"""Every layer against its namesake in ``torch.nn``: the same state dict, output and gradients, over drawn cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import layers as L
from minifcn.checks.cases import Case, cases
from minifcn.checks.parity import relative_error

torch = pytest.importorskip("torch")
nn = torch.nn


def convolution(case: Case, torch_layer) -> tuple[L.Layer, nn.Module]:
    options, weight = dict(case.options), case.inputs["weight"]
    G, transposed = options["groups"], case.function == "conv_transpose2d"
    channels = (weight.shape[0], weight.shape[1] * G) if transposed else (weight.shape[1] * G, weight.shape[0])
    arguments = (*channels, weight.shape[2:])
    bias = "bias" in case.inputs
    ours = L.ConvTranspose2d if transposed else L.Conv2d
    return ours(*arguments, bias=bias, **options), torch_layer(*arguments, bias=bias, **options)


def batch_norm(case: Case, torch_layer) -> tuple[L.Layer, nn.Module]:
    options = {name: case.options[name] for name in ("eps", "momentum")} | {"affine": "weight" in case.inputs}
    C = case.inputs["x"].shape[1]
    pair = L.BatchNorm2d(C, **options), torch_layer(C, **options)
    for layer in pair:
        layer.train(case.options["training"])
    return pair


def with_options(ours) -> Callable:
    return lambda case, torch_layer: (ours(**case.options), torch_layer(**case.options))


def resize(case: Case, torch_layer) -> tuple[L.Layer, nn.Module]:
    options = dict(case.options)
    theirs = options | {"align_corners": options["align_corners"] if options["mode"] == "bilinear" else None}
    return L.Upsample(**options), torch_layer(**theirs)


def dropout(case: Case, torch_layer) -> tuple[L.Layer, nn.Module]:
    p = float(case.options["p"] > 0.5)  # 0 or 1: between them the two draw other numbers
    return L.Dropout(p), torch_layer(p)


def linear(case: Case, torch_layer) -> tuple[L.Layer, nn.Module]:
    O, C = case.inputs["weight"].shape
    bias = "bias" in case.inputs
    return L.Linear(C, O, bias), torch_layer(C, O, bias)


LAYERS = {
    "Conv2d": ("conv2d", convolution),
    "ConvTranspose2d": ("conv_transpose2d", convolution),
    "MaxPool2d": ("max_pool2d", with_options(L.MaxPool2d)),
    "AvgPool2d": ("avg_pool2d", with_options(L.AvgPool2d)),
    "AdaptiveAvgPool2d": ("adaptive_avg_pool2d", with_options(L.AdaptiveAvgPool2d)),
    "Linear": ("linear", linear),
    "LocalResponseNorm": ("local_response_norm", with_options(L.LocalResponseNorm)),
    "ReLU": ("relu", with_options(L.ReLU)),
    "BatchNorm2d": ("batch_norm", batch_norm),
    "Dropout": ("dropout", dropout),
    "Upsample": ("interpolate", resize),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    function, make = LAYERS[name]
    for case in cases(function, 42, seed=7):
        ours, theirs = make(case, getattr(nn, name))
        ours, theirs = ours.to("float64"), theirs.double()
        state = {key: value.numpy().copy() for key, value in theirs.state_dict().items() if key != "num_batches_tracked"}
        ours.load_state_dict(state)  # strict: the keys and shapes are PyTorch's
        x = torch.tensor(case.inputs["x"], requires_grad=True)
        their_y, y = theirs(x), ours(case.inputs["x"])
        dy = np.random.default_rng(0).standard_normal(y.shape)
        their_y.backward(torch.tensor(dy))
        errors = {"y": relative_error(y, their_y), "dx": relative_error(ours.backward(dy), x.grad)}
        their_gradients = dict(theirs.named_parameters())
        for key, parameter in ours.named_parameters():
            errors[key] = relative_error(parameter.grad, their_gradients[key].grad)
        for key, buffer in ours.named_buffers():
            errors[key] = relative_error(buffer, dict(theirs.named_buffers())[key])
        assert max(errors.values()) < 1e-10, f"{case}: {errors}"


def test_cross_entropy_loss():
    for case in cases("cross_entropy", 42, seed=7):
        scores, labels, weight = (case.inputs.get(name) for name in ("scores", "labels", "weight"))
        ours = L.CrossEntropyLoss(weight, **case.options)
        theirs = nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight), **case.options)
        tensor = torch.tensor(scores, requires_grad=True)
        their_loss, loss = theirs(tensor, torch.tensor(labels)), ours(scores, labels)
        assert relative_error(loss, their_loss) < 1e-10
        their_loss.sum().backward()
        assert relative_error(ours.backward(np.ones(np.shape(loss))), tensor.grad) < 1e-10


def test_flatten(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    layer = L.Flatten()
    np.testing.assert_array_equal(layer(x), nn.Flatten()(torch.tensor(x)).numpy())
    np.testing.assert_array_equal(layer.backward(x.reshape(2, 60)), x)


def test_max_unpool2d(rng):
    x = rng.standard_normal((2, 3, 6, 8))
    ours, theirs = L.MaxPool2d(2, return_indices=True), nn.MaxPool2d(2, return_indices=True)
    y, indices = ours(x)
    their_y, their_indices = theirs(torch.tensor(x))
    np.testing.assert_array_equal(indices, their_indices.numpy())
    back = L.MaxUnpool2d()(y, indices, output_size=(6, 8))
    np.testing.assert_array_equal(back, nn.MaxUnpool2d(2)(their_y, their_indices).numpy())


def test_defaults_are_pytorchs():
    """What a reader leaves out means the same in both."""
    import inspect

    for name in [*LAYERS, "CrossEntropyLoss"]:
        theirs = inspect.signature(getattr(nn, name)).parameters
        for key, parameter in inspect.signature(getattr(L, name)).parameters.items():
            if key == "rng" or (name, key) == ("CrossEntropyLoss", "ignore_index"):  # VOC's void, 255, by design
                continue
            their_default = theirs[key].default
            assert parameter.default == their_default or not (parameter.default or their_default), (name, key)
