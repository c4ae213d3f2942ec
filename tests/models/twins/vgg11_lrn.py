"""VGG's column A-LRN: torchvision's VGG11, normalised behind its first ReLU."""

from __future__ import annotations

from torch import nn

from minifcn.bench.twins.torchvision_models import models, narrowed

OPTIONS = [{"dropout": 0.0}]
SIZES = [(32, 32), (33, 71)]


def Twin(num_classes: int, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3) -> nn.Module:
    net = narrowed(models.vgg11, num_classes, width, in_channels, dropout=dropout)
    net.features[1] = nn.Sequential(nn.ReLU(), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    return net
