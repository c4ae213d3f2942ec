"""Each kind of layer by itself against onnxruntime, over options and sizes that are awkward."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import export
from minifcn import layers as L
from minifcn.export.forms import FORMS, form_of
from support.onnx_runs import check_same, enlivened


class Resized(L.Layer):
    """A layer that is told a size: the picture's, times ``factor``."""

    def __init__(self, layer, factor):
        super().__init__()
        self.layer, self.factor = layer, factor

    def forward(self, x):
        return self.layer(x, tuple(n * self.factor[0] // self.factor[1] for n in x.shape[2:]))


class Unpooled(L.Layer):
    """A pooling and what undoes it, told the size or not."""

    def __init__(self, pool, unpool, told):
        super().__init__()
        self.pool, self.unpool, self.told = pool, unpool, told

    def forward(self, x):
        y, places = self.pool(x)
        return self.unpool(y, places, x.shape[2:]) if self.told else self.unpool(y, places)


class Two(L.Layer):
    """The picture, and another one made of it, into a layer of two."""

    def __init__(self, layer, first):
        super().__init__()
        self.first, self.layer = first, layer

    def forward(self, x):
        return self.layer(self.first(x), x)


def positive(layer):
    return L.Sequential(L.ReLU(), layer)


CASES = {
    "conv": lambda: L.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 3), groups=2),
    "conv, no bias": lambda: L.Conv2d(4, 3, 5, padding=(0, 2), bias=False),
    "deconv": lambda: L.ConvTranspose2d(4, 6, (3, 4), stride=(3, 2), padding=(1, 0), output_padding=(2, 1), groups=2),
    "deconv, no bias": lambda: L.ConvTranspose2d(4, 2, (3, 2), stride=2, dilation=(2, 1), bias=False),
    "batch norm": lambda: L.BatchNorm2d(4, eps=0.1),
    "batch norm, not affine": lambda: L.BatchNorm2d(4, affine=False),
    "relu": L.ReLU,
    "relu in place": lambda: L.Sequential(L.Scale(2), L.ReLU(inplace=True)),
    "dropout": lambda: L.Dropout(0.9),
    "identity": L.Identity,
    "nothing": L.Sequential,
    "scale": lambda: L.Scale(-0.25),
    "lrn": lambda: L.LocalResponseNorm(3, alpha=2.0, beta=0.6, k=1.5),
    "lrn, even": lambda: L.LocalResponseNorm(4, alpha=2.0, beta=0.6, k=1.5),
    "lrn, of one": lambda: L.LocalResponseNorm(1, alpha=2.0),
    "lrn, of more than there are": lambda: L.LocalResponseNorm(12, alpha=2.0),
    "max pool": lambda: L.MaxPool2d((3, 2), stride=(2, 3), padding=(1, 0), dilation=(2, 1)),
    "max pool, up": lambda: L.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    "max pool, up, apart": lambda: L.MaxPool2d(2, 3, padding=1, ceil_mode=True),
    "unpool": lambda: Unpooled(L.MaxPool2d(2, ceil_mode=True, return_indices=True), L.MaxUnpool2d(), told=True),
    "unpool, overlapping": lambda: Unpooled(L.MaxPool2d(3, 2, 1, return_indices=True), L.MaxUnpool2d(), told=True),
    "unpool by itself": lambda: L.Sequential(
        L.PadTo(6),
        Unpooled(L.MaxPool2d((3, 4), (3, 2), (0, 1), return_indices=True), L.MaxUnpool2d((3, 4), (3, 2), (0, 1)), told=False),
    ),
    "avg pool": lambda: L.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)),
    "avg pool, up": lambda: L.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "avg pool, up, apart": lambda: L.AvgPool2d(2, 3, padding=1, ceil_mode=True),
    "avg pool, up, without padding": lambda: L.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
    "lp pool": lambda: L.LPPool2d(2, (3, 2), stride=2, ceil_mode=True),
    "lp pool of negative": lambda: L.LPPool2d(1, 2),
    "lp pool, broken": lambda: positive(L.LPPool2d(2.5, 3)),
    "mean": lambda: L.AdaptiveAvgPool2d(1),
    "adaptive": lambda: L.AdaptiveAvgPool2d((4, 3)),
    "adaptive, one row": lambda: L.AdaptiveAvgPool2d((1, 7)),
    "adaptive, larger": lambda: L.AdaptiveAvgPool2d((37, 40)),
    "flatten": lambda: L.Sequential(L.AdaptiveAvgPool2d((2, 3)), L.Flatten()),
    "linear": lambda: L.Sequential(L.AdaptiveAvgPool2d((2, 3)), L.Flatten(), L.Linear(24, 5)),
    "linear, no bias, along the last axis": lambda: L.Sequential(L.AdaptiveAvgPool2d((2, 3)), L.Linear(3, 5, bias=False)),
    "add": lambda: Two(L.Add(), L.Scale(3)),
    "concat": lambda: Two(L.Concat(), L.Conv2d(4, 3, 1)),
    "crop": lambda: Resized(L.Crop(2), (2, 3)),
    "join, side cut": lambda: Two(L.Join(2), L.Conv2d(4, 4, 3)),
    "join, up cut": lambda: Two(L.Join(-3), L.Conv2d(4, 4, 1, padding=3)),
    "pad": lambda: L.PadTo(8),
    "pad, margin": lambda: L.PadTo(16, margin=3, remainder=12),
    "nearest": lambda: L.Upsample(scale_factor=2),
    "nearest, broken": lambda: L.Upsample(scale_factor=(1.5, 0.7)),
    "nearest to a size": lambda: L.Upsample(size=(14, 30)),
    "nearest to the picture's": lambda: Resized(L.Upsample(), (1, 7)),
    "bilinear": lambda: L.Upsample(scale_factor=2, mode="bilinear"),
    "bilinear, broken": lambda: L.Upsample(scale_factor=(1.5, 0.75), mode="bilinear"),
    "bilinear to a size": lambda: L.Upsample(size=9, mode="bilinear"),
    "bilinear, corners": lambda: Resized(L.Upsample(mode="bilinear", align_corners=True), (3, 2)),
    "bilinear to the picture's": lambda: Resized(L.Upsample(mode="bilinear"), (2, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_computes_the_same(name, rng, tmp_path):
    net, path = enlivened(L.Sequential(L.Conv2d(3, 4, 1), CASES[name]()), rng), tmp_path / "net.onnx"
    export.onnx(net, path)
    sizes = [(1, 33, 28), (2, 14, 46), (3, 16, 32)]
    check_same(net, path, *(rng.standard_normal((N, 3, H, W)).astype("f") for N, H, W in sizes), tolerance=1e-5)


@pytest.mark.parametrize("n_out", [2, 3, 8, 32, 46])
def test_nearest_rounds_as_pytorch_does(n_out, rng, tmp_path):
    """ONNX's own Resize takes another pixel for 14 -> 2, 14 -> 46 and some more."""
    net = L.Sequential(L.Conv2d(1, 1, 1), L.Upsample(size=(n_out, n_out)))
    export.onnx(net, tmp_path / "net.onnx")
    rows, columns = np.mgrid[:21, :21].astype("f")
    pictures = [(100 * rows + columns)[None, None, :n, : n + 1] for n in (14, 20)]
    check_same(net, tmp_path / "net.onnx", *pictures, tolerance=1e-7)


def test_every_layer_has_a_form():
    """But for those that score a network, and for those that are made of layers."""
    kinds = {kind for kind in vars(L).values() if isinstance(kind, type) and issubclass(kind, L.Layer)}
    losses = {kind for kind in kinds if "loss" in kind.__module__}
    assert kinds - losses - set(FORMS) == {L.Layer, L.Join}


def test_a_form_belongs_to_a_forward():
    class Heir(L.ReLU):
        """Computes as its parent does."""

    class Other(L.ReLU):
        def forward(self, x):
            return -super().forward(x)

    spied = L.ReLU()
    spied.forward = lambda x: x
    assert form_of(Heir()) is FORMS[L.ReLU]
    assert form_of(Other()) is None
    assert form_of(spied) is None
