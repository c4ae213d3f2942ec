"""The course baseline in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

OPTIONS = [{}]
SIZES = [(32, 32), (33, 47), (64, 35)]


class Down(nn.Module):
    def __init__(self, C: int, O: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(C, O, 3, stride=2, padding=1), nn.BatchNorm2d(O)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Up(nn.Module):
    def __init__(self, C: int, O: int) -> None:
        super().__init__()
        self.deconv, self.bn = nn.ConvTranspose2d(C, O, 3, stride=2, padding=1, output_padding=1), nn.BatchNorm2d(O)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.deconv(x)))


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c = [3, *(max(1, round(count * width)) for count in (32, 64, 128, 256, 512))]
        self.encoder, self.decoder = nn.Sequential(), nn.Sequential()
        for stage in range(1, 6):
            self.encoder.add_module(f"enc{stage}", Down(c[stage - 1], c[stage]))
        for stage in range(5, 0, -1):
            self.decoder.add_module(f"dec{stage}", Up(c[min(stage + 1, 5)], c[stage]))
        self.score = nn.Conv2d(c[1], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.score(self.decoder(self.encoder(x)))[:, :, : x.shape[2], : x.shape[3]]
