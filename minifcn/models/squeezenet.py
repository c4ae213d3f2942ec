"""SqueezeNet 1.1: AlexNet's accuracy with a fiftieth of its weights, and an FCN on it.

A *fire* squeezes the channels with a 1x1 convolution, then expands them by a 1x1 and a 3x3 side by side:

    s = relu(squeeze(x))        y = [relu(expand1x1(s)), relu(expand3x3(s))]

No paper defines the FCN; this is FCN-32s, 16s and 8s (:mod:`minifcn.models.fcn`) with SqueezeNet in VGG16's place. SqueezeNet's
windows are odd, 3 pixels at every stride, and centred on a pixel; so are these deconvolutions, of 3, 15, 31 and 63 pixels where
VGG16's even poolings want 4, 16, 32 and 64. With those, a skip would lie half a pixel beside what it is added to, which no crop
can mend. The crops are derived.

Layers carry the names of the authors' Caffe files (``fire2.squeeze1x1``), those of the classifier torchvision's.

Sources: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016, figures 1
and 2, and the authors' SqueezeNet_v1.1; Long, Shelhamer and Darrell 2015 for the FCN.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
    Trunk,
)  # fmt: skip
from minifcn.layers.containers import forward_through, needs_dx_of
from minifcn.layers.coordinates import Map, along
from minifcn.models.backbones import check_size, check_width, scaled
from minifcn.models.fcn import bilinear_layer, check_options, crop_to_picture, join, own, score_layer, through

FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


class Fire(Layer):
    """x (N, C, H, W) -> (N, 2·expand, H, W). ``batch_norm`` puts one behind the squeezing."""

    def __init__(
        self, channels: int, squeeze: int, expand: int, rng: np.random.Generator, batch_norm: bool = False
    ) -> None:  # fmt: skip
        super().__init__()
        self.squeeze1x1, self.relu_squeeze1x1 = Conv2d(channels, squeeze, 1, rng=rng), ReLU(inplace=True)
        self.bn = BatchNorm2d(squeeze) if batch_norm else Identity()
        self.expand1x1, self.relu_expand1x1 = Conv2d(squeeze, expand, 1, rng=rng), ReLU(inplace=True)
        self.expand3x3, self.relu_expand3x3 = Conv2d(squeeze, expand, 3, padding=1, rng=rng), ReLU(inplace=True)
        self.concat = Concat()
        self.out_channels = 2 * expand

    def forward(self, x: Array) -> Array:
        s = forward_through((self.squeeze1x1, self.relu_squeeze1x1, self.bn), x)  # each with its ReLU in one pass
        y1 = forward_through((self.expand1x1, self.relu_expand1x1), s)
        y3 = forward_through((self.expand3x3, self.relu_expand3x3), s)
        return self.concat(y1, y3)

    def backward(self, dy: Array) -> Array:
        dy1, dy3 = self.concat.backward(dy)
        ds: Array = self.expand3x3.backward(self.relu_expand3x3.backward(dy3))
        ds += self.expand1x1.backward(self.relu_expand1x1.backward(dy1))  # s went two ways
        return self.squeeze1x1.backward(self.relu_squeeze1x1.backward(self.bn.backward(ds)))

    def coordinates(self, axis: int) -> Map | None:
        """The 3x3's: its windows lie around the 1x1's pixels."""
        return self.expand3x3.coordinates(axis)


class TorchvisionFire(Fire):
    """A fire whose first layer goes by torchvision's name, ``squeeze``."""

    @property
    def squeeze1x1(self) -> Conv2d:
        return self.squeeze

    @squeeze1x1.setter
    def squeeze1x1(self, layer: Conv2d) -> None:
        self.squeeze = layer


def features(
    in_channels: int, width: float, padding: int, rng: np.random.Generator, fire: type[Fire] = Fire
) -> dict[str, Layer]:
    """conv1 ... fire9 in the order of the forward pass, stride 16. ``padding`` is conv1's; poolings round up."""
    C = scaled(64, width)
    layers: dict[str, Layer] = {"conv1": Conv2d(in_channels, C, 3, 2, padding, rng=rng), "relu1": ReLU(inplace=True)}
    layers["pool1"] = MaxPool2d(3, 2, ceil_mode=True)
    for number, (squeeze, expand) in FIRES.items():
        layers[f"fire{number}"] = fire(C, scaled(squeeze, width), scaled(expand, width), rng)
        C = 2 * scaled(expand, width)
        if number in (3, 5):
            layers[f"pool{number}"] = MaxPool2d(3, 2, ceil_mode=True)
    return layers


