"""A whole training step on the strict stand-in: NumPy's numbers, and not one wait for the device."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import layers as L
from minifcn import models, no_grad
from minifcn.backend import to_device, to_host
from minifcn.training import optimizers
from support import strict_cupy

rng = np.random.default_rng(5)
IMAGES = rng.standard_normal((2, 3, 12, 14)).astype(np.float32)
LABELS = rng.integers(0, 5, (2, 12, 14)).astype(np.uint8)
LABELS[1, :, :3] = 255  # void
WEIGHT = np.array([1, 2, 0.5, 1, 1], np.float32)  # of the classes


def small_fcn():
    """Every kind of layer that an FCN has, and those that average: down by two, up by two, and twice there and back."""
    draws = np.random.default_rng(0)
    return L.Sequential(
        L.Conv2d(3, 8, 3, padding=1, bias=False, rng=draws), L.BatchNorm2d(8), L.ReLU(), L.MaxPool2d(2),
        L.Conv2d(8, 8, 1, rng=draws), L.ReLU(), L.Dropout(0.5), L.ConvTranspose2d(8, 5, 4, 2, 1, rng=draws),
        L.Upsample(scale_factor=2), L.AvgPool2d(2), L.AdaptiveAvgPool2d((24, 28)), L.Upsample((12, 14)),
    )  # fmt: skip


OPTIMIZERS = {
    "SGD": lambda net: optimizers.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4),
    "AdamW": lambda net: optimizers.AdamW(net.parameters(), lr=0.01),
}


def train(device, optimizer_name, steps=2):
    """Trains for some steps; returns the net, the losses (left on the device) and what crossed between host and device.

    Uploads are counted from the second step on: the first may bring to the device what all of them share.
    """
    net = small_fcn().to(device)
    optimizer, criterion = OPTIMIZERS[optimizer_name](net), L.CrossEntropyLoss(WEIGHT, label_smoothing=0.1).to(device)
    images, labels = to_device(IMAGES, device), to_device(LABELS, device)
    strict_cupy.counts.clear()
    losses = []
    for step in range(steps):
        if step == 1:
            strict_cupy.counts.pop("to_device", None)
        net.reseed((0, step))
        optimizer.zero_grad()
        losses.append(criterion(net(images), labels))
        net.backward(criterion.backward())
        optimizer.step()
    return net, losses, strict_cupy.counts.copy()


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
def test_a_step_makes_no_wait_uploads_nothing_and_gives_numpys_numbers(cupy, optimizer_name):
    host_net, host_losses, _ = train("cpu", optimizer_name)
    net, losses, crossings = train("cuda", optimizer_name)
    assert crossings["to_host"] == 0, "a training step copied something to the host: it waits for the GPU"
    assert crossings["to_device"] == 0, "a training step uploaded something besides its inputs"
    assert all(isinstance(loss, cupy.ndarray) for loss in losses)
    np.testing.assert_allclose([to_host(loss) for loss in losses], host_losses, rtol=1e-5)
    expected = host_net.state_dict()
    for key, array in net.to("cpu").state_dict().items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


def network_step(device, name, **options):
    """One step of a network of the catalogue, narrow; (loss, gradients, what crossed between host and device)."""
    net = models.build(name, 5, width=1 / 32, seed=3, **options).to(device)
    draws = np.random.default_rng(2)
    for key, parameter in net.named_parameters():
        if key.startswith("score") or key.endswith("bias"):
            # zero at the start: scores would hide from the loss what lies below, and biases would leave all of the padding
            # exactly on ReLU's kink, where rounding alone decides
            parameter.data[...] = to_device(draws.standard_normal(parameter.shape).astype(np.float32), device)
    optimizer, criterion = optimizers.SGD(net.parameters(), lr=1e-4, momentum=0.9), L.CrossEntropyLoss()
    x = np.pad(IMAGES[:1], ((0, 0), (0, 0), (0, 21), (0, 19)), mode="wrap")  # 33x33: many networks fill it up
    images, labels = to_device(x, device), to_device(np.pad(LABELS[1:], ((0, 0), (0, 21), (0, 19)), mode="wrap"), device)
    strict_cupy.counts.clear()
    net.reseed(0)
    loss = criterion(net(images), labels)
    net.backward(criterion.backward())
    optimizer.step()
    crossings = strict_cupy.counts.copy()
    return loss, {key: to_host(p.grad) for key, p in net.named_parameters() if p.grad is not None}, crossings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn8s", {"padding": 1}),
        ("unet", {}),
        ("unet", {"batch_norm": True}),
        ("encoder-decoder", {"skips": True}),
        ("course-baseline", {}),
        ("rrcnn-fcn", {}),
        ("segnet-basic", {}),
        ("r2unet", {}),
    ],
)
def test_a_step_of_a_network_makes_no_wait_and_gives_numpys_gradients(cupy, name, options):
    host_loss, expected, _ = network_step("cpu", name, **options)
    network_step("cuda", name, **options)  # brings to the device what every step shares
    loss, gradients, crossings = network_step("cuda", name, **options)
    assert crossings["to_host"] == 0, "the step made the CPU wait for the GPU"
    assert crossings["to_device"] == 0, "the step uploaded something"
    np.testing.assert_allclose(to_host(loss), host_loss, rtol=1e-5)
    assert gradients.keys() == expected.keys()
    longest = max(map(np.linalg.norm, expected.values()))
    for key, gradient in gradients.items():
        length = max(np.linalg.norm(expected[key]), 1e-2 * longest)  # a bias in front of a batch norm has only rounding errors
        error = np.linalg.norm(gradient - expected[key]) / length
        assert error < 1e-3, f"{key}: off by {error:.1e} of its length"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet18", "fcn-resnet50", "deeplabv3-resnet50", "squeezenet1_1", "fcn-squeezenet", "squeeze-unet"]
)
def test_a_step_of_other_networks_makes_no_wait(cupy, name):
    """Forward, backward and update stay on the device; evaluation's scores are NumPy's."""
    images, host = (
        np.random.default_rng(4).standard_normal((2, 3, 33, 40), dtype=np.float32),
        models.build(name, 5, width=1 / 16),
    )
    net = models.build(name, 5, width=1 / 16).to("cuda")
    on_device = to_device(images, "cuda")
    scores, expected = to_host(net.eval()(on_device)), host.eval()(images)
    assert np.linalg.norm(scores - expected) <= 1e-4 * np.linalg.norm(expected)
    net.forget()
    net.train()
    optimizer = optimizers.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    net.reseed(0)
    strict_cupy.counts.clear()
    net.backward(cupy.ones_like(net(on_device)))
    optimizer.step()
    assert strict_cupy.counts["to_host"] == 0
    assert all(isinstance(p.grad, cupy.ndarray) for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize("relu", [False, True])
def test_a_batch_norm_that_is_folded_makes_no_wait(cupy, relu):
    draws = np.random.default_rng(0)
    net = L.Sequential(L.Conv2d(3, 8, 3, rng=draws), L.BatchNorm2d(8), *([L.ReLU(inplace=True)] if relu else [])).eval()
    net[1].running_mean[...], net[1].running_var[...] = draws.standard_normal(8), draws.uniform(0.1, 5, 8)
    with no_grad():
        expected = net(IMAGES)
        net.to("cuda")
        images = to_device(IMAGES, "cuda")
        net(images)  # brings to the device what all calls share
        strict_cupy.counts.clear()
        scores = net(images)
    assert strict_cupy.counts["to_host"] == strict_cupy.counts["to_device"] == 0
    np.testing.assert_allclose(to_host(scores), expected, rtol=0, atol=1e-5)
