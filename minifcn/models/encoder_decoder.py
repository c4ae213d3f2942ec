"""An encoder-decoder on VGG16: five poolings down, five deconvolutions up, and a 1x1 convolution to scores.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 32 up. A side that is no multiple of 32 is
filled up with zeros at its end, and the scores are cut to the picture.

Each of the first four deconvolutions doubles the map, and a batch norm and a ReLU follow; the last one, to 32 channels, has a
batch norm and no ReLU. ``skips=True`` adds what the encoder's pool4, pool3, pool2 and pool1 gave to the stage of the same
size and channels, behind its ReLU: the usual variant, in which the decoder sees fine detail again.

Source: James Hsu, "Experiment of fully convolutional network", whose table these layers are (``minifcn summary
encoder-decoder --style seed-000`` prints it); Noh, Hong and Han, "Learning deconvolution network for semantic segmentation",
2015, for decoders of deconvolutions.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import Add, BatchNorm2d, Conv2d, ConvTranspose2d, Crop, Layer, PadTo, ReLU, Sequential, Trunk
from minifcn.layers.containers import needs_dx_of
from minifcn.models import backbones
from minifcn.models.backbones import scaled


class UpSampling(Sequential):
    """A map of twice the size: deconvolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, rng: np.random.Generator) -> None:
        deconv = ConvTranspose2d(in_channels, out_channels, 2, 2, rng=rng)
        super().__init__(deconv=deconv, bn=BatchNorm2d(out_channels), relu=ReLU(inplace=True))


class EncoderDecoder(Layer):
    """All that the decoder knows of the picture is pool5. ``width`` is a factor on all channels of VGG16 and of the decoder."""

    trunk = Trunk("pool5")
    needs_dx = needs_dx_of("pad", "trunk")

    def __init__(self, num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> None:
        super().__init__()
        backbones.check_width(width)
        rng = np.random.default_rng(seed)
        for name, layer in backbones.vgg16_convolutions(in_channels, width, 1, rng).items():
            setattr(self, name, layer)
        self.pad = PadTo(32)
        c5, c4, c3, c2, c1, c0 = (scaled(channels, width) for channels in (512, 512, 256, 128, 64, 32))
        self.up4 = UpSampling(c5, c4, rng)
        self.up3 = UpSampling(c4, c3, rng)
        self.up2 = UpSampling(c3, c2, rng)
        self.up1 = UpSampling(c2, c1, rng)
        self.up0 = Sequential(deconv=ConvTranspose2d(c1, c0, 2, 2, rng=rng), bn=BatchNorm2d(c0))
        self.score = Conv2d(c0, num_classes, 1, rng=rng)
        self.crop = Crop()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        backbones.check_size("encoder-decoder", x, 32)
        (pool5,) = self.trunk(self.pad(x))  # (N, 512, H/32, W/32), H and W filled up to multiples of 32
        y = self.up4(pool5)  # (N, 512, H/16, W/16)
        y = self.up3(y)  # (N, 256, H/8, W/8)
        y = self.up2(y)  # (N, 128, H/4, W/4)
        y = self.up1(y)  # (N,  64, H/2, W/2)
        y = self.up0(y)  # (N,  32, H, W)
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dy = self.up0.backward(dy)
        dy = self.up1.backward(dy)
        dy = self.up2.backward(dy)
        dy = self.up3.backward(dy)
        dpool5 = self.up4.backward(dy)
        return self.pad.backward(self.trunk.backward(dpool5))


class EncoderDecoderWithSkips(EncoderDecoder):
    """Each stage of the decoder adds what the pooling of its size gave. As many parameters, under the same keys."""

    trunk = Trunk("pool1", "pool2", "pool3", "pool4", "pool5")

    def __init__(self, num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> None:
        super().__init__(num_classes, width=width, in_channels=in_channels, seed=seed)
        self.add4, self.add3, self.add2, self.add1 = Add(), Add(), Add(), Add()

    def forward(self, x: Array) -> Array:
        backbones.check_size("encoder-decoder", x, 32)
        pool1, pool2, pool3, pool4, pool5 = self.trunk(self.pad(x))
        y = self.add4(self.up4(pool5), pool4)
        y = self.add3(self.up3(y), pool3)
        y = self.add2(self.up2(y), pool2)
        y = self.add1(self.up1(y), pool1)
        y = self.up0(y)
        return self.crop(self.score(y), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dy = self.up0.backward(dy)
        dy, dpool1 = self.add1.backward(dy)
        dy, dpool2 = self.add2.backward(self.up1.backward(dy))
        dy, dpool3 = self.add3.backward(self.up2.backward(dy))
        dy, dpool4 = self.add4.backward(self.up3.backward(dy))
        dpool5 = self.up4.backward(dy)
        return self.pad.backward(self.trunk.backward(dpool1, dpool2, dpool3, dpool4, dpool5))


def encoder_decoder(
    num_classes: int = 21, *, skips: bool = False, width: float = 1.0, in_channels: int = 3, seed: int | None = 0
) -> EncoderDecoder:
    """The network of the source document or, with ``skips``, its usual variant."""
    kind = EncoderDecoderWithSkips if skips else EncoderDecoder
    return kind(num_classes, width=width, in_channels=in_channels, seed=seed)
