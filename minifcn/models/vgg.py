"""VGG: five stages of small convolutions, a max-pooling behind each, and three fully connected layers.

    A         A-LRN     B         C         D         E
    64        64 LRN    64  x2    64  x2    64  x2    64  x2      maxpool
    128       128       128 x2    128 x2    128 x2    128 x2      maxpool
    256 x2    256 x2    256 x2    256 x3*   256 x3    256 x4      maxpool
    512 x2    512 x2    512 x2    512 x3*   512 x3    512 x4      maxpool
    512 x2    512 x2    512 x2    512 x3*   512 x3    512 x4      maxpool      4096, 4096, num_classes

Convolutions are 3x3 and keep the size, but in column C (*) the third of a stage is 1x1. Behind each stands a ReLU. LRN is
:class:`~minifcn.layers.LocalResponseNorm` over 5 channels, with PyTorch's and Caffe's constants.

x (N, in_channels, H, W) -> scores (N, num_classes), for any H and W from 32 up; made for 224x224. Keys are torchvision's,
also of the columns that it does not have.

Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015, table 1.
"""

from __future__ import annotations

import itertools

import numpy as np

from minifcn.layers import Conv2d, Dropout, Layer, Linear, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from minifcn.models.backbones import VGG16 as D
from minifcn.models.backbones import check_width, scaled
from minifcn.models.classifier import Classifier

A = ((64,), (128,), (256, 256), (512, 512), (512, 512))  # channels, stage by stage
B = ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512))
E = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)


class VGG(Classifier):
    """One column of the table. ``width`` is a factor on all its numbers but the classes, ``dropout`` behind both 4096."""

    stages: tuple[tuple[int, ...], ...]
    third = 3  # kernel of a stage's third convolution
    lrn = False

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        check_width(width)
        rng = np.random.default_rng(seed)
        features = _features(self.stages, self.third, self.lrn, in_channels, width, rng)
        C, O = scaled(self.stages[-1][-1], width), scaled(4096, width)
        classifier = Sequential(
            Linear(C * 7 * 7, O, rng=rng), ReLU(inplace=True), Dropout(dropout),
            Linear(O, O, rng=rng), ReLU(inplace=True), Dropout(dropout),
            Linear(O, num_classes, rng=rng),
        )  # fmt: skip
        super().__init__(features, 7, classifier)


class VGG11(VGG):
    """Column A."""

    stages = A


class VGG11LRN(VGG):
    """Column A-LRN. The normalisation did "not improve the performance" (section 2.1)."""

    stages, lrn = A, True


class VGG13(VGG):
    """Column B."""

    stages = B


class VGG16OneByOne(VGG):
    """Column C."""

    stages, third = D, 1


class VGG16(VGG):
    """Column D."""

    stages = D


class VGG19(VGG):
    """Column E."""

    stages = E


def _features(
    stages: tuple[tuple[int, ...], ...], third: int, lrn: bool, in_channels: int, width: float, rng: np.random.Generator
) -> Sequential:
    """The convolutions under torchvision's numbers; an LRN, which has no weights, does not take one."""
    layers: dict[str, Layer] = {}
    number, C = itertools.count(), in_channels
    for stage, counts in enumerate(stages, start=1):
        for place, count in enumerate(counts, start=1):
            kernel = third if place == 3 else 3
            O = scaled(count, width)
            layers[f"{next(number)}"] = Conv2d(C, O, kernel, padding=kernel // 2, rng=rng)
            layers[f"{next(number)}"] = ReLU(inplace=True)
            C = O
        if lrn and stage == 1:
            layers["norm1"] = LocalResponseNorm(5)
        layers[f"{next(number)}"] = MaxPool2d(2, 2)
    return Sequential(**layers)
