"""FCN on a ResNet: its last stages dilated, a head that scores every 8th pixel, the scores resized to the picture.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W; nothing is padded. With ``aux`` a second head
scores what layer3 knows: in training ``net(x)`` is then (scores, aux_scores) and ``backward(dscores, daux)`` takes a gradient
for each; in evaluation it is the scores alone.

Layers carry torchvision's names; its state dicts load by key (``fcn_resnet50``, ``fcn_resnet101``). Note that bilinear resizing
takes pixels as little squares, while the backbone's pixel i looks at pixel 8·i: as in torchvision, scores lie 3.5 pixels beside
the picture, which the head learns to live with.

Sources: Long, Shelhamer and Darrell 2015 for the idea; the form, with its dilations, heads and auxiliary loss, is torchvision's
(models/segmentation), after Zhao et al., "Pyramid scene parsing network", 2017, section 3.3.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import BatchNorm2d, Conv2d, Dropout, Layer, ReLU, Sequential, Upsample
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import scaled
from minifcn.models.resnet import Backbone


class DilatedResNet(Layer):
    """A dilated ResNet ``backbone``, a ``classifier`` for what comes out of layer4, and with ``aux`` one for layer3."""

    needs_dx = needs_dx_of("backbone")
    aux_resize: Upsample  # where there is a second head

    def __init__(self, backbone: Backbone, classifier: Layer, aux_classifier: Layer | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier, self.resize = classifier, Upsample(mode="bilinear")
        self.aux_classifier = aux_classifier
        if aux_classifier is not None:
            self.aux_resize = Upsample(mode="bilinear")
        self.needs_dx = False

    def forward(self, x: Array) -> Array | tuple[Array, Array]:
        layer3, layer4 = self.backbone(x)  # (N, 1024, H/8, W/8) and (N, 2048, H/8, W/8)
        scores = self.resize(self.classifier(layer4), x.shape[2:])  # (N, num_classes, H, W)
        aux = self.aux_classifier if self.training else None
        self._push(aux is not None)
        if aux is None:
            return scores
        return scores, self.aux_resize(aux(layer3), x.shape[2:])

    def backward(self, dscores: Array, daux: Array | None = None) -> Array | None:
        aux = self.aux_classifier if self._pop() else None
        if (aux is None) != (daux is None):
            raise ValueError(f"backward takes {'dscores and daux' if aux else 'dscores alone'}: a gradient for each output")
        dlayer3 = aux.backward(self.aux_resize.backward(daux)) if aux else None
        dlayer4 = self.classifier.backward(self.resize.backward(dscores))
        return self.backbone.backward(dlayer3, dlayer4)


def fcn_resnet50(
    num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.1, aux: bool = False, in_channels: int = 3,
    seed: int | None = 0,
) -> DilatedResNet:  # fmt: skip
    """FCN on ResNet-50. ``width`` is a factor on the 64 to 2048 channels, ``dropout`` the probability in the head."""
    return _fcn(50, num_classes, width, dropout, aux, in_channels, seed)


def fcn_resnet101(
    num_classes: int = 21, *, width: float = 1.0, dropout: float = 0.1, aux: bool = False, in_channels: int = 3,
    seed: int | None = 0,
) -> DilatedResNet:  # fmt: skip
    """FCN on ResNet-101, see :func:`fcn_resnet50`."""
    return _fcn(101, num_classes, width, dropout, aux, in_channels, seed)


def _fcn(
    depth: int, num_classes: int, width: float, dropout: float, aux: bool, in_channels: int, seed: int | None
) -> DilatedResNet:
    rng = np.random.default_rng(seed)
    backbone = Backbone(depth, width=width, in_channels=in_channels, rng=rng, dilated=True)
    return DilatedResNet(
        backbone, fcn_head(2048, num_classes, width, dropout, rng), aux_head(num_classes, width, dropout, rng) if aux else None
    )


def aux_head(num_classes: int, width: float, dropout: float, rng: np.random.Generator) -> Sequential:
    """The second head, on layer3; it drops no more than a tenth, whatever the first one's ``dropout``."""
    return fcn_head(1024, num_classes, width, min(dropout, 0.1), rng)


def fcn_head(channels: int, num_classes: int, width: float, dropout: float, rng: np.random.Generator) -> Sequential:
    """(N, channels, H, W) -> scores (N, num_classes, H, W): a 3x3 convolution to a quarter of the channels, and a 1x1."""
    C, middle = scaled(channels, width), scaled(channels // 4, width)
    return Sequential(
        Conv2d(C, middle, 3, padding=1, bias=False, rng=rng), BatchNorm2d(middle), ReLU(inplace=True), Dropout(dropout),
        Conv2d(middle, num_classes, 1, rng=rng),
    )  # fmt: skip
