"""The form of VGG and AlexNet: convolutions, a pooling to one size, fully connected layers.

x (N, in_channels, H, W) -> scores (N, num_classes): one row of scores a picture. The form and the keys are torchvision's.
:func:`minifcn.models.convolutionalize` makes such a network score every place of a picture.
"""

from __future__ import annotations

from minifcn.backend import Array
from minifcn.layers import AdaptiveAvgPool2d, Flatten, Layer, Sequential, coordinates
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_size


class Classifier(Layer):
    """x (N, in_channels, H, W) -> scores (N, num_classes), for any H and W that leave the features a pixel."""

    needs_dx = needs_dx_of("features")

    def __init__(self, features: Sequential, pooled: int, classifier: Sequential) -> None:
        super().__init__()
        self.features, self.avgpool = features, AdaptiveAvgPool2d((pooled, pooled))
        self.flatten, self.classifier = Flatten(), classifier
        self.least = self.least_for(1)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size(type(self).__name__, x, self.least)
        y = self.features(x)  # (N, C, h, w)
        y = self.avgpool(y)  # (N, C, 7, 7)
        y = self.flatten(y)  # (N, C·7·7)
        return self.classifier(y)  # (N, num_classes)

    def backward(self, dy: Array) -> Array | None:
        dy = self.classifier.backward(dy)
        dy = self.flatten.backward(dy)
        dy = self.avgpool.backward(dy)
        return self.features.backward(dy)

    def least_for(self, pixels: int) -> int:
        """The side of the smallest picture of which the features make ``pixels`` x ``pixels``.

        Of m pixels a layer that rounds down makes n where m >= S·(n − 1) + K − 2P, and K − 2P is 2·offset + 1.
        """
        place = coordinates.chain(*(layer.coordinates(axis=0) for layer in self.features))
        return int(place.stride * (pixels - 1) + 2 * place.offset + 1)
