"""VGG's column C: torchvision's VGG16 with 1x1 convolutions at the end of the last three stages."""

from __future__ import annotations

from torch import nn

from minifcn.bench.twins.torchvision_models import models, narrowed

OPTIONS = [{"dropout": 0.0}]
SIZES = [(32, 32), (33, 71)]


def Twin(num_classes: int, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3) -> nn.Module:
    net = narrowed(models.vgg16, num_classes, width, in_channels, dropout=dropout)
    for place in (14, 21, 28):
        net.features[place] = nn.Conv2d(net.features[place].in_channels, net.features[place].out_channels, 1)
    return net
