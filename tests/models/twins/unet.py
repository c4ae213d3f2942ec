"""U-Net in PyTorch, keeping the size, with pictures filled up to multiples of 16."""

from __future__ import annotations

import torch
from torch import nn

OPTIONS = [{}, {"batch_norm": True}, {"in_channels": 1}]
SIZES = [(16, 16), (33, 47), (48, 32)]


def double_conv(C: int, O: int, batch_norm: bool) -> nn.Sequential:
    layers = nn.Sequential()
    for place, channels in ((1, C), (2, O)):
        layers.add_module(f"conv{place}", nn.Conv2d(channels, O, 3, padding=1))
        if batch_norm:
            layers.add_module(f"bn{place}", nn.BatchNorm2d(O))
        layers.add_module(f"relu{place}", nn.ReLU())
    return layers


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, batch_norm: bool = False, in_channels: int = 3) -> None:
        super().__init__()
        c = [in_channels, *(max(1, round(channels * width)) for channels in (64, 128, 256, 512, 1024))]
        for stage in range(1, 6):
            setattr(self, f"enc{stage}", double_conv(c[stage - 1], c[stage], batch_norm))
        for stage in range(4, 0, -1):
            setattr(self, f"up{stage}", nn.ConvTranspose2d(c[stage + 1], c[stage], 2, stride=2))
            setattr(self, f"dec{stage}", double_conv(2 * c[stage], c[stage], batch_norm))
        self.score = nn.Conv2d(c[1], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        H, W = x.shape[2:]
        y = nn.functional.pad(x, (0, -W % 16, 0, -H % 16))
        skips = []
        for stage in range(1, 5):
            y = getattr(self, f"enc{stage}")(y)
            skips.append(y)
            y = nn.functional.max_pool2d(y, 2)
        y = self.enc5(y)
        for stage in range(4, 0, -1):
            y = torch.cat([skips.pop(), getattr(self, f"up{stage}")(y)], dim=1)
            y = getattr(self, f"dec{stage}")(y)
        return self.score(y)[:, :, :H, :W]
