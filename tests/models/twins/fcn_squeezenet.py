"""FCN on SqueezeNet 1.1 in PyTorch, with the crops written down."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import max_pool2d, relu

OPTIONS = [{"dropout": 0.0}, {"dropout": 0.0, "stride": 16}, {"dropout": 0.0, "stride": 32}, {"dropout": 0.0, "padding": 4}]
SIZES = [(33, 47), (48, 32), (31, 66)]


class Fire(nn.Module):
    def __init__(self, C: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(C, squeeze, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = relu(self.squeeze1x1(x))
        return torch.cat([relu(self.expand1x1(s)), relu(self.expand3x3(s))], dim=1)


class Twin(nn.Module):
    def __init__(
        self, num_classes: int, width: float = 1.0, stride: int = 8, padding: int = 1, dropout: float = 0.0
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.padding = stride, padding
        c64, c128, c192, c256 = (max(1, round(channels * width)) for channels in (64, 128, 192, 256))
        s16, s32, s48, s64 = (max(1, round(channels * width)) for channels in (16, 32, 48, 64))
        self.conv1 = nn.Conv2d(3, c64, 3, stride=2, padding=padding)
        self.fire2, self.fire3 = Fire(c64, s16, c64), Fire(2 * c64, s16, c64)
        self.fire4, self.fire5 = Fire(2 * c64, s32, c128), Fire(2 * c128, s32, c128)
        self.fire6, self.fire7 = Fire(2 * c128, s48, c192), Fire(2 * c192, s48, c192)
        self.fire8, self.fire9 = Fire(2 * c192, s64, c256), Fire(2 * c256, s64, c256)
        self.score = nn.Conv2d(2 * c256, num_classes, 1)
        if stride == 8:
            self.upscore2 = nn.ConvTranspose2d(num_classes, num_classes, 3, 2, bias=False)
            self.score_fire5 = nn.Conv2d(2 * c128, num_classes, 1)
            self.upscore8 = nn.ConvTranspose2d(num_classes, num_classes, 15, 8, bias=False)
        else:
            self.upscore = nn.ConvTranspose2d(num_classes, num_classes, 2 * stride - 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = max_pool2d(relu(self.conv1(x)), 3, 2, ceil_mode=True)
        y = max_pool2d(self.fire3(self.fire2(y)), 3, 2, ceil_mode=True)
        fire5 = self.fire5(self.fire4(y))
        y = self.fire9(self.fire8(self.fire7(self.fire6(max_pool2d(fire5, 3, 2, ceil_mode=True)))))
        if self.stride == 8:
            H, W = fire5.shape[2:]
            y = self.upscore8(self.upscore2(self.score(y))[:, :, :H, :W] + self.score_fire5(fire5))
        else:
            y = self.upscore(self.score(max_pool2d(y, 3, 2, ceil_mode=True) if self.stride == 32 else y))
        P, H, W = self.padding, *x.shape[2:]
        return y[:, :, P : P + H, P : P + W]
