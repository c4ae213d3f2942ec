"""PyTorch's FCN on SqueezeNet 1.1: scores of every 16th pixel, doubled, added to those of every 8th, and enlarged.

Sources: Iandola et al. 2016; Long, Shelhamer and Darrell 2015. The crops are written down: 0 and the padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from minifcn.bench.twins.fcn8s import bilinear_layer


class Fire(nn.Module):
    """A squeeze to few channels, and two expansions side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze1x1, self.relu_squeeze = nn.Conv2d(channels, squeeze, 1), nn.ReLU(inplace=True)
        self.expand1x1, self.relu1x1 = nn.Conv2d(squeeze, expand, 1), nn.ReLU(inplace=True)
        self.expand3x3, self.relu3x3 = nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        s = self.relu_squeeze(self.squeeze1x1(x))
        return torch.cat([self.relu1x1(self.expand1x1(s)), self.relu3x3(self.expand3x3(s))], dim=1)


class FCNSqueezeNet(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W)."""

    if TYPE_CHECKING:  # for torch, what is added by name may be a tensor

        def __getattr__(self, name: str) -> nn.Module: ...

    def __init__(
        self, num_classes: int = 21, width: float = 1.0, stride: int = 8, padding: int = 1, dropout: float = 0.5,
        in_channels: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.padding = stride, padding
        c64, c128, c192, c256 = (max(1, round(channels * width)) for channels in (64, 128, 192, 256))
        s16, s32, s48, s64 = (max(1, round(channels * width)) for channels in (16, 32, 48, 64))
        self.conv1, self.relu1 = nn.Conv2d(in_channels, c64, 3, stride=2, padding=padding), nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.fire2, self.fire3 = Fire(c64, s16, c64), Fire(2 * c64, s16, c64)
        self.fire4, self.fire5 = Fire(2 * c64, s32, c128), Fire(2 * c128, s32, c128)
        self.fire6, self.fire7 = Fire(2 * c128, s48, c192), Fire(2 * c192, s48, c192)
        self.fire8, self.fire9 = Fire(2 * c192, s64, c256), Fire(2 * c256, s64, c256)
        self.drop9, self.score = nn.Dropout(dropout), nn.Conv2d(2 * c256, num_classes, 1)
        if stride == 8:
            self.upscore2 = bilinear_layer(num_classes, 3, 2)
            self.score_fire5 = nn.Conv2d(2 * c128, num_classes, 1)
            self.upscore8 = bilinear_layer(num_classes, 15, 8)
        else:
            self.upscore = bilinear_layer(num_classes, 2 * stride - 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        P, H, W = self.padding, *x.shape[2:]
        x = self.pool(self.relu1(self.conv1(x)))
        x = self.pool(self.fire3(self.fire2(x)))
        fire5 = self.fire5(self.fire4(x))
        x = self.fire9(self.fire8(self.fire7(self.fire6(self.pool(fire5)))))
        if self.stride == 8:
            h, w = fire5.shape[2:]
            x = self.upscore2(self.score(self.drop9(x)))[:, :, :h, :w] + self.score_fire5(fire5)
            return self.upscore8(x)[:, :, P : P + H, P : P + W]
        x = self.pool(x) if self.stride == 32 else x
        return self.upscore(self.score(self.drop9(x)))[:, :, P : P + H, P : P + W]
