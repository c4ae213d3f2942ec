"""The classifiers that FCNs stand on, made fully convolutional: every layer by its name in the authors' Caffe files.

A fully connected layer is a convolution whose kernel covers its whole input (Long, Shelhamer and Darrell 2015, section 3.1):
VGG16's 25,088 -> 4096 becomes 7 x 7 x 512 -> 4096, the same 102,760,448 weights, and takes pictures of any size.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.functional.arguments import check_images
from minifcn.layers import Conv2d, Dropout, Layer, LocalResponseNorm, MaxPool2d, ReLU

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # channels, stage by stage


def scaled(channels: int, width: float) -> int:
    """A channel count of the paper times ``width``, at least 1."""
    return max(1, round(channels * width))


def check_width(width: float) -> None:
    """Raises ValueError for a width that makes no network."""
    if not 0 < width <= 1000:
        raise ValueError(
            f"width={width} must be positive and at most 1000: it is the factor on the paper's channels, 0.25 for a quarter"
        )


def check_size(name: str, x: Array, least: int) -> None:
    """Raises TypeError or ValueError unless x is pictures (N, C, H, W), no side of which is shorter than ``least``."""
    check_images(name, x)
    if min(x.shape[2:]) < least:
        raise ValueError(f"{name} takes pictures from {least}x{least} up; {x.shape[2]}x{x.shape[3]} is too small")


def vgg16(in_channels: int, width: float, dropout: float, padding: int, rng: np.random.Generator) -> dict[str, Layer]:
    """conv1_1 ... drop7 of VGG16 (Simonyan and Zisserman 2015, configuration D), in the order of the forward pass.

    ``padding`` is conv1_1's. At 100 (the paper's) fc6 may shrink the map by 6 and there is still enough of it for any
    picture; with less padding fc6 pads by 3 and keeps the size.
    """
    C = scaled(VGG16[-1][-1], width)
    convolutions = vgg16_convolutions(in_channels, width, padding, rng)
    return convolutions | _head(C, 7, width, dropout, 0 if padding >= 100 else 3, rng)


def vgg16_convolutions(in_channels: int, width: float, padding: int, rng: np.random.Generator) -> dict[str, Layer]:
    """conv1_1 ... pool5 of VGG16. Poolings round up, so that no border is lost."""
    trunk: dict[str, Layer] = {}
    C = in_channels
    for stage, counts in enumerate(VGG16, start=1):
        for index, count in enumerate(counts, start=1):
            O = scaled(count, width)
            trunk[f"conv{stage}_{index}"] = Conv2d(C, O, 3, padding=1 if trunk else padding, rng=rng)
            trunk[f"relu{stage}_{index}"] = ReLU(inplace=True)
            C = O
        trunk[f"pool{stage}"] = MaxPool2d(2, 2, ceil_mode=True)
    return trunk


def alexnet(
    in_channels: int, width: float, dropout: float, padding: int, lrn: bool, rng: np.random.Generator
) -> dict[str, Layer]:  # fmt: skip
    """conv1 ... drop7 of AlexNet (Krizhevsky, Sutskever and Hinton 2012; Caffe's CaffeNet, which pools before it normalises).

    ``lrn`` puts the local response normalisation behind pool1 and pool2. VGG's authors advise against it: it "does not improve
    the performance" (their section 2.1).
    """
    c1, c2, c3, c4, c5 = (scaled(count // 2, width) * 2 for count in (96, 256, 384, 384, 256))  # even: two groups
    small = padding < 100  # then every layer keeps, or rounds up, its size / stride, as fc6 does
    pool_padding = 1 if small else 0
    layers = {
        "conv1": Conv2d(in_channels, c1, 11, stride=4, padding=padding + 4 if small else padding, rng=rng),
        "pool1": MaxPool2d(3, 2, pool_padding, ceil_mode=True),
        "conv2": Conv2d(c1, c2, 5, padding=2, groups=2, rng=rng),
        "pool2": MaxPool2d(3, 2, pool_padding, ceil_mode=True),
        "conv3": Conv2d(c2, c3, 3, padding=1, rng=rng),
        "conv4": Conv2d(c3, c4, 3, padding=1, groups=2, rng=rng),
        "conv5": Conv2d(c4, c5, 3, padding=1, groups=2, rng=rng),
        "pool5": MaxPool2d(3, 2, pool_padding, ceil_mode=True),
    }
    trunk: dict[str, Layer] = {}
    for name, layer in layers.items():
        trunk[name] = layer
        if name.startswith("conv"):
            trunk[name.replace("conv", "relu")] = ReLU(inplace=True)
        if lrn and name in ("pool1", "pool2"):
            trunk[name.replace("pool", "norm")] = LocalResponseNorm(5)
    return trunk | _head(c5, 6, width, dropout, 3 if small else 0, rng)


def _head(C: int, kernel: int, width: float, dropout: float, padding: int, rng: np.random.Generator) -> dict[str, Layer]:
    """fc6 and fc7, fully connected once and convolutions now."""
    O = scaled(4096, width)
    return {
        "fc6": Conv2d(C, O, kernel, padding=padding, rng=rng), "relu6": ReLU(inplace=True), "drop6": Dropout(dropout),
        "fc7": Conv2d(O, O, 1, rng=rng), "relu7": ReLU(inplace=True), "drop7": Dropout(dropout),
    }  # fmt: skip
