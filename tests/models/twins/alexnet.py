"""AlexNet is torchvision's; with ``lrn`` normalised behind its first two poolings, as CaffeNet is."""

from __future__ import annotations

from torch import nn

from minifcn.bench.twins.torchvision_models import models, narrowed

OPTIONS = [{"dropout": 0.0}, {"dropout": 0.0, "lrn": True}]
SIZES = [(63, 71), (225, 70)]


def Twin(num_classes: int, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3, lrn: bool = False) -> nn.Module:
    net = narrowed(models.alexnet, num_classes, width, in_channels, dropout=dropout)
    for place in (2, 5) if lrn else ():
        net.features[place] = nn.Sequential(nn.MaxPool2d(3, 2), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    return net
