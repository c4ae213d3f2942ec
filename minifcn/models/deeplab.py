"""DeepLabv3: a dilated ResNet read through windows of four sizes at once, and once as a whole.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W; nothing is padded. What ``aux`` adds, the keys and
the place of the scores are as for FCN on a ResNet (:mod:`minifcn.models.fcn_resnet`), of which this is the other head.

*One value a channel.* Image pooling leaves one pixel of each picture, so in training a batch of one picture gives its batch
norm a single value a channel, which has no variance: that is refused. Train with two pictures or more, or with the statistics
frozen: ``net.classifier[0].convs[4].freeze()``.

Source: Chen, Papandreou, Schroff and Adam, "Rethinking atrous convolution for semantic image segmentation", 2017, section 3.3
and figure 5; the rates 12, 24 and 36 are theirs for stride 8. Form and names are torchvision's (``deeplabv3_resnet50``).
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import AdaptiveAvgPool2d, BatchNorm2d, Concat, Conv2d, Dropout, Layer, ReLU, Sequential, Upsample
from minifcn.layers.containers import forward_through
from minifcn.models.backbones import scaled
from minifcn.models.fcn_resnet import DilatedResNet, aux_head
from minifcn.models.resnet import Backbone

RATES = (12, 24, 36)


class ImagePooling(Sequential):
    """(N, C, H, W) -> (N, O, H, W): each channel's mean over the picture, a 1x1 convolution, and that everywhere."""

    def __init__(self, channels: int, out: int, rng: np.random.Generator) -> None:
        super().__init__(
            AdaptiveAvgPool2d(1), Conv2d(channels, out, 1, bias=False, rng=rng), BatchNorm2d(out), ReLU(inplace=True),
            Upsample(mode="bilinear"),
        )  # fmt: skip

    def forward(self, x: Array) -> Array:
        *layers, resize = self
        return resize(forward_through(layers, x), x.shape[2:])


class ASPP(Layer):
    """Atrous spatial pyramid pooling, (N, C, H, W) -> (N, O, H, W): five roads side by side, and a 1x1 that sums them up."""

    def __init__(self, channels: int, out: int, dropout: float, rng: np.random.Generator) -> None:
        super().__init__()
        roads = [_road(channels, out, 1, 1, rng), *(_road(channels, out, 3, rate, rng) for rate in RATES)]
        self.convs = Sequential(*roads, ImagePooling(channels, out, rng))
        self.concat = Concat()
        self.project = _road(5 * out, out, 1, 1, rng, Dropout(dropout))

    def forward(self, x: Array) -> Array:
        roads = [road(x) for road in self.convs]
        return self.project(self.concat(*roads))

    def backward(self, dy: Array) -> Array:
        droads = self.concat.backward(self.project.backward(dy))
        dx = 0
        for road, droad in reversed(list(zip(self.convs, droads, strict=True))):
            dx += road.backward(droad)  # x went five ways
        return dx


def _road(channels: int, out: int, kernel: int, dilation: int, rng: np.random.Generator, *more: Layer) -> Sequential:
    """A convolution that keeps the size, batch norm and ReLU."""
    conv = Conv2d(channels, out, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False, rng=rng)
    return Sequential(conv, BatchNorm2d(out), ReLU(inplace=True), *more)


def deeplabv3_resnet50(
    num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, aux: bool = False, in_channels: int = 3,
    seed: int | None = 0,
) -> DilatedResNet:  # fmt: skip
    """DeepLabv3 on ResNet-50. ``width`` is a factor on all channels, ``dropout`` the probability behind the pyramid."""
    return _deeplabv3(50, num_classes, width, dropout, aux, in_channels, seed)


def deeplabv3_resnet101(
    num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, aux: bool = False, in_channels: int = 3,
    seed: int | None = 0,
) -> DilatedResNet:  # fmt: skip
    """DeepLabv3 on ResNet-101, see :func:`deeplabv3_resnet50`."""
    return _deeplabv3(101, num_classes, width, dropout, aux, in_channels, seed)


def _deeplabv3(
    depth: int, num_classes: int, width: float, dropout: float, aux: bool, in_channels: int, seed: int | None
) -> DilatedResNet:
    rng = np.random.default_rng(seed)
    backbone = Backbone(depth, width=width, in_channels=in_channels, rng=rng, dilated=True)
    C, O = scaled(2048, width), scaled(256, width)
    head = Sequential(
        ASPP(C, O, dropout, rng), Conv2d(O, O, 3, padding=1, bias=False, rng=rng), BatchNorm2d(O), ReLU(inplace=True),
        Conv2d(O, num_classes, 1, rng=rng),
    )  # fmt: skip
    return DilatedResNet(backbone, head, aux_head(num_classes, width, dropout, rng) if aux else None)
