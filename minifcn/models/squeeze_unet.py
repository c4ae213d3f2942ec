"""Squeeze U-Net: U-Net's two roads with SqueezeNet's fires, a tenth of its weights.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 16 up: a side that is no multiple of 16 is
filled up with zeros at its end, and the scores are cut to the picture. The contracting road is SqueezeNet 1.1, with a batch
norm behind each squeezing and poolings that pad by 1, so that each halves the map exactly; its ImageNet weights fit. The
expanding one goes up in two deconvolutions and two doublings, after two more deconvolutions that keep the size.

Sources: Beheshti and Johnsson, "Squeeze U-Net: a memory and energy efficient image segmentation network", 2020, figure 2, and
the public Keras code, squeeze-unet, whose deconvolutions are 3x3.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import Concat, Conv2d, ConvTranspose2d, Crop, Dropout, Layer, MaxPool2d, PadTo, ReLU, Upsample
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_size, check_width, scaled
from minifcn.models.squeezenet import Fire


class SqueezeUNet(Layer):
    """``width`` is a factor on all channels, ``dropout`` the probability where the two roads meet."""

    needs_dx = needs_dx_of("pad", "conv1")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        c16, c32, c48, c64, c128, c192, c256 = (scaled(channels, width) for channels in (16, 32, 48, 64, 128, 192, 256))
        self.pad = PadTo(16)
        self.conv1, self.relu1 = Conv2d(in_channels, c64, 3, 2, padding=1, rng=rng), ReLU(inplace=True)
        self.pool1, self.fire2, self.fire3 = _pool(), _fire(c64, c16, c64, rng), _fire(2 * c64, c16, c64, rng)
        self.pool3, self.fire4, self.fire5 = _pool(), _fire(2 * c64, c32, c128, rng), _fire(2 * c128, c32, c128, rng)
        self.pool5, self.fire6, self.fire7 = _pool(), _fire(2 * c128, c48, c192, rng), _fire(2 * c192, c48, c192, rng)
        self.fire8, self.fire9 = _fire(2 * c192, c64, c256, rng), _fire(2 * c256, c64, c256, rng)
        self.drop9 = Dropout(dropout)
        self.up10, self.cat10 = _up(2 * c256, c192, 1, rng), Concat()
        self.fire10 = _fire(c192 + 2 * c192, c48, c192, rng)
        self.up11, self.cat11 = _up(2 * c192, c128, 1, rng), Concat()
        self.fire11 = _fire(c128 + 2 * c128, c32, c128, rng)
        self.up12, self.cat12 = _up(2 * c128, c64, 2, rng), Concat()
        self.fire12 = _fire(c64 + 2 * c64, c16, c64, rng)
        self.up13, self.cat13 = _up(2 * c64, c32, 2, rng), Concat()
        self.fire13 = _fire(c32 + c64, c16, c32, rng)
        self.up14, self.cat14 = Upsample(scale_factor=2), Concat()
        self.conv14, self.relu14 = Conv2d(2 * c32 + c64, c64, 3, padding=1, rng=rng), ReLU(inplace=True)
        self.up15 = Upsample(scale_factor=2)
        self.score = Conv2d(c64, num_classes, 1, rng=rng)
        self.crop = Crop()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("Squeeze U-Net", x, 16)
        conv1 = self.relu1(self.conv1(self.pad(x)))  # (N,  64, H/2,  W/2), H and W filled up to multiples of 16
        pool1 = self.pool1(conv1)  # (N,  64, H/4,  W/4)
        pool3 = self.pool3(self.fire3(self.fire2(pool1)))  # (N, 128, H/8,  W/8)
        pool5 = self.pool5(self.fire5(self.fire4(pool3)))  # (N, 256, H/16, W/16)
        fire7 = self.fire7(self.fire6(pool5))  # (N, 384, H/16, W/16)
        y = self.drop9(self.fire9(self.fire8(fire7)))  # (N, 512, H/16, W/16)
        y = self.fire10(self.cat10(self.up10(y), fire7))  # (N, 384, H/16, W/16)
        y = self.fire11(self.cat11(self.up11(y), pool5))  # (N, 256, H/16, W/16)
        y = self.fire12(self.cat12(self.up12(y), pool3))  # (N, 128, H/8,  W/8)
        y = self.fire13(self.cat13(self.up13(y), pool1))  # (N,  64, H/4,  W/4)
        y = self.relu14(self.conv14(self.cat14(self.up14(y), conv1)))  # (N,  64, H/2,  W/2)
        return self.crop(self.score(self.up15(y)), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.up15.backward(self.score.backward(self.crop.backward(dy)))
        dup, dconv1 = self.cat14.backward(self.conv14.backward(self.relu14.backward(dy)))
        dup, dpool1 = self.cat13.backward(self.fire13.backward(self.up14.backward(dup)))
        dup, dpool3 = self.cat12.backward(self.fire12.backward(self.up13.backward(dup)))
        dup, dpool5 = self.cat11.backward(self.fire11.backward(self.up12.backward(dup)))
        dup, dfire7 = self.cat10.backward(self.fire10.backward(self.up11.backward(dup)))
        dy = self.drop9.backward(self.up10.backward(dup))
        dfire7 += self.fire8.backward(self.fire9.backward(dy))  # each was read twice
        dpool5 += self.fire6.backward(self.fire7.backward(dfire7))
        dpool3 += self.fire4.backward(self.fire5.backward(self.pool5.backward(dpool5)))
        dpool1 += self.fire2.backward(self.fire3.backward(self.pool3.backward(dpool3)))
        dconv1 += self.pool1.backward(dpool1)
        return self.pad.backward(self.conv1.backward(self.relu1.backward(dconv1)))


def _fire(channels: int, squeeze: int, expand: int, rng: np.random.Generator) -> Fire:
    return Fire(channels, squeeze, expand, rng, batch_norm=True)


def _pool() -> MaxPool2d:
    return MaxPool2d(3, 2, padding=1)


def _up(channels: int, out: int, stride: int, rng: np.random.Generator) -> ConvTranspose2d:
    """A deconvolution that multiplies the size by ``stride``, 1 or 2."""
    return ConvTranspose2d(channels, out, 3, stride, padding=1, output_padding=stride - 1, rng=rng)
