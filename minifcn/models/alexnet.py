"""AlexNet: five convolutions, three max-poolings that overlap, three fully connected layers.

x (N, in_channels, H, W) -> scores (N, num_classes), for any H and W from 63 up; made for 224x224. The form and the keys are
torchvision's, one road instead of two and no normalisation; ``lrn`` puts local response normalisation where Caffe's CaffeNet
and the FCNs made of it have it, behind the first and the second pooling (the 2012 paper's stands in front of them).

Sources: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012; for this
form Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
"""

from __future__ import annotations

import numpy as np

from minifcn.layers import Conv2d, Dropout, Layer, Linear, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from minifcn.models.backbones import check_width, scaled
from minifcn.models.classifier import Classifier


class AlexNet(Classifier):
    """``width`` is a factor on all channel counts, ``dropout`` stands in front of both 4096."""

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, lrn: bool = False, in_channels: int = 3,
        seed: int | None = 0,
    ) -> None:  # fmt: skip
        check_width(width)
        rng = np.random.default_rng(seed)
        c1, c2, c3, c4, c5, O = (scaled(count, width) for count in (64, 192, 384, 256, 256, 4096))
        norm1: dict[str, Layer] = {"norm1": LocalResponseNorm(5)} if lrn else {}
        norm2: dict[str, Layer] = {"norm2": LocalResponseNorm(5)} if lrn else {}
        features = Sequential(**{
            "0": Conv2d(in_channels, c1, 11, stride=4, padding=2, rng=rng), "1": ReLU(inplace=True), "2": MaxPool2d(3, 2),
            **norm1,
            "3": Conv2d(c1, c2, 5, padding=2, rng=rng), "4": ReLU(inplace=True), "5": MaxPool2d(3, 2),
            **norm2,
            "6": Conv2d(c2, c3, 3, padding=1, rng=rng), "7": ReLU(inplace=True),
            "8": Conv2d(c3, c4, 3, padding=1, rng=rng), "9": ReLU(inplace=True),
            "10": Conv2d(c4, c5, 3, padding=1, rng=rng), "11": ReLU(inplace=True), "12": MaxPool2d(3, 2),
        })  # fmt: skip
        classifier = Sequential(
            Dropout(dropout), Linear(c5 * 6 * 6, O, rng=rng), ReLU(inplace=True),
            Dropout(dropout), Linear(O, O, rng=rng), ReLU(inplace=True),
            Linear(O, num_classes, rng=rng),
        )  # fmt: skip
        super().__init__(features, 6, classifier)
