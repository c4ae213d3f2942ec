"""The encoder-decoder on VGG16 in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

OPTIONS = [{}, {"skips": True}]
SIZES = [(32, 32), (33, 47), (64, 35)]
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, skips: bool = False) -> None:
        super().__init__()
        self.skips = skips
        C = 3
        for stage, counts in enumerate(STAGES, start=1):
            for index, count in enumerate(counts, start=1):
                O = max(1, round(count * width))
                self.add_module(f"conv{stage}_{index}", nn.Conv2d(C, O, 3, padding=1))
                C = O
        for stage, count in ((4, 512), (3, 256), (2, 128), (1, 64), (0, 32)):
            O = max(1, round(count * width))
            block = {"deconv": nn.ConvTranspose2d(C, O, 2, stride=2), "bn": nn.BatchNorm2d(O)}
            if stage:
                block["relu"] = nn.ReLU()
            self.add_module(f"up{stage}", nn.Sequential())
            for name, layer in block.items():
                self.get_submodule(f"up{stage}").add_module(name, layer)
            C = O
        self.score = nn.Conv2d(C, num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        H, W = x.shape[2:]
        y = F.pad(x, (0, -W % 32, 0, -H % 32))
        pools = []
        for stage, counts in enumerate(STAGES, start=1):
            for index in range(1, len(counts) + 1):
                y = F.relu(self.get_submodule(f"conv{stage}_{index}")(y))
            y = F.max_pool2d(y, 2)
            pools.append(y)
        for stage in (4, 3, 2, 1, 0):
            y = self.get_submodule(f"up{stage}")(y)
            if self.skips and stage:
                y = y + pools[stage - 1]
        return self.score(y)[:, :, :H, :W]
