"""FCN-AlexNet in PyTorch, as the authors' Caffe file says it: padding 100, poolings that round up, crop 18."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

OPTIONS = [{"dropout": 0.0}, {"dropout": 0.0, "lrn": True}]
SIZES = [(33, 47), (1, 60)]


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, dropout: float = 0.5, lrn: bool = False) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (2 * max(1, round(channels // 2 * width)) for channels in (96, 256, 384, 384, 256))
        c6 = max(1, round(4096 * width))
        self.lrn, self.dropout = lrn, dropout
        self.conv1 = nn.Conv2d(3, c1, 11, stride=4, padding=100)
        self.conv2 = nn.Conv2d(c1, c2, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(c4, c5, 3, padding=1, groups=2)
        self.fc6, self.fc7 = nn.Conv2d(c5, c6, 6), nn.Conv2d(c6, c6, 1)
        self.score_fr = nn.Conv2d(c6, num_classes, 1)
        self.upscore = nn.ConvTranspose2d(num_classes, num_classes, 63, stride=32, bias=False)

    def pool(self, x: torch.Tensor, norm: bool = False) -> torch.Tensor:
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0) if norm else x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pool(F.relu(self.conv1(x)), self.lrn)
        y = self.pool(F.relu(self.conv2(y)), self.lrn)
        y = F.relu(self.conv4(F.relu(self.conv3(y))))
        y = self.pool(F.relu(self.conv5(y)))
        for layer in (self.fc6, self.fc7):
            y = F.dropout(F.relu(layer(y)), self.dropout, self.training)
        y = self.upscore(self.score_fr(y))
        return y[:, :, 18 : 18 + x.shape[2], 18 : 18 + x.shape[3]]
