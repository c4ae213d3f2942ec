"""R2U-Net: a U-Net whose convolutions are recurrent and residual.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 16 up. A side that is no multiple of 16 is
filled up with zeros at its end, and the scores are cut to the picture.

A recurrent convolution sees its own answer: h = f(x), then h = f(x + h), again and again, f = 3x3 convolution, batch norm, ReLU
with the same weights each time. What f gives at the second time step is distributed otherwise than at the first, so each time
step has running statistics of its own; with statistics shared over time a trained network is another in evaluation.

Source: Alom, Hasan, Yakopcic, Taha and Asari, "Recurrent residual convolutional neural network based on U-Net (R2U-Net) for
medical image segmentation", 2018; Cooijmans et al., "Recurrent batch normalization", 2017, section 3, for statistics a time
step.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import Add, BatchNorm2d, Concat, Conv2d, Crop, Layer, MaxPool2d, PadTo, ReLU, Sequential, Upsample
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_size, check_width, scaled


class Recurrent(Layer):
    """x (N, C, H, W) -> h of the same shape: h = f(x), then ``steps`` times h = f(x + h).

    Its convolution's gradient is always needed, x's or not: that of h comes out of it too.
    """

    def __init__(self, channels: int, steps: int, rng: np.random.Generator) -> None:
        super().__init__()
        if steps < 0:
            raise ValueError(f"steps={steps} must not be negative: so often a convolution sees its own answer")
        self.conv = Conv2d(channels, channels, 3, padding=1, rng=rng)
        bns = [BatchNorm2d(channels) for _ in range(steps + 1)]  # one a time step
        for bn in bns:
            bn.weight, bn.bias = bns[0].weight, bns[0].bias  # learnt together; only the statistics are apart
        self.bns = Sequential(*bns)
        self.relu = ReLU(inplace=True)
        self.add = Add()

    def forward(self, x: Array) -> Array:
        first, *later = self.bns
        h = self.relu(first(self.conv(x)))
        for bn in later:
            h = self.relu(bn(self.conv(self.add(x, h))))
        return h

    def backward(self, dh: Array) -> Array:
        first, *later = self.bns
        dx: Array = 0
        for bn in reversed(later):
            dstep, dh = self.add.backward(self.conv.backward(bn.backward(self.relu.backward(dh))))
            dx += dstep  # x goes into every time step
        return dx + self.conv.backward(first.backward(self.relu.backward(dh)))


class RRCNN(Layer):
    """A 1x1 convolution to ``out_channels``, then two recurrent convolutions and a road around them."""

    needs_dx = needs_dx_of("conv")

    def __init__(self, in_channels: int, out_channels: int, steps: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, 1, rng=rng)
        self.rec1 = Recurrent(out_channels, steps, rng)
        self.rec2 = Recurrent(out_channels, steps, rng)
        self.add = Add()

    def forward(self, x: Array) -> Array:
        x = self.conv(x)
        y = self.rec2(self.rec1(x))
        return self.add(x, y)

    def backward(self, dy: Array) -> Array | None:
        dx, dy = self.add.backward(dy)
        dx += self.rec1.backward(self.rec2.backward(dy))
        return self.conv.backward(dx)


class R2UNet(Layer):
    """``width`` is a factor on the 64, 128, 256, 512 and 1024 channels, ``steps`` the paper's t."""

    needs_dx = needs_dx_of("pad", "enc1")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, steps: int = 2, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (64, 128, 256, 512, 1024))
        self.pad = PadTo(16)
        self.enc1, self.pool1 = RRCNN(in_channels, c1, steps, rng), MaxPool2d(2)
        self.enc2, self.pool2 = RRCNN(c1, c2, steps, rng), MaxPool2d(2)
        self.enc3, self.pool3 = RRCNN(c2, c3, steps, rng), MaxPool2d(2)
        self.enc4, self.pool4 = RRCNN(c3, c4, steps, rng), MaxPool2d(2)
        self.enc5 = RRCNN(c4, c5, steps, rng)
        self.up4, self.cat4, self.dec4 = _up(c5, c4, rng), Concat(), RRCNN(2 * c4, c4, steps, rng)
        self.up3, self.cat3, self.dec3 = _up(c4, c3, rng), Concat(), RRCNN(2 * c3, c3, steps, rng)
        self.up2, self.cat2, self.dec2 = _up(c3, c2, rng), Concat(), RRCNN(2 * c2, c2, steps, rng)
        self.up1, self.cat1, self.dec1 = _up(c2, c1, rng), Concat(), RRCNN(2 * c1, c1, steps, rng)
        self.score = Conv2d(c1, num_classes, 1, rng=rng)
        self.crop = Crop()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("R2U-Net", x, 16)
        x1 = self.enc1(self.pad(x))  # (N,   64, H,    W), H and W filled up to multiples of 16
        x2 = self.enc2(self.pool1(x1))  # (N,  128, H/2,  W/2)
        x3 = self.enc3(self.pool2(x2))  # (N,  256, H/4,  W/4)
        x4 = self.enc4(self.pool3(x3))  # (N,  512, H/8,  W/8)
        y = self.enc5(self.pool4(x4))  # (N, 1024, H/16, W/16)
        y = self.dec4(self.cat4(x4, self.up4(y)))  # (N,  512, H/8,  W/8)
        y = self.dec3(self.cat3(x3, self.up3(y)))  # (N,  256, H/4,  W/4)
        y = self.dec2(self.cat2(x2, self.up2(y)))  # (N,  128, H/2,  W/2)
        y = self.dec1(self.cat1(x1, self.up1(y)))  # (N,   64, H,    W)
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dx1, dy = self.cat1.backward(self.dec1.backward(dy))
        dx2, dy = self.cat2.backward(self.dec2.backward(self.up1.backward(dy)))
        dx3, dy = self.cat3.backward(self.dec3.backward(self.up2.backward(dy)))
        dx4, dy = self.cat4.backward(self.dec4.backward(self.up3.backward(dy)))
        dy = self.up4.backward(dy)
        dx4 += self.pool4.backward(self.enc5.backward(dy))  # x4 went two ways: its gradient comes back from both
        dx3 += self.pool3.backward(self.enc4.backward(dx4))
        dx2 += self.pool2.backward(self.enc3.backward(dx3))
        dx1 += self.pool1.backward(self.enc2.backward(dx2))
        return self.pad.backward(self.enc1.backward(dx1))


def _up(in_channels: int, out_channels: int, rng: np.random.Generator) -> Sequential:
    """A map of twice the size: every pixel four times, then a 3x3 convolution."""
    conv = Conv2d(in_channels, out_channels, 3, padding=1, rng=rng)
    return Sequential(resize=Upsample(scale_factor=2), conv=conv, bn=BatchNorm2d(out_channels), relu=ReLU(inplace=True))
