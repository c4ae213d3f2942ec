"""SegNet-basic: four poolings down that remember where each maximum stood, and four unpoolings up that put values back there.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 16 up. Poolings round up, so that no border is
lost; each unpooling makes a map of just the size that its pooling took.

An unpooling has no weights. What it knows of edges it knows from the encoder's switches, the places of the maxima; the 7x7
convolution behind it fills the holes. The encoder has ReLUs, the decoder none.

Source: Badrinarayanan, Kendall and Cipolla, "SegNet: a deep convolutional encoder-decoder architecture for image segmentation",
2017, section 3.1 (SegNet-Basic), and the authors' Caffe files, whose local response normalisation is left out here; Zeiler and
Fergus 2014, section 2.1, for the switches.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import BatchNorm2d, Conv2d, Layer, MaxPool2d, MaxUnpool2d, ReLU, Sequential
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_size, check_width, scaled


class SegNetBasic(Layer):
    """``width`` is a factor on the 64 channels that every layer has."""

    needs_dx = needs_dx_of("enc1")

    def __init__(self, num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        C = scaled(64, width)
        self.enc1, self.pool1 = _encoder(in_channels, C, rng), _pool()
        self.enc2, self.pool2 = _encoder(C, C, rng), _pool()
        self.enc3, self.pool3 = _encoder(C, C, rng), _pool()
        self.enc4, self.pool4 = _encoder(C, C, rng), _pool()
        self.unpool4, self.dec4 = MaxUnpool2d(2), _decoder(C, rng)
        self.unpool3, self.dec3 = MaxUnpool2d(2), _decoder(C, rng)
        self.unpool2, self.dec2 = MaxUnpool2d(2), _decoder(C, rng)
        self.unpool1, self.dec1 = MaxUnpool2d(2), _decoder(C, rng)
        self.score = Conv2d(C, num_classes, 1, rng=rng)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("SegNet-basic", x, 16)
        x1 = self.enc1(x)  # (N, 64, H, W)
        y, at1 = self.pool1(x1)  # (N, 64, H/2, W/2), rounded up, and where in x1 each value stood
        x2 = self.enc2(y)
        y, at2 = self.pool2(x2)  # (N, 64, H/4, W/4)
        x3 = self.enc3(y)
        y, at3 = self.pool3(x3)  # (N, 64, H/8, W/8)
        x4 = self.enc4(y)
        y, at4 = self.pool4(x4)  # (N, 64, H/16, W/16)
        y = self.dec4(self.unpool4(y, at4, x4.shape[2:]))  # (N, 64, H/8, W/8)
        y = self.dec3(self.unpool3(y, at3, x3.shape[2:]))  # (N, 64, H/4, W/4)
        y = self.dec2(self.unpool2(y, at2, x2.shape[2:]))  # (N, 64, H/2, W/2)
        y = self.dec1(self.unpool1(y, at1, x1.shape[2:]))  # (N, 64, H, W)
        return self.score(y)  # (N, num_classes, H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(dy)
        dy = self.unpool1.backward(self.dec1.backward(dy))
        dy = self.unpool2.backward(self.dec2.backward(dy))
        dy = self.unpool3.backward(self.dec3.backward(dy))
        dy = self.unpool4.backward(self.dec4.backward(dy))
        dy = self.enc4.backward(self.pool4.backward(dy))
        dy = self.enc3.backward(self.pool3.backward(dy))
        dy = self.enc2.backward(self.pool2.backward(dy))
        return self.enc1.backward(self.pool1.backward(dy))


def _encoder(in_channels: int, out_channels: int, rng: np.random.Generator) -> Sequential:
    conv = Conv2d(in_channels, out_channels, 7, padding=3, bias=False, rng=rng)
    return Sequential(conv=conv, bn=BatchNorm2d(out_channels), relu=ReLU(inplace=True))


def _decoder(channels: int, rng: np.random.Generator) -> Sequential:
    conv = Conv2d(channels, channels, 7, padding=3, bias=False, rng=rng)
    return Sequential(conv=conv, bn=BatchNorm2d(channels))


def _pool() -> MaxPool2d:
    return MaxPool2d(2, ceil_mode=True, return_indices=True)
