"""The course baseline: five convolutions of stride 2 down, five deconvolutions of stride 2 up, and a 1x1 convolution. And the
custom model of the same report, whose encoder is recurrent residual blocks.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 32 up. All weights are drawn as Glorot and
Bengio do ("Xavier"), as the report's section 1 says; the softmax behind the last layer is the loss's business.

Source: Ai, Qiao and Zhang, "Semantic segmentation using full convolutional network", sections 1, 3.1 and 3.3; Glorot and
Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, equation 16.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import (
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Crop,
    Layer,
    MaxPool2d,
    PadTo,
    Parameter,
    ReLU,
    Sequential,
    initializers,
)  # fmt: skip
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_size, check_width, scaled
from minifcn.models.r2unet import RRCNN


class CourseBaseline(Layer):
    """``width`` is a factor on the 32, 64, 128, 256 and 512 channels.

    A convolution of stride 2 rounds its map up, 33 -> 17, and looks at pixels 0, 2, 4 ...; the deconvolution puts them back
    there. So nothing is padded: the decoder's map is no smaller than the picture, begins where it begins, and is cut.

    A single picture of 32x32 leaves one value a channel at the bottom, of which a batch norm in training can make nothing: that
    is an error, in its words.
    """

    needs_dx = needs_dx_of("encoder")

    def __init__(self, num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> None:
        super().__init__()
        check_width(width)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (32, 64, 128, 256, 512))
        self.encoder = Sequential(
            enc1=_down(in_channels, c1), enc2=_down(c1, c2), enc3=_down(c2, c3), enc4=_down(c3, c4), enc5=_down(c4, c5)
        )
        self.decoder = _decoder(c1, c2, c3, c4, c5)
        self.score = Conv2d(c1, num_classes, 1)
        self.crop = Crop()
        _draw_xavier(self, seed)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("course-baseline", x, 32)
        y = self.encoder(x)  # (N, 512, H/32, W/32), rounded up
        y = self.decoder(y)  # (N,  32, 32·(H/32), 32·(W/32))
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dy = self.decoder.backward(dy)
        return self.encoder.backward(dy)


class RRCNNFCN(Layer):
    """The baseline whose encoder is five times a recurrent residual block and a pooling.

    The report removed layers without saying which, so this is one reading of it. A side that is no multiple of 32 is filled up
    with zeros at its end. A pooling's pixel lies in the middle of four, the baseline's deconvolution puts it on the first of
    them: the scores look 15½ pixels to the lower right, which the convolutions have to make up for.
    """

    needs_dx = needs_dx_of("pad", "enc1")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, steps: int = 2, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (32, 64, 128, 256, 512))
        self.pad = PadTo(32)
        self.enc1, self.pool1 = RRCNN(in_channels, c1, steps, rng), MaxPool2d(2)
        self.enc2, self.pool2 = RRCNN(c1, c2, steps, rng), MaxPool2d(2)
        self.enc3, self.pool3 = RRCNN(c2, c3, steps, rng), MaxPool2d(2)
        self.enc4, self.pool4 = RRCNN(c3, c4, steps, rng), MaxPool2d(2)
        self.enc5, self.pool5 = RRCNN(c4, c5, steps, rng), MaxPool2d(2)
        self.decoder = _decoder(c1, c2, c3, c4, c5)
        self.score = Conv2d(c1, num_classes, 1)
        self.crop = Crop()
        _draw_xavier(self, seed)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("rrcnn-fcn", x, 32)
        y = self.pool1(self.enc1(self.pad(x)))  # (N,  32, H/2,  W/2), H and W filled up to multiples of 32
        y = self.pool2(self.enc2(y))  # (N,  64, H/4,  W/4)
        y = self.pool3(self.enc3(y))  # (N, 128, H/8,  W/8)
        y = self.pool4(self.enc4(y))  # (N, 256, H/16, W/16)
        y = self.pool5(self.enc5(y))  # (N, 512, H/32, W/32)
        y = self.decoder(y)  # (N,  32, H,    W)
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dy = self.decoder.backward(dy)
        dy = self.enc5.backward(self.pool5.backward(dy))
        dy = self.enc4.backward(self.pool4.backward(dy))
        dy = self.enc3.backward(self.pool3.backward(dy))
        dy = self.enc2.backward(self.pool2.backward(dy))
        return self.pad.backward(self.enc1.backward(self.pool1.backward(dy)))


def _down(in_channels: int, out_channels: int) -> Sequential:
    """(N, in_channels, H, W) -> (N, out_channels, H/2, W/2), rounded up."""
    conv = Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
    return Sequential(conv=conv, bn=BatchNorm2d(out_channels), relu=ReLU(inplace=True))


def _up(in_channels: int, out_channels: int) -> Sequential:
    """(N, in_channels, H, W) -> (N, out_channels, 2·H, 2·W)."""
    deconv = ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
    return Sequential(deconv=deconv, bn=BatchNorm2d(out_channels), relu=ReLU(inplace=True))


def _decoder(c1: int, c2: int, c3: int, c4: int, c5: int) -> Sequential:
    """Five times twice the size: (N, c5, H, W) -> (N, c1, 32·H, 32·W)."""
    return Sequential(dec5=_up(c5, c5), dec4=_up(c5, c4), dec3=_up(c4, c3), dec2=_up(c3, c2), dec1=_up(c2, c1))


def _draw_xavier(net: Layer, seed: int | None) -> None:
    """Draws the weight of every convolution, one after the other."""
    rng = np.random.default_rng(seed)
    for _, layer in net.named_layers():
        if isinstance(layer, (Conv2d, ConvTranspose2d)):
            layer.weight = Parameter(initializers.xavier_uniform(layer.weight.shape, rng))
