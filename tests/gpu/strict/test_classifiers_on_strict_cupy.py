"""A training step of classifiers on the strict stand-in, and a classifier made to slide: NumPy's numbers, and no wait."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import layers as L
from minifcn import models
from minifcn.backend import to_device, to_host

rng = np.random.default_rng(6)
IMAGES, LABELS = rng.standard_normal((2, 3, 65, 71)), np.array([3, 1], np.uint8)


@pytest.mark.parametrize(("name", "options"), [("vgg11-lrn", {}), ("vgg16-1x1", {}), ("alexnet", {"lrn": True})])
def test_a_step(cupy, counts, name, options):
    gradients = []
    for device in ("cpu", "cuda"):
        net = models.build(name, 5, width=1 / 32, **options).to("float64").to(device)
        net.reseed(1)
        criterion, images, labels = L.CrossEntropyLoss(), to_device(IMAGES, device), to_device(LABELS, device)
        counts.clear()
        loss = criterion(net(images), labels)
        net.backward(criterion.backward())
        assert counts["to_host"] == 0
        gradients.append({"loss": to_host(loss), **{key: to_host(p.grad) for key, p in net.named_parameters()}})
    for key, gradient in gradients[0].items():
        np.testing.assert_allclose(gradients[1][key], gradient, rtol=1e-9, atol=1e-14, err_msg=key)


def test_it_slides_there_too(cupy):
    net = models.build("alexnet", 5, width=1 / 32).to("float64").eval()
    picture = rng.standard_normal((1, 3, 230, 255))
    expected = models.convolutionalize(net)(picture)
    assert expected.shape == (1, 5, 1, 2)
    np.testing.assert_allclose(to_host(models.convolutionalize(net.to("cuda"))(cupy.asarray(picture))), expected, rtol=1e-9)
