"""Squeeze U-Net in PyTorch, with pictures filled up to multiples of 16."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d, pad, relu

OPTIONS = [{"dropout": 0.0}]
SIZES = [(33, 47), (48, 32)]


class Fire(nn.Module):
    def __init__(self, C: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze1x1, self.bn = nn.Conv2d(C, squeeze, 1), nn.BatchNorm2d(squeeze)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeeze, expand, 1), nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = self.bn(relu(self.squeeze1x1(x)))
        return torch.cat([relu(self.expand1x1(s)), relu(self.expand3x3(s))], dim=1)


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        c = {channels: max(1, round(channels * width)) for channels in (16, 32, 48, 64, 128, 192, 256)}
        self.conv1 = nn.Conv2d(3, c[64], 3, stride=2, padding=1)
        C = c[64]
        for number, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
            setattr(self, f"fire{number}", Fire(C, c[squeeze], c[4 * squeeze]))
            C = 2 * c[4 * squeeze]
        self.up10, self.fire10 = nn.ConvTranspose2d(C, c[192], 3, 1, 1), Fire(3 * c[192], c[48], c[192])
        self.up11, self.fire11 = nn.ConvTranspose2d(2 * c[192], c[128], 3, 1, 1), Fire(3 * c[128], c[32], c[128])
        self.up12, self.fire12 = nn.ConvTranspose2d(2 * c[128], c[64], 3, 2, 1, 1), Fire(3 * c[64], c[16], c[64])
        self.up13, self.fire13 = nn.ConvTranspose2d(2 * c[64], c[32], 3, 2, 1, 1), Fire(c[32] + c[64], c[16], c[32])
        self.conv14 = nn.Conv2d(2 * c[32] + c[64], c[64], 3, padding=1)
        self.score = nn.Conv2d(c[64], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        H, W = x.shape[2:]
        conv1 = relu(self.conv1(pad(x, (0, -W % 16, 0, -H % 16))))
        pool1 = max_pool2d(conv1, 3, 2, 1)
        pool3 = max_pool2d(self.fire3(self.fire2(pool1)), 3, 2, 1)
        fire5 = self.fire5(self.fire4(pool3))
        pool5 = max_pool2d(fire5, 3, 2, 1)
        fire7 = self.fire7(self.fire6(pool5))
        y = self.fire9(self.fire8(fire7))
        y = self.fire10(torch.cat([self.up10(y), fire7], dim=1))
        y = self.fire11(torch.cat([self.up11(y), pool5], dim=1))
        y = self.fire12(torch.cat([self.up12(y), pool3], dim=1))
        y = self.fire13(torch.cat([self.up13(y), pool1], dim=1))
        y = relu(self.conv14(torch.cat([interpolate(y, scale_factor=2), conv1], dim=1)))
        return self.score(interpolate(y, scale_factor=2))[:, :, :H, :W]