class SqueezeNet(Layer):
    """The classifier, SqueezeNet 1.1 under torchvision's names: x (N, in_channels, H, W) -> scores (N, num_classes), for any H
    and W from 17 up. Its last convolution scores every place, and the scores are averaged."""

    needs_dx = needs_dx_of("features")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        self.features = Sequential(*features(in_channels, width, 0, rng, TorchvisionFire).values())
        self.classifier = Sequential(
            Dropout(dropout), Conv2d(2 * scaled(256, width), num_classes, 1, rng=rng), ReLU(inplace=True), AdaptiveAvgPool2d(1)
        )
        self.flatten = Flatten()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("SqueezeNet", x, 17)
        return self.flatten(self.classifier(self.features(x)))

    def backward(self, dy: Array) -> Array | None:
        return self.features.backward(self.classifier.backward(self.flatten.backward(dy)))


class FCNSqueezeNet(Layer):
    """Scores every 16th pixel, or with ``stride`` 32 every 32nd, and one deconvolution."""

    trunk = Trunk("drop9")
    conv1: Conv2d
    fire9: Fire
    needs_dx = needs_dx_of("trunk")

    def __init__(
        self, num_classes: int, stride: int, features: dict[str, Layer], dropout: float, learn_upsampling: bool
    ) -> None:  # fmt: skip
        super().__init__()
        pooling = {"pool9": MaxPool2d(3, 2, ceil_mode=True)} if stride == 32 else {}
        places = own(self, {**features, **pooling, "drop9": Dropout(dropout)})
        self.score = score_layer(self.fire9.out_channels, num_classes)
        self.upscore = bilinear_layer(num_classes, 2 * stride - 1, stride, learn_upsampling)
        self.crop = crop_to_picture(through(places["drop9"], self.upscore))
        self.least = _least(self.conv1, 17 if stride == 16 else 33)

    def forward(self, x: Array) -> Array:
        check_size("FCN-SqueezeNet", x, self.least)
        (fire9,) = self.trunk(x)
        return self.crop(self.upscore(self.score(fire9)), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dfire9 = self.score.backward(self.upscore.backward(self.crop.backward(dy)))
        return self.trunk.backward(dfire9)


class FCNSqueezeNet8s(Layer):
    """Scores every 16th pixel, doubled and added to what a skip scores behind fire5, every 8th."""

    trunk = Trunk("fire5", "drop9")
    conv1: Conv2d
    fire5: Fire
    fire9: Fire
    needs_dx = needs_dx_of("trunk")

    def __init__(self, num_classes: int, features: dict[str, Layer], dropout: float, learn_upsampling: bool) -> None:
        super().__init__()
        places = own(self, {**features, "drop9": Dropout(dropout)})
        self.score = score_layer(self.fire9.out_channels, num_classes)
        self.upscore2 = bilinear_layer(num_classes, 3, 2, learn_upsampling)
        self.score_fire5 = score_layer(self.fire5.out_channels, num_classes)
        self.join_fire5, place = join(through(places["drop9"], self.upscore2), places["fire5"])
        self.upscore8 = bilinear_layer(num_classes, 15, 8, learn_upsampling)
        self.crop = crop_to_picture(through(place, self.upscore8))
        self.least = _least(self.conv1, 17)

    def forward(self, x: Array) -> Array:
        check_size("FCN-SqueezeNet", x, self.least)
        fire5, fire9 = self.trunk(x)
        score = self.score(fire9)
        score = self.join_fire5(self.upscore2(score), self.score_fire5(fire5))
        return self.crop(self.upscore8(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore8.backward(self.crop.backward(dy))
        dup, dside = self.join_fire5.backward(dscore)
        dfire5, dscore = self.score_fire5.backward(dside), self.upscore2.backward(dup)
        dfire9 = self.score.backward(dscore)
        return self.trunk.backward(dfire5, dfire9)


def fcn_squeezenet(
    num_classes: int = 21, *, width: float = 1.0, stride: int = 8, fixed: bool = False, dropout: float = 0.5,
    padding: int = 1, in_channels: int = 3, seed: int | None = 0, learn_upsampling: bool = False,
) -> FCNSqueezeNet | FCNSqueezeNet8s:  # fmt: skip
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 15 up (31 at stride 32).

    ``stride``, 32, 16 or 8, is how coarse the scores are before they are enlarged; ``fixed`` trains the score layers alone. The
    other options are those of :mod:`minifcn.models.fcn`; SqueezeNet's own conv1 does not pad, but would lose the last row of
    every second picture.
    """
    if stride not in (32, 16, 8):
        raise ValueError(f"stride={stride} must be 32, 16 or 8")
    check_options(width, padding)
    layers = features(in_channels, width, padding, np.random.default_rng(seed))
    net: FCNSqueezeNet | FCNSqueezeNet8s
    if stride == 8:
        net = FCNSqueezeNet8s(num_classes, layers, dropout, learn_upsampling)
    else:
        net = FCNSqueezeNet(num_classes, stride, layers, dropout, learn_upsampling)
    if fixed:
        for layer in layers.values():
            layer.requires_grad_(False)
    net.needs_dx = False
    return net


def _least(conv1: Conv2d, padded: int) -> int:
    """The smallest side of a picture, where the last pooling needs ``padded`` pixels with conv1's padding."""
    return max(1, padded - 2 * along(conv1.padding, axis=0))
