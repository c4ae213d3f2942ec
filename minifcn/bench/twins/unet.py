"""PyTorch's U-Net: 3x3 convolutions that keep the size, pictures filled up with zeros to multiples of 16.

Source: Ronneberger, Fischer and Brox 2015, figure 1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class UNet(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W)."""

    if TYPE_CHECKING:  # for torch, what is added by name may be a tensor

        def __getattr__(self, name: str) -> nn.Module: ...

    def __init__(self, num_classes: int = 21, width: float = 1.0, batch_norm: bool = False, in_channels: int = 3) -> None:
        super().__init__()
        channels = [max(1, round(count * width)) for count in (64, 128, 256, 512, 1024)]
        for stage, (above, below) in enumerate(pairwise((in_channels, *channels)), start=1):
            self.add_module(f"enc{stage}", double_conv(above, below, batch_norm))
        for stage, (above, below) in enumerate(pairwise(channels), start=1):
            self.add_module(f"up{stage}", nn.ConvTranspose2d(below, above, 2, 2))
            self.add_module(f"dec{stage}", double_conv(2 * above, above, batch_norm))
        self.pool, self.concat = nn.MaxPool2d(2), Concat()
        self.score = nn.Conv2d(channels[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        x1 = self.enc1(pad(x, (0, -W % 16, 0, -H % 16)))
        x2 = self.enc2(self.pool(x1))
        x3 = self.enc3(self.pool(x2))
        x4 = self.enc4(self.pool(x3))
        y = self.enc5(self.pool(x4))
        y = self.dec4(self.concat(x4, self.up4(y)))
        y = self.dec3(self.concat(x3, self.up3(y)))
        y = self.dec2(self.concat(x2, self.up2(y)))
        y = self.dec1(self.concat(x1, self.up1(y)))
        return self.score(y)[:, :, :H, :W]


def double_conv(in_channels: int, out_channels: int, batch_norm: bool) -> nn.Sequential:
    """Twice a 3x3 convolution, a batch norm where there shall be one, and a ReLU."""
    layers = nn.Sequential()
    for place, channels in ((1, in_channels), (2, out_channels)):
        layers.add_module(f"conv{place}", nn.Conv2d(channels, out_channels, 3, padding=1))
        if batch_norm:
            layers.add_module(f"bn{place}", nn.BatchNorm2d(out_channels))
        layers.add_module(f"relu{place}", nn.ReLU(inplace=True))
    return layers


class Concat(nn.Module):
    """A module and not a call, so that its time can be told."""

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, dim=1)
