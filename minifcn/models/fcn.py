"""Fully convolutional networks: FCN-32s, 16s, 8s, 8s at once, FCN-AlexNet and FCN-32s-fixed.

A classifier turned fully convolutional scores every 32nd pixel. A transposed convolution brings the scores back to the
picture's size; on the way, *skips* add scores read from earlier, finer layers: pool4 for FCN-16s, pool3 too for FCN-8s.

All take x (N, in_channels, H, W) to scores (N, num_classes, H, W), for any H and W. Their options:

    width              factor on all channel counts, 1.0 is the paper's
    dropout            probability in fc6 and fc7
    padding            of the first convolution: 100 is the paper's, 1 suits small pictures
    in_channels        of the picture
    seed               of the first weights; None draws others each time
    learn_upsampling   False: the deconvolutions stay bilinear

Source: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015, sections 3 and 4,
and the authors' Caffe files, whose layer names, paddings and bilinear deconvolutions these are.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import Conv2d, ConvTranspose2d, Crop, Join, Layer, Parameter, Scale, Trunk, coordinates, initializers
from minifcn.layers.containers import needs_dx_of
from minifcn.layers.coordinates import Map
from minifcn.models import backbones


class FCN32s(Layer):
    """FCN-32s on VGG16: one deconvolution, k64 s32."""

    trunk = Trunk("drop7")
    fc7: Conv2d
    needs_dx = needs_dx_of("trunk")  # off: training has no use for the picture's gradient, and it is the largest

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        places = _vgg16(self, in_channels, width, dropout, padding, seed)
        self.score_fr = score_layer(self.fc7.out_channels, num_classes)
        self.upscore = bilinear_layer(num_classes, 64, 32, learn_upsampling)
        self.crop = crop_to_picture(through(places["drop7"], self.upscore))
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        (fc7,) = self.trunk(x)
        score = self.score_fr(fc7)
        return self.crop(self.upscore(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore.backward(self.crop.backward(dy))
        dfc7 = self.score_fr.backward(dscore)
        return self.trunk.backward(dfc7)


class FCN16s(Layer):
    """FCN-16s on VGG16: one skip, from pool4."""

    trunk = Trunk("pool4", "drop7")
    fc7: Conv2d
    conv4_3: Conv2d
    needs_dx = needs_dx_of("trunk")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        places = _vgg16(self, in_channels, width, dropout, padding, seed)
        self.score_fr = score_layer(self.fc7.out_channels, num_classes)
        self.upscore2 = bilinear_layer(num_classes, 4, 2, learn_upsampling)
        self.score_pool4 = score_layer(self.conv4_3.out_channels, num_classes)
        self.upscore16 = bilinear_layer(num_classes, 32, 16, learn_upsampling)
        self.join_pool4, place = join(through(places["drop7"], self.upscore2), places["pool4"])
        self.crop = crop_to_picture(through(place, self.upscore16))
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        pool4, fc7 = self.trunk(x)
        score = self.score_fr(fc7)
        score = self.join_pool4(self.upscore2(score), self.score_pool4(pool4))
        return self.crop(self.upscore16(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore16.backward(self.crop.backward(dy))
        dup, dside = self.join_pool4.backward(dscore)
        dpool4, dscore = self.score_pool4.backward(dside), self.upscore2.backward(dup)
        dfc7 = self.score_fr.backward(dscore)
        return self.trunk.backward(dpool4, dfc7)


class FCN8s(Layer):
    """FCN-8s on VGG16: skips from pool4 and pool3."""

    trunk = Trunk("pool3", "pool4", "drop7")
    fc7: Conv2d
    conv4_3: Conv2d
    conv3_3: Conv2d
    needs_dx = needs_dx_of("trunk")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        places = _vgg16(self, in_channels, width, dropout, padding, seed)
        self.score_fr = score_layer(self.fc7.out_channels, num_classes)
        self.upscore2 = bilinear_layer(num_classes, 4, 2, learn_upsampling)
        self.score_pool4 = score_layer(self.conv4_3.out_channels, num_classes)
        self.upscore_pool4 = bilinear_layer(num_classes, 4, 2, learn_upsampling)
        self.score_pool3 = score_layer(self.conv3_3.out_channels, num_classes)
        self.upscore8 = bilinear_layer(num_classes, 16, 8, learn_upsampling)
        self.join_pool4, place = join(through(places["drop7"], self.upscore2), places["pool4"])
        self.join_pool3, place = join(through(place, self.upscore_pool4), places["pool3"])
        self.crop = crop_to_picture(through(place, self.upscore8))
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        pool3, pool4, fc7 = self.trunk(x)
        score = self.score_fr(fc7)
        score = self.join_pool4(self.upscore2(score), self.score_pool4(pool4))
        score = self.join_pool3(self.upscore_pool4(score), self.score_pool3(pool3))
        return self.crop(self.upscore8(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore8.backward(self.crop.backward(dy))
        dup, dside = self.join_pool3.backward(dscore)
        dpool3, dscore = self.score_pool3.backward(dside), self.upscore_pool4.backward(dup)
        dup, dside = self.join_pool4.backward(dscore)
        dpool4, dscore = self.score_pool4.backward(dside), self.upscore2.backward(dup)
        dfc7 = self.score_fr.backward(dscore)
        return self.trunk.backward(dpool3, dpool4, dfc7)


class FCN8sAtOnce(FCN8s):
    """FCN-8s trained in one go: pool4 and pool3 scaled down before their score layers, as the authors' at-once net does."""

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            num_classes, width=width, dropout=dropout, padding=padding, in_channels=in_channels, seed=seed,
            learn_upsampling=learn_upsampling,
        )  # fmt: skip
        self.scale_pool4, self.scale_pool3 = Scale(0.01), Scale(0.0001)

    def forward(self, x: Array) -> Array:
        pool3, pool4, fc7 = self.trunk(x)
        score = self.score_fr(fc7)
        score = self.join_pool4(self.upscore2(score), self.score_pool4(self.scale_pool4(pool4)))
        score = self.join_pool3(self.upscore_pool4(score), self.score_pool3(self.scale_pool3(pool3)))
        return self.crop(self.upscore8(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore8.backward(self.crop.backward(dy))
        dup, dside = self.join_pool3.backward(dscore)
        dpool3, dscore = self.scale_pool3.backward(self.score_pool3.backward(dside)), self.upscore_pool4.backward(dup)
        dup, dside = self.join_pool4.backward(dscore)
        dpool4, dscore = self.scale_pool4.backward(self.score_pool4.backward(dside)), self.upscore2.backward(dup)
        dfc7 = self.score_fr.backward(dscore)
        return self.trunk.backward(dpool3, dpool4, dfc7)


class FCN32sFixed(FCN32s):
    """FCN-32s-fixed: the backbone is frozen, only the score layer learns (Table 2 of the paper)."""

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            num_classes, width=width, dropout=dropout, padding=padding, in_channels=in_channels, seed=seed,
            learn_upsampling=learn_upsampling,
        )  # fmt: skip
        for layer in self.trunk.layers.values():
            layer.requires_grad_(False)


class FCNAlexNet(Layer):
    """FCN-AlexNet: stride 32, one deconvolution k63 s32. ``lrn`` puts the authors' normalisation behind pool1 and pool2."""

    trunk = Trunk("drop7")
    fc7: Conv2d
    needs_dx = needs_dx_of("trunk")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3,
        seed: int | None = 0, learn_upsampling: bool = False, lrn: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        check_options(width, padding)
        places = own(self, backbones.alexnet(in_channels, width, dropout, padding, lrn, np.random.default_rng(seed)))
        self.score_fr = score_layer(self.fc7.out_channels, num_classes)
        self.upscore = bilinear_layer(num_classes, 63, 32, learn_upsampling)
        self.crop = crop_to_picture(through(places["drop7"], self.upscore))
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        (fc7,) = self.trunk(x)
        score = self.score_fr(fc7)
        return self.crop(self.upscore(score), x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore = self.upscore.backward(self.crop.backward(dy))
        dfc7 = self.score_fr.backward(dscore)
        return self.trunk.backward(dfc7)


# ------------------------------------------------------------------------------------------------------- making one


def check_options(width: float, padding: int) -> None:
    """Raises ValueError for a width or a padding that makes no network."""
    backbones.check_width(width)
    if not 1 <= padding <= 10_000:
        raise ValueError(f"padding={padding} must be at least 1 and at most 10000: 100 is the paper's, 1 suits small pictures")


def _vgg16(net: Layer, in_channels: int, width: float, dropout: float, padding: int, seed: int | None) -> dict[str, Map]:
    """Gives ``net`` the layers of VGG16, conv1_1 to drop7; returns where the pixels behind each of them lie."""
    check_options(width, padding)
    return own(net, backbones.vgg16(in_channels, width, dropout, padding, np.random.default_rng(seed)))


def own(net: Layer, trunk: dict[str, Layer]) -> dict[str, Map]:
    """Gives ``net`` the layers of a trunk, under their names; returns where the pixels behind each of them lie."""
    for name, layer in trunk.items():
        setattr(net, name, layer)
    return coordinates.behind(trunk)


def score_layer(channels: int, num_classes: int) -> Conv2d:
    """1x1 convolution to class scores that starts at zero: the first loss is then ln(num_classes) a pixel."""
    layer = Conv2d(channels, num_classes, 1)
    layer.weight = Parameter(initializers.zeros(layer.weight.shape))
    return layer


def bilinear_layer(num_classes: int, kernel: int, stride: int, learn: bool) -> ConvTranspose2d:
    """A deconvolution that starts as bilinear interpolation of each class by itself, and stays so unless it may learn."""
    layer = ConvTranspose2d(num_classes, num_classes, kernel, stride, bias=False)
    layer.weight = Parameter(initializers.bilinear(num_classes, kernel), requires_grad=learn)
    return layer


def through(place: Map, layer: ConvTranspose2d) -> Map:
    """Where the pixels lie behind a deconvolution."""
    return place.then(layer.coordinates(axis=0))


def join(up: Map, side: Map) -> tuple[Join, Map]:
    """The layer that adds feature maps at ``up`` and ``side``, and where the sum lies: 5 for pool4 and 9 for pool3, derived."""
    offset = coordinates.crop(side, up)  # side's pixel i + offset lies on up's pixel i
    return Join(offset), up.then(Map.crop(max(-offset, 0)))


def crop_to_picture(place: Map) -> Crop:
    """Cuts the border off, so that pixel 0 of the scores is pixel 0 of the picture: 31 for FCN-8s, derived."""
    return Crop(coordinates.crop(place, Map()))
