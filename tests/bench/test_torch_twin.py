"""PyTorch's FCN-8s is ours: same keys, same loss, same gradients, same steps; else the comparison means nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from minifcn.bench import torch_twin
from minifcn.bench.network import OurStep, batch, our_network
from minifcn.models import build

OPTIONS = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-2}


@pytest.fixture(scope="module")
def both():
    """Our narrow FCN-8s in float64 and its twin, with steps of large rates; dropout off."""
    net = our_network(1 / 32).to("float64").eval()
    twin = torch_twin.FCN8s(21, 1 / 32).double().eval()
    torch_twin.load(twin, net.state_dict())
    return net, twin


@pytest.fixture
def steps(both, monkeypatch):
    monkeypatch.setattr("minifcn.bench.network.SGD_OPTIONS", OPTIONS)
    net, twin = copy.deepcopy(both)
    images, labels = batch((33, 40), 2)
    images = images.astype(np.float64)
    theirs = torch_twin.Step(twin, torch.from_numpy(images), torch.from_numpy(labels), OPTIONS)
    return OurStep(net, images, labels), theirs


def test_the_same_parameters_are_there_and_frozen(both):
    net, twin = both
    ours = {key: (p.shape, p.requires_grad) for key, p in net.named_parameters()}
    theirs = {key: (tuple(p.shape), p.requires_grad) for key, p in twin.named_parameters()}
    assert ours == theirs
    full = build("fcn8s", 21, width=1 / 64, seed=None).state_dict()
    assert set(full) == set(torch_twin.FCN8s(21, 1 / 64).state_dict())


def test_its_own_deconvolutions_are_bilinear():
    ours = build("fcn8s", 3, width=1 / 64).state_dict()
    for key, tensor in torch_twin.FCN8s(3, 1 / 64).state_dict().items():
        if key.startswith("upscore"):
            np.testing.assert_array_equal(tensor.numpy(), ours[key])


def test_loss_and_gradients_are_equal(steps):
    ours, theirs = steps
    assert float(ours.gradients()) == pytest.approx(float(theirs.gradients()), rel=1e-12)
    gradients = {key: p.grad for key, p in theirs.net.named_parameters()}
    for key, parameter in ours.net.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is gradients[key] is None
            continue
        assert np.abs(parameter.grad).max() > 0
        np.testing.assert_allclose(parameter.grad, gradients[key].numpy(), rtol=1e-8, atol=1e-13, err_msg=key)


def test_three_steps_lead_to_the_same_weights(steps):
    ours, theirs = steps
    before = {key: array.copy() for key, array in ours.net.state_dict().items()}
    losses = [(float(ours()), float(theirs())) for _ in range(3)]
    assert losses[2][0] < losses[0][0]
    for mine, yours in losses:
        assert mine == pytest.approx(yours, rel=1e-9)
    for key, array in theirs.net.state_dict().items():
        np.testing.assert_allclose(ours.net.state_dict()[key], array.numpy(), rtol=1e-7, atol=1e-10, err_msg=key)
        assert key.startswith("upscore") == np.array_equal(before[key], array.numpy())


def test_any_picture_size(both):
    net, twin = both
    for size in ((1, 1), (47, 31)):
        images, _ = batch(size, 1)
        scores = twin.inference(torch.from_numpy(images.astype(np.float64)))()
        np.testing.assert_allclose(net(images.astype(np.float64)), scores.numpy(), rtol=1e-9, atol=1e-11)
    net.forget()
