"""VGG19 is torchvision's."""

from __future__ import annotations

from torch import nn

from minifcn.bench.twins.torchvision_models import models, narrowed

OPTIONS = [{"dropout": 0.0}]
SIZES = [(32, 32), (33, 71)]


def Twin(num_classes: int, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3) -> nn.Module:
    return narrowed(models.vgg19, num_classes, width, in_channels, dropout=dropout)
