"""PyTorch's FCN-8s on VGG16, padding 100.

Source: Long, Shelhamer and Darrell 2015, and the authors' Caffe files, whose crops 5, 9 and 31 belong to padding 100.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class FCN8s(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W). Deconvolutions are bilinear and frozen."""

    def __init__(self, num_classes: int = 21, width: float = 1.0, dropout: float = 0.5, in_channels: int = 3) -> None:
        super().__init__()
        channels = in_channels
        for stage, counts in enumerate(VGG16, start=1):
            for index, count in enumerate(counts, start=1):
                out = max(1, round(count * width))
                padding = 100 if stage == index == 1 else 1
                self.add_module(f"conv{stage}_{index}", nn.Conv2d(channels, out, 3, padding=padding))
                self.add_module(f"relu{stage}_{index}", nn.ReLU(inplace=True))
                channels = out
            self.add_module(f"pool{stage}", nn.MaxPool2d(2, 2, ceil_mode=True))
        hidden = max(1, round(4096 * width))
        self.fc6, self.relu6, self.drop6 = nn.Conv2d(channels, hidden, 7), nn.ReLU(inplace=True), nn.Dropout(dropout)
        self.fc7, self.relu7, self.drop7 = nn.Conv2d(hidden, hidden, 1), nn.ReLU(inplace=True), nn.Dropout(dropout)
        self.trunk = tuple(name for name, _ in self.named_children())
        self.score_fr = nn.Conv2d(hidden, num_classes, 1)
        self.score_pool4 = nn.Conv2d(max(1, round(512 * width)), num_classes, 1)
        self.score_pool3 = nn.Conv2d(max(1, round(256 * width)), num_classes, 1)
        self.upscore2 = bilinear_layer(num_classes, 4, 2)
        self.upscore_pool4 = bilinear_layer(num_classes, 4, 2)
        self.upscore8 = bilinear_layer(num_classes, 16, 8)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        pools = {}
        for name in self.trunk:
            x = getattr(self, name)(x)
            if name in ("pool3", "pool4"):
                pools[name] = x
        score = self.upscore2(self.score_fr(x))
        h, w = score.shape[2:]
        score = score + self.score_pool4(pools["pool4"])[:, :, 5 : 5 + h, 5 : 5 + w]
        score = self.upscore_pool4(score)
        h, w = score.shape[2:]
        score = score + self.score_pool3(pools["pool3"])[:, :, 9 : 9 + h, 9 : 9 + w]
        return self.upscore8(score)[:, :, 31 : 31 + H, 31 : 31 + W]


def bilinear_layer(channels: int, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """A frozen deconvolution that interpolates each channel by itself."""
    layer = nn.ConvTranspose2d(channels, channels, kernel, stride, bias=False)
    ramp = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / ((kernel + 1) // 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(ramp, ramp)
    return layer.requires_grad_(False)
