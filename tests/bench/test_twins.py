"""PyTorch's twins are our networks: same keys, same loss, same gradients, same steps; else the comparison means nothing."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

import minifcn
from minifcn import models
from minifcn.bench import torch_step
from minifcn.bench.network import Architecture, OurStep
from minifcn.bench.twins import TWINS, twin_of
from minifcn.models import build

OPTIONS = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-2}
ARCHITECTURES = {
    "FCN-8s": Architecture("fcn8s", {"width": 1 / 32}),
    "U-Net": Architecture("unet", {"width": 1 / 16}),
    "U-Net with batch norm": Architecture("unet", {"width": 1 / 16, "batch_norm": True}),
    "FCN-SqueezeNet": Architecture("fcn-squeezenet", {"width": 1 / 8}),
    "encoder-decoder": Architecture("encoder-decoder", {"width": 1 / 16}),
}


@pytest.fixture(scope="module", params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def both(request):
    """Our narrow network in float64 and its twin, with steps of large rates; dropout off."""
    net = request.param.ours().to("float64").train()
    for _, layer in net.named_layers():
        layer.training = not layer.draws
    twin = request.param.twin()().double()
    torch_step.load(twin, net.state_dict())
    torch_step.train_without_dropout(twin)
    return net, twin


@pytest.fixture
def steps(both, monkeypatch):
    monkeypatch.setattr("minifcn.bench.network.SGD_OPTIONS", OPTIONS)
    net, twin = copy.deepcopy(both)
    images, labels = Architecture().batch((33, 40), 2)
    images = images.astype(np.float64)
    theirs = torch_step.Step(twin, torch.from_numpy(images), torch.from_numpy(labels), OPTIONS)
    return OurStep(net, images, labels), theirs


def test_the_same_parameters_are_there_and_frozen(both):
    net, twin = both
    ours = {key: (p.shape, p.requires_grad) for key, p in net.named_parameters()}
    theirs = {key: (tuple(p.shape), p.requires_grad) for key, p in twin.named_parameters()}
    assert ours == theirs
    state = {key for key in twin.state_dict() if not key.endswith("num_batches_tracked")}
    assert set(net.state_dict()) == state


@pytest.mark.parametrize("model", TWINS)
def test_options_of_the_same_name_have_the_same_default(model):
    """An option that is left out, or given at its default, is not handed to the twin."""
    twin = twin_of(model)
    if twin is None:
        pytest.skip("torchvision is not installed")
    ours, theirs = models.options(model), inspect.signature(twin).parameters
    for name, parameter in theirs.items():
        assert name == "num_classes" or ours[name] == parameter.default, name


def test_who_has_a_twin():
    assert Architecture("fcn16s").twin() is None
    assert Architecture("fcn8s", {"padding": 1}).twin() is None
    assert Architecture("fcn8s", {"padding": 100, "seed": 7}).twin() is not None
    assert Architecture("unet", {"in_channels": 1, "width": 1 / 64}).twin()().enc1.conv1.in_channels == 1


def test_its_own_deconvolutions_are_bilinear():
    ours = build("fcn8s", 3, width=1 / 64).state_dict()
    for key, tensor in twin_of("fcn8s")(3, 1 / 64).state_dict().items():
        if key.startswith("upscore"):
            np.testing.assert_array_equal(tensor.numpy(), ours[key])


def test_loss_and_gradients_are_equal(steps):
    ours, theirs = steps
    assert float(ours.gradients()) == pytest.approx(float(theirs.gradients()), rel=1e-12)
    gradients = {key: p.grad for key, p in theirs.net.named_parameters()}
    most = max(np.abs(gradient.numpy()).max() for gradient in gradients.values() if gradient is not None)
    for key, parameter in ours.net.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is gradients[key] is None
            continue
        assert np.abs(parameter.grad).max() > 0
        np.testing.assert_allclose(parameter.grad, gradients[key].numpy(), rtol=1e-8, atol=1e-13 * max(most, 1), err_msg=key)


def test_three_steps_lead_to_the_same_weights_and_statistics(steps):
    ours, theirs = steps
    before = {key: array.copy() for key, array in ours.net.state_dict().items()}
    losses = [(float(ours()), float(theirs())) for _ in range(3)]
    assert losses[2][0] < losses[0][0]
    for mine, yours in losses:
        assert mine == pytest.approx(yours, rel=1e-9)
    state = theirs.net.state_dict()
    for key, array in ours.net.state_dict().items():
        np.testing.assert_allclose(array, state[key].numpy(), rtol=1e-7, atol=1e-10, err_msg=key)
        assert key.startswith("upscore") == np.array_equal(before[key], array)


def test_any_picture_size(both):
    net, twin = (side.eval() for side in copy.deepcopy(both))
    for size in ((32, 32), (47, 35)):
        images = Architecture().batch(size, 1)[0].astype(np.float64)
        scores = torch_step.inference(twin, torch.from_numpy(images))()
        np.testing.assert_allclose(net(images), scores.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("model", ["fcn-resnet50", "deeplabv3-resnet50"])
def test_torchvisions_own_networks_take_our_weights_and_score_alike(model):
    pytest.importorskip("minifcn.bench.twins.torchvision_models")  # which declares what torchvision itself stumbles over
    architecture = Architecture(model)
    net, twin = architecture.ours().eval(), architecture.twin()()
    torch_step.load(twin, net.state_dict())
    images, _ = architecture.batch((33, 47), 2)
    with minifcn.no_grad():
        scores = net(images)
    theirs = torch_step.inference(twin.eval(), torch.from_numpy(images))().numpy()
    np.testing.assert_allclose(scores, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def test_without_torchvision_its_networks_have_no_twin(monkeypatch):
    monkeypatch.setattr("minifcn.bench.twins.importlib.util.find_spec", lambda name: None)
    assert Architecture("fcn-resnet50").twin() is None
    assert Architecture("unet").twin() is not None
