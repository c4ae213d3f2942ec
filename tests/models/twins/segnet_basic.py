"""SegNet-basic in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

OPTIONS = [{}]
SIZES = [(16, 16), (33, 47), (48, 35)]


class Block(nn.Module):
    def __init__(self, C: int, O: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(C, O, 7, padding=3, bias=False), nn.BatchNorm2d(O)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        C = max(1, round(64 * width))
        self.enc1, self.enc2, self.enc3, self.enc4 = Block(3, C), Block(C, C), Block(C, C), Block(C, C)
        self.dec4, self.dec3, self.dec2, self.dec1 = (Block(C, C) for _ in range(4))
        self.score = nn.Conv2d(C, num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        switches = []
        for encoder in (self.enc1, self.enc2, self.enc3, self.enc4):
            x = F.relu(encoder(x))
            size = x.shape[2:]
            x, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            switches.append((indices, size))
        for decoder in (self.dec4, self.dec3, self.dec2, self.dec1):
            indices, size = switches.pop()
            x = decoder(F.max_unpool2d(x, indices, 2, output_size=size))
        return self.score(x)
